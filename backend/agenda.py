"""The projection of computed occurrences, so that lists over thousands of subjects are plain SQL against `now`.

Facts are stored, the rest is computed: `refresh` is the only writer of the table `occurrence`, called in the
transaction that changes a fact; `verify` proves that what is stored is what would be computed now.

A row also keeps the status it had when last looked at and until when that is good (`stage`, `turns_at`), an index
for `backend.duelist`; `advance` keeps it near. Whoever asks for a status asks `status_at`, which looks at the clock.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend import chronicle, clock, studies
from backend.db import db
from backend.models import calendar as tables
from backend.models.capture import Entry
from backend.models.study import Site
from backend.models.subject import Subject
from schedules.history import Amendment, Answered, Attended, Excuse, History, Unscheduled
from schedules.occurrences import occurrences
from schedules.planned import NOT_APPLICABLE, Occurrence, settled, status, turns_at
from schedules.protocol.definition import Study
from schedules.slots import answered_by, slot_for

UNDATED = datetime(2200, 1, 1, tzinfo=UTC)  # where what is not dated stands in a list by time: last
STALE = "stale"
_INSTANT = timedelta(microseconds=1)
_COLUMNS = tuple(Occurrence.__dataclass_fields__)
_followers: list[Callable[[Subject], None]] = []


def follow(follower: Callable[[Subject], None]) -> None:
    """Have `follower` called in every transaction that changes a calendar, after it is written: texts are replanned."""
    if follower not in _followers:
        _followers.append(follower)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a subject's calendar is computed from: the revision enrolled under, the facts, and each edition's id."""

    study: Study
    history: History
    revisions: tuple[UUID, ...]

    def occurrences(self) -> tuple[Occurrence, ...]:
        return occurrences(self.study, self.history)

    def under(self, history: History) -> tuple[Occurrence, ...]:
        """The calendar with other facts."""
        return occurrences(self.study, history)


def plan_of(subject: Subject, as_of: datetime | None = None) -> Plan:
    """What the subject's calendar is computed from, in a constant number of queries.

    `as_of`: from the visits and events that had been recorded then; reports, excuses and zones, which move no visit,
    are taken as they stand.
    """
    enrolled_under, later = studies.history_of(subject, as_of)
    study = studies.revision(enrolled_under)
    known = chronicle.facts_of(subject.id, as_of)
    amendments = tuple(Amendment(row.effective_on, studies.revision(row.study_revision_id)) for row in later)
    latest = amendments[-1].study if amendments else study
    appointments = _appointments(subject.id, as_of)
    history = History(
        subject_id=subject.id,
        site_zone=chronicle.site_zone(subject.site_id),
        zones=chronicle.zones_of(subject),
        enrolled_at=subject.enrolled_at,
        anchors=chronicle.anchors(known, latest.anchor_events),
        stays=chronicle.stays(known),
        excuses=tuple(Excuse(row.since, row.until, row.kind) for row in chronicle.excuses_of(subject.id)),
        stopped=chronicle.stopped(known),
        appointments={visit_id: at for visit_id, at in appointments.items() if at is not None},
        attendances=_attendances(subject.id, as_of),
        unscheduled=_unscheduled(subject.id, appointments, as_of),
        answered=_answered(subject.id),
        amendments=amendments,
    )
    return Plan(study, history, (enrolled_under, *(row.study_revision_id for row in later)))


def _appointments(subject_id: UUID, as_of: datetime | None) -> Mapping[UUID, datetime | None]:
    """The last word on when each visit takes place; None where it was taken back."""
    rows = db.session.execute(
        sa.select(tables.Appointment.visit_id, tables.Appointment.at)
        .where(tables.Appointment.subject_id == subject_id, chronicle.known_by(tables.Appointment, as_of))
        .order_by(tables.Appointment.revision)
    )
    return {row.visit_id: row.at for row in rows}


def _attendances(subject_id: UUID, as_of: datetime | None) -> Mapping[UUID, Attended]:
    rows = db.session.scalars(
        sa.select(tables.Attendance)
        .where(tables.Attendance.subject_id == subject_id, chronicle.known_by(tables.Attendance, as_of))
        .order_by(tables.Attendance.revision)
    )
    return {row.visit_id: Attended(row.id, row.at, row.outcome) for row in rows}


