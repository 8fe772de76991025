"""Bodies that are one thing or a list: how they are read, named in faults, and published."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import marshmallow as ma
from flask import request
from flask_smorest import Api

from api.fields import Body
from backend import strictjson
from backend.errors import Problem
from schedules.faults import Fault


class Batch(Body):
    """One thing or a list: an object, an array, or `{items: […]}`; faults are named by the path as sent.

    A subclass declares `items`. `paths`, added on load, is a block in which a use-case's faults
    (`/0/value`) are turned into the caller's (`/value`, `/0/value` or `/items/0/value`).
    """

    @ma.pre_load
    def as_items(self, data: Any, **_: Any) -> Any:
        if isinstance(data, list):
            return {"items": data}
        return data if isinstance(data, dict) and "items" in data else {"items": [data]}

    @ma.post_load
    def add_paths(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {**data, "paths": _as_sent()}


@contextmanager
def _as_sent() -> Iterator[None]:
    try:
        yield
    except Problem as problem:
        items = [Fault(f"/items{fault.path}", fault.code, fault.message) for fault in problem.faults]
        problem.faults = tuple(as_sent(items))
        raise


def as_sent(faults: Iterable[Fault]) -> Iterator[Fault]:
    """Paths below `/items` as they lie in the body that was sent."""
    sent = strictjson.loads(request.get_data(cache=True))
    for one in faults:
        path = one.path
        if isinstance(sent, list):
            path = path.removeprefix("/items")
        elif not (isinstance(sent, dict) and "items" in sent):
            path = path.removeprefix("/items/0")
        yield Fault(path, one.code, one.message)


def publish(api: Api) -> None:
    """Say in the document, too, that a batch may come as one thing or as a plain array."""
    schemas = api.spec.components.schemas
    for kind in Batch.__subclasses__():
        whole = schemas[kind.__name__]
        items = whole["properties"]["items"]
        schemas[kind.__name__] = {"oneOf": [items["items"], items, whole]}
