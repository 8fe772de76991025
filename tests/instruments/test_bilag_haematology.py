"""BILAG-2004, haematological: every band on its edges, haemolysis with each haemoglobin, and counts not done.

Bands of Isenberg 2005. The print leaves gaps between its bands (9.95 g/dL, platelets of 49.5); they are read half-open,
from the lower limit up to, but without, the next. The whole grid is held against `reference`, told item by item.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.instruments.bilag2004 import Graded
from backend.scoring import INSTRUMENTS

Values = Mapping[str, Any]

QUIET: Values = {
    "haemoglobin_g_dl": Decimal(13),
    "wbc_1e9_l": Decimal(6),
    "neutrophils_1e9_l": Decimal(4),
    "lymphocytes_1e9_l": Decimal(2),
    "platelets_1e9_l": Decimal(250),
    "ttp": 0,
    "active_haemolysis": False,
    "coombs_isolated": False,
}
EACH_NAME = pytest.mark.parametrize("name", list(QUIET))


def graded(before: bool | None = False, **current: Any) -> Graded:
    """What is given, laid over a quiet blood count."""
    answer = INSTRUMENTS["bilag2004"]("haematological", previously_involved=before, current={**QUIET, **current})
    assert isinstance(answer, Graded)
    return answer


def grade(**current: Any) -> str | None:
    return graded(**current).grade


# --- bands ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("haemoglobin_g_dl", "4", "B"), ("haemoglobin_g_dl", "7.9", "B"), ("haemoglobin_g_dl", "7.99", "B"),
        ("haemoglobin_g_dl", "8", "C"), ("haemoglobin_g_dl", "10", "C"), ("haemoglobin_g_dl", "10.95", "C"),
        ("haemoglobin_g_dl", "10.9", "C"), ("haemoglobin_g_dl", "11", "E"),
        ("wbc_1e9_l", "0", "B"), ("wbc_1e9_l", "0.99", "B"), ("wbc_1e9_l", "1.0", "C"), ("wbc_1e9_l", "3.9", "C"),
        ("wbc_1e9_l", "3.99", "C"), ("wbc_1e9_l", "4.0", "E"),
        ("neutrophils_1e9_l", "0", "B"), ("neutrophils_1e9_l", "0.49", "B"), ("neutrophils_1e9_l", "0.5", "C"),
        ("neutrophils_1e9_l", "1.9", "C"), ("neutrophils_1e9_l", "1.99", "C"), ("neutrophils_1e9_l", "2.0", "E"),
        ("lymphocytes_1e9_l", "0", "C"), ("lymphocytes_1e9_l", "0.99", "C"), ("lymphocytes_1e9_l", "1.0", "E"),
        ("platelets_1e9_l", "0", "A"), ("platelets_1e9_l", "24", "A"), ("platelets_1e9_l", "24.9", "A"),
        ("platelets_1e9_l", "25", "B"), ("platelets_1e9_l", "49", "B"), ("platelets_1e9_l", "49.5", "B"),
        ("platelets_1e9_l", "50", "C"), ("platelets_1e9_l", "149", "C"), ("platelets_1e9_l", "149.9", "C"),
        ("platelets_1e9_l", "150", "E"),
    ],
)  # fmt: skip
def test_a_count_alone_falls_into_its_band(name: str, value: str, expected: str) -> None:
    current: dict[str, Any] = {name: Decimal(value)}
    answer = graded(**current)
    assert (answer.grade, answer.incomplete) == (expected, False)
    if expected != "E":
        assert [dict(reason.values) for reason in answer.reasons] == [current]


@pytest.mark.parametrize(
    ("haemoglobin", "with_haemolysis", "without"),
    [
        ("5", "A", "B"), ("7.9", "A", "B"), ("7.99", "A", "B"),
        ("8", "B", "C"), ("9.9", "B", "C"), ("9.95", "B", "C"),
        ("10", "C", "C"), ("10.9", "C", "C"), ("11", "C", "E"), ("14", "C", "E"),
    ],
)  # fmt: skip
def test_haemolysis_and_haemoglobin(haemoglobin: str, with_haemolysis: str, without: str) -> None:
    value = Decimal(haemoglobin)
    assert grade(haemoglobin_g_dl=value, active_haemolysis=True) == with_haemolysis
    assert grade(haemoglobin_g_dl=value, active_haemolysis=False) == without


@pytest.mark.parametrize(("ttp", "expected"), [(0, "E"), (1, "B"), (2, "A"), (3, "A"), (4, "A")])
def test_thrombotic_thrombocytopenic_purpura(ttp: int, expected: str) -> None:
    assert grade(ttp=ttp) == expected


def test_an_isolated_positive_coombs_test_gives_c() -> None:
    assert grade(coombs_isolated=True) == "C"


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        ({"haemoglobin_g_dl": Decimal(9), "wbc_1e9_l": Decimal("0.8")}, "B"),
        ({"platelets_1e9_l": Decimal(20), "lymphocytes_1e9_l": Decimal("0.5")}, "A"),
        ({"platelets_1e9_l": Decimal(40), "ttp": 3}, "A"),
        ({"haemoglobin_g_dl": Decimal("9.2"), "active_haemolysis": True, "coombs_isolated": True}, "B"),
        ({"neutrophils_1e9_l": Decimal("0.3"), "haemoglobin_g_dl": Decimal(7), "active_haemolysis": True}, "A"),
        ({"lymphocytes_1e9_l": Decimal("0.1"), "neutrophils_1e9_l": Decimal("1.5")}, "C"),
    ],
)
def test_the_worst_of_several_decides(current: dict[str, Any], expected: str) -> None:
    """Told by hand from the categories of Isenberg 2005."""
    assert grade(**current) == expected


def test_every_rule_that_gave_the_grade_is_named() -> None:
    answer = graded(wbc_1e9_l=Decimal("0.9"), platelets_1e9_l=Decimal(30), lymphocytes_1e9_l=Decimal("0.2"))
    assert answer.grade == "B"
    assert {name for reason in answer.reasons for name in reason.values} == {"wbc_1e9_l", "platelets_1e9_l"}


# --- the whole grid -------------------------------------------------------------------------------------------

# One value inside each band of each item, the worst first.
BANDS: Mapping[str, tuple[Any, ...]] = {
    "haemoglobin_g_dl": (Decimal(7), Decimal(9), Decimal("10.5"), Decimal(13)),
    "wbc_1e9_l": (Decimal("0.5"), Decimal(2), Decimal(6)),
    "neutrophils_1e9_l": (Decimal("0.2"), Decimal(1), Decimal(4)),
    "lymphocytes_1e9_l": (Decimal("0.4"), Decimal(2)),
    "platelets_1e9_l": (Decimal(10), Decimal(30), Decimal(90), Decimal(250)),
    "ttp": (4, 1, 0),
    "active_haemolysis": (True, False),
    "coombs_isolated": (True, False),
}


def reference(current: Values) -> str:
    """The grade of a system never involved before: the best letter any item gives."""
    haemoglobin = BANDS["haemoglobin_g_dl"].index(current["haemoglobin_g_dl"])
    letters = [
        ("ABCC" if current["active_haemolysis"] else "BCCE")[haemoglobin],
        "BCE"[BANDS["wbc_1e9_l"].index(current["wbc_1e9_l"])],
        "BCE"[BANDS["neutrophils_1e9_l"].index(current["neutrophils_1e9_l"])],
        "CE"[BANDS["lymphocytes_1e9_l"].index(current["lymphocytes_1e9_l"])],
        "ABCE"[BANDS["platelets_1e9_l"].index(current["platelets_1e9_l"])],
        "ABE"[BANDS["ttp"].index(current["ttp"])],
        "C" if current["coombs_isolated"] else "E",
    ]
    return min(letters)


def grid(names: Mapping[str, tuple[Any, ...]] = BANDS) -> Iterator[dict[str, Any]]:
    for values in product(*names.values()):
        yield dict(zip(names, values, strict=True))


def test_every_combination_of_bands() -> None:
    for current in grid():
        answer = graded(**current)
        assert (answer.grade, answer.incomplete) == (reference(current), False), current


# --- not due to lupus -----------------------------------------------------------------------------------------

DESTROYED: Values = {name: values[0] for name, values in BANDS.items()}


@EACH_NAME
def test_what_is_not_due_to_lupus_is_ignored(name: str) -> None:
    worst = {name: DESTROYED[name]}
    assert grade(**worst, attributable_to_sle=True) in ("A", "B", "C")
    aside = graded(**worst, attributable_to_sle=False)
    assert (aside.grade, aside.incomplete) == ("E", False)


@pytest.mark.parametrize(("before", "expected"), [(True, "D"), (False, "E"), (None, None)])
def test_all_of_it_not_due_to_lupus_leaves_what_history_tells(before: bool | None, expected: str | None) -> None:
    aside = graded(before, **DESTROYED, attributable_to_sle=False)
    assert (aside.grade, aside.incomplete) == (expected, before is None)


def test_counts_not_done_and_not_due_to_lupus_raise_no_question() -> None:
    aside = graded(**dict.fromkeys(QUIET), attributable_to_sle=False)
    assert (aside.grade, aside.incomplete) == ("E", False)


def test_without_a_word_on_attribution_counts_are_due_to_lupus() -> None:
    assert graded(**DESTROYED) == graded(**DESTROYED, attributable_to_sle=True)


def test_an_unknown_attribution_settles_nothing() -> None:
    assert graded(**DESTROYED, attributable_to_sle=None).incomplete
    assert not graded(attributable_to_sle=None).incomplete


# --- D and E, not done ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "expected"), [(True, "D"), (False, "E"), (None, None)])
def test_of_a_quiet_count_history_tells_d_from_e(before: bool | None, expected: str | None) -> None:
    quiet = graded(before)
    assert (quiet.grade, quiet.incomplete) == (expected, before is None)


@EACH_NAME
def test_one_item_not_done_in_a_quiet_count_makes_it_incomplete(name: str) -> None:
    partial = graded(**{name: None})
    assert (partial.grade, partial.incomplete) == ("E", True)


@pytest.mark.parametrize(
    ("current", "expected", "incomplete"),
    [
        ({"platelets_1e9_l": None, "ttp": 2}, "A", False),  # nothing is higher
        ({"platelets_1e9_l": None, "ttp": 1}, "B", True),
        ({"wbc_1e9_l": None, "ttp": 1}, "B", False),  # white cells could give no more than B
        ({"wbc_1e9_l": None, "coombs_isolated": True}, "C", True),
        ({"lymphocytes_1e9_l": None, "coombs_isolated": True}, "C", False),
        ({"coombs_isolated": None, "lymphocytes_1e9_l": Decimal("0.9")}, "C", False),
        ({"haemoglobin_g_dl": None, "ttp": 1}, "B", False),  # without haemolysis it gives no more than B
        ({"haemoglobin_g_dl": None, "ttp": 1, "active_haemolysis": True}, "B", True),
        ({"haemoglobin_g_dl": None, "active_haemolysis": True}, "C", True),
        ({"haemoglobin_g_dl": Decimal(7), "active_haemolysis": None}, "B", True),
        ({"haemoglobin_g_dl": Decimal(9), "active_haemolysis": None}, "C", True),
        ({"haemoglobin_g_dl": Decimal("10.5"), "active_haemolysis": None}, "C", False),
        ({"haemoglobin_g_dl": Decimal(13), "active_haemolysis": None}, "E", True),
    ],
)
def test_worked_examples_of_what_was_not_done(current: dict[str, Any], expected: str, incomplete: bool) -> None:
    answer = graded(**current)
    assert (answer.grade, answer.incomplete) == (expected, incomplete)


@settings(deadline=None)
@given(
    st.fixed_dictionaries({name: st.sampled_from(values) for name, values in BANDS.items()}),
    st.sets(st.sampled_from(sorted(BANDS)), max_size=4),
)
def test_incomplete_exactly_if_some_value_of_what_was_not_done_gives_a_higher_grade(
    current: dict[str, Any], undone: set[str]
) -> None:
    answer = graded(**current | dict.fromkeys(undone))
    later = [reference(current | values) for values in grid({name: BANDS[name] for name in sorted(undone)})]
    assert answer.grade == max(later)  # letters sort from the best to the worst
    assert answer.incomplete == (min(later) < max(later))


@pytest.mark.parametrize("current", [None, {}], ids=["absent", "empty"])
def test_blood_nobody_counted_is_not_a_quiet_count(current: Values | None) -> None:
    nothing = INSTRUMENTS["bilag2004"]("haematological", previously_involved=True, current=current)
    assert (nothing.grade, nothing.incomplete) == ("D", True)
