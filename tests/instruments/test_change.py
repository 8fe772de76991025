"""Change from baseline: exact in decimals; of a value beyond its assay's limit a bound, held against true values."""

from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.analysis import change
from backend.analysis.change import Change
from backend.instruments.logic import Reading
from backend.scoring import INSTRUMENTS

NUMBERS = st.decimals(0, 1000, places=2)
QUALIFIERS = ("<", "", ">")


def reading(value: str | Decimal | None, qualifier: str | None = None) -> dict[str, Any]:
    return {"value": None if value is None else Decimal(value), "qualifier": qualifier}


def changed(baseline: dict[str, Any] | None, visit: dict[str, Any] | None) -> Change:
    answer: Change = INSTRUMENTS["change_from_baseline"](baseline=baseline, visit=visit)
    return answer


@pytest.mark.parametrize(
    ("baseline", "visit", "absolute", "percent"),
    [
        ("100", "80", "-20", "-20"),
        ("80", "100", "20", "25"),
        ("12", "0", "-12", "-100"),
        ("1.1", "1.4", "0.3", "27.2727272727"),
        ("3", "4", "1", "33.3333333333"),
        ("0.60", "0.90", "0.3", "50"),
        ("5", "5", "0", "0"),
    ],
)
def test_the_change_of_two_values(baseline: str, visit: str, absolute: str, percent: str) -> None:
    answer = changed(reading(baseline), reading(visit))
    assert answer == Change(Decimal(absolute), Decimal(percent))


@pytest.mark.parametrize(("visit", "absolute"), [("0", "0"), ("7", "7")])
def test_of_a_baseline_of_zero_there_is_no_percentage(visit: str, absolute: str) -> None:
    answer = changed(reading("0.0"), reading(visit))
    assert (answer.absolute_change, answer.percent_change, answer.censored) == (Decimal(absolute), None, False)


@pytest.mark.parametrize("qualifier", [None, ""])
def test_an_absent_qualifier_is_none(qualifier: str | None) -> None:
    assert changed(reading("4", qualifier), {"value": Decimal(5)}) == Change(Decimal(1), Decimal(25))


@pytest.mark.parametrize(
    ("baseline", "visit"),
    [
        (None, reading("5")),
        (reading("5"), None),
        (None, None),
        (reading(None), reading("5")),
        (reading("5"), reading(None)),
    ],
)
def test_one_missing_value_leaves_all_unknown(baseline: dict[str, Any] | None, visit: dict[str, Any] | None) -> None:
    assert changed(baseline, visit) == Change()


# Titres of an assay that reads from 10 to 800: what is known of the change from 200 or beyond.
@pytest.mark.parametrize(
    ("baseline", "visit", "below", "above"),
    [
        ((">", "800"), ("", "200"), "-600", None),
        ((">", "800"), ("<", "10"), "-790", None),
        (("", "200"), ("<", "10"), "-190", None),
        (("", "200"), (">", "800"), None, "600"),
        (("<", "10"), ("", "200"), None, "190"),
        (("<", "10"), (">", "800"), None, "790"),
        ((">", "800"), (">", "800"), None, None),
        (("<", "10"), ("<", "10"), None, None),
    ],
)
def test_of_a_censored_value_only_bounds_are_known(
    baseline: tuple[str, str], visit: tuple[str, str], below: str | None, above: str | None
) -> None:
    (before, first), (now, last) = baseline, visit
    answer = changed(reading(first, before), reading(last, now))
    assert answer == Change(
        censored=True,
        change_is_below=None if below is None else Decimal(below),
        change_is_above=None if above is None else Decimal(above),
    )


def true_values(value: Decimal, qualifier: str) -> list[Decimal]:
    """What the true value may be, from just beyond the limit to far."""
    steps = [Decimal("0.0001"), Decimal(1), Decimal(10_000)]
    return [value] if not qualifier else [value - step if qualifier == "<" else value + step for step in steps]


@given(NUMBERS, NUMBERS, st.sampled_from(QUALIFIERS), st.sampled_from(QUALIFIERS))
def test_the_bounds_hold_for_every_true_value(first: Decimal, last: Decimal, before: str, now: str) -> None:
    """And are given wherever they hold, no wider than they must be."""
    answer = changed(reading(first, before), reading(last, now))
    possible = [y - x for x, y in product(true_values(first, before), true_values(last, now))]
    seen = last - first
    censored = bool(before or now)
    assert answer.censored is censored
    assert answer.absolute_change == (None if censored else seen)
    assert answer.change_is_below == (seen if all(one < seen for one in possible) else None)
    assert answer.change_is_above == (seen if all(one > seen for one in possible) else None)
    if censored:
        assert answer.percent_change is None


@given(NUMBERS.filter(bool), NUMBERS)
def test_the_percentage_leads_back_to_the_value(first: Decimal, last: Decimal) -> None:
    answer = changed(reading(first), reading(last))
    assert answer.absolute_change is not None
    assert answer.percent_change is not None
    assert first + answer.absolute_change == last
    assert abs(first * (1 + answer.percent_change / 100) - last) <= Decimal("1e-6")


@pytest.mark.parametrize(
    ("baseline", "value", "expected"),
    [
        (Reading(Decimal(200)), Reading(Decimal(900)), "4.5"),
        (Reading(Decimal(3)), Reading(Decimal(1)), "0.333333333333"),
        (Reading(Decimal(3)), Reading(Decimal(0)), "0"),
        (Reading(Decimal(0)), Reading(Decimal(5)), None),
        (Reading(Decimal(5), "<"), Reading(Decimal(50)), None),
        (Reading(Decimal(5)), Reading(Decimal(800), ">"), None),
        (None, Reading(Decimal(5)), None),
        (Reading(Decimal(5)), None, None),
    ],
)
def test_how_many_times_the_baseline(baseline: Reading | None, value: Reading | None, expected: str | None) -> None:
    """Undefined of a baseline of 0 or below the assay's limit."""
    assert change.fold(baseline, value) == (None if expected is None else Decimal(expected))
