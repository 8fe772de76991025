"""Workers killed with SIGKILL at every step: no intent without an end, no reminder twice, a page once more at most.

The log of the fake provider is the truth: what it took is compared with what the outbox says.
"""

import random
import signal
import subprocess
import sys
import time as real_time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import databases
import pytest
import sqlalchemy as sa
from furnishing import build
from house import HandClock, House

from backend import clock, outbox
from backend.db import db, transaction
from backend.models.outbox import FINAL_STATES, TOLD_STATES, Message
from backend.models.people import SubjectLink
from notifications.fake_provider import serving
from notifications.fake_twilio import FakeTwilio
from tests.twilio.conftest import ACCOUNT, TOKEN
from tests.twilio.processes import environ, noon, process, taken

STEPS = ("before_claim", "after_claim", "in_call", "before_record")


@dataclass
class Post:
    """An installation on the real clock, with a provider; `post` commits intents, `work` runs a worker."""

    house: House
    fake: FakeTwilio
    environ: Mapping[str, str]
    subject_id: UUID
    patient_id: UUID
    posted: int = 0

    def post(self, pages: int, reminders: int) -> None:
        now = datetime.now(UTC)
        with self.house.app.app_context(), transaction():
            for n in range(pages + reminders):
                page = n < pages
                self.posted += 1
                outbox.post(
                    key=f"kill:{self.posted}",
                    lane=outbox.PAGE if page else outbox.REMINDER,
                    site_id=self.house.site_id,
                    account_id=self.house.doctor.id if page else self.patient_id,
                    subject_id=None if page else self.subject_id,
                    template="page" if page else "visit_soon",
                    # What the text says tells one intent from another, as it does in life.
                    variables={"number": self.posted, "time": "14:02"} if page else {"days": self.posted},
                    language="en",
                    due_at=now,
                    not_after=None if page else now + timedelta(hours=2),
                    now=now,
                )

    def worker(self, **how: str) -> AbstractContextManager[subprocess.Popen[bytes]]:
        return process(sys.executable, "-m", "tests.twilio.dying_worker", **self.environ, **how)

    def messages(self) -> list[Message]:
        return self.house.rows(sa.select(Message).where(Message.key.startswith("kill:")))

    def waiting(self) -> list[str]:
        """What has no end yet: neither final nor in a provider's hands."""
        return [one.key for one in self.messages() if one.state not in (*FINAL_STATES, *TOLD_STATES)]


@pytest.fixture(params=databases.KINDS)
def station(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Post]:
    hand = HandClock()
    hand.at = datetime.now(UTC)
    copy = databases.sqlite_copy(tmp_path) if request.param == "sqlite" else databases.postgres_copy()
    fake = FakeTwilio(ACCOUNT, TOKEN, lambda *_: None)
    with copy as url, clock.running_on(hand), build(url, hand, tmp_path) as house, serving(fake) as provider:
        house.abroad()
        subject = house.enrol(time_zone=noon())
        with house.app.app_context(), transaction(writes=False):
            links = sa.select(SubjectLink.account_id).where(SubjectLink.subject_id == UUID(subject["id"]))
            patient_id = db.session.scalars(links).one()
        yield Post(house, fake, environ(url, provider), UUID(subject["id"]), patient_id)


def killed(station: Post, rounds: int, seed: int) -> None:
    """So many workers, each killed at some step; then one that lives; then the books are compared."""
    chance = random.Random(seed)
    for n in range(rounds):
        station.post(pages=3, reminders=3)
        with station.worker(DIE_AT=STEPS[n % len(STEPS)], DIE_AFTER=str(chance.randint(1, 5))) as running:
            assert running.wait(30) == -signal.SIGKILL
    with station.worker():
        ends = real_time.monotonic() + 60
        while station.waiting() and real_time.monotonic() < ends:
            real_time.sleep(0.2)
    assert station.waiting() == []
    taken_by = taken(station.fake)
    for one in station.messages():
        times = taken_by[str(one.id)]
        if one.lane == outbox.REMINDER:
            assert times <= 1, f"{one.key} was sent {times} times"
            assert (one.state in TOLD_STATES) == (times == 1), one.key
        else:
            assert 1 <= times <= 1 + rounds, f"{one.key} was sent {times} times"
    reminders = [one for one in station.messages() if one.lane == outbox.REMINDER]
    assert sum(one.state in TOLD_STATES for one in reminders) > len(reminders) * 0.9, (
        "what went is found, what did not goes once more"
    )
    repeats = sum(times - 1 for times in taken_by.values() if times > 1)
    assert repeats <= 2 * rounds, "a page goes again at most once per kill and sender"
    delivered = Counter(one.state for one in station.messages() if one.lane == outbox.PAGE)
    assert set(delivered) <= {*TOLD_STATES}, "no page is lost"


def test_workers_killed_at_every_step(station: Post) -> None:
    killed(station, rounds=10, seed=7)


@pytest.mark.full
def test_workers_killed_at_every_step_at_length(station: Post) -> None:
    killed(station, rounds=200, seed=8)


def test_a_killed_worker_is_seen(station: Post) -> None:
    """The death above is a real one: the provider took it, and the outbox had not heard."""
    station.post(pages=1, reminders=0)
    with station.worker(DIE_AT="in_call", DIE_AFTER="1") as running:
        assert running.wait(30) == -signal.SIGKILL
    [one] = station.messages()
    assert taken(station.fake)[str(one.id)] == 1
    assert (one.state, one.send_started_at is not None) == ("claimed", True)
    assert station.waiting() == [one.key]
