"""Clock hours in a zone, over both changes of the clock."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications import hours
from schedules.windows import in_quiet_hours

QUIET = (time(22), time(6, 45))
ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "UTC")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "zone", "over"),
    [
        ("2026-03-02T22:00+08:00", "Asia/Shanghai", "2026-03-03T06:45+08:00"),
        ("2026-03-02T21:59:59+08:00", "Asia/Shanghai", None),
        ("2026-03-03T06:44:59+08:00", "Asia/Shanghai", "2026-03-03T06:45+08:00"),
        ("2026-03-03T06:45+08:00", "Asia/Shanghai", None),
        # The night of 29 March is an hour short in Berlin, that of 25 October an hour long.
        ("2026-03-28T23:00+01:00", "Europe/Berlin", "2026-03-29T06:45+02:00"),
        ("2026-10-24T23:00+02:00", "Europe/Berlin", "2026-10-25T06:45+01:00"),
    ],
)
def test_quiet_hours_end(now: str, zone: str, over: str | None) -> None:
    assert hours.until(utc(now), zone, *QUIET) == (utc(over) if over else None)


def test_an_end_that_comes_twice_holds_both_times() -> None:
    # 02:30 comes twice in Berlin on 25 October 2026; at the second 02:10 quiet hours to 02:30 run again.
    second = datetime(2026, 10, 25, 2, 10, tzinfo=ZoneInfo("Europe/Berlin"), fold=1).astimezone(UTC)
    assert hours.until(second, "Europe/Berlin", time(22), time(2, 30)) == second + timedelta(minutes=20)


@given(
    st.integers(0, 2 * 365 * 24 * 60).map(
        lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    ),
    st.sampled_from(ZONES),
    st.times(),
    st.times(),
)
def test_after_quiet_hours_it_is_not_quiet(now: datetime, zone: str, start: time, end: time) -> None:
    over = hours.until(now, zone, start, end)
    if over is None:
        assert not in_quiet_hours(now, zone, start, end)
    else:
        assert now < over <= now + timedelta(hours=26)
        assert not in_quiet_hours(over, zone, start, end)
