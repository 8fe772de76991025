"""The terminal phase of a profile: exact exponentials, the best fit, its gates, plateaus and hardly any fall."""

from decimal import Decimal
from math import log
from statistics import correlation, linear_regression

import pytest

from tests.analysis.profiles import LINEAR, LN2, LOG, THEOPH_1, area, near, of, outcome

# --- the terminal phase -----------------------------------------------------------------------------------------


def test_an_exact_exponential_gives_its_half_life() -> None:
    """Halved every 7 days; all points after the peak fit alike, so all of them are taken, but never the peak."""
    answer = of([0, 7, 14, 21, 28, 35], [None, 1600, 800, 400, 200, 100])
    assert outcome(answer, "half_life", "lambda_z") == (near(7), near(LN2 / 7))
    assert answer.terminal is not None
    assert answer.terminal.points == 4


def test_the_peak_is_no_point_of_the_fit() -> None:
    """Three points on a perfect line, one of them the peak: two are left, too few."""
    answer = of([0, 7, 14, 21], [None, 1600, 400, 100])
    assert outcome(answer, "half_life", "lambda_z") == (None, None)
    assert outcome(of([0, 7, 14, 21, 28], [None, 1600, 400, 100, 25]), "half_life") == (near(3.5),)


def test_blq_is_no_point_of_the_fit() -> None:
    times, values = [0, 7, 14, 21, 28, 35, 42], [None, 1600, 800, None, 400, 200, None]
    for middle in ("drop", "zero"):
        answer = of(times, values, middle_blq=middle)
        assert answer.terminal is not None
        assert answer.terminal.points == 3


@pytest.mark.parametrize(
    ("ratio", "accepted"),
    [(2, True), (1.9, False)],
)
def test_the_span_must_be_two_half_lives(ratio: float, accepted: bool) -> None:
    """Three points a day apart, each divided by the ratio: the span is 2·log2(ratio) half-lives, 2 of them at 2."""
    first = Decimal(8000)
    by = Decimal(str(ratio))
    answer = of([0, 7, 8, 9, 10], [None, 9000, str(first), str(first / by), str(first / by / by)])
    assert (answer.half_life is not None, answer.lambda_z is not None) == (accepted, accepted)
    assert answer.terminal is not None
    assert float(answer.terminal.half_life) == near(LN2 / log(ratio))


def test_a_scattered_phase_has_no_half_life() -> None:
    times, values = [7, 14, 21, 28, 35], [5000, 800, 20, 300, 1]
    best = best_fit([float(t) for t in times[1:]], [float(v) for v in values[1:]])
    assert best["r2"] < 0.9
    assert best["span"] > 2, "that the scatter alone is to blame"
    answer = of([0, *times], [None, *values])
    assert outcome(answer, "half_life", "lambda_z") == (None, None)
    assert answer.terminal is not None
    assert float(answer.terminal.r_squared) == near(best["r2"])


@pytest.mark.parametrize("values", [[900, 10, 20, 40], [900, 10, 10, 10], [900, 5, 4]])
def test_what_does_not_fall_or_is_too_short_has_no_half_life(values: list[float]) -> None:
    answer = of([0, 7, 14, 21, 28][: len(values) + 1], [None, *values])
    assert outcome(answer, "half_life", "lambda_z") == (None, None)


@pytest.mark.parametrize("days", [(14, 21, 28), (14, 21, 42), (14, 28, 56), (10, 30, 60, 91), (8, 42, 65, 85, 97)])
@pytest.mark.parametrize("level", ["50", "100", "638.7", "0.5", "250"])
def test_a_persisting_plateau_has_no_half_life(days: tuple[int, ...], level: str) -> None:
    """As in a patient whose cells stay: equal values after the peak, whatever the digits of the logarithm."""
    answer = of([0, 7, *days], [None, 5000, *[level] * len(days)])
    assert outcome(answer, "half_life", "lambda_z", "clast") == (None, None, float(level))


