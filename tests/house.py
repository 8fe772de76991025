"""A small installation for tests: two sites, a team of named people, one subject; doors as those people.

house.nurse.post("/subjects", {...}).json       as a person, with a real token
house.enrol(number="002")                       a subject through the doors
house.patient_of(subject)                       activates a phone and reports as the patient
house.turn(minutes=5); house.work()             time goes on, the worker makes one turn
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import jwt
import pyotp
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from api import tokens
from backend.db import db, transaction
from backend.models.study import Site
from notifications import worker
from notifications.gateways.base import Outcome, Outgoing, accepted
from schedules.protocol import load

PASSWORD = "correct horse battery staple"
SHANGHAI = ZoneInfo("Asia/Shanghai")
DEFINITIONS = Path(load.__file__).parent / "definitions"
SLE = DEFINITIONS / "sle-cd19.yaml"


class HandClock:
    """Time moves when a test says so. It begins on 2026-03-02 at 09:00 in Shanghai, a Monday."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def turn(self, **delta: float) -> None:
        self.at += timedelta(**delta)


class MemoryGateway:
    """Takes every message and remembers it: (lane, account's number, template, text)."""

    name = "memory"
    can_look_up = False

    def __init__(self, time: HandClock) -> None:
        self.sent: list[dict[str, Any]] = []
        self._time = time

    def by(self, name: str) -> Any:
        """Whatever the way is called, it is this one."""
        return self

    def send(self, outgoing: Outgoing) -> Outcome:
        text = outgoing.text()
        self.sent.append(
            {
                "lane": outgoing.lane,
                "to": outgoing.to,
                "template": outgoing.template,
                "text": text,
                "at": self._time.at,
                "channel": outgoing.channel,
                "medium": outgoing.medium,
                "number": outgoing.variables.get("number"),
            }
        )
        return accepted(f"memory-{len(self.sent)}")

    def look_up(self, outgoing: Outgoing, since: datetime) -> tuple[str, ...]:
        return ()

    def status_of(self, provider_id: str) -> Any:
        return None


