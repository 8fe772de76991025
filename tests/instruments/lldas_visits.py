"""A visit of LLDAS, in few words: everything in order but for what is given; and the names of its five criteria."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from backend.instruments.lldas import LowActivity
from backend.scoring import INSTRUMENTS

FIRST, SECOND, THIRD = "1_sledai_le_4_no_major_organ", "2_no_new_activity", "3_pga_le_1"
FOURTH, FIFTH = "4_prednisolone_le_7_5", "5_stable_treatment"
MAJOR = (
    "seizure", "psychosis", "organic_brain_syndrome", "visual_disturbance", "cranial_nerve_disorder",
    "lupus_headache", "cva", "vasculitis", "urinary_casts", "haematuria", "proteinuria", "pyuria", "pleurisy",
    "pericarditis", "fever",
)  # fmt: skip
MINOR = (
    "arthritis", "myositis", "rash", "alopecia", "mucosal_ulcers", "low_complement", "increased_dna_binding",
    "thrombocytopenia", "leukopenia",
)  # fmt: skip
ALL = (*MAJOR, *MINOR)
IN_STATE: Mapping[str, Any] = {
    "sledai_present": [],
    "sledai_not_assessed": [],
    "previous_visit_sledai_present": [],
    "haemolytic_anaemia": False,
    "gastrointestinal_activity": False,
    "pga": Decimal("0.5"),
    "prednisolone_mg_per_day": Decimal(5),
    "standard_stable_immunosuppression": True,
}


def scored(**changes: Any) -> LowActivity:
    """One visit, everything in order but for the changes."""
    answer: LowActivity = INSTRUMENTS["lldas"](**{**IN_STATE, **changes})
    return answer


def lasting(*descriptors: str, **changes: Any) -> LowActivity:
    """Descriptors present now as at the visit before, so that none is new."""
    return scored(sledai_present=list(descriptors), previous_visit_sledai_present=list(descriptors), **changes)


def rules(answer: LowActivity) -> set[str]:
    return {reason.rule for reason in answer.reasons}
