"""A fleet of senders on Celery: one task, `deliver(row id)`, and the loop that hands out what is due.

The rows stay the truth: no eta, no countdown, no retry and no result of Celery's. A task that is lost costs one round,
one that is doubled finds its row taken. Two queues, so that reminders which hang hold up no page. What hands out keeps
senders of its own for pages (`notifications.worker`): they take those that the fleet has not begun within seconds.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from celery import Celery
from celery.signals import heartbeat_sent
from flask import Flask

from backend import audit, clock, outbox
from backend.db import db, transaction
from backend.models.outbox import Message
from notifications import delivery, heartbeat
from notifications.gateways.base import Gateways
from notifications.worker import STOPPED_S

QUEUES = {outbox.PAGE: "daymark.pages", outbox.REMINDER: "daymark.reminders"}
AGAIN_AFTER = timedelta(seconds=60)  # a task may be lost: the row that nobody has begun is handed out once more
_AT_ONCE = 500
_TASK = "daymark.deliver"
_BEAT_EVERY = timedelta(seconds=5)


def celery_at(broker_url: str) -> Celery:
    """A Celery application that gives up on a broker within seconds, as pages do not wait for one."""
    celery = Celery("daymark", broker=broker_url, set_as_current=False)
    celery.conf.update(
        task_ignore_result=True,
        worker_prefetch_multiplier=1,  # what a member holds back waits for its own calls
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=2,
        broker_transport_options={"socket_timeout": 5, "socket_connect_timeout": 2},
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
    )
    return celery


class Dispatcher:
    """Hands the due rows of one lane to the fleet, each once, and again when nobody has begun it in time."""

    def __init__(self, celery: Celery, lane: str) -> None:
        self._celery, self._lane = celery, lane
        self._handed: dict[UUID, datetime] = {}

    def turn(self) -> int:
        """Hand out what is due. Returns how many rows. Raises what the broker raises, or the network."""
        now = clock.now()
        due = self._due(now)
        waiting = set(due)
        # What has been taken is forgotten; a row that comes back is handed out anew.
        self._handed = {one: at for one, at in self._handed.items() if one in waiting and now - at < AGAIN_AFTER}
        fresh = [one for one in due if one not in self._handed]
        for message_id in fresh:
            self._celery.send_task(_TASK, (str(message_id),), queue=QUEUES[self._lane], ignore_result=True, retry=False)
            self._handed[message_id] = now
        return len(fresh)

    def _due(self, now: datetime) -> list[UUID]:
        query = (
            sa.select(Message.id)
            .where(Message.lane == self._lane, Message.state == "pending", Message.next_try_at <= now)
            .order_by(Message.due_at, Message.id)
            .limit(_AT_ONCE)
        )
        with transaction(writes=False):
            return list(db.session.scalars(query))


def sender(
    app: Flask, gateways: Gateways, lane: str, rest: Callable[[float], None] = time.sleep
) -> Callable[[str], None]:
    """What the task does: see one row through. `rest`: how a sender of reminders waits while all is refused."""

    def deliver(message_id: str) -> None:
        with app.app_context(), audit.acting(audit.WORKER):
            delivered = delivery.deliver(gateways, UUID(message_id))
        if delivered is not None and delivered.stop and lane == outbox.REMINDER:
            rest(STOPPED_S)  # as the worker's own do; a page may go another way

    return deliver


def run(app: Flask, celery: Celery, gateways: Gateways, lane: str, senders: int) -> None:
    """One member of the fleet: so many senders of one lane, until SIGTERM."""
    name = f"fleet-{lane}"
    last: list[datetime] = []

    def beat(**_: Any) -> None:
        now = clock.now()
        if last and now - last[0] < _BEAT_EVERY:
            return
        last[:] = [now]
        with app.app_context(), transaction():
            heartbeat.write({name: (now, None)})

    celery.task(name=_TASK, ignore_result=True)(sender(app, gateways, lane))
    heartbeat_sent.connect(beat, weak=False)
    quiet = ["--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
    celery.worker_main(["worker", "-Q", QUEUES[lane], "-P", "threads", "-c", str(senders), *quiet])
