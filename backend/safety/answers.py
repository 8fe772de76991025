"""What people answer to an episode: accepted, contacted, seen; an attempt to call; a snooze; its close.

Insert-only rows beneath the episode, whose columns they move. Every function runs in the caller's
transaction with the subject locked and leaves its audit row. None of them needs to know the state it
finds: an acknowledgement may come twice, late, or from two people.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend import audit, clock, outbox, studies
from backend.db import db, lock_subject
from backend.errors import Problem, fault
from backend.models.people import Account, AccountSite
from backend.models.safety import Acknowledgement, ContactAttempt, Episode, KnownSymptom, Snooze
from backend.models.subject import Subject
from backend.safety.episodes import touch
from schedules.protocol.definition import Ladder

KINDS = ("accepted", "contacted", "seen")
OUTCOMES = ("crs", "icans", "infection", "flare", "licats", "other", "none", "reported_by_phone")
QUICK = ("none", "reported_by_phone")  # need no grade
GRADED = {"crs": "crs_grade", "icans": "icans_grade"}
LONGEST_SNOOZE = timedelta(hours=4)


def locked_episode(episode_id: UUID) -> Episode:
    """The episode as it stands, with its subject locked first: the order every writer keeps."""
    subject_id = db.session.execute(sa.select(Episode.subject_id).where(Episode.id == episode_id)).scalar_one_or_none()
    if subject_id is None:
        raise Problem("not_found")
    lock_subject(subject_id)
    return db.session.execute(
        sa.select(Episode).where(Episode.id == episode_id).execution_options(populate_existing=True)
    ).scalar_one()


def acknowledge(episode: Episode, content: Mapping[str, Any], by: Account) -> tuple[Acknowledgement, bool]:
    """Write one acknowledgement. (the row, whether it is new). Never refused for being late or repeated.

    `content`: id, kind, seen_signal_seq, on_behalf_of, note.
    """
    stored = db.session.get(Acknowledgement, content["id"])
    if stored is not None:
        if (stored.episode_id, stored.kind) != (episode.id, content["kind"]):
            raise Problem("id_taken")
        return stored, False
    if content["seen_signal_seq"] > episode.last_seq:
        raise fault("/seen_signal_seq", "out_of_range", "no such signal has been raised yet")
    behalf = content.get("on_behalf_of")
    if behalf is not None and not _works_at(behalf, episode.site_id):
        raise fault("/on_behalf_of", "not_allowed", "this person does not work at the site")
    now = clock.now()
    row = Acknowledgement(
        id=content["id"],
        episode_id=episode.id,
        kind=content["kind"],
        seen_signal_seq=content["seen_signal_seq"],
        by_id=by.id,
        on_behalf_of_id=behalf,
        note=content.get("note"),
        at=now,
    )
    db.session.add(row)
    if episode.closed_at is None:
        _take_in(episode, row, behalf or by.id, now)
    db.session.flush()
    audit.record(
        f"episode:{row.kind}",
        "episode",
        episode.id,
        subject_id=episode.subject_id,
        new={"seen_signal_seq": row.seen_signal_seq, "on_behalf_of": behalf},
        reason=row.note,
    )
    return row, True


def _works_at(account_id: UUID, site_id: UUID) -> bool:
    found = sa.select(AccountSite).where(AccountSite.account_id == account_id, AccountSite.site_id == site_id)
    return db.session.execute(found).first() is not None


def _take_in(episode: Episode, row: Acknowledgement, who: UUID, now: datetime) -> None:
    """Whoever contacted or saw the patient has accepted too. The first contact and the first sight count."""
    if row.seen_signal_seq > episode.accepted_seq or episode.accepted_at is None:
        episode.accepted_seq = max(episode.accepted_seq, row.seen_signal_seq)
        episode.accepted_at = now
        episode.accepted_by = who
        ladder = _ladder_of(episode)
        if ladder is not None:
            _start_clocks(episode, ladder, now)
    if row.kind in ("contacted", "seen") and episode.contacted_at is None:
        episode.contacted_at = now
        episode.repeat_asked_at = episode.repeat_due_at = None
    if row.kind == "seen" and episode.seen_at is None:
        episode.seen_at = now
    if episode.paging_seq <= episode.accepted_seq:
        episode.next_step_at = None
        outbox.cancel_for_episode(episode.id, upto_seq=episode.accepted_seq, reason="accepted", now=now)
    episode.overdue_at = _next_overdue(episode)
    touch(episode)


def _ladder_of(episode: Episode) -> Ladder | None:
    return studies.in_force(db.session.get_one(Subject, episode.subject_id)).ladders.get(episode.level)


def _start_clocks(episode: Episode, ladder: Ladder, now: datetime) -> None:
    if episode.contacted_at is None and ladder.contact_within_s is not None:
        episode.contact_due_at = now + timedelta(seconds=ladder.contact_within_s)
    if episode.seen_at is None and ladder.seen_within_s is not None:
        episode.seen_due_at = now + timedelta(seconds=ladder.seen_within_s)


def _next_overdue(episode: Episode) -> datetime | None:
    """The next clock that could run out: contact, then sight."""
    if episode.contacted_at is None and episode.contact_due_at is not None:
        return episode.contact_due_at
    return episode.seen_due_at if episode.seen_at is None else None


def attempt_contact(
    subject_id: UUID, episode: Episode | None, content: Mapping[str, Any], by: Account
) -> tuple[ContactAttempt, bool]:
    """Note that somebody tried to reach the patient. (the row, whether it is new).

    Having spoken with them is contact; it does not accept a page: whoever called may not be on duty.
    """
    stored = db.session.get(ContactAttempt, content["id"])
    if stored is not None:
        if stored.subject_id != subject_id:
            raise Problem("id_taken")
        return stored, False
    row = ContactAttempt(
        id=content["id"],
        subject_id=subject_id,
        episode_id=episode.id if episode else None,
        outcome=content["outcome"],
        spoke_with=content.get("spoke_with"),
        note=content.get("note"),
        by_id=by.id,
        at=clock.now(),
    )
    db.session.add(row)
    db.session.flush()
    audit.record(
        "contact:attempted",
        "contact_attempt",
        row.id,
        subject_id=subject_id,
        new={"outcome": row.outcome, "spoke_with": row.spoke_with},
    )
    if episode is not None and episode.closed_at is None:
        if row.outcome == "spoke_with" and episode.contacted_at is None:
            episode.contacted_at = row.at
            episode.repeat_asked_at = episode.repeat_due_at = None
            episode.overdue_at = _next_overdue(episode)
        touch(episode)
    return row, True


def snooze(episode: Episode, content: Mapping[str, Any], by: Account) -> tuple[Snooze, bool]:
    """Pause an URGENT ladder, with a reason, for at most four hours. EMERGENCY is never paused."""
    stored = db.session.get(Snooze, content["id"])
    if stored is not None:
        if stored.episode_id != episode.id:
            raise Problem("id_taken")
        return stored, False
    _must_be_open(episode)
    now = clock.now()
    if episode.level == "EMERGENCY":
        raise Problem("conflict", "an EMERGENCY cannot be paused")
    if not now < content["until"] <= now + LONGEST_SNOOZE:
        raise fault("/until", "out_of_range", "at most four hours ahead")
    row = Snooze(
        id=content["id"], episode_id=episode.id, until=content["until"], reason=content["reason"], by_id=by.id, at=now
    )
    db.session.add(row)
    episode.snoozed_until = row.until
    db.session.flush()
    audit.record(
        "episode:snoozed",
        "episode",
        episode.id,
        subject_id=episode.subject_id,
        new={"until": row.until},
        reason=row.reason,
    )
    touch(episode)
    return row, True


def close(episode: Episode, content: Mapping[str, Any], by: Account) -> None:
    """Close with what it was, in a person's words and grades. What is named as known signals again only if worse.

    `content`: outcome, crs_grade, icans_grade, note, known: [{item, severity}].
    """
    _must_be_open(episode)
    outcome = content["outcome"]
    needed = GRADED.get(outcome)
    if needed and content.get(needed) is None:
        raise fault(f"/{needed}", "required", f"closing as {outcome} needs the clinician's grade")
    now = clock.now()
    for known in content.get("known") or ():
        db.session.add(KnownSymptom(subject_id=episode.subject_id, episode_id=episode.id, by_id=by.id, at=now, **known))
    outbox.cancel_for_episode(episode.id, upto_seq=None, reason="closed", now=now)
    episode.outcome = outcome
    episode.crs_grade = content.get("crs_grade")
    episode.icans_grade = content.get("icans_grade")
    episode.note = content.get("note")
    episode.next_step_at = episode.overdue_at = episode.repeat_due_at = None
    episode.closed_by = by.id
    episode.closed_at = now
    touch(episode)
    audit.record(
        "episode:closed",
        "episode",
        episode.id,
        subject_id=episode.subject_id,
        new={name: content.get(name) for name in ("outcome", "crs_grade", "icans_grade", "known")},
        reason=content.get("note"),
    )


def _must_be_open(episode: Episode) -> None:
    if episode.closed_at is not None:
        raise Problem("episode_closed")
