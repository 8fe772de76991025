"""The desk of a study nurse: what every module of this folder does through the doors, said in few words.

at(2026, 3, 2, 9)                                   a local time in Shanghai as an instant
send(house, subject, "admission", actual_at=…)      one event through the door, whatever the answer
correct(house, subject, event, void=True)           a correction with its reason and the right If-Match
calendar(house, subject), visit(house, subject, "V0"), slots(house, subject, 4)
measured(house, subject, "crp", 12), round_of(house, subject, temp_c=38.2)
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from house import SHANGHAI, House, Person, entry_body, iso
from werkzeug.test import TestResponse

from backend.models.outbox import Message
from backend.models.safety import Signal

Subject = Mapping[str, Any]
PATIENT = "+8613800138000"
LI_NA = {"name": "Li Na", "phone": "13700137000", "locale": "en"}
CARER = "+8613700137000"
UNITS = {"crp": "mg/L", "anc": "10*9/L", "body_temperature": "Cel"}


def at(*local: int) -> datetime:
    """A local time in Shanghai as an instant."""
    return datetime(*local, tzinfo=SHANGHAI).astimezone(UTC)  # type: ignore[arg-type, misc]


def z(*local: int) -> str:
    """The same as the doors write it."""
    return str(iso(at(*local)))


def faults(answer: TestResponse) -> list[tuple[str, str]]:
    """(path, code) of every fault of a refusal for bad input."""
    assert answer.status_code == 422, answer.text
    return sorted((one["path"], one["code"]) for one in answer.json["faults"])


def refused(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.json["code"]


def send(house: House, subject: Subject, kind: str, **over: Any) -> TestResponse:
    """Record an event, planned or actual, whatever comes of it."""
    body = {"id": str(uuid4()), "kind": kind, **{name: iso(value) for name, value in over.items()}}
    return house.nurse.post(f"/subjects/{subject['id']}/events", body)


def event(house: House, subject: Subject, kind: str) -> dict[str, Any]:
    """The last event of that kind as it now stands."""
    items = house.nurse.get(f"/subjects/{subject['id']}/events").json["items"]
    return [one for one in items if one["kind"] == kind][-1]


def correct(house: House, subject: Subject, kind: str, **change: Any) -> TestResponse:
    """Correct the last event of that kind, or with `void=True` take it back."""
    stands = event(house, subject, kind)
    body = {"reason": "typed for somebody else", **{name: iso(value) for name, value in change.items()}}
    return house.nurse.patch(f"/subjects/{subject['id']}/events/{stands['id']}", body, stands["revision"])


def read(house: House, subject: Subject) -> dict[str, Any]:
    answer = house.nurse.get(f"/subjects/{subject['id']}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


def calendar(house: House, subject: Subject) -> list[dict[str, Any]]:
    answer = house.nurse.get(f"/subjects/{subject['id']}/calendar")
    assert answer.status_code == 200, answer.text
    return list(answer.json["items"])


def visit(house: House, subject: Subject, key: str) -> dict[str, Any]:
    return next(one for one in calendar(house, subject) if (one["kind"], one["key"]) == ("visit", key))


def slots(house: House, subject: Subject, day: int, form: str = "quick") -> list[tuple[str, str, str | None]]:
    """(local time, status, excused) of one form's slots of a study day."""
    return [
        (
            f"{datetime.fromisoformat(one['due_at']).astimezone(SHANGHAI):%H:%M}",
            one["status"],
            one["excused"],
        )
        for one in calendar(house, subject)
        if (one["kind"], one["key"], one["day"]) == ("slot", form, day)
    ]


def measured(house: House, subject: Subject, code: str, value: Any, **over: Any) -> TestResponse:
    """One measurement typed by the nurse."""
    body = {
        "id": str(uuid4()),
        "code": code,
        "value": value,
        "unit": UNITS.get(code, "1"),
        "source": "laboratory",
        "collected_at": house.now,
        **over,
    }
    return house.nurse.post(f"/subjects/{subject['id']}/measurements", {k: iso(v) for k, v in body.items()})


def round_of(house: House, subject: Subject, *, by: str = "nurse", **answers: Any) -> TestResponse:
    """One row of the ward's grid."""
    over = answers.pop("over", {})
    who = house.people[by]
    body = {**entry_body(house, who, form="ward", **over), "answers": answers, "id": str(uuid4()), "source": "ward"}
    return who.post(f"/subjects/{subject['id']}/entries", body)


def fever(house: House, patient: Person, degrees: float = 38.4, **over: Any) -> dict[str, Any]:
    """A quick report with a fever from the phone; the whole answer."""
    answer = house.report(patient, {"temp_c": degrees}, **over)
    assert answer.status_code == 201, answer.text
    return dict(answer.json)


def signals(house: House, subject: Subject, rule: str | None = None) -> list[Signal]:
    rows = house.rows(sa.select(Signal).where(Signal.subject_id == UUID(subject["id"])).order_by(Signal.seq))
    return [row for row in rows if rule is None or row.rule == rule]


def reminders(house: House, subject: Subject) -> list[Message]:
    wanted = sa.select(Message).where(Message.subject_id == UUID(subject["id"]), Message.lane == "reminder")
    return house.rows(wanted.order_by(Message.created_at, Message.id))


def told(sent: list[dict[str, Any]], *numbers: str) -> list[tuple[str, str]]:
    """(number, template) of what went to the patient and the carer, or to these numbers."""
    wanted = numbers or (PATIENT, CARER)
    return sorted((one["to"], one["template"]) for one in sent if one["to"] in wanted)


def ago(house: House, **delta: float) -> datetime:
    return house.now - timedelta(**delta)
