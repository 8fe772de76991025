"""The rota: who is on call, with the gaps of the next 24 hours."""

from typing import Any
from uuid import UUID

import marshmallow as ma
import sqlalchemy as sa
from marshmallow import validate

from api.doors import Caller, Room, etag, must_match
from api.fields import Body, Id, Instant, Query, Word
from backend import clock, rota
from backend.db import db
from backend.models.people import Account
from backend.models.study import Site

room = Room("on_call", __name__, url_prefix="/api/v1/on-call", description="The rota of a site")


class ShiftBody(Body):
    id = Id(required=True)
    duty = Word(*rota.DUTIES, required=True)
    account_id = Id(required=True)
    starts_at = Instant(required=True)
    ends_at = Instant(required=True)


class ShiftAnswer(ShiftBody):
    name = ma.fields.String(required=True)
    confirmed_at = Instant(required=True, allow_none=True)


class GapAnswer(Body):
    duty = ma.fields.String(required=True)
    since = Instant(required=True, data_key="from")
    until = Instant(required=True, data_key="to")


class RotaBody(Body):
    site_id = Id(required=True)
    shifts = ma.fields.List(ma.fields.Nested(ShiftBody), required=True, validate=validate.Length(max=400))


class RotaAnswer(Body):
    site_id = Id(required=True)
    shifts = ma.fields.List(ma.fields.Nested(ShiftAnswer), required=True)
    gaps = ma.fields.List(ma.fields.Nested(GapAnswer), required=True)


class RotaQuery(Query):
    site_id = Id(required=True)


@room.door("GET", "", "rota:read", query=RotaQuery, answer=RotaAnswer)
def read_rota(caller: Caller, query: dict[str, Any]) -> Any:
    """The present and future rota of a site, and who is missing in the next 24 hours."""
    site = caller.site(query["site_id"], "/site_id")
    return _view(site), 200, etag(site.version)


@room.door("PUT", "", "rota:change", body=RotaBody, answer=RotaAnswer, if_match=True)
def write_rota(caller: Caller, body: dict[str, Any]) -> Any:
    """Replace the present and future rota of a site."""
    caller.site(body["site_id"], "/site_id")
    site = db.session.execute(
        sa.select(Site).where(Site.id == body["site_id"]).with_for_update().execution_options(populate_existing=True)
    ).scalar_one()
    must_match(site.version)
    rota.replace(site, body["shifts"], caller.id)
    return _view(site), 200, etag(site.version)


@room.door("PUT", "/shifts/<uuid:shift_id>/confirmation", "shift:confirm", answer=RotaAnswer)
def confirm_shift(caller: Caller, shift_id: UUID) -> Any:
    """Say "I have the pager", as the one whose shift it is."""
    shift = rota.confirm(shift_id, caller.id)
    return _view(db.session.get_one(Site, shift.site_id))


def _view(site: Site) -> dict[str, Any]:
    now = clock.now()
    shifts = rota.shifts_of(site.id, now)
    carriers = sa.select(Account.id, Account.name).where(Account.id.in_([shift.account_id for shift in shifts]))
    names = {row.id: row.name for row in db.session.execute(carriers)}
    fields = ("id", "duty", "account_id", "starts_at", "ends_at", "confirmed_at")
    return {
        "site_id": site.id,
        "shifts": [
            {**{name: getattr(shift, name) for name in fields}, "name": names[shift.account_id]} for shift in shifts
        ],
        "gaps": rota.gaps(shifts, now, now + rota.AHEAD),
    }
