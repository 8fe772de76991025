"""Appointments and attendance of visits, planned or not: each one a further row, the last one recorded holds."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend import agenda, audit, chronicle, clock, records, repeats, workdays
from backend.db import db
from backend.errors import Problem, fault
from backend.models.calendar import Appointment, Attendance, Occurrence, UnscheduledVisit
from backend.models.study import Site
from backend.models.subject import Subject
from schedules.protocol.definition import Label
from schedules.windows import end_of_day, local_date, start_of_day
from schedules.workdays import Suggestion, suggest

NOTHING = Label("", "")
WEEKEND = {5: Label("星期六", "Saturday"), 6: Label("星期日", "Sunday")}  # by weekday


@dataclass(frozen=True, slots=True)
class Remark:
    """Something a person should know of a time that is allowed all the same. `detail`: a name or keys, or nothing."""

    code: str  # outside_window, not_working_day, working_days_unknown, in_the_past, same_day
    detail: Label = NOTHING


def visit_of(visit_id: UUID) -> Occurrence:
    """The visit's row in the calendar; 404 if there is none."""
    row = db.session.get(Occurrence, visit_id)
    if row is None or row.kind != "visit":
        raise Problem("not_found")
    return row


def revision_of(table: type[Appointment] | type[Attendance], visit_id: UUID) -> int:
    """How many rows have been written about this visit; 0 before the first."""
    return db.session.execute(sa.select(sa.func.count()).where(table.visit_id == visit_id)).scalar_one()


def add_unscheduled(subject_id: UUID, content: Mapping[str, Any], by: UUID) -> tuple[Occurrence, bool]:
    """A visit outside the plan: agreed for a time to come, or one that took place. (row, whether it is new).

    `content`: id, at, reason. A repeat of the id with equal content is what is stored.
    """
    subject = records.open_subject(subject_id)
    said = {"subject_id": subject.id, "at": content["at"], "reason": content["reason"]}
    stored = repeats.stored(UnscheduledVisit, content["id"], **said)
    if stored is not None:
        return visit_of(stored.id), False
    if db.session.get(Occurrence, content["id"]) is not None:
        raise Problem("id_taken")
    row = UnscheduledVisit(id=content["id"], recorded_at=clock.now(), recorded_by=by, **said)
    db.session.add(row)
    db.session.flush()
    audit.record("visit:added", "visit", row.id, subject_id=subject.id, new={"at": row.at}, reason=row.reason)
    agenda.refresh(subject)
    return visit_of(row.id), True


def appoint(visit_id: UUID, content: Mapping[str, Any], by: UUID) -> Occurrence:
    """Agree on a time, move it, or (`at` None) take it back. A time outside the window needs a reason."""
    subject, visit = _locked(visit_id)
    revision = revision_of(Appointment, visit_id)
    at, reason = content["at"], content.get("reason")
    unscheduled = db.session.get(UnscheduledVisit, visit_id) is not None
    if at is not None and visit.due_at is None and not unscheduled:
        raise Problem("conflict", "the visit is not dated yet: its anchor event is unknown")
    if at is not None and not _in_window(visit, at, chronicle.site_zone(subject.site_id)) and not reason:
        raise fault("/reason", "required", "a time outside the visit's window needs a reason")
    if (revision > 0 or unscheduled) and not reason:
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
    if content["at"] > clock.now() + clock.TOLERANCE:
        raise fault("/at", "in_the_future", "attendance cannot lie in the future")
    if content["outcome"] == "missed" and not content.get("reason"):
        raise fault("/reason", "required", "a missed visit needs a reason")
    revision = revision_of(Attendance, visit_id)
    if revision > 0 and not content.get("reason"):
        raise fault("/reason", "required", "correcting an attendance needs a reason")
    row = Attendance(
        subject_id=subject.id,
        visit_id=visit_id,
        visit_key=visit.key,
        revision=revision + 1,
        at=content["at"],
        outcome=content["outcome"],
        reason=content.get("reason"),
        recorded_at=clock.now(),
        recorded_by=by,
    )
    old = {"at": visit.satisfied_at, "missed": visit.missed}
    new = {"at": row.at, "outcome": row.outcome}
    return _write(subject, visit, row, "visit:attendance", old, new, row.reason)


