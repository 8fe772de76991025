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
from uuid import UUID

import databases
import pytest
import sqlalchemy as sa
from flask import Flask
from house import HandClock, House, build

from backend import clock, outbox
from backend.db import db, transaction
from backend.models.outbox import Message
from backend.models.study import Site
from notifications import fleet
from notifications.fake_provider import HANG, serving
from notifications.fake_twilio import FakeTwilio
from notifications.gateways.base import accepted
from tests.notifications.outbox_builders import FakeGateway
from tests.twilio.conftest import ACCOUNT, PAGES, PATIENTS, PUBLIC, TOKEN
from tests.twilio.processes import ROOT, flask, process, redis_server, until


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

    def taken(self) -> Counter[str]:
        return Counter(one.callback.split("message=")[1].partition("#")[0] for one in self.fake.taken)


def working_hours(house: House) -> None:
    """Texts to staff go in working hours: a zone in which it is about noon now."""
    ahead = 12 - datetime.now(UTC).hour
    with house.app.app_context(), transaction():
        db.session.get_one(Site, house.site_id).time_zone = f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"


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
        house.abroad()
        working_hours(house)
        environ = {
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": url,
            "SMS_GATEWAY": "twilio",
            "TWILIO_ACCOUNT_SID": ACCOUNT,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "TWILIO_PATIENT_SERVICE_SID": PATIENTS,
            "TWILIO_PAGE_SERVICE_SID": PAGES,
            "TWILIO_API_BASE_URL": provider,
            "PUBLIC_URL": PUBLIC,
            "CELERY_BROKER_URL": broker_url,
        }
        yield Yard(house, fake, broker, environ, stack)


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
    until(lambda: yard.states(outbox.PAGE)["accepted"] == 9)  # the loop that hands out sends what nobody takes
    yard.fake.released.set()
    until(lambda: yard.states(outbox.REMINDER)["accepted"] == 4)
    yard.broker.kill()
    yard.broker.wait()
    yard.post(outbox.PAGE, 3)
    until(lambda: yard.states(outbox.PAGE)["accepted"] == 12)
    assert set(yard.taken().values()) == {1}


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
def waiting(house: House) -> list[UUID]:
    house.abroad()
    with house.app.app_context(), transaction():
        return [
            outbox.post(
                key=f"fleet:{n}", lane=outbox.PAGE, site_id=house.site_id, account_id=house.doctor.id,
                template="test_page", variables={"number": n, "time": "14:02"}, language="en",
                due_at=house.now, now=house.now,
            ).id  # type: ignore[union-attr]
            for n in range(3)
        ]  # fmt: skip


def dispatcher(broker: Broker, gateway: FakeGateway, lane: str = outbox.PAGE) -> fleet.Dispatcher:
    return fleet.Dispatcher(broker, gateway, lane)  # type: ignore[arg-type]


def turn(app: Flask, one: fleet.Dispatcher) -> int:
    with app.app_context():
        return one.turn()


def test_what_is_handed_out_is_not_handed_out_again_and_what_nobody_begins_is_sent(
    house: House, waiting: list[UUID]
) -> None:
    broker, gateway = Broker(), FakeGateway()
    one = dispatcher(broker, gateway)
    assert (turn(house.app, one), turn(house.app, one)) == (3, 0)
    assert sorted(broker.taken) == sorted(map(str, waiting))
    house.turn(seconds=5)
    assert (turn(house.app, one), one.detail) == (3, "the fleet does not take pages")
    assert sorted(sent.message_id for sent in gateway.sent) == sorted(waiting)
    assert len(broker.taken) == 3


def test_without_a_broker_pages_are_sent_and_it_shows(house: House, waiting: list[UUID]) -> None:
    broker, gateway = Broker(), FakeGateway(lambda one: accepted("SM1"))
    broker.down = True
    one = dispatcher(broker, gateway)
    assert (turn(house.app, one), one.detail) == (3, "the broker does not answer")
    assert len(gateway.sent) == len(waiting)


def test_reminders_wait_for_the_fleet(house: House) -> None:
    """Nothing depends on the minute of a reminder: it is handed out again, and never sent past the fleet."""
    with house.app.app_context(), transaction():
        outbox.post(
            key="fleet:1", lane=outbox.REMINDER, site_id=house.site_id, account_id=house.doctor.id, template="digest",
            variables={}, language="en", due_at=house.now, now=house.now,
        )  # fmt: skip
    broker, gateway = Broker(), FakeGateway()
    one = dispatcher(broker, gateway, outbox.REMINDER)
    for seconds, handed in ((0, 1), (59, 1), (1, 2)):
        house.turn(seconds=seconds)
        turn(house.app, one)
        assert len(broker.taken) == handed
    broker.down = True
    house.turn(seconds=60)
    with pytest.raises(OSError):
        turn(house.app, one)
    assert (gateway.sent, one.detail) == ([], "the broker does not answer")
