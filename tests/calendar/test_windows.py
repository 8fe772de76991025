"""Days and clock times where people live: midnight, both changes of the clock, flights over eight zones. Pure."""

import hashlib
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from uuid import uuid5
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules.history import History
from schedules.occurrences import occurrences
from schedules.planned import Occurrence
from schedules.windows import (
    ZoneHistory,
    at_local,
    earliest_zone_change,
    end_of_day,
    end_of_quiet_hours,
    in_quiet_hours,
    local_date,
    start_of_day,
    study_day,
)
from tests.calendar.histories import (
    INFUSED,
    SHANGHAI,
    SUBJECT,
    answer,
    at,
    by_id,
    history,
    hours,
    known,
    local,
    sle,
    slots,
    visits,
    with_times,
    written,
)

# zone: the night on which clocks go forward and the night on which they go back, and the clock times of each
CHANGES = {
    "Europe/Berlin": ((date(2026, 3, 29), time(2, 30)), (date(2026, 10, 25), time(2, 30))),
    "America/New_York": ((date(2026, 3, 8), time(2, 30)), (date(2026, 11, 1), time(1, 30))),
    "Australia/Sydney": ((date(2026, 10, 4), time(2, 30)), (date(2026, 4, 5), time(2, 30))),
}
ROUTES = (
    (SHANGHAI, "Europe/London"),
    ("Europe/London", SHANGHAI),
    ("Pacific/Kiritimati", "Pacific/Pago_Pago"),
    ("Pacific/Pago_Pago", "Pacific/Kiritimati"),
    ("America/St_Johns", "Asia/Kathmandu"),
)
WORLD = ("Asia/Shanghai", "Europe/London", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe",
         "Pacific/Pago_Pago", "Pacific/Kiritimati", "Africa/Casablanca", "UTC")  # fmt: skip


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        (at(2026, 3, 10, 0, 0), 0),
        (at(2026, 3, 9, 23, 59, 59), -1),
        (at(2026, 3, 10, 23, 59, 59), 0),
        (at(2026, 3, 11, 0, 0), 1),
        (datetime(2026, 3, 10, 15, 59, 59, tzinfo=UTC), 0),
        (datetime(2026, 3, 10, 16, 0, tzinfo=UTC), 1),
        (at(2026, 3, 10, 12, 0, zone="America/New_York"), 1),  # already the 11th in Shanghai
        (at(2026, 9, 6, 12, 0), 180),
    ],
)
def test_a_study_day_changes_at_the_sites_midnight(instant: datetime, day: int) -> None:
    assert study_day(instant, INFUSED, SHANGHAI) == day


def test_an_infusion_a_second_before_midnight_makes_the_next_second_day_one() -> None:
    last = at(2026, 3, 10, 23, 59, 59)
    assert study_day(last + timedelta(seconds=1), last, SHANGHAI) == 1
    assert study_day(last - timedelta(hours=23, minutes=59), last, SHANGHAI) == 0


@pytest.mark.parametrize(("zone", "turn", "length"), [(z, n, (23, 25)[n]) for z in CHANGES for n in (0, 1)])
def test_the_days_of_a_change_are_an_hour_short_and_an_hour_long(zone: str, turn: int, length: int) -> None:
    day = CHANGES[zone][turn][0]
    assert end_of_day(day, zone) - start_of_day(day, zone) == hours(length)


@pytest.mark.parametrize(
    ("zone", "turn", "utc"),
    [
        ("Europe/Berlin", 0, "2026-03-29T01:30"),  # 02:30 is skipped: read as 03:30 CEST
        ("Europe/Berlin", 1, "2026-10-25T00:30"),  # 02:30 comes twice: the first, CEST
        ("America/New_York", 0, "2026-03-08T07:30"),  # 03:30 EDT
        ("America/New_York", 1, "2026-11-01T05:30"),  # 01:30 EDT
        ("Australia/Sydney", 0, "2026-10-03T16:30"),  # 03:30 AEDT
        ("Australia/Sydney", 1, "2026-04-04T15:30"),  # 02:30 AEDT
    ],
)
def test_a_skipped_and_a_repeated_clock_time_are_one_instant(zone: str, turn: int, utc: str) -> None:
    day, clock_time = CHANGES[zone][turn]
    assert at_local(day, clock_time, zone) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


def apart(minutes: list[int]) -> bool:
    """More than an hour lies between neighbours, over midnight as well, so that no change can pass one by another."""
    ordered = sorted(minutes)
    return all(b - a > 60 for a, b in zip(ordered, [*ordered[1:], ordered[0] + 1440], strict=True))


