"""Scored forms of a visit through the doors: filled in by revision, scored from what is stored.

Proves that low counts and fever after treatment count only where lupus was said to be the cause, and that nothing wrong
is stored.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from house import House, iso

from backend.analysis import prefill
from backend.analysis.selection import Value
from backend.instruments.logic import Reading
from tests.outcomes.sheets import MILD, QUIET, assessments, fill, filled, form_of, sheet, value
from tests.trial.desk import at, faults, refused, visit


@pytest.fixture
def subject(sqlite_house: House) -> dict[str, Any]:
    return sqlite_house.infused(days_ago=28)


@pytest.fixture
def v14(sqlite_house: House, subject: dict[str, Any]) -> dict[str, Any]:
    return visit(sqlite_house, subject, "V14")


# --- by revision --------------------------------------------------------------------------------------------------


def test_a_form_is_filled_in_repeated_and_changed_by_revision(house: House) -> None:
    here = visit(house, house.infused(days_ago=28), "V14")
    when = {"assessed_at": house.now, "rater_id": str(house.doctor.id)}
    first = fill(house, here, "sledai2k", {"present": ["arthritis"]}, **when)
    assert (first.status_code, first.json["stored"], first.json["revision"]) == (201, True, 1)
    assert first.json["score"]["sledai_2k"] == 4
    house.turn(minutes=10)
    again = fill(house, here, "sledai2k", {"present": ["arthritis"]}, **when)
    assert (again.status_code, again.json["stored"]) == (200, False)
    assert again.json["recorded_at"] == first.json["recorded_at"]
    assert refused(fill(house, here, "sledai2k", {"present": ["rash"]}, **when)) == (412, "stale")
    assert refused(fill(house, here, "sledai2k", {"present": ["rash"]}, 3, **when)) == (412, "stale")
    second = fill(house, here, "sledai2k", {"present": ["rash"]}, 2, reason="looked again", **when)
    assert (second.status_code, second.json["stored"], second.json["score"]["sledai_2k"]) == (200, True, 2)

    history = house.monitor.get(f"/visits/{here['id']}/forms/sledai2k/history").json["items"]
    assert [(one["revision"], one["answers"]["present"], one["reason"]) for one in history] == [
        (1, ["arthritis"], None),
        (2, ["rash"], "looked again"),
    ]
    assert {(one["rater"], one["recorded_by"]) for one in history} == {("Doctor", "Doctor")}
    assert house.chief.get("/audit/verify").json["intact"] is True


def test_a_preview_scores_and_stores_nothing(sqlite_house: House, v14: dict[str, Any]) -> None:
    shown = fill(sqlite_house, v14, "sledai2k", {"present": ["arthritis", "rash"]}, preview=True)
    assert (shown.status_code, shown.json["stored"], shown.json["revision"]) == (200, False, 0)
    assert shown.json["score"]["sledai_2k"] == 6
    assert assessments(sqlite_house) == 0
    assert form_of(sqlite_house, v14, "sledai2k")["answers"] is None


def test_a_preview_at_a_visit_without_a_date_is_scored_as_of_now(sqlite_house: House) -> None:
    """Nobody knows yet when the cells are collected: screening has no window, and is assessed all the same."""
    house, subject = sqlite_house, sqlite_house.enrol()
    v0 = visit(house, subject, "V0")
    assert v0["opens_at"] is None
    for form, answers in (("sledai2k", {"present": ["arthritis"]}), ("bilag2004", {"systems": {}}), ("pga", MILD)):
        shown = fill(house, v0, form, answers, preview=True)
        assert (shown.status_code, shown.json["stored"]) == (200, False), shown.text
    assert fill(house, v0, "sledai2k", {"present": ["arthritis"]}, preview=True).json["score"]["sledai_2k"] == 4
    assert assessments(house) == 0


def test_a_preview_shows_what_storing_would(sqlite_house: House, subject: Any, v14: Any) -> None:
    """Of the time given, or now; never of the day on which the window opened."""
    house = sqlite_house
    house.to(2026, 3, 3, 9)
    value(house, subject, "urine_protein_24h", 0.2, collected_at=at(2026, 2, 27, 9))
    value(house, subject, "urine_protein_24h", 0.9, collected_at=at(2026, 3, 3, 8))
    for when, found in ((at(2026, 2, 27, 10), "conflict"), (at(2026, 3, 3, 9), "agrees"), (None, "agrees")):
        shown = fill(house, v14, "sledai2k", {"present": ["proteinuria"]}, preview=True, assessed_at=when)
        assert shown.json["score"]["lab_consistency"] == {"proteinuria": found}
    stored = filled(house, v14, "sledai2k", {"present": ["proteinuria"]}, assessed_at=at(2026, 2, 27, 10))
    assert stored["score"]["lab_consistency"] == {"proteinuria": "conflict"}


def test_the_nurse_enters_what_an_investigator_rated(sqlite_house: House, v14: dict[str, Any]) -> None:
    house = sqlite_house
    assert faults(fill(house, v14, "pga", MILD, who=house.nurse)) == [("/rater_id", "required")]
    for wrong in (house.rival, house.monitor):
        refusal = fill(house, v14, "pga", MILD, rater_id=str(wrong.id))
        assert faults(refusal) == [("/rater_id", "not_allowed")]
    assert faults(fill(house, v14, "pga", MILD, rater_id=str(uuid4()))) == [("/rater_id", "not_allowed")]
    assert assessments(house) == 0
    filled(house, v14, "pga", MILD, who=house.nurse, rater_id=str(house.backup.id))
    [row] = house.nurse.get(f"/visits/{v14['id']}/forms/pga/history").json["items"]
    assert (row["rater"], row["recorded_by"]) == ("Backup", "Nurse")


def test_an_assessment_does_not_lie_in_the_future(sqlite_house: House, v14: dict[str, Any]) -> None:
    later = sqlite_house.now + timedelta(hours=2)
    assert faults(fill(sqlite_house, v14, "pga", MILD, assessed_at=later)) == [("/assessed_at", "in_the_future")]
    assert assessments(sqlite_house) == 0


def test_what_was_assessed_before_leaving_may_still_be_entered(sqlite_house: House, v14: dict[str, Any]) -> None:
    house, left = sqlite_house, sqlite_house.now
    subject = {"id": house.nurse.get("/subjects").json["items"][0]["id"]}
    house.event(subject, "withdrawal", actual_at=left)
    house.turn(hours=3)
    assert faults(fill(house, v14, "pga", MILD)) == [("/assessed_at", "out_of_order")]
    filled(house, v14, "pga", MILD, assessed_at=left - timedelta(hours=1))


def test_crs_and_icans_are_graded_by_a_doctor_at_any_visit(sqlite_house: House, v14: dict[str, Any]) -> None:
    house = sqlite_house
    found = {"fever": True, "hypotension": "one_vasopressor", "hypoxia": "low_flow"}
    assert filled(house, v14, "crs", found)["score"]["grade"] == 3
    neuro = {"ice": 6, "consciousness": "awake", "seizure": "none", "motor_weakness": False, "raised_icp": "none"}
    assert filled(house, v14, "icans", neuro)["score"]["grade"] == 2
    assert sheet(house, v14)["missing_forms"] == ["sledai2k", "pga", "bilag2004", "treatment"]
    assert [where for where, _ in faults(fill(house, v14, "icans", {**neuro, "ice": 11}, 2))] == ["/answers/ice"]
    assert [where for where, _ in faults(fill(house, v14, "crs", {"fever": "high"}, 2))] == ["/answers/fever"]


def test_a_visit_nobody_came_to_is_pointed_out(sqlite_house: House, v14: dict[str, Any]) -> None:
    house = sqlite_house
    assert "no_attendance_recorded" in filled(house, v14, "pga", MILD)["warnings"]
    came = {"at": iso(house.now), "outcome": "attended"}
    assert house.nurse.put(f"/visits/{v14['id']}/attendance", came).status_code == 200
    assert form_of(house, v14, "pga")["warnings"] == []


def test_a_frozen_visit_takes_no_form(sqlite_house: House, v14: dict[str, Any]) -> None:
    house = sqlite_house
    shut = {"id": str(uuid4()), "closed": True, "reason": "reviewed"}
    assert house.monitor.post(f"/visits/{v14['id']}/freeze", shut).status_code == 201
    assert refused(fill(house, v14, "pga", MILD)) == (409, "visit_frozen")
    assert assessments(house) == 0


SYSTEMS = "/answers/systems"


@pytest.mark.parametrize(
    ("form", "answers", "path"),
    [
        ("sledai2k", {"present": ["sadness"]}, "/answers/present/0"),
        ("sledai2k", {"present": ["rash", "rash"]}, "/answers/present/1"),
        ("sledai2k", {"present": ["rash"], "not_assessed": ["rash"]}, "/answers/not_assessed/0"),
        ("sledai2k", {"present": [], "mood": 1}, "/answers/mood"),
        ("sledai2k", {"present": ["fever"], "attribution": {"fever": "weather"}}, "/answers/attribution/fever"),
        ("pga", {"value": 3.5, "scale": "0-3"}, "/answers/value"),
        ("pga", {"value": 3, "scale": "0-5"}, "/answers/scale"),
        ("pga", {"value": -1, "scale": "0-3"}, "/answers/value"),
        ("bilag2004", {"systems": {"constitutional": {"items": {"98": 2}}}}, f"{SYSTEMS}/constitutional/items/98"),
        ("bilag2004", {"systems": {"constitutional": {"items": {"1": 5}}}}, f"{SYSTEMS}/constitutional/items/1"),
        ("bilag2004", {"systems": {"constitutional": {"current": {}}}}, f"{SYSTEMS}/constitutional/current"),
        ("bilag2004", {"systems": {"renal": {"previous": {}}}}, f"{SYSTEMS}/renal/previous"),
        ("bilag2004", {"systems": {"renal": {"current": {"colour": 1}}}}, f"{SYSTEMS}/renal/current/colour"),
        ("bilag2004", {"systems": {"spleen": {}}}, f"{SYSTEMS}/spleen"),
        ("treatment", {}, "/answers/medications_reviewed"),
        ("treatment", {"medications_reviewed": "perhaps"}, "/answers/medications_reviewed"),
    ],
)
def test_bad_answers_are_refused_at_their_place(
    sqlite_house: House, v14: dict[str, Any], form: str, answers: Any, path: str
) -> None:
    assert [where for where, _ in faults(fill(sqlite_house, v14, form, answers))] == [path]
    assert assessments(sqlite_house) == 0


# --- what the sheet shows -----------------------------------------------------------------------------------------


def test_the_sheet_shows_what_is_missing(sqlite_house: House, subject: Any, v14: dict[str, Any]) -> None:
    bare = sheet(sqlite_house, v14)
    assert bare["missing_forms"] == ["sledai2k", "pga", "bilag2004", "treatment"]
    assert {"c3", "c4", "wbc", "anti_dsdna"} <= set(bare["missing_values"])
    filled(sqlite_house, v14, "treatment", {"medications_reviewed": True})
    value(sqlite_house, subject, "c3", 0.9)
    value(sqlite_house, subject, "c4", None, not_done=True)
    now = sheet(sqlite_house, v14)
    assert now["missing_forms"] == ["sledai2k", "pga", "bilag2004"]
    assert set(bare["missing_values"]) - set(now["missing_values"]) == {"c3", "c4"}
    assert form_of(sqlite_house, v14, "treatment")["score"]["steroid_mg"] == 0
    assert form_of(sqlite_house, v14, "pga")["score"] is None


def test_the_value_nearest_inside_the_window_stands_for_the_visit(sqlite_house: House, subject: Any) -> None:
    house = sqlite_house
    here = visit(house, subject, "V14")
    house.to(2026, 3, 6, 9)
    value(house, subject, "c3", 0.5, collected_at=at(2026, 2, 26, 23))  # the evening before the window
    value(house, subject, "c3", 0.6, collected_at=at(2026, 2, 27, 9))
    chosen = value(house, subject, "c3", 0.7, collected_at=at(2026, 3, 3, 9))
    value(house, subject, "c4", 0.1, collected_at=at(2026, 3, 6, 1))  # the night after it
    filled(house, here, "pga", MILD, assessed_at=at(2026, 3, 2, 9))
    values = sheet(house, here)["values"]
    assert set(values) == {"c3"}
    assert (values["c3"]["measurement_id"], values["c3"]["value"]) == (chosen["id"], Decimal("0.7"))


def test_values_are_held_against_the_descriptors_and_set_none(sqlite_house: House, subject: Any, v14: Any) -> None:
    value(sqlite_house, subject, "urine_protein_24h", 0.2)
    value(sqlite_house, subject, "urine_rbc", 9)
    value(sqlite_house, subject, "urine_wbc", 2)
    score = filled(sqlite_house, v14, "sledai2k", {"present": ["proteinuria"]})["score"]
    assert score["sledai_2k"] == 4
    found = {name: score["lab_consistency"].get(name) for name in ("proteinuria", "haematuria", "pyuria")}
    assert found == {"proteinuria": "conflict", "haematuria": "abnormal_but_not_marked", "pyuria": "agrees"}


def test_the_laboratory_proposes_for_bilag_and_is_not_believed(sqlite_house: House, subject: Any, v14: Any) -> None:
    """In the form's own units; what was entered counts, and where that is something else it is shown."""
    house = sqlite_house
    value(house, subject, "haemoglobin", 104)
    value(house, subject, "creatinine", 71)
    value(house, subject, "urine_protein_24h", 1.2, qualifier=">")
    bare = form_of(house, v14, "bilag2004")
    assert bare["proposed"] == {
        "renal": {"creatinine_umol_l": 71},
        "haematological": {"haemoglobin_g_dl": Decimal("10.4")},
    }
    assert (bare["answers"], bare["differs"]) == (None, [])
    entered = {"systems": {"renal": {"current": {"creatinine_umol_l": 71.0}}}, "previously_involved": {}}
    assert filled(house, v14, "bilag2004", entered)["differs"] == []
    entered["systems"]["haematological"] = {"current": {"haemoglobin_g_dl": 14}}
    found = filled(house, v14, "bilag2004", entered, 2, reason="counts")
    assert found["differs"] == [
        {"path": "/systems/haematological/current/haemoglobin_g_dl", "entered": 14, "measured": Decimal("10.4")}
    ]
    assert form_of(house, v14, "pga")["proposed"] == {}


