"""How many texts a number gets in a day where providers count: mainland China.

Twilio's guidance for mainland China (undated): five different texts to one number within 24 hours bring a review that
holds everything back for a day. Reminders leave room for pages; a page is never held back, but when a number's texts
are used up its ladder uses the site's other channels at once.
"""

from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from backend.channels import MAINLAND_CHINA, SMS
from backend.db import db
from backend.models.outbox import Message, MessageEvent
from backend.models.people import Account
from backend.models.study import Site

TEXTS_A_DAY = 4
_A_DAY = timedelta(days=1)
KEPT_FOR_PAGES = 2  # of those, on the number of somebody who is paged


def used_up(site_id: UUID, account: Account, now: datetime, *, for_page: bool) -> bool:
    """Whether another text to this number would be one too many."""
    if db.session.get_one(Site, site_id).country != MAINLAND_CHINA or account.phone_index is None:
        return False
    kept = 0 if for_page or not _is_paged(account.phone_index) else KEPT_FOR_PAGES
    return _sent(account.phone_index, now) >= TEXTS_A_DAY - kept


def _is_paged(phone_index: str) -> bool:
    """Whether it is the number of somebody of the team, whatever else they are."""
    staff = sa.select(Account.id).where(Account.phone_index == phone_index, Account.kind == "staff", Account.active)
    return db.session.execute(staff.limit(1)).first() is not None


def _sent(phone_index: str, now: datetime) -> int:
    """Texts that went, or may have gone, to whoever has this number; one that was sent twice counts twice."""
    went = sa.or_(
        MessageEvent.state == "unknown",
        # With a code it was found out later, and was `unknown` before; a late receipt is no text either.
        sa.and_(MessageEvent.state == "accepted", MessageEvent.code.is_(None), MessageEvent.detail.is_(None)),
    )
    query = (
        sa.select(sa.func.count())
        .select_from(Message)
        .join(Account, Account.id == Message.account_id)
        .join(MessageEvent, MessageEvent.message_id == Message.id)
        .where(Account.phone_index == phone_index, Message.medium == SMS, went, MessageEvent.at > now - _A_DAY)
        .where(Message.created_at > now - 2 * _A_DAY)
    )
    return db.session.execute(query).scalar_one()