clock_times = st.lists(st.integers(0, 1439), min_size=1, max_size=6, unique=True).filter(apart)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(CHANGES)), st.integers(0, 1), clock_times, st.booleans())
def test_every_day_of_a_change_has_each_clock_time_once(zone: str, turn: int, minutes: list[int], hit: bool) -> None:
    day, struck = CHANGES[zone][turn]
    times = {time(n // 60, n % 60) for n in minutes}
    if hit:  # the very time that is skipped or repeated
        times = {one for one in times if abs(one.hour - struck.hour) > 2} | {struck}
    infused = at_local(day, time(12), zone) - timedelta(days=3)
    study = with_times(sle(), sorted(times), 1, 6)
    found = slots(study, history(zone=zone, infused=infused))
    wanted = [(day + timedelta(days=n), one) for n in range(-2, 4) for one in sorted(times)]
    assert [local_date(one.due_at, zone) for one in found if one.due_at] == [on for on, _ in wanted]
    instants = [one.due_at for one in found if one.due_at]
    assert all(a < b for a, b in pairwise(instants))
    assert len({one.id for one in found}) == len(wanted)
    for (on, clock_time), one in zip(wanted, found, strict=True):
        skipped = turn == 0 and on == day and clock_time.hour == 2  # 02:00 to 03:00 in each of the three
        shown = time(3, clock_time.minute) if skipped else clock_time
        assert local(one.due_at, zone)[1] == shown


def flight(route: tuple[str, str], on: date) -> History:
    return history(zone=SHANGHAI, zones=ZoneHistory(route[0], ((on, route[1]),)))


@pytest.mark.parametrize("route", ROUTES)
def test_a_flight_loses_and_doubles_no_slot(route: tuple[str, str]) -> None:
    on = date(2026, 3, 18)
    found = slots(sle(), flight(route, on))
    stayed = slots(sle(), history(zones=ZoneHistory(route[0])))
    assert len(found) == 228
    assert {one.id for one in found} == {one.id for one in stayed}  # a slot is its form, date and clock time
    at_home = by_id(stayed)
    for one in found:
        day, clock_time = local(at_home[one.id].due_at, route[0])
        assert local(one.due_at, route[1] if day >= on else route[0]) == (day, clock_time)


@pytest.mark.parametrize(("route", "gap_h"), [(ROUTES[0], 17.5), (ROUTES[1], 1.5)])
def test_the_night_of_the_flight_is_longer_going_west(route: tuple[str, str], gap_h: float) -> None:
    """From 21:30 to 07:00 are 9.5 hours; eight more going west, eight fewer going east."""
    found = [one.due_at for one in slots(sle(), flight(route, date(2026, 3, 18))) if one.key == "quick" and one.due_at]
    evening = at(2026, 3, 17, 21, 30, zone=route[0])
    assert found[found.index(evening) + 1] - evening == hours(gap_h)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(-5, 29), st.sampled_from(WORLD)), max_size=7, unique_by=lambda one: one[0]))
def test_eight_zones_lose_and_double_no_slot(legs: list[tuple[int, str]]) -> None:
    changes = tuple((INFUSED.date() + timedelta(days=n), zone) for n, zone in sorted(legs))
    zones = ZoneHistory(SHANGHAI, changes)
    found = slots(sle(), history(zones=zones))
    stayed = by_id(slots(sle(), history()))
    assert sorted(str(one.id) for one in found) == sorted(str(identity) for identity in stayed)
    for one in found:
        day, clock_time = local(stayed[one.id].due_at)
        assert local(one.due_at, zones.on(day)) == (day, clock_time)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(WORLD), st.sampled_from(WORLD), st.integers(0, 2 * 365 * 24 * 60))
def test_a_zone_change_begins_on_a_date_that_nobody_has_seen(one: str, other: str, minutes: int) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    earliest = earliest_zone_change(now, (one, other))
    assert start_of_day(earliest, one) > now
    assert start_of_day(earliest, other) > now
    assert min(start_of_day(earliest - timedelta(days=1), zone) for zone in (one, other)) <= now


def test_the_zone_in_force_changes_at_the_new_zones_midnight() -> None:
    zones = ZoneHistory(SHANGHAI, ((date(2026, 3, 18), "Europe/London"),))
    midnight = at(2026, 3, 18, zone="Europe/London")
    assert zones.at(midnight - timedelta(microseconds=1)) == SHANGHAI
    assert zones.at(midnight) == "Europe/London"
    assert (zones.on(date(2026, 3, 17)), zones.on(date(2026, 3, 18))) == (SHANGHAI, "Europe/London")


