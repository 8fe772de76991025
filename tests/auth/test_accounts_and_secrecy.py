"""Accounts as the commands and enrolment make them, and what must stand readable nowhere."""

from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from auth_world import PATIENT_E164, PATIENT_NAME, World
from house import PASSWORD

from backend import accounts, audit
from backend.db import db, lock_subject, transaction
from backend.errors import Problem
from backend.models.people import Account
from backend.models.record import AuditEvent
from backend.models.study import Site

NEW = {"name": "Dr. Chen", "role": "investigator", "password_hash": "x", "locale": "en"}


@pytest.mark.parametrize(
    ("typed", "e164"),
    [
        ("13800138000", "+8613800138000"),
        ("+86 138-0013-8000", "+8613800138000"),
        ("１３８００１３８０００", "+8613800138000"),
        ("025 8310 6666", "+862583106666"),
        ("+44 20 7946 0958", "+442079460958"),
    ],
)
def test_a_number_has_one_spelling(typed: str, e164: str) -> None:
    assert accounts.phone_number(typed, "/phone") == e164


@pytest.mark.parametrize("typed", ["", "12345", "call me", "138001380001234", "+999 1234567"])
def test_what_is_no_number_is_refused_and_not_repeated(typed: str) -> None:
    with pytest.raises(Problem) as refused:
        accounts.phone_number(typed, "/contact/phone")
    [fault] = refused.value.faults
    assert (fault.path, fault.code) == ("/contact/phone", "invalid_phone")
    assert not typed or typed not in fault.message


def test_staff_are_refused_with_every_fault_at_once(world: World) -> None:
    with world.app.app_context(), transaction(writes=False), pytest.raises(Problem) as refused:
        accounts.add_staff(**{**NEW, "role": "patient"}, username="NURSE", site_ids=[uuid4()])
    assert [(fault.path, fault.code) for fault in refused.value.faults] == [
        ("/username", "taken"),
        ("/role", "not_allowed"),
        ("/site_ids/0", "unknown_site"),
    ]


def test_a_doctor_who_is_paged_has_a_sealed_number(world: World) -> None:
    with world.app.app_context():
        with transaction():
            sites = db.session.scalars(sa.select(Site.id)).all()
            account, _ = accounts.add_staff(**NEW, username="Chen", site_ids=sites, phone="13700137000")
        with transaction(writes=False):
            stored = db.session.get_one(Account, account.id)
            assert accounts.phone_of(stored) == "+8613700137000"
            assert b"13700137000" not in (stored.phone_sealed or b"")


def test_the_contact_can_be_read_and_changed(world: World) -> None:
    with world.app.app_context():
        with transaction():
            subject = lock_subject(world.subject_id)
            assert accounts.contact_of(subject) == {"name": PATIENT_NAME, "phone": PATIENT_E164}
            accounts.change_contact(subject, world.patient_id, phone="137 0013 7000")
        with transaction():
            subject = lock_subject(world.subject_id)
            assert accounts.contact_of(subject) == {"name": PATIENT_NAME, "phone": "+8613700137000"}
            with pytest.raises(Problem):
                accounts.change_contact(lock_subject(world.foreign_id), world.patient_id, name="x")
    assert [row.new for row in world.trail("contact:changed")] == [{"phone": "changed"}]


def test_a_subject_has_one_patient(world: World) -> None:
    with world.app.app_context(), transaction(), pytest.raises(Problem) as refused:
        accounts.add_reporter(
            lock_subject(world.subject_id), relation="patient", name="x", phone="13800138000", locale="en"
        )
    assert refused.value.code == "conflict"


def everything_happens(world: World) -> list[str]:
    """One of each act; answers what must stay secret."""
    nurse = world.sign_in(world.nurse).json
    world.sign_in(world.nurse, password="wrong-password-typed")
    carer = {"name": "赵丽颖", "phone": "139 9876 5432", "locale": "zh-CN"}
    path = f"/api/v1/subjects/{world.subject_id}"
    headers = {"Authorization": f"Bearer {nurse['access_token']}", "Idempotency-Key": "once"}
    body = {"for": "carer", "carer": carer}
    code = world.client().post(f"{path}/activation-codes", json=body, headers=headers).json["code"]
    world.get(f"/subjects/{world.subject_id}/carers", nurse["access_token"])
    phone = world.activate(code, pin="739146").json
    world.pin_in(phone["device"]["id"], "739147")
    world.pin_in(phone["device"]["id"], "739146")
    renewed = world.post("/auth/refresh", refresh_token=phone["refresh_token"]).json
    world.post("/auth/refresh", refresh_token=phone["refresh_token"])
    world.post("/auth/sign-out", nurse["access_token"], everywhere=True)
    return [
        PASSWORD,
        "wrong-password-typed",
        world.nurse.totp_secret,
        PATIENT_NAME,
        PATIENT_E164,
        "赵丽颖",
        "13998765432",
        "9876 5432",
        code,
        code.replace("-", ""),
        "739146",
        phone["device"]["credential"],
        phone["access_token"],
        renewed["refresh_token"],
        nurse["access_token"],
    ]


def test_no_secret_and_no_contact_stands_readable(
    world: World, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    world.app = world.process()  # its log goes where capfd listens
    secrets = everything_happens(world)
    logs = "".join(capfd.readouterr())
    assert logs.count('"event": "request"') >= 10
    database = b"".join(path.read_bytes() for path in tmp_path.glob("*.db*"))
    assert len(database) > 100_000
    trail = repr([(row.old, row.new, row.reason) for row in world.rows(sa.select(AuditEvent))])
    for secret in secrets:
        assert secret not in logs
        assert secret not in trail
        assert secret.encode() not in database
        assert secret.encode("unicode-escape") not in database


def test_every_act_is_in_the_trail_and_the_chains_hold(world: World) -> None:
    everything_happens(world)
    verbs = {row.verb for row in world.rows(sa.select(AuditEvent))}
    assert verbs == {
        "account:created",
        "reporter:linked",
        "session:opened",
        "session:refused",
        "activation:issued",
        "contact:read",
        "device:activated",
        "session:reuse_detected",
        "session:closed_everywhere",
    }
    with world.app.app_context(), transaction(writes=False):
        assert audit.verify().intact


def test_a_flood_of_guesses_is_slowed(world: World) -> None:
    world.app = world.process(RATE_LIMITS="on")
    answers = [world.activate("AAAAA-AAAAA") for _ in range(61)]
    assert [answer.status_code for answer in answers] == [422] * 60 + [429]
    assert answers[-1].json["code"] == "too_many_requests"
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
