"""What people answer to an episode: accepted, contacted, seen; attempts to call; a pause; its close."""

from typing import Any
from uuid import UUID

import marshmallow as ma
from marshmallow import validate

from api.doors import Caller, Room, etag, must_match
from api.fields import Body, Id, Instant, Key, Text, Whole, Word
from api.routes.episodes import AttemptAnswer, EpisodeWhole, locked, whole
from backend import accounts, delegation
from backend.db import lock_subject
from backend.errors import Problem
from backend.safety import answers

room = Room("answers", __name__, url_prefix="/api/v1", description="Answering episodes")


class AcknowledgementBody(Body):
    id = Id(required=True)
    seen_signal_seq = Whole(required=True)
    kind = Word(*answers.KINDS, required=True)
    on_behalf_of = Id(allow_none=True)
    note = Text(most=1000, allow_none=True)


class AttemptBody(Body):
    id = Id(required=True)
    outcome = Word("no_answer", "spoke_with", required=True)
    spoke_with = Word("patient", "carer", "other", allow_none=True)
    note = Text(most=1000, allow_none=True)


class SnoozeBody(Body):
    id = Id(required=True)
    until = Instant(required=True)
    reason = Text(most=1000, required=True)


class KnownBody(Body):
    item = Key(required=True)
    severity = Whole(most=3, required=True)


class CloseBody(Body):
    outcome = Word(*answers.OUTCOMES, required=True)
    crs_grade = Whole(most=5, allow_none=True)
    icans_grade = Whole(most=5, allow_none=True)
    note = Text(most=2000, allow_none=True)
    known = ma.fields.List(ma.fields.Nested(KnownBody), validate=validate.Length(max=30))


@room.door(
    "POST",
    "/episodes/<uuid:episode_id>/acknowledgements",
    "episode:answer",
    body=AcknowledgementBody,
    answer=EpisodeWhole,
    status=201,
    also=[200],
)
def acknowledge(caller: Caller, episode_id: UUID, body: dict[str, Any]) -> Any:
    """Accepted, contacted or seen, knowing the signals up to `seen_signal_seq`. Needs no `If-Match`."""
    episode = locked(caller, episode_id)
    _, new = answers.acknowledge(episode, body, caller.account)
    return whole(caller, episode), 201 if new else 200, etag(episode.version)


@room.door(
    "POST",
    "/episodes/<uuid:episode_id>/contact-attempts",
    "episode:answer",
    body=AttemptBody,
    answer=EpisodeWhole,
    status=201,
    also=[200],
)
def attempt_contact(caller: Caller, episode_id: UUID, body: dict[str, Any]) -> Any:
    """Note an attempt to reach the patient."""
    episode = locked(caller, episode_id)
    _, new = answers.attempt_contact(episode.subject_id, episode, body, caller.account)
    return whole(caller, episode), 201 if new else 200, etag(episode.version)


@room.door(
    "POST",
    "/subjects/<uuid:subject_id>/contact-attempts",
    "episode:answer",
    body=AttemptBody,
    answer=AttemptAnswer,
    status=201,
    also=[200],
)
def attempt_contact_of_subject(caller: Caller, subject_id: UUID, body: dict[str, Any]) -> Any:
    """Note an attempt to reach a patient for whom no episode is open."""
    caller.subject(subject_id)
    lock_subject(subject_id)
    row, new = answers.attempt_contact(subject_id, None, body, caller.account)
    names = ("id", "outcome", "spoke_with", "note", "at")
    by = accounts.names_of([row.by_id]).get(row.by_id, "")
    return {**{name: getattr(row, name) for name in names}, "by": by}, 201 if new else 200


@room.door(
    "POST",
    "/episodes/<uuid:episode_id>/snooze",
    "episode:answer",
    body=SnoozeBody,
    answer=EpisodeWhole,
    status=201,
    also=[200],
)
def snooze(caller: Caller, episode_id: UUID, body: dict[str, Any]) -> Any:
    """Pause an URGENT ladder for up to four hours, with a reason."""
    episode = locked(caller, episode_id)
    _, new = answers.snooze(episode, body, caller.account)
    return whole(caller, episode), 201 if new else 200, etag(episode.version)


@room.door(
    "POST",
    "/episodes/<uuid:episode_id>/close",
    "episode:close",
    body=CloseBody,
    answer=EpisodeWhole,
    if_match=True,
)
def close(caller: Caller, episode_id: UUID, body: dict[str, Any]) -> Any:
    """Close with what it was. Grades are a doctor's; "none" and "reported_by_phone" need none."""
    episode = locked(caller, episode_id)
    must_match(episode.version)
    graded = any(body.get(name) is not None for name in ("crs_grade", "icans_grade"))
    if graded or body["outcome"] not in answers.QUICK:
        if not caller.may("episode:grade"):
            raise Problem("forbidden")
        delegation.require(caller.account, "episode:grade", episode.site_id)
    answers.close(episode, body, caller.account)
    return whole(caller, episode), 200, etag(episode.version)
