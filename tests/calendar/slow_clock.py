"""Dates and clock times found by walking the clock a quarter of an hour at a time. Pure."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

ONE_DAY = timedelta(days=1)
QUARTER = timedelta(minutes=15)  # every zone's offset, and every change of one, is a multiple of it


def wall(instant: datetime, zone: str) -> datetime:
    """What a clock on the wall shows."""
    return instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)


@cache
def begins(day: date, zone: str) -> datetime:
    """The first instant at which the wall shows that date."""
    instant = datetime.combine(day, time(0), UTC) - timedelta(hours=15)
    while wall(instant, zone).date() < day:
        instant += QUARTER
    return instant


def ends(day: date, zone: str) -> datetime:
    return begins(day + ONE_DAY, zone)


@cache
def strikes(day: date, clock_time: time, zone: str) -> datetime:
    """When the wall first shows that time of that date; a skipped one counts on from the clock before the change."""
    wanted = datetime.combine(day, clock_time)
    instant = wanted.replace(tzinfo=UTC) - timedelta(hours=15)
    while wall(instant + QUARTER, zone) < wanted:
        instant += QUARTER
    if wall(instant + QUARTER, zone) == wanted:
        return instant + QUARTER
    return instant + (wanted - wall(instant, zone))
