"""How findings are asked for, combined, ordered and keyed (clinical-safety §3.2, §3.3)."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.safety.context import Context
from backend.safety.evaluate import evaluate
from backend.safety.rules.base import CATALOGUE
from schedules.protocol.definition import LEVELS
from tests.safety.builders import (
    AT,
    RULES,
    SETTINGS,
    STUDY,
    ago,
    asked,
    baseline,
    context,
    dose,
    episode,
    fired,
    median,
    paracetamol,
    report,
    temperature,
    value,
)

OWN = baseline(
    temperature={"armpit/16-22": median(36.5), "armpit": median(36.4)},
    vitals={"sbp": median(118), "hr": median(72), "spo2": median(98)},
    symptoms={"fatigue": 1, "rash": 1},
)


# --- the catalogue ------------------------------------------------------------------------------------


def test_every_report_rule_of_the_reference_is_registered_and_configured():
    wanted = {f"R{number:02}" for number in range(1, 33)} | {"T1", "T2", "T3", "T4"}
    assert set(RULES) == wanted
    others = {f"L{number:02}" for number in range(1, 18)} | {f"S{number}" for number in range(1, 9)}
    assert set(CATALOGUE) == set(STUDY.rules) == wanted | others


@pytest.mark.parametrize("id", sorted(RULES))
def test_a_rule_declares_exactly_the_thresholds_it_is_given(id):
    assert set(CATALOGUE[id].thresholds) == set(RULES[id].thresholds)


@pytest.mark.parametrize("id", sorted(RULES))
def test_rules_of_vital_signs_are_asked_about_ward_values(id):
    read = {"body_temperature", "sbp", "dbp", "hr", "spo2"} & set(CATALOGUE[id].reads_values)
    assert not read or "value" in CATALOGUE[id].triggers


# --- asking and order -----------------------------------------------------------------------------------


def test_a_rule_without_windows_is_asked_in_every_one():
    anywhere = {"R11": replace(RULES["R11"], windows=())}
    assert len(evaluate(asked(temp_c=38.0, window="W5"), anywhere)) == 1
    assert len(evaluate(asked(temp_c=38.0, window=None), anywhere)) == 1


def test_only_the_rules_of_the_study_are_asked():
    assert evaluate(asked(temp_c=39.5, confused=3), {}) == ()
    assert [found.rule for found in evaluate(asked(temp_c=39.5, confused=3), {"R02": RULES["R02"]})] == ["R02"]


def test_a_trigger_no_rule_listens_to_finds_nothing():
    assert evaluate(replace(asked(temp_c=39.5), trigger="release"), RULES) == ()


def test_highest_level_first_then_rule_id():
    found = evaluate(asked(temp_c=38.2, confused=1, worry="tomorrow", sbp=80, dizzy=2), RULES)
    order = [(-LEVELS.index(each.level), each.rule) for each in found]
    assert order == sorted(order)
    assert found[0].level == "EMERGENCY"
    assert found[-1].rule == "R28"


def test_the_level_the_version_and_the_thresholds_come_from_the_study():
    changed = {
        "R18": replace(
            RULES["R18"], version=7, level="REVIEW", thresholds={**RULES["R18"].thresholds, "hr_per_min": 110}
        )
    }
    (found,) = evaluate(asked(hr=110), changed)
    assert (found.version, found.level, found.thresholds["hr_per_min"]) == (7, "REVIEW", 110)


# --- after contact ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("degrees", "highest", "contacted", "pages"),
    [
        ("39.4", "39.0", True, False),
        ("39.5", "39.0", True, True),  # another 0.5 °C
        ("39.4", "39.0", False, True),
        ("39.4", None, True, True),  # unknown highest
    ],
)
def test_r10_after_contact_pages_only_when_hotter(degrees, highest, contacted, pages):
    view = episode(
        contacted_at=ago(1) if contacted else None, highest_temperature=None if highest is None else Decimal(highest)
    )
    assert fired(asked(temp_c=Decimal(degrees), episode=view))["R10"].pages == pages


def test_r10_after_contact_pages_when_a_new_organ_is_affected():
    view = episode(contacted_at=ago(1), highest_temperature=Decimal("39.4"))
    assert fired(asked(temp_c=39.4, episode=view))["R10"].pages is False
    assert fired(asked(temp_c=39.4, breath=2, episode=view))["R10"].pages is True
    assert fired(asked(temp_c=39.4, worry="now", episode=view))["R10"].pages is False  # worry is no organ
    known = replace(view, organs=("fever", "breathing"))
    assert fired(asked(temp_c=39.4, breath=2, episode=known))["R10"].pages is False


def test_only_r10_is_held_back_after_contact():
    view = episode(contacted_at=ago(1), highest_temperature=Decimal("39.4"))
    found = fired(asked(temp_c=39.4, chills=3, episode=view))
    assert {id for id, each in found.items() if not each.pages} == {"R10"}


# --- one signal per evidence ------------------------------------------------------------------------------


def test_the_second_form_of_a_sitting_does_not_say_the_same_again():
    quick = report(ago(minutes=5), temp_c=38.2, chest_pain="yes")
    first = {f.rule: f.key for f in evaluate(context(quick, at=quick.at, trigger="report", trigger_id=quick.id), RULES)}
    second = fired(context(quick, report(form="neuro", neuro_year=1)))
    assert first["R11"] == second["R11"].key
    assert first["R19"] == second["R19"].key


def test_a_new_reading_or_a_higher_level_speaks_again():
    once, later = fired(asked(temp_c=38.2)), fired(asked(temp_c=38.2, doses=[paracetamol(3)]))
    assert once["R11"].key != later["R11"].key  # raised by R15
    corrected = context(report(id="version-2", temp_c=38.2))
    assert fired(corrected)["R11"].key != once["R11"].key


# --- properties ---------------------------------------------------------------------------------------------

scale = st.sampled_from([None, 0, 1, 2, 3, "unknown"])
choice = st.sampled_from([None, "no", "near", "yes", "unsure", "unknown"])
ticks = st.lists(
    st.sampled_from(["none", "chest_pain", "bleeding", "stiff_neck", "hives_wheeze", "cannot_wake", "unknown"]),
    unique=True,
)


def decimals(low: int, high: int) -> st.SearchStrategy[Decimal]:
    return st.decimals(low, high, places=1)


answers = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(
            (
                *("chills", "dizzy", "breath", "palps", "headache", "confused", "words", "rash", "joints", "bleeding"),
                *("oedema", "cough", "fatigue", "malaise", "myalgia", "vomit_24h", "diarrhoea_24h"),
            ),
            scale,
        ),
        **dict.fromkeys(("faint", "chest_pain", "seizure_weak", "writing", "intake", "fluids_kept"), choice),
        "worry": st.sampled_from([None, "no", "tomorrow", "now", "unknown"]),
        "now_any": st.none() | ticks,
        "urine": st.none() | st.lists(st.sampled_from(["normal", "less", "none_8h", "foamy", "unknown"]), unique=True),
        "temp_c": st.none() | decimals(34, 43),
        "temp_site": st.sampled_from([None, "armpit", "mouth", "ear", "forehead", "elbow"]),
        "sbp": st.none() | st.integers(50, 250),
        "sbp_repeat": st.none() | st.integers(50, 250),
        "dbp": st.none() | st.integers(30, 150),
        "hr": st.none() | st.integers(30, 220),
        "spo2": st.none() | st.integers(70, 100),
        "neuro_seconds": st.none() | st.integers(1, 900),
        "neuro_naming": st.sampled_from([None, 0, 3, "unknown"]),
        "weight_kg": st.none() | decimals(30, 90),
        "steroid_taken": st.none() | st.integers(0, 60),
    },
)


@st.composite
def contexts(draw: st.DrawFn) -> Context:
    day = draw(st.sampled_from([None, -3, 0, 1, 6, 14, 25, 45, 75, 120]))
    windows = {None: "W0", -3: "W0", 0: "W1", 1: "W1", 6: "W2", 14: "W2", 25: "W3", 45: "W4", 75: "W4", 120: "W5"}
    reports = [
        report(at, id=f"r{index}", form=draw(st.sampled_from(["quick", "neuro", "weekly"])), **draw(answers))
        for index, at in enumerate((ago(72), ago(26), ago(7), ago(minutes=40), AT))
    ]
    reports = [
        replace(each, score=draw(st.none() | st.integers(0, 10).map(Decimal)) if each.form == "neuro" else None)
        for each in reports
    ]
    codes = draw(st.lists(st.sampled_from(["anc", "platelets", "crp", "igg"]), unique=True))
    values = [value(code, draw(decimals(0, 100)), ago(draw(st.integers(1, 90)))) for code in codes]
    doses = draw(
        st.lists(
            st.sampled_from(
                [
                    paracetamol(3),
                    paracetamol(26),
                    dose("paracetamol", "antipyretic", ago(30), stop=None),
                    dose("tocilizumab", "tocilizumab", ago(50)),
                    dose("prednisone", "steroid", ago(900), stop=None, prednisolone_mg_per_day=None),
                ]
            )
        )
    )
    return context(
        *reports,
        values=values,
        doses=doses,
        day=day,
        window=windows[day],
        baseline=draw(st.sampled_from([OWN, baseline()])),
        prior_organs=draw(st.sampled_from([(), ("kidney", "skin"), ("lung",), ("nervous_system",)])),
        episode=draw(st.sampled_from([None, episode(contacted_at=ago(1))])),
    )


@given(contexts())
def test_the_same_context_gives_the_same_findings(drawn):
    assert evaluate(drawn, RULES) == evaluate(drawn, RULES)


@given(contexts(), st.sampled_from(["report", "value", "medication", "release", "silence"]))
def test_all_rules_of_the_study_bear_every_kind_of_trigger(drawn, trigger):
    last = drawn.values[-1].id if trigger == "value" and drawn.values else drawn.trigger_id
    given_context = replace(drawn, trigger=trigger, trigger_id=last)
    found = evaluate(given_context, STUDY.rules)
    assert found == evaluate(given_context, STUDY.rules)
    assert {each.rule for each in found} <= {id for id in STUDY.rules if trigger in CATALOGUE[id].triggers}


@given(contexts())
def test_whatever_is_unknown_nothing_breaks_and_every_finding_is_whole(drawn):
    for found in evaluate(drawn, RULES):
        assert found.rule in RULES
        assert found.level in LEVELS
        assert found.sentence_en.endswith(".")
        assert found.sentence_zh.endswith("。")
        assert "None" not in found.sentence_en + found.sentence_zh
        assert "{" not in found.sentence_en + found.sentence_zh
        assert found.inputs["evidence"], "a finding names what it rests on"
        assert all(type(step) is int for step in found.drives.values())


@given(contexts(), st.sampled_from(["38.0", "38.4", "39.1"]))
def test_a_fever_never_lowers_the_highest_level(drawn, degrees):
    def highest(given_context):
        return max((LEVELS.index(found.level) for found in evaluate(given_context, RULES)), default=-1)

    *earlier, last = drawn.reports
    warm = replace(last, answers={**last.answers, "temp_c": Decimal(degrees), "temp_site": "armpit"})
    with_fever = replace(drawn, reports=(*earlier, warm))
    assert highest(with_fever) >= highest(drawn)
    assert highest(with_fever) >= LEVELS.index("URGENT")


@given(contexts())
def test_no_sentence_grades_crs_or_icans(drawn):
    """§0: remote data never say more than "compatible with ≥1" or "possible ≥2"."""
    for found in evaluate(drawn, RULES):
        for forbidden in ("grade 3", "grade 4", "grade ≥3", "≥3 级", "3 级", "4 级"):
            assert forbidden not in found.sentence_en + found.sentence_zh


@given(contexts())
def test_a_silent_watch_never_breaks(drawn):
    later = AT + timedelta(minutes=45)
    silence = replace(drawn, trigger="silence", trigger_id=None, at=later, now=later)
    assert {found.rule for found in evaluate(silence, RULES)} <= {"R17"}


def test_every_number_of_a_rule_comes_from_the_study():
    """Take one setting away and the rule that needs it fails: nothing falls back to a number of its own."""
    without = {key: given for key, given in SETTINGS.items() if key != "anc_valid_h"}
    drawn = replace(asked(temp_c=38.5, values=[value("anc", "0.1", ago(2))]), settings=without)
    with pytest.raises(KeyError):
        evaluate(drawn, RULES)


def test_a_fever_from_the_ward_ends_in_the_same_findings():
    ward = value("body_temperature", "39.2", method="armpit")
    home = fired(asked(temp_c=39.2))
    assert set(fired(context(temperature(ago(3), 36.6), values=[ward]))) == set(home)
