"""A fleet of senders on Celery: one task, `deliver(row id)`, and the loop that hands out what is due.

The rows stay the truth: no eta, no countdown, no retry and no result of Celery's. A task that is lost costs one round,
one that is doubled finds its row taken. Two queues, so that reminders which hang hold up no page; and a page that the
fleet has not begun within seconds, or that the broker does not take, is sent by the loop itself.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
import structlog
from celery import Celery
from celery.signals import heartbeat_sent
from flask import Flask
from kombu.exceptions import KombuError

from backend import audit, clock, outbox
from backend.db import db, transaction
from backend.models.outbox import Message
from notifications import delivery, heartbeat
from notifications.gateways.base import Gateways

log = structlog.get_logger(__name__)

QUEUES = {outbox.PAGE: "daymark.pages", outbox.REMINDER: "daymark.reminders"}
PATIENCE = {outbox.PAGE: timedelta(seconds=5), outbox.REMINDER: timedelta(seconds=60)}
_AT_ONCE = 500
_TASK = "daymark.deliver"
_BEAT_EVERY = timedelta(seconds=5)


def celery_at(broker_url: str) -> Celery:
    """A Celery application that gives up on a broker within seconds, as pages do not wait for one."""
    celery = Celery("daymark", broker=broker_url, set_as_current=False)
    celery.conf.update(
        task_ignore_result=True,
        worker_prefetch_multiplier=4,
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=2,
        broker_transport_options={"socket_timeout": 5, "socket_connect_timeout": 2},
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
    )
    return celery


class Dispatcher:
    """Hands the due rows of one lane to the fleet, each once, and again when nobody has begun it in time."""

    def __init__(self, celery: Celery, gateways: Gateways, lane: str) -> None:
        self._celery, self._gateways, self._lane = celery, gateways, lane
        self._handed: dict[UUID, datetime] = {}
        self.detail: str | None = None

    def turn(self) -> int:
        """Hand out what is due. Returns how many rows this turn dealt with."""
        now = clock.now()
        due = self._due(now)
        # What has been taken is forgotten; a row that comes back is handed out anew.
        self._handed = {one: at for one, at in self._handed.items() if one in set(due)}
        self.detail = None
        return sum(self._deal_with(one, now) for one in due)

    def _due(self, now: datetime) -> list[UUID]:
        query = (
            sa.select(Message.id)
            .where(Message.lane == self._lane, Message.state == "pending", Message.next_try_at <= now)
            .order_by(Message.due_at, Message.id)
            .limit(_AT_ONCE)
        )
        with transaction(writes=False):
            return list(db.session.scalars(query))

    def _deal_with(self, message_id: UUID, now: datetime) -> bool:
        handed_at = self._handed.get(message_id)
        if handed_at is not None and now - handed_at < PATIENCE[self._lane]:
            return False
        if handed_at is not None and self._lane == outbox.PAGE:
            return self._send_myself(message_id, "the fleet does not take pages")
        try:
            self._celery.send_task(_TASK, (str(message_id),), queue=QUEUES[self._lane], ignore_result=True, retry=False)
        except (KombuError, OSError) as error:
            log.error("broker.failed", error=type(error).__name__)
            if self._lane == outbox.PAGE:
                return self._send_myself(message_id, "the broker does not answer")
            self.detail = "the broker does not answer"
            raise
        self._handed[message_id] = now
        return True

    def _send_myself(self, message_id: UUID, why: str) -> bool:
        self.detail = why
        return delivery.deliver(self._gateways, message_id) is not None


def run(app: Flask, celery: Celery, gateways: Gateways, lane: str, senders: int) -> None:
    """One member of the fleet: so many senders of one lane, until SIGTERM."""
    name = f"fleet-{lane}"
    last: list[datetime] = []

    def deliver(message_id: str) -> None:
        with app.app_context(), audit.acting(audit.WORKER):
            delivery.deliver(gateways, UUID(message_id))

    def beat(**_: Any) -> None:
        now = clock.now()
        if last and now - last[0] < _BEAT_EVERY:
            return
        last[:] = [now]
        with app.app_context(), transaction():
            heartbeat.write({name: (now, None)})

    celery.task(name=_TASK, ignore_result=True)(deliver)
    heartbeat_sent.connect(beat, weak=False)
    quiet = ["--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
    celery.worker_main(["worker", "-Q", QUEUES[lane], "-P", "threads", "-c", str(senders), *quiet])
