"""Enrolling a subject and writing the dated facts of the treatment: planned, actual, corrected, taken back.

Every function runs in the caller's transaction with the subject's row locked, refreshes the calendar and
leaves its audit row. Anchor events may come in any order; what cannot have happened is refused with a path.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from backend import accounts, agenda, audit, chronicle, clock, outbox, studies
from backend.db import db, lock_subject
from backend.errors import Problem, fault, invalid
from backend.models.study import Site
from backend.models.subject import Consent, Subject, SubjectEvent, ZoneChange
from schedules.faults import Fault
from schedules.occurrences import History, Occurrence, occurrences
from schedules.protocol.definition import Study
from schedules.windows import earliest_zone_change, local_date

OTHER_KINDS = ("admission", "discharge", *chronicle.ENDINGS)
MAY_BE_PLANNED = ("admission", "discharge")
NOT_BEFORE_CONSENT = ("collection", "lymphodepletion", "infusion")
CLOCK_TOLERANCE = timedelta(minutes=5)  # a ward computer may be a little ahead of us


@dataclass(frozen=True, slots=True)
class Move:
    """What one occurrence was and what it becomes; None where it was or will be undated."""

    id: UUID
    kind: str
    key: str
    before: datetime | None
    after: datetime | None


def enrol(site: Site, content: dict[str, Any], enrolled_by: UUID) -> tuple[Subject, bool]:
    """Make a subject with consents, contact and the patient's account. (subject, whether it is new).

    `content` is the body of `POST /subjects` as parsed. A repeat of the same id gives the stored subject; the id
    with another site, number or year of birth, or a number already taken at the site, is a conflict.
    """
    study = studies.of_site(site)
    stored = db.session.get(Subject, content["id"])
    if stored is not None:
        said = (site.id, content["number"], content["year_of_birth"])
        if (stored.site_id, stored.number, stored.year_of_birth) != said:
            raise Problem("id_taken")
        return stored, False
    _check_enrolment(study, site, content)
    now = clock.now()
    subject = Subject(
        id=content["id"],
        site_id=site.id,
        number=content["number"],
        study_revision_id=site.study_revision_id,
        dose_level=content["dose_level"],
        locale=content["locale"],
        time_zone=content["time_zone"],
        year_of_birth=content["year_of_birth"],
        prior_organs=sorted(content["prior_organs"]),
        enrolled_at=now,
        enrolled_by=enrolled_by,
    )
    db.session.add(subject)
    db.session.flush()
    for consent in content["consents"]:
        db.session.add(Consent(subject_id=subject.id, recorded_at=now, recorded_by=enrolled_by, **consent))
    audit.record(
        "subject:enrolled",
        "subject",
        subject.id,
        subject_id=subject.id,
        new={
            "number": subject.number,
            "dose_level": subject.dose_level,
            "consents": content["consents"],
            "prior_organs": subject.prior_organs,
            "study_revision": subject.study_revision_id,
        },
    )
    accounts.add_reporter(subject, relation="patient", locale=subject.locale, **content["contact"])
    agenda.refresh(subject)
    return subject, True


def _check_enrolment(study: Study, site: Site, content: dict[str, Any]) -> None:
    now = clock.now()
    faults = [
        Fault(f"/prior_organs/{i}", "not_allowed", f"{organ} is not an organ of this study")
        for i, organ in enumerate(content["prior_organs"])
        if organ not in study.organs
    ]
    if content["dose_level"] not in {level.key for level in study.dose_levels}:
        faults.append(Fault("/dose_level", "not_allowed", "no such dose level in this study"))
    age = local_date(now, site.time_zone).year - content["year_of_birth"]
    if not study.age_from <= age <= 120:
        faults.append(Fault("/year_of_birth", "out_of_range", f"the study takes people from {study.age_from} years"))
    kinds = [consent["kind"] for consent in content["consents"]]
    if "trial" not in kinds:
        faults.append(Fault("/consents", "required", "consent to the trial is needed"))
    if len(kinds) != len(set(kinds)):
        faults.append(Fault("/consents", "duplicate", "one consent of each kind"))
    faults.extend(
        Fault(f"/consents/{i}/given_at", "in_the_future", "a consent cannot be given in the future")
        for i, consent in enumerate(content["consents"])
        if consent["given_at"] > now + CLOCK_TOLERANCE
    )
    if faults:
        raise invalid(*faults)
    taken = sa.select(Subject.id).where(Subject.site_id == site.id, Subject.number == content["number"])
    if db.session.execute(taken).scalar_one_or_none() is not None:
        raise Problem("conflict", "this subject number is taken at this site")


def record_event(subject_id: UUID, content: dict[str, Any], by: UUID) -> tuple[chronicle.Fact, tuple[Move, ...], bool]:
    """Write one event, or only preview it. (the fact, what moves, whether something was written).

    `content`: id, kind, planned_at, actual_at, scope, reason, preview. A repeat of an id with equal content
    gives what is stored.
    """
    subject = lock_subject(subject_id)
    known = chronicle.facts_of(subject.id)
    stored = _stored_first(content["id"])
    if stored is not None:
        fact = next((fact for fact in known if fact.event_id == stored.event_id), None)
        if fact is None or not _same(stored, content):  # another subject's, taken back, or other content
            raise Problem("id_taken")
        return fact, (), False
    row = SubjectEvent(
        id=uuid4(),
        event_id=content["id"],
        revision=1,
        subject_id=subject.id,
        kind=content["kind"],
        planned_at=content.get("planned_at"),
        actual_at=content.get("actual_at"),
        scope=content.get("scope"),
        reason=content.get("reason"),
        void=False,
        recorded_at=clock.now(),
        recorded_by=by,
    )
    return _write(subject, known, row, preview=bool(content.get("preview")), old=None)


def correct_event(
    subject_id: UUID, event_id: UUID, content: dict[str, Any], by: UUID
) -> tuple[chronicle.Fact | None, tuple[Move, ...], bool]:
    """Write a further revision of an event, with a reason. `void` takes it back and returns no fact."""
    subject = lock_subject(subject_id)
    known = chronicle.facts_of(subject.id)
    before = next((fact for fact in known if fact.event_id == event_id), None)
    if before is None:
        raise Problem("not_found")
    row = SubjectEvent(
        id=uuid4(),
        event_id=event_id,
        revision=before.revision + 1,
        subject_id=subject.id,
        kind=before.kind,
        planned_at=content.get("planned_at", before.planned_at),
        actual_at=content.get("actual_at", before.actual_at),
        scope=list(before.scope) or None,
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


def _stored_first(event_id: UUID) -> SubjectEvent | None:
    return db.session.execute(
        sa.select(SubjectEvent).where(SubjectEvent.event_id == event_id, SubjectEvent.revision == 1)
    ).scalar_one_or_none()


def _same(stored: SubjectEvent, content: dict[str, Any]) -> bool:
    return (stored.kind, stored.planned_at, stored.actual_at) == (
        content["kind"],
        content.get("planned_at"),
        content.get("actual_at"),
    )


def _write(
    subject: Subject, known: tuple[chronicle.Fact, ...], row: SubjectEvent, *, preview: bool, old: chronicle.Fact | None
) -> tuple[chronicle.Fact, tuple[Move, ...], bool]:
    study = studies.revision(subject.study_revision_id)
    others = tuple(fact for fact in known if fact.event_id != row.event_id)
    became = chronicle.facts([row])
    proposed = tuple(
        replace(fact, known_since=old.known_since if old and old.known_since else fact.known_since) for fact in became
    )
    after = tuple(sorted((*others, *proposed), key=lambda fact: (fact.at or fact.recorded_at, fact.recorded_at)))
    _check_event(study, others, row, newly=old is None or old.actual_at is None)
    history = agenda.history_of(subject)
    moves = _moves(occurrences(study, history), occurrences(study, _under(history, study, after)))
    fact = proposed[0] if proposed else None
    if not preview:
        db.session.add(row)
        db.session.flush()
        audit.record(
            "event:corrected" if old else "event:recorded",
            "subject_event",
            row.event_id,
            subject_id=subject.id,
            old=_spoken(old.kind, old.planned_at, old.actual_at, False) if old else None,
            new=_spoken(row.kind, row.planned_at, row.actual_at, row.void),
            reason=row.reason,
        )
        project(subject, chronicle.facts_of(subject.id))
        agenda.refresh(subject)
    return fact, moves, not preview  # type: ignore[return-value]


def _spoken(kind: str, planned_at: datetime | None, actual_at: datetime | None, void: bool) -> dict[str, Any]:
    return {"kind": kind, "planned_at": planned_at, "actual_at": actual_at, "void": void}


def _under(history: History, study: Study, facts: tuple[chronicle.Fact, ...]) -> History:
    """The same history with other facts."""
    return replace(
        history,
        anchors=chronicle.anchors(facts, study.anchor_events),
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
    if row.actual_at is not None and row.actual_at > now + CLOCK_TOLERANCE:
        faults.append(Fault("/actual_at", "in_the_future", "what has happened cannot lie in the future"))
    if row.scope and row.kind != "withdrawal":
        faults.append(Fault("/scope", "not_allowed", "only a withdrawal has a scope"))
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
    if row.kind in ("admission", "discharge"):
        yield from _stay_faults(others, row.kind, at)
    if row.kind == "completion" and "infusion" not in actual:
        yield Fault("/kind", "out_of_order", "a subject who was never infused cannot complete; record a withdrawal")


def _stay_faults(others: tuple[chronicle.Fact, ...], kind: str, at: datetime) -> Iterable[Fault]:
    around = chronicle.stays(others)
    inside = any(stay.since <= at and (stay.until is None or at < stay.until) for stay in around)
    if kind == "admission" and inside:
        yield Fault("/actual_at", "out_of_order", "the subject is already in hospital at that time")
    if kind == "discharge" and not any(stay.since <= at and stay.until is None for stay in around):
        yield Fault("/actual_at", "out_of_order", "the subject is not in hospital at that time")


def project(subject: Subject, known: tuple[chronicle.Fact, ...]) -> None:
    """Read off the facts what lists need at once, and stop what must stop."""
    now = clock.now()
    infusion = chronicle.anchors(known, ("infusion",)).get("infusion")
    left = chronicle.ending(known)
    subject.infused_at = infusion.actual_at if infusion else None
    subject.admitted = any(stay.since <= now and stay.until is None for stay in chronicle.stays(known))
    subject.ended_at = left.actual_at if left else None
    subject.ended_kind = left.kind if left else None
    subject.status = {"withdrawal": "withdrawn", "death": "died", "completion": "completed"}.get(
        left.kind if left else "", "follow_up" if subject.infused_at else "screening"
    )
    subject.version += 1
    if left is not None or "texts" in chronicle.stopped(known):
        outbox.cancel_for_subject(subject.id, reason="left", now=now)
    if subject.admitted:
        outbox.cancel_for_subject(subject.id, reason="admitted", now=now)
    db.session.flush()


def change_subject(subject: Subject, content: dict[str, Any], by: UUID) -> None:
    """Change locale, dose level, prior organs or zone. The row is locked and matched by the caller."""
    study = studies.revision(subject.study_revision_id)
    if "dose_level" in content and content["dose_level"] not in {level.key for level in study.dose_levels}:
        raise fault("/dose_level", "not_allowed", "no such dose level in this study")
    if "dose_level" in content and subject.infused_at is not None and content["dose_level"] != subject.dose_level:
        raise Problem("conflict", "the subject is already infused; the dose level no longer changes")
    strange = [organ for organ in content.get("prior_organs", ()) if organ not in study.organs]
    if strange:
        raise fault("/prior_organs", "not_allowed", f"{strange[0]} is not an organ of this study")
    old: dict[str, Any] = {
        name: getattr(subject, name) for name in ("locale", "dose_level", "prior_organs") if name in content
    }
    new: dict[str, Any] = {name: content[name] for name in old}
    for name, value in new.items():
        setattr(subject, name, sorted(value) if name == "prior_organs" else value)
    if "time_zone" in content:
        old["time_zone"], new["time_zone"] = _change_zone(subject, content["time_zone"], content.get("zone_from"), by)
    subject.version += 1
    db.session.flush()
    audit.record(
        "subject:changed", "subject", subject.id, subject_id=subject.id, old=old, new=new, reason=content.get("reason")
    )
    agenda.refresh(subject)


def _change_zone(subject: Subject, zone: str, zone_from: date | None, by: UUID) -> tuple[str, dict[str, Any]]:
    """From which date another zone holds: tomorrow unless said, never a date that has begun anywhere."""
    now = clock.now()
    current = chronicle.zones_of(subject).at(now)
    earliest = earliest_zone_change(now, (current, zone))
    effective_on = zone_from or earliest
    if effective_on < earliest:
        raise fault("/zone_from", "in_the_past", f"a zone change touches future slots only: {earliest} or later")
    db.session.add(
        ZoneChange(subject_id=subject.id, effective_on=effective_on, time_zone=zone, recorded_at=now, recorded_by=by)
    )
    return current, {"time_zone": zone, "from": effective_on}
