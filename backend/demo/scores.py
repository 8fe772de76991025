"""What the rater of the demo answers: SLEDAI-2K, PGA, BILAG-2004 and treatment, as the subject is on that study day.

Answers only, in the shape the visit's forms have; scores are computed from them where all others are. Pure.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from backend.demo.courses import PATIENTS, Patient, is_high, is_low, value_on
from backend.instruments.bilag_items import CODED, SYSTEMS
from backend.instruments.sledai2k import CELLS_PER_HPF, PROTEIN_G_PER_DAY

# Where BILAG-2004 asks for a descriptor of SLEDAI-2K: system and item.
_ITEMS: Mapping[str, tuple[str, str]] = {
    "arthritis": ("musculoskeletal", "41"),
    "rash": ("mucocutaneous", "6"),
    "mucosal_ulcers": ("mucocutaneous", "10"),
    "alopecia": ("mucocutaneous", "16"),
}
_SAME, _IMPROVING, _ABSENT = 2, 1, 0
_COUNTS_BACK_ON = 83  # until then low counts are those of lymphodepletion


def answers(number: str, instrument: str, day: int) -> Mapping[str, Any]:
    """The answers of one form on a study day."""
    if instrument == "sledai2k":
        return {"present": _present(number, day), "not_assessed": [], "attribution": {}}
    if instrument == "pga":
        return {"value": value_on(number, "pga", day), "scale": "0-3"}
    if instrument == "bilag2004":
        return _bilag(number, day)
    return {
        "medications_reviewed": True,
        "standard_stable_immunosuppression": None,
        "rescue_treatment": False,
        "haemolytic_anaemia": False,
        "gastrointestinal_activity": False,
        "note": None,
    }


def _present(number: str, day: int) -> list[str]:
    """What is seen, and what the values tell."""
    seen = [descriptor for descriptor, last in PATIENTS[number].active.items() if day <= last]
    told = {
        "haematuria": value_on(number, "urine_rbc", day) > CELLS_PER_HPF,
        "proteinuria": _protein(number, day) > PROTEIN_G_PER_DAY,
        "low_complement": is_low(number, "c3", day) or is_low(number, "c4", day),
        "increased_dna_binding": is_high(number, "anti_dsdna", day),
    }
    return [*seen, *(descriptor for descriptor, holds in told.items() if holds)]


def _protein(number: str, day: int) -> Decimal:
    return value_on(number, "urine_protein_24h", day)


def _bilag(number: str, day: int) -> Mapping[str, Any]:
    patient = PATIENTS[number]
    systems: dict[str, Any] = {system: {"unlisted_items": _ABSENT} for system in CODED}
    for descriptor, last in patient.active.items():
        system, item = _ITEMS[descriptor]
        systems[system].setdefault("items", {})[item] = _code(last, day)
    systems["renal"] = {"current": _kidney(number, day)}
    systems["haematological"] = {"current": _blood(number, day)}
    return {"systems": systems, "previously_involved": _involved(number, patient)}


def _code(last: int, day: int) -> int:
    """Refractory before treatment; after it improving, as BILAG looks back on the four weeks before."""
    return _SAME if day < 0 else _IMPROVING if day <= last + 28 else _ABSENT


def _kidney(number: str, day: int) -> Mapping[str, Any]:
    return {
        "urine_protein_24h_g": _protein(number, day),
        "creatinine_umol_l": value_on(number, "creatinine", day),
        "systolic_mmhg": Decimal(122),
        "diastolic_mmhg": Decimal(76),
        "accelerated_hypertension": False,
        "nephrotic_syndrome": False,
        "active_urinary_sediment": value_on(number, "urine_rbc", day) > CELLS_PER_HPF,
        "active_nephritis_histology_3m": False,
    }


def _blood(number: str, day: int) -> Mapping[str, Any]:
    return {
        "haemoglobin_g_dl": value_on(number, "haemoglobin", day) / 10,
        "wbc_1e9_l": value_on(number, "wbc", day),
        "neutrophils_1e9_l": value_on(number, "anc", day),
        "lymphocytes_1e9_l": value_on(number, "lymphocytes", day),
        "platelets_1e9_l": value_on(number, "platelets", day),
        "ttp": _ABSENT,
        "active_haemolysis": False,
        "coombs_isolated": False,
        "attributable_to_sle": day < 0 or day >= _COUNTS_BACK_ON,
    }


def _involved(number: str, patient: Patient) -> Mapping[str, bool]:
    """Every system is told of, so that D and E can be told apart."""
    ever = {_ITEMS[descriptor][0] for descriptor in patient.active} | {"constitutional", "haematological"}
    if patient.before["urine_protein_24h"] > PROTEIN_G_PER_DAY:
        ever.add("renal")
    return {system: system in ever for system in SYSTEMS}
