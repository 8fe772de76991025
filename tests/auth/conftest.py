"""Fixtures of the sign-in tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from auth_world import PASSWORD, HandClock, World, people

from api.app import create_app
from backend import clock, crypto, guards
from backend.db import db, transaction


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2id all the same, but of 64 KiB: what is tested here is who hashes when, not how hard."""
    monkeypatch.setattr(crypto, "_passwords", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture
def password_hash(cheap_hashes: None) -> str:
    return crypto.hash_password(PASSWORD)


@pytest.fixture
def time() -> Iterator[HandClock]:
    hand = HandClock()
    with clock.running_on(hand):
        yield hand


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "DATABASE_URL": f"sqlite:///{tmp_path}/auth.db",
        "RATE_LIMITS": "off",
        "PUBLIC_URL": "https://daymark.example",
    }


@pytest.fixture
def world(environ: dict[str, str], time: HandClock, password_hash: str) -> Iterator[World]:
    app = create_app(environ)
    with app.app_context():
        with db.engine.begin() as connection:
            db.metadata.create_all(connection)
            guards.install(connection)
        with transaction():
            world = people(app, time, password_hash)
    yield world
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
