"""Entries: what patients and carers send from a phone, what staff enter on their behalf, corrections by the site."""

from typing import Any
from uuid import UUID

import marshmallow as ma
import sqlalchemy as sa
from marshmallow import validate

from api.doors import Caller, Page, Room, etag, listed, must_match
from api.fields import Anything, Body, Flag, Id, Instant, Key, Number, Text, Whole, Word, Zone
from api.paging import page
from backend import capture, policy, studies
from backend.capture import Taken
from backend.db import db, lock_subject
from backend.errors import Problem, fault
from backend.models.capture import Entry, EntryVersion
from backend.models.outbox import Message
from backend.models.people import SubjectLink
from backend.models.safety import Episode, Signal
from backend.models.study import Site
from backend.models.subject import Subject
from backend.outbox import PAGE
from backend.safety.progress import Progress, progress_of
from notifications import heartbeat
from schedules.protocol.definition import LEVELS

room = Room("entries", __name__, url_prefix="/api/v1", description="Reports from phones, telephone and ward")


class EntryBody(Body):
    revision = Whole(least=1, required=True)
    form = Key(required=True)
    slot_id = Id(required=True, allow_none=True)
    reporter = Word("patient", "carer", "staff", required=True)
    measured_at = Instant(required=True)
    entered_at = Instant(required=True)
    queued_at = Instant(allow_none=True, load_default=None)
    sent_at = Instant(allow_none=True, load_default=None)
    time_zone = Zone(required=True)
    answers = ma.fields.Dict(
        keys=ma.fields.String(validate=validate.Length(max=60)), values=Anything(allow_none=True), required=True
    )
    practice = Flag(load_default=False)
    subject_id = Id(metadata={"description": "whom a carer of several people reports for"})


class StaffEntryBody(EntryBody):
    class Meta:
        exclude = ("subject_id", "practice")

    id = Id(required=True)
    source = Word("telephone", "ward", required=True)


class CorrectionBody(Body):
    answers = ma.fields.Dict(
        keys=ma.fields.String(validate=validate.Length(max=60)), values=Anything(allow_none=True), required=True
    )
    measured_at = Instant()
    reason = Text(most=1000, required=True)


class StateAnswer(Body):
    state = Word("stored", "told", "seen", required=True)
    by = ma.fields.String(required=True, allow_none=True)
    at = Instant(required=True, allow_none=True)


class EntryAnswer(Body):
    id = Id(required=True)
    subject_id = Id(required=True)
    form = ma.fields.String(required=True)
    slot_id = Id(required=True, allow_none=True)
    source = ma.fields.String(required=True)
    practice = ma.fields.Boolean(required=True)
    revision = ma.fields.Integer(required=True)
    reporter = ma.fields.String(required=True)
    answers = ma.fields.Dict(keys=ma.fields.String(), values=Anything(allow_none=True), required=True)
    score = Number(required=True, allow_none=True)
    measured_at = Instant(required=True)
    entered_at = Instant(required=True)
    queued_at = Instant(required=True, allow_none=True)
    sent_at = Instant(required=True, allow_none=True)
    received_at = Instant(required=True)
    effective_at = Instant(required=True)
    clock_skew_s = ma.fields.Integer(required=True)
    time_zone = ma.fields.String(required=True)
    reason = ma.fields.String(required=True, allow_none=True)
    state = ma.fields.Nested(StateAnswer, required=True)


class SignalLine(Body):
    rule = ma.fields.String(required=True)
    level = Word(*LEVELS, required=True)
    sentence = ma.fields.String(required=True)
    asks = ma.fields.String(required=True, allow_none=True)


class Advice(Body):
    level = Word(*LEVELS, required=True, allow_none=True)
    text = ma.fields.String(required=True)
    phone = ma.fields.String(required=True)
    call_now = ma.fields.Boolean(required=True)


class AskLine(Body):
    item = ma.fields.String(required=True)
    code = ma.fields.String(required=True)
    text = ma.fields.String(required=True)


class TakenAnswer(Body):
    entry = ma.fields.Nested(EntryAnswer, required=True)
    signals = ma.fields.List(ma.fields.Nested(SignalLine), required=True)
    advice = ma.fields.Nested(Advice, required=True)
    asks = ma.fields.List(ma.fields.Nested(AskLine), required=True)
    page = Word("none", "queued", required=True)
    state = Word("stored", "told", "seen", required=True)


class EntryQuery(Page):
    subject_id = Id()


