"""The worker: one full pass at one instant, and the threads: no lane waits for the other, a hung loop shows."""

import time as wall
from collections.abc import Callable
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from flask import Flask

from backend.db import transaction
from backend.models.outbox import Message
from backend.models.study import WorkerHeartbeat
from backend.safety import watch
from notifications import reminders
from notifications.gateways.base import Outgoing, accepted, refused, stopped
from notifications.worker import Worker, run_once
from tests.notifications import outbox_builders as build
from tests.notifications.outbox_builders import FakeGateway, HandClock, House


def wait_for(condition: Callable[[], Any], seconds: float = 20) -> None:
    """Threads take real time: look until it is so, and fail when it never is."""
    end = wall.monotonic() + seconds
    while not condition():
        assert wall.monotonic() < end, "it did not come about"
        wall.sleep(0.02)


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """No watch for silence: it has tests of its own."""
    monkeypatch.setattr(watch, "sweep", lambda now: 0)


@pytest.mark.usefixtures("still")
def test_one_pass_does_all_that_is_due(app: Flask, house: House, time: HandClock) -> None:
    time.at = build.START - timedelta(hours=2)
    with transaction():
        build.episode(house.subject)
        build.slot(house.subject, time.at + timedelta(hours=5))
    gateway = FakeGateway()
    run_once(app, gateway, time.at)
    assert gateway.templates() == ["page", "page", "diary_today"]
    run_once(app, gateway, time.at)
    assert len(gateway.sent) == 3
    run_once(app, gateway, time.at + timedelta(seconds=300))
    assert gateway.templates()[3:] == ["page_again", "page_again"]


@pytest.mark.usefixtures("still")
def test_a_pass_climbs_past_people_who_cannot_be_reached(app: Flask, house: House, time: HandClock) -> None:
    with transaction():
        build.episode(house.subject)
    reachable: list[str] = []

    def only_the_chief(outgoing: Outgoing) -> Any:
        if outgoing.language == "zh-CN":
            if outgoing.lane == "page":
                reachable.append(outgoing.template)
            return accepted("SM1", 1)
        return refused("21211")

    run_once(app, FakeGateway(only_the_chief), time.at)
    assert reachable == ["page_again"]


@pytest.mark.usefixtures("still")
def test_a_gateway_that_hangs_on_reminders_delays_no_page(app: Flask, house: House) -> None:
    released, reached = Event(), Event()

    def hang(outgoing: Outgoing) -> Any:
        if outgoing.lane == "reminder":
            reached.set()
            released.wait(30)
        return accepted(str(outgoing.message_id), 1)

    with transaction():
        held = build.message(house.chief, house.site)
    worker = Worker(app, FakeGateway(hang), page_senders=1)
    worker.start()
    try:
        assert reached.wait(20)
        with transaction():
            rows = [build.page(house.on_call, house.site) for _ in range(3)]
        wait_for(lambda: {build.fresh(row).state for row in rows} == {"accepted"})
        assert build.fresh(held).state == "claimed"
        turned = {loop.name: loop.turned_at for loop in worker.loops}
        assert turned["reminders-1"] is None  # so its heartbeat is not written: it shows
        assert turned["pages-1"] is not None
    finally:
        released.set()
        worker.stop()
    assert not any(loop.is_alive() for loop in worker.loops)
    assert build.fresh(held).state == "accepted"


@pytest.mark.usefixtures("still")
def test_a_failing_turn_ends_no_loop_and_every_loop_beats(
    app: Flask, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifications.worker._EVERY_S", dict.fromkeys(
        ("ladder", "watch", "planner", "sweeper", "calendar", "heartbeat"), 0.02
    ))  # fmt: skip
    turns: list[set[str]] = []

    def fails_twice(now: Any) -> int:
        turns.append({one.name for one in build.everything(WorkerHeartbeat)})
        if len(turns) <= 2:
            raise RuntimeError
        return 0

    monkeypatch.setattr(reminders, "plan", fails_twice)
    worker = Worker(app, FakeGateway(lambda one: stopped("20003")))
    with transaction():
        build.message(house.chief, house.site)
        build.episode(house.subject)
    worker.start()
    try:
        wait_for(lambda: len(build.everything(WorkerHeartbeat)) == len(worker.loops))
        wait_for(lambda: any(one.detail for one in build.everything(WorkerHeartbeat)))
    finally:
        worker.stop()
    assert not any("planner" in beats for beats in turns[:3])  # a loop that only fails is not alive
    names = {one.name for one in build.everything(WorkerHeartbeat)}
    assert names == {
        "pages-1",
        "pages-2",
        "reminders-1",
        "ladder",
        "watch",
        "planner",
        "sweeper",
        "calendar",
        "heartbeat",
    }
    assert {one.state for one in build.everything(Message)} == {"pending"}
