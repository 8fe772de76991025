"""The worker: threads that step the ladder, plan reminders, watch for silence, send, and sweep.

Pages and reminders have senders of their own, so that a gateway that hangs on reminders delays no page.
Each loop's heartbeat is written only when that loop has made a turn: one that hangs shows. `run_once` does
the same work in one thread and at one instant, for tests and the simulator.
"""

import signal
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Protocol

import structlog
from flask import Flask

from backend import agenda, audit, clock, outbox
from backend.db import transaction
from backend.safety import watch
from notifications import delivery, gaps, heartbeat, ladder, reminders, sweeping
from notifications.gateways.base import Gateways

log = structlog.get_logger(__name__)

POLL_S = 0.5
FLEET_HAS = timedelta(seconds=5)  # before a page is sent by whoever hands out
STOPPED_S = 15.0  # how long a sender rests that its provider refuses altogether
_EVERY_S = {"ladder": POLL_S, "watch": 15.0, "planner": 30.0, "sweeper": 15.0, "calendar": 15.0, "heartbeat": 5.0}
_STAGES = 2000  # rows of the calendar in one turn: a writer waits no longer than that takes
_MOST_TURNS = 100  # of one kind in a run_once, so that a fault cannot turn it for ever


class Loop(Thread):
    """Turns `turn` every `every_s` until stopped. A turn may name another pause; an error never ends the loop."""

    def __init__(self, app: Flask, name: str, turn: Callable[["Loop"], float | None], every_s: float, stop: Event):
        super().__init__(name=name, daemon=True)
        self._app, self._turn, self._every_s, self._stop_event = app, turn, every_s, stop
        self.turned_at: datetime | None = None
        self.detail: str | None = None

    def run(self) -> None:
        while not self._stop_event.is_set():
            pause = self._once()
            self._stop_event.wait(self._every_s if pause is None else pause)

    def _once(self) -> float | None:
        pause = None
        try:
            with self._app.app_context(), audit.acting(audit.WORKER):
                pause = self._turn(self)
        except Exception as error:  # whatever it was, the next turn may succeed; until one does, no beat is written
            log.error("worker.turn_failed", loop=self.name, error=type(error).__name__)
            return pause
        self.turned_at = clock.now()
        return pause


class Dispatch(Protocol):
    """Hands what is due of one lane to a fleet. `turn` says how many; it raises where the broker does not answer."""

    def turn(self) -> int: ...


