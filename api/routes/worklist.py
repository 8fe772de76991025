"""The worklist over subjects: consents to ask for, release tests and forms still open, contacts to hand over, people
whom texts do not reach.
"""

from typing import Any

import marshmallow as ma

from api.doors import Caller, Page, Room, listed
from api.fields import Anything, Body, Id, Word
from api.paging import page
from backend import policy, worklist
from backend.models.subject import Subject

room = Room("worklist", __name__, url_prefix="/api/v1", description="What waits for subjects")


class TaskAnswer(Body):
    subject_id = Id(required=True)
    subject_number = ma.fields.String(required=True)
    site_id = Id(required=True)
    kind = Word(*worklist.KINDS, required=True)
    detail = ma.fields.Dict(keys=ma.fields.String(), values=Anything(allow_none=True), required=True)


class WorklistQuery(Page):
    site_id = Id()
    kind = Word(*worklist.KINDS)


@room.door("GET", "/worklist", "subject:read", query=WorklistQuery, answer=listed(TaskAnswer, "Worklist"))
def waiting(caller: Caller, query: dict[str, Any]) -> Any:
    """What waits, by subject number. `limit` counts the subjects looked at: a page may be empty and not the last."""
    sites = [caller.site(query["site_id"], "/site_id").id] if "site_id" in query else policy.sites_of(caller.id)
    wanted = worklist.followed().where(Subject.site_id.in_(sites))
    looked_at = page(wanted, (Subject.number, Subject.id), query, lambda row: {"subject": row[0]})
    found = worklist.tasks([one["subject"] for one in looked_at["items"]])
    items = [
        {
            "subject_id": one.subject.id,
            "subject_number": one.subject.number,
            "site_id": one.subject.site_id,
            "kind": one.kind,
            "detail": one.detail,
        }
        for one in found
        if query.get("kind") in (None, one.kind)
    ]
    return {"items": items, "next_cursor": looked_at["next_cursor"]}
