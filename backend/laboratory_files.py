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
    corrected_since: int  # of the known, those that a person has put right since
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
    known = corrected = 0
    ready: list[tuple[Subject, list[Item]]] = []
    for subject_id, own in sorted(whose.items()):  # always locked in one order: two files never wait for each other
        subject = lock_subject(subject_id)
        fresh, passed, wrong = _sorted_out(subject, own, now)
        known += len(own) - len(fresh)
        corrected += passed
        faults.extend(wrong)
        ready.append((subject, fresh))
    if faults:
        raise invalid(*sorted(faults, key=_place))
    new: list[tuple[Subject, Recorded]] = []
    if not dry_run:
        for subject, items in ready:
            stored = laboratory.store(subject, studies.in_force(subject), items, by, now)
            new.extend((subject, one) for one in stored.values())
        told = {"sha256": digest, "lines": len(lines), "known": known, "new": len(new)}
        audit.record("measurements:imported", "file", uuid4(), new=told)
    return Imported(len(lines), known, corrected, sum(len(items) for _, items in ready), tuple(new))


def _at(line: Line, column: str) -> str:
    return f"/lines/{line.number}/{column}"


def _place(fault: Fault) -> tuple[int, str]:
    return int(fault.path.split("/")[2]), fault.path


def _sorted_out(subject: Subject, lines: Sequence[Line], now: datetime) -> tuple[list[Item], int, list[Fault]]:
    """What is new of one subject's lines, how many say what was corrected since, and every fault of theirs."""
    if records.is_locked(subject):
        return [], 0, [Fault(_at(line, "subject"), "record_locked", "the subject's record is locked") for line in lines]
    study = studies.in_force(subject)
    zone = chronicle.site_zone(subject.site_id)
    items = laboratory.completed(study, subject.site_id, [_item(line, zone) for line in lines])
    recorded = _recorded(subject.id, items)
    seen: list[Item] = []
    fresh: list[Item] = []
    faults: list[Fault] = []
    corrected = 0
    for line, item in zip(lines, items, strict=True):
        wrong = list(laboratory.faults_of(study, subject, item, f"/lines/{line.number}", now))
        if any(_of_one_sample(item, other) for other in seen if other["code"] == item["code"]):
            wrong.append(Fault(_at(line, "code"), "duplicate", "this sample's value stands twice in the file"))
        seen.append(item)
        same = [one for one in recorded[item["code"], item["collected_at"]] if _of_one_sample(item, one.said)]
        differing = [_differing(one.said, item) for one in same]
        if None not in differing:  # nothing recorded says this
            column = next((column for one, column in zip(same, differing, strict=True) if one.stands), None)
            if column is None:
                fresh.append(item)
            else:
                message = "this sample is recorded otherwise; correct what is recorded"
                wrong.append(Fault(_at(line, column), "differs_from_record", message))
        elif not any(one.stands for one, column in zip(same, differing, strict=True) if column is None):
            corrected += 1
        faults.extend(wrong)
    return fresh, corrected, faults


def _item(line: Line, zone: str) -> Item:
    item = {**line.item, "id": uuid4(), "unit": units.ucum(line.item["unit"])}
    collected: datetime = item["collected_at"]
    if collected.tzinfo is None:
        item["collected_at"] = at_local(collected.date(), collected.time(), zone)
    return item


def _of_one_sample(one: Item, other: Item) -> bool:
    """Whether two values are of one sample; a method that is not said may be any."""
    same = (one["code"], one["collected_at"]) == (other["code"], other["collected_at"])
    return same and (one.get("method") == other.get("method") or None in (one.get("method"), other.get("method")))


@dataclass(frozen=True, slots=True)
class _Known:
    """What a stored row says; `stands`: no correction came after it."""

    said: Item
    stands: bool


def _recorded(subject_id: UUID, items: Sequence[Item]) -> Mapping[tuple[str, datetime], list[_Known]]:
    """What was ever recorded of the samples of these items, by code and time. What was corrected since is among it: the
    laboratory's file still holds what a person has put right."""
    times = [item["collected_at"] for item in items]
    later = aliased(Measurement)
    stands = ~sa.exists().where(later.corrects_id == Measurement.id)
    rows = db.session.execute(
        sa.select(Measurement, stands).where(
            Measurement.subject_id == subject_id,
            Measurement.code.in_({item["code"] for item in items}),
            Measurement.collected_at.between(min(times), max(times)),
        )
    )
    found: dict[tuple[str, datetime], list[_Known]] = defaultdict(list)
    for row, holds in rows:
        said = {name: getattr(row, name) for name in ("code", "collected_at", "method", *_COMPARED)}
        found[row.code, row.collected_at].append(_Known(said, holds))
    return found


_COMPARED = ("value", "qualifier", "not_done", "lln", "uln", "laboratory")
_MAY_BE_OPEN = ("lln", "uln", "laboratory")  # said on one side only, they are no contradiction


def _differing(said: Item, item: Item) -> str | None:
    """The column in which a line says something else than a record; None where it says the same."""
    for name in _COMPARED:
        if name in ("lln", "uln") and item.get("limits_listed"):
            continue
        before, now = said[name], item.get(name)
        if before != now and not (name in _MAY_BE_OPEN and None in (before, now)):
            return name if name in _MAY_BE_OPEN else "value"
    return None
