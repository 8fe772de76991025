"""The reconciliation list: a symptom of the diary from treatment on waits until a person has said what it is."""

from datetime import timedelta
from typing import Any

import pytest
from house import House, iso

from schedules.protocol.definition import Study
from tests.outcomes import events
from tests.outcomes.reconciled import (
    EVERY,
    ago,
    count,
    decided,
    is_event,
    known,
    line,
    lines,
    said,
    told,
    weekly_said,
)
from tests.safety_http.builders import STUDY, Patient, at_day, daily, quick
from tests.trial import desk

NEW, WORSE, BACK = ("open", "new"), ("open", "worse"), ("open", "taken_back")
SETTLED = ("settled", None)


def corrected(patient: Patient, taken: dict[str, Any], **change: Any) -> None:
    """The nurse corrects an entry at the patient's request."""
    entry = patient.house.nurse.get(f"/entries/{taken['entry']['id']}").json
    over = {name: iso(value) for name, value in change.items() if name == "measured_at"}
    answers = {**entry["answers"], **{name: value for name, value in change.items() if name != "measured_at"}}
    body = {"answers": answers, "reason": "misheard", **over}
    answer = patient.house.nurse.patch(f"/entries/{entry['id']}", body, entry["revision"])
    assert answer.status_code == 200, answer.text


# --- The whole way, on both databases -------------------------------------------------------------------------


def test_from_a_report_to_an_adverse_event_and_back(house: House) -> None:
    patient = at_day(house, 6)
    said(patient, "chills", 2, days=5)
    said(patient, "fatigue", 3, days=2)
    count(patient, "anc", 0.4, {"lln": 1.8}, days=1)
    patient.send(quick(temp_c=38.4))
    patient.close(outcome="infection")
    found = [("chills", 2, *NEW), ("fatigue", 3, *NEW), ("anc", 4, *NEW), (None, 3, *NEW)]
    assert told(house, "") == found
    chills, fatigue, anc, episode = lines(house, "")
    said_of_chills = {name: chills["proposal"][name] for name in ("term", "soc", "grade", "onset_at")}
    event = events.record(house, patient.subject, **said_of_chills)
    stored = decided(
        patient,
        is_event(chills, event),
        known(fatigue),
        known(anc, decision="not_adverse_event", reason="lymphodepletion, as planned"),
    )
    assert [one["decision"] for one in stored] == ["adverse_event", "known", "not_adverse_event"]
    assert lines(house, "") == [episode]
    infection = events.record(house, patient.subject, **{**said_of_chills, "episode_id": episode["episode_id"]})
    assert lines(house, "") == []
    settled = lines(house, "?state=settled")
    assert [one["decision"] for one in settled] == [*stored, None]
    assert [one["adverse_event_id"] for one in settled] == [event["id"], None, None, infection["id"]]
    said(patient, "fatigue", 3, hours=1)
    assert lines(house, "") == []
    events.corrected(house, event, void=True, reason="another subject's")
    assert told(house, "") == [("chills", 2, *BACK)]
    assert house.chief.get("/audit/verify").json["intact"] is True


# --- What is listed -------------------------------------------------------------------------------------------


def test_a_symptom_is_listed_with_what_an_event_could_say(patient: Patient) -> None:
    taken = said(patient, "headache", 2, days=2)
    at = ago(patient, days=2)
    assert line(patient.house) == {
        "subject_id": patient.subject["id"],
        "subject_number": patient.subject["number"],
        "kind": "symptom",
        "item": "headache",
        "episode_id": None,
        "since": at,
        "until": at,
        "worst": 2,
        "sources": [taken["entry"]["id"]],
        "proposal": {
            "term": "Headache",
            "soc": "nervous_system",
            "scale": "CTCAE",
            "grade": 2,
            "onset_at": at,
            "ended_at": None,
            "special_interest": None,
            "episode_id": None,
        },
        "state": "open",
        "why": "new",
        "decision": None,
        "adverse_event_id": None,
    }


