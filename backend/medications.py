"""Medications: what was given, when, how much; corrected only by a further row. The rules read them for masking."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend import audit, clock, records, studies
from backend.db import db
from backend.errors import Problem, invalid
from backend.models.clinical import Medication
from backend.models.people import Account
from backend.models.subject import Subject
from schedules.faults import Fault
from schedules.protocol.definition import Study

ROUTES = ("oral", "intravenous", "subcutaneous", "intramuscular", "topical", "inhaled", "intra_articular", "ophthalmic")
_SAID = (
    "drug",
    "dose_mg",
    "times_per_day",
    "every_days",
    "route",
    "rescue",
    "started_at",
    "stopped_at",
    "indication",
    "corrects_id",
)


def record(subject_id: UUID, items: Sequence[Mapping[str, Any]], by: Account) -> tuple[tuple[Medication, bool], ...]:
    """Store all of a batch or, with every fault named, none: (row, whether it is new) for each.

    An item: id, drug (a key of the study), dose_mg, times_per_day, every_days, route, rescue, started_at,
    stopped_at, indication, and for a correction (a stop included) corrects_id and reason. Another dose is another
    item, the one before it stopped.
    """
    subject = records.open_subject(subject_id)
    study = studies.in_force(subject)
    now = clock.now()
    ids = [item["id"] for item in items]
    stored = {row.id: row for row in db.session.scalars(sa.select(Medication).where(Medication.id.in_(ids)))}
    faults = [
        fault
        for i, item in enumerate(items)
        if item["id"] not in stored
        for fault in _faults(study, subject, item, f"/{i}", now)
    ]
    faults.extend(Fault(f"/{i}/id", "duplicate", "twice in one batch") for i, x in enumerate(ids) if x in ids[:i])
    if faults:
        raise invalid(*faults)
    done = []
    for item in items:
        row = stored.get(item["id"])
        said = {**{name: item.get(name) for name in _SAID}, "rescue": bool(item.get("rescue"))}
        if row is not None and (row.subject_id != subject.id or any(getattr(row, n) != v for n, v in said.items())):
            raise Problem("id_taken")
        done.append((row, False) if row is not None else (_write(subject, item, said, by, now), True))
    return tuple(done)


def _write(
    subject: Subject, item: Mapping[str, Any], said: Mapping[str, Any], by: Account, now: datetime
) -> Medication:
    row = Medication(
        id=item["id"],
        subject_id=subject.id,
        reason=item.get("reason"),
        recorded_at=now,
        recorded_by=by.id,
        **said,
    )
    db.session.add(row)
    db.session.flush()
    audit.record(
        "medication:corrected" if row.corrects_id else "medication:recorded",
        "medication",
        row.id,
        subject_id=subject.id,
        new=dict(said),
        reason=row.reason,
    )
    return row


def _faults(study: Study, subject: Subject, item: Mapping[str, Any], path: str, now: datetime) -> Iterable[Fault]:
    if item["drug"] not in study.drugs:
        yield Fault(f"{path}/drug", "not_allowed", "the study has no such medication")
    if item["started_at"] > now + clock.TOLERANCE:
        yield Fault(f"{path}/started_at", "in_the_future", "a medication given cannot lie in the future")
    stopped = item.get("stopped_at")
    if stopped is not None and stopped < item["started_at"]:
        yield Fault(f"{path}/stopped_at", "out_of_order", "it stops before it starts")
    if item.get("corrects_id") is None:
        return
    if not item.get("reason"):
        yield Fault(f"{path}/reason", "required", "a correction needs a reason")
    before = db.session.get(Medication, item["corrects_id"])
    if before is None or before.subject_id != subject.id:
        yield Fault(f"{path}/corrects_id", "not_allowed", "no such medication of this subject")
        return
    taken = sa.select(Medication.id).where(Medication.corrects_id == before.id)
    if db.session.execute(taken).scalar_one_or_none() is not None:
        yield Fault(f"{path}/corrects_id", "already_corrected", "it was corrected before; correct the correction")
