"""CTCAE v5.0 (NCI, 2017): every laboratory term and fever, every boundary of a grade on both sides.

A printed range "<1.5 - 1.0" holds 1.0 and not 1.5, "<LLN" and ">ULN" never the limit itself. A grade that hangs on a
limit or baseline nobody told is unknown; only a liver enzyme's baseline is taken as normal, and the reason says so.
Creatinine, fibrinogen and an abnormal baseline of the liver are in `test_ctcae_baseline`.
"""

from decimal import Decimal
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.instruments.ctcae import WrongUnit
from backend.scoring import INSTRUMENTS
from tests.instruments.ctcae_values import COUNT, graded, rules

# --- Falls below the lower limit of normal --------------------------------------------------------------------

# Term, unit, then where grades 1, 2, 3 and 4 begin: the value on the boundary, still the milder grade, and one below.
# The first boundary is the laboratory's lower limit.
FALLS = [
    ("neutrophils", COUNT, [("2.0", "1.99"), ("1.5", "1.49"), ("1.0", "0.99"), ("0.5", "0.49")]),
    ("wbc", COUNT, [("4.0", "3.99"), ("3.0", "2.99"), ("2.0", "1.99"), ("1.0", "0.99")]),
    ("lymphocytes", COUNT, [("1.1", "1.09"), ("0.8", "0.79"), ("0.5", "0.49"), ("0.2", "0.19")]),
    ("cd4", COUNT, [("0.6", "0.599"), ("0.5", "0.499"), ("0.2", "0.199"), ("0.05", "0.049")]),
    ("platelets", COUNT, [("125", "124"), ("75", "74.9"), ("50", "49.9"), ("25", "24.9")]),
    ("haemoglobin", "g/L", [("115", "114"), ("100", "99"), ("80", "79")]),
    ("albumin", "g/L", [("40", "39.9"), ("30", "29.9"), ("20", "19.9")]),
]
EDGES = [
    (term, unit, edges[0][0], value, grade)
    for term, unit, edges in FALLS
    for milder, edge in enumerate(edges)
    for value, grade in zip(edge, (milder, milder + 1), strict=True)
]


@pytest.mark.parametrize(("term", "unit", "lln", "value", "grade"), EDGES)
def test_each_boundary_of_a_fall(term: str, unit: str, lln: str, value: str, grade: int) -> None:
    assert graded(term, value, unit, lln=lln).grade == grade


@pytest.mark.parametrize(
    ("term", "unit", "lln", "value", "highest"),
    [
        ("neutrophils", COUNT, "2.0", "0", 4),
        ("wbc", COUNT, "4.0", "0", 4),
        ("lymphocytes", COUNT, "1.1", "0", 4),
        ("cd4", COUNT, "0.6", "0", 4),
        ("platelets", COUNT, "125", "0", 4),
        ("haemoglobin", "g/L", "115", "30", 3),
        ("albumin", "g/L", "40", "5", 3),
    ],
)
def test_grade_four_of_anaemia_and_albumin_is_a_clinicians(
    term: str, unit: str, lln: str, value: str, highest: int
) -> None:
    """ "Life-threatening consequences": no value says so."""
    assert graded(term, value, unit, lln=lln).grade == highest


@pytest.mark.parametrize(("value", "passed"), [("1.49", "1.5"), ("0.99", "1.0"), ("0.49", "0.5")])
def test_the_reason_names_the_step_that_was_passed(value: str, passed: str) -> None:
    assert graded("neutrophils", value, COUNT, lln="2.0").reasons[0].values["limit"] == Decimal(passed)


@pytest.mark.parametrize(("term", "unit", "edges"), FALLS)
def test_a_fall_without_the_laboratorys_limit(term: str, unit: str, edges: list[tuple[str, str]]) -> None:
    """From grade 2 on the steps are fixed; above them it is 0 or 1, and only the limit tells."""
    for milder, (on, below) in enumerate(edges[1:], start=1):
        assert graded(term, below, unit).grade == milder + 1
        assert graded(term, on, unit).grade == (None if milder == 1 else milder)
    answer = graded(term, edges[0][0], unit)
    assert answer.grade is None
    assert (rules(answer), answer.reasons[0].values) == (["unknown"], {"missing": ("lln",), "at_most": 1})


