"""How long a fever takes to a page that the provider has, and how many texts leave, on both databases.

Real processes (`flask worker`, `flask fleet`, Redis), Twilio of our own on a local port. `make bench` prints it.
"""

import logging
import os
import signal
import statistics
import sys
import tempfile
import time as real_time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import databases
import sqlalchemy as sa
import structlog
from furnishing import build
from house import HandClock, House, Person

from backend import clock, outbox
from backend.db import transaction
from backend.models.outbox import Message
from backend.models.safety import Episode
from notifications.fake_provider import serving
from notifications.fake_twilio import FakeTwilio
from tests.twilio.conftest import ACCOUNT, PATIENTS, TOKEN
from tests.twilio.processes import environ, flask, noon, process, redis_server, until

FEVERS = int(os.environ.get("BENCH_FEVERS", "60"))
WAITING = int(os.environ.get("BENCH_WAITING", "1000"))
TEXTS = int(os.environ.get("BENCH_TEXTS", "200"))
LATENCY_S = 0.1
_EVERY_S, _WARM = 0.25, 20


@dataclass
class Bench:
    """An installation with a site, a provider, and what a process needs to know of both."""

    house: House
    fake: FakeTwilio
    environ: Mapping[str, str]
    posted: int = 0

    def post(self, how_many: int) -> None:
        """Texts to one of the staff, due now."""
        now = datetime.now(UTC)
        with self.house.app.app_context(), transaction():
            for _ in range(how_many):
                self.posted += 1
                outbox.post(
                    key=f"bench:{self.posted}",
                    lane=outbox.REMINDER,
                    site_id=self.house.site_id,
                    account_id=self.house.chief.id,
                    template="rota_gap",
                    variables={"time": str(self.posted)},
                    language="en",
                    due_at=now,
                    not_after=now + timedelta(hours=6),
                    now=now,
                )

    def left(self) -> int:
        waiting = sa.select(sa.func.count()).where(Message.lane == outbox.REMINDER, Message.state == "pending")
        return int(self.house.rows(waiting)[0])


class Now(HandClock):
    """The real time, as processes know no other."""

    def __call__(self) -> datetime:
        return datetime.now(UTC)


@contextmanager
def bench(kind: str, folder: Path) -> Iterator[Bench]:
    """A fresh installation on SQLite or PostgreSQL; nobody counts texts there, and it is about noon."""
    hand = Now()
    copy = databases.sqlite_copy(folder) if kind == "sqlite" else databases.postgres_copy()
    fake = FakeTwilio(ACCOUNT, TOKEN, lambda *_: None)
    with copy as url, clock.running_on(hand), serving(fake) as provider:
        hand.at = datetime.now(UTC)
        with build(url, hand, folder) as house:
            structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
            house.abroad(noon())
            yield Bench(house, fake, environ(url, provider))


# --- From a thumb to the provider ------------------------------------------------------------------------------


def patients(one: Bench) -> list[Person]:
    """People a week after their infusion, each with a phone of their own."""
    found = []
    for n in range(FEVERS):
        one.house.time.at = datetime.now(UTC)
        contact = {"name": "Li", "phone": f"+4915112{n:06}"}
        found.append(one.house.patient_of(one.house.infused(days_ago=6, number=f"{n:03}", contact=contact)))
    return found


def fevers(one: Bench, people: list[Person], *, half_way: Callable[[], None] | None = None) -> list[float]:
    """Seconds from each report until the provider has its first page; one report every quarter second."""
    sent: list[float] = []
    for n, person in enumerate(people):
        if half_way is not None and n == len(people) // 2:
            half_way()
        one.house.time.at = datetime.now(UTC)
        sent.append(datetime.now(UTC).timestamp())
        answer = one.house.report(person, {"temp_c": 39.1, "chills": 3})
        assert answer.status_code == 201, answer.text
        real_time.sleep(_EVERY_S)
    first: dict[UUID, float] = {}
    until(lambda: len(_subjects_paged(one, first)) >= len(people), seconds=60)
    return [first[subject_id] - at for subject_id, at in zip(_subjects_in_order(one), sent, strict=True)]


def _subjects_in_order(one: Bench) -> list[UUID]:
    """The subjects of the last reports, by when they were sent."""
    return one.house.rows(sa.select(Episode.subject_id).order_by(Episode.opened_at))[-FEVERS:]


