"""SLEDAI-2K: 24 descriptors with fixed weights, 0-105, as the investigator attributed them to lupus.

Weights and definitions: Bombardier 1992 and Gladman 2002 (SLEDAI-2K); 30-day window: Touma 2010. Laboratory values
never set a descriptor: they are held against it, and people decide.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from backend.instruments.logic import Reading, Truth, is_above, is_below, some

WEIGHTS: Mapping[str, int] = {
    "seizure": 8,
    "psychosis": 8,
    "organic_brain_syndrome": 8,
    "visual_disturbance": 8,
    "cranial_nerve_disorder": 8,
    "lupus_headache": 8,
    "cva": 8,
    "vasculitis": 8,
    "arthritis": 4,
    "myositis": 4,
    "urinary_casts": 4,
    "haematuria": 4,
    "proteinuria": 4,
    "pyuria": 4,
    "rash": 2,
    "alopecia": 2,
    "mucosal_ulcers": 2,
    "pleurisy": 2,
    "pericarditis": 2,
    "low_complement": 2,
    "increased_dna_binding": 2,
    "fever": 1,
    "thrombocytopenia": 1,
    "leukopenia": 1,
}
SEROLOGICAL = frozenset({"low_complement", "increased_dna_binding"})
CENTRAL_NERVOUS = frozenset(
    {"seizure", "psychosis", "organic_brain_syndrome", "visual_disturbance"}
    | {"cranial_nerve_disorder", "lupus_headache", "cva"}
)
RENAL = frozenset({"urinary_casts", "haematuria", "proteinuria", "pyuria"})
CARDIOPULMONARY = frozenset({"pleurisy", "pericarditis"})
MAXIMUM = 105

# Limits of the descriptors that a laboratory value can be held against; each is passed strictly.
PROTEIN_G_PER_DAY = Decimal("0.5")
UPCR_MG_PER_MMOL = Decimal(50)  # by convention 0.5 g/day; stands in where no 24-h collection was done
CELLS_PER_HPF = Decimal(5)
FEVER_CEL = Decimal(38)
PLATELETS_1E9_PER_L = Decimal(100)
WBC_1E9_PER_L = Decimal(3)

AGREES, CONFLICT, NOT_MARKED = "agrees", "conflict", "abnormal_but_not_marked"


@dataclass(frozen=True, slots=True)
class Labs:
    """Laboratory values near the assessment, with the performing laboratory's limits; None where there is none."""

    urine_protein_24h_g: Reading | None = None
    upcr_mg_per_mmol: Reading | None = None
    platelets_1e9_per_l: Reading | None = None
    wbc_1e9_per_l: Reading | None = None
    temperature_c: Reading | None = None
    urine_rbc_per_hpf: Reading | None = None
    urine_wbc_per_hpf: Reading | None = None
    c3_g_per_l: Reading | None = None
    c3_lln_g_per_l: Decimal | None = None
    c4_g_per_l: Reading | None = None
    c4_lln_g_per_l: Decimal | None = None
    anti_dsdna_iu_ml: Reading | None = None
    anti_dsdna_uln_iu_ml: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Sledai:
    """`sledai_2k` 0-105 and `clinical_sledai` (without serology) 0-101, each None while something is unassessed.

    `minimum_known_score` counts what is present; `lab_consistency` tells of each descriptor that a value speaks to.
    """

    sledai_2k: int | None
    clinical_sledai: int | None
    minimum_known_score: int
    complete: bool
    lab_consistency: Mapping[str, str] = field(default_factory=dict)


def score(
    present: Collection[str] | None, not_assessed: Collection[str] | None = (), labs: Labs | None = None
) -> Sledai:
    """The score of one assessment. `present` None: nothing was assessed. ValueError for an unknown descriptor."""
    marked = frozenset(present or ())
    open_ones = frozenset(WEIGHTS) if present is None else frozenset(not_assessed or ())
    if strange := (marked | open_ones) - WEIGHTS.keys():
        raise ValueError(f"no SLEDAI-2K descriptor: {min(strange)}")
    if marked & open_ones:
        raise ValueError(f"present and not assessed at once: {min(marked & open_ones)}")
    known = weight(marked)
    return Sledai(
        sledai_2k=None if open_ones else known,
        clinical_sledai=None if open_ones - SEROLOGICAL else weight(marked - SEROLOGICAL),
        minimum_known_score=known,
        complete=not open_ones,
        lab_consistency=consistency(marked, open_ones, labs or Labs()),
    )


def weight(descriptors: Collection[str]) -> int:
    """The sum of the weights."""
    return sum(WEIGHTS[descriptor] for descriptor in descriptors)


def abnormal(labs: Labs) -> Mapping[str, Truth]:
    """Whether the values meet each descriptor's limit; None where they do not tell.

    Of proteinuria the 24-h collection tells first. Complement is low if either component is; one normal component
    alone does not rule it out.
    """
    protein = is_above(labs.urine_protein_24h_g, PROTEIN_G_PER_DAY)
    if labs.urine_protein_24h_g is None:
        protein = is_above(labs.upcr_mg_per_mmol, UPCR_MG_PER_MMOL)
    return {
        "haematuria": is_above(labs.urine_rbc_per_hpf, CELLS_PER_HPF),
        "proteinuria": protein,
        "pyuria": is_above(labs.urine_wbc_per_hpf, CELLS_PER_HPF),
        "low_complement": some(
            is_below(labs.c3_g_per_l, labs.c3_lln_g_per_l), is_below(labs.c4_g_per_l, labs.c4_lln_g_per_l)
        ),
        "increased_dna_binding": is_above(labs.anti_dsdna_iu_ml, labs.anti_dsdna_uln_iu_ml),
        "fever": is_above(labs.temperature_c, FEVER_CEL),
        "thrombocytopenia": is_below(labs.platelets_1e9_per_l, PLATELETS_1E9_PER_L),
        "leukopenia": is_below(labs.wbc_1e9_per_l, WBC_1E9_PER_L),
    }


def consistency(present: Collection[str], not_assessed: Collection[str], labs: Labs) -> Mapping[str, str]:
    """Each descriptor that a value speaks to: agrees, conflict, or abnormal_but_not_marked.

    Abnormal but not marked is no error: drugs and infection are excluded by people, who should be asked.
    """
    found = {}
    for descriptor, truth in abnormal(labs).items():
        if truth is None:
            continue
        if descriptor in present:
            found[descriptor] = AGREES if truth else CONFLICT
        elif truth:
            found[descriptor] = NOT_MARKED
        elif descriptor not in not_assessed:
            found[descriptor] = AGREES
    return found
