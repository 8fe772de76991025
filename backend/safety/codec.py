"""A context as JSON and back, digit for digit, so that a signal can be replayed from what was kept. Pure.

Fields are read by their declared type: instants as ISO 8601 in UTC, decimals as strings, dataclasses as
objects without the fields that stand at their default. Inside answers and settings, where any shape may
stand, what JSON cannot say is tagged: `{"$t": instant}`, `{"$d": decimal}`, `{"$u": [tuple]}` and, for a
mapping whose keys could be taken for a tag, `{"$m": [[key, value]]}`. Anything else is a TypeError.
"""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from backend.safety.context import Context


def to_json(context: Context) -> dict[str, Any]:
    """The context in what `json.dumps` can write."""
    packed: dict[str, Any] = _pack(context, Context)
    return packed


def from_json(stored: Mapping[str, Any]) -> Context:
    """The context that `to_json` wrote; a field it does not know is an error, a missing one takes its default."""
    context: Context = _unpack(stored, Context)
    return context


@cache
def _hints(shape: type) -> dict[str, Any]:
    return get_type_hints(shape)


def _default(field: Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default


def _without_none(hint: Any) -> Any:
    """`X` for `X | None`; None itself is handled before the type is looked at."""
    if get_origin(hint) in (Union, UnionType):
        return next(kind for kind in get_args(hint) if kind is not NoneType)
    return hint


def _pack(value: Any, hint: Any) -> Any:
    hint = _without_none(hint)
    if value is None:
        return None
    if hint is Any:
        return _pack_any(value)
    if hint is datetime:
        return _instant(value)
    if hint is Decimal:
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        hints = _hints(hint)
        pairs = ((field, getattr(value, field.name)) for field in fields(value))
        return {field.name: _pack(given, hints[field.name]) for field, given in pairs if given != _default(field)}
    if get_origin(hint) is tuple:
        return [_pack(each, get_args(hint)[0]) for each in value]
    if isinstance(value, Mapping):
        return _pack_any(value) if get_args(hint)[1] is Any else _pack_mapping(value, get_args(hint)[1])
    return value


def _unpack(stored: Any, hint: Any) -> Any:
    hint = _without_none(hint)
    if stored is None:
        return None
    if hint is Any:
        return _unpack_any(stored)
    if hint is datetime:
        return datetime.fromisoformat(stored)
    if hint is Decimal:
        return Decimal(stored)
    if isinstance(hint, type) and is_dataclass(hint):
        hints = _hints(hint)
        return hint(**{name: _unpack(given, hints[name]) for name, given in stored.items()})
    if get_origin(hint) is tuple:
        return tuple(_unpack(each, get_args(hint)[0]) for each in stored)
    if isinstance(stored, Mapping):
        kind = get_args(hint)[1]
        return _unpack_any(stored) if kind is Any else {key: _unpack(each, kind) for key, each in stored.items()}
    return stored


def _pack_mapping(value: Mapping[str, Any], kind: Any) -> dict[str, Any]:
    return {key: _pack(each, kind) for key, each in value.items()}


def _pack_any(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Decimal):
        return {"$d": str(value)}
    if isinstance(value, datetime):
        return {"$t": _instant(value)}
    if isinstance(value, tuple):
        return {"$u": [_pack_any(each) for each in value]}
    if isinstance(value, list):
        return [_pack_any(each) for each in value]
    if isinstance(value, Mapping):
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {key: _pack_any(each) for key, each in value.items()}
        return {"$m": [[_pack_any(key), _pack_any(each)] for key, each in value.items()]}
    raise TypeError(f"a context cannot keep a {type(value).__name__}")


def _unpack_any(stored: Any) -> Any:
    if isinstance(stored, list):
        return [_unpack_any(each) for each in stored]
    if not isinstance(stored, Mapping):
        return stored
    if "$d" in stored:
        return Decimal(stored["$d"])
    if "$t" in stored:
        return datetime.fromisoformat(stored["$t"])
    if "$u" in stored:
        return tuple(_unpack_any(each) for each in stored["$u"])
    if "$m" in stored:
        return {_unpack_any(key): _unpack_any(each) for key, each in stored["$m"]}
    return {key: _unpack_any(each) for key, each in stored.items()}


def _instant(value: datetime) -> str:
    if value.tzinfo is None:
        raise TypeError("a context keeps aware instants only")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
