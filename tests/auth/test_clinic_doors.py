"""What the clinic does for a phone: codes, carers, a lost phone; for its own subjects only, and with a trace."""

from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from auth_world import PATIENT_NAME, World, on_both
from werkzeug.test import TestResponse

from backend import accounts
from backend.db import db, lock_subject, transaction
from backend.models.people import Account, AccountSite, SubjectLink
from backend.models.study import Site

CARER = {"name": "李娜", "phone": "+86 139 1234 5678", "locale": "zh-CN"}


@pytest.fixture
def token(world: World) -> str:
    return world.token(world.nurse)


def issue(world: World, token: str, subject_id: UUID | None = None, **body: Any) -> TestResponse:
    return world.post(f"/subjects/{subject_id or world.subject_id}/activation-codes", token, **body)


def faults(answer: TestResponse) -> list[tuple[str, str]]:
    assert answer.status_code == 422
    return [(fault["path"], fault["code"]) for fault in answer.json["faults"]]


def test_the_code_and_the_address_on_the_phone(world: World, token: str) -> None:
    answer = issue(world, token, **{"for": "patient"})
    assert answer.status_code == 201
    assert answer.json["account_id"] == str(world.patient_id)
    assert answer.json["url"] == f"https://daymark.example/phone/#activate={answer.json['code']}"
    assert answer.json["expires_at"] == "2026-03-05T01:00:30Z"
    assert world.activate(answer.json["code"]).status_code == 200
    [row] = world.trail("activation:issued")
    assert (row.chain, row.actor_id, row.new["kind"]) == (str(world.subject_id), world.nurse.id, "patient")


def test_a_repeat_with_its_key_gets_the_same_code(world: World, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "k1"}
    path = f"/api/v1/subjects/{world.subject_id}/activation-codes"
    first, second = (world.client().post(path, json={"for": "patient"}, headers=headers) for _ in range(2))
    assert first.json == second.json
    assert len(world.trail("activation:issued")) == 1


def test_a_foreign_subject_does_not_exist(world: World, token: str) -> None:
    for subject_id in (world.foreign_id, uuid4()):
        assert issue(world, token, subject_id, **{"for": "patient"}).status_code == 404
        assert world.get(f"/subjects/{subject_id}/carers", token).status_code == 404
        assert world.post(f"/subjects/{subject_id}/devices/revocation", token, reason="lost").status_code == 404


def test_who_only_reads_issues_and_ends_nothing(world: World) -> None:
    token = world.token(world.monitor)
    assert issue(world, token, **{"for": "patient"}).json["code"] == "forbidden"
    assert world.get(f"/subjects/{world.subject_id}/carers", token).status_code == 403
    assert world.post(f"/subjects/{world.subject_id}/devices/revocation", token, reason="x").status_code == 403
    patient = world.activate().json["access_token"]
    assert issue(world, patient, **{"for": "carer", "carer": CARER}).status_code == 403


def test_no_code_for_a_subject_who_has_left(world: World, token: str) -> None:
    with world.app.app_context(), transaction():
        subject = lock_subject(world.subject_id)
        subject.ended_at, subject.ended_kind = world.time.at, "withdrawal"
    assert issue(world, token, **{"for": "patient"}).json["code"] == "subject_ended"


# --- carers ------------------------------------------------------------------------------------


def test_a_new_carer_reports_for_the_subject(world: World, token: str) -> None:
    answer = issue(world, token, **{"for": "carer", "carer": CARER})
    assert answer.status_code == 201
    signed_in = world.activate(answer.json["code"]).json
    me = world.get("/me", signed_in["access_token"]).json
    assert (me["kind"], [subject["number"] for subject in me["subjects"]]) == ("carer", ["001"])
    listed = world.get(f"/subjects/{world.subject_id}/carers", token).json["items"]
    assert listed == [
        {
            "account_id": answer.json["account_id"],
            "name": "李娜",
            "phone": "+8613912345678",
            "locale": "zh-CN",
            "since": "2026-03-02T01:00:30Z",
            "revoked_at": None,
            "devices": 1,
        }
    ]
    assert [row.new for row in world.trail("contact:read")] == [{"carers": 1}]
    again = issue(world, token, **{"for": "carer"})
    assert again.json["account_id"] == answer.json["account_id"]


