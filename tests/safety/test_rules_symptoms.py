"""R19, R21–R24, R26, R28 and R30 at, below and outside their limits (clinical-safety §3.3)."""

from datetime import timedelta

import pytest

from tests.safety.builders import AT, ago, asked, baseline, context, fired, only, report, temperature, value

EVERY_WINDOW = pytest.mark.parametrize("window", ["W0", "W1", "W2", "W3", "W4", "W5"])
KNOWN_PAIN = baseline(symptoms={"chest_pain": 1, "breath": 1})


# --- R19 ----------------------------------------------------------------------------------------------


@EVERY_WINDOW
@pytest.mark.parametrize("answers", [{"chest_pain": "yes"}, {"now_any": ["chest_pain"]}])
def test_r19_new_chest_pain(window, answers):
    found = only(asked(window=window, **answers), "R19")
    assert (found.level, found.organ, found.red_flag) == ("EMERGENCY", "heart", True)


@pytest.mark.parametrize(
    ("answers", "level"),
    [
        ({"chest_pain": "yes"}, "REVIEW"),
        ({"chest_pain": "yes", "breath": 1}, "REVIEW"),
        ({"chest_pain": "yes", "breath": 2}, "EMERGENCY"),
        ({"now_any": ["chest_pain"]}, "EMERGENCY"),
    ],
)
def test_r19_known_pain_is_a_review_unless_worse(answers, level):
    found = only(asked(baseline=KNOWN_PAIN, **answers), "R19")
    assert (found.level, found.red_flag) == (level, level == "EMERGENCY")


@pytest.mark.parametrize("answers", [{"chest_pain": "no"}, {"now_any": ["bleeding"]}, {}])
def test_r19_is_quiet_without_pain(answers):
    assert only(asked(**answers), "R19") is None


# --- R21 ----------------------------------------------------------------------------------------------


@EVERY_WINDOW
@pytest.mark.parametrize(
    "answers",
    [
        {"bleeding": 3},
        {"bleeding": 1, "bleeding_site": ["stool"]},
        {"bleeding_site": ["vomit"]},
        {"now_any": ["bleeding"]},
    ],
)
def test_r21_emergencies(window, answers):
    found = only(asked(window=window, **answers), "R21")
    assert (found.level, found.organ, found.red_flag) == ("EMERGENCY", "bleeding", True)


@pytest.mark.parametrize(
    ("answers", "level"),
    [
        ({"bleeding": 2, "bleeding_site": ["gums"]}, "URGENT"),
        ({"bleeding": 1, "bleeding_site": ["nose"]}, None),
        ({"bleeding": 0}, None),
    ],
)
def test_r21_moderate_and_less(answers, level):
    found = only(asked(**answers), "R21")
    assert (found.level if found else None) == level
    if found:
        assert (found.drives, found.red_flag) == ({"bleeding": 2}, False)


@pytest.mark.parametrize(("platelets", "bleeding", "fires"), [(19, 1, True), (20, 1, False), (19, 0, False)])
def test_r21_any_bleeding_with_few_platelets(platelets, bleeding, fires):
    found = only(asked(bleeding=bleeding, values=[value("platelets", platelets, ago(30))]), "R21")
    assert (found is not None) == fires
    if found is not None:
        assert found.level == "EMERGENCY"
        assert "platelets 19 (30 h ago)" in found.sentence_en


@pytest.mark.parametrize(
    ("hours", "bleeding", "platelets", "fires"),
    [(24, 1, 19, True), (25, 1, 19, False), (5, 0, 19, False), (5, 1, 20, False)],
)
def test_r21_when_the_count_comes_in_after_the_report(hours, bleeding, platelets, fires):
    given = context(report(ago(hours), bleeding=bleeding), values=[value("platelets", platelets)])
    assert (only(given, "R21") is not None) == fires


# --- R22 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "fires"),
    [
        ({"urine": ["none_8h"]}, True),
        ({"urine": ["less"], "dizzy": 1}, True),
        ({"urine": ["less"], "dizzy": 0}, False),
        ({"urine": ["less"]}, False),
        ({"urine": ["normal"], "dizzy": 3}, False),
    ],
)
def test_r22_no_urine_or_less_with_dizziness(answers, fires):
    found = only(asked(**answers), "R22")
    assert (found is not None) == fires
    if found is not None:
        assert (found.level, found.organ) == ("URGENT", "kidney")


def test_r22_says_the_weight_change_and_ends_with_w4():
    given = asked(report(ago(24), weight_kg=60.5), urine=["none_8h"], weight_kg=62)
    assert "Weight change +1.5 kg since 2025-03-09 21:10." in only(given, "R22").sentence_en
    assert only(asked(urine=["none_8h"], window="W5"), "R22") is None


# --- R23 ----------------------------------------------------------------------------------------------


@EVERY_WINDOW
@pytest.mark.parametrize(
    ("answers", "fires"),
    [
        ({"vomit_24h": 6}, True),
        ({"vomit_24h": 5}, False),
        ({"diarrhoea_24h": 7}, True),
        ({"diarrhoea_24h": 6}, False),
        ({"fluids_kept": "no"}, True),
        ({"fluids_kept": "yes"}, False),
    ],
)
def test_r23_fluid_loss(window, answers, fires):
    found = only(asked(window=window, **answers), "R23")
    assert (found is not None) == fires
    if found is not None:
        assert (found.level, found.organ) == ("URGENT", "gut")


