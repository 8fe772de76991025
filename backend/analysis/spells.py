"""Spells: findings of one kind, such as a symptom's severity over many reports, as the events they may be. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
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


def spells(points: Iterable[Point], least: int, join: timedelta, apart: timedelta = timedelta.max) -> list[Spell]:
    """The spells of one kind of finding at or above `least`, oldest first; the order of `points` does not matter.

    Two findings are of one spell where none below the limit lies between them and they are at most `apart` apart, or
    at most `join` whatever lies between.
    An unknown finding neither ends a spell nor is part of one; of one instant the worse holds.
    """
    known = sorted((one for one in points if one.worth is not None), key=lambda one: (one.at, str(one.source)))
    found: list[Spell] = []
    for at, of_one_instant in groupby(known, key=lambda one: one.at):
        here = list(of_one_instant)
        bad = [one for one in here if one.worth is not None and one.worth >= least]
        last = found[-1] if found else None
        if not bad:
            if last is not None and last.ended_at is None:
                found[-1] = replace(last, ended_at=at)
            continue
        worst, sources = max(one.worth or 0 for one in bad), tuple(one.source for one in bad)
        if last is not None and at - last.until <= (apart if last.ended_at is None else join):
            found[-1] = Spell(last.since, at, max(last.worst, worst), (*last.sources, *sources))
        else:
            found.append(Spell(at, at, worst, sources))
    return found
