"""DORIS (van Vollenhoven 2021): clinical SLEDAI 0, PGA below 0.5, prednisolone at most 5 mg, treatment stable.

Each criterion is true, false and unknown by itself; beside the published state stand the registration's wording, taken
literally, and the drug-free remission in which CAR-T results are quoted.
"""

from collections.abc import Mapping
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.instruments.doris import Remission
from backend.instruments.logic import Truth
from backend.scoring import INSTRUMENTS

QUIET, PGA, DOSE, STABLE = "clinical_sledai_0", "pga_lt_0_5", "prednisolone_le_5", "treatment_stable"
CLINICAL = (
    "seizure", "psychosis", "organic_brain_syndrome", "visual_disturbance", "cranial_nerve_disorder",
    "lupus_headache", "cva", "vasculitis", "arthritis", "myositis", "urinary_casts", "haematuria", "proteinuria",
    "pyuria", "rash", "alopecia", "mucosal_ulcers", "pleurisy", "pericarditis", "fever", "thrombocytopenia",
    "leukopenia",
)  # fmt: skip
SEROLOGICAL = ("low_complement", "increased_dna_binding")
IN_REMISSION: Mapping[str, Any] = {
    "sledai_present": [],
    "sledai_not_assessed": [],
    "pga": Decimal("0.2"),
    "prednisolone_mg_per_day": Decimal(0),
    "antimalarial": False,
    "immunosuppressant_or_biologic": "none",
}


def scored(**changes: Any) -> Remission:
    """One visit, everything in order but for the changes."""
    answer: Remission = INSTRUMENTS["doris"](**{**IN_REMISSION, **changes})
    return answer


def conjunction(*truths: Truth) -> Truth:
    return False if False in truths else None if None in truths else True


def test_all_four_make_remission() -> None:
    answer = scored()
    assert answer.doris is True
    assert answer.criteria == {QUIET: True, PGA: True, DOSE: True, STABLE: True}
    assert answer.registration_wording.doris is True
    assert answer.registration_wording.literal_sledai_2k_equals_0 is True
    assert (answer.sledai_2k, answer.clinical_sledai, answer.prednisolone_equivalent_mg_per_day) == (0, 0, Decimal(0))
    assert (answer.drug_free, answer.reasons) == (True, ())


# --- Clinical SLEDAI 0, irrespective of serology --------------------------------------------------------------


def test_the_two_lists_are_the_24_descriptors() -> None:
    assert len({*CLINICAL, *SEROLOGICAL}) == 24


@pytest.mark.parametrize("descriptor", CLINICAL)
def test_any_clinical_descriptor_fails(descriptor: str) -> None:
    answer = scored(sledai_present=[descriptor])
    assert answer.criteria == {QUIET: False, PGA: True, DOSE: True, STABLE: True}
    assert answer.doris is False
    assert answer.registration_wording.doris is False
    assert answer.registration_wording.literal_sledai_2k_equals_0 is False


@pytest.mark.parametrize("present", [SEROLOGICAL[:1], SEROLOGICAL[1:], SEROLOGICAL])
def test_serology_is_no_obstacle_unless_the_registration_is_taken_literally(present: tuple[str, ...]) -> None:
    answer = scored(sledai_present=present)
    assert answer.doris is True
    assert answer.registration_wording.doris is True
    assert answer.registration_wording.literal_sledai_2k_equals_0 is False
    assert (answer.sledai_2k, answer.clinical_sledai) == (2 * len(present), 0)


@pytest.mark.parametrize(
    ("present", "not_assessed", "quiet", "literal"),
    [
        ((), ("rash",), None, None),
        ((), ("low_complement",), True, None),
        (("low_complement",), ("rash",), None, False),
        (("low_complement",), ("increased_dna_binding",), True, False),
        (("rash",), ("fever",), False, False),
        (("rash",), ("low_complement",), False, False),
    ],
)
def test_what_is_not_assessed(
    present: tuple[str, ...], not_assessed: tuple[str, ...], *, quiet: Truth, literal: Truth
) -> None:
    answer = scored(sledai_present=present, sledai_not_assessed=not_assessed)
    assert answer.criteria[QUIET] is quiet
    assert answer.doris is quiet
    assert answer.registration_wording.literal_sledai_2k_equals_0 is literal
    assert answer.sledai_2k is None


def test_no_sledai_at_all_is_unknown() -> None:
    answer = scored(sledai_present=None)
    assert (answer.criteria[QUIET], answer.doris) == (None, None)
    assert (answer.sledai_2k, answer.clinical_sledai) == (None, None)
    assert answer.registration_wording.literal_sledai_2k_equals_0 is None


