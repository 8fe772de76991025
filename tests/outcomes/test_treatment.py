"""What a subject took at a visit: the steroid averaged over the days before, stability, rescue and maintenance.

Proves the edges: which days count, what an unknown dose or an unreviewed list leaves unknown, when a change is recent.
"""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID, uuid4

import pytest

from backend.analysis.treatment import Medication, Treatment, treatment_on

DAY = date(2026, 3, 30)
BEGUN = DAY - timedelta(days=28)


def before(days: int) -> date:
    return DAY - timedelta(days=days)


def taken(drug: str, mg: Any, since: int = 100, until: int | None = None, **over: Any) -> Medication:
    """One regimen; since and until are days before the visit."""
    classes = {"hydroxychloroquine": "antimalarial", "belimumab": "biologic"}
    steroids = ("prednisone", "prednisolone", "methylprednisolone", "dexamethasone", "fludrocortisone", "unheard_of")
    kind = "steroid" if drug in steroids else classes.get(drug, "immunosuppressant")
    return Medication(
        **{
            "id": uuid4(),
            "drug": drug,
            "drug_class": kind,
            "since": before(since),
            "until": None if until is None else before(until),
            "mg_per_day": None if mg is None else Fraction(mg),
            **over,
        }
    )


def at_visit(*medications: Medication, reviewed: bool = True, since: date = BEGUN) -> Treatment:
    return treatment_on(DAY, medications, reviewed=reviewed, average_days=7, stable_days=28, since=since)


# --- the steroid --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("regimens", "mg"),
    [
        ([], "0"),
        ([("prednisone", 7)], "7"),
        ([("prednisone", 7, 7)], "7"),
        ([("prednisone", 7, 6)], "6"),
        ([("prednisone", 7, 1)], "1"),
        ([("prednisone", 70, 0)], "0"),  # the visit's own day is not averaged
        ([("prednisone", 7, 100, 7)], "1"),  # `until` is the last day it was taken
        ([("prednisone", 70, 100, 8)], "0"),
        ([("prednisone", 20, 100, 4), ("prednisone", 6, 3)], "14"),  # four days of 20, three of 6
        ([("prednisone", 5), ("methylprednisolone", 4)], "10"),
        ([("dexamethasone", "0.75")], "5"),
        ([("prednisone", Fraction(15, 2), 100)], "7.5"),
        ([("prednisone", Fraction(10, 3)), ("prednisolone", Fraction(25, 6))], "7.5"),  # thirds that make a whole
    ],
)
def test_steroid_is_averaged_over_the_seven_days_before_the_visit(regimens: list[tuple[Any, ...]], mg: str) -> None:
    found = at_visit(*(taken(*one) for one in regimens))
    assert found.steroid_mg == found.steroid_at_least == Decimal(mg)


def test_alternate_days_are_half_a_dose_each_day() -> None:
    assert at_visit(taken("prednisone", Fraction(15, 2))).steroid_mg == Decimal("7.5")
    whole = [taken("prednisone", 15, days, days) for days in (1, 3, 5, 7)]
    assert at_visit(*whole).steroid_mg == Decimal("8.57142857143")  # single days, as they were: 60 mg in 7


def test_a_dose_change_counts_each_day_by_its_own_dose() -> None:
    down = [taken("prednisone", 14, 100, 4), taken("prednisone", 7, 3)]
    assert at_visit(*down).steroid_mg == 11
    assert at_visit(*down).medication_ids == tuple(sorted((one.id for one in down), key=str))


@pytest.mark.parametrize(
    ("regimens", "mg"),
    [
        # stopped and begun anew at one moment four days ago: three days of 14, then four of 7, by hand 70 / 7
        ([("prednisone", 14, 100, 4), ("prednisone", 7, 4)], "10"),
        ([("prednisone", 5, 100, 7), ("prednisone", 5, 7)], "5"),
        # a pulse of one day was given, whatever of the same drug began on that day: (500 + 7 * 4) * 1.25 / 7
        ([("methylprednisolone", 500, 4, 4), ("methylprednisolone", 4)], "94.2857142857"),
        (
            [("methylprednisolone", 500, 4, 4), ("methylprednisolone", 4, 4)],
            "92.1428571429",
        ),  # (500 + 4 * 4) * 1.25 / 7
        # and it ends none: (500 + 8 * 4) * 1.25 / 7
        ([("methylprednisolone", 8, 100, 4), ("methylprednisolone", 500, 4, 4)], "95"),
        # another drug is another regimen, and topical is another route
        ([("prednisone", 14, 100, 4), ("prednisolone", 7, 4)], "12"),  # (4 * 14 + 4 * 7) / 7
    ],
)
def test_the_day_of_a_dose_change_counts_once(regimens: list[tuple[Any, ...]], mg: str) -> None:
    """instruments.md §8: averaged over the regimen, so no day can hold the old dose and the new one of one drug."""
    found = at_visit(*(taken(*one) for one in regimens))
    assert found.steroid_mg == Decimal(mg)


