"""The study as the apps need it, and the sites of the caller."""

from typing import Any

import marshmallow as ma
import sqlalchemy as sa

from api.doors import Caller, Room
from api.fields import Anything, Body, Id, Instant
from backend import policy, studies
from backend.db import db
from backend.models.study import Site
from schedules.protocol.definition import Label, Study

room = Room("study", __name__, url_prefix="/api/v1", description="The study definition and the sites")


class SiteAnswer(Body):
    id = Id(required=True)
    code = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    time_zone = ma.fields.String(required=True)
    phone_24h = ma.fields.String(required=True)
    study_revision_id = Id(required=True)
    live_at = Instant(required=True, allow_none=True)


class SiteList(Body):
    items = ma.fields.List(ma.fields.Nested(SiteAnswer), required=True)
    next_cursor = ma.fields.String(required=True, allow_none=True)


class StudyAnswer(Body):
    id = Id(required=True)
    key = ma.fields.String(required=True)
    revision = ma.fields.String(required=True)
    sha256 = ma.fields.String(required=True)
    registration = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    dose_levels = ma.fields.List(Anything(), required=True)
    anchor_events = ma.fields.List(Anything(), required=True)
    organs = ma.fields.List(Anything(), required=True)
    visits = ma.fields.List(Anything(), required=True)
    measures = ma.fields.List(Anything(), required=True)
    drugs = ma.fields.List(Anything(), required=True)
    rules = ma.fields.List(Anything(), required=True)
    outcomes = ma.fields.List(Anything(), required=True)


class StudyList(Body):
    items = ma.fields.List(ma.fields.Nested(StudyAnswer), required=True)
    next_cursor = ma.fields.String(required=True, allow_none=True)


@room.door("GET", "/sites", "site:read", answer=SiteList)
def read_sites(caller: Caller) -> Any:
    """The sites the caller works at."""
    rows = db.session.scalars(sa.select(Site).where(Site.id.in_(policy.sites_of(caller.id))).order_by(Site.code))
    chinese = caller.account.locale.startswith("zh")
    plain = ("id", "code", "time_zone", "phone_24h", "study_revision_id", "live_at")
    items = [
        {**{name: getattr(row, name) for name in plain}, "name": row.name_zh if chinese else row.name_en}
        for row in rows
    ]
    return {"items": items, "next_cursor": None}


@room.door("GET", "/studies", "site:read", answer=StudyList)
def read_studies(caller: Caller) -> Any:
    """The study revisions that the caller's sites enrol under, as far as a person needs them to fill in a form."""
    ids = db.session.scalars(
        sa.select(Site.study_revision_id).where(Site.id.in_(policy.sites_of(caller.id))).distinct()
    )
    items = [{"id": one, **view(studies.revision(one), caller.account.locale)} for one in sorted(ids, key=str)]
    return {"items": items, "next_cursor": None}


def view(study: Study, locale: str) -> dict[str, Any]:
    """One revision in one language."""

    def said(label: Label) -> str:
        return label.in_language(locale)

    return {
        "key": study.key,
        "revision": study.revision,
        "sha256": study.sha256,
        "registration": study.registration,
        "name": said(study.name),
        "dose_levels": [
            {"key": one.key, "cells_per_kg": one.cells_per_kg, "planned": one.planned} for one in study.dose_levels
        ],
        "anchor_events": [
            {"key": one.key, "name": said(one.name), "optional": one.optional} for one in study.anchor_events.values()
        ],
        "organs": [{"key": key, "name": said(label)} for key, label in study.organs.items()],
        "visits": [
            {
                "key": one.key,
                "name": said(one.name),
                "anchor": one.anchor,
                "day": one.day,
                "from_day": one.from_day,
                "to_day": one.to_day,
                "assessments": [{"key": key, "name": said(study.assessments[key])} for key in one.assessments],
            }
            for one in study.visits
        ],
        "measures": [
            {
                "code": one.code,
                "name": said(one.name),
                "unit": one.unit,
                "min": one.min,
                "max": one.max,
                "kind": one.kind,
                "methods": list(one.methods),
            }
            for one in study.measures.values()
        ],
        "drugs": [{"key": one.key, "name": said(one.name), "class": one.drug_class} for one in study.drugs.values()],
        "rules": [
            {
                "id": one.id,
                "version": one.version,
                "level": one.level,
                "windows": list(one.windows),
                "thresholds": one.thresholds,
            }
            for one in study.rules.values()
        ],
        "outcomes": [
            {
                "key": one.key,
                "name": said(one.name),
                "time_frame_months": one.time_frame_months,
                "time_points": list(one.time_points),
            }
            for one in study.outcomes
        ],
    }
