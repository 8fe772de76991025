"""The projection of computed occurrences, so that lists over thousands of subjects are plain SQL against `now`.

Facts are stored, the rest is computed: `refresh` is the only writer of the table `occurrence`, called in the
transaction that changes a fact; `verify` proves that what is stored is what would be computed now.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend import chronicle, studies
from backend.db import db
from backend.models import calendar as tables
from backend.models.capture import Entry
from backend.models.subject import Subject
from schedules.occurrences import (
    NOT_APPLICABLE,
    Answered,
    Attended,
    History,
    Occurrence,
    answered_by,
    occurrences,
    slot_for,
)

_COLUMNS = tuple(Occurrence.__dataclass_fields__)


def history_of(subject: Subject) -> History:
    """The facts the subject's calendar depends on, in a constant number of queries."""
    study = studies.revision(subject.study_revision_id)
    known = chronicle.facts_of(subject.id)
    return History(
        subject_id=subject.id,
        site_zone=chronicle.site_zone(subject.site_id),
        zones=chronicle.zones_of(subject),
        enrolled_at=subject.enrolled_at,
        anchors=chronicle.anchors(known, study.anchor_events),
        stays=chronicle.stays(known),
        stopped=chronicle.stopped(known),
        appointments=_appointments(subject.id),
        attendances=_attendances(subject.id),
        answered=_answered(subject.id),
    )


def _appointments(subject_id: UUID) -> Mapping[UUID, datetime]:
    rows = db.session.execute(
        sa.select(tables.Appointment.visit_id, tables.Appointment.at)
        .where(tables.Appointment.subject_id == subject_id)
        .order_by(tables.Appointment.revision)
    )
    last = {row.visit_id: row.at for row in rows}
    return {visit_id: at for visit_id, at in last.items() if at is not None}


def _attendances(subject_id: UUID) -> Mapping[UUID, Attended]:
    rows = db.session.scalars(
        sa.select(tables.Attendance)
        .where(tables.Attendance.subject_id == subject_id)
        .order_by(tables.Attendance.revision)
    )
    return {row.visit_id: Attended(row.id, row.at, row.outcome) for row in rows}


def _answered(subject_id: UUID) -> tuple[Answered, ...]:
    rows = db.session.execute(
        sa.select(Entry.id, Entry.form, Entry.effective_at, Entry.claimed_slot).where(
            Entry.subject_id == subject_id, Entry.practice.is_(False)
        )
    )
    return tuple(Answered(*row) for row in rows)


def refresh(subject: Subject) -> tuple[Occurrence, ...]:
    """Compute the subject's calendar and make the table say the same. Returns what was computed.

    The subject's row must be locked by the caller's transaction.
    """
    study = studies.revision(subject.study_revision_id)
    wanted = occurrences(study, history_of(subject))
    stored = {
        row.id: row
        for row in db.session.scalars(
            sa.select(tables.Occurrence)
            .where(tables.Occurrence.subject_id == subject.id)
            .execution_options(populate_existing=True)
        )
    }
    fresh = []
    for one in wanted:
        row = stored.pop(one.id, None)
        if row is None:
            columns = {name: getattr(one, name) for name in _COLUMNS}  # `asdict` copies deeply, and slowly
            fresh.append({"subject_id": subject.id, "site_id": subject.site_id, **columns})
            continue
        for name in _COLUMNS:
            if getattr(row, name) != getattr(one, name):
                setattr(row, name, getattr(one, name))
    db.session.flush()
    if stored:
        db.session.execute(sa.delete(tables.Occurrence).where(tables.Occurrence.id.in_(list(stored))))
    if fresh:
        db.session.execute(sa.insert(tables.Occurrence), fresh)
    return wanted


def slots_near(subject_id: UUID, form: str, at: datetime, claimed: UUID | None) -> dict[UUID, tables.Occurrence]:
    """The slots an entry measured at `at` could belong to: those open then, and the one it was meant for."""
    one = tables.Occurrence
    open_then = sa.and_(one.opens_at <= at, one.closes_at > at)
    rows = db.session.scalars(
        sa.select(one).where(
            one.subject_id == subject_id,
            one.kind == "slot",
            one.key == form,
            sa.or_(one.id == claimed, open_then) if claimed else open_then,
        )
    )
    return {row.id: row for row in rows}


def attach(entry: Entry) -> tables.Occurrence | None:
    """Attach one new entry to its slot without recomputing the calendar, by the same rule as `refresh`.

    An entry belongs to its slot whatever other entries say, so this touches one row. Returns that row.
    """
    near = slots_near(entry.subject_id, entry.form, entry.effective_at, entry.claimed_slot)
    answered = Answered(entry.id, entry.form, entry.effective_at, entry.claimed_slot)
    identity = slot_for((as_value(row) for row in near.values()), answered)
    if identity is None:
        return None
    row = near[identity]
    filled = answered_by(as_value(row), answered)
    row.satisfied_by, row.satisfied_at = filled.satisfied_by, filled.satisfied_at
    db.session.flush()
    return row


def as_value(row: tables.Occurrence) -> Occurrence:
    """The stored row as the value it was computed as."""
    return Occurrence(**{name: getattr(row, name) for name in _COLUMNS})


def status_at(now: datetime) -> sa.Case[str]:
    """`schedules.occurrences.status` in SQL. A property test holds the two together."""
    one = tables.Occurrence
    limit = sa.case((one.kind == "slot", one.late_at), else_=one.closes_at)
    return sa.case(
        (sa.and_(one.satisfied_at.is_not(None), limit.is_not(None), one.satisfied_at >= limit), "late"),
        (one.satisfied_at.is_not(None), "done"),
        (one.excused.in_(NOT_APPLICABLE), "not_applicable"),
        (one.excused.is_not(None), "excused"),
        (one.missed, "missed"),
        (one.due_at.is_(None), "not_dated"),
        (one.opens_at > now, "not_yet"),
        (one.due_at > now, "open"),
        (one.late_at > now, "due"),
        (one.closes_at > now, "overdue"),
        else_="missed",
    )


def zone_on(subject: Subject, day: date) -> str:
    """The subject's zone in force on a date."""
    return chronicle.zones_of(subject).on(day)


def verify() -> list[dict[str, Any]]:
    """Compare the table with a fresh computation for every subject; one line per difference."""
    differences: list[dict[str, Any]] = []
    for subject in db.session.scalars(sa.select(Subject).order_by(Subject.id)):
        study = studies.revision(subject.study_revision_id)
        wanted = {one.id: one for one in occurrences(study, history_of(subject))}
        stored = {
            row.id: as_value(row)
            for row in db.session.scalars(
                sa.select(tables.Occurrence).where(tables.Occurrence.subject_id == subject.id)
            )
        }
        for identity in sorted(wanted.keys() | stored.keys(), key=str):
            if wanted.get(identity) != stored.get(identity):
                differences.append(
                    {"subject": subject.id, "occurrence": identity, "stored": stored.get(identity) is not None}
                )
    return differences