@pytest.mark.parametrize(
    ("term", "value", "unit", "lln", "grade"),
    [
        ("haemoglobin", "10.0", "g/dL", "11.5", 1),
        ("haemoglobin", "9.9", "g/dL", "11.5", 2),
        ("haemoglobin", "8.0", "g/dL", "11.5", 2),
        ("haemoglobin", "7.9", "g/dL", "11.5", 3),
        ("haemoglobin", "11.5", "g/dL", "11.5", 0),
        ("albumin", "3.0", "g/dL", "4.0", 1),
        ("albumin", "2.99", "g/dL", "4.0", 2),
        ("neutrophils", "1000", "/uL", "2000", 2),
        ("neutrophils", "999", "/uL", "2000", 3),
        ("neutrophils", "499", "cells/µL", "2000", 4),
        ("cd4", "200", "/uL", "500", 2),
        ("cd4", "199", "/uL", "500", 3),
        ("platelets", "50", "10^3/uL", "125", 2),
        ("platelets", "49", "K/uL", "125", 3),
        ("platelets", "24999", "/mm3", "125000", 4),
        ("lymphocytes", "0.2", "×10⁹/L", "1.1", 3),
    ],
)
def test_other_units_of_a_fall(term: str, value: str, unit: str, lln: str, grade: int) -> None:
    assert graded(term, value, unit, lln=lln).grade == grade


# --- Rises above the upper limit of normal --------------------------------------------------------------------

