"""Non-compartmental kinetics of CAR-T cells: Cmax, Tmax, AUC over windows, Clast, Tlast, terminal half-life.

Gabrielsson & Weiner 2016; linear trapezoids, and linear-up/log-down: a fall between positive values is exponential.
Times are days from infusion (decimals, before it negative), values as the assay's unit. All in Decimal, so that equal
input gives equal digits everywhere. A population that persists has no first-order elimination: nothing is
extrapolated beyond the last positive value.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise

from backend.instruments.units import rounded

ZERO = Decimal(0)
WINDOWS = ((Decimal(0), Decimal(28)), (Decimal(0), Decimal(90)), (Decimal(28), Decimal(90)))
EARLY = Decimal(28)
_LEAST_FALL = Decimal("1e-12")  # of the value; below it the two rules agree and the logarithm loses its digits
# Gates of the terminal phase: defaults of PKNCA 0.12.
MIN_POINTS, ADJUSTED_R2_TIE, MIN_R2, MIN_SPAN = 3, Decimal("0.0001"), Decimal("0.9"), Decimal(2)


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample that was done: BLQ has no `conc`."""

    time: Decimal
    conc: Decimal | None

    @property
    def positive(self) -> bool:
        return self.conc is not None and self.conc > 0


@dataclass(frozen=True, slots=True)
class Terminal:
    """The best log-linear fit after Tmax, whether or not it passed the gates."""

    lambda_z: Decimal
    half_life: Decimal
    r_squared: Decimal
    points: int
    span: Decimal
    accepted: bool


@dataclass(frozen=True, slots=True)
class Kinetics:
    """`auc` by method and window ("0-28"), None where follow-up ended in the window while still positive.

    `auc_observed` is the part that was seen, `window_covered` whether that is the whole. With all samples BLQ Cmax
    and every AUC are 0 and Tmax, Tlast and Clast do not exist; without samples everything is None.
    """

    cmax: Decimal | None = None
    tmax: Decimal | None = None
    clast: Decimal | None = None
    tlast: Decimal | None = None
    cmax_0_28: Decimal | None = None
    tmax_0_28: Decimal | None = None
    lambda_z: Decimal | None = None
    half_life: Decimal | None = None
    auc: Mapping[str, Mapping[str, Decimal | None]] = field(default_factory=dict)
    auc_observed: Mapping[str, Mapping[str, Decimal | None]] = field(default_factory=dict)
    window_covered: Mapping[str, bool] = field(default_factory=dict)
    terminal: Terminal | None = None
    units: str | None = None
    auc_units: str | None = None
    middle_blq: str = "drop"


def kinetics(
    samples: Sequence[Sample],
    units: str | None = None,
    windows: Sequence[tuple[Decimal, Decimal]] = WINDOWS,
    middle_blq: str = "drop",
) -> Kinetics:
    """All parameters of one profile; samples in any order. `middle_blq`: of BLQ between positives, drop or zero.

    ValueError for two samples of one time, an empty window or an unknown setting.
    """
    ordered = sorted(samples, key=lambda sample: sample.time)
    if any(one.time == other.time for one, other in pairwise(ordered)):
        raise ValueError("two samples of one time")
    if middle_blq not in ("drop", "zero") or any(start >= end for start, end in windows):
        raise ValueError("an unknown setting")
    positive = [sample for sample in ordered if sample.positive]
    last = positive[-1] if positive else None
    cmax, tmax = _peak(ordered)
    early_cmax, early_tmax = _peak([sample for sample in ordered if ZERO <= sample.time <= EARLY])
    curve = _curve(ordered, middle_blq)
    covered = {_named(window): _covers(ordered, window) for window in windows}
    observed = {
        method: {_named(window): _observed(curve, ordered, window, part) for window in windows}
        for method, part in METHODS.items()
    }
    terminal = _terminal(positive, tmax)
    accepted = terminal is not None and terminal.accepted
    return Kinetics(
        cmax=cmax,
        tmax=tmax,
        clast=last.conc if last else None,
        tlast=last.time if last else None,
        cmax_0_28=early_cmax,
        tmax_0_28=early_tmax,
        lambda_z=terminal.lambda_z if terminal and accepted else None,
        half_life=terminal.half_life if terminal and accepted else None,
        auc={
            method: {name: area if covered[name] else None for name, area in areas.items()}
            for method, areas in observed.items()
        },
        auc_observed=observed,
        window_covered=covered,
        terminal=terminal,
        units=units,
        auc_units=f"{units}.d" if units else None,
        middle_blq=middle_blq,
    )


def at_least(found: Kinetics) -> Kinetics:
    """What is left of a profile with a value above the assay's limit: Cmax and areas, as lower bounds.

    The true peak may lie at another sample, so nothing is said of its time or of the fall from it.
    """
    return Kinetics(
        cmax=found.cmax,
        cmax_0_28=found.cmax_0_28,
        auc=found.auc,
        auc_observed=found.auc_observed,
        window_covered=found.window_covered,
        units=found.units,
        auc_units=found.auc_units,
        middle_blq=found.middle_blq,
    )


def _named(window: tuple[Decimal, Decimal]) -> str:
    return "-".join(format(edge.normalize(), "f") for edge in window)


