"""DORIS 2021 remission: clinical SLEDAI 0, PGA below 0.5, prednisolone at most 5 mg/day, other treatment stable.

van Vollenhoven 2021; irrespective of serology, no duration. The dose boundary follows the abstract (5 mg or less),
as the registration does.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from backend.instruments import sledai2k, steroids
from backend.instruments.logic import Reason, Truth, compared, every
from backend.instruments.sledai2k import SEROLOGICAL, WEIGHTS

PGA_BELOW = Decimal("0.5")
MAX_PREDNISOLONE_MG = Decimal(5)
TREATMENTS = ("none", "stable", "changed")
NOTE = (
    "Registration: 'SLEDAI-2K = 0, irrespective of serology' is read as clinical SLEDAI 0; taken literally it is the "
    "second value. It does not name stable immunosuppressants or biologics, which the published definition allows."
)


@dataclass(frozen=True, slots=True)
class RegistrationWording:
    """The registration's own reading, and the same taken literally."""

    doris: Truth
    literal_sledai_2k_equals_0: Truth
    note: str = NOTE


@dataclass(frozen=True, slots=True)
class Remission:
    """`drug_free`: no glucocorticoid and no immunosuppressant or biologic; an antimalarial is allowed."""

    doris: Truth
    criteria: Mapping[str, Truth]
    sledai_2k: int | None
    clinical_sledai: int | None
    prednisolone_equivalent_mg_per_day: Decimal | None
    registration_wording: RegistrationWording
    drug_free: Truth
    drug_free_doris: Truth = None
    complete_remission: Truth = None
    reasons: tuple[Reason, ...] = ()


def score(
    sledai_present: Collection[str] | None = None,
    sledai_not_assessed: Collection[str] | None = (),
    pga: Decimal | None = None,
    prednisolone_mg_per_day: Decimal | None = None,
    glucocorticoids: Sequence[steroids.Dose] | None = None,
    antimalarial: bool | None = None,
    immunosuppressant_or_biologic: str | None = None,
    prednisolone_at_least_mg_per_day: Decimal = Decimal(0),
) -> Remission:
    """The state at one visit. An antimalarial neither helps nor hinders; it is kept for the record.

    `prednisolone_at_least_mg_per_day`: what is known of a dose that is not known as a whole.
    """
    del antimalarial
    present = frozenset(sledai_present or ())
    open_ones = frozenset(WEIGHTS) if sledai_present is None else frozenset(sledai_not_assessed or ())
    whole = prednisolone_mg_per_day if prednisolone_mg_per_day is not None else steroids.per_day(glucocorticoids)
    dose = steroids.settling_dose(whole, glucocorticoids, MAX_PREDNISOLONE_MG)
    quiet, serology = _nothing(present - SEROLOGICAL, open_ones - SEROLOGICAL), _nothing(present, open_ones)
    other = immunosuppressant_or_biologic
    criteria = {
        "clinical_sledai_0": quiet,
        "pga_lt_0_5": compared(pga, PGA_BELOW, lambda value, limit: value < limit),
        "prednisolone_le_5": compared(dose, MAX_PREDNISOLONE_MG, lambda value, limit: value <= limit),
        "treatment_stable": None if other is None else other != "changed",
    }
    remission = every(*criteria.values())
    least = max(prednisolone_at_least_mg_per_day, steroids.at_least_per_day(glucocorticoids))
    no_steroid = False if least > 0 else None if dose is None else dose == 0
    drug_free = every(no_steroid, None if other is None else other == "none")
    score_of = sledai2k.score(sledai_present, sledai_not_assessed)
    return Remission(
        doris=remission,
        criteria=criteria,
        sledai_2k=score_of.sledai_2k,
        clinical_sledai=score_of.clinical_sledai,
        prednisolone_equivalent_mg_per_day=whole,
        registration_wording=RegistrationWording(
            doris=every(quiet, criteria["pga_lt_0_5"], criteria["prednisolone_le_5"]),
            literal_sledai_2k_equals_0=serology,
        ),
        drug_free=drug_free,
        drug_free_doris=every(remission, drug_free),
        complete_remission=every(remission, drug_free, serology),
        reasons=tuple(
            Reason(f"{name}_{'not_met' if truth is False else 'unknown'}")
            for name, truth in criteria.items()
            if truth is not True
        ),
    )


def _nothing(present: frozenset[str], open_ones: frozenset[str]) -> Truth:
    """Whether nothing is present, as far as what is not assessed lets it be said."""
    if present:
        return False
    return None if open_ones else True
