"""Spells: findings of one kind, such as a symptom's severity over many reports, as the events they may be. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True, slots=True)
class Point:
    """One finding: when, how bad (a severity or grade; None where unknown), and where it stands."""

    at: datetime
    worth: int | None
    source: Any


@dataclass(frozen=True, slots=True)
class Spell:
    """Findings that belong together. `ended_at`: the first finding below the limit after the last one; None before."""

    since: datetime
    until: datetime
    worst: int
    sources: tuple[Any, ...]
    ended_at: datetime | None = None


def spells(points: Iterable[Point], least: int, join: timedelta) -> list[Spell]:
    """The spells of one kind of finding at or above `least`, oldest first; the order of `points` does not matter.

    Two findings are of one spell where none below the limit lies between them, or they are at most `join` apart.
    An unknown finding neither ends a spell nor is part of one; of one instant the worse holds.
    """
    found: list[Spell] = []
    known = [one for one in points if one.worth is not None]
    for point in sorted(known, key=lambda one: (one.at, one.worth, str(one.source))):
        assert point.worth is not None  # of what is known
        last = found[-1] if found else None
        if point.worth < least:
            if last is not None and last.ended_at is None:
                found[-1] = replace(last, ended_at=point.at)
            continue
        if last is not None and (last.ended_at is None or point.at - last.until <= join):
            found[-1] = Spell(last.since, point.at, max(last.worst, point.worth), (*last.sources, point.source))
        else:
            found.append(Spell(point.at, point.at, point.worth, (point.source,)))
    return found
