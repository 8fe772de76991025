"""What may be an adverse event and awaits a person's word, each with what it proposes. Computed, never stored.

Symptoms, laboratory grades and episodes count since the first step of treatment. Reads only.

Symptoms of the diary and laboratory grades are joined into spells (`analysis.spells`); the limits are the study's.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend import dossiers
from backend.adverse_events import ASTCT, CTCAE
from backend.analysis.selection import Value, last_before
from backend.analysis.spells import Point, Spell, spells
from backend.db import db
from backend.dossiers import LYMPHODEPLETION, Dossier
from backend.instruments import ctcae
from backend.models.capture import Entry, EntryVersion
from backend.models.safety import Episode
from backend.models.subject import Subject
from schedules.history import INFUSION
from schedules.protocol.definition import LEVELS

SYMPTOM, LABORATORY, EPISODE = "symptom", "laboratory", "episode"
KINDS = (SYMPTOM, LABORATORY, EPISODE)
_STEPS = ("collection", LYMPHODEPLETION, INFUSION)
# What an episode's outcome proposes: term, system organ class, event of special interest.
_EPISODES: Mapping[str, tuple[str, str, str | None]] = {
    "crs": ("Cytokine release syndrome", "immune", "crs"),
    "icans": ("Immune effector cell-associated neurotoxicity syndrome", "nervous_system", "icans"),
    "infection": ("Infection", "infections", None),
    "flare": ("Flare of systemic lupus erythematosus", "musculoskeletal", "flare"),
    "licats": ("Local immune effector cell-associated toxicity syndrome", "immune", "licats"),
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an adverse event could say; None where only a person can tell. `grade` of `scale`."""

    term: str | None
    soc: str | None
    scale: str
    grade: int | None
    onset_at: datetime
    ended_at: datetime | None
    special_interest: str | None = None
    episode_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One thing to decide. `item`: of the diary, or the measure's code; `worst`: severity, grade or level (0-3).

    `sources`: ids of the entries or measurements, of the episode.
    """

    kind: str
    item: str | None
    episode_id: UUID | None
    since: datetime
    until: datetime
    worst: int
    sources: tuple[UUID, ...]
    proposal: Proposal


def of_each(subjects: Sequence[Subject]) -> Mapping[UUID, list[Candidate]]:
    """The candidates of each subject, oldest first; in a constant number of queries."""
    some = dossiers.dossiers(subjects)
    begun = {one.subject.id: at for one in some if (at := _begun_at(one)) is not None}
    answers = _answers(begun)
    episodes = _episodes(begun)
    found: dict[UUID, list[Candidate]] = {subject.id: [] for subject in subjects}
    for one in some:
        identity = one.subject.id
        if identity in begun:
            made = (
                *_symptoms(one, answers[identity]),
                *_grades(one, begun[identity]),
                *map(_of_episode, episodes[identity]),
            )
            found[identity] = sorted(made, key=lambda each: (each.since, each.kind, each.item or ""))
    return found


def _begun_at(dossier: Dossier) -> datetime | None:
    """The first step of treatment, cell collection among them: what came before belongs to the history."""
    steps = (dossier.anchors.get(kind) for kind in _STEPS)
    return min((step.actual_at for step in steps if step is not None and step.actual_at is not None), default=None)


Answer = tuple[UUID, datetime, Mapping[str, Any]]


def _answers(begun: Mapping[UUID, datetime]) -> Mapping[UUID, list[Answer]]:
    rows = db.session.execute(
        sa.select(Entry.subject_id, Entry.id, EntryVersion.effective_at, EntryVersion.answers)
        .join(EntryVersion, sa.and_(EntryVersion.entry_id == Entry.id, EntryVersion.revision == Entry.revision))
        .where(Entry.subject_id.in_(begun), Entry.practice.is_(False))
    )
    found: dict[UUID, list[Answer]] = defaultdict(list)
    for subject_id, entry_id, at, answers in rows:
        if at >= begun[subject_id]:
            found[subject_id].append((entry_id, at, answers))
    return found


def _episodes(begun: Mapping[UUID, datetime]) -> Mapping[UUID, list[Episode]]:
    found: dict[UUID, list[Episode]] = defaultdict(list)
    for row in db.session.scalars(sa.select(Episode).where(Episode.subject_id.in_(begun))):
        if row.closed_at is None or row.closed_at >= begun[row.subject_id]:
            found[row.subject_id].append(row)
    return found


def _settings(dossier: Dossier) -> Mapping[str, Any]:
    found: Mapping[str, Any] = dossier.study.analysis.get("reconciliation", {})
    return found


def _spells(dossier: Dossier, points: Sequence[Point], least: int) -> list[Spell]:
    settings = _settings(dossier)
    join, apart = (timedelta(days=int(settings.get(*one))) for one in (("join_days", 3), ("apart_days", 35)))
    return spells(points, least, join, apart)


def _symptoms(dossier: Dossier, answers: Sequence[Answer]) -> Iterator[Candidate]:
    settings = _settings(dossier)
    least = int(settings.get("symptom_from", 2))
    for item, proposed in settings.get("symptoms", {}).items():
        points = [
            Point(at, int(said[item]), entry_id) for entry_id, at, said in answers if isinstance(said.get(item), int)
        ]
        for spell in _spells(dossier, points, least):
            yield _of_spell(SYMPTOM, item, spell, proposed["term"], proposed["soc"])


def _grades(dossier: Dossier, begun: datetime) -> Iterator[Candidate]:
    least = int(_settings(dossier).get("laboratory_grade_from", 3))
    for code, term in dossier.study.analysis.get("ctcae_terms", {}).items():
        values = dossier.values.get(code, ())
        if not values:
            continue
        first = last_before(values, dossier.treated_at) if dossier.treated_at is not None else None
        baseline = first.reading.value if first is not None and not first.reading.qualifier else None
        points = [
            Point(one.at, _grade(dossier, term, one, baseline, least), one.id) for one in values if one.at >= begun
        ]
        for spell in _spells(dossier, points, least):
            yield _of_spell(LABORATORY, code, spell, *ctcae.EVENTS[term])


_A_LITTLE = Decimal("0.000000001")


def _grade(dossier: Dossier, term: str, value: Value, baseline: Decimal | None, least: int) -> int | None:
    """The CTCAE grade, or what is known of it where that settles on which side of `least` it lies."""
    version, unit = str(dossier.study.analysis.get("ctcae_version", "5.0")), dossier.study.measures[value.code].unit
    number, beyond = value.reading.value, value.reading.qualifier
    if beyond:
        number = number * (1 - _A_LITTLE if beyond == "<" else 1 + _A_LITTLE)
    try:
        found = ctcae.grade(version, term, number, unit, value.lln, value.uln, baseline)
    except ctcae.WrongUnit:
        return None  # a study that measures it in another quantity has no grade for it
    known = found.reasons[0].values if found.grade is None else {}
    grade = found.grade if found.grade is not None else known.get("at_least", known.get("at_most"))
    if grade is None:
        return None
    falls = beyond and (beyond == "<") == (term in ctcae.WORSE_BELOW)
    worse = falls or "at_least" in known  # it is this grade or worse
    better = (beyond and not falls) or "at_most" in known  # it is this grade or better
    if (worse and grade < least) or (better and grade >= least):
        return None
    return int(grade)


def _of_spell(kind: str, item: str, spell: Spell, term: str, soc: str) -> Candidate:
    proposal = Proposal(term, soc, CTCAE, spell.worst, spell.since, spell.ended_at)
    return Candidate(kind, item, None, spell.since, spell.until, spell.worst, spell.sources, proposal)


def _of_episode(row: Episode) -> Candidate:
    term, soc, special = _EPISODES.get(row.outcome or "", (None, None, None))
    grade = {"crs": row.crs_grade, "icans": row.icans_grade}.get(row.outcome or "")
    scale = ASTCT if special in ("crs", "icans") else CTCAE
    proposal = Proposal(term, soc, scale, grade or None, row.opened_at, None, special, row.id)
    until = row.closed_at or row.opened_at
    return Candidate(EPISODE, None, row.id, row.opened_at, until, LEVELS.index(row.level), (row.id,), proposal)
