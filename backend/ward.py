"""Subjects in hospital: where they are, the last round of each, and the rounds of one as a grid. Reads only.

A round is one entry from the ward: one row of vital signs and ICE. The patient's own slots rest meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from backend import chronicle
from backend.chronicle import Fact
from backend.db import db
from backend.models.capture import Entry, EntryVersion
from backend.models.subject import Subject

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
    """Everybody of these sites whose stay lasts, on a pass or not, by number; in a constant number of queries."""
    staying = db.session.scalars(
        sa.select(Subject)
        .where(Subject.site_id.in_(site_ids), Subject.hospital_since.is_not(None))
        .order_by(Subject.number, Subject.id)
    ).all()
    known = chronicle.facts_of_each([subject.id for subject in staying])
    last = _last_rounds([subject.id for subject in staying])
    return [_bed(subject, known[subject.id], last.get(subject.id)) for subject in staying]


def _bed(subject: Subject, known: tuple[Fact, ...], last: Round | None) -> Bed:
    stay = chronicle.stays(known)[-1]
    away = stay.passes[-1][0] if stay.passes and stay.passes[-1][1] is None else None
    of_this_stay = last if last is not None and last.version.effective_at >= stay.since else None
    return Bed(subject, stay.since, chronicle.place_of(known), away, of_this_stay)


def rounds(subject_id: UUID, since: datetime | None, until: datetime | None, limit: int) -> list[Round]:
    """The rounds of a subject, newest first."""
    wanted = _rounds().where(Entry.subject_id == subject_id)
    if since is not None:
        wanted = wanted.where(Entry.effective_at >= since)
    if until is not None:
        wanted = wanted.where(Entry.effective_at < until)
    found = db.session.execute(wanted.order_by(Entry.effective_at.desc(), Entry.id).limit(limit))
    return [Round(entry, version) for entry, version in found]


def _last_rounds(subject_ids: Sequence[UUID]) -> dict[UUID, Round]:
    place = sa.func.row_number().over(partition_by=Entry.subject_id, order_by=(Entry.effective_at.desc(), Entry.id))
    ranked = sa.select(Entry.id, place.label("place")).where(Entry.subject_id.in_(subject_ids), Entry.source == SOURCE)
    newest = ranked.subquery()
    found = db.session.execute(_rounds().join(newest, newest.c.id == Entry.id).where(newest.c.place == 1))
    return {entry.subject_id: Round(entry, version) for entry, version in found}


def _rounds() -> sa.Select[Entry, EntryVersion]:
    latest = sa.and_(EntryVersion.entry_id == Entry.id, EntryVersion.revision == Entry.revision)
    return sa.select(Entry, EntryVersion).join(EntryVersion, latest).where(Entry.source == SOURCE)
