"""Tells a site's principal investigators, once a day, that nobody carries the pager for a while within 24 hours.

A text, not a page: the ladder itself never falls silent over a gap, it asks the next duty (`recipients`).
"""

from datetime import datetime

import sqlalchemy as sa

from backend import installation, outbox, rota
from backend.db import db, transaction
from backend.models.study import Site
from notifications import hours, recipients
from notifications.ladder import WORK_FROM, WORK_TO
from notifications.texts.catalogue import language_of
from schedules.windows import at_local


def tell(now: datetime) -> int:
    """Post what is not told yet, in the site's working hours. Returns how many texts were posted."""
    with transaction(writes=False):
        gaping = [site for site in db.session.scalars(sa.select(Site)) if _first_gap(site, now) is not None]
    told = 0
    for site in gaping:
        if hours.until(now, site.time_zone, WORK_TO, WORK_FROM) is None:
            with transaction():
                told += _tell(site, now)
    return told


def _first_gap(site: Site, now: datetime) -> datetime | None:
    """When the first gap of the next 24 hours begins; now, if there is one already."""
    found = rota.gaps(rota.shifts_of(site.id, now), now, now + rota.AHEAD)
    return min((gap.since for gap in found), default=None)


def _tell(site: Site, now: datetime) -> int:
    since = _first_gap(site, now)
    if since is None:
        return 0
    today = hours.local(now, site.time_zone).date()
    if hours.perhaps_told(today, site.time_zone, installation.restored_at()):
        return 0
    posted = [
        outbox.post(
            key=f"rota_gap:{site.id}:{today}:{account.id}",
            lane=outbox.REMINDER,
            site_id=site.id,
            account_id=account.id,
            template="rota_gap",
            variables={"time": hours.local(since, site.time_zone).strftime("%H:%M"), "day": str(today)},
            language=language_of(account.locale),
            local_day=str(today),
            due_at=now,
            not_after=at_local(today, WORK_TO, site.time_zone),
            now=now,
        )
        for account in recipients.principal_investigators(site.id)
    ]
    return sum(message is not None for message in posted)
