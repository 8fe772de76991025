"""The follow-up calendar: one subject's, its file for a phone, the nurse's list over all, and what waits."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import marshmallow as ma
import sqlalchemy as sa
from flask import Response

from api.doors import Caller, Page, Room, listed
from api.fields import Body, Day, Id, Instant, Number, Query, Word
from api.paging import after, paged
from api.routes.entries import own_subject
from backend import agenda, chronicle, clock, duelist, policy, studies
from backend.db import db
from backend.duelist import Part
from backend.errors import fault
from backend.models.calendar import Occurrence
from backend.models.study import Site
from backend.models.subject import Subject
from schedules.adherence import is_low, percent
from schedules.ics import calendar_file
from schedules.planned import STATUSES
from schedules.windows import end_of_day, local_date, start_of_day

room = Room("calendar", __name__, url_prefix="/api/v1", description="Visits, slots, who is due")

MOST_DAYS = 31


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
    target_on = Day(required=True, allow_none=True, metadata={"description": "planned visits: the study's target date"})
    earliest_on = Day(required=True, allow_none=True)
    latest_on = Day(required=True, allow_none=True)
    satisfied_by = Id(required=True, allow_none=True)
    satisfied_at = Instant(required=True, allow_none=True)
    excused = ma.fields.String(required=True, allow_none=True)


class Span(Query):
    since = Instant(data_key="from")
    until = Instant(data_key="to")


def name_of(row: Occurrence, locale: str) -> str:
    """What people call a visit or a form, in the revision it follows."""
    study = studies.revision(row.study_revision_id)
    label = study.visit(row.key).name if row.kind == "visit" else study.forms[row.key].name
    return label.in_language(locale)


def view(row: Occurrence, status: str, locale: str) -> dict[str, Any]:
    """One occurrence as the apps show it."""
    shown = {name: getattr(row, name) for name in Item().fields.keys() - {"name", "status"}}
    return {**shown, "status": status, "name": name_of(row, locale)}


@room.door(
    "GET", "/subjects/<uuid:subject_id>/calendar", "calendar:read", query=Span, answer=listed(Item, "CalendarAnswer")
)
def subject_calendar(caller: Caller, subject_id: UUID, query: dict[str, Any]) -> Any:
    """Every visit and slot of one subject, by due time; the undated last."""
    subject = caller.subject(subject_id)
    wanted = sa.select(Occurrence, agenda.status_at(clock.now())).where(Occurrence.subject_id == subject.id)
    if "since" in query:
        wanted = wanted.where(Occurrence.due_at >= query["since"])
    if "until" in query:
        wanted = wanted.where(Occurrence.due_at < query["until"])
    ordered = wanted.order_by(Occurrence.listed_at, Occurrence.kind, Occurrence.key, Occurrence.id)
    items = [view(row, status, caller.account.locale) for row, status in db.session.execute(ordered)]
    return {"items": items, "next_cursor": None}


@room.door("GET", "/subjects/<uuid:subject_id>/calendar.ics", "calendar:read", media="text/calendar")
def subject_calendar_file(caller: Caller, subject_id: UUID) -> Response:
    """The subject's calendar as a file with alarms, to be handed over; in the subject's language."""
    subject = caller.subject(subject_id)
    return _file(subject, subject.locale)


class OwnQuery(Query):
    subject_id = Id()


@room.door("GET", "/me/calendar.ics", "today:read", query=OwnQuery, media="text/calendar")
def own_calendar_file(caller: Caller, query: dict[str, Any]) -> Response:
    """Visits and report times for the phone's own calendar, with its alarms; nothing in it says what for."""
    subject = db.session.get_one(Subject, own_subject(caller, query.get("subject_id")))
    return _file(subject, caller.account.locale)


def _file(subject: Subject, locale: str) -> Response:
    rows = db.session.scalars(sa.select(Occurrence).where(Occurrence.subject_id == subject.id))
    now = clock.now()
    today = local_date(now, chronicle.site_zone(subject.site_id))
    body = calendar_file((agenda.as_value(row) for row in rows), now, today, locale)
    headers = {"Content-Disposition": 'attachment; filename="calendar.ics"'}
    return Response(body, content_type="text/calendar; charset=utf-8", headers=headers)


class Recent(Body):
    """Reports of the subject's last days, as the study counts them; `low` is worth a call."""

    reported = ma.fields.Integer(required=True)
    expected = ma.fields.Integer(required=True)
    percent = Number(required=True, allow_none=True)
    low = ma.fields.Boolean(required=True)


