"""The reconciliation list: what may be an adverse event, and what people decided about it."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

import marshmallow as ma
import sqlalchemy as sa
from marshmallow import validate

from api.answer_schemas import answer_schema
from api.batches import Batch
from api.doors import Caller, Page, Room, listed
from api.fields import Body, Id, Instant, Key, Text, Whole, Word
from api.paging import page
from backend import candidates, policy, reconciliation
from backend.candidates import Proposal
from backend.models.findings import Reconciliation
from backend.models.subject import Subject
from backend.reconciliation import Line

room = Room("reconciliation", __name__, url_prefix="/api/v1", description="What may be an adverse event")


class DecisionBody(Body):
    """`since`, `until`, `worst` as the list showed them: what comes later, and worse, is asked about again."""

    id = Id(required=True)
    kind = Word(*candidates.KINDS, required=True)
    item = Key(allow_none=True, load_default=None)
    episode_id = Id(allow_none=True, load_default=None)
    since = Instant(required=True)
    until = Instant(required=True)
    worst = Whole(least=0, most=5, required=True)
    decision = Word(*reconciliation.DECISIONS, required=True)
    adverse_event_id = Id(allow_none=True, load_default=None)
    reason = Text(most=1000, allow_none=True, load_default=None)


class DecisionBatch(Batch):
    items = ma.fields.List(ma.fields.Nested(DecisionBody), required=True, validate=validate.Length(min=1, max=100))


class DecisionAnswer(DecisionBody):
    recorded_at = Instant(required=True)
    recorded_by = Id(required=True)


class DecisionsStored(Body):
    items = ma.fields.List(ma.fields.Nested(DecisionAnswer), required=True)


class LineAnswer(Body):
    """`proposal`: what an adverse event could say; null where only a person can tell. People decide and grade."""

    subject_id = Id(required=True)
    subject_number = ma.fields.String(required=True)
    kind = Word(*candidates.KINDS, required=True)
    item = ma.fields.String(required=True, allow_none=True)
    episode_id = Id(required=True, allow_none=True)
    since = Instant(required=True)
    until = Instant(required=True)
    worst = ma.fields.Integer(required=True)
    sources = ma.fields.List(Id(), required=True)
    proposal = ma.fields.Nested(answer_schema(Proposal, "EventProposal"), required=True)
    state = Word(reconciliation.OPEN, reconciliation.SETTLED, required=True)
    why = Word("new", "worse", "went_on", "taken_back", required=True, allow_none=True)
    decision = ma.fields.Nested(DecisionAnswer, required=True, allow_none=True)
    adverse_event_id = Id(required=True, allow_none=True)


def decision_view(row: Reconciliation) -> dict[str, Any]:
    return {name: getattr(row, name) for name in DecisionAnswer().fields}


def line_view(line: Line) -> dict[str, Any]:
    return {
        **asdict(line.candidate),
        "subject_id": line.subject.id,
        "subject_number": line.subject.number,
        "state": line.state,
        "why": line.why,
        "decision": decision_view(line.decision) if line.decision is not None else None,
        "adverse_event_id": line.adverse_event_id,
    }


class ListQuery(Page):
    site_id = Id()
    subject_id = Id()
    state = Word(reconciliation.OPEN, reconciliation.SETTLED, "all", load_default=reconciliation.OPEN)
    kind = Word(*candidates.KINDS)


@room.door(
    "GET", "/reconciliation", "adverse_event:read", query=ListQuery, answer=listed(LineAnswer, "ReconciliationList")
)
def reconciliation_list(caller: Caller, query: dict[str, Any]) -> Any:
    """What may be an adverse event, by subject number. `limit` counts the subjects looked at, as in the worklist."""
    sites = [caller.site(query["site_id"], "/site_id").id] if "site_id" in query else policy.sites_of(caller.id)
    wanted = sa.select(Subject).where(Subject.site_id.in_(sites))
    if "subject_id" in query:
        wanted = wanted.where(Subject.id == caller.subject(query["subject_id"]).id)
    looked_at = page(wanted, (Subject.number, Subject.id), query, lambda row: {"subject": row[0]})
    found = reconciliation.lines([one["subject"] for one in looked_at["items"]])
    items = [
        line_view(line)
        for line in found
        if query["state"] in ("all", line.state) and query.get("kind") in (None, line.candidate.kind)
    ]
    return {"items": items, "next_cursor": looked_at["next_cursor"]}


@room.door(
    "POST",
    "/subjects/<uuid:subject_id>/reconciliation",
    "adverse_event:record",
    body=DecisionBatch,
    answer=DecisionsStored,
    status=201,
    also=[200],
)
def decide(caller: Caller, subject_id: UUID, body: dict[str, Any]) -> Any:
    """Decide about one line or a list: the adverse event it is part of, known, or not an adverse event and why."""
    caller.subject(subject_id)
    with body["paths"]:
        done = reconciliation.decide(subject_id, body["items"], caller.account)
    answer = {"items": [decision_view(row) for row, _ in done]}
    return answer, 201 if any(new for _, new in done) else 200
