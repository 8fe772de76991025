"""Enrolling a subject, and what of a subject may change: language, dose level, organs, zone.

Every function runs in the caller's transaction with the subject's row locked, refreshes the calendar and
leaves its audit row. The dated facts of the treatment are `backend.treatment`'s.
"""

from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend import accounts, agenda, audit, channels, chronicle, clock, consents, policy, records, studies
from backend.db import db
from backend.errors import Problem, fault, invalid
from backend.models.people import Account
from backend.models.study import Site
from backend.models.subject import Consent, Subject, ZoneChange
from schedules.faults import Fault
from schedules.protocol.definition import Study
from schedules.windows import earliest_zone_change, local_date


def enrol(site: Site, content: dict[str, Any], enrolled_by: UUID) -> tuple[Subject, bool]:
    """Make a subject with consents, contact and the patient's account. (subject, whether it is new).

    `content` is the body of `POST /subjects` as parsed. A repeat of the same id gives the stored subject; the id
    with another site, number or year of birth, or a number already taken at the site, is a conflict.
    """
    study = studies.of_site(site)
    stored = db.session.get(Subject, content["id"])
    if stored is not None:
        said = (site.id, content["number"], content["year_of_birth"])
        if (stored.site_id, stored.number, stored.year_of_birth) != said:
            raise Problem("id_taken")
        return stored, False
    records.refuse_locked_database()
    channels.refuse_not_live(site)
    _check_enrolment(study, site, content)
    now = clock.now()
    subject = Subject(
        id=content["id"],
        site_id=site.id,
        number=content["number"],
        study_revision_id=site.study_revision_id,
        dose_level=content["dose_level"],
        locale=content["locale"],
        time_zone=content["time_zone"],
        year_of_birth=content["year_of_birth"],
        prior_organs=sorted(content["prior_organs"]),
        enrolled_at=now,
        enrolled_by=enrolled_by,
    )
    db.session.add(subject)
    db.session.flush()
    for consent in content["consents"]:
        db.session.add(Consent(subject_id=subject.id, recorded_at=now, recorded_by=enrolled_by, **consent))
    audit.record(
        "subject:enrolled",
        "subject",
        subject.id,
        subject_id=subject.id,
        new={
            "number": subject.number,
            "dose_level": subject.dose_level,
            "consents": content["consents"],
            "prior_organs": subject.prior_organs,
            "study_revision": subject.study_revision_id,
        },
    )
    accounts.add_reporter(subject, relation="patient", locale=subject.locale, **content["contact"])
    agenda.refresh(subject)
    return subject, True


def _check_enrolment(study: Study, site: Site, content: dict[str, Any]) -> None:
    now = clock.now()
    faults = [
        Fault(f"/prior_organs/{i}", "not_allowed", f"{organ} is not an organ of this study")
        for i, organ in enumerate(content["prior_organs"])
        if organ not in study.organs
    ]
    if content["dose_level"] not in {level.key for level in study.dose_levels}:
        faults.append(Fault("/dose_level", "not_allowed", "no such dose level in this study"))
    age = local_date(now, site.time_zone).year - content["year_of_birth"]
    if not study.age_from <= age <= 120:
        faults.append(Fault("/year_of_birth", "out_of_range", f"the study takes people from {study.age_from} years"))
    kinds = [consent["kind"] for consent in content["consents"]]
    if "trial" not in kinds:
        faults.append(Fault("/consents", "required", "consent to the trial is needed"))
    if len(kinds) != len(set(kinds)):
        faults.append(Fault("/consents", "duplicate", "one consent of each kind"))
    faults.extend(
        Fault(f"/consents/{i}/given_at", "in_the_future", "a consent cannot be given in the future")
        for i, consent in enumerate(content["consents"])
        if consent["given_at"] > now + clock.TOLERANCE
    )
    faults.extend(
        Fault(f"/consents/{i}/given_by", "not_allowed", "a minor's consent is the guardian's")
        for i, consent in enumerate(content["consents"])
        if consent.get("given_by", "subject") == "subject" and study.age_from <= age < consents.ADULT
    )
    if faults:
        raise invalid(*faults)
    taken = sa.select(Subject.id).where(Subject.site_id == site.id, Subject.number == content["number"])
    if db.session.execute(taken).scalar_one_or_none() is not None:
        raise Problem("conflict", "this subject number is taken at this site")


def change_subject(subject: Subject, content: dict[str, Any], by: UUID) -> None:
    """Change locale, dose level, prior organs, zone or contact person. The row is locked and matched by the caller."""
    study = studies.in_force(subject)
    if "dose_level" in content and content["dose_level"] not in {level.key for level in study.dose_levels}:
        raise fault("/dose_level", "not_allowed", "no such dose level in this study")
    if "dose_level" in content and subject.infused_at is not None and content["dose_level"] != subject.dose_level:
        raise Problem("conflict", "the subject is already infused; the dose level no longer changes")
    strange = [organ for organ in content.get("prior_organs", ()) if organ not in study.organs]
    if strange:
        raise fault("/prior_organs", "not_allowed", f"{strange[0]} is not an organ of this study")
    old: dict[str, Any] = {
        name: getattr(subject, name) for name in ("locale", "dose_level", "prior_organs") if name in content
    }
    new: dict[str, Any] = {name: content[name] for name in old}
    for name, value in new.items():
        setattr(subject, name, sorted(value) if name == "prior_organs" else value)
    if "contact_person_id" in content:
        old["contact_person_id"] = subject.contact_person_id
        new["contact_person_id"] = _hand_over(subject, content["contact_person_id"])
    if "time_zone" in content:
        old["time_zone"], new["time_zone"] = _change_zone(subject, content["time_zone"], content.get("zone_from"), by)
    subject.version += 1
    db.session.flush()
    if not new and not content.get("reason"):
        return  # only the contact, which leaves its own trace
    verb = "subject:changed" if new.keys() - {"locale", "contact_person_id"} else "subject:addressed"
    audit.record(verb, "subject", subject.id, subject_id=subject.id, old=old, new=new, reason=content.get("reason"))
    agenda.refresh(subject)


def _hand_over(subject: Subject, account_id: UUID) -> UUID:
    """Who keeps in touch from now on; after a stay the same person is named anew."""
    person = db.session.get(Account, account_id)
    if (
        person is None
        or not person.active
        or person.role not in policy.CLINIC
        or subject.site_id not in policy.sites_of(account_id)
    ):
        raise fault("/contact_person_id", "not_allowed", "a nurse or doctor of the subject's site")
    subject.contact_person_id, subject.contact_since = account_id, clock.now()
    return account_id


def _change_zone(subject: Subject, zone: str, zone_from: date | None, by: UUID) -> tuple[str, dict[str, Any]]:
    """From which date another zone holds: tomorrow unless said, never a date that has begun anywhere."""
    now = clock.now()
    current = chronicle.zones_of(subject).at(now)
    earliest = earliest_zone_change(now, (current, zone))
    effective_on = zone_from or earliest
    if effective_on < earliest:
        raise fault("/zone_from", "in_the_past", f"a zone change touches future slots only: {earliest} or later")
    db.session.add(
        ZoneChange(subject_id=subject.id, effective_on=effective_on, time_zone=zone, recorded_at=now, recorded_by=by)
    )
    return current, {"time_zone": zone, "from": effective_on}
