"""Taking in what people report: checked against the form, five times kept, assigned to its slot, handed to the rules.

The phone makes the id and counts revisions. Equal content again is the same entry; other content under a
taken revision, or an older revision after a newer one, is kept beside it and refused. Raw values and times
are kept as given: a wrong clock is measured and flagged, never an error.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend import agenda, audit, clock, records, strictjson, studies
from backend.db import db, lock_subject
from backend.errors import Problem, invalid
from backend.models.calendar import Occurrence
from backend.models.capture import Entry, EntryConflict, EntryVersion
from backend.models.people import Account
from backend.models.subject import Subject
from backend.safety import episodes, facts
from backend.safety.episodes import Cause, Raised
from backend.safety.evaluate import evaluate
from schedules.faults import Fault
from schedules.protocol.definition import Study
from schedules.protocol.forms import Ask, Checked, check_answers

CONTENT = ("form", "slot_id", "reporter", "measured_at", "entered_at", "time_zone", "answers", "practice")


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one submission. `new`: whether the entry was not known before, whatever its revision says."""

    entry: Entry
    version: EntryVersion
    new: bool
    raised: Raised
    asks: tuple[Ask, ...]


def submit(
    subject_id: UUID,
    entry_id: UUID,
    content: Mapping[str, Any],
    author: Account,
    *,
    source: str,
    reason: str | None = None,
    timed_as: EntryVersion | None = None,
) -> Taken:
    """Store one revision of an entry and raise what the rules find in it.

    `content` is the body of `PUT /me/entries/{id}` as parsed: revision, form, slot_id, reporter, the times,
    time_zone, answers, practice. `source`: phone, telephone, ward. `timed_as`: the version whose time of
    measurement stands. Raises Problem with the path of every fault; a conflict keeps both contents.
    """
    # What comes from a phone is taken whatever is locked: a fever is never refused for paperwork.
    subject = lock_subject(subject_id) if source == "phone" else records.open_subject(subject_id)
    study = studies.in_force(subject)
    digest = _digest(content)
    entry = db.session.get(Entry, entry_id, populate_existing=True)
    if entry is not None:
        if entry.subject_id != subject.id:
            raise Problem("id_taken")
        repeat = _repeat(entry, content, digest, author)
        if repeat is not None:
            return repeat
    now = clock.now()
    if (
        subject.ended_at is not None
        and subject.ended_at <= content["measured_at"]
        and subject.ended_kind != "completion"
    ):
        raise Problem("subject_ended")
    checked = _check(study, subject, entry, content, source)
    version = _version(entry_id, content, checked, author, digest, now, reason)
    if timed_as is not None:
        version.effective_at, version.skew_s = timed_as.effective_at, timed_as.skew_s
    new = entry is None
    if entry is None:
        entry = _new_entry(subject, entry_id, content, source, version, now)
        occurrence = None if entry.practice else agenda.attach(entry)
    else:
        occurrence = _revise(subject, entry, version, content, source, now)
    db.session.add(version)
    db.session.flush()
    audit.record(
        "entry:stored" if new else "entry:revised",
        "entry",
        entry.id,
        subject_id=subject.id,
        new={
            "revision": version.revision,
            "form": entry.form,
            "source": source,
            "version": version.id,
            "digest": digest,
            "practice": entry.practice,
            "slot": occurrence.id if occurrence else None,
            "after_lock": records.is_locked(subject),
        },
        reason=reason,
    )
    if entry.practice:
        return Taken(entry, version, new, Raised((), None, False), checked.asks)
    if subject.last_report_at is None or version.effective_at > subject.last_report_at:
        subject.last_report_at = version.effective_at
    raised = _ask_rules(subject, study, entry, version, now, from_staff=source != "phone")
    return Taken(entry, version, new, raised, checked.asks)


def correct(subject_id: UUID, entry_id: UUID, content: Mapping[str, Any], author: Account) -> Taken:
    """A correction by the site, with a reason: a further version, the earlier ones stay.

    `content`: answers, reason, measured_at (where it was wrong). What is not named stays as it was.
    """
    entry, version = stored(subject_id, entry_id)
    body = {
        "revision": entry.revision + 1,
        "form": entry.form,
        "slot_id": entry.claimed_slot,
        "reporter": version.reporter,
        "measured_at": content.get("measured_at") or version.measured_at,
        "entered_at": clock.now(),
        "queued_at": None,
        "sent_at": None,
        "time_zone": version.time_zone,
        "answers": content["answers"],
        "practice": entry.practice,
    }
    # A raw time was read off the device's clock, whose error was measured then; a corrected one off ours.
    same_time = version if content.get("measured_at") is None else None
    return submit(subject_id, entry_id, body, author, source="telephone", reason=content["reason"], timed_as=same_time)


