"""A subject with one of everything: on both databases (`both`), on SQLite alone (`stage`), or shared by a module.

On SQLite it is set up once a run; each test gets a copy of the file, with people and a clock of its own.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import databases
import pytest
import sqlalchemy as sa
from house import HandClock, House, MemoryGateway, build

from api.app import create_app
from backend import clock
from backend.db import db
from tests.conduct.acts import fill
from tests.contract.stage import Stage, set_up, staged

Template = tuple[Path, Stage]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    folder = tmp_path_factory.mktemp("conduct")
    with staged(folder) as built:
        ready = fill(built)
        with ready.house.app.app_context():
            path = Path(str(sa.engine.make_url(str(db.engine.url)).database))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path, ready


@contextmanager
def copy_of(template: Template, folder: Path, time: HandClock) -> Iterator[Stage]:
    """The same stage on a file of its own."""
    path, ready = template
    file = folder / f"{uuid4().hex}.db"
    shutil.copy(path, file)
    settings = {"RATE_LIMITS": "off", "MESSAGES_FILE": str(folder / "messages.jsonl")}
    house = House(
        create_app({"DATABASE_URL": f"sqlite:///{file}", **settings}),
        time,
        ready.house.site_id,
        ready.house.other_site_id,
    )
    house.gateway = MemoryGateway(time)
    house.people = {name: replace(person, house=house) for name, person in ready.house.people.items()}
    phones = {name: replace(ready.person(name), house=house) for name in ("patient", "carer", "outsider")}
    yield replace(ready, house=house, ids=dict(ready.ids), **phones)
    with house.app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def stage(template: Template, time: HandClock, tmp_path: Path) -> Iterator[Stage]:
    time.at = template[1].house.now
    with copy_of(template, tmp_path, time) as copied:
        yield copied


@pytest.fixture(params=databases.KINDS)
def both(request: pytest.FixtureRequest, template: Template, time: HandClock, tmp_path: Path) -> Iterator[Stage]:
    time.at = template[1].house.now
    if request.param == "sqlite":
        with copy_of(template, tmp_path, time) as copied:
            yield copied
    else:
        with databases.postgres_copy() as url, build(url, time, tmp_path) as house:
            yield fill(set_up(house))


@pytest.fixture(scope="module")
def shared(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """For tests that do not mind what the one before them did."""
    hand = HandClock()
    hand.at = template[1].house.now
    with clock.running_on(hand), copy_of(template, tmp_path_factory.mktemp("shared"), hand) as copied:
        yield copied
