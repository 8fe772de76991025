"""Who may do what at a site: delegated tasks with their approval, and the training log."""

from typing import Any
from uuid import UUID

import marshmallow as ma
import sqlalchemy as sa

from api.doors import Caller, Page, Room, etag, listed, must_match
from api.fields import Body, Day, Id, Instant, Text, Word
from api.paging import page, shown
from backend import delegation, policy
from backend.models.conduct import Delegation, Training

room = Room("delegations", __name__, url_prefix="/api/v1", description="Delegated tasks and training")


class DelegationBody(Body):
    id = Id(required=True)
    site_id = Id(required=True)
    account_id = Id(required=True)
    task = Word(*delegation.TASKS, required=True)
    valid_from = Day(required=True)
    valid_to = Day(allow_none=True, load_default=None)


class DelegationAnswer(DelegationBody):
    requested_by = Id(required=True, allow_none=True)
    requested_at = Instant(required=True)
    approved_by = Id(required=True, allow_none=True)
    approved_at = Instant(required=True, allow_none=True)
    ended_by = Id(required=True, allow_none=True)
    ended_at = Instant(required=True, allow_none=True)
    ended_why = ma.fields.String(required=True, allow_none=True)
    version = ma.fields.Integer(required=True)


class DelegationQuery(Page):
    site_id = Id()
    account_id = Id()


class EndBody(Body):
    reason = Text(most=1000, required=True)


@room.door(
    "GET", "/delegations", "delegation:read", query=DelegationQuery, answer=listed(DelegationAnswer, "Delegations")
)
def delegations(caller: Caller, query: dict[str, Any]) -> Any:
    """The delegation log of the caller's sites, in the order it was written."""
    wanted = sa.select(Delegation).where(Delegation.site_id.in_(_sites(caller, query)))
    if "account_id" in query:
        wanted = wanted.where(Delegation.account_id == query["account_id"])
    return page(wanted, (Delegation.requested_at, Delegation.id), query, shown(_view))


def _sites(caller: Caller, query: dict[str, Any]) -> tuple[UUID, ...]:
    return (caller.site(query["site_id"], "/site_id").id,) if "site_id" in query else policy.sites_of(caller.id)


def _view(row: Delegation) -> dict[str, Any]:
    return {name: getattr(row, name) for name in DelegationAnswer().fields}


@room.door(
    "POST", "/delegations", "delegation:request", body=DelegationBody, answer=DelegationAnswer, status=201, also=[200]
)
def request_delegation(caller: Caller, body: dict[str, Any]) -> Any:
    """Ask that somebody be delegated a task, from a date; it counts once the principal investigator approves."""
    row, new = delegation.request(caller.site(body["site_id"], "/site_id"), body, caller.id)
    return _view(row), 201 if new else 200, etag(row.version)


@room.door(
    "POST", "/delegations/<uuid:delegation_id>/approval", "delegation:approve", answer=DelegationAnswer, confirmed=True
)
def approve_delegation(caller: Caller, delegation_id: UUID) -> Any:
    """Approve a task, with password and one-time code. Repeated, it changes nothing."""
    row = _mine(caller, delegation_id)
    return _view(delegation.approve(row, caller.id)), 200, etag(row.version)


@room.door(
    "POST",
    "/delegations/<uuid:delegation_id>/end",
    "delegation:request",
    body=EndBody,
    answer=DelegationAnswer,
    if_match=True,
)
def end_delegation(caller: Caller, delegation_id: UUID, body: dict[str, Any]) -> Any:
    """End a task from now on, with the reason."""
    row = _mine(caller, delegation_id)
    must_match(row.version)
    return _view(delegation.end(row, body["reason"], caller.id)), 200, etag(row.version)


def _mine(caller: Caller, delegation_id: UUID) -> Delegation:
    row = delegation.locked(delegation_id)
    policy.require_site(caller.id, row.site_id)
    return row


class TrainingBody(Body):
    id = Id(required=True)
    site_id = Id(required=True)
    account_id = Id(allow_none=True, load_default=None)
    subject_id = Id(allow_none=True, load_default=None)
    topic = Text(most=100, required=True)
    material_version = Text(most=40, required=True)
    trained_on = Day(required=True)
    trainer = Text(most=100, required=True)


class TrainingAnswer(TrainingBody):
    recorded_at = Instant(required=True)
    recorded_by = Id(required=True)


class TrainingQuery(Page):
    site_id = Id()
    account_id = Id()
    subject_id = Id()


@room.door("GET", "/trainings", "training:read", query=TrainingQuery, answer=listed(TrainingAnswer, "Trainings"))
def trainings(caller: Caller, query: dict[str, Any]) -> Any:
    """The training log of the caller's sites: staff and subjects, in the order it was written."""
    wanted = sa.select(Training).where(Training.site_id.in_(_sites(caller, query)))
    for name in ("account_id", "subject_id"):
        if name in query:
            wanted = wanted.where(getattr(Training, name) == query[name])
    return page(wanted, (Training.recorded_at, Training.id), query, shown(_training))


def _training(row: Training) -> dict[str, Any]:
    return {name: getattr(row, name) for name in TrainingAnswer().fields}


@room.door("POST", "/trainings", "training:record", body=TrainingBody, answer=TrainingAnswer, status=201, also=[200])
def record_training(caller: Caller, body: dict[str, Any]) -> Any:
    """Record who was trained in what, in which version, when and by whom."""
    row, new = delegation.train(caller.site(body["site_id"], "/site_id"), body, caller.id)
    return _training(row), 201 if new else 200
