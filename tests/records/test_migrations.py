"""Migrations and models say the same, a fresh database gets all its guards, and readiness tells; on both databases."""

import contextlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import databases
import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import upgrade
from house import SLE

from backend import agenda, clock, guards
from backend.db import db, transaction
from backend.models.base import Base
from backend.models.calendar import Occurrence
from backend.models.people import Account
from backend.models.study import Site, StudyRevision
from backend.models.subject import Subject
from schedules.protocol import content as protocol_content
from schedules.protocol import load
from tests.records.promises import open_database

VERSIONS = Path(__file__).parents[2] / "migrations" / "versions"


@pytest.fixture
def app(database_url: str) -> Iterator[Flask]:
    with open_database(database_url) as opened:
        yield opened


@pytest.fixture(params=databases.KINDS)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Flask]:
    """An application on a database without a single table."""
    fresh = contextlib.nullcontext(f"sqlite:///{tmp_path}/empty.db")
    with (
        fresh if request.param == "sqlite" else databases.postgres_copy(empty=True) as url,
        open_database(url) as opened,
    ):
        yield opened


def test_models_and_migrations_say_the_same(app: Flask) -> None:
    run = app.test_cli_runner().invoke(args=["db", "check"])
    assert run.exit_code == 0, run.output


@pytest.mark.parametrize(
    "drift",
    [
        "ALTER TABLE site ADD COLUMN colour VARCHAR(10)",
        "DROP INDEX ix_occurrence_kind_due",
        "CREATE TABLE attic (id INTEGER PRIMARY KEY)",
    ],
)
def test_a_drift_is_found(app: Flask, drift: str) -> None:
    with db.engine.begin() as connection:
        connection.exec_driver_sql(drift)
    assert app.test_cli_runner().invoke(args=["db", "check"]).exit_code != 0


def test_migrations_are_numbered_without_a_gap_in_one_line() -> None:
    names = sorted(path.name for path in VERSIONS.glob("*.py"))
    assert all(re.fullmatch(r"[0-9]{4}_[a-z0-9_]+\.py", name) for name in names)
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
    scripts = ScriptDirectory(str(VERSIONS.parent))
    line = [script.revision for script in scripts.walk_revisions()]
    assert line[::-1] == [name[:4] for name in names]
    assert scripts.get_heads() == [names[-1][:4]]


def test_migrations_import_nothing_of_ours() -> None:
    """Code moves on; what a migration did stays."""
    for path in VERSIONS.glob("*.py"):
        imported = re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(encoding="utf-8"), re.M)
        assert set(imported) <= {"alembic", "sqlalchemy"}, path.name


def test_an_empty_database_becomes_ready_with_every_guard(empty: Flask) -> None:
    client = empty.test_client()
    before = client.get("/readyz")
    assert (before.status_code, before.json["status"]) == (503, "no database or no schema")
    assert client.get("/healthz").status_code == 200
    upgrade()
    after = client.get("/readyz")
    assert (after.status_code, after.json["status"]) == (200, "ok"), after.text
    assert after.json["schema"] == max(path.name[:4] for path in VERSIONS.glob("*.py"))
    with db.engine.connect() as connection:
        assert guards.missing(connection) == ()
        assert len(guards.existing(connection)) > 40
        assert set(Base.metadata.tables) <= set(sa.inspect(connection).get_table_names())


def test_a_second_upgrade_puts_back_what_is_missing(app: Flask) -> None:
    with db.engine.begin() as connection:
        name, table = next(iter(sorted(guards.existing(connection).items())))
        on = f" ON {table}" if connection.dialect.name == "postgresql" else ""
        connection.exec_driver_sql(f"DROP TRIGGER {name}{on}")
        assert guards.missing(connection) == (name,)
    upgrade()
    with db.engine.connect() as connection:
        assert guards.missing(connection) == ()
    assert app.test_client().get("/readyz").status_code == 200


def test_a_schema_of_another_time_is_not_ready(app: Flask) -> None:
    with db.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    ready = app.test_client().get("/readyz")
    assert (ready.status_code, ready.json) == (503, {"status": "schema is not current", "schema": "0000"})


def test_calendars_of_the_first_schema_are_written_anew(empty: Flask) -> None:
    """A subject enrolled under the first schema has the same calendar after the next ones, and lists find it."""
    upgrade(revision="0001")
    now = datetime(2026, 3, 2, 1, tzinfo=UTC)
    with clock.running_on(lambda: now):
        _enrol_on_the_first_schema(now)
        upgrade()
        with transaction(writes=False):
            assert agenda.stale_subjects() == []
            assert agenda.verify() == []
            site = db.session.scalars(sa.select(Site)).one()
            assert (site.country, site.delegates) == ("CN", False)
            stages = set(db.session.scalars(sa.select(Occurrence.stage)))
            assert stages == {"not_dated"}  # nothing is planned yet
    with db.engine.connect() as connection:
        assert guards.missing(connection) == ()


def _enrol_on_the_first_schema(now: datetime) -> None:
    """Rows with nothing but the columns of then."""
    content = load.load_content(SLE.read_text(encoding="utf-8"))
    ids = {name: uuid4() for name in ("revision", "site", "account", "subject", "visit")}
    rows: list[tuple[type[Base], dict[str, object]]] = [
        (StudyRevision, {"id": ids["revision"], "study_key": "sle-cd19", "revision": "1.0",
                         "sha256": load.build(content).sha256, "content": protocol_content.as_json(content),
                         "published_at": now}),
        (Site, {"id": ids["site"], "code": "NJ", "name_zh": "NJ", "name_en": "NJ", "time_zone": "Asia/Shanghai",
                "phone_24h": "+862583106666", "study_revision_id": ids["revision"], "change_seq": 0,
                "next_page_number": 1000, "version": 1}),
        (Account, {"id": ids["account"], "kind": "staff", "role": "nurse", "name": "Li Na", "locale": "en",
                   "failed": 0, "active": True, "created_at": now, "version": 1}),
        (Subject, {"id": ids["subject"], "site_id": ids["site"], "number": "001", "dose_level": "1", "locale": "en",
                   "study_revision_id": ids["revision"], "time_zone": "Asia/Shanghai", "year_of_birth": 1990,
                   "prior_organs": [], "enrolled_at": now, "enrolled_by": ids["account"], "admitted": False,
                   "status": "screening", "signal_seq": 0, "version": 1}),
        (Occurrence, {"id": ids["visit"], "subject_id": ids["subject"], "site_id": ids["site"], "kind": "visit",
                      "key": "V3", "missed": False, "announced": True}),
    ]  # fmt: skip
    with transaction():
        for table, values in rows:
            kept = [column for column in table.__table__.columns if column.name in values]
            shadow = sa.table(table.__tablename__, *(sa.column(column.name, column.type) for column in kept))
            db.session.execute(sa.insert(shadow).values(values))
