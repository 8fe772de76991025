"""What is recorded of subjects, gathered for scores and outcomes: as it stands, or as it stood at `as_of`. Reads only.

A constant number of queries for any number of subjects as it stands; as it stood, the calendar is computed anew for
each. What was recorded after `as_of` is left out, so that any earlier snapshot comes out the same again.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend import agenda, chronicle, escalation, studies
from backend.analysis import treatment as treatments
from backend.analysis.response import Visit
from backend.analysis.selection import Value, nearest
from backend.chronicle import Fact
from backend.db import db
from backend.instruments import sledai2k
from backend.instruments.bilag_items import SYSTEMS
from backend.instruments.logic import Reading
from backend.models.calendar import Occurrence
from backend.models.clinical import Measurement, Medication
from backend.models.findings import AdverseEvent, Assessment
from backend.models.study import Site
from backend.models.subject import Subject
from schedules.history import INFUSION, Anchor
from schedules.protocol.definition import Study
from schedules.windows import end_of_day, local_date, start_of_day

LYMPHODEPLETION = "lymphodepletion"
_UNPLANNED = timedelta(days=3)  # how far from a visit outside the plan a value may lie to stand for it
NOT_SYSTEMIC = ("topical", "inhaled", "intra_articular", "ophthalmic")


@dataclass(frozen=True, slots=True)
class Slot:
    """A visit in the calendar: its window as instants, whether it took place, was missed or does not apply."""

    id: UUID
    key: str
    opens_at: datetime | None
    closes_at: datetime | None
    attended_at: datetime | None
    missed: bool
    excused: str | None
    planned: bool


@dataclass(frozen=True, slots=True)
class Dossier:
    """One subject: `visits` are those with something scored or attended, in order of time."""

    subject: Subject
    study: Study
    zone: str
    anchors: Mapping[str, Anchor]
    ended: Fact | None
    slots: tuple[Slot, ...]
    assessments: Mapping[UUID, Mapping[str, Assessment]]
    values: Mapping[str, tuple[Value, ...]]
    not_done: tuple[Measurement, ...]
    medications: tuple[treatments.Medication, ...]
    events: tuple[AdverseEvent, ...]  # that stand, by onset
    visits: tuple[Visit, ...]

    @property
    def infused_at(self) -> datetime | None:
        anchor = self.anchors.get(INFUSION)
        return anchor.actual_at if anchor else None

    @property
    def treated_at(self) -> datetime | None:
        """When treatment began: what was found before it is the baseline."""
        begun = (self.anchors.get(kind) for kind in (LYMPHODEPLETION, INFUSION))
        return next((anchor.actual_at for anchor in begun if anchor is not None and anchor.actual_at is not None), None)

    @property
    def registered_systems(self) -> tuple[str, ...]:
        """The BILAG systems that the registration means; all nine until its sponsor has named the eight."""
        return tuple(self.study.analysis.get("bilag2004_registration_systems", SYSTEMS))

    def day(self, at: datetime) -> int | None:
        """The study day of an instant."""
        if self.infused_at is None:
            return None
        return (local_date(at, self.zone) - local_date(self.infused_at, self.zone)).days

    def slot(self, visit_id: UUID) -> Slot:
        return next(slot for slot in self.slots if slot.id == visit_id)


def dossier_of(subject: Subject, as_of: datetime | None = None) -> Dossier:
    """One subject's."""
    return dossiers([subject], as_of)[0]


def dossiers(subjects: Sequence[Subject], as_of: datetime | None = None) -> list[Dossier]:
    """Those of several subjects, in their order."""
    ids = [subject.id for subject in subjects]
    zones = {
        row.id: row.time_zone
        for row in db.session.execute(
            sa.select(Site.id, Site.time_zone).where(Site.id.in_({subject.site_id for subject in subjects}))
        )
    }
    known = chronicle.facts_of_each(ids, as_of)
    assessments = _assessments(ids, as_of)
    values, not_done = _values(ids, as_of)
    medications = _medications(ids, as_of)
    slots = _slots(subjects, zones, as_of)
    events: dict[UUID, list[AdverseEvent]] = defaultdict(list)
    for row in escalation.standing(ids, as_of):
        events[row.subject_id].append(row)
    return [
        _dossier(
            one, as_of, zones[one.site_id], known[one.id], slots, assessments, values, not_done, medications, events
        )
        for one in subjects
    ]


