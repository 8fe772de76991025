"""After every test of this folder each signal it raised is evaluated again from the context kept beside it."""

from collections.abc import Iterator

import pytest

from tests.safety_http.builders import replay

HOUSES = ("sqlite_house", "house", "night_house")


@pytest.fixture(autouse=True)
def every_signal_replays(request: pytest.FixtureRequest) -> Iterator[None]:
    used = [request.getfixturevalue(name) for name in HOUSES if name in request.fixturenames]
    yield
    for house in used:
        replay(house)
