"""Kinetics of CAR-T cells: peak, areas over windows, last positive value and terminal phase.

Expected values come from closed forms (an exponential fall from a to b in time t holds t(a-b)/ln(a/b)), from a
published profile, and from a quadrature and a regression of this file's own that share nothing with the code.
"""

import random
from bisect import bisect_right
from decimal import Decimal
from itertools import pairwise
from math import exp, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.analysis.pharmacokinetics import Sample, kinetics
from backend.scoring import INSTRUMENTS
from tests.analysis.profiles import (
    LINEAR,
    LN2,
    LOG,
    METHODS,
    NAMES,
    THEOPH_1,
    THEOPH_2,
    Numbers,
    Windows,
    area,
    near,
    of,
    outcome,
    samples,
)

# --- peak and last ----------------------------------------------------------------------------------------------


def test_peak_and_last_positive_value() -> None:
    answer = of([0, 3, 7, 14, 28, 60], [None, 20, 900, 400, 3, None])
    assert outcome(answer, "cmax", "tmax", "clast", "tlast") == (900, 7, 3, 28)


def test_of_equal_peaks_the_earliest_counts() -> None:
    answer = of([0, 7, 10, 14, 60], [None, 500, 300, 500, 500])
    assert outcome(answer, "tmax", "tmax_0_28") == (7, 7)


def test_a_second_expansion_after_day_28_moves_the_overall_peak_alone() -> None:
    answer = of([0, 10, 28, 60, 90], [None, 100, 20, 300, 5])
    assert outcome(answer, "cmax", "tmax", "cmax_0_28", "tmax_0_28") == (300, 60, 100, 10)


@pytest.mark.parametrize(("day", "early"), [("28", 9), ("28.01", 4)])
def test_day_28_itself_is_within_28_days(day: str, early: float) -> None:
    assert outcome(of([0, 10, day], [None, 4, 9]), "cmax", "cmax_0_28") == (9, early)


def test_without_a_sample_in_28_days_there_is_no_early_peak() -> None:
    answer = of([35, 60], [10, 4])
    assert outcome(answer, "cmax", "cmax_0_28", "tmax_0_28") == (10, None, None)


def test_all_blq_is_zero_without_a_time() -> None:
    answer = of([0, 7, 28, 90], [None] * 4)
    assert outcome(answer, "cmax", "cmax_0_28") == (0, 0)
    assert outcome(answer, "tmax", "tmax_0_28", "tlast", "clast", "half_life", "lambda_z") == (None,) * 6
    assert {area(answer, name, method) for name in NAMES for method in METHODS} == {0}


def test_without_samples_everything_is_missing() -> None:
    answer = kinetics([])
    names = ("cmax", "tmax", "clast", "tlast", "cmax_0_28", "tmax_0_28", "lambda_z", "half_life")
    assert outcome(answer, *names) == (None,) * 8
    for method in METHODS:
        assert answer.auc[method] == answer.auc_observed[method] == dict.fromkeys(NAMES)
    assert answer.window_covered == dict.fromkeys(NAMES, False)


def test_a_value_of_zero_is_not_positive() -> None:
    zero, blq = (of([0, 7, 14, 28], [0, 8, 4, last]) for last in (0, None))
    assert outcome(zero, "tlast", "clast") == outcome(blq, "tlast", "clast") == (14, 4)
    assert zero.auc == blq.auc


# --- known areas ------------------------------------------------------------------------------------------------

FALLING: tuple[Numbers, Numbers] = ([0, 1, 2, 3], [8, 4, 2, 1])
GAPPED: tuple[Numbers, Numbers] = ([0, 1, 2, 3, 4, 5, 6, 7], [None, 2, None, 1, 2, 1, None, None])


@pytest.mark.parametrize(
    ("profile", "middle", "window", "method", "expected"),
    [
        (FALLING, "drop", "0-3", LINEAR, 6 + 3 + 1.5),
        (FALLING, "drop", "0-3", LOG, 7 / LN2),
        (GAPPED, "drop", "0-7", LINEAR, 7),
        (GAPPED, "drop", "0-7", LOG, 2.5 + 3 / LN2),
        (GAPPED, "zero", "0-7", LINEAR, 5.5),
        (GAPPED, "zero", "0-7", LOG, 4 + 1 / LN2),
        # The last BLQ adds no triangle (a trap of others' programs).
        (([0, 1, 2, 3, 4], [8, 4, 2, 1, None]), "drop", "0-4", LOG, 7 / LN2),
        (([0, 1, 2, 3, 4], [8, 4, 2, 1, None]), "drop", "0-4", LINEAR, 10.5),
        # A plateau: the log form would be 0/0.
        (([0, 10, 28], [5, 5, 5]), "drop", "0-28", LOG, 140),
    ],
)
def test_closed_forms(profile: tuple[Numbers, Numbers], middle: str, window: str, method: str, expected: float) -> None:
    start, end = window.split("-")
    assert area(of(*profile, [(start, end)], middle), window, method) == near(expected)


