"""The published revisions of the study, their amendments at a site, the sites that run it, and the installation."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from backend.models.base import INSERT_ONLY, Base, Document, Keeps, key


class Installation(Base):
    """One row. `server_epoch` changes when a backup is restored, so that phones offer again what they sent.

    `locked_at`: the whole database is locked against changes of the record (`backend.records`). `restored_at`: when it
    was last brought back from a backup. `moved_at`: it was moved to another database and is not run any more.
    """

    __tablename__ = "installation"
    __keeps__ = Keeps(columns=("id", "mode", "created_at"))
    id: Mapped[int] = mapped_column(primary_key=True)
    mode: Mapped[str]
    server_epoch: Mapped[UUID]
    created_at: Mapped[datetime]
    locked_at: Mapped[datetime | None]
    restored_at: Mapped[datetime | None]
    moved_at: Mapped[datetime | None]


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
    country: Mapped[str] = mapped_column(sa.String(2), default="CN")  # whose public holidays seed the working days
    delegates: Mapped[bool] = mapped_column(default=True)  # acts of its staff need a delegated task
    phone_24h: Mapped[str] = mapped_column(sa.String(40))
    study_revision_id: Mapped[UUID] = mapped_column(sa.ForeignKey("study_revision.id"))
    change_seq: Mapped[int] = mapped_column(sa.BigInteger, default=0)  # bumped by whatever a console shows live
    next_page_number: Mapped[int] = mapped_column(default=1000)
    live_at: Mapped[datetime | None]  # since when it may enrol: a test page was accepted over a channel that wakes
    version: Mapped[int] = mapped_column(default=1)


class SiteChannel(Base):
    """One way by which messages of a site travel: texts, calls, a group robot. What it must keep secret is sealed.

    `rung` says for which of the ladder's channels it serves, 1 or 2. `test_message_id` is the last test page that
    went over it, `accepted_at` when whoever got it said so; a change of the channel takes both away.
    """

    __tablename__ = "site_channel"
    id: Mapped[UUID] = key()
    site_id: Mapped[UUID] = mapped_column(sa.ForeignKey("site.id"))
    medium: Mapped[str] = mapped_column(sa.String(10))
    gateway: Mapped[str] = mapped_column(sa.String(20))
    rung: Mapped[int]
    sealed: Mapped[bytes | None]  # JSON: address, keys
    platform: Mapped[Any] = mapped_column(Document, default=dict)  # what a hospital's platform wants
    test_message_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("message.id"))
    accepted_at: Mapped[datetime | None]
    accepted_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("account.id"))
    posted_at: Mapped[datetime | None]  # a robot: when its last post began, for its pace
    version: Mapped[int] = mapped_column(default=1)

    __table_args__ = (sa.UniqueConstraint("site_id", "medium"),)


class Amendment(Base):
    """A site's step from its revision to another: proposed, then approved by the principal investigator, or dropped.

    `staying`: subjects that keep their revision, each with the reason. `difference_sha256`: what was approved.
    """

    __tablename__ = "amendment"
    __keeps__ = Keeps(
        columns=("id", "site_id", "study_revision_id", "proposed_by", "proposed_at"), sealed_by="decided_at"
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    site_id: Mapped[UUID] = mapped_column(sa.ForeignKey("site.id"), index=True)
    study_revision_id: Mapped[UUID] = mapped_column(sa.ForeignKey("study_revision.id"))
    effective_on: Mapped[date]
    staying: Mapped[Any] = mapped_column(Document)
    reason: Mapped[str] = mapped_column(sa.String(1000))
    state: Mapped[str] = mapped_column(sa.String(12))  # proposed, approved, dropped
    proposed_by: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))
    proposed_at: Mapped[datetime]
    decided_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("account.id"))
    decided_at: Mapped[datetime | None]
    difference_sha256: Mapped[str | None] = mapped_column(sa.String(64))
    version: Mapped[int] = mapped_column(default=1)


class SubjectRevision(Base):
    """From this site-local date on another revision is in force for the subject. Insert-only: its history."""

    __tablename__ = "subject_revision"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = key()
    subject_id: Mapped[UUID] = mapped_column(sa.ForeignKey("subject.id"), index=True)
    amendment_id: Mapped[UUID] = mapped_column(sa.ForeignKey("amendment.id"))
    from_revision_id: Mapped[UUID] = mapped_column(sa.ForeignKey("study_revision.id"))
    study_revision_id: Mapped[UUID] = mapped_column(sa.ForeignKey("study_revision.id"))
    effective_on: Mapped[date]
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))

    __table_args__ = (sa.UniqueConstraint("subject_id", "effective_on"),)


class ConsentText(Base):
    """From this date on the site takes consent with this version of a text; who gave an older one is asked again."""

    __tablename__ = "consent_text"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = mapped_column(primary_key=True)
    site_id: Mapped[UUID] = mapped_column(sa.ForeignKey("site.id"), index=True)
    kind: Mapped[str] = mapped_column(sa.String(20))
    text_version: Mapped[str] = mapped_column(sa.String(40))
    valid_from: Mapped[datetime]
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))

    __table_args__ = (sa.UniqueConstraint("site_id", "kind", "text_version"),)


class WorkerHeartbeat(Base):
    """One row per loop of a worker; its age is what `/healthz/worker` and the phone's wording look at."""

    __tablename__ = "worker_heartbeat"
    name: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    detail: Mapped[str | None]
