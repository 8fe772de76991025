"""The follow-up calendar: one subject's, the nurse's list over all, appointments, attendance, adherence."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import marshmallow as ma
import sqlalchemy as sa

from api.doors import Caller, Page, Room, etag, listed, must_match
from api.fields import LATEST, Body, Day, Id, Instant, Query, Text, Word
from api.paging import page
from api.routes.subjects import site_of
from backend import agenda, clock, policy, studies, visits
from backend.db import db
from backend.models.calendar import Appointment, Attendance, Occurrence
from backend.models.study import Site
from backend.models.subject import Subject
from schedules.adherence import adherence
from schedules.occurrences import STATUSES
from schedules.protocol.definition import Study
from schedules.windows import end_of_day, local_date, start_of_day

room = Room("calendar", __name__, url_prefix="/api/v1", description="Visits, slots, who is due")

LONGEST = timedelta(days=400)


class Item(Body):
    id = Id(required=True)
    kind = Word("visit", "slot", required=True)
    key = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    day = ma.fields.Integer(required=True, allow_none=True)
    opens_at = Instant(required=True, allow_none=True)
    due_at = Instant(required=True, allow_none=True)
    closes_at = Instant(required=True, allow_none=True)
    status = Word(*STATUSES, required=True)
    appointment_at = Instant(required=True, allow_none=True)
    satisfied_by = Id(required=True, allow_none=True)
    satisfied_at = Instant(required=True, allow_none=True)
    excused = ma.fields.String(required=True, allow_none=True)


class Span(Query):
    since = Instant(data_key="from")
    until = Instant(data_key="to")


class CalendarAnswer(Body):
    items = ma.fields.List(ma.fields.Nested(Item), required=True)
    next_cursor = ma.fields.String(required=True, allow_none=True)


def name_of(study: Study, kind: str, key: str, locale: str) -> str:
    """What people call a visit or a form."""
    label = study.visit(key).name if kind == "visit" else study.forms[key].name
    return label.in_language(locale)


def view(row: Occurrence, status: str, study: Study, locale: str) -> dict[str, Any]:
    """One occurrence as the apps show it."""
    shown = {name: getattr(row, name) for name in Item().fields.keys() - {"name", "status"}}
    return {**shown, "status": status, "name": name_of(study, row.kind, row.key, locale)}


@room.door("GET", "/subjects/<uuid:subject_id>/calendar", "calendar:read", query=Span, answer=CalendarAnswer)
def subject_calendar(caller: Caller, subject_id: UUID, query: dict[str, Any]) -> Any:
    """Every visit and slot of one subject, by due time; the undated last."""
    subject = caller.subject(subject_id)
    study = studies.revision(subject.study_revision_id)
    wanted = sa.select(Occurrence, agenda.status_at(clock.now())).where(Occurrence.subject_id == subject.id)
    if "since" in query:
        wanted = wanted.where(Occurrence.due_at >= query["since"])
    if "until" in query:
        wanted = wanted.where(Occurrence.due_at < query["until"])
    ordered = wanted.order_by(Occurrence.due_at.is_(None), Occurrence.due_at, Occurrence.kind, Occurrence.key)
    items = [view(row, status, study, caller.account.locale) for row, status in db.session.execute(ordered)]
    return {"items": items, "next_cursor": None}


class DueItem(Item):
    subject_id = Id(required=True)
    subject_number = ma.fields.String(required=True)
    site_id = Id(required=True)


class DueQuery(Page):
    date = Day(metadata={"description": "the site's local date; today unless a status is asked for"})
    status = Word(*STATUSES)
    site_id = Id()
    kind = Word("visit", "slot")


@room.door("GET", "/calendar", "calendar:read", query=DueQuery, answer=listed(DueItem, "DueList"))
def due_list(caller: Caller, query: dict[str, Any]) -> Any:
    """Who is due, overdue, missed: over all subjects of the caller's sites, by due time."""
    now = clock.now()
    if "site_id" in query:
        sites = [site_of(caller, query["site_id"])]
    else:
        sites = list(db.session.scalars(sa.select(Site).where(Site.id.in_(policy.sites_of(caller.id)))))
    status = agenda.status_at(now)
    spans = [_span(site, query, now) for site in sites]
    wanted = (
        sa.select(Occurrence, status, Subject.number, Subject.study_revision_id)
        .join(Subject, Subject.id == Occurrence.subject_id)
        .where(sa.or_(sa.false(), *spans))
    )
    if "kind" in query:
        wanted = wanted.where(Occurrence.kind == query["kind"])
    if "status" in query:
        wanted = wanted.where(status == query["status"])

    def show(row: Any) -> dict[str, Any]:
        occurrence, state, number, revision = row[:4]
        shown = view(occurrence, state, studies.revision(revision), caller.account.locale)
        return {**shown, "subject_id": occurrence.subject_id, "subject_number": number, "site_id": occurrence.site_id}

    due = Occurrence.due_at if _by_date(query) else sa.func.coalesce(Occurrence.due_at, _UNDATED)
    return page(wanted, (due, Occurrence.id), query, show)


