"""Adverse events through the doors: recorded once, judged by doctors, corrected with a reason, reported in time.

And the table of them: by dose level and study days, subjects by their worst grade, what was taken back left out.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from house import House, iso
from werkzeug.test import TestResponse

from tests.contract.stage import RASH, but
from tests.trial.desk import Subject, ago, faults, refused

HOSPITAL: dict[str, Any] = {"serious": True, "seriousness": ["hospitalisation"]}
JUDGED = ("related_product", "related_lymphodepletion", "related_procedure")
LATE = {"contact": {"name": "Zhao Min", "phone": "13500135000"}}


def content(house: House, **over: Any) -> dict[str, Any]:
    """A rash of this morning; `...` leaves a field out."""
    body = but({"id": str(uuid4()), **RASH, "onset_at": ago(house, hours=1)}, **over)
    return {name: iso(value) for name, value in body.items()}


def send(house: House, subject: Subject, *, by: str = "nurse", **over: Any) -> TestResponse:
    path = f"/subjects/{subject['id']}/adverse-events"
    return house.people[by].post(path, content(house, **over))


def record(house: House, subject: Subject, *, by: str = "nurse", **over: Any) -> dict[str, Any]:
    answer = send(house, subject, by=by, **over)
    assert answer.status_code == 201, answer.text
    return dict(answer.json)


def correct(house: House, event: Mapping[str, Any], *, by: str = "nurse", **change: Any) -> TestResponse:
    body = {"reason": "typed wrongly", **{name: iso(value) for name, value in change.items()}}
    return house.people[by].patch(f"/adverse-events/{event['id']}", body, event["revision"])


def corrected(house: House, event: Mapping[str, Any], *, by: str = "nurse", **change: Any) -> dict[str, Any]:
    answer = correct(house, event, by=by, **change)
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


def read(house: House, event: Mapping[str, Any], by: str = "nurse") -> dict[str, Any]:
    answer = house.people[by].get(f"/adverse-events/{event['id']}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


def listed(house: House, query: str = "", by: str = "nurse") -> list[str]:
    return [one["id"] for one in house.people[by].get(f"/adverse-events{query}").json["items"]]


def summary(house: House, query: str = "", by: str = "nurse") -> dict[str, Any]:
    answer = house.people[by].get(f"/adverse-events/summary{query}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


# --- Recorded once --------------------------------------------------------------------------------------------


def test_recorded_with_all_that_was_not_said(house: House) -> None:
    subject = house.infused(days_ago=3)
    event = record(house, subject)
    expected = {
        "revision": 1,
        "subject_id": subject["id"],
        "site_id": str(house.site_id),
        **RASH,
        "onset_at": iso(ago(house, hours=1)),
        "ended_at": None,
        "serious": False,
        "seriousness": [],
        "report_due_at": None,
        "report_overdue": False,
        **dict.fromkeys(JUDGED, "not_assessed"),
        "action": "none",
        "outcome": "ongoing",
        "dlt": "no",
        "void": False,
        "recorded_at": iso(house.now),
    }
    assert {name: event[name] for name in expected} == expected
    assert read(house, event) == event


@pytest.mark.parametrize("serious", [False, True])
def test_sent_again_it_is_the_same_event(sqlite_house: House, serious: bool) -> None:
    """Also where the answer was lost and the phone tries again a minute later."""
    house = sqlite_house
    subject = house.infused(days_ago=3)
    body = content(house, **(HOSPITAL if serious else {}))
    path = f"/subjects/{subject['id']}/adverse-events"
    first = house.nurse.post(path, body)
    house.turn(minutes=1)
    again = house.nurse.post(path, body)
    assert (first.status_code, again.status_code) == (201, 200), again.text
    assert again.json == first.json
    assert listed(house) == [body["id"]]


def test_an_id_stands_for_one_content_of_one_subject(sqlite_house: House) -> None:
    house = sqlite_house
    subject, other = house.infused(days_ago=3), house.enrol(number="002", **LATE)
    event = record(house, subject)
    assert refused(send(house, subject, id=event["id"], grade=3)) == (409, "id_taken")
    assert refused(send(house, other, id=event["id"])) == (409, "id_taken")
    assert read(house, event) == event


# --- Corrected with a reason ----------------------------------------------------------------------------------


def test_history_keeps_old_and_new_with_names_and_reasons(house: House) -> None:
    event = record(house, house.infused(days_ago=3), by="nurse")
    house.turn(minutes=10)
    second = corrected(house, event, by="doctor", grade=3, reason="seen again")
    assert (second["revision"], second["grade"], second["term"]) == (2, 3, RASH["term"])
    assert read(house, event) == second
    items = house.nurse.get(f"/adverse-events/{event['id']}/history").json["items"]
    told = [(one["revision"], one["grade"], one["reason"], one["recorded_by"]) for one in items]
    assert told == [(1, 2, None, "Nurse"), (2, 3, "seen again", "Doctor")]
    assert items[1]["recorded_at"] == iso(house.now)


def test_a_correction_says_which_revision_it_is_of(sqlite_house: House) -> None:
    house = sqlite_house
    event = record(house, house.infused(days_ago=3))
    path, body = f"/adverse-events/{event['id']}", {"grade": 3, "reason": "seen again"}
    assert refused(house.nurse.call("PATCH", path, body)) == (428, "if_match_required")
    assert house.nurse.patch(path, body, 1).status_code == 200
    assert refused(house.doctor.patch(path, {"grade": 1, "reason": "mine"}, 1)) == (412, "stale")
    assert read(house, event)["grade"] == 3


def test_a_correction_needs_a_reason(sqlite_house: House) -> None:
    house = sqlite_house
    event = record(house, house.infused(days_ago=3))
    answer = house.nurse.patch(f"/adverse-events/{event['id']}", {"grade": 3}, 1)
    assert faults(answer) == [("/reason", "required")]
    assert read(house, event) == event


def test_a_correction_keeps_the_rules_of_the_whole(sqlite_house: House) -> None:
    house = sqlite_house
    event = record(house, house.infused(days_ago=3))
    assert faults(correct(house, event, grade=5)) == [("/outcome", "contradiction")]
    assert faults(correct(house, event, serious=True)) == [("/seriousness", "required")]
    assert read(house, event) == event


def test_taken_back_it_is_listed_no_more_but_kept(sqlite_house: House) -> None:
    house = sqlite_house
    event = record(house, house.infused(days_ago=3))
    gone = corrected(house, event, void=True, reason="another subject's")
    assert (gone["void"], gone["revision"], gone["reason"]) == (True, 2, "another subject's")
    assert listed(house) == []
    items = house.nurse.get(f"/adverse-events/{event['id']}/history").json["items"]
    assert [one["void"] for one in items] == [False, True]


def test_the_trail_holds_what_was_and_what_is(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.infused(days_ago=3)
    corrected(house, record(house, subject), grade=3, reason="seen again")
    rows = house.chief.get(f"/audit?subject_id={subject['id']}").json["items"]
    last = rows[0]
    assert (last["verb"], last["reason"]) == ("adverse_event:corrected", "seen again")
    assert (last["old"]["grade"], last["new"]["grade"]) == (2, 3)
    assert rows[1]["verb"] == "adverse_event:recorded"


# --- Who may judge --------------------------------------------------------------------------------------------


def test_a_nurse_may_suspect_a_dlt(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.infused(days_ago=3)
    assert record(house, subject, dlt="suspected")["dlt"] == "suspected"
    assert corrected(house, record(house, subject), dlt="suspected")["dlt"] == "suspected"


@pytest.mark.parametrize("said", [{"dlt": "confirmed"}, *({name: "possible"} for name in JUDGED)])
def test_only_a_doctor_may_judge(sqlite_house: House, said: dict[str, str]) -> None:
    house = sqlite_house
    subject = house.infused(days_ago=3)
    assert refused(send(house, subject, **said)) == (403, "forbidden")
    event = record(house, subject)
    assert refused(correct(house, event, **said)) == (403, "forbidden")
    second = corrected(house, event, by="doctor", **said)
    assert said.items() <= second.items()
    assert said.items() <= record(house, subject, by="chief", **said).items()


@pytest.mark.parametrize("dlt", ["suspected", "confirmed"])
def test_a_nurse_may_not_decide_a_dlt_away(sqlite_house: House, dlt: str) -> None:
    house = sqlite_house
    event = record(house, house.infused(days_ago=3), by="doctor", dlt=dlt)
    assert refused(correct(house, event, dlt="no")) == (403, "forbidden")
    assert read(house, event)["dlt"] == dlt


def test_a_nurse_may_correct_the_rest_of_what_a_doctor_has_judged(sqlite_house: House) -> None:
    house = sqlite_house
    event = record(house, house.infused(days_ago=3), by="doctor", related_product="probable", dlt="confirmed")
    second = corrected(house, event, by="nurse", note="photographed")
    assert (second["note"], second["related_product"], second["dlt"]) == ("photographed", "probable", "confirmed")


@pytest.mark.parametrize("by", ["monitor", "statistician"])
def test_who_only_reads(sqlite_house: House, by: str) -> None:
    house = sqlite_house
    subject = house.infused(days_ago=3)
    assert refused(send(house, subject, by=by)) == (403, "forbidden")
    event = record(house, subject)
    assert refused(correct(house, event, by=by, grade=3)) == (403, "forbidden")
    assert read(house, event, by=by) == event


# --- The clock of a serious event -----------------------------------------------------------------------------


def test_known_now_unless_said_and_due_a_day_later(sqlite_house: House) -> None:
    house = sqlite_house
    event = record(house, house.infused(days_ago=3), **HOSPITAL)
    assert event["serious_known_at"] == iso(house.now)
    assert event["report_due_at"] == iso(house.now + timedelta(hours=24))


def test_due_a_day_after_the_site_knew(sqlite_house: House) -> None:
    house = sqlite_house
    known = ago(house, hours=20)
    event = record(house, house.infused(days_ago=3), onset_at=ago(house, hours=30), serious_known_at=known, **HOSPITAL)
    assert event["report_due_at"] == iso(house.now + timedelta(hours=4))


def test_overdue_only_once_the_day_is_over(sqlite_house: House) -> None:
    house = sqlite_house
    event = record(house, house.infused(days_ago=3), **HOSPITAL)
    assert event["report_overdue"] is False
    house.turn(hours=24)
    assert read(house, event)["report_overdue"] is False
    house.turn(seconds=1)
    assert read(house, event)["report_overdue"] is True


def test_nothing_is_due_once_reported(sqlite_house: House) -> None:
    house = sqlite_house
    event = record(house, house.infused(days_ago=3), **HOSPITAL)
    house.turn(hours=30)
    second = corrected(house, event, reported_at=house.now, reason="sent")
    assert (second["report_due_at"], second["report_overdue"]) == (None, False)
    assert second["serious_known_at"] == event["serious_known_at"]


def test_the_day_begins_when_it_turns_serious(sqlite_house: House) -> None:
    house = sqlite_house
    event = record(house, house.infused(days_ago=3))
    house.turn(hours=50)
    second = corrected(house, event, **HOSPITAL)
    assert second["report_due_at"] == iso(house.now + timedelta(hours=24))


# --- What cannot be -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("over", "found"),
    [
        ({"serious": True}, ("/seriousness", "required")),
        ({"seriousness": ["death"]}, ("/seriousness", "not_allowed")),
        ({"grade": 5}, ("/outcome", "contradiction")),
        ({"term": ...}, ("/term", "required")),
        ({"onset_at": ...}, ("/onset_at", "required")),
    ],
)
def test_refused(sqlite_house: House, over: dict[str, Any], found: tuple[str, str]) -> None:
    house = sqlite_house
    assert faults(send(house, house.infused(days_ago=3), **over)) == [found]
    assert listed(house) == []


@pytest.mark.parametrize("grade", [1, 2, 3, 4])
def test_fatal_is_grade_5_and_nothing_else(sqlite_house: House, grade: int) -> None:
    house = sqlite_house
    subject = house.infused(days_ago=3)
    fatal = {"outcome": "fatal", "ended_at": house.now}
    assert faults(send(house, subject, grade=grade, **fatal)) == [("/outcome", "contradiction")]
    assert record(house, subject, grade=5, **fatal)["grade"] == 5


def test_it_does_not_end_before_it_begins(sqlite_house: House) -> None:
    house = sqlite_house
    subject, onset = house.infused(days_ago=3), ago(house, hours=2)
    over = {"onset_at": onset, "outcome": "recovered"}
    early = send(house, subject, ended_at=onset - timedelta(seconds=1), **over)
    assert faults(early) == [("/ended_at", "out_of_order")]
    assert record(house, subject, ended_at=onset, **over)["ended_at"] == iso(onset)


@pytest.mark.parametrize("outcome", ["recovered", "recovered_with_sequelae"])
def test_what_is_over_has_an_end(sqlite_house: House, outcome: str) -> None:
    house = sqlite_house
    assert faults(send(house, house.infused(days_ago=3), outcome=outcome)) == [("/ended_at", "required")]


@pytest.mark.parametrize("outcome", ["ongoing", "recovering", "not_recovered"])
def test_what_goes_on_has_none(sqlite_house: House, outcome: str) -> None:
    house = sqlite_house
    answer = send(house, house.infused(days_ago=3), outcome=outcome, ended_at=house.now)
    assert faults(answer) == [("/ended_at", "contradiction")]


@pytest.mark.parametrize("name", ["onset_at", "ended_at", "serious_known_at", "reported_at"])
def test_nothing_lies_in_the_future(sqlite_house: House, name: str) -> None:
    """A clock may be five minutes ahead."""
    house = sqlite_house
    subject = house.infused(days_ago=3)
    over = {**HOSPITAL, "outcome": "unknown"}
    late = send(house, subject, **over, **{name: house.now + timedelta(minutes=5, seconds=1)})
    assert faults(late) == [(f"/{name}", "in_the_future")]
    record(house, subject, **over, **{name: house.now + timedelta(minutes=5)})


@pytest.mark.parametrize("name", ["serious_known_at", "reported_at"])
def test_only_a_serious_event_is_reported(sqlite_house: House, name: str) -> None:
    house = sqlite_house
    answer = send(house, house.infused(days_ago=3), **{name: house.now})
    assert faults(answer) == [("/reported_at", "not_allowed")]


def test_an_episode_of_the_subject_and_of_nobody_else(sqlite_house: House) -> None:
    house = sqlite_house
    subject, other = house.infused(days_ago=6), house.enrol(number="002", **LATE)
    assert house.report(house.patient_of(subject), {"temp_c": 38.4}).status_code == 201
    house.work()
    episode = house.nurse.get("/episodes").json["items"][0]["id"]
    for who, said in ((other, episode), (subject, str(uuid4()))):
        assert faults(send(house, who, episode_id=said)) == [("/episode_id", "not_allowed")]
    assert record(house, subject, episode_id=episode)["episode_id"] == episode


# --- On which scale -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("special", "scale"),
    [
        ("crs", ("ASTCT2019", "2019")),
        ("icans", ("ASTCT2019", "2019")),
        ("iec_hs", ("CTCAE", "5.0")),
        ("serious_infection", ("CTCAE", "5.0")),
        (None, ("CTCAE", "5.0")),
    ],
)
def test_scale(sqlite_house: House, special: str | None, scale: tuple[str, str]) -> None:
    house = sqlite_house
    event = record(house, house.infused(days_ago=3), special_interest=special)
    assert (event["scale"], event["scale_version"]) == scale


def test_the_scale_follows_what_it_turns_out_to_be(sqlite_house: House) -> None:
    house = sqlite_house
    event = record(house, house.infused(days_ago=3), term="fever", soc="general")
    assert corrected(house, event, special_interest="crs")["scale"] == "ASTCT2019"


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
    [("", {0, 30, 90}), ("?from_day=1&to_day=30", {30}), ("?from_day=30&to_day=91", {30, 90, 91}), ("?to_day=0", {0})],
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


def test_a_nurse_undoes_no_doctors_word(sqlite_house: House) -> None:
    """Confirmed back to suspected is a decision too; and a word on something else brings nothing back to life."""
    house = sqlite_house
    subject = house.infused(days_ago=3)
    body = {"id": str(uuid4()), "term": "neutropenia", "soc": "blood", "grade": 4, "onset_at": iso(house.now)}
    made = house.doctor.post(f"/subjects/{subject['id']}/adverse-events", {**body, "dlt": "confirmed"})
    assert made.status_code == 201, made.text
    path = f"/adverse-events/{body['id']}"
    back = house.nurse.patch(path, {"dlt": "suspected", "reason": "unsure"}, 1)
    assert (back.status_code, back.json["code"]) == (403, "forbidden")
    gone = house.doctor.patch(path, {"void": True, "reason": "another subject's"}, 1)
    assert (gone.status_code, gone.json["void"]) == (200, True)
    noted = house.nurse.patch(path, {"note": "see 002", "reason": "for the file"}, 2)
    assert (noted.status_code, noted.json["void"]) == (200, True)


@pytest.mark.parametrize(
    ("query", "path"), [("from_day=5&to_day=4", "/to_day"), ("as_of=2199-01-01T00:00:00Z", "/as_of")]
)
def test_a_table_of_nothing_is_refused(sqlite_house: House, query: str, path: str) -> None:
    answer = sqlite_house.monitor.get(f"/adverse-events/summary?{query}")
    assert [one["path"] for one in answer.json["faults"]] == [path]
