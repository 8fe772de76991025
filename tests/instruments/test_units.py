"""Units: conversions against numbers worked out by hand, and none where two units are not of one quantity."""

from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.instruments import units
from backend.instruments.units import convert
from backend.scoring import INSTRUMENTS, Converted


def converted(**asked: Any) -> dict[str, Decimal]:
    """What one conversion answers, without what was not asked."""
    answer: Converted = INSTRUMENTS["conversion"](**asked)
    return {name: value for name in Converted.__slots__ if (value := getattr(answer, name)) is not None}


@pytest.mark.parametrize(
    ("asked", "value", "becomes", "expected"),
    [
        ("upcr_mg_per_g", "884", "upcr_mg_per_mmol", "100"),
        ("upcr_mg_per_g", "442", "upcr_mg_per_mmol", "50"),
        ("upcr_mg_per_g", "500", "upcr_mg_per_mmol", "56.5610859729"),  # 500 / 8.84
        ("upcr_mg_per_mmol", "1", "upcr_mg_per_g", "8.84"),
        ("upcr_mg_per_mmol", "50", "upcr_mg_per_g", "442"),
        ("c3_mg_per_dl", "90", "c3_g_per_l", "0.9"),
        ("c3_mg_per_dl", "100", "c3_g_per_l", "1"),
        ("c4_mg_per_dl", "16", "c4_g_per_l", "0.16"),
        ("haemoglobin_g_per_l", "105", "haemoglobin_g_per_dl", "10.5"),
        ("haemoglobin_g_per_l", "79", "haemoglobin_g_per_dl", "7.9"),
        ("creatinine_mg_per_dl", "1", "creatinine_umol_per_l", "88.4"),
        ("creatinine_mg_per_dl", "1.5", "creatinine_umol_per_l", "132.6"),
        ("creatinine_mg_per_dl", "0", "creatinine_umol_per_l", "0"),
    ],
)
def test_one_value_becomes_another(asked: str, value: str, becomes: str, expected: str) -> None:
    assert converted(**{asked: Decimal(value)}) == {becomes: Decimal(expected)}


def test_the_factor_of_the_protein_ratio_is_the_one_tables_print() -> None:
    """mg/g times 0.113 is mg/mmol."""
    assert round(converted(upcr_mg_per_g=Decimal(1))["upcr_mg_per_mmol"], 3) == Decimal("0.113")


def test_one_value_at_a_time() -> None:
    for asked in ({}, {"c3_mg_per_dl": None}, {"c3_mg_per_dl": Decimal(90), "c4_mg_per_dl": Decimal(16)}):
        with pytest.raises(ValueError):
            INSTRUMENTS["conversion"](**asked)
    with pytest.raises(ValueError):
        INSTRUMENTS["conversion"](c3_mg_per_dl=Decimal(90), glucocorticoids=[])


@pytest.mark.parametrize(
    ("analyte", "value", "unit", "to", "expected"),
    [
        ("neutrophils", "450", "/uL", "10*9/L", "0.45"),
        ("neutrophils", "0.45", "10*9/L", "/uL", "450"),
        ("platelets", "150", "10*3/uL", "10*9/L", "150"),
        ("lymphocytes", "800", "/mm3", "10*9/L", "0.8"),
        ("cd4", "200", "cells/uL", "10*9/L", "0.2"),
        ("b_cells", "12", "10*6/L", "/uL", "12"),
        ("haemoglobin", "10.5", "g/dL", "g/L", "105"),
        ("albumin", "3.5", "g/dL", "g/L", "35"),
        ("igg", "700", "mg/dL", "g/L", "7"),
        ("fibrinogen", "150", "mg/dL", "g/L", "1.5"),
        ("c3", "0.9", "g/L", "mg/dL", "90"),
        ("c3", "900", "mg/L", "g/L", "0.9"),
        ("crp", "5.4", "mg/dL", "mg/L", "54"),
        ("ferritin", "500", "ng/mL", "ug/L", "500"),
        ("ferritin", "1.2", "mg/L", "ug/L", "1200"),
        ("il6", "100", "pg/mL", "ng/L", "100"),
        ("procalcitonin", "0.5", "ng/mL", "ug/L", "0.5"),
        ("troponin", "0.04", "ng/mL", "ng/L", "40"),
        ("troponin", "40", "pg/mL", "ng/L", "40"),
        ("troponin", "0.04", "ug/L", "ng/L", "40"),
        ("urine_protein_24h", "500", "mg/24h", "g/24h", "0.5"),
        ("upcr", "0.5", "g/g", "mg/g", "500"),
        ("upcr", "1", "g/g", "mg/mmol", "113.122171946"),  # 1000 / 8.84
        ("acr", "884", "mg/g", "mg/mmol", "100"),  # albumin to creatinine, by the same molar mass
        ("acr", "30", "mg/mmol", "mg/g", "265.2"),
        ("creatinine", "88.4", "umol/L", "mg/dL", "1"),
        ("bilirubin", "2", "mg/dL", "umol/L", "34.2"),
        ("triglycerides", "265.71", "mg/dL", "mmol/L", "3"),  # 88.57 mg/dL are 1 mmol/L
        ("alt", "0.04", "U/mL", "U/L", "40"),
        ("anti_dsdna", "30", "IU/mL", "k[IU]/L", "30"),
    ],
)
def test_conversions_of_each_analyte(analyte: str, value: str, unit: str, to: str, expected: str) -> None:
    assert convert(analyte, Decimal(value), unit, to) == Decimal(expected)


