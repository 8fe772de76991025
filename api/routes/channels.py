"""By which ways a site's messages travel, test pages over them, and the step to live. Keys go in and never come out."""

from typing import Any
from uuid import UUID

import marshmallow as ma

from api.doors import Caller, Room, etag, must_match
from api.fields import Body, Id, Instant, Text, Whole, Word
from backend import channels, rota
from backend.db import db
from backend.errors import Problem, fault, invalid
from backend.models.outbox import FINAL_STATES, TOLD_STATES, Message
from backend.models.people import Account
from backend.models.study import Site, SiteChannel
from notifications import routing
from notifications.gateways import choose

room = Room("channels", __name__, url_prefix="/api/v1/sites", description="How pages reach people")


class SecretsBody(Body):
    """What is left out stays as it was. `key`: a robot's; `url`, `secret`: a platform's, or DingTalk's signature."""

    url = Text(most=500)
    key = Text(most=200)
    secret = Text(most=200)


class ChannelBody(Body):
    gateway = Word(*choose.NAMES, required=True)
    rung = Whole(least=1, most=2, required=True, metadata={"description": "which of the ladder's channels it serves"})
    secrets = ma.fields.Nested(SecretsBody)
    platform = ma.fields.Dict(keys=ma.fields.String(), metadata={"description": "what a hospital's platform wants"})


class ChannelAnswer(Body):
    """`wakes`: a text or a call. `secrets`: the names of what is kept, never more. `test`: the last one, if any."""

    medium = Word(*channels.MEDIA, required=True)
    gateway = ma.fields.String(required=True)
    rung = ma.fields.Integer(required=True)
    wakes = ma.fields.Boolean(required=True)
    secrets = ma.fields.List(ma.fields.String(), required=True)
    platform = ma.fields.Dict(required=True)
    test = Word("none", "waiting", "sent", "lost", "accepted", required=True)
    accepted_at = Instant(required=True, allow_none=True)
    accepted_by = Id(required=True, allow_none=True)
    warnings = ma.fields.List(ma.fields.String(), required=True)
    version = ma.fields.Integer(required=True)


class ChannelsAnswer(Body):
    site_id = Id(required=True)
    live_at = Instant(required=True, allow_none=True)
    items = ma.fields.List(ma.fields.Nested(ChannelAnswer), required=True)
    next_cursor = ma.fields.String(required=True, allow_none=True)


class TestBody(Body):
    account_id = Id(required=True)


class AcceptanceBody(Body):
    number = Whole(required=True, metadata={"description": "the number that the test page carried"})


def view(site: Site, row: SiteChannel) -> dict[str, Any]:
    plain = ("medium", "gateway", "rung", "platform", "accepted_at", "accepted_by", "version")
    return {
        **{name: getattr(row, name) for name in plain},
        "wakes": row.medium in channels.WAKING,
        "secrets": sorted(channels.secrets_of(row) or ()),
        "test": _test_of(row),
        "warnings": _warnings(site, row),
    }


def _test_of(row: SiteChannel) -> str:
    if row.test_message_id is None:
        return "none"
    if row.accepted_at is not None:
        return "accepted"
    state = db.session.get_one(Message, row.test_message_id).state
    return "sent" if state in TOLD_STATES else "waiting" if state not in FINAL_STATES else "lost"


def _warnings(site: Site, row: SiteChannel) -> list[str]:
    """What people should know before they rely on it; most of it of Twilio in mainland China."""
    found = ["keys_unreadable"] if channels.secrets_of(row) is None else []
    if site.country == channels.MAINLAND_CHINA and row.gateway == "twilio":
        found += ["numbers_leave_country", "no_replies", "few_texts_a_day"]
    return found


def whole(site: Site) -> dict[str, Any]:
    items = [view(site, row) for row in channels.of_site(site.id)]
    return {"site_id": site.id, "live_at": site.live_at, "items": items, "next_cursor": None}


