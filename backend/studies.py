"""Published revisions: stored whole, found by id, built once per process (they never change); which one is in force."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import available_timezones

import sqlalchemy as sa

from backend import audit, clock, installation
from backend.db import db
from backend.errors import Problem, invalid
from backend.models.study import Site, StudyRevision, SubjectRevision
from backend.models.subject import Subject
from schedules.faults import Fault
from schedules.protocol import content as protocol_content
from schedules.protocol import load
from schedules.protocol.definition import Study


def publish(content: dict[str, Any], *, author_id: UUID | None, approver_id: UUID | None) -> StudyRevision:
    """Store a validated definition. Equal content is the same revision; other content needs a new name."""
    study = load.build(content)
    stored = db.session.execute(
        sa.select(StudyRevision).where(
            sa.or_(
                StudyRevision.sha256 == study.sha256,
                sa.and_(StudyRevision.study_key == study.key, StudyRevision.revision == study.revision),
            )
        )
    ).scalar_one_or_none()
    if stored is not None:
        if stored.sha256 != study.sha256:
            raise Problem("conflict", f"revision {study.revision} of {study.key} is already published")
        return stored
    row = StudyRevision(
        study_key=study.key,
        revision=study.revision,
        sha256=study.sha256,
        content=protocol_content.as_json(content),
        published_at=clock.now(),
        author_id=author_id,
        approver_id=approver_id,
    )
    db.session.add(row)
    db.session.flush()
    audit.record(
        "study:published",
        "study_revision",
        row.id,
        new={"key": study.key, "revision": study.revision, "sha256": study.sha256},
    )
    return row


@lru_cache(maxsize=64)
def revision(revision_id: UUID) -> Study:
    """The study value of a stored revision."""
    return load.build(protocol_content.from_json(db.session.get_one(StudyRevision, revision_id).content))


def in_force_id(subject: Subject, at: datetime | None = None) -> UUID:
    """The revision in force for the subject, now or at another instant after its last amendment but one."""
    amended = subject.amended_at is not None and subject.amended_at <= (at or clock.now())
    return subject.amended_to_id if amended and subject.amended_to_id is not None else subject.study_revision_id


def in_force(subject: Subject, at: datetime | None = None) -> Study:
    """The study as it now holds for the subject."""
    return revision(in_force_id(subject, at))


def in_force_sql(now: datetime) -> sa.ColumnElement[UUID]:
    """`in_force_id` over the table of subjects."""
    return sa.case((Subject.amended_at <= now, Subject.amended_to_id), else_=Subject.study_revision_id)


def history_of(subject: Subject, as_of: datetime | None = None) -> tuple[UUID, Sequence[SubjectRevision]]:
    """The revision a subject was enrolled under, and its later ones known by `as_of`, first to last."""
    if subject.amended_to_id is None:
        return subject.study_revision_id, ()
    later = db.session.scalars(
        sa.select(SubjectRevision)
        .where(SubjectRevision.subject_id == subject.id)
        .order_by(SubjectRevision.effective_on)
    ).all()
    return later[0].from_revision_id, [row for row in later if as_of is None or row.recorded_at <= as_of]


def next_page_number(site_id: UUID) -> int:
    """A number that no page of the site has had. Holds the site's row until the transaction ends."""
    site = db.session.execute(
        sa.select(Site).where(Site.id == site_id).with_for_update().execution_options(populate_existing=True)
    ).scalar_one()
    site.next_page_number += 1
    db.session.flush()
    return site.next_page_number


def of_site(site: Site) -> Study:
    """The revision that new subjects of a site are enrolled under."""
    return revision(site.study_revision_id)


def add_site(
    code: str, name_zh: str, name_en: str, time_zone: str, phone_24h: str, sha256: str, country: str = "CN"
) -> Site:
    """A site that enrols under a published revision. Raises 422 with the path of each fault.

    A live one enrols once a test page was accepted (`backend.channels`); a demo's wakes nobody and may at once.
    """
    row = db.session.execute(sa.select(StudyRevision).where(StudyRevision.sha256 == sha256)).scalar_one_or_none()
    faults = []
    if row is None:
        faults.append(Fault("/study_sha256", "not_allowed", "no such revision is published"))
    if time_zone not in available_timezones():
        faults.append(Fault("/time_zone", "unknown_time_zone", "not a known time zone"))
    if db.session.scalar(sa.select(Site.id).where(Site.code == code)):
        faults.append(Fault("/code", "taken", "this code is in use"))
    if row is None or faults:
        raise invalid(*faults)
    site = Site(
        id=uuid4(),
        code=code,
        name_zh=name_zh,
        name_en=name_en,
        time_zone=time_zone,
        country=country,
        delegates=True,
        phone_24h=phone_24h,
        study_revision_id=row.id,
        change_seq=0,
        next_page_number=1000,
        live_at=None if installation.settings().live else clock.now(),
        version=1,
    )
    db.session.add(site)
    db.session.flush()
    audit.record("site:added", "site", site.id, new={"code": code, "study_revision": row.id})
    return site
