"""Scored forms of visits: fill in with a live score, read the whole visit, sign its clinical and its complete part."""

from dataclasses import asdict
from typing import Any
from uuid import UUID, uuid4

import marshmallow as ma

from api.answer_schemas import answer_schema
from api.assessment_forms import ANSWERS
from api.doors import Caller, Room, listed
from api.fields import Body, Flag, Id, Instant, Number, Text, Whole, Word
from backend import accounts, assessments, visits
from backend.analysis.prefill import Difference
from backend.assessments import Form, Signed
from backend.errors import Problem

room = Room("assessments", __name__, url_prefix="/api/v1/visits", description="Scored forms of visits")


class ScoredForm(Body):
    """One form: what was answered (null where it is not filled in), its score with reasons, what to look at.

    `proposed`: the laboratory's numbers by system of BILAG-2004, to be looked at and entered, never scored by
    themselves; `differs`: where something else was entered.
    """

    instrument = ma.fields.String(required=True)
    revision = ma.fields.Integer(required=True)
    answers = ma.fields.Dict(required=True, allow_none=True)
    rater_id = Id(required=True, allow_none=True)
    assessed_at = Instant(required=True, allow_none=True)
    recorded_at = Instant(required=True, allow_none=True)
    score = ma.fields.Dict(required=True, allow_none=True)
    warnings = ma.fields.List(ma.fields.String(), required=True)
    proposed = ma.fields.Dict(
        keys=ma.fields.String(), values=ma.fields.Dict(keys=ma.fields.String(), values=Number()), required=True
    )
    differs = ma.fields.List(ma.fields.Nested(answer_schema(Difference, "Difference")), required=True)


class ScoredFormWritten(ScoredForm):
    stored = ma.fields.Boolean(required=True)


class ChosenValue(Body):
    """The laboratory value that stands for the visit: the nearest inside its window."""

    measurement_id = Id(required=True)
    collected_at = Instant(required=True)
    value = Number(required=True)
    qualifier = ma.fields.String(required=True)
    lln = Number(required=True, allow_none=True)
    uln = Number(required=True, allow_none=True)


class VisitSignature(Body):
    id = Id(required=True)
    part = ma.fields.String(required=True)
    meaning = ma.fields.String(required=True)
    signed_by = ma.fields.String(required=True)
    signed_as = ma.fields.String(required=True)
    at = Instant(required=True)
    forms = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.Integer(), required=True)
    valid = ma.fields.Boolean(required=True)
    voided_by = ma.fields.List(ma.fields.String(), required=True, metadata={"description": "forms changed since"})


class SheetAnswer(Body):
    """A visit as a whole. `asked`: descriptors whose cause must be said, because treatment may explain them."""

    visit_id = Id(required=True)
    forms = ma.fields.List(ma.fields.Nested(ScoredForm), required=True)
    values = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.Nested(ChosenValue), required=True)
    missing_forms = ma.fields.List(ma.fields.String(), required=True)
    missing_values = ma.fields.List(ma.fields.String(), required=True)
    asked = ma.fields.List(ma.fields.String(), required=True)
    signatures = ma.fields.List(ma.fields.Nested(VisitSignature), required=True)


def _form(form: Form, answers: Any = None) -> dict[str, Any]:
    row = form.row
    return {
        "instrument": form.instrument,
        "revision": row.revision if row else 0,
        "answers": answers if answers is not None else row.answers if row else None,
        "rater_id": row.rater_id if row else None,
        "assessed_at": row.assessed_at if row else None,
        "recorded_at": row.recorded_at if row else None,
        "score": form.score,
        "warnings": form.warnings,
        "proposed": form.proposed,
        "differs": [asdict(one) for one in form.differs],
    }


@room.door("GET", "/<uuid:visit_id>/forms", "assessment:read", answer=SheetAnswer)
def read_forms(caller: Caller, visit_id: UUID) -> Any:
    """The visit's forms with scores, the laboratory values chosen for it, what is missing, who signed."""
    subject = caller.subject(visits.visit_of(visit_id).subject_id)
    whole = assessments.sheet(subject, visit_id)
    return {
        "visit_id": visit_id,
        "forms": [_form(form) for form in whole.forms],
        "values": {
            code: {
                "measurement_id": value.id,
                "collected_at": value.at,
                "value": value.reading.value,
                "qualifier": value.reading.qualifier,
                "lln": value.lln,
                "uln": value.uln,
            }
            for code, value in sorted(whole.labs.items())
        },
        "missing_forms": whole.missing_forms,
        "missing_values": whole.missing_values,
        "asked": whole.asked,
        "signatures": _signed(whole.signatures),
    }


