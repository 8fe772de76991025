"""What is analysed: each choice must be one that is built, each name must lead somewhere, told at its exact place."""

from dataclasses import dataclass
from typing import Any

import pytest

from backend.adverse_events import SOCS
from backend.instruments import ctcae
from backend.scoring import WORDS
from schedules.protocol.build import build
from schedules.protocol.check import check
from schedules.protocol.check_analysis import CHOICES, Words, analysis_faults
from schedules.protocol.definition import Study
from schedules.protocol.load import structure_faults

Content = dict[str, Any]
Faults = list[tuple[str, str]]


@dataclass(frozen=True)
class Few:
    """Words of instruments that nobody has built."""

    graded_terms: tuple[str, ...] = ("fev1_fall",)
    bilag_systems: tuple[str, ...] = ("lungs", "skin")


SOUND: Content = {
    "baseline": "last_before_lymphodepletion_or_infusion",
    "auc_method": "linear",
    "ctcae_version": "5.0",
    "bilag2004_registration_systems": ["skin"],
    "assessment_measures": {"spirometry": ["fev1", "body_temperature"]},
    "ctcae_terms": {"fev1": "fev1_fall"},
    "reconciliation": {"symptom_from": 1, "symptoms": {"wheeze": {"term": "Wheezing", "soc": "respiratory"}}},
}


def found(content: Content, words: Words | None = Few(), **analysis: Any) -> Faults:
    """Faults of the sound analysis but for these settings: of its structure, and where that is sound of its meaning."""
    content["analysis"] = {**SOUND, **analysis}
    told = structure_faults(content) or check(build(content), None, words)
    return [(fault.path, fault.code) for fault in told]


def symptoms(**items: Any) -> Content:
    return {"reconciliation": {"symptoms": items}}


WHEEZING = {"term": "Wheezing", "soc": "respiratory"}
MEASURES, TERMS = "/analysis/assessment_measures", "/analysis/ctcae_terms"
SYMPTOMS, SYSTEMS = "/analysis/reconciliation/symptoms", "/analysis/bilag2004_registration_systems"

