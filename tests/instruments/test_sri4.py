"""SRI-4 (Furie 2009): SLEDAI fallen by 4, PGA not worse by 0.3, no new BILAG A and at most one new B.

What is unknown is held against every way it may have been: an answer is given only where all of them lead to it.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from backend.instruments.logic import Truth
from backend.instruments.sri4 import Response
from backend.scoring import INSTRUMENTS

SYSTEMS = (
    "constitutional", "mucocutaneous", "neuropsychiatric", "musculoskeletal", "cardiorespiratory",
    "gastrointestinal", "ophthalmic", "renal", "haematological",
)  # fmt: skip
QUIET: Mapping[str, str] = dict.fromkeys(SYSTEMS, "D")
LETTERS = "ABCDE"
GRADES = st.sampled_from([*LETTERS, None])
Grades = Mapping[str, str | None]


def state(sledai: int | None = 10, pga: str | None = "1.5", **grades: str | None) -> dict[str, Any]:
    """One assessment, every system of BILAG at D unless told."""
    return {"sledai_2k": sledai, "pga": None if pga is None else Decimal(pga), "bilag": {**QUIET, **grades}}


def scored(baseline: Mapping[str, Any] | None, visit: Mapping[str, Any] | None, *, rescue: Truth = False) -> Response:
    answer: Response = INSTRUMENTS["sri4"](baseline=baseline, visit=visit, prohibited_or_rescue_treatment=rescue)
    return answer


def of_grades(before: Grades, now: Grades) -> Response:
    """A response in SLEDAI and PGA, so that BILAG alone decides."""
    return scored(
        {"sledai_2k": 10, "pga": Decimal(1), "bilag": before}, {"sledai_2k": 6, "pga": Decimal(1), "bilag": now}
    )


def rules(answer: Response) -> set[str]:
    return {reason.rule for reason in answer.reasons}


def conjunction(*truths: Truth) -> Truth:
    return False if False in truths else None if None in truths else True


def agreed(answers: Sequence[bool]) -> Truth:
    """What all completions say, None where they differ."""
    return answers[0] if len(set(answers)) == 1 else None


def test_all_three_make_a_responder() -> None:
    answer = scored(state(10), state(6))
    assert answer.responder is True
    assert answer.components == {"sledai": True, "pga": True, "bilag": True}
    assert (answer.evaluable, answer.responder_with_nri, answer.reasons) == (True, True, ())


# --- SLEDAI ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (10, 6, True), (10, 7, False), (10, 5, True), (10, 10, False), (10, 14, False),
        (4, 0, True), (4, 1, False), (105, 101, True), (105, 102, False),
        (10, None, None), (4, None, None), (None, 6, None), (None, None, None),
    ],
)  # fmt: skip
def test_sledai_falls_by_four_or_more(before: int | None, now: int | None, *, expected: Truth) -> None:
    """Furie 2009: a reduction of at least 4 points."""
    answer = scored(state(before), state(now))
    assert answer.components["sledai"] is expected
    assert answer.responder is expected


@pytest.mark.parametrize("now", [0, 3, None])
@pytest.mark.parametrize("before", [0, 3])
def test_a_baseline_below_four_can_never_respond_and_says_so(before: int, now: int | None) -> None:
    answer = scored(state(before), state(now))
    assert answer.components["sledai"] is False
    assert (answer.responder, answer.evaluable, answer.responder_with_nri) == (False, False, False)
    assert "baseline_sledai_below_4" in rules(answer)


def test_a_baseline_of_four_leaves_room_for_a_response() -> None:
    for now, responder in ((0, True), (1, False)):
        answer = scored(state(4), state(now))
        assert (answer.responder, answer.evaluable) == (responder, True)
        assert "baseline_sledai_below_4" not in rules(answer)


# --- PGA ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ("1.1", "1.4", False),  # 0.2999999999999998 in binary floating point
        ("1.1", "1.39", True), ("1.1", "1.41", False), ("2", "1", True), ("2", "2", True),
        ("1", None, None), (None, "1", None), (None, None, None),
    ],
)  # fmt: skip
def test_pga_must_not_rise_by_three_tenths(before: str | None, now: str | None, *, expected: Truth) -> None:
    """Furie 2009: worsening is an increase of 0.3 or more."""
    answer = scored(state(10, before), state(6, now))
    assert answer.components["pga"] is expected
    assert answer.responder is expected


# --- BILAG ----------------------------------------------------------------------------------------------------

# Baseline grade → what the visit's grades A B C D E are: a new A, a new B, or nothing new.
NEW = {"A": "-----", "B": "A----", "C": "AB---", "D": "AB---", "E": "AB---"}


@pytest.mark.parametrize(
    ("before", "now", "new"),
    [(before, now, row[LETTERS.index(now)]) for before, row in NEW.items() for now in LETTERS],
)
def test_each_step_of_one_system(before: str, now: str, new: str) -> None:
    """A to B is an improvement, B to A a new A, C, D or E to B a new B, and one new B is allowed."""
    answer = scored(state(10, renal=before), state(6, renal=now))
    assert answer.new_bilag_a == (("renal",) if new == "A" else ())
    assert answer.new_bilag_b == (("renal",) if new == "B" else ())
    assert answer.components["bilag"] is (new != "A")
    assert answer.responder is (new != "A")


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_new_a_of_any_of_the_nine_systems_fails(system: str) -> None:
    assert scored(state(10), state(6, **{system: "A"})).responder is False


@pytest.mark.parametrize("first", SYSTEMS)
@pytest.mark.parametrize(("one", "other"), [("C", "C"), ("D", "E"), ("C", "E")])
def test_two_new_b_fail(first: str, one: str, other: str) -> None:
    second = SYSTEMS[SYSTEMS.index(first) - 1]
    answer = scored(state(10, **{first: one, second: other}), state(6, **{first: "B", second: "B"}))
    assert answer.components["bilag"] is False
    assert set(answer.new_bilag_b) == {first, second}
    assert answer.responder is False


@pytest.mark.parametrize(("before", "expected"), [("A", True), ("B", True), ("C", False)])
def test_a_b_that_was_a_or_b_does_not_use_up_the_one_new_b(before: str, *, expected: bool) -> None:
    answer = scored(state(10, renal=before, ophthalmic="D"), state(6, renal="B", ophthalmic="B"))
    assert answer.components["bilag"] is expected


def test_an_improvement_elsewhere_does_not_make_up_for_a_new_a() -> None:
    assert scored(state(10, renal="A"), state(6, renal="E", mucocutaneous="A")).components["bilag"] is False


def test_a_system_that_neither_side_lists_is_no_part_of_the_comparison() -> None:
    """The registration's eight systems: the ninth, here the eyes, is simply not compared."""
    eight = {system: "C" for system in SYSTEMS if system != "ophthalmic"}
    assert of_grades(eight, {**eight, "renal": "B"}).responder is True
    assert of_grades({**eight, "ophthalmic": "C"}, {**eight, "renal": "B", "ophthalmic": "B"}).responder is False


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ("A", None, True),  # from A nothing is new
        ("B", None, None),  # may be a new A
        ("C", None, None),
        (None, "A", None),  # may have been A before
        (None, "B", True),  # one new B at the most
        (None, "C", True),
        (None, None, None),
    ],
)
def test_one_unknown_grade(before: str | None, now: str | None, *, expected: Truth) -> None:
    answer = scored(state(10, renal=before), state(6, renal=now))
    assert answer.components["bilag"] is expected
    assert answer.responder is expected


