"""A small installation with something of everything that a restore must care for, and databases to bring it into."""

from collections.abc import Iterator
from pathlib import Path

import databases
import pytest
from furnishing import furnished
from house import HandClock, House

from tests.keeping.acts import a_copy_of_it, file_of, lived_in


@pytest.fixture(params=databases.KINDS)
def lived(request: pytest.FixtureRequest, time: HandClock) -> Iterator[House]:
    with furnished(request.param, time, lived_in) as built:
        yield built


@pytest.fixture
def sqlite_lived(time: HandClock) -> Iterator[House]:
    with furnished("sqlite", time, lived_in) as built:
        yield built


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A backup of the house that was lived in."""
    path = tmp_path / "daymark-backup.db"
    path.write_bytes(file_of("sqlite"))
    return path


@pytest.fixture(params=databases.KINDS)
def back(request: pytest.FixtureRequest, time: HandClock) -> Iterator[House]:
    """The house that was lived in, just brought back from its backup."""
    with a_copy_of_it(request.param, time) as built:
        yield built


@pytest.fixture
def sqlite_back(time: HandClock) -> Iterator[House]:
    with a_copy_of_it("sqlite", time) as built:
        yield built


@pytest.fixture(params=databases.KINDS)
def target(request: pytest.FixtureRequest) -> str:
    """URL of a database without a table."""
    return databases.emptied(request.param)


@pytest.fixture
def sqlite_target() -> str:
    return databases.emptied("sqlite")
