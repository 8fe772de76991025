"""Concentration profiles in few words, and what the module makes of them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from backend.analysis.pharmacokinetics import Kinetics, Sample, kinetics

LN2 = 0.6931471805599453
LINEAR, LOG = "linear", "linear_up_log_down"
METHODS = (LINEAR, LOG)
Numbers = Sequence[float | str | None]
Windows = Sequence[tuple[float | str, float | str]]
NAMES = ("0-28", "0-90", "28-90")

# Subjects 1 and 2 of R's data set Theoph (theophylline, mg/L, hours), as published.
THEOPH_1 = (
    ["0", "0.25", "0.57", "1.12", "2.02", "3.82", "5.1", "7.03", "9.05", "12.12", "24.37"],
    ["0.74", "2.84", "6.57", "10.5", "9.66", "8.58", "8.36", "7.47", "6.89", "5.94", "3.28"],
)
THEOPH_2 = (
    ["0", "0.27", "0.52", "1", "1.92", "3.5", "5.02", "7.03", "9", "12", "24.3"],
    ["0", "1.72", "7.91", "8.31", "8.33", "6.85", "6.08", "5.4", "4.55", "3.01", "0.9"],
)


def samples(times: Numbers, values: Numbers) -> list[Sample]:
    """Samples that were done; None is BLQ."""
    return [
        Sample(Decimal(str(time)), None if value is None else Decimal(str(value)))
        for time, value in zip(times, values, strict=True)
    ]


def of(times: Numbers, values: Numbers, windows: Windows | None = None, middle_blq: str = "drop") -> Kinetics:
    profile = samples(times, values)
    if windows is None:
        return kinetics(profile, middle_blq=middle_blq)
    asked = [(Decimal(str(start)), Decimal(str(end))) for start, end in windows]
    return kinetics(profile, windows=asked, middle_blq=middle_blq)


def area(answer: Kinetics, window: str, method: str = LINEAR) -> float:
    found = answer.auc[method][window]
    assert found is not None, f"{window} was not covered"
    return float(found)


def near(value: float) -> Any:
    return pytest.approx(value, rel=1e-10, abs=1e-12)


def outcome(answer: Kinetics, *names: str) -> tuple[float | None, ...]:
    found = (getattr(answer, name) for name in names)
    return tuple(None if one is None else float(one) for one in found)
