"""What a visit's laboratory values propose for the BILAG-2004 form, and where what was entered says otherwise. Pure.

A proposal is shown and never scored: only what a person entered counts. A value beyond the assay's limit proposes
nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from backend.analysis.selection import Value
from backend.instruments.units import convert

# system → key of its form → (code of the measure, the form's unit)
_BILAG: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "renal": {
        "urine_protein_24h_g": ("urine_protein_24h", "g/(24.h)"),
        "upcr_mg_per_mmol": ("upcr", "mg/mmol"),
        "acr_mg_per_mmol": ("acr", "mg/mmol"),
        "creatinine_umol_l": ("creatinine", "umol/L"),
        "gfr": ("egfr", "mL/min/{1.73_m2}"),
        "systolic_mmhg": ("sbp", "mm[Hg]"),
        "diastolic_mmhg": ("dbp", "mm[Hg]"),
    },
    "haematological": {
        "haemoglobin_g_dl": ("haemoglobin", "g/dL"),
        "wbc_1e9_l": ("wbc", "10*9/L"),
        "neutrophils_1e9_l": ("anc", "10*9/L"),
        "lymphocytes_1e9_l": ("lymphocytes", "10*9/L"),
        "platelets_1e9_l": ("platelets", "10*9/L"),
    },
}
_THREE_DIGITS = Decimal("0.005")  # half a unit of the third digit, at its coarsest (1.00)


@dataclass(frozen=True, slots=True)
class Difference:
    """One number of the form that is not the laboratory's. `path`: in the form's answers."""

    path: str
    entered: Decimal
    measured: Decimal


def proposed(labs: Mapping[str, Value], units: Mapping[str, str]) -> Mapping[str, Mapping[str, Decimal]]:
    """System → key of its `current` → number. `units`: what each measure is kept in."""
    found: dict[str, dict[str, Decimal]] = {}
    for system, keys in _BILAG.items():
        for key, (code, unit) in keys.items():
            value = labs.get(code)
            if value is None or value.reading.qualifier or code not in units:
                continue
            number = convert(code, value.reading.value, units[code], unit)
            if number is not None:
                found.setdefault(system, {})[key] = number
    return found


def differences(answers: Mapping[str, Any], proposals: Mapping[str, Mapping[str, Decimal]]) -> Iterator[Difference]:
    """Where the form's numbers are not those proposed, rounded as they were entered."""
    for system, numbers in proposals.items():
        current = ((answers.get("systems") or {}).get(system) or {}).get("current") or {}
        for key, measured in numbers.items():
            entered = current.get(key)
            if entered is not None and not _is_rounded(Decimal(entered), measured):
                yield Difference(f"/systems/{system}/current/{key}", Decimal(entered), measured)


def _is_rounded(entered: Decimal, measured: Decimal) -> bool:
    """Whether a number is the measured one at its own digits: nobody types all that a conversion computes.

    Never by more than three digits hide: 1 for 1.4 is another number.
    """
    exponent = entered.as_tuple().exponent
    assert isinstance(exponent, int)  # a number of JSON is finite
    half_a_digit = Decimal(1).scaleb(exponent) / 2
    return abs(entered - measured) <= min(half_a_digit, abs(measured) * _THREE_DIGITS)
