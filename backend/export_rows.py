"""The rows of the dataset as they stand or stood at `as_of`. Reads only.

No contact data: people of the trial appear by subject number, members of staff by the id of their account. Rows are
in a fixed order and cells in one spelling, so that equal content is equal text.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend import agenda, outcomes
from backend.analysis import response
from backend.db import db
from backend.dossiers import Dossier
from backend.models.capture import Entry, EntryVersion
from backend.models.record import AuditEvent
from backend.models.safety import Episode
from backend.models.study import Site
from backend.strictjson import canonical, instant_text

Cells = Sequence[Any]


EVENT = (
    "subject",
    "event_id",
    "revision",
    "term",
    "soc",
    "scale",
    "scale_version",
    "grade",
    "onset_at",
    "ended_at",
    "serious",
    "seriousness",
    "serious_known_at",
    "reported_at",
    "related_product",
    "related_lymphodepletion",
    "related_procedure",
    "action",
    "outcome",
    "dlt",
    "special_interest",
    "episode_id",
    "recorded_at",
)
TRAIL = (
    "subject",
    "seq",
    "at",
    "actor_id",
    "actor_role",
    "verb",
    "entity",
    "entity_id",
    "old",
    "new",
    "reason",
    "previous",
    "hash",
    "key_id",
)


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose rows, and as of when: the dossiers carry what is computed."""

    dossiers: Sequence[Dossier]
    as_of: datetime | None

    @property
    def ids(self) -> list[UUID]:
        return [one.subject.id for one in self.dossiers]

    def number(self, subject_id: UUID) -> str:
        return next(one.subject.number for one in self.dossiers if one.subject.id == subject_id)


def cell(value: Any) -> str:
    """One spelling for each value: nothing for the unknown, RFC 3339 in UTC, decimals with their digits."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return instant_text(value)
    if isinstance(value, str | int | Decimal | UUID):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    return canonical(value)


def stored(
    table: Any, names: Sequence[str], order: Sequence[str], recorded: str = "recorded_at"
) -> Callable[[Scope], Iterator[Cells]]:
    """Every row of an append-only table of the subjects, those recorded by `as_of`, in order of number."""

    def rows(scope: Scope) -> Iterator[Cells]:
        for subject_id in scope.ids:
            wanted = sa.select(table).where(table.subject_id == subject_id)
            if scope.as_of is not None:
                wanted = wanted.where(getattr(table, recorded) <= scope.as_of)
            for row in db.session.scalars(wanted.order_by(*(getattr(table, name) for name in order))):
                yield (scope.number(subject_id), *(getattr(row, name) for name in names))

    return rows


def subjects(scope: Scope) -> Iterator[Cells]:
    sites = {row.id: row.code for row in db.session.scalars(sa.select(Site))}
    changed = _changed_since(scope)
    for one in scope.dossiers:
        subject, before = one.subject, changed.get(one.subject.id, {})
        yield (
            subject.number,
            sites[subject.site_id],
            subject.id,
            before.get("dose_level", subject.dose_level),
            subject.year_of_birth,
            subject.enrolled_at,
            one.treated_at,
            one.infused_at,
            one.ended.kind if one.ended else None,
            one.ended.actual_at if one.ended else None,
            before.get("prior_organs", subject.prior_organs),
            one.study.sha256,
        )


def _changed_since(scope: Scope) -> Mapping[UUID, dict[str, Any]]:
    """What a subject's changeable columns were at `as_of`: the old value of the first change after it."""
    if scope.as_of is None:
        return {}
    rows = db.session.scalars(
        sa.select(AuditEvent)
        .where(
            AuditEvent.chain.in_([str(one) for one in scope.ids]),
            AuditEvent.verb == "subject:changed",
            AuditEvent.at > scope.as_of,
        )
        .order_by(AuditEvent.chain, AuditEvent.seq)
    )
    found: dict[UUID, dict[str, Any]] = {}
    for row in rows:
        for name, value in (row.old or {}).items():
            found.setdefault(UUID(row.chain), {}).setdefault(name, value)
    return found


def visits(scope: Scope) -> Iterator[Cells]:
    for one in scope.dossiers:
        planned = [v for v in agenda.plan_of(one.subject, scope.as_of).occurrences() if v.kind == "visit"]
        for visit in sorted(planned, key=lambda v: (v.due_at is None, v.due_at, v.key, str(v.id))):
            yield (
                one.subject.number,
                visit.id,
                visit.key,
                visit.target_on,
                visit.earliest_on,
                visit.latest_on,
                visit.appointment_at,
                None if visit.missed else visit.satisfied_at,
                visit.missed,
                visit.excused,
            )


