"""A lost phone and other excuses: what adherence counts and what it leaves out, and that silence pages all the same."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from house import House, Person, iso

from tests.trial.desk import Subject, ago, at, faults, refused, slots, z


def excuse(house: House, subject: Subject, **over: Any) -> Any:
    body = {"id": str(uuid4()), "kind": "device_lost", "since": house.now, "until": None, "reason": "left in a taxi"}
    return house.nurse.post(f"/subjects/{subject['id']}/excuses", {k: iso(v) for k, v in {**body, **over}.items()})


def change(house: House, subject: Subject, one: Mapping[str, Any], version: int, **over: Any) -> Any:
    body = {"reason": "the phone is back", **{name: iso(value) for name, value in over.items()}}
    return house.nurse.patch(f"/subjects/{subject['id']}/excuses/{one['id']}", body, version)


def adherence(house: House, subject: Subject) -> dict[str, Any]:
    answer = house.monitor.get(f"/subjects/{subject['id']}/adherence")
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


def total(house: House, subject: Subject) -> tuple[int, int, int, int, int, dict[str, int], Any]:
    said = adherence(house, subject)["total"]
    return tuple(said[name] for name in ("expected", "done", "late", "missed", "excused", "reasons", "percent"))  # type: ignore[return-value]


@pytest.fixture
def home(sqlite_house: House) -> tuple[House, Subject, Person]:
    """Infused on 27 February at 13:00; day 1 is 28 February: four times with 4 quick forms, 2 neuro, 1 daily. Of
    day 0 only the evening counts (20:00: quick and daily); its morning has closed at 13:00 sharp."""
    house = sqlite_house
    house.time.at = at(2026, 2, 27, 13)
    subject = house.infused()
    return house, subject, house.patient_of(subject)


def reported(house: House, patient: Person, *local: int) -> None:
    house.to(2026, *local)
    assert house.report(patient).status_code == 201


def test_from_the_loss_to_the_return_nothing_is_expected(home: tuple[House, Subject, Person]) -> None:
    house, subject, _ = home
    house.to(2026, 3, 3, 1)  # the evening of day 3 closed at 00:55
    lost = excuse(house, subject, since=at(2026, 2, 28, 12), until=at(2026, 3, 1, 12))
    assert (lost.status_code, lost.headers["ETag"], lost.json["revision"]) == (201, '"1"', 1)
    held = ("excused", "device_lost")
    # [from, to): the slot at the very beginning is excused, the one at the very end is not.
    assert slots(house, subject, 1) == [
        ("07:00", "missed", None),
        *((when, *held) for when in ("12:00", "17:00", "21:30")),
    ]
    assert slots(house, subject, 2) == [
        ("07:00", *held),
        *((when, "missed", None) for when in ("12:00", "17:00", "21:30")),
    ]
    # day 0 evening 2, day 1 07:00 2, day 2 12:00 1, 17:00 1, 21:30 3, day 3 (2 March) 2+1+1+3 = 16 expected;
    # excused: day 1 1+1+3, day 2 07:00 2 = 7
    assert total(house, subject) == (16, 0, 0, 16, 7, {"device_lost": 7}, Decimal("0.0"))


def test_ended_later_and_taken_back(home: tuple[House, Subject, Person]) -> None:
    house, subject, _ = home
    house.to(2026, 2, 28, 8)
    lost = excuse(house, subject).json
    assert [one[2] for one in slots(house, subject, 5)] == ["device_lost"] * 4  # while it lasts
    house.to(2026, 3, 2, 10)
    assert faults(change(house, subject, lost, 1, until=at(2026, 2, 28, 7))) == [("/until", "out_of_order")]
    assert refused(change(house, subject, lost, 3, until=house.now)) == (412, "stale")
    assert faults(change(house, subject, lost, 1, until=house.now, reason="")) == [("/reason", "wrong_length")]
    ended = change(house, subject, lost, 1, until=house.now)
    assert (ended.status_code, ended.headers["ETag"], ended.json["until"]) == (200, '"2"', z(2026, 3, 2, 10))
    assert [one[2] for one in slots(house, subject, 3)] == ["device_lost", None, None, None]
    assert [one[2] for one in slots(house, subject, 5)] == [None] * 4
    reopened = change(house, subject, lost, 2, until=None, reason="lost again")
    assert (reopened.status_code, reopened.json["until"]) == (200, None)
    assert [one[2] for one in slots(house, subject, 5)] == ["device_lost"] * 4
    gone = change(house, subject, lost, 3, void=True, reason="another subject's phone")
    assert (gone.status_code, gone.json["void"]) == (200, True)
    assert [one[2] for one in slots(house, subject, 3)] == [None] * 4
    assert house.nurse.get(f"/subjects/{subject['id']}/excuses").json["items"] == []
    assert refused(change(house, subject, lost, 4, until=None)) == (404, "not_found")


def test_percentages_and_reasons_by_hand(home: tuple[House, Subject, Person]) -> None:
    """Quick forms only. Day 0 evening done; day 1 07:00 done, 12:00 late, 17:00 and 21:30 excused (lost); day 2 07:00
    done though the phone was lost, 12:00 excused (other), 17:00 missed, 21:30 missed."""
    house, subject, patient = home
    reported(house, patient, 2, 27, 20, 5)
    reported(house, patient, 2, 28, 7, 10)
    reported(house, patient, 2, 28, 13, 0)  # late from 13:00 on
    reported(house, patient, 3, 1, 7, 30)
    house.to(2026, 3, 2, 6)
    excuse(house, subject, since=at(2026, 2, 28, 15), until=at(2026, 3, 1, 9))
    excuse(house, subject, kind="other", since=at(2026, 3, 1, 11), until=at(2026, 3, 1, 13), reason="examination")
    rows = {row["form"]: row for row in adherence(house, subject)["items"]}
    counted = ("week", "expected", "done", "late", "missed", "excused")
    assert [rows["quick"][name] for name in counted] == [0, 6, 3, 1, 2, 3]
    assert rows["quick"]["reasons"] == {"device_lost": 2, "other": 1}
    assert str(rows["quick"]["percent"]) == "66.7"  # 4 of 6
    # daily: day 0 evening missed, day 1 excused, day 2 missed. neuro: day 1 07:00 missed, 21:30 excused,
    # day 2 07:00 excused (a form of its own, and nobody handed it in), 21:30 missed.
    assert [rows["daily"][name] for name in counted] == [0, 2, 0, 0, 2, 1]
    assert [rows["neuro"][name] for name in counted] == [0, 2, 0, 0, 2, 2]
    assert total(house, subject) == (10, 3, 1, 6, 6, {"device_lost": 5, "other": 1}, Decimal("40.0"))


def test_what_is_not_settled_is_not_counted(home: tuple[House, Subject, Person]) -> None:
    house, subject, _ = home
    assert total(house, subject) == (0, 0, 0, 0, 0, {}, None)
    house.to(2026, 2, 28, 0, 59)
    assert total(house, subject)[0] == 0
    house.turn(minutes=1)  # 20:00 closes five hours later
    assert total(house, subject) == (2, 0, 0, 2, 0, {}, Decimal("0.0"))


# --- Safety is not excused --------------------------------------------------------------------------------------


def test_silence_pages_though_the_phone_is_lost(house: House) -> None:
    """A report at 07:05, then none. 12:00 and 17:00 have closed at 20:25: two in a row, with or without excuse."""
    kinds = (None, "device_lost", "other")
    subjects = [house.infused(days_ago=6, number=f"00{n}") for n in range(len(kinds))]
    patients = [house.patient_of(subject) for subject in subjects]
    house.to(2026, 3, 3, 7, 5)
    for patient in patients:
        assert house.report(patient).status_code == 201
    house.to(2026, 3, 3, 10)
    for kind, subject in zip(kinds, subjects, strict=True):
        if kind:
            assert excuse(house, subject, kind=kind).status_code == 201
        assert [one[2] for one in slots(house, subject, 7)] == [None, kind, kind, kind]
    house.to(2026, 3, 3, 20, 24)
    assert house.pages() == []
    house.turn(minutes=1)
    assert len({page["text"] for page in house.pages()}) == len(kinds)
    episodes = house.doctor.get("/episodes").json["items"]
    assert {one["subject_id"]: one["level"] for one in episodes} == {one["id"]: "URGENT" for one in subjects}


# --- Too little comes --------------------------------------------------------------------------------------------


def flags(house: House, subject: Subject) -> tuple[tuple[int, int, bool], tuple[int, int, bool]]:
    """(reported, expected, low) as the subject's page and as the nurse's list say it."""
    recent = adherence(house, subject)["recent"]
    assert recent["days"] == 7
    own = (recent["done"] + recent["late"], recent["expected"], recent["low"])
    items = house.nurse.get("/calendar?limit=200").json["items"]
    listed = {
        (one["adherence"]["reported"], one["adherence"]["expected"], one["adherence"]["low"])
        for one in items
        if one["subject_id"] == subject["id"]
    }
    assert len(listed) == 1
    return own, listed.pop()


NOONS_AND_FIVES = [(2, 12), (2, 17), (3, 12), (3, 17), (4, 12)]  # one quick form each; in March


def only_noons_and_fives(house: House, number: str = "001") -> tuple[Subject, Person]:
    """Infused on 1 March; of 2 to 4 March only 12:00 and 17:00 are expected, everything else is excused."""
    subject = house.infused(days_ago=1, number=number)
    for (day, hour), (until, end) in (((2, 0), (2, 12)), ((2, 21), (3, 12)), ((3, 21), (4, 12)), ((4, 16), (5, 0))):
        spared = excuse(house, subject, kind="other", since=at(2026, 3, day, hour), until=at(2026, 3, until, end))
        assert spared.status_code == 201
    return subject, house.patient_of(subject)


def test_low_adherence_at_the_threshold_and_one_short(sqlite_house: House) -> None:
    """Four, three and none of five handed in; a slot is settled when it closes, 205 minutes after its time."""
    house = sqlite_house
    people = {n: only_noons_and_fives(house, f"00{n}") for n in (4, 3, 0)}

    def seen(*local: int) -> dict[int, tuple[int, int, bool]]:
        """By how many they hand in, as subject's page and nurse's list agree on it."""
        house.to(2026, 3, *local)
        both = {n: flags(house, subject) for n, (subject, _) in people.items()}
        assert all(own == listed for own, listed in both.values())
        return {n: own for n, (own, _) in both.items()}

    for n, (day, hour) in enumerate(NOONS_AND_FIVES[:4], start=1):
        house.to(2026, 3, day, hour, 5)
        for handed_in, (_, patient) in people.items():
            if n <= handed_in:
                assert house.report(patient).status_code == 201
    assert seen(3, 20, 24)[0] == (0, 3, False)  # too few expected to say anything
    assert seen(3, 20, 25)[0] == (0, 4, True)
    assert seen(4, 15, 24) == {4: (4, 4, False), 3: (3, 4, True), 0: (0, 4, True)}  # 75 % is below 80 %
    assert seen(4, 15, 25) == {4: (4, 5, False), 3: (3, 5, True), 0: (0, 5, True)}  # 80 % is not


def test_only_the_last_seven_days_count(sqlite_house: House) -> None:
    """Missed at noon on 2 March: still among the last seven days at noon of the 9th, not a minute later."""
    house = sqlite_house
    subject, _ = only_noons_and_fives(house)
    excuse(house, subject, kind="other", since=at(2026, 3, 5, 0), until=at(2026, 3, 20, 0), reason="travel")
    house.to(2026, 3, 9, 12)
    assert flags(house, subject)[0] == (0, 5, True)
    house.turn(minutes=1)
    assert flags(house, subject) == ((0, 4, True), (0, 4, True))
    house.to(2026, 3, 9, 17, 1)
    assert flags(house, subject) == ((0, 3, False), (0, 3, False))
    assert adherence(house, subject)["total"]["expected"] == 5


def test_both_doors_count_a_report_handed_in_before_its_hour(sqlite_house: House) -> None:
    """The slot of 12:00 opens at 11:00: handed in at 11:10 it is done, on the subject's page and in the list."""
    house = sqlite_house
    subject, patient = only_noons_and_fives(house)
    reported(house, patient, 3, 2, 11, 10)
    own, listed = flags(house, subject)
    assert own == listed


def test_bad_excuses_and_who_may(home: tuple[House, Subject, Person]) -> None:
    house, subject, _ = home
    assert faults(excuse(house, subject, kind="lazy")) == [("/kind", "not_allowed")]
    assert faults(excuse(house, subject, kind="admitted")) == [("/kind", "not_allowed")]
    assert faults(excuse(house, subject, reason="")) == [("/reason", "wrong_length")]
    assert faults(excuse(house, subject, until=house.now)) == [("/until", "out_of_order")]
    assert faults(excuse(house, subject, since=ago(house, days=401))) == [("/since", "out_of_range")]
    assert faults(excuse(house, subject, since="soon")) == [("/since", "invalid_instant")]
    same = str(uuid4())
    assert [excuse(house, subject, id=same).status_code for _ in range(2)] == [201, 200]
    assert refused(excuse(house, subject, id=same, reason="other words")) == (409, "id_taken")
    assert refused(house.monitor.post(f"/subjects/{subject['id']}/excuses", {})) == (403, "forbidden")
    assert refused(house.stranger.get(f"/subjects/{subject['id']}/excuses")) == (404, "not_found")
