"""Measurements: vital signs, laboratory values and release tests, as given, corrected only by a further row.

Each new value is put to the rules; values typed long after they were measured go to the worklist instead of the
pager, which `safety.episodes` decides. Values are kept in the study's UCUM unit; what came in another unit is
converted, with its limits, and what the laboratory wrote stays beside it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend import assessments, audit, clock, records, reference_limits, studies
from backend.db import db
from backend.errors import Problem, invalid
from backend.instruments import units
from backend.models.clinical import Measurement
from backend.models.people import Account
from backend.models.subject import Subject
from backend.safety import episodes, facts
from backend.safety.context import Context
from backend.safety.episodes import Cause, Raised
from backend.safety.evaluate import evaluate
from schedules.faults import Fault
from schedules.protocol.definition import Measure, Study

RELEASE = "release"  # the kind of measure that judges the product, not the subject
_SAID = (
    "code",
    "value",
    "qualifier",
    "unit",
    "not_done",
    "lln",
    "uln",
    "method",
    "given_value",
    "given_unit",
    "laboratory",
    "collected_at",
    "corrects_id",
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """One stored measurement, whether it is new, and what the rules made of it."""

    row: Measurement
    new: bool
    raised: Raised


def record(subject_id: UUID, items: Sequence[Mapping[str, Any]], by: Account) -> tuple[Recorded, ...]:
    """Store all of a batch or, with every fault named, none. Paths begin with the index in the batch.

    An item: id, code, value, qualifier, unit, not_done, lln, uln, method, laboratory, source, collected_at, and for
    a correction corrects_id and reason. Value and limits stand in the item's unit. A repeat of an id with equal
    content is what is stored.
    """
    subject = records.open_subject(subject_id)
    study = studies.in_force(subject)
    now = clock.now()
    items = completed(study, subject.site_id, items)
    stored = _stored([item["id"] for item in items])
    faults = [
        fault
        for i, item in enumerate(items)
        if item["id"] not in stored
        for fault in faults_of(study, subject, item, f"/{i}", now)
    ]
    seen = [item["id"] for item in items]
    faults.extend(Fault(f"/{i}/id", "duplicate", "twice in one batch") for i, x in enumerate(seen) if x in seen[:i])
    if faults:
        raise invalid(*faults)
    for item in items:
        row = stored.get(item["id"])
        if row is not None and (row.subject_id != subject.id or not says(row, item)):
            raise Problem("id_taken")
    new = store(subject, study, [item for item in items if item["id"] not in stored], by, now)
    nothing = Raised((), None, False)
    known = {row.id: Recorded(row, False, nothing) for row in stored.values()}
    return tuple((new | known)[item["id"]] for item in items)


def store(
    subject: Subject, study: Study, items: Sequence[Mapping[str, Any]], by: Account, now: datetime
) -> dict[UUID, Recorded]:
    """Write what was found without fault, in the study's unit, and put it to the rules in order of collection."""
    rows = [_row(subject, item, by, now) for item in items]
    for row in rows:
        db.session.add(row)
        db.session.flush()
        _audit(subject, row)
    assessments.question_late_values(subject, rows, by.id)
    order = sorted(rows, key=lambda row: (row.collected_at, str(row.id)))
    found: dict[UUID, Recorded] = {}
    for at, same in groupby(order, key=lambda row: row.collected_at):
        context: Context | None = None
        for row in same:
            trigger = _trigger(study, row)
            if context is None:
                context = facts.context_of(subject, trigger=trigger, trigger_id=row.id, at=at, now=now)
            else:
                context = facts.asked_again(context, trigger=trigger, trigger_id=row.id)
            found[row.id] = Recorded(row, True, _ask_rules(subject, study, row, context))
    return found