@pytest.mark.parametrize(
    ("code", "measured", "unit", "key", "entered", "same"),
    [
        ("upcr", "400", "mg/g", "upcr_mg_per_mmol", "45.2", True),  # 400 / 8.84 = 45.2488…
        ("upcr", "400", "mg/g", "upcr_mg_per_mmol", "45.25", True),
        ("upcr", "400", "mg/g", "upcr_mg_per_mmol", "45.3", False),
        ("upcr", "400", "mg/g", "upcr_mg_per_mmol", "45", False),  # two digits would hide half a percent and more
        ("upcr", "400", "mg/g", "upcr_mg_per_mmol", "45.0", False),
        ("urine_protein_24h", "1.4", "g/(24.h)", "urine_protein_24h_g", "1", False),  # severe, and at the limit
        ("urine_protein_24h", "1.4", "g/(24.h)", "urine_protein_24h_g", "1.40", True),
        ("urine_protein_24h", "0", "g/(24.h)", "urine_protein_24h_g", "0.0", True),
        ("urine_protein_24h", "0", "g/(24.h)", "urine_protein_24h_g", "0.1", False),
    ],
)
def test_what_was_entered_is_compared_at_its_own_digits(
    code: str, measured: str, unit: str, key: str, entered: str, same: bool
) -> None:
    reading = Value(uuid4(), code, at(2026, 3, 2, 9), Reading(Decimal(measured)))
    proposals = prefill.proposed({code: reading}, {code: unit})
    answers = {"systems": {"renal": {"current": {key: Decimal(entered)}}}}
    assert [one.path for one in prefill.differences(answers, proposals)] == (
        [] if same else [f"/systems/renal/current/{key}"]
    )


