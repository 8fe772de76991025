"""Who may freeze, lock, sign, ask, answer, delegate: the roles spelled out here, not read from the policy."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.conduct.acts import ask, asked_for, closing, done, fresh, is_refused
from tests.contract.stage import Stage, changed, everything, send

PEOPLE = {
    "patient": "patient",
    "carer": "carer",
    "nurse": "nurse",
    "doctor": "investigator",
    "chief": "principal_investigator",
    "monitor": "monitor",
    "statistician": "statistician",
    "admin": "administrator",
}


@dataclass(frozen=True)
class Door:
    """`ask` gives path and body of a request that succeeds for whoever may: the n-th of its kind."""

    name: str
    may: set[str]
    ask: Callable[[Stage, int], tuple[str, Any]]
    confirmed: bool = False

    def __str__(self) -> str:
        return self.name


def freeze(stage: Stage, n: int) -> tuple[str, Any]:
    return f"/visits/{stage.ids['later_id']}/freeze", closing(n % 2 == 0)


def lock_subject(stage: Stage, n: int) -> tuple[str, Any]:
    return f"{stage.at}/lock", closing(True)


def unlock_subject(stage: Stage, n: int) -> tuple[str, Any]:
    return f"{stage.at}/lock", closing(False)


def lock_database(stage: Stage, n: int) -> tuple[str, Any]:
    return "/database/lock", closing(True)


def unlock_database(stage: Stage, n: int) -> tuple[str, Any]:
    return "/database/lock", closing(False)


def sign(stage: Stage, n: int) -> tuple[str, Any]:
    settle(stage)
    return f"{stage.at}/casebook/signature", {"id": fresh(), "meaning": "reviewed"}


def settle(stage: Stage) -> None:
    """Close every query of the subject."""
    monitor = stage.house.monitor
    for one in monitor.get(f"/queries?subject_id={stage.subject['id']}").json["items"]:
        if one["state"] != "closed":
            body = {"text": "settled"}
            done(monitor.call("POST", f"/queries/{one['id']}/closure", body, {"If-Match": "*"}))


def open_query(stage: Stage, n: int) -> tuple[str, Any]:
    body = {"id": fresh(), "entity": "subject", "entity_id": stage.subject["id"], "question": "sure?"}
    return f"{stage.at}/queries", body


def to_query(verb: str) -> Callable[[Stage, int], tuple[str, Any]]:
    def said(stage: Stage, n: int) -> tuple[str, Any]:
        query = done(ask(stage))["id"]
        if verb == "reopening":
            closed = {"text": "done"}
            done(stage.house.monitor.call("POST", f"/queries/{query}/closure", closed, {"If-Match": "*"}))
        return f"/queries/{query}/{verb}", {"text": "as it stands"}

    return said


def request(stage: Stage, n: int) -> tuple[str, Any]:
    return "/delegations", asked_for(stage.house, stage.house.backup, "grading")


def approve(stage: Stage, n: int) -> tuple[str, Any]:
    row = done(stage.house.nurse.post(*request(stage, n)))
    return f"/delegations/{row['id']}/approval", b""


def end(stage: Stage, n: int) -> tuple[str, Any]:
    row = done(stage.house.nurse.post(*request(stage, n)))
    return f"/delegations/{row['id']}/end", {"reason": "left"}


def train(stage: Stage, n: int) -> tuple[str, Any]:
    body = {"id": fresh(), "site_id": str(stage.house.site_id), "account_id": str(stage.house.doctor.id)}
    said = {"topic": "ICE", "material_version": "1", "trained_on": "2026-03-02", "trainer": "Prof. Li"}
    return "/trainings", {**body, **said}


CLINIC = {"nurse", "doctor", "chief"}
ASKING = {"doctor", "chief", "monitor", "statistician"}
# The order matters: who locks comes before who signs, who opens again after.
WRITES = (
    Door("open a query", ASKING, open_query),
    Door("answer a query", CLINIC, to_query("answers")),
    Door("close a query", ASKING, to_query("closure")),
    Door("reopen a query", ASKING, to_query("reopening")),
    Door("freeze a visit", {"doctor", "chief", "monitor"}, freeze),
    Door("lock a subject", {"chief"}, lock_subject, confirmed=True),
    Door("sign a casebook", {"chief"}, sign, confirmed=True),
    Door("unlock a subject", {"chief"}, unlock_subject, confirmed=True),
    Door("lock the database", {"chief"}, lock_database, confirmed=True),
    Door("unlock the database", {"chief"}, unlock_database, confirmed=True),
    Door("ask for a delegation", CLINIC | {"admin"}, request),
    Door("approve a delegation", {"chief"}, approve, confirmed=True),
    Door("end a delegation", CLINIC | {"admin"}, end),
    Door("record a training", CLINIC | {"admin"}, train),
)


def test_each_act_is_open_to_these_people_and_to_nobody_else(stage: Stage) -> None:
    house = stage.house
    for door in WRITES:
        requests = [door.ask(stage, n) for n in range(len(door.may))]
        before = everything(house)
        for name in PEOPLE.keys() - door.may:
            is_refused(attempt(stage, door, name, *requests[0]), "forbidden", f"{door.name} as {name}")
        assert changed(house, before) == {"audit_event", "audit_head"}, door.name
        for name, request in zip(sorted(door.may), requests, strict=True):
            answer = attempt(stage, door, name, *request)
            assert answer.status_code in (200, 201), (door.name, name, answer.text)


def attempt(stage: Stage, door: Door, name: str, path: str, body: Any) -> TestResponse:
    who = stage.person(name)
    assert who.role == PEOPLE[name]
    headers = {"If-Match": "*", **(stage.house.confirmed(who) if door.confirmed else {})}
    return send(stage.house, who, "POST", path, body, headers)


@pytest.mark.parametrize("door", [door for door in WRITES if door.confirmed], ids=str)
def test_what_is_signed_for_is_confirmed_with_password_and_code(stage: Stage, door: Door) -> None:
    path, body = door.ask(stage, 0)
    before = everything(stage.house)
    is_refused(send(stage.house, stage.house.chief, "POST", path, body), "confirmation_required")
    assert changed(stage.house, before) == set()


READERS = CLINIC | {"monitor", "statistician"}
READS = (
    ("/subjects/{subject_id}/casebook", READERS),
    ("/subjects/{subject_id}/lock", READERS),
    ("/visits/{visit_id}/freeze", READERS),
    ("/database/lock", READERS),
    ("/queries", READERS),
    ("/delegations?site_id={site_id}", READERS | {"admin"}),
    ("/trainings?site_id={site_id}", READERS | {"admin"}),
)


@pytest.mark.parametrize(("path", "may"), READS, ids=[path for path, _ in READS])
def test_who_may_read(stage: Stage, path: str, may: set[str]) -> None:
    at = path.format(**{**stage.ids, "site_id": stage.house.site_id})
    seen = {name: stage.person(name).get(at).status_code for name in PEOPLE}
    assert seen == {name: 200 if name in may else 403 for name in PEOPLE}
