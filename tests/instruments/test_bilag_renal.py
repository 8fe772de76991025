"""BILAG-2004, renal: the six features and their pairs, each number on its edge.

Rules and numbers of Isenberg 2005 as printed. Where programs differ on an equality the print holds: protein fallen by
exactly 25 % has improved, and creatinine of exactly 130 % of the previous is no feature of category A.
"""

from decimal import Decimal
from itertools import combinations

import pytest

from tests.instruments.renal_visits import FEATURES, NO_QUANTITY, QUIET, Values, after, grade, graded, is_feature

DECIDING = {1, 4, 5}

# --- features and their pairs ---------------------------------------------------------------------------------


@pytest.mark.parametrize("now", FEATURES.values(), ids=map(str, FEATURES))
def test_a_feature_alone_gives_b(now: Values) -> None:
    answer = graded(now)
    assert (answer.grade, answer.incomplete) == ("B", False)
    (seen,) = answer.reasons
    assert now.items() <= seen.values.items()


@pytest.mark.parametrize("numbers", [some for size in range(2, 7) for some in combinations(FEATURES, size)], ids=str)
def test_two_features_give_a_where_1_4_or_5_is_among_them(numbers: tuple[int, ...]) -> None:
    now = {name: value for number in numbers for name, value in FEATURES[number].items()}
    answer = graded(now)
    assert answer.grade == ("A" if DECIDING.intersection(numbers) else "B")
    assert now.items() <= {name: value for reason in answer.reasons for name, value in reason.values.items()}.items()


def test_hypertension_deterioration_and_nephrotic_syndrome_together_are_still_b() -> None:
    assert grade({**FEATURES[2], **FEATURES[3], **FEATURES[6]}) == "B"


@pytest.mark.parametrize(("before", "expected"), [(True, "D"), (False, "E"), (None, None)])
def test_of_a_quiet_visit_history_tells_d_from_e(before: bool | None, expected: str | None) -> None:
    quiet = graded({}, before=before)
    assert (quiet.grade, quiet.incomplete) == (expected, before is None)


# --- protein --------------------------------------------------------------------------------------------------

# measure, then just at and just beyond the limits of category A, B and C
MEASURES = [
    ("urine_protein_24h_g", "1.0", "1.01", "0.49", "0.5", "0.25", "0.26"),
    ("upcr_mg_per_mmol", "100", "100.1", "49.9", "50", "25", "25.1"),
    ("acr_mg_per_mmol", "100", "100.1", "49.9", "50", "25", "25.1"),
]
EACH_MEASURE = pytest.mark.parametrize(("name", "at_a", "beyond_a", "below_b", "at_b", "at_c", "beyond_c"), MEASURES)
FIRST_OR_LATER = pytest.mark.parametrize("last", [None, QUIET], ids=["first", "later"])


@FIRST_OR_LATER
@EACH_MEASURE
def test_limits_of_protein(
    name: str, at_a: str, beyond_a: str, below_b: str, at_b: str, at_c: str, beyond_c: str, last: Values | None
) -> None:
    """Category A above 1 g or 100, B from 0.5 g or 50, C above 0.25 g or 25."""

    def of(value: str) -> Values:
        return {name: Decimal(value)}

    assert is_feature(of(beyond_a), last)
    assert not is_feature(of(at_a), last)
    told = [grade(of(value), last) for value in (beyond_a, at_a, at_b, below_b, beyond_c, at_c)]
    assert told == ["B", "B", "B", "C", "C", "E"]


@pytest.mark.parametrize("measure", ["urine_protein_24h_g", "upcr_mg_per_mmol", "acr_mg_per_mmol"])
@pytest.mark.parametrize(
    ("now", "last", "feature", "expected"),
    [
        ("1.50", "2.00", False, "C"),  # fallen by exactly 25 %: improved
        ("1.51", "2.00", True, "B"),
        ("1.49", "2.00", False, "C"),
        ("1.50", None, True, "B"),  # nothing to have fallen from
        ("1.50", "0.10", True, "B"),
        ("0.60", "0.80", False, "C"),  # fallen by exactly 25 %
        ("0.61", "0.80", False, "B"),
        ("0.60", None, False, "B"),
        ("1.00", "1.20", False, "B"),  # fallen by less, not above the limit of A
        ("0.26", "4.00", False, "C"),  # whatever it fell by
        ("0.25", "0.10", False, "E"),
    ],
)
def test_protein_that_fell_by_a_quarter_has_improved(
    measure: str, now: str, last: str | None, feature: bool, expected: str
) -> None:
    scale = 1 if measure == "urine_protein_24h_g" else 100
    current = {measure: Decimal(now) * scale}
    previous = after(**{measure: None if last is None else Decimal(last) * scale})
    assert (is_feature(current, previous), grade(current, previous)) == (feature, expected)


