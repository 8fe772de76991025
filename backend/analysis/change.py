"""Change from baseline in decimals, where either value may lie beyond its assay's limit: then a bound, no number."""

from dataclasses import dataclass
from decimal import Decimal

from backend.instruments.logic import Reading
from backend.instruments.units import rounded


@dataclass(frozen=True, slots=True)
class Change:
    """`absolute_change` in the values' unit, `percent_change` of the baseline (None of a baseline of 0).

    Of a `censored` value only bounds are known: the change lies below `change_is_below`, above `change_is_above`.
    """

    absolute_change: Decimal | None = None
    percent_change: Decimal | None = None
    censored: bool = False
    change_is_below: Decimal | None = None
    change_is_above: Decimal | None = None


def change(baseline: Reading | None, visit: Reading | None) -> Change:
    """From baseline to visit; all unknown where one is missing."""
    censored = any(one is not None and one.qualifier for one in (baseline, visit))
    if baseline is None or visit is None:
        return Change(censored=censored)
    if not censored:
        absolute = visit.value - baseline.value
        percent = rounded(absolute / baseline.value * 100) if baseline.value else None
        return Change(absolute, percent)
    difference = visit.value - baseline.value
    falls = {"<", ""} >= {visit.qualifier} and {">", ""} >= {baseline.qualifier}
    rises = {">", ""} >= {visit.qualifier} and {"<", ""} >= {baseline.qualifier}
    return Change(
        censored=True,
        change_is_below=difference if falls else None,
        change_is_above=difference if rises else None,
    )


def fold(baseline: Reading | None, value: Reading | None) -> Decimal | None:
    """How many times the baseline; undefined of a baseline of 0 or of a censored value."""
    if baseline is None or value is None or baseline.qualifier or value.qualifier or not baseline.value:
        return None
    return rounded(value.value / baseline.value)
