"""What was really made and given: lot, cells, viability, weight, volume, times, and which release tests are still open.

Cells per kilogram are computed from what was entered, never typed. A release test is a measurement of kind
`release`; a positive one that comes after infusion is rule L16, EMERGENCY, and raised by `laboratory`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend import audit, clock, records, studies
from backend.db import db
from backend.errors import invalid
from backend.laboratory import RELEASE
from backend.models.clinical import Measurement, Product
from backend.models.subject import Subject
from schedules.faults import Fault

_SAID = (
    "lot",
    "car_t_cells",
    "viability_pct",
    "weight_kg",
    "volume_ml",
    "given_ml",
    "started_at",
    "stopped_at",
    "release_tests",
    "note",
)


@dataclass(frozen=True, slots=True)
class ReleaseTest:
    """One test the lot is released by. `state`: pending, not_done, or resulted with its value."""

    code: str
    state: str
    value: Decimal | None
    collected_at: datetime | None
    measurement_id: UUID | None


@dataclass(frozen=True, slots=True)
class Dose:
    """Cells per kilogram: given, planned for the dose level, and the deviation in percent (one decimal, half up)."""

    actual: Decimal
    planned: Decimal
    deviation_pct: Decimal


def current(subject_id: UUID) -> Product | None:
    """The revision that holds."""
    rows = sa.select(Product).where(Product.subject_id == subject_id).order_by(Product.revision.desc())
    return db.session.scalars(rows.limit(1)).first()


def have_a_form(subject_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the subjects whose product form was begun."""
    return set(db.session.scalars(sa.select(Product.subject_id).where(Product.subject_id.in_(subject_ids))))


def revisions(subject_id: UUID) -> list[Product]:
    """Every revision, oldest first."""
    return list(
        db.session.scalars(sa.select(Product).where(Product.subject_id == subject_id).order_by(Product.revision))
    )


def record(subject_id: UUID, content: Mapping[str, Any], by: UUID) -> Product:
    """A further revision of the product form; the first needs no reason, each later one does."""
    subject = records.open_subject(subject_id)
    before = current(subject.id)
    faults = list(_faults(subject, content))
    if before is not None and not content.get("reason"):
        faults.append(Fault("/reason", "required", "a correction needs a reason"))
    if faults:
        raise invalid(*faults)
    said = {name: content.get(name) for name in _SAID}
    said["release_tests"] = sorted(content["release_tests"])
    row = Product(
        subject_id=subject.id,
        revision=(before.revision if before else 0) + 1,
        reason=content.get("reason"),
        recorded_at=clock.now(),
        recorded_by=by,
        **said,
    )
    db.session.add(row)
    db.session.flush()
    audit.record(
        "product:corrected" if before else "product:recorded",
        "product",
        row.id,
        subject_id=subject.id,
        old={name: getattr(before, name) for name in _SAID} if before else None,
        new=said,
        reason=row.reason,
    )
    return row


def _faults(subject: Subject, content: Mapping[str, Any]) -> Any:
    study, now = studies.in_force(subject), clock.now()
    for i, code in enumerate(content["release_tests"]):
        measure = study.measures.get(code)
        if measure is None or measure.kind != RELEASE:
            yield Fault(f"/release_tests/{i}", "not_allowed", "no release test of this study")
    started, stopped = content.get("started_at"), content.get("stopped_at")
    for name, at in (("started_at", started), ("stopped_at", stopped)):
        if at is not None and at > now + clock.TOLERANCE:
            yield Fault(f"/{name}", "in_the_future", "what has happened cannot lie in the future")
    if stopped is not None and started is None:
        yield Fault("/started_at", "required", "it stopped, so it began")
    if started is not None and stopped is not None and stopped < started:
        yield Fault("/stopped_at", "out_of_order", "it stops before it starts")
    volume, given = content.get("volume_ml"), content.get("given_ml")
    if given is not None and volume is None:
        yield Fault("/volume_ml", "required", "part of which volume was given")
    if given is not None and volume is not None and given > volume:
        yield Fault("/given_ml", "out_of_range", "more was given than there was")


def dose_of(subject: Subject, row: Product) -> Dose:
    """What was given per kilogram, beside the subject's dose level. All in cells/kg; actual to the whole cell."""
    planned = next(one.cells_per_kg for one in studies.in_force(subject).dose_levels if one.key == subject.dose_level)
    part = row.given_ml / row.volume_ml if row.given_ml is not None and row.volume_ml else Decimal(1)
    actual = row.car_t_cells * part / row.weight_kg
    deviation = (actual / planned - 1) * 100
    return Dose(_rounded(actual, "1"), planned, _rounded(deviation, "0.1"))


def _rounded(value: Decimal, step: str) -> Decimal:
    return value.quantize(Decimal(step), rounding=ROUND_HALF_UP)


def release_of(subject: Subject) -> tuple[ReleaseTest, ...]:
    """The tests the lot is released by, with their last result; a test without one is pending.

    Without a product form these are all release tests of the study: nothing is known to be released.
    """
    return release_of_each([subject])[subject.id]


def release_of_each(subjects: Sequence[Subject]) -> dict[UUID, tuple[ReleaseTest, ...]]:
    """The same for several subjects, in a constant number of queries."""
    ids = [subject.id for subject in subjects]
    forms = db.session.scalars(sa.select(Product).where(Product.subject_id.in_(ids)).order_by(Product.revision))
    current = {row.subject_id: row for row in forms}
    codes = {one.id: _tests_of(one, current.get(one.id)) for one in subjects}
    corrected = sa.select(Measurement.corrects_id).where(
        Measurement.subject_id.in_(ids), Measurement.corrects_id.is_not(None)
    )
    results = db.session.scalars(
        sa.select(Measurement)
        .where(
            Measurement.subject_id.in_(ids),
            Measurement.code.in_({code for some in codes.values() for code in some}),
            Measurement.id.not_in(corrected),
        )
        .order_by(Measurement.recorded_at, Measurement.id)
    )
    last = {(one.subject_id, one.code): one for one in results}
    return {
        subject_id: tuple(_release_test(code, last.get((subject_id, code))) for code in some)
        for subject_id, some in codes.items()
    }


def _tests_of(subject: Subject, row: Product | None) -> list[str]:
    if row is not None:
        return list(row.release_tests)
    return [code for code, one in studies.in_force(subject).measures.items() if one.kind == RELEASE]


def _release_test(code: str, result: Measurement | None) -> ReleaseTest:
    if result is None:
        return ReleaseTest(code, "pending", None, None, None)
    state = "not_done" if result.not_done else "resulted"
    return ReleaseTest(code, state, result.value, result.collected_at, result.id)
