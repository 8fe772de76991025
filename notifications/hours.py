"""Clock hours in a zone: quiet hours of patients, working hours of a site. Pure; right on both DST changes."""

from datetime import UTC, date, datetime, time, timedelta

from schedules.windows import in_quiet_hours, local_date, zone_info


def local(instant: datetime, zone: str) -> datetime:
    """The instant as a wall clock of the zone shows it."""
    return instant.astimezone(zone_info(zone))


def until(now: datetime, zone: str, start: time, end: time) -> datetime | None:
    """When the clock hours [start, end) that `now` lies in are over; None outside them.

    An end that the autumn change repeats may lie behind the first time and still ahead the second, so both are tried.
    """
    if not in_quiet_hours(now, zone, start, end):
        return None
    today = local(now, zone).date()
    for day in (today, today + timedelta(days=1)):
        for fold in (0, 1):
            over = datetime.combine(day, end, zone_info(zone)).replace(fold=fold).astimezone(UTC)
            if over > now and not in_quiet_hours(over, zone, start, end):
                return over
    raise AssertionError("clock hours end within a day")


def perhaps_told(day: date, zone: str, restored_at: datetime | None) -> bool:
    """Whether the day's texts may have gone out before a backup was restored, which then knows nothing of them.

    None is sent twice: the phone's own alarms cover that day. Pages ask no such question.
    """
    return restored_at is not None and day <= local_date(restored_at, zone)
