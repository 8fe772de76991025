"""The product form: what was really made and given, cells per kilogram beside the plan, release tests still open."""

from typing import Any
from uuid import UUID

import marshmallow as ma
from marshmallow import validate

from api.doors import Caller, Room, etag, listed, must_match
from api.fields import Body, Id, Instant, Key, Number, Text, Word
from backend import accounts, products, studies
from backend.db import lock_subject
from backend.errors import Problem
from backend.models.clinical import Product
from backend.models.subject import Subject

room = Room("products", __name__, url_prefix="/api/v1/subjects", description="The product that was given")


class ProductBody(Body):
    lot = Text(most=60, required=True)
    car_t_cells = Number(least="1", most="1e12", required=True, metadata={"description": "viable CAR+ cells"})
    viability_pct = Number(least="0", most="100", allow_none=True, load_default=None)
    weight_kg = Number(least="5", most="250", required=True)
    volume_ml = Number(least="0.1", most="2000", allow_none=True, load_default=None)
    given_ml = Number(least="0", most="2000", allow_none=True, load_default=None)
    started_at = Instant(allow_none=True, load_default=None)
    stopped_at = Instant(allow_none=True, load_default=None)
    release_tests = ma.fields.List(Key(), required=True, validate=validate.Length(max=20))
    note = Text(most=1000, allow_none=True, load_default=None)
    reason = Text(most=1000, allow_none=True, load_default=None)


class DoseAnswer(Body):
    actual = Number(required=True, metadata={"description": "cells/kg, to the whole cell"})
    planned = Number(required=True, metadata={"description": "cells/kg of the dose level"})
    deviation_pct = Number(required=True)


class ReleaseAnswer(Body):
    code = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    state = Word("pending", "not_done", "resulted", required=True)
    value = Number(required=True, allow_none=True)
    collected_at = Instant(required=True, allow_none=True)
    measurement_id = Id(required=True, allow_none=True)


class ProductRevision(ProductBody):
    id = Id(required=True)
    revision = ma.fields.Integer(required=True)
    recorded_at = Instant(required=True)
    recorded_by = ma.fields.String(required=True)


class ProductAnswer(ProductRevision):
    dose = ma.fields.Nested(DoseAnswer, required=True)
    release = ma.fields.List(ma.fields.Nested(ReleaseAnswer), required=True)


def _view(subject: Subject, row: Product, locale: str) -> dict[str, Any]:
    measures = studies.in_force(subject).measures
    release = [
        {
            "name": measures[one.code].name.in_language(locale),
            **{name: getattr(one, name) for name in ReleaseAnswer().fields.keys() - {"name"}},
        }
        for one in products.release_of(subject)
    ]
    return {**_said(row), "dose": products.dose_of(subject, row), "release": release}


def _said(row: Product) -> dict[str, Any]:
    names = ProductRevision().fields.keys() - {"recorded_by"}
    by = accounts.names_of([row.recorded_by])[row.recorded_by]
    return {**{name: getattr(row, name) for name in names}, "recorded_by": by}


@room.door("GET", "/<uuid:subject_id>/product", "product:read", answer=ProductAnswer)
def read_product(caller: Caller, subject_id: UUID) -> Any:
    """What was made and given, as it now stands."""
    subject = caller.subject(subject_id)
    row = products.current(subject.id)
    if row is None:
        raise Problem("not_found")
    return _view(subject, row, caller.account.locale), 200, etag(row.revision)


@room.door(
    "PUT", "/<uuid:subject_id>/product", "product:record", body=ProductBody, answer=ProductAnswer, status=201,
    also=[200], refuses=(412, 428),
)  # fmt: skip
def record_product(caller: Caller, subject_id: UUID, body: dict[str, Any]) -> Any:
    """Fill in the product form, or correct it with a reason (`If-Match` once there is one)."""
    subject = caller.subject(subject_id)
    lock_subject(subject_id)
    before = products.current(subject_id)
    if before is not None:
        must_match(before.revision)
    row = products.record(subject_id, body, caller.id)
    return _view(subject, row, caller.account.locale), 200 if before else 201, etag(row.revision)


@room.door(
    "GET", "/<uuid:subject_id>/product/history", "product:read", answer=listed(ProductRevision, "ProductHistory")
)
def product_history(caller: Caller, subject_id: UUID) -> Any:
    """Every revision of the product form, oldest first."""
    subject = caller.subject(subject_id)
    return {"items": [_said(row) for row in products.revisions(subject.id)], "next_cursor": None}
