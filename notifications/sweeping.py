"""What nobody is holding any more: dead leases, reminders whose answer never came, messages without a receipt.

Run by the worker's sweeper.
"""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
import structlog

from backend import outbox
from backend.crypto import CannotOpen
from backend.db import db, lock_subject, transaction
from backend.installation import vault
from backend.models.outbox import Message
from backend.models.people import Account
from notifications import delivery, receipts
from notifications.gateways.base import Gateway, Outgoing

log = structlog.get_logger(__name__)


def sweep(gateway: Gateway, now: datetime, limit: int = 200) -> int:
    """Free dead leases, settle unknown reminders, ask about missing receipts. Returns how many rows moved."""
    moved = _dead_leases(gateway, now, limit) + _unknown_reminders(gateway, now, limit)
    return moved + _without_receipt(gateway, now, limit) if gateway.can_look_up else moved


def _dead_leases(gateway: Gateway, now: datetime, limit: int) -> int:
    with transaction(writes=False):
        dead = db.session.execute(
            sa.select(Message.id, Message.subject_id)
            .where(Message.lane.in_((outbox.PAGE, outbox.REMINDER)), Message.state == "claimed")
            .where(Message.lease_until < now)
            .limit(limit)
        ).all()
    freed = 0
    for message_id, subject_id in dead:
        with transaction():
            if subject_id is not None:
                lock_subject(subject_id)
            message = outbox.locked(message_id)
            if message is None or message.lease_until is None or message.lease_until >= now:
                continue
            _free(message, gateway, now)
            freed += 1
    return freed


def _free(message: Message, gateway: Gateway, now: datetime) -> None:
    """The sender died. Its call had begun: perhaps sent. Not yet begun: certainly not."""
    if message.send_started_at is not None:
        delivery.not_known(message, "sender_died", now, can_look_up=gateway.can_look_up)
        return
    outbox.move(message, "pending", origin="worker", now=now, code="sender_died")
    message.next_try_at = now
    message.attempts -= 1


def _unknown_reminders(gateway: Gateway, now: datetime, limit: int) -> int:
    with transaction(writes=False):
        waiting = db.session.scalars(
            sa.select(Message)
            .where(Message.lane == outbox.REMINDER, Message.state == "unknown", Message.next_try_at <= now)
            .order_by(Message.next_try_at)
            .limit(limit)
        ).all()
        asked = [(message, _question(message) if gateway.can_look_up else None) for message in waiting]
    moved = 0
    for message, question in asked:
        found = _look_up(gateway, message, question)
        with transaction():
            moved += _resolve(message, found, gateway, now)
    return moved


def _question(message: Message) -> Outgoing | None:
    account = db.session.get_one(Account, message.account_id)
    if account.phone_sealed is None:
        return None
    try:
        number = vault().open("account.phone", account.id, account.phone_sealed)
    except CannotOpen:
        return None
    return Outgoing(message.id, number, message.lane, message.template, message.language, message.variables)


def _look_up(gateway: Gateway, message: Message, question: Outgoing | None) -> tuple[str, ...]:
    if question is None or message.send_started_at is None:
        return ()
    try:
        return gateway.look_up(question, message.send_started_at)
    except Exception as error:  # the provider is unwell; the row waits for its receipt
        log.warning("gateway.look_up_failed", message_id=str(message.id), error=type(error).__name__)
        return ()


def _resolve(asked: Message, found: tuple[str, ...], gateway: Gateway, now: datetime) -> int:
    message = outbox.locked(asked.id)
    if message is None or message.state != "unknown":
        return 0
    others = set(db.session.scalars(sa.select(Message.provider_id).where(Message.provider_id.in_(found))))
    mine = next((one for one in found if one not in others), None)
    if mine is not None:
        message.provider, message.provider_id = gateway.name, mine
        outbox.move(message, "accepted", origin="worker", now=now, code="looked_up")
        message.next_try_at = now + delivery.ASK_AFTER[message.lane]
        return 1
    if message.send_started_at is None or message.send_started_at + delivery.RECEIPT_WAIT <= now:
        outbox.move(message, "expired", origin="worker", now=now, code="unknown")
        return 1
    message.next_try_at = now + delivery.LOOK_AFTER
    return 0


def _without_receipt(gateway: Gateway, now: datetime, limit: int) -> int:
    """Ask the provider what became of those it took and never told about. Its word is a receipt like any other."""
    with transaction(writes=False):
        waiting = db.session.execute(
            sa.select(Message.id, Message.subject_id, Message.provider_id)
            .where(Message.lane.in_((outbox.PAGE, outbox.REMINDER)), Message.state.in_(("accepted", "sent")))
            .where(Message.next_try_at <= now, Message.provider == gateway.name, Message.provider_id.is_not(None))
            .order_by(Message.next_try_at)
            .limit(limit)
        ).all()
    moved = 0
    for message_id, subject_id, provider_id in waiting:
        assert provider_id is not None  # asked for above
        told = _status(gateway, message_id, provider_id)
        with transaction():
            if told is not None:
                state, code = told
                moved += receipts.take(
                    message_id, state, now=now, code=code, provider=gateway.name, provider_id=provider_id
                )
            if subject_id is not None:
                lock_subject(subject_id)
            message = outbox.locked(message_id)
            if message is not None and message.state in ("accepted", "sent"):
                message.next_try_at = _ask_again(message, now)
    return moved


def _status(gateway: Gateway, message_id: UUID, provider_id: str) -> tuple[str, str | None] | None:
    try:
        return gateway.status_of(provider_id)
    except Exception as error:  # the provider is unwell; it is asked again
        log.warning("gateway.status_failed", message_id=str(message_id), error=type(error).__name__)
        return None


def _ask_again(message: Message, now: datetime) -> datetime | None:
    """Twice as long after it was sent as this time; after a day nobody will know. `sent` may be the last word."""
    since = message.send_started_at or message.due_at
    passed = max(now - since, delivery.ASK_AFTER[message.lane])
    return now + passed if passed < delivery.ASK_FOR else None
