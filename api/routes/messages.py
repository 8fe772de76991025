"""Every text and page with its state and reason. Never a number; the text only for roles with contact rights."""

from typing import Any

import marshmallow as ma
import sqlalchemy as sa

from api.doors import Caller, Page, Room, listed
from api.fields import Body, Id, Instant, Text, Word
from api.paging import page, shown
from backend import policy
from backend.channels import SMS, VOICE
from backend.db import db
from backend.models.outbox import NEXT_STATES, Message, MessageEvent
from notifications.texts import catalogue, segments

room = Room("messages", __name__, url_prefix="/api/v1/messages", description="What was sent to whom, and its fate")


class ReceiptAnswer(Body):
    at = Instant(required=True)
    state = ma.fields.String(required=True)
    origin = ma.fields.String(required=True)
    code = ma.fields.String(required=True, allow_none=True)


class MessageAnswer(Body):
    id = Id(required=True)
    lane = ma.fields.String(required=True)
    site_id = Id(required=True)
    subject_id = Id(required=True, allow_none=True)
    episode_id = Id(required=True, allow_none=True)
    account_id = Id(required=True)
    template = ma.fields.String(required=True)
    language = ma.fields.String(required=True)
    text = ma.fields.String(required=True, allow_none=True)
    channel = ma.fields.Integer(required=True)
    due_at = Instant(required=True)
    not_after = Instant(required=True, allow_none=True)
    state = ma.fields.String(required=True)
    reason = ma.fields.String(required=True, allow_none=True)
    attempts = ma.fields.Integer(required=True)
    medium = ma.fields.String(required=True)
    encoding = ma.fields.String(required=True, allow_none=True)
    segments = ma.fields.Integer(required=True, allow_none=True)
    provider = ma.fields.String(required=True, allow_none=True)
    created_at = Instant(required=True)
    finished_at = Instant(required=True, allow_none=True)
    receipts = ma.fields.List(ma.fields.Nested(ReceiptAnswer), required=True)


class MessageQuery(Page):
    subject_id = Id()
    episode_id = Id()
    state = Word(*NEXT_STATES)
    lane = Word("page", "reminder")
    template = Text(most=40)


@room.door("GET", "", "message:read", query=MessageQuery, answer=listed(MessageAnswer, "MessageList"))
def read_messages(caller: Caller, query: dict[str, Any]) -> Any:
    """Messages of the caller's sites, newest first."""
    wanted = sa.select(Message).where(Message.site_id.in_(policy.sites_of(caller.id)))
    for name in ("subject_id", "episode_id", "state", "lane", "template"):
        if name in query:
            wanted = wanted.where(getattr(Message, name) == query[name])
    with_text = caller.may("message:read_text")
    answer = page(
        wanted, (Message.created_at, Message.id), query, shown(lambda row: _view(row, with_text)), descending=True
    )
    receipts = _receipts([item["id"] for item in answer["items"]])
    for item in answer["items"]:
        item["receipts"] = receipts.get(item["id"], [])
    return answer


def _view(row: Message, with_text: bool) -> dict[str, Any]:
    names = MessageAnswer().fields.keys() - {"text", "receipts", "encoding", "segments"}
    text = _text_of(row)
    counted = text if row.medium == SMS else None
    return {
        **{name: getattr(row, name) for name in names},
        "text": text if with_text else None,
        "encoding": segments.encoding(counted) if counted is not None else None,
        # What the provider counted; until it has, what we expect.
        "segments": row.segments or (segments.count(counted) if counted is not None else None),
    }


def _text_of(row: Message) -> str | None:
    """As it was posted: a page that is repeated tells the later time of its call. None for a text nobody knows now."""
    try:
        return catalogue.text_of(row.template, row.language, row.variables, spoken=row.medium == VOICE)
    except catalogue.UnknownText:
        return None


def _receipts(ids: list[Any]) -> dict[Any, list[dict[str, Any]]]:
    found: dict[Any, list[dict[str, Any]]] = {}
    rows = db.session.scalars(
        sa.select(MessageEvent).where(MessageEvent.message_id.in_(ids)).order_by(MessageEvent.at, MessageEvent.id)
    )
    for row in rows:
        event = {"at": row.at, "state": row.state, "origin": row.origin, "code": row.code}
        found.setdefault(row.message_id, []).append(event)
    return found
