"""Spells: which findings of one kind are one event, in worked examples and for any findings at all."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.analysis.spells import Point, Spell, spells

MONDAY = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
LEAST = 2
JOIN = timedelta(days=3)


def day(number: float) -> datetime:
    return MONDAY + timedelta(days=number)


def of(*given: tuple[float, int | None], least: int = LEAST, join: timedelta = JOIN) -> list[Spell]:
    """The spells of (day, worth); the source of each finding is its place."""
    return spells((Point(day(at), worth, place) for place, (at, worth) in enumerate(given)), least, join)


def told(*given: tuple[float, int | None], **over: object) -> list[tuple[tuple[int, ...], int]]:
    return [(one.sources, one.worst) for one in of(*given, **over)]  # type: ignore[arg-type]


# --- Worked examples ------------------------------------------------------------------------------------------


def test_nothing_found_is_no_spell() -> None:
    assert of() == []
    assert of((0, 0), (1, 1), (2, None)) == []


def test_one_finding_is_a_spell_that_has_not_ended() -> None:
    assert of((1, 2)) == [Spell(day(1), day(1), 2, (0,), None)]


def test_four_reports_a_day_of_one_headache_are_one() -> None:
    reports = [(at / 4, 2) for at in range(12)]
    assert of(*reports) == [Spell(day(0), day(2.75), 2, tuple(range(12)), None)]


def test_the_worst_is_that_of_any_finding() -> None:
    assert told((0, 2), (1, 3), (2, 2)) == [((0, 1, 2), 3)]


def test_it_ends_with_the_first_finding_below_the_limit() -> None:
    assert of((0, 3), (1, 1), (2, 0)) == [Spell(day(0), day(0), 3, (0,), day(1))]


def test_what_comes_back_soon_is_the_same_and_has_not_ended() -> None:
    assert of((0, 2), (1, 0), (3, 2)) == [Spell(day(0), day(3), 2, (0, 2), None)]


def test_it_ends_after_its_last_finding_not_in_between() -> None:
    assert of((0, 2), (1, 0), (2, 2), (4, 1), (5, 0)) == [Spell(day(0), day(2), 2, (0, 2), day(4))]


def test_joined_up_to_and_with_the_limit() -> None:
    second = timedelta(seconds=1) / timedelta(days=1)
    assert told((0, 2), (1, 0), (3, 2)) == [((0, 2), 2)]
    assert told((0, 2), (1, 0), (3 + second, 2)) == [((0,), 2), ((2,), 2)]


def test_joined_by_the_finding_before_not_by_the_first() -> None:
    assert told((0, 2), (1, 0), (3, 2), (4, 0), (6, 2)) == [((0, 2, 4), 2)]


def test_what_never_went_away_is_one_however_far_apart() -> None:
    assert told((0, 2), (90, 2)) == [((0, 1), 2)]


def test_two_spells_end_apart() -> None:
    first, second = of((0, 3), (1, 0), (9, 2), (10, 0), (11, 0))
    assert (first.ended_at, second.ended_at) == (day(1), day(10))
    assert (first.worst, second.worst) == (3, 2)


@pytest.mark.parametrize("unknown", [(1,), (1, 2, 5), (0.5, 8)])
def test_an_unknown_finding_says_nothing(unknown: tuple[float, ...]) -> None:
    said = [(0, 2), (4, 0), (9, 2)]
    among = sorted([*said, *((at, None) for at in unknown)], key=lambda one: one[0])
    spans = [(one.since, one.until, one.worst, one.ended_at) for one in of(*said)]
    assert [(one.since, one.until, one.worst, one.ended_at) for one in of(*among)] == spans


def test_an_unknown_finding_is_in_no_spell() -> None:
    assert told((0, 2), (1, None), (2, 2)) == [((0, 2), 2)]


def test_an_unknown_finding_does_not_bridge() -> None:
    assert told((0, 2), (1, 0), (2, None), (4, 2)) == [((0,), 2), ((3,), 2)]


def test_joined_over_no_time_at_all() -> None:
    assert told((0, 2), (1, 0), (2, 2), join=timedelta(0)) == [((0,), 2), ((2,), 2)]
    assert told((0, 2), (1, 2), join=timedelta(0)) == [((0, 1), 2)]


def test_the_limit_is_inside() -> None:
    assert told((0, 3), least=3) == [((0,), 3)]
    assert told((0, 2), least=3) == []


@pytest.mark.parametrize("sources", ["ab", "ba"])
def test_of_two_findings_of_one_instant_the_worse_holds(sources: str) -> None:
    """A sample counted twice: which of its rows has the lower id decides nothing, and nothing ends as it begins."""
    low, high = sources
    (spell,) = spells([Point(day(0), 0, low), Point(day(0), 3, high)], LEAST, JOIN)
    assert spell == Spell(day(0), day(0), 3, (high,), None)
    assert told((0, 2), (10, 0), (10, 3)) == [((0, 2), 3)]  # so it never went away


# --- For any findings -----------------------------------------------------------------------------------------

# Some are of one instant, where the worse holds.
POINTS = st.lists(st.tuples(st.integers(0, 60), st.sampled_from([None, 0, 1, 2, 3])), max_size=25).map(
    lambda some: [Point(MONDAY + timedelta(hours=12 * at), worth, f"s{n}") for n, (at, worth) in enumerate(some)]
)
LIMITS = st.integers(1, 3)
JOINS = st.integers(0, 200).map(lambda hours: timedelta(hours=hours))
fast = settings(max_examples=150, deadline=None)


def below(points: Sequence[Point], least: int) -> list[datetime]:
    """When the worst that was found lay below the limit."""
    worst: dict[datetime, int] = {}
    for one in points:
        if one.worth is not None:
            worst[one.at] = max(one.worth, worst.get(one.at, 0))
    return sorted(at for at, worth in worst.items() if worth < least)


@fast
@given(POINTS, LIMITS, JOINS, st.randoms(use_true_random=False))
def test_the_order_of_findings_does_not_matter(points: list[Point], least: int, join: timedelta, dice: Random) -> None:
    shuffled = list(points)
    dice.shuffle(shuffled)
    assert spells(shuffled, least, join) == spells(points, least, join) == spells(iter(points), least, join)


@fast
@given(POINTS, LIMITS, JOINS)
def test_every_finding_at_the_limit_is_in_one_spell(points: list[Point], least: int, join: timedelta) -> None:
    held = Counter(source for one in spells(points, least, join) for source in one.sources)
    assert held == Counter(one.source for one in points if one.worth is not None and one.worth >= least)


@fast
@given(POINTS, LIMITS, JOINS)
def test_a_spell_is_what_its_findings_say(points: list[Point], least: int, join: timedelta) -> None:
    by_source = {one.source: one for one in points}
    found = spells(points, least, join)
    for spell in found:
        members = [by_source[source] for source in spell.sources]
        assert members == sorted(members, key=lambda one: one.at)
        assert (spell.since, spell.until) == (members[0].at, members[-1].at)
        assert spell.worst == max(one.worth for one in members if one.worth is not None)
    assert all(one.until < other.since for one, other in pairwise(found))


@fast
@given(POINTS, LIMITS, JOINS)
def test_what_belongs_together_and_what_does_not(points: list[Point], least: int, join: timedelta) -> None:
    by_source, low = {one.source: one.at for one in points}, below(points, least)
    found = spells(points, least, join)

    def apart(one: datetime, other: datetime) -> bool:
        return other - one > join and any(one < at < other for at in low)

    for spell in found:
        members = [by_source[source] for source in spell.sources]
        assert not any(apart(one, other) for one, other in pairwise(members))
    assert all(apart(one.until, other.since) for one, other in pairwise(found))


@fast
@given(POINTS, LIMITS, JOINS)
def test_the_end_is_the_first_low_finding_after_the_last(points: list[Point], least: int, join: timedelta) -> None:
    low = below(points, least)
    for spell in spells(points, least, join):
        assert spell.ended_at == min((at for at in low if at > spell.until), default=None)


@fast
@given(POINTS, LIMITS, JOINS)
def test_unknown_findings_may_as_well_be_missing(points: list[Point], least: int, join: timedelta) -> None:
    assert spells([one for one in points if one.worth is not None], least, join) == spells(points, least, join)


@fast
@given(POINTS, LIMITS)
def test_more_is_joined_over_a_longer_time(points: list[Point], least: int) -> None:
    counts = [len(spells(points, least, timedelta(hours=hours))) for hours in (0, 24, 72, 24 * 31)]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] <= 1
