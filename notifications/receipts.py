"""A provider's receipt, taken in the caller's transaction: the message moves, and a lost page moves its ladder."""

from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
import structlog

from backend import installation, outbox
from backend.db import db, lock_subject
from backend.models.outbox import LOST_STATES, Message
from notifications import delivery
from notifications.gateways.base import Receipt

log = structlog.get_logger(__name__)

_OUT_OF_REACH = timedelta(hours=3)
_MOST_AGAIN = 2  # further texts for one that did not arrive


def take(message_id: UUID, told: Receipt, provider: str, now: datetime) -> bool:
    """Move a message by a receipt, in whatever order receipts come. True if it moved; an unknown id is no error."""
    subject_id = db.session.execute(sa.select(Message.subject_id).where(Message.id == message_id)).scalar_one_or_none()
    if subject_id is not None:
        lock_subject(subject_id)
    message = outbox.receipt(
        message_id, told.state, now=now, code=told.code, provider=provider, provider_id=told.provider_id
    )
    if message is None:
        return False
    if told.alarm:
        log.error("gateway.alarm", message_id=str(message.id), code=told.code, template=message.template)
    if message.state in LOST_STATES:
        delivery.lost(message, now, opted_out=told.opted_out)
        if message.lane == outbox.REMINDER and told.again_after is not None:
            _again(message, told.again_after, now)
    return True


def _again(message: Message, after: timedelta, now: datetime) -> None:
    """One more intent for a reminder that certainly did not arrive, while it is still of use; judged like any other.

    The second time it waits for hours, whatever the provider's reason: the handset is out of reach.
    """
    restored_at = installation.restored_at()
    if restored_at is not None and message.created_at <= restored_at:
        return  # it may have gone again already, of which a restored backup knows nothing
    start, _, tried = message.key.partition("#again")
    count = int(tried or 0) + 1
    due_at = now + (after if count == 1 else max(after, _OUT_OF_REACH))
    if count <= _MOST_AGAIN and message.not_after is not None and due_at < message.not_after:
        outbox.post(
            key=f"{start}#again{count}",
            lane=message.lane,
            site_id=message.site_id,
            subject_id=message.subject_id,
            account_id=message.account_id,
            template=message.template,
            variables=message.variables,
            language=message.language,
            local_day=message.local_day,
            due_at=due_at,
            not_after=message.not_after,
            now=now,
        )
