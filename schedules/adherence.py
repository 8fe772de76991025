"""How much of what was expected was done, by form and study week. Pure; the sums can be done by hand."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from schedules.occurrences import Occurrence, status


@dataclass(frozen=True, slots=True)
class Adherence:
    """One form in one week. expected = done + late + missed; excused and not applicable are not expected."""

    form: str
    week: int  # study week: days 0–6 are week 0, days −7 to −1 week −1
    expected: int
    done: int
    late: int
    missed: int
    excused: int


def adherence(slots: Iterable[Occurrence], now: datetime) -> tuple[Adherence, ...]:
    """Only slots whose fate is settled count: an open one is neither done nor missed."""
    counts: dict[tuple[int, str], dict[str, int]] = {}
    for slot in slots:
        if slot.kind != "slot" or slot.day is None:
            continue
        outcome = status(slot, now)
        if outcome in ("done", "late", "missed", "excused"):
            week = counts.setdefault((slot.day // 7, slot.key), dict.fromkeys(("done", "late", "missed", "excused"), 0))
            week[outcome] += 1
    return tuple(
        Adherence(form=form, week=week, expected=n["done"] + n["late"] + n["missed"], **n)
        for (week, form), n in sorted(counts.items())
    )
