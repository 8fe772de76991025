"""Claim, send, record: one message at a time, by any number of senders. The row is the truth.

A claim takes a lease. Just before its own call the sender writes `send_started_at` and commits; the call
itself is outside any transaction; a second transaction records what is known. So a row found with a dead
lease tells whether its text may have gone out: a page is then sent again at once (a repeat is a nuisance, a
missing one a risk), a reminder becomes `unknown` and is sent at most once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from secrets import SystemRandom
from uuid import UUID, uuid4

import sqlalchemy as sa
import structlog

from backend import accounts, audit, clock, outbox
from backend.crypto import CannotOpen
from backend.db import db, lock_subject, transaction
from backend.models.outbox import Message, MessageEvent
from backend.models.people import Account
from backend.models.study import Site
from notifications import bundles, hours, judgement, ladder, routing
from notifications.gateways.base import (
    ACCEPTED,
    UNKNOWN,
    Gateway,
    Gateways,
    Line,
    Outcome,
    Outgoing,
    refused,
    stopped,
    unknown,
)
from notifications.gateways.choose import NotInstalled
from notifications.routing import Route
from notifications.texts.catalogue import UnknownText

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=60)
PAGE_RETRY = timedelta(seconds=15)
PAGE_RESTS = timedelta(seconds=60)  # at most, whatever a provider asks for
PAGE_GIVES_UP = timedelta(hours=6)  # the ladder has long posted newer ones
REMINDER_ATTEMPTS = 8
RECEIPT_WAIT = timedelta(minutes=15)
LOOK_AFTER = timedelta(minutes=2)
# Receipts get lost: how long after a provider took a message it is asked, then after twice as long, for a day.
ASK_AFTER = {outbox.PAGE: timedelta(minutes=10), outbox.REMINDER: timedelta(hours=1)}
ASK_FOR = timedelta(days=1)
_FIRST_DELAY_S, _LONGEST_DELAY_S = 30.0, 1800.0
_STARTED = "send_started"
_random = SystemRandom()


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of one claimed message. `stop`: the gateway refuses this sender altogether; `code` says why."""

    message_id: UUID
    state: str
    stop: bool = False
    code: str | None = None


@dataclass(frozen=True, slots=True)
class _Claim:
    message_id: UUID
    subject_id: UUID | None
    lane: str
    owner: str


@dataclass(frozen=True, slots=True)
class _Call:
    """A call about to be made. `together`: every message that travels in it, the claimed one first."""

    gateway: Gateway
    outgoing: Outgoing
    together: tuple[UUID, ...]


def deliver_next(gateways: Gateways, lane: str, patience: timedelta = timedelta(0)) -> Delivered | None:
    """Claim the oldest message of a lane that has been due for `patience`, and see it through. None: there is none."""
    now = clock.now()
    return _see_through(gateways, _claim((Message.lane == lane, Message.next_try_at <= now - patience), now))


def deliver(gateways: Gateways, message_id: UUID) -> Delivered | None:
    """See one message through, if it is due and nobody has it: what a fleet is told to do. None otherwise."""
    return _see_through(gateways, _claim((Message.id == message_id,), clock.now()))


def _see_through(gateways: Gateways, claim: _Claim | None) -> Delivered | None:
    if claim is None:
        return None
    call = _begin(gateways, claim, clock.now())
    if isinstance(call, Delivered):
        return call
    return _record(claim, call, _make(call), clock.now())


