"""A site's working days: seeded once a year from the public holidays of its country, corrected by people.

The library knows a year's make-up working days only once they are announced; until then a Chinese year is
`complete: false`, which whoever plans into it is told. Nothing is computed from the library without the table.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend import audit, clock
from backend.db import db
from backend.errors import fault
from backend.models.calendar import SiteDay
from backend.models.study import Site
from schedules.protocol.definition import Label
from schedules.workdays import SATURDAY, WorkingDays

MAKE_UP = Label("调休上班", "Make-up working day")
HAS_MAKE_UP_DAYS = ("CN",)  # countries that move working days to weekends


def rows_of(site_id: UUID, first: date, last: date) -> list[SiteDay]:
    """The rows that hold from `first` to `last`, by date."""
    found = db.session.scalars(
        sa.select(SiteDay)
        .where(SiteDay.site_id == site_id, SiteDay.day.between(first, last))
        .order_by(SiteDay.day, SiteDay.revision)
    )
    return list({row.day: row for row in found}.values())


def table_of(site_id: UUID, first: date, last: date) -> WorkingDays:
    """The site's working days from `first` to `last`."""
    rows = rows_of(site_id, first, last)
    return WorkingDays({row.day: (row.working, Label(row.name_zh, row.name_en)) for row in rows})


def is_complete(site: Site, year: int) -> bool:
    """Whether the year's holidays, and its make-up working days where the country has any, are in the table."""
    first, last = date(year, 1, 1), date(year, 12, 31)
    inside = sa.select(SiteDay.id).where(SiteDay.site_id == site.id, SiteDay.day.between(first, last))
    if site.country in HAS_MAKE_UP_DAYS:
        inside = inside.where(SiteDay.working.is_(True), SiteDay.source == "seeded")
    return db.session.execute(inside.limit(1)).first() is not None


def are_unknown(site: Site, year: int) -> bool:
    """Whether the site keeps a table of working days and the year's are not all in it yet."""
    kept = sa.select(SiteDay.id).where(SiteDay.site_id == site.id).limit(1)
    return db.session.execute(kept).first() is not None and not is_complete(site, year)


def seed(site: Site, year: int) -> int:
    """Write the year's public holidays and known make-up days, where nobody has said anything yet. How many."""
    known = set(db.session.scalars(sa.select(SiteDay.day).where(SiteDay.site_id == site.id)))
    now, added = clock.now(), 0
    for day, (working, name) in public_days(site.country, year).items():
        if day in known:
            continue
        row = SiteDay(
            site_id=site.id,
            day=day,
            revision=1,
            working=working,
            name_zh=name.zh,
            name_en=name.en,
            source="seeded",
            recorded_at=now,
        )
        db.session.add(row)
        added += 1
    db.session.flush()
    if added:
        audit.record("site:days_seeded", "site", site.id, new={"year": year, "days": added})
    return added


def public_days(country: str, year: int) -> Mapping[date, tuple[bool, Label]]:
    """Every date of the year on which the country works, or rests, against its weekday. Empty for unknown countries."""
    import holidays  # a quarter of a second, and only those who seed need it

    if country not in holidays.list_supported_countries():
        return {}
    supported = holidays.list_localized_countries().get(country, [])
    known = holidays.country_holidays(country, years=year, language="en_US" if "en_US" in supported else None)
    chinese = holidays.country_holidays(country, years=year, language="zh_CN") if "zh_CN" in supported else known
    found: dict[date, tuple[bool, Label]] = {}
    for n in range(366):
        day = date(year, 1, 1) + timedelta(days=n)
        works = known.is_working_day(day)
        if day.year == year and (works != (day.weekday() < SATURDAY) or day in known):
            name = Label(chinese.get(day, MAKE_UP.zh), known.get(day, MAKE_UP.en)) if not works else MAKE_UP
            found[day] = (works, name)
    return found


def revision_of(site_id: UUID, day: date) -> int:
    """How often something was said of this date; 0 for a date that is as its weekday says."""
    found = db.session.scalar(
        sa.select(sa.func.max(SiteDay.revision)).where(SiteDay.site_id == site_id, SiteDay.day == day)
    )
    return found or 0


def edit(site_id: UUID, day: date, content: Mapping[str, Any], by: UUID) -> SiteDay:
    """Say of one date whether the site works, what it is called and why. The site's row is locked here."""
    db.session.execute(sa.select(Site.id).where(Site.id == site_id).with_for_update())
    if not 2000 <= day.year <= 2100:
        raise fault("/day", "out_of_range", "working days are kept for the years 2000 to 2100")
    before = next(iter(rows_of(site_id, day, day)), None)
    row = SiteDay(
        site_id=site_id,
        day=day,
        revision=(before.revision if before else 0) + 1,
        working=content["working"],
        name_zh=content["name"],
        name_en=content["name"],
        source="edited",
        reason=content["reason"],
        recorded_at=clock.now(),
        recorded_by=by,
    )
    db.session.add(row)
    db.session.flush()
    audit.record(
        "site:day_edited",
        "site",
        site_id,
        old={"day": day, "working": before.working if before else day.weekday() < SATURDAY},
        new={"day": day, "working": row.working, "name": row.name_en},
        reason=row.reason,
    )
    return row
