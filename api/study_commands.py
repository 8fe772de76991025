"""`flask --app wsgi study …`: judge a study file, publish it, compare revisions, print what patients read."""

from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa
from flask.cli import AppGroup

from backend import audit as trail
from backend import installation, scoring, sessions, strictjson, studies
from backend.db import db, transaction
from backend.errors import Problem
from backend.models.people import Account
from backend.models.study import StudyRevision
from backend.safety import evaluate as _  # noqa: F401  # fills the catalogue of rules
from backend.safety.rules.base import CATALOGUE
from notifications.texts.catalogue import sent_to_patients
from schedules.protocol import content as protocol_content
from schedules.protocol import load
from schedules.protocol.difference import difference, taken_away
from schedules.protocol.texts import digest_of, drafts, texts

study = AppGroup("study", help="Study definitions.")


@study.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def study_check(file: Path) -> None:
    """Judge a study file; every fault with its path, exit status 2."""
    found = _loaded(file)
    click.echo(f"{found.key} {found.revision}: no fault. sha256 {found.sha256}")


def _loaded(file: Path) -> Any:
    try:
        return load.load_study(file, CATALOGUE, scoring.WORDS)
    except load.StudyFaults as bad:
        for fault in bad.faults:
            click.echo(f"{fault.path or '/'}: {fault.code}: {fault.message}", err=True)
        raise SystemExit(2) from bad


@study.command("publish")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--author", required=True, help="user name of the author, asked for password and code")
@click.option("--approver", required=True, help="user name of the principal investigator, asked likewise")
def study_publish(file: Path, author: str, approver: str) -> None:
    """Publish a revision: author and principal investigator both sign with password and one-time code."""
    _loaded(file)
    content = load.load_content(file.read_text(encoding="utf-8"))
    unread = drafts(content)
    if unread and installation.settings().live:
        raise click.ClickException(f"{len(unread)} Chinese texts are drafts (study texts), first {unread[0].path}")
    wrote, approved = _proven(author), _proven(approver)
    if approved.role != "principal_investigator" or wrote.id == approved.id:
        raise click.ClickException("a principal investigator other than the author must approve")
    with trail.acting(trail.Actor(approved.id, approved.role, "command")), transaction():
        row = studies.publish(content, author_id=wrote.id, approver_id=approved.id)
    click.echo(f"{row.study_key} {row.revision} {row.sha256}")


@study.command("diff")
@click.argument("old")
@click.argument("new")
def study_diff(old: str, new: str) -> None:
    """What a revision changes, place by place. OLD and NEW: a file, or the name or sha256 of a published revision.

    Exit status 1 where they differ; 2 where the new one takes away a word that stored records name.
    """
    before, after = _content_of(old), _content_of(new)
    changes = difference(before, after)
    for change in changes:
        click.echo(f"{change.path}: {_short(change.before)} -> {_short(change.after)}")
    gone = taken_away(load.build(before), load.build(after))
    for one in gone:
        click.echo(f"{one.path}: {one.code}: {one.message}", err=True)
    raise SystemExit(2 if gone else 1 if changes else 0)


def _content_of(said: str) -> dict[str, Any]:
    if Path(said).is_file():
        _loaded(Path(said))
        return load.load_content(Path(said).read_text(encoding="utf-8"))
    with transaction(writes=False):
        wanted = sa.or_(StudyRevision.revision == said, StudyRevision.sha256 == said)
        found = db.session.scalars(sa.select(StudyRevision).where(wanted)).all()
    if len(found) != 1:
        raise click.ClickException(f"{said} is no file and names {len(found)} published revisions")
    content: dict[str, Any] = protocol_content.from_json(found[0].content)
    return content


def _short(value: Any) -> str:
    text = "nothing" if value is None else strictjson.dumps(value)
    return text if len(text) <= 100 else text[:97] + "..."


@study.command("texts")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--all", "everything", is_flag=True, help="what only staff read, too")
@click.option("--drafts", "only_drafts", is_flag=True, help="only what nobody has reviewed; exit status 1 if any")
def study_texts(file: Path, everything: bool, only_drafts: bool) -> None:
    """Every text a patient or carer reads, in both languages, with its review: a Markdown table for the committee."""
    _loaded(file)
    content = load.load_content(file.read_text(encoding="utf-8"))
    shown = [one for one in texts(content) if everything or only_drafts or one.for_patients]
    shown = [one for one in shown if one.review is None] if only_drafts else shown
    click.echo("| where | zh-CN | en | wording | review |\n| --- | --- | --- | --- | --- |")
    for one in shown:
        review = f"{one.review[0]}, {one.review[1]}" if one.review else "draft"
        click.echo("| " + " | ".join(map(_cell, (one.path, one.zh, one.en, one.digest, review))) + " |")
    if not only_drafts:
        for key, (zh, en) in sent_to_patients().items():
            click.echo("| " + " | ".join(map(_cell, (f"text message {key}", zh, en, digest_of(zh), "fixed"))) + " |")
    raise SystemExit(1 if only_drafts and shown else 0)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _proven(username: str) -> Account:
    with transaction(writes=False):
        account = db.session.execute(sa.select(Account).where(Account.username == username)).scalar_one_or_none()
    if account is None:
        raise click.ClickException(f"no such user: {username}")
    password = click.prompt(f"Password of {username}", hide_input=True)
    totp = click.prompt(f"One-time code of {username}")
    try:
        sessions.confirm_staff(account.id, password, totp)
    except Problem as problem:
        raise click.ClickException(str(problem)) from problem
    return account