def test_the_figures_printed_in_the_reference() -> None:
    assert area(of(*FALLING, [(0, 3)]), "0-3", LOG) == pytest.approx(10.0988652862, abs=5e-11)
    assert area(of(*GAPPED, [(0, 7)]), "0-7", LOG) == pytest.approx(6.8280851227, abs=5e-11)
    assert area(of(*GAPPED, [(0, 7)], "zero"), "0-7", LOG) == pytest.approx(5.4426950409, abs=5e-11)


def test_theophylline_as_published() -> None:
    one = of(*THEOPH_1, [("0", "24.37")])
    assert area(one, "0-24.37", LINEAR) == pytest.approx(148.923, abs=5e-4)
    assert area(one, "0-24.37", LOG) == pytest.approx(147.2347, abs=5e-5)
    assert (one.cmax, one.tmax) == (Decimal("10.5"), Decimal("1.12"))
    # A window that begins at a sample and ends at none (another trap).
    assert area(of(*THEOPH_2, [(12, 24)]), "12-24") == pytest.approx(23.769, abs=5e-4)


# --- below the limit, and not done ------------------------------------------------------------------------------


@pytest.mark.parametrize("middle", ["drop", "zero"])
def test_blq_before_the_first_positive_is_zero(middle: str) -> None:
    """A rise from 0 on day 3 to 10 on day 7, then level: 4·10/2 + 21·10."""
    answer = of([0, 3, 7, 28], [None, None, 10, 10], middle_blq=middle)
    assert area(answer, "0-28") == near(230)


@pytest.mark.parametrize(("middle", "expected"), [("drop", 35 + 210), ("zero", 35 + 35 + 70)])
def test_blq_between_positives_as_set(middle: str, expected: float) -> None:
    """10 on days 7 and 28, BLQ on day 14; as zero 7·10/2 down and 14·10/2 up, dropped a level of 21 days."""
    answer = of([0, 7, 14, 28], [None, 10, None, 10], middle_blq=middle)
    assert area(answer, "0-28") == near(expected)
    assert answer.middle_blq == middle


def test_a_fall_to_zero_between_positives_is_linear_in_both_methods() -> None:
    answer = of([0, 7, 14, 28], [10, 10, None, 10], middle_blq="zero")
    assert area(answer, "0-28", LOG) == area(answer, "0-28", LINEAR) == near(70 + 35 + 70)


def test_not_done_is_no_sample_at_all() -> None:
    pk = INSTRUMENTS["pk"]
    time, conc = ([Decimal(one) for one in given] for given in ((0, 7, 14, 28, 90), (0, 10, 500, 10, 2)))
    kept = [0, 1, 3, 4]
    without = pk(time=[time[i] for i in kept], conc=[conc[i] for i in kept])
    assert pk(time=time, conc=conc, not_done=[False, False, True, False, None]) == without
    assert pk(time=time, conc=[*conc[:2], None, *conc[3:]]) == without
    below = pk(time=time, conc=conc, blq=[None, None, True, None, None], middle_blq="zero")
    assert area(below, "0-28") == near(35 + 35 + 70)
    assert area(without, "0-28") == near(35 + 210)


def test_not_done_at_the_end_leaves_open_what_a_blq_closes() -> None:
    pk = INSTRUMENTS["pk"]
    time, conc = [Decimal(0), Decimal(7), Decimal(20)], [Decimal(0), Decimal(10), None]
    opened, closed = (
        pk(time=time, conc=conc, not_done=[False, False, True]),
        pk(time=time, conc=conc, blq=[False, False, True]),
    )
    assert (opened.auc[LINEAR]["0-28"], opened.auc[LINEAR]["28-90"]) == (None, None)
    assert (area(closed, "0-28"), area(closed, "28-90")) == (35, 0)


def test_not_done_at_infusion_is_no_time_zero() -> None:
    time, conc = [Decimal(0), Decimal(7), Decimal(90)], [Decimal(0), Decimal(10), Decimal(10)]
    answer = INSTRUMENTS["pk"](time=time, conc=conc, not_done=[True, False, False])
    assert (answer.auc[LINEAR]["0-28"], area(answer, "28-90")) == (None, 620)


# --- windows ----------------------------------------------------------------------------------------------------

