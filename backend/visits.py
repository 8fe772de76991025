"""Appointments and attendance of planned visits: each one a further row, the last one recorded holds."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend import agenda, audit, clock
from backend.db import db, lock_subject
from backend.errors import Problem, fault
from backend.models.calendar import Appointment, Attendance, Occurrence
from backend.models.subject import Subject

CLOCK_TOLERANCE = timedelta(minutes=5)


def visit_of(visit_id: UUID) -> Occurrence:
    """The visit's row in the calendar; 404 if there is none."""
    row = db.session.get(Occurrence, visit_id)
    if row is None or row.kind != "visit":
        raise Problem("not_found")
    return row


def revision_of(table: type[Appointment] | type[Attendance], visit_id: UUID) -> int:
    """How many rows have been written about this visit; 0 before the first."""
    return db.session.execute(sa.select(sa.func.count()).where(table.visit_id == visit_id)).scalar_one()


def appoint(visit_id: UUID, content: Mapping[str, Any], by: UUID) -> Occurrence:
    """Agree on a time, move it, or (`at` None) take it back. A time outside the window needs a reason."""
    subject, visit = _locked(visit_id)
    revision = revision_of(Appointment, visit_id)
    at, reason = content["at"], content.get("reason")
    if at is not None and visit.due_at is None:
        raise Problem("conflict", "the visit is not dated yet: its anchor event is unknown")
    if at is not None and visit.opens_at is not None and visit.closes_at is not None:
        outside = not visit.opens_at <= at < visit.closes_at
        if outside and not reason:
            raise fault("/reason", "required", "a time outside the visit's window needs a reason")
    if revision > 0 and not reason:
        raise fault("/reason", "required", "moving an appointment needs a reason")
    row = Appointment(
        subject_id=subject.id,
        visit_id=visit_id,
        visit_key=visit.key,
        revision=revision + 1,
        at=at,
        reason=reason,
        recorded_at=clock.now(),
        recorded_by=by,
    )
    return _write(subject, visit, row, "visit:appointed", {"at": visit.appointment_at}, {"at": at}, reason)


def attend(visit_id: UUID, content: Mapping[str, Any], by: UUID) -> Occurrence:
    """Record that the subject came, or did not. Not before it can be known."""
    subject, visit = _locked(visit_id)
    if content["at"] > clock.now() + CLOCK_TOLERANCE:
        raise fault("/at", "in_the_future", "attendance cannot lie in the future")
    if content["outcome"] == "missed" and not content.get("reason"):
        raise fault("/reason", "required", "a missed visit needs a reason")
    row = Attendance(
        subject_id=subject.id,
        visit_id=visit_id,
        visit_key=visit.key,
        revision=revision_of(Attendance, visit_id) + 1,
        at=content["at"],
        outcome=content["outcome"],
        reason=content.get("reason"),
        recorded_at=clock.now(),
        recorded_by=by,
    )
    old = {"at": visit.satisfied_at, "missed": visit.missed}
    new = {"at": row.at, "outcome": row.outcome}
    return _write(subject, visit, row, "visit:attendance", old, new, row.reason)


def _locked(visit_id: UUID) -> tuple[Subject, Occurrence]:
    subject = lock_subject(visit_of(visit_id).subject_id)
    return subject, db.session.get_one(Occurrence, visit_id, populate_existing=True)


def _write(
    subject: Subject,
    visit: Occurrence,
    row: Appointment | Attendance,
    verb: str,
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    reason: str | None,
) -> Occurrence:
    db.session.add(row)
    db.session.flush()
    audit.record(verb, "visit", visit.id, subject_id=subject.id, old=dict(old), new=dict(new), reason=reason)
    agenda.refresh(subject)
    return visit