def test_a_topical_form_of_the_drug_ends_no_regimen() -> None:
    found = at_visit(taken("prednisone", 7, 100, 4), taken("prednisone", 40, 4, systemic=False))
    assert found.steroid_mg == 4


def test_topical_steroid_is_not_counted() -> None:
    found = at_visit(taken("prednisone", 40, systemic=False))
    assert (found.steroid_mg, found.steroid_at_least, found.medication_ids) == (0, 0, ())


@pytest.mark.parametrize(
    ("drug", "per_mg", "mg"),
    [
        ("fludrocortisone", "0", "0"),
        ("fludrocortisone", None, None),
        ("unheard_of", "0.25", "2"),
        ("unheard_of", None, None),
        ("prednisone", "9", "8"),
    ],
)
def test_what_a_steroid_counts_as(drug: str, per_mg: str | None, mg: str | None) -> None:
    said = None if per_mg is None else Decimal(per_mg)
    assert at_visit(taken(drug, 8, prednisolone_per_mg=said)).steroid_mg == (None if mg is None else Decimal(mg))


def test_of_a_steroid_that_counts_as_none_the_dose_need_not_be_known() -> None:
    none = taken("fludrocortisone", None, prednisolone_per_mg=Decimal(0))
    assert at_visit(none, taken("prednisone", 5)).steroid_mg == 5


def test_an_unknown_dose_leaves_a_lower_bound() -> None:
    found = at_visit(taken("prednisone", 5), taken("methylprednisolone", None))
    assert (found.steroid_mg, found.steroid_at_least) == (None, 5)


@pytest.mark.parametrize(("since", "until", "mg"), [(100, 8, 5), (0, None, 5), (7, 7, None), (1, None, None)])
def test_an_unknown_dose_matters_only_where_it_was_taken_in_those_days(
    since: int, until: int | None, mg: int | None
) -> None:
    assert at_visit(taken("prednisone", 5), taken("prednisolone", None, since, until)).steroid_mg == mg


@pytest.mark.parametrize(
    ("mg", "reviewed", "held_against"),
    [
        ("7.5", True, "7.5"),
        ("7.5", False, None),  # at the limit a lower bound proves nothing
        ("7.51", False, "7.51"),
        ("0", False, None),
        ("0", True, "0"),
    ],
)
def test_an_unreviewed_list_can_only_prove_too_much(mg: str, reviewed: bool, held_against: str | None) -> None:
    found = at_visit(taken("prednisone", mg), reviewed=reviewed)
    assert found.steroid_for(Decimal("7.5")) == (None if held_against is None else Decimal(held_against))
    assert found.steroid_at_least == Decimal(mg)
    assert (found.steroid_mg is not None) == reviewed


# --- other treatment ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("drug", ["azathioprine", "belimumab"])
@pytest.mark.parametrize(
    ("since", "until", "kind"),
    [
        (29, None, "stable"),
        (28, None, "stable"),
        (27, None, "changed"),
        (0, None, "changed"),
        (-1, None, "none"),
        (100, 29, "none"),
        (100, 28, "none"),
        (100, 27, "changed"),
        (100, 0, "changed"),
        (100, -1, "stable"),
    ],
)
def test_stable_is_unchanged_for_28_days(drug: str, since: int, until: int | None, kind: str) -> None:
    assert at_visit(taken(drug, 50, since, until)).immunosuppressant_or_biologic == kind


