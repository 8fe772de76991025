"""Amendments: a site's step to another revision, what it changes for each subject, approval, and each one's history."""

from typing import Any
from uuid import UUID

import marshmallow as ma
import sqlalchemy as sa
from marshmallow import validate

from api.doors import Caller, Page, Room, etag, listed, must_match
from api.fields import Anything, Body, Day, Id, Instant, Text, Word
from api.paging import page, shown
from backend import accounts, amendments, policy, studies
from backend.models.study import Amendment, StudyRevision

room = Room("amendments", __name__, url_prefix="/api/v1", description="Amendments of the protocol")


class Staying(Body):
    subject_id = Id(required=True)
    reason = Text(most=1000, required=True)


class AmendmentBody(Body):
    id = Id(required=True)
    site_id = Id(required=True)
    study_revision_id = Id(required=True)
    effective_on = Day(required=True, metadata={"description": "a site-local date to come"})
    staying = ma.fields.List(ma.fields.Nested(Staying), load_default=list, validate=validate.Length(max=1000))
    reason = Text(most=1000, required=True)


class AmendmentAnswer(Body):
    id = Id(required=True)
    site_id = Id(required=True)
    study_revision_id = Id(required=True)
    revision = ma.fields.String(required=True)
    effective_on = Day(required=True)
    reason = ma.fields.String(required=True)
    state = Word("proposed", "approved", "dropped", required=True)
    proposed_by = Id(required=True)
    proposed_at = Instant(required=True)
    decided_by = Id(required=True, allow_none=True)
    decided_at = Instant(required=True, allow_none=True)
    difference_sha256 = ma.fields.String(required=True, allow_none=True)
    version = ma.fields.Integer(required=True)


class WindowAnswer(Body):
    opens_at = Instant(required=True, allow_none=True)
    due_at = Instant(required=True, allow_none=True)
    closes_at = Instant(required=True, allow_none=True)


class AmendedItem(Body):
    """What is brought in (`before` null), taken off (`after` null) or moved."""

    id = Id(required=True)
    kind = ma.fields.String(required=True)
    key = ma.fields.String(required=True)
    before = ma.fields.Nested(WindowAnswer, required=True, allow_none=True)
    after = ma.fields.Nested(WindowAnswer, required=True, allow_none=True)
    appointment_outside = ma.fields.Boolean(required=True)


class DifferenceAnswer(Body):
    subject_id = Id(required=True)
    number = ma.fields.String(required=True)
    from_revision_id = Id(required=True)
    stays = ma.fields.String(required=True, allow_none=True)
    shifts = ma.fields.List(ma.fields.Nested(AmendedItem), required=True)


class ChangeAnswer(Body):
    path = ma.fields.String(required=True)
    before = Anything(required=True, allow_none=True)
    after = Anything(required=True, allow_none=True)


class DifferencesAnswer(Body):
    """What the revision changes, and what that does to each subject. Approve with its `ETag`."""

    study = ma.fields.List(ma.fields.Nested(ChangeAnswer), required=True)
    subjects = ma.fields.List(ma.fields.Nested(DifferenceAnswer), required=True)
    sha256 = ma.fields.String(required=True)


class AmendmentQuery(Page):
    site_id = Id()


class DropBody(Body):
    reason = Text(most=1000, required=True)


def _view(row: Amendment) -> dict[str, Any]:
    names = AmendmentAnswer().fields.keys() - {"revision"}
    revision = studies.revision(row.study_revision_id).revision
    return {**{name: getattr(row, name) for name in names}, "revision": revision}


class RevisionAnswer(Body):
    id = Id(required=True)
    study_key = ma.fields.String(required=True)
    revision = ma.fields.String(required=True)
    sha256 = ma.fields.String(required=True)
    published_at = Instant(required=True)


@room.door("GET", "/study-revisions", "amendment:read", query=Page, answer=listed(RevisionAnswer, "StudyRevisions"))
def published(caller: Caller, query: dict[str, Any]) -> Any:
    """Every published revision, in the order of publication."""
    names = RevisionAnswer().fields
    one = shown(lambda row: {name: getattr(row, name) for name in names})
    return page(sa.select(StudyRevision), (StudyRevision.published_at, StudyRevision.id), query, one)