def view(entry: Entry, version: EntryVersion, progress: Progress) -> dict[str, Any]:
    """An entry with its latest version, as people see it."""
    return {
        "id": entry.id,
        "subject_id": entry.subject_id,
        "form": entry.form,
        "slot_id": entry.claimed_slot,
        "source": entry.source,
        "practice": entry.practice,
        "clock_skew_s": version.skew_s,
        "state": progress,
        **{
            name: getattr(version, name)
            for name in (
                "revision",
                "reporter",
                "answers",
                "score",
                "measured_at",
                "entered_at",
                "queued_at",
                "sent_at",
                "received_at",
                "effective_at",
                "time_zone",
                "reason",
            )
        },
    }


def own_subject(caller: Caller, asked: UUID | None, path: str = "/subject_id") -> UUID:
    """Whom a patient or carer means: the one they say, else the only one they report for."""
    linked = policy.subjects_of(caller.id)
    if asked is not None:
        if asked not in linked:
            raise Problem("not_found")
        return asked
    if not linked:
        raise Problem("not_found")
    if len(linked) > 1 and caller.role == "carer":
        raise fault(path, "required", "you report for several people: say for whom")
    return linked[0]


@room.door(
    "PUT",
    "/me/entries/<uuid:entry_id>",
    "entry:report",
    body=EntryBody,
    answer=TakenAnswer,
    status=201,
    also=[200],
    device=True,
)
def report(caller: Caller, entry_id: UUID, body: dict[str, Any]) -> Any:
    """Send one revision of an entry. Equal content again changes nothing; a locked phone may send too."""
    subject_id = own_subject(caller, body.pop("subject_id", None))
    if body["reporter"] != caller.role:
        raise fault("/reporter", "not_allowed", f"this account reports as {caller.role}")
    taken = capture.submit(subject_id, entry_id, body, caller.account, source="phone")
    return _answer(caller, taken)


@room.door("GET", "/me/entries", "entry:read_own", query=EntryQuery, answer=listed(EntryAnswer, "EntryList"))
def own_entries(caller: Caller, query: dict[str, Any]) -> Any:
    """The caller's reports, newest first, with how far each has got."""
    subject_id = own_subject(caller, query.get("subject_id"))
    return _entries(subject_id, query, _only_by(caller, subject_id))


def _only_by(caller: Caller, subject_id: UUID) -> UUID | None:
    """The caller, where they may see nothing but their own reports: a carer to whom the patient shows no more."""
    link = db.session.get_one(SubjectLink, (caller.id, subject_id))
    return None if link.sees_reports else caller.id


@room.door("GET", "/me/entries/<uuid:entry_id>", "entry:read_own", answer=EntryAnswer)
def own_entry(caller: Caller, entry_id: UUID) -> Any:
    """One report and how far it has got: stored, told, seen by whom."""
    entry = db.session.get(Entry, entry_id)
    if entry is None or entry.subject_id not in policy.subjects_of(caller.id):
        raise Problem("not_found")
    only_by = _only_by(caller, entry.subject_id)
    if only_by is not None and capture.stored(entry.subject_id, entry_id)[1].author_id != only_by:
        raise Problem("not_found")
    return _one(entry.subject_id, entry_id)


@room.door(
    "GET", "/subjects/<uuid:subject_id>/entries", "entry:read", query=Page, answer=listed(EntryAnswer, "SubjectEntries")
)
def subject_entries(caller: Caller, subject_id: UUID, query: dict[str, Any]) -> Any:
    """A subject's reports, newest first."""
    return _entries(caller.subject(subject_id).id, query)


@room.door(
    "POST",
    "/subjects/<uuid:subject_id>/entries",
    "entry:on_behalf",
    body=StaffEntryBody,
    answer=TakenAnswer,
    status=201,
    also=[200],
)
def report_on_behalf(caller: Caller, subject_id: UUID, body: dict[str, Any]) -> Any:
    """Enter a report for a patient: by telephone, or from the ward."""
    caller.subject(subject_id)
    entry_id, source = body.pop("id"), body.pop("source")
    body["practice"] = False
    return _answer(caller, capture.submit(subject_id, entry_id, body, caller.account, source=source))


@room.door("GET", "/entries/<uuid:entry_id>", "entry:read", answer=EntryAnswer)
def read_entry(caller: Caller, entry_id: UUID) -> Any:
    """One entry as it now stands."""
    subject = _subject_of(caller, entry_id)
    shown = _one(subject.id, entry_id)
    return shown, 200, etag(shown["revision"])


@room.door("PATCH", "/entries/<uuid:entry_id>", "entry:correct", body=CorrectionBody, answer=TakenAnswer, if_match=True)
def correct_entry(caller: Caller, entry_id: UUID, body: dict[str, Any]) -> Any:
    """Correct an entry at the patient's request, with a reason; what was said first stays."""
    subject = _subject_of(caller, entry_id)
    lock_subject(subject.id)
    entry, _ = capture.stored(subject.id, entry_id)
    must_match(entry.revision)
    answer, _ = _answer(caller, capture.correct(subject.id, entry_id, body, caller.account))
    return answer, 200, etag(answer["entry"]["revision"])


