"""CRS and ICANS against the whole consensus tables of the ASTCT (Lee 2019), every cell; then with answers missing.

A grade is given where everything that is unknown leaves it the same, held against all that it may be.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.instruments.astct import Grade
from backend.instruments.logic import Truth
from backend.scoring import INSTRUMENTS

HYPOTENSION = ("none", "no_vasopressor", "one_vasopressor", "several_vasopressors")
HYPOXIA = ("none", "low_flow", "high_flow", "positive_pressure")
# With fever: a row per hypotension, a column per hypoxia.
CRS = (
    (1, 2, 3, 4),
    (2, 2, 3, 4),
    (3, 3, 3, 4),
    (4, 4, 4, 4),
)
ICE = {10: 0, 9: 1, 8: 1, 7: 1, 6: 2, 5: 2, 4: 2, 3: 2, 2: 3, 1: 3, 0: 3}
CONSCIOUSNESS = {"awake": 0, "voice": 2, "touch": 3, "unrousable": 4}
SEIZURE = {"none": 0, "resolved": 3, "prolonged": 4}
MOTOR_WEAKNESS = {False: 0, True: 4}
RAISED_ICP = {"none": 0, "focal": 3, "diffuse": 4}
ICANS: Mapping[str, Mapping[Any, int]] = {
    "ice": ICE,
    "consciousness": CONSCIOUSNESS,
    "seizure": SEIZURE,
    "motor_weakness": MOTOR_WEAKNESS,
    "raised_icp": RAISED_ICP,
}
WELL: Mapping[str, Any] = {
    "ice": 10, "consciousness": "awake", "seizure": "none", "motor_weakness": False, "raised_icp": "none",
}  # fmt: skip
CRS_INPUTS: Mapping[str, Sequence[Any]] = {
    "fever": (True, False), "fever_masked": (True, False), "hypotension": HYPOTENSION, "hypoxia": HYPOXIA,
}  # fmt: skip
ICANS_INPUTS: Mapping[str, Sequence[Any]] = {name: tuple(column) for name, column in ICANS.items()}


def graded(scale: str, **given: Any) -> int | None:
    answer: Grade = INSTRUMENTS[scale](**given)
    return answer.grade


def crs(fever: Truth = None, masked: Truth = None, hypotension: str | None = None, hypoxia: str | None = None) -> Grade:
    answer: Grade = INSTRUMENTS["crs"](fever=fever, fever_masked=masked, hypotension=hypotension, hypoxia=hypoxia)
    return answer


def icans(**changes: Any) -> Grade:
    """A patient who is well but for the changes."""
    answer: Grade = INSTRUMENTS["icans"](**{**WELL, **changes})
    return answer


def crs_table(*, fever: bool, fever_masked: bool, hypotension: str, hypoxia: str) -> int:
    """Lee 2019: fever is required, but after an antipyretic or anticytokine hypotension and hypoxia grade alone."""
    cell = CRS[HYPOTENSION.index(hypotension)][HYPOXIA.index(hypoxia)]
    if fever:
        return cell
    return cell if fever_masked and cell > 1 else 0


def icans_table(**given: Any) -> int:
    """Lee 2019: the most severe domain."""
    return max(ICANS[name][value] for name, value in given.items())


def brute_force(table: Callable[..., int], inputs: Mapping[str, Sequence[Any]], given: Mapping[str, Any]) -> int | None:
    """The grade of all completions, None where they differ."""
    ways = product(*(domain if given[name] is None else (given[name],) for name, domain in inputs.items()))
    grades = {table(**dict(zip(inputs, way, strict=True))) for way in ways}
    return grades.pop() if len(grades) == 1 else None


# --- CRS ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fever_masked", [True, False])
@pytest.mark.parametrize("hypoxia", HYPOXIA)
@pytest.mark.parametrize("hypotension", HYPOTENSION)
def test_every_cell_of_crs_with_fever(hypotension: str, hypoxia: str, *, fever_masked: bool) -> None:
    expected = CRS[HYPOTENSION.index(hypotension)][HYPOXIA.index(hypoxia)]
    assert crs(True, fever_masked, hypotension, hypoxia).grade == expected


@pytest.mark.parametrize("hypoxia", HYPOXIA)
@pytest.mark.parametrize("hypotension", HYPOTENSION)
def test_every_cell_of_crs_with_fever_masked(hypotension: str, hypoxia: str) -> None:
    """After antipyretics, steroids or anticytokines hypotension and hypoxia drive the grade; alone they are none."""
    cell = CRS[HYPOTENSION.index(hypotension)][HYPOXIA.index(hypoxia)]
    assert crs(False, True, hypotension, hypoxia).grade == (0 if cell == 1 else cell)


@pytest.mark.parametrize("hypoxia", HYPOXIA)
@pytest.mark.parametrize("hypotension", HYPOTENSION)
def test_without_fever_and_nothing_that_masks_it_there_is_no_crs(hypotension: str, hypoxia: str) -> None:
    answer = crs(False, False, hypotension, hypoxia)
    assert answer.grade == 0
    assert [reason.rule for reason in answer.reasons] == ["no_fever"]


def test_the_worked_example_of_the_consensus() -> None:
    """Lee 2019: fever, one vasopressor and low-flow oxygen are grade 3."""
    answer = crs(True, False, "one_vasopressor", "low_flow")
    assert answer.grade == 3
    assert [reason.rule for reason in answer.reasons] == ["hypotension"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"fever": False, "fever_masked": False}, 0),
        ({"fever": True, "hypotension": "several_vasopressors"}, 4),
        ({"fever_masked": True, "hypoxia": "positive_pressure"}, 4),
        ({"fever": True, "hypotension": "one_vasopressor"}, None),  # 4 with positive pressure
        ({"fever": True, "hypotension": "none", "hypoxia": "none"}, 1),
        ({"fever": False, "hypotension": "none", "hypoxia": "none"}, 0),
        ({"hypotension": "none", "hypoxia": "none"}, None),
        ({"hypotension": "one_vasopressor", "hypoxia": "none"}, None),
        ({"fever": False, "hypotension": "one_vasopressor", "hypoxia": "none"}, None),  # masked or not
        ({"fever_masked": True, "hypotension": "one_vasopressor", "hypoxia": "none"}, 3),
        ({"fever": True}, None),
        ({}, None),
    ],
    ids=str,
)
def test_crs_with_answers_missing(given: dict[str, Any], expected: int | None) -> None:
    assert graded("crs", **given) == expected


def test_every_crs_with_answers_missing_against_all_that_they_may_be() -> None:
    for values in product(*((*domain, None) for domain in CRS_INPUTS.values())):
        given = dict(zip(CRS_INPUTS, values, strict=True))
        assert graded("crs", **given) == brute_force(crs_table, CRS_INPUTS, given), given


def test_what_is_missing_is_named() -> None:
    (reason,) = crs(True, False, "none").reasons
    assert (reason.rule, reason.values) == ("unknown", {"missing": ("hypoxia",)})


# --- ICANS ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ice", "grade"), ICE.items())
def test_ice_of_somebody_awake(ice: int, grade: int) -> None:
    """10 none, 9 to 7 grade 1, 6 to 3 grade 2, 2 to 0 grade 3: aphasia in somebody awake is no grade 4."""
    assert icans(ice=ice).grade == grade


@pytest.mark.parametrize(
    ("domain", "value", "grade"),
    [(domain, value, g) for domain, column in ICANS.items() for value, g in column.items()],
)
def test_each_domain_by_itself(domain: str, value: Any, grade: int) -> None:
    answer = icans(**{domain: value})
    assert answer.grade == grade
    assert [reason.rule for reason in answer.reasons] == ([domain] if grade else [])


def test_every_cell_of_icans_is_the_most_severe_domain() -> None:
    for values in product(*ICANS_INPUTS.values()):
        given = dict(zip(ICANS_INPUTS, values, strict=True))
        assert graded("icans", **given) == icans_table(**given), given


def test_an_ice_of_nothing_is_grade_four_only_in_somebody_unrousable() -> None:
    assert icans(ice=0, consciousness="unrousable").grade == 4
    assert icans(ice=0, consciousness="touch").grade == 3
    assert icans(ice=0, consciousness=None).grade is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"consciousness": "unrousable"}, 4),
        ({"seizure": "prolonged"}, 4),
        ({"motor_weakness": True}, 4),
        ({"raised_icp": "diffuse"}, 4),
        ({"ice": 0}, None),
        ({**WELL, "ice": None}, None),
        ({**WELL, "ice": None, "consciousness": "voice"}, None),  # 2 or 3
        ({**WELL, "ice": None, "consciousness": "touch"}, 3),  # ICE alone makes no more
        ({**WELL, "ice": None, "seizure": "resolved"}, 3),
        ({**WELL, "ice": 5, "raised_icp": None}, None),
        ({}, None),
    ],
    ids=str,
)
def test_icans_with_answers_missing(given: dict[str, Any], expected: int | None) -> None:
    assert graded("icans", **given) == expected


def test_many_icans_with_answers_missing_against_all_that_they_may_be() -> None:
    """Of ICE a score at both ends of each grade."""
    inputs = {**ICANS_INPUTS, "ice": (10, 9, 7, 6, 3, 2, 0)}
    for values in product(*((*domain, None) for domain in inputs.values())):
        given = dict(zip(inputs, values, strict=True))
        assert graded("icans", **given) == brute_force(icans_table, inputs, given), given


# --- Both -----------------------------------------------------------------------------------------------------


def answers(inputs: Mapping[str, Sequence[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({name: st.sampled_from([*domain]) for name, domain in inputs.items()})


@given(answers(CRS_INPUTS), st.sets(st.sampled_from(sorted(CRS_INPUTS))))
def test_learning_more_never_contradicts_a_grade_of_crs(known: dict[str, Any], unknown: set[str]) -> None:
    before, after = graded("crs", **{**known, **dict.fromkeys(unknown)}), graded("crs", **known)
    assert after is not None
    assert before in (None, after)


@given(answers(ICANS_INPUTS), st.sets(st.sampled_from(sorted(ICANS_INPUTS))))
def test_learning_more_never_contradicts_a_grade_of_icans(known: dict[str, Any], unknown: set[str]) -> None:
    before, after = graded("icans", **{**known, **dict.fromkeys(unknown)}), graded("icans", **known)
    assert after is not None
    assert before in (None, after)
