"""Records that stand up: data queries, frozen visits, locks, and the signature under a casebook."""

from typing import Any
from uuid import UUID

import marshmallow as ma
import sqlalchemy as sa

from api.doors import Caller, Page, Room, etag, listed, must_match
from api.fields import Body, Flag, Id, Instant, Text, Word
from api.paging import page
from backend import accounts, casebook, policy, queries, records, visits
from backend.db import db
from backend.models.calendar import Occurrence
from backend.models.conduct import QUERY_STATES, DataQuery, Freeze, QueryNote
from backend.models.subject import Subject

room = Room("records", __name__, url_prefix="/api/v1", description="Queries, freezes, locks, signatures")


class QueryBody(Body):
    id = Id(required=True)
    entity = Word(*queries.ENTITIES, required=True)
    entity_id = Id(required=True)
    field = Text(most=100, allow_none=True, load_default=None)
    question = Text(most=2000, required=True)


class NoteAnswer(Body):
    state = Word(*QUERY_STATES, required=True)
    text = ma.fields.String(required=True)
    by = ma.fields.String(required=True)
    at = Instant(required=True)


class QueryAnswer(Body):
    id = Id(required=True)
    subject_id = Id(required=True)
    site_id = Id(required=True)
    entity = ma.fields.String(required=True)
    entity_id = Id(required=True)
    field = ma.fields.String(required=True, allow_none=True)
    state = Word(*QUERY_STATES, required=True)
    opened_at = Instant(required=True)
    notes = ma.fields.List(ma.fields.Nested(NoteAnswer), required=True)
    version = ma.fields.Integer(required=True)


class SayBody(Body):
    text = Text(most=2000, required=True)


class QueryQuery(Page):
    subject_id = Id()
    site_id = Id()
    state = Word(*QUERY_STATES)


@room.door("GET", "/queries", "query:read", query=QueryQuery, answer=listed(QueryAnswer, "Queries"))
def list_queries(caller: Caller, query: dict[str, Any]) -> Any:
    """Questions about the data at the caller's sites, oldest first, with all that was said."""
    wanted = sa.select(DataQuery).where(DataQuery.site_id.in_(policy.sites_of(caller.id)))
    for name in ("subject_id", "site_id", "state"):
        if name in query:
            wanted = wanted.where(getattr(DataQuery, name) == query[name])
    found = page(wanted, (DataQuery.opened_at, DataQuery.id), query, lambda row: {"row": row[0]})
    return {**found, "items": _queries([one["row"] for one in found["items"]])}


def _queries(rows: list[DataQuery]) -> list[dict[str, Any]]:
    notes = queries.notes_of([row.id for row in rows])
    names = accounts.names_of({note.by_id for some in notes.values() for note in some})
    plain = QueryAnswer().fields.keys() - {"notes"}

    def said(note: QueryNote) -> dict[str, Any]:
        return {"state": note.state, "text": note.text, "by": names[note.by_id], "at": note.at}

    return [
        {**{name: getattr(row, name) for name in plain}, "notes": [said(note) for note in notes[row.id]]}
        for row in rows
    ]


@room.door(
    "POST", "/subjects/<uuid:subject_id>/queries", "query:open", body=QueryBody, answer=QueryAnswer, status=201,
    also=[200],
)  # fmt: skip
def open_query(caller: Caller, subject_id: UUID, body: dict[str, Any]) -> Any:
    """Ask about something in the subject's record."""
    caller.subject(subject_id)
    row, new = queries.open_query(subject_id, body, caller.id)
    return _queries([row])[0], 201 if new else 200, etag(row.version)


@room.door("POST", "/queries/<uuid:query_id>/answers", "query:answer", body=SayBody, answer=QueryAnswer, if_match=True)
def answer_query(caller: Caller, query_id: UUID, body: dict[str, Any]) -> Any:
    """Answer a question about the data; the record itself is corrected where it stands."""
    return _moved(caller, query_id, "answered", body)


