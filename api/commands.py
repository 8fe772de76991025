"""`flask --app wsgi …`: what an operator types."""

import click
from flask import Flask
from flask.cli import AppGroup

from backend import audit as trail
from backend.db import transaction

audit = AppGroup("audit", help="The audit trail.")


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


def register(app: Flask) -> None:
    """Hang the commands on the application."""
    app.cli.add_command(audit)
