"""3+3: every row of the table, and whom it counts. And which laboratory value stands for a visit or a baseline."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from backend.analysis.cohorts import Counts, Member, counts, three_plus_three
from backend.analysis.selection import Value, last_before, nearest
from backend.instruments.logic import Reading

NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
WINDOW = timedelta(days=28)
SECOND = timedelta(seconds=1)


def member(days_ago: float | None, *, left_after: float | None = None, dlt: str = "no") -> Member:
    """Infused so many days ago, gone so many days after."""
    infused = None if days_ago is None else NOW - timedelta(days=days_ago)
    ended = infused + timedelta(days=left_after) if infused is not None and left_after is not None else None
    return Member("001", infused, ended, dlt)


def only(one: Member, now: datetime = NOW) -> dict[str, int]:
    """What a level of one subject counts, without the zeros."""
    found = counts([one], now, WINDOW)
    return {name: getattr(found, name) for name in Counts.__dataclass_fields__ if getattr(found, name)}


# --- The table ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("evaluable", "dlt", "row"),
    [
        (0, 0, "wait"),
        (1, 0, "wait"),
        (2, 0, "wait"),
        (1, 1, "wait"),
        (2, 1, "wait"),
        (2, 2, "stop"),
        (3, 0, "escalate"),
        (3, 1, "expand"),
        (3, 2, "stop"),
        (3, 3, "stop"),
        (4, 1, "expand"),
        (5, 1, "expand"),
        (4, 2, "stop"),
        (6, 0, "escalate"),
        (6, 1, "escalate"),
        (6, 2, "stop"),
        (6, 6, "stop"),
    ],
)
def test_every_row(evaluable: int, dlt: int, row: str) -> None:
    assert three_plus_three(evaluable, dlt) == row


# --- Whom it counts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "counted"),
    [
        (member(None), {}),
        (member(10), {"dosed": 1, "pending": 1}),
        (member(30), {"dosed": 1, "evaluable": 1}),
        (member(10, dlt="confirmed"), {"dosed": 1, "evaluable": 1, "dlt": 1}),
        (member(10, dlt="suspected"), {"dosed": 1, "pending": 1, "suspected": 1}),
        (member(30, dlt="suspected"), {"dosed": 1, "evaluable": 1, "suspected": 1}),
        (member(10, left_after=5), {"dosed": 1, "replaced": 1}),
        (member(40, left_after=5), {"dosed": 1, "replaced": 1}),
        (member(40, left_after=35), {"dosed": 1, "evaluable": 1}),
        (member(40, left_after=5, dlt="confirmed"), {"dosed": 1, "evaluable": 1, "dlt": 1}),
    ],
)
def test_one_subject(one: Member, counted: dict[str, int]) -> None:
    assert only(one) == {"enrolled": 1, **counted}


@pytest.mark.parametrize(("now", "state"), [(NOW - SECOND, "pending"), (NOW, "evaluable"), (NOW + SECOND, "evaluable")])
def test_evaluable_from_the_very_end_of_the_window(now: datetime, state: str) -> None:
    assert only(member(28), now) == {"enrolled": 1, "dosed": 1, state: 1}


@pytest.mark.parametrize(("early", "state"), [(SECOND, "replaced"), (timedelta(), "evaluable"), (-SECOND, "evaluable")])
def test_who_leaves_at_the_very_end_of_the_window_has_completed_it(early: timedelta, state: str) -> None:
    one = Member("001", NOW - timedelta(days=60), NOW - timedelta(days=32) - early)
    assert only(one) == {"enrolled": 1, "dosed": 1, state: 1}


def test_a_whole_level() -> None:
    level = [
        member(None),
        member(60),
        member(50, dlt="confirmed"),
        member(40, left_after=3),
        member(5),
        member(4, dlt="suspected"),
        member(29),
    ]
    assert counts(level, NOW, WINDOW) == Counts(
        enrolled=7, dosed=6, evaluable=3, dlt=1, suspected=1, pending=2, replaced=1
    )


def test_nobody() -> None:
    assert counts([], NOW, WINDOW) == Counts(0, 0, 0, 0, 0, 0, 0)


# --- Which value ----------------------------------------------------------------------------------------------


def value(hours: float, n: int = 0) -> Value:
    """Collected so many hours from the visit."""
    return Value(UUID(int=n), "crp", NOW + timedelta(hours=hours), Reading(Decimal(n)))


def chosen(*hours: float, opens: float | None = -48, closes: float | None = 48) -> float | None:
    """How far from the visit the value lies that stands for it."""
    window = [None if edge is None else NOW + timedelta(hours=edge) for edge in (opens, closes)]
    found = nearest([value(one, n) for n, one in enumerate(hours)], NOW, *window)
    return None if found is None else (found.at - NOW) / timedelta(hours=1)


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        ([-20, 3, 10], 3),
        ([20, -5, 10], -5),
        ([2, -2], -2),  # of two as near the earlier
        ([-2, 2], -2),
        ([48], None),  # the window's end is outside
        ([47.9], 47.9),
        ([-48], -48),
        ([-48.1], None),
        ([-49, 40], 40),  # what is outside does not count, however near
        ([], None),
    ],
)
def test_nearest_inside_the_window(hours: list[float], expected: float | None) -> None:
    assert chosen(*hours) == expected


def test_nearer_but_outside_is_left_out() -> None:
    assert chosen(-3, 20, opens=-2) == 20
    assert chosen(3, -20, closes=3) == -20


@pytest.mark.parametrize(("opens", "closes", "expected"), [(None, 10, -100), (-10, None, 90), (None, None, 90)])
def test_an_edge_that_is_not_known_does_not_bound(
    opens: float | None, closes: float | None, expected: float | None
) -> None:
    assert chosen(-100, 90, opens=opens, closes=closes) == expected


def test_of_two_at_the_same_instant_always_the_same() -> None:
    pair = [value(1, 7), value(1, 3)]
    assert nearest(pair, NOW, None, None) == nearest(pair[::-1], NOW, None, None) == pair[1]


def test_the_baseline_is_the_last_value_before() -> None:
    some = [value(0, 1), value(-2, 2), value(-30, 3), value(5, 4)]
    assert last_before(some, NOW) == some[1]
    assert last_before([some[0], some[3]], NOW) is None