def entries(scope: Scope) -> Iterator[Cells]:
    for subject_id in scope.ids:
        wanted = (
            sa.select(Entry, EntryVersion)
            .join(EntryVersion, EntryVersion.entry_id == Entry.id)
            .where(Entry.subject_id == subject_id, Entry.practice.is_(False))
        )
        if scope.as_of is not None:
            wanted = wanted.where(EntryVersion.received_at <= scope.as_of)
        for entry, version in db.session.execute(wanted.order_by(Entry.created_at, Entry.id, EntryVersion.revision)):
            yield (
                scope.number(subject_id),
                entry.id,
                version.revision,
                entry.form,
                entry.source,
                version.reporter,
                version.measured_at,
                version.entered_at,
                version.received_at,
                version.effective_at,
                version.skew_s,
                version.time_zone,
                version.answers,
                version.score,
                version.reason,
            )


def scores(scope: Scope) -> Iterator[Cells]:
    for one in scope.dossiers:
        for scored in response.score_all(one.visits, {}):
            visit = scored.visit
            for instrument, component, value in _components(scored):
                yield (one.subject.number, visit.id, visit.key, visit.day, visit.at, instrument, component, value)


def _components(scored: response.Scored) -> Iterator[tuple[str, str, Any]]:
    if scored.sledai is not None:
        yield "sledai2k", "sledai_2k", scored.sledai.sledai_2k
        yield "sledai2k", "clinical_sledai", scored.sledai.clinical_sledai
        yield "sledai2k", "minimum_known_score", scored.sledai.minimum_known_score
        yield "sledai2k", "present", sorted(scored.present or ())
        yield "sledai2k", "not_assessed", sorted(scored.not_assessed)
    if scored.pga is not None:
        yield "pga", "pga", scored.pga
    for system, graded in (scored.bilag or {}).items():
        yield "bilag2004", system, graded.grade
        yield "bilag2004", f"{system}_incomplete", graded.incomplete
        yield "bilag2004", f"{system}_worst", graded.worst
    if "treatment" in scored.visit.answers:
        treatment = scored.visit.treatment
        yield "treatment", "steroid_mg", treatment.steroid_mg
        yield "treatment", "steroid_at_least", treatment.steroid_at_least
        yield "treatment", "immunosuppressant_or_biologic", treatment.immunosuppressant_or_biologic
        yield "treatment", "within_maintenance", treatment.within_maintenance
        yield "treatment", "rescue", treatment.rescue


def episodes(scope: Scope) -> Iterator[Cells]:
    """As they stood: the level of the signals known by then, an outcome only if it was closed by then."""
    for subject_id in scope.ids:
        rows = sa.select(Episode).where(Episode.subject_id == subject_id)
        if scope.as_of is not None:
            rows = rows.where(Episode.opened_at <= scope.as_of)
        for row in db.session.scalars(rows.order_by(Episode.opened_at, Episode.id)):
            closed = row.closed_at is not None and (scope.as_of is None or row.closed_at <= scope.as_of)
            said = (row.closed_at, row.outcome, row.crs_grade, row.icans_grade) if closed else (None,) * 4
            yield (scope.number(subject_id), row.id, row.page_number, row.opened_at, *said)


def outcome_rows(scope: Scope) -> Iterator[Cells]:
    for one in scope.dossiers:
        for result in outcomes.outcomes_of(one, scope.as_of):
            yield (
                one.subject.number,
                one.subject.dose_level,
                result.outcome,
                result.measure,
                result.primary,
                result.time_point,
                result.visit_id,
                result.day,
                result.status,
                result.value,
                result.imputed,
                result.detail,
                [{"rule": reason.rule, "values": dict(reason.values)} for reason in result.reasons],
                [asdict(one_input) for one_input in result.inputs],
            )


def events(scope: Scope) -> Iterator[Cells]:
    for one in scope.dossiers:
        for row in one.events:
            yield (one.subject.number, row.event_id, *(getattr(row, name) for name in EVENT[2:]))


def trail(scope: Scope) -> Iterator[Cells]:
    for subject_id in scope.ids:
        rows = sa.select(AuditEvent).where(AuditEvent.chain == str(subject_id))
        if scope.as_of is not None:
            rows = rows.where(AuditEvent.at <= scope.as_of)
        for row in db.session.scalars(rows.order_by(AuditEvent.seq)):
            yield (scope.number(subject_id), *(getattr(row, name) for name in TRAIL[1:]))
