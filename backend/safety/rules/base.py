"""How a rule is named and found, and the few readings of a context that many rules share. Pure.

A rule is a function `(context, thresholds) -> Finding | None` registered under the id the clinical
reference gives it. It says which answers and measurement codes it reads, so that the study check can
refuse a study in which no scheduled form collects them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from backend.safety.context import Context, Finding, Reading
from schedules.protocol.definition import LEVELS

Thresholds = Mapping[str, Any]
RuleFunction = Callable[[Context, Thresholds], Finding | None]


@dataclass(frozen=True, slots=True)
class Registered:
    """One rule of the catalogue. `triggers`: the kinds of fact it is asked about.

    `thresholds` and `settings`: the names it needs of its own numbers and of those that rules share.
    """

    id: str
    function: RuleFunction
    triggers: tuple[str, ...]
    reads_items: tuple[str, ...]
    reads_values: tuple[str, ...]
    thresholds: tuple[str, ...]
    settings: tuple[str, ...] = ()


CATALOGUE: dict[str, Registered] = {}


def rule(
    id: str,
    *,
    triggers: tuple[str, ...] = ("report",),
    items: tuple[str, ...] = (),
    values: tuple[str, ...] = (),
    thresholds: tuple[str, ...] = (),
    settings: tuple[str, ...] = (),
) -> Callable[[RuleFunction], RuleFunction]:
    """Enter a rule into the catalogue under its id; a second rule of the same id is a programming error.

    `settings` are the shared numbers it reads beside those every study has.
    """

    def register(function: RuleFunction) -> RuleFunction:
        if id in CATALOGUE:
            raise ValueError(f"rule {id} is registered twice")
        CATALOGUE[id] = Registered(id, function, triggers, items, values, thresholds, settings)
        return function

    return register


def finding(
    level: str,
    *,
    organ: str,
    compatible_with: tuple[str, ...],
    zh: str,
    en: str,
    inputs: Mapping[str, Any],
    **rest: Any,
) -> Finding:
    """A finding whose rule id, version and thresholds are filled in by `evaluate`, which knows them."""
    return Finding(
        rule="",
        version=0,
        level=level,
        organ=organ,
        compatible_with=compatible_with,
        inputs=inputs,
        thresholds={},
        sentence_zh=zh,
        sentence_en=en,
        **rest,
    )


def raised(found: Finding, by: int = 1) -> Finding:
    """The same finding `by` levels higher, EMERGENCY at most."""
    level = LEVELS[min(LEVELS.index(found.level) + by, len(LEVELS) - 1)]
    return replace(found, level=level)


def round_half_up(value: Decimal, decimals: int = 1) -> Decimal:
    """Rounded as a thermometer is read: halves go up (clinical-safety §2.2)."""
    return value.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)


def current_temperature(context: Context) -> Reading | None:
    """The temperature under evaluation: given in this sitting, or the measurement that triggered it."""
    readings = context.temperatures()
    if not readings:
        return None
    last = readings[-1]
    sitting = timedelta(minutes=context.settings.get("sitting_minutes", 60))
    return last if context.at - last.at <= sitting else None


def hours_between(later: Any, earlier: Any) -> Decimal:
    """Hours to one decimal, for sentences and inputs."""
    return round_half_up(Decimal((later - earlier).total_seconds()) / 3600, 1)
