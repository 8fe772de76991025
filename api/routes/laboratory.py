"""The laboratory beside single values: files of them, the limits of who performed them, the strip of today's counts."""

import hashlib
from typing import Any
from uuid import UUID

import marshmallow as ma
import sqlalchemy as sa
from flask import request
from marshmallow import validate

from api import csv_lines
from api.batches import Batch
from api.csv_lines import ClockTime, Line
from api.doors import Caller, Page, Room, Takes, listed
from api.fields import Body, Day, Flag, Id, Instant, Key, Number, Query, Text, Word
from api.paging import page, shown
from api.routes.clinical import SignalNote
from backend import chronicle, clock, laboratory_files, policy, reference_limits, studies
from backend.models.clinical import ReferenceLimit
from backend.safety import facts
from schedules.windows import local_date

room = Room("laboratory", __name__, url_prefix="/api/v1", description="Laboratory files, limits and counts")

MOST_LINES = 500  # what is stored in one transaction while reports of patients wait for it


class MeasurementLine(Line):
    """One line of a laboratory's file. A value may carry its qualifier (<0.5)."""

    subject = Text(most=40, required=True)
    code = Key(required=True)
    value = Number(load_default=None)
    qualifier = ma.fields.String(load_default="", validate=validate.OneOf(["", "<", ">"]))
    unit = Text(most=40, required=True)
    not_done = Flag(load_default=False)
    lln = Number(load_default=None)
    uln = Number(load_default=None)
    method = Key(load_default=None)
    laboratory = Text(most=100, load_default=None)
    source = Word("laboratory", "ward", load_default="laboratory")
    collected_at = ClockTime(required=True)

    def split(self, cells: dict[str, str]) -> dict[str, str]:
        value = cells.get("value", "").strip()
        if value[:1] in ("<", ">") and not cells.get("qualifier", "").strip():
            return {**cells, "qualifier": value[0], "value": value[1:]}
        return cells


class ImportQuery(Query):
    dry_run = Word("true", "false", load_default="false")
    site_id = Id(metadata={"description": "where several sites of the caller share a number"})


class FileSignal(SignalNote):
    subject_number = ma.fields.String(required=True)


class ImportAnswer(Body):
    """`new`: lines that were stored, or in a dry run would be; `known`: those that say what is recorded already, and
    `corrected_since` how many of them a person has corrected since: the correction holds."""

    dry_run = ma.fields.Boolean(required=True)
    lines = ma.fields.Integer(required=True)
    known = ma.fields.Integer(required=True)
    corrected_since = ma.fields.Integer(required=True)
    new = ma.fields.Integer(required=True)
    signals = ma.fields.List(ma.fields.Nested(FileSignal), required=True)


@room.door(
    "POST",
    "/measurements/import",
    "measurement:record",
    query=ImportQuery,
    answer=ImportAnswer,
    status=201,
    also=[200],
    takes=Takes(csv_lines.MEDIA, {"type": "string"}),
)
def import_measurements(caller: Caller, query: dict[str, Any]) -> Any:
    """Record a laboratory's file of values for many subjects, all of it or nothing.

    Comma-separated with a heading: subject, code, unit, collected_at and any of value, qualifier, not_done, lln, uln,
    method, laboratory, source. `collected_at` without offset is the site's clock time. UTF-8, or the charset that the
    content type names (gbk, gb18030). With `dry_run=true` the same counts and the same faults; nothing is stored and no
    rule asked.
    """
    sites = [caller.site(query["site_id"], "/site_id").id] if "site_id" in query else policy.sites_of(caller.id)
    read, unreadable = csv_lines.read(MeasurementLine, MOST_LINES)
    lines = [laboratory_files.Line(number, content.pop("subject"), content) for number, content in read]
    subjects = laboratory_files.subjects_of(lines, sites)
    for site_id in {one.site_id for some in subjects.values() for one in some}:
        caller.site(site_id)
    dry_run = query["dry_run"] == "true"
    digest = hashlib.sha256(request.get_data(cache=True)).hexdigest()
    done = laboratory_files.store(lines, unreadable, subjects, caller.account, digest=digest, dry_run=dry_run)
    chinese = caller.account.locale.startswith("zh")
    signals = [
        {
            "subject_number": subject.number,
            "rule": signal.rule,
            "level": signal.level,
            "sentence": signal.sentence_zh if chinese else signal.sentence_en,
        }
        for subject, one in done.new
        for signal in one.raised.signals
    ]
    counted = {name: getattr(done, name) for name in ("lines", "known", "corrected_since")}
    answer = {"dry_run": dry_run, **counted, "new": done.fresh, "signals": signals}
    return answer, 201 if done.new else 200


