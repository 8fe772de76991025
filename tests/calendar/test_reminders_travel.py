"""Texts about the calendar as they arrive: a moved visit speaks once at its new time, a flight doubles nothing."""

from collections import Counter
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from house import House, iso

from tests.calendar.histories import at
from tests.calendar.texts import reminded


def texts(sent: list[dict[str, Any]]) -> list[tuple[str, datetime]]:
    return [(one["template"], one["at"]) for one in sent]


def test_a_moved_visit_is_told_once_at_its_new_time(sqlite_house: House) -> None:
    """V15, D60 on 9 May: agreed for the 9th at 10:00, moved on the morning of the 8th to the 11th at 15:00."""
    house = sqlite_house
    house.time.at = at(2026, 3, 10, 9, 30)
    subject = house.infused()
    visits = house.nurse.get(f"/subjects/{subject['id']}/calendar").json["items"]
    door = f"/visits/{next(one['id'] for one in visits if one['key'] == 'V15')}/appointment"
    house.to(2026, 5, 4, 9, 30)
    assert house.nurse.put(door, {"at": iso(at(2026, 5, 9, 10)), "reason": None}).status_code == 200
    told: list[tuple[str, datetime]] = []
    for day in range(5, 13):
        for minute in (0, 1, 40, 41, 80):
            house.to(2026, 5, day, 7 + minute // 60, minute % 60)
            told += texts(reminded(house))
            if (day, minute) == (8, 1):
                moved = {"at": iso(at(2026, 5, 11, 15)), "reason": "the doctor is away"}
                assert house.nurse.put(door, moved, **{"If-Match": '"1"'}).status_code == 200
    assert [one for one in told if "visit" in one[0]] == [
        ("visit_soon", at(2026, 5, 6, 7)),  # three days before the 9th
        ("visit_soon", at(2026, 5, 8, 7)),  # one day before the 9th
        ("visit_soon", at(2026, 5, 8, 7, 40)),  # it is the 11th now, three days ahead
        ("visit_soon", at(2026, 5, 10, 7)),
        ("visit_today", at(2026, 5, 11, 7)),
    ]


def test_an_appointment_taken_back_and_made_again_is_told_once(sqlite_house: House) -> None:
    house = sqlite_house
    house.time.at = at(2026, 3, 10, 9, 30)
    subject = house.infused()
    visits = house.nurse.get(f"/subjects/{subject['id']}/calendar").json["items"]
    door = f"/visits/{next(one['id'] for one in visits if one['key'] == 'V15')}/appointment"
    house.to(2026, 5, 10, 9, 30)
    when = iso(at(2026, 5, 13, 10))
    assert house.nurse.put(door, {"at": when, "reason": None}).status_code == 200
    house.to(2026, 5, 13, 7, 0)
    first = texts(reminded(house))
    assert house.nurse.put(door, {"at": None, "reason": "ill"}, **{"If-Match": '"1"'}).status_code == 200
    house.turn(minutes=5)
    assert texts(reminded(house)) == []
    assert house.nurse.put(door, {"at": when, "reason": "well"}, **{"If-Match": '"2"'}).status_code == 200
    house.turn(minutes=5)
    assert (first, texts(reminded(house))) == ([("visit_today", at(2026, 5, 13, 7))], [])


@pytest.mark.parametrize(
    ("home", "away"),
    [
        ("Asia/Shanghai", "Europe/London"),
        ("Europe/London", "Asia/Shanghai"),
        ("Pacific/Kiritimati", "Pacific/Pago_Pago"),
        ("Pacific/Pago_Pago", "Pacific/Kiritimati"),
    ],
)
def test_a_flight_doubles_no_text_and_wakes_nobody(sqlite_house: House, home: str, away: str) -> None:
    """Three days around the change, a look every half hour, nothing answered: the most that could be texted."""
    house = sqlite_house
    subject = house.infused(days_ago=3, time_zone=home)
    version = house.nurse.get(f"/subjects/{subject['id']}").json["version"]
    change = {"time_zone": away, "zone_from": "2026-03-05"}
    assert house.nurse.patch(f"/subjects/{subject['id']}", change, version).status_code == 200
    house.time.at = datetime(2026, 3, 3, 10, tzinfo=ZoneInfo("UTC"))
    told: list[tuple[str, datetime]] = []
    for _ in range(2 * 24 * 3):
        house.turn(minutes=30)
        told += texts(reminded(house))
    changed = datetime(2026, 3, 5, tzinfo=ZoneInfo(away))
    here = [(kind, one.astimezone(ZoneInfo(away if one >= changed else home))) for kind, one in told]
    mornings = Counter(one.date() for kind, one in here if kind != "nudge")
    nudges = Counter(one.date() for kind, one in here if kind == "nudge")
    assert max(mornings.values()) == max(nudges.values()) == 1
    assert all(7 <= one.hour < 9 for kind, one in here if kind != "nudge")
    assert all((6, 45) <= (one.hour, one.minute) < (22, 0) for _, one in here)
    whole_days = {date(2026, 3, 4), date(2026, 3, 5)}
    if (home, away) != ("Pacific/Pago_Pago", "Pacific/Kiritimati"):  # going east over the date line loses a day
        assert whole_days <= mornings.keys()
