"""By which ways a site's messages travel, their test pages, and since when the site may enrol. Sends nothing.

A site that names no channel texts by the installation's gateway. It goes live once a person has said that a test page
reached them over a channel that wakes: a group robot stands beside texts and calls, never instead of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from backend import audit, clock, strictjson
from backend.crypto import CannotOpen
from backend.db import db
from backend.errors import Problem, invalid
from backend.installation import settings, vault
from backend.models.outbox import TOLD_STATES, Message
from backend.models.study import Site, SiteChannel
from backend.sealed import CHANNEL
from schedules.faults import Fault

SMS, VOICE, WECOM, DINGTALK = "sms", "voice", "wecom", "dingtalk"
ROBOTS = (WECOM, DINGTALK)
MEDIA = (SMS, VOICE, *ROBOTS)
WAKING = (SMS, VOICE)
MAINLAND_CHINA = "CN"


def lock(site: Site) -> None:
    """Every change of a site's channels begins here: what is read afterwards is what there is."""
    db.session.refresh(site, with_for_update=True)


def of_site(site_id: UUID) -> Sequence[SiteChannel]:
    """The channels a site has named, the ladder's first before its second."""
    return db.session.scalars(
        sa.select(SiteChannel).where(SiteChannel.site_id == site_id).order_by(SiteChannel.rung, SiteChannel.medium)
    ).all()


def find(site_id: UUID, medium: str) -> SiteChannel | None:
    return db.session.execute(
        sa.select(SiteChannel).where(SiteChannel.site_id == site_id, SiteChannel.medium == medium)
    ).scalar_one_or_none()


def secrets_of(row: SiteChannel) -> Mapping[str, str] | None:
    """Address and keys. None where they cannot be opened."""
    if row.sealed is None:
        return {}
    try:
        opened: dict[str, str] = strictjson.loads(vault().open(CHANNEL, row.id, row.sealed))
    except CannotOpen:
        return None
    return opened


def put(site: Site, medium: str, content: Mapping[str, Any], found: Sequence[Fault] = ()) -> SiteChannel:
    """Set one channel: gateway, rung, secrets and platform. `found`: what the gateways' side finds wrong with it.

    Secrets left out stay as they were. Once it reaches people in another way it has to be tested again; a site that is
    live stays so. The caller has locked the site.
    """
    row = find(site.id, medium)
    old = _spoken(row) if row is not None else None
    held = secrets_of(row) if row is not None else {}
    same = row is not None and row.gateway == content["gateway"]
    secrets = {**((held or {}) if same else {}), **content.get("secrets", {})}
    fits = not any(one.path == "/gateway" for one in found)  # else what the gateway wants is beside the point
    faults = [*found, *_faults(site, medium, content["gateway"] if fits else None, secrets)]
    if same and held is None and not content.get("secrets"):
        faults.append(Fault("/secrets", "required", "the ones that are kept cannot be read: enter them anew"))
    if faults:
        raise invalid(*sorted(faults, key=lambda one: one.path))
    if row is None:
        row = SiteChannel(id=uuid4(), site_id=site.id, medium=medium, version=0)
        db.session.add(row)
    platform = content.get("platform", {})
    if (row.gateway, row.platform, held) != (content["gateway"], platform, secrets):
        row.test_message_id = row.accepted_at = row.accepted_by = None
    if secrets != held:
        row.sealed = vault().seal(CHANNEL, row.id, strictjson.canonical(secrets)) if secrets else None
    row.gateway, row.rung, row.platform = content["gateway"], content["rung"], platform
    row.version += 1
    db.session.flush()
    audit.record("channel:set", "site", site.id, old=old, new={**_spoken(row), "secrets": "changed"})
    return row


def _faults(site: Site, medium: str, gateway: str | None, secrets: Mapping[str, str]) -> Iterator[Fault]:
    if medium == VOICE and gateway == "twilio" and site.country == MAINLAND_CHINA:
        yield Fault("/gateway", "not_allowed", "Twilio makes no calls to mainland China")
    if medium in ROBOTS and not secrets.get("key"):
        yield Fault("/secrets/key", "required", "the robot's key, from its address")
    if gateway == "http":
        yield from _platform_faults(secrets)


def _platform_faults(secrets: Mapping[str, str]) -> Iterator[Fault]:
    if secrets.get("url") and not secrets.get("secret"):
        yield Fault("/secrets/secret", "required", "the platform's requests are signed with it")
    elif not secrets.get("url") and secrets.get("secret"):
        yield Fault("/secrets/url", "required", "a secret of its own belongs to an address of its own")
    elif not secrets.get("url") and not settings().http_gateway_url:
        yield Fault("/secrets/url", "required", "nothing says where the platform listens")


def drop(site: Site, row: SiteChannel) -> None:
    """Take a channel away: texts go by the installation's gateway again, what waits for another way fails."""
    old = _spoken(row)
    db.session.delete(row)
    db.session.flush()
    audit.record("channel:dropped", "site", site.id, old=old)


def _spoken(row: SiteChannel) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("medium", "gateway", "rung", "platform")}


def tested_by(row: SiteChannel, message: Message) -> None:
    """A test page has been posted over this channel: the last one is what counts."""
    row.test_message_id, row.accepted_at, row.accepted_by = message.id, None, None
    row.version += 1
    db.session.flush()
    audit.record("channel:tested", "site", row.site_id, new={"medium": row.medium, "to": message.account_id})


def accept_test(row: SiteChannel, account_id: UUID) -> bool:
    """Whoever the last test page was for says that it reached them. False for anybody else, or without one."""
    message = db.session.get(Message, row.test_message_id) if row.test_message_id else None
    if message is None or message.account_id != account_id or message.state not in TOLD_STATES:
        return False
    if row.accepted_at is None:
        row.accepted_at, row.accepted_by = clock.now(), account_id
        row.version += 1
        db.session.flush()
        audit.record("channel:accepted", "site", row.site_id, new={"medium": row.medium, "by": account_id})
    return True


def tested_with(message_id: UUID) -> SiteChannel | None:
    """The channel whose last test page this message is."""
    return db.session.execute(
        sa.select(SiteChannel).where(SiteChannel.test_message_id == message_id)
    ).scalar_one_or_none()


def go_live(site: Site) -> None:
    """From now on the site may enrol. 409 until a test page was accepted over a channel that wakes."""
    if site.live_at is not None:
        return
    if not any(row.accepted_at and row.medium in WAKING for row in of_site(site.id)):
        raise Problem("no_waking_channel")
    site.live_at = clock.now()
    site.version += 1
    db.session.flush()
    audit.record("site:went_live", "site", site.id)


def refuse_not_live(site: Site) -> None:
    """409 for an enrolment at a site whose pages have not been proven to reach anybody."""
    if site.live_at is None:
        raise Problem("site_not_live")
