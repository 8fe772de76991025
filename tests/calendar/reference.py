"""The calendar told a second time: slowly, naively, and sharing no step with the product. Pure.

Days are found by walking the clock, slots by asking every date of a range, an entry's slot by looking at all of
them. Only the shapes of facts and of what comes out are borrowed, and the two functions that make ids. Where
this and `schedules.occurrences` differ, one of the two has misread the docstrings of `schedules`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from schedules.history import Anchor, Answered, History, Unscheduled
from schedules.planned import Occurrence, slot_id, visit_id
from schedules.protocol.definition import DiaryPhase, Study, Visit
from tests.calendar.slow_clock import ONE_DAY, begins, ends, strikes, wall

INSTANT = timedelta(microseconds=1)
NOT_ASKED = ("amended", "before_amendment")  # by the revision that says so; a later one may ask again
NOTHING_EXPECTED = ("ended", "not_in_order", "before_enrolment", "before_amendment", "amended", "cancelled")
BOUNDARIES = (("opens_at", "open"), ("due_at", "due"), ("late_at", "overdue"), ("closes_at", "missed"))


def calendar(study: Study, history: History) -> list[Occurrence]:
    """Every visit and slot, by due time, undated last, then kind, key and id."""
    revisions = _revisions(study, history)
    found = [*_diary(revisions, history), *_visits(revisions, history)]
    dated = [one for one in found if one.due_at is not None]
    undated = [one for one in found if one.due_at is None]
    for some in (dated, undated):  # sorting is stable: by the least important first
        some.sort(key=lambda one: str(one.id))
        some.sort(key=lambda one: one.key)
        some.sort(key=lambda one: one.kind)
    dated.sort(key=lambda one: one.due_at)
    return dated + undated


# --- Dates and clocks ------------------------------------------------------------------------------------------


def _lives_in(history: History, day: date) -> str:
    zone = history.zones.first
    for since, moved_to in history.zones.changes:
        if since <= day:
            zone = moved_to
    return zone


def _quiet(study: Study, due: datetime, zone: str) -> bool:
    """Walk the minutes from the beginning of quiet hours to their end: do we meet the clock time?"""
    start, end = study.reminders.quiet_from, study.reminders.quiet_to
    minutes = [start.hour * 60 + start.minute, end.hour * 60 + end.minute]
    here = wall(due, zone)
    while minutes[0] != minutes[1]:
        if minutes[0] == here.hour * 60 + here.minute:
            return True
        minutes[0] = (minutes[0] + 1) % 1440
    return False


# --- Revisions ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Revision:
    number: int
    study: Study
    since: date | None  # a site-local date; None: from the beginning

    def starts(self, history: History) -> datetime | None:
        return None if self.since is None else begins(self.since, history.site_zone)


def _revisions(study: Study, history: History) -> list[Revision]:
    found = [Revision(0, study, None)]
    for amendment in history.amendments:
        found.append(Revision(len(found), amendment.study, amendment.since))
    return found


def _in_force(revisions: list[Revision], day: date) -> Revision:
    """The last whose date has come."""
    return [one for one in revisions if one.since is None or one.since <= day][-1]


# --- The diary ------------------------------------------------------------------------------------------------


def _diary(revisions: list[Revision], history: History) -> list[Occurrence]:
    bare = list(_slots(revisions, history))
    belonging: dict[UUID, list[Answered]] = {slot.id: [] for slot in bare}
    for entry in history.answered:
        home = _slot_of(entry, bare)
        if home is not None:
            belonging[home].append(entry)
    return [_answered(slot, belonging[slot.id]) for slot in bare]


def _slots(revisions: list[Revision], history: History) -> Iterator[Occurrence]:
    """Ask every date on which any revision could want something."""
    infusion = history.anchors.get("infusion")
    infused = _when(infusion)
    phases = [phase for one in revisions for phase in one.study.diary]
    if infusion is None or infused is None or not phases:
        return
    day_zero = wall(infused, history.site_zone).date()
    for day in range(min(one.from_day for one in phases) - 3, max(one.to_day for one in phases) + 4):
        if day > 0 and infusion.actual_at is None:
            continue  # what follows an infusion begins when there has been one
        on = day_zero + day * ONE_DAY
        revision = _in_force(revisions, on)
        for phase in revision.study.diary:
            if phase.from_day <= day <= phase.to_day and (day - phase.from_day) % phase.every_days == 0:
                yield from _of_day(revision, phase, day, on, history)


def _of_day(revision: Revision, phase: DiaryPhase, day: int, on: date, history: History) -> Iterator[Occurrence]:
    zone = _lives_in(history, on)
    for slot_time in phase.times:
        due = strikes(on, slot_time.at, zone)
        for form in slot_time.forms:
            bare = Occurrence(
                id=slot_id(history.subject_id, form, on, f"{slot_time.at.hour:02}:{slot_time.at.minute:02}"),
                kind="slot",
                key=form,
                day=day,
                opens_at=due - timedelta(minutes=phase.opens_before_min),
                due_at=due,
                late_at=due + timedelta(minutes=phase.late_after_min),
                closes_at=due + timedelta(minutes=phase.closes_after_min),
                announced=not _quiet(revision.study, due, zone),
                edition=revision.number,
            )
            yield replace(bare, excused=_why_no_report(bare, history))


def _why_no_report(slot: Occurrence, history: History) -> str | None:
    """First why nothing was expected at all, then what excuses a report that was."""
    due, closes = slot.due_at, slot.closes_at
    known = [history.enrolled_at]
    if slot.day > 0 and history.anchors["infusion"].known_since is not None:
        known.append(history.anchors["infusion"].known_since)
    if any(closes <= at for at in known):
        return "before_enrolment"
    if "diary" in history.stopped and closes > history.stopped["diary"]:
        return "ended"
    for stay in history.stays:
        in_hospital = _within(due, stay.since, stay.until)
        on_pass = [one for one in stay.passes if _within(due, *one)]
        if in_hospital and not on_pass:
            return "admitted"
    for excuse in history.excuses:
        if _within(due, excuse.since, excuse.until):
            return excuse.reason
    return None


def _within(at: datetime, since: datetime, until: datetime | None) -> bool:
    """The beginning belongs to a span, the end does not; without an end it lasts."""
    return at >= since and (until is None or at < until)


def _slot_of(entry: Answered, slots: list[Occurrence]) -> UUID | None:
    """The slot it was meant for, if that had opened; else of those that are open the nearest, the earlier of two."""
    of_form = [one for one in slots if one.key == entry.form]
    meant = [one for one in of_form if one.id == entry.claimed_slot and entry.at >= one.opens_at]
    if meant:
        return meant[0].id
    is_open = [one for one in of_form if _within(entry.at, one.opens_at, one.closes_at)]
    is_open.sort(key=lambda one: (abs(one.due_at - entry.at), one.due_at, str(one.id)))
    return is_open[0].id if is_open else None


def _answered(slot: Occurrence, entries: list[Answered]) -> Occurrence:
    """Of several entries the earliest counts."""
    for entry in sorted(entries, key=lambda one: (one.at, str(one.entry_id))):
        return replace(slot, satisfied_by=entry.entry_id, satisfied_at=entry.at)
    return slot


# --- Visits ---------------------------------------------------------------------------------------------------


def _visits(revisions: list[Revision], history: History) -> Iterator[Occurrence]:
    for key in {visit.key for one in revisions for visit in one.study.visits}:
        yield _as_it_stands(key, revisions, history)
    for one in history.unscheduled:
        yield _recorded(_of_its_day(one, revisions, history), history)


def _as_it_stands(key: str, revisions: list[Revision], history: History) -> Occurrence:
    """Let the revisions come into force one after another; each may change what is not over by then."""
    stands: Occurrence | None = None
    for revision in revisions:
        starts = revision.starts(history)
        if stands is not None and _over(stands, history, starts):
            return stands
        here = [visit for visit in revision.study.visits if visit.key == key]
        if not here:
            if stands is not None and stands.excused is None:
                stands = replace(stands, excused="amended")
            continue
        wanted = _visit(here[0], revision, history)
        in_the_past = starts is not None and wanted.closes_at is not None and wanted.closes_at <= starts
        if not in_the_past:
            stands = wanted
        elif stands is None:  # the revision brings it, too late to ask for it
            settled = wanted.satisfied_at is not None or wanted.excused is not None
            stands = wanted if settled else replace(wanted, excused="before_amendment")
        # else it moves it to where it could not have been done: it stays as it stood
    return stands


def _over(stands: Occurrence, history: History, at: datetime) -> bool:
    """Whether it was done, or written off, or had closed, before that instant. What nobody asked for cannot close."""
    recorded = history.attendances.get(stands.id)
    if recorded is not None and recorded.at < at:
        return True
    if stands.satisfied_at is not None and stands.satisfied_at < at:
        return True
    asked = stands.excused not in NOT_ASKED
    return asked and stands.closes_at is not None and stands.closes_at <= at


def _visit(visit: Visit, revision: Revision, history: History) -> Occurrence:
    """The visit under one revision, as if there had never been another."""
    bare = Occurrence(
        id=visit_id(history.subject_id, visit.key),
        kind="visit",
        key=visit.key,
        day=_study_day(visit, history),
        edition=revision.number,
    )
    bare = _recorded(bare, history)
    anchor = history.anchors.get(visit.anchor)
    anchored = _when(anchor)
    if anchored is None:
        infusion = history.anchors.get("infusion")
        treated = infusion is not None and infusion.actual_at is not None
        if treated and revision.study.anchor_events[visit.anchor].optional:
            return replace(bare, excused="not_in_order")
        return _unless_left(bare, history)
    if visit.day == 0 and anchor.actual_at is not None and bare.satisfied_at is None:
        bare = replace(bare, satisfied_by=anchor.event_id, satisfied_at=anchor.actual_at)
    return _unless_left(_agreed(_dated(bare, visit, anchored, history), visit, history), history)


def _dated(bare: Occurrence, visit: Visit, anchored: datetime, history: History) -> Occurrence:
    """The window as the study has it: whole site-local days, cut off where the treatment begins that it precedes."""
    zone = history.site_zone
    anchor_day = wall(anchored, zone).date()
    first, target, last = (anchor_day + n * ONE_DAY for n in (visit.from_day, visit.day, visit.to_day))
    closes = ends(last, zone)
    treated = _when(history.anchors.get(visit.before)) if visit.before else None
    if treated is not None and treated < closes:
        closes = treated
        last = wall(treated - INSTANT, zone).date()  # the date of the last instant at which it can be done
        first, target = min(first, last), min(target, last)
    return replace(
        bare,
        opens_at=begins(first, zone),
        due_at=begins(target, zone),
        late_at=min(ends(target, zone), closes),
        closes_at=closes,
        target_on=target,
        earliest_on=first,
        latest_on=last,
    )


def _agreed(planned: Occurrence, visit: Visit, history: History) -> Occurrence:
    """With an appointment it is due then and late when that day is over; a window is widened, never narrowed.

    Only an appointment outside the window widens it, to its own day. What was agreed for the morning of the
    treatment that it precedes is no baseline in the afternoon, inside the window or out of it.
    """
    at = history.appointments.get(planned.id)
    if at is None:
        return planned
    own_day_ends = ends(wall(at, history.site_zone).date(), history.site_zone)
    treated = _when(history.anchors.get(visit.before)) if visit.before else None
    if treated is not None and at < treated < own_day_ends:
        own_day_ends = treated
    return replace(
        planned,
        appointment_at=at,
        opens_at=min(planned.opens_at, at),
        due_at=at,
        late_at=own_day_ends,
        closes_at=max(planned.closes_at, own_day_ends),
    )


def _of_its_day(visit: Unscheduled, revisions: list[Revision], history: History) -> Occurrence:
    """A visit that nobody planned is open for its own day."""
    if visit.at is None:
        return Occurrence(visit.id, "visit", revisions[0].study.unscheduled_visit.key, None, excused="cancelled")
    zone = history.site_zone
    on = wall(visit.at, zone).date()
    revision = _in_force(revisions, on)
    infused = _when(history.anchors.get("infusion"))
    one = Occurrence(
        id=visit.id,
        kind="visit",
        key=revision.study.unscheduled_visit.key,
        day=None if infused is None else (on - wall(infused, zone).date()).days,
        opens_at=begins(on, zone),
        due_at=visit.at,
        late_at=ends(on, zone),
        closes_at=ends(on, zone),
        appointment_at=visit.at,
        edition=revision.number,
    )
    return _unless_left(one, history)


def _recorded(one: Occurrence, history: History) -> Occurrence:
    """What staff wrote of it."""
    recorded = history.attendances.get(one.id)
    if recorded is None:
        return one
    if recorded.outcome == "attended":
        return replace(one, satisfied_by=recorded.id, satisfied_at=recorded.at)
    return replace(one, missed=True)


def _unless_left(one: Occurrence, history: History) -> Occurrence:
    """After a person has left nothing is asked; what had closed by then, or was written off as missed, stays."""
    left = history.stopped.get("visits")
    if left is None:
        return one
    recorded = history.attendances.get(one.id)
    if recorded is not None and recorded.outcome == "missed" and recorded.at < left:
        return one
    still_open = one.closes_at is None or one.closes_at > left
    return replace(one, excused="ended") if still_open else one


def _study_day(visit: Visit, history: History) -> int | None:
    """The target counted from the infusion's date; None while it cannot be counted."""
    if visit.anchor == "infusion":
        return visit.day
    anchored, infused = _when(history.anchors.get(visit.anchor)), _when(history.anchors.get("infusion"))
    if anchored is None or infused is None:
        return None
    zone = history.site_zone
    return (wall(anchored, zone).date() + visit.day * ONE_DAY - wall(infused, zone).date()).days


def _when(anchor: Anchor | None) -> datetime | None:
    """When it took place, else when it is planned."""
    if anchor is None:
        return None
    return anchor.planned_at if anchor.actual_at is None else anchor.actual_at


# --- Status ---------------------------------------------------------------------------------------------------


def word(one: Occurrence, now: datetime) -> str:
    """The status: what is recorded says it, else the boundaries that have been passed."""
    if one.satisfied_at is not None:
        limit = {"slot": one.late_at, "visit": one.closes_at}[one.kind]
        return "done" if limit is None or one.satisfied_at < limit else "late"
    if one.excused is not None:
        return "not_applicable" if one.excused in NOTHING_EXPECTED else "excused"
    if one.missed:
        return "missed"
    if one.due_at is None:
        return "not_dated"
    said = "not_yet"
    for boundary, name in BOUNDARIES:
        if getattr(one, boundary) <= now:
            said = name
    return said


def next_turn(one: Occurrence, now: datetime) -> datetime | None:
    """The next instant at which the status is another one than an instant before."""
    instants = {getattr(one, boundary) for boundary, _ in BOUNDARIES} - {None}
    turns = [at for at in instants if at > now and word(one, at) != word(one, at - INSTANT)]
    return min(turns, default=None)
