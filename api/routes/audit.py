"""The audit trail: its rows, and whether every chain holds."""

from typing import Any

import marshmallow as ma
import sqlalchemy as sa

from api.doors import Caller, Page, Room, listed
from api.fields import Anything, Body, Id, Instant
from api.paging import page, shown
from backend import audit
from backend.models.record import AuditEvent

room = Room("audit", __name__, url_prefix="/api/v1/audit", description="The audit trail")


class AuditAnswer(Body):
    id = Id(required=True)
    chain = ma.fields.String(required=True)
    seq = ma.fields.Integer(required=True)
    at = Instant(required=True)
    actor_id = Id(required=True, allow_none=True)
    actor_role = ma.fields.String(required=True)
    verb = ma.fields.String(required=True)
    entity = ma.fields.String(required=True)
    entity_id = ma.fields.String(required=True)
    old = Anything(required=True, allow_none=True)
    new = Anything(required=True, allow_none=True)
    reason = ma.fields.String(required=True, allow_none=True)
    origin = ma.fields.String(required=True, allow_none=True)
    hash = ma.fields.String(required=True)


class AuditQuery(Page):
    subject_id = Id(metadata={"description": "the subject's chain; without it the system's"})


class Verified(Body):
    intact = ma.fields.Boolean(required=True)
    chains = ma.fields.Integer(required=True)
    rows = ma.fields.Integer(required=True)
    first_bad = Anything(required=True, allow_none=True)


@room.door("GET", "", "audit:read", query=AuditQuery, answer=listed(AuditAnswer, "AuditList"))
def read_audit(caller: Caller, query: dict[str, Any]) -> Any:
    """Who did what, when, why: one chain, newest first."""
    chain = str(caller.subject(query["subject_id"]).id) if "subject_id" in query else audit.SYSTEM
    wanted = sa.select(AuditEvent).where(AuditEvent.chain == chain)
    names = AuditAnswer().fields

    def view(row: AuditEvent) -> dict[str, Any]:
        return {name: getattr(row, name) for name in names}

    return page(wanted, (AuditEvent.seq, AuditEvent.id), query, shown(view), descending=True)


@room.door("GET", "/verify", "audit:read", answer=Verified)
def verify_audit(caller: Caller) -> Any:
    """Walk every chain; `first_bad` is the first row that does not hold."""
    return audit.verify()
