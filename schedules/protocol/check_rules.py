"""Whether what the study signals makes sense: rules against the catalogue and the forms, ladders against the levels.

The catalogue of rules lives upstairs, where this floor may not look; `RuleFacts` is all it must know of one.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Protocol

from schedules.faults import Fault, pointer
from schedules.protocol.check_schedule import last_day
from schedules.protocol.definition import LEVELS, DiaryPhase, Ladder, Rule, Study

_NUMBER_TO_CALL = re.compile("[0-9]{3,}")

Path = tuple[object, ...]


class RuleFacts(Protocol):
    """What a registered rule says of itself: answers and codes it reads, thresholds and settings it needs."""

    @property
    def id(self) -> str: ...
    @property
    def reads_items(self) -> tuple[str, ...]: ...
    @property
    def reads_values(self) -> tuple[str, ...]: ...
    @property
    def thresholds(self) -> tuple[str, ...]: ...
    @property
    def settings(self) -> tuple[str, ...]: ...


# --- rules ------------------------------------------------------------------------------------------------


def rule_faults(study: Study, catalogue: Mapping[str, RuleFacts] | None) -> Iterator[Fault]:
    """Faults of every rule; without a catalogue only of what the study itself can tell."""
    windows = {window.key for window in study.risk_windows}
    for id, rule in study.rules.items():
        path = ("rules", id)
        for index, key in enumerate(rule.windows):
            if key not in windows:
                yield Fault(pointer((*path, "windows", index)), "unknown_window", f"there is no risk window {key!r}")
        if catalogue is None:
            continue
        if id not in catalogue:
            yield Fault(pointer(path), "unknown_rule", f"there is no rule {id!r} in the catalogue")
            continue
        yield from _threshold_faults(rule, catalogue[id], path)
        yield from _window_faults(rule, windows, path)
        for name in catalogue[id].settings:
            if name not in study.settings:
                yield Fault(pointer(("settings", name)), "missing_setting", f"{id} needs {name!r}")
        yield from _reading_faults(study, rule, catalogue[id], path)


def _threshold_faults(rule: Rule, facts: RuleFacts, path: Path) -> Iterator[Fault]:
    for name in facts.thresholds:
        if name not in rule.thresholds:
            yield Fault(pointer((*path, "thresholds", name)), "missing_threshold", f"{rule.id} needs {name!r}")
    for name in rule.thresholds:
        if name not in facts.thresholds:
            message = f"{rule.id} does not read {name!r}: changing it would change nothing"
            yield Fault(pointer((*path, "thresholds", name)), "unknown_threshold", message)


def _window_faults(rule: Rule, windows: set[str], path: Path) -> Iterator[Fault]:
    """A threshold whose name ends in `_window` names one of the risk windows."""
    for name, value in rule.thresholds.items():
        if name.endswith("_window") and value not in windows:
            yield Fault(pointer((*path, "thresholds", name)), "unknown_window", f"there is no risk window {value!r}")


def _reading_faults(study: Study, rule: Rule, facts: RuleFacts, path: Path) -> Iterator[Fault]:
    """A rule may read only what a form scheduled in one of its windows asks, or what staff can enter."""
    asked = collected(study, rule.windows)
    for item in facts.reads_items:
        if item not in asked and item not in study.measures:
            where = ", ".join(rule.windows)
            message = f"reads {item!r}, which no form scheduled in {where} collects and no measure stands for"
            yield Fault(pointer(path), "item_not_collected", message)
    for code in facts.reads_values:
        if code not in study.measures:
            yield Fault(pointer(path), "unknown_measure", f"reads {code!r}, which is no measure of this study")


def collected(study: Study, windows: tuple[str, ...]) -> set[str]:
    """Items that some form scheduled in one of these risk windows asks, by key."""
    return {
        entry.item
        for phase in study.diary
        if any(_touches(study, key, phase) for key in windows)
        for slot in phase.times
        for form in slot.forms
        if form in study.forms
        for entry in study.forms[form].items
    }


def _touches(study: Study, key: str, phase: DiaryPhase) -> bool:
    """Whether a phase has a day with slots in the risk window of this key."""
    for window in study.risk_windows:
        if window.key != key:
            continue
        low = phase.from_day if window.from_day is None else max(window.from_day, phase.from_day)
        high = last_day(phase) if window.to_day is None else min(window.to_day, last_day(phase))
        next_slot_day = low + (phase.from_day - low) % phase.every_days
        if next_slot_day <= high:
            return True
    return False


# --- ladders ----------------------------------------------------------------------------------------------


def ladder_faults(study: Study) -> Iterator[Fault]:
    """Every level but the lowest tells somebody, in ascending steps, and tells the patient what to do."""
    for level in LEVELS[1:]:
        if level not in study.ladders:
            yield Fault(pointer(("ladders", level)), "missing", f"the level {level} has no ladder")
    for level, ladder in study.ladders.items():
        path = ("ladders", level)
        yield from _step_faults(ladder, path)
        yield from _pair_faults(ladder, path)
        if not ladder.advice.zh.strip() or not ladder.advice.en.strip():
            yield Fault(pointer((*path, "advice")), "missing_text", "the patient is not told what to do")
        yield from _telephone_faults(ladder.advice.zh, (*path, "advice", "zh"))
        yield from _telephone_faults(ladder.advice.en, (*path, "advice", "en"))
    yield from _telephone_faults(study.emergency_text.zh, ("emergency_text", "zh"))
    yield from _telephone_faults(study.emergency_text.en, ("emergency_text", "en"))


def _step_faults(ladder: Ladder, path: Path) -> Iterator[Fault]:
    for index, (before, after) in enumerate(pairwise(ladder.steps), start=1):
        if before.after_s >= after.after_s:
            yield Fault(pointer((*path, "steps", index, "after_s")), "unordered", "steps stand earliest first")
    told = [((*path, "steps", index, "to"), step.to) for index, step in enumerate(ladder.steps)]
    for place, duties in [*told, ((*path, "repeat_to"), ladder.repeat_to)]:
        if "accepted_by" in duties:
            yield Fault(pointer(place), "unknown_duty", "nobody has accepted while the ladder runs")


def _pair_faults(ladder: Ladder, path: Path) -> Iterator[Fault]:
    """Settings that mean nothing without each other, and the level a ladder turns into."""
    if (ladder.repeat_every_s is None) == bool(ladder.repeat_to):
        yield Fault(pointer((*path, "repeat_to")), "incomplete", "repeat_every_s and repeat_to need each other")
    if (ladder.becomes is None) != (ladder.becomes_after_s is None):
        yield Fault(pointer((*path, "becomes")), "incomplete", "becomes and becomes_after_s need each other")
    if ladder.becomes is not None and LEVELS.index(ladder.becomes) <= LEVELS.index(ladder.level):
        yield Fault(pointer((*path, "becomes")), "unordered", f"{ladder.becomes} is not above {ladder.level}")
    clocks = (ladder.contact_within_s, ladder.seen_within_s)
    if ladder.overdue_to and clocks == (None, None):
        yield Fault(pointer((*path, "overdue_to")), "incomplete", "nothing can be overdue without a clock")


def _telephone_faults(text: str, path: Path) -> Iterator[Fault]:
    """Telephone numbers belong to the site, which has them approved; elsewhere they would be wrong."""
    if _NUMBER_TO_CALL.search(text):
        yield Fault(pointer(path), "telephone_number", "a telephone number is added by the site, not the study")
