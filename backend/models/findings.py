"""What investigators find: scored assessments of visits, and adverse events."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from backend.models.base import INSERT_ONLY, Base, Document, key


class Assessment(Base):
    """One revision of one instrument's form at one visit; the last revision holds. Scores are computed, not stored."""

    __tablename__ = "assessment"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = key()
    subject_id: Mapped[UUID] = mapped_column(sa.ForeignKey("subject.id"), index=True)
    visit_id: Mapped[UUID]
    visit_key: Mapped[str] = mapped_column(sa.String(40))
    instrument: Mapped[str] = mapped_column(sa.String(20))
    revision: Mapped[int]
    answers: Mapped[Any] = mapped_column(Document)
    rater_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))
    assessed_at: Mapped[datetime]
    reason: Mapped[str | None] = mapped_column(sa.String(1000))
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))

    __table_args__ = (sa.UniqueConstraint("visit_id", "instrument", "revision"),)


class AdverseEvent(Base):
    """One revision of one adverse event; the last revision holds, `void` takes it back.

    Grade 1-5 of `scale` (CTCAE with its version, ASTCT2019 for CRS and ICANS). `serious_known_at`: when the site knew
    it was serious, from which 24 hours run until `reported_at`.
    """

    __tablename__ = "adverse_event"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = key()
    event_id: Mapped[UUID]
    revision: Mapped[int]
    subject_id: Mapped[UUID] = mapped_column(sa.ForeignKey("subject.id"), index=True)
    site_id: Mapped[UUID] = mapped_column(sa.ForeignKey("site.id"))
    term: Mapped[str]
    soc: Mapped[str] = mapped_column(sa.String(60))  # system organ class, by its key
    scale: Mapped[str] = mapped_column(sa.String(20))  # CTCAE, ASTCT2019
    scale_version: Mapped[str] = mapped_column(sa.String(10))
    grade: Mapped[int]
    onset_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    serious: Mapped[bool]
    seriousness: Mapped[Any] = mapped_column(Document)  # criteria met
    serious_known_at: Mapped[datetime | None]
    reported_at: Mapped[datetime | None]
    related_product: Mapped[str] = mapped_column(sa.String(20))
    related_lymphodepletion: Mapped[str] = mapped_column(sa.String(20))
    related_procedure: Mapped[str] = mapped_column(sa.String(20))
    action: Mapped[str] = mapped_column(sa.String(30))
    outcome: Mapped[str] = mapped_column(sa.String(30))
    dlt: Mapped[str] = mapped_column(sa.String(12))  # no, suspected, confirmed
    special_interest: Mapped[str | None] = mapped_column(sa.String(40))
    episode_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("episode.id"))
    note: Mapped[str | None] = mapped_column(sa.String(1000))
    void: Mapped[bool] = mapped_column(default=False)
    reason: Mapped[str | None] = mapped_column(sa.String(1000))
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))

    __table_args__ = (
        sa.UniqueConstraint("event_id", "revision"),
        sa.Index("ix_adverse_event_site", "site_id", "onset_at", "event_id"),
    )


class Reconciliation(Base):
    """What a person decided about something that may be an adverse event, up to the `worst` that they saw of it.

    kind: symptom, laboratory (`item` names which), episode (`episode_id`); from its first to its last finding. `seq`
    counts within the subject.
    """

    __tablename__ = "reconciliation"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = mapped_column(primary_key=True)
    subject_id: Mapped[UUID] = mapped_column(sa.ForeignKey("subject.id"))
    seq: Mapped[int]
    kind: Mapped[str] = mapped_column(sa.String(20))
    item: Mapped[str | None] = mapped_column(sa.String(40))
    episode_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("episode.id"))
    since: Mapped[datetime]
    until: Mapped[datetime]
    worst: Mapped[int]
    decision: Mapped[str] = mapped_column(sa.String(20))  # adverse_event, known, not_adverse_event
    adverse_event_id: Mapped[UUID | None]
    reason: Mapped[str | None] = mapped_column(sa.String(1000))
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))

    __table_args__ = (sa.UniqueConstraint("subject_id", "seq"),)
