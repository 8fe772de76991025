"""The working days of a site: public holidays and make-up days, seeded and corrected by people."""

from datetime import date
from typing import Any
from uuid import UUID

import marshmallow as ma

from api.doors import Caller, Room, etag, must_match
from api.fields import Body, Day, Flag, Query, QueryWhole, Text, Word
from backend import clock, workdays
from backend.errors import fault
from backend.models.calendar import SiteDay
from schedules.windows import local_date

room = Room("workdays", __name__, url_prefix="/api/v1/sites", description="Working days")


class DayAnswer(Body):
    day = Day(required=True)
    working = ma.fields.Boolean(required=True)
    name = ma.fields.String(required=True)
    source = Word("seeded", "edited", required=True)
    reason = ma.fields.String(required=True, allow_none=True)
    revision = ma.fields.Integer(required=True)


class YearAnswer(Body):
    """Dates that are not as their weekday says. `complete`: the make-up days of the year are in the table."""

    items = ma.fields.List(ma.fields.Nested(DayAnswer), required=True)
    next_cursor = ma.fields.String(required=True, allow_none=True)
    complete = ma.fields.Boolean(required=True)


class YearQuery(Query):
    year = QueryWhole(least=2000, most=2100, metadata={"description": "the site's current year unless said"})


class DayBody(Body):
    working = Flag(required=True)
    name = Text(most=100, required=True)
    reason = Text(most=1000, required=True)


def view(row: SiteDay, locale: str) -> dict[str, Any]:
    name = row.name_zh if locale.startswith("zh") else row.name_en
    plain = DayAnswer().fields.keys() - {"name"}
    return {**{one: getattr(row, one) for one in plain}, "name": name}


@room.door("GET", "/<uuid:site_id>/working-days", "site:read", query=YearQuery, answer=YearAnswer)
def read_year(caller: Caller, site_id: UUID, query: dict[str, Any]) -> Any:
    """The dates of a year on which the site works, or rests, against their weekday."""
    site = caller.site(site_id)
    year = query.get("year", local_date(clock.now(), site.time_zone).year)
    rows = workdays.rows_of(site.id, date(year, 1, 1), date(year, 12, 31))
    items = [view(row, caller.account.locale) for row in rows]
    return {"items": items, "next_cursor": None, "complete": workdays.is_complete(site, year)}


@room.door(
    "PUT", "/<uuid:site_id>/working-days/<string:day>", "site:set_days", body=DayBody, answer=DayAnswer,
    refuses=(412, 428),
)  # fmt: skip
def set_day(caller: Caller, site_id: UUID, day: str, body: dict[str, Any]) -> Any:
    """Say of one date whether the site works, with the reason; `If-Match` once something was said of it."""
    site = caller.site(site_id)
    try:
        on = date.fromisoformat(day)
    except ValueError as error:
        raise fault("/day", "invalid", "a date, YYYY-MM-DD") from error
    revision = workdays.revision_of(site.id, on)
    if revision:
        must_match(revision)
    row = workdays.edit(site.id, on, body, caller.id)
    return view(row, caller.account.locale), 200, etag(row.revision)
