"""A house that was lived in for a day, and what operators do with it.

house.made                      whose episode is in which state, as plain ids
run(house, "backup", …)         a command, which must succeed; its output
refused(house, "restore", …)    a command that must not; what it says
at(house, url)                  the same people on another database, with a gateway of its own
"""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import databases
import sqlalchemy as sa
from flask import Flask
from furnishing import furnished, use_again
from house import HandClock, House, MemoryGateway, Person, iso

from api import tokens
from api.app import create_app
from backend import clock, moving, outbox, sessions
from backend.db import db, transaction
from backend.models.outbox import Message
from backend.models.people import Account, Device
from backend.models.safety import Episode
from backend.models.study import Installation, Site
from notifications import ladder, reminders
from tests.contract.stage import set_up
from tests.safety_http.builders import Patient, quick

ROBOT = "693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa"  # the key of the site's group robot
MORNING = (2026, 3, 3, 7, 0)  # a Tuesday in Shanghai: texts are planned and none has gone out


@dataclass(frozen=True)
class Lived:
    """Ids of open episodes: accepted by the doctor; with its first pages posted and not sent; for the worklist."""

    accepted: UUID
    paging: UUID
    worklist: UUID
    patient: UUID  # an account with a phone
    credential: str  # what that phone appends reports with when it is locked
    epoch: UUID
    changes: int  # how far the site has counted
    pages: int


def lived_in(house: House) -> Lived:
    stage = set_up(house)
    feverish = Patient(house, stage.subject, stage.patient)
    feverish.answer("accepted")
    key = {"Idempotency-Key": "said twice"}
    value = _value(house)
    assert house.nurse.post(f"{feverish.path}/measurements", [value], **key).status_code == 201
    again = {**_value(house), "corrects_id": value["id"], "reason": "misread"}
    answer = house.nurse.post(f"{feverish.path}/measurements", [again])
    assert answer.status_code == 201, answer.text
    robot = {"gateway": "wecom", "rung": 2, "secrets": {"key": ROBOT}}
    answer = house.admin.put(f"/sites/{house.site_id}/channels/wecom", robot)
    assert answer.status_code == 200, answer.text
    late = _patient(house, "003")
    late.values(("ferritin", 12000), at=house.now - timedelta(hours=30))
    worried = _patient(house, "004")
    quiet = _patient(house, "005")
    assert house.nurse.post(f"{quiet.path}/activation-codes", {"for": "patient"}).status_code == 201
    house.to(*MORNING)
    worried.send(quick(worry="now"))
    with house.app.app_context():
        ladder.run_due(house.now)
        assert reminders.plan(house.now) > 1
        _lose_one(house.now)
    [epoch] = house.rows(sa.select(Installation.server_epoch))
    [site] = house.rows(sa.select(Site).where(Site.id == house.site_id))
    return Lived(
        accepted=UUID(stage.ids["episode_id"]),
        paging=_episode_of(worried),
        worklist=_episode_of(late),
        patient=quiet.phone.id,
        credential=quiet.phone.username,
        epoch=epoch,
        changes=site.change_seq,
        pages=site.next_page_number,
    )


def _patient(house: House, number: str) -> Patient:
    contact = {"name": "Wang Xiaoming", "phone": f"1380013{int(number[-3:]) + 9000:04}"}
    subject = house.infused(days_ago=6, number=number, contact=contact)
    return Patient(house, subject, house.patient_of(subject))


def _value(house: House) -> dict[str, Any]:
    return {"id": str(uuid4()), "code": "crp", "value": 5, "unit": "mg/L", "source": "laboratory",
            "collected_at": iso(house.now)}  # fmt: skip


def _episode_of(patient: Patient) -> UUID:
    episode = patient.open_episode()
    assert episode is not None
    return UUID(episode["id"])


def _lose_one(now: datetime) -> None:
    """Of one reminder nobody knows whether it went out."""
    with transaction():
        waiting = sa.select(Message).where(Message.lane == outbox.REMINDER, Message.state == "pending")
        message = db.session.scalars(waiting.order_by(Message.id).limit(1)).one()
        for state in ("claimed", "unknown"):
            assert outbox.move(message, state, origin="worker", now=now)
        message.next_try_at = now


# --- commands ----------------------------------------------------------------------------------


def run(app: Flask, *words: Any) -> str:
    """A command that must succeed; everything it said."""
    done = app.test_cli_runner().invoke(args=[str(word) for word in words])
    assert done.exit_code == 0, done.output
    return str(done.output)


