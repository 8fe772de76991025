"""The calendar of one subject: every planned visit and diary slot, computed from the study and the facts. Pure.

Nothing here is stored as truth: the same study and history give the same occurrences with the same ids,
whoever computes them and when. A visit's id hangs on its key, a slot's on its form and its local date and
clock time, so that a corrected infusion date leaves what was done attached to the day it was done on.

Times of an occurrence (aware UTC, or None while its anchor is unknown: "not dated"):
opens_at ≤ due_at ≤ late_at ≤ closes_at. A slot answered at or after late_at is late; a visit attended
at or after closes_at is late.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from uuid import UUID, uuid5

from schedules.protocol.definition import DiaryPhase, SlotTime, Study, Visit
from schedules.recurrence import days_of
from schedules.windows import (
    ZoneHistory,
    at_local,
    end_of_day,
    in_quiet_hours,
    local_date,
    start_of_day,
)

INFUSION = "infusion"
NOT_APPLICABLE = ("ended", "not_in_order", "before_enrolment")  # reasons that are no shortcoming of anybody
STATUSES = ("not_dated", "not_yet", "open", "due", "done", "late", "overdue", "missed", "excused", "not_applicable")


@dataclass(frozen=True, slots=True)
class Anchor:
    """An anchor event: planned, actual, or both. `known_since`: when the actual time was first recorded."""

    event_id: UUID
    planned_at: datetime | None = None
    actual_at: datetime | None = None
    known_since: datetime | None = None

    @property
    def at(self) -> datetime | None:
        return self.actual_at or self.planned_at


@dataclass(frozen=True, slots=True)
class Stay:
    """A stay in hospital; `until` None while it lasts."""

    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Answered:
    """An entry as far as the calendar cares: which form, effective when, for which slot it was meant."""

    entry_id: UUID
    form: str
    at: datetime
    claimed_slot: UUID | None = None


@dataclass(frozen=True, slots=True)
class Attended:
    """What was recorded of a visit."""

    id: UUID
    at: datetime
    outcome: str  # attended, missed


@dataclass(frozen=True, slots=True)
class History:
    """The facts of one subject that its calendar depends on. `stopped` maps diary and visits to an instant."""

    subject_id: UUID
    site_zone: str
    zones: ZoneHistory
    enrolled_at: datetime
    anchors: Mapping[str, Anchor] = field(default_factory=dict)
    stays: tuple[Stay, ...] = ()
    stopped: Mapping[str, datetime] = field(default_factory=dict)
    appointments: Mapping[UUID, datetime] = field(default_factory=dict)
    attendances: Mapping[UUID, Attended] = field(default_factory=dict)
    answered: tuple[Answered, ...] = ()


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One planned visit or one form of one slot."""

    id: UUID
    kind: str  # visit, slot
    key: str  # visit key or form key
    day: int | None
    opens_at: datetime | None = None
    due_at: datetime | None = None
    late_at: datetime | None = None
    closes_at: datetime | None = None
    appointment_at: datetime | None = None
    satisfied_by: UUID | None = None
    satisfied_at: datetime | None = None
    missed: bool = False
    excused: str | None = None
    announced: bool = True


def visit_id(subject_id: UUID, key: str) -> UUID:
    return uuid5(subject_id, f"visit:{key}")


def slot_id(subject_id: UUID, form: str, day: date, at: str) -> UUID:
    """`at` is the clock time as HH:MM."""
    return uuid5(subject_id, f"slot:{form}:{day.isoformat()}T{at}")


def status(occurrence: Occurrence, now: datetime) -> str:
    """One of STATUSES. The deadline shown is the deadline enforced: nothing else decides it.

    `backend.agenda.status_at` says the same in SQL; a property test holds the two together.
    """
    one = occurrence
    if one.satisfied_at is not None:
        limit = one.late_at if one.kind == "slot" else one.closes_at
        return "late" if limit is not None and one.satisfied_at >= limit else "done"
    if one.excused is not None:
        return "not_applicable" if one.excused in NOT_APPLICABLE else "excused"
    if one.missed:
        return "missed"
    if one.opens_at is None or one.due_at is None or one.late_at is None or one.closes_at is None:
        return "not_dated"
    for limit, name in (
        (one.opens_at, "not_yet"),
        (one.due_at, "open"),
        (one.late_at, "due"),
        (one.closes_at, "overdue"),
    ):
        if now < limit:
            return name
    return "missed"


