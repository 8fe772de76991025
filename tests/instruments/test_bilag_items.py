"""BILAG-2004, the systems of coded items: which item belongs where, every grade, and what an undone item may hide.

Items as on the index form of 1 September 2009; rules and categories of Isenberg 2005 and Yee 2006. The lists stand
here a second time, and grades are told a second time by `reference`, which shares nothing with the product.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.instruments.bilag2004 import Graded
from backend.instruments.bilag_items import ITEMS, NUMBERS, SYSTEMS
from backend.scoring import INSTRUMENTS

Codes = Mapping[int, Any]

# The form counts its items through: where each system begins and ends.
RANGES = {
    "constitutional": range(1, 5),
    "mucocutaneous": range(5, 19),
    "neuropsychiatric": range(19, 39),
    "musculoskeletal": range(39, 44),
    "cardiorespiratory": range(44, 56),
    "gastrointestinal": range(56, 65),
    "ophthalmic": range(65, 78),
    "renal": range(78, 90),
    "haematological": range(90, 98),
}
HOME = {number: system for system, numbers in RANGES.items() for number in numbers}

# The category in which an active item counts, item by item (Isenberg 2005).
LISTS: Mapping[str, Mapping[str, tuple[int, ...]]] = {
    "mucocutaneous": {"A": (5, 7, 9, 11, 13), "B": (6, 12, 14, 15), "C": (8, 10, 16, 17, 18)},
    "neuropsychiatric": {
        "A": (19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 31, 36),
        "B": (30, 32, 33, 34, 35, 37, 38),
        "C": (),
    },
    "musculoskeletal": {"A": (39, 41), "B": (40, 42), "C": (43,)},
    "cardiorespiratory": {"A": (45, 46, 47, 49, 50, 51, 52, 53, 54, 55), "B": (44, 48), "C": ()},
    "gastrointestinal": {"A": (56, 58, 61, 63, 64), "B": (57, 59, 60, 62), "C": ()},
    "ophthalmic": {"A": (65, 66, 69, 72, 74, 76, 77), "B": (67, 68, 70, 73), "C": (71, 75)},
}
CODED = ("constitutional", *LISTS)
# What an item of each list gives alone, at codes 0 to 4; the system was never involved before.
ALONE = {"A": "EBAAA", "B": "ECBBB", "C": "ECCCC"}
CODES = (0, 1, 2, 3, 4)
UNDONE = "ND"
EACH_SYSTEM = pytest.mark.parametrize("system", CODED)
EACH_LISTED = pytest.mark.parametrize("system", list(LISTS))


def graded(system: str, items: Codes, before: bool | None = False, unlisted: Any = 0) -> Graded:
    given_items = {str(number): code for number, code in items.items()}
    answer = INSTRUMENTS["bilag2004"](system, previously_involved=before, items=given_items, unlisted_items=unlisted)
    assert isinstance(answer, Graded)
    return answer


def grade(system: str, items: Codes, before: bool | None = False) -> str | None:
    return graded(system, items, before).grade


def reference_constitutional(pyrexia: int, *others: int) -> str:
    active_others = len([code for code in others if code > 1])
    if pyrexia > 1:
        return "A" if active_others > 1 else "B"
    if active_others > 1:
        return "B"
    return "C" if pyrexia == 1 or any(others) else "E"


def reference(system: str, items: Codes) -> str:
    """The grade of a system never involved before, item by item; the letters sort best to worst."""
    if system == "constitutional":
        return reference_constitutional(*(items.get(number, 0) for number in (1, 2, 3, 4)))
    found = (ALONE[kind][items.get(n, 0)] for kind, numbers in LISTS[system].items() for n in numbers)
    return min(found)


# --- where an item belongs ------------------------------------------------------------------------------------


def test_nine_systems_hold_97_items_in_the_order_of_the_form() -> None:
    assert tuple(RANGES) == SYSTEMS
    assert list(ITEMS) == list(range(1, 98)) == list(HOME)
    assert [len(NUMBERS[system]) for system in RANGES] == [4, 14, 20, 5, 12, 9, 13, 12, 8]


@pytest.mark.parametrize(("number", "system"), HOME.items())
def test_an_item_belongs_to_its_system_and_to_no_other(number: int, system: str) -> None:
    assert (ITEMS[number].number, ITEMS[number].system) == (number, system)
    assert [other for other in RANGES if number in NUMBERS[other]] == [system]
    for other in set(CODED) - {system}:
        with pytest.raises(ValueError, match=f"no {other} item"):
            graded(other, {number: 4})


def test_keys_of_items_are_told_apart() -> None:
    assert len({item.key for item in ITEMS.values()}) == 97


def test_values_stand_under_the_numbers_of_the_form() -> None:
    assert [ITEMS[number].key for number in (*RANGES["renal"], *RANGES["haematological"])] == [
        "systolic_mmhg", "diastolic_mmhg", "accelerated_hypertension", "dipstick_level", "acr_mg_per_mmol",
        "upcr_mg_per_mmol", "urine_protein_24h_g", "nephrotic_syndrome", "creatinine_umol_l", "gfr",
        "active_urinary_sediment", "active_nephritis_histology_3m",
        "haemoglobin_g_dl", "wbc_1e9_l", "neutrophils_1e9_l", "lymphocytes_1e9_l", "platelets_1e9_l", "ttp",
        "active_haemolysis", "coombs_isolated",
    ]  # fmt: skip


@EACH_LISTED
def test_an_item_is_in_one_list_only(system: str) -> None:
    """Guards the lists above: together they are the system, and none counts twice."""
    assert sorted(number for numbers in LISTS[system].values() for number in numbers) == list(RANGES[system])


@pytest.mark.parametrize("system", ["vasculitis", "general", "Renal", ""])
def test_a_system_of_another_index_is_refused(system: str) -> None:
    with pytest.raises(ValueError, match="no system"):
        graded(system, {})


# --- one item alone, two items together -----------------------------------------------------------------------

SINGLE = [
    (system, number, code, ALONE[kind][code])
    for system, lists in LISTS.items()
    for kind, numbers in lists.items()
    for number in numbers
    for code in CODES
]


@pytest.mark.parametrize(("system", "number", "code", "expected"), SINGLE)
def test_an_item_alone_gives_what_its_list_says(system: str, number: int, code: int, expected: str) -> None:
    alone = graded(system, {number: code})
    assert (alone.grade, alone.incomplete) == (expected, False)
    assert grade(system, {number: code}, before=True) == ("D" if code == 0 else expected)
    if code:
        assert [dict(reason.values) for reason in alone.reasons] == [{str(number): code}]


@EACH_LISTED
def test_an_improving_severe_item_does_not_hide_another_that_is_active(system: str) -> None:
    """A known fault of a legacy program, which stopped at the first severe item: it answered B."""
    for first, second in product(LISTS[system]["A"], repeat=2):
        if first != second:
            for active in (2, 3, 4):
                assert grade(system, {first: 1, second: active}) == "A"


@EACH_LISTED
def test_of_any_two_items_the_worse_decides(system: str) -> None:
    for first, second in product(RANGES[system], repeat=2):
        if first < second:
            for one, other in product(CODES, repeat=2):
                items = {first: one, second: other}
                assert grade(system, items) == reference(system, items), items


@pytest.mark.parametrize("system", list(LISTS))
@settings(deadline=None, max_examples=60)
@given(st.data())
def test_any_assessment_is_graded_over_all_its_items(system: str, data: st.DataObject) -> None:
    items = data.draw(st.fixed_dictionaries({number: st.sampled_from(CODES) for number in RANGES[system]}))
    assert grade(system, items) == reference(system, items)


@pytest.mark.parametrize(
    ("system", "items", "expected"),
    [
        ("mucocutaneous", {5: 1, 9: 4}, "A"),  # severe rash improving, severe ulcers new
        ("mucocutaneous", {5: 1, 16: 4}, "B"),  # severe rash improving, mild alopecia new
        ("mucocutaneous", {6: 1, 10: 4}, "C"),  # mild rash improving, mild ulcers new
        ("neuropsychiatric", {30: 4}, "B"),  # seizure disorder
        ("neuropsychiatric", {31: 4}, "A"),  # status epilepticus
        ("neuropsychiatric", {30: 1, 33: 1}, "C"),
        ("musculoskeletal", {42: 2, 43: 4}, "B"),  # moderate arthritis the same, arthralgia new
        ("musculoskeletal", {43: 4}, "C"),
        ("cardiorespiratory", {44: 2}, "B"),  # mild myocarditis
        ("cardiorespiratory", {45: 2}, "A"),  # myocarditis with cardiac failure
        ("gastrointestinal", {59: 1, 64: 1}, "B"),
        ("ophthalmic", {71: 4, 75: 4}, "C"),  # episcleritis, cotton-wool spots
    ],
)
def test_worked_examples(system: str, items: dict[int, int], expected: str) -> None:
    """Told by hand from the categories of Isenberg 2005."""
    assert grade(system, items) == expected


# --- constitutional -------------------------------------------------------------------------------------------


def test_constitutional_in_every_case() -> None:
    for codes in product(CODES, repeat=4):
        items = dict(zip((1, 2, 3, 4), codes, strict=True))
        assert grade("constitutional", items) == reference_constitutional(*codes), codes


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ((2, 2, 2, 0), "A"), ((4, 0, 3, 2), "A"), ((4, 4, 1, 1), "B"), ((2, 0, 0, 0), "B"), ((0, 2, 0, 2), "B"),
        ((1, 4, 4, 4), "B"), ((0, 4, 0, 0), "C"), ((1, 0, 0, 0), "C"), ((0, 1, 1, 1), "C"), ((1, 4, 1, 0), "C"),
        ((0, 0, 0, 0), "E"),
    ],
)  # fmt: skip
def test_worked_constitutional_examples(codes: tuple[int, ...], expected: str) -> None:
    """Told by hand: A pyrexia and two others, B pyrexia or two others, C the rest of what is there."""
    assert grade("constitutional", dict(zip((1, 2, 3, 4), codes, strict=True))) == expected


@pytest.mark.parametrize(
    ("codes", "named"),
    [((2, 3, 4, 1), {1, 2, 3}), ((3, 1, 0, 0), {1}), ((1, 0, 2, 2), {3, 4}), ((1, 0, 0, 4), {1, 4})],
)
def test_a_constitutional_grade_names_the_items_that_gave_it(codes: tuple[int, ...], named: set[int]) -> None:
    answer = graded("constitutional", dict(zip((1, 2, 3, 4), codes, strict=True)))
    seen = {number: code for reason in answer.reasons for number, code in reason.values.items()}
    assert seen == {str(number): codes[number - 1] for number in named}


# --- D and E --------------------------------------------------------------------------------------------------


@EACH_SYSTEM
@pytest.mark.parametrize(("before", "expected"), [(True, "D"), (False, "E"), (None, None)])
def test_of_no_activity_history_tells_d_from_e(system: str, before: bool | None, expected: str | None) -> None:
    quiet = graded(system, {}, before)
    assert (quiet.grade, quiet.incomplete) == (expected, before is None)


@EACH_SYSTEM
def test_history_does_not_touch_a_grade_of_activity(system: str) -> None:
    for number, code in product(RANGES[system], (1, 2, 3, 4)):
        assert len({grade(system, {number: code}, before) for before in (True, False, None)}) == 1


# --- not done -------------------------------------------------------------------------------------------------


@cache
def _best(system: str, codes: tuple[Any, ...]) -> str:
    """The highest grade any replacement of the undone items leads to, tried one after another."""
    if UNDONE not in codes:
        return reference(system, dict(zip(RANGES[system], codes, strict=True)))
    at = codes.index(UNDONE)
    return min(_best(system, (*codes[:at], code, *codes[at + 1 :])) for code in CODES)


def agrees_with_trying(system: str, items: Codes, unlisted: Any = 0) -> None:
    """The grade is of what was done, and incomplete exactly if some replacement of what was not is graded higher."""
    done = {number: code for number, code in items.items() if code != UNDONE}
    codes = tuple(items.get(number, unlisted) for number in RANGES[system])
    answer = graded(system, items, unlisted=unlisted)
    assert answer.grade == reference(system, done), items
    assert answer.incomplete == (_best(system, codes) < reference(system, done)), items


def test_undone_constitutional_items_in_every_case() -> None:
    for codes in product((*CODES, UNDONE), repeat=4):
        agrees_with_trying("constitutional", dict(zip(RANGES["constitutional"], codes, strict=True)))


def test_undone_musculoskeletal_items_in_every_case() -> None:
    for codes in product((*CODES, UNDONE), repeat=5):
        agrees_with_trying("musculoskeletal", dict(zip(RANGES["musculoskeletal"], codes, strict=True)))


@pytest.mark.parametrize(
    "system", ["mucocutaneous", "neuropsychiatric", "cardiorespiratory", "gastrointestinal", "ophthalmic"]
)
@settings(deadline=None, max_examples=60)
@given(st.data())
def test_undone_items_of_the_larger_systems(system: str, data: st.DataObject) -> None:
    numbers = st.sampled_from(RANGES[system])
    items: dict[int, Any] = data.draw(st.dictionaries(numbers, st.sampled_from(CODES), max_size=4))
    undone: set[int] = data.draw(st.sets(numbers, max_size=3))
    agrees_with_trying(system, items | dict.fromkeys(undone, UNDONE))


@pytest.mark.parametrize(
    ("system", "items", "expected", "incomplete"),
    [
        ("mucocutaneous", {5: "ND"}, "E", True),
        ("mucocutaneous", {5: "ND", 6: 4}, "B", True),  # a severe item not done below grade A
        ("mucocutaneous", {5: "ND", 9: 4}, "A", False),  # nothing is higher
        ("mucocutaneous", {6: "ND", 9: 1}, "B", False),  # a mild item could give no more than B
        ("mucocutaneous", {8: "ND", 6: 1}, "C", False),
        ("constitutional", {1: "ND", 2: 0, 3: 0, 4: 0}, "E", True),
        ("constitutional", {1: 4, 2: "ND"}, "B", False),  # A needs two others
        ("constitutional", {1: 4, 2: "ND", 3: "ND"}, "B", True),
        ("constitutional", {1: 4, 2: 2, 3: "ND"}, "B", True),
        ("constitutional", {1: 1, 2: 1, 3: "ND"}, "C", False),
        ("constitutional", {1: 1, 2: 2, 3: "ND"}, "C", True),
    ],
)
def test_worked_examples_of_undone_items(system: str, items: dict[int, Any], expected: str, incomplete: bool) -> None:
    answer = graded(system, items)
    assert (answer.grade, answer.incomplete) == (expected, incomplete)


@EACH_SYSTEM
def test_an_item_nobody_tells_of_counts_as_undone(system: str) -> None:
    first = RANGES[system][0]
    assert graded(system, {}, unlisted=None).incomplete
    assert graded(system, {}, unlisted=UNDONE).incomplete
    assert graded(system, {first: None}).incomplete
    assert not graded(system, dict.fromkeys(RANGES[system], 0), unlisted=None).incomplete


@EACH_SYSTEM
def test_an_undone_system_is_not_taken_for_a_quiet_one(system: str) -> None:
    nothing_done = graded(system, dict.fromkeys(RANGES[system], UNDONE), before=True)
    assert (nothing_done.grade, nothing_done.incomplete) == ("D", True)


@EACH_LISTED
@pytest.mark.parametrize("code", CODES)
def test_the_value_of_unlisted_items_holds_for_them_all(system: str, code: int) -> None:
    items: Iterable[int] = RANGES[system]
    assert graded(system, {}, unlisted=code).grade == reference(system, dict.fromkeys(items, code))
