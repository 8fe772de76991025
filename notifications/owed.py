"""What a subject still owes today: open slots, visits near enough to mention, slots that are late. Reads, never writes.

All of it is SQL over the projection, by day or by `late_at`; no calendar is loaded.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from backend import chronicle
from backend.db import db
from backend.models.calendar import Occurrence
from backend.models.study import Site
from backend.models.subject import Subject, SubjectEvent
from schedules.protocol.definition import Reminders
from schedules.windows import end_of_day, local_date, start_of_day

_LONGEST_LATENESS = timedelta(days=7)  # no slot stays open longer; keeps the look-up to the end of its index
_NEVER = datetime.max.replace(tzinfo=UTC)
_OPEN = (Occurrence.satisfied_at.is_(None), Occurrence.excused.is_(None), Occurrence.missed.is_(False))
REACHABLE = (Subject.ended_at.is_(None), Subject.admitted.is_(False))


@dataclass(slots=True)
class Owed:
    """One subject's day. `visits` are (days from today, instant); slots are those that can still be answered."""

    slots: int = 0
    visits: list[tuple[int, datetime]] = field(default_factory=list)

    def nearest(self) -> list[tuple[int, datetime]]:
        """The visits of the nearest day that has any: the ones a text speaks of."""
        first = min((days for days, _ in self.visits), default=None)
        return sorted(visit for visit in self.visits if visit[0] == first)


def on_day(
    who: Sequence[sa.ColumnElement[bool]], reminders: Reminders, zone: str, day: date, now: datetime
) -> dict[UUID, Owed]:
    """What the reachable subjects that meet `who` owe on `day`, a local date of `zone`. Nothing owed: not there."""
    owed: dict[UUID, Owed] = defaultdict(Owed)
    for subject_id, count in _slots(who, zone, day, now):
        owed[subject_id].slots = count
    wanted = {0, *reminders.visit_days_before}
    for subject_id, at, is_appointment, site_zone in _visits(who, day, max(wanted)):
        days = (local_date(at, site_zone) - day).days
        if days in wanted and not (is_appointment and at <= now):
            owed[subject_id].visits.append((days, at))
    return {subject_id: one for subject_id, one in owed.items() if one.slots or one.visits}


def _slots(who: Sequence[sa.ColumnElement[bool]], zone: str, day: date, now: datetime) -> Iterable[tuple[UUID, int]]:
    start, end = start_of_day(day, zone), end_of_day(day, zone)
    query = (
        sa.select(Occurrence.subject_id, sa.func.count())
        .join(Subject, Subject.id == Occurrence.subject_id)
        .where(*who, *REACHABLE, *_OPEN, Occurrence.kind == "slot")
        .where(Occurrence.due_at >= start, Occurrence.due_at < end, Occurrence.closes_at > now)
        .group_by(Occurrence.subject_id)
    )
    return [(row[0], row[1]) for row in db.session.execute(query)]


def _visits(
    who: Sequence[sa.ColumnElement[bool]], day: date, days_ahead: int
) -> Iterator[tuple[UUID, datetime, bool, str]]:
    """Open visits from `day` on; a visit's date is the site's, hence the day of margin at either end."""
    start = start_of_day(day - timedelta(days=1), "UTC")
    end = end_of_day(day + timedelta(days=days_ahead + 1), "UTC")
    planned = sa.and_(Occurrence.appointment_at.is_(None), Occurrence.due_at >= start, Occurrence.due_at < end)
    agreed = sa.and_(Occurrence.appointment_at >= start, Occurrence.appointment_at < end)
    query = (
        sa.select(Occurrence.subject_id, Occurrence.due_at, Occurrence.appointment_at, Site.time_zone)
        .join(Subject, Subject.id == Occurrence.subject_id)
        .join(Site, Site.id == Occurrence.site_id)
        .where(*who, *REACHABLE, *_OPEN, Occurrence.kind == "visit", sa.or_(planned, agreed))
    )
    for subject_id, due_at, appointment_at, site_zone in db.session.execute(query):
        at = appointment_at or due_at
        if at is not None:
            yield subject_id, at, appointment_at is not None, site_zone


@dataclass(frozen=True, slots=True)
class Late:
    """The latest that one of a subject's open slots became late, and the last that one of them closes."""

    since: datetime
    closes_at: datetime


def late(now: datetime, *who: sa.ColumnElement[bool]) -> dict[UUID, Late]:
    """Reachable subjects with an announced slot that is late and still open."""
    query = (
        sa.select(Occurrence.subject_id, sa.func.max(Occurrence.late_at), sa.func.max(Occurrence.closes_at))
        .join(Subject, Subject.id == Occurrence.subject_id)
        .where(*who, *REACHABLE, *_OPEN, Occurrence.kind == "slot", Occurrence.announced.is_(True))
        .where(Occurrence.late_at <= now, Occurrence.late_at > now - _LONGEST_LATENESS, Occurrence.closes_at > now)
        .group_by(Occurrence.subject_id)
    )
    return {
        subject_id: Late(since, closes_at)
        for subject_id, since, closes_at in db.session.execute(query)
        if since is not None and closes_at is not None
    }


def stopped_texts(subject_ids: Sequence[UUID], now: datetime) -> set[UUID]:
    """Those of the subjects whose texts have ended, by a withdrawal or with everything else."""
    events: dict[UUID, list[SubjectEvent]] = defaultdict(list)
    query = (
        sa.select(SubjectEvent)
        .where(SubjectEvent.subject_id.in_(subject_ids), SubjectEvent.kind.in_(chronicle.ENDINGS))
        .order_by(SubjectEvent.event_id, SubjectEvent.revision)
    )
    for event in db.session.scalars(query):
        events[event.subject_id].append(event)
    return {
        subject_id
        for subject_id, rows in events.items()
        if chronicle.stopped(chronicle.facts(rows)).get("texts", _NEVER) <= now
    }
