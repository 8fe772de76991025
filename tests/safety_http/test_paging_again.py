"""When a running episode pages again, when it only grows, and when it pauses, rises or waits for the digest."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from house import House, iso
from werkzeug.test import TestResponse

from tests.safety_http.builders import Patient, at_day, daily, quick

WORRIED = quick(worry="now")  # URGENT, and asks for no repeat


def snooze(patient: Patient, until: datetime) -> TestResponse:
    episode = patient.open_episode()
    assert episode is not None
    body = {"id": str(uuid4()), "until": iso(until), "reason": "being examined on the ward"}
    return patient.house.doctor.post(f"/episodes/{episode['id']}/snooze", body)


def episode_of(patient: Patient) -> dict[str, Any]:
    episode = patient.open_episode()
    assert episode is not None
    return episode


def contacted_at_38(house: House) -> Patient:
    """A patient with 38.0 °C whom the doctor has telephoned; an hour has passed."""
    patient = at_day(house, 6)
    patient.send(quick(temp_c=38.0))
    assert house.pages() != []
    patient.answer("contacted")
    house.turn(hours=1)
    return patient


# --- after contact ----------------------------------------------------------------------------------------------


def test_after_contact_a_lasting_fever_joins_without_a_page(sqlite_house: House) -> None:
    patient = contacted_at_38(sqlite_house)
    answer = patient.taken(quick(temp_c=38.4))
    assert {signal["rule"]: signal["level"] for signal in answer["signals"]} == {"R10": "EMERGENCY", "R11": "URGENT"}
    assert answer["page"] == "none"
    assert sqlite_house.pages() == []
    episode = episode_of(patient)
    assert (episode["level"], episode["state"], episode["paging"]) == ("URGENT", "contacted", False)
    assert [s["held_because"] for s in episode["signals"] if s["rule"] == "R10"] == ["after_contact"]


def test_after_contact_half_a_degree_more_pages(sqlite_house: House) -> None:
    patient = contacted_at_38(sqlite_house)
    assert patient.taken(quick(temp_c=38.5))["page"] == "queued"
    assert sqlite_house.pages() != []
    assert episode_of(patient)["level"] == "EMERGENCY"


def test_after_contact_half_a_degree_more_pages_in_an_emergency_too(sqlite_house: House) -> None:
    for hotter, pages in ((39.4, False), (39.5, True)):
        patient = at_day(sqlite_house, 6)
        patient.send(quick(temp_c=39.0))
        assert sqlite_house.pages() != []
        patient.answer("contacted")
        patient.answer("seen")
        sqlite_house.turn(minutes=30)
        assert patient.taken(quick(temp_c=hotter))["page"] == ("queued" if pages else "none")
        assert bool(sqlite_house.pages()) is pages, hotter
        patient.answer("accepted")
        sqlite_house.turn(minutes=30)
        patient.send(quick(temp_c=hotter))
        assert sqlite_house.pages() == []  # no hotter than before
        patient.close(outcome="crs", crs_grade=1)


def test_after_contact_a_new_organ_pages(sqlite_house: House) -> None:
    patient = contacted_at_38(sqlite_house)
    assert patient.send(quick(temp_c=38.1, breath=2))["R07"] == "URGENT"
    assert sqlite_house.pages() != []


def test_after_contact_another_emergency_pages_although_the_fever_only_joined(sqlite_house: House) -> None:
    patient = contacted_at_38(sqlite_house)
    patient.send(quick(temp_c=38.1))
    assert sqlite_house.pages() == []
    assert patient.values(("anc", 0.3))["R09"] == "EMERGENCY"
    assert sqlite_house.pages() != []


def test_a_rising_trend_beside_a_fever_that_is_known_is_no_new_organ(sqlite_house: House) -> None:
    patient = at_day(sqlite_house, 6)
    for n, degrees in enumerate((38.0, 38.2, 38.5)):
        said = patient.send(quick(temp_c=degrees))
        assert bool(sqlite_house.pages()) is (n == 0), degrees
        patient.answer("accepted")
        sqlite_house.turn(minutes=25)
    assert said == {"R11": "URGENT", "T1": "URGENT"}


# --- worse, or the same again -------------------------------------------------------------------------------------


def test_the_same_again_joins_and_a_higher_level_or_a_new_organ_pages(sqlite_house: House) -> None:
    patient = at_day(sqlite_house, 6)
    steps = [
        (quick(dizzy=2), True),  # opens
        (quick(dizzy=2), False),  # the same again
        (quick(dizzy=3), False),  # the same level, the same organ
        (quick(breath=2), True),  # a new organ at the same level
        (quick(breath=2, dizzy=2), False),
        (quick(breath=3), True),  # a higher level
        (quick(breath=3), False),
        (quick(worry="tomorrow"), False),  # a question for the worklist
        (daily(headache=3), True),  # an emergency of another organ
    ]
    for n, (sent, pages) in enumerate(steps):
        assert patient.send(sent) != {}
        assert bool(sqlite_house.pages()) is pages, f"step {n}"
        patient.answer("accepted")
        sqlite_house.turn(seconds=90)
    assert len(sqlite_house.doctor.get(f"/episodes?subject_id={patient.subject['id']}").json["items"]) == 1


def test_what_was_not_accepted_goes_on_paging_and_the_same_again_does_not_begin_anew(sqlite_house: House) -> None:
    patient = at_day(sqlite_house, 6)
    patient.send(quick(confused=2))
    first = sqlite_house.pages()
    sqlite_house.turn(seconds=200)
    patient.send(quick(confused=2))
    assert sqlite_house.pages() == []
    sqlite_house.turn(seconds=99)
    assert sqlite_house.pages() == []
    sqlite_house.turn(seconds=1)
    assert {page["channel"] for page in sqlite_house.pages()} == {2}
    assert {page["channel"] for page in first} == {1}


# --- snooze, the ladder, the digest -------------------------------------------------------------------------------


def test_an_urgent_episode_pauses_for_four_hours_at_most(sqlite_house: House) -> None:
    patient = at_day(sqlite_house, 6)
    patient.send(WORRIED)
    assert len(sqlite_house.pages()) == 1
    too_long = snooze(patient, sqlite_house.now + timedelta(hours=4, seconds=1))
    assert (too_long.status_code, too_long.json["faults"][0]["path"]) == (422, "/until")
    assert snooze(patient, sqlite_house.now).status_code == 422
    until = sqlite_house.now + timedelta(hours=4)
    assert snooze(patient, until).status_code == 201
    sqlite_house.turn(seconds=4 * 3600 - 1)
    assert sqlite_house.pages() == []
    assert episode_of(patient)["level"] == "URGENT"
    sqlite_house.turn(seconds=1)
    assert len(sqlite_house.pages()) == 1
    sqlite_house.turn(seconds=1800)
    sqlite_house.work()
    assert episode_of(patient)["level"] == "EMERGENCY"


def test_an_emergency_is_never_paused(sqlite_house: House) -> None:
    patient = at_day(sqlite_house, 6)
    patient.send(quick(confused=2))
    refused = snooze(patient, sqlite_house.now + timedelta(hours=1))
    assert (refused.status_code, refused.json["code"]) == (409, "conflict")
    sqlite_house.work()
    sqlite_house.turn(seconds=300)
    assert sqlite_house.pages() != []


def test_something_worse_ends_the_pause(sqlite_house: House) -> None:
    patient = at_day(sqlite_house, 6)
    patient.send(WORRIED)
    sqlite_house.work()
    assert snooze(patient, sqlite_house.now + timedelta(hours=4)).status_code == 201
    sqlite_house.turn(minutes=10)
    patient.send(quick(confused=2))
    assert sqlite_house.pages() != []
    assert episode_of(patient)["snoozed_until"] is None


def test_an_urgent_page_nobody_accepts_becomes_an_emergency_after_half_an_hour(sqlite_house: House) -> None:
    patient = at_day(sqlite_house, 6)
    patient.send(WORRIED)
    assert len(sqlite_house.pages()) == 1
    for seconds, pages in ((599, 0), (1, 1), (599, 0), (1, 1), (599, 0)):
        sqlite_house.turn(seconds=seconds)
        assert len(sqlite_house.pages()) == pages
        assert episode_of(patient)["level"] == "URGENT"
    sqlite_house.turn(seconds=1)
    assert sqlite_house.pages() != []
    assert episode_of(patient)["level"] == "EMERGENCY"


def test_a_question_for_tomorrow_is_digested_after_twelve_hours_and_pages_nobody(sqlite_house: House) -> None:
    patient = at_day(sqlite_house, 6)
    sqlite_house.to(2026, 3, 3, 7, 0)
    answer = patient.taken(quick(worry="tomorrow"))
    assert (answer["page"], answer["advice"]["level"], answer["advice"]["call_now"]) == ("none", "REVIEW", False)
    assert sqlite_house.pages() == []
    sqlite_house.to(2026, 3, 3, 9, 0)
    patient.send(quick(temp_c=36.7))
    sqlite_house.to(2026, 3, 3, 18, 59, 59)
    assert "digest" not in {message["template"] for message in sqlite_house.work()}
    sqlite_house.turn(seconds=1)
    sent = sqlite_house.work()
    assert [(message["to"], message["lane"], message["template"]) for message in sent] == [
        (sqlite_house.chief.phone, "reminder", "digest")
    ]


def test_a_practice_entry_raises_nothing(sqlite_house: House) -> None:
    patient = at_day(sqlite_house, 6)
    patient.send(quick())
    worst = quick(temp_c=40.0, chills=3, confused=3, now_any=["cannot_wake"], worry="now")
    answer = patient.taken(worst, practice=True)
    assert (answer["signals"], answer["page"], answer["advice"]["level"]) == ([], "none", None)
    assert sqlite_house.pages() == []
    assert patient.stored() == {}
    assert patient.open_episode() is None
    sqlite_house.turn(hours=1)
    assert patient.send(quick(temp_c=38.0)) == {"R11": "URGENT"}  # and is no earlier fever of R10
    assert answer["entry"]["practice"] is True
