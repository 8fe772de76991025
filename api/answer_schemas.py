"""Schemas for the published document that say what an answer dataclass holds: read off its annotations."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import marshmallow as ma

from api.fields import Body, Id, Instant, Number

_PLAIN: Mapping[Any, Callable[..., ma.fields.Field[Any]]] = {
    int: ma.fields.Integer,
    bool: ma.fields.Boolean,
    str: ma.fields.String,
    Decimal: Number,
    datetime: Instant,
    UUID: Id,
}


def answer_schema(kind: type[Any], name: str) -> type[Body]:
    """A schema that says what a dataclass holds."""
    hints = get_type_hints(kind)
    return type(name, (Body,), {one.name: _field(hints[one.name], f"{name}{one.name.title()}") for one in fields(kind)})


def _field(hint: Any, name: str, *, required: bool = True, nullable: bool = False) -> ma.fields.Field[Any]:
    if get_origin(hint) in (Union, UnionType):
        inner = [one for one in get_args(hint) if one is not NoneType]
        return _field(inner[0], name, required=required, nullable=len(inner) < len(get_args(hint)))
    manners: dict[str, Any] = {"required": required, "allow_none": nullable}
    if hint in _PLAIN:
        return _PLAIN[hint](**manners)
    if is_dataclass(hint):
        return ma.fields.Nested(answer_schema(hint, name), **manners)  # type: ignore[arg-type]
    if get_origin(hint) is tuple:
        return ma.fields.List(_field(get_args(hint)[0], name), **manners)
    arguments = get_args(hint)
    if len(arguments) == 2 and arguments[1] is not Any:
        return ma.fields.Dict(keys=ma.fields.String(), values=_field(arguments[1], name), **manners)
    return ma.fields.Dict(keys=ma.fields.String(), **manners)
