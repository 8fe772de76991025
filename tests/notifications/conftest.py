"""One site with a team and a subject, on both databases; a clock turned by hand, no doors."""

from collections.abc import Iterator

import pytest
from flask import Flask

from backend import clock, installation
from backend.config import from_environment
from backend.db import db, engine_options, transaction
from tests.notifications import outbox_builders as build


@pytest.fixture
def time() -> Iterator[build.HandClock]:
    hand = build.HandClock()
    with clock.running_on(hand):
        yield hand


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
