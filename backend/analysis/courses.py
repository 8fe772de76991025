"""The course of one marker after infusion: B-cell depletion and return, peaks of IL-6, CRP and ferritin.

No single definition of depletion is published; the threshold is the study's (10 CD19+ cells/µL unless said).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from uuid import UUID

from backend.analysis.change import fold
from backend.instruments.logic import Reading
from backend.instruments.units import rounded


@dataclass(frozen=True, slots=True)
class Point:
    """One value of the course; `day` counts from infusion, `masked`: under tocilizumab or a like drug."""

    id: UUID
    at: datetime
    day: int
    reading: Reading
    masked: bool = False


@dataclass(frozen=True, slots=True)
class Depletion:
    """Days are study days; `first_day_below` and `reconstituted_on_day` are None where not seen.

    Reconstitution: the first of two consecutive values at or above the threshold after depletion.
    """

    threshold: Decimal
    baseline: Decimal | None = None
    first_day_below: int | None = None
    nadir: Decimal | None = None
    nadir_qualifier: str = ""
    nadir_day: int | None = None
    reconstituted_on_day: int | None = None
    last: Decimal | None = None
    last_day: int | None = None
    last_pct_of_baseline: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Peak:
    """The highest value after infusion and what it is of the baseline; `masked` where tocilizumab was given before."""

    baseline: Decimal | None = None
    peak: Decimal | None = None
    peak_qualifier: str = ""
    peak_day: int | None = None
    change: Decimal | None = None
    fold_change: Decimal | None = None
    masked: bool = False
    tocilizumab_on: date | None = None


def depletion(baseline: Reading | None, points: Sequence[Point], threshold: Decimal) -> Depletion:
    """Of the points after infusion, in any order."""
    course = sorted(points, key=lambda point: (point.at, str(point.id)))
    start = baseline.value if baseline is not None and not baseline.qualifier else None
    if not course:
        return Depletion(threshold, start)
    below = [point for point in course if point.reading.below(threshold) is True]
    lowest = min(course, key=lambda point: (point.reading.value, point.reading.qualifier != "<", point.at))
    back = None
    if below:
        later = [point for point in course if point.at > below[0].at]
        held = [one for one, two in pairwise(later) if _at_least(one, threshold) and _at_least(two, threshold)]
        back = held[0].day if held else None
    last = course[-1]
    share = rounded(last.reading.value / start * 100) if start and not last.reading.qualifier else None
    return Depletion(
        threshold=threshold,
        baseline=start,
        first_day_below=below[0].day if below else None,
        nadir=lowest.reading.value,
        nadir_qualifier=lowest.reading.qualifier,
        nadir_day=lowest.day,
        reconstituted_on_day=back,
        last=last.reading.value,
        last_day=last.day,
        last_pct_of_baseline=share,
    )


def _at_least(point: Point, threshold: Decimal) -> bool:
    return point.reading.below(threshold) is False


def peak(baseline: Reading | None, points: Sequence[Point], tocilizumab_on: date | None = None) -> Peak:
    """The highest of the points, the earliest of equal ones."""
    start = baseline.value if baseline is not None and not baseline.qualifier else None
    if not points:
        return Peak(start, tocilizumab_on=tocilizumab_on)
    top = max(points, key=lambda p: (p.reading.value, p.reading.qualifier == ">", -p.at.timestamp()))
    plain = not top.reading.qualifier and start is not None
    return Peak(
        baseline=start,
        peak=top.reading.value,
        peak_qualifier=top.reading.qualifier,
        peak_day=top.day,
        change=top.reading.value - start if plain and start is not None else None,
        fold_change=fold(baseline, top.reading),
        masked=top.masked,
        tocilizumab_on=tocilizumab_on,
    )
