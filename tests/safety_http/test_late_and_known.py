"""What arrives late goes to the worklist (§3.6), what the team called known is a note: limits, and what is exempt."""

from datetime import timedelta
from typing import Any

from house import House

from tests.safety_http.builders import Patient, Sent, at_day, daily, quick

FEVER, SHAKING = quick(temp_c=38.0), quick(temp_c=38.0, chills=3)


def late(patient: Patient, sent: Sent, **delta: float) -> dict[str, Any]:
    """An entry made so long ago that reaches us only now; the patient has reported since, and is well."""
    patient.send(quick())
    made = patient.ago(**delta)
    return patient.taken(sent, measured_at=made, entered_at=made, queued_at=made)


def level_of(answer: dict[str, Any], rule: str) -> str:
    [found] = [signal["level"] for signal in answer["signals"] if signal["rule"] == rule]
    return str(found)


LATE = [
    (FEVER, "R11", {"hours": 23}, "URGENT", True),
    (FEVER, "R11", {"hours": 24}, "URGENT", True),
    (FEVER, "R11", {"hours": 24, "seconds": 1}, "REVIEW", False),
    (FEVER, "R11", {"hours": 25}, "REVIEW", False),
    (SHAKING, "R08", {"hours": 71}, "EMERGENCY", True),
    (SHAKING, "R08", {"hours": 72}, "EMERGENCY", True),
    (SHAKING, "R08", {"hours": 72, "seconds": 1}, "REVIEW", False),
    (SHAKING, "R08", {"hours": 73}, "REVIEW", False),
]


def test_a_late_entry_pages_for_a_day_and_its_emergency_for_three(sqlite_house: House) -> None:
    for sent, rule, delta, level, pages in LATE:
        patient = at_day(sqlite_house, 10)
        answer = late(patient, sent, **delta)
        assert level_of(answer, rule) == level, delta
        assert answer["page"] == ("queued" if pages else "none"), delta
        assert bool(sqlite_house.pages()) is pages, delta
        [signal] = [each for each in (patient.open_episode() or {})["signals"] if each["rule"] == rule]
        assert signal["held_because"] == (None if pages else "late")
        assert signal["found_level"] == ("URGENT" if rule == "R11" else "EMERGENCY")
        assert f"measured {timedelta(**delta) // timedelta(hours=1)} h ago" in signal["sentence"].lower()
        patient.close(outcome="crs", crs_grade=1)


def test_of_one_late_entry_only_its_emergency_pages(sqlite_house: House) -> None:
    patient = at_day(sqlite_house, 10)
    answer = late(patient, SHAKING, hours=25)
    assert (level_of(answer, "R08"), level_of(answer, "R11")) == ("EMERGENCY", "REVIEW")
    assert answer["advice"]["call_now"] is True
    assert sqlite_house.pages() != []


def test_a_value_typed_more_than_a_day_after_it_was_measured_is_for_the_worklist(sqlite_house: House) -> None:
    for delta, level in (({"hours": 24, "seconds": 1}, "REVIEW"), ({"hours": 25}, "REVIEW"), ({"hours": 24}, "URGENT")):
        patient = at_day(sqlite_house, 10)
        assert patient.values(("platelets", 19), at=patient.ago(**delta))["L08"] == level
        assert bool(sqlite_house.pages()) is (level == "URGENT"), delta
        assert (patient.open_episode() or {})["level"] == level


def test_a_report_typed_by_staff_is_late_after_a_day_even_with_an_emergency(sqlite_house: House) -> None:
    telephoned, late_ward = at_day(sqlite_house, 10), at_day(sqlite_house, 10)
    assert telephoned.on_behalf(SHAKING, measured_at=telephoned.ago(hours=24))["R08"] == "EMERGENCY"
    assert late_ward.on_behalf(SHAKING, "ward", measured_at=late_ward.ago(hours=25))["R08"] == "REVIEW"


def test_a_culture_is_never_late(sqlite_house: House) -> None:
    patient = at_day(sqlite_house, 10)
    assert patient.values(("blood_culture", 1), at=patient.ago(days=5)) == {"L15": "URGENT"}
    assert sqlite_house.pages() != []


