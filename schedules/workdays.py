"""On which dates a site works, and which dates of a visit's window suit. Pure.

Weekdays are working days unless an exception of the site says otherwise: a public holiday, or a Saturday that
makes up for one (in China several a year, announced late in the year before).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from schedules.protocol.definition import Label

SATURDAY = 5


@dataclass(frozen=True, slots=True)
class WorkingDays:
    """The dates that are not as their weekday says: (working, what the day is called)."""

    exceptions: Mapping[date, tuple[bool, Label]] = field(default_factory=dict)

    def works(self, day: date) -> bool:
        found = self.exceptions.get(day)
        return day.weekday() < SATURDAY if found is None else found[0]

    def name(self, day: date) -> Label | None:
        found = self.exceptions.get(day)
        return found[1] if found is not None else None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A date for a visit: days from its target, how many visits the site has agreed on that date, and whether the
    same subject has another appointment then."""

    on: date
    from_target: int
    agreed: int
    together: bool


def suggest(
    window: tuple[date, date],
    target: date,
    today: date,
    working: WorkingDays,
    agreed: Mapping[date, int],
    own: frozenset[date],
) -> tuple[Suggestion, ...]:
    """The working days of a window (both dates within it) from today on: nearest to the target first, then earlier."""
    found = [
        Suggestion(day, (day - target).days, agreed.get(day, 0), day in own)
        for day in _days(max(window[0], today), window[1])
        if working.works(day)
    ]
    return tuple(sorted(found, key=lambda one: (abs(one.from_target), one.on)))


def _days(first: date, last: date) -> Iterator[date]:
    for n in range((last - first).days + 1):
        yield first + timedelta(days=n)
