"""Visits that nobody planned: added, moved, taken back, attended, missed; and several on one date."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from house import House, iso

from tests.trial.desk import Subject, ago, at, calendar, faults, refused, visit, z


def add(house: House, subject: Subject, when: Any, **over: Any) -> Any:
    body = {"id": str(uuid4()), "at": iso(when), "reason": "a rash to look at", **over}
    return house.nurse.post(f"/subjects/{subject['id']}/visits", body)


def put(house: House, one: str, door: str, version: int | None = None, **body: Any) -> Any:
    headers = {} if version is None else {"If-Match": f'"{version}"'}
    return house.nurse.put(f"/visits/{one}/{door}", {name: iso(value) for name, value in body.items()}, **headers)


def extra(house: House, subject: Subject) -> list[tuple[str, str | None, int | None]]:
    return [
        (one["status"], one["appointment_at"], one["day"]) for one in calendar(house, subject) if one["key"] == "UNS"
    ]


def test_added_moved_and_attended(house: House) -> None:
    subject = house.infused(days_ago=30)
    added = add(house, subject, at(2026, 3, 4, 10))
    assert (added.status_code, added.json["key"], added.json["name"]) == (201, "UNS", "Unscheduled visit")
    assert (added.json["status"], added.json["remarks"], added.json["target_on"]) == ("not_yet", [], None)
    one = added.json["id"]
    assert extra(house, subject) == [("not_yet", z(2026, 3, 4, 10), 32)]
    assert faults(put(house, one, "appointment", at=at(2026, 3, 5, 9), reason=None)) == [("/reason", "required")]
    moved = put(house, one, "appointment", at=at(2026, 3, 5, 9), reason="no car before")
    house.turn(minutes=1)
    assert (moved.status_code, moved.json["due_at"], moved.json["closes_at"]) == (200, z(2026, 3, 5, 9), z(2026, 3, 6))
    again = {"at": at(2026, 3, 6, 9), "reason": "later"}
    assert refused(put(house, one, "appointment", **again)) == (428, "if_match_required")
    assert put(house, one, "appointment", 1, **again).headers["ETag"] == '"2"'
    assert extra(house, subject) == [("not_yet", z(2026, 3, 6, 9), 34)]
    house.to(2026, 3, 6, 9, 30)
    came = put(house, one, "attendance", at=house.now, outcome="attended")
    assert (came.status_code, came.json["status"], came.json["satisfied_at"]) == (200, "done", z(2026, 3, 6, 9, 30))
    told = house.monitor.get(f"/visits/{one}/history").json["items"]
    assert [(row["kind"], row["at"], row["outcome"], row["reason"]) for row in told] == [
        ("appointment", z(2026, 3, 5, 9), None, "no car before"),
        ("appointment", z(2026, 3, 6, 9), None, "later"),
        ("attendance", z(2026, 3, 6, 9, 30), "attended", None),
    ]


def test_taken_back_it_is_not_applicable_and_may_be_agreed_anew(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.infused(days_ago=30)
    one = add(house, subject, at(2026, 3, 4, 10)).json["id"]
    back = put(house, one, "appointment", at=None, reason="healed")
    assert (back.status_code, back.json["status"], back.json["excused"]) == (200, "not_applicable", "cancelled")
    house.to(2026, 3, 4, 23)
    assert extra(house, subject) == [("not_applicable", None, None)]
    house.turn(days=3)
    assert extra(house, subject) == [("not_applicable", None, None)]  # not missed: nothing was expected
    anew = put(house, one, "appointment", 1, at=at(2026, 3, 9, 10), reason="worse again")
    assert (anew.status_code, anew.json["status"], anew.json["due_at"]) == (200, "not_yet", z(2026, 3, 9, 10))


def test_a_visit_that_was_taken_back_and_took_place_is_no_lost_fact(sqlite_house: House) -> None:
    """Cancelled by telephone, then they came after all: the attendance shows, or is refused; it does not vanish."""
    house = sqlite_house
    subject = house.infused(days_ago=30)
    one = add(house, subject, at(2026, 3, 4, 10)).json["id"]
    put(house, one, "appointment", at=None, reason="healed")
    house.to(2026, 3, 4, 11)
    answer = put(house, one, "attendance", at=house.now, outcome="attended")
    assert answer.status_code == 409 or answer.json["status"] == "done", answer.text


def test_missed_by_word_or_by_time(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.infused(days_ago=30)
    one, two = (add(house, subject, at(2026, 3, 4, hour)).json["id"] for hour in (10, 15))
    house.to(2026, 3, 4, 11)
    assert [status for status, *_ in extra(house, subject)] == ["due", "open"]
    assert faults(put(house, one, "attendance", at=house.now, outcome="missed")) == [("/reason", "required")]
    said = put(house, one, "attendance", at=house.now, outcome="missed", reason="did not come")
    assert said.json["status"] == "missed"
    house.to(2026, 3, 4, 23, 59)
    assert extra(house, subject)[1][0] == "due"
    house.turn(minutes=1)
    assert extra(house, subject)[1][0] == "missed"
    late = put(house, two, "attendance", at=house.now, outcome="attended")
    assert late.json["status"] == "late"


def test_one_that_took_place_is_added_afterwards(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.infused(days_ago=30)
    added = add(house, subject, ago(house, days=2))
    assert [one["code"] for one in added.json["remarks"]] == ["not_working_day", "in_the_past"]  # Saturday
    came = put(house, added.json["id"], "attendance", at=ago(house, days=2), outcome="attended")
    assert (came.json["status"], came.json["day"]) == ("done", 28)
    assert [one["code"] for one in came.json["remarks"]] == ["not_working_day"]  # it is over: nothing to warn of


def test_several_on_one_date_say_so(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.infused(days_ago=30)  # 31 January: V15 is planned for 1 April, window 25 March to 8 April
    stranger = house.infused(days_ago=30, number="002")
    assert add(house, stranger, at(2026, 4, 2, 9)).json["remarks"] == []
    assert add(house, subject, at(2026, 4, 2, 9)).json["remarks"] == []
    second = add(house, subject, at(2026, 4, 2, 23, 59))
    assert second.json["remarks"] == [{"code": "same_day", "detail": "UNS"}]
    third = put(house, visit(house, subject, "V15")["id"], "appointment", at=at(2026, 4, 2, 14), reason=None)
    assert third.json["remarks"] == [{"code": "same_day", "detail": "UNS, UNS"}]
    next_day = put(house, second.json["id"], "appointment", at=at(2026, 4, 3, 0), reason="after midnight")
    assert next_day.json["remarks"] == []


def test_repeats_bad_input_and_who_may(sqlite_house: House) -> None:
    house = sqlite_house
    subject, other = house.infused(days_ago=30), house.infused(days_ago=30, number="002")
    same, when = str(uuid4()), at(2026, 3, 4, 10)
    assert [add(house, subject, when, id=same).status_code for _ in range(2)] == [201, 200]
    assert refused(add(house, subject, when + timedelta(hours=1), id=same)) == (409, "id_taken")
    assert refused(add(house, other, when, id=same)) == (409, "id_taken")
    assert refused(add(house, subject, when, id=visit(house, subject, "V15")["id"])) == (409, "id_taken")
    assert faults(add(house, subject, when, reason="")) == [("/reason", "wrong_length")]
    assert faults(add(house, subject, "2026-03-04")) == [("/at", "invalid_instant")]
    assert refused(house.monitor.post(f"/subjects/{subject['id']}/visits", {})) == (403, "forbidden")
    body = {"id": str(uuid4()), "at": iso(when), "reason": "x"}
    assert refused(house.stranger.post(f"/subjects/{subject['id']}/visits", body)) == (404, "not_found")
    ahead = put(house, same, "attendance", at=ago(house, minutes=-6), outcome="attended")
    assert faults(ahead) == [("/at", "in_the_future")]
    assert extra(house, other) == []
