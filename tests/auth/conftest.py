"""Fixtures of the sign-in tests."""

from collections.abc import Iterator
from pathlib import Path

import databases
import pytest
from auth_world import World, build
from house import HandClock


@pytest.fixture
def environ(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Settings on a fresh SQLite file, or on the engine a test asks for by `on_both`."""
    kind = getattr(request, "param", "sqlite")
    with databases.sqlite_copy(tmp_path) if kind == "sqlite" else databases.postgres_copy() as url:
        yield {"DATABASE_URL": url, "RATE_LIMITS": "off", "PUBLIC_URL": "https://daymark.example"}


@pytest.fixture
def world(environ: dict[str, str], time: HandClock) -> Iterator[World]:
    built = build(environ, time)
    yield built
    built.close()