# --- Reference limits of a laboratory -------------------------------------------------------------------------


class LimitBody(Body):
    """Limits of one measure at one laboratory from a day on, in the laboratory's own unit."""

    id = Id(required=True)
    laboratory = Text(most=100, required=True)
    code = Key(required=True)
    unit = Text(most=40, required=True)
    lln = Number(allow_none=True, load_default=None)
    uln = Number(allow_none=True, load_default=None)
    valid_from = Day(required=True)


class LimitAnswer(LimitBody):
    recorded_at = Instant(required=True)
    recorded_by = Id(required=True)


class LimitBatch(Batch):
    items = ma.fields.List(ma.fields.Nested(LimitBody), required=True, validate=validate.Length(min=1, max=200))


class LimitQuery(Page):
    laboratory = Text(most=100)
    code = Key()


def limit_view(row: ReferenceLimit) -> dict[str, Any]:
    return {name: getattr(row, name) for name in LimitAnswer().fields}


LimitList = listed(LimitAnswer, "ReferenceLimitList")


@room.door(
    "POST",
    "/sites/<uuid:site_id>/reference-limits",
    "measurement:record",
    body=LimitBatch,
    answer=LimitList,
    status=201,
    also=[200],
)
def record_reference_limits(caller: Caller, site_id: UUID, body: dict[str, Any]) -> Any:
    """Write down a laboratory's reference limits: one, or a list. Values that name it without limits take them."""
    site = caller.site(site_id)
    with body["paths"]:
        done = reference_limits.record(site, body["items"], caller.id)
    answer = {"items": [limit_view(row) for row, _ in done], "next_cursor": None}
    return answer, 201 if any(new for _, new in done) else 200


@room.door("GET", "/sites/<uuid:site_id>/reference-limits", "measurement:read", query=LimitQuery, answer=LimitList)
def read_reference_limits(caller: Caller, site_id: UUID, query: dict[str, Any]) -> Any:
    """The limits of the site's laboratories, each that was ever recorded, by laboratory and code, in that order."""
    wanted = sa.select(ReferenceLimit).where(ReferenceLimit.site_id == caller.site(site_id).id)
    for name in ("laboratory", "code"):
        if name in query:
            wanted = wanted.where(getattr(ReferenceLimit, name) == query[name])
    keys = (ReferenceLimit.laboratory, ReferenceLimit.code, ReferenceLimit.recorded_at, ReferenceLimit.id)
    return page(wanted, keys, query, shown(limit_view))


# --- The strip of today's counts ------------------------------------------------------------------------------


class StripAnswer(Body):
    """One count to type in: its unit, and the last value with its age, so that a slip is seen while typing."""

    code = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    unit = ma.fields.String(required=True)
    value = Number(required=True, allow_none=True)
    qualifier = ma.fields.String(required=True)
    collected_at = Instant(required=True, allow_none=True)
    today = ma.fields.Boolean(required=True)


@room.door("GET", "/subjects/<uuid:subject_id>/counts", "measurement:read", answer=listed(StripAnswer, "CountStrip"))
def counts(caller: Caller, subject_id: UUID) -> Any:
    """The strip of counts that a page shows, in their order: which are in, which are wanted today."""
    subject = caller.subject(subject_id)
    study = studies.in_force(subject)
    last = {one.code: one for one in facts.last_values(subject.id, study.settings["facts_at_hand"])}
    zone = chronicle.site_zone(subject.site_id)
    today = local_date(clock.now(), zone)
    items = [
        {
            "code": code,
            "name": study.measures[code].name.in_language(caller.account.locale),
            "unit": study.measures[code].unit,
            "value": last[code].value if code in last else None,
            "qualifier": last[code].qualifier if code in last else "",
            "collected_at": last[code].at if code in last else None,
            "today": code in last and local_date(last[code].at, zone) == today,
        }
        for code in study.settings["facts_at_hand"]
    ]
    return {"items": items, "next_cursor": None}
