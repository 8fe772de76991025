"""The watch over silence: what did not come is put to the rules as well (clinical-safety §3.6).

`sweep(now)` finds, by index, the subjects for whom something may be missing and asks the silence rules
about each in a transaction of its own. A spell speaks once: its signal carries the spell's key.
"""

from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from backend import audit, chronicle, studies
from backend.db import db, lock_subject, transaction
from backend.models.calendar import Occurrence
from backend.models.safety import Episode, Signal
from backend.models.subject import Subject
from backend.safety import episodes, facts
from backend.safety.episodes import Cause
from backend.safety.evaluate import evaluate

LOOK_BACK = timedelta(days=3)  # after that a spell has said all it has to say
AGAIN_AFTER = timedelta(seconds=60)
WATCHMAN = audit.Actor(None, "watch")


def sweep(now: datetime, limit: int = 500) -> int:
    """Ask about every subject that may be silent. Returns how many new signals were raised."""
    with transaction(writes=False):
        candidates = _candidates(now, limit)
    raised = 0
    for subject_id in candidates:
        with audit.acting(WATCHMAN), transaction():
            raised += _ask(subject_id, now)
    return raised


def _candidates(now: datetime, limit: int) -> list[UUID]:
    """Subjects with a late slot, a repeat that is overdue, or a question (R17) that got no answer."""
    late = sa.select(Occurrence.subject_id).where(
        Occurrence.kind == "slot",
        Occurrence.late_at.between(now - LOOK_BACK, now),
        Occurrence.satisfied_at.is_(None),
        sa.or_(Occurrence.excused.is_(None), Occurrence.excused.in_(chronicle.EXCUSES)),
    )
    repeat = sa.select(Episode.subject_id).where(Episode.closed_at.is_(None), Episode.repeat_due_at <= now)
    asked = sa.select(Signal.subject_id).where(
        Signal.asks == "measure_temperature", Signal.at.between(now - timedelta(hours=1), now)
    )
    rows = db.session.scalars(
        sa.select(Subject.id)
        .where(
            Subject.id.in_(sa.union(late, repeat, asked)),
            Subject.ended_at.is_(None),
            sa.or_(Subject.watched_at.is_(None), Subject.watched_at <= now - AGAIN_AFTER),
        )
        .order_by(Subject.watched_at.is_not(None), Subject.watched_at, Subject.id)
        .limit(limit)
    )
    return list(rows)


def _ask(subject_id: UUID, now: datetime) -> int:
    subject = lock_subject(subject_id)
    study = studies.in_force(subject)
    subject.watched_at = now
    db.session.flush()
    context = facts.context_of(subject, trigger="silence", trigger_id=None, at=now, now=now)
    findings = evaluate(context, study.rules, enduring=True)
    return len(episodes.raise_signals(subject, context, findings, Cause()).signals)
