"""Measurements and medications: one or a list, all stored or none."""

from typing import Any
from uuid import UUID

import marshmallow as ma
import sqlalchemy as sa
from marshmallow import validate

from api.batches import Batch
from api.doors import Caller, Page, Room, listed
from api.fields import Body, Flag, Id, Instant, Key, Number, Text, Word
from api.paging import page, shown
from backend import laboratory, medications
from backend.models.clinical import Measurement, Medication

room = Room("clinical", __name__, url_prefix="/api/v1/subjects", description="Measurements and medications")

LIMIT = 500


class MeasurementBody(Body):
    id = Id(required=True)
    code = Key(required=True)
    value = Number(allow_none=True, load_default=None)
    qualifier = ma.fields.String(
        load_default="", validate=validate.OneOf(["", "<", ">"]), metadata={"description": "beyond the assay's limit"}
    )
    unit = Text(most=40, required=True)
    not_done = Flag(load_default=False)
    lln = Number(allow_none=True, load_default=None)
    uln = Number(allow_none=True, load_default=None)
    method = Key(allow_none=True, load_default=None)
    laboratory = Text(most=100, allow_none=True, load_default=None, metadata={"description": "who performed it"})
    source = Word("laboratory", "ward", required=True)
    collected_at = Instant(required=True)
    corrects_id = Id(allow_none=True, load_default=None)
    reason = Text(most=1000, allow_none=True, load_default=None)


class MeasurementAnswer(MeasurementBody):
    """In the study's unit; `given_value` and `given_unit` where the laboratory wrote another."""

    given_value = Number(required=True, allow_none=True)
    given_unit = ma.fields.String(required=True, allow_none=True)
    recorded_at = Instant(required=True)
    recorded_by = Id(required=True)


class MeasurementBatch(Batch):
    items = ma.fields.List(ma.fields.Nested(MeasurementBody), required=True, validate=validate.Length(min=1, max=LIMIT))


class SignalNote(Body):
    rule = ma.fields.String(required=True)
    level = ma.fields.String(required=True)
    sentence = ma.fields.String(required=True)


class MeasurementsStored(Body):
    items = ma.fields.List(ma.fields.Nested(MeasurementAnswer), required=True)
    signals = ma.fields.List(ma.fields.Nested(SignalNote), required=True)


class MeasurementQuery(Page):
    code = Key()


def measurement_view(row: Measurement) -> dict[str, Any]:
    return {name: getattr(row, name) for name in MeasurementAnswer().fields}


@room.door(
    "POST",
    "/<uuid:subject_id>/measurements",
    "measurement:record",
    body=MeasurementBatch,
    answer=MeasurementsStored,
    status=201,
    also=[200],
)
def record_measurements(caller: Caller, subject_id: UUID, body: dict[str, Any]) -> Any:
    """Record one measurement or a list: an object, an array, or `{items: […]}`."""
    caller.subject(subject_id)
    with body["paths"]:
        done = laboratory.record(subject_id, body["items"], caller.account)
    chinese = caller.account.locale.startswith("zh")
    signals = [
        {"rule": s.rule, "level": s.level, "sentence": s.sentence_zh if chinese else s.sentence_en}
        for each in done
        for s in each.raised.signals
    ]
    answer = {"items": [measurement_view(each.row) for each in done], "signals": signals}
    return answer, 201 if any(each.new for each in done) else 200


@room.door(
    "GET",
    "/<uuid:subject_id>/measurements",
    "measurement:read",
    query=MeasurementQuery,
    answer=listed(MeasurementAnswer, "MeasurementList"),
)
def read_measurements(caller: Caller, subject_id: UUID, query: dict[str, Any]) -> Any:
    """Measurements, newest first; a corrected one stands beside its correction."""
    wanted = sa.select(Measurement).where(Measurement.subject_id == caller.subject(subject_id).id)
    if "code" in query:
        wanted = wanted.where(Measurement.code == query["code"])
    keys = (Measurement.collected_at, Measurement.id)
    return page(wanted, keys, query, shown(measurement_view), descending=True)


class MedicationBody(Body):
    id = Id(required=True)
    drug = Key(required=True)
    dose_mg = Number(least="0", most="100000", allow_none=True, load_default=None)
    times_per_day = Number(least="0", most="48", allow_none=True, load_default=None)
    every_days = Number(
        least="1", most="400", allow_none=True, load_default=None, metadata={"description": "one day in so many"}
    )
    route = Word(*medications.ROUTES, allow_none=True, load_default=None)
    rescue = Flag(load_default=False)
    started_at = Instant(required=True)
    stopped_at = Instant(allow_none=True, load_default=None)
    indication = Text(most=200, allow_none=True, load_default=None)
    corrects_id = Id(allow_none=True, load_default=None)
    reason = Text(most=1000, allow_none=True, load_default=None)


class MedicationAnswer(MedicationBody):
    recorded_at = Instant(required=True)
    recorded_by = Id(required=True)


class MedicationBatch(Batch):
    items = ma.fields.List(ma.fields.Nested(MedicationBody), required=True, validate=validate.Length(min=1, max=LIMIT))


class MedicationsStored(Body):
    items = ma.fields.List(ma.fields.Nested(MedicationAnswer), required=True)


def medication_view(row: Medication) -> dict[str, Any]:
    return {name: getattr(row, name) for name in MedicationAnswer().fields}


@room.door(
    "POST",
    "/<uuid:subject_id>/medications",
    "medication:record",
    body=MedicationBatch,
    answer=MedicationsStored,
    status=201,
    also=[200],
)
def record_medications(caller: Caller, subject_id: UUID, body: dict[str, Any]) -> Any:
    """Record one medication or a list: an object, an array, or `{items: […]}`."""
    caller.subject(subject_id)
    with body["paths"]:
        done = medications.record(subject_id, body["items"], caller.account)
    answer = {"items": [medication_view(row) for row, _ in done]}
    return answer, 201 if any(new for _, new in done) else 200


@room.door(
    "GET",
    "/<uuid:subject_id>/medications",
    "medication:read",
    query=Page,
    answer=listed(MedicationAnswer, "MedicationList"),
)
def read_medications(caller: Caller, subject_id: UUID, query: dict[str, Any]) -> Any:
    """Medications, newest first; a corrected one stands beside its correction."""
    wanted = sa.select(Medication).where(Medication.subject_id == caller.subject(subject_id).id)
    return page(wanted, (Medication.started_at, Medication.id), query, shown(medication_view), descending=True)