# --- R24 ----------------------------------------------------------------------------------------------


@EVERY_WINDOW
@pytest.mark.parametrize("tick", ["swelling_face_throat", "hives_wheeze"])
def test_r24_airway(window, tick):
    found = only(asked(window=window, now_any=[tick]), "R24")
    assert (found.level, found.organ, found.red_flag) == ("EMERGENCY", "breathing", True)


@pytest.mark.parametrize(
    ("answers", "own", "fires"),
    [
        ({"rash": 2}, {}, True),
        ({"rash": 1}, {}, False),
        ({"rash": 2}, {"rash": 2}, False),
        ({"rash": 3}, {"rash": 2}, True),
        ({"now_any": ["blisters_painful_skin"]}, {"rash": 3}, True),
    ],
)
def test_r24_skin_worse_than_own_baseline(answers, own, fires):
    found = only(asked(baseline=baseline(symptoms=own), **answers), "R24")
    assert (found is not None) == fires
    if found is not None:
        assert (found.level, found.organ, found.red_flag) == ("URGENT", "skin", False)


def test_r24_says_whether_the_skin_was_affected_before():
    assert "Skin disease before treatment: yes." in only(asked(rash=2, prior_organs=("skin",)), "R24").sentence_en
    assert only(asked(rash=2), "R24").drives == {"rash": 2}


# --- R26 ----------------------------------------------------------------------------------------------


@EVERY_WINDOW
@pytest.mark.parametrize(
    "answers",
    [
        {"headache": 3},
        {"headache": 2, "temp_c": 38.0},
        {"headache": 2, "vomit_24h": 1},
        {"now_any": ["worst_headache"]},
        {"now_any": ["stiff_neck"]},
    ],
)
def test_r26_bad_headache(window, answers):
    found = only(asked(window=window, **answers), "R26")
    assert (found.level, found.organ, found.red_flag) == ("EMERGENCY", "neuro", True)


@pytest.mark.parametrize(
    "answers",
    [
        {"headache": 2},
        {"headache": 2, "vomit_24h": 0},
        {"headache": 2, "temp_c": 37.5},
        {"headache": 1, "temp_c": 39.5},
    ],
)
def test_r26_is_quiet_just_below(answers):
    assert only(asked(**answers), "R26") is None


def test_r26_counts_a_ward_fever_and_a_repeated_probable_one():
    ward = context(report(ago(minutes=30), headache=2), values=[value("body_temperature", "38.2", method="ear")])
    assert only(ward, "R26") is not None
    assert only(asked(temperature(ago(minutes=20), 37.6), headache=2, temp_c=37.6), "R26") is not None


# --- R28 ----------------------------------------------------------------------------------------------


@EVERY_WINDOW
@pytest.mark.parametrize(("worry", "level"), [("now", "URGENT"), ("tomorrow", "REVIEW"), ("no", None)])
def test_r28_is_as_urgent_as_they_asked(window, worry, level):
    found = only(asked(window=window, worry=worry), "R28")
    assert (found.level if found else None) == level


def test_r28_shows_their_own_words():
    found = only(asked(worry="now", note="she looks different", reporter="carer"), "R28")
    assert "worry of patient or carer: call me now, their words: she looks different" in found.sentence_en
    assert "请现在联系我" in found.sentence_zh


# --- R30 ----------------------------------------------------------------------------------------------


def infused(hours, **answers):
    return asked(window="W1", day=0, infused_at=AT - timedelta(hours=hours), **answers)


@pytest.mark.parametrize(
    ("answers", "level"),
    [
        ({"chills": 1}, "URGENT"),
        ({"dizzy": 1}, "URGENT"),
        ({"rash": 1}, "URGENT"),
        ({"breath": 1}, None),
        ({"breath": 2}, "EMERGENCY"),
        ({"now_any": ["hives_wheeze"]}, "EMERGENCY"),
        ({"now_any": ["swelling_face_throat"]}, "EMERGENCY"),
        ({"faint": "near"}, "EMERGENCY"),
        ({"chills": 0, "dizzy": 0, "rash": 0, "faint": "no"}, None),
    ],
)
def test_r30_infusion_reaction(answers, level):
    found = only(infused(1, **answers), "R30")
    assert (found.level if found else None) == level
    if found:
        assert found.red_flag == (level == "EMERGENCY")
        assert "60 min after infusion." in found.sentence_en


@pytest.mark.parametrize(("hours", "fires"), [(6, True), (6.01, False), (-0.1, False)])
def test_r30_within_six_hours_of_infusion(hours, fires):
    assert (only(infused(hours, chills=1), "R30") is not None) == fires


def test_r30_outside_its_window():
    assert only(asked(window="W2", infused_at=ago(1), chills=3), "R30") is None
    assert "R30" not in fired(asked(window="W0", day=None, chills=3))
