"""The course of a marker after infusion: when B cells were gone and back, how high a cytokine rose.

The threshold is strict, a value below the assay's limit counts as far as it proves anything, and neither the order
in which values come nor a baseline that is 0, missing or censored can make up a figure.
"""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from backend.analysis.courses import Depletion, Peak, Point, depletion, peak
from backend.instruments.logic import Reading

INFUSED = datetime(2026, 3, 2, 1, tzinfo=UTC)
TEN = Decimal(10)


def reading(text: str) -> Reading:
    """As a laboratory writes it: 12, <5, >1000."""
    qualifier = text[0] if text[0] in "<>" else ""
    return Reading(Decimal(text.removeprefix(qualifier)), qualifier)


def point(day: int, text: str, *, hours: int = 0, masked: bool = False) -> Point:
    at = INFUSED + timedelta(days=day, hours=hours)
    return Point(UUID(int=day * 24 + hours), at, day, reading(text), masked)


def points(**days: str) -> list[Point]:
    """points(d1="12", d7="<5")"""
    return [point(int(name[1:]), text) for name, text in days.items()]


def course(baseline: str | None = "200", **days: str) -> Depletion:
    return depletion(reading(baseline) if baseline else None, points(**days), TEN)


def top(baseline: str | None = "4", **days: str) -> Peak:
    return peak(reading(baseline) if baseline else None, points(**days))


# --- Depletion ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "gone"),
    [
        ("9.99", True),
        ("10", False),
        ("10.01", False),
        ("<10", True),  # whatever it is, it is less than 10
        ("<9", True),
        ("<10.01", False),  # might be 10
        (">9", False),
        (">10", False),
    ],
)
def test_depleted_is_strictly_below_the_threshold(value: str, gone: bool) -> None:
    assert course(d7=value).first_day_below == (7 if gone else None)


def test_another_threshold_of_the_study() -> None:
    found = depletion(reading("200"), points(d3="30", d7="20"), Decimal(25))
    assert (found.threshold, found.first_day_below) == (25, 7)


def test_first_day_below_is_the_first() -> None:
    assert course(d1="80", d3="8", d7="2", d10="1").first_day_below == 3


@pytest.mark.parametrize(
    ("later", "back"),
    [
        ({"d60": "10", "d90": "11"}, 60),
        ({"d60": "12"}, None),
        ({"d60": "12", "d90": "9", "d120": "14"}, None),
        ({"d60": "12", "d90": "9", "d120": "14", "d150": "15"}, 120),
        ({"d60": "12", "d90": "<20", "d120": "14"}, None),  # what might be either proves nothing
        ({"d60": "<20", "d90": "12", "d120": "14"}, 90),
        ({"d60": ">10", "d90": ">50"}, 60),
        ({"d60": "9.9", "d90": "9.9"}, None),
    ],
)
def test_back_with_the_first_of_two_consecutive_values(later: dict[str, str], back: int | None) -> None:
    assert course(d1="150", d3="140", d7="2", **later).reconstituted_on_day == back


def test_who_was_never_depleted_does_not_come_back() -> None:
    found = course(d1="150", d7="40", d28="60")
    assert (found.first_day_below, found.reconstituted_on_day) == (None, None)


@pytest.mark.parametrize(
    ("days", "nadir"),
    [
        ({"d1": "80", "d7": "3", "d28": "4"}, ("3", "", 7)),
        ({"d1": "80", "d7": "3", "d28": "3"}, ("3", "", 7)),
        ({"d7": "5", "d28": "<5"}, ("5", "<", 28)),  # of the same number the one below it is lower
        ({"d7": "<5", "d28": "<5"}, ("5", "<", 7)),
        ({"d7": "0", "d28": "<5"}, ("0", "", 7)),
    ],
)
def test_nadir_is_the_lowest_and_of_equal_ones_the_earliest(days: dict[str, str], nadir: tuple[str, str, int]) -> None:
    found = course(**days)
    assert (found.nadir, found.nadir_qualifier, found.nadir_day) == (Decimal(nadir[0]), nadir[1], nadir[2])


