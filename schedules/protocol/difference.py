"""What one revision of a study changes against another, by path. Pure.

Lists whose members have a key are compared by it, so that a visit that moved up the file is no change.
An amendment may add to the study's vocabulary and may not take from it: what is stored still names it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schedules.faults import Fault, pointer
from schedules.protocol.definition import Study

_NAMES = ("key", "code", "id", "item", "at")  # what names a member of a list
_VOCABULARY = ("anchor_events", "items", "forms", "organs", "assessments", "measures", "drugs", "rules")


@dataclass(frozen=True, slots=True)
class Change:
    """One place that differs; `before` None: added, `after` None: removed."""

    path: str
    before: Any
    after: Any


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    """Every difference between the plain contents of two revisions, in the order of the old one's file."""
    return tuple(_between(old, new, ()))


def _between(old: Any, new: Any, path: tuple[object, ...]) -> Iterator[Change]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in (*old, *(key for key in new if key not in old)):
            yield from _between(old.get(key), new.get(key), (*path, key))
    elif (named := _by_name(old)) is not None and (others := _by_name(new)) is not None:
        for key in (*named, *(key for key in others if key not in named)):
            yield from _between(named.get(key), others.get(key), (*path, key))
    elif old != new:
        yield Change(pointer(path), old, new)


def _by_name(given: Any) -> dict[str, Any] | None:
    """The members of a list by what names them; None where they have no names, or share them."""
    if not isinstance(given, list) or not given or not all(isinstance(one, Mapping) for one in given):
        return None
    name = next((name for name in _NAMES if all(name in one for one in given)), None)
    if name is None:
        return None
    found = {str(one[name]): one for one in given}
    return found if len(found) == len(given) else None


def taken_away(old: Study, new: Study) -> tuple[Fault, ...]:
    """Words of the old revision that the new one no longer knows, as faults of the new one."""
    faults = []
    if old.key != new.key:
        faults.append(Fault("/key", "other_study", f"this is a revision of {new.key}, not of {old.key}"))
    for name in _VOCABULARY:
        known = getattr(new, name)
        faults.extend(
            Fault(pointer((name, key)), "taken_away", f"{key!r} is named by what is stored; take it off the schedule")
            for key in getattr(old, name)
            if key not in known
        )
    levels = {level.key for level in new.dose_levels}
    faults.extend(
        Fault("/dose_levels", "taken_away", f"subjects were treated at dose level {level.key!r}")
        for level in old.dose_levels
        if level.key not in levels
    )
    return tuple(faults)
