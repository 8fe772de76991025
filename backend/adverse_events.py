"""Adverse events: recorded, judged by doctors, corrected by a further revision; the clock of serious ones; the table.

A person gives every grade. CRS and ICANS are graded on ASTCT 2019, everything else on the study's CTCAE version.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from backend import audit, clock, records, studies
from backend.db import db
from backend.dossiers import Dossier
from backend.errors import Problem, fault, invalid
from backend.models.findings import AdverseEvent
from backend.models.people import Account
from backend.models.safety import Episode
from backend.models.subject import Subject
from backend.strictjson import canonical
from schedules.faults import Fault

SERIOUS_WITHIN = timedelta(hours=24)
CTCAE, ASTCT = "CTCAE", "ASTCT2019"
ON_ASTCT = ("crs", "icans")
SOCS = (
    "blood",
    "cardiac",
    "congenital",
    "ear",
    "endocrine",
    "eye",
    "gastrointestinal",
    "general",
    "hepatobiliary",
    "immune",
    "infections",
    "injury",
    "investigations",
    "metabolism",
    "musculoskeletal",
    "neoplasms",
    "nervous_system",
    "pregnancy",
    "psychiatric",
    "renal",
    "reproductive",
    "respiratory",
    "skin",
    "social",
    "surgical",
    "vascular",
)
SERIOUSNESS = (
    "death",
    "life_threatening",
    "hospitalisation",
    "disability",
    "congenital_anomaly",
    "important_medical_event",
)
NOT_ASSESSED = "not_assessed"
RELATIONS = (NOT_ASSESSED, "not_related", "unlikely", "possible", "probable", "definite")
RELATED = ("possible", "probable", "definite")
ACTIONS = ("none", "treated", "hospitalised", "infusion_interrupted", "infusion_stopped", "other")
OUTCOMES = ("ongoing", "recovering", "recovered", "recovered_with_sequelae", "not_recovered", "fatal", "unknown")
DLT = ("no", "suspected", "confirmed")
SPECIAL_INTEREST = (
    *ON_ASTCT,
    "iec_hs",
    "licats",
    "serious_infection",
    "prolonged_cytopenia",
    "hypogammaglobulinaemia",
    "flare",
    "secondary_malignancy",
)
_JUDGED = ("related_product", "related_lymphodepletion", "related_procedure")
SAID = (
    "term",
    "soc",
    "grade",
    "onset_at",
    "ended_at",
    "serious",
    "seriousness",
    "serious_known_at",
    "reported_at",
    *_JUDGED,
    "action",
    "outcome",
    "dlt",
    "special_interest",
    "episode_id",
    "note",
)


def record(subject_id: UUID, content: Mapping[str, Any], by: Account, *, judges: bool) -> tuple[AdverseEvent, bool]:
    """A new adverse event, or with the id of one that holds the same, that one. (row, whether it is new).

    `content`: id and SAID. `judges`: whether the person may judge relation and dose-limiting toxicity.
    """
    subject = records.open_subject(subject_id)
    known = revisions(content["id"])
    if known:
        first, said = known[0], _of(content)
        if content.get("serious_known_at") is None:
            said["serious_known_at"] = first.serious_known_at  # it was set when the event first came
        if first.subject_id != subject.id or canonical(_said(first)) != canonical(said):
            raise Problem("id_taken")
        return known[-1], False
    return _write(subject, content["id"], content, None, by, judges=judges), True


def correct(event_id: UUID, content: Mapping[str, Any], by: Account, *, judges: bool) -> AdverseEvent:
    """A further revision with a reason: whatever of SAID is given, or `void`."""
    last = _last(event_id)
    if last is None:
        raise Problem("not_found")
    subject = records.open_subject(last.subject_id)
    last = _last(event_id)
    assert last is not None  # rows are never deleted
    if not content.get("reason"):
        raise fault("/reason", "required", "a correction needs a reason")
    said = {**_said(last), **content}
    if said["serious"] and said["serious_known_at"] is None:
        said["serious_known_at"] = last.serious_known_at  # an event that stays serious has been known since then
    return _write(subject, event_id, said, last, by, judges=judges)


def of_event(event_id: UUID) -> AdverseEvent:
    """The revision that holds; 404 if there is none."""
    row = _last(event_id)
    if row is None:
        raise Problem("not_found")
    return row


def revisions(event_id: UUID) -> list[AdverseEvent]:
    """Every revision, oldest first."""
    rows = sa.select(AdverseEvent).where(AdverseEvent.event_id == event_id)
    return list(db.session.scalars(rows.order_by(AdverseEvent.revision)))


def _last(event_id: UUID) -> AdverseEvent | None:
    rows = sa.select(AdverseEvent).where(AdverseEvent.event_id == event_id)
    return db.session.scalars(
        rows.order_by(AdverseEvent.revision.desc()).limit(1).execution_options(populate_existing=True)
    ).first()


def _said(row: AdverseEvent) -> dict[str, Any]:
    return {name: getattr(row, name) for name in SAID}


def _of(content: Mapping[str, Any]) -> dict[str, Any]:
    said = {name: content.get(name) for name in SAID}
    said["seriousness"] = sorted(set(said["seriousness"] or ()))
    if said["serious"] and said["serious_known_at"] is None:
        said["serious_known_at"] = clock.now()
    return said


def _write(
    subject: Subject,
    event_id: UUID,
    content: Mapping[str, Any],
    last: AdverseEvent | None,
    by: Account,
    *,
    judges: bool,
) -> AdverseEvent:
    said = _of(content)
    study = studies.in_force(subject)
    faults = list(_faults(subject, said))
    if faults:
        raise invalid(*faults)
    before = _said(last) if last is not None else {**dict.fromkeys(_JUDGED, NOT_ASSESSED), "dlt": "no"}
    judged = any(said[name] != before[name] for name in _JUDGED)
    decided = said["dlt"] != before["dlt"] and (before["dlt"], said["dlt"]) != ("no", "suspected")
    released = bool(content.get("void")) and before["dlt"] != "no"
    if not judges and (judged or decided or released):
        raise Problem("forbidden", "relation and dose-limiting toxicity are an investigator's to judge")
    on_astct = said["special_interest"] in ON_ASTCT
    row = AdverseEvent(
        id=uuid4(),
        event_id=event_id,
        revision=(last.revision if last else 0) + 1,
        subject_id=subject.id,
        site_id=subject.site_id,
        scale=ASTCT if on_astct else CTCAE,
        scale_version="2019" if on_astct else str(study.analysis.get("ctcae_version", "5.0")),
        void=bool(content.get("void", last.void if last is not None else False)),
        reason=content.get("reason"),
        recorded_at=clock.now(),
        recorded_by=by.id,
        **said,
    )
    db.session.add(row)
    db.session.flush()
    audit.record(
        "adverse_event:corrected" if last else "adverse_event:recorded",
        "adverse_event",
        event_id,
        subject_id=subject.id,
        old=before if last else None,
        new={**said, "void": row.void},
        reason=row.reason,
    )
    return row


def _faults(subject: Subject, said: Mapping[str, Any]) -> Any:
    now = clock.now() + clock.TOLERANCE
    for name in ("onset_at", "ended_at", "serious_known_at", "reported_at"):
        if said[name] is not None and said[name] > now:
            yield Fault(f"/{name}", "in_the_future", "what has happened cannot lie in the future")
    if said["ended_at"] is not None and said["ended_at"] < said["onset_at"]:
        yield Fault("/ended_at", "out_of_order", "it ends before it begins")
    if said["serious"] != bool(said["seriousness"]):
        yield Fault("/seriousness", "required" if said["serious"] else "not_allowed", "serious by which criterion")
    if not said["serious"] and (said["serious_known_at"] or said["reported_at"]):
        yield Fault("/reported_at", "not_allowed", "only a serious event is reported")
    if (said["grade"] == 5) != (said["outcome"] == "fatal"):
        yield Fault("/outcome", "contradiction", "grade 5 is a fatal event, and no other is")
    if said["outcome"] in ("recovered", "recovered_with_sequelae", "fatal") and said["ended_at"] is None:
        yield Fault("/ended_at", "required", "when it ended")
    if said["outcome"] in ("ongoing", "recovering", "not_recovered") and said["ended_at"] is not None:
        yield Fault("/ended_at", "contradiction", "it has not ended")
    if said["episode_id"] is not None:
        episode = db.session.get(Episode, said["episode_id"])
        if episode is None or episode.subject_id != subject.id:
            yield Fault("/episode_id", "not_allowed", "no such episode of this subject")


def report_due_at(row: AdverseEvent) -> datetime | None:
    """By when a serious event must be reported; None once it was, and of any other."""
    if not row.serious or row.serious_known_at is None or row.reported_at is not None:
        return None
    return row.serious_known_at + SERIOUS_WITHIN


# --- The table ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """One term in one dose level: subjects by their worst grade, events, serious and related ones."""

    dose_level: str
    soc: str
    term: str
    subjects: int
    events: int
    by_grade: Mapping[int, int]
    serious: int
    related: int
    dlt: int


def within(dossier: Dossier, from_day: int, to_day: int) -> list[AdverseEvent]:
    """The subject's events that began on study days [from_day, to_day], by onset; none before infusion."""
    days = ((row, dossier.day(row.onset_at)) for row in dossier.events)
    return [row for row, day in days if day is not None and from_day <= day <= to_day]


def table(some: Sequence[Dossier], from_day: int, to_day: int) -> list[Line]:
    """Types, frequency and severity of what began on study days [from_day, to_day] in infused subjects."""
    groups: dict[tuple[str, str, str], list[AdverseEvent]] = defaultdict(list)
    for one in some:
        for row in within(one, from_day, to_day):
            groups[(one.subject.dose_level, row.soc, row.term)].append(row)
    return [_line(key, rows) for key, rows in sorted(groups.items())]


def _line(key: tuple[str, str, str], rows: Sequence[AdverseEvent]) -> Line:
    worst: dict[UUID, int] = {}
    for row in rows:
        worst[row.subject_id] = max(worst.get(row.subject_id, 0), row.grade)
    level, soc, term = key
    return Line(
        dose_level=level,
        soc=soc,
        term=term,
        subjects=len(worst),
        events=len(rows),
        by_grade={grade: list(worst.values()).count(grade) for grade in range(1, 6)},
        serious=sum(row.serious for row in rows),
        related=sum(row.related_product in RELATED for row in rows),
        dlt=sum(row.dlt == "confirmed" for row in rows),
    )
