"""How many texts a number gets in a day where providers count: mainland China.

Twilio's guidance for mainland China (undated): five different texts to one number within 24 hours bring a review that
holds everything back for a day. Reminders leave room for pages; a page is never held back, but when a number's texts
are used up its ladder uses the site's other channels at once.
"""

from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from backend.channels import MAINLAND_CHINA
from backend.db import db
from backend.models.outbox import Message
from backend.models.people import Account
from backend.models.study import Site
from notifications.gateways.base import SMS

TEXTS_A_DAY = 4
KEPT_FOR_PAGES = 2  # of those, on the number of somebody who is paged
_TAKEN = ("accepted", "sent", "delivered", "undelivered", "unknown")


def used_up(site_id: UUID, account: Account, now: datetime, *, for_page: bool) -> bool:
    """Whether another text to this number would be one too many."""
    if db.session.get_one(Site, site_id).country != MAINLAND_CHINA or account.phone_index is None:
        return False
    kept = 0 if for_page or account.kind != "staff" else KEPT_FOR_PAGES
    return _sent(account.phone_index, now) >= TEXTS_A_DAY - kept


def _sent(phone_index: str, now: datetime) -> int:
    """Texts that went, or may have gone, to whoever has this number."""
    query = (
        sa.select(sa.func.count())
        .select_from(Message)
        .join(Account, Account.id == Message.account_id)
        .where(Account.phone_index == phone_index, Message.medium == SMS, Message.state.in_(_TAKEN))
        .where(Message.send_started_at > now - timedelta(days=1))
    )
    return db.session.execute(query).scalar_one()
