"""Every registered outcome of each subject, with its inputs, their dates, and why it is true, false or unknown.

Computed from what is recorded, never stored. Missing is not yet due until the visit's window has closed or the
subject has left; only from then on an unknown response counts as none in the imputed analysis.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any
from uuid import UUID

from backend import clock
from backend.analysis import courses, pharmacokinetics, response
from backend.analysis.change import change
from backend.analysis.courses import Point
from backend.analysis.pharmacokinetics import Sample
from backend.analysis.response import Scored
from backend.analysis.selection import Value, last_before, nearest
from backend.dossiers import Dossier, Slot
from backend.instruments import bilag2004
from backend.instruments.logic import Reading, Reason
from backend.instruments.steroids import as_decimal
from backend.instruments.units import rounded
from schedules.planned import NOT_APPLICABLE
from schedules.protocol.definition import Outcome

OBSERVED, UNKNOWN, NOT_YET_DUE, MISSING, LEFT = "observed", "unknown", "not_yet_due", "missing", "left"
STATUSES = (OBSERVED, UNKNOWN, NOT_YET_DUE, MISSING, LEFT)
RESPONSES = ("sri4", "lldas", "doris")
MEASURES: Mapping[str, tuple[str, ...]] = {
    "anti_dsdna": ("anti_dsdna",),
    "urine_protein": ("urine_protein_24h",),
    "complement": ("c3", "c4"),
}
CYTOKINES = ("il6", "crp", "ferritin")
_DAY = Decimal(86400)


@dataclass(frozen=True, slots=True)
class Input:
    """One fact an outcome was computed from."""

    kind: str  # assessment, measurement, medication, event
    id: UUID | None
    at: datetime | None
    what: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class Result:
    """One outcome of one subject, at a time point or of the whole course (`time_point` None).

    `value`: true or false of a response, a number of a change, None where unknown. `imputed`: a response with unknown
    counted as none, None where that is not due yet.
    """

    outcome: str
    measure: str
    time_point: str | None
    visit_id: UUID | None
    day: int | None
    status: str
    value: Any
    imputed: bool | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[Input, ...] = ()
    reasons: tuple[Reason, ...] = ()


def outcomes_of(dossier: Dossier, as_of: datetime | None = None) -> list[Result]:
    """Every outcome of the study but the adverse events, which are listed and counted for themselves."""
    now = as_of or clock.now()
    line = response.score_all(dossier.visits, {})
    found: list[Result] = []
    for outcome in dossier.study.outcomes:
        make = _OF_COURSE.get(outcome.key)
        if make is not None:
            found.extend(make(dossier, outcome))
        elif outcome.key in _AT_VISITS:
            for key in outcome.time_points:
                slot = next((one for one in dossier.slots if one.key == key), None)
                found.extend(_at_visit(dossier, outcome, line, slot, key, now))
    return found


def _at_visit(
    dossier: Dossier, outcome: Outcome, line: Sequence[Scored], slot: Slot | None, key: str, now: datetime
) -> Iterator[Result]:
    scored = next((one for one in line if slot is not None and one.visit.id == slot.id), None)
    for measure, value, detail, inputs, reasons in _AT_VISITS[outcome.key](dossier, line, scored, slot):
        status = _status(dossier, slot, scored, value, now)
        imputed = None
        if outcome.key in RESPONSES:
            imputed = bool(value) if value is not None else False if _closed(dossier, slot, now) else None
        yield Result(
            outcome=outcome.key,
            measure=measure,
            time_point=key,
            visit_id=slot.id if slot else None,
            day=scored.visit.day if scored else None,
            status=status,
            value=value,
            imputed=imputed,
            detail=detail,
            inputs=inputs,
            reasons=reasons,
        )


def _closed(dossier: Dossier, slot: Slot | None, now: datetime) -> bool:
    """Whether nothing more can come: the window has closed, or the subject has left."""
    if dossier.ended is not None:
        return True
    return slot is not None and slot.closes_at is not None and slot.closes_at <= now


def _status(dossier: Dossier, slot: Slot | None, scored: Scored | None, value: Any, now: datetime) -> str:
    if value is not None:
        return OBSERVED
    if scored is not None and scored.visit.answers:
        return UNKNOWN
    if slot is not None and slot.excused in NOT_APPLICABLE:
        return LEFT
    if not _closed(dossier, slot, now):
        return NOT_YET_DUE
    return LEFT if dossier.ended is not None and not _closed_before(dossier, slot) else MISSING


def _closed_before(dossier: Dossier, slot: Slot | None) -> bool:
    """Whether the window had closed when the subject left."""
    left = dossier.ended.actual_at if dossier.ended is not None else None
    return slot is not None and slot.closes_at is not None and left is not None and slot.closes_at <= left


# --- At visits ------------------------------------------------------------------------------------------------

Found = tuple[str, Any, Mapping[str, Any], tuple[Input, ...], tuple[Reason, ...]]


def baseline_of(dossier: Dossier, line: Sequence[Scored]) -> tuple[Scored | None, tuple[Input, ...]]:
    """Of each instrument the last assessment before treatment, as one; None before treatment has begun."""
    if dossier.treated_at is None or not line:
        return None, ()
    before: dict[str, Scored] = {}
    inputs: dict[str, Input] = {}
    for scored in line:
        for instrument, row in dossier.assessments.get(scored.visit.id, {}).items():
            if row.assessed_at <= dossier.treated_at and scored.visit.answers.get(instrument) is not None:
                before[instrument] = scored
                inputs[instrument] = _assessment(dossier, scored, instrument)
    if not before:
        return None, ()
    whole = next(iter(before.values()))
    sledai = before.get("sledai2k")
    made = Scored(
        visit=whole.visit,
        present=sledai.present if sledai else None,
        not_assessed=sledai.not_assessed if sledai else frozenset(),
        sledai=sledai.sledai if sledai else None,
        open_questions=sledai.open_questions if sledai else (),
        pga=before["pga"].pga if "pga" in before else None,
        bilag=before["bilag2004"].bilag if "bilag2004" in before else None,
    )
    return made, tuple(inputs[name] for name in ("sledai2k", "pga", "bilag2004") if name in inputs)


def _assessment(dossier: Dossier, scored: Scored, instrument: str) -> Input:
    row = dossier.assessments[scored.visit.id][instrument]
    value: Any = None
    if instrument == "sledai2k" and scored.sledai is not None:
        value = scored.sledai.sledai_2k
    elif instrument == "pga":
        value = scored.pga
    elif instrument == "bilag2004" and scored.bilag is not None:
        value = {system: one.grade for system, one in scored.bilag.items()}
    return Input("assessment", row.id, row.assessed_at, f"{instrument} at {scored.visit.key}", value)


def _found_at(dossier: Dossier, scored: Scored | None, *instruments: str) -> tuple[Input, ...]:
    if scored is None:
        return ()
    here = dossier.assessments.get(scored.visit.id, {})
    return tuple(_assessment(dossier, scored, name) for name in instruments if name in here)


def _treatment(dossier: Dossier, scored: Scored | None) -> tuple[Input, ...]:
    if scored is None:
        return ()
    used = set(scored.visit.treatment.medication_ids)
    return tuple(
        Input("medication", one.id, None, one.drug, _plain(one.mg_per_day))
        for one in dossier.medications
        if one.id in used
    )


def _plain(mg_per_day: Fraction | None) -> Decimal | None:
    return None if mg_per_day is None else as_decimal(mg_per_day)


def _sri4(dossier: Dossier, line: Sequence[Scored], scored: Scored | None, _slot: Slot | None) -> Iterator[Found]:
    baseline, inputs = baseline_of(dossier, line)
    here = _found_at(dossier, scored, "sledai2k", "pga", "bilag2004", "treatment")
    if baseline is None or scored is None:
        reason = "no_baseline" if baseline is None else "no_assessment"
        yield "sri4", None, {}, (*inputs, *here), (Reason(reason),)
        return
    found = response.sri4_of(baseline, scored)
    yield "sri4", found.responder, asdict(found), (*inputs, *here), found.reasons


def _lldas(dossier: Dossier, line: Sequence[Scored], scored: Scored | None, _slot: Slot | None) -> Iterator[Found]:
    if scored is None:
        yield "lldas", None, {}, (), (Reason("no_assessment"),)
        return
    earlier = [one for one in line if one.visit.at < scored.visit.at and one.present is not None]
    previous = earlier[-1] if earlier else None
    found = response.lldas_of(previous, scored)
    inputs = (
        *_found_at(dossier, previous, "sledai2k"),
        *_found_at(dossier, scored, "sledai2k", "pga", "bilag2004", "treatment"),
        *_treatment(dossier, scored),
    )
    yield "lldas", found.lldas, asdict(found), inputs, found.reasons


def _doris(dossier: Dossier, _line: Sequence[Scored], scored: Scored | None, _slot: Slot | None) -> Iterator[Found]:
    if scored is None:
        yield "doris", None, {}, (), (Reason("no_assessment"),)
        return
    found = response.doris_of(scored)
    inputs = (*_found_at(dossier, scored, "sledai2k", "pga", "treatment"), *_treatment(dossier, scored))
    yield "doris", found.doris, asdict(found), inputs, found.reasons


def _score_change(instrument: str, number: Callable[[Scored], Decimal | int | None]) -> Any:
    def made(dossier: Dossier, line: Sequence[Scored], scored: Scored | None, _slot: Slot | None) -> Iterator[Found]:
        baseline, inputs = baseline_of(dossier, line)
        first = number(baseline) if baseline is not None else None
        now = number(scored) if scored is not None else None
        found = change(_reading(first), _reading(now))
        here = _found_at(dossier, scored, instrument)
        own = tuple(one for one in inputs if one.what.startswith(instrument))
        detail = {"baseline": first, "visit": now, **asdict(found)}
        reasons = _lacking(baseline=first, visit=now)
        yield instrument, found.absolute_change, detail, (*own, *here), reasons

    return made


def _reading(value: Decimal | int | None) -> Reading | None:
    return None if value is None else Reading(Decimal(value))


def _lacking(**values: Any) -> tuple[Reason, ...]:
    return tuple(Reason(f"no_{name}") for name, value in values.items() if value is None)


def _bilag_total(scored: Scored) -> int | None:
    if scored.bilag is None or any(one.incomplete for one in scored.bilag.values()):
        return None
    return bilag2004.total({system: one.grade for system, one in scored.bilag.items()}).numeric_total


def _values_change(codes: Sequence[str]) -> Any:
    def made(dossier: Dossier, _line: Sequence[Scored], scored: Scored | None, slot: Slot | None) -> Iterator[Found]:
        for code in codes:
            some = dossier.values.get(code, ())
            first = last_before(some, dossier.treated_at) if dossier.treated_at is not None else None
            now = _for_visit(some, slot, scored)
            found = change(first.reading if first else None, now.reading if now else None)
            inputs = tuple(_measurement(one, what) for one, what in ((first, "baseline"), (now, "visit")) if one)
            detail = {"baseline": _shown(first), "visit": _shown(now), **asdict(found)}
            reasons = _lacking(baseline=first, visit=now)
            if found.censored and first and now:
                reasons = (Reason("beyond_the_assays_limit"),)
            yield code, found.absolute_change, detail, inputs, reasons

    return made


def _for_visit(some: Sequence[Value], slot: Slot | None, scored: Scored | None) -> Value | None:
    """The value nearest to the visit in its window; where nobody came, nearest to the window's middle."""
    if slot is None or slot.opens_at is None or slot.closes_at is None:
        return None
    at = scored.visit.at if scored else slot.attended_at or slot.opens_at + (slot.closes_at - slot.opens_at) / 2
    return nearest(some, at, slot.opens_at, slot.closes_at)


