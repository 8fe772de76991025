"""Subjects: enrol, find, read, change; their dated events with preview and correction."""

from typing import Any
from uuid import UUID

import marshmallow as ma
import sqlalchemy as sa
from marshmallow import validate

from api.doors import Caller, Page, Room, etag, listed, must_match
from api.fields import Anything, Body, Day, Flag, Id, Instant, Key, Locale, Query, Shaped, Text, Whole, Word, Zone
from api.paging import page, shown
from backend import accounts, activation, audit, chronicle, enrolment, policy, readiness, records, studies, treatment
from backend.chronicle import Fact
from backend.db import lock_subject
from backend.errors import fault
from backend.models.subject import Subject
from schedules.history import INFUSION

room = Room("subjects", __name__, url_prefix="/api/v1/subjects", description="Subjects and their events")

GIVEN_BY = ("subject", "guardian")
STATUSES = ("screening", "follow_up", *treatment.LEFT_AS.values())


class ContactBody(Body):
    name = Text(most=100, required=True)
    phone = Text(most=40, required=True)


class ConsentBody(Body):
    kind = Word("trial", "app", "cross_border", required=True)
    text_version = Text(most=40, required=True)
    given_at = Instant(required=True)
    given_by = Word(*GIVEN_BY, load_default="subject")


class NewSubject(Body):
    id = Id(required=True)
    site_id = Id(required=True)
    number = Shaped("[A-Za-z0-9][A-Za-z0-9_-]{0,39}", required=True)
    dose_level = Key(required=True)
    locale = Locale(required=True)
    time_zone = Zone(required=True)
    contact = ma.fields.Nested(ContactBody, required=True)
    consents = ma.fields.List(ma.fields.Nested(ConsentBody), required=True, validate=validate.Length(min=1, max=10))
    prior_organs = ma.fields.List(Key(), required=True, validate=validate.Length(max=30))
    year_of_birth = Whole(least=1900, most=2200, required=True)


class SubjectAnswer(Body):
    id = Id(required=True)
    site_id = Id(required=True)
    number = ma.fields.String(required=True)
    dose_level = ma.fields.String(required=True)
    status = ma.fields.String(required=True)
    locale = ma.fields.String(required=True)
    time_zone = ma.fields.String(required=True)
    year_of_birth = ma.fields.Integer(required=True)
    prior_organs = ma.fields.List(ma.fields.String(), required=True)
    enrolled_at = Instant(required=True)
    infused_at = Instant(required=True, allow_none=True)
    admitted = ma.fields.Boolean(required=True)
    ended_at = Instant(required=True, allow_none=True)
    contact_person_id = Id(required=True, allow_none=True, metadata={"description": "who of the staff keeps in touch"})
    contact_since = Instant(required=True, allow_none=True)
    last_report_at = Instant(required=True, allow_none=True)
    study_revision_id = Id(required=True, metadata={"description": "the revision in force"})
    locked_at = Instant(required=True, allow_none=True)
    contact = ma.fields.Nested(ContactBody, allow_none=True, metadata={"description": "only for roles that may"})
    version = ma.fields.Integer(required=True)


class SubjectQuery(Page):
    status = Word(*STATUSES)
    dose_level = Key()
    site_id = Id()
    q = Text(most=40, metadata={"description": "part of a subject number"})


class SubjectChange(Body):
    locale = Locale()
    dose_level = Key()
    prior_organs = ma.fields.List(Key(), validate=validate.Length(max=30))
    time_zone = Zone()
    zone_from = Day(metadata={"description": "first date in the new zone; tomorrow unless said"})
    contact = ma.fields.Nested(ContactBody)
    contact_person_id = Id(metadata={"description": "the contact is handed over to this member of staff"})
    reason = Text(most=1000)


def view(subject: Subject) -> dict[str, Any]:
    """A subject as everybody who may read it sees it."""
    names = SubjectAnswer().fields.keys() - {"contact", "study_revision_id"}
    shown = {name: getattr(subject, name) for name in names}
    return {**shown, "study_revision_id": studies.in_force_id(subject)}