def _unscheduled(
    subject_id: UUID, appointments: Mapping[UUID, datetime | None], as_of: datetime | None
) -> tuple[Unscheduled, ...]:
    rows = db.session.execute(
        sa.select(tables.UnscheduledVisit.id, tables.UnscheduledVisit.at)
        .where(tables.UnscheduledVisit.subject_id == subject_id, chronicle.known_by(tables.UnscheduledVisit, as_of))
        .order_by(tables.UnscheduledVisit.recorded_at, tables.UnscheduledVisit.id)
    )
    return tuple(Unscheduled(row.id, appointments.get(row.id, row.at)) for row in rows)


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
    plan = plan_of(subject)
    wanted = plan.occurrences()
    now = clock.now()
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
        columns = {name: getattr(one, name) for name in _COLUMNS}  # `asdict` copies deeply, and slowly
        columns |= {"study_revision_id": plan.revisions[one.edition], **_listing(one, now)}
        if row is None:
            fresh.append({"subject_id": subject.id, "site_id": subject.site_id, **columns})
            continue
        for name, value in columns.items():
            if getattr(row, name) != value:
                setattr(row, name, value)
    db.session.flush()
    if stored:
        db.session.execute(sa.delete(tables.Occurrence).where(tables.Occurrence.id.in_(list(stored))))
    if fresh:
        db.session.execute(sa.insert(tables.Occurrence), fresh)
    for follower in _followers:
        follower(subject)
    return wanted


def _listing(one: Occurrence, now: datetime) -> dict[str, Any]:
    return {"stage": status(one, now), "turns_at": turns_at(one, now), "listed_at": one.due_at or UNDATED}


def stale_subjects() -> list[UUID]:
    """Subjects whose rows a migration has marked: they are to be written anew."""
    return list(
        db.session.scalars(sa.select(tables.Occurrence.subject_id).where(tables.Occurrence.stage == STALE).distinct())
    )


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
    for name, value in _listing(filled, clock.now()).items():
        setattr(row, name, value)
    db.session.flush()
    return row


def as_value(row: tables.Occurrence) -> Occurrence:
    """The stored row as the value it was computed as."""
    return Occurrence(**{name: getattr(row, name) for name in _COLUMNS})


def status_at(now: datetime) -> sa.Case[str]:
    """`schedules.planned.status` in SQL. A property test holds the two together."""
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


def _turns_after(now: datetime) -> sa.Case[datetime | None]:
    """`schedules.planned.turns_at` in SQL, for rows that no fact has settled."""
    one = tables.Occurrence
    limits = (one.opens_at, one.due_at, one.late_at, one.closes_at)
    return sa.case(*((limit > now, limit) for limit in limits), else_=sa.null())


def advance(now: datetime, limit: int = 5000) -> int:
    """Move on the stage of rows that the clock has turned since they were last looked at. Returns how many.

    Lists are right without it and slower: what it has not reached yet they judge row by row.
    """
    one = tables.Occurrence
    moved = 0
    for site_id in db.session.scalars(sa.select(Site.id)).all():
        for kind in ("visit", "slot"):
            here = sa.and_(one.site_id == site_id, one.kind == kind, one.turns_at <= now)
            turned = sa.select(one.id).where(here).order_by(one.turns_at).limit(limit - moved)
            moving = (
                sa.update(one)
                .where(one.id.in_(turned.scalar_subquery()), one.turns_at <= now)
                .values(stage=status_at(now), turns_at=_turns_after(now))
                .execution_options(synchronize_session=False)
            )
            moved += int(db.session.execute(moving).rowcount)  # type: ignore[attr-defined]
    return moved


def verify() -> list[dict[str, Any]]:
    """Compare the table with a fresh computation for every subject; one line per difference."""
    differences: list[dict[str, Any]] = []
    for subject in db.session.scalars(sa.select(Subject).order_by(Subject.id)):
        differences.extend(differences_of(subject))
    return differences


def differences_of(subject: Subject) -> list[dict[str, Any]]:
    """What one subject's rows say otherwise than a fresh computation; a stage need only be one that was good once."""
    wanted = {one.id: one for one in plan_of(subject).occurrences()}
    rows = db.session.scalars(sa.select(tables.Occurrence).where(tables.Occurrence.subject_id == subject.id))
    stored = {row.id: row for row in rows}
    return [
        {"subject": subject.id, "occurrence": identity, "stored": identity in stored}
        for identity in sorted(wanted.keys() | stored.keys(), key=str)
        if identity not in wanted or identity not in stored or not _says(stored[identity], wanted[identity])
    ]


def _says(row: tables.Occurrence, one: Occurrence) -> bool:
    """Whether the row is this occurrence, with a stage that it has or had."""
    if as_value(row) != one or row.listed_at != (one.due_at or UNDATED):
        return False
    if row.turns_at is None:
        return row.stage == (settled(one) or "missed")  # nothing turns it any more
    before = row.turns_at - _INSTANT
    return turns_at(one, before) == row.turns_at and row.stage == status(one, before)
