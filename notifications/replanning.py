"""A calendar changed: the texts that speak of it are planned anew in the same transaction.

Hung on `backend.agenda` by the application: called under the subject's lock whenever a calendar is written. A text
that waits and would now say what is no longer so is cancelled with the reason; what is owed by now is posted. What
nobody told us of in time is judged once more when it is claimed (`judgement`).
"""

from uuid import UUID

import sqlalchemy as sa

from backend import clock, outbox
from backend.db import db
from backend.models.outbox import Message
from backend.models.people import Account, SubjectLink
from backend.models.subject import Subject
from notifications import judgement, reminders


def replan(subject: Subject) -> None:
    """Cancel what waits and has become wrong, then post what is owed. The caller holds the subject."""
    now = clock.now()
    for message_id, account in _waiting(subject):
        message = outbox.locked(message_id)
        if message is None or message.state != "pending":
            continue
        verdict = judgement.of(message, account, now)
        if verdict.state in outbox.UNSENT_STATES:
            outbox.move(message, "cancelled", origin="planner", now=now, code=verdict.reason)
    db.session.flush()
    reminders.plan_for(subject, now)


def _waiting(subject: Subject) -> list[tuple[UUID, Account]]:
    """Unsent reminders to whoever reports for the subject; a bundled one may speak of several people."""
    rows = db.session.execute(
        sa.select(Message.id, Account)
        .join(Account, Account.id == Message.account_id)
        .join(SubjectLink, SubjectLink.account_id == Account.id)
        .where(
            SubjectLink.subject_id == subject.id,
            Message.lane == outbox.REMINDER,
            Message.state == "pending",
            Message.subject_id.is_not(None),
        )
        .order_by(Message.created_at, Message.id)
    )
    return [(message_id, account) for message_id, account in rows]
