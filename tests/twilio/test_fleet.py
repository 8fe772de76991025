"""A fleet of senders over a real broker: Redis, `flask worker` and `flask fleet` as processes, Twilio of our own."""

import signal
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import databases
import pytest
import sqlalchemy as sa
from furnishing import build
from house import HandClock, House

from backend import clock, outbox
from backend.db import transaction
from backend.models.outbox import Message
from notifications import delivery, fleet, worker
from notifications.fake_provider import HANG, serving
from notifications.fake_twilio import FakeTwilio
from notifications.gateways.base import stopped
from tests.notifications.outbox_builders import FakeGateway
from tests.twilio.conftest import ACCOUNT, TOKEN
from tests.twilio.processes import environ, flask, noon, process, redis_server, taken, until


@dataclass
class Yard:
    """A house whose texts a fleet sends."""

    house: House
    fake: FakeTwilio
    broker: subprocess.Popen[bytes]
    environ: Mapping[str, str]
    stack: ExitStack
    posted: int = field(default=0)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        return self.stack.enter_context(process(*flask(*words), **self.environ))

    def post(self, lane: str, how_many: int) -> None:
        now = datetime.now(UTC)
        with self.house.app.app_context(), transaction():
            for _ in range(how_many):
                self.posted += 1
                outbox.post(
                    key=f"fleet:{self.posted}",
                    lane=lane,
                    site_id=self.house.site_id,
                    account_id=self.house.doctor.id,
                    template="page" if lane == outbox.PAGE else "rota_gap",
                    variables={"number": self.posted, "time": str(self.posted)},
                    language="en",
                    due_at=now,
                    not_after=None if lane == outbox.PAGE else now + timedelta(hours=2),
                    now=now,
                )

    def states(self, lane: str) -> Counter[str]:
        which = (Message.key.startswith("fleet:"), Message.lane == lane)
        return Counter(self.house.rows(sa.select(Message.state).where(*which)))


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    """On PostgreSQL, where fleets are; `make bench` sends by one on both."""
    hand = HandClock()
    hand.at = datetime.now(UTC)
    copy = databases.postgres_copy()
    fake = FakeTwilio(ACCOUNT, TOKEN, lambda *_: None)
    with (
        copy as url,
        clock.running_on(hand),
        build(url, hand, tmp_path) as house,
        serving(fake) as provider,
        redis_server(tmp_path) as (broker_url, broker),
        ExitStack() as stack,
    ):
        house.abroad(noon())
        yield Yard(house, fake, broker, environ(url, provider, CELERY_BROKER_URL=broker_url), stack)


def test_a_fleet_sends_each_once_and_outlives_its_members_and_its_broker(yard: Yard) -> None:
    yard.fake.will(HANG, HANG)
    first = yard.start("fleet", "--lane", "page", "--senders", "2")
    yard.start("fleet", "--lane", "reminder", "--senders", "2")
    yard.start("worker")
    yard.post(outbox.REMINDER, 6)
    until(lambda: len(yard.fake.requests) == 2)
    yard.post(outbox.PAGE, 6)
    until(lambda: yard.states(outbox.PAGE)["accepted"] == 6, seconds=8)
    assert yard.states(outbox.REMINDER)["accepted"] == 0, "reminders that hang hold up no page"
    first.send_signal(signal.SIGKILL)
    first.wait()
    yard.post(outbox.PAGE, 3)
    until(lambda: yard.states(outbox.PAGE)["accepted"] == 9)  # whoever hands out sends what nobody begins
    yard.fake.released.set()
    until(lambda: yard.states(outbox.REMINDER)["accepted"] == 4)
    yard.broker.kill()
    yard.broker.wait()
    yard.post(outbox.PAGE, 3)
    until(lambda: yard.states(outbox.PAGE)["accepted"] == 12)
    assert set(taken(yard.fake).values()) == {1}


class Broker:
    """Takes ids, or does not."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.down = False

    def send_task(self, name: str, args: tuple[str], **how: Any) -> None:
        if self.down:
            raise OSError
        self.taken.append(args[0])


@pytest.fixture
def waiting(house: House) -> list[str]:
    with house.app.app_context(), transaction():
        posted = [
            outbox.post(
                key=f"fleet:{n}", lane=outbox.PAGE, site_id=house.site_id, account_id=house.doctor.id,
                template="test_page", variables={"number": n, "time": "14:02"}, language="en",
                due_at=house.now, now=house.now,
            )
            for n in range(3)
        ]  # fmt: skip
        return sorted(str(one.id) for one in posted if one is not None)


def turn(house: House, one: fleet.Dispatcher) -> int:
    with house.app.app_context():
        return one.turn()


def test_what_is_handed_out_is_handed_out_again_when_nobody_has_begun_it_in_a_minute(
    house: House, waiting: list[str]
) -> None:
    broker = Broker()
    one = fleet.Dispatcher(broker, outbox.PAGE)  # type: ignore[arg-type]
    assert (turn(house, one), turn(house, one)) == (3, 0)
    assert sorted(broker.taken) == waiting
    house.turn(seconds=59)
    assert turn(house, one) == 0
    house.turn(seconds=1)
    assert turn(house, one) == 3
    house.work()
    house.turn(seconds=60)
    assert turn(house, one) == 0, "they were sent"


def test_what_the_broker_did_not_take_is_handed_out_once_it_does(house: House, waiting: list[str]) -> None:
    broker = Broker()
    one = fleet.Dispatcher(broker, outbox.PAGE)  # type: ignore[arg-type]
    broker.down = True
    with pytest.raises(OSError):
        turn(house, one)
    broker.down = False
    assert turn(house, one) == 3
    assert sorted(broker.taken) == waiting


def test_whoever_hands_out_leaves_the_fleet_time_to_begin(house: House, waiting: list[str]) -> None:
    house.turn(seconds=4.9)
    with house.app.app_context():
        assert delivery.deliver_next(house.gateway, outbox.PAGE, worker.FLEET_HAS) is None
        house.turn(seconds=0.1)
        while delivery.deliver_next(house.gateway, outbox.PAGE, worker.FLEET_HAS) is not None:
            pass
    assert len(house.gateway.sent) == len(waiting)


def test_with_a_fleet_a_worker_sends_pages_and_no_reminder(house: House) -> None:
    dispatch = {lane: fleet.Dispatcher(Broker(), lane) for lane in fleet.QUEUES}  # type: ignore[arg-type]
    names = {loop.name for loop in worker.Worker(house.app, house.gateway, dispatch=dispatch).loops}
    assert {"pages-1", "pages-2", "dispatch-page", "dispatch-reminder"} <= names
    assert not any(name.startswith("reminders") for name in names)


@pytest.mark.parametrize(("lane", "rests"), [(outbox.REMINDER, [worker.STOPPED_S]), (outbox.PAGE, [])])
def test_a_sender_of_reminders_rests_where_the_provider_refuses_the_account(
    house: House, lane: str, rests: list[float]
) -> None:
    with house.app.app_context(), transaction():
        posted = outbox.post(
            key="fleet:1", lane=lane, site_id=house.site_id, account_id=house.doctor.id, template="test_page",
            variables={"number": 1, "time": "14:02"}, language="en", due_at=house.now, now=house.now,
        )  # fmt: skip
    assert posted is not None
    slept: list[float] = []
    deliver = fleet.sender(house.app, FakeGateway(lambda one: stopped("20003")), lane, slept.append)
    deliver(str(posted.id))
    deliver(str(posted.id))
    assert slept == rests, "once: the row now waits"
