"""Danger as rows: what was evaluated, the signals it gave, the one open episode, and what people did about it."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from backend.models.base import INSERT_ONLY, Base, Document, Keeps, key


class Evaluation(Base):
    """The context a set of signals came from, whole, so that each replays to the same result."""

    __tablename__ = "evaluation"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = key()
    subject_id: Mapped[UUID] = mapped_column(sa.ForeignKey("subject.id"), index=True)
    study_revision_id: Mapped[UUID] = mapped_column(sa.ForeignKey("study_revision.id"))
    at: Mapped[datetime]
    context: Mapped[Any] = mapped_column(Document)


class Episode(Base):
    """All that is wrong with one subject until somebody closes it. One open episode per subject.

    Paging runs while `paging_seq` (the signal that last asked for it) is above `accepted_seq`
    (the last signal seen by whoever accepted). `next_step_at` is when the worker looks again.
    """

    __tablename__ = "episode"
    __keeps__ = Keeps(columns=("id", "subject_id", "site_id", "page_number", "opened_at"), sealed_by="closed_at")
    id: Mapped[UUID] = key()
    subject_id: Mapped[UUID] = mapped_column(sa.ForeignKey("subject.id"), index=True)
    site_id: Mapped[UUID] = mapped_column(sa.ForeignKey("site.id"))
    page_number: Mapped[int]
    opened_at: Mapped[datetime]
    level: Mapped[str] = mapped_column(sa.String(10))
    organs: Mapped[Any] = mapped_column(Document)
    highest_temperature: Mapped[Decimal | None]
    last_seq: Mapped[int]
    paging_seq: Mapped[int] = mapped_column(default=0)
    paging_since: Mapped[datetime | None]
    paging_round: Mapped[int] = mapped_column(default=0)  # one more whenever the ladder starts again
    ladder_step: Mapped[int] = mapped_column(default=0)
    next_step_at: Mapped[datetime | None]
    accepted_seq: Mapped[int] = mapped_column(default=0)
    accepted_at: Mapped[datetime | None]
    accepted_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("account.id"))
    contacted_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]
    contact_due_at: Mapped[datetime | None]
    seen_due_at: Mapped[datetime | None]
    overdue_at: Mapped[datetime | None]  # when an overdue clock is next looked at
    repeat_asked_at: Mapped[datetime | None]
    repeat_due_at: Mapped[datetime | None]
    snoozed_until: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("account.id"))
    outcome: Mapped[str | None]
    crs_grade: Mapped[int | None]
    icans_grade: Mapped[int | None]
    note: Mapped[str | None] = mapped_column(sa.String(2000))
    change_seq: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    version: Mapped[int] = mapped_column(default=1)

    __table_args__ = (
        sa.Index(
            "uq_episode_one_open",
            "subject_id",
            unique=True,
            sqlite_where=sa.text("closed_at IS NULL"),
            postgresql_where=sa.text("closed_at IS NULL"),
        ),
        sa.UniqueConstraint("site_id", "page_number"),
        sa.Index("ix_episode_next_step", "next_step_at"),
        sa.Index("ix_episode_overdue", "overdue_at"),
        sa.Index("ix_episode_site_closed", "site_id", "closed_at"),
    )


class Signal(Base):
    """One finding of one rule, as it was found. `seq` counts within the subject; `key` keeps a spell to one signal."""

    __tablename__ = "signal"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = key()
    subject_id: Mapped[UUID] = mapped_column(sa.ForeignKey("subject.id"))
    episode_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("episode.id"), index=True)
    evaluation_id: Mapped[UUID] = mapped_column(sa.ForeignKey("evaluation.id"))
    seq: Mapped[int]
    key: Mapped[str]
    rule: Mapped[str] = mapped_column(sa.String(20))
    rule_version: Mapped[int]
    level: Mapped[str] = mapped_column(sa.String(10))
    found_level: Mapped[str] = mapped_column(sa.String(10))  # before lateness or "known to us" lowered it
    organ: Mapped[str] = mapped_column(sa.String(20))
    compatible_with: Mapped[Any] = mapped_column(Document)
    inputs: Mapped[Any] = mapped_column(Document)
    thresholds: Mapped[Any] = mapped_column(Document)
    sentence_zh: Mapped[str] = mapped_column(sa.Text)
    sentence_en: Mapped[str] = mapped_column(sa.Text)
    drives: Mapped[Any] = mapped_column(Document)
    red_flag: Mapped[bool]
    asks: Mapped[str | None]
    held_because: Mapped[str | None]  # late, in_hospital, known, after_contact: why it did not page by itself
    trigger: Mapped[str] = mapped_column(sa.String(20))
    entry_version_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("entry_version.id"), index=True)
    measurement_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("measurement.id"))
    at: Mapped[datetime]

    __table_args__ = (
        sa.UniqueConstraint("subject_id", "seq"),
        sa.UniqueConstraint("subject_id", "key"),
        sa.Index("ix_signal_asks_at", "asks", "at"),
    )


class Acknowledgement(Base):
    """Somebody said: accepted, contacted or seen, knowing the signals up to `seen_signal_seq`."""

    __tablename__ = "acknowledgement"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = mapped_column(primary_key=True)
    episode_id: Mapped[UUID] = mapped_column(sa.ForeignKey("episode.id"), index=True)
    kind: Mapped[str]
    seen_signal_seq: Mapped[int]
    by_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))
    on_behalf_of_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("account.id"))
    note: Mapped[str | None] = mapped_column(sa.String(1000))
    at: Mapped[datetime]


class ContactAttempt(Base):
    """An attempt to reach the patient or a carer: no answer, or spoke with whom."""

    __tablename__ = "contact_attempt"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = mapped_column(primary_key=True)
    subject_id: Mapped[UUID] = mapped_column(sa.ForeignKey("subject.id"), index=True)
    episode_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("episode.id"), index=True)
    outcome: Mapped[str]  # no_answer, spoke_with
    spoke_with: Mapped[str | None]  # patient, carer, other
    note: Mapped[str | None] = mapped_column(sa.String(1000))
    by_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))
    at: Mapped[datetime]


class Snooze(Base):
    """An URGENT ladder paused, with a reason, while the subject is under examination."""

    __tablename__ = "snooze"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = mapped_column(primary_key=True)
    episode_id: Mapped[UUID] = mapped_column(sa.ForeignKey("episode.id"), index=True)
    until: Mapped[datetime]
    reason: Mapped[str] = mapped_column(sa.String(1000))
    by_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))
    at: Mapped[datetime]


class KnownSymptom(Base):
    """A symptom the team knows at a severity: it signals again only when worse. Red flags never become known."""

    __tablename__ = "known_symptom"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = key()
    subject_id: Mapped[UUID] = mapped_column(sa.ForeignKey("subject.id"), index=True)
    episode_id: Mapped[UUID] = mapped_column(sa.ForeignKey("episode.id"))
    item: Mapped[str] = mapped_column(sa.String(40))
    severity: Mapped[int]
    by_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))
    at: Mapped[datetime]
