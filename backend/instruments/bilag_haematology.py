"""The haematological system of BILAG-2004 (items 90-97). To be confirmed on the official scoring sheet before release.

Printed bands leave gaps (9.95 g/dL, 49.5); here they are half-open. Counts that are low from lymphodepletion or
another cause are answered "not attributable" and are not judged.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from backend.instruments.logic import Reason

HB_SEVERE, HB_MODERATE, HB_MILD = Decimal(8), Decimal(10), Decimal(11)  # g/dL
WBC_MARKED, WBC_MILD = Decimal(1), Decimal(4)  # all counts 10^9/L
NEUTROPHILS_MARKED, NEUTROPHILS_MILD = Decimal("0.5"), Decimal(2)
LYMPHOCYTES_MILD = Decimal(1)
PLATELETS_SEVERE, PLATELETS_MARKED, PLATELETS_MILD = Decimal(25), Decimal(50), Decimal(150)
TTP_IMPROVING, TTP_ACTIVE, TTP_NEW = 1, 2, 4
COUNTS = ("haemoglobin_g_dl", "wbc_1e9_l", "neutrophils_1e9_l", "lymphocytes_1e9_l", "platelets_1e9_l")
_HIGH = Decimal(10**6)  # stands for a count that was not done where only known ones are judged


def activity(current: Mapping[str, Any], *, worst: bool) -> tuple[str | None, tuple[Reason, ...]]:
    """Grade A-C with what gave it, else None. `worst`: as if every value that is unknown were as bad as can be."""
    attributable = current.get("attributable_to_sle", True)
    if attributable is False or (attributable is None and not worst):
        return None, ()
    values = {name: _or(current.get(name), Decimal(0) if worst else _HIGH) for name in COUNTS}
    ttp = _or(current.get("ttp"), TTP_NEW if worst else 0)
    haemolysis = _or(current.get("active_haemolysis"), worst)
    coombs = _or(current.get("coombs_isolated"), worst)
    haemoglobin, wbc, neutrophils, lymphocytes, platelets = (values[name] for name in COUNTS)
    rules = (
        ("A", "ttp_active", ttp >= TTP_ACTIVE, ("ttp",)),
        ("A", "haemolysis_severe", haemolysis and haemoglobin < HB_SEVERE, ("active_haemolysis", "haemoglobin_g_dl")),
        ("A", "platelets_severe", platelets < PLATELETS_SEVERE, ("platelets_1e9_l",)),
        ("B", "ttp_improving", ttp == TTP_IMPROVING, ("ttp",)),
        ("B", "haemolysis_marked", haemolysis and haemoglobin < HB_MODERATE, ("active_haemolysis", "haemoglobin_g_dl")),
        ("B", "haemoglobin_marked", haemoglobin < HB_SEVERE, ("haemoglobin_g_dl",)),
        ("B", "wbc_marked", wbc < WBC_MARKED, ("wbc_1e9_l",)),
        ("B", "neutrophils_marked", neutrophils < NEUTROPHILS_MARKED, ("neutrophils_1e9_l",)),
        ("B", "platelets_marked", platelets < PLATELETS_MARKED, ("platelets_1e9_l",)),
        ("C", "haemolysis_mild", haemolysis, ("active_haemolysis", "haemoglobin_g_dl")),
        ("C", "haemoglobin_mild", haemoglobin < HB_MILD, ("haemoglobin_g_dl",)),
        ("C", "wbc_mild", wbc < WBC_MILD, ("wbc_1e9_l",)),
        ("C", "neutrophils_mild", neutrophils < NEUTROPHILS_MILD, ("neutrophils_1e9_l",)),
        ("C", "lymphocytes_mild", lymphocytes < LYMPHOCYTES_MILD, ("lymphocytes_1e9_l",)),
        ("C", "platelets_mild", platelets < PLATELETS_MILD, ("platelets_1e9_l",)),
        ("C", "coombs_isolated", coombs, ("coombs_isolated",)),
    )
    for letter in ("A", "B", "C"):
        met = [(rule, names) for grade, rule, holds, names in rules if grade == letter and holds]
        if met:
            return letter, tuple(Reason(rule, {name: current.get(name) for name in names}) for rule, names in met)
    return None, ()


def _or(value: Any, otherwise: Any) -> Any:
    return otherwise if value is None else value
