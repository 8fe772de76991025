"""Amendments: a site's step to another published revision, proposed with all it changes, approved, and ahead only.

`differences` shows for each subject what an approval would do, by the same pure calendar that then does it; the
approval names the digest of what was seen, so that nothing else takes effect. It works from a site-local date to
come: visits that are over stay under the revision they were done in, and a subject may stay on its revision whole.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend import agenda, audit, clock, records, repeats, strictjson, studies
from backend.db import db, lock_subject
from backend.errors import Problem, fault, invalid
from backend.models.study import Amendment as Row
from backend.models.study import Site, StudyRevision, SubjectRevision
from backend.models.subject import Subject
from schedules.faults import Fault
from schedules.history import Amendment, History
from schedules.planned import Occurrence
from schedules.protocol import content as protocol_content
from schedules.protocol.difference import Change, difference, taken_away
from schedules.windows import local_date, start_of_day


@dataclass(frozen=True, slots=True)
class Window:
    """When something is due and between which instants it may be done."""

    opens_at: datetime | None
    due_at: datetime | None
    closes_at: datetime | None


@dataclass(frozen=True, slots=True)
class Shift:
    """One visit or slot that the amendment brings (before None), takes (after None) or moves."""

    id: UUID
    kind: str
    key: str
    before: Window | None
    after: Window | None
    appointment_outside: bool  # an agreed time that the new window no longer holds


@dataclass(frozen=True, slots=True)
class Difference:
    """What the amendment does to one subject; `stays` with the reason if it is left out."""

    subject_id: UUID
    number: str
    from_revision_id: UUID
    stays: str | None
    shifts: tuple[Shift, ...]


def propose(site: Site, content: Mapping[str, Any], by: UUID) -> tuple[Row, bool]:
    """Propose a step; whether the row is new comes with it.

    `content`: id, study_revision_id, effective_on, staying [{subject_id, reason}], reason.
    """
    said = {name: content[name] for name in ("study_revision_id", "effective_on", "reason")}
    stored = repeats.stored(Row, content["id"], site_id=site.id, **said)
    if stored is not None:
        return stored, False
    _check(site, content["study_revision_id"], content["effective_on"])
    row = Row(
        id=content["id"],
        site_id=site.id,
        staying=_staying(site, content["staying"]),
        state="proposed",
        proposed_by=by,
        proposed_at=clock.now(),
        version=1,
        **said,
    )
    db.session.add(row)
    db.session.flush()
    audit.record("amendment:proposed", "amendment", row.id, new=_said(row), reason=row.reason)
    return row, True


def _check(site: Site, revision_id: UUID, effective_on: date) -> None:
    if db.session.get(StudyRevision, revision_id) is None:
        raise fault("/study_revision_id", "not_allowed", "no such revision is published")
    today = local_date(clock.now(), site.time_zone)
    if effective_on <= today:
        raise fault("/effective_on", "in_the_past", f"an amendment works ahead only: {today} has begun")
    if revision_id == site.study_revision_id:
        raise Problem("conflict", "the site enrols under this revision already")
    faults = taken_away(studies.of_site(site), studies.revision(revision_id))
    if faults:
        raise invalid(*(Fault("/study_revision_id", one.code, f"{one.path}: {one.message}") for one in faults))


def _staying(site: Site, given: list[Mapping[str, Any]]) -> dict[str, str]:
    here = set(db.session.scalars(sa.select(Subject.id).where(Subject.site_id == site.id)))
    strange = [
        Fault(f"/staying/{i}/subject_id", "not_allowed", "no subject of this site")
        for i, one in enumerate(given)
        if one["subject_id"] not in here
    ]
    if strange:
        raise invalid(*strange)
    return {str(one["subject_id"]): one["reason"] for one in given}


def _said(row: Row) -> dict[str, Any]:
    names = ("site_id", "study_revision_id", "effective_on", "staying", "state")
    return {name: getattr(row, name) for name in names}


def study_changes(row: Row) -> tuple[Change, ...]:
    """What the revision itself changes against the one the site enrols under, or did when it was approved."""
    old = db.session.get_one(StudyRevision, _before(row))
    new = db.session.get_one(StudyRevision, row.study_revision_id)
    return difference(protocol_content.from_json(old.content), protocol_content.from_json(new.content))


def _before(row: Row) -> UUID:
    if row.state != "approved":
        return db.session.get_one(Site, row.site_id).study_revision_id
    went = sa.select(SubjectRevision.from_revision_id).where(SubjectRevision.amendment_id == row.id).limit(1)
    return db.session.scalar(went) or row.study_revision_id


def differences(row: Row) -> tuple[Difference, ...]:
    """What an approval would do to each subject that is still followed, by number."""
    followed = db.session.scalars(
        sa.select(Subject)
        .where(Subject.site_id == row.site_id, Subject.ended_at.is_(None))
        .order_by(Subject.number, Subject.id)
    ).all()
    return tuple(_of_subject(row, subject) for subject in followed)


def _of_subject(row: Row, subject: Subject) -> Difference:
    stays = row.staying.get(str(subject.id))
    from_id = studies.in_force_id(subject)
    if stays is not None or from_id == row.study_revision_id:
        return Difference(subject.id, subject.number, from_id, stays, ())
    plan = agenda.plan_of(subject)
    shifts = _shifts(plan.occurrences(), plan.under(_amended(plan.history, row)), plan.history.site_zone)
    return Difference(subject.id, subject.number, from_id, None, shifts)


def _amended(history: History, row: Row) -> History:
    """The same facts with the amendment in effect on its date."""
    ahead = Amendment(row.effective_on, studies.revision(row.study_revision_id))
    return replace(history, amendments=(*history.amendments, ahead))


def _shifts(before: tuple[Occurrence, ...], after: tuple[Occurrence, ...], zone: str) -> tuple[Shift, ...]:
    old, new = ({one.id: one for one in some} for some in (before, after))
    found = []
    for identity in old.keys() | new.keys():
        was, becomes = old.get(identity), new.get(identity)
        windows = [_window(one) for one in (was, becomes)]
        if windows[0] == windows[1]:
            continue
        one = becomes or was
        assert one is not None
        outside = becomes is not None and not _holds(becomes, zone)
        found.append(Shift(identity, one.kind, one.key, windows[0], windows[1], outside))
    return tuple(sorted(found, key=lambda one: (one.kind, _sorting(one), one.key, str(one.id))))


def _window(one: Occurrence | None) -> Window | None:
    if one is None or one.excused in ("amended", "before_amendment"):
        return None
    return Window(one.opens_at, one.due_at, one.closes_at)


def _sorting(one: Shift) -> str:
    window = one.after or one.before
    return str(window.due_at if window else None)


def _holds(one: Occurrence, zone: str) -> bool:
    """Whether the window holds what was agreed, if anything was."""
    if one.appointment_at is None or one.earliest_on is None or one.latest_on is None:
        return True
    return one.earliest_on <= local_date(one.appointment_at, zone) <= one.latest_on


def digest_of(found: tuple[Difference, ...]) -> str:
    """Identity of what is seen before an approval."""
    said = [
        (
            one.subject_id,
            one.from_revision_id,
            one.stays,
            [(s.id, _times(s.before), _times(s.after)) for s in one.shifts],
        )
        for one in found
    ]
    return hashlib.sha256(strictjson.canonical(said).encode()).hexdigest()


def _times(window: Window | None) -> list[datetime | None] | None:
    return None if window is None else [window.opens_at, window.due_at, window.closes_at]


def found(amendment_id: UUID) -> Row:
    """The row; 404 if there is none."""
    row = db.session.get(Row, amendment_id)
    if row is None:
        raise Problem("not_found")
    return row


def locked(amendment_id: UUID) -> Row:
    """The row, locked until the transaction ends; 404 if there is none."""
    row = db.session.execute(
        sa.select(Row).where(Row.id == amendment_id).with_for_update().execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if row is None:
        raise Problem("not_found")
    return row


def drop(row: Row, reason: str, by: UUID) -> Row:
    """Take a proposal back."""
    _refuse_decided(row)
    row.state, row.decided_by, row.decided_at = "dropped", by, clock.now()
    row.version += 1
    db.session.flush()
    audit.record("amendment:dropped", "amendment", row.id, new=_said(row), reason=reason)
    return row


def approve(row: Row, compare: Callable[[str], None], by: UUID) -> Row:
    """Let it take effect on its date, for every subject that does not stay. The caller holds the row.

    `compare` refuses where the digest of the differences, taken with every subject locked, is not the one seen.

    One transaction: all subjects or none. New subjects are enrolled under the new revision at once.
    """
    _refuse_decided(row)
    # Subjects before their site, in the order of everybody who opens an episode: else a report could wait for us
    # while we wait for it.
    here = sa.select(Subject.id).where(Subject.site_id == row.site_id).order_by(Subject.id)
    for subject_id in db.session.scalars(here).all():
        lock_subject(subject_id)
    site = db.session.execute(
        sa.select(Site).where(Site.id == row.site_id).with_for_update().execution_options(populate_existing=True)
    ).scalar_one()
    _check(site, row.study_revision_id, row.effective_on)
    records.refuse_locked_database()
    seen = differences(row)
    compare(digest_of(seen))
    row.state, row.decided_by, row.decided_at = "approved", by, clock.now()
    row.difference_sha256 = digest_of(seen)
    row.version += 1
    site.study_revision_id = row.study_revision_id
    site.version += 1
    db.session.flush()
    audit.record(
        "amendment:approved", "amendment", row.id, new={**_said(row), "difference_sha256": row.difference_sha256}
    )
    for one in seen:
        if one.stays is None and one.from_revision_id != row.study_revision_id:
            _apply(row, db.session.get_one(Subject, one.subject_id), site, by)
        elif one.stays is not None:
            audit.record(
                "subject:stays", "subject", one.subject_id, subject_id=one.subject_id,
                new={"revision": one.from_revision_id}, reason=one.stays,
            )  # fmt: skip
    return row


def _refuse_decided(row: Row) -> None:
    if row.state != "proposed":
        raise Problem("conflict", f"the amendment is {row.state}")


def _apply(row: Row, subject: Subject, site: Site, by: UUID) -> None:
    now = clock.now()
    if subject.locked_at is not None:
        raise Problem("record_locked", f"subject {subject.number} is locked; let it stay, or unlock it")
    if subject.amended_at is not None and subject.amended_at > now:
        raise Problem("conflict", f"subject {subject.number} has an amendment that is not in effect yet")
    from_id = studies.in_force_id(subject)
    plan = agenda.plan_of(subject)
    records.refuse_moving_frozen(subject.id, plan.occurrences(), plan.under(_amended(plan.history, row)))
    db.session.add(
        SubjectRevision(
            subject_id=subject.id,
            amendment_id=row.id,
            from_revision_id=from_id,
            study_revision_id=row.study_revision_id,
            effective_on=row.effective_on,
            recorded_at=now,
            recorded_by=by,
        )
    )
    subject.study_revision_id = from_id
    subject.amended_to_id = row.study_revision_id
    subject.amended_at = start_of_day(row.effective_on, site.time_zone)
    subject.version += 1
    db.session.flush()
    audit.record(
        "subject:amended",
        "subject",
        subject.id,
        subject_id=subject.id,
        old={"revision": from_id},
        new={"revision": row.study_revision_id, "from": row.effective_on, "amendment": row.id},
        reason=row.reason,
    )
    agenda.refresh(subject)
