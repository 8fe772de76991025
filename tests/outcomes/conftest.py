"""The patient of the reconciliation list."""

from collections.abc import Iterator

import pytest
from furnishing import furnished
from house import HandClock

from tests.outcomes.reconciled import infused, of
from tests.safety_http.builders import Patient


@pytest.fixture
def patient(time: HandClock) -> Iterator[Patient]:
    """Infused six days ago at 09:00, on SQLite."""
    with furnished("sqlite", time, infused) as house:
        yield of(house)
