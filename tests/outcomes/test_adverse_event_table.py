"""Adverse events over subjects: lists by site, and the table by dose level and study days."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from house import House, iso

from tests.outcomes.events import (
    HOSPITAL,
    LATE,
    correct,
    corrected,
    listed,
    read,
    record,
    send,
    summary,
)
from tests.trial.desk import ago, refused

# --- Lists ----------------------------------------------------------------------------------------------------


def test_pages_with_the_newest_onset_first(house: House) -> None:
    subject = house.infused(days_ago=20)
    hours = [5, 1, 9, 3, 3, 7]
    made = [record(house, subject, onset_at=ago(house, hours=n)) for n in hours]
    corrected(house, made[0], grade=3)
    found: list[dict[str, Any]] = []
    sizes, cursor = [], ""
    while len(sizes) < 9:
        answer = house.nurse.get(f"/adverse-events?limit=2{cursor}").json
        found += answer["items"]
        sizes.append(len(answer["items"]))
        if answer["next_cursor"] is None:
            break
        cursor = f"&cursor={answer['next_cursor']}"
    assert sizes == [2, 2, 2]
    assert [one["onset_at"] for one in found] == [iso(ago(house, hours=n)) for n in sorted(hours)]
    assert {one["id"] for one in found} == {one["id"] for one in made}
    assert [one["revision"] for one in found if one["id"] == made[0]["id"]] == [2]


def test_list_of_a_subject_and_of_serious_ones(house: House) -> None:
    one, two = house.infused(days_ago=3), house.infused(days_ago=3, number="002", **LATE)
    mild, grave = record(house, one, onset_at=ago(house, hours=2)), record(house, two, **HOSPITAL)
    assert listed(house) == [grave["id"], mild["id"]]
    assert listed(house, "?serious=true") == [grave["id"]]
    assert listed(house, "?serious=false") == [mild["id"]]
    assert listed(house, f"?subject_id={one['id']}") == [mild["id"]]
    assert listed(house, f"?subject_id={one['id']}&serious=true") == []
    corrected(house, grave, serious=False, seriousness=[], serious_known_at=None)
    assert listed(house, "?serious=true") == []


@pytest.mark.parametrize("by", ["stranger", "rival"])
def test_another_site_sees_nothing(sqlite_house: House, by: str) -> None:
    house = sqlite_house
    subject = house.infused(days_ago=3)
    event = record(house, subject)
    who = house.people[by]
    for path in (
        f"/adverse-events/{event['id']}",
        f"/adverse-events/{event['id']}/history",
        f"/adverse-events?subject_id={subject['id']}",
    ):
        assert refused(who.get(path)) == (404, "not_found"), path
    assert refused(send(house, subject, by=by)) == (404, "not_found")
    assert refused(correct(house, event, by=by, grade=3)) == (404, "not_found")
    assert listed(house, by=by) == []
    assert summary(house, by=by) == {"dosed": {}, "items": []}
    assert read(house, event) == event


# --- The table ------------------------------------------------------------------------------------------------


def ward(house: House) -> list[dict[str, Any]]:
    """Two infused on level 1 and one on level 2, all a hundred days ago; and one not infused."""
    levels = ("1", "1", "2")
    some = [
        house.infused(days_ago=100, number=f"00{n}", dose_level=level, contact={"name": "A", "phone": f"1380000000{n}"})
        for n, level in enumerate(levels, start=1)
    ]
    return [*some, house.enrol(number="004", dose_level="2", contact={"name": "A", "phone": "13800000004"})]


def on_day(house: House, day: int) -> Any:
    return ago(house, days=100 - day)


def grades(line: Mapping[str, Any]) -> dict[str, int]:
    """Without the zeros."""
    assert set(line["by_grade"]) == set("12345")
    return {grade: n for grade, n in line["by_grade"].items() if n}


def test_subjects_count_once_by_their_worst_grade_and_events_each(house: House) -> None:
    one, two, three, _ = ward(house)
    for subject, day, grade in ((one, 1, 1), (one, 5, 3), (one, 9, 2), (two, 2, 2), (three, 2, 2)):
        record(house, subject, onset_at=on_day(house, day), grade=grade)
    record(house, one, onset_at=on_day(house, 3), term="anaemia", soc="blood", grade=4)
    found = summary(house)
    assert found["dosed"] == {"1": 2, "2": 1}
    assert [(line["dose_level"], line["soc"]) for line in found["items"]] == [
        ("1", "blood"),
        ("1", "skin"),
        ("2", "skin"),
    ]
    told = [(line["subjects"], line["events"], grades(line)) for line in found["items"]]
    assert told == [(1, 1, {"4": 1}), (2, 4, {"2": 1, "3": 1}), (1, 1, {"2": 1})]


def test_what_a_line_adds_up(sqlite_house: House) -> None:
    house = sqlite_house
    one, two, *_ = ward(house)
    said: list[dict[str, Any]] = [
        {"related_product": "possible", "dlt": "confirmed", **HOSPITAL},
        {"related_product": "definite", "dlt": "suspected"},
        {"related_product": "unlikely", "related_procedure": "definite"},
    ]
    for subject, over in zip((one, two, two), said, strict=True):
        record(house, subject, by="doctor", onset_at=on_day(house, 4), **over)
    [line] = summary(house)["items"]
    assert {name: line[name] for name in ("serious", "related", "dlt", "events")} == {
        "serious": 1,
        "related": 2,
        "dlt": 1,
        "events": 3,
    }


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ("", {0, 30, 90}),
        ("?from_day=1&to_day=30", {30}),
        ("?from_day=30&to_day=91", {30, 90, 91}),
        ("?to_day=0", {0}),
        ("?from_day=-5", {-1, 0, 30, 90}),
    ],
)
def test_days_outside_the_window_are_left_out(sqlite_house: House, query: str, days: set[int]) -> None:
    house = sqlite_house
    one, *_ = ward(house)
    for day in (-1, 0, 30, 90, 91):
        record(house, one, term=f"day {day}", onset_at=on_day(house, day))
    assert {line["term"] for line in summary(house, query)["items"]} == {f"day {day}" for day in days}


def test_the_study_day_turns_at_local_midnight(sqlite_house: House) -> None:
    """Infused at 09:00: 00:30 of the next morning is day 1, though it is not yet a day later."""
    house = sqlite_house
    one, *_ = ward(house)
    record(house, one, onset_at=on_day(house, 0) + timedelta(hours=15, minutes=30))
    assert summary(house, "?to_day=0")["items"] == []
    assert [line["events"] for line in summary(house, "?from_day=1&to_day=1")["items"]] == [1]


def test_what_was_taken_back_or_is_nobodys_who_was_infused_does_not_count(sqlite_house: House) -> None:
    house = sqlite_house
    one, two, _, waiting = ward(house)
    kept = record(house, one, onset_at=on_day(house, 3))
    corrected(house, record(house, two, onset_at=on_day(house, 3), grade=4), void=True)
    record(house, waiting, onset_at=on_day(house, 3), grade=4)
    corrected(house, kept, grade=1)
    assert [(line["subjects"], line["events"], grades(line)) for line in summary(house)["items"]] == [(1, 1, {"1": 1})]


def test_one_dose_level(sqlite_house: House) -> None:
    house = sqlite_house
    one, _, three, _ = ward(house)
    for subject in (one, three):
        record(house, subject, onset_at=on_day(house, 3))
    found = summary(house, "?dose_level=2")
    assert found["dosed"] == {"2": 1}
    assert [line["dose_level"] for line in found["items"]] == ["2"]


def test_as_it_stood(sqlite_house: House) -> None:
    house = sqlite_house
    one, *_ = ward(house)
    event = record(house, one, onset_at=on_day(house, 3))
    then = iso(house.now)
    house.turn(hours=1)
    corrected(house, event, grade=4)
    assert [grades(line) for line in summary(house, f"?as_of={then}")["items"]] == [{"2": 1}]
    assert [grades(line) for line in summary(house)["items"]] == [{"4": 1}]


@pytest.mark.parametrize(
    ("query", "path"), [("from_day=5&to_day=4", "/to_day"), ("as_of=2199-01-01T00:00:00Z", "/as_of")]
)
def test_a_table_of_nothing_is_refused(sqlite_house: House, query: str, path: str) -> None:
    answer = sqlite_house.monitor.get(f"/adverse-events/summary?{query}")
    assert [one["path"] for one in answer.json["faults"]] == [path]