@pytest.mark.parametrize(
    ("now", "last", "feature", "expected"),
    [
        ({"urine_protein_24h_g": "0.1", "upcr_mg_per_mmol": "150"}, {}, True, "B"),
        ({"urine_protein_24h_g": "1.2", "upcr_mg_per_mmol": "10"}, {}, True, "B"),
        ({"urine_protein_24h_g": "0.1", "acr_mg_per_mmol": "60"}, {}, False, "B"),
        ({"urine_protein_24h_g": "0.1", "acr_mg_per_mmol": "26"}, {}, False, "C"),
        # one has improved, the other has not
        ({"urine_protein_24h_g": "2", "upcr_mg_per_mmol": "200"}, {"urine_protein_24h_g": "4"}, True, "B"),
        ({"urine_protein_24h_g": "2", "upcr_mg_per_mmol": "200"}, {"upcr_mg_per_mmol": "400"}, True, "B"),
        ({"urine_protein_24h_g": "2", "acr_mg_per_mmol": "60"}, {"urine_protein_24h_g": "4"}, False, "B"),
        # both have improved
        (
            {"urine_protein_24h_g": "2", "upcr_mg_per_mmol": "200"},
            {"urine_protein_24h_g": "4", "upcr_mg_per_mmol": "400"},
            False,
            "C",
        ),
    ],
)
def test_of_disagreeing_measures_any_one_suffices(
    now: dict[str, str], last: dict[str, str], feature: bool, expected: str
) -> None:
    current = {name: Decimal(value) for name, value in now.items()}
    previous = after(**{name: Decimal(value) for name, value in last.items()})
    assert (is_feature(current, previous), grade(current, previous)) == (feature, expected)


@pytest.mark.parametrize(
    ("level", "last", "feature", "expected"),
    [
        (2, 0, True, "B"), (3, 1, True, "B"), (3, 0, True, "B"),  # risen by two levels
        (2, 1, False, "B"), (3, 2, False, "B"),  # by one, to at least 2+
        (1, 0, False, "C"),  # by one, to 1+ only
        (1, 1, False, "C"), (2, 2, False, "C"), (3, 3, False, "C"), (1, 3, False, "C"), (2, 3, False, "C"),
        (1, None, False, "C"), (3, None, False, "C"),  # nothing to have risen from
        (0, 0, False, "E"), (0, 3, False, "E"), (0, None, False, "E"),
    ],
)  # fmt: skip
def test_the_dipstick_where_nothing_was_measured(level: int, last: int | None, feature: bool, expected: str) -> None:
    current, previous = {**NO_QUANTITY, "dipstick_level": level}, after(dipstick_level=last)
    assert (is_feature(current, previous), grade(current, previous)) == (feature, expected)


@pytest.mark.parametrize(
    "measured",
    [
        {"urine_protein_24h_g": Decimal("0.1")},
        {"upcr_mg_per_mmol": Decimal(10)},
        {"acr_mg_per_mmol": Decimal(2)},
        {"urine_protein_24h_g": Decimal(0)},
    ],
    ids=str,
)
def test_the_dipstick_is_not_read_beside_a_measure(measured: Values) -> None:
    current = {**NO_QUANTITY, **measured, "dipstick_level": 3}
    assert not is_feature(current)
    assert grade(current) == "E"