def completed(study: Study, site_id: UUID, items: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The items in the study's units, with the limits of the laboratory that was named where none were given."""
    return reference_limits.put_in(study, site_id, [_in_study_unit(study, item) for item in items])


def _in_study_unit(study: Study, item: Mapping[str, Any]) -> Mapping[str, Any]:
    """The item in the study's unit; as it was where the unit is that one, or none the value converts from."""
    measure = study.measures.get(item["code"])
    if measure is None or item["unit"] == measure.unit:
        return item
    by = units.factor(item["code"], item["unit"], measure.unit)
    if by is None:
        return item
    numbers = {name: item.get(name) for name in ("value", "lln", "uln")}
    converted = {name: units.rounded(one * by) if one is not None else None for name, one in numbers.items()}
    return {**item, **converted, "unit": measure.unit, "given_value": item.get("value"), "given_unit": item["unit"]}


def _stored(ids: Iterable[UUID]) -> dict[UUID, Measurement]:
    rows = db.session.scalars(sa.select(Measurement).where(Measurement.id.in_(list(ids))))
    return {row.id: row for row in rows}


def _row(subject: Subject, item: Mapping[str, Any], by: Account, now: datetime) -> Measurement:
    return Measurement(
        id=item["id"],
        subject_id=subject.id,
        source=item["source"],
        reason=item.get("reason"),
        recorded_at=now,
        recorded_by=by.id,
        **_said(item),
    )


def _said(item: Mapping[str, Any]) -> dict[str, Any]:
    said = {name: item.get(name) for name in _SAID}
    return {**said, "qualifier": said["qualifier"] or "", "not_done": bool(said["not_done"])}


def says(row: Measurement, item: Mapping[str, Any]) -> bool:
    """Whether a row holds just this. Limits that came from the laboratory's list may have been others then."""
    said = _said(item)
    listed = ("lln", "uln") if item.get("limits_listed") else ()
    return all(getattr(row, name) == value for name, value in said.items() if name not in listed)


def faults_of(study: Study, subject: Subject, item: Mapping[str, Any], path: str, now: datetime) -> Iterable[Fault]:
    """What is wrong with an item in the study's unit; paths begin with `path`."""
    measure = study.measures.get(item["code"])
    if measure is None:
        yield Fault(f"{path}/code", "not_allowed", "the study has no such measurement")
        return
    if item["unit"] != measure.unit:
        taken = ", ".join(units.accepted(measure.code, measure.unit))
        yield Fault(f"{path}/unit", "wrong_unit", f"{measure.code} is given in {taken}")
    yield from _value_faults(measure, item, path)
    if measure.methods and item.get("method") is not None and item["method"] not in measure.methods:
        yield Fault(f"{path}/method", "not_allowed", f"one of {', '.join(measure.methods)}")
    if item["collected_at"] > now + clock.TOLERANCE:
        yield Fault(f"{path}/collected_at", "in_the_future", "a sample cannot be taken in the future")
    yield from reference_limits.limit_faults(item.get("lln"), item.get("uln"), path)
    if item.get("corrects_id") is not None:
        yield from _correction_faults(subject, item, path)


def _value_faults(measure: Measure, item: Mapping[str, Any], path: str) -> Iterable[Fault]:
    value: Decimal | None = item.get("value")
    if item.get("not_done"):
        if value is not None:
            yield Fault(f"{path}/value", "not_allowed", "a measurement not done has no value")
        if item.get("qualifier"):
            yield Fault(f"{path}/qualifier", "not_allowed", "a measurement not done lies beyond no limit")
    elif value is None:
        yield Fault(f"{path}/value", "required", "a value, or not_done")
    elif not measure.min <= value <= measure.max:
        yield Fault(f"{path}/value", "out_of_range", f"possible are {measure.min} to {measure.max} {measure.unit}")


def _correction_faults(subject: Subject, item: Mapping[str, Any], path: str) -> Iterable[Fault]:
    if not item.get("reason"):
        yield Fault(f"{path}/reason", "required", "a correction needs a reason")
    before = db.session.get(Measurement, item["corrects_id"])
    if before is None or before.subject_id != subject.id or before.code != item["code"]:
        yield Fault(f"{path}/corrects_id", "not_allowed", "no such measurement of this kind")
        return
    taken = sa.select(Measurement.id).where(Measurement.corrects_id == before.id)
    if db.session.execute(taken).scalar_one_or_none() is not None:
        yield Fault(f"{path}/corrects_id", "already_corrected", "it was corrected before; correct the correction")


def _audit(subject: Subject, row: Measurement) -> None:
    audit.record(
        "measurement:corrected" if row.corrects_id else "measurement:recorded",
        "measurement",
        row.id,
        subject_id=subject.id,
        new={name: getattr(row, name) for name in _SAID},
        reason=row.reason,
    )


def _trigger(study: Study, row: Measurement) -> str:
    return "release" if study.measures[row.code].kind == RELEASE else "value"


def _ask_rules(subject: Subject, study: Study, row: Measurement, context: Context) -> Raised:
    findings = evaluate(context, study.rules, enduring=True)
    cause = Cause(measurement_id=row.id, from_staff=context.trigger == "value")
    if findings:
        return episodes.raise_signals(subject, context, findings, cause)
    episode = episodes.open_episode(subject.id)
    if episode is not None:
        episodes.note_temperature(episode, context)
    return Raised((), episode, False)