def occurrences(
    study: Study, history: History, span: tuple[datetime, datetime] | None = None
) -> tuple[Occurrence, ...]:
    """The whole calendar, or with `span` only the slots that fall due within it (visits are then left out).

    Ordered by due time, undated last, then kind, key and id.
    """
    found: list[Occurrence] = []
    if span is None:
        found.extend(_visit(study, history, visit) for visit in study.visits)
    slots = [_excused(slot, history) for slot in _slots(study, history, span)]
    found.extend(_with_answers(slots, history.answered))
    return tuple(sorted(found, key=_order))


def _order(one: Occurrence) -> tuple[bool, datetime | str, str, str, str]:
    return (one.due_at is None, one.due_at or one.key, one.kind, one.key, str(one.id))


def _visit(study: Study, history: History, visit: Visit) -> Occurrence:
    identity = visit_id(history.subject_id, visit.key)
    bare = Occurrence(identity, "visit", visit.key, _visit_day(history, visit))
    anchor = history.anchors.get(visit.anchor)
    attended = history.attendances.get(identity)
    if attended is not None:
        bare = replace(bare, missed=attended.outcome == "missed")
        if attended.outcome == "attended":
            bare = replace(bare, satisfied_by=attended.id, satisfied_at=attended.at)
    if anchor is None or anchor.at is None:
        infused = history.anchors.get(INFUSION)
        left_out = study.anchor_events[visit.anchor].optional and infused is not None and infused.actual_at is not None
        return _ended(replace(bare, excused="not_in_order" if left_out else None), history, "visits")
    if visit.day == 0 and anchor.actual_at is not None and bare.satisfied_at is None:
        bare = replace(bare, satisfied_by=anchor.event_id, satisfied_at=anchor.actual_at)
    return _ended(_dated(bare, history, visit, anchor.at), history, "visits")


def _visit_day(history: History, visit: Visit) -> int | None:
    """The visit's target as a study day, where infusion and its own anchor are both dated."""
    anchor, infused = history.anchors.get(visit.anchor), history.anchors.get(INFUSION)
    if visit.anchor == INFUSION:
        return visit.day
    if anchor is None or anchor.at is None or infused is None or infused.at is None:
        return None
    offset = local_date(anchor.at, history.site_zone) - local_date(infused.at, history.site_zone)
    return visit.day + offset.days


def _dated(bare: Occurrence, history: History, visit: Visit, anchored_at: datetime) -> Occurrence:
    zone = history.site_zone
    anchor_day = local_date(anchored_at, zone)
    appointment = history.appointments.get(bare.id)
    opens = start_of_day(anchor_day + timedelta(days=visit.from_day), zone)
    closes = end_of_day(anchor_day + timedelta(days=visit.to_day), zone)
    target = anchor_day + timedelta(days=visit.day)
    due = start_of_day(target, zone)
    if appointment is not None:
        target, due = local_date(appointment, zone), appointment
    late = end_of_day(target, zone)
    # An appointment outside the window is allowed (with a reason); its own day is then still in time for it.
    return replace(
        bare,
        opens_at=min(opens, due),
        due_at=due,
        late_at=late,
        closes_at=max(closes, late),
        appointment_at=appointment,
    )


def _slots(study: Study, history: History, span: tuple[datetime, datetime] | None) -> Iterator[Occurrence]:
    infusion = history.anchors.get(INFUSION)
    if infusion is None or infusion.at is None:
        return
    day_zero = local_date(infusion.at, history.site_zone)
    first, last = _days_around(day_zero, span)
    for phase in study.diary:
        for day in days_of(phase, first, last):
            # A diary after infusion begins with the infusion, not with the plan of one.
            if day > 0 and infusion.actual_at is None:
                continue
            for slot_time in phase.times:
                yield from _forms_of(study, history, phase, slot_time, day, day_zero + timedelta(days=day), span)