def test_a_system_that_only_one_side_lists_is_unknown_on_the_other() -> None:
    without = {system: "D" for system in SYSTEMS if system != "renal"}
    assert of_grades({**without, "renal": "C"}, without).components["bilag"] is None
    assert of_grades({**without, "renal": "A"}, without).components["bilag"] is True
    assert of_grades(without, {**without, "renal": "A"}).components["bilag"] is None


@pytest.mark.parametrize(
    ("before", "now"), [(None, None), ({}, {}), (None, {**QUIET, "renal": "A"}), (QUIET, None), (QUIET, {})]
)
def test_bilag_not_done_is_unknown(before: Grades | None, now: Grades | None) -> None:
    answer = scored({**state(10), "bilag": before}, {**state(6), "bilag": now})
    assert answer.components["bilag"] is None
    assert answer.responder is None


def test_a_visit_without_any_a_or_b_needs_no_baseline() -> None:
    assert scored({**state(10), "bilag": None}, state(6, renal="C")).components["bilag"] is True


def test_a_known_new_a_settles_what_unknown_systems_leave_open() -> None:
    answer = scored(state(10, renal=None), state(6, renal=None, ophthalmic="A"))
    assert answer.components["bilag"] is False
    assert answer.new_bilag_a == ("ophthalmic",)


