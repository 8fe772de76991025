"""The database session and the one way a transaction begins and ends.

Both databases run with full durability. SQLite has one writer at a time; its own waiting polls and
starves, so writers queue at a gate first (threads in order of arrival, then processes by a file
lock) and begin IMMEDIATE. On PostgreSQL the gate is nothing and rows are locked instead.
"""

import fcntl
import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event
from sqlalchemy.engine import Engine, make_url

from backend.errors import Problem
from backend.models.base import Base
from backend.models.subject import Subject

db = SQLAlchemy(metadata=Base.metadata, session_options={"expire_on_commit": False, "autoflush": False})


class FairLock:
    """A lock that is handed on in order of arrival."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._held = False
        self._waiting: deque[Lock] = deque()

    def __enter__(self) -> None:
        with self._guard:
            if not self._held:
                self._held = True
                return
            turn = Lock()
            turn.acquire()
            self._waiting.append(turn)
        turn.acquire()

    def __exit__(self, *_: object) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._held = False


class WriteGate:
    """One writer at a time over all threads and processes that use one SQLite file."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._threads = FairLock()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._threads:
            handle = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                yield
            finally:
                os.close(handle)


_gates: dict[str, WriteGate] = {}


def _gate_of(engine: Engine) -> WriteGate | None:
    if engine.dialect.name != "sqlite" or not engine.url.database:
        return None
    path = engine.url.database + ".gate"
    return _gates.setdefault(path, WriteGate(path))


def engine_options(url: str) -> dict[str, Any]:
    """Options for the engine of this URL."""
    quiet = {"hide_parameters": True}  # an error names the statement, never what a person said
    if make_url(url).get_backend_name() == "sqlite":
        return {**quiet, "connect_args": {"timeout": 15}}
    pool = {"pool_pre_ping": True, "pool_size": 10, "max_overflow": 10}
    return {**quiet, **pool, "connect_args": {"connect_timeout": 10}}


@event.listens_for(Engine, "connect")
def _on_connect(connection: Any, _record: object) -> None:
    if type(connection).__module__.startswith("sqlite3"):
        connection.isolation_level = None  # transactions begin where we say, in _on_begin
        # Without the last one INSERT OR REPLACE would delete a row behind its guard's back.
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "recursive_triggers=ON"):
            connection.execute(f"PRAGMA {pragma}")


@event.listens_for(Engine, "begin")
def _on_begin(connection: sa.Connection) -> None:
    if connection.dialect.name == "sqlite":
        writes = connection.get_execution_options().get("daymark_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def transaction(*, writes: bool = True) -> Iterator[None]:
    """One transaction on `db.session`: committed at the end, rolled back on any error.

    A `Problem` that says `commits` leaves its trace: what was written before it is kept, and it goes on up.
    """
    gate = _gate_of(db.engine) if writes else None
    if gate is None:
        with _session(daymark_writes=writes):
            yield
    else:
        with gate(), _session(daymark_writes=writes):
            yield


@contextmanager
def snapshot() -> Iterator[None]:
    """A transaction that only reads, and sees the database as it was at one moment however long it takes."""
    # On SQLite every transaction does.
    options = {} if db.engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    with _session(**options):
        yield


@contextmanager
def _session(**options: Any) -> Iterator[None]:
    session = db.session
    session.remove()
    session.connection(execution_options=options)
    try:
        yield
        session.commit()
    except Problem as problem:
        if problem.commits:
            session.commit()
        else:
            session.rollback()
        raise
    except BaseException:
        session.rollback()
        raise
    finally:
        session.remove()


def lock_subject(subject_id: UUID) -> Subject:
    """The subject's row, locked until the transaction ends. Every write about a subject begins here."""
    subject = db.session.execute(
        sa.select(Subject).where(Subject.id == subject_id).with_for_update().execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if subject is None:
        raise Problem("not_found")
    return subject
