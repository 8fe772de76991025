"""Carries an installation from one database into another that is empty, and proves that the same arrived.

One way for backup, restore and move: every row of every table, inside one view of the source and one transaction of
the target, so that a target holds all of it or nothing. It decides nothing about what is carried.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask import Flask, current_app

from backend import audit, clock, elsewhere, guards, installation, sealed
from backend.db import db, transaction
from backend.errors import Refused
from backend.models.base import Base, Digits, Document
from backend.models.record import AuditHead
from backend.models.study import Installation, WorkerHeartbeat
from backend.tally import Tally, converters

CHUNK = 500
_NOT_SHUT = (
    "everything was carried to {address}, but this database broke off ({kind}) before it was shut and still takes "
    "writes: use only one of them; to move again, name another empty database"
)
BEATS_FOR = timedelta(seconds=60)  # a worker that wrote a heartbeat so lately runs


@dataclass(frozen=True, slots=True)
class Part:
    """A table as it is carried. `late`: columns that point at rows which may come later, filled in at the end."""

    table: sa.TableClause
    key: tuple[str, ...]
    late: tuple[str, ...]

    @property
    def columns(self) -> list[sa.ColumnClause[Any]]:
        """In the order of their names, as two databases may have them in another."""
        return [column for _, column in sorted(self.table.columns.items())]


@dataclass(frozen=True, slots=True)
class Content:
    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class Carried:
    """What stands in the target now, table by table, and what was found when it was looked through."""

    tables: dict[str, Content]
    chains: audit.ChainReport
    system: tuple[int, str]  # count and last link of the installation's own chain
    sealed: Sequence[sealed.Need]

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self.tables.values())

    @property
    def faults(self) -> list[str]:
        """What was wrong at the source as well, as every row is the same. Empty: nothing."""
        broken = [] if self.chains.intact else [f"the audit trail is broken: {self.chains.first_bad}"]
        return broken + sealed.faults(self.sealed)


def parts(metadata: sa.MetaData = Base.metadata) -> list[Part]:
    """Every table, after those it points at."""
    *ordered, (_, circular) = sa.schema.sort_tables_and_constraints(metadata.tables.values())  # type: ignore[no-untyped-call]
    found = []
    for table, _ in ordered:
        assert table is not None
        waiting = {fk for fk in table.foreign_key_constraints if fk in circular or fk.referred_table is table}
        late = tuple(sorted({name for fk in waiting for name in fk.column_keys}))
        assert all(table.columns[name].nullable for name in late), table.name
        columns = (sa.column(column.name, _stored_type(column.type)) for column in table.columns)
        key = tuple(column.name for column in table.primary_key)
        found.append(Part(sa.table(table.name, *columns), key, late))
    return found


def _stored_type(kind: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
    """Digits and documents are carried as the text they are, not read and written anew."""
    return kind.impl_instance if isinstance(kind, (Digits, Document)) else kind


def refuse_unless_empty() -> None:
    """A target holds no row but what a migration puts there. Inside a transaction."""
    connection = db.session.connection()
    for name in sorted(sa.inspect(connection).get_table_names()):
        if name not in ("alembic_version", "installation"):
            row = connection.execute(sa.select(sa.literal(1)).select_from(sa.table(name)).limit(1)).first()
            if row is not None:
                raise Refused(f"the target is not empty: there are rows in {name}")


def prepare() -> None:
    """Bring the current database, which must be empty, to this code's schema."""
    with transaction(writes=False):
        refuse_unless_empty()
    elsewhere.bring_up()


def carry(source: sa.Connection) -> Carried:
    """Copy everything out of `source` into the current database, in the caller's transaction, and verify it.

    The guards are off while it is filled and stand again, inside that same transaction, before anything else is
    done. Raises Refused if the target is not empty or what arrived is not what left.
    """
    target = db.session.connection()
    guards.remove(target)  # on PostgreSQL this locks the tables, so that nobody fills them between look and copy
    refuse_unless_empty()
    target.execute(sa.delete(Installation))  # the row of an empty database; ours comes with the rest
    all_parts = parts()
    left = {part.table.name: _copy(part, source, target) for part in all_parts}
    for part in all_parts:
        _complete(part, source, target)
    guards.install(target)
    if guards.missing(target):
        raise Refused(f"these guards are missing in the target: {', '.join(guards.missing(target))}")
    for part in all_parts:
        _compare(part, left[part.table.name], content_of(part, target))
    head = db.session.get(AuditHead, audit.SYSTEM)
    return Carried(left, audit.verify(), (head.seq, head.hash) if head else (0, ""), sealed.survey())


def content_of(part: Part, connection: sa.Connection) -> Content:
    """Count and digest of a table."""
    tally, as_stored = _tally(part)
    for row in _streamed(connection, sa.select(*part.columns)):
        tally.add(as_stored(row))
    return Content(tally.rows, tally.digest)


