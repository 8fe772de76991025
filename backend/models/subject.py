"""The subject: number, consents, contact data apart and sealed, and the dated facts of the treatment."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from backend.models.base import INSERT_ONLY, Base, Document, Keeps, key


class Subject(Base):
    """One person in the trial, by number.

    `infused_at`, `admitted`, `hospital_since`, `ended_at`, `ended_kind` are read off the events by
    `treatment.project`, in the transaction that writes the event, so that lists need no second look.
    `study_revision_id` is the revision enrolled under or last in force; from `amended_at` on it is `amended_to_id`
    (`studies.in_force` knows). `locked_at`: the record is locked (`backend.records`).
    `contact_person_id`: who of the staff keeps in touch since `contact_since`; handed over anew after each stay.
    """

    __tablename__ = "subject"
    __keeps__ = Keeps(columns=("id", "site_id", "number", "enrolled_at"))
    id: Mapped[UUID] = key()
    site_id: Mapped[UUID] = mapped_column(sa.ForeignKey("site.id"))
    number: Mapped[str] = mapped_column(sa.String(40))
    study_revision_id: Mapped[UUID] = mapped_column(sa.ForeignKey("study_revision.id"))
    amended_to_id: Mapped[UUID | None]
    amended_at: Mapped[datetime | None]
    dose_level: Mapped[str] = mapped_column(sa.String(40))
    locale: Mapped[str] = mapped_column(sa.String(35))
    time_zone: Mapped[str]
    year_of_birth: Mapped[int]
    prior_organs: Mapped[Any] = mapped_column(Document)
    enrolled_at: Mapped[datetime]
    enrolled_by: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))
    infused_at: Mapped[datetime | None]
    admitted: Mapped[bool] = mapped_column(default=False)  # in the ward now
    hospital_since: Mapped[datetime | None]  # of the stay that lasts, on a pass or not
    ended_at: Mapped[datetime | None]
    ended_kind: Mapped[str | None]
    status: Mapped[str] = mapped_column(sa.String(20), default="screening")
    contact_person_id: Mapped[UUID | None]  # of the staff
    contact_since: Mapped[datetime | None]
    last_report_at: Mapped[datetime | None]
    watched_at: Mapped[datetime | None]  # when silence was last asked about
    signal_seq: Mapped[int] = mapped_column(default=0)
    locked_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)

    __table_args__ = (
        sa.UniqueConstraint("site_id", "number"),
        sa.Index("ix_subject_site_status", "site_id", "status", "number"),
        sa.Index(
            "ix_subject_in_hospital",
            "site_id",
            "number",
            sqlite_where=sa.text("hospital_since IS NOT NULL"),
            postgresql_where=sa.text("hospital_since IS NOT NULL"),
        ),
    )


class Contact(Base):
    """Name and number of the patient or a carer, sealed; found by a keyed index; never in the audit trail."""

    __tablename__ = "contact"
    subject_id: Mapped[UUID] = mapped_column(sa.ForeignKey("subject.id"), primary_key=True)
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"), primary_key=True)
    name_sealed: Mapped[bytes] = mapped_column(sa.LargeBinary)
    version: Mapped[int] = mapped_column(default=1)


class Consent(Base):
    """A consent to one version of one text. Withdrawing is an event, not a deletion."""

    __tablename__ = "consent"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = key()
    subject_id: Mapped[UUID] = mapped_column(sa.ForeignKey("subject.id"), index=True)
    kind: Mapped[str]  # trial, app, cross_border
    text_version: Mapped[str]
    given_at: Mapped[datetime]
    given_by: Mapped[str] = mapped_column(sa.String(20), default="subject")  # subject, guardian
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))


class SubjectEvent(Base):
    """One revision of one dated fact: planned or actual, corrected by a further revision with a reason.

    The row with the highest `revision` of an `event_id` is what holds; `void` takes the event back.
    """

    __tablename__ = "subject_event"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = key()
    event_id: Mapped[UUID]
    revision: Mapped[int]
    subject_id: Mapped[UUID] = mapped_column(sa.ForeignKey("subject.id"), index=True)
    kind: Mapped[str]
    planned_at: Mapped[datetime | None]
    actual_at: Mapped[datetime | None]
    scope: Mapped[Any] = mapped_column(Document, nullable=True)
    place: Mapped[str | None] = mapped_column(sa.String(40))  # where a stay goes on: ward, intensive_care …
    reason: Mapped[str | None] = mapped_column(sa.String(1000))
    void: Mapped[bool] = mapped_column(default=False)
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))

    __table_args__ = (sa.UniqueConstraint("event_id", "revision"),)


class ZoneChange(Base):
    """From this local date on, clock times are read in another zone."""

    __tablename__ = "zone_change"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = key()
    subject_id: Mapped[UUID] = mapped_column(sa.ForeignKey("subject.id"), index=True)
    effective_on: Mapped[date]
    time_zone: Mapped[str]
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))
