"""Which way a message goes: the site's own channels, or the installation's gateway where it has named none."""

from dataclasses import dataclass
from uuid import UUID

import structlog

from backend import channels, clock, installation, outbox
from backend.models.outbox import Message
from backend.models.people import Account
from backend.models.study import Site, SiteChannel
from notifications import hours
from notifications.gateways.base import SMS, Line
from notifications.texts.catalogue import language_of

log = structlog.get_logger(__name__)


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
    """The way of one message as the site has it now; None where the channel is gone or its keys cannot be read."""
    row = channels.find(message.site_id, message.medium)
    if row is None:
        return Route(installation.settings().sms_gateway, Line()) if message.medium == SMS else None
    secrets = channels.readable_secrets(row)
    if secrets is None:
        log.error("channel.cannot_open", site_id=str(message.site_id), medium=message.medium)
        return None
    return Route(row.gateway, Line(secrets, row.platform), message.medium in channels.ROBOTS)


def post_test(site: Site, row: SiteChannel, account: Account) -> Message:
    """A test page to one person over one channel, in the page lane like any other page."""
    now = clock.now()
    number = channels.next_number(site)
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
