"""JSON as this house speaks it: decimals keep their digits, and what JSON forbids is refused.

Python's own reader takes duplicate keys, NaN, infinity and lone surrogates; a stored report may not.
"""

import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

import simplejson


class NotJson(ValueError):
    """The text is not JSON as accepted here; the message says why."""


_MAX_DEPTH = 32
_SURROGATE = re.compile("[\ud800-\udfff\x00]")


def loads(text: str | bytes) -> Any:
    """Parse. Numbers with a point or exponent become Decimal. Raises NotJson."""
    try:
        parsed = json.loads(
            text,
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_refuse_constant,
            object_pairs_hook=_object_without_duplicates,
        )
    except NotJson:
        raise
    except (ValueError, RecursionError) as error:
        raise NotJson("the body is not valid JSON") from error
    _refuse_unstorable(parsed, 0)
    return parsed


def stored(text: str) -> Any:
    """Parse what `canonical` wrote: trusted, so only the decimals need care."""
    return json.loads(text, parse_float=Decimal)


def dumps(value: Any) -> str:
    """Write. Decimals leave as numbers with the digits given, instants as RFC 3339 with Z."""
    return simplejson.dumps(value, use_decimal=True, ensure_ascii=False, default=_plain, ignore_nan=False)


def canonical(value: Any) -> str:
    """One text per value: keys sorted, no spaces. What is hashed and what is stored."""
    return simplejson.dumps(
        value,
        use_decimal=True,
        ensure_ascii=False,
        default=_plain,
        sort_keys=True,
        separators=(",", ":"),
        ignore_nan=False,
    )


def instant_text(value: datetime) -> str:
    """RFC 3339 in UTC with `Z`; fractions only where there are any."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return instant_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no JSON form here")


def _decimal(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise NotJson("a number is too long") from error
    if len(text) > 40 or not -30 <= number.adjusted() <= 30:
        raise NotJson("a number is too long")
    return number


def _integer(text: str) -> int:
    if len(text) > 30:
        raise NotJson("a number is too long")
    return int(text)


def _refuse_constant(name: str) -> Any:
    raise NotJson(f"{name} is not a JSON number")


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise NotJson(f"the key {name[:60]!r} stands twice in one object")
        found[name] = value
    return found


def _refuse_unstorable(value: Any, depth: int) -> None:
    """NUL and half a surrogate pair have no place in a database; endless nesting none anywhere."""
    if depth > _MAX_DEPTH:
        raise NotJson("the body is nested too deeply")
    if isinstance(value, str):
        if _SURROGATE.search(value):
            raise NotJson("a text holds a character that cannot be stored")
    elif isinstance(value, dict):
        for name, inner in value.items():
            _refuse_unstorable(name, depth)
            _refuse_unstorable(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _refuse_unstorable(inner, depth + 1)
