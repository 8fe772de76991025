"""Appointments, attendance, and the one projection of computed occurrences that lists are read from."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from backend.models.base import INSERT_ONLY, Base, key


class Appointment(Base):
    """One agreement on when a visit takes place. The last one recorded holds; `at` None takes it back."""

    __tablename__ = "appointment"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = key()
    subject_id: Mapped[UUID] = mapped_column(sa.ForeignKey("subject.id"), index=True)
    visit_id: Mapped[UUID]
    visit_key: Mapped[str]
    revision: Mapped[int]
    at: Mapped[datetime | None]
    reason: Mapped[str | None] = mapped_column(sa.String(1000))
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))

    __table_args__ = (sa.UniqueConstraint("visit_id", "revision"),)


class Attendance(Base):
    """Whether the subject came, and when. The last one recorded holds."""

    __tablename__ = "attendance"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = key()
    subject_id: Mapped[UUID] = mapped_column(sa.ForeignKey("subject.id"), index=True)
    visit_id: Mapped[UUID]
    visit_key: Mapped[str]
    revision: Mapped[int]
    at: Mapped[datetime]
    outcome: Mapped[str]  # attended, missed
    reason: Mapped[str | None] = mapped_column(sa.String(1000))
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))

    __table_args__ = (sa.UniqueConstraint("visit_id", "revision"),)


class Occurrence(Base):
    """What `schedules.occurrences` computed, so that status is SQL against `now`. Written by `backend.agenda` alone."""

    __tablename__ = "occurrence"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    subject_id: Mapped[UUID] = mapped_column(sa.ForeignKey("subject.id"))
    site_id: Mapped[UUID] = mapped_column(sa.ForeignKey("site.id"))
    kind: Mapped[str] = mapped_column(sa.String(10))  # visit, slot
    key: Mapped[str] = mapped_column(sa.String(40))  # visit key or form key
    day: Mapped[int | None]
    opens_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    late_at: Mapped[datetime | None]
    closes_at: Mapped[datetime | None]
    appointment_at: Mapped[datetime | None]
    satisfied_by: Mapped[UUID | None]
    satisfied_at: Mapped[datetime | None]
    missed: Mapped[bool] = mapped_column(default=False)  # somebody recorded that it did not take place
    excused: Mapped[str | None] = mapped_column(sa.String(40))
    announced: Mapped[bool] = mapped_column(default=True)  # slots: a reminder could announce it

    __table_args__ = (
        sa.Index("ix_occurrence_subject_due", "subject_id", "due_at"),
        sa.Index("ix_occurrence_site_kind_due", "site_id", "kind", "due_at", "id"),
        sa.Index("ix_occurrence_kind_due", "kind", "due_at"),
        sa.Index(
            "ix_occurrence_open_late",
            "kind",
            "late_at",
            sqlite_where=sa.text("satisfied_at IS NULL"),
            postgresql_where=sa.text("satisfied_at IS NULL"),
        ),
    )
