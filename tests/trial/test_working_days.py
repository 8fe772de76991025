"""Working days of a Chinese site in 2026, corrections by people, and the dates that suit a visit."""

from typing import Any

import pytest
import sqlalchemy as sa
from house import House, iso

from backend import workdays
from backend.db import db, transaction
from backend.models.record import AuditEvent
from backend.models.study import Site
from tests.trial.desk import Subject, at, faults, refused, send, visit, z


@pytest.fixture
def seeded(sqlite_house: House) -> House:
    seed(sqlite_house, 2026)
    return sqlite_house


def seed(house: House, year: int) -> int:
    with house.app.app_context(), transaction():
        return workdays.seed(db.session.get_one(Site, house.site_id), year)


def year_of(house: House, year: int) -> dict[str, tuple[bool, str, str]]:
    answer = house.nurse.get(f"/sites/{house.site_id}/working-days?year={year}")
    assert answer.status_code == 200, answer.text
    return {one["day"]: (one["working"], one["name"], one["source"]) for one in answer.json["items"]}


def complete(house: House, year: int) -> bool:
    return bool(house.nurse.get(f"/sites/{house.site_id}/working-days?year={year}").json["complete"])


def set_day(house: House, day: str, version: int | None = None, **over: Any) -> Any:
    body = {"working": True, "name": "Clinic opens", "reason": "agreed with the ward", **over}
    headers = {} if version is None else {"If-Match": f'"{version}"'}
    return house.nurse.put(f"/sites/{house.site_id}/working-days/{day}", body, **headers)


def test_2026_is_seeded_with_holidays_and_make_up_days(house: House) -> None:
    assert not complete(house, 2026)
    added = seed(house, 2026)
    days = year_of(house, 2026)
    assert len(days) == added > 20
    assert days["2026-02-14"][0]  # a Saturday that makes up for the spring festival
    assert not days["2026-02-17"][0]  # the Tuesday of the new year
    make_up = {day for day, (working, _, _) in days.items() if working}
    assert make_up == {"2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10"}
    assert [days[f"2026-05-0{n}"][0] for n in (1, 4, 5)] == [False] * 3  # Friday, Monday, Tuesday of Labour Day
    assert {"2026-05-03", "2026-05-06"} & days.keys() == set()  # a Sunday and a Wednesday like any other
    assert {source for _, _, source in days.values()} == {"seeded"}
    assert complete(house, 2026)
    assert seed(house, 2026) == 0  # once


def test_2027_is_not_complete_while_its_make_up_days_are_unknown(seeded: House) -> None:
    assert seed(seeded, 2027) > 0
    assert not complete(seeded, 2027)
    assert not year_of(seeded, 2027)["2027-01-01"][0]
    assert {working for working, _, _ in year_of(seeded, 2027).values()} == {False}
    this_year = seeded.nurse.get(f"/sites/{seeded.site_id}/working-days").json["items"]
    assert {one["day"][:4] for one in this_year} == {"2026"}
    assert faults(seeded.nurse.get(f"/sites/{seeded.site_id}/working-days?year=26")) == [("/year", "out_of_range")]


def test_one_saturday_of_our_own_does_not_make_2027_complete(seeded: House) -> None:
    """A clinic that opens one Saturday says nothing about the country's make-up days."""
    seed(seeded, 2027)
    assert set_day(seeded, "2027-03-06").status_code == 200
    assert not complete(seeded, 2027)


