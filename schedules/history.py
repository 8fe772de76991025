"""The facts of one subject that its calendar depends on. Pure values; all instants are aware UTC.

What they mean for visits is in `visits`, for the diary in `slots`; where they are stored is not known here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from schedules.protocol.definition import Study
from schedules.windows import ZoneHistory

INFUSION = "infusion"


@dataclass(frozen=True, slots=True)
class Anchor:
    """An anchor event: planned, actual, or both. `known_since`: when the actual time was first recorded."""

    event_id: UUID
    planned_at: datetime | None = None
    actual_at: datetime | None = None
    known_since: datetime | None = None

    @property
    def at(self) -> datetime | None:
        return self.actual_at or self.planned_at


@dataclass(frozen=True, slots=True)
class Stay:
    """A stay in hospital; `until` None while it lasts. `passes`: out of the ward from, to (None: not back yet)."""

    since: datetime
    until: datetime | None
    passes: tuple[tuple[datetime, datetime | None], ...] = ()

    def holds(self, at: datetime) -> bool:
        """Whether the subject was in the ward at that instant: within the stay and not on a pass."""
        if at < self.since or (self.until is not None and at >= self.until):
            return False
        return not any(out <= at and (back is None or at < back) for out, back in self.passes)


@dataclass(frozen=True, slots=True)
class Excuse:
    """A span in which no report is expected, and why; `until` None while it lasts."""

    since: datetime
    until: datetime | None
    reason: str  # device_lost, other

    def holds(self, at: datetime) -> bool:
        return self.since <= at and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True)
class Answered:
    """An entry as far as the calendar cares: which form, effective when, for which slot it was meant."""

    entry_id: UUID
    form: str
    at: datetime
    claimed_slot: UUID | None = None


@dataclass(frozen=True, slots=True)
class Attended:
    """What was recorded of a visit."""

    id: UUID
    at: datetime
    outcome: str  # attended, missed


@dataclass(frozen=True, slots=True)
class Unscheduled:
    """A visit outside the plan; `at` None once it was taken back."""

    id: UUID
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Amendment:
    """From this site-local date on, `study` is the revision in force for the subject."""

    since: date
    study: Study


@dataclass(frozen=True, slots=True)
class Edition:
    """One revision and the site-local dates [since, until) on which it is in force; None is open."""

    number: int
    study: Study
    since: date | None
    until: date | None


@dataclass(frozen=True, slots=True)
class History:
    """The facts of one subject. `stopped` maps diary and visits to an instant; `amendments` ascend by date."""

    subject_id: UUID
    site_zone: str
    zones: ZoneHistory
    enrolled_at: datetime
    anchors: Mapping[str, Anchor] = field(default_factory=dict)
    stays: tuple[Stay, ...] = ()
    excuses: tuple[Excuse, ...] = ()
    stopped: Mapping[str, datetime] = field(default_factory=dict)
    appointments: Mapping[UUID, datetime] = field(default_factory=dict)
    attendances: Mapping[UUID, Attended] = field(default_factory=dict)
    unscheduled: tuple[Unscheduled, ...] = ()
    answered: tuple[Answered, ...] = ()
    amendments: tuple[Amendment, ...] = ()

    def editions(self, enrolled_under: Study) -> Iterator[Edition]:
        """The revisions of this subject, first to last, each with the dates on which it is in force."""
        starts = (None, *(one.since for one in self.amendments))
        ends = (*(one.since for one in self.amendments), None)
        studies = (enrolled_under, *(one.study for one in self.amendments))
        for number, (study, since, until) in enumerate(zip(studies, starts, ends, strict=True)):
            yield Edition(number, study, since, until)

    def latest(self, enrolled_under: Study) -> Study:
        """The last revision decided on, in force or still ahead; every earlier one's vocabulary is in it."""
        return self.amendments[-1].study if self.amendments else enrolled_under
