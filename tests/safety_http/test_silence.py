"""What does not come: S1, S2 and S4–S6 over the worker's turns, S3, S7 and S8 from reports; each at its limit.

It is Monday 2026-03-02, 09:00, when a patient of day 6 sends a report that fills the 07:00 slot. The next ones are
due at 12:00, 17:00 and 21:30; each closes 205 minutes later.
"""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from furnishing import build
from house import SLE, HandClock, House

from tests.safety_http.builders import UNFINISHED, Patient, Sent, at_day, neuro, paracetamol, quick


def reported(house: House, day: float = 6, sent: Sent | None = None) -> Patient:
    patient = at_day(house, day)
    patient.send(sent or quick())
    return patient


def pages_to(house: House, person: str) -> list[str]:
    """One turn of the worker; the templates of the pages it sent to this person."""
    return [page["template"] for page in house.pages() if page["to"] == house.people[person].phone]


def test_s1_a_report_an_hour_late_is_noted_and_pages_nobody(sqlite_house: House) -> None:
    patient = reported(sqlite_house)
    sqlite_house.to(2026, 3, 2, 12, 59)
    sqlite_house.work()
    assert patient.stored() == {}
    sqlite_house.to(2026, 3, 2, 13, 0)
    sent = sqlite_house.work()
    assert patient.stored() == {"S1": "NOTE"}
    assert patient.open_episode() is None
    assert [(message["lane"], message["template"]) for message in sent] == [("reminder", "nudge")]


def test_s2_two_reports_in_a_row_missed(sqlite_house: House) -> None:
    patient, answering = reported(sqlite_house), at_day(sqlite_house, 6)
    sqlite_house.to(2026, 3, 2, 12, 30)
    answering.send(quick())
    sqlite_house.to(2026, 3, 2, 20, 24)
    assert sqlite_house.pages() == []
    sqlite_house.to(2026, 3, 2, 20, 25)  # the second of them closes
    assert pages_to(sqlite_house, "chief") == ["page"]  # the rota is empty
    assert patient.open_signals()["S2"] == "URGENT"
    assert "S2" not in answering.stored()
    signals = (patient.open_episode() or {})["signals"]
    sqlite_house.to(2026, 3, 3, 8, 30)  # the spell goes on, and has been told
    sqlite_house.work()
    assert [signal["rule"] for signal in (patient.open_episode() or {})["signals"]].count("S2") == 1
    assert [signal["rule"] for signal in signals].count("S2") == 1


def test_s2_nothing_for_a_day_in_the_fourth_week(sqlite_house: House) -> None:
    patient = reported(sqlite_house, 23)
    sqlite_house.to(2026, 3, 3, 8, 59)
    sqlite_house.work()
    assert "S2" not in patient.stored()
    sqlite_house.to(2026, 3, 3, 9, 0)
    sqlite_house.work()
    assert patient.open_signals()["S2"] == "URGENT"


def test_s2_a_weekly_report_two_days_overdue(sqlite_house: House) -> None:
    patient = at_day(sqlite_house, 43)  # due on day 44 at 20:00
    sqlite_house.to(2026, 3, 5, 19, 59)
    sqlite_house.work()
    assert "S2" not in patient.stored()
    sqlite_house.to(2026, 3, 5, 20, 0)
    assert sqlite_house.pages() == []
    assert patient.open_signals() == {"S2": "REVIEW"}


def test_s3_a_neuro_check_that_could_not_be_finished(sqlite_house: House) -> None:
    assert at_day(sqlite_house, 6).send(UNFINISHED) == {"R02": "EMERGENCY", "S3": "EMERGENCY"}
    assert at_day(sqlite_house, 6).send(neuro()) == {}
    assert at_day(sqlite_house, 44).send(UNFINISHED) == {"S3": "EMERGENCY"}


def test_s4_the_repeat_asked_for_does_not_come(sqlite_house: House) -> None:
    silent = reported(sqlite_house, sent=quick(temp_c=38.0))
    repeating = reported(sqlite_house, sent=quick(temp_c=38.0))
    reached = reported(sqlite_house, sent=quick(temp_c=38.0))
    reached.answer("contacted")
    sqlite_house.work()
    sqlite_house.turn(minutes=15)
    repeating.send(quick(temp_c=37.9))
    sqlite_house.turn(minutes=14)
    sqlite_house.work()
    assert silent.open_signals() == {"R11": "URGENT"}
    sqlite_house.turn(minutes=1)
    sqlite_house.work()
    assert silent.open_signals() == {"R11": "URGENT", "S4": "EMERGENCY"}
    for other in (repeating, reached):
        assert "S4" not in other.open_signals()


