"""Role × door: 403 just where the policy forbids; a foreign subject does not exist; nobody enters without a sign-in."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from house import Person, iso, subject_body

from api.app import create_app
from backend import policy
from backend.models.record import AuditEvent
from tests.contract.stage import PUBLIC, RASH, Stage, everything, last_test_number, problem_of, report_body, send

WHO = {
    "patient": "patient",
    "carer": "carer",
    "nurse": "nurse",
    "investigator": "doctor",
    "principal_investigator": "chief",
    "monitor": "monitor",
    "statistician": "statistician",
    "administrator": "admin",
}
NONSENSE = {"no_such_field": 1}  # refused by every body, so that the tour of all doors changes nothing


@dataclass(frozen=True)
class Door:
    method: str
    path: str
    action: str
    takes_a_body: bool
    confirmed: bool
    takes_csv: bool

    def at(self, stage: Stage) -> str:
        return self.path.format(**stage.ids)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@cache
def doors() -> tuple[Door, ...]:
    """Every door but the public ones, from the published document; test_openapi holds it to the address map."""
    document = create_app({"DATABASE_URL": "sqlite://"}).test_client().get("/api/v1/openapi.json").json
    return tuple(
        Door(
            method.upper(),
            path.removeprefix("/api/v1"),
            operation["x-action"],
            "requestBody" in operation,
            operation["x-confirmed"],
            "text/csv" in operation.get("requestBody", {}).get("content", ()),
        )
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters" and f"{method.upper()} {path}" not in PUBLIC
    )


def knock(stage: Stage, door: Door, who: Person | None, body: Any = None) -> Any:
    sent = (NONSENSE if body is None else body) if door.takes_a_body else b""
    headers = {"If-Match": "*"}
    if door.takes_csv:
        sent, headers["Content-Type"] = b"no such column\n", "text/csv"
    return send(stage.house, who, door.method, door.at(stage), sent, headers)


def test_there_are_doors_and_every_role_has_somebody() -> None:
    assert len(doors()) > 45
    assert set(WHO) == set(policy.ROLES)


@pytest.mark.parametrize("role", policy.ROLES)
def test_a_role_enters_where_the_policy_says_and_nowhere_else(stage: Stage, role: str) -> None:
    who = stage.person(WHO[role])
    open_to = set()
    for door in doors():
        answer = knock(stage, door, who)
        if not policy.permits(role, door.action):
            assert (str(door), answer.status_code) == (str(door), 403)
            problem_of(answer, 403, "forbidden")
            continue
        open_to.add(door.action)
        if door.confirmed:
            problem_of(answer, 403, "confirmation_required")
            continue
        expected = 422 if door.takes_a_body else 200
        if door.path == "/on-call" and door.method == "GET":
            expected = 422  # it wants to know of which site
        if door.action == "shift:confirm" and role != "nurse":
            expected = 404  # somebody else's shift
        assert answer.status_code == expected, (str(door), answer.text)
    assert open_to, "a role that may do nothing would prove nothing"


@pytest.mark.parametrize("door", doors(), ids=str)
def test_nobody_enters_without_a_sign_in(stage: Stage, door: Door) -> None:
    before = everything(stage.house)
    problem_of(knock(stage, door, None), 401, "sign_in_required")
    lets_devices_in = (door.method, door.path) == ("PUT", "/me/entries/{entry_id}")
    for header in ("Bearer", "Bearer ", "Basic bnVyc2U6eA==", "Device unknown", "Token x"):
        answer = send(stage.house, None, door.method, door.at(stage), b"", {"Authorization": header})
        asked = lets_devices_in and header.startswith("Device")
        problem_of(answer, 401, "token_invalid" if asked else "sign_in_required")
    assert everything(stage.house) == before


def test_patients_reach_no_staff_door_and_staff_no_patients(stage: Stage) -> None:
    """Said without the table, so that a slip in the table itself shows."""
    own = {"self:read", "self:change", "scoring:use", "today:read", "entry:report", "entry:read_own", "carer:choose"}
    for door in doors():
        if door.confirmed:
            assert door.action not in own
        reporters = knock(stage, door, stage.patient).status_code != 403
        assert reporters is (door.action in own), door
    for name in ("nurse", "doctor", "chief", "monitor", "statistician", "admin"):
        entry = f"/me/entries/{stage.ids['entry_id']}"
        for method, path in (("PUT", entry), ("GET", entry), ("GET", "/me/entries"), ("GET", "/me/today")):
            body = report_body(stage) if method == "PUT" else b""
            problem_of(send(stage.house, stage.person(name), method, path, body), 403, "forbidden")


def test_who_only_reads_writes_nothing_but_themselves(stage: Stage) -> None:
    written = {"self:change", "signing:confirm", "pin:set", "scoring:use"}  # of these the last stores nothing
    asked = {"query:open", "query:close"}  # asking about the data changes none
    for door in doors():
        if door.method != "GET" and door.action not in written | asked:
            for name in ("statistician",) if door.action == "visit:freeze" else ("monitor", "statistician"):
                assert knock(stage, door, stage.person(name)).status_code == 403, door


def test_contact_data_and_texts_are_for_the_clinic(stage: Stage) -> None:
    for name in ("nurse", "doctor", "chief"):
        shown = stage.person(name).get(stage.at).json
        assert shown["contact"]["phone"] == "+8613800138000"
        assert all(one["text"] for one in stage.person(name).get("/messages").json["items"])
    for name in ("monitor", "statistician"):
        answer = stage.person(name).get(stage.at)
        assert answer.status_code == 200
        assert "contact" not in answer.json
        messages = stage.person(name).get("/messages").json["items"]
        assert messages
        assert all(one["text"] is None for one in messages)
        assert "13800138000" not in answer.text + str(messages)
        problem_of(stage.person(name).get(f"{stage.at}/carers"), 403, "forbidden")
    problem_of(stage.house.admin.get(stage.at), 403, "forbidden")


# --- sites and subjects ---------------------------------------------------------------------------------------


def good_body(stage: Stage, door: Door) -> Any:
    """What a door would take from the right person."""
    house, fresh = stage.house, str(uuid4())
    now, later = iso(house.now), iso(house.now + timedelta(hours=1))
    bodies: dict[str, Any] = {
        "/subjects": subject_body(house, number="902"),
        "/subjects/{subject_id}": {"locale": "en"},
        "/subjects/{subject_id}/entries": report_body(stage, id=fresh, source="telephone"),
        "/subjects/{subject_id}/events": {"id": fresh, "kind": "admission", "planned_at": later},
        "/subjects/{subject_id}/events/{event_id}": {"actual_at": now, "reason": "mistyped"},
        "/subjects/{subject_id}/activation-codes": {"for": "patient"},
        "/subjects/{subject_id}/carers/{account_id}/revocation": {"reason": "moved away"},
        "/subjects/{subject_id}/devices/revocation": {"reason": "lost"},
        "/subjects/{subject_id}/measurements": {
            "id": fresh,
            "code": "crp",
            "value": 3,
            "unit": "mg/L",
            "source": "ward",
            "collected_at": now,
        },
        "/subjects/{subject_id}/medications": {"id": fresh, "drug": "prednisone", "started_at": now},
        "/subjects/{subject_id}/contact-attempts": {"id": fresh, "outcome": "no_answer"},
        "/subjects/{subject_id}/reconciliation": {
            "id": fresh,
            "kind": "episode",
            "episode_id": stage.ids["episode_id"],
            "since": now,
            "until": now,
            "worst": 0,
            "decision": "known",
            "reason": "of the disease",
        },
        "/sites/{site_id}/reference-limits": {
            "id": fresh,
            "laboratory": "central",
            "code": "c3",
            "unit": "g/L",
            "lln": 0.8,
            "valid_from": "2026-01-01",
        },
        "/entries/{entry_id}": {"answers": report_body(stage)["answers"], "reason": "misheard"},
        "/visits/{visit_id}/appointment": {"at": now, "reason": "agreed"},
        "/visits/{visit_id}/attendance": {"at": now, "outcome": "attended"},
        "/episodes/{episode_id}/acknowledgements": {"id": fresh, "kind": "accepted", "seen_signal_seq": 1},
        "/episodes/{episode_id}/contact-attempts": {"id": fresh, "outcome": "no_answer"},
        "/episodes/{episode_id}/snooze": {"id": fresh, "until": later, "reason": "asleep"},
        "/episodes/{episode_id}/close": {"outcome": "none"},
    }
    bodies |= {
        "/subjects/{subject_id}/visits": {"id": fresh, "at": later, "reason": "cough"},
        "/subjects/{subject_id}/excuses": {"id": fresh, "kind": "device_lost", "since": now, "reason": "lost"},
        "/subjects/{subject_id}/excuses/{excuse_id}": {"until": later, "reason": "found"},
        "/subjects/{subject_id}/consents": {
            "id": fresh, "kind": "app", "text_version": "2.0", "given_at": now, "given_by": "subject",
        },
        "/sites/{site_id}/consent-texts": {"id": fresh, "kind": "app", "text_version": "3.0", "valid_from": now},
        "/sites/{site_id}/working-days/{day}": {"working": True, "name": "working Monday", "reason": "notice"},
        "/subjects/{subject_id}/product": {
            "lot": "L2", "car_t_cells": 9000001, "weight_kg": 61, "release_tests": [], "reason": "weighed again",
        },
        "/subjects/{subject_id}/queries": {
            "id": fresh, "entity": "subject", "entity_id": stage.subject["id"], "question": "sure?",
        },
        "/queries/{query_id}/answers": {"text": "checked"},
        "/queries/{query_id}/closure": {"text": "thank you"},
        "/queries/{query_id}/reopening": {"text": "once more"},
        "/visits/{visit_id}/freeze": {"id": fresh, "closed": True, "reason": "reviewed"},
        "/subjects/{subject_id}/lock": {"id": fresh, "closed": True, "reason": "clean"},
        "/subjects/{subject_id}/casebook/signature": {"id": fresh, "meaning": "reviewed and complete"},
        "/delegations/{delegation_id}/end": {"reason": "left"},
        "/amendments/{amendment_id}/drop": {"reason": "withdrawn"},
    }  # fmt: skip
    bodies["/subjects/{subject_id}/adverse-events"] = {"id": fresh, **RASH, "onset_at": now}
    bodies["/adverse-events/{adverse_event_id}"] = {"grade": 3, "reason": "spread"}
    rated = {"revision": 1, "rater_id": str(house.doctor.id), "assessed_at": now}
    forms = {
        "sledai2k": {"present": ["rash"]},
        "pga": {"value": 1.5, "scale": "0-3"},
        "bilag2004": {"systems": {"musculoskeletal": {"items": {"41": 3}, "unlisted_items": 0}}},
        "treatment": {"medications_reviewed": True},
        "crs": {"fever": True},
        "icans": {"ice": 10},
    }
    bodies |= {f"/visits/{{visit_id}}/forms/{name}": {**rated, "answers": given} for name, given in forms.items()}
    signature = {"id": fresh, "part": "clinical", "meaning": "as I found it"}
    signed = ("/visits/{visit_id}/signature", "/visits/{visit_id}/forms/{instrument}/signature")
    bodies |= dict.fromkeys(signed, signature)
    at_channel = "/sites/{site_id}/channels/{medium}"
    bodies[at_channel] = {"gateway": "console", "rung": 1}
    bodies[f"{at_channel}/tests"] = {"account_id": str(house.nurse.id)}
    if door.path.endswith("/test-acceptance"):
        return {"number": last_test_number(house)}
    return bodies[door.path] if door.takes_a_body else b""


def about_a_subject() -> list[Door]:
    return [door for door in doors() if "{" in door.path and not door.path.startswith("/me/")]


def knock_properly(stage: Stage, door: Door, *staff: Person) -> Any:
    """With a good body and real ids, as the first of these people whose business it is."""
    who = next(one for one in staff if policy.permits(one.role, door.action))
    sent = good_body(stage, door)
    confirmed = stage.house.confirmed(who) if door.confirmed else {}
    return send(stage.house, who, door.method, door.at(stage), sent, {"If-Match": "*", **confirmed})


@pytest.mark.parametrize("door", about_a_subject(), ids=str)
def test_what_is_at_another_site_does_not_exist(stage: Stage, door: Door) -> None:
    """The nurse of the other site, with all a nurse may do, a good body and real ids."""
    before = everything(stage.house)
    answer = knock_properly(stage, door, stage.house.stranger, stage.house.rival, stage.house.clerk)
    problem_of(answer, 404, "not_found")
    assert everything(stage.house) == before


def test_the_same_requests_open_the_doors_to_the_right_nurse(own_stage: Stage) -> None:
    """Else the test above would prove nothing: with these very bodies its own site's nurse gets in."""
    # What takes something away comes late, what closes the record last.
    order = ("/close", "/revocation", "/closure", "/reopening", "/end", "/drop", "/freeze", "/lock", "/signature")

    def late(door: Door) -> int:
        if door.method == "DELETE":
            return len(order)
        return next((place for place, end in enumerate(order, 1) if door.path.endswith(end)), 0)

    for door in sorted(about_a_subject(), key=late):
        if door.path.endswith(("/approval", "/signature")):
            continue  # they want what only a story brings about: see tests/conduct and tests/calendar/test_amendments
        house = own_stage.house
        answer = knock_properly(own_stage, door, house.nurse, house.chief, house.admin)
        assert answer.status_code in (200, 201), (str(door), answer.text)


