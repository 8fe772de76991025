"""Scored forms of a visit in few words: fill in, read the sheet, measure, sign."""

from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from house import House, Person, iso
from werkzeug.test import TestResponse

from backend.models.findings import Assessment
from tests.trial.desk import measured

UNITS = {
    "anti_dsdna": "[IU]/mL",
    "c3": "g/L",
    "c4": "g/L",
    "urine_protein_24h": "g/(24.h)",
    "urine_rbc": "/[HPF]",
    "urine_wbc": "/[HPF]",
    "b_cells": "/uL",
    "igg": "g/L",
    "il6": "pg/mL",
    "crp": "mg/L",
    "ferritin": "ug/L",
    "wbc": "10*9/L",
    "anc": "10*9/L",
    "lymphocytes": "10*9/L",
    "haemoglobin": "g/L",
    "platelets": "10*9/L",
    "creatinine": "umol/L",
    "alt": "U/L",
    "ast": "U/L",
    "bilirubin": "umol/L",
    "car_copies": "{copies}/ug",
    "fibrinogen": "g/L",
}
QUIET: dict[str, Any] = {"present": [], "not_assessed": [], "attribution": {}}
MILD: dict[str, Any] = {"value": 1, "scale": "0-3"}
QUIET_BILAG: dict[str, Any] = {"systems": {"constitutional": {"unlisted_items": 0}}}
SIGNED = ("sledai2k", "pga", "bilag2004")


def fill(house: House, here: dict[str, Any], form: str, answers: Any, revision: int = 1, **over: Any) -> TestResponse:
    """One revision as the doctor, whatever comes of it."""
    who: Person = over.pop("who", house.doctor)
    body = {"revision": revision, "answers": answers, **{name: iso(value) for name, value in over.items()}}
    return who.put(f"/visits/{here['id']}/forms/{form}", body)


def filled(house: House, here: dict[str, Any], form: str, answers: Any, revision: int = 1, **over: Any) -> Any:
    answer = fill(house, here, form, answers, revision, **over)
    assert answer.status_code == (201 if revision == 1 else 200), answer.text
    return answer.json


def sheet(house: House, here: dict[str, Any]) -> Any:
    answer = house.monitor.get(f"/visits/{here['id']}/forms")
    assert answer.status_code == 200, answer.text
    return answer.json


def form_of(house: House, here: dict[str, Any], name: str) -> Any:
    return next(one for one in sheet(house, here)["forms"] if one["instrument"] == name)


def lupus_forms(house: House, here: dict[str, Any]) -> None:
    for name, answers in zip(SIGNED, (QUIET, MILD, QUIET_BILAG), strict=True):
        filled(house, here, name, answers)


def value(house: House, subject: Any, code: str, number: Any, **over: Any) -> Any:
    answer = measured(house, subject, code, number, unit=UNITS[code], **over)
    assert answer.status_code == 201, answer.text
    return answer.json["items"][0]


def sign(house: House, here: dict[str, Any], part: str, who: Person | None = None, **over: Any) -> TestResponse:
    signer = who or house.doctor
    body = {"id": str(uuid4()), "part": part, "meaning": "as I found it", **over}
    return signer.post(f"/visits/{here['id']}/signature", body, **house.confirmed(signer))


def assessments(house: House) -> int:
    return len(house.rows(sa.select(Assessment)))
