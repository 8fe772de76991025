"""How a house is made: its sites, its team and their tasks, from a study file; and how a furnished one is copied.

with build(url, time, folder) as house          of an empty, migrated database
with furnished("sqlite", time, make) as house   on a copy of what `build` and `make` made once a run

Who lives in it and what they can do is in `house`.
"""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import databases
from flask import Flask
from house import PASSWORD, SLE, HandClock, House, MemoryGateway, Person

from api import tokens
from api.app import create_app
from api.limits import limiter
from backend import accounts, clock, crypto, delegation, installation, sessions, studies
from backend.db import db, transaction
from backend.models.conduct import Delegation
from backend.models.people import Account
from backend.models.study import Site
from schedules.protocol import load

STAFF = {
    "nurse": "nurse",
    "doctor": "investigator",
    "backup": "investigator",
    "chief": "principal_investigator",
    "monitor": "monitor",
    "statistician": "statistician",
    "admin": "administrator",
}


@contextlib.contextmanager
def build(url: str, time: HandClock, folder: Path, study: Path = SLE) -> Iterator[House]:
    app = app_at(url, folder)
    with app.app_context(), transaction():
        installation.settle("demo")
        site, other = _sites(study)
        house = House(app, time, site.id, other.id)
        house.gateway = MemoryGateway(time)
        password = crypto.hash_password(PASSWORD)
        for n, (name, role) in enumerate(STAFF.items()):
            house.people[name] = _staff(house, name, role, site, password, f"1391111{n:04}")
        house.people["stranger"] = _staff(house, "stranger", "nurse", other, password, "13922220000")
        house.people["rival"] = _staff(house, "rival", "principal_investigator", other, password, None)
        house.people["clerk"] = _staff(house, "clerk", "administrator", other, password, None)
        for name, person in house.people.items():
            _delegate(person, house.site_id if name in STAFF else house.other_site_id)
    yield house
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@dataclass(frozen=True)
class Furnished:
    """A house that was made ready once a run, where it lies, and the app that works on a copy of it."""

    template: str
    house: House
    at: datetime
    made: Any
    url: str


@cache
def _furnished(kind: str, make: Callable[[House], Any]) -> Furnished:
    template, folder = databases.lasting(kind), Path(tempfile.mkdtemp(prefix="dm-"))
    hand = HandClock()
    with clock.running_on(hand), build(template, hand, folder) as house:
        made = make(house)
    url = databases.lasting(kind, template)
    return Furnished(template, replace(house, app=app_at(url, folder)), hand.at, made, url)


def _as_built(house: House) -> None:
    """Nothing but the team."""


@contextlib.contextmanager
def furnished(kind: str, time: HandClock, make: Callable[[House], Any] = _as_built) -> Iterator[House]:
    """What `build` makes of an empty database and `make` of that, on a fresh copy and at that time.

    `house.made` is what `make` returned. Making an app takes longer than most tests here.
    """
    ready = _furnished(kind, make)
    databases.renew(ready.url, ready.template)
    use_again(ready.house.app)
    time.at = ready.at
    house = replace(ready.house, time=time, people={}, gateway=MemoryGateway(time), made=ready.made)
    house.people = {name: replace(person, house=house) for name, person in ready.house.people.items()}
    yield house
    with house.app.app_context():
        db.session.remove()
        db.engine.dispose()


def use_again(app: Flask) -> None:
    """The limiter is one for the process: an app that was made since may have turned it on."""
    limiter.enabled = app.config["RATELIMIT_ENABLED"]


def app_at(url: str, folder: Path) -> Flask:
    return create_app({"DATABASE_URL": url, "RATE_LIMITS": "off", "MESSAGES_FILE": str(folder / "messages.jsonl")})


@cache
def _content(text: str) -> dict[str, Any]:
    """A study file read once per run: reading takes longer than everything else a house needs."""
    return load.load_content(text)


def _sites(study: Path) -> tuple[Site, Site]:
    content = deepcopy(_content(study.read_text(encoding="utf-8")))
    revision = studies.publish(content, author_id=None, approver_id=None)
    sites = tuple(
        Site(
            id=uuid4(),
            code=code,
            name_zh=f"{code} 医院",
            name_en=f"{code} Hospital",
            time_zone="Asia/Shanghai",
            phone_24h="+862583106666",
            study_revision_id=revision.id,
            live_at=clock.now(),
        )
        for code in ("NJ", "SH")
    )
    db.session.add_all(sites)
    db.session.flush()
    return sites[0], sites[1]


def _staff(house: House, name: str, role: str, site: Site, password: str, phone: str | None) -> Person:
    account, secret = accounts.add_staff(
        username=name,
        name=name.title(),
        role=role,
        password_hash=password,
        locale="en",
        site_ids=[site.id],
        phone=phone,
    )
    return Person(house, account.id, role, _token(account), name, secret, f"+86{phone}")


def _delegate(person: Person, site_id: UUID) -> None:
    """Every task of the person's role, approved long ago."""
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    for task in delegation.tasks_for(person.role):
        row = Delegation(id=uuid4(), site_id=site_id, account_id=person.id, task=task, valid_from=long_ago.date())
        row.requested_at = row.approved_at = long_ago
        db.session.add(row)


def _token(account: Account) -> str:
    session = sessions.open_family(account, transport="bearer", strength="full", ends=datetime(2100, 1, 1, tzinfo=UTC))
    assert session.jti is not None
    return tokens.issue_access(account.id, session.family_id)