def _measurement(value: Value, what: str) -> Input:
    return Input("measurement", value.id, value.at, f"{value.code}, {what}", _shown(value))


def _shown(value: Value | None) -> Any:
    if value is None:
        return None
    return value.reading.value if not value.reading.qualifier else f"{value.reading.qualifier}{value.reading.value}"


_AT_VISITS: Mapping[str, Any] = {
    "sri4": _sri4,
    "lldas": _lldas,
    "doris": _doris,
    "sledai2k": _score_change("sledai2k", lambda one: one.sledai.sledai_2k if one.sledai else None),
    "pga": _score_change("pga", lambda one: one.pga),
    "bilag2004": _score_change("bilag2004", _bilag_total),
    **{key: _values_change(codes) for key, codes in MEASURES.items()},
}


# --- Of the whole course --------------------------------------------------------------------------------------


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
        masked = blocked is not None and blocked <= begun.date() + timedelta(days=day)
        found.append(Point(value.id, value.at, day, value.reading, masked))
    return found


def tocilizumab_on(dossier: Dossier) -> date | None:
    """The first date after infusion on which tocilizumab was given."""
    begun = dossier.infused_at
    given = [one.since for one in dossier.medications if one.drug_class == "tocilizumab" and begun is not None]
    after = [day for day in given if begun is not None and day >= begun.date()]
    return min(after, default=None)