def _days_around(day_zero: date, span: tuple[datetime, datetime] | None) -> tuple[int | None, int | None]:
    """Study days that can hold a slot due within the span; a day wider on both sides than any zone."""
    if span is None:
        return None, None
    return (span[0].date() - day_zero).days - 2, (span[1].date() - day_zero).days + 2


def _forms_of(
    study: Study,
    history: History,
    phase: DiaryPhase,
    slot_time: SlotTime,
    day: int,
    on: date,
    span: tuple[datetime, datetime] | None,
) -> Iterator[Occurrence]:
    zone = history.zones.on(on)
    due = at_local(on, slot_time.at, zone)
    if span is not None and not span[0] <= due <= span[1]:
        return
    quiet = in_quiet_hours(due, zone, study.reminders.quiet_from, study.reminders.quiet_to)
    for form in slot_time.forms:
        yield Occurrence(
            id=slot_id(history.subject_id, form, on, slot_time.at.strftime("%H:%M")),
            kind="slot",
            key=form,
            day=day,
            opens_at=due - timedelta(minutes=phase.opens_before_min),
            due_at=due,
            late_at=due + timedelta(minutes=phase.late_after_min),
            closes_at=due + timedelta(minutes=phase.closes_after_min),
            announced=not quiet,
        )


def _excused(slot: Occurrence, history: History) -> Occurrence:
    assert slot.due_at is not None
    assert slot.closes_at is not None
    infusion = history.anchors[INFUSION]
    known = max(history.enrolled_at, infusion.known_since or history.enrolled_at)
    if slot.closes_at <= (known if slot.day and slot.day > 0 else history.enrolled_at):
        return replace(slot, excused="before_enrolment")
    for stay in history.stays:
        if stay.since <= slot.due_at and (stay.until is None or slot.due_at < stay.until):
            return replace(slot, excused="admitted")
    return _ended(slot, history, "diary")


def _ended(one: Occurrence, history: History, what: str) -> Occurrence:
    stopped = history.stopped.get(what)
    if stopped is not None and one.excused is None and (one.closes_at is None or one.closes_at > stopped):
        return replace(one, excused="ended")
    return one


def _with_answers(slots: list[Occurrence], answered: tuple[Answered, ...]) -> list[Occurrence]:
    """Attach each entry to its slot. Entries do not compete: of several in one slot the earliest counts."""
    places = {slot.id: index for index, slot in enumerate(slots)}
    filled = list(slots)
    for entry in answered:
        identity = slot_for(slots, entry)
        if identity is not None:
            place = places[identity]
            filled[place] = answered_by(filled[place], entry)
    return filled


def answered_by(slot: Occurrence, entry: Answered) -> Occurrence:
    """The slot with this entry attached, unless an earlier one is."""
    if slot.satisfied_at is not None and (slot.satisfied_at, str(slot.satisfied_by)) <= (entry.at, str(entry.entry_id)):
        return slot
    return replace(slot, satisfied_by=entry.entry_id, satisfied_at=entry.at)


def slot_for(slots: Iterable[Occurrence], entry: Answered) -> UUID | None:
    """The slot an entry belongs to: the one it was meant for, however late, else the open one nearest in time.

    A claim for another form, or for a slot that had not opened when it was measured, does not count.
    """
    nearest: tuple[timedelta, datetime, UUID] | None = None
    for slot in slots:
        if slot.key != entry.form or slot.opens_at is None or slot.due_at is None or slot.closes_at is None:
            continue
        if slot.id == entry.claimed_slot and entry.at >= slot.opens_at:
            return slot.id
        if slot.opens_at <= entry.at < slot.closes_at:
            here = (abs(slot.due_at - entry.at), slot.due_at, slot.id)
            nearest = min(nearest, here) if nearest else here
    return nearest[2] if nearest else None
