"""The dated facts of one subject as they now stand: events after correction, zones, stays, what has stopped.

Reads only. Writing events is `backend.enrolment`'s; what follows from them for the calendar is
`backend.agenda`'s, for safety `backend.safety.facts`'.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from backend.db import db
from backend.models.study import Site
from backend.models.subject import Subject, SubjectEvent, ZoneChange
from schedules.occurrences import Anchor, Stay
from schedules.windows import ZoneHistory

ENDINGS = ("withdrawal", "death", "completion")
WITHDRAWAL_SCOPES = ("texts", "diary", "visits", "data")  # what a person may leave; without a scope: all of it


@dataclass(frozen=True, slots=True)
class Fact:
    """One event as it now stands. `known_since`: when its actual time was first recorded."""

    event_id: UUID
    kind: str
    revision: int
    planned_at: datetime | None
    actual_at: datetime | None
    scope: tuple[str, ...]
    reason: str | None
    recorded_at: datetime
    known_since: datetime | None

    @property
    def at(self) -> datetime | None:
        return self.actual_at or self.planned_at


def facts_of(subject_id: UUID) -> tuple[Fact, ...]:
    """Every event that holds, oldest first by when it happened (planned where not yet), then by recording."""
    rows = db.session.scalars(
        sa.select(SubjectEvent)
        .where(SubjectEvent.subject_id == subject_id)
        .order_by(SubjectEvent.event_id, SubjectEvent.revision)
    )
    return facts(rows)


def facts(rows: Iterable[SubjectEvent]) -> tuple[Fact, ...]:
    """Fold the revisions of events into what holds."""
    last: dict[UUID, SubjectEvent] = {}
    known: dict[UUID, datetime] = {}
    for row in rows:
        last[row.event_id] = row
        if row.actual_at is not None:
            known.setdefault(row.event_id, row.recorded_at)
    found = [
        Fact(
            event_id=row.event_id,
            kind=row.kind,
            revision=row.revision,
            planned_at=row.planned_at,
            actual_at=row.actual_at,
            scope=tuple(row.scope or ()),
            reason=row.reason,
            recorded_at=row.recorded_at,
            known_since=known.get(row.event_id),
        )
        for row in last.values()
        if not row.void
    ]
    return tuple(sorted(found, key=lambda fact: (fact.at or fact.recorded_at, fact.recorded_at, str(fact.event_id))))


def anchors(known: Iterable[Fact], anchor_kinds: Iterable[str]) -> Mapping[str, Anchor]:
    """The anchor events among the facts; of several of one kind an actual one holds, else the last planned."""
    kinds = set(anchor_kinds)
    chosen: dict[str, Anchor] = {}
    for fact in known:
        if fact.kind not in kinds:
            continue
        before = chosen.get(fact.kind)
        if before is None or before.actual_at is None or fact.actual_at is not None:
            chosen[fact.kind] = Anchor(fact.event_id, fact.planned_at, fact.actual_at, fact.known_since)
    return chosen


def stays(known: Iterable[Fact]) -> tuple[Stay, ...]:
    """Stays in hospital from admissions and discharges that took place, in order."""
    found: list[Stay] = []
    for fact in known:
        if fact.kind == "admission" and fact.actual_at is not None and not (found and found[-1].until is None):
            found.append(Stay(fact.actual_at, None))
        elif fact.kind == "discharge" and fact.actual_at is not None and found and found[-1].until is None:
            found[-1] = Stay(found[-1].since, fact.actual_at)
    return tuple(found)


def stopped(known: Iterable[Fact]) -> Mapping[str, datetime]:
    """From when on texts, diary, visits or data use have ended, by scope; the earliest counts."""
    found: dict[str, datetime] = {}
    for fact in known:
        if fact.kind in ENDINGS and fact.actual_at is not None:
            for scope in fact.scope or WITHDRAWAL_SCOPES[:3]:
                found[scope] = min(found.get(scope, fact.actual_at), fact.actual_at)
    return found


def ending(known: Iterable[Fact]) -> Fact | None:
    """The event with which the subject left altogether, if there is one."""
    for fact in known:
        if fact.kind in ENDINGS and fact.actual_at is not None and not fact.scope:
            return fact
    return None


def zones_of(subject: Subject) -> ZoneHistory:
    """The zones the subject lives in, by date."""
    changes = db.session.execute(
        sa.select(ZoneChange.effective_on, ZoneChange.time_zone)
        .where(ZoneChange.subject_id == subject.id)
        .order_by(ZoneChange.effective_on, ZoneChange.recorded_at)
    )
    return ZoneHistory(subject.time_zone, tuple((day, zone) for day, zone in changes))


def site_zone(site_id: UUID) -> str:
    return db.session.execute(sa.select(Site.time_zone).where(Site.id == site_id)).scalar_one()
