"""Column types both databases agree on, the declarative base, and what a table promises about change.

`UTCDateTime` refuses naive instants (SQLite would drop an offset without a word). `Digits` keeps a
decimal exactly as written, trailing zeros included. `Document` is JSON as text with decimals kept.

A table states its promise in `__keeps__`; `backend.guards` makes the database hold it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from backend import strictjson


class UTCDateTime(sa.TypeDecorator[datetime]):
    """An aware instant, stored in UTC, returned aware in UTC. A naive one is a programming error."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        return datetime

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant without an offset cannot be stored")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Digits(sa.TypeDecorator[Decimal]):
    """A decimal as text: the digits given are the digits returned."""

    impl = sa.String(40)
    cache_ok = True

    @property
    def python_type(self) -> type[Decimal]:
        return Decimal

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


class Document(sa.TypeDecorator[Any]):
    """JSON as canonical text: numbers with a point come back as Decimal, keys in order."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else strictjson.canonical(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else strictjson.stored(value)


@dataclass(frozen=True, slots=True)
class Keeps:
    """What never changes. Rows are never deleted.

    `everything`: the table is insert-only. `columns`: these keep their first value. `forward`: a column and
    the states each of its states may move to. `sealed_by`: once this column is set, the row is final.
    """

    columns: tuple[str, ...] = ()
    everything: bool = False
    forward: tuple[str, Mapping[str, tuple[str, ...]]] | None = None
    sealed_by: str | None = None


class Base(DeclarativeBase):
    """Every table descends from here. Ids are UUIDs made before insert, by us or by the client."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UTCDateTime,
        Decimal: Digits,
        UUID: sa.Uuid(),
        str: sa.String(200),
    }
    __keeps__: ClassVar[Keeps | None] = None


def key() -> Mapped[UUID]:
    return mapped_column(primary_key=True, default=uuid4)


INSERT_ONLY = Keeps(everything=True)