# --- PGA, dose, treatment -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pga", "expected"),
    [("0", True), ("0.49", True), ("0.5", False), ("0.50", False), ("0.51", False), ("3", False), (None, None)],
)
def test_a_pga_of_one_half_fails(pga: str | None, *, expected: Truth) -> None:
    """Strictly below 0.5 since 2021; the older framework printed 0.5 or less."""
    answer = scored(pga=None if pga is None else Decimal(pga))
    assert answer.criteria == {QUIET: True, PGA: expected, DOSE: True, STABLE: True}
    assert answer.doris is expected


@pytest.mark.parametrize(
    ("mg", "expected"), [("0", True), ("5", True), ("5.0", True), ("5.01", False), ("7.5", False), (None, None)]
)
def test_five_milligrams_pass(mg: str | None, *, expected: Truth) -> None:
    """The abstract's "5 mg/day or less", as the registration."""
    answer = scored(prednisolone_mg_per_day=None if mg is None else Decimal(mg))
    assert answer.criteria == {QUIET: True, PGA: True, DOSE: expected, STABLE: True}
    assert answer.doris is expected


@pytest.mark.parametrize(
    ("regimens", "expected"),
    [
        ([], True),
        ([{"drug": "prednisone", "mg": Decimal(10), "every_days": Decimal(2)}], True),
        ([{"drug": "prednisone", "mg": Decimal(11), "every_days": Decimal(2)}], False),
        ([{"drug": "methylprednisolone", "mg_per_day": Decimal(4)}], True),
        ([{"drug": "methylprednisolone", "mg_per_day": Decimal("4.1")}], False),
        ([{"drug": "cortisone", "mg_per_day": Decimal(25)}], True),
        ([{"drug": "dexamethasone", "mg_per_day": Decimal("0.75")}], True),
        ([{"drug": "dexamethasone", "mg_per_day": Decimal("0.76")}], False),
        ([{"drug": "prednisolone", "mg": Decimal(10)}], None),
        (None, None),
    ],
)
def test_regimens_are_added_up_as_prednisolone(regimens: list[dict[str, Any]] | None, *, expected: Truth) -> None:
    answer = scored(prednisolone_mg_per_day=None, glucocorticoids=regimens)
    assert answer.criteria[DOSE] is expected
    assert answer.doris is expected


def test_three_regimens_that_make_exactly_five_milligrams_pass() -> None:
    """5 mg of each on one day in three: three times five thirds is five, not a digit more."""
    third = {"mg": Decimal(5), "every_days": Decimal(3)}
    regimens = [{"drug": "prednisolone", **third}, {"drug": "prednisone", **third}, {"drug": "prednisolone", **third}]
    assert scored(prednisolone_mg_per_day=None, glucocorticoids=regimens).criteria[DOSE] is True


@pytest.mark.parametrize(
    ("treatment", "expected"), [("none", True), ("stable", True), ("changed", False), (None, None)]
)
def test_an_immunosuppressant_may_be_taken_if_it_is_stable(treatment: str | None, *, expected: Truth) -> None:
    answer = scored(immunosuppressant_or_biologic=treatment)
    assert answer.criteria == {QUIET: True, PGA: True, DOSE: True, STABLE: expected}
    assert answer.doris is expected


@pytest.mark.parametrize("antimalarial", [True, False, None])
def test_an_antimalarial_is_always_allowed(antimalarial: Truth) -> None:
    answer = scored(antimalarial=antimalarial)
    assert (answer.doris, answer.drug_free) == (True, True)


# --- The whole ------------------------------------------------------------------------------------------------

PRESENT: Mapping[Truth, list[str] | None] = {True: [], False: ["rash"], None: None}
MARK: Mapping[Truth, Decimal | None] = {True: Decimal("0.49"), False: Decimal("0.5"), None: None}
MG: Mapping[Truth, Decimal | None] = {True: Decimal(5), False: Decimal("5.01"), None: None}
OTHER: Mapping[Truth, str | None] = {True: "stable", False: "changed", None: None}


@pytest.mark.parametrize("truths", list(product([True, False, None], repeat=4)), ids=str)
def test_one_failed_criterion_settles_and_one_unknown_leaves_open(truths: tuple[Truth, ...]) -> None:
    quiet, pga, dose, stable = truths
    answer = scored(
        sledai_present=PRESENT[quiet],
        pga=MARK[pga],
        prednisolone_mg_per_day=MG[dose],
        immunosuppressant_or_biologic=OTHER[stable],
    )
    assert answer.criteria == {QUIET: quiet, PGA: pga, DOSE: dose, STABLE: stable}
    assert answer.doris is conjunction(*truths)


@pytest.mark.parametrize(
    "known",
    [
        {"sledai_present": ["leukopenia"]},
        {"pga": Decimal("0.5")},
        {"prednisolone_mg_per_day": Decimal("5.01")},
        {"immunosuppressant_or_biologic": "changed"},
    ],
    ids=str,
)
def test_a_failed_criterion_settles_although_nothing_else_is_known(known: dict[str, Any]) -> None:
    assert INSTRUMENTS["doris"](**known).doris is False


