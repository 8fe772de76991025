"""Appointments, attendance, unscheduled visits, excuses, working days, and the one projection lists are read from."""

from datetime import date, datetime
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


class UnscheduledVisit(Base):
    """A visit that nobody planned, at the time first said; its appointments move it or take it back."""

    __tablename__ = "unscheduled_visit"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = mapped_column(primary_key=True)
    subject_id: Mapped[UUID] = mapped_column(sa.ForeignKey("subject.id"), index=True)
    at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(sa.String(1000))
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))


class Excuse(Base):
    """One revision of a span without expected reports. The last revision holds; `void` takes the excuse back."""

    __tablename__ = "excuse"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = key()
    excuse_id: Mapped[UUID]
    revision: Mapped[int]
    subject_id: Mapped[UUID] = mapped_column(sa.ForeignKey("subject.id"), index=True)
    kind: Mapped[str] = mapped_column(sa.String(40))  # device_lost, other
    since: Mapped[datetime]
    until: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(sa.String(1000))
    void: Mapped[bool] = mapped_column(default=False)
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))

    __table_args__ = (sa.UniqueConstraint("excuse_id", "revision"),)


class SiteDay(Base):
    """One date of a site that is not as its weekday says, or was corrected. The last revision of a date holds."""

    __tablename__ = "site_day"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = key()
    site_id: Mapped[UUID] = mapped_column(sa.ForeignKey("site.id"))
    day: Mapped[date]
    revision: Mapped[int]
    working: Mapped[bool]
    name_zh: Mapped[str]
    name_en: Mapped[str]
    source: Mapped[str] = mapped_column(sa.String(20))  # seeded, edited
    reason: Mapped[str | None] = mapped_column(sa.String(1000))
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("account.id"))

    __table_args__ = (sa.UniqueConstraint("site_id", "day", "revision"),)


class Occurrence(Base):
    """What `schedules.occurrences` computed, so that status is SQL against `now`. Written by `backend.agenda` alone.

    `stage` is the status when last looked at, good until `turns_at`: an index for lists, never their answer.
    `listed_at` is `due_at`, or the end of time for what is not dated.
    """

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
    target_on: Mapped[date | None]  # planned visits: their window as the study has it, site-local dates
    earliest_on: Mapped[date | None]
    latest_on: Mapped[date | None]
    edition: Mapped[int] = mapped_column(default=0)  # which of the subject's revisions it follows
    study_revision_id: Mapped[UUID]
    stage: Mapped[str] = mapped_column(sa.String(14))
    turns_at: Mapped[datetime | None]
    listed_at: Mapped[datetime]

    __table_args__ = (
        sa.Index("ix_occurrence_subject_due", "subject_id", "due_at"),
        sa.Index("ix_occurrence_listed", "site_id", "kind", "listed_at", "id"),
        sa.Index("ix_occurrence_stage", "site_id", "kind", "stage", "listed_at", "id", "turns_at"),
        sa.Index(
            "ix_occurrence_turns",
            "site_id",
            "kind",
            "turns_at",
            sqlite_where=sa.text("turns_at IS NOT NULL"),
            postgresql_where=sa.text("turns_at IS NOT NULL"),
        ),
        sa.Index("ix_occurrence_kind_due", "kind", "due_at"),
        sa.Index(
            "ix_occurrence_open_late",
            "kind",
            "late_at",
            sqlite_where=sa.text("satisfied_at IS NULL"),
            postgresql_where=sa.text("satisfied_at IS NULL"),
        ),
    )
