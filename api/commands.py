"""`flask --app wsgi …`: what an operator types."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import click
import pyotp
import sqlalchemy as sa
from flask import Flask
from flask.cli import AppGroup, with_appcontext

from api import keeping_commands, sending_commands
from api.instants import PastInstant
from api.scoring_commands import score
from api.study_commands import study
from backend import (
    accounts,
    agenda,
    clock,
    crypto,
    delegation,
    export,
    installation,
    staffing,
    strictjson,
    studies,
    workdays,
)
from backend import audit as trail
from backend.db import db, snapshot, transaction
from backend.demo import stories
from backend.errors import Problem
from backend.models.study import Installation, Site
from backend.policy import STAFF
from backend.safety import evaluate as _  # noqa: F401  # fills the catalogue of rules
from schedules.protocol import load

audit = AppGroup("audit", help="The audit trail.")
agenda_group = AppGroup("agenda", help="The projection of the calendar.")
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


@site.command("add")
@click.option("--code", required=True)
@click.option("--name-zh", required=True)
@click.option("--name-en", required=True)
@click.option("--time-zone", required=True)
@click.option("--phone-24h", required=True)
@click.option("--study-sha256", required=True, help="the published revision new subjects are enrolled under")
@click.option("--country", default="CN", show_default=True, help="whose public holidays seed the working days")
def site_add(
    code: str, name_zh: str, name_en: str, time_zone: str, phone_24h: str, study_sha256: str, country: str
) -> None:
    """Add a site that runs a published revision; its working days are seeded for this year and the next."""
    try:
        with trail.acting(trail.Actor(None, "operator", "command")), transaction():
            row = studies.add_site(code, name_zh, name_en, time_zone, phone_24h, study_sha256, country.upper())
            for year in (clock.now().year, clock.now().year + 1):
                workdays.seed(row, year)
    except Problem as problem:
        raise click.ClickException(_told(problem)) from problem
    click.echo(f"{row.code} {row.id}")
    if row.live_at is None:
        click.echo(
            "it enrols once a test page was accepted (PUT /sites/{id}/channels/{medium}, POST …/tests, "
            "PUT …/test-acceptance) and PUT /sites/{id}/live was said"
        )


@site.command("seed-days")
@click.option("--code", required=True)
@click.option("--year", required=True, type=click.IntRange(2000, 2100))
def site_seed_days(code: str, year: int) -> None:
    """Add a year's holidays and make-up days where nothing was said of a date; repeat once they are announced."""
    with trail.acting(trail.Actor(None, "operator", "command")), transaction():
        row = db.session.execute(sa.select(Site).where(Site.code == code)).scalar_one_or_none()
        if row is None:
            raise click.ClickException(f"no such site: {code}")
        added, whole = workdays.seed(row, year), workdays.is_complete(row, year)
    click.echo(
        f"{code} {year}: {added} dates added" + ("" if whole else "; the make-up working days are not known yet")
    )


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
            if not installation.settings().live:  # in a live trial the principal investigator delegates
                for row in ids:
                    delegation.grant_all(account, row.id, clock.now().date() - timedelta(days=1), None)
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


@demo_group.command("load")
@click.option("--accounts", "accounts_file", required=True, type=click.Path(dir_okay=False, path_type=Path))
def demo_load(accounts_file: Path) -> None:
    """Fill an empty database with the made-up trial and write its sign-ins to a file."""
    if installation.settings().live:
        raise click.ClickException("the demo trial is never loaded into a live installation")
    content = load.load_content(DEMO_STUDY.read_text(encoding="utf-8"))
    with transaction():
        installation.settle("demo")
    shown = stories.load(content, clock.now())
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


@click.command("export")
@with_appcontext
@click.option("--output", required=True, type=click.Path(dir_okay=False, writable=True, path_type=Path))
@click.option("--as-of", "at", type=PastInstant(), help="with offset (RFC 3339): the dataset as it stood then")
@click.option("--site", "sites", multiple=True, help="site code; all sites unless said")
def export_dataset(output: Path, at: datetime | None, sites: tuple[str, ...]) -> None:
    """Write the dataset without contact data as one zip; the export is kept in the audit trail."""
    with snapshot():
        wanted = sa.select(Site.id, Site.code).order_by(Site.code)
        found = db.session.execute(wanted.where(Site.code.in_(sites)) if sites else wanted).all()
        if sites and len(found) != len(set(sites)):
            raise click.ClickException("no such site")
        with output.open("wb") as file:
            export.write(file, [row.id for row in found], at)
    with trail.acting(trail.Actor(None, "operator", "command")), transaction():
        trail.record("dataset:exported", "dataset", output.name, new={"as_of": at, "bytes": output.stat().st_size})
    click.echo(f"{output} {output.stat().st_size} bytes")


def register(app: Flask) -> None:
    """Hang the commands on the application."""
    for command in (
        audit,
        agenda_group,
        study,
        score,
        site,
        staff,
        demo_group,
        export_dataset,
        *sending_commands.COMMANDS,
        *keeping_commands.COMMANDS,
    ):
        app.cli.add_command(command)
