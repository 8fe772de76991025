"""Adverse events through the doors: recorded once, judged by doctors, corrected with a reason, reported in time."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from house import House, iso

from tests.contract.stage import RASH
from tests.outcomes.events import HOSPITAL, JUDGED, LATE, content, correct, corrected, listed, read, record, send
from tests.trial.desk import ago, faults, refused

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


def test_the_day_goes_on_while_it_stays_serious(sqlite_house: House) -> None:
    """ICH E2A: from when the site knew; a null is no other instant."""
    house = sqlite_house
    known = ago(house, hours=20)
    event = record(house, house.infused(days_ago=3), onset_at=ago(house, hours=30), serious_known_at=known, **HOSPITAL)
    house.turn(hours=2)
    second = corrected(house, event, serious_known_at=None, reason="seen again")
    assert (second["serious_known_at"], second["report_due_at"]) == (iso(known), event["report_due_at"])
    earlier = corrected(house, second, serious_known_at=known - timedelta(hours=1), reason="by telephone")
    assert earlier["serious_known_at"] == iso(known - timedelta(hours=1))
    none = corrected(house, earlier, serious=False, seriousness=[], serious_known_at=None, reason="at home")
    assert (none["serious_known_at"], none["report_due_at"]) == (None, None)
    again = corrected(house, none, **HOSPITAL)
    assert again["serious_known_at"] == iso(house.now)


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


def test_the_first_request_repeated_after_a_correction_is_still_one(sqlite_house: House) -> None:
    """The answer was lost on the way, somebody corrected meanwhile: what came first is known, what holds is told."""
    house = sqlite_house
    subject = house.infused(days_ago=10)
    first = content(house)
    path = f"/subjects/{subject['id']}/adverse-events"
    assert house.nurse.post(path, first).status_code == 201
    changed = house.nurse.patch(f"/adverse-events/{first['id']}", {"grade": 3, "reason": "spread"}, 1)
    assert changed.status_code == 200
    again = house.nurse.post(path, first)
    assert (again.status_code, again.json["revision"], again.json["grade"]) == (200, 2, 3)
    assert refused(house.nurse.post(path, {**first, "grade": 1})) == (409, "id_taken")
