"""What is locked takes no change of the record, from nobody; danger comes in all the same, and the trail says so."""

from typing import Any

import pytest
from house import House, subject_body

from tests.conduct.acts import CLINIC, RECORD, ago, closing, done, fresh, is_refused, lock, measurement, trail
from tests.contract.stage import Stage, changed, everything, refuses

SCOPES = ("subject", "database")
KINDS = {
    "event",
    "event correction",
    "appointment",
    "attendance",
    "unscheduled visit",
    "entry on behalf",
    "entry correction",
    "measurement",
    "measurement correction",
    "medication",
    "medication correction",
    "product",
    "consent",
    "excuse",
    "excuse change",
    "adverse event",
    "adverse event correction",
    "assessment",
    "dose level",
    "organs",
    "zone",
}


def shut(stage: Stage, scope: str, closed: bool = True, **over: Any) -> dict[str, Any]:
    return done(lock(stage, closed, whole=scope == "database", **over), 201)


def door(stage: Stage, scope: str) -> str:
    return "/database/lock" if scope == "database" else f"{stage.at}/lock"


@pytest.mark.parametrize("scope", SCOPES)
def test_a_locked_record_takes_no_change_until_it_is_opened(both: Stage, scope: str) -> None:
    assert {act.name for act in RECORD} == KINDS
    house = both.house
    shut(both, scope)
    before = everything(house)
    for act in RECORD:
        for name in CLINIC:
            is_refused(act.by(both, both.person(name)), "record_locked", f"{act.name} by {name}")
    assert changed(house, before) == set()
    shut(both, scope, closed=False)
    for n, act in enumerate(RECORD):
        answer = act.by(both, both.person(CLINIC[n % 3]))
        assert answer.status_code in (200, 201), (act.name, answer.text)


