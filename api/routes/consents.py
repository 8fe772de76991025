"""Consents: given, wanting, and the versions of the texts a site takes consent with."""

from typing import Any
from uuid import UUID

import marshmallow as ma

from api.doors import Caller, Room, listed
from api.fields import Body, Id, Instant, Text, Word
from api.routes.subjects import GIVEN_BY
from backend import consents

room = Room("consents", __name__, url_prefix="/api/v1", description="Consents and their texts")


class NewConsent(Body):
    id = Id(required=True)
    kind = Word(*consents.KINDS, required=True)
    text_version = Text(most=40, required=True)
    given_at = Instant(required=True)
    given_by = Word(*GIVEN_BY, required=True)


class ConsentAnswer(NewConsent):
    recorded_at = Instant(required=True)


class WantingAnswer(Body):
    """A consent to ask for: a newer text is in force, or a minor has come of age (this year: coming; before: due)."""

    kind = Word(*consents.KINDS, required=True)
    text_version = ma.fields.String(required=True, allow_none=True)
    why = Word("new_version", "of_age", required=True)
    state = Word("due", "coming", required=True)
    since = Instant(required=True, allow_none=True)


class ConsentList(Body):
    items = ma.fields.List(ma.fields.Nested(ConsentAnswer), required=True)
    next_cursor = ma.fields.String(required=True, allow_none=True)
    wanting = ma.fields.List(ma.fields.Nested(WantingAnswer), required=True)


@room.door("GET", "/subjects/<uuid:subject_id>/consents", "consent:read", answer=ConsentList)
def subject_consents(caller: Caller, subject_id: UUID) -> Any:
    """Every consent of the subject, and which are wanting."""
    subject = caller.subject(subject_id)
    return {"items": consents.given(subject.id), "next_cursor": None, "wanting": consents.wanting(subject)}


@room.door(
    "POST",
    "/subjects/<uuid:subject_id>/consents",
    "consent:record",
    body=NewConsent,
    answer=ConsentAnswer,
    status=201,
    also=[200],
)
def record_consent(caller: Caller, subject_id: UUID, body: dict[str, Any]) -> Any:
    """Record a further consent: to a newer text, or of a subject who has come of age."""
    caller.subject(subject_id)
    row, new = consents.record(subject_id, body, caller.id)
    return row, 201 if new else 200


class ConsentTextBody(Body):
    id = Id(required=True)
    kind = Word(*consents.KINDS, required=True)
    text_version = Text(most=40, required=True)
    valid_from = Instant(required=True)


class ConsentTextAnswer(ConsentTextBody):
    recorded_at = Instant(required=True)


@room.door(
    "GET", "/sites/<uuid:site_id>/consent-texts", "consent:read", answer=listed(ConsentTextAnswer, "ConsentTexts")
)
def consent_texts(caller: Caller, site_id: UUID) -> Any:
    """The versions of the consent texts of a site, by when they came into force."""
    return {"items": consents.texts_of(caller.site(site_id).id), "next_cursor": None}


@room.door(
    "POST",
    "/sites/<uuid:site_id>/consent-texts",
    "consent:set_text",
    body=ConsentTextBody,
    answer=ConsentTextAnswer,
    status=201,
    also=[200],
)
def add_consent_text(caller: Caller, site_id: UUID, body: dict[str, Any]) -> Any:
    """Bring in a new version of a text: whoever consented to an older one is to be asked again."""
    row, new = consents.add_text(caller.site(site_id), body, caller.id)
    return row, 201 if new else 200
