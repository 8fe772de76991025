"""CTCAE v5.0 where a grade hangs on the subject's own baseline: an abnormal one of the liver, creatinine, fibrinogen.

A baseline that nobody told leaves the grade unknown where it could change it, and the reason says the least that it is.
"""

import pytest

from tests.instruments.ctcae_values import graded, rules

# --- The liver ------------------------------------------------------------------------------------------------


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
