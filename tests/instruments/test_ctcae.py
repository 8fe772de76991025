"""CTCAE v5.0 (NCI, 2017): every laboratory term and fever, every boundary of a grade on both sides.

A printed range "<1.5 - 1.0" holds 1.0 and not 1.5, "<LLN" and ">ULN" never the limit itself. A grade that hangs on a
limit or baseline nobody told is unknown; only a liver enzyme's baseline is taken as normal, and the reason says so.
"""

from decimal import Decimal
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.instruments.ctcae import Grade, WrongUnit
from backend.scoring import INSTRUMENTS

COUNT = "10*9/L"


def graded(term: str, value: str | Decimal | None, unit: str | None, **limits: str | Decimal | None) -> Grade:
    """One value, with `lln`, `uln` and `baseline` in its unit."""
    numbers = {name: None if one is None else Decimal(one) for name, one in limits.items()}
    answer: Grade = INSTRUMENTS["ctcae"](
        version="5.0", term=term, value=None if value is None else Decimal(value), unit=unit, **numbers
    )
    return answer


def rules(answer: Grade) -> list[str]:
    return [reason.rule for reason in answer.reasons]


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
    ("term", "unit", "baseline", "value", "grade"),
    [
        *((term, "U/L", "100", value, grade) for term in ("alt", "ast") for value, grade in [
            ("100", 0), ("149.9", 0), ("150", 1), ("300", 1), ("300.1", 2), ("500", 2), ("500.1", 3), ("2000", 3),
            ("2000.1", 4), ("45", 0),
        ]),
        *(("ggt", "U/L", "100", value, grade) for value, grade in [
            ("100", 0), ("199.9", 0), ("200", 1), ("250", 1), ("250.1", 2), ("500", 2), ("500.1", 3), ("2000", 3),
            ("2000.1", 4),
        ]),
        *(("bilirubin", "umol/L", "30", value, grade) for value, grade in [
            ("25", 0), ("30", 0), ("30.1", 1), ("45", 1), ("45.1", 2), ("90", 2), ("90.1", 3), ("300", 3), ("300.1", 4),
        ]),
    ],
)  # fmt: skip
def test_each_boundary_of_a_rise_from_an_abnormal_baseline(
    term: str, unit: str, baseline: str, value: str, grade: int
) -> None:
    """Multiples of the baseline: ALT and AST from 1.5 and GGT from 2.0, each included, bilirubin above 1."""
    answer = graded(term, value, unit, uln="20", baseline=baseline)
    assert answer.grade == grade
    assert rules(answer) == ["of_abnormal_baseline"]


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


# --- Creatinine -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "grade"),
    [("100", 0), ("100.1", 1), ("150", 1), ("150.1", 2), ("300", 2), ("300.1", 3), ("600", 3), ("600.01", 4)],
)
def test_each_boundary_of_creatinine_by_the_upper_limit(value: str, grade: int) -> None:
    """Limit and baseline 100: both count from the same number."""
    assert graded("creatinine", value, "umol/L", uln="100", baseline="100").grade == grade


@pytest.mark.parametrize(
    ("value", "grade", "rule"),
    [
        ("60", 0, "of_upper_limit"),  # 1.5 times the baseline exactly
        ("60.1", 2, "of_baseline"),
        ("100", 2, "of_baseline"),  # still normal for the laboratory
        ("120", 2, "of_baseline"),  # 3 times exactly
        ("120.1", 3, "of_baseline"),
        ("600", 3, "of_upper_limit"),
        ("600.1", 4, "of_upper_limit"),
    ],
)
def test_each_boundary_of_creatinine_by_the_subjects_own_baseline(value: str, grade: int, rule: str) -> None:
    """Limit 100, baseline 40: grades 2 and 3 by multiples of the baseline, the worse of both counts."""
    answer = graded("creatinine", value, "umol/L", uln="100", baseline="40")
    assert (answer.grade, rules(answer)) == (grade, [rule])


@pytest.mark.parametrize(("value", "grade"), [("160", 2), ("300", 2), ("301", 3), ("450", 3), ("600", 3), ("601", 4)])
def test_a_high_baseline_does_not_hide_what_the_limit_says(value: str, grade: int) -> None:
    assert graded("creatinine", value, "umol/L", uln="100", baseline="200").grade == grade


@pytest.mark.parametrize(
    ("value", "grade"), [("0.9", 0), ("0.91", 2), ("1.8", 2), ("1.81", 3), ("7.2", 3), ("7.21", 4)]
)
def test_creatinine_in_milligrams(value: str, grade: int) -> None:
    assert graded("creatinine", value, "mg/dL", uln="1.2", baseline="0.6").grade == grade


@pytest.mark.parametrize(("value", "grade"), [("300.1", 3), ("600", 3), ("600.1", 4)])
def test_creatinine_from_grade_three_on_needs_no_baseline(value: str, grade: int) -> None:
    assert graded("creatinine", value, "umol/L", uln="100").grade == grade


@pytest.mark.parametrize("value", ["90", "120", "200"])
def test_creatinine_below_grade_three_hangs_on_the_baseline(value: str) -> None:
    """90 is no event of a baseline of 80, grade 2 of 50 and grade 3 of 25."""
    grades = {graded("creatinine", value, "umol/L", uln="100", baseline=baseline).grade for baseline in ("300", "25")}
    assert len(grades) == 2
    answer = graded("creatinine", value, "umol/L", uln="100")
    assert answer.grade is None
    assert answer.reasons[0].values == {"missing": ("baseline",), "at_least": min(g for g in grades if g is not None)}