def _signed(some: tuple[Signed, ...]) -> list[dict[str, Any]]:
    names = accounts.names_of({one.row.signed_by for one in some})
    return [
        {
            **{name: getattr(one.row, name) for name in ("id", "part", "meaning", "signed_as", "at")},
            "forms": one.row.content,
            "signed_by": names[one.row.signed_by],
            "valid": not one.voided_by,
            "voided_by": sorted({row.instrument for row in one.voided_by}),
        }
        for one in some
    ]


class ScoredFormRevision(Body):
    revision = ma.fields.Integer(required=True)
    answers = ma.fields.Dict(required=True)
    rater = ma.fields.String(required=True)
    assessed_at = Instant(required=True)
    reason = ma.fields.String(required=True, allow_none=True)
    recorded_at = Instant(required=True)
    recorded_by = ma.fields.String(required=True)


@room.door(
    "GET",
    "/<uuid:visit_id>/forms/<instrument>/history",
    "assessment:read",
    answer=listed(ScoredFormRevision, "ScoredFormHistory"),
)
def form_history(caller: Caller, visit_id: UUID, instrument: str) -> Any:
    """Every revision of a form, oldest first: who rated, who entered, why it was changed."""
    caller.subject(visits.visit_of(visit_id).subject_id)
    rows = assessments.revisions(visit_id, instrument)
    names = accounts.names_of({one for row in rows for one in (row.rater_id, row.recorded_by)})
    plain = ("revision", "answers", "assessed_at", "reason", "recorded_at")
    items = [
        {
            **{name: getattr(row, name) for name in plain},
            "rater": names[row.rater_id],
            "recorded_by": names[row.recorded_by],
        }
        for row in rows
    ]
    return {"items": items, "next_cursor": None}


def _open(instrument: str) -> None:
    """A door for one form."""
    fields: dict[str, Any] = {
        "revision": Whole(least=1, required=True, metadata={"description": "the last one and one more"}),
        "answers": ma.fields.Nested(ANSWERS[instrument], required=True),
        "rater_id": Id(allow_none=True, load_default=None),
        "assessed_at": Instant(allow_none=True, load_default=None),
        "reason": Text(most=1000, allow_none=True, load_default=None),
        "preview": Flag(load_default=False),
    }
    name = "".join(word.title() for word in instrument.split("_"))
    body = type(f"{name}FormBody", (Body,), fields)

    def handler(caller: Caller, visit_id: UUID, body: dict[str, Any]) -> Any:
        caller.subject(visits.visit_of(visit_id).subject_id)
        row, form, stored = assessments.record(visit_id, instrument, body, caller.account)
        answer = {**_form(form, None if row else body["answers"]), "stored": stored}
        return answer, 201 if stored and form.row is not None and form.row.revision == 1 else 200

    handler.__name__ = f"put_{instrument}"
    handler.__doc__ = f"Fill in `{instrument}` at a visit, change it, or with `preview` only see the score."
    door = room.door(
        "PUT",
        f"/<uuid:visit_id>/forms/{instrument}",
        "assessment:record",
        body=body,
        answer=ScoredFormWritten,
        status=200,
        also=[201],
        refuses=(412,),
    )
    door(handler)


for _instrument in ANSWERS:
    _open(_instrument)


class VisitSignBody(Body):
    id = Id(load_default=uuid4)
    part = Word(*assessments.PARTS, required=True)
    meaning = Text(most=500, required=True)


@room.door(
    "POST",
    "/<uuid:visit_id>/signature",
    "assessment:sign",
    body=VisitSignBody,
    answer=VisitSignature,
    status=201,
    also=[200],
    confirmed=True,
)
def sign_visit(caller: Caller, visit_id: UUID, body: dict[str, Any]) -> Any:
    """Sign a visit's clinical or complete part as it stands, with password and code given anew."""
    return _sign(caller, visit_id, body)


@room.door(
    "POST",
    "/<uuid:visit_id>/forms/<instrument>/signature",
    "assessment:sign",
    body=VisitSignBody,
    answer=VisitSignature,
    status=201,
    also=[200],
    confirmed=True,
)
def sign_from_form(caller: Caller, visit_id: UUID, instrument: str, body: dict[str, Any]) -> Any:
    """The same from one of the visit's forms: the signature stands under the visit's part, never under one form."""
    if instrument not in ANSWERS:
        raise Problem("not_found")
    return _sign(caller, visit_id, body)


def _sign(caller: Caller, visit_id: UUID, body: dict[str, Any]) -> Any:
    caller.subject(visits.visit_of(visit_id).subject_id)
    signed, new = assessments.sign(visit_id, body, caller.account)
    return _signed((signed,))[0], 201 if new else 200
