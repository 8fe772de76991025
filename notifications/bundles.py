"""What a group robot posts at once: it bears about twenty posts a minute, so all pages that are due share one.

Runs in the transaction that begins a call. The other pages are claimed beside the first, under their own subjects'
locks; one whose subject somebody else holds just now waits for the next post.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import sqlalchemy as sa

from backend import outbox
from backend.db import db
from backend.models.outbox import Message
from backend.models.people import Account
from backend.models.subject import Subject
from notifications import judgement

PACE = timedelta(seconds=4)  # fifteen a minute, as others may post through the same robot
_MOST = 30  # pages in one post: WeCom takes 2,048 bytes, a page's text has about 60


def wait(message: Message, now: datetime) -> datetime | None:
    """When the robot of this page may post again; None: now."""
    last = db.session.scalar(
        sa.select(sa.func.max(Message.send_started_at)).where(
            Message.site_id == message.site_id,
            Message.created_at > now - timedelta(days=1),
            Message.medium == message.medium,
            Message.send_started_at > now - PACE,
            Message.id != message.id,
        )
    )
    return last + PACE if last is not None else None


def company(first: Message, now: datetime) -> Iterator[Message]:
    """The other pages that are due through the same robot, claimed with the first one's lease, oldest first."""
    due = db.session.execute(
        sa.select(Message.id, Message.subject_id)
        .where(
            Message.lane == outbox.PAGE,
            Message.state == "pending",
            Message.next_try_at <= now,
            Message.site_id == first.site_id,
            Message.medium == first.medium,
            Message.id != first.id,
        )
        .order_by(Message.due_at, Message.id)
        .limit(_MOST)
    ).all()
    ours = {first.subject_id, None, *_free({row.subject_id for row in due} - {first.subject_id, None})}
    for message_id, subject_id in due:
        message = outbox.locked(message_id) if subject_id in ours else None
        if message is not None and message.state == "pending" and _joins(message, first, now):
            yield message


def _free(subject_ids: set[object]) -> set[object]:
    """Those of these subjects that nobody holds; they are held now."""
    query = sa.select(Subject.id).where(Subject.id.in_(subject_ids)).with_for_update(skip_locked=True)
    return set(db.session.scalars(query)) if subject_ids else set()


def _joins(message: Message, first: Message, now: datetime) -> bool:
    verdict = judgement.of(message, db.session.get_one(Account, message.account_id), now)
    outbox.move(message, "claimed", origin="worker", now=now)
    message.lease_owner, message.lease_until = first.lease_owner, first.lease_until
    message.attempts += 1
    if verdict.state is None:
        return True
    outbox.move(message, verdict.state, origin="worker", now=now, code=verdict.reason)
    return False