def _dossier(
    subject: Subject,
    as_of: datetime | None,
    zone: str,
    known: tuple[Fact, ...],
    slots: Mapping[UUID, list[Slot]],
    assessments: Mapping[UUID, Mapping[UUID, Mapping[str, Assessment]]],
    values: Mapping[UUID, Mapping[str, tuple[Value, ...]]],
    not_done: Mapping[UUID, list[Measurement]],
    medications: Mapping[UUID, list[Medication]],
    events: Mapping[UUID, list[AdverseEvent]],
) -> Dossier:
    study = studies.in_force(subject, as_of)
    bare = Dossier(
        subject=subject,
        study=study,
        zone=zone,
        anchors=chronicle.anchors(known, study.anchor_events),
        ended=chronicle.ending(known),
        slots=tuple(slots.get(subject.id, ())),
        assessments=assessments.get(subject.id, {}),
        values=values.get(subject.id, {}),
        not_done=tuple(not_done.get(subject.id, ())),
        medications=tuple(_regimen(study, zone, row) for row in medications.get(subject.id, ())),
        events=tuple(events.get(subject.id, ())),
        visits=(),
    )
    found = [one for slot in bare.slots if (one := visit_of(bare, slot)) is not None]
    ordered = tuple(sorted(found, key=lambda visit: (visit.at, visit.key, str(visit.id))))
    return Dossier(
        **{name: getattr(bare, name) for name in Dossier.__dataclass_fields__ if name != "visits"}, visits=ordered
    )


def visit_of(
    dossier: Dossier,
    slot: Slot,
    instead: Mapping[str, Mapping[str, Any]] | None = None,
    instead_at: datetime | None = None,
) -> Visit | None:
    """The visit of a slot with its answers, values and treatment; None where nothing took place.

    `instead`: answers assessed at `instead_at` that take the place of what is stored, for a preview.
    """
    rows = dossier.assessments.get(slot.id, {})
    answers = {**{name: row.answers for name, row in rows.items()}, **(instead or {})}
    assessed = {**{name: row.assessed_at for name, row in rows.items()}, **dict.fromkeys(instead or {}, instead_at)}
    at = slot.attended_at or min((when for when in assessed.values() if when is not None), default=None)
    if at is None:
        return None
    return Visit(
        id=slot.id,
        key=slot.key,
        day=dossier.day(at),
        at=at,
        answers=answers,
        labs=labs_of(dossier, slot, at),
        units={code: measure.unit for code, measure in dossier.study.measures.items()},
        treatment=treatment_at(
            dossier, at, reviewed=bool((answers.get("treatment") or {}).get("medications_reviewed"))
        ),
        asked=asked_about(dossier, at),
    )


def labs_of(dossier: Dossier, slot: Slot, at: datetime) -> Mapping[str, Value]:
    """Of each measurement the value nearest to the visit inside its window."""
    opens, closes = slot.opens_at, slot.closes_at
    if not slot.planned or opens is None or closes is None:
        opens, closes = at - _UNPLANNED, at + _UNPLANNED
    chosen = {code: nearest(some, at, opens, closes) for code, some in dossier.values.items()}
    return {code: value for code, value in chosen.items() if value is not None}


def asked_about(dossier: Dossier, at: datetime) -> tuple[str, ...]:
    """Descriptors that treatment may explain at that time, so that their cause must be said.

    Fever in the weeks of CRS; low counts from lymphodepletion on until they have been seen recovered.
    """
    begun, settings = dossier.treated_at, dossier.study.analysis
    if begun is None or at <= begun:
        return ()
    day = dossier.day(at)
    found = []
    if day is None or day <= int(settings.get("fever_attribution_to_day", 30)):
        found.append("fever")
    early = day is None or day < int(settings.get("count_recovery_from_day", 28))
    limits = {
        "leukopenia": ("wbc", sledai2k.WBC_1E9_PER_L),
        "thrombocytopenia": ("platelets", sledai2k.PLATELETS_1E9_PER_L),
    }
    for descriptor, (code, limit) in limits.items():
        before = [value for value in dossier.values.get(code, ()) if begun <= value.at < at]
        last = before[-1] if before else None
        if early or last is None or last.reading.below(limit) is not False:
            found.append(descriptor)
    return tuple(found)


def treatment_at(dossier: Dossier, at: datetime, *, reviewed: bool) -> treatments.Treatment:
    """What was taken at a visit. Rescue treatment counts from the beginning of treatment on."""
    settings = dossier.study.analysis
    since = dossier.treated_at or at
    return treatments.treatment_on(
        local_date(at, dossier.zone),
        dossier.medications,
        reviewed=reviewed,
        average_days=int(settings.get("steroid_averaging_days", 7)),
        stable_days=int(settings.get("stable_treatment_days", 28)),
        since=local_date(since, dossier.zone),
    )