class DueItem(Item):
    subject_id = Id(required=True)
    subject_number = ma.fields.String(required=True)
    site_id = Id(required=True)
    admitted = ma.fields.Boolean(required=True)
    last_report_at = Instant(required=True, allow_none=True)
    adherence = ma.fields.Nested(Recent, required=True)


class DueQuery(Page):
    date = Day(metadata={"description": "the site's local date; today unless a status is asked for"})
    until = Day(data_key="to", metadata={"description": "last date of a week or more, from `date` on"})
    status = Word(*STATUSES)
    site_id = Id()
    kind = Word(*duelist.KINDS)


@room.door("GET", "/calendar", "calendar:read", query=DueQuery, answer=listed(DueItem, "DueList"))
def due_list(caller: Caller, query: dict[str, Any]) -> Any:
    """Who is due, overdue, missed: over all subjects of the caller's sites, by due time; the undated last."""
    now = clock.now()
    parts = [_part(site, query, now) for site in _sites(caller, query)]
    kinds = [query["kind"]] if "kind" in query else duelist.KINDS
    found = duelist.rows(parts, kinds, query.get("status"), now, after(query, duelist.KEYS), query["limit"] + 1)
    page = paged(found, query["limit"], lambda row: (row.Occurrence.listed_at, row.Occurrence.id))
    recent = _recent([row.Subject for row in page["items"]], now)
    locale = caller.account.locale
    return {**page, "items": [_due_view(row, recent[row.Subject.id], locale) for row in page["items"]]}


def _sites(caller: Caller, query: dict[str, Any]) -> list[Site]:
    if "site_id" in query:
        return [caller.site(query["site_id"], "/site_id")]
    return list(db.session.scalars(sa.select(Site).where(Site.id.in_(policy.sites_of(caller.id))).order_by(Site.code)))


def _part(site: Site, query: dict[str, Any], now: datetime) -> Part:
    """One site's share: the dates asked for, or for a status all there is around now."""
    if "date" not in query and "status" in query and "until" not in query:
        return Part(site.id)
    first = query.get("date") or local_date(now, site.time_zone)
    last = query.get("until") or first
    if not first <= last < first + timedelta(days=MOST_DAYS):
        raise fault("/to", "out_of_range", f"from the first date on, and at most {MOST_DAYS} days")
    return Part(site.id, start_of_day(first, site.time_zone), end_of_day(last, site.time_zone))


def _recent(subjects: list[Subject], now: datetime) -> dict[UUID, dict[str, Any]]:
    """How each subject of the page has reported lately; one query per revision among them."""
    found: dict[UUID, dict[str, Any]] = {}
    by_revision: dict[UUID, set[UUID]] = {}
    for subject in subjects:
        by_revision.setdefault(studies.in_force_id(subject), set()).add(subject.id)
    for revision, members in by_revision.items():
        limit = studies.revision(revision).low_adherence
        since = timedelta(days=limit.over_days if limit else 7)
        counted = duelist.reported(sorted(members, key=str), since, now)
        for subject_id in members:
            reported, expected = counted.get(subject_id, (0, 0))
            found[subject_id] = {
                "reported": reported,
                "expected": expected,
                "percent": percent(reported, expected),
                "low": is_low(reported, expected, limit),
            }
    return found


def _due_view(row: Any, recent: dict[str, Any], locale: str) -> dict[str, Any]:
    return {
        **view(row.Occurrence, row.status, locale),
        "subject_id": row.Subject.id,
        "subject_number": row.Subject.number,
        "site_id": row.Occurrence.site_id,
        "admitted": row.Subject.admitted,
        "last_report_at": row.Subject.last_report_at,
        "adherence": recent,
    }


class WaitingAnswer(Body):
    site_id = Id(required=True)
    kind = Word(*duelist.KINDS, required=True)
    status = Word(*STATUSES, required=True)
    count = ma.fields.Integer(required=True)
    more = ma.fields.Boolean(required=True, metadata={"description": f"{duelist.MOST} or more"})


class CountQuery(Query):
    site_id = Id()


@room.door("GET", "/calendar/counts", "calendar:read", query=CountQuery, answer=listed(WaitingAnswer, "CalendarCounts"))
def due_counts(caller: Caller, query: dict[str, Any]) -> Any:
    """What waits at each site: open, due, overdue, missed, not dated; up to a hundred of each."""
    site_ids = [site.id for site in _sites(caller, query)]
    return {"items": duelist.counts(site_ids, clock.now()), "next_cursor": None}