def _subjects_paged(one: Bench, first: dict[UUID, float]) -> dict[UUID, float]:
    """When the provider had the first page about each subject."""
    rows = one.house.rows(sa.select(Message).where(Message.lane == outbox.PAGE, Message.subject_id.is_not(None)))
    about = {str(row.id): row.subject_id for row in rows}
    for taken in one.fake.taken:
        subject_id = about.get(taken.callback.split("message=")[1].partition("#")[0])
        if subject_id is not None:
            first.setdefault(subject_id, taken.at.timestamp())
    return first


def latency(kind: str) -> tuple[list[float], list[float]]:
    """Seconds of every fever on a quiet system, and with reminders waiting, hanging, and the worker restarted."""
    with tempfile.TemporaryDirectory() as quiet, bench(kind, Path(quiet)) as one:
        people = patients(one)
        with process(*flask("worker"), **one.environ):
            until(lambda: one.house.app.test_client().get("/healthz/worker").status_code == 200)
            calm = fevers(one, people)
    with tempfile.TemporaryDirectory() as busy, bench(kind, Path(busy)) as one, ExitStack() as stack:
        people = patients(one)
        one.post(WAITING)
        one.fake.hangs.add(PATIENTS)
        running = [stack.enter_context(process(*flask("worker"), **one.environ))]
        until(lambda: one.house.app.test_client().get("/healthz/worker").status_code == 200)

        def restart() -> None:
            running[-1].send_signal(signal.SIGTERM)
            running.append(stack.enter_context(process(*flask("worker"), **one.environ)))

        stormy = fevers(one, people, half_way=restart)
        one.fake.released.set()
    return calm, stormy


# --- How many --------------------------------------------------------------------------------------------------


def texts_a_second(kind: str, in_flight: int, *, members: int = 0) -> float:
    """Texts that left a second, by one worker with so many senders, or by a fleet of so many members of one each."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        one = stack.enter_context(bench(kind, Path(folder)))
        one.fake.latency_s = LATENCY_S
        told, words = dict(one.environ), ("worker", "--reminder-senders", str(in_flight))
        if members:
            told["CELERY_BROKER_URL"], _ = stack.enter_context(redis_server(Path(folder)))
            words = ("worker",)
            for _ in range(members):
                stack.enter_context(
                    process(*flask("fleet", "--lane", "reminder", "--senders", str(in_flight // members)), **told)
                )
        stack.enter_context(process(*flask(*words), **told))
        until(lambda: one.house.app.test_client().get("/healthz/worker").status_code == 200, seconds=60)
        real_time.sleep(3 if members else 0)  # until every member listens
        one.post(_WARM)  # nobody is measured while still importing
        until(lambda: len(one.fake.taken) >= _WARM, seconds=120)
        one.fake.taken.clear()
        one.post(TEXTS)
        until(lambda: len(one.fake.taken) >= TEXTS, seconds=120)
        at = sorted(taken.at.timestamp() for taken in one.fake.taken)
        return (len(at) - 1) / (at[-1] - at[0])


def of(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    return f"p50 {statistics.median(ordered):6.2f} s   p99 {ordered[int(len(ordered) * 0.99) - 1]:6.2f} s"


def main() -> int:
    stop = databases.start_postgres(durable=True)
    try:
        _measure()
    finally:
        databases.close()
        stop()
    return 0


def _measure() -> None:
    for kind in databases.KINDS:
        calm, stormy = latency(kind)
        print(f"\n{kind}: a fever until the provider has the page, {FEVERS} fevers")
        print(f"  a quiet system                                      {of(calm)}")
        print(f"  {WAITING} reminders wait and hang, worker restarted      {of(stormy)}")
        ratio = statistics.median(stormy) / statistics.median(calm)
        print(f"  p50, busy to quiet                                  {ratio:.2f}")
        print(f"{kind}: {TEXTS} texts, a provider that takes {LATENCY_S * 1000:.0f} ms; bound = in flight / latency")
        for name, in_flight, members in (
            ("one worker, one sender", 1, 0),
            ("one worker, four senders", 4, 0),
            ("fleet of four members", 4, 4),
        ):
            found = texts_a_second(kind, in_flight, members=members)
            bound = in_flight / LATENCY_S
            print(f"  {name:26} {found:6.1f} a second of {bound:5.1f}: {found / bound:.2f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