def test_a_carer_must_be_named_and_reachable(world: World, token: str) -> None:
    assert faults(issue(world, token, **{"for": "carer"})) == [("/carer", "required")]
    wrong = issue(world, token, **{"for": "carer", "carer": {**CARER, "phone": "12345"}})
    assert faults(wrong) == [("/carer/phone", "invalid_phone")]
    assert "12345" not in wrong.text
    assert faults(issue(world, token, **{"for": "patient", "carer": CARER})) == [("/carer", "not_allowed")]
    assert world.rows(sa.select(Account.kind).where(Account.kind == "carer")) == []


def test_one_carer_may_report_for_two_subjects(world: World, token: str) -> None:
    carer = issue(world, token, **{"for": "carer", "carer": CARER}).json["account_id"]
    with world.app.app_context(), transaction():
        site_id = db.session.scalars(sa.select(Site.id).where(Site.code == "SH")).one()
        db.session.add(AccountSite(account_id=world.nurse.id, site_id=site_id))
    answer = issue(world, token, world.foreign_id, **{"for": "carer", "account_id": carer})
    assert answer.status_code == 201
    me = world.get("/me", world.activate(answer.json["code"]).json["access_token"]).json
    assert {subject["number"] for subject in me["subjects"]} == {"001", "101"}
    [listed] = world.get(f"/subjects/{world.foreign_id}/carers", token).json["items"]
    assert listed["name"] == "李娜"


def test_a_carer_or_patient_of_elsewhere_is_not_found_by_id(world: World, token: str) -> None:
    [foreign_patient] = world.rows(sa.select(SubjectLink.account_id).where(SubjectLink.subject_id == world.foreign_id))
    with world.app.app_context(), transaction():
        foreign_carer = accounts.add_reporter(
            lock_subject(world.foreign_id), relation="carer", name="x", phone="13600136000", locale="en"
        ).id
    for account_id in (foreign_carer, foreign_patient, world.patient_id, world.nurse.id, uuid4()):
        answer = issue(world, token, **{"for": "carer", "account_id": str(account_id)})
        assert faults(answer) == [("/account_id", "not_found")]


@on_both
def test_a_revoked_carer_is_out_at_once(world: World, token: str) -> None:
    code = issue(world, token, **{"for": "carer", "carer": CARER}).json
    inside = world.activate(code["code"]).json
    unused = issue(world, token, **{"for": "carer"}).json["code"]
    path = f"/subjects/{world.subject_id}/carers/{code['account_id']}/revocation"
    ended = world.post(path, token, reason="moved away")
    assert ended.status_code == 200
    assert world.post(path, token, reason="again").json == ended.json
    assert world.get("/me", inside["access_token"]).json["code"] == "token_revoked"
    assert world.pin_in(inside["device"]["id"]).json["code"] == "token_revoked"
    assert faults(world.activate(unused)) == [("/code", "code_expired")]
    assert [row.reason for row in world.trail("reporter:revoked")] == ["moved away"]
    patient_path = f"/subjects/{world.subject_id}/carers/{world.patient_id}/revocation"
    assert world.post(patient_path, token, reason="x").status_code == 404


# --- a lost phone ------------------------------------------------------------------------------


def test_a_lost_phone_is_shut_out_and_a_new_code_lets_the_new_one_in(world: World, token: str) -> None:
    lost = world.activate().json
    waiting = world.code()
    answer = world.post(f"/subjects/{world.subject_id}/devices/revocation", token, reason="lost on the bus")
    assert answer.json == {"account_id": str(world.patient_id), "devices_ended": [lost["device"]["id"]]}
    assert world.get("/me", lost["access_token"]).json["code"] == "token_revoked"
    assert world.post("/auth/refresh", refresh_token=lost["refresh_token"]).status_code == 401
    assert world.pin_in(lost["device"]["id"]).json["code"] == "token_revoked"
    assert faults(world.activate(waiting)) == [("/code", "code_expired")]
    assert world.activate().status_code == 200
    [row] = world.trail("device:revoked")
    assert (row.chain, row.reason) == (str(world.subject_id), "lost on the bus")


def test_the_patient_keeps_the_phone_when_the_carer_loses_one(world: World, token: str) -> None:
    mine = world.activate().json
    carer = issue(world, token, **{"for": "carer", "carer": CARER}).json
    theirs = world.activate(carer["code"]).json
    path = f"/subjects/{world.subject_id}/devices/revocation"
    answer = world.post(path, token, reason="lost", account_id=carer["account_id"])
    assert answer.json["devices_ended"] == [theirs["device"]["id"]]
    assert world.get("/me", mine["access_token"]).status_code == 200
    assert world.post(path, token, reason="lost", account_id=str(world.nurse.id)).status_code == 404
    assert PATIENT_NAME not in answer.text
