"""Consents: to which version of which text, by whom, and where one is wanting. Withdrawing one is an event.

A consent is wanting where the site has brought in a newer version of its text, or where a subject whose guardian
consented has come of age. Of a birth date only the year is kept: in the year of the eighteenth birthday the
consent is `coming`, from the next year on it is `due`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend import audit, chronicle, clock, records, repeats
from backend.db import db
from backend.errors import Problem, fault
from backend.models.study import ConsentText, Site
from backend.models.subject import Consent, Subject
from schedules.windows import local_date

KINDS = ("trial", "app", "cross_border")
ADULT = 18


@dataclass(frozen=True, slots=True)
class Wanting:
    """A consent to ask for: why (new_version, of_age), since when it is wanted, and whether it is due or coming."""

    kind: str
    text_version: str | None
    why: str
    state: str  # due, coming
    since: datetime | None


def given(subject_id: UUID) -> list[Consent]:
    """Every consent of the subject, oldest first."""
    rows = sa.select(Consent).where(Consent.subject_id == subject_id)
    return list(db.session.scalars(rows.order_by(Consent.given_at, Consent.recorded_at, Consent.id)))


def record(subject_id: UUID, content: Mapping[str, Any], by: UUID) -> tuple[Consent, bool]:
    """A further consent: `content` is id, kind, text_version, given_at, given_by. (row, whether it is new)."""
    subject = records.open_subject(subject_id)
    said = {name: content[name] for name in ("kind", "text_version", "given_at", "given_by")}
    stored = repeats.stored(Consent, content["id"], subject_id=subject.id, **said)
    if stored is not None:
        return stored, False
    now = clock.now()
    if content["given_at"] > now + clock.TOLERANCE:
        raise fault("/given_at", "in_the_future", "a consent cannot be given in the future")
    if subject.ended_at is not None and content["given_at"] > subject.ended_at:
        raise Problem("subject_ended")
    if content["given_by"] == "subject" and age_in_year(subject, content["given_at"]) < ADULT:
        raise fault("/given_by", "not_allowed", "a minor's consent is the guardian's")
    row = Consent(id=content["id"], subject_id=subject.id, recorded_at=now, recorded_by=by, **said)
    db.session.add(row)
    db.session.flush()
    audit.record("consent:recorded", "consent", row.id, subject_id=subject.id, new=said)
    return row, True


def add_text(site: Site, content: Mapping[str, Any], by: UUID) -> tuple[ConsentText, bool]:
    """A new version of a consent text at a site: `content` is id, kind, text_version, valid_from."""
    said = {name: content[name] for name in ("kind", "text_version", "valid_from")}
    stored = repeats.stored(ConsentText, content["id"], site_id=site.id, **said)
    if stored is not None:
        return stored, False
    same = sa.select(ConsentText.id).where(
        ConsentText.site_id == site.id,
        ConsentText.kind == content["kind"],
        ConsentText.text_version == content["text_version"],
    )
    if db.session.execute(same).first() is not None:
        raise Problem("conflict", "this version of the text is known")
    row = ConsentText(id=content["id"], site_id=site.id, recorded_at=clock.now(), recorded_by=by, **said)
    db.session.add(row)
    db.session.flush()
    audit.record("consent:text_added", "site", site.id, new=said)
    return row, True


def texts_of(site_id: UUID) -> list[ConsentText]:
    """Every version of every consent text of a site, by when it came into force."""
    rows = sa.select(ConsentText).where(ConsentText.site_id == site_id)
    return list(db.session.scalars(rows.order_by(ConsentText.valid_from, ConsentText.id)))


def wanting(subject: Subject) -> tuple[Wanting, ...]:
    """Which consents the subject is to be asked for, now or soon. Nobody who has left is asked."""
    return wanting_each([subject])[subject.id]


def wanting_each(subjects: Sequence[Subject]) -> dict[UUID, tuple[Wanting, ...]]:
    """The same for several subjects, in a constant number of queries."""
    rows: dict[UUID, list[Consent]] = {subject.id: [] for subject in subjects}
    wanted = sa.select(Consent).where(Consent.subject_id.in_(list(rows)))
    for row in db.session.scalars(wanted.order_by(Consent.given_at, Consent.recorded_at, Consent.id)):
        rows[row.subject_id].append(row)
    sites = {subject.site_id for subject in subjects}
    texts = db.session.scalars(
        sa.select(ConsentText)
        .where(ConsentText.site_id.in_(sites), ConsentText.valid_from <= clock.now())
        .order_by(ConsentText.valid_from, ConsentText.id)
    )
    newest = {(text.site_id, text.kind): text for text in texts}
    zones = {
        row.id: row.time_zone
        for row in db.session.execute(sa.select(Site.id, Site.time_zone).where(Site.id.in_(sites)))
    }
    return {one.id: _wanting(one, rows[one.id], newest, zones[one.site_id]) for one in subjects}


def _wanting(
    subject: Subject, rows: list[Consent], newest: Mapping[tuple[UUID, str], ConsentText], zone: str
) -> tuple[Wanting, ...]:
    if subject.ended_at is not None:
        return ()
    found = _new_versions(subject, rows, newest)
    trial = [row for row in rows if row.kind == "trial"]

    def age(at: datetime) -> int:
        return local_date(at, zone).year - subject.year_of_birth

    for_them = bool(trial) and (trial[0].given_by != "subject" or age(trial[0].given_at) < ADULT)
    as_adult = any(row.given_by == "subject" and age(row.given_at) >= ADULT for row in trial)
    years = age(clock.now())
    if for_them and not as_adult and years >= ADULT:
        found.append(Wanting("trial", None, "of_age", "coming" if years == ADULT else "due", None))
    return tuple(found)


def _new_versions(
    subject: Subject, rows: list[Consent], newest: Mapping[tuple[UUID, str], ConsentText]
) -> list[Wanting]:
    """The newest text in force of each kind that the subject has consented to in an older version only."""
    consented = {row.kind for row in rows}
    return [
        Wanting(kind, text.text_version, "new_version", "due", text.valid_from)
        for (site_id, kind), text in newest.items()
        if site_id == subject.site_id
        and kind in consented
        and not any(row.kind == kind and row.text_version == text.text_version for row in rows)
    ]


def age_in_year(subject: Subject, at: datetime) -> int:
    """Whole years reached in the calendar year of that instant; the birthday may still lie ahead."""
    return local_date(at, chronicle.site_zone(subject.site_id)).year - subject.year_of_birth