def stored(subject_id: UUID, entry_id: UUID) -> tuple[Entry, EntryVersion]:
    """The entry and its latest version; 404 where it is absent or another subject's."""
    row = db.session.execute(
        sa.select(Entry, EntryVersion)
        .join(EntryVersion, sa.and_(EntryVersion.entry_id == Entry.id, EntryVersion.revision == Entry.revision))
        .where(Entry.id == entry_id, Entry.subject_id == subject_id)
    ).one_or_none()
    if row is None:
        raise Problem("not_found")
    return row[0], row[1]


def _digest(content: Mapping[str, Any]) -> str:
    """Identity of what was said; when it was queued and sent may differ between two tries of the same."""
    said = {name: content.get(name) for name in CONTENT}
    return hashlib.sha256(strictjson.canonical(said).encode()).hexdigest()


def _repeat(entry: Entry, content: Mapping[str, Any], digest: str, author: Account) -> Taken | None:
    """What is stored already, for a repeat; None for a revision that is new and newer. Else a kept conflict."""
    version = db.session.execute(
        sa.select(EntryVersion).where(EntryVersion.entry_id == entry.id, EntryVersion.revision == content["revision"])
    ).scalar_one_or_none()
    if version is not None and version.digest == digest:
        latest = stored(entry.subject_id, entry.id)[1]
        return Taken(entry, latest, False, Raised((), None, False), ())
    if version is None and content["revision"] > entry.revision:
        return None
    _keep_conflict(entry, content, digest, author)
    raise Problem("revision_superseded" if version is None else "entry_conflict", commits=True)


def _keep_conflict(entry: Entry, content: Mapping[str, Any], digest: str, author: Account) -> None:
    known = sa.select(EntryConflict.id).where(
        EntryConflict.entry_id == entry.id,
        EntryConflict.revision == content["revision"],
        EntryConflict.digest == digest,
    )
    if db.session.execute(known).scalar_one_or_none() is not None:
        return
    row = EntryConflict(
        entry_id=entry.id,
        revision=content["revision"],
        author_id=author.id,
        content=dict(content),
        digest=digest,
        received_at=clock.now(),
    )
    db.session.add(row)
    db.session.flush()
    audit.record(
        "entry:conflict_kept",
        "entry",
        entry.id,
        subject_id=entry.subject_id,
        new={"revision": row.revision, "conflict": row.id, "digest": digest},
    )


def _check(study: Study, subject: Subject, entry: Entry | None, content: Mapping[str, Any], source: str) -> Checked:
    form = study.forms.get(content["form"])
    if form is None or (form.staff_only and source == "phone"):
        raise invalid(Fault("/form", "not_allowed", "no such form"))
    faults = []
    if entry is not None and (entry.form, entry.claimed_slot, entry.practice) != (
        content["form"],
        content.get("slot_id"),
        content.get("practice", False),
    ):
        faults.append(Fault("/form", "changed", "form, slot and practice of an entry never change"))
    if content.get("slot_id") is not None and not _is_slot(subject.id, content["slot_id"], content["form"]):
        faults.append(Fault("/slot_id", "not_allowed", "no such slot for this form"))
    checked = check_answers(study, content["form"], content["answers"])
    faults.extend(checked.faults)
    if faults:
        raise invalid(*faults)
    return checked


def _is_slot(subject_id: UUID, slot_id: UUID, form: str) -> bool:
    found = sa.select(Occurrence.id).where(
        Occurrence.id == slot_id, Occurrence.subject_id == subject_id, Occurrence.key == form
    )
    return db.session.execute(found).scalar_one_or_none() is not None


def _version(
    entry_id: UUID,
    content: Mapping[str, Any],
    checked: Checked,
    author: Account,
    digest: str,
    now: datetime,
    reason: str | None,
) -> EntryVersion:
    skew = clock_skew(content.get("sent_at"), now)
    return EntryVersion(
        entry_id=entry_id,
        revision=content["revision"],
        reporter=content["reporter"],
        author_id=author.id,
        answers=checked.answers,
        score=checked.score,
        time_zone=content["time_zone"],
        measured_at=content["measured_at"],
        entered_at=content["entered_at"],
        queued_at=content.get("queued_at"),
        sent_at=content.get("sent_at"),
        received_at=now,
        effective_at=effective_time(content["measured_at"], skew, now),
        skew_s=max(-MAX_SKEW_S, min(MAX_SKEW_S, int(skew.total_seconds()))),
        reason=reason,
        digest=digest,
    )


