"""What staff measure and give: measurements, medications and the product, corrected only by a further row."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from backend.models.base import INSERT_ONLY, Base, Document, key


class Measurement(Base):
    """One value in the study's unit. A row that another `corrects` no longer holds.

    Where the laboratory gave another unit, `given_value` and `given_unit` are what it wrote; the limits were converted
    with the value. `laboratory`: who performed it.
    """

    __tablename__ = "measurement"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = key()
    subject_id: Mapped[UUID] = mapped_column(sa.ForeignKey("subject.id"))
    code: Mapped[str] = mapped_column(sa.String(40))
    value: Mapped[Decimal | None]
    qualifier: Mapped[str] = mapped_column(sa.String(1), default="")
    unit: Mapped[str] = mapped_column(sa.String(40))
    not_done: Mapped[bool] = mapped_column(default=False)
    lln: Mapped[Decimal | None]
    uln: Mapped[Decimal | None]
    method: Mapped[str | None] = mapped_column(sa.String(40))
    given_value: Mapped[Decimal | None]
    given_unit: Mapped[str | None] = mapped_column(sa.String(40))
    laboratory: Mapped[str | None] = mapped_column(sa.String(100))
    source: Mapped[str]  # laboratory, ward
    collected_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))
    corrects_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("measurement.id"), unique=True)
    reason: Mapped[str | None] = mapped_column(sa.String(1000))

    __table_args__ = (sa.Index("ix_measurement_subject_code", "subject_id", "code", "collected_at"),)


class ReferenceLimit(Base):
    """A performing laboratory's limits of one measure from a site-local date on, in the laboratory's own unit."""

    __tablename__ = "reference_limit"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = mapped_column(primary_key=True)
    site_id: Mapped[UUID] = mapped_column(sa.ForeignKey("site.id"))
    laboratory: Mapped[str] = mapped_column(sa.String(100))
    code: Mapped[str] = mapped_column(sa.String(40))
    unit: Mapped[str] = mapped_column(sa.String(40))
    lln: Mapped[Decimal | None]
    uln: Mapped[Decimal | None]
    valid_from: Mapped[date]
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))

    __table_args__ = (sa.Index("ix_reference_limit_site", "site_id", "laboratory", "code", "recorded_at", "id"),)


class Medication(Base):
    """One regimen: drug, dose, schedule, time. Another dose is another regimen, the one before it stopped."""

    __tablename__ = "medication"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = key()
    subject_id: Mapped[UUID] = mapped_column(sa.ForeignKey("subject.id"), index=True)
    drug: Mapped[str] = mapped_column(sa.String(40))
    dose_mg: Mapped[Decimal | None]
    times_per_day: Mapped[Decimal | None]
    every_days: Mapped[Decimal | None]  # taken on one day in so many; None: daily
    route: Mapped[str | None] = mapped_column(sa.String(20))
    rescue: Mapped[bool] = mapped_column(default=False)  # given because the disease went out of hand
    started_at: Mapped[datetime]
    stopped_at: Mapped[datetime | None]
    indication: Mapped[str | None]
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))
    corrects_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("medication.id"), unique=True)
    reason: Mapped[str | None] = mapped_column(sa.String(1000))


class Product(Base):
    """One revision of what was really made and given to a subject. The last revision holds."""

    __tablename__ = "product"
    __keeps__ = INSERT_ONLY
    id: Mapped[UUID] = key()
    subject_id: Mapped[UUID] = mapped_column(sa.ForeignKey("subject.id"))
    revision: Mapped[int]
    lot: Mapped[str] = mapped_column(sa.String(60))
    car_t_cells: Mapped[Decimal]  # viable CAR-positive cells in the bag
    viability_pct: Mapped[Decimal | None]
    weight_kg: Mapped[Decimal]
    volume_ml: Mapped[Decimal | None]
    given_ml: Mapped[Decimal | None]  # what reached the patient, where the bag was not emptied
    started_at: Mapped[datetime | None]
    stopped_at: Mapped[datetime | None]
    release_tests: Mapped[Any] = mapped_column(Document)  # codes of the tests this lot is released by
    note: Mapped[str | None] = mapped_column(sa.String(1000))
    reason: Mapped[str | None] = mapped_column(sa.String(1000))
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id"))

    __table_args__ = (sa.UniqueConstraint("subject_id", "revision"),)