def test_a_day_is_corrected_with_if_match_and_reason(seeded: House) -> None:
    house = seeded
    free = set_day(house, "2026-03-14")  # nothing was said of this Saturday
    assert (free.status_code, free.headers["ETag"], free.json["source"]) == (200, '"1"', "edited")
    assert refused(set_day(house, "2026-05-09", working=False)) == (428, "if_match_required")
    assert refused(set_day(house, "2026-05-09", 2, working=False)) == (412, "stale")
    changed = set_day(house, "2026-05-09", 1, working=False, name="Closed", reason="the hall is painted")
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')
    assert year_of(house, 2026)["2026-05-09"] == (False, "Closed", "edited")
    assert seed(house, 2026) == 0  # what people said is not seeded over
    assert year_of(house, 2026)["2026-05-09"] == (False, "Closed", "edited")
    audited = house.rows(sa.select(AuditEvent).where(AuditEvent.verb == "site:day_edited").order_by(AuditEvent.seq))
    assert [(row.old["working"], row.new["working"], row.reason) for row in audited] == [
        (False, True, "agreed with the ward"),
        (True, False, "the hall is painted"),
    ]


def test_bad_days_are_refused(seeded: House) -> None:
    house = seeded
    assert faults(set_day(house, "2026-03-14", reason="")) == [("/reason", "wrong_length")]
    assert faults(set_day(house, "2026-03-14", working="yes")) == [("/working", "wrong_type")]
    assert [path for path, _ in faults(set_day(house, "2026-02-30"))] == ["/day"]
    assert [path for path, _ in faults(set_day(house, "1999-12-31"))] == ["/day"]
    body = {"working": True, "name": "x", "reason": "y"}
    foreign = house.nurse.put(f"/sites/{house.other_site_id}/working-days/2026-03-14", body)
    assert foreign.status_code == 404, foreign.text
    assert refused(house.monitor.put(f"/sites/{house.site_id}/working-days/2026-03-14", body)) == (403, "forbidden")
    assert "2026-03-14" not in year_of(house, 2026)


# --- Dates for a visit -----------------------------------------------------------------------------------------


@pytest.fixture
def month_two(seeded: House) -> tuple[House, Subject]:
    """Infused on 6 March: V15 (day 60, ±7) is planned for 5 May, window 28 April to 12 May, over Labour Day."""
    seeded.to(2026, 3, 6, 9)
    return seeded, seeded.infused()


def suggested(house: House, subject: Subject, key: str = "V15") -> list[tuple[str, int, int, bool]]:
    answer = house.nurse.get(f"/visits/{visit(house, subject, key)['id']}/suggestions")
    assert answer.status_code == 200, answer.text
    return [(one["on"][5:], one["from_target"], one["agreed"], one["together"]) for one in answer.json["items"]]


def agree(house: House, subject: Subject, key: str, when: Any, **over: Any) -> Any:
    door = f"/visits/{visit(house, subject, key)['id']}/appointment"
    return house.nurse.put(door, {"at": iso(when), "reason": None, **over})


def test_suggestions_skip_holidays_and_weekends_and_take_the_make_up_saturday(
    month_two: tuple[House, Subject],
) -> None:
    house, subject = month_two
    assert [(on, off) for on, off, _, _ in suggested(house, subject)] == [
        ("05-06", 1),
        ("05-07", 2),
        ("05-08", 3),
        ("05-09", 4),  # Saturday, works
        ("04-30", -5),
        ("04-29", -6),
        ("05-11", 6),
        ("04-28", -7),
        ("05-12", 7),
    ]
    house.to(2026, 5, 7, 23, 59)
    assert [on for on, *_ in suggested(house, subject)] == ["05-07", "05-08", "05-09", "05-11", "05-12"]
    house.turn(minutes=1)
    assert [on for on, *_ in suggested(house, subject)] == ["05-08", "05-09", "05-11", "05-12"]
    house.to(2026, 5, 13, 0)
    assert suggested(house, subject) == []


