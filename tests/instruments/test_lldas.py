"""LLDAS: five criteria of Franklyn 2016 at their boundaries, doses of Golder 2016.

Each criterion is true, false and unknown by itself; the registration's wording stands beside the published state.
What is new since the visit before, criterion 2, is in `test_lldas_new_activity`.
"""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from itertools import product
from typing import Any

import pytest

from backend.instruments import lldas
from backend.instruments.lldas import LowActivity
from backend.instruments.logic import Truth
from backend.scoring import INSTRUMENTS
from tests.instruments.lldas_visits import (
    ALL,
    FIFTH,
    FIRST,
    FOURTH,
    MAJOR,
    MINOR,
    SECOND,
    THIRD,
    lasting,
    rules,
    scored,
)


def conjunction(*truths: Truth) -> Truth:
    return False if False in truths else None if None in truths else True


def test_all_five_make_the_state() -> None:
    answer = scored()
    assert answer.lldas is True
    assert answer.criteria == dict.fromkeys((FIRST, SECOND, THIRD, FOURTH, FIFTH), True)
    assert answer.registration_wording.lldas is True
    assert answer.registration_wording.lldas_if_serology_excluded is True
    assert (answer.sledai_2k, answer.prednisolone_equivalent_mg_per_day, answer.reasons) == (0, Decimal(5), ())


# --- Criterion 1: SLEDAI-2K of at most 4, no major organ, no haemolytic anaemia, no gastrointestinal activity ----


def test_the_two_lists_are_the_24_descriptors() -> None:
    assert len(set(ALL)) == len(ALL) == 24


@pytest.mark.parametrize("organ", MAJOR)
def test_activity_of_a_major_organ_fails_whatever_the_points(organ: str) -> None:
    """Franklyn 2016: renal, CNS, cardiopulmonary, vasculitis, fever. Fever is 1 point, pleurisy 2, haematuria 4."""
    answer = lasting(organ)
    assert answer.criteria == {FIRST: False, SECOND: True, THIRD: True, FOURTH: True, FIFTH: True}
    assert answer.lldas is False
    assert answer.registration_wording.lldas is False
    assert answer.registration_wording.lldas_if_serology_excluded is False


@pytest.mark.parametrize("organ", MINOR)
def test_other_activity_within_four_points_is_allowed(organ: str) -> None:
    """Myositis is on no list of major organs."""
    answer = lasting(organ)
    assert answer.criteria[FIRST] is True
    assert answer.lldas is True


@pytest.mark.parametrize(
    ("present", "points", "expected"),
    [
        (("arthritis",), 4, True),
        (("rash", "alopecia"), 4, True),
        (("rash", "thrombocytopenia", "leukopenia"), 4, True),
        (("arthritis", "leukopenia"), 5, False),
        (("rash", "alopecia", "thrombocytopenia"), 5, False),
        (("arthritis", "myositis"), 8, False),
        (("low_complement", "increased_dna_binding"), 4, True),  # serology counts inside the four points
        (("rash", "low_complement"), 4, True),
        (("arthritis", "low_complement"), 6, False),
        (("leukopenia", "low_complement", "increased_dna_binding"), 5, False),
    ],
)
def test_four_points_pass_and_five_fail(present: tuple[str, ...], points: int, *, expected: bool) -> None:
    answer = lasting(*present)
    assert answer.sledai_2k == points
    assert answer.criteria[FIRST] is expected
    assert answer.lldas is expected


@pytest.mark.parametrize("field", ["haemolytic_anaemia", "gastrointestinal_activity"])
@pytest.mark.parametrize(("value", "expected"), [(False, True), (True, False), (None, None)])
def test_two_activities_that_are_no_descriptors(field: str, value: Truth, expected: Truth) -> None:
    """Named by Franklyn 2016, not by the registration, whose reading they leave alone."""
    answer = scored(**{field: value})
    assert answer.criteria[FIRST] is expected
    assert answer.lldas is expected
    assert answer.registration_wording.lldas is True
    assert answer.registration_wording.lldas_if_serology_excluded is True