class Worker:
    """All loops of one process. `start` and `stop` for tests and hosts; `run` until SIGTERM or SIGINT.

    `dispatch`: by lane, what hands to a fleet. Pages keep their senders here too, which then leave the fleet
    `FLEET_HAS` to begin: a fleet or a broker that is gone delays a page by that and no more.
    """

    def __init__(
        self,
        app: Flask,
        gateways: Gateways,
        page_senders: int = 2,
        reminder_senders: int = 1,
        dispatch: Mapping[str, Dispatch] | None = None,
    ) -> None:
        self._app, self._gateways = app, gateways
        self._stop = Event()
        self._forget_at: list[datetime] = []
        self._written: dict[str, tuple[datetime, str | None]] = {}
        dispatch = dispatch or {}
        patience = FLEET_HAS if dispatch else timedelta(0)
        reminder_senders = 0 if dispatch else reminder_senders
        self.loops = [
            *(self._sender(f"pages-{n + 1}", outbox.PAGE, patience) for n in range(page_senders)),
            *(self._sender(f"reminders-{n + 1}", outbox.REMINDER) for n in range(reminder_senders)),
            *(self._dispatcher(lane, one) for lane, one in dispatch.items()),
            self._loop("ladder", lambda _: _pause_if_idle(ladder.run_due(clock.now()))),
            self._loop("watch", lambda _: _none(watch.sweep(clock.now()))),
            self._loop("planner", lambda _: _plan(clock.now())),
            self._loop("sweeper", lambda _: _none(sweeping.sweep(gateways, clock.now()))),
            self._loop("calendar", lambda _: _pause_if_idle(_advance(clock.now()))),
            self._loop("heartbeat", self._beat),
        ]

    def start(self) -> None:
        # Now, and once more when whatever ran a moment before shows as standing still.
        self._forget_at = [clock.now(), clock.now() + 2 * heartbeat.LATE_AFTER]
        for loop in self.loops:
            loop.start()

    def stop(self, wait_s: float = 15.0) -> None:
        """Ask every loop to end after its turn, and wait. A loop held by a gateway is left behind; its lease dies."""
        self._stop.set()
        for loop in self.loops:
            loop.join(wait_s)

    def run(self) -> None:
        """Run in the main thread until told to stop."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        self.start()
        log.info("worker.started", loops=[loop.name for loop in self.loops])
        while not self._stop.wait(1.0):
            pass
        self.stop()
        log.info("worker.stopped")

    def _loop(self, name: str, turn: Callable[[Loop], float | None]) -> Loop:
        return Loop(self._app, name, turn, _EVERY_S[name], self._stop)

    def _sender(self, name: str, lane: str, patience: timedelta = timedelta(0)) -> Loop:
        def turn(loop: Loop) -> float | None:
            delivered = delivery.deliver_next(self._gateways, lane, patience)
            if delivered is None:
                return None
            loop.detail = f"stopped by the provider: {delivered.code}" if delivered.stop else None
            # Pages do not rest: the next one may go another way, and each waits by itself before it is tried again.
            return STOPPED_S if delivered.stop and lane == outbox.REMINDER else 0.0

        return Loop(self._app, name, turn, POLL_S, self._stop)

    def _dispatcher(self, lane: str, dispatch: Dispatch) -> Loop:
        return Loop(self._app, f"dispatch-{lane}", lambda _: _pause_if_idle(dispatch.turn()), POLL_S, self._stop)

    def _beat(self, _: Loop) -> None:
        turned = {loop.name: (loop.turned_at, loop.detail) for loop in self.loops}
        turned["heartbeat"] = (clock.now(), None)
        fresh = {
            name: (at, detail)
            for name, (at, detail) in turned.items()
            if at is not None and (at, detail) != self._written.get(name)
        }
        with transaction():
            if self._forget_at and clock.now() >= self._forget_at[0]:
                del self._forget_at[0]
                heartbeat.forget_others({loop.name for loop in self.loops})
            heartbeat.write(fresh)
        self._written.update(fresh)


def run_once(app: Flask, gateways: Gateways, now: datetime) -> None:
    """Everything that is due at `now`, once, in this thread: watch, ladder, plan, sweep, pages, then reminders."""
    with ExitStack() as stack:
        stack.enter_context(clock.running_on(lambda: now))
        stack.enter_context(audit.acting(audit.WORKER))
        stack.enter_context(app.app_context())
        _exhaust(lambda: _advance(now))
        watch.sweep(now)
        _exhaust(lambda: ladder.run_due(now))
        _plan(now)
        sweeping.sweep(gateways, now)
        send_all(gateways, outbox.PAGE)
        for _ in range(_MOST_TURNS):  # a page that was lost has hurried its ladder
            if not ladder.run_due(now):
                break
            send_all(gateways, outbox.PAGE)
        send_all(gateways, outbox.REMINDER)


def send_all(gateways: Gateways, lane: str) -> None:
    while True:
        delivered = delivery.deliver_next(gateways, lane)
        if delivered is None or (delivered.stop and lane == outbox.REMINDER):
            return


def _exhaust(turn: Callable[[], int]) -> None:
    for _ in range(_MOST_TURNS):
        if not turn():
            return


def _plan(now: datetime) -> float | None:
    reminders.plan(now)
    gaps.tell(now)
    return None


def _advance(now: datetime) -> int:
    """Keep the stages of the calendar near the clock; a full turn says that there is more."""
    with transaction():
        moved = agenda.advance(now, _STAGES)
    return moved if moved == _STAGES else 0


def _none(_: object) -> None:
    return None


def _pause_if_idle(done: int) -> float | None:
    return 0.0 if done else None
