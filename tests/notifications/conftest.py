"""One site with a team and a subject, on SQLite or on the PostgreSQL of TEST_DATABASE_URL; a clock turned by hand."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import outbox_builders as build
import pytest
import sqlalchemy as sa
from flask import Flask

from backend import clock, guards, installation
from backend.config import from_environment, normal_database_url
from backend.db import db, engine_options, transaction


@pytest.fixture
def time() -> Iterator[build.HandClock]:
    hand = build.HandClock()
    with clock.running_on(hand):
        yield hand


@pytest.fixture
def database_url(tmp_path: Path) -> Iterator[str]:
    given = os.environ.get("TEST_DATABASE_URL")
    if not given:
        yield f"sqlite:///{tmp_path}/outbox.db"
        return
    schema = f"t_{uuid4().hex}"
    engine = sa.create_engine(normal_database_url(given), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
    yield f"{given}{'&' if '?' in given else '?'}options=-csearch_path%3D{schema}"
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP SCHEMA {schema} CASCADE")
    engine.dispose()


@pytest.fixture
def app(database_url: str, time: build.HandClock) -> Iterator[Flask]:
    settings = from_environment({"DATABASE_URL": database_url})
    app = Flask("daymark-tests")
    app.config.update(
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings.database_url),
    )
    installation.furnish(app, settings)
    db.init_app(app)
    with app.app_context():
        with db.engine.begin() as connection:
            db.metadata.create_all(connection)
            guards.install(connection)
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def house(app: Flask) -> build.House:
    with transaction():
        site = build.site()
        on_call, backup = build.staff(site), build.staff(site)
        chief = build.staff(site, "principal_investigator", locale="zh-CN")
        build.shift(site, on_call, "on_call")
        build.shift(site, backup, "backup")
        subject = build.subject(site, chief)
        patient = build.reporter(subject)
    return build.House(app, site, on_call, backup, chief, subject, patient)
