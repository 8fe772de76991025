"""A live installation and a demo refuse each other's database: web, worker and every command, and at /readyz."""

import os
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_migrate import upgrade
from house import SLE

from api.app import create_app
from backend import delegation, installation, studies
from backend.config import BadSetting
from backend.db import db, transaction
from backend.models.calendar import SiteDay
from backend.models.conduct import Delegation
from backend.models.study import Site
from schedules.protocol import load

ROOT = Path(__file__).parents[2]
DEMO = {"DAYMARK_MODE": "demo"}
LIVE = {
    "DAYMARK_MODE": "live",
    "SECRET_KEY": "s" * 32,
    "FIELD_KEYS": f"1:{b64encode(b'k' * 32).decode()}",
    "SMS_GATEWAY": "http",
    "HTTP_GATEWAY_URL": "https://sms.example/send",
    "HTTP_GATEWAY_SECRET": "x" * 32,
    "PUBLIC_URL": "https://daymark.example",
}


def migrated(mode: dict[str, str], folder: Path) -> str:
    """A new database made in this mode, as `flask db upgrade` makes it."""
    url = f"sqlite:///{folder}/{mode['DAYMARK_MODE']}.db"
    migrate(mode, url)
    return url


def migrate(mode: dict[str, str], url: str) -> None:
    app = create_app({**mode, "DATABASE_URL": url})
    with app.app_context():
        try:
            upgrade()
        finally:
            db.engine.dispose()


def ask(mode: dict[str, str], url: str) -> Flask:
    app = create_app({**mode, "DATABASE_URL": url})
    with app.app_context():
        installation.refuse_unfit_database()
    return app


def test_a_migration_gives_a_database_its_mode_once(tmp_path: Path) -> None:
    for mode in (DEMO, LIVE):
        url = migrated(mode, tmp_path)
        app = ask(mode, url)
        with app.app_context(), transaction(writes=False):
            epoch = installation.server_epoch()
            assert installation.mode_of_database() == mode["DAYMARK_MODE"]
        migrate(mode, url)
        with app.app_context(), transaction(writes=False):
            assert installation.server_epoch() == epoch
        with app.app_context():
            db.engine.dispose()


@pytest.mark.parametrize(("made", "opened"), [(DEMO, LIVE), (LIVE, DEMO)], ids=["live on demo", "demo on live"])
def test_each_refuses_the_database_of_the_other(made: dict[str, str], opened: dict[str, str], tmp_path: Path) -> None:
    url = migrated(made, tmp_path)
    with pytest.raises(BadSetting, match=f"made in {made['DAYMARK_MODE']} mode"):
        ask(opened, url)
    with pytest.raises(BadSetting):
        migrate(opened, url)
    app = create_app({**opened, "DATABASE_URL": url})
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.json) == (503, {"status": "made in another mode", "mode": made["DAYMARK_MODE"]})
    with app.app_context():
        db.engine.dispose()
    app = ask(made, url)
    assert app.test_client().get("/readyz").status_code == 200
    with app.app_context():
        db.engine.dispose()


def test_a_database_that_is_not_there_yet_is_nobodys(tmp_path: Path) -> None:
    """Neither refused nor made by looking."""
    absent = tmp_path / "absent.db"
    ask(LIVE, f"sqlite:///{absent}")
    assert not absent.exists()
    empty = tmp_path / "empty.db"
    empty.touch()
    app = ask(LIVE, f"sqlite:///{empty}")
    assert app.test_client().get("/readyz").status_code == 503
    with app.app_context():
        db.engine.dispose()


@pytest.mark.parametrize(("mode", "granted"), [(DEMO, True), (LIVE, False)], ids=["demo", "live"])
def test_in_a_live_trial_no_task_is_given_unasked(mode: dict[str, str], granted: bool, tmp_path: Path) -> None:
    """A made-up trial lets a new nurse in to everything; in a live one the principal investigator approves first."""
    url = migrated(mode, tmp_path)
    app = ask(mode, url)
    run = app.test_cli_runner()
    with app.app_context(), transaction():
        content = load.load_content(SLE.read_text(encoding="utf-8"))
        sha256 = studies.publish(content, author_id=None, approver_id=None).sha256
    site = ("--code", "NJ", "--name-zh", "医院", "--name-en", "Hospital", "--time-zone", "Asia/Shanghai")
    added = run.invoke(args=["site", "add", *site, "--phone-24h", "+862583106666", "--study-sha256", sha256])
    assert added.exit_code == 0, added.output
    who = ("--username", "wang", "--name", "Wang Li", "--role", "nurse", "--site", "NJ", "--phone", "13800138000")
    staff = run.invoke(args=["staff", "add", *who, "--password", "long enough a password"])
    assert staff.exit_code == 0, staff.output
    with app.app_context(), transaction(writes=False):
        assert db.session.scalars(sa.select(Site)).one().delegates is True
        tasks = set(db.session.scalars(sa.select(Delegation.task)))
        assert tasks == (set(delegation.tasks_for("nurse")) if granted else set())
        assert db.session.scalars(sa.select(SiteDay)).first() is not None  # this year's holidays, and the next's
    with app.app_context():
        db.engine.dispose()


def test_drafts_are_not_published_live(tmp_path: Path) -> None:
    app = ask(LIVE, migrated(LIVE, tmp_path))
    refused = app.test_cli_runner().invoke(args=["study", "publish", str(SLE), "--author", "a", "--approver", "b"])
    assert refused.exit_code == 1
    assert "Chinese texts are drafts" in refused.output
    with app.app_context():
        db.engine.dispose()


FLASK = ["-m", "flask", "--app", "wsgi"]
PROCESSES = {
    "web": ["-m", "gunicorn", "wsgi:app", "--bind", "127.0.0.1:0"],
    "worker": [*FLASK, "worker"],
    "migration": [*FLASK, "db", "upgrade"],
}


@pytest.mark.parametrize("command", PROCESSES.values(), ids=PROCESSES)
def test_no_process_of_a_live_installation_starts_on_a_demos_database(command: list[str], tmp_path: Path) -> None:
    url = migrated(DEMO, tmp_path)
    env = {"PATH": os.environ["PATH"], **LIVE, "DATABASE_URL": url}
    ended = subprocess.run([sys.executable, *command], env=env, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 3
    assert "\nDaymark does not start: this database was made in demo mode" in f"\n{ended.stderr}"
    assert "Traceback" not in ended.stderr
    assert LIVE["SECRET_KEY"] not in ended.stderr + ended.stdout
