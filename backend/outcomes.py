"""Every registered outcome of each subject, with its inputs, their dates, and why it is true, false or unknown.

Computed from what is recorded, never stored. Missing is not yet due until the visit's window has closed or the
subject has left; only from then on an unknown response counts as none in the imputed analysis.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from backend import clock
from backend.analysis import response
from backend.analysis.change import change
from backend.analysis.response import Scored
from backend.analysis.selection import Value, last_before, nearest
from backend.course_outcomes import OF_COURSE
from backend.dossiers import Dossier, Slot
from backend.instruments import bilag2004
from backend.instruments.bilag_items import SYSTEMS
from backend.instruments.logic import Reading, Reason
from backend.instruments.steroids import as_decimal
from backend.results import (
    LEFT,
    MISSING,
    NOT_YET_DUE,
    OBSERVED,
    RUNNING,
    UNKNOWN,
    Input,
    Result,
    measurement_input,
    shown,
)
from schedules.planned import NOT_APPLICABLE
from schedules.protocol.definition import Outcome

RESPONSES = ("sri4", "lldas", "doris")
MEASURES: Mapping[str, tuple[str, ...]] = {
    "anti_dsdna": ("anti_dsdna",),
    "urine_protein": ("urine_protein_24h",),
    "complement": ("c3", "c4"),
}


def outcomes_of(dossier: Dossier, as_of: datetime | None = None) -> list[Result]:
    """Every outcome of the study but the adverse events, which are listed and counted for themselves."""
    now = as_of or clock.now()
    line = response.score_all(dossier.visits, {})
    found: list[Result] = []
    for outcome in dossier.study.outcomes:
        make = OF_COURSE.get(outcome.key)
        if make is not None:
            found.extend(_settled(dossier, outcome, result, now) for result in make(dossier, outcome))
        elif outcome.key in _AT_VISITS:
            for key in outcome.time_points:
                slot = next((one for one in dossier.slots if one.key == key), None)
                found.extend(_at_visit(dossier, outcome, line, slot, key, now))
    return found


def _settled(dossier: Dossier, outcome: Outcome, result: Result, now: datetime) -> Result:
    """A course is observed once its last visit's window has closed or the subject has left; before that it runs.

    What is unknown for its samples' sake stays so: time alone does not tell.
    """
    if result.status == UNKNOWN:
        return result
    last = next((one for one in dossier.slots if one.key == outcome.time_points[-1]), None)
    closed = _closed(dossier, last, now)
    if result.status == OBSERVED:
        return replace(result, status=OBSERVED if closed else RUNNING)
    return replace(result, status=NOT_YET_DUE if not closed else LEFT if dossier.ended is not None else MISSING)


def _at_visit(
    dossier: Dossier, outcome: Outcome, line: Sequence[Scored], slot: Slot | None, key: str, now: datetime
) -> Iterator[Result]:
    scored = next((one for one in line if slot is not None and one.visit.id == slot.id), None)
    for measure, value, detail, inputs, reasons in _AT_VISITS[outcome.key](dossier, line, scored, slot):
        status = _status(dossier, slot, scored, value, now)
        imputed = None
        if outcome.key in RESPONSES and dossier.study.analysis.get("sri4_non_responder_imputation") != "none":
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
            primary=measure == _primary(dossier, outcome.key, measure),
        )


def _primary(dossier: Dossier, outcome: str, measure: str) -> str:
    """The measure that is the outcome: of LLDAS and DORIS as the study has them defined, the others stand beside."""
    if outcome not in RESPONSES:
        return measure
    registered = dossier.study.analysis.get("lldas_doris_definition") == "registration" and outcome != "sri4"
    return f"{outcome}_registration" if registered else outcome


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


def baseline_of(
    dossier: Dossier, line: Sequence[Scored], now: Scored | None = None
) -> tuple[Scored | None, tuple[Input, ...]]:
    """Of each instrument the last assessment before treatment, as one; None before treatment has begun.

    Never one of the visit `now` that is held against it, nor of a visit whose window opens later: an assessment of
    these that is dated before treatment is misdated.
    """
    if dossier.treated_at is None or not line:
        return None, ()
    treated_at, later = dossier.treated_at, {now.visit.id} if now is not None else set()
    later |= {slot.id for slot in dossier.slots if slot.opens_at is not None and slot.opens_at > treated_at}
    before: dict[str, Scored] = {}
    inputs: dict[str, Input] = {}
    for scored in (one for one in line if one.visit.id not in later):
        for instrument, row in dossier.assessments.get(scored.visit.id, {}).items():
            if row.assessed_at <= treated_at and scored.visit.answers.get(instrument) is not None:
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
    """Over all nine BILAG systems; and over those that the registration means, where it names fewer."""
    baseline, inputs = baseline_of(dossier, line, scored)
    here = (*inputs, *_found_at(dossier, scored, "sledai2k", "pga", "bilag2004", "treatment"))
    registered = dossier.registered_systems
    fewer = {"sri4_registration": registered} if set(registered) != set(SYSTEMS) else {}
    for measure, systems in {"sri4": SYSTEMS, **fewer}.items():
        if baseline is None or scored is None:
            yield measure, None, {}, here, (Reason("no_baseline" if baseline is None else "no_assessment"),)
        else:
            found = response.sri4_of(baseline, scored, systems)
            yield measure, found.responder, asdict(found), here, found.reasons


def _lldas(dossier: Dossier, line: Sequence[Scored], scored: Scored | None, _slot: Slot | None) -> Iterator[Found]:
    """As published; and both readings of the registration's wording."""
    if scored is None:
        for measure in ("lldas", "lldas_registration", "lldas_registration_without_serology"):
            yield measure, None, {}, (), (Reason("no_assessment"),)
        return
    earlier = [one for one in line if one.visit.at < scored.visit.at]
    previous, graded = response.last_assessed(earlier)
    found = response.lldas_of(earlier, scored)
    inputs = (
        *_found_at(dossier, previous, "sledai2k"),
        *(_found_at(dossier, graded, "bilag2004") if scored.bilag is not None else ()),
        *_found_at(dossier, scored, "sledai2k", "pga", "bilag2004", "treatment"),
        *_treatment(dossier, scored),
    )
    read = found.registration_wording
    yield "lldas", found.lldas, asdict(found), inputs, found.reasons
    yield "lldas_registration", read.lldas, asdict(found), inputs, found.reasons
    yield "lldas_registration_without_serology", read.lldas_if_serology_excluded, asdict(found), inputs, found.reasons


