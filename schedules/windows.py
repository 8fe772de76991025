"""Dates and clock times in zones: the one definition of a study day and of "07:00 where the patient is". Pure.

A study day is the site's local date minus the local date of infusion (Day 0). A clock time that a
spring change skips is read with the offset before the change (02:30 becomes 03:30); one that an
autumn change repeats is its first occurrence. All instants are aware UTC.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo


@lru_cache(maxsize=512)
def zone_info(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def local_date(instant: datetime, zone: str) -> date:
    """The date on the wall at that instant."""
    return instant.astimezone(zone_info(zone)).date()


def at_local(day: date, clock_time: time, zone: str) -> datetime:
    """The instant at which a wall clock of the zone shows that time on that date."""
    return datetime.combine(day, clock_time, zone_info(zone)).astimezone(UTC)


def start_of_day(day: date, zone: str) -> datetime:
    return at_local(day, time(0), zone)


def end_of_day(day: date, zone: str) -> datetime:
    """The first instant that no longer belongs to the date; 23, 24 or 25 hours after its start."""
    return start_of_day(day + timedelta(days=1), zone)


def study_day(instant: datetime, infused_at: datetime, site_zone: str) -> int:
    """Days from the site-local date of infusion to the site-local date of the instant."""
    return (local_date(instant, site_zone) - local_date(infused_at, site_zone)).days


@dataclass(frozen=True, slots=True)
class ZoneHistory:
    """The zone a person lives in, by date: the first zone, then dated changes in ascending order."""

    first: str
    changes: tuple[tuple[date, str], ...] = ()

    def on(self, day: date) -> str:
        """The zone in force on a date."""
        zone = self.first
        for since, name in self.changes:
            if since > day:
                break
            zone = name
        return zone

    def at(self, instant: datetime) -> str:
        """The zone in force at an instant: the last change whose date has begun there."""
        zone = self.first
        for since, name in self.changes:
            if start_of_day(since, name) > instant:
                break
            zone = name
        return zone


def earliest_zone_change(now: datetime, zones: Sequence[str]) -> date:
    """The first date that has begun in none of the zones: a change touches future slots only."""
    return max(local_date(now, zone) for zone in zones) + timedelta(days=1)


def in_quiet_hours(instant: datetime, zone: str, quiet_from: time, quiet_to: time) -> bool:
    """Whether a wall clock of the zone stands within [quiet_from, quiet_to), which may span midnight."""
    clock_time = instant.astimezone(zone_info(zone)).time()
    if quiet_from <= quiet_to:
        return quiet_from <= clock_time < quiet_to
    return clock_time >= quiet_from or clock_time < quiet_to


def end_of_quiet_hours(instant: datetime, zone: str, quiet_to: time) -> datetime:
    """The next instant at which quiet hours end."""
    day = local_date(instant, zone)
    end = at_local(day, quiet_to, zone)
    return end if end > instant else at_local(day + timedelta(days=1), quiet_to, zone)
