"""The processes that send (`flask worker`, `fleet`), the check on them (`deadman`), a Twilio for developers."""

import contextlib
from importlib import import_module
from typing import Any

import click
import requests
from flask import Flask, current_app
from flask.cli import with_appcontext

from backend import installation, outbox
from backend.db import transaction
from notifications import heartbeat
from notifications.gateways.choose import Installed
from notifications.gateways.console import masked
from notifications.worker import Dispatch, Worker


def _app() -> Flask:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    return app


def _fleet() -> Any:
    """The fleet's module; Celery is installed only where one is wanted."""
    try:
        return import_module("notifications.fleet")
    except ModuleNotFoundError as error:
        raise click.ClickException(f"{error.name} is missing: pip install -r requirements-fleet.txt") from error


@click.command("worker")
@click.option("--page-senders", default=2, show_default=True)
@click.option("--reminder-senders", default=1, show_default=True)
def worker_run(page_senders: int, reminder_senders: int) -> None:
    """Send what is due: pages, the ladder's steps, reminders; watch over silence. Until SIGTERM.

    With CELERY_BROKER_URL it hands out what is due and `flask fleet` sends; a page that the fleet has not begun
    within five seconds is sent here.
    """
    settings = installation.settings()
    gateways = Installed(settings).warm()
    dispatch: dict[str, Dispatch] = {}
    if settings.celery_broker_url:
        fleet = _fleet()
        celery = fleet.celery_at(settings.celery_broker_url)
        dispatch = {lane: fleet.Dispatcher(celery, lane) for lane in fleet.QUEUES}
    Worker(_app(), gateways, page_senders, reminder_senders, dispatch).run()


@click.command("fleet")
@click.option("--lane", required=True, type=click.Choice([outbox.PAGE, outbox.REMINDER]))
@click.option("--senders", default=4, show_default=True, help="calls in flight at once")
def fleet_run(lane: str, senders: int) -> None:
    """One member of the fleet, beside `flask worker`: sends what the broker brings of one lane. Until SIGTERM."""
    settings = installation.settings()
    if not settings.celery_broker_url:
        raise click.ClickException("CELERY_BROKER_URL is not set: `flask worker` alone sends")
    fleet = _fleet()
    fleet.run(_app(), fleet.celery_at(settings.celery_broker_url), Installed(settings).warm(), lane, senders)


@click.command("deadman")
@with_appcontext
@click.option("--ping", help="an address outside to call while all is well; its silence is the alarm")
def deadman(ping: str | None) -> None:
    """Exit status 0 while pages leave: every loop beats and no page waits. For cron, beside a check from outside.

    With --ping a watcher elsewhere is told; when this machine dies, the watcher hears nothing and calls people.
    """
    with transaction(writes=False):
        pulse = heartbeat.pulse()
    oldest = max(pulse.ages.values(), default=0.0)
    click.echo(f"{pulse.status}; oldest beat {oldest:.0f} s, oldest page waits {pulse.page_waits_s:.0f} s")
    for name, detail in pulse.details.items():
        click.echo(f"{name}: {detail}")
    if pulse.status != "ok":
        raise click.ClickException(f"late: {', '.join(pulse.late) or 'no worker'}")
    if ping is not None:
        try:
            requests.get(ping, timeout=10).raise_for_status()
        except requests.RequestException as error:
            raise click.ClickException(f"the watcher outside was not reached: {type(error).__name__}") from error


@click.command("fake-twilio")
@click.option("--port", default=4010, show_default=True)
@click.option("--account", default="AC" + "0" * 32, show_default=True)
@click.option("--token", default="token", show_default=True)
def fake_twilio_run(port: int, account: str, token: str) -> None:
    """A Twilio for developers: takes every message and call, prints it, sends signed receipts. Until Ctrl-C."""
    from notifications.fake_provider import serving
    from notifications.fake_twilio import FakeTwilio

    fake = FakeTwilio(account, token)
    fake.reports = ("sent", "delivered")
    with serving(fake, port) as url:
        click.echo(f"TWILIO_API_BASE_URL={url} TWILIO_ACCOUNT_SID={account} TWILIO_AUTH_TOKEN={token}")
        shown = 0
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                fake.arrived.wait()
                fake.arrived.clear()
                for one in fake.taken[shown:]:
                    click.echo(f"{one.kind} {one.sid} {masked(one.to)} {one.body}")
                shown = len(fake.taken)


COMMANDS = (worker_run, fleet_run, deadman, fake_twilio_run)