@pytest.mark.parametrize(
    ("present", "not_assessed", "expected"),
    [
        ((), ("arthritis",), True),  # 4 at the most
        ((), ("rash", "alopecia"), True),
        ((), ("rash", "alopecia", "leukopenia"), None),  # up to 5
        (("leukopenia",), ("arthritis",), None),
        (("arthritis", "leukopenia"), ("rash",), False),  # 5 already
        ((), ("fever",), None),  # one point, but a major organ
        (("proteinuria",), ("fever",), False),
        (("arthritis",), ("low_complement",), None),
        ((), ("low_complement", "increased_dna_binding"), True),
    ],
)
def test_what_is_not_assessed_is_bounded(
    present: tuple[str, ...], not_assessed: tuple[str, ...], *, expected: Truth
) -> None:
    answer = scored(
        sledai_present=present,
        sledai_not_assessed=not_assessed,
        previous_visit_sledai_present=(*present, *not_assessed),
    )
    assert answer.criteria[FIRST] is expected
    assert answer.lldas is expected
    assert answer.sledai_2k is None


def test_no_sledai_at_all_is_unknown() -> None:
    answer = scored(sledai_present=None)
    assert (answer.criteria[FIRST], answer.criteria[SECOND], answer.lldas, answer.sledai_2k) == (None, None, None, None)


# --- Criteria 3, 4 and 5 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pga", "expected"),
    [("0", True), ("0.99", True), ("1", True), ("1.0", True), ("1.01", False), ("3", False), (None, None)],
)
def test_a_pga_of_one_passes(pga: str | None, *, expected: Truth) -> None:
    answer = scored(pga=None if pga is None else Decimal(pga))
    assert answer.criteria == {FIRST: True, SECOND: True, THIRD: expected, FOURTH: True, FIFTH: True}
    assert answer.lldas is expected


@pytest.mark.parametrize(
    ("mg", "expected"),
    [("0", True), ("5", True), ("7.5", True), ("7.50", True), ("7.51", False), ("20", False), (None, None)],
)
def test_seven_and_a_half_milligrams_pass(mg: str | None, *, expected: Truth) -> None:
    answer = scored(prednisolone_mg_per_day=None if mg is None else Decimal(mg))
    assert answer.criteria == {FIRST: True, SECOND: True, THIRD: True, FOURTH: expected, FIFTH: True}
    assert answer.lldas is expected


def a_day(drug: str, mg: str) -> dict[str, Any]:
    return {"drug": drug, "mg_per_day": Decimal(mg)}


def alternately(drug: str, mg: str) -> dict[str, Any]:
    return {"drug": drug, "mg": Decimal(mg), "every_days": Decimal(2)}


@pytest.mark.parametrize(
    ("regimens", "expected"),
    [
        ([], True),
        ([a_day("methylprednisolone", "6")], True),  # 7.5
        ([a_day("methylprednisolone", "6.01")], False),
        ([a_day("dexamethasone", "1.125")], True),  # 7.5
        ([alternately("prednisone", "15")], True),
        ([alternately("prednisone", "16")], False),
        ([a_day("prednisolone", "5"), a_day("hydrocortisone", "10")], True),  # 5 and 2.5
        ([a_day("prednisolone", "5"), a_day("hydrocortisone", "11")], False),
        ([{"drug": "prednisolone"}], None),
        (None, None),
    ],
)
def test_regimens_are_added_up_as_prednisolone(regimens: list[dict[str, Any]] | None, *, expected: Truth) -> None:
    answer = scored(prednisolone_mg_per_day=None, glucocorticoids=regimens)
    assert answer.criteria[FOURTH] is expected
    assert answer.lldas is expected


@pytest.mark.parametrize("value", [True, False, None])
def test_treatment_must_be_standard_and_stable(value: Truth) -> None:
    answer = scored(standard_stable_immunosuppression=value)
    assert answer.criteria == {FIRST: True, SECOND: True, THIRD: True, FOURTH: True, FIFTH: value}
    assert answer.lldas is value


@pytest.mark.parametrize(
    ("drug", "most", "over"),
    [
        ("hydroxychloroquine", Decimal(400), Decimal("400.1")),
        ("methotrexate", Fraction(30, 7), Fraction(31, 7)),  # mg a day of a weekly dose
        ("azathioprine", Decimal(200), Decimal(201)),
        ("mycophenolate_mofetil", Decimal(3000), Decimal(3001)),
        ("mycophenolic_acid", Decimal(2160), Decimal(2161)),
        ("leflunomide", Decimal(20), Decimal("20.5")),
    ],
)
def test_the_largest_doses_of_standard_maintenance(
    drug: str, most: Decimal | Fraction, over: Decimal | Fraction
) -> None:
    """Golder 2016, table 3."""
    assert lldas.within_maintenance(drug, most) is True
    assert lldas.within_maintenance(drug, over) is False
    assert lldas.within_maintenance(drug, None) is None


