"""What else may be an adverse event: laboratory grades of 3 and more (CTCAE v5.0), each until decided."""

from typing import Any
from uuid import uuid4

import pytest
from house import House

from backend.instruments import ctcae
from tests.outcomes import events
from tests.outcomes.reconciled import ago, count, decided, is_event, known, line, lines, told
from tests.safety_http.builders import STUDY, Patient

LABORATORY = "?kind=laboratory"
ALT, CREATININE = {"uln": 40}, {"uln": 100}
ANC = {"lln": 1.8}
NEW, SETTLED = ("open", "new"), ("settled", None)


def grades(house: House, query: str = LABORATORY) -> list[tuple[str | None, int]]:
    return [(one["item"], one["worst"]) for one in lines(house, query)]


# --- What is proposed -----------------------------------------------------------------------------------------


def test_a_value_is_listed_with_the_grade_it_proposes(patient: Patient) -> None:
    count(patient, "anc", 0.4, days=2)
    at, found = ago(patient, days=2), line(patient.house, LABORATORY)
    assert found["proposal"] == {
        "term": "Neutrophil count decreased",
        "soc": "investigations",
        "scale": "CTCAE",
        "grade": 4,
        "onset_at": at,
        "ended_at": None,
        "special_interest": None,
        "episode_id": None,
    }
    measurements = patient.house.nurse.get(f"{patient.path}/measurements").json["items"]
    told_of = (found["kind"], found["item"], found["since"], found["until"], found["worst"], found["sources"])
    assert told_of == ("laboratory", "anc", at, at, 4, [measurements[0]["id"]])


def test_the_proposal_ends_when_it_has_recovered_and_still_waits(patient: Patient) -> None:
    count(patient, "anc", 0.4, ANC, days=4)
    count(patient, "anc", 0.9, ANC, days=3)
    count(patient, "anc", 1.2, ANC, days=2)
    count(patient, "anc", 2.5, ANC, days=1)
    found = line(patient.house, LABORATORY)
    assert (found["state"], found["worst"], found["until"]) == ("open", 4, ago(patient, days=3))
    assert (found["proposal"]["onset_at"], found["proposal"]["ended_at"]) == (
        ago(patient, days=4),
        ago(patient, days=2),
    )
    event = {name: found["proposal"][name] for name in ("term", "soc", "grade", "onset_at", "ended_at")}
    recorded = events.record(patient.house, patient.subject, **event, outcome="recovered")
    decided(patient, is_event(found, recorded))
    assert lines(patient.house, LABORATORY) == []


# Code, value, limits: the grade by CTCAE v5.0. One step further each would be a grade less, see below.
GRADED: tuple[tuple[str, Any, dict[str, Any], int], ...] = (
    ("anc", 0.99, {}, 3),
    ("wbc", 0.99, {}, 4),
    ("lymphocytes", 0.49, {}, 3),
    ("cd4", 49, {}, 4),  # per microlitre
    ("platelets", 24, {}, 4),
    ("haemoglobin", 79, {}, 3),
    ("alt", 201, ALT, 3),
    ("ast", 801, ALT, 4),
    ("bilirubin", 61, {"uln": 20}, 3),
    ("ggt", 301, {"uln": 60}, 3),
    ("creatinine", 601, CREATININE, 4),
    ("fibrinogen", 0.49, {}, 4),
    ("inr", 2.6, {}, 3),
    ("albumin", 19, {}, 3),
)
UNDER: tuple[tuple[str, Any, dict[str, Any]], ...] = (
    ("anc", 1.0, {}),
    ("wbc", 2.0, {}),
    ("lymphocytes", 0.5, {}),
    ("cd4", 200, {}),
    ("platelets", 50, {}),
    ("haemoglobin", 80, {}),
    ("alt", 200, ALT),
    ("ast", 200, ALT),
    ("bilirubin", 60, {"uln": 20}),
    ("ggt", 300, {"uln": 60}),
    ("creatinine", 300, CREATININE),
    ("inr", 2.5, {}),
    ("albumin", 20, {}),
    ("crp", 900, {}),  # has no grades
)


def test_each_measure_proposes_its_grade_and_term(patient: Patient) -> None:
    patient.values(*((code, value, limits) for code, value, limits, _ in GRADED))
    found = lines(patient.house, LABORATORY)
    assert {one["item"]: one["worst"] for one in found} == {code: grade for code, _, _, grade in GRADED}
    terms = STUDY.analysis["ctcae_terms"]
    assert {code for code, *_ in GRADED} == set(terms)
    named = {one["item"]: (one["proposal"]["term"], one["proposal"]["soc"]) for one in found}
    assert named == {code: ctcae.EVENTS[term] for code, term in terms.items()}


def test_less_is_not_listed(patient: Patient) -> None:
    patient.values(*UNDER)
    assert lines(patient.house, f"{LABORATORY}&state=all") == []


