"""Diary slots of one subject, and which entry belongs to which of them. Pure.

A slot's id hangs on its form, local date and clock time, so that a corrected infusion date leaves what was
done attached to the day it was done on. The revision in force on a date decides that date's slots.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID

from schedules.history import INFUSION, Answered, Edition, History
from schedules.planned import Occurrence, slot_id
from schedules.protocol.definition import DiaryPhase, SlotTime
from schedules.recurrence import days_of
from schedules.visits import ended
from schedules.windows import at_local, in_quiet_hours, local_date


def slots(editions: tuple[Edition, ...], history: History) -> list[Occurrence]:
    """Every slot of the diary, with the entries that answer them."""
    found = [_excused(slot, history) for edition in editions for slot in _of_edition(edition, history)]
    return _with_answers(found, history.answered)


def _of_edition(edition: Edition, history: History) -> Iterator[Occurrence]:
    infusion = history.anchors.get(INFUSION)
    if infusion is None or infusion.at is None:
        return
    day_zero = local_date(infusion.at, history.site_zone)
    first = (edition.since - day_zero).days if edition.since else None
    last = (edition.until - day_zero).days - 1 if edition.until else None
    for phase in edition.study.diary:
        for day in days_of(phase, first, last):
            # A diary after infusion begins with the infusion, not with the plan of one.
            if day > 0 and infusion.actual_at is None:
                continue
            on = day_zero + timedelta(days=day)
            for slot_time in phase.times:
                yield from _forms_of(edition, history, phase, slot_time, day, on)


def _forms_of(
    edition: Edition, history: History, phase: DiaryPhase, slot_time: SlotTime, day: int, on: date
) -> Iterator[Occurrence]:
    zone = history.zones.on(on)
    due = at_local(on, slot_time.at, zone)
    reminders = edition.study.reminders
    quiet = in_quiet_hours(due, zone, reminders.quiet_from, reminders.quiet_to)
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
            edition=edition.number,
        )


def _excused(slot: Occurrence, history: History) -> Occurrence:
    assert slot.due_at is not None
    assert slot.closes_at is not None
    infusion = history.anchors[INFUSION]
    known = max(history.enrolled_at, infusion.known_since or history.enrolled_at)
    if slot.closes_at <= (known if slot.day and slot.day > 0 else history.enrolled_at):
        return replace(slot, excused="before_enrolment")
    left = ended(slot, history, "diary")
    if left.excused is not None:
        return left  # who has left is in nobody's ward, and misses nothing
    if any(stay.holds(slot.due_at) for stay in history.stays):
        return replace(slot, excused="admitted")
    for excuse in history.excuses:
        if excuse.holds(slot.due_at):
            return replace(slot, excused=excuse.reason)
    return slot


def _with_answers(found: list[Occurrence], answered: tuple[Answered, ...]) -> list[Occurrence]:
    """Attach each entry to its slot. Entries do not compete: of several in one slot the earliest counts."""
    places = {slot.id: index for index, slot in enumerate(found)}
    filled = list(found)
    for entry in answered:
        identity = slot_for(found, entry)
        if identity is not None:
            place = places[identity]
            filled[place] = answered_by(filled[place], entry)
    return filled


def answered_by(slot: Occurrence, entry: Answered) -> Occurrence:
    """The slot with this entry attached, unless an earlier one is."""
    if slot.satisfied_at is not None and (slot.satisfied_at, str(slot.satisfied_by)) <= (entry.at, str(entry.entry_id)):
        return slot
    return replace(slot, satisfied_by=entry.entry_id, satisfied_at=entry.at)


def slot_for(found: Iterable[Occurrence], entry: Answered) -> UUID | None:
    """The slot an entry belongs to: the one it was meant for, however late, else the open one nearest in time.

    A claim for another form, or for a slot that had not opened when it was measured, does not count.
    """
    nearest: tuple[timedelta, datetime, UUID] | None = None
    for slot in found:
        if slot.key != entry.form or slot.opens_at is None or slot.due_at is None or slot.closes_at is None:
            continue
        if slot.id == entry.claimed_slot and entry.at >= slot.opens_at:
            return slot.id
        if slot.opens_at <= entry.at < slot.closes_at:
            here = (abs(slot.due_at - entry.at), slot.due_at, slot.id)
            nearest = min(nearest, here) if nearest else here
    return nearest[2] if nearest else None
