"""The audit trail and its chain heads, and the answers kept for a repeated request."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from backend.models.base import INSERT_ONLY, Base, Document, key


class AuditEvent(Base):
    """One act. `chain` is a subject's id or "system"; each row's hash covers the one before."""

    __tablename__ = "audit_event"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = key()
    chain: Mapped[str] = mapped_column(sa.String(36))
    seq: Mapped[int]
    at: Mapped[datetime]
    actor_id: Mapped[UUID | None]
    actor_role: Mapped[str] = mapped_column(sa.String(30))
    verb: Mapped[str] = mapped_column(sa.String(60))  # subject:action
    entity: Mapped[str] = mapped_column(sa.String(40))
    entity_id: Mapped[str] = mapped_column(sa.String(60))
    old: Mapped[Any] = mapped_column(Document, nullable=True)
    new: Mapped[Any] = mapped_column(Document, nullable=True)
    reason: Mapped[str | None] = mapped_column(sa.String(1000))
    origin: Mapped[str | None] = mapped_column(sa.String(100))
    previous: Mapped[str] = mapped_column(sa.String(64))
    hash: Mapped[str] = mapped_column(sa.String(64))
    key_id: Mapped[int]

    __table_args__ = (sa.UniqueConstraint("chain", "seq"),)


class AuditHead(Base):
    """The last link and the count of each chain; printed into exports and backups."""

    __tablename__ = "audit_head"
    chain: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    seq: Mapped[int]
    hash: Mapped[str] = mapped_column(sa.String(64))


class KeptAnswer(Base):
    """The answer to a request with an `Idempotency-Key`: its repeat gets the same."""

    __tablename__ = "kept_answer"
    __keeps__ = INSERT_ONLY
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(100), primary_key=True)
    request_digest: Mapped[str] = mapped_column(sa.String(64))
    status: Mapped[int]
    body: Mapped[str] = mapped_column(sa.Text)
    at: Mapped[datetime]