@room.door("POST", "", "subject:enrol", body=NewSubject, answer=SubjectAnswer, status=201, also=[200])
def enrol(caller: Caller, body: dict[str, Any]) -> Any:
    """Enrol a subject."""
    subject, new = enrolment.enrol(caller.site(body["site_id"], "/site_id"), body, caller.id)
    return view(subject), 201 if new else 200, etag(subject.version)


@room.door("GET", "", "subject:read", query=SubjectQuery, answer=listed(SubjectAnswer, "SubjectList"))
def find(caller: Caller, query: dict[str, Any]) -> Any:
    """List the subjects of the caller's sites, by number."""
    wanted = sa.select(Subject).where(Subject.site_id.in_(policy.sites_of(caller.id)))
    for name in ("status", "dose_level", "site_id"):
        if name in query:
            wanted = wanted.where(getattr(Subject, name) == query[name])
    if "q" in query:
        wanted = wanted.where(Subject.number.icontains(query["q"], autoescape=True))
    return page(wanted, (Subject.number, Subject.id), query, shown(view))


@room.door("GET", "/<uuid:subject_id>", "subject:read", answer=SubjectAnswer, writes=True)
def read(caller: Caller, subject_id: UUID) -> Any:
    """One subject; with contact data, whose reading is audited, for roles that may."""
    subject = caller.subject(subject_id)
    shown_subject = view(subject)
    if caller.may("contact:read"):
        shown_subject["contact"] = accounts.contact_of(subject)
        audit.record("contact:read", "subject", subject.id, subject_id=subject.id)
    return shown_subject, 200, etag(subject.version)


@room.door("PATCH", "/<uuid:subject_id>", "subject:change", body=SubjectChange, answer=SubjectAnswer, if_match=True)
def change(caller: Caller, subject_id: UUID, body: dict[str, Any]) -> Any:
    """Change language, dose level, organs, zone (future slots only) or contact; hand the contact over."""
    caller.subject(subject_id)
    record = body.keys() - {"contact", "contact_person_id", "locale", "reason"}
    subject = records.open_subject(subject_id) if record else lock_subject(subject_id)
    must_match(subject.version)
    if "zone_from" in body and "time_zone" not in body:
        raise fault("/time_zone", "required", "zone_from without a time_zone")
    if "contact" in body:
        accounts.change_contact(subject, activation.patient_of(subject).id, **body["contact"])
    enrolment.change_subject(subject, body, caller.id)
    return view(subject), 200, etag(subject.version)


class NewEvent(Body):
    id = Id(required=True)
    kind = Key(required=True)
    planned_at = Instant(allow_none=True)
    actual_at = Instant(allow_none=True)
    scope = ma.fields.List(Word(*chronicle.WITHDRAWAL_SCOPES), allow_none=True, validate=validate.Length(min=1))
    place = Word(*treatment.PLACES, allow_none=True)
    reason = Text(most=1000, allow_none=True)
    override_reason = Text(
        most=1000, allow_none=True, metadata={"description": "of the principal investigator, where the level is held"}
    )
    preview = Flag(load_default=False)


class EventCorrection(Body):
    planned_at = Instant(allow_none=True)
    actual_at = Instant(allow_none=True)
    place = Word(*treatment.PLACES, allow_none=True)
    void = Flag(load_default=False)
    override_reason = Text(most=1000, allow_none=True)
    reason = Text(most=1000, required=True)
    preview = Flag(load_default=False)


class EventAnswer(Body):
    id = Id(required=True)
    kind = ma.fields.String(required=True)
    revision = ma.fields.Integer(required=True)
    planned_at = Instant(required=True, allow_none=True)
    actual_at = Instant(required=True, allow_none=True)
    scope = ma.fields.List(ma.fields.String(), required=True)
    place = ma.fields.String(required=True, allow_none=True)
    reason = ma.fields.String(required=True, allow_none=True)
    recorded_at = Instant(required=True)


class EventRevision(EventAnswer):
    void = ma.fields.Boolean(required=True)
    recorded_by = ma.fields.String(required=True)


class MoveAnswer(Body):
    id = Id(required=True)
    kind = ma.fields.String(required=True)
    key = ma.fields.String(required=True)
    before = Instant(required=True, allow_none=True)
    after = Instant(required=True, allow_none=True)


class HintAnswer(Body):
    """Something to look at before the event. `holds`: the protocol wants it settled first; people decide."""

    code = ma.fields.String(required=True)
    holds = ma.fields.Boolean(required=True)
    detail = ma.fields.Dict(keys=ma.fields.String(), values=Anything(allow_none=True), required=True)


