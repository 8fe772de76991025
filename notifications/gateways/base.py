"""What every gateway takes and answers. A gateway renders the text itself; nobody else ever holds it.

A domestic provider wants a template id and variables, not free text: hence the shape of `Outgoing`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from backend.channels import SMS, VOICE
from notifications.texts import catalogue

ACCEPTED, REFUSED, UNKNOWN = "accepted", "refused", "unknown"


@dataclass(frozen=True, slots=True)
class Line:
    """What a site's own channel knows beyond the installation's settings: address and keys, and a platform's wishes."""

    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    platform: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One call about to be made. `to` is E.164 ("" where a robot has nobody to mention), in no representation.

    `also`: pages that travel in the same call, as a group robot bundles them.
    """

    message_id: UUID
    to: str = field(repr=False)
    lane: str
    template: str
    language: str
    variables: Mapping[str, Any]
    channel: int = 1
    not_after: datetime | None = None
    medium: str = SMS
    line: Line = field(default_factory=Line, repr=False)
    also: tuple["Outgoing", ...] = ()

    def text(self) -> str:
        """What the person reads, or hears. Raises UnknownText."""
        return catalogue.text_of(self.template, self.language, self.variables, spoken=self.medium == VOICE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known after the call.

    accepted: the provider has it. refused: it has not; `permanent` means never again, otherwise later, not
    before `retry_after_s`. unknown: it may have it. `code` is the provider's or ours. `alarm`: somebody must
    mend the configuration. `stop`: no call of this sender can succeed until then. `counts`: uses up an attempt.
    """

    kind: str
    code: str | None = None
    provider_id: str | None = None
    segments: int | None = None
    permanent: bool = False
    retry_after_s: int | None = None
    alarm: bool = False
    stop: bool = False
    opted_out: bool = False
    counts: bool = True


def accepted(provider_id: str | None, segments: int | None = None) -> Outcome:
    return Outcome(ACCEPTED, provider_id=provider_id, segments=segments)


def refused(code: str, *, alarm: bool = False, opted_out: bool = False) -> Outcome:
    """Never again."""
    return Outcome(REFUSED, code, permanent=True, alarm=alarm, opted_out=opted_out)


def later(code: str, *, retry_after_s: int | None = None, counts: bool = True) -> Outcome:
    """Certainly not sent; try again."""
    return Outcome(REFUSED, code, retry_after_s=retry_after_s, counts=counts)


def stopped(code: str) -> Outcome:
    """Credentials, account or sender are wrong: keep the row, stop the sender, raise an alarm."""
    return Outcome(REFUSED, code, alarm=True, stop=True, counts=False)


def unknown(code: str) -> Outcome:
    """It may have been sent: timeout, broken connection, a 5xx."""
    return Outcome(UNKNOWN, code)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A provider's word on what became of a message it took, in our states.

    `again_after`: it did not arrive and may be tried once more then. `alarm`, `opted_out`: as of an Outcome.
    """

    state: str
    code: str | None = None
    provider_id: str | None = None
    again_after: timedelta | None = None
    alarm: bool = False
    opted_out: bool = False


class Gateway(Protocol):
    """One provider. `send` may raise; whoever calls takes that as unknown. `can_look_up`: it can be asked later."""

    name: str
    can_look_up: bool

    def send(self, outgoing: Outgoing) -> Outcome: ...

    def look_up(self, outgoing: Outgoing, since: datetime) -> tuple[str, ...]:
        """Ids of texts equal to this one that the provider took for this number since then."""
        ...

    def status_of(self, provider_id: str) -> Receipt | None:
        """What became of a message; None if nobody knows."""
        ...


class Unasked:
    """What a gateway has that can be asked nothing later."""

    can_look_up = False

    def look_up(self, outgoing: Outgoing, since: datetime) -> tuple[str, ...]:
        return ()

    def status_of(self, provider_id: str) -> Receipt | None:
        return None


class Gateways(Protocol):
    """Every gateway there is, by name."""

    def by(self, name: str) -> Gateway: ...
