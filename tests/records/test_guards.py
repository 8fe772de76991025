"""What a table promises never to do, its database refuses; every promise of every table, on both databases."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from backend import guards
from backend.models.base import Base
from backend.models.outbox import FINAL_STATES, NEXT_STATES
from tests.records.promises import ask, connected, kept, open_database, put, run, same_row, values

REFUSED = "daymark keeps"


@pytest.fixture
def app(database_url: str) -> Iterator[Flask]:
    with open_database(database_url) as opened:
        yield opened


@pytest.fixture
def connection(app: Flask) -> Iterator[sa.Connection]:
    with connected() as opened:
        yield opened


def table_of(name: str) -> sa.Table:
    return Base.metadata.tables[name]


def refuses(connection: sa.Connection, statement: sa.Executable) -> None:
    """The guard itself speaks, not a foreign key or a type."""
    with pytest.raises(sa.exc.DBAPIError, match=REFUSED):
        run(connection, statement)


def test_the_tables_that_promise_are_these() -> None:
    assert set(kept()) >= {
        "acknowledgement", "appointment", "attendance", "audit_event", "consent", "contact_attempt", "entry",
        "entry_conflict", "entry_version", "episode", "evaluation", "installation", "kept_answer", "known_symptom",
        "measurement", "medication", "message", "message_event", "signal", "snooze", "study_revision", "subject",
        "subject_event", "zone_change",
    }  # fmt: skip


def test_no_promised_row_is_ever_deleted(connection: sa.Connection) -> None:
    for name in kept():
        table = table_of(name)
        row = put(connection, table)
        refuses(connection, sa.delete(table).where(same_row(table, row)))
        assert ask(connection, sa.select(sa.func.count()).where(same_row(table, row))) == 1


def test_an_insert_only_table_takes_no_update_of_any_column(connection: sa.Connection) -> None:
    tried = 0
    for name, keeps in kept().items():
        if not keeps.everything:
            continue
        table = table_of(name)
        row = put(connection, table)
        for column in table.columns:
            refuses(connection, sa.update(table).where(same_row(table, row)).values({column: values(column)[1]}))
            tried += 1
    assert tried > 100


def test_frozen_columns_keep_their_first_value_and_the_others_move(connection: sa.Connection) -> None:
    for name, keeps in kept().items():
        if not keeps.columns:
            continue
        table = table_of(name)
        row = put(connection, table)
        here = sa.update(table).where(same_row(table, row))
        assert set(keeps.columns) <= set(table.columns.keys())
        for column in table.columns:
            if column.name in keeps.columns:
                refuses(
                    connection, here.values({column: next(v for v in values(column)[::-1] if v != row[column.name])})
                )
                if column.nullable:
                    refuses(connection, here.values({column: None}))
                run(connection, here.values({column: row[column.name]}))  # the same value is no change
            elif column.name not in (keeps.sealed_by, *(keeps.forward or ())[:1]) and not column.foreign_keys:
                run(connection, here.values({column: values(column)[1]}))


def test_a_frozen_column_that_was_empty_stays_empty(connection: sa.Connection) -> None:
    tried = 0
    for name, keeps in kept().items():
        table = table_of(name)
        for column in (table.columns[each] for each in keeps.columns):
            if column.nullable:
                row = put(connection, table, **{column.name: None, **other_keys(table)})
                refuses(connection, sa.update(table).where(same_row(table, row)).values({column: values(column)[0]}))
                tried += 1
    assert tried >= 2  # entry.claimed_slot and message.subject_id at least


def other_keys(table: sa.Table) -> dict[str, str]:
    """A message's key is unique; two rows need two."""
    return {"key": str(uuid4())} if table.name == "message" else {}


@pytest.mark.parametrize("state", NEXT_STATES)
def test_a_message_moves_forward_alone(connection: sa.Connection, state: str) -> None:
    table = table_of("message")
    moved = 0
    for n, after in enumerate(NEXT_STATES):
        row = put(connection, table, state=state, key=f"{state}-{n}")
        change = sa.update(table).where(same_row(table, row)).values(state=after)
        if after == state or after in NEXT_STATES[state]:
            run(connection, change)
            moved += 1
        else:
            refuses(connection, change)
            held = sa.select(table.c.state).where(same_row(table, row))
            assert ask(connection, held) == state
    assert moved == 1 + len(NEXT_STATES[state])
    assert (moved == 1) is (state in FINAL_STATES)


def test_a_message_cannot_leave_for_a_state_nobody_knows(connection: sa.Connection) -> None:
    table = table_of("message")
    row = put(connection, table, state="pending")
    refuses(connection, sa.update(table).where(same_row(table, row)).values(state="lost"))


def test_a_closed_episode_is_sealed(connection: sa.Connection) -> None:
    table = table_of("episode")
    row = put(connection, table)
    here = sa.update(table).where(same_row(table, row))
    run(connection, here.values(note="while open"))
    run(connection, here.values(closed_at=values(table.c.closed_at)[0], outcome="none"))
    for change in ({"note": "after"}, {"closed_at": None}, {"level": "NOTE"}, {"version": 9}):
        refuses(connection, here.values(change))


def test_there_is_no_back_door(connection: sa.Connection) -> None:
    """SQLite's REPLACE deletes without asking the triggers unless told to; PostgreSQL's TRUNCATE asks no row's."""
    table = table_of("audit_event")
    row = put(connection, table)
    if connection.dialect.name == "sqlite":
        refuses(connection, sa.insert(table).values({**row, "verb": "other"}).prefix_with("OR REPLACE"))
    else:
        refuses(connection, sa.text("TRUNCATE audit_event"))
    assert ask(connection, sa.select(table.c.verb)) == row["verb"]


def test_tables_without_a_promise_may_change(connection: sa.Connection) -> None:
    table = table_of("occurrence")
    row = put(connection, table)
    run(connection, sa.update(table).where(same_row(table, row)).values(missed=True))
    run(connection, sa.delete(table).where(same_row(table, row)))
    assert ask(connection, sa.select(sa.func.count()).select_from(table)) == 0


def test_every_guard_is_missed_when_it_is_gone(app: Flask, connection: sa.Connection) -> None:
    with connection.begin():
        assert guards.missing(connection) == ()
        standing = guards.existing(connection)
    assert len(standing) > 2 * len(kept()) - 5
    client = app.test_client()
    assert client.get("/readyz").status_code == 200
    for name, table in sorted(standing.items())[::7]:
        on = f" ON {table}" if connection.dialect.name == "postgresql" else ""
        run(connection, sa.text(f"DROP TRIGGER {name}{on}"))
        with connection.begin():
            assert guards.missing(connection) == (name,)
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json["guards"]) == (503, [name])
        with connection.begin():
            guards.install(connection)
            assert guards.missing(connection) == ()
    assert client.get("/readyz").status_code == 200
    with connection.begin():
        assert guards.existing(connection) == standing
