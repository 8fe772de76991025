"""What a person should see before treatment goes on: shown beside the form, decided by people. Reads only.

Before lymphodepletion and infusion: baselines not taken yet. Before infusion: an open fever (rule R31), a
release test that is open, the product form missing, what an infusion would be refused for (`level_held`), and
what else speaks for waiting (the stagger between infusions, an open EMERGENCY, subjects of the level before still in
their DLT window).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from backend import chronicle, clock, escalation, products, studies
from backend.db import db
from backend.models.calendar import Occurrence
from backend.models.safety import Episode, Signal
from backend.models.subject import Subject
from backend.safety import facts
from schedules.history import INFUSION
from schedules.protocol.definition import LEVELS, Study

R31 = "R31"


@dataclass(frozen=True, slots=True)
class Hint:
    """One thing to look at. `holds`: the protocol wants it settled first. `detail` depends on the code."""

    code: str
    holds: bool
    detail: dict[str, Any] = field(default_factory=dict)


def hints(subject: Subject, kind: str) -> tuple[Hint, ...]:
    """What to look at before an event of this kind. Empty for events without any, and once the infusion took place."""
    study = studies.in_force(subject)
    if kind == "lymphodepletion":
        return tuple(_baselines(subject, study, kind))
    if kind == INFUSION and subject.infused_at is None:
        return (
            *_open_fever(subject),
            *_held(subject, study),
            *_level_holds(subject, study),
            *_product(subject),
            *_baselines(subject, study, kind),
        )
    return ()


def _open_fever(subject: Subject) -> Iterator[Hint]:
    """R31 in an episode that is still open: review before infusing."""
    rows = db.session.execute(
        sa.select(Signal.at, Signal.level, Signal.sentence_zh, Signal.sentence_en, Episode.id, Episode.page_number)
        .join(Episode, Episode.id == Signal.episode_id)
        .where(Signal.subject_id == subject.id, Signal.rule == R31, Episode.closed_at.is_(None))
        .order_by(Signal.seq.desc())
        .limit(1)
    )
    for row in rows:
        crp = next(iter(facts.last_values(subject.id, ("crp",))), None)
        yield Hint(
            "open_fever",
            True,
            {
                "episode_id": row.id,
                "page_number": row.page_number,
                "at": row.at,
                "level": row.level,
                "sentence_zh": row.sentence_zh,
                "sentence_en": row.sentence_en,
                "crp": crp.value if crp else None,
                "crp_at": crp.at if crp else None,
            },
        )


def _held(subject: Subject, study: Study) -> Iterator[Hint]:
    """What an infusion into the level would be refused for."""
    reasons = escalation.held(subject, study)
    if reasons:
        yield Hint("level_held", True, {"reasons": list(reasons)})


def _level_holds(subject: Subject, study: Study) -> Iterator[Hint]:
    """What holds the subject's dose level, over all subjects of the trial; those of other sites stay unnamed."""
    now = clock.now()
    levels = [level.key for level in study.dose_levels]
    place = levels.index(subject.dose_level)
    looked_at = levels[max(place - 1, 0) : place + 1]
    infused = sa.select(Subject).where(Subject.dose_level.in_(looked_at), Subject.infused_at.is_not(None))
    others = db.session.scalars(infused.where(Subject.id != subject.id)).all()

    def named(one: Subject) -> str | None:
        return one.number if one.site_id == subject.site_id else None

    emergencies = db.session.execute(
        sa.select(Subject, Episode.page_number)
        .join(Subject, Subject.id == Episode.subject_id)
        .where(Episode.closed_at.is_(None), Episode.level == LEVELS[-1])
        .where(Subject.dose_level == subject.dose_level, Subject.id != subject.id)
        .order_by(Subject.number, Subject.id)
    )
    for other, page_number in emergencies:
        yield Hint("open_emergency", True, {"number": named(other), "page_number": page_number})
    same = sorted((one for one in others if one.dose_level == subject.dose_level), key=_infused)
    earliest = escalation.earliest_next([_infused(one) for one in same], study.analysis)
    if earliest is not None and now < earliest:
        yield Hint("stagger", True, {"earliest_at": earliest, "after": named(same[-1])})
    window = timedelta(days=int(study.analysis.get("dlt_window_days", 0)))
    below = [one for one in others if place and one.dose_level == levels[place - 1]]
    pending = [one for one in below if one.ended_at is None and now < _infused(one) + window]
    if pending:
        numbers = sorted(number for one in pending if (number := named(one)) is not None)
        detail = {"dose_level": levels[place - 1], "subjects": len(pending), "numbers": numbers}
        yield Hint("level_below_pending", True, detail)


def _infused(one: Subject) -> datetime:
    assert one.infused_at is not None
    return one.infused_at


def _product(subject: Subject) -> Iterator[Hint]:
    if products.current(subject.id) is None:
        yield Hint("product_missing", False)
    pending = [one.code for one in products.release_of(subject) if one.state == "pending"]
    if pending:
        yield Hint("release_pending", False, {"tests": pending})


def _baselines(subject: Subject, study: Study, kind: str) -> Iterator[Hint]:
    """Visits that must precede the event and were not attended, and too few temperatures for a baseline."""
    known = chronicle.anchors(chronicle.facts_of(subject.id), study.anchor_events)
    treated = known.get("lymphodepletion") if kind == INFUSION else None
    if treated is not None and treated.actual_at is not None:
        return  # the time for baselines is over
    wanted = {visit.key for visit in study.visits if visit.before in ("lymphodepletion", INFUSION)}
    rows = db.session.execute(
        sa.select(Occurrence.key).where(
            Occurrence.subject_id == subject.id,
            Occurrence.kind == "visit",
            Occurrence.key.in_(wanted),
            Occurrence.satisfied_at.is_(None),
        )
    )
    missing = sorted(row.key for row in rows)
    if missing:
        yield Hint("baseline_visit_missing", False, {"visits": missing})
    now = clock.now()
    context = facts.context_of(subject, trigger="silence", trigger_id=None, at=now, now=now)
    readings = sum(1 for report in context.reports if report.answers.get("temp_c") is not None)
    if not context.baseline.temperature:
        yield Hint("baseline_temperature_missing", False, {"readings": readings})
