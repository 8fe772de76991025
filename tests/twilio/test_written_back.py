"""What people write back: STOP silences reminders and no page, all else gets one fixed answer and is not kept."""

import re

import pytest
from house import Person
from werkzeug.test import TestResponse

from tests.test_main_thread import rota
from tests.trial.desk import PATIENT
from tests.twilio.conftest import PAGES, Line
from tests.twilio.test_receipts import paged


def patient_of(line: Line) -> Person:
    person = line.house.patient_of(line.house.infused(days_ago=6))
    person.phone = PATIENT
    return person


def said(answer: TestResponse) -> list[str]:
    """The texts of a TwiML answer."""
    assert (answer.status_code, answer.mimetype) == (200, "text/xml"), answer.text
    return re.findall("<Message>(.*?)</Message>", answer.text)


def verbs(line: Line) -> list[str]:
    return [row["verb"] for row in line.house.admin.get("/audit?limit=200").json["items"]]


def reminded(line: Line) -> list[str]:
    """The texts that the next two days bring the patient."""
    found = []
    for _ in range(8):
        line.house.turn(hours=6)
        found += [one.body for one in line.turn() if one.to == PATIENT]
    return found


def test_stop_silences_reminders_until_start(line: Line) -> None:
    patient = patient_of(line)
    assert reminded(line)
    assert said(line.text(patient, "STOP")) == [], "Twilio answers that itself"
    assert reminded(line) == []
    assert said(line.text(patient, "START")) == []
    assert reminded(line)
    assert {"texts:stopped", "texts:started"} <= set(verbs(line))


def test_every_word_that_stops(line: Line) -> None:
    """In any case, alone, whatever Twilio itself said of it."""
    patient = patient_of(line)
    words = ("STOP", "stop", " Stop ", "STOPALL", "UNSUBSCRIBE", "END", "quit", "CANCEL", "OPTOUT", "REVOKE")
    for count, word in enumerate(words, start=1):
        line.text(patient, word)
        assert verbs(line).count("texts:stopped") == count, word
        line.text(patient, "START")
        assert verbs(line).count("texts:started") == count, word


def test_stop_twice_is_stop(line: Line) -> None:
    patient = patient_of(line)
    for _ in range(3):
        line.text(patient, "STOP")
    assert verbs(line).count("texts:stopped") == 1


def test_what_somebody_writes_is_answered_with_the_number_to_call_and_not_kept(
    line: Line, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    patient = patient_of(line)
    for text in ("I have 39.4 and shake all over", "HELP", "STOP it please", ""):
        [answer] = said(line.text(patient, text))
        assert "+862583106666" in answer
        assert "39.4" not in answer
    out = capsys.readouterr()
    assert "39.4" not in caplog.text + out.out + out.err
    assert "13800138000" not in caplog.text + out.out + out.err
    assert reminded(line), "a sentence with the word is no STOP"


def test_in_the_language_of_the_person(line: Line) -> None:
    house = line.house
    patient = house.patient_of(house.infused(days_ago=6, locale="zh-CN"))
    patient.phone = PATIENT
    assert said(line.text(patient, "难受")) == [
        "这是日记提醒号码，发来的短信无人查看。如有不适，请致电 +862583106666。"
    ]


def test_a_stranger_gets_no_answer(line: Line) -> None:
    stranger = Person(line.house, line.house.nurse.id, "patient", "", phone="+8613999999999")
    assert said(line.text(stranger, "who is this?")) == []


def test_a_forged_stop_silences_nobody(line: Line) -> None:
    patient = patient_of(line)
    answer = line.text(patient, "STOP", token="guessed")
    assert (answer.status_code, answer.json["code"]) == (403, "signature_wrong")
    assert reminded(line)


def test_a_doctor_who_stops_the_pager_is_an_alarm_and_the_next_person_is_called(line: Line) -> None:
    """Twilio bars the number: the next page to it is refused, and the ladder goes on."""
    house = line.house
    rota(house, ("on_call", "doctor", -1, 24), ("backup", "backup", -1, 24))
    assert line.text(house.doctor, "end", PAGES).status_code == 200
    assert "pages:stopped" in verbs(line)
    called = [one.to for one in paged(line)]
    assert house.doctor.phone not in called, "Twilio takes nothing for them"
    assert house.backup.phone in called, "at once, not five minutes later"
    assert "page:failed" in [row["verb"] for row in audit_of(line)]
    line.text(house.doctor, "start", PAGES)
    assert "pages:started" in verbs(line)


def audit_of(line: Line) -> list[dict[str, str]]:
    [subject] = line.house.nurse.get("/subjects").json["items"]
    rows: list[dict[str, str]] = line.house.chief.get(f"/audit?subject_id={subject['id']}&limit=200").json["items"]
    return rows