@pytest.mark.parametrize(
    ("value", "baseline", "least"),
    [("400", "90", 3), ("270.1", "90", 3), ("270", "90", 2), ("135.1", "90", 2), ("135", "90", 0), ("400", None, None)],
)
def test_creatinine_without_the_limit_is_at_least_what_the_baseline_makes_it(
    value: str, baseline: str | None, least: int | None
) -> None:
    """CTCAE v5.0: above 1.5 times the baseline is grade 2, above 3 times grade 3; the limit could only add to it."""
    answer = graded("creatinine", value, "umol/L", baseline=baseline)
    assert answer.grade is None
    known = {} if least is None else {"at_least": least}
    assert (rules(answer), answer.reasons[0].values) == (["unknown"], {"missing": ("uln",), **known})


# --- Fibrinogen -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "grade"),
    [("2.0", 0), ("1.99", 1), ("1.5", 1), ("1.49", 2), ("1.0", 2), ("0.99", 3), ("0.5", 3), ("0.49", 4)],
)
def test_each_boundary_of_fibrinogen_by_the_lower_limit(value: str, grade: int) -> None:
    """Limit 2.0: 1, 0.75, 0.5 and 0.25 times. The baseline was as low as the value, so it adds nothing."""
    assert graded("fibrinogen", value, "g/L", lln="2.0", baseline=value).grade == grade


@pytest.mark.parametrize(("value", "grade"), [("0.75", 3), ("0.749", 4)])
def test_a_quarter_of_the_limit_is_grade_four(value: str, grade: int) -> None:
    """Above 0.5 g/L, which is grade 4 of itself."""
    assert graded("fibrinogen", value, "g/L", lln="3.0", baseline=value).grade == grade


@pytest.mark.parametrize(
    ("value", "baseline", "grade"),
    [
        ("1.8", "2.39", 1),  # fallen by 24.7 %
        ("1.8", "2.4", 2),  # by 25 %
        ("1.8", "3.59", 2),
        ("1.8", "3.6", 3),  # by 50 %
        ("1.8", "7.19", 3),
        ("1.8", "7.2", 4),  # by 75 %
        ("1.4", "1.5", 2),  # the limit says more than the fall
        ("1.8", "1.5", 1),  # risen
        ("1.8", "1.8", 1),
    ],
)
def test_each_boundary_of_fibrinogen_by_its_fall_from_baseline(value: str, baseline: str, grade: int) -> None:
    assert graded("fibrinogen", value, "g/L", lln="2.0", baseline=baseline).grade == grade


def test_the_reason_says_whether_limit_or_fall_made_the_grade() -> None:
    for baseline, rule in (("2.3", "of_lower_limit"), ("3.6", "fall_from_baseline")):
        assert rules(graded("fibrinogen", "1.8", "g/L", lln="2.0", baseline=baseline)) == [rule]


@pytest.mark.parametrize("baseline", ["2.0", "4.0", "9.0", None])
def test_a_fall_counts_only_of_a_value_below_the_limit(baseline: str | None) -> None:
    """ "If abnormal": 2.0 with a limit of 2.0 is normal, from whatever it fell."""
    assert graded("fibrinogen", "2.0", "g/L", lln="2.0", baseline=baseline).grade == 0


@pytest.mark.parametrize("limits", [{}, {"lln": "2.0"}, {"baseline": "3.0"}, {"lln": "0.3", "baseline": "0.4"}])
def test_less_than_half_a_gram_is_grade_four_whatever_else_is_known(limits: dict[str, str]) -> None:
    answer = graded("fibrinogen", "0.49", "g/L", **limits)
    assert (answer.grade, rules(answer)) == (4, ["below"])


def test_fibrinogen_without_a_limit_is_unknown() -> None:
    for baseline in ("3.0", None):
        assert graded("fibrinogen", "0.5", "g/L", baseline=baseline).grade is None


def test_low_fibrinogen_without_a_baseline_hangs_on_it() -> None:
    """1.8 below 2.0 is grade 1 if the baseline was 1.9, and grade 4 if it was 8."""
    assert graded("fibrinogen", "1.8", "g/L", lln="2.0", baseline="1.9").grade == 1
    assert graded("fibrinogen", "1.8", "g/L", lln="2.0", baseline="8").grade == 4
    answer = graded("fibrinogen", "1.8", "g/L", lln="2.0")
    assert answer.grade is None
    assert answer.reasons[0].values == {"missing": ("baseline",), "at_least": 1}


def test_fibrinogen_at_grade_four_of_the_limit_needs_no_baseline() -> None:
    assert graded("fibrinogen", "0.7", "g/L", lln="3.0").grade == 4


@pytest.mark.parametrize(("value", "grade"), [("200", 0), ("199", 1), ("149", 2), ("50", 3), ("49.9", 4)])
def test_fibrinogen_in_milligrams(value: str, grade: int) -> None:
    assert graded("fibrinogen", value, "mg/dL", lln="200", baseline=value).grade == grade


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
