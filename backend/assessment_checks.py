"""What is wrong with a scored form before it is stored, and what to look at once it is. Reads only.

Faults refuse a form, warnings come with its answer, and one that says nothing cannot be signed.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from backend import clock, consents, policy, studies
from backend.db import db
from backend.dossiers import Dossier, Slot
from backend.models.findings import Assessment
from backend.models.people import Account
from backend.models.subject import Subject
from schedules.faults import Fault


def faults_of(subject: Subject, content: Mapping[str, Any], *, changes_signed: bool) -> Iterator[Fault]:
    """`content`: rater_id, rater_said, assessed_at, reason. `changes_signed`: whether it changes a form under a
    signature."""
    rater = db.session.get(Account, content["rater_id"])
    if rater is None or rater.role not in policy.DOCTORS or subject.site_id not in policy.sites_of(rater.id):
        code = "not_allowed" if content["rater_said"] else "required"
        yield Fault("/rater_id", code, "who assessed: an investigator of the subject's site")
    if content["assessed_at"] > clock.now() + clock.TOLERANCE:
        yield Fault("/assessed_at", "in_the_future", "an assessment cannot lie in the future")
    if content["assessed_at"] < _screening_from(subject):
        yield Fault("/assessed_at", "before_consent", "this lies before the consent and the days of screening")
    if subject.ended_at is not None and content["assessed_at"] > subject.ended_at:
        yield Fault("/assessed_at", "out_of_order", "the subject had left by then")
    if changes_signed and not content.get("reason"):
        yield Fault("/reason", "required", "changing what was signed needs a reason")


def _screening_from(subject: Subject) -> datetime:
    """The first instant that screening may look back to: the days of its window before the first consent."""
    days = max((-visit.from_day for visit in studies.in_force(subject).visits), default=0)
    consented = min((one.given_at for one in consents.given(subject.id)), default=subject.enrolled_at)
    return min(consented, subject.enrolled_at) - timedelta(days=max(days, 0))


def warnings_of(dossier: Dossier, slot: Slot, row: Assessment) -> tuple[str, ...]:
    """What a careful investigator would want to be told: assessed far from the visit, PGA after SLEDAI, another rater
    than before, no attendance, ICE of a child."""
    found = list(_far_from(slot, row.assessed_at))
    if row.instrument == "pga":
        found.extend(_of_pga(dossier, slot, row))
    if slot.attended_at is None:
        found.append("no_attendance_recorded")
    from_age = dossier.study.analysis.get("ice_from_age", 12)
    child = row.assessed_at.year - dossier.subject.year_of_birth < from_age
    if row.instrument == "icans" and child and row.answers.get("ice") is not None:
        found.append("ice_is_not_for_children")
    return tuple(found)


def _far_from(slot: Slot, assessed_at: datetime) -> Iterator[str]:
    """Away from the attendance by more than the length of the window; without one, outside the window."""
    if slot.opens_at is None or slot.closes_at is None:
        return
    if slot.attended_at is not None:
        if abs(assessed_at - slot.attended_at) > slot.closes_at - slot.opens_at:
            yield "assessed_away_from_attendance"
    elif not slot.opens_at <= assessed_at < slot.closes_at:
        yield "assessed_outside_window"


def _of_pga(dossier: Dossier, slot: Slot, row: Assessment) -> Iterator[str]:
    sledai = dossier.assessments.get(slot.id, {}).get("sledai2k")
    if sledai is not None and sledai.assessed_at < row.assessed_at:
        yield "pga_after_sledai"
    others = [forms["pga"] for forms in dossier.assessments.values() if "pga" in forms and forms["pga"] is not row]
    earlier = [one for one in others if one.assessed_at < row.assessed_at]
    if earlier and max(earlier, key=lambda one: one.assessed_at).rater_id != row.rater_id:
        yield "another_rater_than_before"


def is_empty(instrument: str, answers: Mapping[str, Any]) -> bool:
    """Whether a form of lupus activity says nothing at all: what was not done is said too."""
    if instrument == "sledai2k":
        return answers.get("present") is None
    if instrument == "pga":
        return answers.get("scale") is None  # with a scale and no value it was asked for and not done
    return not any(_is_answered(system) for system in (answers.get("systems") or {}).values())


def _is_answered(system: Mapping[str, Any]) -> bool:
    said = [
        system.get("unlisted_items"),
        *(system.get("items") or {}).values(),
        *(system.get("current") or {}).values(),
    ]
    return any(one is not None for one in said)
