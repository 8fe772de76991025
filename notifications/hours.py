"""Clock hours in a zone: quiet hours, working hours. Pure; right on both DST changes."""

from datetime import UTC, datetime, time, timedelta

from schedules.windows import at_local, zone_info


def local(instant: datetime, zone: str) -> datetime:
    return instant.astimezone(zone_info(zone))


def within(at: time, start: time, end: time) -> bool:
    """Whether a clock time lies in [start, end), which may span midnight. Equal ends: never."""
    if start <= end:
        return start <= at < end
    return at >= start or at < end


def until(now: datetime, zone: str, start: time, end: time) -> datetime | None:
    """When the clock hours [start, end) that `now` lies in are over; None outside them."""
    here = local(now, zone)
    if not within(here.time(), start, end):
        return None
    for day in (here.date(), here.date() + timedelta(days=1)):
        for fold in (0, 1):
            over = datetime.combine(day, end, zone_info(zone)).replace(fold=fold).astimezone(UTC)
            if over > now and not within(local(over, zone).time(), start, end):
                return over
    raise AssertionError("clock hours end within a day")


def next_time(now: datetime, zone: str, at: time) -> datetime:
    """The first instant after `now` at which the clock in the zone shows `at`."""
    today = local(now, zone).date()
    first = at_local(today, at, zone)
    return first if first > now else at_local(today + timedelta(days=1), at, zone)
