"""What a phone shows and keeps for the day: slots, forms, next visits, what to do in an emergency."""

from datetime import timedelta
from typing import Any

import marshmallow as ma
import sqlalchemy as sa

from api.doors import Caller, Room
from api.fields import Anything, Body, Id, Instant, Number, Query
from api.routes.calendar import Item, view
from api.routes.entries import own_subject
from backend import agenda, chronicle, clock, installation, studies
from backend.db import db
from backend.models.calendar import Occurrence
from backend.models.study import Site
from backend.models.subject import Subject
from schedules.protocol.definition import Condition, Form, Study
from schedules.protocol.definition import Item as FormItemDefinition
from schedules.windows import end_of_day, local_date, start_of_day

room = Room("today", __name__, url_prefix="/api/v1/me", description="The phone's day")

AHEAD = timedelta(days=60)


class OptionAnswer(Body):
    key = ma.fields.String(required=True)
    label = ma.fields.String(required=True)


class ConditionAnswer(Body):
    item = ma.fields.String(required=True)
    op = ma.fields.String(required=True)
    value = Anything(required=True)


class QuestionAnswer(Body):
    key = ma.fields.String(required=True)
    type = ma.fields.String(required=True)
    label = ma.fields.String(required=True)
    hint = ma.fields.String(required=True, allow_none=True)
    required = ma.fields.Boolean(required=True)
    show_if = ma.fields.Nested(ConditionAnswer, required=True, allow_none=True)
    options = ma.fields.List(ma.fields.Nested(OptionAnswer), required=True)
    exclusive = ma.fields.String(required=True, allow_none=True)
    unit = ma.fields.String(required=True, allow_none=True)
    min = Number(required=True, allow_none=True)
    max = Number(required=True, allow_none=True)
    decimals = ma.fields.Integer(required=True)
    confirm_below = Number(required=True, allow_none=True)
    confirm_above = Number(required=True, allow_none=True)
    max_length = ma.fields.Integer(required=True)


class FormAnswer(Body):
    key = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    items = ma.fields.List(ma.fields.Nested(QuestionAnswer), required=True)


class Emergency(Body):
    phone = ma.fields.String(required=True)
    text = ma.fields.String(required=True)


class TodayAnswer(Body):
    now = Instant(required=True)
    subject_id = Id(required=True)
    time_zone = ma.fields.String(required=True)
    admitted = ma.fields.Boolean(required=True)
    slots = ma.fields.List(ma.fields.Nested(Item), required=True)
    unscheduled_form = ma.fields.String(required=True)
    forms = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.Nested(FormAnswer), required=True)
    red_flags = ma.fields.List(ma.fields.Nested(ConditionAnswer), required=True)
    advice = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String(), required=True)
    emergency = ma.fields.Nested(Emergency, required=True)
    visits = ma.fields.List(ma.fields.Nested(Item), required=True)
    server_epoch = Id(required=True)


class TodayQuery(Query):
    subject_id = Id()


@room.door("GET", "/today", "today:read", query=TodayQuery, answer=TodayAnswer)
def today(caller: Caller, query: dict[str, Any]) -> Any:
    """Today's slots and forms, the next visits, and what to do at once, offline too."""
    subject = db.session.get_one(Subject, own_subject(caller, query.get("subject_id")))
    study, site = studies.in_force(subject), db.session.get_one(Site, subject.site_id)
    now, locale = clock.now(), caller.account.locale
    zone = chronicle.zones_of(subject).at(now)
    day = local_date(now, zone)
    slots = _occurrences(
        subject,
        sa.and_(
            Occurrence.kind == "slot",
            Occurrence.closes_at > min(now, start_of_day(day, zone)),
            Occurrence.due_at < end_of_day(day, zone),
        ),
    )
    visits = _occurrences(
        subject, sa.and_(Occurrence.kind == "visit", Occurrence.due_at.between(now - timedelta(days=1), now + AHEAD))
    )
    return {
        "now": now,
        "subject_id": subject.id,
        "time_zone": zone,
        "admitted": subject.admitted,
        "slots": [view(row, status, locale) for row, status in slots],
        "unscheduled_form": study.unscheduled_form,
        "forms": {key: form_view(study, form, locale) for key, form in study.forms.items() if not form.staff_only},
        "red_flags": study.red_flags,
        "advice": {level: ladder.advice.in_language(locale) for level, ladder in study.ladders.items()},
        "emergency": {"phone": site.phone_24h, "text": study.emergency_text.in_language(locale)},
        "visits": [view(row, status, locale) for row, status in visits if row.satisfied_at is None],
        "server_epoch": installation.server_epoch(),
    }


def _occurrences(subject: Subject, which: sa.ColumnElement[bool]) -> Any:
    query = sa.select(Occurrence, agenda.status_at(clock.now())).where(Occurrence.subject_id == subject.id, which)
    return db.session.execute(query.order_by(Occurrence.due_at, Occurrence.key)).all()


def form_view(study: Study, form: Form, locale: str) -> dict[str, Any]:
    """A form with everything a phone needs to ask it without a network."""
    return {
        "key": form.key,
        "name": form.name.in_language(locale),
        "items": [_question(study.items[one.item], one.required, one.show_if, locale) for one in form.items],
    }


def _question(item: FormItemDefinition, required: bool, show_if: Condition | None, locale: str) -> dict[str, Any]:
    plain = (
        "key",
        "type",
        "exclusive",
        "unit",
        "min",
        "max",
        "decimals",
        "confirm_below",
        "confirm_above",
        "max_length",
    )
    return {
        **{name: getattr(item, name) for name in plain},
        "label": item.label.in_language(locale),
        "hint": item.hint.in_language(locale) if item.hint else None,
        "required": required,
        "show_if": show_if,
        "options": [{"key": option.key, "label": option.label.in_language(locale)} for option in item.options],
    }
