"""Whether a claimed message may go out now. Asked in the transaction that would begin its sending.

A page is stopped only by what makes it pointless: somebody has accepted, the episode is closed, a newer page
to the same person waits. Quiet hours, opt-outs, budgets and validity are for reminders.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from backend import chronicle, outbox, studies
from backend.db import db
from backend.models.outbox import Message
from backend.models.people import Account, SubjectLink
from backend.models.safety import Episode
from backend.models.study import Site
from backend.models.subject import Subject
from notifications import budget, hours, ladder, owed, reminders
from schedules.windows import local_date


@dataclass(frozen=True, slots=True)
class Verdict:
    """`state` None: send. pending: not before `until`. Else the final state and why."""

    state: str | None = None
    reason: str | None = None
    until: datetime | None = None


SEND = Verdict()


def of(message: Message, account: Account, now: datetime) -> Verdict:
    """The verdict on a message that has just been claimed."""
    if message.lane == outbox.PAGE:
        return _of_page(message)
    if message.not_after is not None and message.not_after <= now:
        return Verdict("expired", "too_late")
    if message.subject_id is None:
        return _of_staff(message, account, now)
    return _of_reminder(message, account, db.session.get_one(Subject, message.subject_id), now)


def _of_page(message: Message) -> Verdict:
    episode = db.session.get(Episode, message.episode_id) if message.episode_id else None
    if episode is None:
        return SEND
    if episode.closed_at is not None:
        return Verdict("suppressed", "closed")
    if message.template == "contact_overdue":
        return Verdict("suppressed", "done") if episode.contacted_at or episode.seen_at else SEND
    if message.template == "seen_overdue":
        return Verdict("suppressed", "done") if episode.seen_at else SEND
    if message.signal_seq is not None and message.signal_seq <= episode.accepted_seq:
        return Verdict("suppressed", "accepted")
    return Verdict("suppressed", "superseded") if _newer_page(message) else SEND


def _newer_page(message: Message) -> bool:
    """After an outage the same person gets the last page, not all of them."""
    newer = sa.select(Message.id).where(
        Message.episode_id == message.episode_id,
        Message.account_id == message.account_id,
        Message.channel == message.channel,
        Message.medium == message.medium,
        Message.lane == outbox.PAGE,
        Message.template.in_(ladder.LADDER_TEMPLATES),
        Message.due_at > message.due_at,
        Message.state.in_(("pending", "claimed", "accepted", "sent", "delivered")),
    )
    return db.session.execute(newer.limit(1)).first() is not None


def _of_staff(message: Message, account: Account, now: datetime) -> Verdict:
    """A digest or a gap in the rota: working hours of the site, and not where it would cost a page its place."""
    if budget.used_up(message.site_id, account, now, for_page=False):
        return Verdict("suppressed", "budget")
    zone = db.session.get_one(Site, message.site_id).time_zone
    return _outside(hours.until(now, zone, ladder.WORK_TO, ladder.WORK_FROM), message)


def _outside(quiet_until: datetime | None, message: Message) -> Verdict:
    if quiet_until is None:
        return SEND
    if message.not_after is not None and quiet_until >= message.not_after:
        return Verdict("expired", "quiet_hours")
    return Verdict("pending", "quiet_hours", quiet_until)


def _of_reminder(message: Message, account: Account, subject: Subject, now: datetime) -> Verdict:
    reason = _unreachable(account, subject, now) or _pointless(message, now)
    if reason is None and budget.used_up(message.site_id, account, now, for_page=False):
        reason = "budget"
    if reason:
        return Verdict("suppressed", reason)
    rules = studies.in_force(subject).reminders
    zone = chronicle.zones_of(subject).at(now)
    return _outside(hours.until(now, zone, rules.quiet_from, rules.quiet_to), message)


def _unreachable(account: Account, subject: Subject, now: datetime) -> str | None:
    if not account.active:
        return "inactive"
    if account.texts_stopped_at is not None:
        return "opted_out"
    if subject.ended_at is not None or owed.stopped_texts([subject.id], now):
        return "left"
    if subject.admitted:
        return "admitted"
    link = db.session.get(SubjectLink, (account.id, subject.id))
    return "no_link" if link is None or link.revoked_at is not None else None


def _pointless(message: Message, now: datetime) -> str | None:
    """Why the text would say what is no longer so: all done meanwhile, or its visit was moved."""
    subjects = _subjects_of(message)
    if message.key.startswith("nudge:"):
        return None if owed.late(now, Subject.id.in_([one.id for one in subjects])) else "done"
    if not message.key.startswith("day:"):
        return None
    today = owed.Owed()
    for subject in subjects:
        zone, rules = chronicle.zones_of(subject).at(now), studies.in_force(subject).reminders
        one = owed.on_day((Subject.id == subject.id,), rules, zone, local_date(now, zone), now).get(subject.id)
        if one is not None:
            today.slots += one.slots
            today.visits += one.visits
    if not today.slots and not today.visits:
        return "done"
    still = {reminders.word(at) for _, at in today.visits}
    return None if set(reminders.words_of(message.key)) <= still else "moved"


def _subjects_of(message: Message) -> list[Subject]:
    query = (
        sa.select(Subject)
        .join(SubjectLink, SubjectLink.subject_id == Subject.id)
        .where(SubjectLink.account_id == message.account_id, SubjectLink.revoked_at.is_(None))
    )
    return list(db.session.scalars(query))
