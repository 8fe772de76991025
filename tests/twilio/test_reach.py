"""Whom texts do not reach waits on the worklist, until the number is right, a text arrives, or the wish is recorded."""

from typing import Any

from house import Person

from notifications.fake_twilio import Taken
from tests.trial.desk import PATIENT, Subject, iso, read, send
from tests.trial.test_worklist import waits
from tests.twilio.conftest import Line

NEW, CARER = "+8613800138777", "+8613800138555"


def morning(line: Line, number: str = PATIENT) -> Taken:
    """The text that the next morning brings to a number; none is an error."""
    for _ in range(4):
        line.house.turn(hours=6)
        found = [one for one in line.turn() if one.to == number]
        if found:
            return found[0]
    raise AssertionError(f"no text to {number} within a day")


def texts(line: Line) -> list[dict[str, Any]]:
    return [detail for _, _, detail in waits(line.house, "?kind=texts")]


def followed(line: Line) -> tuple[Subject, Person]:
    subject = line.house.infused(days_ago=6)
    return subject, line.house.patient_of(subject)


def renumber(line: Line, subject: Subject, number: str) -> None:
    """The nurse enters another number of the patient's."""
    body = {"contact": {"name": "Wang Xiaoming", "phone": number}, "reason": "read back to me"}
    version = read(line.house, subject)["version"]
    assert line.house.nurse.patch(f"/subjects/{subject['id']}", body, version).status_code == 200


def test_a_number_that_gets_nothing_waits_for_the_right_one(line: Line) -> None:
    subject, patient = followed(line)
    one = morning(line)
    assert texts(line) == [], "taken, and perhaps delivered"
    line.fake.tell(one, "undelivered", code=30005)
    since = iso(line.house.now)
    lost = {"account_id": str(patient.id), "relation": "patient", "why": "undelivered", "code": "30005"}
    assert texts(line) == [{**lost, "since": since}]
    line.house.turn(minutes=1)
    renumber(line, subject, NEW)
    assert texts(line) == []
    line.fake.tell(morning(line, NEW), "delivered")
    assert texts(line) == []


def test_what_the_provider_refuses_at_once(line: Line) -> None:
    """A landline; the next text that is taken settles it."""
    followed(line)
    line.fake.refuses[PATIENT] = 21614
    for _ in range(4):
        line.house.turn(hours=6)
        line.turn()
    assert [(one["why"], one["code"]) for one in texts(line)] == [("failed", "21614")]
    line.fake.refuses.clear()
    morning(line)
    assert texts(line) == []


def test_a_wrong_number_entered_again_is_found_again(line: Line) -> None:
    subject, _ = followed(line)
    line.fake.tell(morning(line), "failed", code=30006)
    line.house.turn(minutes=1)
    renumber(line, subject, NEW)
    line.fake.tell(morning(line, NEW), "failed", code=30006)
    assert [one["code"] for one in texts(line)] == ["30006"]


def test_a_stop_waits_until_the_withdrawal_from_texts_is_recorded(line: Line) -> None:
    subject, patient = followed(line)
    patient.phone = PATIENT
    line.text(patient, "STOP")
    stopped = {"account_id": str(patient.id), "relation": "patient", "why": "stopped", "code": None}
    assert texts(line) == [{**stopped, "since": iso(line.house.now)}]
    line.text(patient, "START")
    assert texts(line) == []
    line.text(patient, "STOP")
    line.house.turn(minutes=1)
    assert send(line.house, subject, "withdrawal", actual_at=line.house.now, scope=["texts"]).status_code == 201
    assert texts(line) == []


def test_carers_and_those_who_are_none_any_more(line: Line) -> None:
    """A carer's number is asked for too, a carer's STOP is theirs; a link that was revoked waits for nothing."""
    subject, _ = followed(line)
    carer = line.house.patient_of(subject, "carer", carer={"name": "Li Na", "phone": CARER, "locale": "en"})
    carer.phone = CARER
    line.fake.tell(morning(line, CARER), "undelivered", code=30005)
    assert [(one["relation"], one["why"]) for one in texts(line)] == [("carer", "undelivered")]
    line.text(carer, "STOP")
    assert texts(line) == []
    line.text(carer, "START")
    assert len(texts(line)) == 1
    revoked = line.house.nurse.post(f"/subjects/{subject['id']}/carers/{carer.id}/revocation", {"reason": "asked"})
    assert revoked.status_code in (200, 201), revoked.text
    assert texts(line) == []
