"""The file of a backup: one SQLite database with every row, and a manifest that says and proves what is inside.

No key is inside. The manifest names the keys that the values need, and fingerprints by which they are known again.
It is signed with SECRET_KEY and holds the digest of every table, so an altered, cut or mixed-up file is recognised.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flask import Flask

from backend import elsewhere, installation, moving, strictjson
from backend.db import db, snapshot, transaction
from backend.errors import Refused
from backend.installation import BACKUP_TABLE
from backend.tally import Tally

FORMAT = 1
_NOT_OURS = ("alembic_version", BACKUP_TABLE)


@dataclass(frozen=True, slots=True)
class Backup:
    """A file that was checked, and the application that reads a copy of it."""

    manifest: Mapping[str, Any]
    app: Flask


def write(output: Path, now: datetime) -> tuple[Mapping[str, Any], moving.Carried]:
    """Write the current installation into a new file. Its manifest, and what was found on the way.

    The file appears under its name when it is whole and on the disk, not before. Raises Refused, also if it is there.
    """
    if output.exists():
        raise Refused(f"{output} is there already")
    elsewhere.refuse_other_schema()
    with TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as folder:
        draft = Path(folder) / "draft.db"
        with elsewhere.at(f"sqlite:///{draft.resolve()}") as there:
            with there.app_context():
                elsewhere.bring_up()
            with snapshot():
                source = db.session.connection()
                with there.app_context(), transaction():
                    carried = moving.carry(source)
                manifest = _manifest(carried, source.dialect.name, now)
        write_manifest(draft, manifest)
        _publish(draft, output)
    return manifest, carried


def _manifest(carried: moving.Carried, source: str, now: datetime) -> dict[str, Any]:
    vault, needed = installation.vault(), {one.key for one in carried.sealed}
    fingerprints = {str(key): one for key, one in vault.field_fingerprints.items() if key in needed}
    seq, link = carried.system
    return {
        "format": FORMAT,
        "made_at": now,
        "source": source,
        "schema": elsewhere.head(),
        "mode": installation.mode_of_database(),
        "server_epoch": installation.server_epoch(),
        "tables": {name: asdict(one) for name, one in carried.tables.items()},
        "chains": {
            "count": carried.chains.chains,
            "rows": carried.chains.rows,
            "first_bad": carried.chains.first_bad,
            "system": {"seq": seq, "hash": link},
        },
        "sealed": [{"column": one.column, "key": one.key, "values": one.values} for one in carried.sealed],
        "keys": {"secret": vault.fingerprint, "field": fingerprints},
    }


def write_manifest(draft: Path, manifest: Mapping[str, Any]) -> None:
    """Put the manifest into the file, in place of one that is there, and leave a single file that holds everything."""
    content = strictjson.canonical(manifest)
    mac = installation.vault().manifest_digest(content.encode())
    with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("BEGIN")
        connection.execute(f"DROP TABLE IF EXISTS {BACKUP_TABLE}")
        connection.execute(f"CREATE TABLE {BACKUP_TABLE} (content TEXT NOT NULL, mac TEXT NOT NULL)")
        connection.execute(f"INSERT INTO {BACKUP_TABLE} VALUES (?, ?)", (content, mac))  # noqa: S608
        connection.execute("COMMIT")


def _publish(draft: Path, output: Path) -> None:
    """Onto the disk, and then under its name, which nobody else may have taken meanwhile."""
    draft.chmod(0o600)
    _synced(draft)
    try:
        _give_name(draft, output)
    except FileExistsError:
        raise Refused(f"{output} is there already") from None
    _synced(output.parent)


def _give_name(draft: Path, output: Path) -> None:
    try:
        os.link(draft, output)
    except FileExistsError:
        raise
    except OSError:  # a file system without links: there the name is taken first
        os.close(os.open(output, os.O_CREAT | os.O_EXCL, 0o600))
        draft.replace(output)


def _synced(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- reading one -------------------------------------------------------------------------------


@contextmanager
def opened(file: Path) -> Iterator[Backup]:
    """A copy of the file, checked, of this code's schema; the file itself is left alone. Raises Refused."""
    with TemporaryDirectory(prefix="daymark-") as folder:
        copy = Path(folder) / "backup.db"
        with suppress(FileNotFoundError):
            shutil.copyfile(file, copy)
        manifest = _checked(copy, file)
        _disarm(copy)
        with elsewhere.at(f"sqlite:///{copy}") as app:
            if manifest["schema"] != elsewhere.head():
                with app.app_context():
                    elsewhere.bring_up()
            yield Backup(manifest, app)


def _disarm(copy: Path) -> None:
    """Drop every trigger and view: no digest covers them, and a planted one would act while the schema is brought up.

    Our own guards come back with the migrations.
    """
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        for kind in ("trigger", "view"):  # a view's own triggers go before it
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = ?", (kind,)).fetchall():
                quoted = name.replace('"', '""')
                connection.execute(f'DROP {kind} "{quoted}"')


def _checked(copy: Path, file: Path) -> Mapping[str, Any]:
    if not copy.exists():
        raise Refused(f"there is no file {file}")
    try:
        with closing(sqlite3.connect(f"file:{copy}?mode=ro", uri=True)) as connection:
            manifest = _manifest_of(connection)
            _check_tables(connection, manifest)
            return manifest
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise Refused(f"{file} is no backup of Daymark, or broken: {error}") from error


def _manifest_of(connection: sqlite3.Connection) -> Mapping[str, Any]:
    query = f"SELECT CAST(content AS TEXT), CAST(mac AS TEXT) FROM {BACKUP_TABLE}"  # noqa: S608
    rows = connection.execute(query).fetchall()
    if len(rows) != 1:
        raise Refused("the file has no manifest")
    [(content, mac)] = rows
    if installation.vault().manifest_digest(content.encode()) != mac:
        raise Refused(_why_unsigned(content))
    manifest: Mapping[str, Any] = strictjson.loads(content)
    if manifest["format"] != FORMAT:
        raise Refused(f"the backup's format {manifest['format']} is of another Daymark than this one ({FORMAT})")
    return manifest


def _why_unsigned(content: str) -> str:
    try:
        other = strictjson.loads(content)["keys"]["secret"] != installation.vault().fingerprint
    except (strictjson.NotJson, KeyError, TypeError):
        other = False
    if other:
        return "SECRET_KEY is another than the one this backup was made with"
    return "the file was altered: its manifest is not as it was written"


def _check_tables(connection: sqlite3.Connection, manifest: Mapping[str, Any]) -> None:
    """Every table holds what the manifest says, whatever its columns mean."""
    found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    ours = {name for name in found if name not in _NOT_OURS and not name.startswith("sqlite_")}
    if ours != set(manifest["tables"]):
        raise Refused(f"the file was altered: {', '.join(sorted(ours ^ set(manifest['tables'])))}")
    schema = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    if schema != [(manifest["schema"],)]:
        raise Refused("the file was altered: alembic_version")
    for table, content in manifest["tables"].items():
        tally = tally_of(connection, table)
        if (tally.rows, tally.digest) != (content["rows"], content["digest"]):
            raise Refused(f"the file was altered: {table}")


def tally_of(connection: sqlite3.Connection, table: str) -> Tally:
    """The digest of a table of a file, from what is stored alone."""
    columns = sorted(row[1] for row in connection.execute(f'PRAGMA table_info("{table}")'))
    tally = Tally(installation.vault(), table, columns)
    names = ", ".join(f'"{name}"' for name in columns)
    for row in connection.execute(f'SELECT {names} FROM "{table}"'):  # noqa: S608
        tally.add(row)
    return tally
