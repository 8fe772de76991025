"""The diaries of the demo: nine of ten reports answered in time, by somebody who has nothing much to report.

Reports are made here and sent by `capture`, as a phone would; what the rules make of them is theirs.
"""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from backend import activation, capture
from backend.db import db, lock_subject, transaction
from backend.demo.courses import prednisone_on
from backend.demo.stage import Act, Cast, Life
from backend.models.calendar import Occurrence
from schedules.protocol.definition import Form, Study

GOOD = {"intake": "yes", "fluids_kept": "yes", "neuro_finished": "yes", "spo2_warm_finger": "yes"}
Unwell = Mapping[tuple[int, str], Mapping[str, Any]]  # by study day and form: what is answered otherwise


def reports(life: Life, until: datetime, unwell: Unwell | None = None) -> list[Act]:
    """Nine of ten slots up to `until` are answered, a little after their time, by somebody who is well."""
    subject, study = life.subject, life.cast.study
    chance = random.Random(str(subject.number))  # noqa: S311  # a repeatable story, no secret
    with transaction(writes=False):
        slots = db.session.execute(
            sa.select(Occurrence.id, Occurrence.key, Occurrence.due_at)
            .where(
                Occurrence.subject_id == subject.id,
                Occurrence.kind == "slot",
                Occurrence.excused.is_(None),
                Occurrence.due_at < until - timedelta(minutes=30),
            )
            .order_by(Occurrence.due_at, Occurrence.key)
        ).all()
    recent, acts = until - timedelta(hours=24), []
    for slot_id, form, due_at in slots:
        assert due_at is not None  # every slot is dated
        # Nobody has been silent lately: the demo begins without a page for a missed report.
        if chance.random() < 0.9 or due_at > recent:
            at, day = due_at + timedelta(minutes=chance.randint(1, 25)), life.day(due_at)
            given = well(study, study.forms[form], chance)
            if "steroid_taken" in given:
                given["steroid_taken"] = prednisone_on(day)
            acts.append(report(life, form, at, {**given, **(unwell or {}).get((day, form), {})}, slot_id))
    return acts


def report(life: Life, form: str, at: datetime, given: Mapping[str, Any], slot_id: UUID | None = None) -> Act:
    """One report from the patient's phone."""

    def sent() -> None:
        patient = activation.patient_of(lock_subject(life.subject.id))
        told = body(life.cast, form, at, given) | {"slot_id": slot_id}
        capture.submit(life.subject.id, uuid4(), told, patient, source="phone")

    return Act(at, sent)


def body(cast: Cast, form: str, at: datetime, given: Mapping[str, Any]) -> dict[str, Any]:
    """What is sent with the answers, where everything happens at one instant."""
    return {
        "revision": 1,
        "form": form,
        "slot_id": None,
        "reporter": "patient",
        "measured_at": at,
        "entered_at": at,
        "queued_at": at,
        "sent_at": at,
        "time_zone": cast.site.time_zone,
        "answers": given,
        "practice": False,
    }


def well(study: Study, form: Form, chance: random.Random) -> dict[str, Any]:
    """What somebody answers who has nothing to report."""
    given: dict[str, Any] = {}
    for one in form.items:
        item = study.items[one.item]
        if one.show_if is not None and one.item != "temp_site":
            continue
        if item.key == "temp_c":
            # A normal armpit day.
            given["temp_c"] = Decimal(str(round(36.4 + chance.uniform(-0.35, 0.35), 1)))
        elif item.key == "temp_site":
            given["temp_site"] = "armpit"
        elif one.required or item.key in GOOD:
            given[item.key] = _nothing(item, study)
    for item_key in form.score:
        given[item_key] = int(study.items[item_key].max or 1)
    return {key: value for key, value in given.items() if value is not None}


def _nothing(item: Any, study: Study) -> Any:
    options = item.option_keys()
    if item.key in GOOD:
        return GOOD[item.key] if GOOD[item.key] in options else None
    if item.type == "choice":
        return "no" if "no" in options else options[0]
    if item.type == "multi":
        return [item.exclusive or options[0]]
    if item.type == "doses":
        return []
    return None if item.type == "text" else 0