def test_every_symptom_proposes_its_term_and_can_be_recorded_as_it_stands(patient: Patient) -> None:
    study: Study = STUDY
    proposed = study.analysis["reconciliation"]["symptoms"]
    for form in (quick, daily):
        asked = {item: 2 for item in proposed if item in form()[1]}
        patient.taken(form(**asked, **({"bleeding_site": ["nose"]} if form is daily else {})))
    found = lines(patient.house)
    assert {one["item"]: (one["proposal"]["term"], one["proposal"]["soc"]) for one in found} == {
        item: (one["term"], one["soc"]) for item, one in proposed.items()
    }
    for one in found:
        event = {name: one["proposal"][name] for name in ("term", "soc", "grade", "onset_at")}
        assert events.record(patient.house, patient.subject, **event)["scale"] == one["proposal"]["scale"]


def test_a_mild_symptom_is_not_listed(patient: Patient) -> None:
    patient.taken(quick(chills=1, dizzy=1))
    patient.taken(daily(headache=1, fatigue=1))
    assert lines(patient.house) == []


def test_four_reports_a_day_of_one_symptom_are_one_line(patient: Patient) -> None:
    taken = [said(patient, "chills", 3 if n == 5 else 2, hours=48 - 6 * n) for n in range(8)]
    (found,) = lines(patient.house)
    assert found["sources"] == [one["entry"]["id"] for one in taken]
    assert (found["since"], found["until"], found["worst"]) == (ago(patient, hours=48), ago(patient, hours=6), 3)
    assert (found["proposal"]["grade"], found["proposal"]["ended_at"]) == (3, None)
    said(patient, "chills", 1, hours=2)
    said(patient, "chills", 0, hours=1)
    (found,) = lines(patient.house)
    assert (found["state"], found["until"]) == ("open", ago(patient, hours=6))
    assert found["proposal"]["ended_at"] == ago(patient, hours=2)


def test_every_form_is_of_one_diary(patient: Patient) -> None:
    """Also what a nurse was told on the telephone, and what comes each week."""
    said(patient, "breath", 2, hours=20)
    weekly_said(patient, patient.house.now - timedelta(hours=10), breath=2)
    patient.on_behalf(quick(breath=2), measured_at=patient.ago(hours=5))
    assert len(line(patient.house)["sources"]) == 3


def test_a_form_that_does_not_ask_says_nothing(patient: Patient) -> None:
    said(patient, "headache", 2, days=2)
    patient.taken(quick(), measured_at=patient.ago(days=1))
    found = line(patient.house)
    assert (found["until"], found["proposal"]["ended_at"]) == (ago(patient, days=2), None)


def test_what_was_before_treatment_belongs_to_the_history(patient: Patient) -> None:
    said(patient, "chills", 2, days=6, seconds=1)
    assert lines(patient.house, EVERY) == []
    said(patient, "dizzy", 2, days=6)  # the very instant
    assert told(patient.house) == [("dizzy", 2, *NEW)]


@pytest.mark.parametrize("kind", ["collection", "lymphodepletion"])
def test_treatment_begins_with_its_first_step(patient: Patient, kind: str) -> None:
    said(patient, "chills", 2, days=9)
    said(patient, "dizzy", 2, days=11)
    assert lines(patient.house) == []
    patient.house.event(patient.subject, kind, actual_at=patient.ago(days=10))
    assert told(patient.house) == [("chills", 2, *NEW)]


def test_nobody_is_listed_before_treatment(patient: Patient) -> None:
    said(patient, "chills", 2, days=2)
    desk.correct(patient.house, patient.subject, "infusion", void=True)
    assert lines(patient.house, EVERY) == []
    patient.house.event(patient.subject, "infusion", planned_at=patient.house.now)
    assert lines(patient.house, EVERY) == []
    desk.correct(patient.house, patient.subject, "infusion", actual_at=patient.ago(days=3))
    assert told(patient.house) == [("chills", 2, *NEW)]


def test_an_infusion_that_was_later_shortens_the_list(patient: Patient) -> None:
    said(patient, "chills", 2, days=5)
    said(patient, "dizzy", 2, days=1)
    desk.correct(patient.house, patient.subject, "infusion", actual_at=patient.ago(days=3))
    assert told(patient.house) == [("dizzy", 2, *NEW)]


