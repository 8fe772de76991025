"""A request sent twice is one request: the client makes the id, and what is stored under it answers the repeat."""

from typing import Any, TypeVar
from uuid import UUID

from backend.db import db
from backend.errors import Problem
from backend.models.base import Base

Row = TypeVar("Row", bound=Base)


def stored(table: type[Row], identity: UUID, **said: Any) -> Row | None:
    """The row of this id, if it says just this; None for a new id, 409 where the id stands for something else."""
    row = db.session.get(table, identity)
    if row is not None and any(getattr(row, name) != value for name, value in said.items()):
        raise Problem("id_taken")
    return row
