"""The conduct of the trial: delegated tasks, training, questions about the data, what is closed and what is signed."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from backend.models.base import INSERT_ONLY, Base, Document, Keeps, key


class Delegation(Base):
    """One task of one member of staff at one site, from a date to a date. It counts once it is approved.

    Ending it is the one change; the rest of the row keeps its first value.
    """

    __tablename__ = "delegation"
    __keeps__ = Keeps(
        columns=("id", "site_id", "account_id", "task", "valid_from", "requested_by", "requested_at"),
        sealed_by="ended_at",
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    site_id: Mapped[UUID] = mapped_column(sa.ForeignKey("site.id"))
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))
    task: Mapped[str] = mapped_column(sa.String(40))
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]  # the last date it covers
    requested_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("account.id"))
    requested_at: Mapped[datetime]
    approved_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("account.id"))
    approved_at: Mapped[datetime | None]
    ended_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("account.id"))
    ended_at: Mapped[datetime | None]
    ended_why: Mapped[str | None] = mapped_column(sa.String(1000))
    version: Mapped[int] = mapped_column(default=1)

    __table_args__ = (
        sa.Index("ix_delegation_account_site", "account_id", "site_id", "task"),
        sa.Index("ix_delegation_site", "site_id", "requested_at", "id"),
    )


class Training(Base):
    """Somebody, of the staff or a subject, was trained in something in a version, on a date, by somebody."""

    __tablename__ = "training"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = mapped_column(primary_key=True)
    site_id: Mapped[UUID] = mapped_column(sa.ForeignKey("site.id"))
    account_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("account.id"), index=True)
    subject_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("subject.id"), index=True)
    topic: Mapped[str] = mapped_column(sa.String(100))
    material_version: Mapped[str] = mapped_column(sa.String(40))
    trained_on: Mapped[date]
    trainer: Mapped[str] = mapped_column(sa.String(100))
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))

    __table_args__ = (sa.Index("ix_training_site", "site_id", "recorded_at", "id"),)


# A query is opened, answered, and closed or opened again.
QUERY_STATES: dict[str, tuple[str, ...]] = {
    "open": ("answered", "closed"),
    "answered": ("open", "closed"),
    "closed": ("open",),
}


class DataQuery(Base):
    """A question about something in a subject's record; what was said is in its notes."""

    __tablename__ = "data_query"
    __keeps__ = Keeps(
        columns=("id", "subject_id", "site_id", "entity", "entity_id", "field", "opened_by", "opened_at"),
        forward=("state", QUERY_STATES),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    subject_id: Mapped[UUID] = mapped_column(sa.ForeignKey("subject.id"), index=True)
    site_id: Mapped[UUID] = mapped_column(sa.ForeignKey("site.id"))
    entity: Mapped[str] = mapped_column(sa.String(40))
    entity_id: Mapped[UUID]
    field: Mapped[str | None] = mapped_column(sa.String(100))
    state: Mapped[str] = mapped_column(sa.String(10), default="open")
    opened_by: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))
    opened_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)

    __table_args__ = (sa.Index("ix_data_query_site_state", "site_id", "state", "opened_at", "id"),)


class QueryNote(Base):
    """One thing said in a query, and the state it brought about."""

    __tablename__ = "query_note"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = key()
    query_id: Mapped[UUID] = mapped_column(sa.ForeignKey("data_query.id"))
    seq: Mapped[int]
    state: Mapped[str] = mapped_column(sa.String(10))
    text: Mapped[str] = mapped_column(sa.String(2000))
    by_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))
    at: Mapped[datetime]

    __table_args__ = (sa.UniqueConstraint("query_id", "seq"),)


class Freeze(Base):
    """A visit was frozen, a subject or the database locked, or opened again, with the reason. The last row holds."""

    __tablename__ = "record_freeze"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = mapped_column(primary_key=True)
    scope: Mapped[str] = mapped_column(sa.String(10))  # visit, subject, database
    target_id: Mapped[UUID | None]  # the visit or subject; None for the database
    subject_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("subject.id"), index=True)
    revision: Mapped[int]
    closed: Mapped[bool]
    reason: Mapped[str] = mapped_column(sa.String(1000))
    by_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))
    at: Mapped[datetime]

    __table_args__ = (sa.Index("ix_record_freeze_target", "scope", "target_id", "revision"),)


class Signature(Base):
    """Somebody signed what a record said when its audit trail ended with this link. Later changes void it visibly."""

    __tablename__ = "signature"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = mapped_column(primary_key=True)
    subject_id: Mapped[UUID] = mapped_column(sa.ForeignKey("subject.id"), index=True)
    scope: Mapped[str] = mapped_column(sa.String(20))  # casebook, visit
    visit_id: Mapped[UUID | None]
    part: Mapped[str | None] = mapped_column(sa.String(10))  # of a visit: clinical, complete
    content: Mapped[Any] = mapped_column(Document, nullable=True)  # of a visit: the revision of each form signed
    meaning: Mapped[str] = mapped_column(sa.String(500))
    audit_seq: Mapped[int]
    audit_hash: Mapped[str] = mapped_column(sa.String(64))
    signed_by: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))
    signed_as: Mapped[str] = mapped_column(sa.String(30))
    at: Mapped[datetime]
