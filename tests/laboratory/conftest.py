"""A clinic on SQLite whose subject 001 was infused six days ago: made once a run, copied for each test."""

from collections.abc import Iterator
from typing import Any

import pytest
from furnishing import furnished
from house import HandClock, House


def treated(house: House) -> dict[str, Any]:
    return house.infused(days_ago=6)


@pytest.fixture
def clinic(time: HandClock) -> Iterator[House]:
    with furnished("sqlite", time, treated) as built:
        yield built


@pytest.fixture
def subject(clinic: House) -> dict[str, Any]:
    return dict(clinic.made)
