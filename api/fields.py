"""Marshmallow fields that take JSON at its word: a number is a number, an instant has an offset.

Marshmallow's own are lenient ("5" is an integer, "yes" is true); a stored report may not be.
Error messages are marshmallow's; `api.problems` turns them into stable codes.
"""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

import marshmallow as ma
from marshmallow import validate

from backend import clock

_ZONES = frozenset(available_timezones())
EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
MAX_INTEGER = 2**31 - 1


class Body(ma.Schema):
    """Base of every request and answer schema: unknown keys are refused, order is as declared."""

    class Meta:
        unknown = ma.RAISE


class Query(ma.Schema):
    """Base of query strings."""

    class Meta:
        unknown = ma.RAISE


class Text(ma.fields.String):
    """A string of bounded length, trimmed, without control characters but line breaks."""

    def __init__(self, *, most: int = 200, least: int = 1, **kwargs: Any) -> None:
        super().__init__(validate=validate.Length(min=least, max=most), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if any(ord(c) < 32 and c not in "\n\t" for c in text):
            raise ma.ValidationError("Not a valid string.")
        return text.strip()


class Word(ma.fields.String):
    """One of a few known words."""

    def __init__(self, *words: str, **kwargs: Any) -> None:
        super().__init__(validate=validate.OneOf(words), **kwargs)


class Shaped(ma.fields.String):
    """A string that a pattern describes wholly. Published as browsers write it: they know no `\\A`, and to Python
    `$` would let a line break follow."""

    def __init__(self, pattern: str, **kwargs: Any) -> None:
        wanted = re.compile(pattern)

        def be_shaped(text: str) -> None:
            if wanted.fullmatch(text) is None:
                raise ma.ValidationError("String does not match expected pattern.")

        metadata = {**kwargs.pop("metadata", {}), "pattern": f"^{pattern}$"}
        super().__init__(validate=be_shaped, metadata=metadata, **kwargs)


class Key(Shaped):
    """A key of the study definition: letters, digits, point, dash, underscore."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("[A-Za-z0-9_.-]{1,40}", **kwargs)


class Whole(ma.fields.Integer):
    """A JSON integer within bounds."""

    def __init__(self, *, least: int = 0, most: int = MAX_INTEGER, **kwargs: Any) -> None:
        super().__init__(strict=True, validate=validate.Range(min=least, max=most), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if isinstance(value, (str, bool)) or not isinstance(value, (int, Decimal)):
            raise self.make_error("invalid")
        if isinstance(value, Decimal) and value != value.to_integral_value():
            raise self.make_error("invalid")
        return int(value)


class QueryWhole(ma.fields.Integer):
    """An integer in a query string, within bounds."""

    def __init__(self, *, least: int = 0, most: int = MAX_INTEGER, **kwargs: Any) -> None:
        super().__init__(validate=validate.Range(min=least, max=most), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not isinstance(value, str) or re.fullmatch("-?[0-9]{1,11}", value) is None:
            raise self.make_error("invalid")
        return int(value)


class Flag(ma.fields.Boolean):
    """A JSON true or false, nothing that looks like one."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Number(ma.fields.Field[Decimal]):
    """A JSON number kept with the digits given."""

    default_error_messages = {"invalid": "Not a valid number."}  # noqa: RUF012

    def __init__(self, *, least: str | None = None, most: str | None = None, **kwargs: Any) -> None:
        bounds = validate.Range(
            min=Decimal(least) if least is not None else None, max=Decimal(most) if most is not None else None
        )
        super().__init__(validate=bounds, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
            raise self.make_error("invalid")
        return Decimal(value)

    def _serialize(self, value: Decimal | None, attr: str | None, obj: Any, **kwargs: Any) -> Decimal | None:
        return value


class Instant(ma.fields.Field[datetime]):
    """RFC 3339 with an offset in, UTC `Z` out."""

    default_error_messages = {"invalid": "Not a valid instant with offset."}  # noqa: RUF012

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        if not isinstance(value, str) or len(value) > 40 or "T" not in value.upper():
            raise self.make_error("invalid")
        try:
            instant = datetime.fromisoformat(value.upper())
            if instant.tzinfo is None:
                raise self.make_error("invalid")
            instant = instant.astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise self.make_error("invalid") from error
        if not EARLIEST <= instant <= LATEST:
            raise ma.ValidationError("Outside the years 1900 to 2200.")
        return instant

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> datetime | None:
        return value


class Past(Instant):
    """An instant that is not ahead: of what comes nothing is known yet."""

    default_error_messages = {"future": "In the future."}  # noqa: RUF012

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        at = super()._deserialize(value, attr, data, **kwargs)
        if at > clock.now() + clock.TOLERANCE:
            raise self.make_error("future")
        return at


class Day(ma.fields.Field[date]):
    """A calendar date, YYYY-MM-DD."""

    default_error_messages = {"invalid": "Not a valid date."}  # noqa: RUF012

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date:
        try:
            if not isinstance(value, str) or len(value) != 10:
                raise ValueError
            day = date.fromisoformat(value)
        except ValueError as error:
            raise self.make_error("invalid") from error
        if not EARLIEST.year <= day.year < LATEST.year:
            raise ma.ValidationError("Outside the years 1900 to 2200.")
        return day

    def _serialize(self, value: date | None, attr: str | None, obj: Any, **kwargs: Any) -> date | None:
        return value


class Id(ma.fields.Field[UUID]):
    """A UUID in its canonical text."""

    default_error_messages = {"invalid": "Not a valid UUID."}  # noqa: RUF012

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> UUID:
        try:
            if not isinstance(value, str) or len(value) != 36:
                raise ValueError
            return UUID(value)
        except ValueError as error:
            raise self.make_error("invalid") from error

    def _serialize(self, value: UUID | None, attr: str | None, obj: Any, **kwargs: Any) -> UUID | None:
        return value


class Zone(ma.fields.String):
    """An IANA time zone name."""

    default_error_messages = {"zone": "Not a known time zone."}  # noqa: RUF012

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        name = super()._deserialize(value, attr, data, **kwargs)
        if name not in _ZONES:
            raise self.make_error("zone")
        return str(name)


class Anything(ma.fields.Field[Any]):
    """JSON whose shape the study definition decides; checked there."""


class Keyed(ma.fields.Dict):
    """An object of values by key; a bad key or value is named by the key alone."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        try:
            return super()._deserialize(value, attr, data, **kwargs)  # type: ignore[no-untyped-call]
        except ma.ValidationError as error:
            if not isinstance(error.messages, dict):
                raise
            flat = {name: [one for some in parts.values() for one in some] for name, parts in error.messages.items()}
            raise ma.ValidationError(flat, valid_data=error.valid_data) from error


class Locale(Word):
    """A language the house speaks."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("zh-CN", "en", **kwargs)


# OpenAPI types of the fields that marshmallow's plugin cannot guess.
OPENAPI_TYPES: tuple[tuple[type[ma.fields.Field[Any]], str | None, str | None], ...] = (
    (Number, "number", None),
    (Instant, "string", "date-time"),
    (Day, "string", "date"),
    (Id, "string", "uuid"),
    (Anything, None, None),
)
