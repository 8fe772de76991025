"""The 97 items of BILAG-2004 in its nine systems, by number and by keys of our own, and which list an item counts in.

Numbers 1-50 follow the index form of 1 September 2009, 51-97 the order of its later items; names of the printed
glossary are not here. Isenberg 2005, Yee 2006; the lists of each system are to be confirmed on the scoring sheet.
"""

from collections.abc import Mapping
from dataclasses import dataclass

SYSTEMS = (
    "constitutional",
    "mucocutaneous",
    "neuropsychiatric",
    "musculoskeletal",
    "cardiorespiratory",
    "gastrointestinal",
    "ophthalmic",
    "renal",
    "haematological",
)

_KEYS: Mapping[str, tuple[str, ...]] = {
    "constitutional": ("pyrexia", "weight_loss", "lymphadenopathy_or_splenomegaly", "anorexia"),
    "mucocutaneous": (
        "skin_eruption_severe",
        "skin_eruption_mild",
        "angio_oedema_severe",
        "angio_oedema_mild",
        "mucosal_ulceration_severe",
        "mucosal_ulceration_mild",
        "panniculitis_or_bullous_severe",
        "panniculitis_or_bullous_mild",
        "major_cutaneous_vasculitis",
        "digital_infarcts_or_nodular_vasculitis",
        "alopecia_severe",
        "alopecia_mild",
        "periungual_erythema_or_chilblains",
        "splinter_haemorrhages",
    ),
    "neuropsychiatric": (
        "aseptic_meningitis",
        "cerebral_vasculitis",
        "demyelinating_syndrome",
        "myelopathy",
        "acute_confusional_state",
        "psychosis",
        "acute_demyelinating_polyradiculoneuropathy",
        "mononeuropathy",
        "cranial_neuropathy",
        "plexopathy",
        "polyneuropathy",
        "seizure_disorder",
        "status_epilepticus",
        "cerebrovascular_disease",
        "cognitive_dysfunction",
        "movement_disorder",
        "autonomic_disorder",
        "cerebellar_ataxia",
        "lupus_headache",
        "intracranial_hypertension_headache",
    ),
    "musculoskeletal": (
        "myositis_severe",
        "myositis_mild",
        "arthritis_severe",
        "arthritis_moderate_or_tendonitis",
        "arthritis_mild_or_arthralgia",
    ),
    "cardiorespiratory": (
        "myocarditis_mild",
        "myocarditis_with_cardiac_failure",
        "arrhythmia",
        "new_valvular_dysfunction",
        "pleurisy_or_pericarditis",
        "cardiac_tamponade",
        "pleural_effusion_with_dyspnoea",
        "pulmonary_haemorrhage_or_vasculitis",
        "interstitial_alveolitis_or_pneumonitis",
        "shrinking_lung",
        "aortitis",
        "coronary_vasculitis",
    ),
    "gastrointestinal": (
        "peritonitis",
        "abdominal_serositis_or_ascites",
        "enteritis_or_colitis",
        "malabsorption",
        "protein_losing_enteropathy",
        "intestinal_pseudo_obstruction",
        "hepatitis",
        "acute_cholecystitis",
        "acute_pancreatitis",
    ),
    "ophthalmic": (
        "orbital_inflammation",
        "keratitis_severe",
        "keratitis_mild",
        "anterior_uveitis",
        "posterior_uveitis_or_retinal_vasculitis_severe",
        "posterior_uveitis_or_retinal_vasculitis_mild",
        "episcleritis",
        "scleritis_severe",
        "scleritis_mild",
        "retinal_or_choroidal_vaso_occlusion",
        "isolated_cotton_wool_spots",
        "optic_neuritis",
        "anterior_ischaemic_optic_neuropathy",
    ),
    "renal": (
        "systolic_mmhg",
        "diastolic_mmhg",
        "accelerated_hypertension",
        "dipstick_level",
        "acr_mg_per_mmol",
        "upcr_mg_per_mmol",
        "urine_protein_24h_g",
        "nephrotic_syndrome",
        "creatinine_umol_l",
        "gfr",
        "active_urinary_sediment",
        "active_nephritis_histology_3m",
    ),
    "haematological": (
        "haemoglobin_g_dl",
        "wbc_1e9_l",
        "neutrophils_1e9_l",
        "lymphocytes_1e9_l",
        "platelets_1e9_l",
        "ttp",
        "active_haemolysis",
        "coombs_isolated",
    ),
}


@dataclass(frozen=True, slots=True)
class Item:
    number: int
    key: str
    system: str


ITEMS: Mapping[int, Item] = {
    number: Item(number, key, system)
    for number, (system, key) in enumerate(((s, k) for s in SYSTEMS for k in _KEYS[s]), start=1)
}
NUMBERS: Mapping[str, tuple[int, ...]] = {
    system: tuple(item.number for item in ITEMS.values() if item.system == system) for system in SYSTEMS
}


@dataclass(frozen=True, slots=True)
class Lists:
    """The items of a system by how much an active one weighs."""

    a: frozenset[int]
    b: frozenset[int]
    c: frozenset[int]


LISTS: Mapping[str, Lists] = {
    "mucocutaneous": Lists(frozenset({5, 7, 9, 11, 13}), frozenset({6, 12, 14, 15}), frozenset({8, 10, 16, 17, 18})),
    "neuropsychiatric": Lists(
        frozenset({*range(19, 30), 31, 36}), frozenset({30, *range(32, 36), 37, 38}), frozenset()
    ),
    "musculoskeletal": Lists(frozenset({39, 41}), frozenset({40, 42}), frozenset({43})),
    "cardiorespiratory": Lists(frozenset({*range(45, 48), *range(49, 56)}), frozenset({44, 48}), frozenset()),
    "gastrointestinal": Lists(frozenset({56, 58, 61, 63, 64}), frozenset({57, 59, 60, 62}), frozenset()),
    "ophthalmic": Lists(frozenset({65, 66, 69, 72, 74, 76, 77}), frozenset({67, 68, 70, 73}), frozenset({71, 75})),
}
# The seven systems whose items carry a code; renal and haematological are judged by values.
CODED = ("constitutional", *LISTS)
