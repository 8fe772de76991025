"""The casebook of one subject: whether it is complete, and the principal investigator's signature under it.

A signature names the link of the subject's audit chain at which it was given. Any later change of the record
voids it visibly: not by a flag, but because the trail now goes on with an act that changes the record.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend import audit, clock, queries, records, repeats
from backend.db import db, lock_subject
from backend.errors import Problem
from backend.models.conduct import Signature
from backend.models.people import Account
from backend.models.record import AuditEvent, AuditHead
from backend.models.subject import Subject

CASEBOOK = "casebook"
# Things whose acts change what the record says. Reading, queries, closing and signing do not; of an episode only
# what it turned out to be, not who was paged and answered.
CHANGES = (
    "subject",
    "subject_event",
    "visit",
    "entry",
    "measurement",
    "medication",
    "product",
    "consent",
    "excuse",
    "episode",
    "assessment",
    "adverse_event",
)
_NO_CHANGE = (
    "contact:read",
    "subject:addressed",
    "subject:closed",
    "subject:opened",
    "visit:closed",
    "visit:opened",
    "entry:conflict_kept",
)
_OF_EPISODES = ("episode:closed",)


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature and the acts since then that void it, as (when, verb)."""

    row: Signature
    voided_by: tuple[AuditEvent, ...]


def signatures(subject_id: UUID) -> tuple[Signed, ...]:
    """Every signature under the casebook, oldest first, each with what has voided it."""
    rows = db.session.scalars(
        sa.select(Signature)
        .where(Signature.subject_id == subject_id, Signature.scope == CASEBOOK)
        .order_by(Signature.audit_seq, Signature.at)
    ).all()
    if not rows:
        return ()
    later = db.session.scalars(
        sa.select(AuditEvent)
        .where(
            AuditEvent.chain == str(subject_id),
            AuditEvent.seq > rows[0].audit_seq,
            AuditEvent.entity.in_(CHANGES),
            AuditEvent.verb.not_in(_NO_CHANGE),
            sa.or_(AuditEvent.entity != "episode", AuditEvent.verb.in_(_OF_EPISODES)),
        )
        .order_by(AuditEvent.seq)
    ).all()
    return tuple(Signed(row, tuple(one for one in later if one.seq > row.audit_seq)) for row in rows)


def sign(subject_id: UUID, content: Mapping[str, Any], by: Account) -> tuple[Signature, bool]:
    """Sign the casebook as it stands: id, meaning. Refused while queries are open or the record is not locked."""
    subject: Subject = lock_subject(subject_id)
    said = {"subject_id": subject.id, "meaning": content["meaning"], "signed_by": by.id}
    stored = repeats.stored(Signature, content["id"], **said)
    if stored is not None:
        return stored, False
    unsettled = queries.unsettled(subject.id)
    if unsettled:
        raise Problem("conflict", f"{unsettled} data queries are not closed")
    if subject.locked_at is None and records.database_locked_at() is None:
        raise Problem("conflict", "lock the subject's record first, so that what is signed stays as it is")
    row = put_signature(subject.id, content["id"], by, scope=CASEBOOK, meaning=content["meaning"])
    audit.record(
        "casebook:signed",
        "signature",
        row.id,
        subject_id=subject.id,
        new={"meaning": row.meaning, "audit_seq": row.audit_seq, "audit_hash": row.audit_hash},
    )
    return row, True


def put_signature(subject_id: UUID, identity: UUID, by: Account, **said: Any) -> Signature:
    """A signature that names the link of the subject's trail at which it is given. The row is locked by the caller."""
    head = db.session.get_one(AuditHead, str(subject_id), populate_existing=True)
    row = Signature(
        id=identity,
        subject_id=subject_id,
        audit_seq=head.seq,
        audit_hash=head.hash,
        signed_by=by.id,
        signed_as=by.role,
        at=clock.now(),
        **said,
    )
    db.session.add(row)
    db.session.flush()
    return row