def test_what_came_late_reaches_the_principal_investigators_digest(sqlite_house: House) -> None:
    patient = at_day(sqlite_house, 10)
    sqlite_house.to(2026, 3, 3, 7, 0)
    patient.send(quick(temp_c=36.7))
    assert patient.values(("platelets", 9), at=patient.ago(hours=25)) == {"L08": "REVIEW", "L17": "REVIEW"}
    assert sqlite_house.pages() == []
    sqlite_house.to(2026, 3, 3, 18, 59)
    assert digests(sqlite_house) == []
    sqlite_house.to(2026, 3, 3, 19, 0)
    assert digests(sqlite_house) == [sqlite_house.chief.phone]


def digests(house: House) -> list[str]:
    return [message["to"] for message in house.work() if message["template"] == "digest"]


def test_a_late_value_joins_an_open_episode_without_a_word(sqlite_house: House) -> None:
    patient = at_day(sqlite_house, 10)
    patient.send(quick(worry="now"))
    sqlite_house.work()
    patient.answer("accepted")
    before = patient.open_episode() or {}
    assert patient.values(("platelets", 9), at=patient.ago(hours=25))["L08"] == "REVIEW"
    after = patient.open_episode() or {}
    assert sqlite_house.pages() == []
    assert (after["level"], after["state"]) == (before["level"], "accepted")
    assert after["last_seq"] > before["last_seq"]
    assert "blood" not in after["organs"]  # told in time it would still be a new organ
    assert patient.values(("platelets", 9))["L08"] == "EMERGENCY"
    assert sqlite_house.pages() != []


def test_a_symptom_known_to_the_team_is_a_note_until_it_is_worse(sqlite_house: House) -> None:
    patient = at_day(sqlite_house, 6)
    assert patient.send(quick(dizzy=2)) == {"R05": "URGENT"}
    assert sqlite_house.pages() != []
    patient.close(outcome="other", known=[{"item": "dizzy", "severity": 2}])
    sqlite_house.turn(hours=2)
    again = patient.taken(quick(dizzy=2))
    assert [(signal["rule"], signal["level"]) for signal in again["signals"]] == [("R05", "NOTE")]
    assert again["page"] == "none"
    assert sqlite_house.pages() == []
    assert patient.open_episode() is None
    sqlite_house.turn(hours=2)
    assert patient.send(quick(dizzy=3)) == {"R05": "URGENT"}
    assert sqlite_house.pages() != []


def test_what_was_called_known_last_holds(sqlite_house: House) -> None:
    patient = at_day(sqlite_house, 6)
    for severity, then in ((3, "NOTE"), (2, "URGENT")):  # known at 3, and once better, known at 2
        patient.send(quick(temp_c=36.4, dizzy=3, worry="now"))
        patient.close(known=[{"item": "dizzy", "severity": severity}])
        sqlite_house.turn(hours=2)
        assert patient.send(quick(dizzy=3)) == {"R05": then}
        sqlite_house.turn(hours=2)


def test_one_known_symptom_does_not_hide_another(sqlite_house: House) -> None:
    patient = at_day(sqlite_house, 6)
    patient.send(daily(rash=2))
    patient.close(known=[{"item": "rash", "severity": 2}])
    sqlite_house.turn(hours=2)
    assert patient.send(daily(rash=2, vomit_24h=6)) == {"R23": "URGENT", "R24": "NOTE"}
    assert sqlite_house.pages() != []


def test_red_flags_are_never_known(sqlite_house: House) -> None:
    patient = at_day(sqlite_house, 6)
    for _ in range(2):
        assert patient.send(quick(confused=2)) == {"R02": "EMERGENCY"}
        assert sqlite_house.pages() != []
        patient.close(known=[{"item": "confused", "severity": 3}])
        sqlite_house.turn(hours=2)


def test_fever_is_never_known(sqlite_house: House) -> None:
    patient = at_day(sqlite_house, 6)
    patient.send(quick(temp_c=38.0, chills=1))
    patient.close(outcome="infection", known=[{"item": "chills", "severity": 3}])
    sqlite_house.turn(days=1)
    assert patient.send(quick(temp_c=38.0, chills=1))["R11"] == "URGENT"
    assert sqlite_house.pages() != []
