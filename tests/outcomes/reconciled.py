"""The reconciliation list in few words: what it says, and what people decide about its lines.

patient = of(house)                                 whom `infused` made: infused six days ago at 09:00
said(patient, "chills", 2, days=3)                  a quick report of three days ago from the phone
told(house)                                         (item, worst, state, why) of the symptoms that wait
decide(patient, known(line(house)))                 the nurse decides about one line, or about several
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from house import House, iso
from werkzeug.test import TestResponse

from tests.safety_http.builders import WEEKLY, Patient, at_day, daily, quick

Line = Mapping[str, Any]
SYMPTOMS = "?kind=symptom"
EVERY = "?kind=symptom&state=all"


def infused(house: House) -> Patient:
    return at_day(house, 6)


def of(house: House) -> Patient:
    """Who `infused` made, in this copy of the house."""
    made: Patient = house.made
    return Patient(house, made.subject, replace(made.phone, house=house))


def said(patient: Patient, item: str, severity: int, **ago: float) -> dict[str, Any]:
    """A report with one symptom, that long ago by the phone; the whole answer. Asked in `quick`, else `daily`."""
    sent = quick(**{item: severity}) if item in quick()[1] else daily(**{item: severity})
    return patient.taken(sent, measured_at=patient.ago(**ago))


def weekly_said(patient: Patient, measured_at: datetime, **answers: Any) -> None:
    patient.taken(("weekly", {**WEEKLY, **answers}), measured_at=measured_at)


def count(patient: Patient, code: str, value: Any, more: Mapping[str, Any] | None = None, **ago: float) -> None:
    """A laboratory value collected that long ago."""
    patient.values((code, value, dict(more or {})), at=patient.ago(**ago))


def lines(house: House, query: str = SYMPTOMS, by: str = "nurse") -> list[dict[str, Any]]:
    answer = house.people[by].get(f"/reconciliation{query}")
    assert answer.status_code == 200, answer.text
    return list(answer.json["items"])


def line(house: House, query: str = SYMPTOMS) -> dict[str, Any]:
    """The only line."""
    (found,) = lines(house, query)
    return found


def told(house: House, query: str = SYMPTOMS, by: str = "nurse") -> list[tuple[str | None, int, str, str | None]]:
    return [(one["item"], one["worst"], one["state"], one["why"]) for one in lines(house, query, by)]


def known(about: Line, **over: Any) -> dict[str, Any]:
    """A decision about a line as the list showed it; known from before unless said otherwise."""
    seen = {name: about[name] for name in ("kind", "item", "episode_id", "since", "until", "worst")}
    body = {"id": str(uuid4()), **seen, "decision": "known", "reason": "as before treatment", **over}
    return {name: iso(value) for name, value in body.items()}


def is_event(about: Line, event: Mapping[str, Any], **over: Any) -> dict[str, Any]:
    """The decision that it is, or is part of, this adverse event."""
    return known(about, decision="adverse_event", adverse_event_id=event["id"], **{"reason": None, **over})


def decide(patient: Patient, *items: Mapping[str, Any], by: str = "nurse") -> TestResponse:
    """One decision as an object, several as a list."""
    body = items[0] if len(items) == 1 else list(items)
    return patient.house.people[by].post(f"{patient.path}/reconciliation", body)


def decided(patient: Patient, *items: Mapping[str, Any]) -> list[dict[str, Any]]:
    answer = decide(patient, *items)
    assert answer.status_code == 201, answer.text
    return list(answer.json["items"])


def ago(patient: Patient, **delta: float) -> str:
    return str(iso(patient.house.now - timedelta(**delta)))
