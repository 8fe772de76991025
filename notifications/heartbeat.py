"""Whether pages leave now: the beats of the worker's loops, and the age of the oldest page that nobody has taken.

Read by `/healthz/worker`, by the wording on the phone, and by the dead-man check outside.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa

from backend import clock, outbox
from backend.db import db
from backend.models.outbox import Message
from backend.models.study import WorkerHeartbeat

LATE_AFTER = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Pulse:
    """`ages`: seconds since each loop's last turn. `page_waits_s`: how long the oldest page that is due has waited."""

    ages: Mapping[str, float] = field(default_factory=dict)
    page_waits_s: float = 0.0

    @property
    def late(self) -> tuple[str, ...]:
        """The loops that stand still, and `page` where one waits too long."""
        limit = LATE_AFTER.total_seconds()
        standing = sorted(name for name, age in self.ages.items() if age > limit)
        return (*standing, "page") if self.page_waits_s > limit else tuple(standing)

    @property
    def status(self) -> str:
        if not self.ages:
            return "no worker has run"
        return "late" if self.late else "ok"


def pulse() -> Pulse:
    """Inside a transaction."""
    now = clock.now()
    beats = db.session.execute(sa.select(WorkerHeartbeat.name, WorkerHeartbeat.at))
    waiting = sa.select(sa.func.min(Message.next_try_at)).where(
        Message.lane == outbox.PAGE, Message.state == "pending", Message.next_try_at <= now
    )
    oldest: datetime | None = db.session.execute(waiting).scalar_one()
    return Pulse(
        {name: (now - at).total_seconds() for name, at in beats},
        (now - oldest).total_seconds() if oldest is not None else 0.0,
    )


def write(beats: Mapping[str, tuple[datetime, str | None]]) -> None:
    """Note when each loop last turned. In the caller's transaction."""
    for name, (at, detail) in beats.items():
        db.session.merge(WorkerHeartbeat(name=name, at=at, detail=detail))


def forget_others(names: set[str]) -> None:
    """Loops that stand still and are not among these: a worker of another size ran before. In a transaction."""
    others = (WorkerHeartbeat.name.not_in(names), WorkerHeartbeat.at < clock.now() - LATE_AFTER)
    db.session.execute(sa.delete(WorkerHeartbeat).where(*others))
