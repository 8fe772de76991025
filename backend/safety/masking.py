"""Which medicines could be hiding a fever at the instant of a context (clinical-safety §3.2). Pure.

`masked` names every reason, `masked_acutely` leaves out standing oral steroids (unchanged since before
infusion), or half the cohort would be paged for being late. Doses come from the medication record and
from the patient's own answers (`antipyretic`, `steroid_taken`). A dose of unknown amount counts: what
cannot be shown to be small must not make a symptom look harmless. All numbers: `settings["masking"]`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from backend.safety.context import Context, Dose, Report
from backend.safety.rules.base import round_half_up

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class MaskReason:
    """One medicine that masks. `mg`: per dose, for steroids prednisolone-equivalent per day, None unknown.

    `hours` since it was last taken, 0 while it goes on; `source` is the dose or report it stands in.
    """

    drug: str
    drug_class: str
    mg: Decimal | None
    hours: Decimal
    source: str = ""
    standing: bool = False


def masked(context: Context) -> tuple[MaskReason, ...]:
    """Every reason why a fever might not show at `context.at`; empty when there is none."""
    return (*_timed(context), *_steroids(context, tuple(_steroid_doses(context))))


def masked_acutely(context: Context) -> tuple[MaskReason, ...]:
    """The same without standing oral steroids: the silence rules read this one."""
    acute = tuple(reason for reason in _steroid_doses(context) if not reason.standing)
    return (*(reason for reason in _timed(context) if not reason.standing), *_steroids(context, acute))


def _limits(context: Context) -> dict[str, timedelta]:
    """How long one dose of each class masks, counted from the last time it was taken."""
    numbers = context.settings["masking"]
    return {
        "antipyretic": timedelta(hours=float(numbers["antipyretic_h"])),
        "tocilizumab": timedelta(days=float(numbers["tocilizumab_d"])),
        "siltuximab": timedelta(days=float(numbers["siltuximab_d"])),
        "anakinra": timedelta(days=float(numbers["anakinra_d"])),
    }


def _since(at: datetime, start: datetime, stop: datetime | None) -> timedelta | None:
    """How long ago it was last taken: zero while it goes on, None when it had not begun."""
    if start > at:
        return None
    return timedelta(0) if stop is None or stop > at else at - stop


def _timed(context: Context) -> Iterator[MaskReason]:
    """Antipyretics, dexamethasone and cytokine blockers: masking for a fixed time after any dose."""
    limits = _limits(context)
    dexamethasone = timedelta(hours=float(context.settings["masking"]["dexamethasone_h"]))
    for dose in (*context.doses, *_answered_antipyretics(context)):
        limit = dexamethasone if dose.drug == "dexamethasone" else limits.get(dose.drug_class)
        since = _since(context.at, dose.start, dose.stop)
        if limit is not None and since is not None and since <= limit:
            standing = dose.standing and dose.drug_class == "steroid"
            yield MaskReason(dose.drug, dose.drug_class, dose.mg, _hours(since), dose.id, standing)


def _steroids(context: Context, doses: tuple[MaskReason, ...]) -> tuple[MaskReason, ...]:
    """The last day's steroids, if together they reach the limit in mg prednisolone-equivalent or one is unknown.

    Recorded doses are added up; the patient's own daily total stands beside them, not on top of them.
    """
    limit = Decimal(str(context.settings["masking"]["steroid_mg_per_day"]))
    reported = tuple(reason for reason in doses if reason.drug == "steroid_taken")
    recorded = tuple(reason for reason in doses if reason.drug != "steroid_taken")
    total = sum((reason.mg for reason in recorded if reason.mg is not None), Decimal(0))
    unknown = any(reason.mg is None for reason in recorded)
    return (
        *(recorded if unknown or total >= limit else ()),
        *(reason for reason in reported if reason.mg is not None and reason.mg >= limit),
    )


def _steroid_doses(context: Context) -> Iterator[MaskReason]:
    """Each steroid taken within the last day, in mg prednisolone-equivalent per day.

    A dose made from an answer to `steroid_taken` is read from the answer, which can be held against the usual dose.
    """
    answered = {f"{report.id}/steroid_taken" for report in context.reports}
    for dose in context.doses:
        if dose.id in answered:
            continue
        since = _since(context.at, dose.start, dose.stop)
        if dose.drug_class == "steroid" and dose.drug != "dexamethasone" and since is not None and since <= _DAY:
            mg = dose.prednisolone_mg_per_day
            yield MaskReason(dose.drug, dose.drug_class, mg, _hours(since), dose.id, dose.standing)
    usual = _usual_steroid(context)
    for report in context.reports:
        mg = _steroid_answer(report)
        if mg is not None and timedelta(0) <= context.at - report.at <= _DAY:
            yield MaskReason("steroid_taken", "steroid", mg, _hours(context.at - report.at), report.id, mg <= usual)


def _usual_steroid(context: Context) -> Decimal:
    """The daily dose unchanged since before infusion: recorded as standing, or last answered before it."""
    recorded = sum(
        (
            dose.prednisolone_mg_per_day or Decimal(0)
            for dose in context.doses
            if dose.standing and _runs(dose, context)
        ),
        Decimal(0),
    )
    answers = [
        mg
        for report in context.reports
        if context.infused_at is not None
        and report.at < context.infused_at
        and (mg := _steroid_answer(report)) is not None
    ]
    return max(recorded, answers[-1] if answers else Decimal(0))


def _runs(dose: Dose, context: Context) -> bool:
    since = _since(context.at, dose.start, dose.stop)
    return dose.drug_class == "steroid" and since is not None and since <= _DAY


def _steroid_answer(report: Report) -> Decimal | None:
    answer = report.answers.get("steroid_taken")
    return None if answer is None else Decimal(str(answer))


def _answered_antipyretics(context: Context) -> Iterator[Dose]:
    """Doses the patient named in a report; one without a time counts from the report. Recorded ones are not doubled."""
    recorded = {(dose.drug, dose.start) for dose in context.doses}
    for report in context.reports:
        for given in report.answers.get("antipyretic") or ():
            name, taken_at = given.get("name", "antipyretic"), _instant(given, report.at)
            if report.at <= context.at and (name, taken_at) not in recorded:
                recorded.add((name, taken_at))
                mg = given.get("dose_mg")
                yield Dose(
                    report.id,
                    name,
                    "antipyretic",
                    taken_at,
                    taken_at,
                    mg=None if mg is None else Decimal(str(mg)),
                )


def _instant(given: Mapping[str, Any], report_at: datetime) -> datetime:
    """When it was taken, never later than the report that says so: the phone's clock may run ahead."""
    taken_at = given.get("taken_at")
    if isinstance(taken_at, str):
        taken_at = datetime.fromisoformat(taken_at)
    if taken_at is None or taken_at.tzinfo is None:
        return report_at
    return min(report_at, taken_at)


def _hours(since: timedelta) -> Decimal:
    return round_half_up(Decimal(since.total_seconds()) / 3600)