@pytest.mark.parametrize(
    ("attribution", "score", "least", "unsaid"),
    [
        ({}, None, 4, ["fever", "leukopenia"]),
        ({"fever": "lupus"}, None, 5, ["leukopenia"]),
        ({"fever": "lupus", "leukopenia": "lupus"}, 6, 6, []),
        ({"fever": "crs", "leukopenia": "treatment"}, 4, 4, []),
    ],
)
def test_after_infusion_low_counts_and_fever_count_only_as_lupus(
    sqlite_house: House, v14: Any, attribution: Any, score: int | None, least: int, unsaid: list[str]
) -> None:
    answers = {"present": ["arthritis", "leukopenia", "fever"], "attribution": attribution}
    filled(sqlite_house, v14, "sledai2k", answers)
    whole = sheet(sqlite_house, v14)
    assert set(whole["asked"]) == {"fever", "leukopenia", "thrombocytopenia"}
    found = form_of(sqlite_house, v14, "sledai2k")["score"]
    assert (found["sledai_2k"], found["minimum_known_score"]) == (score, least)
    assert found["open_questions"] == unsaid
    assert found["complete"] is (not unsaid)


def test_recovered_counts_are_asked_about_no_more(sqlite_house: House, subject: Any) -> None:
    house = sqlite_house
    value(house, subject, "wbc", 4)
    value(house, subject, "platelets", 90)
    house.turn(days=32)
    here = visit(house, subject, "V15")
    score = filled(house, here, "sledai2k", {"present": ["leukopenia", "thrombocytopenia", "fever"]})["score"]
    assert sheet(house, here)["asked"] == ["thrombocytopenia"]
    assert (score["sledai_2k"], score["minimum_known_score"], score["open_questions"]) == (
        None,
        2,
        ["thrombocytopenia"],
    )


