"""Questions about the data: opened by whoever reads them, answered by the site, closed by whoever may ask."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend import audit, clock, repeats
from backend.db import db, lock_subject
from backend.errors import Problem, fault
from backend.models.calendar import Excuse, Occurrence, UnscheduledVisit
from backend.models.capture import Entry
from backend.models.clinical import Measurement, Medication, Product
from backend.models.conduct import QUERY_STATES, DataQuery, QueryNote
from backend.models.findings import AdverseEvent, Assessment
from backend.models.safety import Episode
from backend.models.subject import Consent, Subject, SubjectEvent

# What a query may be about: the table and its column that names the thing.
_ABOUT: dict[str, tuple[Any, Any]] = {
    "subject": (Subject, Subject.id),
    "visit": (Occurrence, Occurrence.id),
    "unscheduled_visit": (UnscheduledVisit, UnscheduledVisit.id),
    "event": (SubjectEvent, SubjectEvent.event_id),
    "entry": (Entry, Entry.id),
    "measurement": (Measurement, Measurement.id),
    "medication": (Medication, Medication.id),
    "product": (Product, Product.id),
    "consent": (Consent, Consent.id),
    "excuse": (Excuse, Excuse.excuse_id),
    "episode": (Episode, Episode.id),
    "assessment": (Assessment, Assessment.id),
    "adverse_event": (AdverseEvent, AdverseEvent.event_id),
}
ENTITIES = tuple(_ABOUT)


def open_query(subject_id: UUID, content: Mapping[str, Any], by: UUID) -> tuple[DataQuery, bool]:
    """Ask about something in the record: id, entity, entity_id, field, question. (row, whether it is new)."""
    subject = lock_subject(subject_id)
    said = {name: content.get(name) for name in ("entity", "entity_id", "field")}
    stored = repeats.stored(DataQuery, content["id"], subject_id=subject.id, **said)
    if stored is not None:
        if notes_of([stored.id])[stored.id][0].text != content["question"]:
            raise Problem("id_taken")
        return stored, False
    if not _exists(subject, content["entity"], content["entity_id"]):
        raise fault("/entity_id", "not_allowed", f"no such {content['entity']} of this subject")
    now = clock.now()
    row = DataQuery(
        id=content["id"], subject_id=subject.id, site_id=subject.site_id, opened_by=by, opened_at=now, version=1, **said
    )
    row.state = "open"
    db.session.add(row)
    db.session.flush()
    _say(row, "open", content["question"], by)
    audit.record("query:opened", "data_query", row.id, subject_id=subject.id, new=said, reason=content["question"])
    return row, True


def _exists(subject: Subject, entity: str, entity_id: UUID) -> bool:
    table, name = _ABOUT[entity]
    wanted = sa.select(name).where(name == entity_id)
    if table is not Subject:
        wanted = wanted.where(table.subject_id == subject.id)
    elif entity_id != subject.id:
        return False
    return db.session.execute(wanted.limit(1)).first() is not None


def locked(query_id: UUID) -> DataQuery:
    """The row, its subject locked until the transaction ends; 404 if there is none."""
    known = db.session.get(DataQuery, query_id)
    if known is None:
        raise Problem("not_found")
    lock_subject(known.subject_id)
    return db.session.get_one(DataQuery, query_id, populate_existing=True)


def move(row: DataQuery, state: str, text: str, by: UUID) -> DataQuery:
    """Answer, close or open again, with what is said. 409 where that is no way forward."""
    if state not in QUERY_STATES[row.state]:
        raise Problem("conflict", f"the query is {row.state}")
    old, row.state = row.state, state
    row.version += 1
    db.session.flush()
    _say(row, state, text, by)
    audit.record(
        f"query:{state}",
        "data_query",
        row.id,
        subject_id=row.subject_id,
        old={"state": old},
        new={"state": state},
        reason=text,
    )
    return row


def _say(row: DataQuery, state: str, text: str, by: UUID) -> None:
    db.session.add(QueryNote(query_id=row.id, seq=row.version, state=state, text=text, by_id=by, at=clock.now()))
    db.session.flush()


def notes_of(query_ids: list[UUID]) -> dict[UUID, list[QueryNote]]:
    """What was said in each query, oldest first."""
    found: dict[UUID, list[QueryNote]] = {one: [] for one in query_ids}
    rows = sa.select(QueryNote).where(QueryNote.query_id.in_(query_ids)).order_by(QueryNote.seq)
    for note in db.session.scalars(rows):
        found[note.query_id].append(note)
    return found


def unsettled(subject_id: UUID) -> int:
    """How many of the subject's queries are not closed."""
    rows = sa.select(sa.func.count()).where(DataQuery.subject_id == subject_id, DataQuery.state != "closed")
    return db.session.execute(rows).scalar_one()
