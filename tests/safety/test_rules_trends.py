"""R20, R25 and T1–T4 at, below and outside their limits (clinical-safety §1.6, §3.3)."""

from decimal import Decimal

import pytest

from tests.safety.builders import ago, asked, baseline, context, dose, fired, median, only, report, temperature, value

OWN = baseline(
    vitals={"sbp": median(120), "hr": median(70)},
    temperature={"armpit/16-22": median(36.5)},
    symptoms={"fatigue": 2, "headache": 0},
)

# --- R20 ----------------------------------------------------------------------------------------------

ENOUGH = {"temp_c": 37.5, "chills": 1, "intake": "no"}


@pytest.mark.parametrize(
    ("change", "fires"),
    [
        ({}, True),
        ({"temp_c": 37.4}, False),
        ({"chills": 0}, False),
        ({"intake": "yes"}, False),
        ({"intake": "yes", "hr": 85}, True),
        ({"intake": "yes", "hr": 84}, False),
        ({"intake": "yes", "sbp": 108}, True),
        ({"intake": "yes", "sbp": 109}, False),
        ({"intake": "yes", "headache": 2}, True),
        ({"intake": "yes", "headache": 1}, False),
        ({"intake": "yes", "myalgia": 2}, True),
        ({"intake": "yes", "fatigue": 2}, False),  # as before treatment
        ({"intake": "yes", "fatigue": 3}, True),
    ],
)
def test_r20_needs_three_signs(change, fires):
    found = only(asked(baseline=OWN, **{**ENOUGH, **change}), "R20")
    assert (found is not None) == fires
    if found is not None:
        assert (found.level, found.organ) == ("URGENT", "trend")
        assert "3 early signs together." in found.sentence_en


def test_r20_counts_headache_ache_and_fatigue_as_one():
    assert only(asked(headache=3, myalgia=3, fatigue=3, baseline=OWN), "R20") is None
    assert only(asked(headache=3, myalgia=3, fatigue=3, chills=1, baseline=OWN), "R20") is None


def test_r20_outside_its_windows():
    assert only(asked(window="W4", baseline=OWN, **ENOUGH), "R20") is None


# --- R25 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("organ", "answers", "level", "grouped"),
    [
        ("skin", {"rash": 1}, "REVIEW", "skin"),
        ("joints", {"joints": 1}, "REVIEW", "joints"),
        ("gut", {"diarrhoea_24h": 3}, "REVIEW", "gut"),
        ("kidney", {"oedema": 1}, "URGENT", "kidney"),
        ("kidney", {"urine": ["foamy"]}, "URGENT", "kidney"),
        ("heart", {"palps": 1}, "URGENT", "heart"),
        ("lung", {"cough": 1}, "URGENT", "breathing"),
        ("lung", {"breath": 1}, "URGENT", "breathing"),
    ],
)
def test_r25_a_symptom_in_an_organ_affected_before(organ, answers, level, grouped):
    found = only(asked(prior_organs=(organ,), **answers), "R25")
    assert (found.level, found.organ, found.compatible_with) == (level, grouped, ("licats", "flare"))
    assert only(asked(prior_organs=("blood",), **answers), "R25") is None


@pytest.mark.parametrize(
    ("own", "now", "fires"),
    [({"rash": 1}, {"rash": 1}, False), ({"rash": 1}, {"rash": 2}, True), ({}, {"rash": 0}, False)],
)
def test_r25_one_step_above_own_baseline(own, now, fires):
    given = asked(prior_organs=("skin",), baseline=baseline(symptoms=own), **now)
    assert (only(given, "R25") is not None) == fires


def test_r25_diarrhoea_counts_from_three_more_than_usual():
    assert only(asked(prior_organs=("gut",), diarrhoea_24h=2), "R25") is None
    usual = baseline(symptoms={"diarrhoea_24h": 1})
    assert only(asked(prior_organs=("gut",), diarrhoea_24h=3, baseline=usual), "R25") is None
    assert only(asked(prior_organs=("gut",), diarrhoea_24h=4, baseline=usual), "R25") is not None


def test_r25_foamy_urine_known_from_before_is_not_new():
    before = report(ago(24 * 8), urine=["foamy"])
    assert only(asked(before, prior_organs=("kidney",), urine=["foamy"]), "R25") is None
    again = only(asked(before, prior_organs=("kidney",), urine=["foamy", "red"]), "R25")
    assert again.drives == {"urine_red": 1}
    own = baseline(symptoms={"urine_foamy": 1})
    assert only(asked(prior_organs=("kidney",), urine=["foamy"], baseline=own), "R25") is None


@pytest.mark.parametrize(
    ("day", "window", "fires"),
    [(3, "W2", True), (2, "W2", False), (60, "W4", True), (61, "W4", False), (10, "W1", False)],
)
def test_r25_from_day_3_to_day_60(day, window, fires):
    assert (only(asked(prior_organs=("skin",), rash=2, day=day, window=window), "R25") is not None) == fires


def test_r25_not_with_fever_and_not_when_masked():
    given = {"prior_organs": ("skin",), "rash": 2}
    assert only(asked(temp_c=37.9, **given), "R25") is not None
    assert only(asked(temp_c=38.0, **given), "R25") is None
    assert only(asked(temperature(ago(24), 38.0), **given), "R25") is None
    assert only(asked(temperature(ago(25), 38.0), **given), "R25") is not None
    assert only(asked(doses=[dose("paracetamol", "antipyretic", ago(2))], **given), "R25") is None


def test_r25_says_organ_day_and_b_cells():
    given = asked(prior_organs=("joints",), joints=2, values=[value("b_cells", 0, ago(20))])
    found = only(given, "R25")
    assert found.sentence_en.startswith("Day +6, 21:10. Organs affected before treatment: joints.")
    assert "B cells 0 (20 h ago)" in found.sentence_en