# 0 on day 0, 64 on day 14, 16 on day 42 (half-life 14 days: 32 on day 28; on a straight line 40), BLQ on day 90.
OVER: tuple[Numbers, Numbers] = ([0, 14, 42, 90], [None, 64, 16, None])
EXPECTED = {
    LINEAR: {"0-28": 448 + 14 * (64 + 40) / 2, "28-90": 14 * (40 + 16) / 2},
    LOG: {"0-28": 448 + 14 * 32 / LN2, "28-90": 14 * 16 / LN2},
}


@pytest.mark.parametrize("method", METHODS)
def test_an_end_that_was_not_sampled_is_interpolated_by_the_same_rule(method: str) -> None:
    answer = of(*OVER)
    for window, expected in EXPECTED[method].items():
        assert area(answer, window, method) == near(expected)
    assert area(answer, "0-90", method) == near(sum(EXPECTED[method].values()))


def test_follow_up_that_ends_inside_a_window_while_positive() -> None:
    answer = of([0, 14, 42], [None, 64, 16])
    assert answer.window_covered == {"0-28": True, "0-90": False, "28-90": False}
    for method in METHODS:
        first, rest = EXPECTED[method].values()
        assert area(answer, "0-28", method) == near(first)
        assert (answer.auc[method]["0-90"], answer.auc[method]["28-90"]) == (None, None)
        observed = answer.auc_observed[method]
        assert [float(observed[name] or 0) for name in NAMES] == [near(first), near(first + rest), near(rest)]


def test_a_window_that_begins_after_follow_up_ended_positive_is_not_zero() -> None:
    answer = of([0, 7, 21], [None, 10, 10])
    for method in METHODS:
        assert answer.auc[method]["28-90"] is None
        assert not answer.auc_observed[method]["28-90"]


def test_follow_up_to_the_very_end_of_a_window_covers_it() -> None:
    covered = of([0, 7, 28], [None, 10, 10]).window_covered
    assert covered == {"0-28": True, "0-90": False, "28-90": False}


@pytest.mark.parametrize("confirmed", [20, 28, 40])
def test_after_the_last_blq_nothing_more_is_added(confirmed: float) -> None:
    answer = of([0, 7, 14, confirmed], [None, 10, 10, None])
    for method in METHODS:
        assert area(answer, "0-28", method) == area(answer, "0-90", method) == near(35 + 70)
        assert area(answer, "28-90", method) == 0


def test_without_a_time_zero_sample_the_area_from_zero_is_missing() -> None:
    answer = of([3, 7, 35, 90], [2, 10, 10, 10])
    assert answer.window_covered == {"0-28": False, "0-90": False, "28-90": True}
    for method in METHODS:
        assert (answer.auc[method]["0-28"], answer.auc[method]["0-90"]) == (None, None)
        assert area(answer, "28-90", method) == near(620)
        assert float(answer.auc_observed[method]["0-28"] or 0) == near(24 + 210)


def test_a_sample_before_infusion_begins_the_curve() -> None:
    """BLQ a day before, 8 on day 7: the line passes 1 at infusion, and only what follows infusion counts."""
    answer = of([-1, 7, 28], [None, 8, 8])
    assert area(answer, "0-28") == near(7 * (1 + 8) / 2 + 21 * 8)
    assert area(of([-3, 0, 7, 28], [None, None, 8, 8]), "0-28") == near(28 + 168)


def test_windows_are_named_by_their_ends() -> None:
    answer = of([0, 7, 200], [None, 10, 10], [("0.0", "14"), ("7", "10.50"), ("100", "200")])
    assert set(answer.auc[LOG]) == set(answer.auc[LINEAR]) == {"0-14", "7-10.5", "100-200"}
    assert (area(answer, "0-14"), area(answer, "7-10.5"), area(answer, "100-200")) == (105, 35, 1000)
    assert set(of([0], [None]).auc[LINEAR]) == set(NAMES)


# --- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [5, 6, None])
def test_two_samples_of_one_time_are_refused(value: float | None) -> None:
    with pytest.raises(ValueError, match="one time"):
        kinetics([*samples([0, 7, 14], [None, 5, 2]), *samples(["7.0"], [value])])


@pytest.mark.parametrize(
    ("windows", "middle"), [([(28, 28)], "drop"), ([(90, 28)], "zero"), ([(0, 28)], "keep"), ([(0, 28)], "")]
)
def test_empty_windows_and_unknown_settings_are_refused(windows: Windows, middle: str) -> None:
    with pytest.raises(ValueError, match="setting"):
        of([0, 7], [None, 5], windows, middle)


# --- any profile ------------------------------------------------------------------------------------------------

VALUES = st.decimals(min_value="0.01", max_value=1_000_000, places=2) | st.sampled_from([None, None, Decimal(5)])
DAYS = st.decimals(min_value="0.01", max_value="119.99", places=2)