@room.door("POST", "/queries/<uuid:query_id>/closure", "query:close", body=SayBody, answer=QueryAnswer, if_match=True)
def close_query(caller: Caller, query_id: UUID, body: dict[str, Any]) -> Any:
    """Close a question, with a word on why."""
    return _moved(caller, query_id, "closed", body)


@room.door("POST", "/queries/<uuid:query_id>/reopening", "query:open", body=SayBody, answer=QueryAnswer, if_match=True)
def reopen_query(caller: Caller, query_id: UUID, body: dict[str, Any]) -> Any:
    """Ask once more."""
    return _moved(caller, query_id, "open", body)


def _moved(caller: Caller, query_id: UUID, state: str, body: dict[str, Any]) -> Any:
    row = queries.locked(query_id)
    caller.subject(row.subject_id)
    must_match(row.version)
    row = queries.move(row, state, body["text"], caller.id)
    return _queries([row])[0], 200, etag(row.version)


class ClosingBody(Body):
    """`closed`: freeze or lock; false opens again. Always with the reason."""

    id = Id(required=True)
    closed = Flag(required=True)
    reason = Text(most=1000, required=True)


class FreezeAnswer(Body):
    id = Id(required=True)
    scope = Word(records.VISIT, records.SUBJECT, records.DATABASE, required=True)
    target_id = Id(required=True, allow_none=True)
    closed = ma.fields.Boolean(required=True)
    reason = ma.fields.String(required=True)
    by = ma.fields.String(required=True)
    at = Instant(required=True)


def _freezes(rows: list[Freeze]) -> list[dict[str, Any]]:
    names = accounts.names_of({row.by_id for row in rows})
    plain = FreezeAnswer().fields.keys() - {"by"}
    return [{**{name: getattr(row, name) for name in plain}, "by": names[row.by_id]} for row in rows]


def _closed(done: tuple[Freeze, bool]) -> Any:
    row, new = done
    return _freezes([row])[0], 201 if new else 200


Freezes = listed(FreezeAnswer, "Freezes")


@room.door(
    "POST", "/visits/<uuid:visit_id>/freeze", "visit:freeze", body=ClosingBody, answer=FreezeAnswer, status=201,
    also=[200],
)  # fmt: skip
def freeze_visit(caller: Caller, visit_id: UUID, body: dict[str, Any]) -> Any:
    """Freeze a visit, or open it again: while frozen nothing about it changes."""
    visit = visits.visit_of(visit_id)
    caller.subject(visit.subject_id)
    return _closed(records.set_visit(visit, closed=body["closed"], content=body, by=caller.id))


@room.door("GET", "/visits/<uuid:visit_id>/freeze", "record:read", answer=Freezes)
def visit_freezes(caller: Caller, visit_id: UUID) -> Any:
    """Every freezing and opening of a visit."""
    caller.subject(visits.visit_of(visit_id).subject_id)
    return {"items": _freezes(records.history(records.VISIT, visit_id)), "next_cursor": None}


@room.door(
    "POST", "/subjects/<uuid:subject_id>/lock", "record:lock", body=ClosingBody, answer=FreezeAnswer, status=201,
    also=[200], confirmed=True,
)  # fmt: skip
def lock_record(caller: Caller, subject_id: UUID, body: dict[str, Any]) -> Any:
    """Lock a subject's record, or unlock it, with password and one-time code."""
    caller.subject(subject_id)
    return _closed(records.set_subject(subject_id, closed=body["closed"], content=body, by=caller.id))


@room.door("GET", "/subjects/<uuid:subject_id>/lock", "record:read", answer=Freezes)
def record_locks(caller: Caller, subject_id: UUID) -> Any:
    """Every locking and unlocking of a subject's record."""
    caller.subject(subject_id)
    return {"items": _freezes(records.history(records.SUBJECT, subject_id)), "next_cursor": None}


@room.door(
    "POST", "/database/lock", "record:lock", body=ClosingBody, answer=FreezeAnswer, status=201, also=[200],
    confirmed=True,
)  # fmt: skip
def lock_database(caller: Caller, body: dict[str, Any]) -> Any:
    """Lock the whole database against changes of any record, or unlock it."""
    return _closed(records.set_database(closed=body["closed"], content=body, by=caller.id))


