"""One installation with everything in it that a door can be about, and the proof that a refusal changed nothing.

Stage.ids holds a real id for each name of an id in an address. `refuses` sends a request that must be refused
and compares every row of every table before and after.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import databases
import sqlalchemy as sa
from furnishing import build
from house import HandClock, House, Person, entry_body, iso, subject_body
from werkzeug.test import TestResponse

from backend import clock, studies
from backend.db import db, transaction
from backend.models.base import Base
from backend.models.study import StudyRevision
from schedules.protocol import content as protocol_content

SHAPE = {"type", "title", "status", "code", "detail", "faults", "request_id"}
# Doors that anybody may knock at: each of them asks for a secret in the body, or for a signature.
PUBLIC = {
    "POST /api/v1/webhooks/twilio/status",
    "POST /api/v1/webhooks/twilio/inbound",
    "POST /api/v1/webhooks/twilio/voice",
    "POST /api/v1/auth/staff/sign-in",
    "POST /api/v1/auth/activate",
    "POST /api/v1/auth/sign-in",
    "POST /api/v1/auth/refresh",
}
CARER = {"name": "Wang Fang", "phone": "13800138111", "locale": "zh-CN"}
RASH = {"term": "rash maculo-papular", "soc": "skin", "grade": 2}
Faults = list[tuple[str, str]]
Headers = dict[str, str]


@dataclass
class Stage:
    """`subject` is at the nurse's site and feverish, `foreign` at the stranger's. `entry` raised `episode`."""

    house: House
    subject: dict[str, Any]
    foreign: dict[str, Any]
    patient: Person
    carer: Person
    outsider: Person
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def at(self) -> str:
        """The address of the subject."""
        return f"/subjects/{self.subject['id']}"

    def person(self, name: str) -> Person:
        return getattr(self, name) if name in ("patient", "carer", "outsider") else self.house.people[name]


@contextmanager
def staged(folder: Path, url: str | None = None) -> Iterator[Stage]:
    """A stage on a database of its own; SQLite unless a URL is given."""
    hand = HandClock()
    with databases.sqlite_copy(folder) as own, clock.running_on(hand), build(url or own, hand, folder) as house:
        yield set_up(house)


def set_up(house: House) -> Stage:
    subject = house.infused(days_ago=6)
    body = subject_body(house, site_id=str(house.other_site_id), number="901")
    foreign = dict(house.stranger.post("/subjects", body).json)
    patient = house.patient_of(subject)
    carer = house.patient_of(subject, "carer", carer=CARER)
    code = house.stranger.post(f"/subjects/{foreign['id']}/activation-codes", {"for": "patient"}).json["code"]
    outsider = activated(house, code)
    stage = Stage(house, subject, foreign, patient, carer, outsider)
    shift = _on_call(house)
    conduct = _conduct(house, stage)
    entry = house.report(patient, {"temp_c": 38.4}).json["entry"]["id"]
    house.work()
    stage.ids = {
        "subject_id": subject["id"],
        "entry_id": entry,
        "event_id": house.nurse.get(f"{stage.at}/events").json["items"][0]["id"],
        "account_id": str(carer.id),
        "episode_id": house.nurse.get("/episodes").json["items"][0]["id"],
        "visit_id": _dated_visit(house, stage),
        "shift_id": shift,
        "site_id": str(house.site_id),
        "day": "2026-05-04",
        "instrument": "pga",
        "medium": _tested_channel(house),
        **conduct,
    }
    return stage


def activated(house: House, code: str) -> Person:
    body = {"code": code, "pin": "4821", "device_name": "phone", "transport": "bearer"}
    answer = house.app.test_client().post("/api/v1/auth/activate", json=body).json
    return Person(house, answer["account"]["id"], "patient", answer["access_token"], answer["device"]["credential"])


def _on_call(house: House) -> str:
    """A shift of the nurse that has begun; so that the nurse may confirm it."""
    shift = {
        "id": str(uuid4()),
        "duty": "on_call",
        "account_id": str(house.nurse.id),
        "starts_at": iso(house.now - timedelta(minutes=5)),
        "ends_at": iso(house.now + timedelta(hours=12)),
    }
    version = house.nurse.get(f"/on-call?site_id={house.site_id}").headers["ETag"]
    body = {"site_id": str(house.site_id), "shifts": [shift]}
    assert house.nurse.put("/on-call", body, **{"If-Match": version}).status_code == 200
    return shift["id"]


def _tested_channel(house: House) -> str:
    """Texts, over which a test page has gone to the nurse."""
    at = f"/sites/{house.site_id}/channels/sms"
    assert house.admin.put(at, {"gateway": "console", "rung": 1}).status_code == 200
    assert house.admin.post(f"{at}/tests", {"account_id": str(house.nurse.id)}).status_code == 201
    house.work()
    return "sms"


def last_test_number(house: House) -> int:
    """What the last test page carried, once a gateway has it."""
    house.work()
    return int(next(sent for sent in reversed(house.gateway.sent) if sent["template"] == "test_page")["number"])


def _conduct(house: House, stage: Stage) -> dict[str, str]:
    """A product, and one of each thing that people can answer, approve or end."""
    names = ("excuse_id", "query_id", "delegation_id", "amendment_id", "adverse_event_id")
    made = {name: str(uuid4()) for name in names}
    product = {"lot": "L1", "car_t_cells": 9000000, "weight_kg": 60, "release_tests": []}
    excuse = {"id": made["excuse_id"], "kind": "other", "since": iso(house.now), "reason": "agreed"}
    about = {"entity": "subject", "entity_id": stage.subject["id"], "question": "year of birth?"}
    task = {"account_id": str(house.backup.id), "task": "grading", "valid_from": "2026-01-01"}
    ahead = {"study_revision_id": publish_next(house), "effective_on": "2026-06-01", "reason": "amendment 1"}
    for who, method, path, body in (
        (house.nurse, "PUT", f"{stage.at}/product", product),
        (house.nurse, "POST", f"{stage.at}/excuses", excuse),
        (
            house.nurse,
            "POST",
            f"{stage.at}/adverse-events",
            {"id": made["adverse_event_id"], **RASH, "onset_at": iso(house.now)},
        ),
        (house.doctor, "POST", f"{stage.at}/queries", {"id": made["query_id"], **about}),
        (house.nurse, "POST", "/delegations", {"id": made["delegation_id"], "site_id": str(house.site_id), **task}),
        (house.doctor, "POST", "/amendments", {"id": made["amendment_id"], "site_id": str(house.site_id), **ahead}),
    ):
        answer = send(house, who, method, path, body)
        assert answer.status_code == 201, answer.text
    return made


def publish_next(house: House, revision: str = "1.1", change: Any = None) -> str:
    """Publish the study's next revision, with what `change` does to its content; its id."""
    with house.app.app_context(), transaction():
        row = db.session.scalars(sa.select(StudyRevision).order_by(StudyRevision.published_at)).first()
        content = protocol_content.from_json(row.content)
        content["revision"] = revision
        if change is not None:
            change(content)
        return str(studies.publish(content, author_id=None, approver_id=None).id)


