"""The published revisions of the study, the sites that run it, and the installation itself."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from backend.models.base import INSERT_ONLY, Base, Keeps, key


class Installation(Base):
    """One row. `server_epoch` changes when a backup is restored, so that phones offer again what they sent."""

    __tablename__ = "installation"
    __keeps__ = Keeps(columns=("id", "mode", "created_at"))
    id: Mapped[int] = mapped_column(primary_key=True)
    mode: Mapped[str]
    server_epoch: Mapped[UUID]
    created_at: Mapped[datetime]


class StudyRevision(Base):
    """One published definition, whole, found by its hash."""

    __tablename__ = "study_revision"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = key()
    study_key: Mapped[str] = mapped_column(index=True)
    revision: Mapped[str]
    sha256: Mapped[str] = mapped_column(sa.String(64), unique=True)
    content: Mapped[str] = mapped_column(sa.Text)  # JSON in the file's own order
    published_at: Mapped[datetime]
    author_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("account.id"))
    approver_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("account.id"))

    __table_args__ = (sa.UniqueConstraint("study_key", "revision"),)


class Site(Base):
    """A hospital. Study days and working days are counted in its zone; `phone_24h` answers day and night."""

    __tablename__ = "site"
    id: Mapped[UUID] = key()
    code: Mapped[str] = mapped_column(unique=True)
    name_zh: Mapped[str]
    name_en: Mapped[str]
    time_zone: Mapped[str]
    phone_24h: Mapped[str] = mapped_column(sa.String(40))
    study_revision_id: Mapped[UUID] = mapped_column(sa.ForeignKey("study_revision.id"))
    change_seq: Mapped[int] = mapped_column(sa.BigInteger, default=0)  # bumped by whatever a console shows live
    next_page_number: Mapped[int] = mapped_column(default=1000)
    version: Mapped[int] = mapped_column(default=1)


class WorkerHeartbeat(Base):
    """One row per loop of a worker; its age is what `/healthz/worker` and the phone's wording look at."""

    __tablename__ = "worker_heartbeat"
    name: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    detail: Mapped[str | None]
