"""Whole files of laboratory values for many subjects: every bad line told, all of it stored or none of it.

A line that says what is recorded already (the same file twice, or a value typed by hand before) is counted as known;
one that says something else of the same sample is a fault, since a stored value is corrected and never replaced.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from backend import audit, chronicle, clock, laboratory, records, studies
from backend.db import db, lock_subject
from backend.errors import invalid
from backend.instruments import units
from backend.laboratory import Recorded
from backend.models.clinical import Measurement
from backend.models.people import Account
from backend.models.subject import Subject
from schedules.faults import Fault
from schedules.windows import at_local

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file: where it stands (the heading is line 1), whose it is, and what it says.

    `item` as in `laboratory.record` without ids; `collected_at` may be a clock time of the site, without offset.
    """

    number: int
    subject: str
    item: Item


@dataclass(frozen=True, slots=True)
class Imported:
    lines: int
    known: int
    fresh: int  # lines that say something new
    new: tuple[tuple[Subject, Recorded], ...]  # what was stored of them


def subjects_of(lines: Sequence[Line], site_ids: Sequence[UUID]) -> Mapping[str, list[Subject]]:
    """The subjects of these sites by number: none, one, or several where sites share a number."""
    numbers = {line.subject for line in lines}
    found: dict[str, list[Subject]] = defaultdict(list)
    rows = sa.select(Subject).where(Subject.site_id.in_(site_ids), Subject.number.in_(numbers))
    for row in db.session.scalars(rows):
        found[row.number].append(row)
    return found


def store(
    lines: Sequence[Line],
    unreadable: Iterable[Fault],
    subjects: Mapping[str, list[Subject]],
    by: Account,
    *,
    digest: str,
    dry_run: bool,
) -> Imported:
    """Check every line, then store them all, unless it is a `dry_run`. `digest`: SHA-256 of the file, for the trail.

    Raises `invalid` with the faults of all lines, at `/lines/<number>/<column>`, among them those of `unreadable` ones.
    """
    records.refuse_locked_database()
    now = clock.now()
    faults = list(unreadable)
    whose: dict[UUID, list[Line]] = defaultdict(list)
    for line in lines:
        some = subjects.get(line.subject, [])
        if len(some) == 1:
            whose[some[0].id].append(line)
        else:
            code, message = ("ambiguous", "at several sites; name one") if some else ("not_found", "no such subject")
            faults.append(Fault(_at(line, "subject"), code, message))
    known = 0
    ready: list[tuple[Subject, list[Item]]] = []
    for subject_id, own in sorted(whose.items()):  # always locked in one order: two files never wait for each other
        subject = lock_subject(subject_id)
        fresh, wrong = _sorted_out(subject, own, now)
        known += len(own) - len(fresh)
        faults.extend(wrong)
        ready.append((subject, fresh))
    if faults:
        raise invalid(*sorted(faults, key=_place))
    new: list[tuple[Subject, Recorded]] = []
    if not dry_run:
        for subject, items in ready:
            stored = laboratory.store(subject, studies.in_force(subject), items, by, now)
            new.extend((subject, one) for one in stored.values())
        counts = {"lines": len(lines), "known": known, "new": len(new)}
        audit.record("measurements:imported", "file", digest, new=counts)
    return Imported(len(lines), known, sum(len(items) for _, items in ready), tuple(new))


def _at(line: Line, column: str) -> str:
    return f"/lines/{line.number}/{column}"


def _place(fault: Fault) -> tuple[int, str]:
    return int(fault.path.split("/")[2]), fault.path


def _sorted_out(subject: Subject, lines: Sequence[Line], now: datetime) -> tuple[list[Item], list[Fault]]:
    """What is new of one subject's lines, and every fault of theirs."""
    if records.is_locked(subject):
        return [], [Fault(_at(line, "subject"), "record_locked", "the subject's record is locked") for line in lines]
    study = studies.in_force(subject)
    zone = chronicle.site_zone(subject.site_id)
    items = laboratory.completed(study, subject.site_id, [_item(line, zone) for line in lines])
    recorded = _recorded(subject.id, items)
    seen: set[tuple[Any, ...]] = set()
    fresh: list[Item] = []
    faults: list[Fault] = []
    for line, item in zip(lines, items, strict=True):
        wrong = list(laboratory.faults_of(study, subject, item, f"/lines/{line.number}", now))
        sample = _sample(item)
        if sample in seen:
            wrong.append(Fault(_at(line, "code"), "duplicate", "this sample's value stands twice in the file"))
        seen.add(sample)
        before = recorded.get(sample)
        if before is None:
            fresh.append(item)
        elif not _agree(before, item):
            message = "another value of this sample is recorded; correct that one"
            wrong.append(Fault(_at(line, "value"), "differs_from_record", message))
        faults.extend(wrong)
    return fresh, faults


def _item(line: Line, zone: str) -> Item:
    item = {**line.item, "id": uuid4(), "unit": units.ucum(line.item["unit"])}
    collected: datetime = item["collected_at"]
    if collected.tzinfo is None:
        item["collected_at"] = at_local(collected.date(), collected.time(), zone)
    return item


def _sample(item: Item) -> tuple[Any, ...]:
    return item["code"], item["collected_at"], item.get("method")


def _recorded(subject_id: UUID, items: Sequence[Item]) -> Mapping[tuple[Any, ...], Measurement]:
    """The values that stand for the samples of these items."""
    times = [item["collected_at"] for item in items]
    later = aliased(Measurement)
    corrected = sa.exists().where(later.corrects_id == Measurement.id)
    rows = db.session.scalars(
        sa.select(Measurement).where(
            Measurement.subject_id == subject_id,
            Measurement.code.in_({item["code"] for item in items}),
            Measurement.collected_at.between(min(times), max(times)),
            ~corrected,
        )
    )
    return {(row.code, row.collected_at, row.method): row for row in rows}


def _agree(row: Measurement, item: Item) -> bool:
    """Whether a line says the same of a sample as the record; what it leaves open agrees with everything."""
    if (row.value, row.qualifier, row.not_done) != (item.get("value"), item.get("qualifier") or "", item["not_done"]):
        return False
    limits = () if item.get("limits_listed") else ("lln", "uln")
    return all(item.get(name) in (None, getattr(row, name)) for name in (*limits, "laboratory"))
