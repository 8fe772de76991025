"""UCUM units of what the study measures: which spellings are taken, and the factors between those of one quantity.

A mass and an amount of substance convert through the molar mass of what is measured, so the factors hang on the
analyte. Raw values are kept as given; what is computed here stands beside them. Decimals throughout.
"""

from collections.abc import Mapping
from decimal import Context, Decimal

# Spellings in use at laboratories, as UCUM (case-sensitive).
SPELLINGS: Mapping[str, str] = {
    "10^9/L": "10*9/L",
    "x10^9/L": "10*9/L",
    "×10^9/L": "10*9/L",
    "×10⁹/L": "10*9/L",
    "G/L": "10*9/L",
    "10^3/uL": "10*3/uL",
    "K/uL": "10*3/uL",
    "cells/uL": "/uL",
    "cells/µL": "/uL",
    "/µL": "/uL",
    "/μL": "/uL",
    "cells/μL": "/uL",
    "/mm3": "/uL",
    "µmol/L": "umol/L",
    "μmol/L": "umol/L",
    "µg/L": "ug/L",
    "μg/L": "ug/L",
    "°C": "Cel",
    "℃": "Cel",
    "IU/mL": "[IU]/mL",
    "IU/L": "U/L",
    "g/24h": "g/(24.h)",
    "g/24 h": "g/(24.h)",
    "g/d": "g/(24.h)",
    "mg/24h": "mg/(24.h)",
    "mg/d": "mg/(24.h)",
    "mmHg": "mm[Hg]",
    "/HPF": "/[HPF]",
    "/HP": "/[HPF]",
    "copies/ug": "{copies}/ug",
    "copies/µg": "{copies}/ug",
    "copies/μg": "{copies}/ug",
    "": "1",
}

_COUNTS = {"10*9/L": Decimal(1), "10*3/uL": Decimal(1), "/uL": Decimal("0.001"), "10*6/L": Decimal("0.001")}
_MASS_PER_LITRE = {"g/L": Decimal(1), "g/dL": Decimal(10), "mg/dL": Decimal("0.01"), "mg/L": Decimal("0.001")}
_MICROGRAM = {"ug/L": Decimal(1), "ng/mL": Decimal(1), "mg/L": Decimal(1000)}
_PROTEIN_A_DAY = {"g/(24.h)": Decimal(1), "mg/(24.h)": Decimal("0.001")}

UPCR_MG_PER_G = Decimal("8.84")  # 1 mg/mmol; molar mass of creatinine 113.12 g/mol
CREATININE_UMOL_PER_MG_DL = Decimal("88.4")
BILIRUBIN_UMOL_PER_MG_DL = Decimal("17.1")
TRIGLYCERIDES_MMOL_PER_MG_DL = Decimal(1) / Decimal("88.57")

# analyte → unit → its worth; two units of one analyte convert by the ratio of their worths.
_OF: Mapping[str, Mapping[str, Decimal]] = {
    **dict.fromkeys(("anc", "neutrophils", "wbc", "lymphocytes", "platelets"), _COUNTS),
    "cd4": {**_COUNTS},
    "b_cells": {**_COUNTS},
    **dict.fromkeys(("haemoglobin", "igg", "c3", "c4", "fibrinogen", "albumin"), _MASS_PER_LITRE),
    "crp": {"mg/L": Decimal(1), "mg/dL": Decimal(10)},
    "ferritin": _MICROGRAM,
    "il6": {"pg/mL": Decimal(1), "ng/L": Decimal(1)},
    "procalcitonin": {"ng/mL": Decimal(1), "ug/L": Decimal(1)},
    "troponin": {"ng/L": Decimal(1), "pg/mL": Decimal(1), "ng/mL": Decimal(1000), "ug/L": Decimal(1000)},
    "urine_protein_24h": _PROTEIN_A_DAY,
    "upcr": {"mg/g": Decimal(1), "g/g": Decimal(1000), "mg/mmol": UPCR_MG_PER_G, "g/mol": UPCR_MG_PER_G},
    "creatinine": {"umol/L": Decimal(1), "mg/dL": CREATININE_UMOL_PER_MG_DL},
    "bilirubin": {"umol/L": Decimal(1), "mg/dL": BILIRUBIN_UMOL_PER_MG_DL},
    "triglycerides": {"mmol/L": Decimal(1), "mg/dL": TRIGLYCERIDES_MMOL_PER_MG_DL},
    **{analyte: {"U/L": Decimal(1), "U/mL": Decimal(1000)} for analyte in ("alt", "ast", "ggt", "ldh")},
    "anti_dsdna": {"[IU]/mL": Decimal(1), "k[IU]/L": Decimal(1)},
    "body_temperature": {"Cel": Decimal(1)},
    "fever": {"Cel": Decimal(1)},
    "inr": {"1": Decimal(1)},
    "acr": {"mg/mmol": Decimal(1), "mg/g": 1 / UPCR_MG_PER_G},
    **{analyte: {"/[HPF]": Decimal(1)} for analyte in ("urine_rbc", "urine_wbc")},
}
_CONTEXT = Context(prec=12)  # significant digits that computed values keep; far beyond any assay's


def ucum(unit: str) -> str:
    """The UCUM code of a unit as somebody wrote it."""
    return SPELLINGS.get(unit.strip(), unit.strip())


def accepted(analyte: str, canonical: str | None = None) -> tuple[str, ...]:
    """The units an analyte may come in, the canonical one first."""
    known = tuple(_OF.get(analyte, ()))
    first = () if canonical is None else (canonical,)
    return tuple(dict.fromkeys((*first, *known)))


def factor(analyte: str, unit: str, to: str) -> Decimal | None:
    """What a value of `unit` is multiplied with to stand in `to`, both UCUM; None where they do not convert."""
    if unit == to:
        return Decimal(1)
    worth = _OF.get(analyte, {})
    return worth[unit] / worth[to] if unit in worth and to in worth else None


def convert(analyte: str, value: Decimal, unit: str, to: str) -> Decimal | None:
    """The value in another unit, in any spelling; None where they do not convert. The same unit keeps its digits."""
    by = factor(analyte, ucum(unit), ucum(to))
    return value if by == 1 else None if by is None else rounded(value * by)


def rounded(value: Decimal) -> Decimal:
    """At most twelve significant digits, without needless zeros or an exponent."""
    shorter = _CONTEXT.plus(value).normalize(_CONTEXT)
    return Decimal(format(shorter, "f")) if shorter else Decimal(0)