@pytest.mark.parametrize(
    ("said", "grade", "worst"),
    [({}, "D", "A"), ({"attributable_to_sle": True}, "A", "A"), ({"attributable_to_sle": False}, "D", "D")],
)
def test_low_counts_after_infusion_are_graded_only_where_lupus_is_the_cause(
    sqlite_house: House, v14: Any, said: Any, grade: str, worst: str
) -> None:
    counts = {"haemoglobin_g_dl": 12, "wbc_1e9_l": 3, "neutrophils_1e9_l": 2, "lymphocytes_1e9_l": 1.2}
    rest = {"platelets_1e9_l": 20, "ttp": 0, "active_haemolysis": False, "coombs_isolated": False}
    form = {"systems": {"haematological": {"current": {**counts, **rest, **said}}}, "previously_involved": {}}
    form["previously_involved"] = {"haematological": True}
    found = filled(sqlite_house, v14, "bilag2004", form)["score"]["systems"]["haematological"]
    assert (found["grade"], found["worst"], found["incomplete"]) == (grade, worst, not said)


@pytest.mark.parametrize(
    ("before", "now", "grade"), [(None, 0.9, "B"), (1.2, 0.9, "C"), (1.2, 0.91, "B"), (0.9, 0.9, "B")]
)
def test_renal_activity_is_compared_with_the_visit_before(
    sqlite_house: House, subject: Any, v14: Any, before: float | None, now: float, grade: str
) -> None:
    def renal(protein: float) -> Any:
        return {"systems": {"renal": {"current": {"urine_protein_24h_g": protein, "creatinine_umol_l": 60}}}}

    if before is not None:
        filled(sqlite_house, v14, "bilag2004", renal(before))
    sqlite_house.turn(days=32)
    found = filled(sqlite_house, visit(sqlite_house, subject, "V15"), "bilag2004", renal(now))
    assert found["score"]["systems"]["renal"]["grade"] == grade