@st.composite
def profiles(draw: st.DrawFn) -> list[Sample]:
    """A sample at infusion, some on the way, and a last one after day 90, so that every window is covered."""
    days = draw(st.lists(DAYS, min_size=2, max_size=10, unique=True))
    ends = (Decimal(0), draw(VALUES)), (Decimal(120), draw(VALUES))
    return [Sample(time, value) for time, value in [*ends, *((day, draw(VALUES)) for day in days)]]


def points(profile: list[Sample], middle: str) -> list[tuple[float, float]]:
    """The corners of the curve, told from the rules once more."""
    done = sorted((float(one.time), float(one.conc or 0)) for one in profile)
    positive = [time for time, value in done if value > 0]
    if not positive:
        return []
    return [
        (time, value)
        for time, value in done
        if time <= positive[-1] and (value > 0 or time < positive[0] or middle == "zero")
    ]


def height(corners: list[tuple[float, float]], at: float, method: str) -> float:
    """The curve at one time; 0 outside of it."""
    if not corners or not corners[0][0] <= at < corners[-1][0]:
        return 0.0
    place = bisect_right(corners, (at, float("inf")))
    (t1, c1), (t2, c2) = corners[place - 1 : place + 1]
    share = (at - t1) / (t2 - t1)
    if method == LOG and 0 < c2 < c1:
        return exp(log(c1) * (1 - share) + log(c2) * share)
    return c1 * (1 - share) + c2 * share


def quadrature(corners: list[tuple[float, float]], start: float, end: float, method: str, slices: int = 400) -> float:
    """The area by midpoints, `slices` of them between any two neighbouring corners or ends."""
    edges = sorted({start, end, *(time for time, _ in corners if start < time < end)})
    total = 0.0
    for a, b in pairwise(edges):
        wide = (b - a) / slices
        total += wide * sum(height(corners, a + (i + 0.5) * wide, method) for i in range(slices))
    return total


@pytest.mark.parametrize("method", METHODS)
def test_the_quadrature_knows_the_closed_forms(method: str) -> None:
    """Else it would be no judge."""
    corners = [(float(time or 0), float(value or 0)) for time, value in zip(*OVER, strict=True)][:3]
    for window, expected in EXPECTED[method].items():
        start, end = (float(edge) for edge in window.split("-"))
        assert quadrature(corners, start, end, method) == pytest.approx(expected, rel=1e-6)


@settings(max_examples=100, deadline=None)
@given(profile=profiles(), middle=st.sampled_from(["drop", "zero"]))
def test_areas_are_those_of_a_fine_quadrature(profile: list[Sample], middle: str) -> None:
    answer = kinetics(profile, middle_blq=middle)
    corners = points(profile, middle)
    for method in METHODS:
        for window in NAMES:
            start, end = (float(edge) for edge in window.split("-"))
            expected = quadrature(corners, start, end, method)
            assert area(answer, window, method) == pytest.approx(expected, rel=2e-4, abs=1e-9)


@settings(max_examples=300, deadline=None)
@given(profile=profiles(), middle=st.sampled_from(["drop", "zero"]))
def test_the_parts_of_a_window_add_up(profile: list[Sample], middle: str) -> None:
    answer = kinetics(profile, middle_blq=middle)
    for method in METHODS:
        first, whole, rest = (area(answer, name, method) for name in NAMES)
        assert first + rest == pytest.approx(whole, rel=1e-9, abs=0)


@settings(max_examples=100, deadline=None)
@given(profile=profiles(), middle=st.sampled_from(["drop", "zero"]))
def test_linear_is_never_less_than_log_down(profile: list[Sample], middle: str) -> None:
    """An exponential lies below its chord."""
    answer = kinetics(profile, middle_blq=middle)
    for name in NAMES:
        assert area(answer, name, LINEAR) >= area(answer, name, LOG) * (1 - 1e-11)


@settings(max_examples=50, deadline=None)
@given(profile=profiles(), seed=st.integers(0, 99))
def test_the_order_of_samples_does_not_matter(profile: list[Sample], seed: int) -> None:
    shuffled = random.Random(seed).sample(profile, len(profile))
    assert kinetics(shuffled) == kinetics(profile)


@settings(max_examples=50, deadline=None)
@given(profile=profiles(), k=st.sampled_from([Decimal("0.001"), Decimal(3), Decimal("4096.5")]))
def test_another_unit_scales_peak_and_areas(profile: list[Sample], k: Decimal) -> None:
    one = kinetics(profile)
    other = kinetics([Sample(s.time, None if s.conc is None else s.conc * k) for s in profile])
    assert (other.cmax, other.tmax, other.tlast) == ((one.cmax or 0) * k, one.tmax, one.tlast)
    for method in METHODS:
        for name in NAMES:
            assert area(other, name, method) == pytest.approx(area(one, name, method) * float(k), rel=1e-10)