@pytest.mark.parametrize(
    ("baseline", "last", "share"),
    [
        ("200", "50", "25"),
        ("200", "0", "0"),
        ("200", "300", "150"),
        ("0", "50", None),
        (None, "50", None),
        ("<5", "50", None),
        ("200", "<5", None),
    ],
)
def test_share_of_the_baseline(baseline: str | None, last: str, share: str | None) -> None:
    found = course(baseline, d7="2", d90=last)
    assert found.last_pct_of_baseline == (None if share is None else Decimal(share))
    assert (found.last, found.last_day) == (reading(last).value, 90)
    assert found.baseline == (Decimal(baseline) if baseline and "<" not in baseline else None)


def test_the_order_of_the_values_does_not_matter() -> None:
    ordered = points(d1="150", d3="8", d7="<5", d28="7", d60="12", d90="30", d120="9", d150="40")
    told = depletion(reading("200"), ordered, TEN)
    assert (told.first_day_below, told.nadir_day, told.reconstituted_on_day, told.last_day) == (3, 7, 60, 150)
    mixed = list(ordered)
    for seed in range(20):
        random.Random(seed).shuffle(mixed)
        assert depletion(reading("200"), mixed, TEN) == told


def test_without_values_only_the_baseline_is_known() -> None:
    assert course("200") == Depletion(TEN, Decimal(200))


# --- Peaks ----------------------------------------------------------------------------------------------------


def test_peak_against_the_baseline() -> None:
    found = top("4", d1="20", d3="100", d7="30")
    assert (found.baseline, found.peak, found.peak_day, found.peak_qualifier) == (4, 100, 3, "")
    assert (found.change, found.fold_change) == (96, 25)


def test_of_equal_peaks_the_earliest() -> None:
    assert top(d7="100", d3="100", d1="20", d5="100").peak_day == 3


def test_above_the_limit_of_the_assay_is_higher_than_the_limit() -> None:
    found = top(d3="1000", d5=">1000", d7="999")
    assert (found.peak, found.peak_qualifier, found.peak_day) == (1000, ">", 5)
    assert (found.change, found.fold_change) == (None, None)


def test_of_a_baseline_of_0_there_is_a_change_but_no_fold() -> None:
    found = top("0", d3="100")
    assert (found.change, found.fold_change) == (100, None)


@pytest.mark.parametrize("baseline", [None, "<2", ">500"])
def test_without_a_plain_baseline_neither_change_nor_fold(baseline: str | None) -> None:
    found = top(baseline, d3="100")
    assert (found.baseline, found.peak, found.change, found.fold_change) == (None, 100, None, None)


def test_a_value_that_never_rose_falls_below_one_fold() -> None:
    found = top("4", d3="1")
    assert (found.change, found.fold_change) == (-3, Decimal("0.25"))


@pytest.mark.parametrize(("high", "masked"), [(3, False), (5, True)])
def test_masked_where_the_peak_itself_came_after_the_drug(high: int, masked: bool) -> None:
    some = [
        point(day, "100" if day == high else "20", masked=day >= 4)  # the drug was given on day 4
        for day in (1, 3, 5, 7)
    ]
    found = peak(reading("4"), some, date(2026, 3, 6))
    assert (found.peak_day, found.masked, found.tocilizumab_on) == (high, masked, date(2026, 3, 6))


def test_without_values_there_is_no_peak() -> None:
    assert peak(reading("4"), [], date(2026, 3, 6)) == Peak(Decimal(4), tocilizumab_on=date(2026, 3, 6))


def test_two_of_one_day_are_told_apart_by_the_hour() -> None:
    some = [point(3, "100", hours=9), point(3, "<5", hours=2)]
    assert peak(reading("4"), some).peak == 100
    found = depletion(reading("200"), some, TEN)
    assert (found.first_day_below, found.last) == (3, 100)
