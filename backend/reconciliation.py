"""The reconciliation list: each candidate is decided by a person: an adverse event, known, or none, with the reason.

A decision covers the candidates of its kind and item that it overlaps in time, up to the worst it saw: a later report
of the same spell asks nobody again, a worse one does. An episode that an adverse event names is settled by that.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend import audit, candidates, clock, records, repeats
from backend.candidates import EPISODE, Candidate
from backend.db import db
from backend.errors import invalid
from backend.models.findings import AdverseEvent, Reconciliation
from backend.models.people import Account
from backend.models.subject import Subject
from schedules.faults import Fault

ADVERSE_EVENT, KNOWN, NONE = "adverse_event", "known", "not_adverse_event"
DECISIONS = (ADVERSE_EVENT, KNOWN, NONE)
OPEN, SETTLED = "open", "settled"
_SAID = ("kind", "item", "episode_id", "since", "until", "worst", "decision", "adverse_event_id", "reason")


@dataclass(frozen=True, slots=True)
class Line:
    """One candidate with where it stands. `why`: new, worse (than was decided), taken_back (its adverse event was).

    `decision`: the last one about it; `adverse_event_id`: the event it is part of.
    """

    subject: Subject
    candidate: Candidate
    state: str
    why: str | None
    decision: Reconciliation | None
    adverse_event_id: UUID | None


def lines(subjects: Sequence[Subject]) -> list[Line]:
    """The whole list of these subjects, in their order, oldest first; in a constant number of queries."""
    ids = [subject.id for subject in subjects]
    found = candidates.of_each(subjects)
    decided: dict[UUID, list[Reconciliation]] = defaultdict(list)
    rows = sa.select(Reconciliation).where(Reconciliation.subject_id.in_(ids))
    for row in db.session.scalars(rows.order_by(Reconciliation.recorded_at, Reconciliation.id)):
        decided[row.subject_id].append(row)
    events: dict[UUID, dict[UUID, AdverseEvent]] = defaultdict(dict)
    of_subject = sa.select(AdverseEvent).where(AdverseEvent.subject_id.in_(ids)).order_by(AdverseEvent.revision)
    for event in db.session.scalars(of_subject):
        events[event.subject_id][event.event_id] = event
    return [
        _line(subject, one, decided[subject.id], events[subject.id].values())
        for subject in subjects
        for one in found[subject.id]
    ]


def _line(subject: Subject, one: Candidate, decided: Iterable[Reconciliation], events: Iterable[AdverseEvent]) -> Line:
    standing = {event.event_id: event for event in events if not event.void}
    about = [row for row in decided if _covers(row, one)]
    named = [event.event_id for event in standing.values() if one.episode_id and event.episode_id == one.episode_id]
    last = about[-1] if about else None
    if named:
        return Line(subject, one, SETTLED, None, last, named[0])
    holding = [row for row in about if row.decision != ADVERSE_EVENT or row.adverse_event_id in standing]
    enough = [row for row in holding if row.worst >= one.worst]
    if enough:
        return Line(subject, one, SETTLED, None, enough[-1], enough[-1].adverse_event_id)
    why = "worse" if holding else "taken_back" if about else "new"
    return Line(subject, one, OPEN, why, last, None)


def _covers(row: Reconciliation, one: Candidate) -> bool:
    if (row.kind, row.item, row.episode_id) != (one.kind, one.item, one.episode_id):
        return False
    return one.kind == EPISODE or (row.since <= one.until and one.since <= row.until)


def decide(subject_id: UUID, items: Sequence[Mapping[str, Any]], by: Account) -> list[tuple[Reconciliation, bool]]:
    """Store all decisions of a batch or, with every fault named, none: id and _SAID each. (row, whether it is new).

    `since`, `until`, `worst`: of the candidate as the person saw it.
    """
    subject = records.open_subject(subject_id)
    stored = [repeats.stored(Reconciliation, one["id"], subject_id=subject.id, **_said(one)) for one in items]
    found = candidates.of_each([subject])[subject.id]
    wanted = {one["adverse_event_id"] for one in items if one.get("adverse_event_id") is not None}
    rows = sa.select(AdverseEvent).where(AdverseEvent.subject_id == subject.id, AdverseEvent.event_id.in_(wanted))
    last = {row.event_id: row for row in db.session.scalars(rows.order_by(AdverseEvent.revision))}
    standing = {identity for identity, row in last.items() if not row.void}
    ids = [one["id"] for one in items]
    faults = [Fault(f"/{i}/id", "duplicate", "twice in one batch") for i, x in enumerate(ids) if x in ids[:i]]
    for i, one in enumerate(items):
        if stored[i] is None:
            faults.extend(_faults(one, found, standing, f"/{i}"))
    if faults:
        raise invalid(*faults)
    return [
        (row, False) if (row := stored[i]) is not None else (_store(subject, one, by), True)
        for i, one in enumerate(items)
    ]


def _said(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item.get(name) for name in _SAID}


def _faults(item: Mapping[str, Any], found: Iterable[Candidate], standing: set[UUID], path: str) -> Iterable[Fault]:
    about = Reconciliation(**_said(item))
    if not any(_covers(about, one) for one in found):
        yield Fault(f"{path}/since", "not_found", "nothing of this kind to decide at that time")
    if item["decision"] == ADVERSE_EVENT:
        if item.get("adverse_event_id") is None:
            yield Fault(f"{path}/adverse_event_id", "required", "the adverse event it is, or is part of")
        elif item["adverse_event_id"] not in standing:
            yield Fault(f"{path}/adverse_event_id", "not_found", "no such adverse event of this subject")
    else:
        if item.get("adverse_event_id") is not None:
            yield Fault(f"{path}/adverse_event_id", "not_allowed", f"not with {item['decision']}")
        if not item.get("reason"):
            yield Fault(f"{path}/reason", "required", "why it is no new adverse event")


def _store(subject: Subject, item: Mapping[str, Any], by: Account) -> Reconciliation:
    row = Reconciliation(
        id=item["id"], subject_id=subject.id, recorded_at=clock.now(), recorded_by=by.id, **_said(item)
    )
    db.session.add(row)
    db.session.flush()
    audit.record(
        "reconciliation:decided", "reconciliation", row.id, subject_id=subject.id, new=_said(item), reason=row.reason
    )
    return row
