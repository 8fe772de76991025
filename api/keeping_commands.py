"""`flask backup`, `restore`, `after-restore`, `move`: keeping an installation. What they do is in `backend`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa
from flask.cli import with_appcontext

from api.instants import PastInstant
from backend import audit, backups, clock, elsewhere, moving, restoring
from backend.db import transaction
from backend.errors import Refused

OPERATOR = audit.Actor(None, "operator", "command")
WITH_FAULTS = 3  # not 1 or 2, by which every command says that it did nothing


@contextmanager
def _told() -> Iterator[None]:
    """Acts of the operator; what goes wrong is said in a sentence, and a database's own words stay with us."""
    try:
        with audit.acting(OPERATOR):
            yield
    except Refused as refused:
        raise click.ClickException(str(refused)) from refused
    except sa.exc.DBAPIError as error:
        kind = type(error.orig).__name__
        raise click.ClickException(f"a database cannot be used or broke off ({kind}); nothing was kept") from error
    except OSError as error:
        raise click.ClickException(str(error)) from error


@click.command("backup")
@with_appcontext
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path))
def backup(output: Path) -> None:
    """Write everything but the keys into one new file, from either database, while the installation runs.

    SECRET_KEY and FIELD_KEYS are not inside. Keep them in another place: without them the file cannot be restored.
    Exit status 3 if the file was written and what it holds has faults; with any other but 0 nothing was written.
    """
    with _told():
        manifest, carried = backups.write(output, clock.now())
        size = output.stat().st_size
        new = {name: manifest[name] for name in ("made_at", "source", "schema", "chains")}
        faults = [*carried.faults, *_noted(output, {**new, "bytes": size, "rows": carried.rows})]
    click.echo(f"{output} {size} bytes")
    _tell(carried)
    _warn(faults)
    if faults:
        raise SystemExit(WITH_FAULTS)


def _noted(output: Path, new: Mapping[str, Any]) -> Iterator[str]:
    """Into the audit trail that a backup was made; a fault where that cannot be, as the file is there all the same."""
    try:
        with transaction():
            audit.record("backup:made", "backup", output.name[:60], new=new)
    except sa.exc.DBAPIError as error:
        yield f"the audit trail does not say that this backup was made ({type(error.orig).__name__})"


@click.command("restore")
@with_appcontext
@click.option("--from", "file", required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--without-keys", is_flag=True, help="restore although field keys are missing; what they seal is lost")
def restore(file: Path, without_keys: bool) -> None:
    """Bring a backup into the configured database, which must be new or empty.

    All of it is stored or nothing. No reminder of that time is sent, none at all on the day of the restore; every open
    episode pages again; everybody signs in again; phones offer again what they sent since. What staff recorded since is
    to be recorded again: who died, left the trial or was admitted.
    """
    with _told():
        restored = restoring.restore(file, clock.now(), without_keys=without_keys)
        place = elsewhere.name()
    click.echo(f"{place} is as it was at {restored.made_at.isoformat()}")
    _tell(restored.carried)
    _renewed(restored.renewed)
    _warn(restored.carried.faults)


@click.command("after-restore")
@with_appcontext
@click.option("--made-at", required=True, type=PastInstant(), help="when the copy was made, with offset (RFC 3339)")
@click.option("--force", is_flag=True, help="although a worker seems to run")
def after_restore(made_at: datetime, force: bool) -> None:
    """After bringing the database back without `flask restore`: by pg_restore, or by copying its file.

    Run it before web and worker start. It does to the rows that are there what `flask restore` does, so that no old
    reminder is sent and every open episode pages again. The name differs from `restore` as this one changes a
    database that is full.
    """
    with _told():
        renewed = restoring.renew_in_place(clock.now(), made_at, force=force)
    _renewed(renewed)


@click.command("move")
@with_appcontext
@click.option("--to", "url", required=True, envvar="MOVE_TO", help="URL of a new or empty database, or in MOVE_TO")
@click.option("--force", is_flag=True, help="although a worker seems to run, or something is wrong at the source too")
def move(url: str, force: bool) -> None:
    """Carry the installation to another database, SQLite or PostgreSQL, and verify counts, chains and ciphertext.

    Stop web and worker first. Nothing is sent again and nobody is signed out. Afterwards the old database takes no
    write and nothing starts on it any more; keep it until you trust the new one.
    """
    with _told():
        place, carried = moving.move(url, force=force)
    click.echo(f"moved to {place}; set DATABASE_URL to it")
    _tell(carried)
    _warn(carried.faults)


def _tell(carried: moving.Carried) -> None:
    """Counts and heads, to be kept where whoever could change the database cannot change them."""
    seq, link = carried.system
    values = sum(one.values for one in carried.sealed)
    opened = values - sum(len(one.closed) for one in carried.sealed)
    click.echo(f"{carried.rows} rows in {len(carried.tables)} tables, equal on both sides")
    click.echo(f"{carried.chains.chains} audit chains, {carried.chains.rows} rows; the system's ends at {seq} {link}")
    click.echo(f"{opened} of {values} sealed values open")


def _renewed(renewed: restoring.Renewed) -> None:
    click.echo(f"{renewed.episodes_raised} open episodes page again")
    click.echo(f"{renewed.messages_ended} unsent messages ended; no reminder goes out today")
    click.echo(f"{renewed.sessions_ended} sessions and {renewed.codes_ended} unused activation codes ended")
    click.echo("Record again what happened since the backup: who died, left the trial or was admitted.")
    click.echo("End again what was ended since: accounts of people who left, lost phones.")


def _warn(faults: list[str]) -> None:
    for fault in faults:
        click.echo(f"warning: {fault}", err=True)


COMMANDS = (backup, restore, after_restore, move)
