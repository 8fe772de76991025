"""One planned visit or diary slot, its identity and its status. Pure.

Times (aware UTC, or None while the anchor is unknown: "not dated"): opens_at ≤ due_at ≤ late_at ≤ closes_at.
A slot answered at or after late_at is late; a visit attended at or after closes_at is late.
"""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID, uuid5

# Reasons that are no shortcoming of anybody: nothing was expected.
NOT_APPLICABLE = ("ended", "not_in_order", "before_enrolment", "before_amendment", "amended", "cancelled")
STATUSES = ("not_dated", "not_yet", "open", "due", "done", "late", "overdue", "missed", "excused", "not_applicable")


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One planned visit or one form of one slot.

    A planned visit keeps its window as the study has it, whatever was agreed: `target_on` within
    [`earliest_on`, `latest_on`], site-local dates. `edition`: which of the subject's revisions it follows, from 0.
    """

    id: UUID
    kind: str  # visit, slot
    key: str  # visit key or form key
    day: int | None
    opens_at: datetime | None = None
    due_at: datetime | None = None
    late_at: datetime | None = None
    closes_at: datetime | None = None
    appointment_at: datetime | None = None
    satisfied_by: UUID | None = None
    satisfied_at: datetime | None = None
    missed: bool = False
    excused: str | None = None
    announced: bool = True
    target_on: date | None = None
    earliest_on: date | None = None
    latest_on: date | None = None
    edition: int = 0


def visit_id(subject_id: UUID, key: str) -> UUID:
    return uuid5(subject_id, f"visit:{key}")


def slot_id(subject_id: UUID, form: str, day: date, at: str) -> UUID:
    """`at` is the clock time as HH:MM."""
    return uuid5(subject_id, f"slot:{form}:{day.isoformat()}T{at}")


def settled(occurrence: Occurrence) -> str | None:
    """The status where no clock changes it any more, else None."""
    one = occurrence
    if one.satisfied_at is not None:
        limit = one.late_at if one.kind == "slot" else one.closes_at
        return "late" if limit is not None and one.satisfied_at >= limit else "done"
    if one.excused is not None:
        return "not_applicable" if one.excused in NOT_APPLICABLE else "excused"
    if one.missed:
        return "missed"
    return "not_dated" if one.closes_at is None else None


def status(occurrence: Occurrence, now: datetime) -> str:
    """One of STATUSES. The deadline shown is the deadline enforced: nothing else decides it.

    `backend.agenda.status_at` says the same in SQL; a property test holds the two together.
    """
    final = settled(occurrence)
    if final is not None:
        return final
    for limit, name in _turns(occurrence):
        if now < limit:
            return name
    return "missed"


def turns_at(occurrence: Occurrence, now: datetime) -> datetime | None:
    """The next instant at which the clock alone changes the status; None if nothing more does."""
    if settled(occurrence) is not None:
        return None
    return next((limit for limit, _ in _turns(occurrence) if now < limit), None)


def _turns(one: Occurrence) -> tuple[tuple[datetime, str], ...]:
    """Until when it is what, in order."""
    assert one.opens_at is not None
    assert one.due_at is not None
    assert one.late_at is not None
    assert one.closes_at is not None
    return ((one.opens_at, "not_yet"), (one.due_at, "open"), (one.late_at, "due"), (one.closes_at, "overdue"))