def test_practice_is_not_listed(patient: Patient) -> None:
    patient.taken(quick(chills=2), practice=True)
    assert lines(patient.house, EVERY) == []


def test_a_carer_and_the_patient_speak_of_one_symptom(patient: Patient) -> None:
    carer = patient.house.patient_of(patient.subject, "carer", carer=desk.LI_NA)
    said(patient, "chills", 2, hours=3)
    patient.taken(quick(chills=2), carer, measured_at=patient.ago(hours=2))
    assert told(patient.house) == [("chills", 2, *NEW)]
    assert len(line(patient.house)["sources"]) == 2


@pytest.mark.parametrize(("days", "count_of_lines"), [(3, 1), (3.001, 2)])
def test_what_comes_back_within_three_days_is_the_same(patient: Patient, days: float, count_of_lines: int) -> None:
    said(patient, "chills", 2, days=days)
    said(patient, "chills", 0, days=2)
    said(patient, "chills", 2, days=0)
    assert len(lines(patient.house)) == count_of_lines


# --- What was corrected, and what came late -------------------------------------------------------------------


def test_a_correction_changes_the_list(patient: Patient) -> None:
    taken = said(patient, "chills", 2, days=1)
    corrected(patient, taken, chills=1)
    assert lines(patient.house, EVERY) == []
    corrected(patient, taken, chills=3)
    assert told(patient.house) == [("chills", 3, *NEW)]
    corrected(patient, taken, measured_at=patient.ago(days=8))
    assert lines(patient.house, EVERY) == []


def test_a_correction_for_the_worse_asks_again_and_for_the_better_does_not(patient: Patient) -> None:
    taken = said(patient, "chills", 2, days=1)
    decided(patient, known(line(patient.house)))
    corrected(patient, taken, chills=3)
    assert told(patient.house, EVERY) == [("chills", 3, *WORSE)]
    corrected(patient, taken, chills=2)
    assert told(patient.house, EVERY) == [("chills", 2, *SETTLED)]
    corrected(patient, taken, chills=0)
    assert lines(patient.house, EVERY) == []


def test_a_late_report_joins_what_seemed_two(patient: Patient) -> None:
    said(patient, "chills", 2, days=5)
    said(patient, "chills", 0, days=4)
    said(patient, "chills", 2, days=1)
    first, second = lines(patient.house)
    decided(patient, known(first), known(second))
    said(patient, "chills", 2, days=3)
    assert told(patient.house, EVERY) == [("chills", 2, *SETTLED)]
    said(patient, "chills", 3, days=3, hours=1)
    assert told(patient.house, EVERY) == [("chills", 3, *WORSE)]


def test_a_late_report_of_health_parts_what_seemed_one(patient: Patient) -> None:
    said(patient, "chills", 2, days=5)
    said(patient, "chills", 2, days=1)
    decided(patient, known(line(patient.house)))
    said(patient, "chills", 0, days=3)
    assert told(patient.house, EVERY) == [("chills", 2, *SETTLED), ("chills", 2, *SETTLED)]


@pytest.mark.parametrize("days", [4, 2])
def test_a_late_report_about_what_was_decided(patient: Patient, days: float) -> None:
    """Of a time before or after what was seen: as bad asks nobody, worse does."""
    said(patient, "chills", 2, days=3)
    decided(patient, known(line(patient.house)))
    said(patient, "chills", 2, days=days)
    assert told(patient.house, EVERY) == [("chills", 2, *SETTLED)]
    said(patient, "chills", 3, days=days, hours=-1)
    assert told(patient.house, EVERY) == [("chills", 3, *WORSE)]


def test_a_phone_whose_clock_is_wrong(patient: Patient) -> None:
    """Its clock is ten days behind: what it calls before treatment was after it."""
    wrong = {"measured_at": patient.ago(days=11), "entered_at": patient.ago(days=11), "sent_at": patient.ago(days=10)}
    patient.taken(quick(chills=2), **wrong)
    assert line(patient.house)["since"] == ago(patient, days=1)
