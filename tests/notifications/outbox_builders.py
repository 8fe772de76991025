"""Builders with keyword overrides for the notification tests, and a gateway that does as it is told."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from flask import Flask

from backend import accounts, clock, outbox, studies
from backend.db import db, transaction
from backend.models.calendar import Occurrence
from backend.models.outbox import Message, MessageEvent
from backend.models.people import Account, AccountSite, OnCallShift, SubjectLink
from backend.models.safety import Episode
from backend.models.study import Site
from backend.models.subject import Subject
from notifications.gateways.base import Outcome, Outgoing, accepted
from schedules.protocol import definition
from schedules.protocol.load import load_content

CONTENT = load_content((Path(definition.__file__).with_name("definitions") / "sle-cd19.yaml").read_text("utf-8"))
START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)  # 09:00 in Shanghai
_numbers = iter(range(13_800_000_000, 13_900_000_000))


class HandClock:
    """Time moves when a test says so."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def turn(self, **delta: float) -> datetime:
        self.at += timedelta(**delta)
        return self.at


class FakeGateway:
    """Keeps what it was given. `answer` decides each outcome; it may raise, or take its time."""

    name = "fake"

    def __init__(self, answer: Callable[[Outgoing], Outcome] | None = None, can_look_up: bool = False) -> None:
        self.can_look_up = can_look_up
        self.answer = answer or (lambda outgoing: accepted(uuid4().hex, 1))
        self.sent: list[Outgoing] = []
        self.known: tuple[str, ...] = ()
        self._lock = Lock()

    def by(self, name: str) -> Any:
        """Whatever the way is called, it is this one."""
        return self

    def send(self, outgoing: Outgoing) -> Outcome:
        with self._lock:
            self.sent.append(outgoing)
        return self.answer(outgoing)

    def look_up(self, outgoing: Outgoing, since: datetime) -> tuple[str, ...]:
        return self.known

    def status_of(self, provider_id: str) -> Any:
        return None

    def numbers(self) -> list[str]:
        return [one.to for one in self.sent]

    def templates(self) -> list[str]:
        return [one.template for one in self.sent]


@dataclass
class House:
    """Who is there. The duties are held from three hours before the clock's start for a day."""

    app: Flask
    site: Site
    on_call: Account
    backup: Account
    chief: Account
    subject: Subject
    patient: Account


def add(row: Any) -> Any:
    db.session.add(row)
    db.session.flush()
    return row


def site(**over: Any) -> Site:
    revision = studies.publish(over.pop("content", CONTENT), author_id=None, approver_id=None)
    plain = {
        "id": uuid4(),
        "code": uuid4().hex[:6],
        "name_zh": "南京",
        "name_en": "Nanjing",
        "time_zone": "Asia/Shanghai",
        "phone_24h": "+862583106666",
        "study_revision_id": revision.id,
    }
    return add(Site(**plain | over))


def staff(at: Site, role: str = "investigator", **over: Any) -> Account:
    phone = over.pop("phone", "new")
    account = _account("staff", role, phone, **over)
    add(AccountSite(account_id=account.id, site_id=at.id))
    return account


def _account(kind: str, role: str, phone: str | None, **over: Any) -> Account:
    plain = {"id": uuid4(), "kind": kind, "role": role, "name": "", "locale": "en", "created_at": clock.now()}
    account = Account(**plain | over)
    if phone is not None:
        accounts._set_phone(account, f"+86{next(_numbers)}" if phone == "new" else phone)
    return add(account)


def shift(at: Site, account: Account, duty: str = "on_call", hours: float = 24, **over: Any) -> OnCallShift:
    starts = over.pop("starts_at", clock.now() - timedelta(hours=3))
    plain = {"id": uuid4(), "site_id": at.id, "duty": duty, "account_id": account.id}
    return add(OnCallShift(**plain | {"starts_at": starts, "ends_at": starts + timedelta(hours=hours)} | over))


