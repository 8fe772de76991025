"""Consents: to which version of which text, by whom, and where one is wanting. Withdrawing one is an event.

A consent is wanting where the site has brought in a newer version of its text, or where a subject whose guardian
consented has come of age. Of a birth date only the year is kept: in the year of the eighteenth birthday the
consent is `coming`, from the next year on it is `due`.
"""

from collections.abc import Mapping
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
    if subject.ended_at is not None:
        return ()
    now, rows = clock.now(), given(subject.id)
    found = [*_new_versions(subject, rows, now)]
    trial = [row for row in rows if row.kind == "trial"]
    years = _year(subject, now) - subject.year_of_birth
    for_them = bool(trial) and (trial[0].given_by != "subject" or age_in_year(subject, trial[0].given_at) < ADULT)
    as_adult = any(row.given_by == "subject" and age_in_year(subject, row.given_at) >= ADULT for row in trial)
    if for_them and not as_adult and years >= ADULT:
        found.append(Wanting("trial", None, "of_age", "coming" if years == ADULT else "due", None))
    return tuple(found)


def _new_versions(subject: Subject, rows: list[Consent], now: datetime) -> list[Wanting]:
    """The newest text in force of each kind that the subject has consented to in an older version only."""
    newest = {text.kind: text for text in texts_of(subject.site_id) if text.valid_from <= now}
    consented = {row.kind for row in rows}
    return [
        Wanting(kind, text.text_version, "new_version", "due", text.valid_from)
        for kind, text in newest.items()
        if kind in consented and not any(r.kind == kind and r.text_version == text.text_version for r in rows)
    ]


def age_in_year(subject: Subject, at: datetime) -> int:
    """Whole years reached in the calendar year of that instant; the birthday may still lie ahead."""
    return _year(subject, at) - subject.year_of_birth


def _year(subject: Subject, at: datetime) -> int:
    return local_date(at, chronicle.site_zone(subject.site_id)).year