def _baseline_value(dossier: Dossier, code: str) -> Value | None:
    return last_before(dossier.values.get(code, ()), dossier.treated_at) if dossier.treated_at is not None else None


def _course(outcome: str, measure: str, value: Any, detail: Mapping[str, Any], inputs: tuple[Input, ...]) -> Result:
    status = OBSERVED if inputs else NOT_YET_DUE
    return Result(outcome, measure, None, None, None, status, value, detail=detail, inputs=inputs)


def _pk(dossier: Dossier, outcome: Outcome) -> Iterator[Result]:
    begun = dossier.infused_at
    values = dossier.values.get("car_copies", ())
    if begun is None:
        yield _course(outcome.key, "car_copies", None, {}, ())
        return
    samples = {_elapsed(value.at, begun): value for value in values if value.at >= begun - timedelta(days=1)}
    profile = [
        Sample(at, None if value.reading.qualifier == "<" else value.reading.value) for at, value in samples.items()
    ]
    settings = dossier.study.analysis
    ends = [Decimal(end) for end in settings.get("auc_windows_days", (28, 90))]
    windows = [*((Decimal(0), end) for end in ends), *pairwise(ends)]
    middle = str(settings.get("auc_middle_blq", "drop"))
    unit = dossier.study.measures["car_copies"].unit if "car_copies" in dossier.study.measures else None
    found = pharmacokinetics.kinetics(profile, unit, windows, middle)
    detail = {**asdict(found), "auc_to_visit": _to_visit(dossier, profile, windows, middle, begun)}
    inputs = tuple(_measurement(value, f"day {at}") for at, value in sorted(samples.items()))
    yield _course(outcome.key, "car_copies", found.cmax, detail, inputs)


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
    yield _course(outcome.key, "b_cells", found.first_day_below, asdict(found), inputs)


def _cytokines(dossier: Dossier, outcome: Outcome) -> Iterator[Result]:
    for code in CYTOKINES:
        points, first = _points(dossier, code), _baseline_value(dossier, code)
        found = courses.peak(first.reading if first else None, points, tocilizumab_on(dossier))
        inputs = _course_inputs(first, dossier.values.get(code, ()), points)
        yield _course(outcome.key, code, found.peak, asdict(found), inputs)


def _course_inputs(first: Value | None, values: Sequence[Value], points: Sequence[Point]) -> tuple[Input, ...]:
    days = {point.id: point.day for point in points}
    start = (_measurement(first, "baseline"),) if first is not None else ()
    return (*start, *(_measurement(value, f"day {days[value.id]}") for value in values if value.id in days))


_OF_COURSE: Mapping[str, Callable[[Dossier, Outcome], Iterator[Result]]] = {
    "pk": _pk,
    "b_cells": _b_cells,
    "cytokines": _cytokines,
}
