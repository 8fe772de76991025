"""What a group robot posts at once: it bears about twenty posts a minute, so all pages that are due share one.

Runs in the transaction that begins a call. The other pages are claimed beside the first, under their own subjects'
locks; one whose subject somebody else holds just now waits for the next post.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from backend import outbox
from backend.db import db
from backend.models.outbox import Message
from backend.models.people import Account
from backend.models.study import SiteChannel
from backend.models.subject import Subject
from notifications import judgement
from notifications.texts import catalogue

PACE = timedelta(seconds=4)  # fifteen a minute, as others may post through the same robot
_ROOM = 1900  # bytes of text in one post; WeCom takes 2,048
_MOST = 100  # pages looked at for one post


def turn(message: Message, now: datetime) -> datetime | None:
    """Take the robot's turn for this page. When it may post instead, if not yet; None: now, and the turn is taken.

    Senders stand in line at the channel's row, so that two which ask at once do not both hear "now".
    """
    row = db.session.execute(
        sa.select(SiteChannel)
        .where(SiteChannel.site_id == message.site_id, SiteChannel.medium == message.medium)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one()
    if row.posted_at is not None and now < row.posted_at + PACE:
        return row.posted_at + PACE
    row.posted_at = now
    return None


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
    room = _ROOM - (_bytes(first) or _ROOM)
    for message in _nobodys([row.id for row in due if row.subject_id in ours]):
        size = _bytes(message)
        if size is None:
            continue  # it goes alone, and is refused as anywhere
        room -= size
        if room < 0:
            return  # the rest is for the next post
        if _joins(message, first, now):
            yield message


def _bytes(message: Message) -> int | None:
    """What a page's line takes, its end and a time to the second included; None for a text that nobody knows."""
    try:
        return len(catalogue.render(message.template, message.language, message.variables).encode()) + 4
    except catalogue.UnknownText:
        return None


def _nobodys(message_ids: list[UUID]) -> list[Message]:
    """Those of these pages that wait and that nobody holds, oldest first; they are held now. Waits for nobody."""
    return list(
        db.session.scalars(
            sa.select(Message)
            .where(Message.id.in_(message_ids), Message.state == "pending")
            .order_by(Message.due_at, Message.id)
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        )
    )


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
