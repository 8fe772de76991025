"""Dose levels through the doors: whom they count, when the next may be infused, and what holds them.

A suspected DLT or an open emergency holds its level and all above it until somebody has decided; the principal
investigator may infuse all the same, with a reason that stays in the audit trail.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from house import House, Person, iso
from werkzeug.test import TestResponse

from tests.contract.stage import RASH
from tests.trial import desk
from tests.trial.desk import Subject, ago, refused

DLT, EMERGENCY = ["dlt_decision_open"], ["emergency_open"]
COUNTS = ("enrolled", "dosed", "evaluable", "dlt", "suspected", "pending", "replaced")


def someone(n: int, level: str = "1") -> dict[str, Any]:
    """What tells the nth subject from the others."""
    return {"number": f"{n:03}", "dose_level": level, "contact": {"name": "A B", "phone": f"138000000{n:02}"}}


def levels(house: House, by: str = "nurse") -> dict[str, dict[str, Any]]:
    answer = house.people[by].get("/cohorts")
    assert answer.status_code == 200, answer.text
    return {one["dose_level"]: one for one in answer.json["items"]}


def holds(house: House) -> dict[str, list[str]]:
    """The levels that are held, and by what."""
    found = levels(house)
    assert all(one["hold"] is bool(one["reasons"]) for one in found.values())
    return {level: one["reasons"] for level, one in found.items() if one["hold"]}


def counted(line: Mapping[str, Any]) -> dict[str, int]:
    """Without the zeros."""
    return {name: line[name] for name in COUNTS if line[name]}


def event(house: House, subject: Subject, dlt: str, *, by: str = "doctor") -> dict[str, Any]:
    body = {"id": str(uuid4()), **RASH, "onset_at": iso(ago(house, hours=1)), "dlt": dlt}
    answer = house.people[by].post(f"/subjects/{subject['id']}/adverse-events", body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json)


def decide(house: House, found: Mapping[str, Any], *, by: str = "doctor", **change: Any) -> TestResponse:
    body = {"reason": "decided", **change}
    return house.people[by].patch(f"/adverse-events/{found['id']}", body, found["revision"])


def infuse(house: House, who: Person, subject: Subject, **over: Any) -> TestResponse:
    body = {"id": str(uuid4()), "kind": "infusion", "actual_at": iso(house.now), **over}
    return who.post(f"/subjects/{subject['id']}/events", body)


def infused_at(house: House, subject: Subject) -> list[str]:
    items = house.nurse.get(f"/subjects/{subject['id']}/events").json["items"]
    return [one["actual_at"] for one in items if one["kind"] == "infusion" and one["actual_at"]]


def overridden(house: House, subject: Subject) -> list[dict[str, Any]]:
    rows = house.chief.get(f"/audit?subject_id={subject['id']}").json["items"]
    return [row for row in rows if row["verb"] == "hold:overridden"]


# --- Counts ---------------------------------------------------------------------------------------------------


def test_without_subjects_there_is_nothing_to_count(sqlite_house: House) -> None:
    assert sqlite_house.nurse.get("/cohorts").json["items"] == []


def test_every_level_lowest_first_with_its_plan(sqlite_house: House) -> None:
    sqlite_house.enrol()
    items = sqlite_house.nurse.get("/cohorts").json["items"]
    told = [(one["dose_level"], one["cells_per_kg"], one["planned"]) for one in items]
    assert told == [("1", 150000, 6), ("2", 500000, 6), ("3", 1000000, 6)]
    assert [counted(one) for one in items] == [{"enrolled": 1}, {}, {}]
    assert [one["three_plus_three"] for one in items] == ["wait", "wait", "wait"]


def test_counts_of_two_levels(house: House) -> None:
    first = [house.infused(days_ago=days, **someone(n)) for n, days in enumerate((60, 45, 28), start=1)]
    assert counted(levels(house)["1"]) == {"enrolled": 3, "dosed": 3, "evaluable": 3}
    assert levels(house)["1"]["three_plus_three"] == "escalate"
    event(house, first[0], "confirmed")
    assert levels(house)["1"]["three_plus_three"] == "expand"
    house.enrol(**someone(4))
    house.infused(days_ago=27, **someone(5))
    left = house.infused(days_ago=20, **someone(6, "2"))
    house.event(left, "lost_to_follow_up", actual_at=ago(house, days=2))
    event(house, house.infused(days_ago=3, **someone(7, "2")), "suspected")
    found = levels(house)
    assert counted(found["1"]) == {"enrolled": 5, "dosed": 4, "evaluable": 3, "dlt": 1, "pending": 1}
    assert counted(found["2"]) == {"enrolled": 2, "dosed": 2, "suspected": 1, "pending": 1, "replaced": 1}
    assert (found["1"]["three_plus_three"], found["2"]["three_plus_three"]) == ("expand", "wait")


def test_evaluable_at_the_very_end_of_the_window(sqlite_house: House) -> None:
    house = sqlite_house
    house.infused(days_ago=0, **someone(1))
    house.turn(days=28, seconds=-1)
    assert counted(levels(house)["1"]) == {"enrolled": 1, "dosed": 1, "pending": 1}
    house.turn(seconds=1)
    assert counted(levels(house)["1"]) == {"enrolled": 1, "dosed": 1, "evaluable": 1}


def test_two_dlts_stop(sqlite_house: House) -> None:
    house = sqlite_house
    for n in (1, 2):
        event(house, house.infused(days_ago=10, **someone(n)), "confirmed")
    assert counted(levels(house)["1"]) == {"enrolled": 2, "dosed": 2, "evaluable": 2, "dlt": 2}
    assert levels(house)["1"]["three_plus_three"] == "stop"


def test_two_dlts_of_one_subject_are_one(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.infused(days_ago=10, **someone(1))
    for dlt in ("confirmed", "confirmed", "no"):
        event(house, subject, dlt)
    assert levels(house)["1"]["dlt"] == 1


def test_a_level_is_one_over_all_sites(sqlite_house: House) -> None:
    house = sqlite_house
    house.infused(days_ago=10, **someone(1))
    assert counted(levels(house, "stranger")["1"]) == {"enrolled": 1, "dosed": 1, "pending": 1}


# --- When the next may follow ---------------------------------------------------------------------------------


def test_after_the_sentinel_two_weeks_and_then_one(house: House) -> None:
    house.enrol(**someone(1))
    assert levels(house)["1"]["next_infusion_earliest"] is None
    house.infused(days_ago=20, **someone(2))
    assert levels(house)["1"]["next_infusion_earliest"] == iso(ago(house, days=6))
    house.infused(days_ago=3, **someone(3))
    assert levels(house)["1"]["next_infusion_earliest"] == iso(house.now + timedelta(days=4))
    assert levels(house)["2"]["next_infusion_earliest"] is None
    house.infused(days_ago=1, **someone(4, "2"))
    assert levels(house)["2"]["next_infusion_earliest"] == iso(house.now + timedelta(days=13))


def test_the_stagger_counts_from_the_last_infusion_whatever_was_recorded_last(sqlite_house: House) -> None:
    house = sqlite_house
    for n, days in enumerate((2, 30, 16), start=1):
        house.infused(days_ago=days, **someone(n))
    assert levels(house)["1"]["next_infusion_earliest"] == iso(house.now + timedelta(days=5))


def test_the_stagger_is_shown_and_not_enforced(sqlite_house: House) -> None:
    house = sqlite_house
    house.infused(days_ago=1, **someone(1))
    assert infuse(house, house.nurse, house.enrol(**someone(2))).status_code == 201
    assert holds(house) == {}


# --- Holds ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "held"),
    [("1", ["1", "2", "3"]), ("2", ["2", "3"]), ("3", ["3"])],
)
def test_a_suspected_dlt_holds_its_level_and_all_above(house: House, level: str, held: list[str]) -> None:
    event(house, house.infused(days_ago=3, **someone(1, level)), "suspected", by="nurse")
    assert holds(house) == dict.fromkeys(held, DLT)


@pytest.mark.parametrize("dlt", ["no", "confirmed"])
def test_a_decision_releases(house: House, dlt: str) -> None:
    found = event(house, house.infused(days_ago=3, **someone(1)), "suspected", by="nurse")
    waiting = house.enrol(**someone(2))
    assert refused(infuse(house, house.nurse, waiting)) == (409, "infusion_held")
    assert decide(house, found, dlt=dlt).status_code == 200
    assert holds(house) == {}
    assert infuse(house, house.nurse, waiting).status_code == 201


def test_neither_a_confirmed_one_nor_none_holds(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.infused(days_ago=3, **someone(1))
    event(house, subject, "no")
    event(house, subject, "confirmed")
    assert holds(house) == {}


def test_the_other_of_two_still_holds(sqlite_house: House) -> None:
    house = sqlite_house
    one = event(house, house.infused(days_ago=3, **someone(1)), "suspected")
    event(house, house.infused(days_ago=3, **someone(2, "2")), "suspected")
    assert set(holds(house)) == {"1", "2", "3"}
    decide(house, one, dlt="no")
    assert holds(house) == {"2": DLT, "3": DLT}


def test_a_second_suspicion_holds_although_the_subject_has_a_confirmed_one(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.infused(days_ago=3, **someone(1))
    event(house, subject, "confirmed")
    event(house, subject, "suspected")
    assert holds(house) == dict.fromkeys("123", DLT)


def test_one_that_a_doctor_takes_back_holds_no_more(sqlite_house: House) -> None:
    house = sqlite_house
    found = event(house, house.infused(days_ago=3, **someone(1)), "suspected")
    assert decide(house, found, void=True).status_code == 200
    assert holds(house) == {}


def test_a_nurse_may_not_release_a_hold_by_taking_the_event_back(sqlite_house: House) -> None:
    house = sqlite_house
    found = event(house, house.infused(days_ago=3, **someone(1)), "suspected")
    assert refused(decide(house, found, by="nurse", dlt="no")) == (403, "forbidden")
    assert decide(house, found, by="nurse", void=True).status_code == 403
    assert holds(house) == dict.fromkeys("123", DLT)


def test_an_open_emergency_holds_its_level_and_all_above(sqlite_house: House) -> None:
    house = sqlite_house
    patient = house.patient_of(house.infused(days_ago=3, **someone(1, "2")))
    assert house.report(patient, {"confused": 3}).status_code == 201
    house.work()
    assert holds(house) == {"2": EMERGENCY, "3": EMERGENCY}
    waiting = house.enrol(**someone(2, "2"))
    assert refused(infuse(house, house.nurse, waiting)) == (409, "infusion_held")
    assert infuse(house, house.nurse, house.enrol(**someone(3, "1"))).status_code == 201
    [episode] = house.doctor.get("/episodes?state=open").json["items"]
    close = {"outcome": "icans", "icans_grade": 1}
    answer = house.doctor.post(f"/episodes/{episode['id']}/close", close, **{"If-Match": "*"})
    assert answer.status_code == 200, answer.text
    assert holds(house) == {}, "closed, it holds nobody"
    assert infuse(house, house.nurse, waiting).status_code == 201


# --- Infusing all the same ------------------------------------------------------------------------------------


@pytest.fixture
def held(sqlite_house: House) -> House:
    """Level 2 is held."""
    event(sqlite_house, sqlite_house.infused(days_ago=3, **someone(1, "2")), "suspected")
    return sqlite_house


@pytest.mark.parametrize("level", ["2", "3"])
@pytest.mark.parametrize("by", ["nurse", "doctor", "chief"])
def test_nobody_infuses_into_a_held_level_without_more(held: House, by: str, level: str) -> None:
    subject = held.enrol(**someone(2, level))
    assert refused(infuse(held, held.people[by], subject)) == (409, "infusion_held")
    assert infused_at(held, subject) == []


def test_below_the_held_level_infusions_go_on(held: House) -> None:
    subject = held.enrol(**someone(2, "1"))
    assert infuse(held, held.nurse, subject).status_code == 201
    assert overridden(held, subject) == []


@pytest.mark.parametrize("by", ["nurse", "doctor"])
def test_only_the_principal_investigator_overrides(held: House, by: str) -> None:
    subject = held.enrol(**someone(2, "2"))
    assert refused(infuse(held, held.people[by], subject, override_reason="urgent")) == (403, "forbidden")
    assert infused_at(held, subject) == []
    assert overridden(held, subject) == []


def test_an_override_is_kept_in_the_trail_with_its_reason(held: House) -> None:
    subject = held.enrol(**someone(2, "2"))
    answer = infuse(held, held.chief, subject, override_reason="agreed with the board")
    assert answer.status_code == 201, answer.text
    assert infused_at(held, subject) == [iso(held.now)]
    [row] = overridden(held, subject)
    assert (row["reason"], row["actor_role"]) == ("agreed with the board", "principal_investigator")
    assert (row["actor_id"], row["new"]) == (str(held.chief.id), {"holds": DLT, "dose_level": "2"})


def test_where_nothing_is_held_nothing_is_overridden(sqlite_house: House) -> None:
    subject = sqlite_house.enrol(**someone(1))
    assert infuse(sqlite_house, sqlite_house.chief, subject, override_reason="in case").status_code == 201
    assert overridden(sqlite_house, subject) == []


def test_an_infusion_may_be_planned_or_tried_out_while_held(held: House) -> None:
    subject = held.enrol(**someone(2, "2"))
    planned: datetime = held.now + timedelta(days=9)
    assert infuse(held, held.nurse, subject, preview=True).status_code == 200
    assert infuse(held, held.nurse, subject, actual_at=None, planned_at=iso(planned)).status_code == 201
    assert infused_at(held, subject) == []


def test_a_planned_infusion_does_not_take_place_in_a_held_level_by_correction(held: House) -> None:
    subject = held.enrol(**someone(2, "2"))
    assert infuse(held, held.nurse, subject, actual_at=None, planned_at=iso(held.now)).status_code == 201
    answer = desk.correct(held, subject, "infusion", actual_at=held.now)
    assert answer.status_code == 409
    assert answer.json["code"] == "infusion_held"
    assert infused_at(held, subject) == []


def test_the_principal_investigator_lets_it_take_place_by_correction(held: House) -> None:
    subject = held.enrol(**someone(2, "2"))
    assert infuse(held, held.nurse, subject, actual_at=None, planned_at=iso(held.now)).status_code == 201
    stands = desk.event(held, subject, "infusion")
    change = {"actual_at": iso(held.now), "reason": "took place", "override_reason": "agreed with the board"}
    path = f"/subjects/{subject['id']}/events/{stands['id']}"
    assert refused(held.doctor.patch(path, change, stands["revision"])) == (403, "forbidden")
    assert held.chief.patch(path, change, stands["revision"]).status_code == 200
    assert infused_at(held, subject) == [iso(held.now)]
    [row] = overridden(held, subject)
    assert row["reason"] == "agreed with the board"