def test_lists_show_ones_own_sites_alone(stage: Stage) -> None:
    house = stage.house
    here, there = stage.subject["id"], stage.foreign["id"]
    assert {one["id"] for one in house.nurse.get("/subjects").json["items"]} == {here}
    assert {one["id"] for one in house.stranger.get("/subjects").json["items"]} == {there}
    assert house.nurse.get("/episodes").json["items"]
    assert house.nurse.get("/messages").json["items"]
    for path in ("/episodes", f"/episodes?subject_id={here}", f"/messages?subject_id={here}"):
        assert house.stranger.get(path).json["items"] == [], path
    assert {one["site_id"] for one in house.stranger.get("/messages").json["items"]} <= {str(house.other_site_id)}
    assert {one["id"] for one in house.stranger.get("/sites").json["items"]} == {str(house.other_site_id)}
    seen = house.stranger.get("/calendar?status=due").json["items"]
    assert {one["subject_id"] for one in seen} <= {there}
    for path in (f"/on-call?site_id={house.site_id}", f"/calendar?site_id={house.site_id}"):
        problem_of(house.stranger.get(path), 422, "invalid", [("/site_id", "unknown_site")])
    problem_of(house.chief.get(f"/audit?subject_id={there}"), 404, "not_found")


def test_a_patient_sees_their_own_alone(stage: Stage) -> None:
    house, entry = stage.house, f"/me/entries/{stage.ids['entry_id']}"
    assert stage.patient.get(entry).status_code == 200
    problem_of(stage.outsider.get(entry), 404, "not_found")
    for path in ("/me/today", "/me/entries"):
        assert stage.outsider.get(path).status_code == 200
        problem_of(stage.outsider.get(f"{path}?subject_id={stage.subject['id']}"), 404, "not_found")
    assert stage.outsider.get("/me/entries").json["items"] == []
    me = stage.outsider.get("/me").json
    assert [one["id"] for one in me["subjects"]] == [stage.foreign["id"]]
    body = {"sees_reports": False}
    problem_of(send(house, stage.outsider, "PUT", f"/me/carers/{stage.carer.id}", body), 404, "not_found")


