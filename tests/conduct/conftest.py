"""A subject with one of everything: on both databases (`both`), or on SQLite alone (`stage`).

It is set up once a run on each engine; each test gets a fresh copy of the database, with people and clock.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import databases
import pytest
from flask import Flask
from furnishing import app_at, use_again
from house import HandClock, House, MemoryGateway

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


def set_up(kind: str, folder: Path) -> Template:
    url = databases.lasting(kind)
    with staged(folder, url) as built:
        ready = fill(built)
    copy_url = databases.lasting(kind, url)
    return Template(url, ready, app_at(copy_url, folder), copy_url)


@pytest.fixture(scope="session")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return set_up("sqlite", tmp_path_factory.mktemp("conduct"))


@pytest.fixture(scope="session")
def on_postgres(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return set_up("postgresql", tmp_path_factory.mktemp("conduct"))


@contextmanager
def copied(template: Template, time: HandClock) -> Iterator[Stage]:
    """The same stage on a fresh copy, with its people."""
    databases.renew(template.copy_url, template.url)
    use_again(template.app)
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
