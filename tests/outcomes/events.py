"""Adverse events in few words: recorded, corrected, read, listed and counted through the doors."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from house import House, iso
from werkzeug.test import TestResponse

from tests.contract.stage import RASH, but
from tests.trial.desk import Subject, ago

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
