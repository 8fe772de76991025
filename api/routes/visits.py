"""Visits: agree on a time, move it, record who came; visits outside the plan; dates that suit; what was said before."""

from typing import Any
from uuid import UUID

import marshmallow as ma
import sqlalchemy as sa

from api.doors import Caller, Room, etag, listed, must_match
from api.fields import Body, Day, Id, Instant, Text, Word
from api.routes.calendar import Item, view
from backend import accounts, agenda, clock, visits
from backend.db import db, lock_subject
from backend.models.calendar import Appointment, Attendance, Occurrence
from backend.models.subject import Subject

room = Room("visits", __name__, url_prefix="/api/v1", description="Appointments, attendance, visits outside the plan")


class RemarkAnswer(Body):
    """Something to know of a time that is allowed all the same."""

    code = Word("outside_window", "not_working_day", "working_days_unknown", "in_the_past", "same_day", required=True)
    detail = ma.fields.String(required=True)


class VisitAnswer(Item):
    remarks = ma.fields.List(ma.fields.Nested(RemarkAnswer), required=True)


class AppointmentBody(Body):
    at = Instant(required=True, allow_none=True)
    reason = Text(most=1000, allow_none=True)


class AttendanceBody(Body):
    at = Instant(required=True)
    outcome = Word("attended", "missed", required=True)
    reason = Text(most=1000, allow_none=True)


class UnscheduledBody(Body):
    id = Id(required=True)
    at = Instant(required=True)
    reason = Text(most=1000, required=True)


@room.door(
    "POST",
    "/subjects/<uuid:subject_id>/visits",
    "visit:plan",
    body=UnscheduledBody,
    answer=VisitAnswer,
    status=201,
    also=[200],
)
def add_visit(caller: Caller, subject_id: UUID, body: dict[str, Any]) -> Any:
    """Add a visit outside the plan: agreed for a time to come, or one that took place."""
    subject = caller.subject(subject_id)
    visit, new = visits.add_unscheduled(subject_id, body, caller.id)
    return _shown(caller, subject, visit), 201 if new else 200


@room.door(
    "PUT", "/visits/<uuid:visit_id>/appointment", "visit:plan", body=AppointmentBody, answer=VisitAnswer,
    refuses=(412, 428),
)  # fmt: skip
def appoint(caller: Caller, visit_id: UUID, body: dict[str, Any]) -> Any:
    """Agree on a visit's time or move it; `If-Match` once there is an appointment."""
    return _planned(caller, visit_id, Appointment, lambda: visits.appoint(visit_id, body, caller.id))


@room.door(
    "PUT", "/visits/<uuid:visit_id>/attendance", "visit:plan", body=AttendanceBody, answer=VisitAnswer,
    refuses=(412, 428),
)  # fmt: skip
def attend(caller: Caller, visit_id: UUID, body: dict[str, Any]) -> Any:
    """Record that the subject came, or did not; `If-Match` once something is recorded."""
    return _planned(caller, visit_id, Attendance, lambda: visits.attend(visit_id, body, caller.id))


def _planned(caller: Caller, visit_id: UUID, table: Any, write: Any) -> Any:
    subject = caller.subject(visits.visit_of(visit_id).subject_id)
    lock_subject(subject.id)
    revision = visits.revision_of(table, visit_id)
    if revision > 0:
        must_match(revision)
    return _shown(caller, subject, write()), 200, etag(revision + 1)


def _shown(caller: Caller, subject: Subject, visit: Occurrence) -> dict[str, Any]:
    status = db.session.execute(sa.select(agenda.status_at(clock.now())).where(Occurrence.id == visit.id)).scalar_one()
    locale = caller.account.locale
    said = [{"code": one.code, "detail": one.detail.in_language(locale)} for one in visits.remarks(subject, visit)]
    return {**view(visit, status, locale), "remarks": said}


class SuggestionAnswer(Body):
    """A working day of the visit's window. `from_target` in days; `agreed`: visits the site has that day already."""

    on = Day(required=True)
    from_target = ma.fields.Integer(required=True)
    agreed = ma.fields.Integer(required=True)
    together = ma.fields.Boolean(
        required=True, metadata={"description": "the subject has another appointment that day"}
    )


@room.door(
    "GET", "/visits/<uuid:visit_id>/suggestions", "calendar:read", answer=listed(SuggestionAnswer, "Suggestions")
)
def suggestions(caller: Caller, visit_id: UUID) -> Any:
    """Working days of the visit's window from today on, nearest to its target first."""
    visit = visits.visit_of(visit_id)
    return {"items": visits.suggestions(caller.subject(visit.subject_id), visit), "next_cursor": None}


class VisitEvent(Body):
    kind = Word("appointment", "attendance", required=True)
    revision = ma.fields.Integer(required=True)
    at = Instant(required=True, allow_none=True)
    outcome = ma.fields.String(required=True, allow_none=True)
    reason = ma.fields.String(required=True, allow_none=True)
    recorded_at = Instant(required=True)
    recorded_by = ma.fields.String(required=True)


@room.door("GET", "/visits/<uuid:visit_id>/history", "calendar:read", answer=listed(VisitEvent, "VisitHistory"))
def history(caller: Caller, visit_id: UUID) -> Any:
    """Every appointment and attendance ever recorded, oldest first: by whom and why."""
    caller.subject(visits.visit_of(visit_id).subject_id)
    found = visits.history(visit_id)
    names = accounts.names_of({row.recorded_by for row in found})
    items = [
        {
            "kind": "appointment" if isinstance(row, Appointment) else "attendance",
            "outcome": None if isinstance(row, Appointment) else row.outcome,
            "recorded_by": names[row.recorded_by],
            **{name: getattr(row, name) for name in ("revision", "at", "reason", "recorded_at")},
        }
        for row in found
    ]
    return {"items": items, "next_cursor": None}
