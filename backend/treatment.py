"""The dated facts of the treatment: planned, actual, corrected, taken back; with a preview of all that moves.

Every function runs in the caller's transaction with the subject's row locked, refreshes the calendar and
leaves its audit row. Anchor events may come in any order; what cannot have happened is refused with a path.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from backend import agenda, audit, chronicle, clock, escalation, outbox, records, studies
from backend.db import db
from backend.errors import Problem, fault, invalid
from backend.models.subject import Subject, SubjectEvent
from schedules.faults import Fault
from schedules.history import INFUSION, History, Stay
from schedules.planned import Occurrence
from schedules.protocol.definition import Study

OTHER_KINDS = (*chronicle.STAY_KINDS, *chronicle.ENDINGS)
PLACES = ("ward", "intensive_care", "other_hospital")
NOT_BEFORE_CONSENT = ("collection", "lymphodepletion", "infusion")
LEFT_AS = {"withdrawal": "withdrawn", "death": "died", "completion": "completed", "lost_to_follow_up": "lost"}


@dataclass(frozen=True, slots=True)
class Move:
    """What one occurrence was and what it becomes; None where it was or will be undated."""

    id: UUID
    kind: str
    key: str
    before: datetime | None
    after: datetime | None


def record_event(
    subject_id: UUID, content: dict[str, Any], by: UUID, *, may_override: bool = False
) -> tuple[chronicle.Fact, tuple[Move, ...], bool]:
    """Write one event, or only preview it. (the fact, what moves, whether something was written).

    `content`: id, kind, planned_at, actual_at, scope, reason, preview, override_reason. A repeat of an id with equal
    content gives what is stored. An infusion into a held dose level is refused unless the hold is overridden.
    """
    subject = records.open_subject(subject_id)
    known = chronicle.facts_of(subject.id)
    stored = _stored_first(content["id"])
    if stored is not None:
        fact = next((fact for fact in known if fact.event_id == stored.event_id), None)
        if fact is None or not _same(stored, content):  # another subject's, taken back, or other content
            raise Problem("id_taken")
        return fact, (), False
    if content["kind"] == INFUSION and content.get("actual_at") is not None and not content.get("preview"):
        _override(subject, content, may_override=may_override)
    row = SubjectEvent(
        id=uuid4(),
        event_id=content["id"],
        revision=1,
        subject_id=subject.id,
        kind=content["kind"],
        planned_at=content.get("planned_at"),
        actual_at=content.get("actual_at"),
        scope=content.get("scope"),
        place=content.get("place"),
        reason=content.get("reason"),
        void=False,
        recorded_at=clock.now(),
        recorded_by=by,
    )
    return _write(subject, known, row, preview=bool(content.get("preview")), old=None)


def _override(subject: Subject, content: dict[str, Any], *, may_override: bool) -> None:
    """Refuse a held infusion, or keep who overrode which hold and why."""
    override = content.get("override_reason")
    held = escalation.refuse_held(subject, override=override, may_override=may_override)
    if held:
        audit.record(
            "hold:overridden",
            "subject_event",
            content["id"],
            subject_id=subject.id,
            new={"holds": held, "dose_level": subject.dose_level},
            reason=override,
        )


def correct_event(
    subject_id: UUID, event_id: UUID, content: dict[str, Any], by: UUID, *, may_override: bool = False
) -> tuple[chronicle.Fact | None, tuple[Move, ...], bool]:
    """Write a further revision of an event, with a reason. `void` takes it back and returns no fact."""
    subject = records.open_subject(subject_id)
    known = chronicle.facts_of(subject.id)
    before = next((fact for fact in known if fact.event_id == event_id), None)
    if before is None:
        raise Problem("not_found")
    takes_place = before.actual_at is None and content.get("actual_at") is not None and not content.get("void")
    if before.kind == INFUSION and takes_place and not content.get("preview"):
        _override(subject, {**content, "id": event_id}, may_override=may_override)
    row = SubjectEvent(
        id=uuid4(),
        event_id=event_id,
        revision=before.revision + 1,
        subject_id=subject.id,
        kind=before.kind,
        planned_at=content.get("planned_at", before.planned_at),
        actual_at=content.get("actual_at", before.actual_at),
        scope=list(before.scope) or None,
        place=content.get("place", before.place),
        reason=content["reason"],
        void=bool(content.get("void")),
        recorded_at=clock.now(),
        recorded_by=by,
    )
    return _write(subject, known, row, preview=bool(content.get("preview")), old=before)


def revision_of(subject_id: UUID, event_id: UUID) -> int:
    """The revision that holds, for `If-Match`; 404 if there is none."""
    fact = next((fact for fact in chronicle.facts_of(subject_id) if fact.event_id == event_id), None)
    if fact is None:
        raise Problem("not_found")
    return fact.revision


def revisions(subject_id: UUID, event_id: UUID) -> list[SubjectEvent]:
    """Every revision of one event, oldest first; 404 if there is none."""
    rows = sa.select(SubjectEvent).where(SubjectEvent.event_id == event_id, SubjectEvent.subject_id == subject_id)
    found = list(db.session.scalars(rows.order_by(SubjectEvent.revision)))
    if not found:
        raise Problem("not_found")
    return found


def _stored_first(event_id: UUID) -> SubjectEvent | None:
    return db.session.execute(
        sa.select(SubjectEvent).where(SubjectEvent.event_id == event_id, SubjectEvent.revision == 1)
    ).scalar_one_or_none()


def _same(stored: SubjectEvent, content: dict[str, Any]) -> bool:
    names = ("planned_at", "actual_at", "scope", "place", "reason")
    return stored.kind == content["kind"] and all(getattr(stored, name) == content.get(name) for name in names)


def _write(
    subject: Subject, known: tuple[chronicle.Fact, ...], row: SubjectEvent, *, preview: bool, old: chronicle.Fact | None
) -> tuple[chronicle.Fact, tuple[Move, ...], bool]:
    study = studies.in_force(subject)
    others = tuple(fact for fact in known if fact.event_id != row.event_id)
    became = chronicle.facts([row])
    proposed = tuple(
        replace(fact, known_since=old.known_since if old and old.known_since else fact.known_since) for fact in became
    )
    after = tuple(sorted((*others, *proposed), key=lambda fact: (fact.at or fact.recorded_at, fact.recorded_at)))
    _check_event(study, others, row, newly=old is None or old.actual_at is None)
    if chronicle.misplaced(after) - chronicle.misplaced(known):
        path = "/void" if row.void else "/actual_at"
        raise fault(path, "out_of_order", "the other events of the stay would no longer make sense")
    plan = agenda.plan_of(subject)
    stood, stands = plan.occurrences(), plan.under(_under(plan.history, plan.study, after))
    records.refuse_moving_frozen(subject.id, stood, stands)
    moves = _moves(stood, stands)
    fact = proposed[0] if proposed else None
    if not preview:
        db.session.add(row)
        db.session.flush()
        audit.record(
            "event:corrected" if old else "event:recorded",
            "subject_event",
            row.event_id,
            subject_id=subject.id,
            old=_spoken(old, void=False) if old else None,
            new=_spoken(row, void=row.void),
            reason=row.reason,
        )
        project(subject, chronicle.facts_of(subject.id))
        agenda.refresh(subject)
    return fact, moves, not preview  # type: ignore[return-value]


def _spoken(said: chronicle.Fact | SubjectEvent, *, void: bool) -> dict[str, Any]:
    """An event as the trail tells it."""
    names = ("kind", "planned_at", "actual_at", "place")
    return {**{name: getattr(said, name) for name in names}, "scope": list(said.scope or ()), "void": void}


def _under(history: History, study: Study, facts: tuple[chronicle.Fact, ...]) -> History:
    """The same history with other facts."""
    return replace(
        history,
        anchors=chronicle.anchors(facts, history.latest(study).anchor_events),
        stays=chronicle.stays(facts),
        stopped=chronicle.stopped(facts),
    )


def _moves(before: Iterable[Occurrence], after: Iterable[Occurrence]) -> tuple[Move, ...]:
    """What changes its due time, appears or disappears; what merely keeps its date is left out."""
    old, new = {one.id: one for one in before}, {one.id: one for one in after}
    moved = []
    for identity in old.keys() | new.keys():
        was, becomes = old.get(identity), new.get(identity)
        one = becomes or was
        assert one is not None
        due_before = was.due_at if was else None
        due_after = becomes.due_at if becomes else None
        if due_before != due_after:
            moved.append(Move(identity, one.kind, one.key, due_before, due_after))
    return tuple(sorted(moved, key=lambda move: (str(move.after or move.before), move.kind, move.key, str(move.id))))


def _check_event(study: Study, others: tuple[chronicle.Fact, ...], row: SubjectEvent, *, newly: bool) -> None:
    """Refuse what cannot have happened; the order of treatment itself is free. `newly`: no actual time before."""
    now = clock.now()
    if row.kind not in study.anchor_events and row.kind not in OTHER_KINDS:
        raise fault("/kind", "not_allowed", f"{row.kind} is not an event of this study")
    if row.planned_at is None and row.actual_at is None:
        raise fault("/actual_at", "required", "planned_at or actual_at is needed")
    if row.void:
        return
    faults = []
    if row.kind in chronicle.ENDINGS and row.actual_at is None:
        faults.append(Fault("/actual_at", "required", "this cannot be planned"))
    if row.actual_at is not None and row.actual_at > now + clock.TOLERANCE:
        faults.append(Fault("/actual_at", "in_the_future", "what has happened cannot lie in the future"))
    if row.scope and row.kind != "withdrawal":
        faults.append(Fault("/scope", "not_allowed", "only a withdrawal has a scope"))
    if row.place and row.kind not in ("admission", "transfer"):
        faults.append(Fault("/place", "not_allowed", "only an admission or a transfer has a place"))
    if row.kind == "transfer" and not row.place:
        faults.append(Fault("/place", "required", "where to"))
    faults.extend(_order_faults(others, row))
    if faults:
        raise invalid(*faults)
    left = chronicle.ending(others)
    if left is not None and left.actual_at is not None and (row.actual_at or row.planned_at or now) > left.actual_at:
        raise Problem("subject_ended")
    same = [fact for fact in others if fact.kind == row.kind and fact.actual_at is not None]
    if newly and same and row.actual_at is not None and row.kind in study.anchor_events:
        raise Problem("conflict", "this event is already recorded; correct it instead")


def _order_faults(others: tuple[chronicle.Fact, ...], row: SubjectEvent) -> Iterable[Fault]:
    actual = {fact.kind: fact.actual_at for fact in others if fact.actual_at is not None}
    at = row.actual_at
    if at is None:
        return
    if row.kind in NOT_BEFORE_CONSENT and "consent" in actual and at < actual["consent"]:
        yield Fault("/actual_at", "out_of_order", "this lies before the consent")
    if row.kind == "consent" and (early := [k for k in NOT_BEFORE_CONSENT if k in actual and actual[k] < at]):
        yield Fault("/actual_at", "out_of_order", f"{early[0]} lies before this consent")
    if row.kind == "infusion" and "collection" in actual and at < actual["collection"]:
        yield Fault("/actual_at", "out_of_order", "the infusion lies before the collection of its cells")
    if row.kind == "collection" and "infusion" in actual and at > actual["infusion"]:
        yield Fault("/actual_at", "out_of_order", "the collection lies after the infusion")
    if row.kind == "lymphodepletion" and "infusion" in actual and at > actual["infusion"]:
        yield Fault("/actual_at", "out_of_order", "lymphodepletion lies after the infusion")
    if row.kind == "infusion" and "lymphodepletion" in actual and at < actual["lymphodepletion"]:
        yield Fault("/actual_at", "out_of_order", "the infusion lies before lymphodepletion began")
    if row.kind in chronicle.STAY_KINDS:
        yield from _stay_faults(others, row.kind, at)
    if row.kind == "completion" and "infusion" not in actual:
        yield Fault("/kind", "out_of_order", "a subject who was never infused cannot complete; record a withdrawal")


def _stay_faults(others: tuple[chronicle.Fact, ...], kind: str, at: datetime) -> Iterable[Fault]:
    stay = next((one for one in chronicle.stays(others) if _spans(one, at)), None)
    if kind == "admission" and stay is not None:
        yield Fault("/actual_at", "out_of_order", "the subject is already in hospital at that time")
    if kind == "discharge" and (stay is None or stay.until is not None):
        yield Fault("/actual_at", "out_of_order", "the subject is not in hospital at that time")
    if kind in ("transfer", "pass") and (stay is None or not stay.holds(at)):
        yield Fault("/actual_at", "out_of_order", "the subject is not in the ward at that time")
    if kind == "return" and (stay is None or stay.holds(at)):
        yield Fault("/actual_at", "out_of_order", "the subject is not on a pass at that time")


def _spans(stay: Stay, at: datetime) -> bool:
    """Whether the instant lies in the stay, on a pass or not."""
    return stay.since <= at and (stay.until is None or at < stay.until)


def project(subject: Subject, known: tuple[chronicle.Fact, ...]) -> None:
    """Read off the facts what lists need at once, and stop what must stop."""
    now = clock.now()
    infusion = chronicle.anchors(known, ("infusion",)).get("infusion")
    left = chronicle.ending(known)
    subject.infused_at = infusion.actual_at if infusion else None
    # Nothing that has happened lies further ahead than that: what a clock a little ahead recorded holds at once.
    stays = chronicle.stays(known)
    subject.admitted = any(stay.holds(now + clock.TOLERANCE) for stay in stays)
    subject.hospital_since = stays[-1].since if stays and stays[-1].until is None and left is None else None
    subject.ended_at = left.actual_at if left else None
    subject.ended_kind = left.kind if left else None
    under_way = "follow_up" if subject.infused_at else "screening"
    subject.status = LEFT_AS.get(left.kind, under_way) if left else under_way
    subject.version += 1
    if left is not None or "texts" in chronicle.stopped(known):
        outbox.cancel_for_subject(subject.id, reason="left", now=now)
    if subject.admitted:
        outbox.cancel_for_subject(subject.id, reason="admitted", now=now)
    db.session.flush()
