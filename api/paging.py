"""Keyset paging: a cursor is the sort key of the last row, so a page costs the same wherever it lies."""

import base64
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend import strictjson
from backend.db import db
from backend.errors import fault


def page(
    query: sa.Select[*tuple[Any, ...]],
    keys: Sequence[Any],
    asked: dict[str, Any],
    show: Callable[[Any], dict[str, Any]],
    *,
    descending: bool = False,
) -> dict[str, Any]:
    """`{items, next_cursor}` of a query ordered by `keys` (columns of the result, unique together)."""
    if asked.get("cursor"):
        after = _decode(asked["cursor"], keys)
        here = sa.tuple_(*keys)
        there = sa.tuple_(*(sa.literal(value, key.type) for value, key in zip(after, keys, strict=True)))
        query = query.where(here < there if descending else here > there)
    ordered = query.order_by(*((key.desc() for key in keys) if descending else keys)).limit(asked["limit"] + 1)
    rows = db.session.execute(ordered.add_columns(*(key.label(f"_key{i}") for i, key in enumerate(keys)))).all()
    more = len(rows) > asked["limit"]
    rows = rows[: asked["limit"]]
    cursor = _encode(rows[-1][-len(keys) :]) if more else None
    return {"items": [show(row) for row in rows], "next_cursor": cursor}


def after(asked: dict[str, Any], keys: Sequence[Any]) -> Any:
    """The sort key of the last row seen, where the caller goes on from one; else None."""
    return tuple(_decode(asked["cursor"], keys)) if asked.get("cursor") else None


def paged(found: Sequence[Any], limit: int, key_of: Callable[[Any], Sequence[Any]]) -> dict[str, Any]:
    """`{items, next_cursor}` of rows that were asked for with one more than the limit."""
    more = len(found) > limit
    items = list(found[:limit])
    return {"items": items, "next_cursor": _encode(key_of(items[-1])) if more else None}


def _encode(values: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(strictjson.canonical(list(values)).encode()).decode().rstrip("=")


def _decode(cursor: str, keys: Sequence[Any]) -> list[Any]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        values = strictjson.loads(text)
        if not isinstance(values, list) or len(values) != len(keys):
            raise ValueError
        return [_typed(value, key.type.python_type) for value, key in zip(values, keys, strict=True)]
    except (ValueError, TypeError, OverflowError) as error:
        raise fault("/cursor", "invalid", "not a cursor of this list") from error


def _typed(value: Any, kind: type) -> Any:
    if kind is datetime and isinstance(value, str):
        instant = datetime.fromisoformat(value)
        instant = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
        return instant.astimezone(UTC)  # at the very ends of the calendar there is none: OverflowError
    if kind is UUID and isinstance(value, str):
        return UUID(value)
    if kind in (int, str) and isinstance(value, kind) and not isinstance(value, bool):
        if isinstance(value, int) and abs(value) >= 2**63:
            raise ValueError
        return value
    raise ValueError


def shown(view: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    """A view of a one-entity row."""
    return lambda row: view(row[0])
