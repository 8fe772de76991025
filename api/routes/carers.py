"""What the patient decides about carers: who they are, and whether they see the patient's reports."""

from typing import Any
from uuid import UUID

import marshmallow as ma
import sqlalchemy as sa

from api.doors import Caller, Room
from api.fields import Body, Flag, Id, Instant
from backend import accounts, policy
from backend.db import db, lock_subject
from backend.errors import Problem
from backend.models.people import SubjectLink

room = Room("carers", __name__, url_prefix="/api/v1/me/carers", description="The patient's carers")


class MyCarer(Body):
    account_id = Id(required=True)
    name = ma.fields.String(required=True)
    since = Instant(required=True)
    sees_reports = ma.fields.Boolean(required=True)


class MyCarers(Body):
    items = ma.fields.List(ma.fields.Nested(MyCarer), required=True)
    next_cursor = ma.fields.String(required=True, allow_none=True)


class Choice(Body):
    sees_reports = Flag(required=True)


@room.door("GET", "", "carer:choose", answer=MyCarers, writes=True)
def my_carers(caller: Caller) -> Any:
    """The carers who report for me now, and what they see."""
    return {"items": _carers(caller), "next_cursor": None}


@room.door("PUT", "/<uuid:account_id>", "carer:choose", body=Choice, answer=MyCarers)
def choose(caller: Caller, account_id: UUID, body: dict[str, Any]) -> Any:
    """Let a carer see all my reports, or only those they sent themselves."""
    subject = lock_subject(_mine(caller))
    link = db.session.get(SubjectLink, (account_id, subject.id))
    if link is None or link.relation != "carer" or link.revoked_at is not None:
        raise Problem("not_found")
    accounts.show_reports(subject, link, body["sees_reports"])
    return {"items": _carers(caller), "next_cursor": None}


def _mine(caller: Caller) -> UUID:
    linked = policy.subjects_of(caller.id)
    if not linked:
        raise Problem("not_found")
    return linked[0]


def _carers(caller: Caller) -> list[dict[str, Any]]:
    subject = caller.subject(_mine(caller))
    links = {
        link.account_id: link
        for link in db.session.scalars(sa.select(SubjectLink).where(SubjectLink.subject_id == subject.id))
    }
    return [
        {
            "account_id": carer.account_id,
            "name": carer.name,
            "since": carer.since,
            "sees_reports": links[carer.account_id].sees_reports,
        }
        for carer in accounts.carers_of(subject)
        if carer.revoked_at is None
    ]
