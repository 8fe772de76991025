"""From the clinic: codes that let a phone in, carers, and a lost phone shut out."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

import marshmallow as ma
import sqlalchemy as sa

from api.doors import Caller, Room, listed
from api.fields import Body, Id, Instant, Locale, Text, Whole, Word
from backend import accounts, activation, policy
from backend.db import db, lock_subject
from backend.errors import Problem, fault
from backend.models.people import Account, SubjectLink
from backend.models.subject import Subject

room = Room("activation", __name__, url_prefix="/api/v1/subjects")


class NewCarer(Body):
    name = Text(required=True)
    phone = Text(most=40, required=True)
    locale = Locale(required=True)


class CodeWanted(Body):
    """For a carer: `carer` makes a new one, `account_id` names one that is known; neither, where there is one only."""

    for_ = Word("patient", "carer", required=True, data_key="for")
    carer = ma.fields.Nested(NewCarer)
    account_id = Id()


class Code(Body):
    code = ma.fields.String(required=True)
    expires_at = Instant(required=True)
    url = ma.fields.String(required=True, metadata={"description": "open it on the phone, or show it as a QR code"})
    account_id = Id(required=True)


class CarerOut(Body):
    account_id = Id(required=True)
    name = ma.fields.String(required=True)
    phone = ma.fields.String(required=True, allow_none=True)
    locale = ma.fields.String(required=True)
    since = Instant(required=True)
    revoked_at = Instant(required=True, allow_none=True)
    devices = Whole(required=True, metadata={"description": "devices that can sign in or send"})


class Reason(Body):
    reason = Text(most=1000, required=True)


class DevicesLost(Body):
    """Without `account_id`: the patient's own devices."""

    reason = Text(most=1000, required=True)
    account_id = Id()


class LinkEnded(Body):
    account_id = Id(required=True)
    revoked_at = Instant(required=True)


class DevicesEnded(Body):
    account_id = Id(required=True)
    devices_ended = ma.fields.List(Id(), required=True)


@room.door("POST", "/<uuid:subject_id>/activation-codes", "activation:issue", body=CodeWanted, answer=Code, status=201)
def issue_code(caller: Caller, subject_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """A code for the patient or a carer: works once, for 72 hours; an older one of the same person ends."""
    subject = _locked(caller, subject_id)
    if subject.ended_at is not None:
        raise Problem("subject_ended")
    account = _patient(subject, body) if body["for_"] == "patient" else _carer(caller, subject, body)
    return asdict(activation.issue_code(subject, account, caller.id))


@room.door("GET", "/<uuid:subject_id>/carers", "contact:read", answer=listed(CarerOut, "Carers"), writes=True)
def list_carers(caller: Caller, subject_id: UUID) -> dict[str, Any]:
    """Present and former carers with name and number. That they were read is kept in the audit trail."""
    subject = _locked(caller, subject_id)
    return {"items": [asdict(carer) for carer in accounts.carers_of(subject)], "next_cursor": None}


@room.door(
    "POST",
    "/<uuid:subject_id>/carers/<uuid:account_id>/revocation",
    "activation:issue",
    body=Reason,
    answer=LinkEnded,
)
def revoke_carer(caller: Caller, subject_id: UUID, account_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """End a carer's access to this subject. A carer of nobody else is signed out at once."""
    link = activation.revoke_carer(_locked(caller, subject_id), account_id, body["reason"])
    return {"account_id": link.account_id, "revoked_at": link.revoked_at}


@room.door("POST", "/<uuid:subject_id>/devices/revocation", "device:end", body=DevicesLost, answer=DevicesEnded)
def revoke_devices(caller: Caller, subject_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """A lost phone: end every session, device credential and unused code of the patient (or of one carer)."""
    subject = _locked(caller, subject_id)
    wanted = body.get("account_id")
    account = activation.patient_of(subject) if wanted is None else activation.reporter_of(subject, wanted)
    ended = activation.revoke_devices(subject, account, body["reason"])
    return {"account_id": account.id, "devices_ended": list(ended)}


def _locked(caller: Caller, subject_id: UUID) -> Subject:
    caller.subject(subject_id)
    return lock_subject(subject_id)


def _patient(subject: Subject, body: dict[str, Any]) -> Account:
    account = activation.patient_of(subject)
    if "carer" in body:
        raise fault("/carer", "not_allowed", "Only with `for`: `carer`.")
    if body.get("account_id", account.id) != account.id:
        raise fault("/account_id", "not_allowed", "This is not the patient's account.")
    return account


def _carer(caller: Caller, subject: Subject, body: dict[str, Any]) -> Account:
    """A new carer, a named one, or the only one."""
    if "carer" in body:
        if "account_id" in body:
            raise fault("/account_id", "not_allowed", "Either a new carer or a known one.")
        return accounts.add_reporter(subject, relation="carer", path="/carer", **body["carer"])
    if "account_id" in body:
        return _known_carer(caller, subject, body["account_id"])
    only = db.session.scalars(
        sa.select(SubjectLink.account_id).where(
            SubjectLink.subject_id == subject.id, SubjectLink.relation == "carer", SubjectLink.revoked_at.is_(None)
        )
    ).all()
    if len(only) != 1:
        raise fault("/carer", "required", "Name a new carer, or say which one by `account_id`.")
    return db.session.get_one(Account, only[0])


def _known_carer(caller: Caller, subject: Subject, account_id: UUID) -> Account:
    """A carer of this subject, or of another one that the caller may see: the second child of one mother."""
    link = db.session.get(SubjectLink, (account_id, subject.id))
    if link is not None and link.revoked_at is None and link.relation == "carer":
        return db.session.get_one(Account, account_id)
    seen = db.session.scalars(
        sa.select(SubjectLink.subject_id)
        .join(Subject, Subject.id == SubjectLink.subject_id)
        .where(
            SubjectLink.account_id == account_id,
            SubjectLink.relation == "carer",
            Subject.site_id.in_(policy.sites_of(caller.id)),
        )
    ).first()
    if seen is None:
        raise fault("/account_id", "not_found", "There is no such carer.")
    account = db.session.get_one(Account, account_id)
    accounts.link_carer(subject, account)
    return account
