"""Whom reminders do not reach, so that the site may ask: a wrong number, a handset that takes none, a STOP."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from backend import outbox
from backend.db import db
from backend.models.outbox import LOST_STATES, TOLD_STATES, Message
from backend.models.people import Account, SubjectLink

STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Unreached:
    """`why`: stopped, or the state in which the last text to this number ended, with the provider's `code` for it."""

    account_id: UUID
    relation: str
    why: str
    code: str | None
    since: datetime


def unreached_of_each(subject_ids: Sequence[UUID]) -> Mapping[UUID, list[Unreached]]:
    """By subject, patients before carers; in one query.

    The last text counts, and only if the number is still the one it went to. A patient who stopped texts is told of
    until the site has recorded it as a withdrawal from them; a carer may stop them as they like.
    """
    last = (
        sa.select(Message.id)
        .where(Message.account_id == Account.id, Message.lane == outbox.REMINDER)
        .where(Message.state.in_((*TOLD_STATES, *LOST_STATES)))
        .order_by(Message.created_at.desc(), Message.id.desc())
        .limit(1)
        .correlate(Account)
        .scalar_subquery()
    )
    rows = db.session.execute(
        sa.select(SubjectLink, Account, Message)
        .join(Account, Account.id == SubjectLink.account_id)
        .outerjoin(Message, Message.id == last)
        .where(SubjectLink.subject_id.in_(subject_ids), SubjectLink.revoked_at.is_(None), Account.active)
        .order_by(SubjectLink.relation.desc(), SubjectLink.since, Account.id)
    )
    found: defaultdict[UUID, list[Unreached]] = defaultdict(list)
    for link, account, message in rows:
        if account.texts_stopped_at is not None:
            if link.relation == "patient":
                stopped = Unreached(account.id, link.relation, STOPPED, None, account.texts_stopped_at)
                found[link.subject_id].append(stopped)
        elif message is not None and _is_lost(message, account):
            since = message.finished_at or message.due_at
            lost = Unreached(account.id, link.relation, message.state, message.reason, since)
            found[link.subject_id].append(lost)
    return found


def _is_lost(message: Message, account: Account) -> bool:
    corrected = account.phone_set_at is not None and account.phone_set_at >= message.created_at
    return message.state in LOST_STATES and not corrected
