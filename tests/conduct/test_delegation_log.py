"""The delegation log: asked for by the team, approved by the principal investigator, ended with a reason; all kept."""

from typing import Any
from uuid import uuid4

import pytest
from house import House
from werkzeug.test import TestResponse

from tests.conduct.acts import also_works_at, approved, asked_for, done, fresh, is_refused, trail
from tests.contract.stage import Stage, but, problem_of, refuses, send


def ask(house: House, task: str = "laboratory", **over: Any) -> dict[str, Any]:
    return done(house.nurse.post("/delegations", asked_for(house, house.doctor, task, **over)), 201)


def approve(house: House, row: dict[str, Any], **headers: str) -> TestResponse:
    return house.chief.call("POST", f"/delegations/{row['id']}/approval", None, headers)


def log(house: House, query: str = "") -> list[dict[str, Any]]:
    return list(done(house.monitor.get(f"/delegations?site_id={house.site_id}{query}"))["items"])


def test_a_task_is_asked_for_approved_and_ended_by_named_people(house: House) -> None:
    asked = ask(house, valid_to="2026-12-31")
    assert (asked["requested_by"], asked["approved_at"], asked["version"]) == (str(house.nurse.id), None, 1)
    house.turn(hours=1)
    row = approved(house, asked)
    assert (row["approved_by"], row["approved_at"]) == (str(house.chief.id), "2026-03-02T02:00:00Z")
    house.turn(hours=1)
    end = house.nurse.post(
        f"/delegations/{row['id']}/end", {"reason": "left us"}, **{"If-Match": f'"{row["version"]}"'}
    )
    last = done(end, 200)
    assert (last["ended_by"], last["ended_at"], last["ended_why"]) == (
        str(house.nurse.id),
        "2026-03-02T03:00:00Z",
        "left us",
    )
    assert end.headers["ETag"] == f'"{last["version"]}"'
    assert [one for one in log(house) if one["id"] == row["id"]] == [last]
    told = [
        [(one.actor_id, one.reason) for one in trail(house, f"delegation:{verb}", row["id"])]
        for verb in ("requested", "approved", "ended")
    ]
    assert told == [[(house.nurse.id, None)], [(house.chief.id, None)], [(house.nurse.id, "left us")]]
    assert house.chief.get("/audit/verify").json["intact"] is True


def test_nobody_approves_a_task_of_their_own(sqlite_house: House) -> None:
    house = sqlite_house
    own = done(house.nurse.post("/delegations", asked_for(house, house.chief, "grading")), 201)
    path, confirmed = f"/delegations/{own['id']}/approval", house.confirmed(house.chief)
    refuses(house, house.chief, "POST", path, b"", faults=[("/account_id", "not_allowed")], headers=confirmed)
    assert next(one for one in log(house) if one["id"] == own["id"])["approved_at"] is None


def test_approval_is_the_principal_investigators_with_password_and_code(sqlite_house: House) -> None:
    house = sqlite_house
    row = ask(house)
    path = f"/delegations/{row['id']}/approval"
    refuses(house, house.chief, "POST", path, b"", status=403, code="confirmation_required")
    for who in (house.doctor, house.nurse, house.monitor, house.admin):
        is_refused(who.call("POST", path, headers=house.confirmed(who)), "forbidden", who.username)
    [stored] = [one for one in log(house) if one["id"] == row["id"]]
    assert stored == row


def test_approving_twice_is_approving_once(sqlite_house: House) -> None:
    house = sqlite_house
    first = approved(house, ask(house))
    house.turn(hours=5)
    assert approved(house, first) == first
    assert len(trail(house, "delegation:approved", first["id"])) == 1


def test_ending_wants_the_version_that_was_read_and_a_reason(sqlite_house: House) -> None:
    house = sqlite_house
    row = approved(house, ask(house))
    path, reason, now = f"/delegations/{row['id']}/end", {"reason": "on leave"}, {"If-Match": f'"{row["version"]}"'}
    refuses(house, house.nurse, "POST", path, reason, status=428, code="if_match_required")
    refuses(house, house.nurse, "POST", path, reason, status=412, code="stale", headers={"If-Match": '"1"'})
    refuses(house, house.nurse, "POST", path, {}, faults=[("/reason", "required")], headers=now)
    refuses(house, house.nurse, "POST", path, {"reason": ""}, headers=now, faults=[("/reason", "wrong_length")])
    ended = done(house.nurse.post(path, reason, **now), 200)
    refuses(house, house.nurse, "POST", path, reason, status=409, code="conflict", headers={"If-Match": "*"})
    is_refused(approve(house, ended, **house.confirmed(house.chief)), "conflict")
    assert trail(house, "delegation:ended", row["id"])[0].reason == "on leave"


