"""Adverse events: record, judge, correct; those of one subject and of a site; the 24-hour clock; the table."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

import marshmallow as ma
import sqlalchemy as sa
from marshmallow import validate
from sqlalchemy.orm import aliased

from api.doors import Caller, Page, Room, etag, listed, must_match
from api.fields import Body, Flag, Id, Instant, Key, Past, Query, QueryWhole, Text, Whole, Word
from api.paging import page, shown
from backend import accounts, adverse_events, clock, policy, trial
from backend.adverse_events import SAID
from backend.db import lock_subject
from backend.errors import fault
from backend.models.findings import AdverseEvent

room = Room("adverse_events", __name__, url_prefix="/api/v1", description="Adverse events")


def _relation() -> Word:
    return Word(*adverse_events.RELATIONS, load_default=adverse_events.NOT_ASSESSED)


class EventBody(Body):
    """A person gives the grade: CTCAE of the study's version, ASTCT 2019 for CRS and ICANS."""

    term = Text(most=200, required=True)
    soc = Word(*adverse_events.SOCS, required=True)
    grade = Whole(least=1, most=5, required=True)
    onset_at = Instant(required=True)
    ended_at = Instant(allow_none=True, load_default=None)
    serious = Flag(load_default=False)
    seriousness = ma.fields.List(
        Word(*adverse_events.SERIOUSNESS),
        load_default=list,
        validate=validate.Length(max=len(adverse_events.SERIOUSNESS)),
    )
    serious_known_at = Instant(allow_none=True, load_default=None)
    reported_at = Instant(allow_none=True, load_default=None)
    related_product = _relation()
    related_lymphodepletion = _relation()
    related_procedure = _relation()
    action = Word(*adverse_events.ACTIONS, load_default="none")
    outcome = Word(*adverse_events.OUTCOMES, load_default="ongoing")
    dlt = Word(*adverse_events.DLT, load_default="no")
    special_interest = Word(*adverse_events.SPECIAL_INTEREST, allow_none=True, load_default=None)
    episode_id = Id(allow_none=True, load_default=None)
    note = Text(most=1000, allow_none=True, load_default=None)


class NewAdverseEvent(EventBody):
    id = Id(required=True)


class AdverseEventChange(Body):
    """What is given is changed; `void` takes the event back."""

    term = Text(most=200)
    soc = Word(*adverse_events.SOCS)
    grade = Whole(least=1, most=5)
    onset_at = Instant()
    ended_at = Instant(allow_none=True)
    serious = Flag()
    seriousness = ma.fields.List(Word(*adverse_events.SERIOUSNESS), validate=validate.Length(max=6))
    serious_known_at = Instant(allow_none=True)
    reported_at = Instant(allow_none=True)
    related_product = Word(*adverse_events.RELATIONS)
    related_lymphodepletion = Word(*adverse_events.RELATIONS)
    related_procedure = Word(*adverse_events.RELATIONS)
    action = Word(*adverse_events.ACTIONS)
    outcome = Word(*adverse_events.OUTCOMES)
    dlt = Word(*adverse_events.DLT)
    special_interest = Word(*adverse_events.SPECIAL_INTEREST, allow_none=True)
    episode_id = Id(allow_none=True)
    note = Text(most=1000, allow_none=True)
    void = Flag()
    reason = Text(most=1000, required=True)


class AdverseEventAnswer(Body):
    """`report_due_at`: of a serious event that is not reported yet, 24 hours from when the site knew."""

    id = Id(required=True)
    revision = ma.fields.Integer(required=True)
    subject_id = Id(required=True)
    site_id = Id(required=True)
    term = ma.fields.String(required=True)
    soc = ma.fields.String(required=True)
    scale = ma.fields.String(required=True)
    scale_version = ma.fields.String(required=True)
    grade = ma.fields.Integer(required=True)
    onset_at = Instant(required=True)
    ended_at = Instant(required=True, allow_none=True)
    serious = ma.fields.Boolean(required=True)
    seriousness = ma.fields.List(ma.fields.String(), required=True)
    serious_known_at = Instant(required=True, allow_none=True)
    reported_at = Instant(required=True, allow_none=True)
    report_due_at = Instant(required=True, allow_none=True)
    report_overdue = ma.fields.Boolean(required=True)
    related_product = ma.fields.String(required=True)
    related_lymphodepletion = ma.fields.String(required=True)
    related_procedure = ma.fields.String(required=True)
    action = ma.fields.String(required=True)
    outcome = ma.fields.String(required=True)
    dlt = ma.fields.String(required=True)
    special_interest = ma.fields.String(required=True, allow_none=True)
    episode_id = Id(required=True, allow_none=True)
    note = ma.fields.String(required=True, allow_none=True)
    void = ma.fields.Boolean(required=True)
    reason = ma.fields.String(required=True, allow_none=True)
    recorded_at = Instant(required=True)


def view(row: AdverseEvent) -> dict[str, Any]:
    plain = (*SAID, "revision", "subject_id", "site_id", "scale", "scale_version", "void", "reason", "recorded_at")
    due = adverse_events.report_due_at(row)
    return {
        **{name: getattr(row, name) for name in plain},
        "id": row.event_id,
        "report_due_at": due,
        "report_overdue": due is not None and due < clock.now(),
    }