# --- function -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "last", "feature", "expected"),
    [
        ("130", "80", False, "E"),  # exactly 130 umol/L, though far risen
        ("130", "110", False, "E"),
        ("130.1", "80", True, "B"),
        ("260", "200", False, "B"),  # exactly 130 % of the previous
        ("260.1", "200", True, "B"),
        ("230", "200", False, "B"),  # exactly 115 %
        ("229.9", "200", False, "E"),
        ("131", "131", False, "E"),
        ("131", "110", False, "B"),
        ("300", "400", False, "E"),
        ("300", None, False, "E"),  # cannot be shown to have risen
    ],
)
def test_creatinine(now: str, last: str | None, feature: bool, expected: str) -> None:
    current = {"creatinine_umol_l": Decimal(now)}
    previous = after(creatinine_umol_l=None if last is None else Decimal(last))
    assert (is_feature(current, previous), grade(current, previous)) == (feature, expected)


@pytest.mark.parametrize(
    ("now", "last", "feature"),
    [
        ("79.9", "200", True),
        ("80", "200", False),  # exactly 80
        ("67", "100", False),  # exactly 67 %
        ("66.9", "100", True),
        ("79", "100", False),
        ("60", None, False),
        ("49.9", "50", False),  # was not above 50
        ("49.9", "50.1", True),
        ("50", "50.1", False),  # exactly 50
        ("49.9", None, True),  # below 50 and not measured last time
        ("50", None, False),
        ("40", "45", False),  # low already
        ("30", "45", True),  # low already, and 66.7 % of the previous
    ],
)
def test_filtration(now: str, last: str | None, feature: bool) -> None:
    current = {"gfr": Decimal(now)}
    previous = after(gfr=None if last is None else Decimal(last))
    assert is_feature(current, previous) == feature
    assert grade(current, previous) == ("B" if feature else "E")


def test_creatinine_and_filtration_are_one_feature() -> None:
    both = {"creatinine_umol_l": Decimal(200), "gfr": Decimal(40)}
    assert (grade(both), is_feature(both)) == ("B", True)


# --- blood pressure -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "last", "expected"),
    [
        ((150, 95), (120, 80), "C"),  # by exactly 30 and 15
        ((149, 95), (120, 80), "E"),
        ((150, 94), (120, 80), "E"),
        ((141, 91), (110, 70), "C"),
        ((140, 91), (110, 70), "E"),  # exactly 140
        ((141, 90), (110, 70), "E"),  # exactly 90
        ((140, 90), (110, 70), "E"),
        ((200, 120), (190, 115), "E"),  # high, not risen
        ((200, 120), (None, None), "E"),
        ((200, 120), (120, None), "E"),
    ],
)
def test_pressure_above_140_over_90_that_rose_by_30_and_15(
    now: tuple[int, int], last: tuple[int | None, int | None], expected: str
) -> None:
    current = {"systolic_mmhg": now[0], "diastolic_mmhg": now[1]}
    assert grade(current, after(systolic_mmhg=last[0], diastolic_mmhg=last[1])) == expected


def test_pressure_adds_nothing_to_a_higher_grade() -> None:
    risen = {"systolic_mmhg": 180, "diastolic_mmhg": 110}
    assert grade({**risen, "urine_protein_24h_g": Decimal("0.5")}) == "B"
    assert not is_feature(risen)


# --- first visit ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "feature", "expected"),
    [
        ({}, False, "E"),
        ({"urine_protein_24h_g": Decimal("1.01")}, True, "B"),
        ({"upcr_mg_per_mmol": Decimal(50)}, False, "B"),
        ({"creatinine_umol_l": Decimal(400)}, False, "E"),
        ({"gfr": Decimal(79)}, False, "E"),
        ({"gfr": Decimal(49)}, True, "B"),
        ({**NO_QUANTITY, "dipstick_level": 3}, False, "C"),
        ({"systolic_mmhg": 200, "diastolic_mmhg": 120}, False, "E"),
        ({"nephrotic_syndrome": True}, True, "B"),
    ],
)
def test_on_a_first_visit_nothing_has_fallen_and_nothing_has_risen(now: Values, feature: bool, expected: str) -> None:
    assert (is_feature(now, None), grade(now, None)) == (feature, expected)


@pytest.mark.parametrize("last", [None, after(creatinine_umol_l=None)], ids=["first", "not measured"])
def test_raised_creatinine_without_a_previous_value_is_flagged(last: Values | None) -> None:
    """It cannot be shown to have risen, but it must not pass in silence as a quiet kidney."""
    answer = graded({"creatinine_umol_l": Decimal("130.1")}, last)
    named = {name for reason in answer.reasons for name in reason.values}
    assert answer.incomplete or "creatinine_umol_l" in named