def test_a_mass_becomes_an_amount_by_its_own_molar_mass() -> None:
    """1 mg/dL is 88.4 µmol/L of creatinine and 17.1 of bilirubin."""
    assert convert("creatinine", Decimal(1), "mg/dL", "umol/L") == Decimal("88.4")
    assert convert("bilirubin", Decimal(1), "mg/dL", "umol/L") == Decimal("17.1")


@pytest.mark.parametrize(
    ("analyte", "unit", "to"),
    [
        ("haemoglobin", "mmol/L", "g/L"),
        ("platelets", "g/L", "10*9/L"),
        ("creatinine", "g/L", "umol/L"),
        ("upcr", "mg/L", "mg/g"),
        ("anti_dsdna", "U/mL", "IU/mL"),
        ("car_t_copies", "copies/ug", "/uL"),
        ("b_cells", "%", "/uL"),
        ("nothing_known", "g/L", "g/dL"),
        ("c3", "G/L", "mg/dL"),  # a count's spelling: UCUM tells upper from lower case
    ],
)
def test_what_is_not_of_one_quantity_does_not_convert(analyte: str, unit: str, to: str) -> None:
    assert convert(analyte, Decimal(1), unit, to) is None
    assert units.factor(analyte, unit, to) is None


@pytest.mark.parametrize("value", ["0.90", "1.0", "0.000", "100", "1E+3", "12345678901234567890.5"])
@pytest.mark.parametrize(("unit", "to"), [("g/L", "g/L"), ("mg/dL", " mg/dL ")])
def test_the_same_unit_keeps_its_digits(value: str, unit: str, to: str) -> None:
    assert str(convert("c3", Decimal(value), unit, to)) == value


def test_the_same_unit_needs_no_known_analyte() -> None:
    assert str(convert("nothing_known", Decimal("1.50"), "pg/mL", "pg/mL")) == "1.50"


@pytest.mark.parametrize(
    ("spelled", "code"),
    [
        ("×10⁹/L", "10*9/L"), ("10^9/L", "10*9/L"), ("G/L", "10*9/L"), ("K/uL", "10*3/uL"), ("cells/µL", "/uL"),
        ("\u00b5mol/L", "umol/L"), ("\u03bcmol/L", "umol/L"), ("\u00b5g/L", "ug/L"), ("\u03bcg/L", "ug/L"),
        ("°C", "Cel"), ("IU/mL", "[IU]/mL"), ("g/24 h", "g/(24.h)"), ("mmHg", "mm[Hg]"), (" g/L ", "g/L"), ("", "1"),
    ],
)  # fmt: skip
def test_spellings_of_laboratories(spelled: str, code: str) -> None:
    assert units.ucum(spelled) == code


def test_the_canonical_unit_comes_first_of_those_accepted() -> None:
    assert units.accepted("creatinine", "umol/L") == ("umol/L", "mg/dL")
    assert units.accepted("creatinine", "mg/dL") == ("mg/dL", "umol/L")
    assert units.accepted("nothing_known") == ()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2", "2"),
        ("2.500", "2.5"),
        ("0.00", "0"),
        ("1E+3", "1000"),
        ("100", "100"),
        ("0.1234567890123", "0.123456789012"),
    ],
)
def test_a_result_has_no_needless_digits(value: str, expected: str) -> None:
    assert str(units.rounded(Decimal(value))) == expected


PAIRS = [
    (analyte, *pair)
    for analyte in ("neutrophils", "haemoglobin", "crp", "ferritin", "troponin", "upcr", "creatinine", "bilirubin",
                    "triglycerides", "urine_protein_24h", "alt")
    for pair in permutations(units.accepted(analyte), 2)
]  # fmt: skip


@given(st.sampled_from(PAIRS), st.decimals("0.001", 100_000, places=3))
def test_there_and_back_again(pair: tuple[str, str, str], value: Decimal) -> None:
    analyte, unit, to = pair
    there = convert(analyte, value, unit, to)
    assert there is not None
    back = convert(analyte, there, to, unit)
    assert back is not None
    assert abs(back - value) <= value * Decimal("1e-10")
