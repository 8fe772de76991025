"""What holds a dose level: a DLT to decide on, an open emergency, the stagger between infusions. Reads, and refuses.

A hold stands while it is open at the level itself or at a lower one. The principal investigator may override it with
a reason; the stagger is shown, not enforced.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend import chronicle, studies
from backend.db import db
from backend.errors import Problem
from backend.models.findings import AdverseEvent
from backend.models.safety import Episode
from backend.models.subject import Subject
from schedules.protocol.definition import LEVELS, Study

DLT_DECISION, EMERGENCY = "dlt_decision_open", "emergency_open"
_WORST = ("no", "suspected", "confirmed")


def dlt_of(subject_ids: Sequence[UUID], as_of: datetime | None = None) -> Mapping[UUID, str]:
    """Of each subject with an adverse event the worst word on dose-limiting toxicity: no, suspected, confirmed."""
    found: dict[UUID, list[AdverseEvent]] = defaultdict(list)
    for row in standing(subject_ids, as_of):
        found[row.subject_id].append(row)
    return {subject_id: worst_word(rows) for subject_id, rows in found.items()}


def worst_word(events: Iterable[AdverseEvent]) -> str:
    """The worst that is said of these events on dose-limiting toxicity: no, suspected, confirmed."""
    return max((row.dlt for row in events), key=_WORST.index, default="no")


def standing(subject_ids: Sequence[UUID], as_of: datetime | None = None) -> list[AdverseEvent]:
    """The revision that holds of each adverse event of these subjects, by onset; what was taken back is left out."""
    rows = sa.select(AdverseEvent).where(
        AdverseEvent.subject_id.in_(subject_ids), chronicle.known_by(AdverseEvent, as_of)
    )
    last = {row.event_id: row for row in db.session.scalars(rows.order_by(AdverseEvent.revision))}
    kept = (row for row in last.values() if not row.void)
    return sorted(kept, key=lambda row: (row.onset_at, str(row.event_id)))


def undecided(subject_ids: Sequence[UUID]) -> set[UUID]:
    """Subjects with an adverse event that may be dose-limiting, on which nobody has decided."""
    return {row.subject_id for row in standing(subject_ids) if row.dlt == "suspected"}


def open_emergencies() -> set[UUID]:
    """Subjects with an open episode of the highest level."""
    rows = sa.select(Episode.subject_id).where(Episode.closed_at.is_(None), Episode.level == LEVELS[-1])
    return set(db.session.scalars(rows))


def holds(study: Study, levels: Mapping[UUID, str]) -> Mapping[str, tuple[str, ...]]:
    """Of each dose level what holds it. `levels`: the dose level of every subject of the trial."""
    order = [level.key for level in study.dose_levels]
    open_decisions, emergencies = undecided(list(levels)), open_emergencies()
    first: dict[str, int] = {}
    for subject_id, level in levels.items():
        if level not in order:
            continue
        found = [DLT_DECISION] if subject_id in open_decisions else []
        found += [EMERGENCY] if subject_id in emergencies else []
        for reason in found:
            first[reason] = min(first.get(reason, len(order)), order.index(level))
    return {key: tuple(sorted(r for r, lowest in first.items() if lowest <= n)) for n, key in enumerate(order)}


def held(subject: Subject, study: Study) -> tuple[str, ...]:
    """What holds the subject's dose level."""
    rows = db.session.execute(sa.select(Subject.id, Subject.dose_level))
    return holds(study, {row.id: row.dose_level for row in rows})[subject.dose_level]


def refuse_held(subject: Subject, *, override: str | None, may_override: bool) -> tuple[str, ...]:
    """409 while the subject's level is held and nobody overrides, 403 where they may not; else what is overridden."""
    reasons = held(subject, studies.in_force(subject))
    if reasons and not override:
        raise Problem("infusion_held", f"the dose level is held: {', '.join(reasons)}")
    if reasons and not may_override:
        raise Problem("forbidden", "only the principal investigator may override a hold")
    return reasons


def earliest_next(infused: Iterable[datetime], settings: Mapping[str, Any]) -> datetime | None:
    """When the next of a level may follow: the sentinel's days after the first, then the stagger after each."""
    at = sorted(infused)
    if not at:
        return None
    days = settings.get("sentinel_days" if len(at) == 1 else "stagger_days", 0)
    return at[-1] + timedelta(days=int(days))
