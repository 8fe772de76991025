"""A provider's receipt, taken in the caller's transaction: the message moves, and a lost page moves its ladder."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from backend import outbox
from backend.db import db, lock_subject
from backend.models.outbox import Message
from notifications import delivery

_OPTED_OUT = "21610"


def take(
    message_id: UUID,
    state: str,
    *,
    now: datetime,
    code: str | None = None,
    provider: str | None = None,
    provider_id: str | None = None,
) -> bool:
    """Move a message by a receipt, in whatever order receipts come. True if it moved; an unknown id is no error."""
    subject_id = db.session.execute(sa.select(Message.subject_id).where(Message.id == message_id)).scalar_one_or_none()
    if subject_id is not None:
        lock_subject(subject_id)
    message = outbox.receipt(message_id, state, now=now, code=code, provider=provider, provider_id=provider_id)
    if message is None:
        return False
    if message.state in ("failed", "undelivered"):
        delivery.lost(message, now, opted_out=code == _OPTED_OUT)
    return True