class VersionList(Body):
    items = ma.fields.List(ma.fields.Nested(EntryAnswer), required=True)
    next_cursor = ma.fields.String(required=True, allow_none=True)


@room.door("GET", "/entries/<uuid:entry_id>/versions", "entry:read", answer=VersionList)
def versions(caller: Caller, entry_id: UUID) -> Any:
    """Every version of an entry, oldest first."""
    _subject_of(caller, entry_id)
    entry = db.session.get_one(Entry, entry_id)
    rows = db.session.scalars(
        sa.select(EntryVersion).where(EntryVersion.entry_id == entry_id).order_by(EntryVersion.revision)
    )
    progress = progress_of([entry_id])[entry_id]
    return {"items": [view(entry, row, progress) for row in rows], "next_cursor": None}


def _subject_of(caller: Caller, entry_id: UUID) -> Subject:
    entry = db.session.get(Entry, entry_id)
    if entry is None:
        raise Problem("not_found")
    return caller.subject(entry.subject_id)


def _one(subject_id: UUID, entry_id: UUID) -> dict[str, Any]:
    entry, version = capture.stored(subject_id, entry_id)
    return view(entry, version, progress_of([entry.id])[entry.id])


def _entries(subject_id: UUID, query: dict[str, Any], only_by: UUID | None = None) -> dict[str, Any]:
    wanted = (
        sa.select(Entry, EntryVersion)
        .join(EntryVersion, sa.and_(EntryVersion.entry_id == Entry.id, EntryVersion.revision == Entry.revision))
        .where(Entry.subject_id == subject_id)
    )
    if only_by is not None:
        wanted = wanted.where(EntryVersion.author_id == only_by)
    listed_page = page(wanted, (Entry.effective_at, Entry.id), query, lambda row: {"pair": row[:2]}, descending=True)
    pairs = [item["pair"] for item in listed_page["items"]]
    progress = progress_of([entry.id for entry, _ in pairs])
    listed_page["items"] = [view(entry, version, progress[entry.id]) for entry, version in pairs]
    return listed_page


def _answer(caller: Caller, taken: Taken) -> tuple[dict[str, Any], int]:
    """What the phone shows at once; the same for the first sending and for its repeat."""
    subject = db.session.get_one(Subject, taken.entry.subject_id)
    study, site = studies.in_force(subject), db.session.get_one(Site, subject.site_id)
    locale = caller.account.locale
    signals = list(
        db.session.scalars(sa.select(Signal).where(Signal.entry_version_id == taken.version.id).order_by(Signal.seq))
    )
    level = max((signal.level for signal in signals), key=LEVELS.index, default=None)
    pages = _is_told(
        [
            signal
            for signal in signals
            if signal.held_because is None
            and signal.level in study.ladders
            and study.ladders[signal.level].lane == PAGE
        ]
    )
    ladder = study.ladders.get(level or "")
    text = ladder.advice if ladder else study.emergency_text
    progress = progress_of([taken.entry.id])[taken.entry.id]
    body = {
        "entry": view(taken.entry, taken.version, progress),
        "signals": [
            {
                "rule": signal.rule,
                "level": signal.level,
                "sentence": signal.sentence_zh if locale.startswith("zh") else signal.sentence_en,
                "asks": signal.asks,
            }
            for signal in signals
        ],
        "advice": {
            "level": level,
            "text": text.in_language(locale),
            "phone": site.phone_24h,
            "call_now": level == "EMERGENCY" or (pages and heartbeat.pulse().status != "ok"),
        },
        "asks": [{"item": ask.item, "code": ask.code, "text": ask.label.in_language(locale)} for ask in taken.asks],
        "page": "queued" if pages else "none",
        "state": progress.state,
    }
    return body, 201 if taken.new else 200


def _is_told(signals: list[Signal]) -> bool:
    """Whether somebody is being paged about these, or was: what only repeats what was accepted pages nobody."""
    if not signals:
        return False
    episode = db.session.get_one(Episode, signals[0].episode_id)
    if episode.closed_at is None and episode.paging_seq > episode.accepted_seq:
        return True
    paged = sa.select(Message.id).where(
        Message.episode_id == episode.id,
        Message.lane == PAGE,
        Message.signal_seq.in_([signal.seq for signal in signals]),
    )
    return db.session.execute(paged.limit(1)).first() is not None
