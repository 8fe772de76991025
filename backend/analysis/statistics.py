"""Summaries of a group, in decimals: proportions with the exact confidence interval, geometric means, ranges.

Exact interval: Clopper & Pearson 1934, by bisection on the binomial tail. Geometric CV %: sqrt(exp(s²) - 1), s² the
variance of the logarithms (n - 1).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import comb

from backend.instruments.units import rounded

CONFIDENCE = Decimal("0.95")
_STEPS = 60  # halvings of [0, 1]: 18 digits


@dataclass(frozen=True, slots=True)
class Proportion:
    """`n` of `of`, as a share with its exact 95 % interval; without anybody there is none."""

    n: int
    of: int
    proportion: Decimal | None = None
    ci_lower: Decimal | None = None
    ci_upper: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """Of `n` values; spreads need two, geometric figures positive values throughout."""

    n: int
    mean: Decimal | None = None
    sd: Decimal | None = None
    median: Decimal | None = None
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    geometric_mean: Decimal | None = None
    geometric_cv_pct: Decimal | None = None


def proportion(n: int, of: int) -> Proportion:
    """ValueError where n is no part of `of`."""
    if not 0 <= n <= of:
        raise ValueError(f"{n} of {of}")
    if not of:
        return Proportion(0, 0)
    tail = (1 - CONFIDENCE) / 2
    lower = Decimal(0) if n == 0 else _solve(lambda p: _at_least(n, of, p) > tail)
    upper = Decimal(1) if n == of else _solve(lambda p: 1 - _at_least(n + 1, of, p) < tail)
    return Proportion(n, of, _short(Decimal(n) / of), _short(lower), _short(upper))


def _at_least(k: int, n: int, p: Decimal) -> Decimal:
    """Chance of k or more of n."""
    return sum((comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1)), Decimal(0))


def _solve(beyond: Callable[[Decimal], bool]) -> Decimal:
    """Where the test turns true on [0, 1]."""
    low, high = Decimal(0), Decimal(1)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if beyond(middle) else (middle, high)
    return (low + high) / 2


def summary(values: Sequence[Decimal]) -> Summary:
    """In any order."""
    ordered = sorted(values)
    n = len(ordered)
    if not n:
        return Summary(0)
    mean = sum(ordered, Decimal(0)) / n
    logs = [value.ln() for value in ordered] if ordered[0] > 0 else []
    return Summary(
        n=n,
        mean=rounded(mean),
        sd=rounded(_variance(ordered).sqrt()) if n > 1 else None,
        median=rounded(_median(ordered)),
        minimum=ordered[0],
        maximum=ordered[-1],
        geometric_mean=rounded((sum(logs, Decimal(0)) / n).exp()) if logs else None,
        geometric_cv_pct=rounded((_variance(logs).exp() - 1).sqrt() * 100) if len(logs) > 1 else None,
    )


def _variance(values: Sequence[Decimal]) -> Decimal:
    mean = sum(values, Decimal(0)) / len(values)
    return sum(((value - mean) ** 2 for value in values), Decimal(0)) / (len(values) - 1)


def _median(ordered: Sequence[Decimal]) -> Decimal:
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _short(value: Decimal) -> Decimal:
    """Six digits after the point: enough for any table."""
    return rounded(value.quantize(Decimal("0.000001")))