# Where what is not dated stands in a list by due time: last. A cursor cannot hold "no time".
_UNDATED = sa.literal(LATEST, Occurrence.due_at.type)


def _by_date(query: dict[str, Any]) -> bool:
    return "date" in query or "status" not in query


def _span(site: Site, query: dict[str, Any], now: datetime) -> sa.ColumnElement[bool]:
    """One site's rows for the date asked for, or for a status all that could have it around now, the undated too."""
    if _by_date(query):
        day = query.get("date") or local_date(now, site.time_zone)
        first, last = start_of_day(day, site.time_zone), end_of_day(day, site.time_zone)
    else:
        first, last = now - LONGEST, now + LONGEST
    around = sa.and_(Occurrence.due_at >= first, Occurrence.due_at < last)
    return sa.and_(
        Occurrence.site_id == site.id, around if _by_date(query) else sa.or_(around, Occurrence.due_at.is_(None))
    )


class AppointmentBody(Body):
    at = Instant(required=True, allow_none=True)
    reason = Text(most=1000, allow_none=True)


class AttendanceBody(Body):
    at = Instant(required=True)
    outcome = Word("attended", "missed", required=True)
    reason = Text(most=1000, allow_none=True)


@room.door(
    "PUT", "/visits/<uuid:visit_id>/appointment", "visit:plan", body=AppointmentBody, answer=Item, refuses=(412, 428)
)
def appoint(caller: Caller, visit_id: UUID, body: dict[str, Any]) -> Any:
    """Agree on a visit's time or move it; `If-Match` once there is an appointment."""
    return _planned(caller, visit_id, Appointment, lambda: visits.appoint(visit_id, body, caller.id))


@room.door(
    "PUT", "/visits/<uuid:visit_id>/attendance", "visit:plan", body=AttendanceBody, answer=Item, refuses=(412, 428)
)
def attend(caller: Caller, visit_id: UUID, body: dict[str, Any]) -> Any:
    """Record that the subject came, or did not; `If-Match` once something is recorded."""
    return _planned(caller, visit_id, Attendance, lambda: visits.attend(visit_id, body, caller.id))


def _planned(caller: Caller, visit_id: UUID, table: Any, write: Any) -> Any:
    subject = caller.subject(visits.visit_of(visit_id).subject_id)
    revision = visits.revision_of(table, visit_id)
    if revision > 0:
        must_match(revision)
    visit = write()
    status = db.session.execute(sa.select(agenda.status_at(clock.now())).where(Occurrence.id == visit_id)).scalar_one()
    study = studies.revision(subject.study_revision_id)
    return view(visit, status, study, caller.account.locale), 200, etag(revision + 1)


class AdherenceRow(Body):
    form = ma.fields.String(required=True)
    week = ma.fields.Integer(required=True)
    expected = ma.fields.Integer(required=True)
    done = ma.fields.Integer(required=True)
    late = ma.fields.Integer(required=True)
    missed = ma.fields.Integer(required=True)
    excused = ma.fields.Integer(required=True)


class AdherenceAnswer(Body):
    items = ma.fields.List(ma.fields.Nested(AdherenceRow), required=True)
    next_cursor = ma.fields.String(required=True, allow_none=True)


@room.door("GET", "/subjects/<uuid:subject_id>/adherence", "calendar:read", answer=AdherenceAnswer)
def subject_adherence(caller: Caller, subject_id: UUID) -> Any:
    """Expected, done, late, missed, excused by form and study week."""
    subject = caller.subject(subject_id)
    rows = db.session.scalars(
        sa.select(Occurrence).where(Occurrence.subject_id == subject.id, Occurrence.kind == "slot")
    )
    return {"items": adherence((agenda.as_value(row) for row in rows), clock.now()), "next_cursor": None}