# Upper limit 40 U/L (20 µmol/L of bilirubin), normal baseline.
LIVER = [
    *((term, "U/L", "40", value, grade) for term in ("alt", "ast") for value, grade in [
        ("40", 0), ("40.1", 1), ("120", 1), ("120.1", 2), ("200", 2), ("200.1", 3), ("800", 3), ("800.1", 4), ("0", 0),
    ]),
    *(("ggt", "U/L", "40", value, grade) for value, grade in [
        ("40", 0), ("40.1", 1), ("100", 1), ("100.1", 2), ("200", 2), ("200.1", 3), ("800", 3), ("800.1", 4),
    ]),
    *(("bilirubin", "umol/L", "20", value, grade) for value, grade in [
        ("20", 0), ("20.1", 1), ("30", 1), ("30.1", 2), ("60", 2), ("60.1", 3), ("200", 3), ("200.1", 4),
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("term", "unit", "uln", "value", "grade"), LIVER)
def test_each_boundary_of_a_rise_from_a_normal_baseline(term: str, unit: str, uln: str, value: str, grade: int) -> None:
    """ALT and AST at 1, 3, 5 and 20 times the limit, GGT at 1, 2.5, 5 and 20, bilirubin at 1, 1.5, 3 and 10."""
    for baseline in ("10", uln):
        answer = graded(term, value, unit, uln=uln, baseline=baseline)
        assert answer.grade == grade
        assert rules(answer) == ["of_upper_limit"]


@pytest.mark.parametrize(("term", "unit", "uln", "value", "grade"), LIVER)
def test_an_unknown_baseline_of_the_liver_is_taken_as_normal_and_said(
    term: str, unit: str, uln: str, value: str, grade: int
) -> None:
    answer = graded(term, value, unit, uln=uln)
    assert answer.grade == grade
    assert rules(answer) == ["of_upper_limit_baseline_taken_as_normal"]


@pytest.mark.parametrize(
    ("term", "unit"),
    [("alt", "U/L"), ("ast", "U/L"), ("ggt", "U/L"), ("bilirubin", "umol/L")],
)
def test_a_rise_without_the_laboratorys_limit_is_unknown(term: str, unit: str) -> None:
    for baseline in ("30", None):
        answer = graded(term, "100", unit, baseline=baseline)
        assert answer.grade is None
        assert (rules(answer), answer.reasons[0].values) == (["unknown"], {"missing": ("uln",)})


@pytest.mark.parametrize(("value", "grade"), [("1.2", 0), ("1.21", 1), ("1.8", 1), ("1.81", 2), ("12", 3), ("12.1", 4)])
def test_bilirubin_in_milligrams(value: str, grade: int) -> None:
    assert graded("bilirubin", value, "mg/dL", uln="1.2", baseline="0.5").grade == grade


# --- INR and fever --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "grade"),
    [("0.9", 0), ("1.2", 0), ("1.21", 1), ("1.5", 1), ("1.51", 2), ("2.5", 2), ("2.51", 3), ("9", 3)],
)
@pytest.mark.parametrize("unit", ["1", ""])
def test_each_boundary_of_the_inr(value: str, grade: int, unit: str) -> None:
    """There is no grade 4."""
    assert graded("inr", value, unit).grade == grade


@pytest.mark.parametrize(
    ("value", "grade"), [("36.8", 0), ("37.9", 0), ("38.0", 1), ("39.0", 1), ("39.01", 2), ("40.0", 2), ("40.01", 3)]
)
@pytest.mark.parametrize("unit", ["Cel", "°C"])
def test_each_boundary_of_fever(value: str, grade: int, unit: str) -> None:
    assert graded("fever", value, unit).grade == grade


def test_how_long_a_fever_lasted_is_left_to_people() -> None:
    """Above 40.0 for more than 24 h is grade 4: one temperature does not tell."""
    assert rules(graded("fever", "41.5", "Cel")) == ["temperature", "grade_4_where_it_lasts_over_24_h"]
    assert graded("fever", "41.5", "Cel").grade == 3
    assert rules(graded("fever", "40.0", "Cel")) == ["temperature"]


# --- What is missing, and what is refused ---------------------------------------------------------------------

UNITS = {
    "neutrophils": COUNT, "wbc": COUNT, "lymphocytes": COUNT, "cd4": COUNT, "platelets": COUNT, "haemoglobin": "g/L",
    "alt": "U/L", "ast": "U/L", "bilirubin": "umol/L", "creatinine": "umol/L", "fibrinogen": "g/L", "ggt": "U/L",
    "inr": "1", "albumin": "g/L", "fever": "Cel",
}  # fmt: skip


@pytest.mark.parametrize("term", UNITS)
def test_without_a_value_or_unit_there_is_no_grade(term: str) -> None:
    limits = {"lln": "1", "uln": "2", "baseline": "1"}
    for value, unit, missing in (
        (None, UNITS[term], ("value",)),
        ("1", None, ("unit",)),
        (None, None, ("value", "unit")),
    ):
        answer = graded(term, value, unit, **limits)
        assert answer.grade is None
        assert answer.reasons[0].values == {"missing": missing}


@pytest.mark.parametrize(
    ("term", "unit"),
    [
        ("platelets", "g/L"),
        ("neutrophils", "%"),
        ("haemoglobin", "mmol/L"),
        ("creatinine", "g/L"),
        ("bilirubin", "U/L"),
        ("alt", "umol/L"),
        ("fever", "[degF]"),
        ("inr", "s"),
        ("albumin", ""),
    ],
)
def test_a_unit_of_something_else_is_refused(term: str, unit: str) -> None:
    with pytest.raises(WrongUnit):
        graded(term, "1", unit, lln="1", uln="1")


@pytest.mark.parametrize(("version", "term"), [("6.0", "neutrophils"), ("4.03", "alt"), ("5.0", "crs"), ("5.0", "")])
def test_another_version_or_term_is_refused(version: str, term: str) -> None:
    """Version 6.0 moves neutropenia by a whole grade; CRS and ICANS are graded by ASTCT, not here."""
    with pytest.raises(ValueError):
        INSTRUMENTS["ctcae"](version=version, term=term, value=Decimal(1), unit=COUNT, lln=Decimal(2))


# --- Unknown inputs against what they may be ------------------------------------------------------------------

# Multiples of a scale of each term, on and around every boundary.
SCALE = {
    "neutrophils": "1", "wbc": "2", "lymphocytes": "0.5", "cd4": "0.2", "platelets": "50", "haemoglobin": "80",
    "alt": "40", "ast": "40", "bilirubin": "20", "creatinine": "100", "fibrinogen": "2", "ggt": "40", "inr": "1",
    "albumin": "25", "fever": "38",
}  # fmt: skip
TIMES = [
    Decimal(n) for n in ("0.2", "0.25", "0.5", "0.6", "0.75", "1", "1.1", "1.5", "1.6", "2", "3", "3.1", "6.1", "21")
]
LIVER_TERMS = ("alt", "ast", "bilirubin", "ggt")


def inputs(term: str) -> st.SearchStrategy[dict[str, Decimal]]:
    numbers = st.sampled_from([Decimal(SCALE[term]) * times for times in TIMES])
    return st.fixed_dictionaries(dict.fromkeys(("value", "lln", "uln", "baseline"), numbers))


def grade_of(term: str, value: Decimal | None, **limits: Decimal | None) -> int | None:
    return graded(term, value, UNITS[term], **limits).grade


@pytest.mark.parametrize("term", UNITS)
@given(st.data())
def test_learning_more_never_contradicts_a_grade(term: str, data: st.DataObject) -> None:
    """A liver enzyme's baseline stays as it is: it is taken as normal where it is unknown."""
    known = data.draw(inputs(term))
    open_ones = ["value", "lln", "uln"] if term in LIVER_TERMS else ["value", "lln", "uln", "baseline"]
    after = grade_of(term, **known)
    assert after is not None
    for size in range(1, len(open_ones) + 1):
        for unknown in combinations(open_ones, size):
            assert grade_of(term, **{**known, **dict.fromkeys(unknown)}) in (None, after), unknown
