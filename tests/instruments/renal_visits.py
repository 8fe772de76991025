"""A visit of BILAG-2004, renal, in few words: a quiet kidney with what is seen laid over it, and the visit before."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from backend.instruments.bilag2004 import Graded
from backend.scoring import INSTRUMENTS

Values = Mapping[str, Any]

YES_NO = (
    "accelerated_hypertension", "nephrotic_syndrome", "active_urinary_sediment", "active_nephritis_histology_3m",
)  # fmt: skip
# Everything measured and nothing amiss, now and last time.
QUIET: Values = {
    "urine_protein_24h_g": Decimal("0.1"),
    "upcr_mg_per_mmol": Decimal(10),
    "acr_mg_per_mmol": Decimal(2),
    "dipstick_level": 0,
    "creatinine_umol_l": Decimal(80),
    "gfr": Decimal(100),
    "systolic_mmhg": 120,
    "diastolic_mmhg": 75,
    **dict.fromkeys(YES_NO, False),
}
NO_QUANTITY: Values = dict.fromkeys(("urine_protein_24h_g", "upcr_mg_per_mmol", "acr_mg_per_mmol"))
SEDIMENT: Values = {"active_urinary_sediment": True}  # a feature that makes any second one category A

# Each feature of category A by its number: what is seen now (the last visit was quiet).
FEATURES: Mapping[int, Values] = {
    1: {"urine_protein_24h_g": Decimal("1.5")},
    2: {"accelerated_hypertension": True},
    3: {"creatinine_umol_l": Decimal(200)},
    4: SEDIMENT,
    5: {"active_nephritis_histology_3m": True},
    6: {"nephrotic_syndrome": True},
}


def graded(now: Values, last: Values | None = QUIET, before: bool | None = False) -> Graded:
    """`now` laid over a quiet visit; `last` is the visit before, as it stands."""
    answer = INSTRUMENTS["bilag2004"]("renal", previously_involved=before, current={**QUIET, **now}, previous=last)
    assert isinstance(answer, Graded)
    return answer


def grade(now: Values, last: Values | None = QUIET) -> str | None:
    return graded(now, last).grade


def after(**last: Any) -> Values:
    """A last visit that was quiet but for what is given."""
    return {**QUIET, **last}


def is_feature(now: Values, last: Values | None = QUIET) -> bool:
    """Whether it counts in category A: it does where an active sediment beside it makes grade A."""
    return grade({**now, **SEDIMENT}, last) == "A"
