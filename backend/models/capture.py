"""What people report: entries made on a phone, their versions, and what came twice with different content."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from backend.models.base import INSERT_ONLY, Base, Document, Keeps, key


class Entry(Base):
    """One filled form; the id was made where it was filled. Practice entries are never read by a rule."""

    __tablename__ = "entry"
    __keeps__ = Keeps(columns=("id", "subject_id", "form", "claimed_slot", "practice", "source", "created_at"))
    id: Mapped[UUID] = mapped_column(primary_key=True)
    subject_id: Mapped[UUID] = mapped_column(sa.ForeignKey("subject.id"))
    form: Mapped[str] = mapped_column(sa.String(40))
    claimed_slot: Mapped[UUID | None]
    source: Mapped[str]  # phone, telephone, ward
    practice: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    # The latest version's, so that one index finds what a context and an agenda need.
    revision: Mapped[int]
    effective_at: Mapped[datetime]

    __table_args__ = (sa.Index("ix_entry_subject_effective", "subject_id", "effective_at"),)


class EntryVersion(Base):
    """What an entry said at one revision, with all five times and the clock skew that was measured."""

    __tablename__ = "entry_version"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = key()
    entry_id: Mapped[UUID] = mapped_column(sa.ForeignKey("entry.id"))
    revision: Mapped[int]
    reporter: Mapped[str]  # patient, carer, staff
    author_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))
    answers: Mapped[Any] = mapped_column(Document)
    score: Mapped[Decimal | None]
    time_zone: Mapped[str]
    measured_at: Mapped[datetime]  # as the device said
    entered_at: Mapped[datetime]
    queued_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    received_at: Mapped[datetime]
    effective_at: Mapped[datetime]  # measured_at less the skew
    skew_s: Mapped[int]  # device clock minus ours, 0 while within the transport's noise
    reason: Mapped[str | None] = mapped_column(sa.String(1000))
    digest: Mapped[str] = mapped_column(sa.String(64))  # of the content as sent, to know a repeat

    __table_args__ = (sa.UniqueConstraint("entry_id", "revision"),)


class EntryConflict(Base):
    """A second content under a revision that was taken, or an older one after a newer: kept, not applied."""

    __tablename__ = "entry_conflict"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = key()
    entry_id: Mapped[UUID] = mapped_column(sa.ForeignKey("entry.id"), index=True)
    revision: Mapped[int]
    author_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))
    content: Mapped[Any] = mapped_column(Document)
    digest: Mapped[str] = mapped_column(sa.String(64))
    received_at: Mapped[datetime]

    __table_args__ = (sa.UniqueConstraint("entry_id", "revision", "digest"),)
