"""Which laboratory values reach CTCAE v5.0 grade 3 or 4 (clinical-safety §5.2). Pure; the limits come from the study.

Not the grading of an adverse event: an investigator attributes and grades. Grades below 3 and grades that
need clinical judgement (anaemia 4) are left out; lymphopenia is expected after lymphodepletion and not read.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from backend.safety.context import Value
from backend.safety.rules.value_reading import above, above_uln, at_most, below, times

Test = Callable[[Value, Any, Value | None], bool]


def _below_lln(value: Value, factor: Any, infusion: Value | None) -> bool:
    return value.lln is not None and below(value, value.lln * factor)


def _times_normal(value: Value, factor: Any, infusion: Value | None) -> bool:
    """> factor × ULN, or × the value at infusion where that was abnormal."""
    if infusion is not None and value.uln is not None and above(infusion, value.uln):
        return times(value, infusion, factor, strictly=True)
    return above_uln(value, factor)


def _fallen(value: Value, percent: Any, infusion: Value | None) -> bool:
    """Down by at least so many percent from the value at infusion; a bound is no value to fall from."""
    if infusion is None or infusion.qualifier or infusion.value is None:
        return False
    return at_most(value, infusion.value * (100 - percent) / Decimal(100))


TESTS: Mapping[str, Test] = {
    "below": lambda value, limit, infusion: below(value, limit),
    "below_times_lln": _below_lln,
    "above_times_uln": lambda value, factor, infusion: above_uln(value, factor),
    "above_times_infusion_value": lambda value, factor, infusion: times(value, infusion, factor, strictly=True),
    "above_times_normal": _times_normal,
    "fall_percent": _fallen,
}


def severe_grade(value: Value, limits: Mapping[str, Mapping[str, Any]], infusion: Value | None) -> int:
    """4, 3, or 0 for anything less or unproven. `limits`: under `grade_3` and `grade_4` tests, any of which will do."""
    for grade in (4, 3):
        for test, limit in limits.get(f"grade_{grade}", {}).items():
            if TESTS[test](value, limit, infusion):
                return grade
    return 0