def test_s5_the_next_report_after_a_worrying_one_is_missing(sqlite_house: House) -> None:
    worrying = reported(sqlite_house, sent=quick(confused=1))
    masked = reported(sqlite_house, sent=quick(antipyretic=paracetamol(worrying.ago(hours=1))))
    well = reported(sqlite_house)
    for each in (worrying, masked):
        assert "S5" not in each.stored()
    sqlite_house.to(2026, 3, 2, 12, 59)
    sqlite_house.work()
    assert "S5" not in worrying.open_signals()
    sqlite_house.to(2026, 3, 2, 13, 0)
    sqlite_house.work()
    assert worrying.open_signals()["S5"] == "URGENT"
    assert masked.open_signals()["S5"] == "URGENT"
    sqlite_house.to(2026, 3, 2, 13, 59)
    sqlite_house.work()
    assert masked.open_signals()["S5"] == "URGENT"
    sqlite_house.to(2026, 3, 2, 14, 0)
    sqlite_house.work()
    assert masked.open_signals()["S5"] == "EMERGENCY"
    assert "S5" not in well.stored()


def test_s5_a_patient_who_was_reached_is_not_paged_for_again(sqlite_house: House) -> None:
    patient = reported(sqlite_house, sent=quick(confused=1))
    sqlite_house.work()
    patient.answer("contacted")
    sqlite_house.to(2026, 3, 2, 14, 0)
    assert sqlite_house.pages() == []
    assert patient.open_signals()["S5"] == "URGENT"


def attempt(patient: Patient, outcome: str, spoke_with: str | None = None) -> None:
    body = {"id": str(uuid4()), "outcome": outcome, "spoke_with": spoke_with}
    answer = patient.house.nurse.post(f"{patient.path}/contact-attempts", body)
    assert answer.status_code == 201, answer.text


def test_s6_nothing_for_a_day_and_nobody_reached(sqlite_house: House) -> None:
    unreached, spoken, neighbour, reporting = (reported(sqlite_house) for _ in range(4))
    sqlite_house.to(2026, 3, 2, 21, 0)
    attempt(unreached, "no_answer")
    attempt(spoken, "spoke_with", "carer")
    attempt(neighbour, "spoke_with", "other")
    reporting.send(quick())
    sqlite_house.to(2026, 3, 3, 8, 59)
    sqlite_house.work()
    assert "S6" not in unreached.stored()
    sqlite_house.to(2026, 3, 3, 9, 0)
    assert sqlite_house.pages() != []
    assert unreached.open_signals()["S6"] == "EMERGENCY"
    assert neighbour.open_signals()["S6"] == "EMERGENCY"
    assert "S6" not in spoken.stored()
    assert "S6" not in reporting.stored()
    sqlite_house.to(2026, 3, 3, 20, 59)
    sqlite_house.work()
    assert "S6" not in spoken.stored()
    sqlite_house.to(2026, 3, 3, 21, 0)  # a day after the carer was reached
    sqlite_house.work()
    assert spoken.open_signals()["S6"] == "EMERGENCY"


def test_s6_the_contact_of_a_closed_episode_counts(sqlite_house: House) -> None:
    patient = reported(sqlite_house, sent=quick(worry="now"))
    sqlite_house.to(2026, 3, 2, 21, 0)
    patient.answer("contacted")
    patient.close()
    sqlite_house.to(2026, 3, 3, 9, 0)
    sqlite_house.work()
    assert "S6" not in patient.stored()
    sqlite_house.to(2026, 3, 3, 21, 0)
    sqlite_house.work()
    assert patient.stored()["S6"] == "EMERGENCY"