def test_an_approved_biologic_has_no_ceiling_to_pass() -> None:
    assert lldas.within_maintenance("belimumab", Decimal(29)) is True


# --- The whole ------------------------------------------------------------------------------------------------

PGA: Mapping[Truth, Decimal | None] = {True: Decimal(1), False: Decimal("1.01"), None: None}
DOSE: Mapping[Truth, Decimal | None] = {True: Decimal("7.5"), False: Decimal("7.51"), None: None}
NOT: Mapping[Truth, Truth] = {True: False, False: True, None: None}


def test_one_failed_criterion_settles_and_one_unknown_leaves_open() -> None:
    for truths in product([True, False, None], repeat=5):
        first, second, third, fourth, fifth = truths
        answer = scored(
            gastrointestinal_activity=NOT[first],
            new_bilag_activity=NOT[second],
            pga=PGA[third],
            prednisolone_mg_per_day=DOSE[fourth],
            standard_stable_immunosuppression=fifth,
        )
        assert tuple(answer.criteria.values()) == truths
        assert answer.lldas is conjunction(*truths), truths
        assert answer.registration_wording.lldas is conjunction(*truths[1:]), truths


@pytest.mark.parametrize(
    "known",
    [
        {"sledai_present": ["arthritis", "leukopenia"]},
        {"sledai_present": ["fever"]},
        {"haemolytic_anaemia": True},
        {"gastrointestinal_activity": True},
        {"sledai_present": ["rash"], "previous_visit_sledai_present": []},
        {"pga": Decimal("1.01")},
        {"prednisolone_mg_per_day": Decimal("7.51")},
        {"standard_stable_immunosuppression": False},
    ],
    ids=str,
)
def test_a_failed_criterion_settles_although_nothing_else_is_known(known: dict[str, Any]) -> None:
    assert INSTRUMENTS["lldas"](**known).lldas is False


def test_the_reasons_tell_a_failed_criterion_from_an_unknown_one() -> None:
    answer = scored(pga=Decimal("1.01"), prednisolone_mg_per_day=None)
    assert rules(answer) == {f"{THIRD}_not_met", f"{FOURTH}_unknown"}


def test_nothing_known_is_unknown() -> None:
    answer: LowActivity = INSTRUMENTS["lldas"]()
    assert answer.lldas is None
    assert set(answer.criteria.values()) == {None}
    assert answer.registration_wording.lldas is None
    assert answer.registration_wording.lldas_if_serology_excluded is None


# --- The registration's wording -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("present", "published", "without_serology"),
    [
        (("arthritis", "low_complement"), False, True),  # 6 points, 4 of them clinical
        (("arthritis", "low_complement", "increased_dna_binding"), False, True),
        (("rash", "low_complement"), True, True),
        (("arthritis", "leukopenia"), False, False),
        (("arthritis", "leukopenia", "low_complement"), False, False),
        (("proteinuria", "low_complement"), False, False),
    ],
)
def test_irrespective_of_serology_is_a_second_value(
    present: tuple[str, ...], *, published: bool, without_serology: bool
) -> None:
    answer = lasting(*present)
    assert answer.lldas is published
    assert answer.registration_wording.lldas is published
    assert answer.registration_wording.lldas_if_serology_excluded is without_serology


def test_serology_not_assessed_matters_only_where_it_counts() -> None:
    answer = scored(
        sledai_present=["arthritis"],
        sledai_not_assessed=["low_complement"],
        previous_visit_sledai_present=["arthritis", "low_complement"],
    )
    assert answer.registration_wording.lldas is None
    assert answer.registration_wording.lldas_if_serology_excluded is True


@pytest.mark.parametrize(
    "change", [{"prednisolone_mg_per_day": Decimal(10)}, {"standard_stable_immunosuppression": False}], ids=str
)
def test_and_or_lets_neither_treatment_criterion_stand_alone(change: dict[str, Any]) -> None:
    answer = scored(**change)
    assert answer.registration_wording.lldas is False
    assert answer.registration_wording.lldas_if_serology_excluded is False
