"""Bringing an installation back: the rows of a backup, and what must be true before anybody works on them.

What happened after the backup was made is not known here. So nothing old is sent, whoever was in danger is taken
for being so, nobody is signed in, and the phones are told to offer again what they sent.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from flask import Flask, current_app

from backend import audit, backups, elsewhere, guards, installation, moving, outbox, sealed
from backend.db import db, snapshot, transaction
from backend.errors import Refused
from backend.models.outbox import FINAL_STATES, NEXT_STATES, TOLD_STATES, Message
from backend.models.people import ActivationCode, TokenFamily
from backend.models.safety import Episode
from backend.models.study import Installation, Site
from backend.models.subject import Subject
from backend.safety import answers, episodes

WHY = "restored"
# How far the counters leap: over every number that was given out since the backup and is in somebody's hands.
_CHANGES, _PAGES, _SIGNALS = 1_000_000, 1_000, 1_000


@dataclass(frozen=True, slots=True)
class Renewed:
    """What was done so that the rows may be worked on."""

    messages_ended: int
    episodes_raised: int
    sessions_ended: int
    codes_ended: int


@dataclass(frozen=True, slots=True)
class Restored:
    """From when the rows are, what stands in the database, and what was renewed."""

    made_at: datetime
    carried: moving.Carried
    renewed: Renewed


def restore(file: Path, now: datetime, *, without_keys: bool = False) -> Restored:
    """Bring the file's rows into the current database, which must be empty: all of them or none. Raises Refused."""
    here: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    with backups.opened(file) as backup:
        manifest, mode = backup.manifest, installation.settings().mode
        if manifest["mode"] != mode:
            raise Refused(f"the backup was made in {manifest['mode']} mode and cannot be restored in {mode} mode")
        missing = missing_keys(manifest)
        if missing and not without_keys:
            raise Refused("; ".join(missing))
        moving.prepare()
        made_at = datetime.fromisoformat(manifest["made_at"])
        with backup.app.app_context(), snapshot():
            source = db.session.connection()
            # One transaction: rows that nobody has renewed would send old reminders, and look like all is well.
            with here.app_context(), transaction():
                carried = moving.carry(source)
                renewed = after_restore(now, made_at, manifest["chains"])
    return Restored(made_at, carried, renewed)


def missing_keys(manifest: Mapping[str, Any]) -> list[str]:
    """The field keys a backup needs and we do not have, by name, with what they seal."""
    here, inside = installation.vault().field_fingerprints, manifest["keys"]["field"]
    found = []
    for one in manifest["sealed"]:
        key, values, column = one["key"], one["values"], one["column"]
        if not key:
            continue  # damaged: no key opens it
        if key not in here:
            found.append(sealed.lacking(key, values, column))
        elif inside.get(str(key), here[key]) != here[key]:
            found.append(f"FIELD_KEYS holds another key {key} than the one which seals {values} values of {column}")
    return found


def renew_in_place(now: datetime, made_at: datetime, *, force: bool = False) -> Renewed:
    """The same for a database that was brought back without us: by PostgreSQL's own tools, or as a copied file."""
    elsewhere.refuse_other_schema()
    with transaction():
        unguarded = guards.missing(db.session.connection())
        if unguarded:
            raise Refused(f"guards are missing ({', '.join(unguarded)}): run `flask db upgrade` first")
        if not force:
            moving.refuse_while_worked(now)
        return after_restore(now, made_at, None)


def after_restore(now: datetime, made_at: datetime, chains: Mapping[str, Any] | None) -> Renewed:
    """Make rows of the past fit to be worked on now, in the caller's transaction. `chains`: as the backup tells them.

    What a locked phone holds to append reports with stays good: a fever must get through before anybody signs in.
    """
    db.session.execute(sa.update(Installation).values(server_epoch=uuid4(), restored_at=now))
    sessions, codes = _end_sessions(now)
    _leap()
    renewed = Renewed(_end_messages(now), _raise_episodes(now), sessions, codes)
    new = {"made_at": made_at, "chains": chains, **asdict(renewed)}
    audit.record("installation:restored", "installation", "1", new=new)
    return renewed


def _end_sessions(now: datetime) -> tuple[int, int]:
    """Nobody is signed in: a session ended since looks open again, and a code used since looks unused."""
    families = sa.update(TokenFamily).where(TokenFamily.revoked_at.is_(None)).values(revoked_at=now, revoked_why=WHY)
    unused = (ActivationCode.used_at.is_(None), ActivationCode.revoked_at.is_(None))
    codes = sa.update(ActivationCode).where(*unused).values(revoked_at=now)
    return _count(families), _count(codes)


def _count(statement: sa.Update) -> int:
    done = db.session.execute(statement.execution_options(synchronize_session=False))
    assert isinstance(done, sa.CursorResult)
    return done.rowcount


def _leap() -> None:
    """A console's "nothing new since 57", a doctor's "Page 1007" and "seen up to signal 12" must not come to mean
    something else: an acceptance that was kept on a telephone would stop the page of another signal."""
    of_sites = {"change_seq": Site.change_seq + _CHANGES, "next_page_number": Site.next_page_number + _PAGES}
    of_subjects = {"signal_seq": Subject.signal_seq + _SIGNALS}
    for leap in (sa.update(Site).values(of_sites), sa.update(Subject).values(of_subjects)):
        db.session.execute(leap.execution_options(synchronize_session=False))


def _end_messages(now: datetime) -> int:
    """Whatever had not gone out by the time of the backup has, or is of no use now. Pages start anew with the ladder.

    What a provider took stays as it is, for its receipts.
    """
    open_states = [one for one in NEXT_STATES if one not in (*FINAL_STATES, *TOLD_STATES)]
    ids = list(db.session.scalars(sa.select(Message.id).where(Message.state.in_(open_states)).order_by(Message.id)))
    for message_id in ids:
        message = outbox.locked(message_id)
        assert message is not None
        state = "expired" if message.state == "unknown" else "cancelled"  # unknown: it may have been sent
        outbox.move(message, state, origin="restore", now=now, code=WHY)
        db.session.expunge(message)
    return len(ids)


def _raise_episodes(now: datetime) -> int:
    ids = list(db.session.scalars(sa.select(Episode.id).where(Episode.closed_at.is_(None)).order_by(Episode.opened_at)))
    for episode_id in ids:
        episodes.raise_again(answers.locked_episode(episode_id), now, WHY)
    return len(ids)