# --- T1 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "middle", "last", "fires"),
    [(36.8, 37.0, 37.3, True), (36.9, 37.0, 37.3, False), (36.6, 37.0, 37.2, False), (36.8, 36.5, 37.3, True)],
)
def test_t1_half_a_degree_over_three_readings(first, middle, last, fires):
    found = only(asked(temperature(ago(10), first), temperature(ago(5), middle), temp_c=last), "T1")
    assert (found is not None) == fires
    if found is not None:
        assert (found.level, found.organ) == ("REVIEW", "trend")


def test_t1_same_site_within_a_day_and_in_its_windows():
    def rising(hours=10, site="armpit", **rest):
        return asked(temperature(ago(hours), 36.6), temperature(ago(5), 36.9, site), temp_c=37.4, **rest)

    assert only(rising(), "T1") is not None
    assert only(rising(site="ear"), "T1") is None
    assert only(rising(hours=24), "T1") is not None
    assert only(rising(hours=24.1), "T1") is None
    assert only(rising(window="W4"), "T1") is None


# --- T2 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hr", "degrees", "fires"), [(100, 36.5, True), (99, 36.5, False), (109, 37.5, True), (108, 37.5, False)]
)
def test_t2_thirty_beats_above_what_the_temperature_explains(hr, degrees, fires):
    found = only(asked(hr=hr, temp_c=degrees, baseline=OWN), "T2")
    assert (found is not None) == fires


def test_t2_needs_both_baselines_and_its_windows():
    assert only(asked(hr=150, temp_c=36.5), "T2") is None
    assert only(asked(hr=150, temp_c=36.5, baseline=baseline(vitals={"hr": median(70)})), "T2") is None
    assert only(asked(hr=150, temp_c=36.5, baseline=OWN, window="W4"), "T2") is None


# --- T3 -----------------------------------------------------------------------------------------------


def neuro(at, score, **answers):
    return report(at, form="neuro", score=Decimal(score), **answers)


@pytest.mark.parametrize(
    ("scores", "fires"), [((10, 9, 8), True), ((10, 10, 9), False), ((10, 9, 9), False), ((9, 8, 10), False)]
)
def test_t3_two_daily_falls_in_a_row(scores, fires):
    given = context(*(neuro(ago(24 * back), score) for back, score in zip((2, 1, 0), scores, strict=True)))
    found = only(given, "T3")
    assert (found is not None) == fires
    if found is not None:
        assert "10 → 9 → 8" in found.sentence_en


def test_t3_takes_the_lowest_check_of_a_day():
    given = context(neuro(ago(48), 10), neuro(ago(30), 9), neuro(ago(26), 10), neuro(ago(), 8))
    assert only(given, "T3") is not None


@pytest.mark.parametrize(("back", "fires"), [(3, True), (4, False)])
def test_t3_compares_days_close_to_each_other(back, fires):
    given = context(neuro(ago(24 * back), 10), neuro(ago(24), 9), neuro(ago(), 8))
    assert (only(given, "T3") is not None) == fires


@pytest.mark.parametrize(("seconds", "fires"), [(150, True), (149, False)])
def test_t3_half_as_slow_again(seconds, fires):
    given = context(neuro(ago(), 10, neuro_seconds=seconds), baseline=baseline(neuro_seconds=Decimal(100)))
    assert (only(given, "T3") is not None) == fires
    assert only(context(neuro(ago(), 10, neuro_seconds=seconds), window="W2"), "T3") is None


def test_t3_outside_its_windows():
    given = [neuro(ago(24 * back), score) for back, score in ((2, 10), (1, 9), (0, 8))]
    assert only(context(*given, window="W4"), "T3") is None


# --- T4 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hours", "before", "now", "fires"),
    [(72, 60.0, 62.0, True), (72, 60.1, 62.0, False), (72.1, 60.0, 62.0, False), (24, 62.0, 60.0, False)],
)
@pytest.mark.parametrize("window", ["W0", "W2", "W5"])
def test_t4_two_kilograms_in_three_days(hours, before, now, fires, window):
    found = only(asked(report(ago(hours), weight_kg=before), weight_kg=now, window=window), "T4")
    assert (found is not None) == fires
    if found is not None:
        assert "Weight change +2.0 kg" in found.sentence_en


@pytest.mark.parametrize(
    ("other", "level"),
    [({}, "REVIEW"), ({"worry": "tomorrow"}, "URGENT"), ({"temp_c": 37.5, "temp_site": "armpit"}, "REVIEW")],
)
def test_a_trend_is_urgent_beside_another_rule_above_note(other, level):
    """§3.3: all REVIEW, URGENT if combined with another rule; a first probable fever is only a note."""
    found = fired(asked(report(ago(24), weight_kg=60), weight_kg=62, **other))
    assert found["T4"].level == level


TRENDS = {
    "T1": asked(temperature(ago(10), 36.6), temperature(ago(5), 36.7), temp_c=37.4, worry="tomorrow"),
    "T2": asked(hr=105, temp_c=36.5, baseline=OWN, worry="tomorrow"),
    "T3": context(
        neuro(ago(48), 10),
        neuro(ago(24), 9),
        report(form="neuro", score=Decimal(8), neuro_seconds=90, worry="tomorrow"),
    ),
    "T4": asked(report(ago(24), weight_kg=60), weight_kg=62, worry="tomorrow"),
}


@pytest.mark.parametrize("trend", TRENDS)
def test_every_trend_is_raised_beside_another_rule(trend):
    assert only(TRENDS[trend], trend).level == "REVIEW"
    assert fired(TRENDS[trend])[trend].level == "URGENT"