def _locked(caller: Caller, site_id: UUID) -> Site:
    site = caller.site(site_id)
    channels.lock(site)
    return site


def _known(medium: str) -> str:
    if medium not in channels.MEDIA:
        raise Problem("not_found")
    return medium


def _row(site: Site, medium: str) -> SiteChannel:
    row = channels.find(site.id, _known(medium))
    if row is None:
        raise Problem("not_found")
    return row


@room.door("GET", "/<uuid:site_id>/channels", "channel:read", answer=ChannelsAnswer)
def read_channels(caller: Caller, site_id: UUID) -> Any:
    """The channels a site has named; none: everything goes as texts by the installation's gateway."""
    return whole(caller.site(site_id))


@room.door(
    "PUT",
    "/<uuid:site_id>/channels/<string:medium>",
    "channel:set",
    body=ChannelBody,
    answer=ChannelAnswer,
    refuses=(412, 428),
)
def set_channel(caller: Caller, site_id: UUID, medium: str, body: dict[str, Any]) -> Any:
    """Set a channel; once it goes another way it has to be tested again. `If-Match` once there is one."""
    site = _locked(caller, site_id)
    stored = channels.find(site.id, _known(medium))
    if stored is not None:
        must_match(stored.version)
    row = channels.put(site, medium, body, list(routing.faults_in(medium, body)))
    return view(site, row), 200, etag(row.version)


@room.door(
    "DELETE", "/<uuid:site_id>/channels/<string:medium>", "channel:set", answer=ChannelsAnswer, if_match=True
)  # fmt: skip
def drop_channel(caller: Caller, site_id: UUID, medium: str) -> Any:
    """Take a channel away."""
    site = _locked(caller, site_id)
    row = _row(site, medium)
    must_match(row.version)
    channels.drop(site, row)
    return whole(site)


@room.door(
    "POST",
    "/<uuid:site_id>/channels/<string:medium>/tests",
    "channel:test",
    body=TestBody,
    answer=ChannelAnswer,
    status=201,
)
def test_channel(caller: Caller, site_id: UUID, medium: str, body: dict[str, Any]) -> Any:
    """Send a test page to somebody who answers pages; the last one counts."""
    site = _locked(caller, site_id)
    row = _row(site, medium)
    faults = [
        one
        for one in rota.carrier_faults(site.id, body["account_id"], "/account_id")
        if one.code != "no_phone" or row.medium in channels.WAKING  # a robot reaches those without a number too
    ]
    if faults:
        raise invalid(*faults)
    account = db.session.get_one(Account, body["account_id"])
    routing.post_test(site, row, account)
    return view(site, row), 201, etag(row.version)


@room.door(
    "PUT",
    "/<uuid:site_id>/channels/<string:medium>/test-acceptance",
    "channel:accept",
    body=AcceptanceBody,
    answer=ChannelAnswer,
)
def accept_test(caller: Caller, site_id: UUID, medium: str, body: dict[str, Any]) -> Any:
    """Say that the last test page reached you, by the number it carried."""
    site = _locked(caller, site_id)
    row = _row(site, medium)
    message = db.session.get(Message, row.test_message_id) if row.test_message_id else None
    if message is None or message.account_id != caller.id:
        raise Problem("conflict", "the last test page over this channel was not for you")
    if body["number"] != message.variables["number"]:
        raise fault("/number", "not_allowed", "this is not the number of the last test page")
    if not channels.accept_test(row, caller.id):
        raise Problem("conflict", "no gateway has taken this test page yet")
    return view(site, row), 200, etag(row.version)


@room.door("PUT", "/<uuid:site_id>/live", "site:go_live", answer=ChannelsAnswer)
def go_live(caller: Caller, site_id: UUID) -> Any:
    """From now on the site enrols: a test page was accepted over a channel that wakes."""
    site = _locked(caller, site_id)
    channels.go_live(site)
    return whole(site)
