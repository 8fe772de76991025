"""How a phone comes to speak for a patient or carer: a code from the nurse, a PIN, a credential that only appends.

A code works once within 72 hours, and a newer one ends the older. A forgotten PIN needs a new code: what
waits on the phone is sent with the credential all the while. The trail knows that a code was issued and
used and on which device, never the code.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from backend import audit, clock, crypto, policy
from backend.accounts import link_of_patient
from backend.db import db, lock_subject, transaction
from backend.errors import Problem, fault
from backend.installation import settings, vault
from backend.models.people import Account, ActivationCode, SubjectLink
from backend.models.subject import Subject
from backend.sessions import Session, as_account, end_everything, new_device, open_family, revoke_codes

VALID_FOR = timedelta(hours=72)
_SENTENCES = {
    "code_unknown": "There is no such activation code.",
    "code_used": "This activation code was used.",
    "code_expired": "This activation code is no longer valid.",
}


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """What the nurse shows; the code is nowhere else."""

    code: str
    expires_at: datetime
    url: str
    account_id: UUID


@dataclass(frozen=True, slots=True)
class Activated:
    """A new device: its session, and the credential that it keeps."""

    session: Session
    device_id: UUID
    credential: str


def normal_code(text: str) -> str:
    """A code as people type it: case, dashes and spaces do not matter."""
    return re.sub(r"[\s\-‐-―－]", "", text).upper()


def issue_code(subject: Subject, account: Account, issued_by: UUID) -> IssuedCode:
    """A new code for a patient or carer of `subject` (locked by the caller); older ones end. Audited."""
    revoke_codes(account.id)
    code, now = crypto.new_code(), clock.now()
    row = ActivationCode(
        account_id=account.id,
        digest=vault().code_digest(code),
        issued_by=issued_by,
        issued_at=now,
        expires_at=now + VALID_FOR,
    )
    db.session.add(row)
    db.session.flush()
    new = {"account": str(account.id), "kind": account.kind, "expires_at": row.expires_at}
    audit.record("activation:issued", "activation_code", row.id, subject_id=subject.id, new=new)
    spoken = f"{code[:5]}-{code[5:]}"
    return IssuedCode(spoken, row.expires_at, f"{settings().public_url}/phone/#activate={spoken}", account.id)


def reporter_of(subject: Subject, account_id: UUID) -> Account:
    """The account, if it reports for the subject now; 404 otherwise."""
    link = db.session.get(SubjectLink, (account_id, subject.id))
    if link is None or link.revoked_at is not None:
        raise Problem("not_found")
    return db.session.get_one(Account, account_id)


def patient_of(subject: Subject) -> Account:
    """The patient's own account; 404 where enrolment made none."""
    link = link_of_patient(subject.id)
    if link is None:
        raise Problem("not_found")
    return db.session.get_one(Account, link.account_id)


def activate(code: str, pin: str, device_name: str, transport: str) -> Activated:
    """Turn a code into a device with a PIN, signed in. Opens its own transactions.

    Raises 422 at /code: `code_unknown`, `code_used`, `code_expired` (also when a newer one was issued).
    """
    digest = vault().code_digest(normal_code(code))
    with transaction(writes=False):
        account_id = _usable(digest).account_id
        subject_ids = policy.subjects_of(account_id)
    pin_hash = crypto.hash_password(pin)
    with transaction():
        # The subject first, then the code: the order in which a new code is issued.
        subject_id = lock_subject(subject_ids[0]).id if subject_ids else None
        row = _usable(digest, lock=True)
        account = db.session.get_one(Account, account_id)
        if not account.active or subject_id not in policy.subjects_of(account_id):
            raise _bad("code_expired")
        row.used_at = clock.now()
        return _new_device(account, subject_id, pin_hash, device_name, transport)


def _new_device(
    account: Account, subject_id: UUID | None, pin_hash: str, device_name: str, transport: str
) -> Activated:
    credential = crypto.new_secret()
    device = new_device(account.id, device_name, pin_hash, credential=credential)
    device.last_seen_at = clock.now()
    with audit.acting(as_account(account)):
        new = {"account": str(account.id), "kind": account.kind}
        audit.record("device:activated", "device", device.id, subject_id=subject_id, new=new)
    ends = clock.now() + settings().patient_session
    session = open_family(account, transport=transport, strength="pin", ends=ends, device_id=device.id)
    return Activated(session, device.id, credential)


def _usable(digest: str, *, lock: bool = False) -> ActivationCode:
    query = sa.select(ActivationCode).where(ActivationCode.digest == digest)
    row = db.session.scalars(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise _bad("code_unknown")
    if row.used_at is not None:
        raise _bad("code_used")
    if row.revoked_at is not None or row.expires_at <= clock.now():
        raise _bad("code_expired")
    return row


def _bad(code: str) -> Problem:
    return fault("/code", code, _SENTENCES[code])


def revoke_carer(subject: Subject, account_id: UUID, reason: str) -> SubjectLink:
    """End a carer's access to this subject; where it was the last one, sign the carer out too. Again is the same.

    Raises 404 for an account that never was a carer of this subject.
    """
    link = db.session.get(SubjectLink, (account_id, subject.id))
    if link is None or link.relation != "carer":
        raise Problem("not_found")
    if link.revoked_at is None:
        link.revoked_at = clock.now()
        db.session.flush()
        if not policy.subjects_of(account_id):
            end_everything(account_id, "no subject left to report for")
        audit.record("reporter:revoked", "account", account_id, subject_id=subject.id, reason=reason)
    return link


def revoke_devices(subject: Subject, account: Account, reason: str) -> tuple[UUID, ...]:
    """A lost phone: sign a reporter of this subject out of every device. Answers the devices ended."""
    ended = end_everything(account.id, "devices revoked by the site")
    new = {"devices": [str(device) for device in ended.devices], "sessions": ended.sessions}
    audit.record("device:revoked", "account", account.id, subject_id=subject.id, new=new, reason=reason)
    return ended.devices
