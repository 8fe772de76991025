"""Spans in which no report is expected of a subject, with the reason: a lost phone, or what the team agreed to.

An excuse speaks of adherence only. It never silences the silence rules: who has lost the phone in the risk
window is called (`safety.facts`). The last revision of an excuse holds; earlier ones stay.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend import agenda, audit, chronicle, clock, records
from backend.db import db
from backend.errors import Problem, fault
from backend.models.calendar import Excuse
from backend.models.subject import Subject

LONGEST = timedelta(days=400)


def record(subject_id: UUID, content: Mapping[str, Any], by: UUID) -> tuple[Excuse, bool]:
    """A new excuse: id, kind, since, until (None: open), reason. (row, whether it is new)."""
    subject = records.open_subject(subject_id)
    stored = db.session.scalars(
        sa.select(Excuse).where(Excuse.excuse_id == content["id"]).order_by(Excuse.revision)
    ).first()
    if stored is not None:
        said = (content["kind"], content["since"], content.get("until"), content["reason"])
        if stored.subject_id != subject.id or (stored.kind, stored.since, stored.until, stored.reason) != said:
            raise Problem("id_taken")
        return current(subject.id, content["id"]), False
    return _write(subject, content["id"], None, content, by), True


def change(subject_id: UUID, excuse_id: UUID, content: Mapping[str, Any], by: UUID) -> Excuse:
    """A further revision: another end (the phone is back), another beginning, or `void`; with its reason."""
    subject = records.open_subject(subject_id)
    before = current(subject.id, excuse_id)
    merged = {name: content.get(name, getattr(before, name)) for name in ("kind", "since", "until", "void")}
    return _write(subject, excuse_id, before, {**merged, "reason": content["reason"]}, by)


def current(subject_id: UUID, excuse_id: UUID) -> Excuse:
    """The revision that holds; 404 where there is none, or it was taken back."""
    row = next((one for one in chronicle.excuses_of(subject_id) if one.excuse_id == excuse_id), None)
    if row is None:
        raise Problem("not_found")
    return row


def _write(subject: Subject, excuse_id: UUID, before: Excuse | None, content: Mapping[str, Any], by: UUID) -> Excuse:
    since, until = content["since"], content.get("until")
    if until is not None and until <= since:
        raise fault("/until", "out_of_order", "it ends before it begins")
    if abs(since - clock.now()) > LONGEST:
        raise fault("/since", "out_of_range", "more than 400 days from now")
    row = Excuse(
        excuse_id=excuse_id,
        revision=(before.revision if before else 0) + 1,
        subject_id=subject.id,
        kind=content["kind"],
        since=since,
        until=until,
        reason=content["reason"],
        void=bool(content.get("void")),
        recorded_at=clock.now(),
        recorded_by=by,
    )
    db.session.add(row)
    db.session.flush()
    audit.record(
        "excuse:changed" if before else "excuse:recorded",
        "excuse",
        excuse_id,
        subject_id=subject.id,
        old=_said(before) if before else None,
        new=_said(row),
        reason=row.reason,
    )
    agenda.refresh(subject)
    return row


def _said(row: Excuse) -> dict[str, Any]:
    return {"kind": row.kind, "since": row.since, "until": row.until, "void": row.void}