def _regimen(study: Study, zone: str, row: Medication) -> treatments.Medication:
    drug = study.drugs[row.drug]
    per_day: Fraction | None = None
    if row.dose_mg is not None and row.times_per_day is not None:
        per_day = Fraction(row.dose_mg) * Fraction(row.times_per_day) / Fraction(row.every_days or 1)
    return treatments.Medication(
        id=row.id,
        drug=row.drug,
        drug_class=drug.drug_class,
        since=local_date(row.started_at, zone),
        until=local_date(row.stopped_at, zone) if row.stopped_at is not None else None,
        mg_per_day=per_day,
        prednisolone_per_mg=drug.prednisolone_per_mg,
        systemic=row.route not in NOT_SYSTEMIC,
        rescue=row.rescue,
    )


# --- Rows, as they stand or stood -----------------------------------------------------------------------------


def _assessments(ids: Sequence[UUID], as_of: datetime | None) -> Mapping[UUID, dict[UUID, dict[str, Assessment]]]:
    rows = db.session.scalars(
        sa.select(Assessment)
        .where(Assessment.subject_id.in_(ids), chronicle.known_by(Assessment, as_of))
        .order_by(Assessment.revision)
    )
    found: dict[UUID, dict[UUID, dict[str, Assessment]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        found[row.subject_id][row.visit_id][row.instrument] = row
    return found


def _standing(table: Any, ids: Sequence[UUID], as_of: datetime | None) -> sa.Select[Any]:
    """Rows of a table corrected by further rows that no known row corrects."""
    corrected = sa.select(table.corrects_id).where(
        table.subject_id.in_(ids), table.corrects_id.is_not(None), chronicle.known_by(table, as_of)
    )
    known = chronicle.known_by(table, as_of)
    return sa.select(table).where(table.subject_id.in_(ids), known, table.id.not_in(corrected))


def _values(
    ids: Sequence[UUID], as_of: datetime | None
) -> tuple[Mapping[UUID, Mapping[str, tuple[Value, ...]]], Mapping[UUID, list[Measurement]]]:
    """Values by code in order of collection, and what was recorded as not done."""
    rows = db.session.scalars(
        _standing(Measurement, ids, as_of).order_by(Measurement.collected_at, Measurement.recorded_at, Measurement.id)
    )
    found: dict[UUID, dict[str, list[Value]]] = defaultdict(lambda: defaultdict(list))
    not_done: dict[UUID, list[Measurement]] = defaultdict(list)
    for row in rows:
        if row.not_done or row.value is None:
            not_done[row.subject_id].append(row)
            continue
        reading = Reading(row.value, row.qualifier)
        found[row.subject_id][row.code].append(Value(row.id, row.code, row.collected_at, reading, row.lln, row.uln))
    return {key: {code: tuple(some) for code, some in codes.items()} for key, codes in found.items()}, not_done


def _medications(ids: Sequence[UUID], as_of: datetime | None) -> Mapping[UUID, list[Medication]]:
    found: dict[UUID, list[Medication]] = defaultdict(list)
    for row in db.session.scalars(_standing(Medication, ids, as_of).order_by(Medication.started_at, Medication.id)):
        found[row.subject_id].append(row)
    return found


def _slots(subjects: Sequence[Subject], zones: Mapping[UUID, str], as_of: datetime | None) -> Mapping[UUID, list[Slot]]:
    """The visits of each calendar, by their place in it."""
    found: dict[UUID, list[Slot]] = defaultdict(list)
    zone_of = {subject.id: zones[subject.site_id] for subject in subjects}
    for subject_id, one in _calendar(subjects, as_of):
        zone = zone_of[subject_id]
        found[subject_id].append(
            Slot(
                id=one.id,
                key=one.key,
                opens_at=_begins(one.earliest_on, zone),
                closes_at=_ends(one.latest_on, zone),
                attended_at=one.satisfied_at if not one.missed else None,
                missed=one.missed,
                excused=one.excused,
                planned=one.earliest_on is not None,
            )
        )
    return found


def _calendar(subjects: Sequence[Subject], as_of: datetime | None) -> Iterable[tuple[UUID, Any]]:
    if as_of is not None:
        for subject in subjects:
            for one in agenda.plan_of(subject, as_of).occurrences():
                if one.kind == "visit":
                    yield subject.id, one
        return
    rows = db.session.scalars(
        sa.select(Occurrence)
        .where(Occurrence.subject_id.in_([subject.id for subject in subjects]), Occurrence.kind == "visit")
        .order_by(Occurrence.listed_at, Occurrence.key, Occurrence.id)
    )
    for row in rows:
        yield row.subject_id, row


def _begins(day: date | None, zone: str) -> datetime | None:
    return start_of_day(day, zone) if day is not None else None


def _ends(day: date | None, zone: str) -> datetime | None:
    return end_of_day(day, zone) if day is not None else None
