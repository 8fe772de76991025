"""One stage a module where nothing may change, a fresh one where something does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.stage import Stage, staged


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Shared by the tests of a module: each of them proves that it changed nothing."""
    with staged(tmp_path_factory.mktemp("stage")) as built:
        yield built


@pytest.fixture
def own_stage(tmp_path: Path) -> Iterator[Stage]:
    """For a test that changes something."""
    with staged(tmp_path) as built:
        yield built