def subject(at: Site, by: Account, **over: Any) -> Subject:
    plain = {
        "id": uuid4(),
        "site_id": at.id,
        "number": uuid4().hex[:6],
        "study_revision_id": at.study_revision_id,
        "dose_level": "DL1",
        "locale": "zh-CN",
        "time_zone": at.time_zone,
        "year_of_birth": 1990,
        "prior_organs": [],
        "enrolled_at": clock.now(),
        "enrolled_by": by.id,
    }
    return add(Subject(**plain | over))


def reporter(of: Subject, relation: str = "patient", phone: str | None = "new", **over: Any) -> Account:
    account = _account(relation, relation, phone, **over)
    link(of, account, relation)
    return account


def link(of: Subject, account: Account, relation: str = "carer") -> None:
    add(SubjectLink(account_id=account.id, subject_id=of.id, relation=relation, since=clock.now()))


def episode(of: Subject, level: str = "EMERGENCY", **over: Any) -> Episode:
    """As `raise_signals` leaves it: one signal that pages, the first step due now."""
    now = clock.now()
    plain = {
        "id": uuid4(),
        "subject_id": of.id,
        "site_id": of.site_id,
        "page_number": 4821,
        "opened_at": now,
        "level": level,
        "organs": ["crs"],
        "last_seq": 1,
        "paging_seq": 1,
        "paging_since": now,
        "paging_round": 1,
        "next_step_at": now,
    }
    return add(Episode(**plain | over))


def slot(of: Subject, due_at: datetime, **over: Any) -> Occurrence:
    plain = {
        "id": uuid4(),
        "subject_id": of.id,
        "site_id": of.site_id,
        "kind": "slot",
        "key": "quick",
        "opens_at": due_at - timedelta(hours=1),
        "due_at": due_at,
        "late_at": due_at + timedelta(hours=1),
        "closes_at": due_at + timedelta(hours=3),
        "study_revision_id": of.study_revision_id,
        "stage": "not_yet",
        "turns_at": due_at - timedelta(hours=1),
        "listed_at": due_at,
    }
    return add(Occurrence(**plain | over))


def visit(of: Subject, due_at: datetime, **over: Any) -> Occurrence:
    plain = {
        "opens_at": due_at - timedelta(days=1),
        "late_at": due_at + timedelta(days=1),
        "closes_at": due_at + timedelta(days=1),
    }
    return slot(of, due_at, kind="visit", **{"key": "V4"} | plain | over)


def message(to: Account, at: Site, **over: Any) -> Message:
    now = clock.now()
    plain: dict[str, Any] = {
        "key": uuid4().hex,
        "lane": "reminder",
        "site_id": at.id,
        "account_id": to.id,
        "template": "digest",
        "variables": {},
        "language": "en",
        "due_at": now,
        "now": now,
    }
    posted = outbox.post(**plain | over)
    assert posted is not None
    return posted


def page(to: Account, at: Site, **over: Any) -> Message:
    return message(
        to, at, **{"lane": "page", "template": "page", "variables": {"number": 4821, "time": "09:00"}} | over
    )


def fresh(row: Any) -> Any:
    """The row as the database has it now."""
    with transaction(writes=False):
        return db.session.get_one(type(row), row.id, populate_existing=True)


def change(row: Any, **values: Any) -> None:
    with transaction():
        here = db.session.get_one(type(row), row.id)
        for name, value in values.items():
            setattr(here, name, value)


def everything(kind: type[Any], *where: sa.ColumnElement[bool]) -> list[Any]:
    with transaction(writes=False):
        return list(db.session.scalars(sa.select(kind).where(*where)))


def events_of(row: Message) -> list[tuple[str, str | None]]:
    with transaction(writes=False):
        found = db.session.scalars(sa.select(MessageEvent).where(MessageEvent.message_id == row.id))
        return [(one.state, one.code) for one in sorted(found, key=lambda one: one.at)]


def states(*where: sa.ColumnElement[bool]) -> dict[UUID, str]:
    return {one.id: one.state for one in everything(Message, *where)}
