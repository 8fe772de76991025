"""SLEDAI-2K: the weights and their sum, every laboratory limit on its edge, and that an unknown is never guessed.

Weights, limits and the 24 descriptors: Bombardier 1992 as revised by Gladman 2002 (SLEDAI-2K). A descriptor is what the
investigator attributed to lupus: a laboratory value is held against it and never sets it.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.instruments.logic import Reading
from backend.instruments.sledai2k import Sledai
from backend.scoring import INSTRUMENTS

# Written out from the form of Gladman 2002, in its order.
WEIGHTS = {
    "seizure": 8, "psychosis": 8, "organic_brain_syndrome": 8, "visual_disturbance": 8, "cranial_nerve_disorder": 8,
    "lupus_headache": 8, "cva": 8, "vasculitis": 8,
    "arthritis": 4, "myositis": 4, "urinary_casts": 4, "haematuria": 4, "proteinuria": 4, "pyuria": 4,
    "rash": 2, "alopecia": 2, "mucosal_ulcers": 2, "pleurisy": 2, "pericarditis": 2,
    "low_complement": 2, "increased_dna_binding": 2,
    "fever": 1, "thrombocytopenia": 1, "leukopenia": 1,
}  # fmt: skip
SEROLOGICAL = ("low_complement", "increased_dna_binding")
CLINICAL = tuple(key for key in WEIGHTS if key not in SEROLOGICAL)
# Those with a limit that a value can be held against.
MEASURED = (
    "haematuria", "proteinuria", "pyuria", "low_complement", "increased_dna_binding",
    "fever", "thrombocytopenia", "leukopenia",
)  # fmt: skip

descriptors = st.sampled_from(sorted(WEIGHTS))
subsets = st.sets(descriptors)


def score(present: Any = (), not_assessed: Any = (), labs: Mapping[str, Any] | None = None) -> Sledai:
    scored = INSTRUMENTS["sledai2k"](present, not_assessed, labs)
    assert isinstance(scored, Sledai)
    return scored


def numbers(**labs: str) -> dict[str, Decimal]:
    return {name: Decimal(value) for name, value in labs.items()}


def said(descriptor: str, labs: Mapping[str, Any], present: bool = False) -> str | None:
    """What the laboratory values say of one descriptor, marked present or absent."""
    return score([descriptor] if present else [], labs=labs).lab_consistency.get(descriptor)


# --- weights and sums -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("descriptor", "weight"), WEIGHTS.items())
def test_a_descriptor_alone_gives_its_weight(descriptor: str, weight: int) -> None:
    alone = score([descriptor])
    assert (alone.sledai_2k, alone.minimum_known_score, alone.complete) == (weight, weight, True)
    assert alone.clinical_sledai == (0 if descriptor in SEROLOGICAL else weight)


def test_nothing_present_is_nought_and_complete() -> None:
    assert score([]) == Sledai(sledai_2k=0, clinical_sledai=0, minimum_known_score=0, complete=True)


def test_all_24_present_make_105_and_101_without_serology() -> None:
    everything = score(list(WEIGHTS))
    assert len(WEIGHTS) == 24
    assert (everything.sledai_2k, everything.clinical_sledai) == (105, 101)


def test_serology_alone_is_4_points_and_none_of_them_clinical() -> None:
    assert (score(SEROLOGICAL).sledai_2k, score(SEROLOGICAL).clinical_sledai) == (4, 0)


@pytest.mark.parametrize(
    ("present", "total", "clinical"),
    [
        (["rash", "fever"], 3, 3),
        (["arthritis", "low_complement"], 6, 4),
        (["urinary_casts", "haematuria", "proteinuria", "pyuria"], 16, 16),
        (["cva", "myositis", "pericarditis", "increased_dna_binding", "leukopenia"], 17, 15),
    ],
)
def test_worked_sums(present: list[str], total: int, clinical: int) -> None:
    """Added by hand from the printed weights (Gladman 2002)."""
    assert (score(present).sledai_2k, score(present).clinical_sledai) == (total, clinical)


def test_a_descriptor_counts_once() -> None:
    assert score(["rash", "rash"]).sledai_2k == 2


@pytest.mark.parametrize(
    ("present", "not_assessed"), [(["measles"], []), ([], ["measles"]), (["rash"], ["rash"]), (["Rash"], [])]
)
def test_a_strange_or_contradictory_descriptor_is_refused(present: list[str], not_assessed: list[str]) -> None:
    with pytest.raises(ValueError, match=r"present and not assessed|no SLEDAI-2K descriptor"):
        score(present, not_assessed)


# --- what was not assessed ------------------------------------------------------------------------------------


@pytest.mark.parametrize("descriptor", CLINICAL)
def test_an_unassessed_clinical_descriptor_leaves_a_lower_bound_only(descriptor: str) -> None:
    other = "rash" if descriptor != "rash" else "alopecia"
    partial = score([other, "low_complement"], [descriptor])
    assert (partial.sledai_2k, partial.clinical_sledai) == (None, None)
    assert (partial.minimum_known_score, partial.complete) == (4, False)


@pytest.mark.parametrize("unassessed", [SEROLOGICAL[:1], SEROLOGICAL[1:], SEROLOGICAL])
def test_the_clinical_score_can_be_complete_while_the_total_is_not(unassessed: tuple[str, ...]) -> None:
    partial = score(["arthritis"], unassessed)
    assert (partial.sledai_2k, partial.clinical_sledai, partial.complete) == (None, 4, False)


def test_serology_stays_in_the_lower_bound_and_out_of_the_clinical_score() -> None:
    partial = score(["rash", "low_complement"], ["increased_dna_binding"])
    assert (partial.sledai_2k, partial.clinical_sledai, partial.minimum_known_score) == (None, 2, 4)


def test_without_any_assessment_nothing_is_known() -> None:
    assert score(None) == Sledai(sledai_2k=None, clinical_sledai=None, minimum_known_score=0, complete=False)


# --- laboratory limits ----------------------------------------------------------------------------------------

C3 = {"c3_lln_g_per_l": "0.90"}
C4 = {"c4_lln_g_per_l": "0.10"}
DNA = {"anti_dsdna_uln_iu_ml": "30"}
# descriptor, value, the laboratory's own limit, exactly at the limit, one step beyond
LIMITS = [
    ("haematuria", "urine_rbc_per_hpf", {}, "5", "6"),
    ("proteinuria", "urine_protein_24h_g", {}, "0.5", "0.51"),
    ("proteinuria", "upcr_mg_per_mmol", {}, "50", "50.1"),
    ("pyuria", "urine_wbc_per_hpf", {}, "5", "6"),
    ("low_complement", "c3_g_per_l", C3, "0.90", "0.89"),
    ("low_complement", "c4_g_per_l", C4, "0.10", "0.09"),
    ("increased_dna_binding", "anti_dsdna_iu_ml", DNA, "30", "30.1"),
    ("fever", "temperature_c", {}, "38.0", "38.1"),
    ("thrombocytopenia", "platelets_1e9_per_l", {}, "100", "99"),
    ("leukopenia", "wbc_1e9_per_l", {}, "3.0", "2.99"),
]
EACH_LIMIT = pytest.mark.parametrize(
    ("descriptor", "name", "own", "at", "beyond"), LIMITS, ids=[f"{limit[0]}-{limit[1]}" for limit in LIMITS]
)


@EACH_LIMIT
def test_beyond_its_limit_a_value_is_abnormal(
    descriptor: str, name: str, own: dict[str, str], at: str, beyond: str
) -> None:
    labs = numbers(**{name: beyond}, **own)
    assert said(descriptor, labs, present=True) == "agrees"
    assert said(descriptor, labs, present=False) == "abnormal_but_not_marked"


@EACH_LIMIT
def test_exactly_at_its_limit_a_value_is_normal(
    descriptor: str, name: str, own: dict[str, str], at: str, beyond: str
) -> None:
    labs = numbers(**{name: at}, **own)
    if descriptor == "low_complement":  # one normal component does not rule out the other
        labs |= numbers(c3_g_per_l="0.90", c3_lln_g_per_l="0.90", c4_g_per_l="0.10", c4_lln_g_per_l="0.10")
    assert said(descriptor, labs, present=True) == "conflict"
    assert said(descriptor, labs, present=False) == "agrees"


@EACH_LIMIT
def test_a_value_never_sets_its_descriptor(
    descriptor: str, name: str, own: dict[str, str], at: str, beyond: str
) -> None:
    for value in (at, beyond):
        labs = numbers(**{name: value}, **own)
        assert score([], labs=labs).sledai_2k == 0
        assert score([descriptor], labs=labs).sledai_2k == WEIGHTS[descriptor]
        assert score([], [descriptor], labs).sledai_2k is None


@EACH_LIMIT
def test_a_value_speaks_of_its_own_descriptor_only(
    descriptor: str, name: str, own: dict[str, str], at: str, beyond: str
) -> None:
    labs = numbers(**{name: beyond}, **own)
    assert dict(score([], labs=labs).lab_consistency) == {descriptor: "abnormal_but_not_marked"}
    assert dict(score(list(WEIGHTS), labs=labs).lab_consistency) == {descriptor: "agrees"}


@pytest.mark.parametrize("descriptor", ["fever", "thrombocytopenia"])
def test_a_normal_value_cannot_agree_with_what_nobody_assessed(descriptor: str) -> None:
    labs = numbers(temperature_c="36.8", platelets_1e9_per_l="250")
    assert descriptor in score([], labs=labs).lab_consistency
    assert descriptor not in score([], [descriptor], labs).lab_consistency


@pytest.mark.parametrize(
    ("descriptor", "labs"),
    [
        ("low_complement", numbers(c3_g_per_l="0.1", c4_g_per_l="0.01")),
        ("low_complement", numbers(c3_lln_g_per_l="0.9", c4_lln_g_per_l="0.1")),
        ("increased_dna_binding", numbers(anti_dsdna_iu_ml="900")),
        ("increased_dna_binding", numbers(anti_dsdna_uln_iu_ml="30")),
        ("fever", {"temperature_c": None}),
        ("leukopenia", {}),
    ],
)
def test_without_value_or_limit_nothing_is_said(descriptor: str, labs: dict[str, Any]) -> None:
    assert said(descriptor, labs, present=True) is None
    assert said(descriptor, labs, present=False) is None


LOW_C3, NORMAL_C3 = numbers(c3_g_per_l="0.5", **C3), numbers(c3_g_per_l="1.2", **C3)
LOW_C4, NORMAL_C4 = numbers(c4_g_per_l="0.05", **C4), numbers(c4_g_per_l="0.2", **C4)


@pytest.mark.parametrize(
    ("labs", "marked", "unmarked"),
    [
        (LOW_C3, "agrees", "abnormal_but_not_marked"),
        (LOW_C4, "agrees", "abnormal_but_not_marked"),
        (LOW_C3 | LOW_C4, "agrees", "abnormal_but_not_marked"),
        (LOW_C3 | NORMAL_C4, "agrees", "abnormal_but_not_marked"),
        (NORMAL_C3 | LOW_C4, "agrees", "abnormal_but_not_marked"),
        (LOW_C3 | numbers(c4_g_per_l="0.2"), "agrees", "abnormal_but_not_marked"),
        (NORMAL_C3 | NORMAL_C4, "conflict", "agrees"),
        (NORMAL_C3, None, None),
        (NORMAL_C4, None, None),
        (NORMAL_C3 | numbers(c4_g_per_l="0.01"), None, None),
    ],
)
def test_either_component_makes_complement_low_and_one_normal_one_settles_nothing(
    labs: dict[str, Decimal], marked: str | None, unmarked: str | None
) -> None:
    assert (said("low_complement", labs, True), said("low_complement", labs, False)) == (marked, unmarked)


@pytest.mark.parametrize(
    ("protein", "upcr", "expected"),
    [("0.4", "500", "conflict"), ("0.6", "5", "agrees"), (None, "57", "agrees"), (None, "49", "conflict")],
)
def test_of_proteinuria_the_collection_over_24_hours_tells_first(protein: str | None, upcr: str, expected: str) -> None:
    labs = numbers(upcr_mg_per_mmol=upcr) | (numbers(urine_protein_24h_g=protein) if protein else {})
    assert said("proteinuria", labs, present=True) == expected


@pytest.mark.parametrize(
    ("descriptor", "name", "reading", "own", "expected"),
    [
        ("increased_dna_binding", "anti_dsdna_iu_ml", Reading(Decimal(800), ">"), DNA, "agrees"),
        ("increased_dna_binding", "anti_dsdna_iu_ml", Reading(Decimal(30), ">"), DNA, "agrees"),
        ("increased_dna_binding", "anti_dsdna_iu_ml", Reading(Decimal(20), ">"), DNA, None),
        ("increased_dna_binding", "anti_dsdna_iu_ml", Reading(Decimal(10), "<"), DNA, "conflict"),
        ("increased_dna_binding", "anti_dsdna_iu_ml", Reading(Decimal(31), "<"), DNA, None),
        ("thrombocytopenia", "platelets_1e9_per_l", Reading(Decimal(100), "<"), {}, "agrees"),
        ("thrombocytopenia", "platelets_1e9_per_l", Reading(Decimal(101), "<"), {}, None),
        ("thrombocytopenia", "platelets_1e9_per_l", Reading(Decimal(100), ">"), {}, "conflict"),
    ],
)
def test_a_censored_value_speaks_only_where_every_true_value_agrees(
    descriptor: str, name: str, reading: Reading, own: dict[str, str], expected: str | None
) -> None:
    assert said(descriptor, {name: reading} | numbers(**own), present=True) == expected


# --- for any assessment ---------------------------------------------------------------------------------------

LAB_VALUES = {
    "urine_protein_24h_g": ("0.1", "0.5", "0.6"),
    "platelets_1e9_per_l": ("40", "100", "250"),
    "wbc_1e9_per_l": ("1.2", "3", "6"),
    "temperature_c": ("36.8", "38", "39.1"),
    "urine_rbc_per_hpf": ("0", "5", "20"),
    "urine_wbc_per_hpf": ("0", "5", "20"),
    "c3_g_per_l": ("0.5", "0.9", "1.1"),
    "c3_lln_g_per_l": ("0.8", "0.9"),
    "c4_g_per_l": ("0.05", "0.1", "0.3"),
    "c4_lln_g_per_l": ("0.1", "0.16"),
    "anti_dsdna_iu_ml": ("10", "30", "400"),
    "anti_dsdna_uln_iu_ml": ("30", "100"),
}
all_labs = st.fixed_dictionaries({name: st.sampled_from(tuple(map(Decimal, v))) for name, v in LAB_VALUES.items()})


@settings(deadline=None)
@given(subsets)
def test_a_score_lies_between_0_and_105_and_serology_makes_the_difference(present: set[str]) -> None:
    scored = score(present)
    assert scored.sledai_2k is not None
    assert scored.clinical_sledai is not None
    assert 0 <= scored.clinical_sledai <= min(101, scored.sledai_2k) <= scored.sledai_2k <= 105
    assert scored.sledai_2k - scored.clinical_sledai == 2 * len(present.intersection(SEROLOGICAL))


@settings(deadline=None)
@given(subsets, descriptors)
def test_one_descriptor_more_adds_its_weight(present: set[str], added: str) -> None:
    less, more = score(present - {added}), score(present | {added})
    assert more.minimum_known_score == less.minimum_known_score + WEIGHTS[added]
    assert more.sledai_2k == more.minimum_known_score > less.minimum_known_score == less.sledai_2k


@settings(deadline=None)
@given(st.lists(descriptors, unique=True).flatmap(lambda chosen: st.tuples(st.just(chosen), st.permutations(chosen))))
def test_order_is_irrelevant(both: tuple[list[str], list[str]]) -> None:
    first, second = both
    middle = len(first) // 2
    assert score(first) == score(second)
    assert score(first[:middle], first[middle:]) == score(first[:middle][::-1], set(first[middle:]))


@settings(deadline=None)
@given(subsets, subsets, st.data())
def test_what_was_not_assessed_is_never_known_and_later_knowledge_never_contradicts(
    present: set[str], unassessed: set[str], data: st.DataObject
) -> None:
    unassessed -= present
    before = score(present, unassessed)
    assert before.complete == (not unassessed) == (before.sledai_2k is not None)
    turned_out = data.draw(st.sets(st.sampled_from(sorted(unassessed)))) if unassessed else set[str]()
    after = score(present | turned_out)
    assert after.sledai_2k is not None
    assert before.sledai_2k in (None, after.sledai_2k)
    assert before.clinical_sledai in (None, after.clinical_sledai)
    most = sum(WEIGHTS[descriptor] for descriptor in unassessed)
    assert before.minimum_known_score <= after.sledai_2k <= before.minimum_known_score + most


@settings(deadline=None)
@given(subsets, all_labs, st.sets(st.sampled_from(sorted(LAB_VALUES))))
def test_a_value_that_comes_later_never_contradicts_what_was_said(
    present: set[str], labs: dict[str, Decimal], missing: set[str]
) -> None:
    early = score(present, labs={name: None if name in missing else value for name, value in labs.items()})
    late = score(present, labs=labs)
    assert set(late.lab_consistency) == set(MEASURED)
    assert early.lab_consistency.items() <= late.lab_consistency.items()


@settings(deadline=None)
@given(subsets, all_labs)
def test_no_value_changes_a_score(present: set[str], labs: dict[str, Decimal]) -> None:
    with_values, without = score(present, labs=labs), score(present)
    assert (with_values.sledai_2k, with_values.clinical_sledai) == (without.sledai_2k, without.clinical_sledai)
    assert not without.lab_consistency