@room.door("GET", "/amendments", "amendment:read", query=AmendmentQuery, answer=listed(AmendmentAnswer, "Amendments"))
def list_amendments(caller: Caller, query: dict[str, Any]) -> Any:
    """The amendments of the caller's sites, in the order they were proposed."""
    wanted = sa.select(Amendment).where(Amendment.site_id.in_(policy.sites_of(caller.id)))
    if "site_id" in query:
        wanted = wanted.where(Amendment.site_id == query["site_id"])
    return page(wanted, (Amendment.proposed_at, Amendment.id), query, shown(_view))


@room.door(
    "POST", "/amendments", "amendment:propose", body=AmendmentBody, answer=AmendmentAnswer, status=201, also=[200]
)
def propose(caller: Caller, body: dict[str, Any]) -> Any:
    """Propose that a site follow another published revision from a date to come; some subjects may stay."""
    row, new = amendments.propose(caller.site(body["site_id"], "/site_id"), body, caller.id)
    return _view(row), 201 if new else 200, etag(row.version)


@room.door("GET", "/amendments/<uuid:amendment_id>/difference", "amendment:read", answer=DifferencesAnswer)
def difference(caller: Caller, amendment_id: UUID) -> Any:
    """Place by place what the revision changes, and subject by subject what would be brought in, taken off, moved."""
    row = _mine(caller, amendment_id)
    found = amendments.differences(row)
    digest = amendments.digest_of(found)
    return {"study": amendments.study_changes(row), "subjects": found, "sha256": digest}, 200, etag(digest)


@room.door(
    "POST", "/amendments/<uuid:amendment_id>/approval", "amendment:approve", answer=AmendmentAnswer, if_match=True,
    confirmed=True,
)  # fmt: skip
def approve(caller: Caller, amendment_id: UUID) -> Any:
    """Approve exactly the difference that was seen (`If-Match`), with password and one-time code; all or nothing."""
    _mine(caller, amendment_id)
    row = amendments.locked(amendment_id)
    return _view(amendments.approve(row, must_match, caller.id)), 200, etag(row.version)


@room.door(
    "POST", "/amendments/<uuid:amendment_id>/drop", "amendment:propose", body=DropBody, answer=AmendmentAnswer,
    if_match=True,
)  # fmt: skip
def drop(caller: Caller, amendment_id: UUID, body: dict[str, Any]) -> Any:
    """Take a proposal back, with the reason."""
    _mine(caller, amendment_id)
    row = amendments.locked(amendment_id)
    must_match(row.version)
    return _view(amendments.drop(row, body["reason"], caller.id)), 200, etag(row.version)


def _mine(caller: Caller, amendment_id: UUID) -> Amendment:
    row = amendments.found(amendment_id)
    policy.require_site(caller.id, row.site_id)
    return row


class SubjectRevisionAnswer(Body):
    study_revision_id = Id(required=True)
    revision = ma.fields.String(required=True)
    effective_on = Day(required=True, allow_none=True, metadata={"description": "null: since enrolment"})
    amendment_id = Id(required=True, allow_none=True)
    recorded_by = ma.fields.String(required=True, allow_none=True)
    in_force = ma.fields.Boolean(required=True)


@room.door(
    "GET", "/subjects/<uuid:subject_id>/revisions", "subject:read",
    answer=listed(SubjectRevisionAnswer, "SubjectRevisions"),
)  # fmt: skip
def subject_revisions(caller: Caller, subject_id: UUID) -> Any:
    """The revisions the subject was and will be under, first to last."""
    subject = caller.subject(subject_id)
    first, later = studies.history_of(subject)
    names = accounts.names_of({row.recorded_by for row in later})
    items: list[dict[str, Any]] = [
        {"study_revision_id": first, "effective_on": None, "amendment_id": None, "recorded_by": None}
    ]
    items += [
        {
            "study_revision_id": row.study_revision_id,
            "effective_on": row.effective_on,
            "amendment_id": row.amendment_id,
            "recorded_by": names[row.recorded_by],
        }
        for row in later
    ]
    in_force = studies.in_force_id(subject)
    for item in items:
        revision_id = item["study_revision_id"]
        item |= {"revision": studies.revision(revision_id).revision, "in_force": revision_id == in_force}
    return {"items": items, "next_cursor": None}