@room.door("GET", "/database/lock", "record:read", answer=Freezes)
def database_locks(caller: Caller) -> Any:
    """Every locking and unlocking of the database."""
    return {"items": _freezes(records.history(records.DATABASE, None)), "next_cursor": None}


class SignatureBody(Body):
    id = Id(required=True)
    meaning = Text(most=500, required=True)


class VoidedBy(Body):
    at = Instant(required=True)
    verb = ma.fields.String(required=True)
    entity = ma.fields.String(required=True)
    entity_id = ma.fields.String(required=True)


class SignatureAnswer(Body):
    """`valid` until the record changes; `voided_by` names each change since."""

    id = Id(required=True)
    meaning = ma.fields.String(required=True)
    signed_by = ma.fields.String(required=True)
    signed_as = ma.fields.String(required=True)
    at = Instant(required=True)
    audit_seq = ma.fields.Integer(required=True)
    audit_hash = ma.fields.String(required=True)
    valid = ma.fields.Boolean(required=True)
    voided_by = ma.fields.List(ma.fields.Nested(VoidedBy), required=True)


class CasebookVisit(Body):
    id = Id(required=True)
    key = ma.fields.String(required=True)
    attended_at = Instant(required=True, allow_none=True)
    frozen = ma.fields.Boolean(required=True)


class CasebookAnswer(Body):
    """What stands between the record and its signature, and the signatures it has."""

    subject_id = Id(required=True)
    status = ma.fields.String(required=True)
    locked_at = Instant(required=True, allow_none=True)
    database_locked_at = Instant(required=True, allow_none=True)
    queries_unsettled = ma.fields.Integer(required=True)
    visits = ma.fields.List(ma.fields.Nested(CasebookVisit), required=True)
    signatures = ma.fields.List(ma.fields.Nested(SignatureAnswer), required=True)


@room.door("GET", "/subjects/<uuid:subject_id>/casebook", "record:read", answer=CasebookAnswer)
def read_casebook(caller: Caller, subject_id: UUID) -> Any:
    """How complete the casebook is, and who has signed it."""
    return _casebook(caller.subject(subject_id))


def _casebook(subject: Subject) -> dict[str, Any]:
    frozen = records.frozen_visits(subject.id)
    rows = db.session.scalars(
        sa.select(Occurrence)
        .where(Occurrence.subject_id == subject.id, Occurrence.kind == "visit")
        .order_by(Occurrence.listed_at, Occurrence.id)
    )
    return {
        "subject_id": subject.id,
        "status": subject.status,
        "locked_at": subject.locked_at,
        "database_locked_at": records.database_locked_at(),
        "queries_unsettled": queries.unsettled(subject.id),
        "visits": [
            {"id": row.id, "key": row.key, "attended_at": row.satisfied_at, "frozen": row.id in frozen} for row in rows
        ],
        "signatures": _signatures(subject),
    }


def _signatures(subject: Subject) -> list[dict[str, Any]]:
    found = casebook.signatures(subject.id)
    names = accounts.names_of({one.row.signed_by for one in found})
    plain = ("id", "meaning", "signed_as", "at", "audit_seq", "audit_hash")
    return [
        {
            **{name: getattr(one.row, name) for name in plain},
            "signed_by": names[one.row.signed_by],
            "valid": not one.voided_by,
            "voided_by": one.voided_by,
        }
        for one in found
    ]


@room.door(
    "POST", "/subjects/<uuid:subject_id>/casebook/signature", "casebook:sign", body=SignatureBody,
    answer=CasebookAnswer, status=201, also=[200], confirmed=True,
)  # fmt: skip
def sign_casebook(caller: Caller, subject_id: UUID, body: dict[str, Any]) -> Any:
    """Sign the casebook as it stands: queries closed, record locked, with password and one-time code."""
    subject = caller.subject(subject_id)
    _, new = casebook.sign(subject_id, body, caller.account)
    return _casebook(subject), 201 if new else 200
