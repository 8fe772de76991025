"""Triggers by which the database itself refuses what a table promises never to do.

Written from `__keeps__` of each model, the same promise on SQLite and PostgreSQL. They are
installed after every migration (batch migrations on SQLite drop them) and checked at start.
"""

from collections.abc import Iterator, Mapping

import sqlalchemy as sa

from backend.models import all as tables
from backend.models.base import Base, Keeps

_PREFIX = "keep_"
_FUNCTION = """
CREATE OR REPLACE FUNCTION daymark_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION USING MESSAGE = 'daymark keeps: ' || TG_OP || ' on ' || TG_TABLE_NAME || ' is refused'; END $$
"""


def install(connection: sa.Connection) -> None:
    """Create every trigger afresh, for the tables there are: a migration may stop half way through the line."""
    remove(connection)
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_FUNCTION)
    there = set(sa.inspect(connection).get_table_names())
    for statement, table in _wanted(connection.dialect.name).values():
        if table in there:
            connection.exec_driver_sql(statement)


def remove(connection: sa.Connection) -> None:
    """Drop every trigger, for a transaction that fills an empty database and installs them before it ends."""
    for name, table in existing(connection).items():
        suffix = f" ON {table}" if connection.dialect.name == "postgresql" else ""
        connection.exec_driver_sql(f"DROP TRIGGER {name}{suffix}")


def shut(connection: sa.Connection) -> None:
    """From now on this database refuses every write: what still runs on it may store nothing that nobody will see."""
    operations = ("INSERT", "UPDATE", "DELETE")
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_FUNCTION)
    for table in Base.metadata.tables:
        for operation in operations:
            connection.exec_driver_sql(
                _trigger(connection.dialect.name, f"shut_{table}_{operation.lower()}", operation, table, None)
            )


def missing(connection: sa.Connection) -> tuple[str, ...]:
    """Names of the triggers that should be there and are not. Empty means guarded."""
    return tuple(sorted(set(_wanted(connection.dialect.name)) - set(existing(connection))))


def existing(connection: sa.Connection) -> dict[str, str]:
    """Our triggers in this database: name and table."""
    query = (
        "SELECT t.tgname, c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
        "WHERE NOT t.tgisinternal AND pg_table_is_visible(c.oid)"
        if connection.dialect.name == "postgresql"
        else "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'"
    )
    rows = connection.exec_driver_sql(query)
    return {name: table for name, table in rows if name.startswith(_PREFIX)}


def _wanted(dialect: str) -> dict[str, tuple[str, str]]:
    """Statement and table of every trigger, by its name."""
    statements: dict[str, tuple[str, str]] = {}
    assert tables.TABLES  # every table is known by now
    for mapper in Base.registry.mappers:
        keeps: Keeps | None = mapper.class_.__keeps__
        if keeps is None:
            continue
        table = mapper.local_table.name  # type: ignore[attr-defined]
        for name, operation, condition in _refusals(
            table, keeps, "IS DISTINCT FROM" if dialect != "sqlite" else "IS NOT"
        ):
            statements[name] = _trigger(dialect, name, operation, table, condition), table
        if dialect == "postgresql":  # emptying a table asks no trigger that looks at rows
            name = f"{_PREFIX}{table}_truncate"
            statements[name] = _trigger(dialect, name, "TRUNCATE", table, None), table
    return statements


def _refusals(table: str, keeps: Keeps, differs: str) -> Iterator[tuple[str, str, str | None]]:
    """(trigger name, operation, condition on OLD and NEW) for each thing that is refused."""
    yield f"{_PREFIX}{table}_delete", "DELETE", None
    if keeps.everything:
        yield f"{_PREFIX}{table}_update", "UPDATE", None
    if keeps.columns:
        changed = " OR ".join(f"OLD.{column} {differs} NEW.{column}" for column in keeps.columns)
        yield f"{_PREFIX}{table}_columns", "UPDATE", changed
    if keeps.forward:
        yield f"{_PREFIX}{table}_forward", "UPDATE", _backward(*keeps.forward)
    if keeps.sealed_by:
        yield f"{_PREFIX}{table}_sealed", "UPDATE", f"OLD.{keeps.sealed_by} IS NOT NULL"


def _backward(column: str, after: Mapping[str, tuple[str, ...]]) -> str:
    allowed = [f"OLD.{column} = NEW.{column}"]
    for state, successors in after.items():
        if successors:
            names = ", ".join(f"'{name}'" for name in successors)
            allowed.append(f"(OLD.{column} = '{state}' AND NEW.{column} IN ({names}))")
    return "NOT (" + " OR ".join(allowed) + ")"


def _trigger(dialect: str, name: str, operation: str, table: str, condition: str | None) -> str:
    when = f" WHEN ({condition})" if condition else ""
    if dialect == "sqlite":
        refusal = f"SELECT RAISE(ABORT, 'daymark keeps: {operation} on {table} is refused');"
        return f"CREATE TRIGGER {name} BEFORE {operation} ON {table} FOR EACH ROW{when} BEGIN {refusal} END"
    each = "STATEMENT" if operation == "TRUNCATE" else "ROW"
    return (
        f"CREATE TRIGGER {name} BEFORE {operation} ON {table} FOR EACH {each}{when} EXECUTE FUNCTION daymark_refuse()"
    )
