"""Of several readings taken at one instant the one under evaluation counts, whatever their ids are."""

from dataclasses import replace

import pytest

from tests.safety.builders import AT, context, fired, value


@pytest.mark.parametrize(
    ("code", "usual", "alarming", "rule"),
    [("body_temperature", 36.6, 38.0, "R11"), ("sbp", 120, 89, "R04"), ("spo2", 98, 89, "R06"), ("hr", 70, 120, "R18")],
)
def test_the_reading_under_evaluation_is_the_current_one(code: str, usual: float, alarming: float, rule: str) -> None:
    for first, last in (("a", "b"), ("b", "a")):
        values = (replace(value(code, usual, AT), id=first), replace(value(code, alarming, AT), id=last))
        assert rule in fired(context(values=values, trigger="value", trigger_id=last))
        assert rule not in fired(context(values=values, trigger="value", trigger_id=first))