def test_suggestions_count_what_is_agreed_and_flag_the_subjects_own(month_two: tuple[House, Subject]) -> None:
    house, subject = month_two
    others = [house.infused(number=f"A{n}") for n in range(3)]
    for other, day in zip(others, (6, 6, 7), strict=True):
        assert agree(house, other, "V15", at(2026, 5, day, 10)).status_code == 200
    extra = {"id": "7e0b5a52-51a0-4c9e-8f0b-0d4d0a6b0001", "at": z(2026, 5, 8, 15), "reason": "wound"}
    assert house.nurse.post(f"/subjects/{subject['id']}/visits", extra).status_code == 201
    # Midnight belongs to the day that begins.
    late = {"id": "7e0b5a52-51a0-4c9e-8f0b-0d4d0a6b0002", "at": z(2026, 5, 12, 0), "reason": "night"}
    assert house.nurse.post(f"/subjects/{others[2]['id']}/visits", late).status_code == 201
    found = {on: (agreed, together) for on, _, agreed, together in suggested(house, subject)}
    assert {on: one for on, one in found.items() if one != (0, False)} == {
        "05-06": (2, False),
        "05-07": (1, False),
        "05-08": (1, True),
        "05-12": (1, False),
    }
    # The visit's own appointment does not stand in its way.
    assert agree(house, subject, "V15", at(2026, 5, 7, 9)).json["remarks"] == []
    assert {on: n for on, _, n, _ in suggested(house, subject)}["05-07"] == 1
    # Whoever has left takes no place any more.
    assert send(house, others[0], "withdrawal", actual_at=house.now).status_code == 201
    assert {on: n for on, _, n, _ in suggested(house, subject)}["05-06"] == 1


def test_an_undated_visit_has_no_suggestions(seeded: House) -> None:
    subject = seeded.enrol()
    door = f"/visits/{visit(seeded, subject, 'V15')['id']}/suggestions"
    assert refused(seeded.nurse.get(door)) == (409, "conflict")
    assert refused(seeded.stranger.get(door)) == (404, "not_found")


def remarks(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["code"] for one in answer.json["remarks"]]


def test_an_appointment_on_a_free_day_is_remarked_and_taken(month_two: tuple[House, Subject]) -> None:
    house, subject = month_two
    holiday = agree(house, subject, "V15", at(2026, 5, 4, 10))
    assert remarks(holiday) == ["not_working_day"]
    assert holiday.json["remarks"][0]["detail"] == year_of(house, 2026)["2026-05-04"][1]

    def move(version: int, when: Any) -> Any:
        door = f"/visits/{visit(house, subject, 'V15')['id']}/appointment"
        body = {"at": iso(when), "reason": "asked for another day"}
        return house.nurse.put(door, body, **{"If-Match": f'"{version}"'})

    sunday = move(1, at(2026, 5, 10, 10))
    assert (remarks(sunday), sunday.json["remarks"][0]["detail"]) == (["not_working_day"], "Sunday")
    version = house.nurse.get("/me").headers["ETag"].strip('"')
    assert house.nurse.patch("/me", {"locale": "zh-CN"}, version).status_code == 200
    assert remarks(move(2, at(2026, 5, 9, 10))) == []  # the make-up Saturday
    assert remarks(move(3, at(2026, 5, 12, 23, 59))) == []
    assert remarks(move(4, at(2026, 5, 13, 0))) == ["outside_window"]
    late_sunday = move(5, at(2026, 5, 17, 9))
    assert remarks(late_sunday) == ["outside_window", "not_working_day"]
    assert late_sunday.json["remarks"][1]["detail"] == "星期日"  # in the language of whoever plans
    assert remarks(move(6, at(2026, 3, 5, 9))) == ["outside_window", "in_the_past"]


def test_outside_the_window_a_reason_is_required(month_two: tuple[House, Subject]) -> None:
    house, subject = month_two
    for when in (at(2026, 4, 27, 23, 59), at(2026, 5, 13, 0)):
        assert faults(agree(house, subject, "V15", when)) == [("/reason", "required")]
        assert visit(house, subject, "V15")["appointment_at"] is None
    answer = agree(house, subject, "V15", at(2026, 5, 13, 9), reason="abroad until then")
    assert remarks(answer) == ["outside_window"]
    one = answer.json
    assert (one["target_on"], one["earliest_on"], one["latest_on"]) == ("2026-05-05", "2026-04-28", "2026-05-12")
    assert one["closes_at"] == z(2026, 5, 14)  # its own day is still in time for it
