"""Subjects in hospital: where they are, the last round of each, and the rounds of one as a grid. Reads only.

A round is one entry from the ward: one row of vital signs and ICE. The patient's own slots rest meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from backend import chronicle
from backend.db import db
from backend.models.capture import Entry, EntryVersion
from backend.models.subject import Subject, SubjectEvent

SOURCE = "ward"


@dataclass(frozen=True, slots=True)
class Bed:
    """One subject in hospital. `away_since`: on a pass; such a subject reports as at home."""

    subject: Subject
    since: datetime
    place: str | None
    away_since: datetime | None
    last_round: "Round | None"


@dataclass(frozen=True, slots=True)
class Round:
    """One row of the grid."""

    entry: Entry
    version: EntryVersion


def beds(site_ids: Sequence[UUID]) -> list[Bed]:
    """Everybody of these sites whose stay lasts, on a pass or not, by number."""
    admitted = sa.select(SubjectEvent.subject_id).where(SubjectEvent.kind == "admission").distinct()
    found = []
    rows = sa.select(Subject).where(Subject.site_id.in_(site_ids), Subject.ended_at.is_(None), Subject.id.in_(admitted))
    for subject in db.session.scalars(rows.order_by(Subject.number, Subject.id)):
        known = chronicle.facts_of(subject.id)
        stays = chronicle.stays(known)
        if not stays or stays[-1].until is not None:
            continue
        passes = stays[-1].passes
        away = passes[-1][0] if passes and passes[-1][1] is None else None
        last = next(iter(rounds(subject.id, stays[-1].since, None, 1)), None)
        found.append(Bed(subject, stays[-1].since, chronicle.place_of(known), away, last))
    return found


def rounds(subject_id: UUID, since: datetime | None, until: datetime | None, limit: int) -> list[Round]:
    """The rounds of a subject, newest first."""
    wanted = (
        sa.select(Entry, EntryVersion)
        .join(EntryVersion, sa.and_(EntryVersion.entry_id == Entry.id, EntryVersion.revision == Entry.revision))
        .where(Entry.subject_id == subject_id, Entry.source == SOURCE)
    )
    if since is not None:
        wanted = wanted.where(Entry.effective_at >= since)
    if until is not None:
        wanted = wanted.where(Entry.effective_at < until)
    found = db.session.execute(wanted.order_by(Entry.effective_at.desc(), Entry.id).limit(limit))
    return [Round(entry, version) for entry, version in found]
