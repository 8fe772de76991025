"""What this process runs as: its settings and its keys, hung on the Flask application once.

The composition root (`api.app.create_app`) puts it there; every floor above the ground may ask.
"""

import os
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import sqlalchemy as sa
from flask import Flask, current_app

from backend import clock
from backend.config import BadSetting, Settings
from backend.crypto import Vault
from backend.db import db, transaction
from backend.models.study import Installation

_KEY = "daymark"
BACKUP_TABLE = "backup_manifest"  # only a backup has it
_BACKUP = "this is the file of a backup; bring it back with `flask restore --from FILE` into a new database"
_MOVED = "this installation was moved to another database; set DATABASE_URL to where it is now"
_OTHER_MODE = "this database was made in {made} mode and cannot be opened in {mode} mode"


@dataclass(frozen=True, slots=True)
class House:
    settings: Settings
    vault: Vault


def furnish(app: Flask, settings: Settings) -> House:
    """Hang settings and keys on the application."""
    house = House(settings, Vault(settings.field_keys, settings.field_key_id, settings.secret_key))
    app.extensions[_KEY] = house
    return house


def settings() -> Settings:
    return _house().settings


def vault() -> Vault:
    return _house().vault


def _house() -> House:
    house: House = current_app.extensions[_KEY]
    return house


def server_epoch() -> UUID:
    """Changes when a backup is restored; phones then offer again what they sent since."""
    return db.session.execute(sa.select(Installation.server_epoch)).scalar_one()


def restored_at() -> datetime | None:
    """When this database was last brought back from a backup."""
    return db.session.execute(sa.select(Installation.restored_at)).scalar_one_or_none()


def is_moved() -> bool:
    """Whether `flask move` carried everything here to another database."""
    return db.session.execute(sa.select(Installation.moved_at)).scalar_one_or_none() is not None


def settle(mode: str) -> None:
    """Give a fresh database its one installation row; every migration does. Refuse one made in the other mode."""
    made = mode_of_database()
    if made is None:
        # No more columns than the first schema has: this runs wherever a migration stops.
        first = {"id": 1, "mode": mode, "server_epoch": uuid4(), "created_at": clock.now()}
        db.session.execute(sa.insert(Installation).values(first))
    elif made != mode:
        raise BadSetting(_OTHER_MODE.format(made=made, mode=mode))


def mode_of_database() -> str | None:
    """In which mode the database was made; None for a new one."""
    return db.session.execute(sa.select(Installation.mode)).scalar_one_or_none()


def refuse_unfit_database() -> None:
    """At start: one of the other mode, one that was moved elsewhere, or the file of a backup. No schema, no refusal."""
    mode = _house().settings.mode
    url = db.engine.url  # a relative path of a setting is not relative to where we stand
    if url.get_backend_name() == "sqlite" and not os.path.exists(url.database or ""):
        return  # to ask it would be to make it
    try:
        with transaction(writes=False):
            made = mode_of_database()
            backup = sa.inspect(db.session.connection()).has_table(BACKUP_TABLE)
        _refuse(made not in (None, mode), _OTHER_MODE.format(made=made, mode=mode))
        _refuse(backup, _BACKUP)
        with transaction(writes=False):  # of its own: before its migration this column is not there
            moved = is_moved()
        _refuse(moved, _MOVED)
    except sa.exc.DBAPIError:
        return  # /readyz says what is missing
    finally:
        db.engine.dispose()  # a server that forks must not share a connection


def _refuse(wrong: bool, why: str) -> None:
    if wrong:
        raise BadSetting(why)
