"""The ward: who is in hospital and when each was last looked at, and one subject's rounds as a grid."""

from typing import Any
from uuid import UUID

import marshmallow as ma

from api.doors import MAX_LIMIT, Caller, Room, listed
from api.fields import Anything, Body, Id, Instant, Query, QueryWhole
from backend import policy, ward
from backend.ward import Bed, Round

room = Room("ward", __name__, url_prefix="/api/v1", description="Subjects in hospital")


class RoundAnswer(Body):
    """One row of the grid: an entry from the ward."""

    id = Id(required=True)
    form = ma.fields.String(required=True)
    at = Instant(required=True)
    answers = ma.fields.Dict(keys=ma.fields.String(), values=Anything(allow_none=True), required=True)
    revision = ma.fields.Integer(required=True)


class BedAnswer(Body):
    """`away_since`: on a pass, so reporting as at home."""

    subject_id = Id(required=True)
    subject_number = ma.fields.String(required=True)
    site_id = Id(required=True)
    since = Instant(required=True)
    place = ma.fields.String(required=True, allow_none=True)
    away_since = Instant(required=True, allow_none=True)
    last_round = ma.fields.Nested(RoundAnswer, required=True, allow_none=True)


class WardQuery(Query):
    site_id = Id()


class RoundQuery(Query):
    since = Instant(data_key="from")
    until = Instant(data_key="to")
    limit = QueryWhole(least=1, most=MAX_LIMIT, load_default=MAX_LIMIT)


@room.door("GET", "/ward", "ward:read", query=WardQuery, answer=listed(BedAnswer, "Ward"))
def in_hospital(caller: Caller, query: dict[str, Any]) -> Any:
    """Everybody in hospital, by number, with place, pass and last round."""
    site_ids = (
        [caller.site(query["site_id"], "/site_id").id] if "site_id" in query else list(policy.sites_of(caller.id))
    )
    return {"items": [_bed(one) for one in ward.beds(site_ids)], "next_cursor": None}


@room.door(
    "GET", "/subjects/<uuid:subject_id>/rounds", "ward:read", query=RoundQuery, answer=listed(RoundAnswer, "Rounds")
)
def rounds(caller: Caller, subject_id: UUID, query: dict[str, Any]) -> Any:
    """The rounds of a subject as a grid, newest first. A round is entered as an entry with source `ward`."""
    subject = caller.subject(subject_id)
    found = ward.rounds(subject.id, query.get("since"), query.get("until"), query["limit"])
    return {"items": [_round(one) for one in found], "next_cursor": None}


def _bed(bed: Bed) -> dict[str, Any]:
    return {
        "subject_id": bed.subject.id,
        "subject_number": bed.subject.number,
        "site_id": bed.subject.site_id,
        "since": bed.since,
        "place": bed.place,
        "away_since": bed.away_since,
        "last_round": _round(bed.last_round) if bed.last_round else None,
    }


def _round(one: Round) -> dict[str, Any]:
    return {
        "id": one.entry.id,
        "form": one.entry.form,
        "at": one.version.effective_at,
        "answers": one.version.answers,
        "revision": one.version.revision,
    }
