"""The nurse's list: who is due, overdue, missed, by day and site; a page costs the same for 18 subjects and 100,000.

The ids of a page are read off one index per site and kind, in the order they are shown (`ix_occurrence_stage`,
`ix_occurrence_listed`); rows the clock has turned since `agenda.advance` last looked are judged beside it
(`ix_occurrence_turns`). Only then the rows of the page are fetched. Status is always what the clock says now.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend import agenda
from backend.db import db
from backend.models.calendar import Occurrence
from backend.models.subject import Subject

KINDS = ("visit", "slot")
COUNTED = ("open", "due", "overdue", "missed", "not_dated")
_ALL = 2**31 - 1
MOST = 100  # a count says "100 or more" rather than count on
KEYS = (Occurrence.listed_at, Occurrence.id)
After = tuple[datetime, UUID] | None


@dataclass(frozen=True, slots=True)
class Part:
    """One site's share of a list: its rows listed in [first, last); None is open."""

    site_id: UUID
    first: datetime | None = None
    last: datetime | None = None


def ids(
    parts: Sequence[Part], kinds: Sequence[str], status: str | None, now: datetime, after: After, limit: int
) -> sa.Select[Any]:
    """A selectable of (listed_at, id) of the next `limit` rows after the cursor, in order."""
    branches = [
        branch
        for part in parts
        for kind in kinds
        for branch in (_in_order(part, kind, status, now, after, limit), _just_turned(part, kind, status, now, after))
        if branch is not None
    ]
    union = sa.union_all(*(sa.select(one.c.listed_at, one.c.id) for one in branches)).subquery()
    return sa.select(union.c.listed_at, union.c.id).order_by(union.c.listed_at, union.c.id).limit(limit)


def _in_order(part: Part, kind: str, status: str | None, now: datetime, after: After, limit: int) -> sa.Subquery[Any]:
    """The next rows of one kind at one site as the index has them: of a status, those whose stage is still good."""
    one = Occurrence
    wanted = _here(part, kind, after)
    if status is not None:
        wanted = wanted.where(one.stage == status, sa.or_(one.turns_at.is_(None), one.turns_at > now))
    found: sa.Subquery[Any] = wanted.order_by(*KEYS).limit(limit).subquery()
    return found


def _just_turned(part: Part, kind: str, status: str | None, now: datetime, after: After) -> sa.Subquery[Any] | None:
    """Rows that the clock has turned since they were last looked at, judged one by one; few, while a worker runs."""
    if status is None:
        return None
    wanted = _here(part, kind, after).where(Occurrence.turns_at <= now, agenda.status_at(now) == status)
    # In the order of their own index, or a planner that likes the list's order would walk the whole site for them.
    found: sa.Subquery[Any] = wanted.order_by(Occurrence.turns_at).limit(_ALL).subquery()
    return found


def _here(part: Part, kind: str, after: After) -> Any:
    one = Occurrence
    here: Any = sa.select(*KEYS).where(one.site_id == part.site_id, one.kind == kind)
    # One lower bound, not two: a planner may start from the wrong one.
    if after is not None and (part.first is None or after[0] >= part.first):
        there = sa.tuple_(*(sa.literal(value, key.type) for value, key in zip(after, KEYS, strict=True)))
        here = here.where(sa.tuple_(*KEYS) > there)
    elif part.first is not None:
        here = here.where(one.listed_at >= part.first)
    if part.last is not None:
        here = here.where(one.listed_at < part.last)
    return here


def rows(
    parts: Sequence[Part], kinds: Sequence[str], status: str | None, now: datetime, after: After, limit: int
) -> Sequence[Any]:
    """(occurrence, its status, subject) of one page, at most `limit`, in order."""
    if not parts:
        return ()
    page = [row.id for row in db.session.execute(ids(parts, kinds, status, now, after, limit))]
    return db.session.execute(
        sa.select(Occurrence, agenda.status_at(now).label("status"), Subject)
        .join(Subject, Subject.id == Occurrence.subject_id)
        .where(Occurrence.id.in_(page))
        .order_by(*KEYS)
    ).all()


@dataclass(frozen=True, slots=True)
class Count:
    """How many of one kind have a status at a site; `more`: there are at least this many."""

    site_id: UUID
    kind: str
    status: str
    count: int
    more: bool


def counts(site_ids: Sequence[UUID], now: datetime) -> list[Count]:
    """What waits at each site, up to MOST of each."""
    found = []
    for site_id in site_ids:
        for kind in KINDS:
            for status in COUNTED:
                some = ids([Part(site_id)], [kind], status, now, None, MOST).subquery()
                n = db.session.execute(sa.select(sa.func.count()).select_from(some)).scalar_one()
                found.append(Count(site_id, kind, status, n, n == MOST))
    return found


def reported(subject_ids: Sequence[UUID], since: timedelta, now: datetime) -> dict[UUID, tuple[int, int]]:
    """Reports (handed in, expected) of each subject among the settled slots that fell due since then."""
    status = agenda.status_at(now)
    handed_in = sa.func.sum(sa.case((status.in_(("done", "late")), 1), else_=0))
    expected = sa.func.sum(sa.case((status.in_(("done", "late", "missed")), 1), else_=0))
    found = db.session.execute(
        sa.select(Occurrence.subject_id, handed_in, expected)
        .where(
            Occurrence.subject_id.in_(subject_ids),
            Occurrence.kind == "slot",
            Occurrence.due_at >= now - since,
            Occurrence.opens_at <= now,  # handed in before its time, it counts already
        )
        .group_by(Occurrence.subject_id)
    )
    return {subject_id: (int(done), int(all_of_them)) for subject_id, done, all_of_them in found}
