"""Alembic's environment: our metadata, batch mode on SQLite, column types as the database has them, the guards."""

import sqlalchemy as sa
from alembic import context
from flask import current_app

from backend import agenda, chronicle, guards, installation, treatment
from backend.db import lock_subject, transaction
from backend.models.all import Base
from backend.models.base import Digits, Document, UTCDateTime


def render_item(kind, item, _autogen_context):
    """Our column types are written as what they are to the database, so that old migrations never import code."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, Digits):
        return "sa.String(length=40)"
    if kind == "type" and isinstance(item, Document):
        return "sa.Text()"
    return False


def run() -> None:
    engine = current_app.extensions["migrate"].db.engine
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=True,
            render_item=render_item,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        # A batch migration on SQLite copies a table and drops its triggers: every run puts all of them back.
        whole = sa.inspect(connection).has_table("audit_event")
        if whole:
            guards.install(connection)
        connection.commit()
    if whole:
        with transaction():
            installation.settle(installation.settings().mode)
        if sa.inspect(engine).has_table("subject_revision"):
            _rewrite_calendars()


def _rewrite_calendars() -> None:
    """A migration that changes what a calendar row holds marks the rows; the calendar itself is computed, not moved."""
    with transaction(writes=False):
        stale = agenda.stale_subjects()
    for subject_id in stale:
        with transaction():
            subject = lock_subject(subject_id)
            treatment.project(subject, chronicle.facts_of(subject.id))
            agenda.refresh(subject)


run()
