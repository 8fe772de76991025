"""`flask --app wsgi …`: what an operator types."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import pyotp
import sqlalchemy as sa
from flask import Flask, current_app
from flask.cli import AppGroup

from backend import accounts, agenda, clock, crypto, demo, installation, sessions, staffing, strictjson, studies
from backend import audit as trail
from backend.db import db, transaction
from backend.errors import Problem
from backend.models.people import Account
from backend.models.study import Installation, Site
from backend.policy import STAFF
from backend.safety import evaluate as _  # noqa: F401  # fills the catalogue of rules
from backend.safety.rules.base import CATALOGUE
from notifications.gateways.choose import choose
from notifications.worker import Worker
from schedules.protocol import load

audit = AppGroup("audit", help="The audit trail.")
agenda_group = AppGroup("agenda", help="The projection of the calendar.")
study = AppGroup("study", help="Study definitions.")
staff = AppGroup("staff", help="Members of staff.")
site = AppGroup("site", help="Sites.")
demo_group = AppGroup("demo", help="The made-up trial of DAYMARK_MODE=demo.")

DEMO_STUDY = Path(load.__file__).parent / "definitions" / "sle-cd19.yaml"


@audit.command("verify")
def audit_verify() -> None:
    """Walk every chain; exit status 1 at the first row that does not hold."""
    with transaction(writes=False):
        report = trail.verify()
    click.echo(f"{report.chains} chains, {report.rows} rows")
    if not report.intact:
        click.echo(f"broken: {report.first_bad}", err=True)
        raise SystemExit(1)
    click.echo("intact")


@agenda_group.command("verify")
def agenda_verify() -> None:
    """Rebuild every subject's calendar and compare; exit status 1 where the stored one differs."""
    with transaction(writes=False):
        differences = agenda.verify()
    for difference in differences:
        click.echo(strictjson.dumps(difference), err=True)
    if differences:
        raise SystemExit(1)
    click.echo("rebuilt = stored")


@study.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def study_check(file: Path) -> None:
    """Judge a study file; every fault with its path, exit status 2."""
    found = _loaded(file)
    click.echo(f"{found.key} {found.revision}: no fault. sha256 {found.sha256}")


def _loaded(file: Path) -> Any:
    try:
        return load.load_study(file, CATALOGUE)
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
    wrote, approved = _proven(author), _proven(approver)
    if approved.role != "principal_investigator" or wrote.id == approved.id:
        raise click.ClickException("a principal investigator other than the author must approve")
    content = load.load_content(file.read_text(encoding="utf-8"))
    with trail.acting(trail.Actor(approved.id, approved.role, "command")), transaction():
        row = studies.publish(content, author_id=wrote.id, approver_id=approved.id)
    click.echo(f"{row.study_key} {row.revision} {row.sha256}")


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


@site.command("add")
@click.option("--code", required=True)
@click.option("--name-zh", required=True)
@click.option("--name-en", required=True)
@click.option("--time-zone", required=True)
@click.option("--phone-24h", required=True)
@click.option("--study-sha256", required=True, help="the published revision new subjects are enrolled under")
def site_add(code: str, name_zh: str, name_en: str, time_zone: str, phone_24h: str, study_sha256: str) -> None:
    """Add a site that runs a published revision."""
    try:
        with trail.acting(trail.Actor(None, "operator", "command")), transaction():
            row = studies.add_site(code, name_zh, name_en, time_zone, phone_24h, study_sha256)
    except Problem as problem:
        raise click.ClickException(_told(problem)) from problem
    click.echo(f"{row.code} {row.id}")


