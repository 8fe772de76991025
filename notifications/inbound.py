"""What people text back. STOP and START are obeyed, everything else gets one fixed answer; no text is kept or logged.

Twilio itself answers STOP and START and bars the number for the whole Messaging Service; we keep it too, so that
nothing is planned that would be refused. A doctor who stops the pager's service is an alarm: the next page to them is
lost, and the ladder goes on to the next person.
"""

from datetime import datetime

import sqlalchemy as sa
import structlog

from backend import audit, outbox
from backend.db import db
from backend.installation import vault
from backend.models.people import Account, AccountSite, SubjectLink
from backend.models.study import Site
from backend.models.subject import Subject
from notifications.texts import catalogue

log = structlog.get_logger(__name__)

STOP, START, HELP = "STOP", "START", "HELP"
# One-word texts that Twilio takes for these (its default keywords, in English, in any case).
_WORDS = {
    **dict.fromkeys(("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"), STOP),
    **dict.fromkeys(("START", "YES", "UNSTOP"), START),
    **dict.fromkeys(("HELP", "INFO"), HELP),
}


def meaning(body: str, opt_out_type: str | None) -> str | None:
    """STOP, START, HELP, or None for any other text. `opt_out_type`: what Twilio took it for, where it says so."""
    return _WORDS.get((opt_out_type or body).strip().upper())


def take(number: str, said: str | None, lane: str, now: datetime) -> str | None:
    """Obey what somebody at this number said to the senders of a lane. The text to answer with; None for no answer.

    Runs in the caller's transaction. Nobody known at the number gets no answer.
    """
    index = vault().blind_index("phone", number)
    accounts = db.session.scalars(
        sa.select(Account).where(Account.phone_index == index).order_by(Account.id).with_for_update()
    ).all()
    if said in (STOP, START):
        for account in accounts:
            _obey(account, lane, now, stop=said == STOP)
        return None
    return _answer(accounts[0]) if accounts else None


def _obey(account: Account, lane: str, now: datetime, *, stop: bool) -> None:
    if lane == outbox.PAGE:
        verb = "pages:stopped" if stop else "pages:started"
        if stop:
            log.error("page.opted_out", account_id=str(account.id))
    else:
        if stop == (account.texts_stopped_at is not None):
            return
        account.texts_stopped_at = now if stop else None
        verb = "texts:stopped" if stop else "texts:started"
    audit.record(verb, "account", account.id)
    db.session.flush()


def _answer(account: Account) -> str | None:
    of_staff = sa.select(AccountSite.site_id).where(AccountSite.account_id == account.id)
    of_subject = (
        sa.select(Subject.site_id)
        .join(SubjectLink, SubjectLink.subject_id == Subject.id)
        .where(SubjectLink.account_id == account.id)
    )
    phone = db.session.scalars(
        sa.select(Site.phone_24h).where(Site.id.in_(of_staff.union(of_subject))).order_by(Site.id).limit(1)
    ).first()
    return catalogue.render("not_read", account.locale, {"phone": phone}) if phone else None