@room.door(
    "POST",
    "/subjects/<uuid:subject_id>/adverse-events",
    "adverse_event:record",
    body=NewAdverseEvent,
    answer=AdverseEventAnswer,
    status=201,
    also=[200],
)
def record_adverse_event(caller: Caller, subject_id: UUID, body: dict[str, Any]) -> Any:
    """Record an adverse event. Relation and a DLT are judged by investigators; a nurse may suspect one."""
    caller.subject(subject_id)
    row, new = adverse_events.record(subject_id, body, caller.account, judges=caller.may("adverse_event:judge"))
    return view(row), 201 if new else 200, etag(row.revision)


@room.door(
    "PATCH",
    "/adverse-events/<uuid:adverse_event_id>",
    "adverse_event:record",
    body=AdverseEventChange,
    answer=AdverseEventAnswer,
    if_match=True,
)
def correct_adverse_event(caller: Caller, adverse_event_id: UUID, body: dict[str, Any]) -> Any:
    """Change or take back an adverse event with a reason; the earlier revision stays."""
    known = adverse_events.of_event(adverse_event_id)
    caller.subject(known.subject_id)
    lock_subject(known.subject_id)
    must_match(adverse_events.of_event(adverse_event_id).revision)
    row = adverse_events.correct(adverse_event_id, body, caller.account, judges=caller.may("adverse_event:judge"))
    return view(row), 200, etag(row.revision)


@room.door("GET", "/adverse-events/<uuid:adverse_event_id>", "adverse_event:read", answer=AdverseEventAnswer)
def read_adverse_event(caller: Caller, adverse_event_id: UUID) -> Any:
    """One adverse event as it stands."""
    row = adverse_events.of_event(adverse_event_id)
    caller.subject(row.subject_id)
    return view(row), 200, etag(row.revision)


class AdverseEventRevision(AdverseEventAnswer):
    recorded_by = ma.fields.String(required=True)


@room.door(
    "GET",
    "/adverse-events/<uuid:adverse_event_id>/history",
    "adverse_event:read",
    answer=listed(AdverseEventRevision, "AdverseEventHistory"),
)
def adverse_event_history(caller: Caller, adverse_event_id: UUID) -> Any:
    """Every revision, oldest first: by whom and why."""
    caller.subject(adverse_events.of_event(adverse_event_id).subject_id)
    rows = adverse_events.revisions(adverse_event_id)
    names = accounts.names_of({row.recorded_by for row in rows})
    return {"items": [{**view(row), "recorded_by": names[row.recorded_by]} for row in rows], "next_cursor": None}


class AdverseEventQuery(Page):
    subject_id = Id()
    serious = Word("true", "false")


@room.door(
    "GET",
    "/adverse-events",
    "adverse_event:read",
    query=AdverseEventQuery,
    answer=listed(AdverseEventAnswer, "AdverseEventList"),
)
def list_adverse_events(caller: Caller, query: dict[str, Any]) -> Any:
    """Adverse events as they stand, newest onset first; those taken back are left out."""
    later = aliased(AdverseEvent)
    newer = sa.exists().where(later.event_id == AdverseEvent.event_id, later.revision > AdverseEvent.revision)
    wanted = sa.select(AdverseEvent).where(
        AdverseEvent.site_id.in_(policy.sites_of(caller.id)), AdverseEvent.void.is_(False), ~newer
    )
    if "subject_id" in query:
        wanted = wanted.where(AdverseEvent.subject_id == caller.subject(query["subject_id"]).id)
    if "serious" in query:
        wanted = wanted.where(AdverseEvent.serious.is_(query["serious"] == "true"))
    return page(wanted, (AdverseEvent.onset_at, AdverseEvent.event_id), query, shown(view), descending=True)


class SummaryQuery(Query):
    from_day = QueryWhole(least=-365, most=3650, load_default=0)
    to_day = QueryWhole(least=-365, most=3650, load_default=90)
    dose_level = Key()
    as_of = Past()


class SummaryLine(Body):
    """One term in one dose level: subjects by their worst grade, events, serious and related to the product."""

    dose_level = ma.fields.String(required=True)
    soc = ma.fields.String(required=True)
    term = ma.fields.String(required=True)
    subjects = ma.fields.Integer(required=True)
    events = ma.fields.Integer(required=True)
    by_grade = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.Integer(), required=True)
    serious = ma.fields.Integer(required=True)
    related = ma.fields.Integer(required=True)
    dlt = ma.fields.Integer(required=True)


class SummaryAnswer(Body):
    dosed = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.Integer(), required=True)
    items = ma.fields.List(ma.fields.Nested(SummaryLine), required=True)


@room.door("GET", "/adverse-events/summary", "adverse_event:read", query=SummaryQuery, answer=SummaryAnswer)
def adverse_event_summary(caller: Caller, query: dict[str, Any]) -> Any:
    """Types, frequency and severity by dose level of what began in a window of study days: months 0 to 3 unless said.

    Days before infusion are negative: lymphodepletion has its own events.
    """
    if query["from_day"] > query["to_day"]:
        raise fault("/to_day", "out_of_range", "the window ends before it begins")
    some = trial.gathered(policy.sites_of(caller.id), query.get("as_of"), query.get("dose_level"))
    some = trial.in_set(some, "safety", query.get("as_of"))
    levels = [one.subject.dose_level for one in some]
    lines = adverse_events.table(some, query["from_day"], query["to_day"])
    items = [{**asdict(line), "by_grade": {str(k): v for k, v in line.by_grade.items()}} for line in lines]
    return {"dosed": {level: levels.count(level) for level in sorted(set(levels))}, "items": items}
