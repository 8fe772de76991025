"""Which way a message goes: the site's own channels, or the installation's gateway where it has named none."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from backend import channels, clock, installation, outbox, studies
from backend.channels import SMS, VOICE
from backend.models.outbox import Message
from backend.models.people import Account
from backend.models.study import Site, SiteChannel
from notifications import hours
from notifications.gateways import choose, http
from notifications.gateways.base import Line
from notifications.texts.catalogue import language_of
from schedules.faults import Fault


@dataclass(frozen=True, slots=True)
class Route:
    """A gateway by its name, and what the site's channel adds to it. `shared`: one post for all that is due."""

    gateway: str
    line: Line
    shared: bool = False


def media(site_id: UUID, rung: int) -> tuple[str, ...]:
    """The media of one of the ladder's channels (1, 2). A site without a second one has its first again."""
    named = channels.of_site(site_id)
    first = _waking(tuple(row.medium for row in named if row.rung == 1))
    second = tuple(row.medium for row in named if row.rung == 2)
    return _waking(second) if rung == 2 and second else first


def all_media(site_id: UUID) -> tuple[str, ...]:
    return _waking(tuple(row.medium for row in channels.of_site(site_id)))


def _waking(named: tuple[str, ...]) -> tuple[str, ...]:
    """A robot wakes nobody: where nothing else is named, texts go as well."""
    return named if set(named) & {*channels.WAKING} else (SMS, *named)


def route_of(message: Message) -> Route | None:
    """The way of one message as the site has it now; None where the channel is gone. Raises KeysUnreadable."""
    row = channels.find(message.site_id, message.medium)
    if row is None:
        return Route(installation.settings().sms_gateway, Line()) if message.medium == SMS else None
    secrets = channels.secrets_of(row)
    if secrets is None:
        raise KeysUnreadable
    return Route(row.gateway, Line(secrets, row.platform), message.medium in channels.ROBOTS)


class KeysUnreadable(Exception):
    """A channel's keys cannot be opened until its field key is here again, or they are entered anew."""


def faults_in(medium: str, content: Mapping[str, Any]) -> Iterator[Fault]:
    """Why no gateway could carry a channel as it is wanted: gateway, secrets and platform as they came."""
    settings, gateway = installation.settings(), content["gateway"]
    fits = (medium,) if medium in channels.ROBOTS else choose.FOR_PEOPLE
    if gateway not in fits:
        yield Fault("/gateway", "not_allowed", f"{medium} goes by {' or '.join(fits)}")
    elif gateway not in choose.available(settings):
        yield Fault("/gateway", "not_installed", "the settings do not hold what this gateway needs")
    elif medium == VOICE and gateway == "twilio" and not settings.twilio_voice_number:
        yield Fault("/gateway", "not_installed", "TWILIO_VOICE_NUMBER is not set")
    for one in http.faults_in(content.get("platform", {})):
        yield Fault(f"/platform{one.path}", one.code, one.message)
    url = content.get("secrets", {}).get("url")
    if url is not None and not _is_address(url, ("https",) if settings.live else ("http", "https")):
        yield Fault("/secrets/url", "invalid", "an address that begins with https://")


def _is_address(url: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and url.isascii() and not set(url) & set(" \n\t")
    except ValueError:
        return False


def post_test(site: Site, row: SiteChannel, account: Account) -> Message:
    """A test page to one person over one channel, in the page lane like any other page."""
    now = clock.now()
    number = studies.next_page_number(site.id)
    message = outbox.post(
        key=f"test:{site.id}:{number}",
        lane=outbox.PAGE,
        site_id=site.id,
        account_id=account.id,
        channel=row.rung,
        medium=row.medium,
        template="test_page",
        variables={"number": number, "time": f"{hours.local(now, site.time_zone):%H:%M}"},
        language=language_of(account.locale),
        due_at=now,
        now=now,
    )
    assert message is not None  # the number is new
    channels.tested_by(row, message)
    return message
