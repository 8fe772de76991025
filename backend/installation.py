"""What this process runs as: its settings and its keys, hung on the Flask application once.

The composition root (`api.app.create_app`) puts it there; every floor above the ground may ask.
"""

from dataclasses import dataclass
from uuid import UUID, uuid4

import sqlalchemy as sa
from flask import Flask, current_app

from backend import clock
from backend.config import BadSetting, Settings
from backend.crypto import Vault
from backend.db import db
from backend.models.study import Installation

_KEY = "daymark"


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


def settle(mode: str) -> None:
    """Give a fresh database its one installation row; refuse a live start on a demo's database."""
    row = db.session.execute(sa.select(Installation)).scalar_one_or_none()
    if row is None:
        db.session.add(Installation(id=1, mode=mode, server_epoch=uuid4(), created_at=clock.now()))
        db.session.flush()
    elif row.mode != mode:
        raise BadSetting(f"this database was made in {row.mode} mode and cannot be opened in {mode} mode")
