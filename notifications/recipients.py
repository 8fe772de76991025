"""Who is meant by a duty, at the moment it is asked: the rota now, not the rota when the signal was raised."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
import structlog

from backend import audit
from backend.db import db
from backend.models.people import Account, AccountSite, OnCallShift
from backend.models.safety import Episode
from backend.models.study import Site
from schedules.windows import end_of_day, local_date, start_of_day

log = structlog.get_logger(__name__)

# When nobody holds the duties asked for, these are asked in turn.
_FALL_BACK = ("on_call", "backup", "principal_investigator", "investigator")


def of_duties(episode: Episode, duties: Sequence[str], now: datetime) -> tuple[Account, ...]:
    """Everybody who holds one of the duties, each once, in the order of the duties. Nobody at all is recorded."""
    found = _once(account for duty in duties for account in _holders(episode, duty, now))
    if not found:
        found = _first(episode.site_id, _FALL_BACK, now)
    if not found:
        _nobody(episode, duties)
    return found


def _holders(episode: Episode, duty: str, now: datetime) -> tuple[Account, ...]:
    if duty == "accepted_by":
        account = db.session.get(Account, episode.accepted_by) if episode.accepted_by else None
        return (account,) if account is not None and account.active else ()
    if duty == "on_call":
        return _first(episode.site_id, _FALL_BACK, now)
    return _AT_SITE[duty](episode.site_id, now)


def _first(site_id: UUID, duties: Sequence[str], now: datetime) -> tuple[Account, ...]:
    """The holders of the first duty that anybody holds."""
    for duty in duties:
        found = _AT_SITE[duty](site_id, now)
        if found:
            return found
    return ()


def on_call(site_id: UUID, now: datetime) -> tuple[Account, ...]:
    """Who carries the site's pager now."""
    return _on_shift(site_id, now, now, "on_call")


def principal_investigators(site_id: UUID) -> tuple[Account, ...]:
    return _with_role(site_id, "principal_investigator")


def _on_shift(site_id: UUID, start: datetime, end: datetime, duty: str | None) -> tuple[Account, ...]:
    """Active accounts whose shift overlaps [start, end]; a shift ends before its `ends_at`."""
    query = (
        sa.select(Account)
        .join(OnCallShift, OnCallShift.account_id == Account.id)
        .where(
            OnCallShift.site_id == site_id,
            OnCallShift.starts_at <= end,
            OnCallShift.ends_at > start,
            Account.active.is_(True),
        )
        .order_by(OnCallShift.starts_at, OnCallShift.id)
    )
    if duty is not None:
        query = query.where(OnCallShift.duty == duty)
    return _once(db.session.scalars(query))


def _with_role(site_id: UUID, role: str) -> tuple[Account, ...]:
    query = (
        sa.select(Account)
        .join(AccountSite, AccountSite.account_id == Account.id)
        .where(AccountSite.site_id == site_id, Account.role == role, Account.active.is_(True))
        .order_by(Account.created_at, Account.id)
    )
    return tuple(db.session.scalars(query))


def _everyone(site_id: UUID, now: datetime) -> tuple[Account, ...]:
    """All of today's rota, whatever the hour, and the principal investigator."""
    zone = db.session.get_one(Site, site_id).time_zone
    today = local_date(now, zone)
    start, end = start_of_day(today, zone), end_of_day(today, zone)
    last = end - timedelta.resolution  # a shift that begins at midnight is tomorrow's
    return _once((*_on_shift(site_id, start, last, None), *principal_investigators(site_id)))


_AT_SITE: dict[str, Callable[[UUID, datetime], tuple[Account, ...]]] = {
    "on_call": on_call,
    "backup": lambda site_id, now: _on_shift(site_id, now, now, "backup"),
    "principal_investigator": lambda site_id, now: principal_investigators(site_id),
    "investigator": lambda site_id, now: _with_role(site_id, "investigator"),
    "everyone": _everyone,
}


def _once(accounts: Iterable[Account]) -> tuple[Account, ...]:
    return tuple({account.id: account for account in accounts}.values())


def _nobody(episode: Episode, duties: Sequence[str]) -> None:
    log.error("page.nobody", episode_id=str(episode.id), site_id=str(episode.site_id), duties=list(duties))
    audit.record("page:nobody", "episode", episode.id, new={"site_id": str(episode.site_id), "duties": list(duties)})
