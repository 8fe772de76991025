"""Three-valued logic, and values an assay could only bound. None is unknown; an unknown never becomes true.

The connectives are Kleene's strong ones: one false settles `every`, one true settles `some`, whatever is unknown.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import product
from typing import Any, TypeVar

Truth = bool | None
Outcome = TypeVar("Outcome")


def every(*truths: Truth) -> Truth:
    """Whether all hold."""
    if any(truth is False for truth in truths):
        return False
    return None if None in truths else True


def some(*truths: Truth) -> Truth:
    """Whether at least one holds."""
    if any(truth is True for truth in truths):
        return True
    return None if None in truths else False


def negated(truth: Truth) -> Truth:
    return None if truth is None else not truth


def compared(value: Decimal | None, limit: Decimal | None, test: Callable[[Decimal, Decimal], bool]) -> Truth:
    """`test(value, limit)`, unknown where either is."""
    return None if value is None or limit is None else test(value, limit)


def settled(function: Callable[..., Outcome], unknown: Mapping[str, Iterable[Any]], **known: Any) -> Outcome | None:
    """The one outcome that all combinations of the unknown arguments' possible values lead to; None if they differ."""
    outcomes = [
        function(**known, **dict(zip(unknown, chosen, strict=True)))
        for chosen in product(*map(tuple, unknown.values()))
    ]
    return outcomes[0] if all(outcome == outcomes[0] for outcome in outcomes) else None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: the rule that decided, by a stable key, and the values it saw."""

    rule: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """A value as an assay gave it. `qualifier`: "" as it is, "<" somewhere below, ">" somewhere above."""

    value: Decimal
    qualifier: str = ""

    def above(self, limit: Decimal) -> Truth:
        """Whether the true value lies strictly above the limit."""
        if self.qualifier == ">":
            return True if self.value >= limit else None
        if self.qualifier == "<":
            return False if self.value <= limit else None
        return self.value > limit

    def below(self, limit: Decimal) -> Truth:
        """Whether the true value lies strictly below the limit."""
        if self.qualifier == "<":
            return True if self.value <= limit else None
        if self.qualifier == ">":
            return False if self.value >= limit else None
        return self.value < limit


def is_above(reading: Reading | None, limit: Decimal | None) -> Truth:
    return None if reading is None or limit is None else reading.above(limit)


def is_below(reading: Reading | None, limit: Decimal | None) -> Truth:
    return None if reading is None or limit is None else reading.below(limit)