NOISE = timedelta(minutes=2)  # what a slow network may add; less than that is no skew
MAX_SKEW_S = 2**31 - 1  # what the column holds, 68 years: a clock further off is as wrong as one can be


def clock_skew(sent_at: datetime | None, now: datetime) -> timedelta:
    """How far the device's clock is ahead of ours: its time of sending less our time of receiving."""
    if sent_at is None or abs(sent_at - now) <= NOISE:
        return timedelta(0)
    return sent_at - now


def effective_time(measured_at: datetime, skew: timedelta, now: datetime) -> datetime:
    """The device's time of measurement on our clock; never in the future."""
    return min(measured_at - skew, now)


def _new_entry(
    subject: Subject, entry_id: UUID, content: Mapping[str, Any], source: str, version: EntryVersion, now: datetime
) -> Entry:
    entry = Entry(
        id=entry_id,
        subject_id=subject.id,
        form=content["form"],
        claimed_slot=content.get("slot_id"),
        source=source,
        practice=content.get("practice", False),
        created_at=now,
        revision=version.revision,
        effective_at=version.effective_at,
    )
    db.session.add(entry)
    db.session.flush()
    return entry


def _revise(
    subject: Subject, entry: Entry, version: EntryVersion, content: Mapping[str, Any], source: str, now: datetime
) -> Occurrence | None:
    """Move the entry to its new version; a patient may until the slot closes, afterwards the site does.

    What counts is when it was typed, on our clock: a phone without a network sends it later.
    """
    typed_at = effective_time(content["entered_at"], timedelta(seconds=version.skew_s), now)
    if source == "phone" and not entry.practice and typed_at >= _closes_at(subject, entry):
        raise Problem("slot_closed")
    moved = entry.effective_at != version.effective_at
    entry.revision = version.revision
    entry.effective_at = version.effective_at
    db.session.flush()
    if moved and not entry.practice:
        agenda.refresh(subject)
    return db.session.execute(
        sa.select(Occurrence).where(Occurrence.subject_id == subject.id, Occurrence.satisfied_by == entry.id)
    ).scalar_one_or_none()


def _closes_at(subject: Subject, entry: Entry) -> datetime:
    """Until when the reporter may change an entry: its slot's close, or a day for a report outside any slot."""
    near = agenda.slots_near(subject.id, entry.form, entry.effective_at, entry.claimed_slot)
    closes = [row.closes_at for row in near.values() if row.closes_at is not None]
    return max(closes) if closes else entry.created_at + timedelta(days=1)


def _ask_rules(
    subject: Subject, study: Study, entry: Entry, version: EntryVersion, now: datetime, *, from_staff: bool
) -> Raised:
    """Put the report to the rules; and where a later one of the same sitting came first, that one once more:
    a phone's queue may arrive in any order, and a fever and its sign must meet whichever comes last."""
    cause = Cause(entry_version_id=version.id, from_staff=from_staff)
    raised = _ask_about(subject, study, version.id, version.effective_at, now, cause)
    later = _last_of_sitting(subject, study, entry, version)
    if later is None:
        return raised
    again = _ask_about(subject, study, later.id, later.effective_at, now, cause)
    return Raised(raised.signals + again.signals, again.episode, raised.paged or again.paged)


def _ask_about(subject: Subject, study: Study, version_id: UUID, at: datetime, now: datetime, cause: Cause) -> Raised:
    context = facts.context_of(subject, trigger="report", trigger_id=version_id, at=at, now=now)
    findings = evaluate(context, study.rules, enduring=True)
    if findings:
        return episodes.raise_signals(subject, context, findings, cause)
    episode = episodes.open_episode(subject.id)
    if episode is not None:
        episodes.note_temperature(episode, context)
    return Raised((), episode, False)


def _last_of_sitting(subject: Subject, study: Study, entry: Entry, version: EntryVersion) -> EntryVersion | None:
    at = version.effective_at
    return db.session.execute(
        sa.select(EntryVersion)
        .join(Entry, sa.and_(Entry.id == EntryVersion.entry_id, Entry.revision == EntryVersion.revision))
        .where(
            Entry.subject_id == subject.id,
            Entry.id != entry.id,
            Entry.practice.is_(False),
            Entry.effective_at > at,
            Entry.effective_at <= at + facts.sitting_of(study),
        )
        .order_by(Entry.effective_at.desc(), EntryVersion.received_at.desc())
        .limit(1)
    ).scalar_one_or_none()
