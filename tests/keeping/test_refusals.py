"""What is not restored, and why it says so: other keys, other modes, full databases, altered and broken files.

After each refusal nothing is in the target.
"""

import hashlib
import multiprocessing
import os
import secrets
import signal
import sqlite3
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import databases
import pytest
import sqlalchemy as sa
from flask_migrate import downgrade
from house import House

from backend import backups, elsewhere, guards, moving, restoring
from backend.config import DEMO_SECRET
from backend.db import db, transaction
from backend.models.people import Account
from backend.models.study import Installation
from tests.keeping.acts import at, backed_up, contents, refused, restored, run, unlike
from tests.keeping.test_round_trip import manifest_of


def sealing(number: int) -> str:
    return f"{number}:{b64encode(secrets.token_bytes(32)).decode()}"


DEMO_KEY = f"1:{b64encode(hashlib.sha256(DEMO_SECRET.encode()).digest()).decode()}"


def empty(house: House) -> None:
    """The database of this house holds nothing: it may have a schema, and then one row of its own."""
    with house.app.app_context():
        with db.engine.connect() as connection:
            if not sa.inspect(connection).has_table("installation"):
                return
        with transaction(writes=False):
            moving.refuse_unless_empty()
            assert db.session.scalars(sa.select(Installation.restored_at)).all() == [None]


# --- keys and modes ------------------------------------------------------------------------------


def test_another_secret_key_is_recognised(sqlite_lived: House, file: Path, sqlite_target: str) -> None:
    with at(sqlite_lived, sqlite_target, SECRET_KEY="another " * 8) as there:
        assert "SECRET_KEY is another" in refused(there.app, "restore", "--from", file)
        assert "SECRET_KEY is another" in refused(there.app, "restore", "--from", file, "--without-keys")
        empty(there)


def test_missing_field_keys_are_named_with_what_they_seal(sqlite_lived: House, file: Path, sqlite_target: str) -> None:
    sealed = {one["column"]: one["values"] for one in manifest_of(file)["sealed"]}
    with at(sqlite_lived, sqlite_target, FIELD_KEYS=sealing(2)) as there:
        said = refused(there.app, "restore", "--from", file)
        for column, values in sealed.items():
            assert f"FIELD_KEYS lacks key 1, which seals {values} values of {column}" in said
        empty(there)
        said = run(there.app, "restore", "--from", file, "--without-keys")
        assert f"warning: FIELD_KEYS lacks key 1, which seals {sealed['account.phone']} values of account.phone" in said
        assert f"0 of {sum(sealed.values())} sealed values open" in said
        assert there.rows(sa.select(Account.phone_sealed).where(Account.phone_sealed.is_not(None))) != []


def test_another_key_under_the_same_number_is_no_key(sqlite_lived: House, file: Path, sqlite_target: str) -> None:
    with at(sqlite_lived, sqlite_target, FIELD_KEYS=sealing(1)) as there:
        assert "FIELD_KEYS holds another key 1" in refused(there.app, "restore", "--from", file)
        empty(there)


def test_a_key_in_use_beside_the_old_one_is_fine(sqlite_lived: House, file: Path, sqlite_target: str) -> None:
    with at(sqlite_lived, sqlite_target, FIELD_KEYS=f"{sealing(2)},{DEMO_KEY}") as there:
        assert "warning" not in run(there.app, "restore", "--from", file)


