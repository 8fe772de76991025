"""What nobody is holding any more: dead leases, reminders whose answer never came, messages without a receipt.

Run by the worker's sweeper.
"""

from datetime import datetime

import sqlalchemy as sa
import structlog

from backend import installation, outbox
from backend.db import db, lock_subject, transaction
from backend.models.outbox import Message, MessageEvent
from backend.models.people import Account
from notifications import delivery, receipts
from notifications.gateways.base import Gateway, Gateways, Outgoing, Receipt
from notifications.gateways.choose import NotInstalled

log = structlog.get_logger(__name__)

_NEVER_WENT = "never_went"  # the provider does not know it: it may go once more


def sweep(gateways: Gateways, now: datetime, limit: int = 200) -> int:
    """Free dead leases, settle unknown reminders, ask about missing receipts. Returns how many rows moved."""
    moved = _dead_leases(gateways, now, limit) + _unknown_reminders(gateways, now, limit)
    return moved + _without_receipt(gateways, now, limit)


def _gateway_of(gateways: Gateways, message: Message) -> Gateway | None:
    """Who was given this message; None if that gateway is no longer here."""
    try:
        return gateways.by(message.provider or installation.settings().sms_gateway)
    except NotInstalled:
        return None


def _dead_leases(gateways: Gateways, now: datetime, limit: int) -> int:
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
            _free(message, _gateway_of(gateways, message), now)
            freed += 1
    return freed


def _free(message: Message, gateway: Gateway | None, now: datetime) -> None:
    """The sender died. Its call had begun: perhaps sent. Not yet begun: certainly not."""
    if message.send_started_at is not None:
        can_look_up = gateway is not None and gateway.can_look_up
        delivery.not_known(message, "sender_died", now, can_look_up=can_look_up)
        return
    outbox.move(message, "pending", origin="worker", now=now, code="sender_died")
    message.next_try_at = now
    message.attempts -= 1


def _unknown_reminders(gateways: Gateways, now: datetime, limit: int) -> int:
    with transaction(writes=False):
        waiting = db.session.scalars(
            sa.select(Message)
            .where(Message.lane == outbox.REMINDER, Message.state == "unknown", Message.next_try_at <= now)
            .order_by(Message.next_try_at)
            .limit(limit)
        ).all()
        asked = [(message, _gateway_of(gateways, message), _question(message)) for message in waiting]
    moved = 0
    for message, gateway, question in asked:
        found = _look_up(gateway, message, question)
        with transaction():
            moved += _resolve(message, found, gateway, now)
    return moved


def _question(message: Message) -> Outgoing | None:
    account = db.session.get_one(Account, message.account_id)
    number = delivery.number_of(account)
    if number is None:
        return None
    return Outgoing(message.id, number, message.lane, message.template, message.language, message.variables)


def _look_up(gateway: Gateway | None, message: Message, question: Outgoing | None) -> tuple[str, ...] | None:
    """The provider's ids of texts like this one; None where nobody could be asked, which says nothing."""
    if gateway is None or not gateway.can_look_up or question is None or message.send_started_at is None:
        return None
    try:
        return gateway.look_up(question, message.send_started_at)
    except Exception as error:  # the provider is unwell; the row waits for its receipt
        log.warning("gateway.look_up_failed", message_id=str(message.id), error=type(error).__name__)
        return None


def _resolve(asked: Message, found: tuple[str, ...] | None, gateway: Gateway | None, now: datetime) -> int:
    """It went if the provider knows it. If after a while it does not, it never went, and goes once more if of use."""
    message = outbox.locked(asked.id)
    if message is None or message.state != "unknown":
        return 0
    others = set(db.session.scalars(sa.select(Message.provider_id).where(Message.provider_id.in_(found or ()))))
    mine = next((one for one in found or () if one not in others), None)
    if mine is not None:
        outbox.move(message, "accepted", origin="worker", now=now, code="looked_up")
        message.provider_id = mine
        message.next_try_at = now + delivery.ASK_AFTER[message.lane]
        return 1
    if message.send_started_at is None or message.send_started_at + delivery.RECEIPT_WAIT > now:
        message.next_try_at = now + delivery.LOOK_AFTER
        return 0
    of_use = message.not_after is not None and now < message.not_after
    if not of_use or gateway is None or not gateway.can_look_up:
        outbox.move(message, "expired", origin="worker", now=now, code="unknown")
    elif found is None:
        message.next_try_at = now + delivery.LOOK_AFTER
        return 0
    elif _went_again(message):
        outbox.move(message, "expired", origin="worker", now=now, code="unknown")
    else:
        outbox.move(message, "pending", origin="worker", now=now, code=_NEVER_WENT)
        message.next_try_at = now
    return 1


def _went_again(message: Message) -> bool:
    """Whether it was sent a second time already because the first never went."""
    again = sa.select(MessageEvent.id).where(MessageEvent.message_id == message.id, MessageEvent.code == _NEVER_WENT)
    return db.session.execute(again.limit(1)).first() is not None


def _without_receipt(gateways: Gateways, now: datetime, limit: int) -> int:
    """Ask the provider what became of those it took and never told about. Its word is a receipt like any other."""
    with transaction(writes=False):
        waiting = db.session.scalars(
            sa.select(Message)
            .where(Message.lane.in_((outbox.PAGE, outbox.REMINDER)), Message.state.in_(("accepted", "sent")))
            .where(Message.next_try_at <= now, Message.provider_id.is_not(None))
            .order_by(Message.next_try_at)
            .limit(limit)
        ).all()
        asked = [(message, _gateway_of(gateways, message)) for message in waiting]
    moved = 0
    for before, gateway in asked:
        told = _status(gateway, before)
        with transaction():
            if told is not None:
                moved += receipts.take(before.id, told, before.provider or "", now)
            if before.subject_id is not None:
                lock_subject(before.subject_id)
            message = outbox.locked(before.id)
            if message is not None and message.state in ("accepted", "sent"):
                message.next_try_at = _ask_again(message, now) if gateway is not None else None
    return moved


def _status(gateway: Gateway | None, message: Message) -> Receipt | None:
    if gateway is None or message.provider_id is None:
        return None
    try:
        return gateway.status_of(message.provider_id)
    except Exception as error:  # the provider is unwell; it is asked again
        log.warning("gateway.status_failed", message_id=str(message.id), error=type(error).__name__)
        return None


def _ask_again(message: Message, now: datetime) -> datetime | None:
    """Twice as long after it was sent as this time; after a day nobody will know. `sent` may be the last word."""
    since = message.send_started_at or message.due_at
    passed = max(now - since, delivery.ASK_AFTER[message.lane])
    return now + passed if passed < delivery.ASK_FOR else None