@pytest.mark.parametrize(
    ("clock_time", "announced"),
    [("21:59", True), ("22:00", False), ("23:59", False), ("00:00", False), ("06:44", False), ("06:45", True)],
)
@pytest.mark.parametrize("zone", [SHANGHAI, *CHANGES])
def test_a_slot_in_quiet_hours_is_not_announced(clock_time: str, announced: bool, zone: str) -> None:
    study = with_times(sle(), [time.fromisoformat(clock_time)], 1, 3)
    night = CHANGES[zone][0][0] if zone in CHANGES else date(2026, 3, 11)
    found = slots(study, history(zone=zone, infused=at_local(night - timedelta(days=2), time(12), zone)))
    assert [one.announced for one in found] == [announced] * 3


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(CHANGES)), st.integers(0, 1), st.integers(-36 * 60, 36 * 60))
def test_quiet_hours_end_at_their_clock_time_over_every_change(zone: str, turn: int, minutes: int) -> None:
    start, end = time(22), time(6, 45)
    now = start_of_day(CHANGES[zone][turn][0], zone) + timedelta(minutes=minutes)
    over = end_of_quiet_hours(now, zone, end)
    assert now < over
    assert local(over, zone)[1] == end
    assert not in_quiet_hours(over, zone, start, end)
    assert in_quiet_hours(over - timedelta(microseconds=1), zone, start, end)
    if in_quiet_hours(now, zone, start, end):
        assert over - now <= hours(9.75)


def test_the_same_facts_give_the_same_bytes_in_every_process() -> None:
    here = written()
    assert here == written()
    root = str(Path(__file__).parents[2])
    other = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from tests.calendar import histories as h; sys.stdout.buffer.write(h.written())",
        ],
        env={"PYTHONHASHSEED": "1", "PYTHONPATH": root},
        capture_output=True,
        check=True,
    ).stdout
    assert hashlib.sha256(other).hexdigest() == hashlib.sha256(here).hexdigest()


def test_ids_outlive_a_correction_of_the_infusion() -> None:
    """A day later: visits keep their ids; a slot keeps its id where form, date and clock time stay in the diary."""
    before, after = slots(sle(), history()), slots(sle(), history(infused=INFUSED + timedelta(days=1)))
    daily = {(one.key, one.due_at) for one in before} & {(one.key, one.due_at) for one in after}
    old, new = ({(one.key, one.due_at): one.id for one in found} for found in (before, after))
    # 25 forms on D−5 and from D31 on are not on the calendar any more or not yet; the change of phase moves times.
    assert len(daily) == 20 + 20 * 7 + 8 * 4
    assert all(old[each] == new[each] for each in daily)
    then, now = visits(sle(), history()), visits(sle(), history(infused=INFUSED + timedelta(days=1)))
    assert {key: one.id for key, one in then.items()} == {key: one.id for key, one in now.items()}
    assert now["V19"].due_at == at(2026, 9, 7)


def test_what_was_done_stays_with_the_day_it_was_done_on() -> None:
    entry = answer("quick", at(2026, 3, 15, 12, 5))
    for infused in (INFUSED, INFUSED + timedelta(days=1), INFUSED - timedelta(days=1)):
        done = [one for one in slots(sle(), history(infused=infused, answered=(entry,))) if one.satisfied_by]
        assert [(one.due_at, one.satisfied_by) for one in done] == [(at(2026, 3, 15, 12), entry.entry_id)]


def test_two_subjects_share_no_id() -> None:
    one = {each.id for each in occurrences(sle(), history())}
    other = {each.id for each in occurrences(sle(), history(subject_id=uuid5(SUBJECT, "other")))}
    assert len(one) == 248
    assert not one & other


def test_the_order_is_by_due_time_with_the_undated_last() -> None:
    found: list[Occurrence] = list(occurrences(sle(), history(infused=None, anchors={
        "collection": known("collection", planned_at=at(2026, 3, 2, 10))})))  # fmt: skip
    dated = [one.due_at for one in found if one.due_at]
    assert dated == sorted(dated)
    assert [one.due_at is None for one in found] == [False] * len(dated) + [True] * (len(found) - len(dated))
    assert [one.key for one in found[:2]] == ["V0", "V1"]


def test_local_date_reads_the_wall() -> None:
    instant = datetime(2026, 3, 10, 16, 30, tzinfo=UTC)
    assert local_date(instant, SHANGHAI) == date(2026, 3, 11)
    assert local_date(instant.astimezone(ZoneInfo("America/New_York")), "Europe/London") == date(2026, 3, 10)