@staff.command("add")
@click.option("--username", required=True)
@click.option("--name", required=True)
@click.option("--role", required=True, type=click.Choice(STAFF))
@click.option("--site", "sites", multiple=True, help="site code; may stand several times")
@click.option("--phone", help="where pages go; digits as dialled")
@click.option("--locale", default="zh-CN", type=click.Choice(["zh-CN", "en"]))
@click.password_option()
def staff_add(
    username: str, name: str, role: str, sites: tuple[str, ...], phone: str | None, locale: str, password: str
) -> None:
    """Add a member of staff; prints the secret for the one-time codes once."""
    _long_enough(password)
    hashed = crypto.hash_password(password)
    try:
        with trail.acting(trail.Actor(None, "operator", "command")), transaction():
            ids = db.session.execute(sa.select(Site.id, Site.code).where(Site.code.in_(sites))).all()
            if len(ids) != len(set(sites)):
                raise click.ClickException("no such site")
            account, secret = accounts.add_staff(
                username=username,
                name=name,
                role=role,
                password_hash=hashed,
                locale=locale,
                site_ids=[row.id for row in ids],
                phone=phone,
            )
            known_as = account.username or username
    except Problem as problem:
        raise click.ClickException(_told(problem)) from problem
    click.echo(f"{known_as}: {pyotp.TOTP(secret).provisioning_uri(name=known_as, issuer_name='Daymark')}")


@staff.command("reset")
@click.argument("username")
@click.password_option()
def staff_reset(username: str, password: str) -> None:
    """Give new secrets to somebody who lost theirs; ends every session and device of the account."""
    _long_enough(password)
    hashed = crypto.hash_password(password)
    try:
        with trail.acting(trail.Actor(None, "operator", "command")), transaction():
            account, secret = staffing.reset(username, hashed)
            known_as = account.username or username
    except Problem as problem:
        raise click.ClickException(_told(problem)) from problem
    click.echo(f"{known_as}: {pyotp.TOTP(secret).provisioning_uri(name=known_as, issuer_name='Daymark')}")


@staff.command("end")
@click.argument("username")
@click.option("--reason", required=True)
def staff_end(username: str, reason: str) -> None:
    """End the account of somebody who has left: no sign-in, no page."""
    try:
        with trail.acting(trail.Actor(None, "operator", "command")), transaction():
            staffing.end(username, reason)
    except Problem as problem:
        raise click.ClickException(_told(problem)) from problem
    click.echo(f"{username} is ended")


def _long_enough(password: str) -> None:
    if len(password) < 12:
        raise click.ClickException("the password must have at least 12 characters")


def _told(problem: Problem) -> str:
    return "; ".join(f"{fault.path}: {fault.message}" for fault in problem.faults) or str(problem)


@click.command("worker")
@click.option("--page-senders", default=2, show_default=True)
@click.option("--reminder-senders", default=1, show_default=True)
def worker_run(page_senders: int, reminder_senders: int) -> None:
    """Send what is due: pages, the ladder's steps, reminders; watch over silence. Until SIGTERM."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    Worker(app, choose(installation.settings()), page_senders, reminder_senders).run()


@demo_group.command("load")
@click.option("--accounts", "accounts_file", required=True, type=click.Path(dir_okay=False, path_type=Path))
def demo_load(accounts_file: Path) -> None:
    """Fill an empty database with the made-up trial and write its sign-ins to a file."""
    if installation.settings().live:
        raise click.ClickException("the demo trial is never loaded into a live installation")
    content = load.load_content(DEMO_STUDY.read_text(encoding="utf-8"))
    with transaction():
        installation.settle("demo")
    shown = demo.load(content, clock.now())
    accounts_file.write_text(json.dumps(shown, ensure_ascii=False, indent=2, default=str) + "\n", encoding="utf-8")


@demo_group.command("totp")
@click.argument("username")
@click.option("--accounts", "accounts_file", required=True, type=click.Path(exists=True, path_type=Path))
def demo_totp(username: str, accounts_file: Path) -> None:
    """The one-time code of a demo user now; each code signs in once."""
    people = json.loads(accounts_file.read_text(encoding="utf-8"))["staff"]
    secret = next((one["totp_secret"] for one in people if one["username"] == username), None)
    if secret is None:
        raise click.ClickException(f"no demo user {username}")
    click.echo(pyotp.TOTP(secret).now())


@demo_group.command("age")
def demo_age() -> None:
    """Exit status 0 while the demo is younger than twelve hours, 1 when it should be made anew."""
    with transaction(writes=False):
        made = db.session.execute(sa.select(Installation.created_at)).scalar_one_or_none()
    fresh = made is not None and clock.now() - made < timedelta(hours=12)
    raise SystemExit(0 if fresh else 1)


def register(app: Flask) -> None:
    """Hang the commands on the application."""
    for command in (audit, agenda_group, study, site, staff, demo_group, worker_run):
        app.cli.add_command(command)