def _doris(dossier: Dossier, _line: Sequence[Scored], scored: Scored | None, _slot: Slot | None) -> Iterator[Found]:
    """As published; as the registration's wording has it; and without glucocorticoid, immunosuppressant, biologic."""
    if scored is None:
        for measure in ("doris", "doris_drug_free", "doris_registration"):
            yield measure, None, {}, (), (Reason("no_assessment"),)
        return
    found = response.doris_of(scored)
    inputs = (*_found_at(dossier, scored, "sledai2k", "pga", "treatment"), *_treatment(dossier, scored))
    yield "doris", found.doris, asdict(found), inputs, found.reasons
    yield "doris_drug_free", found.drug_free_doris, asdict(found), inputs, found.reasons
    yield "doris_registration", found.registration_wording.doris, asdict(found), inputs, found.reasons


def _score_change(instrument: str, number: Callable[[Scored], Decimal | int | None]) -> Any:
    def made(dossier: Dossier, line: Sequence[Scored], scored: Scored | None, _slot: Slot | None) -> Iterator[Found]:
        baseline, inputs = baseline_of(dossier, line, scored)
        first = number(baseline) if baseline is not None else None
        now = number(scored) if scored is not None else None
        found = change(_reading(first), _reading(now))
        here = _found_at(dossier, scored, instrument)
        own = tuple(one for one in inputs if one.what.startswith(instrument))
        detail = {"baseline": first, "visit": now, **asdict(found)}
        if instrument == "bilag2004":
            detail |= {"grades": {"baseline": _letters(baseline), "visit": _letters(scored)}}
            detail["registration_view"] = {
                at: bilag2004.registration_view(letters, dossier.registered_systems)
                for at, letters in detail["grades"].items()
            }
        reasons = _lacking(baseline=first, visit=now)
        yield instrument, found.absolute_change, detail, (*own, *here), reasons

    return made


def _reading(value: Decimal | int | None) -> Reading | None:
    return None if value is None else Reading(Decimal(value))


def _lacking(**values: Any) -> tuple[Reason, ...]:
    return tuple(Reason(f"no_{name}") for name, value in values.items() if value is None)


def _letters(scored: Scored | None) -> Mapping[str, str | None]:
    return {system: one.grade for system, one in scored.bilag.items()} if scored and scored.bilag else {}


def _values_change(codes: Sequence[str]) -> Any:
    def made(dossier: Dossier, _line: Sequence[Scored], scored: Scored | None, slot: Slot | None) -> Iterator[Found]:
        for code in codes:
            some = dossier.values.get(code, ())
            first = last_before(some, dossier.treated_at) if dossier.treated_at is not None else None
            now = _for_visit(some, slot, scored)
            found = change(first.reading if first else None, now.reading if now else None)
            inputs = tuple(measurement_input(one, what) for one, what in ((first, "baseline"), (now, "visit")) if one)
            detail = {"baseline": shown(first), "visit": shown(now), **asdict(found)}
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


_AT_VISITS: Mapping[str, Any] = {
    "sri4": _sri4,
    "lldas": _lldas,
    "doris": _doris,
    "sledai2k": _score_change("sledai2k", lambda one: one.sledai.sledai_2k if one.sledai else None),
    "pga": _score_change("pga", lambda one: one.pga),
    "bilag2004": _score_change("bilag2004", lambda one: response.bilag_total(one).numeric_total),
    **{key: _values_change(codes) for key, codes in MEASURES.items()},
}
