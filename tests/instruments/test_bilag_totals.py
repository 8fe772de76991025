"""BILAG-2004 over the nine systems: the numeric total, which knows no missing system, and the registration's A-D.

Coding of Yee 2010: A=12, B=8, C=1, D=0, E=0, summed to 0-108. The older 9/3/1 belongs to the classic index.
"""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.instruments.bilag2004 import Total, registration_view
from backend.scoring import INSTRUMENTS

SYSTEMS = (
    "constitutional", "mucocutaneous", "neuropsychiatric", "musculoskeletal", "cardiorespiratory", "gastrointestinal",
    "ophthalmic", "renal", "haematological",
)  # fmt: skip
POINTS = {"A": 12, "B": 8, "C": 1, "D": 0, "E": 0}
Grades = Mapping[str, str | None]
EACH_SYSTEM = pytest.mark.parametrize("system", SYSTEMS)

complete = st.fixed_dictionaries({system: st.sampled_from("ABCDE") for system in SYSTEMS})


def total(grades: Grades) -> Total:
    answer = INSTRUMENTS["bilag2004_total"](grades)
    assert isinstance(answer, Total)
    return answer


def letters(given_letters: str) -> dict[str, str]:
    return dict(zip(SYSTEMS, given_letters, strict=True))


# --- numeric total --------------------------------------------------------------------------------------------


@EACH_SYSTEM
@pytest.mark.parametrize(("letter", "points"), POINTS.items())
def test_a_grade_gives_its_points_whichever_the_system(system: str, letter: str, points: int) -> None:
    assert total({**letters("EEEEEEEEE"), system: letter}).numeric_total == points


@pytest.mark.parametrize(
    ("given_letters", "expected"),
    [
        ("AAAAAAAAA", 108),
        ("BBBBBBBBB", 72),
        ("CCCCCCCCC", 9),
        ("DDDDDDDDD", 0),
        ("EEEEEEEEE", 0),
        ("DEDEDEDED", 0),
        ("CBEADEEDB", 29),
        ("EBEBEEEAC", 29),
        ("CAAEEEEBD", 33),
    ],
)
def test_worked_totals(given_letters: str, expected: int) -> None:
    """Added by hand with the coding of Yee 2010."""
    assert total(letters(given_letters)).numeric_total == expected


def test_grades_are_counted() -> None:
    assert dict(total(letters("CBEADEEDB")).count) == {"A": 1, "B": 2, "C": 1, "D": 2, "E": 3}
    assert dict(total({"renal": "A"}).count) == {"A": 1, "B": 0, "C": 0, "D": 0, "E": 0}


@EACH_SYSTEM
def test_without_one_system_there_is_no_total(system: str) -> None:
    full = letters("AAAAAAAAA")
    absent = {name: letter for name, letter in full.items() if name != system}
    for grades in (absent, {**full, system: None}):
        partial = total(grades)
        assert partial.numeric_total is None
        assert partial.minimum_known_total == 96
        assert partial.count["A"] == 8


def test_of_no_system_at_all_nothing_is_known() -> None:
    assert (total({}).numeric_total, total({}).minimum_known_total) == (None, 0)


@pytest.mark.parametrize(
    "grades",
    [{"vasculitis": "A"}, {"general": None}, {"renal": "F"}, {"renal": "a"}, {"renal": ""}, {"renal": "AB"}],
    ids=str,
)
def test_a_system_or_grade_of_another_index_is_refused(grades: Grades) -> None:
    with pytest.raises(ValueError, match="no grade of BILAG-2004"):
        total({**letters("EEEEEEEEE"), **grades})


@settings(deadline=None)
@given(complete)
def test_a_total_is_the_sum_of_its_points_and_lies_between_0_and_108(grades: dict[str, str]) -> None:
    told = total(grades)
    assert told.numeric_total == told.minimum_known_total == sum(POINTS[letter] for letter in grades.values())
    assert 0 <= told.minimum_known_total <= 108
    assert sum(told.count.values()) == 9


@settings(deadline=None)
@given(complete, st.sets(st.sampled_from(SYSTEMS), min_size=1))
def test_what_is_known_of_a_total_is_never_more_than_it_turns_out_to_be(
    grades: dict[str, str], missing: set[str]
) -> None:
    partial, full = total({**grades, **dict.fromkeys(missing)}), total(grades)
    assert partial.numeric_total is None
    assert full.numeric_total is not None
    assert partial.minimum_known_total <= full.numeric_total <= partial.minimum_known_total + 12 * len(missing)


@settings(deadline=None)
@given(complete, st.sampled_from(SYSTEMS))
def test_a_higher_grade_never_lowers_a_total(grades: dict[str, str], system: str) -> None:
    raised = [total({**grades, system: letter}).minimum_known_total for letter in "EDCBA"]
    assert raised == sorted(raised)


# --- the registration's view ----------------------------------------------------------------------------------


def test_the_registration_prints_d_for_e_and_leaves_every_other_letter() -> None:
    assert registration_view(letters("ABCDEABCE")) == letters("ABCDDABCD")


def test_the_stored_letters_stay() -> None:
    stored = letters("EEEEEEEEE")
    registration_view(stored)
    assert stored == letters("EEEEEEEEE")


@EACH_SYSTEM
def test_the_registration_may_leave_a_system_out(system: str) -> None:
    eight = tuple(name for name in SYSTEMS if name != system)
    assert registration_view(letters("ABCDEEDCB"), eight) == {
        name: letter for name, letter in letters("ABCDDDDCB").items() if name != system
    }


@EACH_SYSTEM
def test_a_system_without_a_grade_has_none_for_the_registration_either(system: str) -> None:
    known = {name: letter for name, letter in letters("EEEEEEEEE").items() if name != system}
    for grades in (known, {**known, system: None}):
        assert registration_view(grades) == {**letters("DDDDDDDDD"), system: None}


@settings(deadline=None)
@given(complete)
def test_the_total_does_not_depend_on_the_view(grades: dict[str, str]) -> None:
    assert total(registration_view(grades)).numeric_total == total(grades).numeric_total