def best_fit(times: list[float], values: list[float]) -> dict[str, float]:
    """The last n ≥ 3 points with the best adjusted R², near ties to more points; by the standard library."""
    fits = []
    for n in range(3, len(times) + 1):
        x, y = times[-n:], [log(value) for value in values[-n:]]
        r2 = correlation(x, y) ** 2
        slope = linear_regression(x, y).slope
        if slope < 0:
            adjusted = 1 - (1 - r2) * (n - 1) / (n - 2)
            span = (x[-1] - x[0]) * -slope / LN2
            fits.append({"adjusted": adjusted, "n": n, "r2": r2, "rate": -slope, "span": span})
    top = max(fit["adjusted"] for fit in fits)
    return max((fit for fit in fits if fit["adjusted"] > top - 1e-4), key=lambda fit: fit["n"])


def test_the_terminal_fit_is_the_best_by_adjusted_r2() -> None:
    """Two phases: a steep fall, then one of half-life 20 with a little noise; only the second is taken."""
    times = [10.0, 14, 21, 28, 42, 56, 90]
    values = [4000.0, 900, 300, 151, 91.5, 57, 17.4]
    best = best_fit(times[1:], values[1:])
    assert 3 < best["n"] < 6, "else the choice proves little"
    answer = of([0, *times], [None, *values])
    assert answer.terminal is not None
    assert answer.terminal.points == best["n"]
    assert outcome(answer, "lambda_z", "half_life") == (near(best["rate"]), near(LN2 / best["rate"]))


def test_fewer_points_must_earn_their_better_r2() -> None:
    """R² alone would take the last three points (0.957 to 0.954), adjusted for their number it takes four."""
    times, values = [14.0, 21, 28, 35], [800.0, 540, 120, 60]
    three, four = best_fit(times[1:], values[1:]), best_fit(times, values)
    assert three["r2"] > four["r2"] + 0.002
    assert (four["n"], four["r2"] > 0.9, four["span"] > 2) == (4, True, True)
    assert outcome(of([0, 7, *times], [None, 5000, *values]), "lambda_z") == (near(four["rate"]),)


def test_near_ties_go_to_more_points() -> None:
    """The last three lie exactly on a line; with a fourth a hair off the adjusted R² falls by less than 0.0001."""
    values = [1610.0, 800, 400, 200]
    three, four = best_fit([21.0, 28, 35], values[1:]), best_fit([14.0, 21, 28, 35], values)
    assert 0 < three["adjusted"] - four["adjusted"] < 1e-4
    answer = of([0, 7, 14, 21, 28, 35], [None, 5000, *values])
    assert answer.terminal is not None
    assert answer.terminal.points == 4


def test_theophylline_spans_too_little_for_a_half_life() -> None:
    """PKNCA finds 14.304 h from the last three points of subject 1, over 1.07 half-lives: under the gate of 2."""
    answer = of(*THEOPH_1)
    assert answer.terminal is not None
    assert answer.terminal.points == 3
    assert float(answer.terminal.half_life) == pytest.approx(14.304, abs=5e-4)
    assert outcome(answer, "half_life", "lambda_z") == (None, None)


# --- values that are nearly equal -------------------------------------------------------------------------------


@pytest.mark.parametrize("lower", ["0.9999999999999", "0.99999999999999999999999999999999"])
def test_a_fall_in_the_last_digit_alone_is_a_plateau(lower: str) -> None:
    assert area(of([0, 28], ["1", lower]), "0-28", LOG) == near(28)


@pytest.mark.parametrize("lower", ["2.999999999999", "2.9999999999999999999999", "2.999999999999999999999999998"])
def test_a_part_of_a_very_slow_fall_is_its_share(lower: str) -> None:
    """30 of 100 days at 3, to far more digits than are asked for: 90, in either method."""
    answer = of([0, 100], ["3", lower], [(0, 30)])
    assert area(answer, "0-30", LINEAR) == near(90)
    assert area(answer, "0-30", LOG) == near(90)


def test_a_fall_slower_than_any_life_has_no_half_life() -> None:
    values = ["10", "1", "0.9999999999999999999999999999", "0.9999999999999999999999999998"]
    assert outcome(of([7, 1000, 2000, 3000], values), "half_life", "cmax") == (None, 10)
