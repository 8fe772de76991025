"""A subject with one of everything: on both databases (`both`), or on SQLite alone (`stage`).

It is set up once a run on each engine; each test gets a fresh copy of the database, with people and clock.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import databases
import pytest
from flask import Flask
from house import HandClock, House, MemoryGateway
from sqlalchemy.engine import make_url

from api.app import create_app
from backend.db import db
from tests.conduct.acts import fill
from tests.contract.stage import Stage, staged


@dataclass(frozen=True)
class Template:
    """What was set up, where it lies, and the app that works on a copy of it. Nobody is connected to it any more."""

    url: str
    ready: Stage
    app: Flask
    copy_url: str


def app_at(url: str, folder: Path) -> Flask:
    """One app for all the copies, which come and go beneath it: making an app takes longer than most tests here."""
    return create_app({"DATABASE_URL": url, "RATE_LIMITS": "off", "MESSAGES_FILE": str(folder / "messages.jsonl")})


@pytest.fixture(scope="session")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Template:
    folder = tmp_path_factory.mktemp("conduct")
    with databases.sqlite_copy(folder) as url:
        with staged(folder, url) as built:
            ready = fill(built)
        with closing(sqlite3.connect(str(make_url(url).database))) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        copy_url = f"sqlite:///{folder / 'copy.db'}"
        return Template(url, ready, app_at(copy_url, folder), copy_url)


@pytest.fixture(scope="session")
def on_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    folder = tmp_path_factory.mktemp("conduct")
    with databases.postgres_copy() as url, databases.postgres_copy(empty=True) as copy_url:
        with staged(folder, url) as built:
            ready = fill(built)
        yield Template(url, ready, app_at(copy_url, folder), copy_url)


def copy_anew(template: Template) -> None:
    """Put a fresh copy where the app looks for its database."""
    source, target = (str(make_url(one).database) for one in (template.url, template.copy_url))
    if template.copy_url.startswith("sqlite"):
        for stale in ("-wal", "-shm"):
            Path(target + stale).unlink(missing_ok=True)
        shutil.copy(source, target)
    else:
        databases._execute(f"DROP DATABASE {target}")
        databases._execute(f"CREATE DATABASE {target} TEMPLATE {source}")


@contextmanager
def copied(template: Template, time: HandClock) -> Iterator[Stage]:
    """The same stage on a fresh copy, with its people."""
    copy_anew(template)
    ready = template.ready
    time.at = ready.house.now
    house = House(template.app, time, ready.house.site_id, ready.house.other_site_id)
    house.gateway = MemoryGateway(time)
    house.people = {name: replace(person, house=house) for name, person in ready.house.people.items()}
    phones = {name: replace(ready.person(name), house=house) for name in ("patient", "carer", "outsider")}
    yield replace(ready, house=house, ids=dict(ready.ids), **phones)
    with house.app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def stage(on_sqlite: Template, time: HandClock) -> Iterator[Stage]:
    with copied(on_sqlite, time) as built:
        yield built


@pytest.fixture(params=databases.KINDS)
def both(request: pytest.FixtureRequest, time: HandClock) -> Iterator[Stage]:
    template: Template = request.getfixturevalue("on_sqlite" if request.param == "sqlite" else "on_postgres")
    with copied(template, time) as built:
        yield built
