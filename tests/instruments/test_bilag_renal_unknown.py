"""BILAG-2004, renal, what is not known: a grade is incomplete exactly where an answer or a value could raise it."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import product

import pytest

from backend.scoring import INSTRUMENTS
from tests.instruments.renal_visits import FEATURES, NO_QUANTITY, QUIET, SEDIMENT, YES_NO, Values, after, grade, graded


def replacements(unknown: tuple[str, ...]) -> Iterator[Values]:
    for chosen in product((False, True), repeat=len(unknown)):
        yield dict(zip(unknown, chosen, strict=True))


@pytest.mark.parametrize("number", [None, 1, 3], ids=["quiet", "protein", "function"])
def test_an_open_question_makes_incomplete_exactly_where_an_answer_could_raise_the_grade(number: int | None) -> None:
    """Every way to answer the four questions yes, no or not at all, each held against all its replacements."""
    background = FEATURES[number] if number else {}
    for answers in product((True, False, None), repeat=4):
        now = {**background, **dict(zip(YES_NO, answers, strict=True))}
        told = graded(now)
        unknown = tuple(name for name in YES_NO if now[name] is None)
        later = [str(grade({**now, **known})) for known in replacements(unknown)]
        assert told.grade == max(later)  # letters sort from the best to the worst
        assert told.incomplete == (min(later) < max(later)), now


@pytest.mark.parametrize(
    ("now", "expected", "incomplete"),
    [
        ({**NO_QUANTITY, "dipstick_level": None}, "E", True),
        ({**NO_QUANTITY, "dipstick_level": None, **SEDIMENT}, "B", True),
        ({**NO_QUANTITY, "dipstick_level": None, **FEATURES[2]}, "B", True),  # severe protein would decide
        ({**NO_QUANTITY, "dipstick_level": None, **SEDIMENT, **FEATURES[6]}, "A", False),
        ({**NO_QUANTITY, "dipstick_level": 0}, "E", False),  # the dipstick stands in
        ({"creatinine_umol_l": None, "gfr": None}, "E", True),
        ({"creatinine_umol_l": None, "gfr": None, **SEDIMENT}, "B", True),
        ({"creatinine_umol_l": None, "gfr": None, **FEATURES[2]}, "B", False),  # 2 and 3 do not make A
        ({"creatinine_umol_l": None, "gfr": None, **FEATURES[2], **FEATURES[6]}, "B", False),
        ({"creatinine_umol_l": None, "gfr": None, **FEATURES[4], **FEATURES[5]}, "A", False),
        ({"systolic_mmhg": None, "diastolic_mmhg": None}, "E", True),
        ({"systolic_mmhg": None}, "E", False),  # a diastolic of 75 rules the rise out
        ({"diastolic_mmhg": None}, "E", False),  # a systolic of 120 rules the rise out
        ({"systolic_mmhg": 170, "diastolic_mmhg": None}, "E", True),
        ({"systolic_mmhg": None, "diastolic_mmhg": None, "upcr_mg_per_mmol": Decimal(30)}, "C", False),
        ({"systolic_mmhg": None, "diastolic_mmhg": None, **SEDIMENT}, "B", False),
    ],
)
def test_a_value_not_done_makes_incomplete_where_it_could_raise_the_grade(
    now: Values, expected: str, incomplete: bool
) -> None:
    answer = graded(now)
    assert (answer.grade, answer.incomplete) == (expected, incomplete)


@pytest.mark.parametrize(
    ("now", "last", "expected", "learned", "then"),
    [
        # a positive dipstick may be 3 g a day
        ({"dipstick_level": 1}, QUIET, "C", {"urine_protein_24h_g": Decimal(3)}, "B"),
        ({"dipstick_level": 3}, after(dipstick_level=3), "C", {"upcr_mg_per_mmol": Decimal(300)}, "B"),
        ({"dipstick_level": 3, **SEDIMENT}, None, "B", {"urine_protein_24h_g": Decimal(3)}, "A"),
        ({"dipstick_level": 3, **FEATURES[2]}, None, "B", {"acr_mg_per_mmol": Decimal(200)}, "A"),
    ],
)
def test_a_positive_dipstick_leaves_open_how_much_protein_there_is(
    now: Values, last: Values | None, expected: str, learned: Values, then: str
) -> None:
    answer = graded({**NO_QUANTITY, **now}, last)
    assert (answer.grade, answer.incomplete) == (expected, True)
    whole = graded({**NO_QUANTITY, **now, **learned}, last)
    assert (whole.grade, whole.incomplete) == (then, False)


@pytest.mark.parametrize(
    ("now", "last", "expected"),
    [
        ({"dipstick_level": 0}, QUIET, "E"),  # negative: it stands in
        ({"dipstick_level": 3}, QUIET, "B"),  # severe already: risen by two levels and more
        ({"dipstick_level": 3, **SEDIMENT, **FEATURES[6]}, QUIET, "A"),
    ],
)
def test_a_dipstick_leaves_nothing_open_where_protein_could_not_raise_the_grade(
    now: Values, last: Values, expected: str
) -> None:
    answer = graded({**NO_QUANTITY, **now}, last)
    assert (answer.grade, answer.incomplete) == (expected, False)


UNMEASURED = after(creatinine_umol_l=Decimal(140), gfr=None)


@pytest.mark.parametrize(
    ("now", "expected", "incomplete"),
    [
        ({"creatinine_umol_l": Decimal(140)}, "E", True),  # a filtration of 45 would be B
        ({"creatinine_umol_l": Decimal(140), **SEDIMENT}, "B", True),  # and here A
        ({"creatinine_umol_l": Decimal(130)}, "E", False),
        ({"creatinine_umol_l": Decimal(200)}, "B", False),  # severe by itself: 143 % of 140
        ({"creatinine_umol_l": Decimal(140), **FEATURES[2]}, "B", False),  # 2 and 3 do not make A
        ({"creatinine_umol_l": Decimal(140), "gfr": Decimal(55)}, "E", False),
    ],
)
def test_a_raised_creatinine_without_a_filtration_leaves_it_open(now: Values, expected: str, incomplete: bool) -> None:
    """Below 50 where it was not measured last time is severe deterioration: category A, feature 3."""
    answer = graded({"gfr": None, **now}, UNMEASURED)
    assert (answer.grade, answer.incomplete) == (expected, incomplete)
    if incomplete:
        low = graded({**now, "gfr": Decimal(45)}, UNMEASURED)
        assert (low.grade, low.incomplete) == ("A" if "active_urinary_sediment" in now else "B", False)


def test_pressure_not_done_hides_no_rise_where_there_was_none_to_rise_from() -> None:
    nothing = {"systolic_mmhg": None, "diastolic_mmhg": None}
    assert not graded(nothing, after(**nothing)).incomplete
    assert not graded(nothing, None).incomplete


@pytest.mark.parametrize("current", [None, {}], ids=["absent", "empty"])
def test_a_kidney_nobody_looked_at_is_not_a_quiet_one(current: Values | None) -> None:
    nothing = INSTRUMENTS["bilag2004"]("renal", previously_involved=True, current=current, previous=None)
    assert (nothing.grade, nothing.incomplete) == ("D", True)