# --- a refused act leaves a trace -----------------------------------------------------------------------------


def refusals(stage: Stage) -> list[AuditEvent]:
    return stage.house.rows(sa.select(AuditEvent).where(AuditEvent.verb == "access:refused").order_by(AuditEvent.at))


def test_a_refused_act_is_kept_with_who_where_and_about_whom(own_stage: Stage) -> None:
    house, ids = own_stage.house, own_stage.ids
    about = {
        f"POST /subjects/{ids['subject_id']}/measurements": own_stage.subject["id"],
        f"PATCH /entries/{ids['entry_id']}": own_stage.subject["id"],
        f"POST /episodes/{ids['episode_id']}/close": own_stage.subject["id"],
        f"PUT /visits/{ids['visit_id']}/attendance": own_stage.subject["id"],
        "POST /subjects": "system",
        f"POST /subjects/{uuid4()}/measurements": "system",
    }
    for request, chain in about.items():
        before, known = everything(house), {row.id for row in refusals(own_stage)}
        method, path = request.split()
        answer = send(house, house.monitor, method, path, {"note": "secret"}, {"If-Match": "*"})
        problem_of(answer, 403, "forbidden")
        [row] = [row for row in refusals(own_stage) if row.id not in known]
        assert (row.chain, row.actor_id, row.actor_role) == (chain, house.monitor.id, "monitor")
        assert row.new["door"].startswith(f"{method} /api/v1/")
        assert row.origin == answer.headers["X-Request-Id"]
        assert "secret" not in str(row.new)
        after = everything(house)
        assert {name for name in after if after[name] != before[name]} == {"audit_event", "audit_head"}
    assert house.chief.get("/audit/verify").json["intact"] is True


def test_a_refusal_in_the_middle_of_an_act_is_kept_too(own_stage: Stage) -> None:
    """Nurses may close, but not grade: the door finds out only inside."""
    house, path = own_stage.house, f"/episodes/{own_stage.ids['episode_id']}/close"
    graded = {"outcome": "crs", "crs_grade": 2}
    problem_of(send(house, house.nurse, "POST", path, graded, {"If-Match": "*"}), 403, "forbidden")
    [row] = refusals(own_stage)
    assert (row.chain, row.actor_role) == (own_stage.subject["id"], "nurse")
    assert house.nurse.get(path.removesuffix("/close")).json["state"] == "open"


def test_what_is_allowed_or_merely_wrong_is_no_refusal(own_stage: Stage) -> None:
    house = own_stage.house
    house.nurse.get(own_stage.at)
    house.stranger.get(own_stage.at)
    house.nurse.post("/subjects", {})
    house.app.test_client().get(f"/api/v1{own_stage.at}")
    assert refusals(own_stage) == []