def test_pga_after_sledai_and_by_another_rater_is_pointed_out(sqlite_house: House, subject: Any, v14: Any) -> None:
    house = sqlite_house
    filled(house, v14, "sledai2k", QUIET, assessed_at=house.now - timedelta(hours=1))
    late = filled(house, v14, "pga", MILD)
    assert "pga_after_sledai" in late["warnings"]
    assert "another_rater_than_before" not in late["warnings"]
    house.turn(days=32)
    here = visit(house, subject, "V15")
    other = filled(house, here, "pga", MILD, who=house.backup)
    assert "another_rater_than_before" in other["warnings"]
    assert "pga_after_sledai" not in other["warnings"]
    same = filled(house, here, "pga", MILD, 2, reason="it was I", rater_id=str(house.doctor.id))
    assert "another_rater_than_before" not in same["warnings"]


def test_a_repeat_that_comes_later_is_still_one(sqlite_house: House) -> None:
    """Who did not say when it was assessed said now: the now of the first time."""
    house = sqlite_house
    here = visit(house, house.infused(days_ago=28), "V14")
    first = filled(house, here, "pga", MILD)
    house.turn(minutes=3)
    again = fill(house, here, "pga", MILD)
    assert (again.status_code, again.json["stored"]) == (200, False)
    assert again.json["assessed_at"] == first["assessed_at"]
    assert fill(house, here, "pga", MILD, assessed_at=house.now).status_code == 412
