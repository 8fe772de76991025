"""LLDAS, the lupus low disease activity state: five criteria of Franklyn 2016, the registration's wording beside it.

Criterion 2 follows Oon 2019: no SLEDAI-2K descriptor that was absent at the visit before, no new BILAG activity; where
the registration excludes serology, no clinical one.
The study product does not count as an investigational drug of criterion 5.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from backend.instruments import sledai2k, steroids
from backend.instruments.logic import Reason, Truth, compared, every, negated
from backend.instruments.sledai2k import CARDIOPULMONARY, CENTRAL_NERVOUS, RENAL, SEROLOGICAL, WEIGHTS

MAX_SLEDAI = 4
MAX_PGA = Decimal(1)
MAX_PREDNISOLONE_MG = Decimal("7.5")
# Kidney, nerves, heart and lungs, vasculitis, fever; myositis is not on the list.
MAJOR = RENAL | CENTRAL_NERVOUS | CARDIOPULMONARY | {"vasculitis", "fever"}
# Largest doses of standard maintenance (Golder 2016, table 3): mg in so many days.
MAINTENANCE_MG: Mapping[str, tuple[Decimal, int]] = {
    "hydroxychloroquine": (Decimal(400), 1),
    "methotrexate": (Decimal(30), 7),
    "azathioprine": (Decimal(200), 1),
    "mycophenolate_mofetil": (Decimal(3000), 1),
    "mycophenolate": (Decimal(3000), 1),
    "mycophenolic_acid": (Decimal(2160), 1),
    "leflunomide": (Decimal(20), 1),
}
NOTE = (
    "Registration: SLEDAI-2K of 4 or less without activity of kidney, nerves, heart, lungs, vasculitis or fever; "
    "haemolytic anaemia and gastrointestinal activity are not named. 'Irrespective of serology' is read as the second "
    "value; 'and/or' as: if taken, within these limits."
)


@dataclass(frozen=True, slots=True)
class RegistrationWording:
    """The registration's own reading, with serology inside the 4 points and without it."""

    lldas: Truth
    lldas_if_serology_excluded: Truth
    note: str = NOTE


@dataclass(frozen=True, slots=True)
class LowActivity:
    """The five criteria and what they come to; `reasons` names each that does not hold or is unknown."""

    lldas: Truth
    criteria: Mapping[str, Truth]
    sledai_2k: int | None
    prednisolone_equivalent_mg_per_day: Decimal | None
    registration_wording: RegistrationWording
    reasons: tuple[Reason, ...] = ()


def score(
    sledai_present: Collection[str] | None = None,
    sledai_not_assessed: Collection[str] | None = (),
    previous_visit_sledai_present: Collection[str] | None = None,
    haemolytic_anaemia: bool | None = None,
    gastrointestinal_activity: bool | None = None,
    pga: Decimal | None = None,
    prednisolone_mg_per_day: Decimal | None = None,
    glucocorticoids: Sequence[steroids.Dose] | None = None,
    standard_stable_immunosuppression: bool | None = None,
    new_bilag_activity: bool | None = False,
    previous_visit_sledai_not_assessed: Collection[str] | None = (),
) -> LowActivity:
    """The state at one visit. `new_bilag_activity`: since the last BILAG, where it was assessed now."""
    present = frozenset(sledai_present or ())
    open_ones = frozenset(WEIGHTS) if sledai_present is None else frozenset(sledai_not_assessed or ())
    whole = prednisolone_mg_per_day if prednisolone_mg_per_day is not None else steroids.per_day(glucocorticoids)
    dose = steroids.settling_dose(whole, glucocorticoids, MAX_PREDNISOLONE_MG)
    low = _at_most(present, open_ones, frozenset(), MAX_SLEDAI)
    low_without_serology = _at_most(present, open_ones, SEROLOGICAL, MAX_SLEDAI)
    quiet = _none_of(MAJOR, present, open_ones)
    unseen = frozenset(previous_visit_sledai_not_assessed or ())
    new = _new(present, open_ones, previous_visit_sledai_present, unseen)
    new_clinical = _new(present - SEROLOGICAL, open_ones - SEROLOGICAL, previous_visit_sledai_present, unseen)
    no_new_bilag = negated(new_bilag_activity)
    criteria = {
        "1_sledai_le_4_no_major_organ": every(
            low, quiet, negated(haemolytic_anaemia), negated(gastrointestinal_activity)
        ),
        "2_no_new_activity": every(negated(new), no_new_bilag),
        "3_pga_le_1": compared(pga, MAX_PGA, lambda value, limit: value <= limit),
        "4_prednisolone_le_7_5": compared(dose, MAX_PREDNISOLONE_MG, lambda value, limit: value <= limit),
        "5_stable_treatment": standard_stable_immunosuppression,
    }
    second, *others = [truth for name, truth in criteria.items() if not name.startswith("1_")]
    clinical = every(low_without_serology, quiet, negated(new_clinical), no_new_bilag, *others)
    reasons = [
        Reason(f"{name}_{'not_met' if truth is False else 'unknown'}")
        for name, truth in criteria.items()
        if truth is not True
    ]
    if new and new_clinical is False:
        reasons.append(Reason("only_serology_is_new"))  # unsettled whether that alone is new activity
    if previous_visit_sledai_present is None:
        reasons.append(Reason("no_previous_visit"))
    return LowActivity(
        lldas=every(*criteria.values()),
        criteria=criteria,
        sledai_2k=None if open_ones else sledai2k.weight(present),
        prednisolone_equivalent_mg_per_day=whole,
        registration_wording=RegistrationWording(every(low, quiet, second, *others), clinical),
        reasons=tuple(reasons),
    )


def _at_most(present: frozenset[str], open_ones: frozenset[str], without: frozenset[str], most: int) -> Truth:
    """Whether the score is at most `most`, as far as what is not assessed lets it be said."""
    least = sledai2k.weight(present - without)
    if least > most:
        return False
    return True if least + sledai2k.weight(open_ones - without) <= most else None


def _none_of(organs: frozenset[str], present: frozenset[str], open_ones: frozenset[str]) -> Truth:
    if organs & present:
        return False
    return None if organs & open_ones else True


def _new(
    present: frozenset[str], open_ones: frozenset[str], previous: Collection[str] | None, unseen: frozenset[str]
) -> Truth:
    """Whether a descriptor is present that was absent at the visit before; of one `unseen` then nobody can tell."""
    if previous is None:
        return None
    if present - frozenset(previous) - unseen:
        return True
    return None if (present | open_ones) - frozenset(previous) else False


def within_maintenance(drug: str, mg_per_day: Fraction | Decimal | None) -> Truth:
    """Whether a drug's dose lies within standard maintenance; drugs without a ceiling have none to pass."""
    if drug not in MAINTENANCE_MG:
        return True
    most, days = MAINTENANCE_MG[drug]
    return None if mg_per_day is None else Fraction(mg_per_day) * days <= Fraction(most)
