"""An installation with two sites, a nurse, a monitor, and one subject at each site; a clock that is turned by hand."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import databases
import pyotp
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from house import PASSWORD, HandClock
from werkzeug.test import TestResponse

from api.app import create_app
from backend import accounts, activation, clock, crypto, installation
from backend.db import db, lock_subject, transaction
from backend.models.people import Account
from backend.models.record import AuditEvent
from backend.models.study import Site, StudyRevision
from backend.models.subject import Subject

PATIENT_NAME, PATIENT_PHONE, PATIENT_E164 = "王小明", "138 0013 8000", "+8613800138000"

# For what rests on row locks: once on each engine.
on_both = pytest.mark.parametrize("environ", databases.KINDS, indirect=True)


@dataclass
class Staff:
    id: UUID
    username: str
    totp_secret: str


@dataclass
class World:
    """What the tests speak to."""

    app: Flask
    environ: dict[str, str]
    time: HandClock
    nurse: Staff
    monitor: Staff
    subject_id: UUID
    foreign_id: UUID
    patient_id: UUID
    processes: list[Flask] = field(default_factory=list)

    def process(self, **environ: str) -> Flask:
        """Another process on the same database, so to speak."""
        self.processes.append(create_app({**self.environ, **environ}))
        return self.processes[-1]

    def close(self) -> None:
        for app in self.processes:
            with app.app_context():
                db.session.remove()
                db.engine.dispose()

    def client(self) -> FlaskClient:
        return self.app.test_client()

    def totp(self, who: Staff) -> str:
        return pyotp.TOTP(who.totp_secret).at(self.time.at)

    def next_code(self, who: Staff) -> str:
        """A one-time code not used before: the clock goes on to the next one."""
        self.time.turn(seconds=30)
        return self.totp(who)

    def post(self, path: str, token: str | None = None, **body: Any) -> TestResponse:
        return self.client().post(f"/api/v1{path}", json=body, headers=bearer(token))

    def get(self, path: str, token: str | None = None) -> TestResponse:
        return self.client().get(f"/api/v1{path}", headers=bearer(token))

    def sign_in(self, who: Staff, **over: Any) -> TestResponse:
        body = {"username": who.username, "password": PASSWORD, "totp": over.pop("totp", None) or self.next_code(who)}
        return self.post("/auth/staff/sign-in", **{**body, **over})

    def token(self, who: Staff) -> str:
        answer = self.sign_in(who)
        assert answer.status_code == 200, answer.text
        return str(answer.json["access_token"])

    def code(self) -> str:
        """A fresh activation code of the patient."""
        with self.app.app_context(), transaction():
            subject = lock_subject(self.subject_id)
            return activation.issue_code(subject, activation.patient_of(subject), self.nurse.id).code

    def activate(self, code: str | None = None, **over: Any) -> TestResponse:
        body = {"code": code or self.code(), "pin": "4821", "device_name": "phone", **over}
        return self.post("/auth/activate", **body)

    def pin_in(self, device_id: str, pin: str = "4821", **over: Any) -> TestResponse:
        return self.post("/auth/sign-in", device_id=device_id, pin=pin, **over)

    def rows(self, statement: sa.Select[Any]) -> list[Any]:
        with self.app.app_context(), transaction(writes=False):
            return list(db.session.scalars(statement))

    def trail(self, verb: str) -> list[AuditEvent]:
        return self.rows(sa.select(AuditEvent).where(AuditEvent.verb == verb).order_by(AuditEvent.seq))


def bearer(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def build(environ: dict[str, str], time: HandClock) -> World:
    app = create_app(environ)
    with app.app_context(), transaction():
        world = _people(app, environ, time)
    world.processes.append(app)
    return world


def _people(app: Flask, environ: dict[str, str], time: HandClock) -> World:
    installation.settle("demo")
    password_hash = crypto.hash_password(PASSWORD)
    sites = _sites()
    nurse, secret = _staff("nurse", "nurse", password_hash, sites[0])
    monitor, other_secret = _staff("monitor", "monitor", password_hash, sites[0])
    subject, foreign = (_subject(site, nurse, number) for site, number in zip(sites, ("001", "101"), strict=True))
    patient = accounts.add_reporter(subject, relation="patient", name=PATIENT_NAME, phone=PATIENT_PHONE, locale="zh-CN")
    accounts.add_reporter(foreign, relation="patient", name="Somebody", phone="13900139000", locale="en")
    return World(
        app,
        environ,
        time,
        Staff(nurse.id, "nurse", secret),
        Staff(monitor.id, "monitor", other_secret),
        subject.id,
        foreign.id,
        patient.id,
    )


def _sites() -> tuple[Site, Site]:
    revision = StudyRevision(
        id=uuid4(), study_key="s", revision="1", sha256="0" * 64, content="{}", published_at=clock.now()
    )
    db.session.add(revision)
    db.session.flush()
    sites = tuple(
        Site(
            id=uuid4(),
            code=code,
            name_zh=code,
            name_en=code,
            time_zone="Asia/Shanghai",
            phone_24h="+862583106666",
            delegates=False,  # who may do what for whom is tried elsewhere; here it is who comes in
            study_revision_id=revision.id,
        )
        for code in ("NJ", "SH")
    )
    db.session.add_all(sites)
    db.session.flush()
    return sites[0], sites[1]


def _staff(username: str, role: str, password_hash: str, site: Site) -> tuple[Account, str]:
    return accounts.add_staff(
        username=username,
        name=username.title(),
        role=role,
        password_hash=password_hash,
        locale="en",
        site_ids=[site.id],
    )


def _subject(site: Site, by: Account, number: str) -> Subject:
    subject = Subject(
        id=uuid4(),
        site_id=site.id,
        number=number,
        study_revision_id=site.study_revision_id,
        dose_level="DL1",
        locale="zh-CN",
        time_zone="Asia/Shanghai",
        year_of_birth=1990,
        prior_organs=[],
        enrolled_at=clock.now(),
        enrolled_by=by.id,
    )
    db.session.add(subject)
    db.session.flush()
    return subject