def test_the_reasons_tell_a_failed_criterion_from_an_unknown_one() -> None:
    found = {reason.rule for reason in scored(pga=Decimal("0.5"), prednisolone_mg_per_day=None).reasons}
    assert found == {f"{PGA}_not_met", f"{DOSE}_unknown"}


def test_nothing_known_is_unknown() -> None:
    answer: Remission = INSTRUMENTS["doris"]()
    assert (answer.doris, answer.drug_free, answer.registration_wording.doris) == (None, None, None)
    assert set(answer.criteria.values()) == {None}


# --- Without drugs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mg", "other", "expected"),
    [
        ("0", "none", True),
        ("0", "stable", False),
        ("0", "changed", False),
        ("0.5", "none", False),
        ("5", "stable", False),
        (None, "none", None),
        (None, "stable", False),
        ("0", None, None),
        ("0.5", None, False),
        (None, None, None),
    ],
)
def test_drug_free_is_no_steroid_and_no_immunosuppressant(
    mg: str | None, other: str | None, *, expected: Truth
) -> None:
    answer = scored(prednisolone_mg_per_day=None if mg is None else Decimal(mg), immunosuppressant_or_biologic=other)
    assert answer.drug_free is expected


def test_no_regimen_is_no_steroid() -> None:
    assert scored(prednisolone_mg_per_day=None, glucocorticoids=[]).drug_free is True


@pytest.mark.parametrize(("mg", "expected"), [("2.5", False), ("0", None), (None, None)])
def test_one_known_regimen_is_no_freedom_from_drugs_whatever_the_others_are(mg: str | None, *, expected: Truth) -> None:
    """instruments.md §7.1: a part that is false settles, however much is unknown; 2.5 mg settle no limit of 5."""
    known = {"drug": "prednisolone", "mg_per_day": None if mg is None else Decimal(mg)}
    answer = scored(prednisolone_mg_per_day=None, glucocorticoids=[known, {"drug": "dexamethasone"}])
    assert answer.drug_free is expected
    assert answer.drug_free_doris is expected
    assert (answer.criteria[DOSE], answer.doris) == (None, None)


def test_drug_free_remission_needs_both() -> None:
    assert scored().drug_free_doris is True
    assert scored(prednisolone_mg_per_day=Decimal(5)).drug_free_doris is False
    assert scored(sledai_present=["rash"]).drug_free_doris is False
    assert scored(pga=None).drug_free_doris is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"antimalarial": True}, True),
        ({"sledai_present": ["low_complement"]}, False),
        ({"prednisolone_mg_per_day": Decimal(1)}, False),
        ({"immunosuppressant_or_biologic": "stable"}, False),
        ({"sledai_not_assessed": ["increased_dna_binding"]}, None),
    ],
    ids=str,
)
def test_complete_remission_is_free_of_serology_too(change: dict[str, Any], *, expected: Truth) -> None:
    assert scored(**change).complete_remission is expected


# --- Unknown inputs against what they may be ------------------------------------------------------------------

VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "pga": st.sampled_from([Decimal(0), Decimal("0.49"), Decimal("0.5"), Decimal(3)]),
    "prednisolone_mg_per_day": st.sampled_from([Decimal(0), Decimal(5), Decimal("5.01"), Decimal(40)]),
    "immunosuppressant_or_biologic": st.sampled_from(["none", "stable", "changed"]),
    "sledai_present": st.lists(st.sampled_from([*CLINICAL, *SEROLOGICAL]), max_size=2, unique=True),
}


def outcomes(answer: Remission) -> tuple[Truth, ...]:
    wording = answer.registration_wording
    return (
        answer.doris, *answer.criteria.values(), wording.doris, wording.literal_sledai_2k_equals_0,
        answer.drug_free, answer.drug_free_doris, answer.complete_remission,
    )  # fmt: skip


@given(
    st.fixed_dictionaries(VALUES), st.sets(st.sampled_from(sorted(VALUES))),
    st.lists(st.sampled_from([*CLINICAL, *SEROLOGICAL]), max_size=2, unique=True),
)  # fmt: skip
def test_learning_more_never_contradicts_an_answer(
    known: dict[str, Any], unknown: set[str], not_assessed: list[str]
) -> None:
    """The descriptors not assessed may turn out present or absent, as the whole has them."""
    left = [one for one in known["sledai_present"] if one not in not_assessed]
    partly = {**known, "sledai_present": left, "sledai_not_assessed": not_assessed, **dict.fromkeys(unknown)}
    for before, after in zip(outcomes(scored(**partly)), outcomes(scored(**known)), strict=True):
        assert after is not None
        assert before in (None, after)
