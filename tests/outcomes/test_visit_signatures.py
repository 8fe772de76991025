"""Signatures under a visit: its clinical and its complete part, what they need, and what voids them.

Only a changed answer voids; a late laboratory value asks a question.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from house import House

from tests.outcomes.sheets import (
    MILD,
    QUIET,
    QUIET_BILAG,
    SIGNED,
    fill,
    filled,
    lupus_forms,
    sheet,
    sign,
    value,
)
from tests.trial.desk import faults, refused, visit


@pytest.fixture
def subject(sqlite_house: House) -> dict[str, Any]:
    return sqlite_house.infused(days_ago=28)


@pytest.fixture
def v14(sqlite_house: House, subject: dict[str, Any]) -> dict[str, Any]:
    return visit(sqlite_house, subject, "V14")


def test_the_clinical_part_needs_a_doctor_a_confirmation_and_the_forms(sqlite_house: House, v14: Any) -> None:
    house = sqlite_house
    assert refused(sign(house, v14, "clinical")) == (409, "conflict")
    lupus_forms(house, v14)
    body = {"id": str(uuid4()), "part": "clinical", "meaning": "as I found it"}
    bare = house.doctor.post(f"/visits/{v14['id']}/signature", body)
    assert refused(bare) == (403, "confirmation_required")
    assert sign(house, v14, "clinical", house.nurse).status_code == 403
    assert sheet(house, v14)["signatures"] == []
    signed = sign(house, v14, "clinical", id=body["id"])
    assert signed.status_code == 201, signed.text
    assert signed.json["forms"] == {"sledai2k": 1, "pga": 1, "bilag2004": 1}
    assert (signed.json["signed_by"], signed.json["valid"]) == ("Doctor", True)
    assert sign(house, v14, "clinical", id=body["id"]).status_code == 200
    assert len(sheet(house, v14)["signatures"]) == 1


@pytest.mark.parametrize("lacking", SIGNED)
def test_the_clinical_part_lacks_no_form(sqlite_house: House, v14: Any, lacking: str) -> None:
    for name, answers in zip(SIGNED, (QUIET, MILD, QUIET_BILAG), strict=True):
        if name != lacking:
            filled(sqlite_house, v14, name, answers)
    answer = sign(sqlite_house, v14, "clinical")
    assert refused(answer) == (409, "conflict")
    assert lacking in answer.json["detail"]


EMPTY: dict[str, list[dict[str, Any]]] = {
    "sledai2k": [{"present": None}, {"present": None, "not_assessed": ["rash"]}],
    "pga": [{"value": None, "scale": None}, {"value": 1, "scale": None}],
    "bilag2004": [
        {"systems": {}},
        {"systems": {"constitutional": {"items": {"1": None}, "unlisted_items": None}, "renal": {"current": {}}}},
    ],
}


@pytest.mark.parametrize(("form", "answers"), [(form, one) for form, some in EMPTY.items() for one in some], ids=str)
def test_the_clinical_part_has_no_form_that_says_nothing(
    sqlite_house: House, v14: Any, form: str, answers: Any
) -> None:
    """An assessment is what was found, or said to be not done; a form without either is none."""
    house = sqlite_house
    for name, said in zip(SIGNED, (QUIET, MILD, QUIET_BILAG), strict=True):
        filled(house, v14, name, answers if name == form else said)
    refusal = sign(house, v14, "clinical")
    assert refused(refusal) == (409, "conflict")
    assert form in refusal.json["detail"]
    filled(house, v14, form, dict(zip(SIGNED, (QUIET, MILD, QUIET_BILAG), strict=True))[form], 2)
    assert sign(house, v14, "clinical").status_code == 201


def test_what_was_expressly_not_done_may_be_signed(sqlite_house: House, v14: Any) -> None:
    house = sqlite_house
    filled(house, v14, "sledai2k", {"present": [], "not_assessed": ["seizure"]})
    filled(house, v14, "pga", {"value": None, "scale": "0-3"})
    filled(house, v14, "bilag2004", {"systems": {"constitutional": {"unlisted_items": "ND"}}})
    assert sign(house, v14, "clinical").status_code == 201


def test_the_complete_part_needs_the_treatment_reviewed(sqlite_house: House, subject: Any, v14: Any) -> None:
    house = sqlite_house
    lupus_forms(house, v14)
    filled(house, v14, "treatment", {"medications_reviewed": False})
    assert sign(house, v14, "clinical").status_code == 201
    for code in sheet(house, v14)["missing_values"]:
        value(house, subject, code, None, not_done=True)
    refusal = sign(house, v14, "complete")
    assert refused(refusal) == (409, "conflict")
    assert "review" in refusal.json["detail"]
    filled(house, v14, "treatment", {"medications_reviewed": True}, 2, reason="looked through")
    sign(house, v14, "clinical")  # the changed form voided it
    assert sign(house, v14, "complete").status_code == 201


def complete(house: House, subject: Any, here: Any) -> None:
    """Both parts signed; treatment reviewed, everything of the laboratory recorded as not done."""
    lupus_forms(house, here)
    filled(house, here, "treatment", {"medications_reviewed": True})
    assert sign(house, here, "clinical").status_code == 201
    for code in sheet(house, here)["missing_values"]:
        value(house, subject, code, None, not_done=True)
    answer = sign(house, here, "complete")
    assert answer.status_code == 201, answer.text


def test_the_complete_part_needs_the_clinical_one_and_every_value(sqlite_house: House, subject: Any, v14: Any) -> None:
    house = sqlite_house
    lupus_forms(house, v14)
    assert "clinical" in sign(house, v14, "complete").json["detail"]
    assert sign(house, v14, "clinical").status_code == 201
    assert "treatment" in sign(house, v14, "complete").json["detail"]
    filled(house, v14, "treatment", {"medications_reviewed": True})
    lacking = sheet(house, v14)["missing_values"]
    for code in lacking:
        answer = sign(house, v14, "complete")
        assert refused(answer) == (409, "conflict")
        assert code in answer.json["detail"]
        value(house, subject, code, None, not_done=True)
    assert sign(house, v14, "complete").status_code == 201


def test_a_changed_answer_needs_a_reason_and_voids_visibly(sqlite_house: House, subject: Any, v14: Any) -> None:
    house = sqlite_house
    complete(house, subject, v14)
    assert faults(fill(house, v14, "pga", {**MILD, "value": 2}, 2)) == [("/reason", "required")]
    assert [one["valid"] for one in sheet(house, v14)["signatures"]] == [True, True]
    filled(house, v14, "pga", {**MILD, "value": 2}, 2, reason="misread")
    shown = [(one["part"], one["valid"], one["voided_by"]) for one in sheet(house, v14)["signatures"]]
    assert shown == [("clinical", False, ["pga"]), ("complete", False, ["pga"])]
    assert refused(sign(house, v14, "complete")) == (409, "conflict")
    house.turn(minutes=1)
    assert sign(house, v14, "clinical").status_code == 201
    assert [one["valid"] for one in sheet(house, v14)["signatures"]] == [False, False, True]


def test_a_late_value_opens_a_query_and_voids_nothing(sqlite_house: House, subject: Any, v14: Any) -> None:
    house = sqlite_house

    def asked() -> list[tuple[str, str, str]]:
        items = house.monitor.get(f"/queries?subject_id={subject['id']}").json["items"]
        return [(one["entity"], one["entity_id"], one["field"]) for one in items]

    complete(house, subject, v14)
    assert asked() == []
    value(house, subject, "c3", 0.4, collected_at=house.now - timedelta(days=6))  # outside the visit's window
    assert asked() == []
    value(house, subject, "c3", 0.4, collected_at=house.now - timedelta(days=1))
    assert asked() == [("visit", v14["id"], "c3")]
    assert [one["valid"] for one in sheet(house, v14)["signatures"]] == [True, True]
    assert sheet(house, v14)["values"]["c3"]["value"] == Decimal("0.4")


def test_the_door_of_a_form_signs_the_same_visit(sqlite_house: House, v14: Any) -> None:
    house = sqlite_house
    lupus_forms(house, v14)
    body = {"part": "clinical", "meaning": "as I found it"}
    path = f"/visits/{v14['id']}/forms/sledai2k/signature"
    signed = house.doctor.post(path, body, **house.confirmed(house.doctor), **{"Idempotency-Key": "once"})
    assert signed.status_code == 201, signed.text
    again = house.doctor.post(path, body, **house.confirmed(house.doctor), **{"Idempotency-Key": "once"})
    assert again.json == signed.json
    assert [one["part"] for one in sheet(house, v14)["signatures"]] == ["clinical"]
