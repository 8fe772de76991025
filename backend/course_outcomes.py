"""Outcomes of the whole course: adverse events, kinetics of the CAR-T cells, B cells, cytokines and inflammation."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from backend import adverse_events, escalation
from backend.analysis import courses, pharmacokinetics
from backend.analysis.courses import Point
from backend.analysis.pharmacokinetics import Sample
from backend.analysis.selection import Value, last_before
from backend.dossiers import Dossier
from backend.instruments.logic import Reason
from backend.instruments.units import rounded
from backend.results import NOT_YET_DUE, OBSERVED, UNKNOWN, Input, Result, measurement_input
from schedules.protocol.check_schedule import DAYS_IN_MONTH
from schedules.protocol.definition import Outcome
from schedules.windows import local_date

CYTOKINES = ("il6", "crp", "ferritin")
_DAY = Decimal(86400)


def _points(dossier: Dossier, code: str) -> list[Point]:
    """Values after infusion; `masked` where tocilizumab had been given by then."""
    begun = dossier.infused_at
    if begun is None:
        return []
    blocked = tocilizumab_on(dossier)
    found = []
    for value in dossier.values.get(code, ()):
        day = dossier.day(value.at)
        if value.at < begun or day is None:
            continue
        masked = blocked is not None and blocked <= local_date(value.at, dossier.zone)
        found.append(Point(value.id, value.at, day, value.reading, masked))
    return found


def tocilizumab_on(dossier: Dossier) -> date | None:
    """The first date after infusion on which tocilizumab was given."""
    if dossier.infused_at is None:
        return None
    infused_on = local_date(dossier.infused_at, dossier.zone)
    given = (one.since for one in dossier.medications if one.drug_class == "tocilizumab")
    return min((day for day in given if day >= infused_on), default=None)


def _baseline_value(dossier: Dossier, code: str) -> Value | None:
    return last_before(dossier.values.get(code, ()), dossier.treated_at) if dossier.treated_at is not None else None


def _course(
    outcome: str, measure: str, value: Any, detail: Mapping[str, Any], inputs: tuple[Input, ...], *, seen: bool
) -> Result:
    """`seen`: whether there is anything of the time after infusion."""
    status = OBSERVED if seen else NOT_YET_DUE
    return Result(outcome, measure, None, None, None, status, value, detail=detail, inputs=inputs)


def _pk(dossier: Dossier, outcome: Outcome) -> Iterator[Result]:
    begun = dossier.infused_at
    values = dossier.values.get("car_copies", ())
    if begun is None:
        yield _course(outcome.key, "car_copies", None, {}, (), seen=False)
        return
    drawn = [(_elapsed(value.at, begun), value) for value in values if value.at >= begun - timedelta(days=1)]
    inputs = tuple(measurement_input(value, f"day {at}") for at, value in drawn)
    if doubled := _doubled(drawn):
        yield _unknown(outcome, {}, inputs, doubled)
        return
    profile = [Sample(at, None if value.reading.qualifier == "<" else value.reading.value) for at, value in drawn]
    settings = dossier.study.analysis
    ends = [Decimal(end) for end in settings.get("auc_windows_days", (28, 90))]
    windows = [*((Decimal(0), end) for end in ends), *pairwise(ends)]
    middle = str(settings.get("auc_middle_blq", "drop"))
    unit = dossier.study.measures["car_copies"].unit if "car_copies" in dossier.study.measures else None
    found = pharmacokinetics.kinetics(profile, unit, windows, middle)
    beyond = [str(value.id) for _, value in drawn if value.reading.qualifier == ">"]
    if beyond:
        found = pharmacokinetics.at_least(found)
    detail = {
        **asdict(found),
        "auc_method": str(settings.get("auc_method", "linear_up_log_down")),  # of the trial's table
        "auc_to_visit": _to_visit(dossier, profile, windows, middle, begun),
    }
    if beyond:
        reason = Reason("beyond_the_assays_limit", {"ids": beyond})
        yield _unknown(outcome, {**detail, "cmax_qualifier": ">", "auc_qualifier": ">"}, inputs, [reason])
        return
    yield _course(outcome.key, "car_copies", found.cmax, detail, inputs, seen=any(at >= 0 for at, _ in drawn))


def _doubled(drawn: Sequence[tuple[Decimal, Value]]) -> list[Reason]:
    """Samples of one minute, by time: which of them is the profile's, a person says by correcting the other."""
    ids: dict[Decimal, list[str]] = defaultdict(list)
    for at, value in drawn:
        ids[at].append(str(value.id))
    return [
        Reason("two_samples_of_one_time", {"day": at, "ids": sorted(some)}) for at, some in ids.items() if len(some) > 1
    ]


