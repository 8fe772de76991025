"""A live installation and a demo refuse each other's database: web, worker and every command, and at /readyz."""

import os
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import pytest
from flask import Flask
from flask_migrate import upgrade

from api.app import create_app
from backend import installation
from backend.config import BadSetting
from backend.db import db, transaction

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
        installation.refuse_other_mode()
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


FLASK = ["-m", "flask", "--app", "wsgi"]
PROCESSES = {"web": ["-c", "import wsgi"], "worker": [*FLASK, "worker"], "migration": [*FLASK, "db", "upgrade"]}


@pytest.mark.parametrize("command", PROCESSES.values(), ids=PROCESSES)
def test_no_process_of_a_live_installation_starts_on_a_demos_database(command: list[str], tmp_path: Path) -> None:
    url = migrated(DEMO, tmp_path)
    env = {"PATH": os.environ["PATH"], **LIVE, "DATABASE_URL": url}
    ended = subprocess.run([sys.executable, *command], env=env, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode != 0
    assert "this database was made in demo mode and cannot be opened in live mode" in ended.stderr
    assert LIVE["SECRET_KEY"] not in ended.stderr + ended.stdout