def test_dose_level_of_a_locked_subject_still_to_be_treated(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.enrol()
    stage = Stage(house, subject, subject, house.nurse, house.nurse, house.nurse)
    done(lock(stage), 201)
    change = {"dose_level": "2", "reason": "the cohort is open"}
    for name in CLINIC:
        is_refused(house.people[name].call("PATCH", stage.at, change, {"If-Match": "*"}), "record_locked")
    assert house.monitor.get(stage.at).json["dose_level"] == "1"
    done(lock(stage, closed=False), 201)
    assert done(house.nurse.call("PATCH", stage.at, change, {"If-Match": "*"}), 200)["dose_level"] == "2"


def test_a_new_number_to_call_is_taken_from_a_locked_subject(stage: Stage) -> None:
    """Contact and language are not the record, and danger needs the right number."""
    house = stage.house
    shut(stage, "subject")
    shut(stage, "database")
    contact = {"contact": {"name": "Wang Xiaoming", "phone": "13900139111"}}
    done(house.nurse.call("PATCH", stage.at, contact, {"If-Match": "*"}), 200)
    assert house.nurse.get(stage.at).json["contact"]["phone"] == "+8613900139111"
    mixed = {**contact, "prior_organs": ["skin"]}
    is_refused(house.nurse.call("PATCH", stage.at, mixed, {"If-Match": "*"}), "record_locked")


@pytest.mark.parametrize("scope", SCOPES)
def test_fever_comes_in_pages_and_is_answered_all_the_same(both: Stage, scope: str) -> None:
    house = both.house
    episode = f"/episodes/{both.ids['episode_id']}"
    nothing = {"outcome": "none"}
    done(house.nurse.call("POST", f"{episode}/close", nothing, {"If-Match": "*"}), 200)
    shut(both, scope)
    house.turn(hours=3)
    entry = fresh()
    taken = house.report(both.patient, {"temp_c": 39.4}, id=entry)
    assert (taken.status_code, taken.json["page"]) == (201, "queued"), taken.text
    assert house.pages()
    again = house.report(both.patient, {"temp_c": 39.6}, id=entry, revision=2)
    assert done(again)["entry"]["revision"] == 2
    [raised] = [one for one in house.nurse.get("/episodes").json["items"] if one["state"] == "open"]
    path, seen = f"/episodes/{raised['id']}", {"kind": "accepted", "seen_signal_seq": 1}
    done(house.nurse.post(f"{path}/acknowledgements", {"id": fresh(), **seen}), 201)
    attempt = {"id": fresh(), "outcome": "spoke_with", "spoke_with": "patient"}
    done(house.doctor.post(f"{path}/contact-attempts", attempt), 201)
    graded = {"outcome": "crs", "crs_grade": 1}
    done(house.doctor.call("POST", f"{path}/close", graded, {"If-Match": "*"}), 200)
    assert house.chief.get("/audit/verify").json["intact"] is True


@pytest.mark.parametrize("scope", SCOPES)
def test_the_trail_tells_what_came_after_the_lock(stage: Stage, scope: str) -> None:
    house, told = stage.house, []
    for closed in (None, True, False):
        if closed is not None:
            shut(stage, scope, closed=closed)
        house.turn(hours=1)
        entry = fresh()
        done(house.report(stage.patient, id=entry), 201)
        [row] = trail(house, "entry:stored", entry)
        told.append(row.new["after_lock"])
    assert told == [False, True, False]


def test_other_records_stay_open_beside_a_locked_subject(stage: Stage) -> None:
    house = stage.house
    shut(stage, "subject")
    other = house.enrol(number="077")
    done(house.nurse.post(f"/subjects/{other['id']}/measurements", measurement(stage)), 201)
    done(house.stranger.post(f"/subjects/{stage.foreign['id']}/measurements", measurement(stage)), 201)


def test_a_locked_database_is_locked_at_every_site_and_enrols_nobody(both: Stage) -> None:
    house = both.house
    known = subject_body(house, number="078")
    enrolled = done(house.nurse.post("/subjects", known), 201)["id"]
    shut(both, "database")
    there = f"/subjects/{both.foreign['id']}"
    refused = {"status": 409, "code": "record_locked"}
    refuses(house, house.stranger, "POST", f"{there}/measurements", measurement(both), **refused)
    event = {"id": fresh(), "kind": "infusion", "actual_at": ago(both, hours=1)}
    refuses(house, house.rival, "POST", f"{there}/events", event, **refused)
    refuses(house, house.nurse, "POST", "/subjects", subject_body(house, number="079"), **refused)
    over = {"number": "902", "site_id": str(house.other_site_id)}
    refuses(house, house.stranger, "POST", "/subjects", subject_body(house, **over), **refused)
    assert done(house.nurse.post("/subjects", known), 200)["id"] == enrolled  # a repeat enrols nobody
    shut(both, "database", closed=False)
    done(house.stranger.post(f"{there}/measurements", measurement(both)), 201)
    done(house.nurse.post("/subjects", subject_body(house, number="079")), 201)


def test_each_lock_is_opened_for_itself(stage: Stage) -> None:
    house, act = stage.house, RECORD[7]
    shut(stage, "subject")
    shut(stage, "database")
    shut(stage, "database", closed=False)
    is_refused(act.by(stage, house.nurse), "record_locked")
    shut(stage, "database")
    shut(stage, "subject", closed=False)
    is_refused(act.by(stage, house.nurse), "record_locked")
    shut(stage, "database", closed=False)
    done(act.by(stage, house.nurse))


@pytest.mark.parametrize("scope", SCOPES)
def test_locking_and_unlocking_are_kept_with_name_and_reason(both: Stage, scope: str) -> None:
    house, path = both.house, door(both, scope)
    first = shut(both, scope, reason="all visits reviewed")
    house.turn(minutes=5)
    second = shut(both, scope, closed=False, reason="a letter from the laboratory")
    assert (first["scope"], first["by"], first["target_id"]) == (
        scope,
        "Chief",
        both.subject["id"] if scope == "subject" else None,
    )
    assert done(house.monitor.get(path))["items"] == [first, second]
    assert [one["reason"] for one in (first, second)] == ["all visits reviewed", "a letter from the laboratory"]
    for verb, row in (("closed", first), ("opened", second)):
        [kept] = trail(house, f"{scope}:{verb}")
        assert (kept.old, kept.new) == ({"closed": verb == "opened"}, {"closed": verb == "closed"})
        assert (kept.actor_id, kept.reason) == (house.chief.id, row["reason"])
        assert kept.chain == (both.subject["id"] if scope == "subject" else "system")
    assert house.chief.get("/audit/verify").json["intact"] is True


@pytest.mark.parametrize("scope", SCOPES)
def test_unlocking_wants_confirmation_and_reason(stage: Stage, scope: str) -> None:
    house, path = stage.house, door(stage, scope)
    locked = shut(stage, scope)
    shown = "locked_at" if scope == "subject" else "database_locked_at"
    assert house.nurse.get(f"{stage.at}/casebook").json[shown] == locked["at"]
    refuses(house, house.chief, "POST", path, closing(False), status=403, code="confirmation_required")
    confirmed = house.confirmed(house.chief)
    body = {name: value for name, value in closing(False).items() if name != "reason"}
    refuses(house, house.chief, "POST", path, body, faults=[("/reason", "required")], headers=confirmed)
    assert house.nurse.get(f"{stage.at}/casebook").json[shown] == locked["at"]
    shut(stage, scope, closed=False)
    assert house.nurse.get(f"{stage.at}/casebook").json[shown] is None


@pytest.mark.parametrize("scope", SCOPES)
def test_locked_twice_or_with_a_used_id(stage: Stage, scope: str) -> None:
    house, path, body = stage.house, door(stage, scope), closing(True)

    def refused(sent: dict[str, Any], code: str, at: str = path) -> None:
        headers = house.confirmed(house.chief)
        refuses(house, house.chief, "POST", at, sent, status=409, code=code, headers=headers)

    refused(closing(False), "conflict")
    first = done(house.chief.post(path, body, **house.confirmed(house.chief)), 201)
    assert done(house.chief.post(path, body, **house.confirmed(house.chief)), 200) == first
    refused(closing(True), "conflict")
    refused({**body, "closed": False}, "id_taken")
    refused(body, "id_taken", door(stage, "database" if scope == "subject" else "subject"))
    assert len(trail(house, f"{scope}:closed")) == 1


def test_a_subject_of_another_site_is_locked_by_its_own_investigator(stage: Stage) -> None:
    house, there = stage.house, f"/subjects/{stage.foreign['id']}/lock"
    confirmed = house.confirmed(house.chief)
    refuses(house, house.chief, "POST", there, closing(True), status=404, code="not_found", headers=confirmed)
    done(house.rival.post(there, closing(True), **house.confirmed(house.rival)), 201)
    assert house.stranger.get(f"/subjects/{stage.foreign['id']}").json["locked_at"] is not None
    done(RECORD[0].by(stage, house.nurse))
