"""How much of what was expected was done, by form and study week. Pure; the sums can be done by hand.

expected = done + late + missed. What was excused is counted beside it, by reason; what was not applicable, or is
not settled yet, is not counted at all. The rate is (done + late) / expected.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from schedules.planned import Occurrence, status
from schedules.protocol.definition import LowAdherence

COUNTED = ("done", "late", "missed")


@dataclass(frozen=True, slots=True)
class Adherence:
    """One form in one week; both None in a total. Study weeks: days 0–6 are week 0, days −7 to −1 week −1."""

    form: str | None
    week: int | None
    expected: int
    done: int
    late: int
    missed: int
    excused: int
    reasons: Mapping[str, int]  # excused, by reason: admitted, device_lost, other

    @property
    def percent(self) -> Decimal | None:
        """Reported of expected, one decimal, half up; None where nothing was expected."""
        return percent(self.done + self.late, self.expected)


def percent(part: int, whole: int) -> Decimal | None:
    """part of whole in percent, one decimal, half up; None of nothing."""
    return (Decimal(100 * part) / whole).quantize(Decimal("0.1"), rounding=ROUND_HALF_UP) if whole else None


def adherence(slots: Iterable[Occurrence], now: datetime) -> tuple[Adherence, ...]:
    """Week by week and form by form, in that order. Only slots whose fate is settled count."""
    groups: dict[tuple[int, str], list[Occurrence]] = {}
    for slot in slots:
        if slot.kind == "slot" and slot.day is not None:
            groups.setdefault((slot.day // 7, slot.key), []).append(slot)
    counted = (_count(form, week, members, now) for (week, form), members in sorted(groups.items()))
    return tuple(one for one in counted if one.expected or one.excused)


def total(slots: Iterable[Occurrence], now: datetime, since: datetime | None = None) -> Adherence:
    """All slots together, or those due at `since` or later."""
    return _count(None, None, [one for one in slots if one.kind == "slot" and _due_since(one, since)], now)


def _due_since(slot: Occurrence, since: datetime | None) -> bool:
    return since is None or (slot.due_at is not None and slot.due_at >= since)


def _count(form: str | None, week: int | None, slots: Iterable[Occurrence], now: datetime) -> Adherence:
    states: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for slot in slots:
        state = status(slot, now)
        states[state] += 1
        if state == "excused":
            reasons[slot.excused or ""] += 1
    expected = sum(states[name] for name in COUNTED)
    numbers = {name: states[name] for name in (*COUNTED, "excused")}
    return Adherence(form=form, week=week, expected=expected, **numbers, reasons=dict(sorted(reasons.items())))


def is_low(reported: int, expected: int, limit: LowAdherence | None) -> bool:
    """Whether so little came that a nurse should see it: below the study's percentage, of enough expected."""
    return limit is not None and expected >= limit.at_least and 100 * reported < limit.below_pct * expected