def test_a_value_in_the_laboratorys_own_unit(patient: Patient) -> None:
    count(patient, "anc", 400, {"unit": "/uL"})
    count(patient, "haemoglobin", 7.9, {"unit": "g/dL"})
    assert sorted(grades(patient.house)) == [("anc", 4), ("haemoglobin", 3)]


def test_before_treatment_it_is_history(patient: Patient) -> None:
    count(patient, "anc", 0.4, days=6, seconds=1)
    assert lines(patient.house, LABORATORY) == []
    count(patient, "platelets", 24, days=6)
    assert grades(patient.house) == [("platelets", 4)]


# --- The subject's own normal ---------------------------------------------------------------------------------


def test_an_abnormal_baseline_counts(patient: Patient) -> None:
    """ALT 120 before treatment: grade 3 begins above five times that, not above five times the limit."""
    count(patient, "alt", 120, ALT, days=8)
    count(patient, "alt", 600, ALT, days=3)
    assert lines(patient.house, LABORATORY) == []
    count(patient, "alt", 601, ALT, days=2)
    assert grades(patient.house) == [("alt", 3)]


def test_a_normal_baseline_does_not(patient: Patient) -> None:
    count(patient, "alt", 40, ALT, days=8)
    count(patient, "alt", 201, ALT, days=3)
    assert grades(patient.house) == [("alt", 3)]


def test_the_baseline_is_the_last_before_lymphodepletion(patient: Patient) -> None:
    count(patient, "alt", 120, ALT, days=12)
    count(patient, "alt", 30, ALT, days=8)
    patient.house.event(patient.subject, "lymphodepletion", actual_at=patient.ago(days=10))
    count(patient, "alt", 300, ALT, days=3)
    assert lines(patient.house, LABORATORY) == []


def test_creatinine_without_a_baseline_stays_unknown_below_grade_3(patient: Patient) -> None:
    """It neither begins a line nor ends one."""
    count(patient, "creatinine", 290, CREATININE, days=5)
    assert lines(patient.house, LABORATORY) == []
    count(patient, "creatinine", 301, CREATININE, days=4)
    count(patient, "creatinine", 290, CREATININE, days=3)
    found = line(patient.house, LABORATORY)
    assert (found["worst"], found["until"], found["proposal"]["ended_at"]) == (3, ago(patient, days=4), None)
    count(patient, "creatinine", 100, CREATININE, days=8)  # the baseline, typed late
    found = line(patient.house, LABORATORY)
    assert (found["worst"], found["proposal"]["ended_at"]) == (3, ago(patient, days=3))


def test_a_baseline_that_comes_late_may_make_a_grade(patient: Patient) -> None:
    count(patient, "creatinine", 200, CREATININE, days=3)
    assert lines(patient.house, LABORATORY) == []
    count(patient, "creatinine", 60, CREATININE, days=8)
    assert grades(patient.house) == [("creatinine", 3)]


def test_fibrinogen_without_a_baseline_is_listed_with_the_least_that_it_is(patient: Patient) -> None:
    """0.8 is 0.4 of the limit 2.0: grade 3 of CTCAE v5.0, grade 4 if it fell by three quarters. 1.0 is 2 or worse."""
    count(patient, "fibrinogen", 1.0, {"lln": 2.0}, days=5)
    assert lines(patient.house, LABORATORY) == []
    count(patient, "fibrinogen", 0.8, {"lln": 2.0}, days=4)
    count(patient, "fibrinogen", 1.0, {"lln": 2.0}, days=3)
    found = line(patient.house, LABORATORY)
    assert (found["item"], found["worst"], found["until"]) == ("fibrinogen", 3, ago(patient, days=4))
    assert found["proposal"]["ended_at"] is None  # 1.0 may still be 3 or 4
    count(patient, "fibrinogen", 3.3, {"lln": 2.0}, days=8)  # the baseline, typed late: 0.8 has fallen by 75.8 %
    assert grades(patient.house) == [("fibrinogen", 4)]


def test_creatinine_without_its_limit_is_listed_by_the_baseline(patient: Patient) -> None:
    """400 is 4.4 times 90: grade 3 whatever the limit; 270 is just 3 times, grade 2 or worse."""
    count(patient, "creatinine", 90, days=8)
    count(patient, "creatinine", 270, days=5)
    assert lines(patient.house, LABORATORY) == []
    count(patient, "creatinine", 400, days=4)
    assert grades(patient.house) == [("creatinine", 3)]


def test_the_least_of_a_value_that_may_be_better_settles_nothing(patient: Patient) -> None:
    """Fibrinogen above 0.8 may be normal, and below 0.8 is 3 or worse."""
    count(patient, "fibrinogen", 0.8, {"lln": 2.0, "qualifier": ">"}, days=5)
    assert lines(patient.house, LABORATORY) == []
    count(patient, "fibrinogen", 0.8, {"lln": 2.0, "qualifier": "<"}, days=4)
    assert grades(patient.house) == [("fibrinogen", 3)]


