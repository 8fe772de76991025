"""Published revisions: stored whole, found by id, built once per process (they never change)."""

from functools import lru_cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend import audit, clock
from backend.db import db
from backend.errors import Problem
from backend.models.study import Site, StudyRevision
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
        content=content,
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
    return load.build(db.session.get_one(StudyRevision, revision_id).content)


def of_site(site: Site) -> Study:
    """The revision that new subjects of a site are enrolled under."""
    return revision(site.study_revision_id)