class EventWritten(Body):
    event = ma.fields.Nested(EventAnswer, required=True, allow_none=True)
    moves = ma.fields.List(ma.fields.Nested(MoveAnswer), required=True)
    stored = ma.fields.Boolean(required=True)
    hints = ma.fields.List(ma.fields.Nested(HintAnswer), required=True)


EventList = listed(EventAnswer, "EventList")


def event_view(fact: Fact) -> dict[str, Any]:
    return {
        "id": fact.event_id,
        "kind": fact.kind,
        "revision": fact.revision,
        "planned_at": fact.planned_at,
        "actual_at": fact.actual_at,
        "scope": list(fact.scope),
        "place": fact.place,
        "reason": fact.reason,
        "recorded_at": fact.recorded_at,
    }


@room.door("GET", "/<uuid:subject_id>/events", "subject:read", answer=EventList)
def events(caller: Caller, subject_id: UUID) -> Any:
    """The dated facts of the subject as they now stand."""
    subject = caller.subject(subject_id)
    return {"items": [event_view(fact) for fact in chronicle.facts_of(subject.id)], "next_cursor": None}


@room.door(
    "GET",
    "/<uuid:subject_id>/events/<uuid:event_id>/history",
    "subject:read",
    answer=listed(EventRevision, "EventHistory"),
)
def event_history(caller: Caller, subject_id: UUID, event_id: UUID) -> Any:
    """Every revision of an event, oldest first: what was said, by whom, why it was changed."""
    caller.subject(subject_id)
    found = treatment.revisions(subject_id, event_id)
    names = accounts.names_of({row.recorded_by for row in found})
    plain = ("kind", "revision", "planned_at", "actual_at", "place", "reason", "void", "recorded_at")
    items = [
        {
            **{name: getattr(row, name) for name in plain},
            "id": row.event_id,
            "scope": list(row.scope or ()),
            "recorded_by": names[row.recorded_by],
        }
        for row in found
    ]
    return {"items": items, "next_cursor": None}


class HintQuery(Query):
    kind = Key(load_default=INFUSION)


@room.door(
    "GET", "/<uuid:subject_id>/readiness", "subject:read", query=HintQuery, answer=listed(HintAnswer, "Readiness")
)
def readiness_for(caller: Caller, subject_id: UUID, query: dict[str, Any]) -> Any:
    """What to look at before an event: an open fever, holds of the dose level, open release tests, baselines."""
    subject = caller.subject(subject_id)
    return {"items": readiness.hints(subject, query["kind"]), "next_cursor": None}


@room.door(
    "POST", "/<uuid:subject_id>/events", "event:record", body=NewEvent, answer=EventWritten, status=201, also=[200]
)
def record_event(caller: Caller, subject_id: UUID, body: dict[str, Any]) -> Any:
    """Record an event, planned or actual; with `preview` only show what would move."""
    subject = caller.subject(subject_id)
    hints = readiness.hints(subject, body["kind"])
    may = caller.may("hold:override")
    fact, moves, stored = treatment.record_event(subject_id, body, caller.id, may_override=may)
    return _written(fact, moves, stored, hints), 201 if stored else 200


@room.door(
    "PATCH",
    "/<uuid:subject_id>/events/<uuid:event_id>",
    "event:correct",
    body=EventCorrection,
    answer=EventWritten,
    if_match=True,
)
def correct_event(caller: Caller, subject_id: UUID, event_id: UUID, body: dict[str, Any]) -> Any:
    """Correct an event with a reason; the earlier revision stays."""
    caller.subject(subject_id)
    lock_subject(subject_id)
    revision = treatment.revision_of(subject_id, event_id)
    must_match(revision)
    may = caller.may("hold:override")
    fact, moves, stored = treatment.correct_event(subject_id, event_id, body, caller.id, may_override=may)
    return _written(fact, moves, stored, ()), 200, etag(revision + 1 if stored else revision)


def _written(fact: Fact | None, moves: Any, stored: bool, hints: Any) -> dict[str, Any]:
    return {"event": event_view(fact) if fact else None, "moves": moves, "stored": stored, "hints": hints}
