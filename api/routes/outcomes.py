"""Registered outcomes of one subject and of the trial, down to the inputs of every figure; the cohorts."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

import marshmallow as ma

from api.answer_schemas import answer_schema
from api.doors import Caller, Room, listed
from api.fields import Anything, Body, Id, Instant, Key, Number, Past, Query, Word
from backend import clock, dossiers, outcomes, policy, results, trial
from backend.analysis.statistics import Proportion, Summary
from backend.results import Result

room = Room("outcomes", __name__, url_prefix="/api/v1", description="Registered outcomes and cohorts")


class InputAnswer(Body):
    """One fact that an outcome was computed from."""

    kind = Word("assessment", "measurement", "medication", "adverse_event", required=True)
    id = Id(required=True, allow_none=True)
    at = Instant(required=True, allow_none=True)
    what = ma.fields.String(required=True)
    value = Anything(required=True, allow_none=True)


class ReasonAnswer(Body):
    rule = ma.fields.String(required=True)
    values = ma.fields.Dict(keys=ma.fields.String(), values=Anything(allow_none=True), required=True)


class OutcomeAnswer(Body):
    """`value`: true or false of a response, a number of a change; null where `status` says why not."""

    outcome = ma.fields.String(required=True)
    measure = ma.fields.String(required=True)
    primary = ma.fields.Boolean(required=True, metadata={"description": "false for another reading beside it"})
    time_point = ma.fields.String(required=True, allow_none=True)
    visit_id = Id(required=True, allow_none=True)
    day = ma.fields.Integer(required=True, allow_none=True)
    status = Word(*results.STATUSES, required=True)
    value = Anything(required=True, allow_none=True)
    imputed = ma.fields.Boolean(
        required=True, allow_none=True, metadata={"description": "responses: unknown counted as none, once it is due"}
    )
    detail = ma.fields.Dict(keys=ma.fields.String(), values=Anything(allow_none=True), required=True)
    inputs = ma.fields.List(ma.fields.Nested(InputAnswer), required=True)
    reasons = ma.fields.List(ma.fields.Nested(ReasonAnswer), required=True)


class OutcomeQuery(Query):
    outcome = Key()
    time_point = Key()
    as_of = Past()


def view(result: Result) -> dict[str, Any]:
    return asdict(result)


@room.door(
    "GET",
    "/subjects/<uuid:subject_id>/outcomes",
    "outcome:read",
    query=OutcomeQuery,
    answer=listed(OutcomeAnswer, "SubjectOutcomes"),
)
def subject_outcomes(caller: Caller, subject_id: UUID, query: dict[str, Any]) -> Any:
    """Every registered outcome of the subject with its inputs, their dates and reasons; as it stood at `as_of`."""
    subject = caller.subject(subject_id)
    as_of = query.get("as_of")
    found = outcomes.outcomes_of(dossiers.dossier_of(subject, as_of), as_of)
    kept = [
        view(one)
        for one in found
        if query.get("outcome") in (None, one.outcome) and query.get("time_point") in (None, one.time_point)
    ]
    return {"items": kept, "next_cursor": None}


class TrialQuery(OutcomeQuery):
    dose_level = Key()
    analysis_set = Word(*trial.SETS, data_key="set", load_default="safety")


class SubjectFigure(Body):
    """One subject behind a figure; its inputs are at the subject's outcomes."""

    subject_id = Id(required=True)
    number = ma.fields.String(required=True)
    dose_level = ma.fields.String(required=True)
    status = Word(*results.STATUSES, required=True)
    value = Anything(required=True, allow_none=True)
    imputed = ma.fields.Boolean(required=True, allow_none=True)
    reasons = ma.fields.List(ma.fields.Nested(ReasonAnswer), required=True)


_Proportion = answer_schema(Proportion, "Proportion")


class CellAnswer(Body):
    """One figure: of a response the proportion observed and imputed (exact 95 % CI), of a measure its summary."""

    outcome = ma.fields.String(required=True)
    measure = ma.fields.String(required=True)
    primary = ma.fields.Boolean(required=True)
    time_point = ma.fields.String(required=True, allow_none=True)
    dose_level = ma.fields.String(required=True, metadata={"description": "a level, or all"})
    subjects = ma.fields.Integer(required=True)
    statuses = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.Integer(), required=True)
    observed = ma.fields.Nested(_Proportion, required=True, allow_none=True)
    imputed = ma.fields.Nested(_Proportion, required=True, allow_none=True)
    summary = ma.fields.Dict(
        keys=ma.fields.String(), values=ma.fields.Nested(answer_schema(Summary, "Summary")), required=True
    )
    rows = ma.fields.List(ma.fields.Nested(SubjectFigure), required=True)


@room.door("GET", "/outcomes", "outcome:read", query=TrialQuery, answer=listed(CellAnswer, "TrialOutcomes"))
def trial_outcomes(caller: Caller, query: dict[str, Any]) -> Any:
    """The trial's tables by outcome, time point and dose level over an analysis set, with the subjects behind them."""
    as_of = query.get("as_of")
    some = trial.gathered(policy.sites_of(caller.id), as_of, query.get("dose_level"))
    some = trial.in_set(some, query["analysis_set"], as_of)
    cells = trial.table(some, outcome=query.get("outcome"), time_point=query.get("time_point"), as_of=as_of)
    items = [
        {
            **trial.as_plain(cell),
            "rows": [
                {
                    "subject_id": row.subject_id,
                    "number": row.number,
                    "dose_level": row.dose_level,
                    "status": row.result.status,
                    "value": row.result.value,
                    "imputed": row.result.imputed,
                    "reasons": [asdict(reason) for reason in row.result.reasons],
                }
                for row in cell.rows
            ],
        }
        for cell in cells
    ]
    return {"items": items, "next_cursor": None}


class CohortAnswer(Body):
    """One dose level of the trial, over all sites. `three_plus_three` is the table's row; people decide."""

    dose_level = ma.fields.String(required=True)
    cells_per_kg = Number(required=True)
    planned = ma.fields.Integer(required=True)
    enrolled = ma.fields.Integer(required=True)
    dosed = ma.fields.Integer(required=True)
    evaluable = ma.fields.Integer(required=True)
    dlt = ma.fields.Integer(required=True)
    suspected = ma.fields.Integer(required=True)
    pending = ma.fields.Integer(required=True)
    replaced = ma.fields.Integer(required=True)
    next_infusion_earliest = Instant(required=True, allow_none=True)
    hold = ma.fields.Boolean(required=True)
    reasons = ma.fields.List(ma.fields.String(), required=True)
    three_plus_three = Word("wait", "expand", "escalate", "stop", required=True)


@room.door("GET", "/cohorts", "cohort:read", answer=listed(CohortAnswer, "Cohorts"))
def cohorts(caller: Caller) -> Any:
    """Every dose level: planned, enrolled, dosed, evaluable, DLT, pending, replaced; the next infusion; holds."""
    del caller
    items = [
        {**{k: v for k, v in asdict(one).items() if k != "counts"}, **asdict(one.counts)}
        for one in trial.cohorts_of(clock.now())
    ]
    return {"items": items, "next_cursor": None}