def test_a_repeat_is_harmless_and_another_content_is_refused(sqlite_house: House) -> None:
    house = sqlite_house
    body = asked_for(house, house.doctor, "laboratory", valid_to="2026-12-31")
    first = done(house.nurse.post("/delegations", body), 201)
    approval = approved(house, first)
    assert done(house.nurse.post("/delegations", body), 200) == approval
    assert [one["id"] for one in log(house)].count(body["id"]) == 1
    also_works_at(house, house.other_site_id, house.nurse, house.doctor)
    for over in (
        {"task": "grading"},
        {"valid_from": "2026-03-02"},
        {"valid_to": None},
        {"valid_to": "2026-12-30"},
        {"account_id": str(house.nurse.id)},
        {"site_id": str(house.other_site_id)},
    ):
        refuses(house, house.nurse, "POST", "/delegations", {**body, **over}, status=409, code="id_taken")
    assert log(house)[-1] == approval


REQUIRED = ("id", "site_id", "account_id", "task", "valid_from")
BAD: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    (dict.fromkeys(REQUIRED, ...), [(f"/{name}", "required") for name in REQUIRED]),
    ({"id": "7"}, [("/id", "invalid_uuid")]),
    ({"task": "everything"}, [("/task", "not_allowed")]),
    ({"valid_from": "1 March"}, [("/valid_from", "invalid_date")]),
    (
        {"valid_from": "2026-03-01T00:00:00Z", "valid_to": 5},
        [("/valid_from", "invalid_date"), ("/valid_to", "invalid_date")],
    ),
    ({"valid_to": "2026-02-28"}, [("/valid_to", "out_of_order")]),
    ({"approved_at": "2026-03-01T00:00:00Z"}, [("/approved_at", "unknown_field")]),
]


@pytest.mark.parametrize(("over", "faults"), BAD)
def test_a_bad_request_says_where(stage: Stage, over: dict[str, Any], faults: list[tuple[str, str]]) -> None:
    house = stage.house
    body = but(asked_for(house, house.doctor, "laboratory"), **over)
    refuses(house, house.nurse, "POST", "/delegations", body, faults=faults)


def test_one_day_is_a_span(sqlite_house: House) -> None:
    row = ask(sqlite_house, valid_from="2026-03-01", valid_to="2026-03-01")
    assert (row["valid_from"], row["valid_to"]) == ("2026-03-01", "2026-03-01")


def test_unknown_people_and_sites_are_refused(sqlite_house: House) -> None:
    house = sqlite_house
    patient = house.patient_of(house.enrol())
    good = asked_for(house, house.doctor, "laboratory")
    for person in (uuid4(), house.stranger.id, patient.id):
        body = {**good, "account_id": str(person)}
        refuses(house, house.nurse, "POST", "/delegations", body, faults=[("/account_id", "not_allowed")])
    for site in (uuid4(), house.other_site_id):
        body = {**good, "site_id": str(site)}
        refuses(house, house.nurse, "POST", "/delegations", body, faults=[("/site_id", "unknown_site")])
        answer = house.nurse.get(f"/delegations?site_id={site}")
        problem_of(answer, 422, "invalid", [("/site_id", "unknown_site")])


def test_a_task_of_which_the_role_may_do_nothing_is_no_task(sqlite_house: House) -> None:
    house = sqlite_house
    body = asked_for(house, house.nurse, "grading")
    refuses(house, house.nurse, "POST", "/delegations", body, faults=[("/task", "not_allowed")])


def test_what_is_at_another_site_does_not_exist(sqlite_house: House) -> None:
    house = sqlite_house
    over = {"site_id": str(house.other_site_id)}
    there = done(house.stranger.post("/delegations", asked_for(house, house.stranger, "laboratory", **over)), 201)
    for row_id in (there["id"], fresh()):
        path = f"/delegations/{row_id}"
        confirmed = house.confirmed(house.chief)
        refuses(house, house.chief, "POST", f"{path}/approval", b"", status=404, code="not_found", headers=confirmed)
        end = {"reason": "not mine"}
        refuses(house, house.nurse, "POST", f"{path}/end", end, status=404, code="not_found", headers={"If-Match": "*"})
    assert there["id"] not in {one["id"] for one in log(house)}


def test_the_log_is_paged_and_shows_one_person(sqlite_house: House) -> None:
    house = sqlite_house
    rows = []
    for task in ("laboratory", "grading", "product"):
        house.turn(minutes=1)
        rows.append(ask(house, task)["id"])
    whole = [one["id"] for one in log(house)]
    assert whole[-3:] == rows
    seen, cursor = [], ""
    while True:
        page = send(house, house.admin, "GET", f"/delegations?site_id={house.site_id}&limit=4{cursor}", b"").json
        assert len(page["items"]) <= 4
        seen += [one["id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == whole
    of_doctor = log(house, f"&account_id={house.doctor.id}")
    assert {one["account_id"] for one in of_doctor} == {str(house.doctor.id)}
    assert set(rows) <= {one["id"] for one in of_doctor}
    assert len(of_doctor) < len(whole)