def _tally(part: Part) -> tuple[Tally, Any]:
    columns = part.columns
    makers = converters(columns)
    return (
        Tally(installation.vault(), part.table.name, [column.name for column in columns]),
        lambda row: [make(value) for make, value in zip(makers, row, strict=True)],
    )


def _streamed(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[sa.Row[Any]]:
    with closing(connection.execute(query, execution_options={"yield_per": CHUNK})) as rows:
        yield from rows


def _chunks(rows: Iterator[sa.Row[Any]]) -> Iterator[list[sa.Row[Any]]]:
    chunk: list[sa.Row[Any]] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _copy(part: Part, source: sa.Connection, target: sa.Connection) -> Content:
    """Every row, without its late columns. What is counted is what was read."""
    tally, as_stored = _tally(part)
    empty = dict.fromkeys(part.late)
    for chunk in _chunks(_streamed(source, sa.select(*part.columns))):
        for row in chunk:
            tally.add(as_stored(row))
        _write(part, target, sa.insert(part.table), [{**row._mapping, **empty} for row in chunk])
    return Content(tally.rows, tally.digest)


def _complete(part: Part, source: sa.Connection, target: sa.Connection) -> None:
    """The late columns, now that every row is there."""
    if not part.late:
        return
    columns = part.table.columns
    names = (*part.key, *part.late)
    any_set = sa.or_(*(columns[name].is_not(None) for name in part.late))
    setting = (
        sa.update(part.table)
        .where(*(columns[name] == sa.bindparam(f"old_{name}") for name in part.key))
        .values({name: sa.bindparam(f"new_{name}") for name in part.late})
    )
    labels = [f"old_{name}" for name in part.key] + [f"new_{name}" for name in part.late]
    query = sa.select(*(columns[name] for name in names)).where(any_set)
    for chunk in _chunks(_streamed(source, query)):
        _write(part, target, setting, [dict(zip(labels, row, strict=True)) for row in chunk])


def _write(part: Part, target: sa.Connection, statement: Any, rows: list[dict[str, Any]]) -> None:
    try:
        target.execute(statement, rows)
    except sa.exc.DBAPIError as error:  # its own words may repeat a value
        kind = type(error.orig).__name__
        raise Refused(f"{part.table.name}: a row cannot be stored in the target ({kind})") from error


def _compare(part: Part, left: Content, arrived: Content) -> None:
    if left.rows != arrived.rows:
        raise Refused(f"{part.table.name}: {left.rows} rows left and {arrived.rows} arrived")
    if left.digest != arrived.digest:
        raise Refused(f"{part.table.name}: what arrived is not what left")


# --- flask move --------------------------------------------------------------------------------


def move(url: str, *, force: bool = False) -> tuple[str, Carried]:
    """Carry the current installation to the database at `url` and shut this one. The address, and what arrived.

    Nobody writes to the source meanwhile. The target is committed first: whoever dies in between leaves the source as
    it was. Afterwards the source takes no write any more, so that a process left running loses nobody's report.
    Raises Refused, also where everything arrived and the source could not be shut.
    """
    here: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    elsewhere.refuse_other_schema()
    with elsewhere.at(url) as there:
        if elsewhere.same(here, there):
            raise Refused("that is the database the installation is in")
        with there.app_context():
            prepare()
            address = elsewhere.name()
        carried = None
        try:
            with _held():
                if installation.is_moved():
                    raise Refused("this installation was moved already")
                if not force:
                    refuse_while_worked(clock.now())
                # Before the copy, so that both chains say it and the target's goes on from there.
                audit.record("installation:moved", "installation", "1", new={"to": address})
                source = db.session.connection()
                carried = _into(there, source, force)
                db.session.execute(sa.update(Installation).values(moved_at=clock.now()))
                guards.shut(source)
        except sa.exc.DBAPIError as error:
            if carried is None:
                raise
            raise Refused(_NOT_SHUT.format(address=address, kind=type(error.orig).__name__)) from error
        return address, carried


def _into(there: Flask, source: sa.Connection, force: bool) -> Carried:
    with there.app_context(), transaction():
        carried = carry(source)
        if carried.faults and not force:
            raise Refused("; ".join(carried.faults))
        return carried


@contextmanager
def _held() -> Iterator[None]:
    """A transaction on the current database during which nobody else writes."""
    with transaction():
        connection = db.session.connection()
        if connection.dialect.name == "postgresql":  # on SQLite the transaction itself keeps writers out
            names = ", ".join(Base.metadata.tables)
            connection.exec_driver_sql(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")
        yield


def refuse_while_worked(now: datetime) -> None:
    """Inside a transaction. A worker that runs would send from a database that is being replaced."""
    beat = db.session.scalar(sa.select(sa.func.max(WorkerHeartbeat.at)))
    if beat is not None and beat > now - BEATS_FOR:
        raise Refused("a worker runs on this database: stop worker and web first, or say --force")
