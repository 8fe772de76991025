"""Whether pages leave now: the beats of the worker's loops, and the age of the oldest page that nobody has taken.

Read by `/healthz/worker`, by the wording on the phone, and by the dead-man check outside.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa

from backend import clock, outbox
from backend.channels import WAKING
from backend.db import db
from backend.models.outbox import Message
from backend.models.study import WorkerHeartbeat

LATE_AFTER = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Pulse:
    """`ages`: seconds since each loop's last turn. `page_waits_s`: for how long the oldest page waits
    that nobody has taken. `details`: what a loop says is wrong.
    """

    ages: Mapping[str, float] = field(default_factory=dict)
    page_waits_s: float = 0.0
    details: Mapping[str, str] = field(default_factory=dict)

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
    beats = db.session.execute(sa.select(WorkerHeartbeat.name, WorkerHeartbeat.at, WorkerHeartbeat.detail)).all()
    # Since it was due, however often it was tried: a provider that refuses every few seconds takes no page either. A
    # robot that is busy or gone holds up nobody, as texts or calls go beside it.
    waiting = sa.select(sa.func.min(Message.due_at)).where(
        Message.lane == outbox.PAGE, Message.state.in_(("pending", "claimed")), Message.medium.in_(WAKING)
    )
    oldest: datetime | None = db.session.execute(waiting).scalar_one()
    return Pulse(
        {row.name: (now - row.at).total_seconds() for row in beats},
        max((now - oldest).total_seconds(), 0.0) if oldest is not None else 0.0,
        {row.name: row.detail for row in beats if row.detail},
    )


def write(beats: Mapping[str, tuple[datetime, str | None]]) -> None:
    """Note when each loop last turned. In the caller's transaction."""
    for name, (at, detail) in beats.items():
        db.session.merge(WorkerHeartbeat(name=name, at=at, detail=detail))


def forget_others(names: set[str]) -> None:
    """Loops that stand still and are not among these: a worker of another size ran before. In a transaction."""
    others = (WorkerHeartbeat.name.not_in(names), WorkerHeartbeat.at < clock.now() - LATE_AFTER)
    db.session.execute(sa.delete(WorkerHeartbeat).where(*others))
