"""From one database to a file and into another: everything arrives, on all four ways, and the file says what it is."""

import os
import sqlite3
from base64 import b64encode
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from house import House

from backend import backups, guards, installation, sealed, strictjson
from backend.config import DEMO_SECRET
from backend.db import db, transaction
from backend.models.base import Base
from backend.models.record import AuditEvent, AuditHead
from backend.models.study import Installation
from tests.keeping.acts import ROBOT, at, backed_up, contents, refused, restored, run, signed_in, unlike

# What is made anew after the rows are there; every other table is to the last digit what it was.
RENEWED = {"installation", "token_family", "activation_code", "site", "subject", "episode", "message", "message_event"}
TRAIL = {"audit_event", "audit_head"}


def manifest_of(file: Path) -> dict[str, Any]:
    with closing(sqlite3.connect(file)) as connection:
        [(content,)] = connection.execute("SELECT content FROM backup_manifest").fetchall()
    return dict(strictjson.loads(content))


def test_a_backup_comes_back_on_either_database(lived: House, target: str, tmp_path: Path) -> None:
    before, heads = contents(lived.app), heads_of(lived)
    assert sum(one.rows > 0 for one in before.values()) > 30, "most tables hold something"
    file = backed_up(lived, tmp_path)
    assert manifest_of(file)["chains"]["system"] == dict(zip(("seq", "hash"), heads["system"], strict=True))
    with restored(lived, file, target) as there:
        assert unlike(before, contents(there.app)) == RENEWED | TRAIL
        assert run(there.app, "audit", "verify").endswith("intact\n")
        assert run(there.app, "agenda", "verify") == "rebuilt = stored\n"
        with there.app.app_context():
            with db.engine.connect() as connection:
                assert guards.missing(connection) == ()
            with transaction(writes=False):
                assert all(one.closed == () for one in sealed.survey())
        the_trail_goes_on_from(heads["system"], there)
        signed_in(there)
        for subject in lived.nurse.get("/subjects").json["items"]:
            path = f"/subjects/{subject['id']}"
            one, other = (house.nurse.get(path).json["contact"] for house in (lived, there))
            assert one == other
            assert one["phone"].startswith("+86")
        assert there.app.test_client().get("/readyz").status_code == 200


def heads_of(house: House) -> dict[str, tuple[int, str]]:
    return {head.chain: (head.seq, head.hash) for head in house.rows(sa.select(AuditHead))}


def the_trail_goes_on_from(head: tuple[int, str], there: House) -> None:
    [row] = there.rows(sa.select(AuditEvent).where(AuditEvent.verb == "installation:restored"))
    assert (row.seq, row.previous, row.actor_role) == (head[0] + 1, head[1], "operator")
    assert row.new["made_at"] == "2026-03-02T23:00:00Z"
    assert row.new["chains"]["system"] == {"seq": head[0], "hash": head[1]}
    assert row.new["episodes_raised"] == 3


def test_a_backup_tells_what_is_inside_and_is_kept_in_the_trail(lived: House, tmp_path: Path) -> None:
    heads = heads_of(lived)
    file = tmp_path / "one.db"
    said = run(lived.app, "backup", "--output", file)
    seq, link = heads["system"]
    assert f"{file} {file.stat().st_size} bytes" in said
    assert f"{len(heads)} audit chains" in said
    assert f"{seq} {link}" in said
    [row] = lived.rows(sa.select(AuditEvent).where(AuditEvent.verb == "backup:made"))
    assert (row.seq, row.entity_id, row.new["bytes"]) == (seq + 1, "one.db", file.stat().st_size)
    manifest = manifest_of(file)
    assert manifest["source"] == lived_dialect(lived.app)
    assert manifest["tables"]["subject"]["rows"] == 5
    assert {one["column"] for one in manifest["sealed"]} == {
        "account.phone", "account.totp", "contact.name", "kept_answer.body", "site_channel.sealed",
    }  # fmt: skip
    assert {one["key"] for one in manifest["sealed"]} == {1}
    [installed] = lived.rows(sa.select(Installation))
    assert manifest["server_epoch"] == str(installed.server_epoch)
    is_one_file_for_its_owner_alone(file)
    is_read_as_it_was_counted(lived, file)


def lived_dialect(app: Flask) -> str:
    with app.app_context():
        return db.engine.dialect.name


def is_one_file_for_its_owner_alone(file: Path) -> None:
    assert [one.name for one in file.parent.iterdir()] == [file.name]
    assert file.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() != ("wal",)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_no_key_is_inside(sqlite_lived: House, file: Path) -> None:
    content = file.read_bytes()
    with sqlite_lived.app.app_context():
        vault, keys = installation.vault(), dict(installation.settings().field_keys)
    derived = [getattr(vault, name) for name in dir(vault) if name.endswith("_key")]
    assert len(derived) == 6
    for key in (*keys.values(), *derived):
        for form in (key, key.hex().encode(), b64encode(key)):
            assert form not in content
    assert DEMO_SECRET.encode() not in content
    for secret in (b"13800139003", b"13800139005", ROBOT.encode()):
        assert secret not in content, "nor is anything that is sealed"
    assert content.count(b"sle-cd19") > 1, "what is no secret is"


