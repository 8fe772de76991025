"""What is closed for change: frozen visits, locked subjects, the locked database; with reasons, and reopenable.

A locked record takes no change by staff. What a patient reports, and what people do about danger, is never
refused for a lock: it comes in beside the locked record and the trail shows when.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend import audit, clock, repeats
from backend.db import db, lock_subject
from backend.errors import Problem
from backend.models.calendar import Occurrence
from backend.models.conduct import Freeze
from backend.models.study import Installation
from backend.models.subject import Subject

VISIT, SUBJECT, DATABASE = "visit", "subject", "database"


def open_subject(subject_id: UUID) -> Subject:
    """The subject's row, locked until the transaction ends, for a change of the record; 409 where that is closed."""
    subject = lock_subject(subject_id)
    if subject.locked_at is not None:
        raise Problem("record_locked", "the subject's record is locked")
    refuse_locked_database()
    return subject


def is_locked(subject: Subject) -> bool:
    """Whether the subject's record, or the whole database, is closed for change."""
    return subject.locked_at is not None or database_locked_at() is not None


def refuse_locked_database() -> None:
    """409 while the database is locked; keeps it from being locked until the transaction ends."""
    locked_at = db.session.scalar(sa.select(Installation.locked_at).with_for_update(read=True))
    if locked_at is not None:
        raise Problem("record_locked", "the database is locked")


def refuse_frozen(visit_id: UUID) -> None:
    """409 where the visit is frozen. The subject's row is locked by the caller."""
    row = _last(VISIT, visit_id)
    if row is not None and row.closed:
        raise Problem("visit_frozen")


def frozen_visits(subject_id: UUID) -> set[UUID]:
    """The visits of the subject that are frozen now."""
    rows = db.session.scalars(
        sa.select(Freeze).where(Freeze.subject_id == subject_id, Freeze.scope == VISIT).order_by(Freeze.revision)
    )
    last = {row.target_id: row for row in rows}
    return {visit_id for visit_id, row in last.items() if row.closed and visit_id is not None}


def refuse_moving_frozen(subject_id: UUID, before: Iterable[Any], after: Iterable[Any]) -> None:
    """409, naming them, if frozen visits would not be the same afterwards. Both are computed occurrences."""
    frozen = frozen_visits(subject_id)
    if not frozen:
        return
    old, new = ({one.id: one for one in some if one.id in frozen} for some in (before, after))
    moved = sorted(one.key for identity, one in old.items() if new.get(identity) != one)
    if moved:
        raise Problem("visit_frozen", f"this would change frozen visits: {', '.join(moved)}")


def set_visit(visit: Occurrence, *, closed: bool, content: dict[str, Any], by: UUID) -> tuple[Freeze, bool]:
    """Freeze a visit, or open it again. (row, whether it is new). `content`: id, reason."""
    subject = open_subject(visit.subject_id)
    return _write(VISIT, visit.id, subject.id, closed=closed, content=content, by=by)


def set_subject(subject_id: UUID, *, closed: bool, content: dict[str, Any], by: UUID) -> tuple[Freeze, bool]:
    """Lock a subject's record, or unlock it."""
    subject = lock_subject(subject_id)
    row, new = _write(SUBJECT, subject.id, subject.id, closed=closed, content=content, by=by)
    if new:
        subject.locked_at = row.at if closed else None
        subject.version += 1
        db.session.flush()
    return row, new


def set_database(*, closed: bool, content: dict[str, Any], by: UUID) -> tuple[Freeze, bool]:
    """Lock the whole database against changes of any record, or unlock it."""
    installation = db.session.execute(
        sa.select(Installation).with_for_update().execution_options(populate_existing=True)
    ).scalar_one()
    row, new = _write(DATABASE, None, None, closed=closed, content=content, by=by)
    if new:
        installation.locked_at = row.at if closed else None
        db.session.flush()
    return row, new


def database_locked_at() -> datetime | None:
    return db.session.scalar(sa.select(Installation.locked_at))


def history(scope: str, target_id: UUID | None) -> list[Freeze]:
    """Every closing and opening of one thing, oldest first."""
    rows = sa.select(Freeze).where(Freeze.scope == scope, _is(target_id)).order_by(Freeze.revision)
    return list(db.session.scalars(rows))


def _is(target_id: UUID | None) -> sa.ColumnElement[bool]:
    return Freeze.target_id.is_(None) if target_id is None else Freeze.target_id == target_id


def _last(scope: str, target_id: UUID | None) -> Freeze | None:
    rows = sa.select(Freeze).where(Freeze.scope == scope, _is(target_id))
    return db.session.scalars(rows.order_by(Freeze.revision.desc()).limit(1)).first()


def _write(
    scope: str, target_id: UUID | None, subject_id: UUID | None, *, closed: bool, content: dict[str, Any], by: UUID
) -> tuple[Freeze, bool]:
    said = {"scope": scope, "target_id": target_id, "closed": closed, "reason": content["reason"]}
    stored = repeats.stored(Freeze, content["id"], **said)
    if stored is not None:
        return stored, False
    last = _last(scope, target_id)
    if (last is not None and last.closed) is closed:
        raise Problem("conflict", f"the {scope} is {'closed' if closed else 'open'} already")
    row = Freeze(
        id=content["id"],
        subject_id=subject_id,
        revision=(last.revision if last else 0) + 1,
        by_id=by,
        at=clock.now(),
        **said,
    )
    db.session.add(row)
    db.session.flush()
    audit.record(
        f"{scope}:{'closed' if closed else 'opened'}",
        scope,
        target_id or DATABASE,
        subject_id=subject_id,
        old={"closed": not closed},
        new={"closed": closed},
        reason=row.reason,
    )
    return row, True