def _claim(which: Sequence[sa.ColumnElement[bool]], now: datetime) -> _Claim | None:
    owner = uuid4().hex
    due = (
        sa.select(Message.id)
        .where(*which, Message.state == "pending", Message.next_try_at <= now)
        .order_by(Message.due_at, Message.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    taking = (
        sa.update(Message)
        .where(Message.id == due)
        .values(
            state="claimed",
            lease_owner=owner,
            lease_until=now + LEASE,
            send_started_at=None,
            attempts=Message.attempts + 1,
        )
        .returning(Message.id)
        .execution_options(synchronize_session=False)
    )
    with transaction():
        message_id = db.session.execute(taking).scalar_one_or_none()
        if message_id is None:
            return None
        message = db.session.get_one(Message, message_id, populate_existing=True)
        outbox.note(message, origin="worker", now=now)
        return _Claim(message_id, message.subject_id, message.lane, owner)


def _held(claim: _Claim) -> Message | None:
    """The row if it is still ours. A page's subject is locked first, as its ladder may have to move."""
    if claim.lane == outbox.PAGE and claim.subject_id is not None:
        lock_subject(claim.subject_id)
    return outbox.locked(claim.message_id)


def _begin(gateways: Gateways, claim: _Claim, now: datetime) -> _Call | Delivered:
    """Judge the message, and mark that its sending begins. Delivered if it is not to be sent now."""
    with transaction():
        message = _held(claim)
        if message is None or message.lease_owner != claim.owner:
            return Delivered(claim.message_id, message.state if message else "gone")
        account = db.session.get_one(Account, message.account_id)
        verdict = judgement.of(message, account, now)
        if verdict.state is not None:
            _put_off(message, verdict, now)
            return Delivered(message.id, message.state, code=verdict.reason)
        try:
            route = routing.route_of(message)
            if route is None:
                return _not_begun(message, refused("no_channel", alarm=True), now)
            gateway = gateways.by(route.gateway)
        except routing.KeysUnreadable:
            return _not_begun(message, stopped("keys_unreadable"), now)
        except NotInstalled:
            return _not_begun(message, stopped("not_installed"), now)
        if route.shared:
            return _begin_shared(message, account, route, gateway, now)
        if number_of(account) is None:
            return _not_begun(message, refused("no_number"), now)
        return _Call(gateway, _started(message, account, route, gateway, now), (message.id,))


def _begin_shared(
    message: Message, account: Account, route: Route, gateway: Gateway, now: datetime
) -> _Call | Delivered:
    """A robot's post: not before its pace allows, and then with every page that is due through it."""
    until = bundles.turn(message, now)
    if until is not None:
        _put_off(message, judgement.Verdict("pending", "pace", until), now)
        return Delivered(message.id, message.state, code="pace")
    first = _started(message, account, route, gateway, now)
    others = tuple(
        _started(other, db.session.get_one(Account, other.account_id), route, gateway, now)
        for other in bundles.company(message, now)
    )
    return _Call(gateway, replace(first, also=others), (message.id, *(one.message_id for one in others)))


def _not_begun(message: Message, outcome: Outcome, now: datetime) -> Delivered:
    """It cannot even be tried: for good, or not until somebody mends the settings."""
    _alarm(message.id, outcome)
    if outcome.permanent:
        _fail(message, outcome, now)
    else:
        _again(message, outcome, now)
    return Delivered(message.id, message.state, outcome.stop, outcome.code)


def _started(message: Message, account: Account, route: Route, gateway: Gateway, now: datetime) -> Outgoing:
    said = _said(message, account, now)
    message.send_started_at = now
    message.provider = gateway.name
    outbox.note(message, origin="worker", now=now, code=_STARTED, detail=(said or now).isoformat(timespec="seconds"))
    return _outgoing(message, number_of(account) or "", route.line, said)


def _said(message: Message, account: Account, now: datetime) -> datetime | None:
    """The time that a page tells where its number has had one: later than any told before, as no two may read the same.

    Providers refuse a repeat, steps of a ladder that is hurried follow each other within a second, and two on duty may
    share the ward's telephone.
    """
    about = Message.episode_id == message.episode_id if message.episode_id is not None else Message.id == message.id
    told = (
        sa.select(sa.func.max(MessageEvent.detail))
        .join(Message, Message.id == MessageEvent.message_id)
        .join(Account, Account.id == Message.account_id)
        .where(about, Message.medium == message.medium, MessageEvent.code == _STARTED)
        .where(sa.or_(Account.id == account.id, Account.phone_index == account.phone_index))
    )
    last = db.session.execute(told).scalar_one() if message.lane == outbox.PAGE else None
    return max(now, datetime.fromisoformat(last) + timedelta(seconds=1)) if last is not None else None


def _put_off(message: Message, verdict: judgement.Verdict, now: datetime) -> None:
    assert verdict.state is not None
    outbox.move(message, verdict.state, origin="worker", now=now, code=verdict.reason)
    if verdict.until is not None:
        message.next_try_at = verdict.until
        message.attempts -= 1


def number_of(account: Account) -> str | None:
    """Where texts and calls to somebody go; None where there is none, or none that can be read."""
    try:
        return accounts.phone_of(account)
    except CannotOpen:
        log.error("number.cannot_open", account_id=str(account.id))
        return None


def _outgoing(message: Message, number: str, line: Line, said: datetime | None) -> Outgoing:
    """What the gateway gets. `said`: the time that a page tells instead of that of its posting."""
    variables = dict(message.variables)
    if said is not None and "time" in variables:
        zone = db.session.get_one(Site, message.site_id).time_zone
        variables["time"] = f"{hours.local(said, zone):%H:%M:%S}"
    return Outgoing(
        message_id=message.id,
        to=number,
        lane=message.lane,
        template=message.template,
        language=message.language,
        variables=variables,
        channel=message.channel,
        not_after=message.not_after,
        medium=message.medium,
        line=line,
    )


def _make(call: _Call) -> Outcome:
    try:
        return call.gateway.send(call.outgoing)
    except UnknownText:
        log.error("text.missing", template=call.outgoing.template)
        return refused("no_text", alarm=True)
    except Exception as error:  # it may have got out before it broke
        log.error("gateway.failed", message_id=str(call.outgoing.message_id), error=type(error).__name__)
        return unknown("gateway_error")


def _record(claim: _Claim, call: _Call, outcome: Outcome, now: datetime) -> Delivered:
    with transaction():
        _hold_subjects(claim, call.together)
        states = [_recorded(message_id, claim.owner, outcome, call.gateway, now) for message_id in call.together]
        _alarm(claim.message_id, outcome)
        return Delivered(claim.message_id, states[0], outcome.stop, outcome.code)


def _hold_subjects(claim: _Claim, together: Sequence[UUID]) -> None:
    """The ladder of every page may have to move. In the order of their ids, so that nobody waits for one another."""
    if claim.lane == outbox.PAGE:
        about = sa.select(Message.subject_id).where(Message.id.in_(together), Message.subject_id.is_not(None))
        for subject_id in sorted(set(db.session.scalars(about)), key=str):
            lock_subject(subject_id)  # type: ignore[arg-type]  # those without one are left out


def _recorded(message_id: UUID, owner: str, outcome: Outcome, gateway: Gateway, now: datetime) -> str:
    message = outbox.locked(message_id)
    if message is None:
        return "gone"
    if message.lease_owner == owner:
        _settle(message, outcome, gateway, now)
    elif outcome.kind == ACCEPTED:
        _late_answer(message, outcome, gateway, now)
    return message.state


def _alarm(message_id: UUID, outcome: Outcome) -> None:
    if outcome.alarm:
        log.error("gateway.alarm", message_id=str(message_id), code=outcome.code, stop=outcome.stop)


def _settle(message: Message, outcome: Outcome, gateway: Gateway, now: datetime) -> None:
    if outcome.kind == ACCEPTED:
        _taken(message, outcome, gateway.name)
        outbox.move(message, "accepted", origin="worker", now=now)
        message.next_try_at = now + ASK_AFTER[message.lane] if gateway.can_look_up else None
    elif outcome.kind == UNKNOWN:
        not_known(message, outcome.code, now, can_look_up=gateway.can_look_up)
    elif outcome.permanent:
        _fail(message, outcome, now)
    else:
        _again(message, outcome, now)


def _taken(message: Message, outcome: Outcome, provider: str) -> None:
    message.provider, message.provider_id, message.segments = provider, outcome.provider_id, outcome.segments


def _late_answer(message: Message, outcome: Outcome, gateway: Gateway, now: datetime) -> None:
    """The lease was lost, or a receipt overtook the answer: keep the provider's id, and what it settles."""
    if message.provider_id is None or message.provider_id == outcome.provider_id:
        _taken(message, outcome, gateway.name)
    if message.state == "unknown":
        outbox.move(message, "accepted", origin="worker", now=now, code="late_answer")
        message.next_try_at = now + ASK_AFTER[message.lane] if gateway.can_look_up else None


def not_known(message: Message, code: str | None, now: datetime, *, can_look_up: bool) -> None:
    """Perhaps sent. A page goes again, at once the first time, and its ladder moves; a reminder waits to be told."""
    outbox.move(message, "unknown", origin="worker", now=now, code=code)
    if message.lane == outbox.PAGE:
        first = message.attempts <= 1
        outbox.move(message, "pending", origin="worker", now=now, code=code)
        message.next_try_at = now if first else now + PAGE_RETRY
        if first:
            ladder.hurry(message, now)
        _give_up_if_old(message, now)
    else:
        message.next_try_at = now + (LOOK_AFTER if can_look_up else RECEIPT_WAIT)


def _fail(message: Message, outcome: Outcome, now: datetime) -> None:
    outbox.move(message, "failed", origin="worker", now=now, code=outcome.code)
    lost(message, now, opted_out=outcome.opted_out)


def lost(message: Message, now: datetime, *, opted_out: bool = False) -> None:
    """What follows from a message that will not arrive: the next person for a page, silence after a STOP."""
    if message.lane == outbox.PAGE:
        log.error("page.lost", message_id=str(message.id), code=message.reason)
        new = {"message_id": str(message.id), "code": message.reason, "to": str(message.account_id)}
        entity = ("episode", message.episode_id) if message.episode_id else ("message", message.id)
        audit.record("page:failed", *entity, subject_id=message.subject_id, new=new)
        ladder.hurry(message, now)
    elif opted_out:
        account = db.session.get_one(Account, message.account_id)
        account.texts_stopped_at = account.texts_stopped_at or now


def _again(message: Message, outcome: Outcome, now: datetime) -> None:
    """Certainly not sent: back to the queue, pages soon, reminders with a growing delay."""
    if not outcome.counts:
        message.attempts -= 1
    if message.lane == outbox.PAGE:
        outbox.move(message, "pending", origin="worker", now=now, code=outcome.code)
        asked = timedelta(seconds=outcome.retry_after_s or 0)
        message.next_try_at = now + min(max(PAGE_RETRY, asked), PAGE_RESTS)
        if outcome.stop or message.attempts > 1:
            ladder.hurry(message, now)  # this way is shut for now: the next step may go another
        _give_up_if_old(message, now)
        return
    next_try_at = now + _delay(message.attempts, outcome.retry_after_s)
    if message.not_after is not None and next_try_at >= message.not_after:
        outbox.move(message, "expired", origin="worker", now=now, code=outcome.code)
    elif message.attempts >= REMINDER_ATTEMPTS:
        outbox.move(message, "failed", origin="worker", now=now, code=outcome.code, detail="attempts used up")
    else:
        outbox.move(message, "pending", origin="worker", now=now, code=outcome.code)
        message.next_try_at = next_try_at


def _delay(attempts: int, retry_after_s: int | None) -> timedelta:
    """Doubling from half a minute to half an hour, spread by a fifth either way, never before the provider said."""
    backed_off = min(_FIRST_DELAY_S * 2 ** max(attempts - 1, 0), _LONGEST_DELAY_S) * _random.uniform(0.8, 1.2)
    return timedelta(seconds=max(backed_off, retry_after_s or 0))


def _give_up_if_old(message: Message, now: datetime) -> None:
    if now - message.due_at < PAGE_GIVES_UP:
        return
    # Only a claim may fail, so the row passes through one.
    outbox.move(message, "claimed", origin="worker", now=now)
    outbox.move(message, "failed", origin="worker", now=now, code="gave_up")
    lost(message, now)