@dataclass
class Person:
    """Somebody with a token. `phone` is where texts to them go."""

    house: "House"
    id: UUID
    role: str
    token: str
    username: str = ""
    totp_secret: str = ""
    phone: str = ""

    def fresh_token(self) -> str:
        """An access token of this person's session that is good now, however far the clock was turned."""
        family = jwt.decode(self.token, options={"verify_signature": False})["fam"]
        with self.house.app.app_context():
            return tokens.issue_access(self.id, UUID(family))

    def call(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> TestResponse:
        given = {"Authorization": f"Bearer {self.fresh_token()}", **(headers or {})}
        client = self.house.app.test_client()
        return client.open(f"/api/v1{path}", method=method, json=body, headers=given)

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.call("GET", path, headers=headers)

    def post(self, path: str, body: Any, **headers: str) -> TestResponse:
        return self.call("POST", path, body, headers)

    def put(self, path: str, body: Any, **headers: str) -> TestResponse:
        return self.call("PUT", path, body, headers)

    def patch(self, path: str, body: Any, version: Any) -> TestResponse:
        return self.call("PATCH", path, body, {"If-Match": f'"{version}"'})


@dataclass
class House:
    app: Flask
    time: HandClock
    site_id: UUID
    other_site_id: UUID
    people: dict[str, Person] = field(default_factory=dict)
    gateway: MemoryGateway = None  # type: ignore[assignment]
    made: Any = None

    def __getattr__(self, name: str) -> Person:
        try:
            return self.__dict__["people"][name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def now(self) -> datetime:
        return self.time.at

    def turn(self, **delta: float) -> None:
        self.time.turn(**delta)

    def to(self, *local: int) -> None:
        """Set the clock to a local time in Shanghai; it never goes back."""
        at = datetime(*local, tzinfo=SHANGHAI).astimezone(UTC)  # type: ignore[arg-type, misc]
        assert at >= self.time.at, "time does not go back"
        self.time.at = at

    def confirmed(self, who: Person) -> dict[str, str]:
        """The header of somebody who has just given password and one-time code once more."""
        family = jwt.decode(who.token, options={"verify_signature": False})["fam"]
        with self.app.app_context():
            return {"Authorization": f"Bearer {tokens.issue_confirmation(who.id, UUID(family))}"}

    def work(self) -> list[dict[str, Any]]:
        """One turn of the worker; what it sent."""
        before = len(self.gateway.sent)
        worker.run_once(self.app, self.gateway, self.time.at)
        return self.gateway.sent[before:]

    def pages(self) -> list[dict[str, Any]]:
        """One turn of the worker; the pages it sent."""
        return [message for message in self.work() if message["lane"] == "page"]

    def abroad(self, time_zone: str = "Asia/Shanghai") -> None:
        """Move the site to where no provider counts the texts to a number."""
        with self.app.app_context(), transaction():
            site = db.session.get_one(Site, self.site_id)
            site.country, site.time_zone = "DE", time_zone

    def rows(self, statement: sa.Select[Any]) -> list[Any]:
        with self.app.app_context(), transaction(writes=False):
            return list(db.session.scalars(statement))

    def enrol(self, **over: Any) -> dict[str, Any]:
        """A consented subject, through the doors."""
        body = subject_body(self, **over)
        answer = self.nurse.post("/subjects", body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json)

    def event(self, subject: Mapping[str, Any], kind: str, **over: Any) -> dict[str, Any]:
        """An event that took place; into a held dose level by the principal investigator."""
        body = {"id": str(uuid4()), "kind": kind, **{k: iso(v) for k, v in over.items()}}
        path = f"/subjects/{subject['id']}/events"
        answer = self.nurse.post(path, body)
        if answer.status_code == 409 and answer.json["code"] == "infusion_held":
            answer = self.chief.post(path, {**body, "override_reason": "agreed"})
        assert answer.status_code == 201, answer.text
        return dict(answer.json)

    def infused(self, days_ago: float = 0, **over: Any) -> dict[str, Any]:
        """A subject whose infusion took place that many days ago."""
        subject = self.enrol(**over)
        self.event(subject, "infusion", actual_at=self.now - timedelta(days=days_ago))
        return subject

    def patient_of(self, subject: Mapping[str, Any], relation: str = "patient", **over: Any) -> Person:
        """Activate a phone for the patient (or a new carer) and sign in with it."""
        asked = {"for": relation, **over}
        code = self.nurse.post(f"/subjects/{subject['id']}/activation-codes", asked)
        assert code.status_code == 201, code.text
        body = {"code": code.json["code"], "pin": "4821", "device_name": "phone", "transport": "bearer"}
        answer = self.app.test_client().post("/api/v1/auth/activate", json=body)
        assert answer.status_code == 200, answer.text
        person = Person(self, UUID(answer.json["account"]["id"]), relation, answer.json["access_token"])
        person.username = answer.json["device"]["credential"]
        return person

    def report(self, who: Person, answers: Mapping[str, Any] | None = None, **over: Any) -> TestResponse:
        """Send one quick report that is well but for `answers`."""
        entry_id = over.pop("id", str(uuid4()))
        return who.put(f"/me/entries/{entry_id}", entry_body(self, who, answers, **over))


def iso(value: Any) -> Any:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


WELL: dict[str, Any] = {
    "temp_c": 36.6,
    "temp_site": "armpit",
    "antipyretic": [],
    "chills": 0,
    "dizzy": 0,
    "faint": "no",
    "breath": 0,
    "confused": 0,
    "words": 0,
    "now_any": ["none"],
    "worry": "no",
}


def entry_body(house: House, who: Person, answers: Mapping[str, Any] | None = None, **over: Any) -> dict[str, Any]:
    body = {
        "revision": 1,
        "form": "quick",
        "slot_id": None,
        "reporter": who.role if who.role in ("patient", "carer") else "staff",
        "measured_at": house.now,
        "entered_at": house.now,
        "sent_at": house.now,
        "time_zone": "Asia/Shanghai",
        "answers": {**WELL, **(answers or {})},
        **over,
    }
    return {name: iso(value) for name, value in body.items()}


def subject_body(house: House, **over: Any) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "site_id": str(house.site_id),
        "number": "001",
        "dose_level": "1",
        "locale": "en",
        "time_zone": "Asia/Shanghai",
        "contact": {"name": "Wang Xiaoming", "phone": "13800138000"},
        "consents": [{"kind": "trial", "text_version": "1.0", "given_at": iso(house.now - timedelta(days=30))}],
        "prior_organs": [],
        "year_of_birth": 1990,
        **over,
    }


def totp_of(person: Person, at: datetime) -> str:
    return pyotp.TOTP(person.totp_secret).at(at)