def history(visit_id: UUID) -> list[Appointment | Attendance]:
    """Every appointment and attendance ever recorded of the visit, oldest first."""
    rows: list[Appointment | Attendance] = []
    for table in (Appointment, Attendance):
        rows.extend(db.session.scalars(sa.select(table).where(table.visit_id == visit_id)))
    return sorted(rows, key=lambda row: (row.recorded_at, row.__tablename__, row.revision))


def remarks(subject: Subject, visit: Occurrence) -> tuple[Remark, ...]:
    """What a person should know of the visit's agreed time."""
    if visit.appointment_at is None:
        return ()
    zone = chronicle.site_zone(subject.site_id)
    on = local_date(visit.appointment_at, zone)
    found = []
    if not _in_window(visit, visit.appointment_at, zone):
        found.append(Remark("outside_window"))
    working = workdays.table_of(subject.site_id, on, on)
    if not working.works(on):
        found.append(Remark("not_working_day", working.name(on) or WEEKEND[on.weekday()]))
    if workdays.are_unknown(db.session.get_one(Site, subject.site_id), on.year):
        found.append(Remark("working_days_unknown", Label(str(on.year), str(on.year))))
    if visit.appointment_at < clock.now() - clock.TOLERANCE and visit.satisfied_at is None:
        found.append(Remark("in_the_past"))
    others = _appointed(on, zone, Occurrence.subject_id == subject.id, Occurrence.id != visit.id)
    if others:
        keys = ", ".join(sorted(row.key for row in others))
        found.append(Remark("same_day", Label(keys, keys)))
    return tuple(found)


def suggestions(subject: Subject, visit: Occurrence) -> tuple[Suggestion, ...]:
    """Working days of the visit's window from today on, nearest to its target first."""
    if visit.earliest_on is None or visit.latest_on is None or visit.target_on is None:
        raise Problem("conflict", "the visit is not dated yet: its anchor event is unknown")
    window, zone = (visit.earliest_on, visit.latest_on), chronicle.site_zone(subject.site_id)
    first, last = start_of_day(window[0], zone), end_of_day(window[1], zone)
    rows = db.session.execute(
        sa.select(Occurrence.appointment_at, Occurrence.subject_id).where(
            Occurrence.site_id == subject.site_id,
            Occurrence.kind == "visit",
            Occurrence.listed_at >= first,
            Occurrence.listed_at < last,
            Occurrence.appointment_at.is_not(None),
            Occurrence.excused.is_(None),
            Occurrence.id != visit.id,
        )
    )
    agreed: Counter[date] = Counter()
    own = set()
    for at, subject_id in rows:
        assert at is not None  # asked for
        on = local_date(at, zone)
        agreed[on] += 1
        if subject_id == subject.id:
            own.add(on)
    working = workdays.table_of(subject.site_id, *window)
    return suggest(window, visit.target_on, local_date(clock.now(), zone), working, agreed, frozenset(own))


def _in_window(visit: Occurrence, at: datetime, zone: str) -> bool:
    """Whether the time lies in the planned window; a visit that nobody planned has none."""
    if visit.earliest_on is None or visit.latest_on is None:
        return True
    return visit.earliest_on <= local_date(at, zone) <= visit.latest_on


def _appointed(on: date, zone: str, *which: sa.ColumnElement[bool]) -> list[Occurrence]:
    """Visits agreed for a date."""
    begins, ends = start_of_day(on, zone), end_of_day(on, zone)
    rows = sa.select(Occurrence).where(
        Occurrence.kind == "visit",
        Occurrence.appointment_at >= begins,
        Occurrence.appointment_at < ends,
        Occurrence.excused.is_(None),
        *which,
    )
    return list(db.session.scalars(rows))


def _locked(visit_id: UUID) -> tuple[Subject, Occurrence]:
    subject = records.open_subject(visit_of(visit_id).subject_id)
    records.refuse_frozen(visit_id)
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
