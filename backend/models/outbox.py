"""The outbox: one row per text or page that must reach one person, and what became of it.

The row is the queue. `key` is unique per intent and due instant, so that a second planner, a retry
or a second worker finds it there. The number and the rendered text are never stored.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from backend.models.base import INSERT_ONLY, Base, Document, Keeps, key

# A message only moves forward. Final states have no successor.
NEXT_STATES: dict[str, tuple[str, ...]] = {
    "pending": ("claimed", "expired", "cancelled", "suppressed"),
    "claimed": ("pending", "accepted", "failed", "unknown", "expired", "cancelled", "suppressed"),
    "accepted": ("sent", "delivered", "undelivered", "failed"),
    "sent": ("delivered", "undelivered", "failed"),
    "unknown": ("accepted", "sent", "delivered", "undelivered", "failed", "expired", "pending"),
    "delivered": (),
    "undelivered": (),
    "failed": (),
    "expired": (),
    "cancelled": (),
    "suppressed": (),
}
FINAL_STATES = tuple(state for state, after in NEXT_STATES.items() if not after)
TOLD_STATES = ("accepted", "sent", "delivered")  # a provider has taken it
LOST_STATES = ("undelivered", "failed")


class Message(Base):
    """One intent. `lane` page or reminder; `send_started_at` is set just before the call to the gateway."""

    __tablename__ = "message"
    __keeps__ = Keeps(
        columns=(
            "id",
            "key",
            "lane",
            "site_id",
            "subject_id",
            "account_id",
            "template",
            "variables",
            "language",
            "due_at",
            "created_at",
        ),
        forward=("state", NEXT_STATES),
    )
    id: Mapped[UUID] = key()
    key: Mapped[str] = mapped_column(unique=True)
    lane: Mapped[str] = mapped_column(sa.String(10))
    site_id: Mapped[UUID] = mapped_column(sa.ForeignKey("site.id"))
    subject_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("subject.id"), index=True)
    episode_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("episode.id"), index=True)
    signal_seq: Mapped[int | None]  # pages: the signal the ladder ran for
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))
    channel: Mapped[int] = mapped_column(default=1)  # the ladder's: 1, or 2 for the second
    medium: Mapped[str] = mapped_column(sa.String(10), default="sms", server_default="sms")
    template: Mapped[str] = mapped_column(sa.String(40))
    variables: Mapped[Any] = mapped_column(Document)
    language: Mapped[str] = mapped_column(sa.String(10))
    local_day: Mapped[str | None] = mapped_column(sa.String(10))  # the recipient's date, for the day's budget
    due_at: Mapped[datetime]
    not_after: Mapped[datetime | None]
    next_try_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    lease_owner: Mapped[str | None]
    send_started_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(sa.String(12), default="pending")
    reason: Mapped[str | None]
    provider: Mapped[str | None] = mapped_column(sa.String(20))
    provider_id: Mapped[str | None]
    segments: Mapped[int | None]
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        sa.Index("ix_message_lane_state_try", "lane", "state", "next_try_at"),
        sa.Index("ix_message_site_created", "site_id", "created_at", "id"),
        sa.Index("ix_message_account_day", "account_id", "local_day"),
        sa.Index("ix_message_account_created", "account_id", "created_at"),
    )


class MessageEvent(Base):
    """One thing that happened to a message: a claim, a send, a receipt. No text, no number."""

    __tablename__ = "message_event"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = key()
    message_id: Mapped[UUID] = mapped_column(sa.ForeignKey("message.id"), index=True)
    at: Mapped[datetime]
    state: Mapped[str] = mapped_column(sa.String(12))
    origin: Mapped[str]  # worker, callback, planner, staff, restore
    code: Mapped[str | None] = mapped_column(sa.String(40))
    detail: Mapped[str | None] = mapped_column(sa.String(300))