def _value(sample: Sample) -> Decimal:
    return sample.conc if sample.conc is not None else ZERO


def _peak(samples: Sequence[Sample]) -> tuple[Decimal | None, Decimal | None]:
    """The largest value and its earliest time; of nothing positive 0 and no time."""
    if not samples:
        return None, None
    top = max(samples, key=lambda sample: (_value(sample), -sample.time))
    return (_value(top), top.time) if top.positive else (ZERO, None)


def _curve(ordered: Sequence[Sample], middle_blq: str) -> list[tuple[Decimal, Decimal]]:
    """The points that are joined, up to the last positive one: before the first a BLQ is 0, between as set."""
    places = [i for i, sample in enumerate(ordered) if sample.positive]
    if not places:
        return []
    first, last = places[0], places[-1]
    return [
        (sample.time, _value(sample))
        for i, sample in enumerate(ordered[: last + 1])
        if sample.positive or i < first or middle_blq == "zero"
    ]


def _covers(ordered: Sequence[Sample], window: tuple[Decimal, Decimal]) -> bool:
    """Whether the window was seen whole: a sample at or before its start, and one at or after its end or a last BLQ."""
    if not ordered or ordered[0].time > window[0]:
        return False
    return ordered[-1].time >= window[1] or not ordered[-1].positive


def _observed(
    curve: Sequence[tuple[Decimal, Decimal]],
    ordered: Sequence[Sample],
    window: tuple[Decimal, Decimal],
    part: "Part",
) -> Decimal | None:
    """The area inside the window from the first sample to the last positive one; None where no sample tells of it."""
    if not ordered or ordered[0].time >= window[1] or (ordered[-1].positive and ordered[-1].time <= window[0]):
        return None
    area = ZERO
    for (t1, c1), (t2, c2) in pairwise(curve):
        a, b = max(t1, window[0]), min(t2, window[1])
        if a < b:
            area += part(t1, c1, t2, c2, a, b)
    return rounded(area)


Part = Callable[[Decimal, Decimal, Decimal, Decimal, Decimal, Decimal], Decimal]


def _linear(t1: Decimal, c1: Decimal, t2: Decimal, c2: Decimal, a: Decimal, b: Decimal) -> Decimal:
    """Area between a and b inside [t1, t2] under the straight line."""
    slope = (c2 - c1) / (t2 - t1)
    at_a, at_b = c1 + slope * (a - t1), c1 + slope * (b - t1)
    return (b - a) * (at_a + at_b) / 2


def _linear_up_log_down(t1: Decimal, c1: Decimal, t2: Decimal, c2: Decimal, a: Decimal, b: Decimal) -> Decimal:
    """The same; a fall between positive values is exponential, so parts of a window add up to the whole."""
    if not 0 < c2 < c1 or c1 - c2 < c1 * _LEAST_FALL:
        return _linear(t1, c1, t2, c2, a, b)
    rate = (c1 / c2).ln() / (t2 - t1)
    at_a, at_b = (c1 * (-rate * (t - t1)).exp() for t in (a, b))
    return (at_a - at_b) / rate


METHODS: Mapping[str, Part] = {"linear": _linear, "linear_up_log_down": _linear_up_log_down}


def _terminal(positive: Sequence[Sample], tmax: Decimal | None) -> Terminal | None:
    """The fit over the last points after Tmax with the best adjusted R²; of near ties the one with more points."""
    after = [sample for sample in positive if tmax is not None and sample.time > tmax]
    fits = [fit for n in range(MIN_POINTS, len(after) + 1) if (fit := _fit(after[-n:])) is not None]
    if not fits:
        return None
    best = max(adjusted for adjusted, _ in fits)
    return max((fit for adjusted, fit in fits if best - adjusted <= ADJUSTED_R2_TIE), key=lambda fit: fit.points)


def _fit(samples: Sequence[Sample]) -> tuple[Decimal, Terminal] | None:
    """Adjusted R² and the fit of ln(value) on time; None where the values do not fall."""
    n = Decimal(len(samples))
    times = [sample.time for sample in samples]
    logs = [_value(sample).ln() for sample in samples]
    mean_t, mean_l = sum(times) / n, sum(logs) / n
    stt = sum(((t - mean_t) ** 2 for t in times), ZERO)
    stl = sum(((t - mean_t) * (y - mean_l) for t, y in zip(times, logs, strict=True)), ZERO)
    sll = sum(((y - mean_l) ** 2 for y in logs), ZERO)
    slope = stl / stt
    if slope >= 0 or len(set(logs)) == 1:  # of a plateau rounding alone would make a slope
        return None
    r2 = stl * stl / (stt * sll)
    adjusted = 1 - (1 - r2) * (n - 1) / (n - 2)
    half_life = Decimal(2).ln() / -slope
    span = (times[-1] - times[0]) / half_life
    fit = Terminal(
        lambda_z=rounded(-slope),
        half_life=rounded(half_life),
        r_squared=rounded(r2),
        points=len(samples),
        span=rounded(span),
        accepted=r2 >= MIN_R2 and rounded(span) >= MIN_SPAN,
    )
    return adjusted, fit
