"""Glucocorticoids as prednisolone: which dose of each equals 5 mg.

Equivalents as on the prednisolone label (hydrocortisone 20, cortisone 25, methylprednisolone and triamcinolone 4,
dexamethasone and betamethasone 0.75); deflazacort 6 from general tables. Topical, inhaled and intra-articular
steroids and fludrocortisone are not counted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from backend.instruments.units import rounded

REFERENCE_MG = Decimal(5)
EQUAL_TO_5_MG: Mapping[str, Decimal] = {
    "prednisolone": Decimal(5),
    "prednisone": Decimal(5),
    "methylprednisolone": Decimal(4),
    "triamcinolone": Decimal(4),
    "dexamethasone": Decimal("0.75"),
    "betamethasone": Decimal("0.75"),
    "hydrocortisone": Decimal(20),
    "cortisone": Decimal(25),
    "deflazacort": Decimal(6),
}
NOT_COUNTED = ("fludrocortisone",)  # whatever the dose: it replaces a mineralocorticoid


@dataclass(frozen=True, slots=True)
class Dose:
    """A regimen: `mg_per_day`, or `mg` every `every_days` days (10 mg on alternate days are 5 a day)."""

    drug: str
    mg_per_day: Decimal | None = None
    mg: Decimal | None = None
    every_days: Decimal | None = None

    def daily(self) -> Fraction | None:
        """mg of the drug a day, exactly; None where it is unknown."""
        if self.mg_per_day is not None:
            return Fraction(self.mg_per_day)
        return None if self.mg is None or self.every_days is None else Fraction(self.mg) / Fraction(self.every_days)


def as_prednisolone(drug: str, mg: Fraction | Decimal) -> Fraction:
    """mg of prednisolone, exactly. KeyError for a drug that is none of these."""
    return Fraction(mg) * Fraction(REFERENCE_MG) / Fraction(EQUAL_TO_5_MG[drug])


def per_day(doses: Iterable[Dose] | None) -> Decimal | None:
    """mg of prednisolone a day of all regimens together; None while one is unknown, 0 of none.

    Added as fractions, so that thirds that make a whole make it exactly: limits hold at equality.
    """
    if doses is None:
        return None
    total = Fraction(0)
    for dose in doses:
        if dose.drug in NOT_COUNTED:
            continue
        daily = dose.daily()
        if daily is None:
            return None
        total += as_prednisolone(dose.drug, daily)
    return as_decimal(total)


def at_least_per_day(doses: Iterable[Dose] | None) -> Decimal:
    """What the regimens that are known make together: a lower bound where another is unknown."""
    return per_day([dose for dose in doses or () if dose.daily() is not None]) or Decimal(0)


def settling_dose(whole: Decimal | None, doses: Sequence[Dose] | None, limit: Decimal) -> Decimal | None:
    """The dose to hold against a limit: the whole, or a lower bound that lies beyond the limit already."""
    least = at_least_per_day(doses)
    return least if whole is None and least > limit else whole


def as_decimal(amount: Fraction) -> Decimal:
    """As a decimal of at most twelve significant digits."""
    return rounded(Decimal(amount.numerator) / Decimal(amount.denominator))
