"""Fixtures of every test: one server for the run, a database per test on both engines, a clock turned by hand."""

import os
from collections.abc import Iterator
from pathlib import Path

import databases
import pytest
from argon2 import PasswordHasher
from furnishing import furnished
from house import HandClock, House

from backend import clock, crypto

_stop_postgres = []


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # the controlling process starts it, the workers inherit where it is
        _stop_postgres.append(databases.start_postgres())


def pytest_unconfigure(config: pytest.Config) -> None:
    databases.close()
    while _stop_postgres:
        _stop_postgres.pop()()


@pytest.fixture(params=databases.KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated database; a test that takes it runs on both engines."""
    copy = databases.sqlite_copy(tmp_path) if request.param == "sqlite" else databases.postgres_copy()
    with copy as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> Iterator[str]:
    """A migrated SQLite file, for tests that have nothing to do with the engine."""
    with databases.sqlite_copy(tmp_path) as url:
        yield url


@pytest.fixture
def time() -> Iterator[HandClock]:
    hand = HandClock()
    with clock.running_on(hand):
        yield hand


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2id all the same, but of 64 KiB: what is tested is who hashes when, not how hard."""
    monkeypatch.setattr(crypto, "_passwords", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture(params=databases.KINDS)
def house(request: pytest.FixtureRequest, time: HandClock) -> Iterator[House]:
    """A site with its team and its study, on both databases."""
    with furnished(request.param, time) as built:
        yield built


@pytest.fixture
def sqlite_house(time: HandClock) -> Iterator[House]:
    with furnished("sqlite", time) as built:
        yield built


# Tests that may be skipped on a build machine, with the reason.
MAY_BE_SKIPPED = {
    "tests/twilio/test_contract.py::test_the_contract_is_the_published_one": "Twilio's, not ours to ship",
}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """On a build machine (CI=true) a test that is skipped has failed: it proved nothing."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.skipped and os.environ.get("CI") == "true" and item.nodeid not in MAY_BE_SKIPPED:
        report.outcome = "failed"
        report.longrepr = f"skipped on a build machine: {report.longrepr}"
