"""The outbox: posting what must reach one person, and moving it forward. It neither sends nor decides whom.

Everything here runs in the caller's transaction. A message's states are ranked by
`models.outbox.NEXT_STATES`; each move leaves a `MessageEvent` beneath it, and final is final.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from backend.db import db
from backend.models.outbox import FINAL_STATES, NEXT_STATES, Message, MessageEvent

PAGE, REMINDER = "page", "reminder"
# Waiting for an answer that never came (`unknown`) still counts: the person may hold the text already.
UNSENT_STATES = ("cancelled", "suppressed", "expired")
# A receipt may overtake the answer to the call that caused it: these are the steps it then passes.
_WAYS: tuple[tuple[str, ...], ...] = ((), ("accepted",), ("claimed", "accepted"))


def post(
    *,
    key: str,
    lane: str,
    site_id: UUID,
    account_id: UUID,
    template: str,
    variables: dict[str, Any],
    language: str,
    due_at: datetime,
    now: datetime,
    subject_id: UUID | None = None,
    episode_id: UUID | None = None,
    signal_seq: int | None = None,
    channel: int = 1,
    medium: str = "sms",
    local_day: str | None = None,
    not_after: datetime | None = None,
) -> Message | None:
    """Insert one intent unless its `key` is there already. Returns the row, or None if it was there.

    `due_at` is when it may first be sent, `not_after` when it is of no use any more (pages have none).
    """
    db.session.flush()
    values = {
        "id": uuid4(),
        "key": key,
        "lane": lane,
        "site_id": site_id,
        "subject_id": subject_id,
        "episode_id": episode_id,
        "signal_seq": signal_seq,
        "account_id": account_id,
        "channel": channel,
        "medium": medium,
        "template": template,
        "variables": variables,
        "language": language,
        "local_day": local_day,
        "due_at": due_at,
        "not_after": not_after,
        "next_try_at": due_at,
        "attempts": 0,
        "state": "pending",
        "created_at": now,
    }
    adding = _insert().values(values).on_conflict_do_nothing(index_elements=["key"]).returning(Message.id)
    added = db.session.execute(adding).scalar_one_or_none()
    if added is None:
        return None
    message = db.session.get_one(Message, added)
    _note(message, now, "planner", None, None)
    return message


def move(
    message: Message,
    state: str,
    *,
    origin: str,
    now: datetime,
    code: str | None = None,
    detail: str | None = None,
) -> bool:
    """Move one message forward and write why. False, and nothing changes, where that is no way forward."""
    if state not in NEXT_STATES[message.state]:
        return False
    message.state = state
    if state in FINAL_STATES:
        message.finished_at = now
        message.next_try_at = None
    if state != "claimed":
        message.lease_owner = message.lease_until = None
    message.reason = code
    _note(message, now, origin, code, detail)
    return True


def receipt(
    message_id: UUID,
    state: str,
    *,
    now: datetime,
    code: str | None = None,
    provider: str | None = None,
    provider_id: str | None = None,
) -> Message | None:
    """What a provider says became of a message. Late, early, repeated or out of order, it only moves forward.

    Returns the message if it moved, else None (also for an id nobody knows). Codes are the provider's own.
    """
    message = locked(message_id)
    if message is None:
        return None
    # A page may have been called twice; of the other call only "delivered" tells about the person.
    stranger = provider_id is not None and message.provider_id not in (None, provider_id)
    for way in _WAYS:
        if _is_way(message.state, (*way, state)) and (not stranger or state == "delivered"):
            for step in way:
                move(message, step, origin="callback", now=now)
            move(message, state, origin="callback", now=now, code=code)
            message.provider = message.provider or provider
            message.provider_id = message.provider_id or provider_id
            db.session.flush()
            return message
    if message.state != state:
        event = MessageEvent(message_id=message.id, at=now, state=state, origin="callback", code=code, detail="late")
        db.session.add(event)
        db.session.flush()
    return None


def cancel_for_subject(
    subject_id: UUID, *, reason: str, now: datetime, lanes: Sequence[str] = (REMINDER,), origin: str = "staff"
) -> int:
    """Cancel what has not begun to be sent about a subject. Returns how many. The caller holds the subject."""
    return _cancel((Message.subject_id == subject_id, Message.lane.in_(lanes)), reason, now, origin)


def cancel_for_episode(
    episode_id: UUID, *, upto_seq: int | None, reason: str, now: datetime, origin: str = "staff"
) -> int:
    """Cancel an episode's unsent pages for signals up to `upto_seq`; None: all of it. Returns how many.

    The pages about overdue clocks belong to no signal: accepting does not cancel them, closing does.
    """
    which: tuple[sa.ColumnElement[bool], ...] = (Message.episode_id == episode_id,)
    if upto_seq is not None:
        which = (*which, Message.signal_seq <= upto_seq)
    return _cancel(which, reason, now, origin)


def _cancel(which: Sequence[sa.ColumnElement[bool]], reason: str, now: datetime, origin: str) -> int:
    not_begun = sa.or_(
        Message.state == "pending", sa.and_(Message.state == "claimed", Message.send_started_at.is_(None))
    )
    waiting = db.session.scalars(
        sa.select(Message).where(*which, not_begun).with_for_update().execution_options(populate_existing=True)
    ).all()
    for message in waiting:
        move(message, "cancelled", origin=origin, now=now, code=reason)
    db.session.flush()
    return len(waiting)


def locked(message_id: UUID) -> Message | None:
    """The row as it stands, locked until the transaction ends. About a subject: lock the subject before."""
    return db.session.execute(
        sa.select(Message).where(Message.id == message_id).with_for_update().execution_options(populate_existing=True)
    ).scalar_one_or_none()


def note(message: Message, *, origin: str, now: datetime, code: str | None = None, detail: str | None = None) -> None:
    """Write an event that is no move: a claim, a call begun."""
    _note(message, now, origin, code, detail)


def _note(message: Message, now: datetime, origin: str, code: str | None, detail: str | None) -> None:
    event = MessageEvent(message_id=message.id, at=now, state=message.state, origin=origin, code=code, detail=detail)
    db.session.add(event)
    db.session.flush()


def _is_way(state: str, steps: Sequence[str]) -> bool:
    for step in steps:
        if step not in NEXT_STATES[state]:
            return False
        state = step
    return True


def _insert() -> Any:
    dialect = db.session.get_bind().dialect.name
    return (postgresql if dialect == "postgresql" else sqlite).insert(Message)