def test_s7_the_same_values_four_times(sqlite_house: House) -> None:
    same, other = at_day(sqlite_house, 6), at_day(sqlite_house, 6)
    for n in range(3):
        assert same.send(quick(temp_c=36.6, hr=80)) == {}
        assert other.send(quick(temp_c=36.6, hr=80 + n // 2)) == {}
        sqlite_house.turn(hours=3)
    assert same.send(quick(temp_c=36.6, hr=80)) == {"S7": "REVIEW"}
    assert other.send(quick(temp_c=36.6, hr=80)) == {}


def test_s7_and_s8_an_entry_long_after_the_time_it_speaks_of(sqlite_house: House) -> None:
    patient = at_day(sqlite_house, 6)
    for delta, said in (
        ({"hours": 12}, {"S7": "REVIEW", "S8": "NOTE"}),
        ({"hours": 11, "minutes": 59}, {"S8": "NOTE"}),
        ({"hours": 1, "minutes": 1}, {"S8": "NOTE"}),
        ({"hours": 1}, {}),
    ):
        patient = at_day(sqlite_house, 6)
        assert patient.send(quick(), measured_at=patient.ago(**delta), entered_at=patient.ago(**delta)) == said, delta


def test_s8_a_phone_whose_clock_is_wrong(sqlite_house: House) -> None:
    for skew, said in ((601, {"S8": "NOTE"}), (-601, {"S8": "NOTE"}), (600, {}), (-600, {})):
        patient = at_day(sqlite_house, 6)
        wrong = patient.ago(seconds=-skew)
        answer = patient.taken(quick(temp_c=36.8), measured_at=wrong, entered_at=wrong, sent_at=wrong)
        assert {signal["rule"]: signal["level"] for signal in answer["signals"]} == said, skew
        assert answer["entry"]["clock_skew_s"] == skew
        assert answer["page"] == "none"


def test_a_stay_in_hospital_suspends_the_rules_on_silence_and_no_others(sqlite_house: House) -> None:
    patient = reported(sqlite_house, sent=quick(confused=1))
    sqlite_house.work()
    sqlite_house.event(patient.subject, "admission", actual_at=sqlite_house.now)
    for _ in range(14):
        sqlite_house.turn(hours=2)
        sqlite_house.work()
    assert {rule for rule in patient.stored() if rule.startswith("S")} == set()
    ward = quick(temp_c=39.0)
    # In the ward the fever alone is for the worklist; the emergency pages.
    assert patient.on_behalf(ward, "ward") == {"R10": "EMERGENCY", "R11": "REVIEW"}
    sqlite_house.turn(minutes=1)
    assert patient.values(("body_temperature", 39.1, {"method": "core", "source": "ward"}))["R10"] == "EMERGENCY"
    late = patient.ago(hours=13)
    assert patient.send(quick(temp_c=36.6), measured_at=late, entered_at=late) == {}  # neither S7 nor S8
    sqlite_house.turn(minutes=31)
    sqlite_house.work()
    assert "S4" not in patient.stored()


@pytest.fixture
def night_house(sqlite_url: str, time: HandClock, tmp_path: Path) -> Iterator[House]:
    """The lupus study with its last report of the day due at 23:00, in the quiet hours."""
    text = SLE.read_text(encoding="utf-8")
    assert '- {at: "21:30", forms: [quick, daily, neuro]}' in text
    study = tmp_path / "night.yaml"
    study.write_text(text.replace('- {at: "21:30", forms', '- {at: "23:00", forms'), encoding="utf-8")
    with build(sqlite_url, time, tmp_path, study) as built:
        yield built


def evening(house: House) -> Patient:
    """A patient who reported at 17:00, and then not until the 07:00 slot had closed."""
    patient = at_day(house, 6)
    house.to(2026, 3, 2, 17, 0)
    patient.send(quick())
    for at in ((2026, 3, 3, 0, 30), (2026, 3, 3, 2, 30)):
        house.to(*at)
        house.work()
    return patient


def test_a_slot_no_reminder_could_announce_gives_no_silence_signal(night_house: House) -> None:
    patient = evening(night_house)
    assert patient.stored() == {}
    night_house.to(2026, 3, 3, 10, 25)
    night_house.work()
    assert patient.stored() == {"S1": "NOTE"}  # of the morning; one report missed, not two


def test_the_same_night_with_an_announced_slot_does(sqlite_house: House) -> None:
    patient = evening(sqlite_house)
    assert patient.stored() == {"S1": "NOTE"}
    sqlite_house.to(2026, 3, 3, 10, 25)
    sqlite_house.work()
    assert patient.open_signals()["S2"] == "URGENT"