def held(pairs: Sequence[tuple[str, str]]) -> bool:
    """Furie 2009 on known grades: no new A, at most one new B."""
    new_a = sum(now == "A" and before != "A" for before, now in pairs)
    new_b = sum(now == "B" and before in "CDE" for before, now in pairs)
    return new_a == 0 and new_b <= 1


def completions(letters: Sequence[str | None]) -> Iterator[tuple[str, ...]]:
    return product(*(LETTERS if letter is None else letter for letter in letters))


def brute_force(before: Sequence[str | None], now: Sequence[str | None]) -> Truth:
    whole = completions([*before, *now])
    return agreed([held(list(zip(one[: len(before)], one[len(before) :], strict=True))) for one in whole])


def test_every_unknown_grade_of_two_systems_against_all_that_it_may_be() -> None:
    for grades in product([*LETTERS, None], repeat=4):
        before, now = grades[:2], grades[2:]
        names = SYSTEMS[:2]
        found = of_grades(dict(zip(names, before, strict=True)), dict(zip(names, now, strict=True)))
        assert found.components["bilag"] is brute_force(before, now), grades


@given(st.lists(st.tuples(GRADES, GRADES), min_size=1, max_size=9))
def test_unknown_grades_of_many_systems_against_all_that_they_may_be(
    pairs: list[tuple[str | None, str | None]],
) -> None:
    before, now = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    assume([*before, *now].count(None) <= 4)
    names = SYSTEMS[: len(pairs)]
    answer = of_grades(dict(zip(names, before, strict=True)), dict(zip(names, now, strict=True)))
    assert answer.components["bilag"] is brute_force(before, now)
    for name, pair in zip(names, pairs, strict=True):
        steps = [NEW[was][LETTERS.index(becomes)] for was, becomes in completions(pair)]
        assert (name in answer.new_bilag_a) is (set(steps) == {"A"})
        assert (name in answer.new_bilag_b) is (set(steps) == {"B"})


# --- The whole ------------------------------------------------------------------------------------------------

SLEDAI: Mapping[Truth, int | None] = {True: 6, False: 7, None: None}
PGA: Mapping[Truth, str | None] = {True: "1.79", False: "1.8", None: None}
RENAL: Mapping[Truth, str | None] = {True: "B", False: "A", None: None}
UNAIDED: Mapping[Truth, Truth] = {True: False, False: True, None: None}


@pytest.mark.parametrize("truths", list(product([True, False, None], repeat=4)), ids=str)
def test_one_failed_part_settles_and_one_unknown_part_leaves_open(truths: tuple[Truth, ...]) -> None:
    sledai, pga, bilag, unaided = truths
    answer = scored(state(10), state(SLEDAI[sledai], PGA[pga], renal=RENAL[bilag]), rescue=UNAIDED[unaided])
    expected = conjunction(*truths)
    assert answer.components == {"sledai": sledai, "pga": pga, "bilag": bilag}
    assert answer.responder is expected
    assert answer.evaluable is (expected is not None)
    assert answer.responder_with_nri is (expected is True)