FAULTS: dict[str, tuple[Content, Faults]] = {
    "an assessment that is none": (
        {"assessment_measures": {"taste": ["fev1"]}},
        [(f"{MEASURES}/taste", "unknown_assessment")],
    ),
    "a measure that is none, at its place": (
        {"assessment_measures": {"spirometry": ["fev1", "fvc", "body_temperature", "pef"]}},
        [(f"{MEASURES}/spirometry/1", "unknown_measure"), (f"{MEASURES}/spirometry/3", "unknown_measure")],
    ),
    "neither of the two": (
        {"assessment_measures": {"taste": ["fvc"]}},
        [(f"{MEASURES}/taste", "unknown_assessment"), (f"{MEASURES}/taste/0", "unknown_measure")],
    ),
    "an item is no measure": (
        {"assessment_measures": {"spirometry": ["wheeze"]}},
        [(f"{MEASURES}/spirometry/0", "unknown_measure")],
    ),
    "a grade of a measure that is none": ({"ctcae_terms": {"fvc": "fev1_fall"}}, [(f"{TERMS}/fvc", "unknown_measure")]),
    "a term without grades": ({"ctcae_terms": {"fev1": "alt"}}, [(f"{TERMS}/fev1", "unknown_term")]),
    "neither measure nor term": (
        {"ctcae_terms": {"fvc": "alt"}},
        [(f"{TERMS}/fvc", "unknown_measure"), (f"{TERMS}/fvc", "unknown_term")],
    ),
    "a term that is a number": ({"ctcae_terms": {"fev1": 5}}, [(f"{TERMS}/fev1", "wrong_type")]),
    "a system that is none, at its place": (
        {"bilag2004_registration_systems": ["lungs", "joints"]},
        [(f"{SYSTEMS}/1", "unknown_system")],
    ),
    "a symptom that nobody asks": (symptoms(smell=WHEEZING), [(f"{SYMPTOMS}/smell", "unknown_item")]),
    "a symptom that is a measure": (symptoms(fev1=WHEEZING), [(f"{SYMPTOMS}/fev1", "unknown_item")]),
    **{
        f"{item} has no severity": (symptoms(**{item: WHEEZING}), [(f"{SYMPTOMS}/{item}", "not_a_number")])
        for item in ("puffs", "temp_c", "slept", "trigger", "medicine", "remark")
    },
    **{
        f"a choice of {name} that is none": ({name: "other"}, [(f"/analysis/{name}", "not_allowed")])
        for name in CHOICES
    },
    "a version as a number": ({"ctcae_version": 5.0}, [("/analysis/ctcae_version", "wrong_type")]),
    "all of them": (
        {
            "auc_method": "log",
            "assessment_measures": {"taste": []},
            "ctcae_terms": {"fev1": "alt"},
            "bilag2004_registration_systems": ["joints"],
            **symptoms(smell=WHEEZING, puffs=WHEEZING, wheeze=WHEEZING),
        },
        [
            ("/analysis/auc_method", "not_allowed"),
            (f"{MEASURES}/taste", "unknown_assessment"),
            (f"{SYMPTOMS}/smell", "unknown_item"),
            (f"{SYMPTOMS}/puffs", "not_a_number"),
            (f"{TERMS}/fev1", "unknown_term"),
            (f"{SYSTEMS}/0", "unknown_system"),
        ],
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_one_fault_is_told_at_its_place(content: Content, name: str) -> None:
    spoilt, expected = FAULTS[name]
    assert found(content) == []
    assert found(content, **spoilt) == expected


@pytest.mark.parametrize("name", CHOICES)
def test_what_is_built_may_be_chosen(content: Content, name: str) -> None:
    for choice in CHOICES[name]:
        assert found(content, **{name: choice}) == []


def test_without_words_those_of_instruments_are_left_alone(content: Content) -> None:
    spoilt = {"ctcae_terms": {"fev1": "alt", "fvc": "alt"}, "bilag2004_registration_systems": ["joints"]}
    assert found(content, None, **spoilt) == [(f"{TERMS}/fvc", "unknown_measure")]


def test_a_study_may_analyse_nothing(content: Content) -> None:
    assert list(analysis_faults(build(content), WORDS)) == []
    content["analysis"] = {"reconciliation": {}}
    assert list(analysis_faults(build(content), WORDS)) == []


def test_the_message_says_what_there_is(content: Content) -> None:
    content["analysis"] = {"ctcae_terms": {"fev1": "alt"}, "auc_method": "log"}
    said = [fault.message for fault in analysis_faults(build(content), Few())]
    assert said == ["must be linear_up_log_down or linear", "'alt' has no laboratory grades; fev1_fall have"]


# What has the right shape for the schema, which knows groups, lists, numbers and words, and no sense.
SENSELESS: dict[str, Content] = {
    "measures that are a number": {"assessment_measures": {"spirometry": 5}},
    "measures that are yes": {"assessment_measures": {"spirometry": True}},
    "systems that are a number": {"bilag2004_registration_systems": 9},
    "a choice that is a list": {"auc_method": ["linear"]},
    "a choice that is a group": {"auc_method": {"linear": 1}},
    "assessments that are a list": {"assessment_measures": ["fev1"]},
    "terms that are a word": {"ctcae_terms": "fev1"},
    "a term that is a group": {"ctcae_terms": {"fev1": {"term": "alt"}}},
    "a reconciliation that is a word": {"reconciliation": "all"},
    "symptoms that are a list": {"reconciliation": {"symptoms": ["wheeze"]}},
}


@pytest.mark.parametrize("name", SENSELESS)
def test_senseless_settings_are_told_and_never_raise(content: Content, name: str) -> None:
    (setting,) = SENSELESS[name]
    told = found(content, **SENSELESS[name])
    assert [path for path, _ in told if path.startswith(f"/analysis/{setting}")] != []


@pytest.mark.parametrize(
    ("settings", "below"),
    [
        (symptoms(wheeze={}), "/symptoms/wheeze"),
        (symptoms(wheeze={"term": "Wheezing"}), "/symptoms/wheeze"),
        (symptoms(wheeze={"soc": "respiratory"}), "/symptoms/wheeze"),
        (symptoms(wheeze="Wheezing"), "/symptoms/wheeze"),
        ({"reconciliation": {"symptom_from": "moderate"}}, "/symptom_from"),
        ({"reconciliation": {"laboratory_grade_from": "severe"}}, "/laboratory_grade_from"),
        ({"reconciliation": {"join_days": "three"}}, "/join_days"),
    ],
)
def test_what_the_list_would_stumble_over_is_told(content: Content, settings: Content, below: str) -> None:
    """The list reads term, class and numbers as they stand: where they are missing no site sees its list any more."""
    told = [path for path, _ in found(content, **settings)]
    assert [path for path in told if path.startswith(f"/analysis/reconciliation{below}")] != []


def test_the_shipped_study_has_none(sle: Study) -> None:
    assert list(analysis_faults(sle, WORDS)) == []
    assert sorted(WORDS.graded_terms) == sorted(ctcae.TERMS)


def test_the_shipped_study_proposes_what_an_adverse_event_may_say(sle: Study) -> None:
    proposed = sle.analysis["reconciliation"]["symptoms"]
    assert {one["soc"] for one in proposed.values()} <= set(SOCS)
    assert all(one["term"].strip() and len(one["term"]) <= 200 for one in proposed.values())
    assert {soc for _, soc in ctcae.EVENTS.values()} <= set(SOCS)
    assert set(ctcae.EVENTS) == set(ctcae.TERMS)


def test_the_shipped_study_grades_each_measure_in_its_unit(sle: Study) -> None:
    """A unit that does not convert would leave every value of it without a grade, and nobody would be told."""
    for code, term in sle.analysis["ctcae_terms"].items():
        assert ctcae.grade("5.0", term, sle.measures[code].min, sle.measures[code].unit) is not None


def test_the_shipped_study_proposes_each_symptom_that_has_a_severity(sle: Study) -> None:
    asked = {key for key, item in sle.items.items() if item.type == "scale"}
    assert set(sle.analysis["reconciliation"]["symptoms"]) == asked
