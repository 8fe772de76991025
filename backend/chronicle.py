"""The dated facts of one subject as they now stand: events after correction, zones, stays, excuses, what has stopped.

Reads only. Writing events is `backend.treatment`'s; what follows from them for the calendar is
`backend.agenda`'s, for safety `backend.safety.facts`'.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend.db import db
from backend.models.calendar import Excuse
from backend.models.study import Site
from backend.models.subject import Subject, SubjectEvent, ZoneChange
from schedules.history import Anchor, Stay
from schedules.windows import ZoneHistory

ENDINGS = ("withdrawal", "death", "completion", "lost_to_follow_up")
EXCUSES = ("device_lost", "other")  # what a report may be excused for by people, beside a stay in hospital
STAY_KINDS = ("admission", "discharge", "transfer", "pass", "return")
WITHDRAWAL_SCOPES = ("texts", "diary", "visits", "data")  # what a person may leave; without a scope: all of it
# Data that may not be used are not asked for either.
_IMPLIED = {"data": ("texts", "diary", "visits")}


@dataclass(frozen=True, slots=True)
class Fact:
    """One event as it now stands. `known_since`: when its actual time was first recorded."""

    event_id: UUID
    kind: str
    revision: int
    planned_at: datetime | None
    actual_at: datetime | None
    scope: tuple[str, ...]
    place: str | None
    reason: str | None
    recorded_at: datetime
    known_since: datetime | None

    @property
    def at(self) -> datetime | None:
        return self.actual_at or self.planned_at


def known_by(table: Any, as_of: datetime | None) -> sa.ColumnElement[bool]:
    """Rows of an append-only table that had been recorded by then; all of them where nobody asks for an earlier day."""
    return sa.true() if as_of is None else table.recorded_at <= as_of


def facts_of(subject_id: UUID, as_of: datetime | None = None) -> tuple[Fact, ...]:
    """Every event that holds, oldest first by when it happened (planned where not yet), then by recording.

    `as_of`: by what had been recorded then.
    """
    return facts_of_each([subject_id], as_of)[subject_id]


def facts_of_each(subject_ids: Sequence[UUID], as_of: datetime | None = None) -> Mapping[UUID, tuple[Fact, ...]]:
    """The same for several subjects, in one query."""
    rows: dict[UUID, list[SubjectEvent]] = {subject_id: [] for subject_id in subject_ids}
    wanted = sa.select(SubjectEvent).where(SubjectEvent.subject_id.in_(subject_ids), known_by(SubjectEvent, as_of))
    for row in db.session.scalars(wanted.order_by(SubjectEvent.event_id, SubjectEvent.revision)):
        rows[row.subject_id].append(row)
    return {subject_id: facts(some) for subject_id, some in rows.items()}


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
            place=row.place,
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
    """Stays in hospital from admissions and discharges that took place, with their passes, in order."""
    return _stays(known)[0]


def misplaced(known: Iterable[Fact]) -> frozenset[UUID]:
    """Events of stays that make no sense where they stand: a discharge of nobody, a second admission …"""
    return _stays(known)[1]


def _stays(known: Iterable[Fact]) -> tuple[tuple[Stay, ...], frozenset[UUID]]:
    found: list[Stay] = []
    lost: set[UUID] = set()
    for fact in known:
        if fact.actual_at is None or fact.kind not in STAY_KINDS:
            continue
        inside = bool(found) and found[-1].until is None
        out = inside and bool(found[-1].passes) and found[-1].passes[-1][1] is None
        if fact.kind == "admission" and not inside:
            found.append(Stay(fact.actual_at, None))
        elif fact.kind == "discharge" and inside:
            found[-1] = replace(found[-1], until=fact.actual_at)
        elif fact.kind == "pass" and inside and not out:
            found[-1] = replace(found[-1], passes=(*found[-1].passes, (fact.actual_at, None)))
        elif fact.kind == "return" and out:
            *before, (went, _) = found[-1].passes
            found[-1] = replace(found[-1], passes=(*before, (went, fact.actual_at)))
        elif fact.kind != "transfer" or not inside or out:
            lost.add(fact.event_id)
    return tuple(found), frozenset(lost)


def place_of(known: Iterable[Fact]) -> str | None:
    """Where the subject is cared for in the stay that lasts: as last said at admission or transfer."""
    place: str | None = None
    for fact in known:
        if fact.actual_at is None:
            continue
        if fact.kind in ("admission", "transfer"):
            place = fact.place or place
        elif fact.kind == "discharge":
            place = None
    return place


def stopped(known: Iterable[Fact]) -> Mapping[str, datetime]:
    """From when on texts, diary, visits or data use have ended, by scope; the earliest counts."""
    found: dict[str, datetime] = {}
    for fact in known:
        if fact.kind in ENDINGS and fact.actual_at is not None:
            left = fact.scope or WITHDRAWAL_SCOPES[:3]
            for scope in (*left, *(implied for one in left for implied in _IMPLIED.get(one, ()))):
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


def excuses_of(subject_id: UUID) -> tuple[Excuse, ...]:
    """The spans in which no report is expected, as they now stand, by their beginning."""
    rows = db.session.scalars(
        sa.select(Excuse).where(Excuse.subject_id == subject_id).order_by(Excuse.excuse_id, Excuse.revision)
    )
    last = {row.excuse_id: row for row in rows}
    return tuple(
        sorted((row for row in last.values() if not row.void), key=lambda row: (row.since, str(row.excuse_id)))
    )
