"""How a command takes an instant of the past. What doors take is `api.fields`."""

from datetime import UTC, datetime

import click

from backend import clock


class PastInstant(click.ParamType[datetime]):
    """RFC 3339 with an offset, not after now; UTC comes out."""

    name = "instant"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            given = datetime.fromisoformat(value)
            if given.tzinfo is None:
                self.fail("it needs an offset, for example 2026-11-25T08:00:00Z", param, ctx)
            at = given.astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail("it is not an instant, for example 2026-11-25T08:00:00Z", param, ctx)
        if at > clock.now():
            self.fail("it lies in the future, of which nothing is known", param, ctx)
        return at
