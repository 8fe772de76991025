"""Adherence by form and week with its reasons, and the spans in which no report is expected."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import marshmallow as ma
import sqlalchemy as sa

from api.doors import Caller, Room, etag, listed, must_match
from api.fields import Body, Flag, Id, Instant, Number, Text, Word
from backend import agenda, chronicle, clock, excuses, studies
from backend.db import db, lock_subject
from backend.models.calendar import Excuse, Occurrence
from schedules.adherence import Adherence, adherence, is_low, total

room = Room("adherence", __name__, url_prefix="/api/v1/subjects", description="Adherence, and what excuses from it")


class AdherenceTotal(Body):
    """expected = done + late + missed; percent = (done + late) / expected. `reasons`: the excused, by reason."""

    expected = ma.fields.Integer(required=True)
    done = ma.fields.Integer(required=True)
    late = ma.fields.Integer(required=True)
    missed = ma.fields.Integer(required=True)
    excused = ma.fields.Integer(required=True)
    reasons = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.Integer(), required=True)
    percent = Number(required=True, allow_none=True)


class AdherenceRow(AdherenceTotal):
    form = ma.fields.String(required=True)
    week = ma.fields.Integer(required=True, metadata={"description": "days 0 to 6 are week 0"})


class RecentTotal(AdherenceTotal):
    days = ma.fields.Integer(required=True)
    low = ma.fields.Boolean(required=True)


class AdherenceAnswer(Body):
    items = ma.fields.List(ma.fields.Nested(AdherenceRow), required=True)
    next_cursor = ma.fields.String(required=True, allow_none=True)
    total = ma.fields.Nested(AdherenceTotal, required=True)
    recent = ma.fields.Nested(RecentTotal, required=True)


@room.door("GET", "/<uuid:subject_id>/adherence", "calendar:read", answer=AdherenceAnswer)
def subject_adherence(caller: Caller, subject_id: UUID) -> Any:
    """Expected, done, late, missed and excused by form and study week, in all, and of the last days."""
    subject, now = caller.subject(subject_id), clock.now()
    rows = db.session.scalars(
        sa.select(Occurrence).where(Occurrence.subject_id == subject.id, Occurrence.kind == "slot")
    )
    slots = [agenda.as_value(row) for row in rows]
    limit = studies.in_force(subject).low_adherence
    days = limit.over_days if limit else 7
    recent: Adherence = total(slots, now, since=now - timedelta(days=days))
    low = is_low(recent.done + recent.late, recent.expected, limit)
    return {
        "items": adherence(slots, now),
        "next_cursor": None,
        "total": total(slots, now),
        "recent": {**AdherenceTotal().dump(recent), "days": days, "low": low},
    }


class ExcuseBody(Body):
    id = Id(required=True)
    kind = Word(*chronicle.EXCUSES, required=True)
    since = Instant(required=True)
    until = Instant(allow_none=True, load_default=None)
    reason = Text(most=1000, required=True)


class ExcuseChange(Body):
    since = Instant()
    until = Instant(allow_none=True)
    void = Flag()
    reason = Text(most=1000, required=True)


class ExcuseAnswer(Body):
    id = Id(required=True)
    revision = ma.fields.Integer(required=True)
    kind = ma.fields.String(required=True)
    since = Instant(required=True)
    until = Instant(required=True, allow_none=True)
    void = ma.fields.Boolean(required=True)
    reason = ma.fields.String(required=True)
    recorded_at = Instant(required=True)


def view(row: Excuse) -> dict[str, Any]:
    names = ExcuseAnswer().fields.keys() - {"id"}
    return {"id": row.excuse_id, **{name: getattr(row, name) for name in names}}


@room.door("GET", "/<uuid:subject_id>/excuses", "calendar:read", answer=listed(ExcuseAnswer, "ExcuseList"))
def subject_excuses(caller: Caller, subject_id: UUID) -> Any:
    """Spans in which no report is expected, as they now stand."""
    subject = caller.subject(subject_id)
    return {"items": [view(row) for row in chronicle.excuses_of(subject.id)], "next_cursor": None}


@room.door(
    "POST", "/<uuid:subject_id>/excuses", "excuse:record", body=ExcuseBody, answer=ExcuseAnswer, status=201, also=[200]
)
def record_excuse(caller: Caller, subject_id: UUID, body: dict[str, Any]) -> Any:
    """Excuse a span: the phone is lost, or the team agreed. Silence still pages; adherence does not count it."""
    caller.subject(subject_id)
    row, new = excuses.record(subject_id, body, caller.id)
    return view(row), 201 if new else 200, etag(row.revision)


@room.door(
    "PATCH",
    "/<uuid:subject_id>/excuses/<uuid:excuse_id>",
    "excuse:record",
    body=ExcuseChange,
    answer=ExcuseAnswer,
    if_match=True,
)
def change_excuse(caller: Caller, subject_id: UUID, excuse_id: UUID, body: dict[str, Any]) -> Any:
    """End or correct an excuse, with a reason; the earlier revision stays."""
    caller.subject(subject_id)
    lock_subject(subject_id)
    must_match(excuses.current(subject_id, excuse_id).revision)
    row = excuses.change(subject_id, excuse_id, body, caller.id)
    return view(row), 200, etag(row.revision)