@pytest.mark.parametrize(
    ("baseline", "visit"),
    [
        ({"sledai_2k": 10}, {"sledai_2k": 7}),
        ({"sledai_2k": 3}, None),
        ({"pga": Decimal("1.1")}, {"pga": Decimal("1.4")}),
        ({"bilag": {"renal": "B"}}, {"bilag": {"renal": "A"}}),
        ({"bilag": {"renal": "C", "ophthalmic": "D"}}, {"bilag": {"renal": "B", "ophthalmic": "B"}}),
    ],
)
def test_a_failed_part_settles_although_nothing_else_is_known(
    baseline: dict[str, Any], visit: dict[str, Any] | None
) -> None:
    assert scored(baseline, visit, rescue=None).responder is False


def test_rescue_treatment_is_no_response_whatever_else_is_known() -> None:
    assert scored(state(10), state(6), rescue=True).responder is False
    assert scored(None, None, rescue=True).responder is False
    assert "rescue_treatment" in rules(scored(state(10), state(6), rescue=True))


def test_rescue_treatment_is_absent_unless_told() -> None:
    assert INSTRUMENTS["sri4"](baseline=state(10), visit=state(6)).responder is True


def test_nothing_known_is_unknown_and_counts_as_not_achieved() -> None:
    answer = scored(None, None)
    assert answer.responder is None
    assert (answer.evaluable, answer.responder_with_nri) == (False, False)
    assert {"sledai_unknown", "pga_unknown", "bilag_unknown"} <= rules(answer)


def test_the_reasons_name_what_failed() -> None:
    failed = rules(scored(state(10), state(7, "1.8", renal="A")))
    assert failed == {"sledai_not_met", "pga_not_met", "bilag_not_met", "new_bilag"}


def test_the_systems_that_leave_it_open_are_named_where_they_do() -> None:
    answer = scored(state(10, renal=None), state(6, renal="A", ophthalmic="B"))
    assert [reason.values for reason in answer.reasons if reason.rule == "bilag_systems_unknown"] == [
        {"systems": ("renal",)}
    ]
    assert "bilag_systems_unknown" not in rules(scored(state(10, renal=None), state(6, renal="C")))
    assert "bilag_systems_unknown" not in rules(scored(state(10, renal=None), state(6, renal=None, ophthalmic="A")))


def states(*, whole: bool) -> st.SearchStrategy[dict[str, Any]]:
    """Assessments near the boundaries, of two systems."""
    gap: list[None] = [] if whole else [None]
    letters = st.sampled_from([*LETTERS, *gap])
    return st.fixed_dictionaries(
        {
            "sledai_2k": st.sampled_from([0, 3, 4, 6, 7, 10, *gap]),
            "pga": st.sampled_from([Decimal("1.1"), Decimal("1.39"), Decimal("1.4"), *gap]),
            "bilag": st.fixed_dictionaries({"renal": letters, "ophthalmic": letters}),
        }
    )


def filled(given: Mapping[str, Any], by: Mapping[str, Any]) -> dict[str, Any]:
    """What is unknown, taken from another."""
    return {
        name: filled(value, by[name]) if isinstance(value, dict) else by[name] if value is None else value
        for name, value in given.items()
    }


@given(
    states(whole=False), states(whole=False), states(whole=True), states(whole=True),
    st.sampled_from([True, False, None]), st.booleans(),
)  # fmt: skip
def test_learning_more_never_contradicts_an_answer(
    baseline: dict[str, Any],
    visit: dict[str, Any],
    some: dict[str, Any],
    other: dict[str, Any],
    rescue: Truth,
    aid: bool,
) -> None:
    before = scored(baseline, visit, rescue=rescue)
    after = scored(filled(baseline, some), filled(visit, other), rescue=aid if rescue is None else rescue)
    assert after.responder is not None
    assert before.responder in (None, after.responder)
    for name, truth in before.components.items():
        assert truth in (None, after.components[name])
