"""PGA: a mark on either scale is carried to 0-3 exactly, and an increase of exactly 0.3 is worsening (Furie 2009).

The scale is the visual analogue scale 0-3 of the PISCOS consensus (Piga 2022); 0-100 mm is the same line times 3/100.
"""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.instruments import pga
from backend.instruments.logic import Truth
from backend.scoring import INSTRUMENTS

MARKS = st.decimals(0, 3, places=2)


def carried(value: str | None, scale: str | None) -> Decimal | None:
    answer: pga.Assessment = INSTRUMENTS["pga"](value=None if value is None else Decimal(value), scale=scale)
    return answer.pga


@pytest.mark.parametrize(
    ("value", "scale", "expected"),
    [
        ("0", "0-3", "0"),
        ("1.45", "0-3", "1.45"),
        ("3", "0-3", "3"),
        ("0", "0-100", "0"),
        ("10", "0-100", "0.3"),
        ("33", "0-100", "0.99"),
        ("47.5", "0-100", "1.425"),
        ("100", "0-100", "3"),
    ],
)
def test_a_mark_stands_on_0_to_3(value: str, scale: str, expected: str) -> None:
    assert carried(value, scale) == Decimal(expected)


def test_a_mark_on_0_to_3_keeps_the_digits_it_was_given() -> None:
    assert str(carried("1.50", "0-3")) == "1.50"


@pytest.mark.parametrize(("value", "scale"), [(None, "0-3"), ("1", None), (None, None)])
def test_without_value_or_scale_nothing_is_known(value: str | None, scale: str | None) -> None:
    """1 may be mild on 0-3 or nothing on 0-100: a scale is never guessed."""
    assert carried(value, scale) is None


@pytest.mark.parametrize(
    ("value", "scale"), [("3.01", "0-3"), ("-0.01", "0-3"), ("100.1", "0-100"), ("-1", "0-100"), ("1", "0-10")]
)
def test_a_mark_off_its_scale_is_refused(value: str, scale: str) -> None:
    with pytest.raises(ValueError):
        carried(value, scale)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ("1.1", "1.4", False),  # 0.2999999999999998 in binary floating point
        ("1.1", "1.39", True),
        ("1.1", "1.41", False),
        ("0", "0.3", False),
        ("0", "0.29", True),
        ("2.7", "3", False),
        ("1.4", "1.1", True),
        ("3", "0", True),
        ("1.25", "1.25", True),
    ],
)
def test_worsening_is_an_increase_of_three_tenths_or_more(before: str, now: str, *, expected: bool) -> None:
    """Furie 2009: no worsening is an increase of less than 0.3, a tenth of the scale."""
    assert pga.not_worse(Decimal(before), Decimal(now)) is expected


@pytest.mark.parametrize(
    ("before", "now", "expected"), [("40", "50", False), ("40", "49.9", True), ("41", "51", False)]
)
def test_ten_millimetres_of_the_long_scale_are_worsening_too(before: str, now: str, *, expected: bool) -> None:
    assert pga.not_worse(carried(before, "0-100"), carried(now, "0-100")) is expected


@pytest.mark.parametrize(("before", "now"), [(None, "1"), ("1", None), (None, None)])
def test_an_unknown_mark_leaves_worsening_unknown(before: str | None, now: str | None) -> None:
    marks = [None if mark is None else Decimal(mark) for mark in (before, now)]
    assert pga.not_worse(*marks) is None


@given(MARKS, MARKS)
def test_worsening_agrees_with_whole_hundredths(before: Decimal, now: Decimal) -> None:
    expected: Truth = int(now * 100) - int(before * 100) < 30
    assert pga.not_worse(before, now) is expected