def _dated_visit(house: House, stage: Stage) -> str:
    """A visit of the subject whose window has begun."""
    items = house.nurse.get(f"{stage.at}/calendar").json["items"]
    now = iso(house.now)
    return next(one["id"] for one in items if one["kind"] == "visit" and (one["opens_at"] or "9") < now)


def everything(house: House) -> dict[str, list[str]]:
    """Every row of every table."""
    with house.app.app_context(), transaction(writes=False):
        return {
            table.name: sorted(str(tuple(row)) for row in db.session.execute(sa.select(table)))
            for table in Base.metadata.sorted_tables
        }


def changed(house: House, before: dict[str, list[str]]) -> set[str]:
    """Names of the tables that hold anything else than before."""
    after = everything(house)
    return {name for name, rows in before.items() if after[name] != rows}


def send(
    house: House, who: Person | None, method: str, path: str, body: Any, headers: Headers | None = None
) -> TestResponse:
    """A request with a body as JSON, or with the very bytes."""
    given = {"Authorization": f"Bearer {who.fresh_token()}"} if who else {}
    as_json = {"Content-Type": "application/json"} if isinstance(body, bytes) else {}
    how: dict[str, Any] = {"data" if isinstance(body, bytes) else "json": body}
    return house.app.test_client().open(
        f"/api/v1{path}", method=method, headers={**as_json, **given, **(headers or {})}, **how
    )


def problem_of(answer: TestResponse, status: int, code: str, faults: Faults | None = None) -> dict[str, Any]:
    """The problem, which must have the one shape and be exactly this one."""
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json"), answer.text
    body: dict[str, Any] = answer.json
    assert set(body) == SHAPE
    assert (body["status"], body["code"]) == (status, code), answer.text
    assert all(set(fault) == {"path", "code", "message"} and fault["message"] for fault in body["faults"])
    found = [(fault["path"], fault["code"]) for fault in body["faults"]]
    assert sorted(found) == sorted(faults or []), answer.text
    return body


def refuses(
    house: House,
    who: Person | None,
    method: str,
    path: str,
    body: Any,
    *,
    status: int = 422,
    code: str = "invalid",
    faults: Faults | None = None,
    headers: Headers | None = None,
    leaves: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Send what must be refused, just so, with nothing stored but in the tables it `leaves` a trace in."""
    before = everything(house)
    answer = send(house, who, method, path, body, headers)
    found = problem_of(answer, status, code, faults)
    assert changed(house, before) == leaves
    return found


def but(body: dict[str, Any], **over: Any) -> dict[str, Any]:
    """The body with other values; `...` leaves a field out."""
    return {name: value for name, value in {**body, **over}.items() if value is not ...}


def report_body(stage: Stage, but_answers: dict[str, Any] | None = None, **over: Any) -> dict[str, Any]:
    """A report of the patient that is well but for these answers and fields."""
    return but(entry_body(stage.house, stage.patient, but_answers), **over)
