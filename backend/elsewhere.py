"""Another database with this installation's keys: to bring its schema up, to copy from it or into it.

Inside `app.app_context()` of what `at` gives, `db.session` and everything built on it speak to that database.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import sqlalchemy as sa
from alembic.script import ScriptDirectory
from flask import Flask, current_app
from flask_migrate import upgrade
from sqlalchemy.engine import make_url

from backend import installation
from backend.config import BadSetting, normal_database_url
from backend.db import db, engine_options, transaction
from backend.errors import Refused

_SECRET = ("password", "sslpassword", "passfile")  # what the driver also takes from a URL's query


@contextmanager
def at(url: str) -> Iterator[Flask]:
    """An application without doors whose database is at `url`. Raises Refused for an address that is none."""
    address = _checked(url)
    app = Flask("daymark", static_folder=None, root_path=current_app.root_path)
    installation.furnish(app, replace(installation.settings(), database_url=address))
    app.config.update(SQLALCHEMY_DATABASE_URI=address, SQLALCHEMY_ENGINE_OPTIONS=engine_options(address))
    app.extensions["migrate"] = current_app.extensions["migrate"]
    db.init_app(app)
    try:
        yield app
    finally:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


def _checked(url: str) -> str:
    """The address as our driver wants it. A refusal never repeats it: it may hold a password."""
    address = normal_database_url(url)
    try:
        parsed = make_url(address)
    except (sa.exc.ArgumentError, ValueError):
        raise Refused("the address of the database is not a URL") from None
    if parsed.drivername not in ("sqlite", "postgresql+psycopg"):
        raise Refused(f"{parsed.drivername}: the database must be sqlite or postgresql")
    if not parsed.database or parsed.database == ":memory:":
        raise Refused("the address names no database")
    return address


def name() -> str:
    """The address of the current database as it may be shown: without its password."""
    return db.engine.url.difference_update_query(_SECRET).render_as_string(hide_password=True)


def same(one: Flask, other: Flask) -> bool:
    """Whether both are seen to be one database, whoever signs in to it. What follows the `?` may name another host."""
    places = []
    for app in (one, other):
        with app.app_context():
            url = db.engine.url.difference_update_query(_SECRET)
        is_file = url.get_backend_name() == "sqlite"
        server = (url.host, url.port or 5432, url.database, url.query)
        places.append(os.path.realpath(url.database or "") if is_file else server)
    return places[0] == places[1]


def head() -> str:
    """The schema this code works with."""
    newest = _scripts().get_current_head()
    assert newest is not None
    return newest


def knows(revision: str) -> bool:
    """Whether this code can bring that schema up to its own."""
    return any(script.revision == revision for script in _scripts().walk_revisions())


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(current_app.extensions["migrate"].directory)


def revision() -> str | None:
    """The schema of the current database; None for a new one. Inside a transaction."""
    connection = db.session.connection()
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def refuse_other_schema() -> None:
    """What is copied must be of this code's schema."""
    with transaction(writes=False):
        found = revision()
    if found != head():
        raise Refused(f"the schema is {found or 'missing'} and this code's is {head()}: run `flask db upgrade` first")


def bring_up() -> None:
    """Give the current database this code's schema and its guards. Raises Refused for one that may not have them."""
    with transaction(writes=False):
        found = revision()
    if found is not None and not knows(found):
        raise Refused(f"the schema {found} is of a newer Daymark than this one ({head()})")
    try:
        upgrade()
    except BadSetting as error:
        raise Refused(str(error)) from error
