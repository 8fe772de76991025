"""What a subject took at a visit, from the list of medications: steroid a day, stability, rescue. Pure.

A list that nobody reviewed at the visit proves no absence: then the recorded dose is a lower bound, no more.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from backend.instruments import lldas
from backend.instruments.logic import Truth, every
from backend.instruments.steroids import EQUAL_TO_5_MG, as_decimal, as_prednisolone

STEROID, ANTIMALARIAL = "steroid", "antimalarial"
OTHER_CLASSES = ("immunosuppressant", "biologic")


@dataclass(frozen=True, slots=True)
class Medication:
    """One regimen on the site's dates, `until` (None: it goes on) the last day. `prednisolone_per_mg`: of a steroid."""

    id: UUID
    drug: str
    drug_class: str
    since: date
    until: date | None
    mg_per_day: Fraction | None
    prednisolone_per_mg: Decimal | None = None
    systemic: bool = True
    rescue: bool = False

    def on(self, day: date) -> bool:
        return self.since <= day and (self.until is None or day <= self.until)


@dataclass(frozen=True, slots=True)
class Treatment:
    """At one visit. `steroid_mg`: prednisolone a day, averaged; None where unknown, then at least `steroid_at_least`.

    `immunosuppressant_or_biologic`: none, stable or changed; None where unknown. `rescue`: whether any was given, None
    where nobody can tell. `medication_ids`: what was counted.
    """

    steroid_mg: Decimal | None = None
    steroid_at_least: Decimal = Decimal(0)
    antimalarial: bool = False
    immunosuppressant_or_biologic: str | None = None
    within_maintenance: Truth = None
    rescue: Truth = None
    medication_ids: tuple[UUID, ...] = ()

    def steroid_for(self, limit: Decimal) -> Decimal | None:
        """The dose to hold against a limit: a lower bound beyond it settles the matter."""
        if self.steroid_mg is None and self.steroid_at_least > limit:
            return self.steroid_at_least
        return self.steroid_mg


UNKNOWN = Treatment()


def treatment_on(
    day: date, medications: Sequence[Medication], *, reviewed: bool, average_days: int, stable_days: int, since: date
) -> Treatment:
    """What was taken on the day of a visit. `since`: where the time begins in which rescue treatment counts.

    The steroid is averaged over the `average_days` days before the visit's day and that day excluded; other treatment
    is stable where nothing of it began, ended or changed its dose in the `stable_days` days up to the visit.
    """
    steroids = _each_day_once([one for one in medications if one.drug_class == STEROID and one.systemic])
    days = [day - timedelta(days=n) for n in range(1, average_days + 1)]
    counted = [one for one in steroids if any(one.on(that) for that in days)]
    taken = [(one, that) for one in counted for that in days if one.on(that)]
    amounts = [_prednisolone(one) for one, _ in taken]
    known = as_decimal(sum((amount for amount in amounts if amount is not None), Fraction(0)) / average_days)
    whole = reviewed and None not in amounts
    others = [one for one in medications if one.drug_class in OTHER_CLASSES]
    now = [one for one in others if one.on(day)]
    used = {one.id for one in (*counted, *now)}
    rescued = any(one.rescue and since < one.since <= day for one in medications)
    return Treatment(
        steroid_mg=known if whole else None,
        steroid_at_least=known,
        antimalarial=any(one.drug_class == ANTIMALARIAL and one.on(day) for one in medications),
        immunosuppressant_or_biologic=_kind(now, others, day - timedelta(days=stable_days), day, reviewed=reviewed),
        within_maintenance=_within([one for one in medications if one.on(day)], reviewed=reviewed),
        rescue=True if rescued else False if reviewed else None,
        medication_ids=tuple(sorted(used, key=str)),
    )


def _each_day_once(regimens: Sequence[Medication]) -> list[Medication]:
    """The regimens with the day of a dose change counted as the new dose's alone.

    A dose is changed at one moment, and both regimens hold its date. What began and ended on that one day was given
    beside whatever went before and followed it.
    """
    begun = {(one.drug, one.since) for one in regimens if one.until != one.since}
    return [
        replace(one, until=one.until - timedelta(days=1))
        if one.until is not None and one.since < one.until and (one.drug, one.until) in begun
        else one
        for one in regimens
    ]


def _prednisolone(one: Medication) -> Fraction | None:
    """mg of prednisolone a day, exactly: by the instrument's table, else by what the study says of the drug."""
    said = None if one.prednisolone_per_mg is None else Fraction(one.prednisolone_per_mg)
    per_mg = as_prednisolone(one.drug, Fraction(1)) if one.drug in EQUAL_TO_5_MG else said
    if not per_mg:
        return per_mg  # not known, or none whatever the dose
    return None if one.mg_per_day is None else one.mg_per_day * per_mg


def _kind(
    now: Sequence[Medication], others: Iterable[Medication], begins: date, day: date, *, reviewed: bool
) -> str | None:
    """A dose that was changed is one regimen ended and another begun."""
    edges = [edge for one in others for edge in (one.since, one.until) if edge is not None]
    if any(begins < edge <= day for edge in edges):
        return "changed"
    if not reviewed:
        return None
    return "stable" if now else "none"


def _within(now: Sequence[Medication], *, reviewed: bool) -> Truth:
    held = every(*(lldas.within_maintenance(one.drug, one.mg_per_day) for one in now))
    return held if reviewed or held is False else None
