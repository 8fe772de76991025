"""Summaries of a group: the exact interval of a proportion, the median, the geometric mean and its variation.

Expected values come from elsewhere: at 0 and at n of n the interval has a closed form (the n-th root of 0.025), 13 of
15 is the published interval 59.5 to 98.3 %, and in between each bound is put back into the binomial tail, summed in
exact fractions: half a millionth to either side of it the tail lies on either side of 2.5 %.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from math import comb, exp, log, sqrt
from statistics import geometric_mean, mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.analysis.statistics import Proportion, Summary, proportion, summary

TAIL = Fraction(25, 1000)
HALF_A_DIGIT = Fraction(1, 2_000_000)  # bounds are given to six digits
EVERY = [(n, of) for of in (1, 2, 3, 6, 15, 40) for n in range(of + 1)]


def decimals(*values: str) -> list[Decimal]:
    return [Decimal(value) for value in values]


def tail(counts: Sequence[int], of: int, p: Fraction) -> Fraction:
    """Chance that as many of `of` as one of the counts, exactly."""
    return sum((comb(of, i) * p**i * (1 - p) ** (of - i) for i in counts), Fraction(0))


def bounds(n: int, of: int) -> tuple[Decimal, Decimal]:
    found = proportion(n, of)
    assert found.ci_lower is not None
    assert found.ci_upper is not None
    return found.ci_lower, found.ci_upper


# --- Proportions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("of", [1, 3, 6, 12, 18, 100])
def test_nobody_and_everybody_have_a_closed_form(of: int) -> None:
    root = 0.025 ** (1 / of)
    lower, upper = bounds(0, of)
    assert lower == 0
    assert float(upper) == pytest.approx(1 - root, abs=5e-7)
    lower, upper = bounds(of, of)
    assert float(lower) == pytest.approx(root, abs=5e-7)
    assert upper == 1


@pytest.mark.parametrize(
    ("n", "of", "lower", "upper"),
    [(13, 15, "59.5", "98.3"), (0, 6, "0.0", "45.9"), (6, 6, "54.1", "100.0"), (0, 3, "0.0", "70.8")],
)
def test_published_intervals(n: int, of: int, lower: str, upper: str) -> None:
    assert [f"{value * 100:.1f}" for value in bounds(n, of)] == [lower, upper]


@pytest.mark.parametrize(("n", "of"), [(n, of) for n, of in EVERY if n > 0])
def test_at_the_lower_bound_as_many_or_more_are_two_and_a_half_in_a_hundred(n: int, of: int) -> None:
    lower = Fraction(bounds(n, of)[0])
    or_more = range(n, of + 1)
    assert tail(or_more, of, lower - HALF_A_DIGIT) <= TAIL <= tail(or_more, of, lower + HALF_A_DIGIT)


@pytest.mark.parametrize(("n", "of"), [(n, of) for n, of in EVERY if n < of])
def test_at_the_upper_bound_as_many_or_fewer_are_two_and_a_half_in_a_hundred(n: int, of: int) -> None:
    upper = Fraction(bounds(n, of)[1])
    or_fewer = range(n + 1)
    assert tail(or_fewer, of, upper + HALF_A_DIGIT) <= TAIL <= tail(or_fewer, of, upper - HALF_A_DIGIT)


@pytest.mark.parametrize(("n", "of"), EVERY)
def test_the_others_have_the_mirrored_interval(n: int, of: int) -> None:
    lower, upper = bounds(n, of)
    mirrored_lower, mirrored_upper = bounds(of - n, of)
    assert abs(lower - (1 - mirrored_upper)) <= Decimal("0.000001")  # each is rounded for itself
    assert abs(upper - (1 - mirrored_lower)) <= Decimal("0.000001")


@pytest.mark.parametrize(("n", "of"), EVERY)
def test_the_interval_holds_the_proportion(n: int, of: int) -> None:
    found = proportion(n, of)
    lower, upper = bounds(n, of)
    assert (found.n, found.of) == (n, of)
    assert found.proportion is not None
    assert abs(Fraction(found.proportion) - Fraction(n, of)) <= HALF_A_DIGIT
    assert 0 <= lower <= found.proportion <= upper <= 1
    assert lower < upper


def test_more_subjects_with_the_same_share_narrow_the_interval() -> None:
    widths = [upper - lower for lower, upper in (bounds(n, 3 * n) for n in (1, 2, 5, 20))]
    assert widths == sorted(set(widths), reverse=True)


def test_of_nobody_there_is_no_share() -> None:
    assert proportion(0, 0) == Proportion(0, 0, None, None, None)


@pytest.mark.parametrize(("n", "of"), [(4, 3), (-1, 3), (1, 0), (0, -1)])
def test_what_is_no_part_is_refused(n: int, of: int) -> None:
    with pytest.raises(ValueError):
        proportion(n, of)


# --- Summaries ------------------------------------------------------------------------------------------------


def test_by_hand() -> None:
    """2, 4, 9: mean 5, deviations -3, -1, 4, so the variance is 26 / 2."""
    found = summary(decimals("9", "2", "4"))
    assert (found.n, found.mean, found.median, found.minimum, found.maximum) == (3, 5, 4, 2, 9)
    assert float(found.sd or 0) == pytest.approx(sqrt(13), rel=1e-11)


@pytest.mark.parametrize(
    ("values", "median"),
    [
        (["7"], "7"),
        (["9", "1"], "5"),
        (["9", "1", "2"], "2"),
        (["10", "9", "1", "2"], "5.5"),
        (["3", "3", "3", "100", "0"], "3"),
    ],
)
def test_median_of_an_odd_and_an_even_count(values: list[str], median: str) -> None:
    assert summary(decimals(*values)).median == Decimal(median)


def test_geometric_mean_and_variation_by_hand() -> None:
    """1, 10, 100: logarithms 0, ln 10, 2 ln 10; their mean is ln 10 and their variance (ln 10)²."""
    found = summary(decimals("100", "1", "10"))
    assert float(found.geometric_mean or 0) == pytest.approx(10, rel=1e-11)
    assert float(found.geometric_cv_pct or 0) == pytest.approx(100 * sqrt(exp(log(10) ** 2) - 1), rel=1e-9)


def test_geometric_mean_of_two_is_the_root_of_their_product() -> None:
    """4, 9: the root of 36; the logarithms lie ln(9/4) apart, so their variance is half its square."""
    found = summary(decimals("4", "9"))
    assert float(found.geometric_mean or 0) == pytest.approx(6, rel=1e-11)
    assert float(found.geometric_cv_pct or 0) == pytest.approx(100 * sqrt(exp(log(9 / 4) ** 2 / 2) - 1), rel=1e-9)


def test_equal_values_do_not_vary() -> None:
    found = summary(decimals("5", "5", "5"))
    assert (found.mean, found.sd, found.geometric_mean, found.geometric_cv_pct) == (5, 0, 5, 0)


def test_one_value_has_no_spread() -> None:
    found = summary(decimals("8"))
    assert (found.n, found.mean, found.median, found.minimum, found.maximum) == (1, 8, 8, 8, 8)
    assert float(found.geometric_mean or 0) == pytest.approx(8, rel=1e-11)
    assert (found.sd, found.geometric_cv_pct) == (None, None)


@pytest.mark.parametrize("lowest", ["0", "-2"])
def test_without_positive_values_throughout_there_is_no_geometric_figure(lowest: str) -> None:
    found = summary(decimals("4", lowest, "6"))
    assert (found.geometric_mean, found.geometric_cv_pct) == (None, None)
    assert found.minimum == Decimal(lowest)
    assert found.sd is not None


def test_of_nothing_there_is_nothing() -> None:
    assert summary([]) == Summary(0)
    assert {getattr(summary([]), name) for name in Summary.__dataclass_fields__ if name != "n"} == {None}


_VALUES = st.lists(st.decimals("0.01", "100000", places=2), min_size=2, max_size=12)


@given(_VALUES)
def test_any_set_in_any_order_as_the_standard_library_has_it(values: list[Decimal]) -> None:
    found = summary(values)
    floats = [float(value) for value in values]
    assert float(found.mean or 0) == pytest.approx(mean(floats), rel=1e-9)
    assert float(found.sd or 0) == pytest.approx(stdev(floats), rel=1e-6, abs=1e-6)
    assert float(found.geometric_mean or 0) == pytest.approx(geometric_mean(floats), rel=1e-9)
    assert found == summary(list(reversed(values)))