def test_without_its_limit_a_value_has_no_grade(patient: Patient) -> None:
    count(patient, "alt", 5000)
    assert lines(patient.house, LABORATORY) == []


# --- What is corrected, not done, or beyond the assay ---------------------------------------------------------


def again(patient: Patient, code: str, value: Any, **over: Any) -> None:
    """The value of that measure that stands, corrected."""
    rows = patient.house.nurse.get(f"{patient.path}/measurements?code={code}").json["items"]
    (before,) = [row for row in rows if row["id"] not in {each["corrects_id"] for each in rows}]
    same = {name: before[name] for name in ("code", "unit", "source", "collected_at", "lln", "uln")}
    body = {**same, "id": str(uuid4()), "value": value, "corrects_id": before["id"], "reason": "misread", **over}
    answer = patient.house.nurse.post(f"{patient.path}/measurements", body)
    assert answer.status_code == 201, answer.text


def test_a_corrected_value_is_the_one_that_counts(patient: Patient) -> None:
    count(patient, "anc", 0.4, ANC, days=1)
    again(patient, "anc", 0.9)
    assert grades(patient.house) == [("anc", 3)]
    assert len(line(patient.house, LABORATORY)["sources"]) == 1
    again(patient, "anc", 4.1)
    assert lines(patient.house, LABORATORY) == []
    again(patient, "anc", 0.4)
    assert grades(patient.house) == [("anc", 4)]


def test_what_was_not_done_proposes_nothing(patient: Patient) -> None:
    count(patient, "anc", 0.4, ANC, days=1)
    again(patient, "anc", None, not_done=True)
    assert lines(patient.house, LABORATORY) == []


def test_what_was_not_done_ends_nothing(patient: Patient) -> None:
    count(patient, "anc", 0.4, ANC, days=2)
    count(patient, "anc", None, {"not_done": True}, days=1)
    found = line(patient.house, LABORATORY)
    assert (found["until"], found["proposal"]["ended_at"], len(found["sources"])) == (ago(patient, days=2), None, 1)


def test_a_second_fall_after_recovery_is_new(patient: Patient) -> None:
    count(patient, "anc", 0.4, ANC, days=6)
    decided(patient, known(line(patient.house, LABORATORY)))
    count(patient, "anc", 4.0, ANC, days=4)
    count(patient, "anc", 0.4, ANC)
    assert told(patient.house, f"{LABORATORY}&state=all") == [("anc", 4, *SETTLED), ("anc", 4, *NEW)]


def test_a_second_fall_is_new_also_where_the_lower_limit_is_not_known(patient: Patient) -> None:
    """4.0 is grade 0 or 1 whatever the limit is: surely below 3. Else the second fall hides behind the first word."""
    count(patient, "anc", 0.4, days=6)
    decided(patient, known(line(patient.house, LABORATORY)))
    count(patient, "anc", 4.0, days=4)
    count(patient, "anc", 0.4)
    assert told(patient.house, f"{LABORATORY}&state=all") == [("anc", 4, *SETTLED), ("anc", 4, *NEW)]


@pytest.mark.parametrize(
    ("code", "value", "sign", "limits", "expected"),
    [
        ("anc", 0.5, "<", ANC, [("anc", 4)]),  # below 0.5, whatever it is
        ("platelets", 10, "<", {}, [("platelets", 4)]),
        ("alt", 800, ">", ALT, [("alt", 4)]),  # above twenty times the limit
        ("alt", 30, "<", ALT, []),
        ("platelets", 400, ">", {"lln": 125}, []),
        ("anc", 1.5, "<", ANC, []),  # 2 or worse: unknown
        ("alt", 150, ">", ALT, []),  # 2 or worse: unknown
    ],
)
def test_a_value_beyond_the_assay(
    patient: Patient, code: str, value: float, sign: str, limits: dict[str, Any], expected: list[tuple[str, int]]
) -> None:
    count(patient, code, value, {"qualifier": sign, **limits})
    assert grades(patient.house) == expected


@pytest.mark.parametrize(
    ("code", "bad", "bound", "sign", "limits"), [("anc", 0.4, 1.5, "<", ANC), ("alt", 801, 150, ">", ALT)]
)
def test_a_value_that_may_be_as_bad_ends_nothing(
    patient: Patient, code: str, bad: float, bound: float, sign: str, limits: dict[str, Any]
) -> None:
    """ANC "<1.5" may still be 0.4, ALT ">150" may still be 801: unknown stays unknown."""
    count(patient, code, bad, limits, days=2)
    count(patient, code, bound, {"qualifier": sign, **limits}, days=1)
    assert line(patient.house, LABORATORY)["proposal"]["ended_at"] is None
