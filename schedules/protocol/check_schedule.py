"""Whether the study's times make sense: windows, visits, diary, reminders, and outcomes against what is scheduled.

Days are study days unless a visit names another anchor; minutes of the diary are counted from midnight of Day 0.
Days of 23 or 25 hours are left out of account here: no slot is so tight that they matter.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import time
from itertools import pairwise

from schedules.faults import Fault, pointer
from schedules.protocol.definition import DiaryPhase, Outcome, Study, Visit

DAY_ZERO = "infusion"  # the anchor event that study days are counted from
DAYS_IN_MONTH = 30  # as the protocol counts: month 3 is day 90
_DAY = 24 * 60  # minutes

Path = tuple[object, ...]


def schedule_faults(study: Study) -> Iterator[Fault]:
    """Every fault of when and in what order."""
    yield from _dose_level_faults(study)
    yield from _risk_window_faults(study)
    yield from _visit_faults(study)
    yield from _diary_faults(study)
    yield from _reminder_faults(study)
    yield from _outcome_faults(study)


def minutes(at: time) -> int:
    """Minutes since midnight."""
    return at.hour * 60 + at.minute


def last_day(phase: DiaryPhase) -> int:
    """The last day of a phase on which there are slots."""
    return phase.from_day + (phase.to_day - phase.from_day) // phase.every_days * phase.every_days


def repeated(keys: Iterable[str], path: Path, what: str) -> Iterator[Fault]:
    """A fault at the index of every key that stood before."""
    seen: Counter[str] = Counter()
    for index, key in enumerate(keys):
        if seen[key]:
            yield Fault(pointer((*path, index, "key")), "duplicate", f"there is another {what} {key!r}")
        seen[key] += 1


def _dose_level_faults(study: Study) -> Iterator[Fault]:
    yield from repeated((level.key for level in study.dose_levels), ("dose_levels",), "dose level")
    for index, (lower, upper) in enumerate(pairwise(study.dose_levels), start=1):
        if lower.cells_per_kg >= upper.cells_per_kg:
            path = pointer(("dose_levels", index, "cells_per_kg"))
            yield Fault(path, "unordered", "dose levels stand lowest first")


def _risk_window_faults(study: Study) -> Iterator[Fault]:
    windows = study.risk_windows
    yield from repeated((window.key for window in windows), ("risk_windows",), "risk window")
    if windows and windows[0].from_day is not None:
        message = "the first window has no beginning: a subject before infusion is in it"
        yield Fault("/risk_windows/0/from_day", "not_open", message)
    for index, window in enumerate(windows):
        if window.from_day is not None and window.to_day is not None and window.from_day > window.to_day:
            yield Fault(pointer(("risk_windows", index, "to_day")), "unordered", "the window ends before it begins")
    for index, (before, after) in enumerate(pairwise(windows), start=1):
        path = pointer(("risk_windows", index, "from_day"))
        if before.to_day is None or after.from_day is None:
            yield Fault(path, "not_adjoining", "only the first window's beginning and the last one's end are open")
        elif after.from_day != before.to_day + 1:
            yield Fault(path, "not_adjoining", f"must be {before.to_day + 1}: windows leave no day out and share none")


# --- visits -----------------------------------------------------------------------------------------------


def _visit_faults(study: Study) -> Iterator[Fault]:
    if DAY_ZERO not in study.anchor_events:
        yield Fault(f"/anchor_events/{DAY_ZERO}", "missing", "study days are counted from the infusion")
    yield from repeated((visit.key for visit in study.visits), ("visits",), "visit")
    if study.unscheduled_visit.key in {visit.key for visit in study.visits}:
        yield Fault("/unscheduled_visit/key", "duplicate", f"there is a visit {study.unscheduled_visit.key!r} already")
    for index, visit in enumerate(study.visits):
        yield from _planned_visit_faults(study, visit, ("visits", index))
    yield from _assessment_faults(study, study.unscheduled_visit, ("unscheduled_visit",))


def _planned_visit_faults(study: Study, visit: Visit, path: Path) -> Iterator[Fault]:
    if visit.anchor not in study.anchor_events:
        yield Fault(pointer((*path, "anchor")), "unknown_anchor", f"there is no anchor event {visit.anchor!r}")
    if visit.before and visit.before not in study.anchor_events:
        yield Fault(pointer((*path, "before")), "unknown_anchor", f"there is no anchor event {visit.before!r}")
    elif visit.before and visit.before == visit.anchor:
        yield Fault(pointer((*path, "before")), "not_allowed", "a visit cannot precede its own anchor event")
    if visit.from_day > visit.to_day:
        yield Fault(pointer((*path, "to_day")), "unordered", "the window ends before it begins")
    elif not visit.from_day <= visit.day <= visit.to_day:
        yield Fault(pointer((*path, "day")), "outside_window", "the target day lies outside the visit's window")
    yield from _assessment_faults(study, visit, path)


def _assessment_faults(study: Study, visit: Visit, path: Path) -> Iterator[Fault]:
    for index, key in enumerate(visit.assessments):
        if key not in study.assessments:
            path_here = pointer((*path, "assessments", index))
            yield Fault(path_here, "unknown_assessment", f"there is no assessment {key!r}")


# --- diary ------------------------------------------------------------------------------------------------


def _diary_faults(study: Study) -> Iterator[Fault]:
    yield from repeated((phase.key for phase in study.diary), ("diary",), "diary phase")
    for index, phase in enumerate(study.diary):
        path = ("diary", index)
        if phase.from_day > phase.to_day:
            yield Fault(pointer((*path, "to_day")), "unordered", "the phase ends before it begins")
        if phase.late_after_min > phase.closes_after_min:
            yield Fault(pointer((*path, "late_after_min")), "unordered", "a slot would close before it is late")
        yield from _slot_form_faults(study, phase, path)
        yield from _slot_time_faults(phase, path)
    yield from _between_phases(study)


def _slot_form_faults(study: Study, phase: DiaryPhase, path: Path) -> Iterator[Fault]:
    for index, slot in enumerate(phase.times):
        for place, key in enumerate(slot.forms):
            here = pointer((*path, "times", index, "forms", place))
            if key not in study.forms:
                yield Fault(here, "unknown_form", f"there is no form {key!r}")
            elif study.forms[key].staff_only:
                yield Fault(here, "staff_only", f"the form {key!r} is for staff and cannot be due from a patient")


def _slot_time_faults(phase: DiaryPhase, path: Path) -> Iterator[Fault]:
    """Order within a day, and that each slot has closed when the next opens, over midnight too."""
    span = phase.opens_before_min + phase.closes_after_min
    for index, (before, after) in enumerate(pairwise(phase.times), start=1):
        here = pointer((*path, "times", index, "at"))
        if before.at >= after.at:
            yield Fault(here, "unordered", "times of a day stand earliest first")
        elif minutes(after.at) - minutes(before.at) < span:
            yield Fault(here, "overlap", "opens before the slot before it has closed")
    first, last = phase.times[0], phase.times[-1]
    if last_day(phase) > phase.from_day and minutes(first.at) + phase.every_days * _DAY - minutes(last.at) < span:
        message = "the last slot of a day is still open when the first of the next opens"
        yield Fault(pointer((*path, "closes_after_min")), "overlap", message)


def _between_phases(study: Study) -> Iterator[Fault]:
    """Phases share no day, and the last slot of one has closed before the first of the next opens."""
    ordered = sorted(enumerate(study.diary), key=lambda pair: (pair[1].from_day, pair[0]))
    for (_, before), (index, after) in pairwise(ordered):
        if before.from_day > before.to_day or after.from_day > after.to_day:
            continue
        path = ("diary", index)
        closes = last_day(before) * _DAY + minutes(before.times[-1].at) + before.closes_after_min
        opens = after.from_day * _DAY + minutes(after.times[0].at) - after.opens_before_min
        if after.from_day <= before.to_day:
            yield Fault(
                pointer((*path, "from_day")), "overlap", f"day {after.from_day} belongs to {before.key!r} already"
            )
        elif opens < closes:
            message = f"its first slot opens before the last of {before.key!r} has closed"
            yield Fault(pointer((*path, "opens_before_min")), "overlap", message)


# --- reminders --------------------------------------------------------------------------------------------


def quiet(at: time, quiet_from: time, quiet_to: time) -> bool:
    """Whether a clock time lies in quiet hours, which may run over midnight; their end is outside."""
    if quiet_from <= quiet_to:
        return quiet_from <= at < quiet_to
    return at >= quiet_from or at < quiet_to


def _reminder_faults(study: Study) -> Iterator[Fault]:
    reminders = study.reminders
    if reminders.texts_per_day < 1:
        yield Fault("/reminders/texts_per_day", "out_of_range", "at least one text a day: the morning one")
    if reminders.quiet_from == reminders.quiet_to:
        yield Fault("/reminders/quiet_to", "malformed", "quiet hours end when they begin")
    elif quiet(reminders.morning_at, reminders.quiet_from, reminders.quiet_to):
        yield Fault("/reminders/morning_at", "in_quiet_hours", "the morning text would fall into quiet hours")


# --- outcomes ---------------------------------------------------------------------------------------------


def _outcome_faults(study: Study) -> Iterator[Fault]:
    yield from repeated((outcome.key for outcome in study.outcomes), ("outcomes",), "outcome")
    planned = {visit.key: visit for visit in study.visits}
    before = [visit for visit in study.visits if _before_treatment(study, visit)]
    for index, outcome in enumerate(study.outcomes):
        path = ("outcomes", index)
        for place, key in enumerate(outcome.inputs):
            if key not in study.assessments:
                here = pointer((*path, "inputs", place))
                yield Fault(here, "unknown_assessment", f"there is no assessment {key!r}")
            elif outcome.baseline and not any(key in visit.assessments for visit in before):
                message = f"{key!r} is scheduled at no visit that every subject has before treatment"
                yield Fault(pointer((*path, "baseline")), "no_baseline", message)
        yield from _time_point_faults(outcome, planned, path)


def _time_point_faults(outcome: Outcome, planned: dict[str, Visit], path: Path) -> Iterator[Fault]:
    end = outcome.time_frame_months * DAYS_IN_MONTH
    covered = False
    for place, key in enumerate(outcome.time_points):
        here = pointer((*path, "time_points", place))
        visit = planned.get(key)
        if visit is None:
            yield Fault(here, "unknown_visit", f"there is no planned visit {key!r}")
            continue
        covered = covered or (visit.anchor == DAY_ZERO and visit.from_day <= end <= visit.to_day)
        for name in outcome.inputs:
            if name not in visit.assessments:
                yield Fault(here, "input_not_scheduled", f"{name!r} is not assessed at {key!r}")
    if not covered:
        message = f"no time point's window holds day {end}, the end of the time frame"
        yield Fault(pointer((*path, "time_frame_months")), "time_frame_not_covered", message)


def _before_treatment(study: Study, visit: Visit) -> bool:
    """Whether every subject has this visit, and has it before the cells are given (or on that day, before them)."""
    anchor = study.anchor_events.get(visit.anchor)
    if anchor is None or anchor.optional:
        return False
    return visit.anchor != DAY_ZERO or visit.to_day <= 0