def refused(app: Flask, *words: Any) -> str:
    """A command that must be refused in a sentence; what it said."""
    done = app.test_cli_runner().invoke(args=[str(word) for word in words])
    assert done.exit_code == 1, done.output
    assert isinstance(done.exception, SystemExit), done.exception
    return str(done.output)


def backed_up(house: House, folder: Path) -> Path:
    file = folder / "daymark-backup.db"
    run(house.app, "backup", "--output", file)
    return file


@cache
def file_of(kind: str) -> bytes:
    """A backup of the house that was lived in, made once a run."""
    hand = HandClock()
    with tempfile.TemporaryDirectory() as folder, clock.running_on(hand), furnished(kind, hand, lived_in) as house:
        return backed_up(house, Path(folder)).read_bytes()


@dataclass(frozen=True)
class Back:
    """A database that a backup was restored into, a place for a copy of it, at which time, and whose it is."""

    template: str
    url: str
    at: datetime
    house: House


@cache
def brought_back(kind: str) -> Back:
    """That backup restored a quarter of an hour later, once a run; tests work on copies."""
    hand = HandClock()
    url = databases.lasting(kind)
    with tempfile.TemporaryDirectory() as folder, clock.running_on(hand), furnished(kind, hand, lived_in) as house:
        path = Path(folder) / "backup.db"
        path.write_bytes(file_of(kind))
        hand.turn(minutes=15)
        with restored(house, path, url):
            pass
    return Back(url, databases.lasting(kind, url), hand.at, house)


# --- other databases ---------------------------------------------------------------------------


@cache
def app_of(url: str, settings: tuple[tuple[str, str], ...]) -> Flask:
    """Made once a run, as it takes longer than most tests here."""
    return create_app({"DATABASE_URL": url, "RATE_LIMITS": "off", **dict(settings)})


@contextlib.contextmanager
def at(house: House, url: str, time: HandClock | None = None, **settings: str) -> Iterator[House]:
    """The same people on another database; `settings` are of the environment."""
    hand = time or house.time
    app = app_of(url, tuple(settings.items()))
    use_again(house.app)
    there = replace(house, app=app, time=hand, people={}, gateway=MemoryGateway(hand))
    there.people = {name: replace(person, house=there) for name, person in house.people.items()}
    yield there
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@contextlib.contextmanager
def restored(house: House, file: Path, url: str, **settings: str) -> Iterator[House]:
    with at(house, url, **settings) as there:
        run(there.app, "restore", "--from", file)
        yield there


@contextlib.contextmanager
def a_copy_of_it(kind: str, time: HandClock) -> Iterator[House]:
    ready = brought_back(kind)
    time.at = ready.at
    databases.renew(ready.url, ready.template)
    with at(ready.house, ready.url, time=time) as built:
        yield built


def signed_in(house: House) -> None:
    """Everybody has signed in again."""
    with house.app.app_context(), transaction():
        for person in house.people.values():
            person.token = token_of(person.id)


def token_of(account_id: UUID, device_id: UUID | None = None) -> str:
    account = db.session.get_one(Account, account_id)
    ends = datetime(2100, 1, 1, tzinfo=UTC)
    session = sessions.open_family(account, transport="bearer", strength="full", ends=ends, device_id=device_id)
    assert session.jti is not None
    return tokens.issue_access(account_id, session.family_id)


def patient_at(house: House) -> Person:
    """The patient with the quiet phone, signed in."""
    with house.app.app_context(), transaction():
        device = db.session.scalars(sa.select(Device.id).where(Device.account_id == house.made.patient)).one()
        return Person(house, house.made.patient, "patient", token_of(house.made.patient, device))


def contents(app: Flask) -> dict[str, moving.Content]:
    """Count and digest of every table."""
    with app.app_context(), transaction(writes=False):
        connection = db.session.connection()
        return {part.table.name: moving.content_of(part, connection) for part in moving.parts()}


def unlike(one: dict[str, moving.Content], other: dict[str, moving.Content]) -> set[str]:
    assert one.keys() == other.keys()
    return {name for name, content in one.items() if other[name] != content}


def episode(house: House, episode_id: UUID) -> Episode:
    [found] = house.rows(sa.select(Episode).where(Episode.id == episode_id))
    assert isinstance(found, Episode)
    return found