def _unknown(
    outcome: Outcome, detail: Mapping[str, Any], inputs: tuple[Input, ...], reasons: Sequence[Reason]
) -> Result:
    """Kinetics of which no number can be told; `detail` may hold what they are at least."""
    measure = "car_copies"
    return Result(
        outcome.key, measure, None, None, None, UNKNOWN, None, detail=detail, inputs=inputs, reasons=tuple(reasons)
    )


def _elapsed(at: datetime, begun: datetime) -> Decimal:
    """Days from infusion to the sample, to the minute."""
    return rounded(Decimal(round((at - begun).total_seconds() / 60)) * 60 / _DAY)


def _to_visit(
    dossier: Dossier,
    profile: Sequence[Sample],
    windows: Sequence[tuple[Decimal, Decimal]],
    middle_blq: str,
    begun: datetime,
) -> Mapping[str, Any]:
    """Windows that end with the sample of the visit planned for their last day, where that came a little early."""
    found = {}
    for start, end in windows:
        visit = next((one for one in dossier.study.visits if one.anchor == "infusion" and one.day == end), None)
        slot = next((one for one in dossier.slots if visit is not None and one.key == visit.key), None)
        if slot is None or slot.opens_at is None or slot.closes_at is None:
            continue
        opens, closes = (_elapsed(edge, begun) for edge in (slot.opens_at, slot.closes_at))
        times = [sample.time for sample in profile if opens <= sample.time < closes and start < sample.time < end]
        if times:
            until = max(times)
            areas = pharmacokinetics.kinetics(profile, None, [(start, until)], middle_blq).auc
            name = f"{start}-{end}"
            found[name] = {"to_day": until, **{method: next(iter(area.values())) for method, area in areas.items()}}
    return found


def _b_cells(dossier: Dossier, outcome: Outcome) -> Iterator[Result]:
    points, first = _points(dossier, "b_cells"), _baseline_value(dossier, "b_cells")
    threshold = Decimal(dossier.study.analysis.get("b_cell_depletion_below_per_ul", 10))
    found = courses.depletion(first.reading if first else None, points, threshold)
    inputs = _course_inputs(first, dossier.values.get("b_cells", ()), points)
    yield _course(outcome.key, "b_cells", found.first_day_below, asdict(found), inputs, seen=bool(points))


def _cytokines(dossier: Dossier, outcome: Outcome) -> Iterator[Result]:
    for code in CYTOKINES:
        points, first = _points(dossier, code), _baseline_value(dossier, code)
        found = courses.peak(first.reading if first else None, points, tocilizumab_on(dossier))
        inputs = _course_inputs(first, dossier.values.get(code, ()), points)
        yield _course(outcome.key, code, found.peak, asdict(found), inputs, seen=bool(points))


def _adverse_events(dossier: Dossier, outcome: Outcome) -> Iterator[Result]:
    """What began between infusion and the end of the outcome's time frame; the worst word on a DLT beside it."""
    to_day = outcome.time_frame_months * DAYS_IN_MONTH
    found = adverse_events.within(dossier, 0, to_day)
    dosed = dossier.infused_at is not None
    detail = {
        "to_day": to_day,
        "events": len(found),
        "worst_grade": max((row.grade for row in found), default=0),
        "by_grade": {str(grade): sum(row.grade == grade for row in found) for grade in range(1, 6)},
        "serious": sum(row.serious for row in found),
        "related": sum(row.related_product in adverse_events.RELATED for row in found),
        "dlt": escalation.worst_word(dossier.events),
    }
    inputs = tuple(
        Input("adverse_event", row.event_id, row.onset_at, f"{row.term}, {row.scale} {row.scale_version}", row.grade)
        for row in found
    )
    value = len(found) if dosed else None
    yield _course(outcome.key, "adverse_events", value, detail if dosed else {}, inputs, seen=dosed)


def _course_inputs(first: Value | None, values: Sequence[Value], points: Sequence[Point]) -> tuple[Input, ...]:
    days = {point.id: point.day for point in points}
    start = (measurement_input(first, "baseline"),) if first is not None else ()
    return (*start, *(measurement_input(value, f"day {days[value.id]}") for value in values if value.id in days))


OF_COURSE: Mapping[str, Callable[[Dossier, Outcome], Iterator[Result]]] = {
    "pk": _pk,
    "b_cells": _b_cells,
    "cytokines": _cytokines,
    "adverse_events": _adverse_events,
}
