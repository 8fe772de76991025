"""Prednisolone equivalents: what equals 5 mg of prednisolone by its label, and the mean dose a day of several regimens.

Betamethasone and deflazacort differ between tables; 0.75 and 6 mg are the values chosen.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.instruments import steroids
from backend.scoring import INSTRUMENTS, Converted

EQUALS_5_MG = {
    "prednisolone": "5",
    "prednisone": "5",
    "methylprednisolone": "4",
    "triamcinolone": "4",
    "dexamethasone": "0.75",
    "betamethasone": "0.75",
    "hydrocortisone": "20",
    "cortisone": "25",
    "deflazacort": "6",
}


def per_day(*regimens: dict[str, Any]) -> Decimal | None:
    answer: Converted = INSTRUMENTS["conversion"](glucocorticoids=list(regimens))
    return answer.prednisolone_equivalent_mg_per_day


def regimen(drug: str, mg: str | None, every: str | None = None) -> dict[str, Any]:
    """So many mg a day, or every so many days."""
    amount = None if mg is None else Decimal(mg)
    if every is None:
        return {"drug": drug, "mg_per_day": amount}
    return {"drug": drug, "mg": amount, "every_days": Decimal(every)}


@pytest.mark.parametrize(("drug", "mg"), EQUALS_5_MG.items())
def test_what_equals_five_milligrams(drug: str, mg: str) -> None:
    assert per_day(regimen(drug, mg)) == 5
    assert per_day(regimen(drug, str(Decimal(mg) * 4))) == 20
    assert per_day(regimen(drug, "0")) == 0


def test_no_other_drug_is_counted() -> None:
    assert steroids.EQUAL_TO_5_MG.keys() == EQUALS_5_MG.keys()


@pytest.mark.parametrize("drug", ["fludrocortisone", "budesonide", "aspirin"])
def test_a_drug_that_is_not_counted_is_never_converted(drug: str) -> None:
    """Fludrocortisone, topical, inhaled and intra-articular steroids do not count."""
    with pytest.raises(KeyError):
        steroids.as_prednisolone(drug, Decimal(1))


@pytest.mark.parametrize(
    ("drug", "mg", "expected"),
    [
        ("cortisone", "75", "15"),  # the label's own example
        ("methylprednisolone", "16", "20"),
        ("methylprednisolone", "1000", "1250"),  # a pulse
        ("dexamethasone", "6", "40"),
        ("dexamethasone", "30", "200"),
        ("hydrocortisone", "30", "7.5"),
        ("deflazacort", "9", "7.5"),
    ],
)
def test_common_doses(drug: str, mg: str, expected: str) -> None:
    assert per_day(regimen(drug, mg)) == Decimal(expected)


@pytest.mark.parametrize(
    ("drug", "mg", "every", "expected"),
    [
        ("prednisolone", "10", "2", "5"),
        ("prednisone", "15", "2", "7.5"),
        ("methylprednisolone", "8", "2", "5"),
        ("prednisolone", "35", "7", "5"),
        ("prednisolone", "5", "1", "5"),
        ("prednisolone", "5", "0.5", "10"),  # twice a day
    ],
)
def test_a_regimen_is_averaged_over_its_days(drug: str, mg: str, every: str, expected: str) -> None:
    assert per_day(regimen(drug, mg, every)) == Decimal(expected)


def test_regimens_are_added_up() -> None:
    together = [regimen("prednisolone", "2.5"), regimen("dexamethasone", "0.75"), regimen("hydrocortisone", "20", "2")]
    assert per_day(*together) == 10


def test_no_regimen_is_a_dose_of_nothing_and_no_list_is_unknown() -> None:
    assert per_day() == 0
    assert steroids.per_day(None) is None


@pytest.mark.parametrize(
    "unknown",
    [
        {"drug": "prednisolone"},
        {"drug": "prednisolone", "mg": Decimal(10)},
        {"drug": "prednisolone", "every_days": Decimal(2)},
        {"drug": "prednisolone", "mg_per_day": None},
    ],
    ids=str,
)
def test_one_unknown_dose_makes_the_sum_unknown(unknown: dict[str, Any]) -> None:
    assert per_day(unknown) is None
    assert per_day(regimen("prednisolone", "5"), unknown) is None
    assert per_day(unknown, regimen("prednisolone", "5")) is None


@pytest.mark.parametrize("mg", ["0.1", "300", None])
def test_fludrocortisone_may_stand_in_the_list_and_counts_nothing(mg: str | None) -> None:
    """instruments.md §8: not counted, whatever the dose."""
    assert per_day(regimen("fludrocortisone", mg)) == 0
    assert per_day(regimen("fludrocortisone", mg), regimen("prednisolone", "5")) == 5
    lldas = INSTRUMENTS["lldas"](glucocorticoids=[regimen("fludrocortisone", mg), regimen("prednisolone", "7.5")])
    assert lldas.criteria["4_prednisolone_le_7_5"] is True


def exactly(regimens: Sequence[tuple[str, int, int]]) -> Fraction:
    return sum((Fraction(mg, days) * 5 / Fraction(EQUALS_5_MG[drug]) for drug, mg, days in regimens), Fraction())


def test_a_known_dose_beyond_the_limit_settles_whatever_else_is_unknown() -> None:
    doses = [regimen("prednisolone", "20", "1"), {"drug": "dexamethasone", "mg_per_day": None}]
    found = INSTRUMENTS["lldas"](sledai_present=[], glucocorticoids=doses)
    assert found.criteria["4_prednisolone_le_7_5"] is False
    assert found.prednisolone_equivalent_mg_per_day is None
    low = [regimen("prednisolone", "5", "1"), {"drug": "dexamethasone", "mg_per_day": None}]
    assert INSTRUMENTS["doris"](sledai_present=[], glucocorticoids=low).criteria["prednisolone_le_5"] is None


@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(EQUALS_5_MG)), st.integers(0, 60), st.sampled_from([1, 2, 4, 5])), max_size=5
    )
)
def test_the_sum_is_the_sum_of_the_fractions(regimens: list[tuple[str, int, int]]) -> None:
    found = per_day(*(regimen(drug, str(mg), str(days)) for drug, mg, days in regimens))
    assert found is not None
    assert abs(Fraction(found) - exactly(regimens)) <= exactly(regimens) / 10**11  # twelve digits are kept


@pytest.mark.parametrize(
    ("regimens", "expected"),
    [
        ([("prednisolone", 5, 3), ("prednisone", 5, 3), ("methylprednisolone", 4, 3)], "5"),
        ([("prednisolone", 5, 3), ("prednisone", 5, 3), ("triamcinolone", 10, 3)], "7.5"),
        ([("prednisolone", 5, 7)] * 7, "5"),
        ([("prednisolone", 10, 3), ("prednisone", 5, 3)], "5"),
    ],
)
def test_thirds_and_sevenths_that_make_a_whole_make_it_exactly(
    regimens: list[tuple[str, int, int]], expected: str
) -> None:
    """LLDAS asks for at most 7.5 and DORIS for at most 5: a last digit too many would fail them."""
    assert exactly(regimens) == Fraction(expected)
    assert per_day(*(regimen(drug, str(mg), str(days)) for drug, mg, days in regimens)) == Decimal(expected)