@pytest.mark.parametrize(("changed", "kind"), [(28, "stable"), (27, "changed"), (1, "changed")])
def test_a_changed_dose_is_a_change(changed: int, kind: str) -> None:
    doses = [taken("azathioprine", 100, 100, changed + 1), taken("azathioprine", 50, changed)]
    assert at_visit(*doses).immunosuppressant_or_biologic == kind


def test_one_change_is_enough_and_steroids_are_none() -> None:
    assert at_visit(taken("prednisone", 5, 3)).immunosuppressant_or_biologic == "none"
    both = [taken("azathioprine", 50), taken("belimumab", 10, 5)]
    assert at_visit(*both).immunosuppressant_or_biologic == "changed"


@pytest.mark.parametrize(("since", "kind"), [(100, None), (27, "changed")])
def test_an_unreviewed_list_proves_a_change_but_no_stability(since: int, kind: str | None) -> None:
    assert at_visit(taken("azathioprine", 50, since), reviewed=False).immunosuppressant_or_biologic == kind


def test_an_unreviewed_empty_list_proves_no_absence() -> None:
    found = at_visit(reviewed=False)
    assert found.immunosuppressant_or_biologic is None
    assert found.within_maintenance is None
    assert found.steroid_mg is None


@pytest.mark.parametrize(("since", "until", "taking"), [(10, None, True), (0, 0, True), (10, 1, False)])
def test_an_antimalarial_counts_while_it_is_taken(since: int, until: int | None, taking: bool) -> None:
    assert at_visit(taken("hydroxychloroquine", 200, since, until)).antimalarial is taking
    assert at_visit(taken("azathioprine", 50, since, until)).antimalarial is False


@pytest.mark.parametrize(
    ("drug", "most"),
    [
        ("hydroxychloroquine", Fraction(400)),
        ("methotrexate", Fraction(30, 7)),
        ("azathioprine", Fraction(200)),
        ("mycophenolate_mofetil", Fraction(3000)),
        ("mycophenolic_acid", Fraction(2160)),
        ("leflunomide", Fraction(20)),
    ],
)
def test_maintenance_has_a_ceiling_met_at_equality(drug: str, most: Fraction) -> None:
    above = most + Fraction(1, 1000)
    assert at_visit(taken(drug, most)).within_maintenance is True
    assert at_visit(taken(drug, above)).within_maintenance is False
    assert at_visit(taken(drug, above, 100, 1)).within_maintenance is True  # no longer taken
    assert at_visit(taken(drug, None)).within_maintenance is None
    assert at_visit(taken(drug, most), reviewed=False).within_maintenance is None
    assert at_visit(taken(drug, above), reviewed=False).within_maintenance is False


def test_a_dose_beyond_its_ceiling_settles_what_another_leaves_unknown() -> None:
    assert at_visit(taken("azathioprine", 250), taken("leflunomide", None)).within_maintenance is False
    assert at_visit(taken("azathioprine", 50), taken("leflunomide", None)).within_maintenance is None


# --- rescue -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("since", "rescue"),
    [(29, False), (28, False), (27, True), (0, True), (-1, False)],
)
def test_rescue_counts_only_from_the_day_after_treatment_began(since: int, rescue: bool) -> None:
    assert at_visit(taken("prednisone", 60, since, rescue=True)).rescue is rescue


def test_rescue_stays_once_given_and_is_never_guessed() -> None:
    assert at_visit(taken("belimumab", 10, 20, 19, rescue=True)).rescue is True
    assert at_visit(taken("prednisone", 1000, 5)).rescue is False


def test_an_unreviewed_list_proves_a_rescue_and_no_absence_of_one() -> None:
    """Decision 0012: an empty list proves nothing."""
    assert at_visit(reviewed=False).rescue is None
    assert at_visit(taken("prednisone", 5), reviewed=False).rescue is None
    assert at_visit(taken("prednisone", 60, 20, 19, rescue=True), reviewed=False).rescue is True
    assert at_visit().rescue is False


def test_what_was_counted_is_named() -> None:
    now, steroid = taken("azathioprine", 50), taken("prednisone", 5, 100, 3)
    gone = [taken("azathioprine", 50, 100, 40), taken("prednisone", 5, 100, 8)]
    named: tuple[UUID, ...] = at_visit(now, steroid, *gone).medication_ids
    assert named == tuple(sorted((now.id, steroid.id), key=str))
