"""One row of any table, made of nothing but its columns, so that what the database refuses can be tried on all."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from flask import Flask

from api.app import create_app
from backend.db import db
from backend.models import all as tables
from backend.models.base import Base, Digits, Document, Keeps, UTCDateTime

NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
OTHER = {
    bool: (False, True),
    int: (1, 2),
    bytes: (b"one", b"two"),
    UUID: (UUID(int=1), UUID(int=2)),
    date: (date(2026, 3, 2), date(2026, 3, 3)),
}


def kept() -> dict[str, Keeps]:
    """Every table that promises something, by name."""
    assert tables.TABLES
    found = {mapper.local_table.name: mapper.class_.__keeps__ for mapper in Base.registry.mappers}
    return {name: keeps for name, keeps in sorted(found.items()) if keeps is not None}


def values(column: sa.Column[Any]) -> tuple[Any, Any]:
    """Two different values that the column takes."""
    if isinstance(column.type, UTCDateTime):
        return NOW, NOW.replace(minute=1)
    if isinstance(column.type, Digits):
        return Decimal("1.0"), Decimal("1.00")  # equal as numbers; the digits given are what is kept
    if isinstance(column.type, Document):
        return {"a": 1}, {"a": 2}
    if column.type.python_type is str:
        return "one"[: column.type.length], "two"[: column.type.length]  # type: ignore[attr-defined]
    return OTHER[column.type.python_type]


@contextmanager
def open_database(url: str) -> Iterator[Flask]:
    app = create_app({"DATABASE_URL": url, "RATE_LIMITS": "off"})
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@contextmanager
def connected() -> Iterator[sa.Connection]:
    """A connection for which rows stand for themselves: SQLite looks at no foreign keys."""
    with db.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")  # type: ignore[union-attr]
        yield connection


def run(connection: sa.Connection, statement: sa.Executable) -> None:
    """One statement in a transaction of its own."""
    with connection.begin():
        connection.execute(statement)


def ask(connection: sa.Connection, statement: sa.Select[Any]) -> Any:
    with connection.begin():
        return connection.execute(statement).scalar()


def put(connection: sa.Connection, table: sa.Table, **over: Any) -> dict[str, Any]:
    """Insert one row with every column filled; the row."""
    row = {column.name: values(column)[0] for column in table.columns}
    for column in table.primary_key:
        row[column.name] = uuid4() if column.type.python_type is UUID else row[column.name]
    keeps = kept().get(table.name)
    if keeps is not None and keeps.sealed_by:
        row[keeps.sealed_by] = None
    if keeps is not None and keeps.forward:
        column, states = keeps.forward
        row[column] = next(iter(states))
    if table.name == "installation":
        row["id"] = 2  # the real one is there
    row |= over
    with connection.begin():
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.execute(sa.insert(table).values(row))
    return row


def same_row(table: sa.Table, row: dict[str, Any]) -> sa.ColumnElement[bool]:
    return sa.and_(*(column == row[column.name] for column in table.primary_key))