def test_a_backup_replaces_nothing(sqlite_lived: House, file: Path, tmp_path: Path) -> None:
    before = file.read_bytes()
    assert "is there already" in refused(sqlite_lived.app, "backup", "--output", file)
    assert file.read_bytes() == before
    assert "No such file" in refused(sqlite_lived.app, "backup", "--output", tmp_path / "no" / "folder.db")


def test_a_file_system_without_links_is_written_to_and_replaces_nothing_either(
    sqlite_lived: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else's file may appear while the backup is being made."""
    free, taken = tmp_path / "free.db", tmp_path / "taken.db"

    def none_here(_: Path, output: Path) -> None:
        if output == taken:
            taken.write_text("mine")
        raise PermissionError(f"no links: {output}")

    monkeypatch.setattr(os, "link", none_here)
    run(sqlite_lived.app, "backup", "--output", free)
    assert manifest_of(free)["tables"]["subject"]["rows"] == 5
    assert "is there already" in refused(sqlite_lived.app, "backup", "--output", taken)
    assert taken.read_text() == "mine"
    assert {one.name for one in tmp_path.iterdir()} == {"free.db", "taken.db"}


def test_a_backup_of_an_old_schema_is_refused(sqlite_lived: House, tmp_path: Path) -> None:
    with sqlite_lived.app.app_context(), db.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0003'")
    said = refused(sqlite_lived.app, "backup", "--output", tmp_path / "one.db")
    assert "the schema is 0003" in said
    assert "db upgrade" in said
    assert list(tmp_path.iterdir()) == []


def test_a_broken_trail_is_backed_up_and_told(sqlite_lived: House, sqlite_target: str, tmp_path: Path) -> None:
    """Whoever finds it broken needs the backup most."""
    lived = sqlite_lived
    with lived.app.app_context(), transaction():
        guards.remove(db.session.connection())
        row = db.session.scalars(sa.select(AuditEvent).order_by(AuditEvent.chain, AuditEvent.seq).limit(1)).one()
        row.reason = "changed"
        db.session.flush()
        guards.install(db.session.connection())
        chain = row.chain
    file = tmp_path / "one.db"
    made = lived.app.test_cli_runner().invoke(args=["backup", "--output", str(file)])
    assert (made.exit_code, file.exists()) == (3, True)
    assert "the audit trail is broken" in made.output
    assert manifest_of(file)["chains"]["first_bad"]["chain"] == chain
    with restored(lived, file, sqlite_target) as there:
        assert "was changed" in there.app.test_cli_runner().invoke(args=["audit", "verify"]).output


def test_a_backup_that_the_trail_cannot_tell_of_is_there_and_says_so(
    sqlite_lived: House, sqlite_target: str, tmp_path: Path
) -> None:
    """As of a database that was moved and takes no write any more."""
    run(sqlite_lived.app, "move", "--to", sqlite_target)
    file = tmp_path / "one.db"
    made = sqlite_lived.app.test_cli_runner().invoke(args=["backup", "--output", str(file)])
    assert (made.exit_code, file.exists()) == (3, True), made.output
    assert "the audit trail does not say that this backup was made (IntegrityError)" in made.output
    assert f"{file} {file.stat().st_size} bytes" in made.output


def test_every_sealed_column_is_looked_at() -> None:
    """A new one must be told to `backend.sealed`, or nobody misses its key."""
    known = {value.class_.__table__.c[value.key] for _, _, value in sealed.COLUMNS}
    assert known == {
        column
        for table in Base.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, sa.LargeBinary)
    }


def test_a_backup_is_not_run_as_it_is(sqlite_lived: House, file: Path) -> None:
    """It would send the reminders of its day."""
    refusal = pytest.raises(installation.BadSetting, match="this is the file of a backup")
    with at(sqlite_lived, f"sqlite:///{file}") as there, there.app.app_context(), refusal:
        installation.refuse_unfit_database()


def is_read_as_it_was_counted(lived: House, file: Path) -> None:
    """The digest of what a database says and of the raw cells of a file are one, for every table and type."""
    tables = manifest_of(file)["tables"]
    with lived.app.app_context(), closing(sqlite3.connect(file)) as connection:
        for name, content in contents(lived.app).items():
            if name not in TRAIL:  # which goes on with "backup:made"
                tally = backups.tally_of(connection, name)
                assert (
                    (tally.rows, tally.digest)
                    == (content.rows, content.digest)
                    == tuple(tables[name][each] for each in ("rows", "digest"))
                ), name