def test_a_demo_is_not_restored_into_a_live_installation(
    sqlite_lived: House, file: Path, sqlite_target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = {"DAYMARK_MODE": "live", "SECRET_KEY": DEMO_SECRET, "FIELD_KEYS": DEMO_KEY, "SMS_GATEWAY": "http",
            "HTTP_GATEWAY_URL": "https://sms.example/send", "HTTP_GATEWAY_SECRET": "x" * 32,
            "PUBLIC_URL": "https://daymark.example"}  # fmt: skip
    with at(sqlite_lived, sqlite_target, **live) as there:
        assert "made in demo mode" in refused(there.app, "restore", "--from", file)
        empty(there)


# --- the target ----------------------------------------------------------------------------------


def test_only_an_empty_database_is_filled(lived: House, file: Path) -> None:
    before = contents(lived.app)
    assert "the target is not empty: there are rows in account" in refused(lived.app, "restore", "--from", file)
    assert unlike(before, contents(lived.app)) == set()


def test_a_migrated_database_without_rows_is_empty(sqlite_lived: House, file: Path, sqlite_url: str) -> None:
    with restored(sqlite_lived, file, sqlite_url) as there:
        assert there.app.test_client().get("/readyz").status_code == 200


def test_an_empty_database_of_the_other_mode_is_refused_in_a_sentence(
    sqlite_lived: House, file: Path, sqlite_url: str
) -> None:
    changed(Path(sqlite_url.removeprefix("sqlite:///")), "UPDATE installation SET mode = 'live'")
    said = "this database was made in live mode and cannot be opened in demo mode"
    assert said in refused(sqlite_lived.app, "move", "--to", sqlite_url)
    with at(sqlite_lived, sqlite_url) as there:
        assert said in refused(there.app, "restore", "--from", file)
        empty(there)


def test_somebody_elses_database_is_left_alone(sqlite_lived: House, file: Path, target: str) -> None:
    with at(sqlite_lived, target) as there, there.app.app_context():
        with db.engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE patients (name VARCHAR(20))")
            connection.exec_driver_sql("INSERT INTO patients VALUES ('Wang')")
        assert "there are rows in patients" in refused(there.app, "restore", "--from", file)
        assert sa.inspect(db.engine).get_table_names() == ["patients"]


# --- the file ------------------------------------------------------------------------------------


def changed(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        connection.execute("COMMIT")


ALTERED = {
    "UPDATE signal SET level = 'NOTE' WHERE level <> 'NOTE'": "altered: signal",
    "UPDATE site SET phone_24h = phone_24h || '1'": "altered: site",
    "DELETE FROM consent WHERE rowid = 1": "altered: consent",
    "INSERT INTO account_site SELECT a.id, s.id FROM account a, site s WHERE username = 'nurse' AND code = 'SH'":
        "altered: account_site",
    "UPDATE account SET name = (SELECT name FROM account WHERE username = 'nurse') WHERE username = 'doctor'":
        "altered: account",
    "UPDATE backup_manifest SET content = replace(content, '\"demo\"', '\"live\"')": "altered: its manifest",
    "UPDATE backup_manifest SET content = 'nothing'": "altered: its manifest",
    "UPDATE backup_manifest SET content = '{\"keys\": 1}'": "altered: its manifest",
    "UPDATE backup_manifest SET content = x'ff00'": "no backup of Daymark, or broken",
    "DELETE FROM backup_manifest": "no manifest",
    "DROP TABLE backup_manifest": "no backup of Daymark",
    "DROP TABLE known_symptom": "altered: known_symptom",
    "CREATE TABLE extra (a)": "altered: extra",
    "UPDATE alembic_version SET version_num = '0004'": "altered: alembic_version",
}  # fmt: skip


def test_an_altered_file_is_refused(sqlite_lived: House, file: Path, sqlite_target: str) -> None:
    whole = file.read_bytes()
    with at(sqlite_lived, sqlite_target) as there:
        for statement, said in ALTERED.items():
            file.write_bytes(whole)
            changed(file, statement)
            assert file.read_bytes() != whole
            assert said in refused(there.app, "restore", "--from", file), statement
        empty(there)


def test_a_cut_file_is_refused(sqlite_lived: House, file: Path, sqlite_target: str) -> None:
    whole = file.read_bytes()
    with at(sqlite_lived, sqlite_target) as there:
        for length in (0, 50, 4096, len(whole) // 2, len(whole) - 4096):
            file.write_bytes(whole[:length])
            assert "no backup of Daymark, or broken" in refused(there.app, "restore", "--from", file), length
        file.write_bytes(b"not a database at all" * 1000)
        assert "no backup of Daymark, or broken" in refused(there.app, "restore", "--from", file)
        assert "there is no file" in refused(there.app, "restore", "--from", file.with_name("absent.db"))
        empty(there)


def test_the_file_itself_is_only_read(sqlite_lived: House, file: Path, sqlite_target: str) -> None:
    before = file.read_bytes()
    with restored(sqlite_lived, file, sqlite_target):
        assert file.read_bytes() == before
        assert not list(file.parent.glob(f"{file.name}-*"))


# --- schemas -------------------------------------------------------------------------------------


def as_of_schema(house: House, file: Path, schema: str) -> None:
    """Make the file what the code of an earlier schema would have written."""
    manifest: dict[str, Any] = manifest_of(file)
    with house.app.app_context():
        with elsewhere.at(f"sqlite:///{file}") as app, app.app_context():
            with db.engine.begin() as connection:
                connection.exec_driver_sql("DROP TABLE backup_manifest")
            downgrade(revision=schema)
        with closing(sqlite3.connect(file)) as connection:
            manifest["schema"] = schema
            manifest["tables"] = dict(tables_of(connection))
        backups.write_manifest(file, manifest)


def tables_of(connection: sqlite3.Connection) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        if name != "alembic_version":
            tally = backups.tally_of(connection, name)
            yield name, {"rows": tally.rows, "digest": tally.digest}


def test_a_backup_of_an_older_schema_is_brought_up_first(sqlite_lived: House, file: Path, sqlite_target: str) -> None:
    before = contents(sqlite_lived.app)
    as_of_schema(sqlite_lived, file, "0005")
    with restored(sqlite_lived, file, sqlite_target) as there:
        after = contents(there.app)
        for name in ("entry", "entry_version", "signal", "evaluation", "measurement", "contact", "occurrence"):
            assert after[name] == before[name], name
        assert run(there.app, "audit", "verify").endswith("intact\n")
        assert there.app.test_client().get("/readyz").status_code == 200


PLANTED = (
    'CREATE TRIGGER "keep ""more" AFTER UPDATE ON site BEGIN '
    "UPDATE account SET role = 'administrator' WHERE username = 'nurse'; END",
    "CREATE VIEW crooked AS SELECT one FROM nowhere",
    "CREATE VIEW people AS SELECT * FROM account",
    "CREATE TRIGGER through_it INSTEAD OF DELETE ON people BEGIN DELETE FROM account; END",
)


def test_what_was_planted_in_an_older_file_does_not_act_as_it_is_brought_up(
    sqlite_lived: House, file: Path, sqlite_target: str
) -> None:
    """A migration writes to sites: a trigger on that may not make the nurse an administrator."""
    roles = sa.select(Account.id, Account.role).order_by(Account.id)
    before = rows_of(sqlite_lived, roles)
    as_of_schema(sqlite_lived, file, "0005")
    changed(file, *PLANTED)
    with restored(sqlite_lived, file, sqlite_target) as there:
        assert rows_of(there, roles) == before
        assert guarded(there)


def rows_of(house: House, query: sa.Select[Any]) -> list[tuple[Any, ...]]:
    with house.app.app_context(), transaction(writes=False):
        return [tuple(row) for row in db.session.execute(query)]


def guarded(house: House) -> bool:
    with house.app.app_context(), db.engine.connect() as connection:
        return guards.missing(connection) == ()


def test_a_backup_of_a_newer_daymark_is_refused(sqlite_lived: House, file: Path, sqlite_target: str) -> None:
    manifest = {**manifest_of(file), "schema": "9999"}
    changed(file, "UPDATE alembic_version SET version_num = '9999'")
    with sqlite_lived.app.app_context():
        backups.write_manifest(file, manifest)
    with at(sqlite_lived, sqlite_target) as there:
        assert "newer Daymark" in refused(there.app, "restore", "--from", file)
        empty(there)


# --- dying on the way ----------------------------------------------------------------------------


def die_half_way(house: House, file: Path, url: str) -> None:
    """In a process of its own: a restore that is killed when every row is copied and nothing is renewed."""
    restoring.after_restore = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]
    with at(house, url) as there:
        run(there.app, "restore", "--from", file)


def test_a_restore_that_is_killed_has_stored_nothing(lived: House, file: Path) -> None:
    with lived.app.app_context():
        kind = db.engine.dialect.name
    url = databases.emptied(kind)
    child = multiprocessing.get_context("fork").Process(target=die_half_way, args=(lived, file, url))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    with at(lived, url) as there:
        empty(there)
        said = run(there.app, "restore", "--from", file)
        assert "open episodes page again" in said
        assert "who died, left the trial or was admitted" in said


def test_what_arrives_is_compared_with_what_left(
    sqlite_lived: House, tmp_path: Path, sqlite_target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that a database stores otherwise than it was given is noticed before anything is kept."""
    file = backed_up(sqlite_lived, tmp_path)
    real = moving._complete

    def and_meddle(part: moving.Part, source: sa.Connection, to: sa.Connection) -> None:
        real(part, source, to)
        if part.table.name == "site":
            to.exec_driver_sql("UPDATE site SET name_en = 'Elsewhere' WHERE code = 'NJ'")

    monkeypatch.setattr(moving, "_complete", and_meddle)
    with at(sqlite_lived, sqlite_target) as there:
        assert "site: what arrived is not what left" in refused(there.app, "restore", "--from", file)
        empty(there)
