"""The reconciliation list: each candidate is decided by a person: an adverse event, known, or none, with the reason.

A decision covers the candidates of its kind and item that it overlaps in time, up to the worst it saw: a later report
of the same spell asks nobody again, a worse one does. A later word on the same time takes the place of an earlier one.
An episode that an adverse event names is settled by that; a word on one that was open then is asked for anew once it
is closed.
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
    """One candidate with where it stands. `why`: new, worse (than was decided), went_on (an episode since closed),
    taken_back (its adverse event was).

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
    for row in db.session.scalars(rows.order_by(Reconciliation.subject_id, Reconciliation.seq)):
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


def _line(subject: Subject, one: Candidate, decided: Sequence[Reconciliation], events: Iterable[AdverseEvent]) -> Line:
    known = list(events)
    standing = {event.event_id for event in known if not event.void}
    naming = [event for event in known if one.episode_id is not None and event.episode_id == one.episode_id]
    about = _last_words([row for row in decided if _covers(row, one)])
    last = about[-1] if about else None
    settling = next((event.event_id for event in naming if not event.void), None)
    if settling is not None:
        return Line(subject, one, SETTLED, None, last, settling)
    holding = [row for row in about if row.decision != ADVERSE_EVENT or row.adverse_event_id in standing]
    enough = [row for row in holding if row.worst >= one.worst and (one.kind != EPISODE or row.until >= one.until)]
    if enough:
        return Line(subject, one, SETTLED, None, enough[-1], enough[-1].adverse_event_id)
    if holding:
        why = "worse" if all(row.worst < one.worst for row in holding) else "went_on"
    else:
        why = "taken_back" if about or naming else "new"
    return Line(subject, one, OPEN, why, last, None)


def _last_words(rows: Sequence[Reconciliation]) -> list[Reconciliation]:
    """Those that no later word on the whole of their time has replaced."""
    return [
        row
        for n, row in enumerate(rows)
        if not any(later.since <= row.since and row.until <= later.until for later in rows[n + 1 :])
    ]


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
    of_kind = [
        one
        for one in found
        if (one.kind, one.item, one.episode_id) == (item["kind"], item.get("item"), item.get("episode_id"))
    ]
    here = [one for one in of_kind if one.since <= item["since"] <= item["until"] <= one.until]
    if not of_kind:
        name = "episode_id" if item["kind"] == EPISODE else "item"
        yield Fault(f"{path}/{name}", "not_found", "nothing of this kind to decide")
    elif item["until"] < item["since"]:
        yield Fault(f"{path}/until", "out_of_order", "it ends before it begins")
    elif not here:
        yield Fault(f"{path}/since", "not_found", "nothing of this kind to decide at that time")
    elif all(item["worst"] > one.worst for one in here):
        yield Fault(f"{path}/worst", "out_of_range", "nothing so bad is on record")
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
    last = sa.select(sa.func.max(Reconciliation.seq)).where(Reconciliation.subject_id == subject.id)
    row = Reconciliation(
        id=item["id"],
        subject_id=subject.id,
        seq=(db.session.scalar(last) or 0) + 1,
        recorded_at=clock.now(),
        recorded_by=by.id,
        **_said(item),
    )
    db.session.add(row)
    db.session.flush()
    audit.record(
        "reconciliation:decided", "reconciliation", row.id, subject_id=subject.id, new=_said(item), reason=row.reason
    )
    return row
