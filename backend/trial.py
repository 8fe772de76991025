"""The trial's tables: each outcome by time point, dose level and analysis set, with the subjects behind every figure.

Analysis sets: safety (infused), efficacy (infused, with a SLEDAI-2K before treatment), dlt_evaluable (a DLT, or the
DLT window completed).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend import clock, dossiers, escalation, outcomes, studies
from backend.analysis import cohorts, response, statistics
from backend.db import db
from backend.dossiers import Dossier
from backend.models.subject import Subject
from backend.outcomes import RESPONSES
from backend.results import RUNNING, UNKNOWN, Result

SETS = ("safety", "efficacy", "dlt_evaluable")
ALL_LEVELS = "all"


@dataclass(frozen=True, slots=True)
class Row:
    """One result with whose it is."""

    subject_id: UUID
    number: str
    dose_level: str
    result: Result


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure of a table: an outcome's measure at a time point in a dose level (or all), over a set of subjects."""

    outcome: str
    measure: str
    time_point: str | None
    dose_level: str
    primary: bool
    subjects: int
    statuses: Mapping[str, int]
    observed: statistics.Proportion | None
    imputed: statistics.Proportion | None
    summary: Mapping[str, statistics.Summary]
    rows: tuple[Row, ...]


def gathered(site_ids: Sequence[UUID], as_of: datetime | None = None, dose_level: str | None = None) -> list[Dossier]:
    """The dossiers of these sites' subjects, by number; those enrolled by `as_of`."""
    wanted = sa.select(Subject).where(Subject.site_id.in_(site_ids))
    if as_of is not None:
        wanted = wanted.where(Subject.enrolled_at <= as_of)
    if dose_level is not None:
        wanted = wanted.where(Subject.dose_level == dose_level)
    return dossiers.dossiers(db.session.scalars(wanted.order_by(Subject.number, Subject.id)).all(), as_of)


def in_set(some: Iterable[Dossier], name: str, as_of: datetime | None) -> list[Dossier]:
    """Those of an analysis set."""
    infused = [one for one in some if one.infused_at is not None]
    if name == "safety":
        return infused
    if name == "efficacy":
        return [one for one in infused if _has_baseline(one)]
    now = as_of or clock.now()
    return [one for one in infused if cohorts.counts([_member(one)], now, _window(one)).evaluable]


def _has_baseline(dossier: Dossier) -> bool:
    baseline, _ = outcomes.baseline_of(dossier, response.score_all(dossier.visits, {}))
    return baseline is not None and baseline.sledai is not None


def _member(dossier: Dossier) -> cohorts.Member:
    left = dossier.ended.actual_at if dossier.ended is not None else None
    return cohorts.Member(dossier.subject.number, dossier.infused_at, left, escalation.worst_word(dossier.events))


def _window(dossier: Dossier) -> timedelta:
    return timedelta(days=int(dossier.study.analysis.get("dlt_window_days", 28)))


def table(
    some: Sequence[Dossier],
    *,
    outcome: str | None = None,
    time_point: str | None = None,
    as_of: datetime | None = None,
) -> list[Cell]:
    """Every figure, in the order of the study's outcomes and time points; each level, then all together."""
    groups: dict[tuple[str, str, str | None, str], list[Row]] = defaultdict(list)
    for dossier in some:
        subject = dossier.subject
        for result in outcomes.outcomes_of(dossier, as_of):
            if outcome not in (None, result.outcome) or time_point not in (None, result.time_point):
                continue
            row = Row(subject.id, subject.number, subject.dose_level, result)
            for level in (subject.dose_level, ALL_LEVELS):
                groups[(result.outcome, result.measure, result.time_point, level)].append(row)
    return [_cell(key, rows) for key, rows in sorted(groups.items(), key=lambda item: _place(some, item[0]))]


def _place(some: Sequence[Dossier], key: tuple[str, str, str | None, str]) -> tuple[Any, ...]:
    study = some[0].study
    outcome, measure, time_point, level = key
    keys = [one.key for one in study.outcomes]
    visits = [one.key for one in study.visits]
    return (
        keys.index(outcome) if outcome in keys else len(keys),
        measure,
        visits.index(time_point) if time_point in visits else -1,
        level == ALL_LEVELS,
        level,
    )


def _cell(key: tuple[str, str, str | None, str], rows: Sequence[Row]) -> Cell:
    outcome, measure, time_point, level = key
    statuses: dict[str, int] = defaultdict(int)
    for row in rows:
        statuses[row.result.status] += 1
    observed = imputed = None
    if outcome in RESPONSES:
        known = [row.result.value for row in rows if row.result.value is not None]
        filled = [row.result.imputed for row in rows if row.result.imputed is not None]
        observed = statistics.proportion(sum(known), len(known))
        imputed = statistics.proportion(sum(filled), len(filled))
    return Cell(
        outcome=outcome,
        measure=measure,
        time_point=time_point,
        dose_level=level,
        primary=rows[0].result.primary,
        subjects=len(rows),
        statuses=dict(sorted(statuses.items())),
        observed=observed,
        imputed=imputed,
        summary=_summaries(outcome, rows),
        rows=tuple(rows),
    )


# What is summarised of each outcome: name → where it stands in the detail.
_NUMBERS: Mapping[str, tuple[str, ...]] = {
    "adverse_events": ("events", "worst_grade", "serious", "related"),
    "pk": ("cmax", "tmax", "clast", "tlast", "half_life"),
    "b_cells": ("first_day_below", "nadir", "reconstituted_on_day", "last_pct_of_baseline"),
    "cytokines": ("peak", "peak_day", "fold_change"),
}


def _summaries(outcome: str, rows: Sequence[Row]) -> Mapping[str, statistics.Summary]:
    """What still runs is shown and not counted: a peak on day 2 is none yet. Nor are kinetics that only bounds tell."""
    if outcome in RESPONSES:
        return {}
    named: dict[str, list[Decimal]] = defaultdict(list)
    for row in rows:
        if row.result.status == RUNNING or (outcome == "pk" and row.result.status == UNKNOWN):
            continue
        for name, value in _numbers(outcome, row.result):
            named[name].append(value)
    return {name: statistics.summary(values) for name, values in named.items()}


def _numbers(outcome: str, result: Result) -> Iterable[tuple[str, Decimal]]:
    for name in _NUMBERS.get(outcome, ("baseline", "visit", "absolute_change", "percent_change")):
        value = result.detail.get(name)
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            yield name, Decimal(value)
    if outcome == "pk" and result.detail:
        method = result.detail["auc_method"]
        for window, area in result.detail["auc"][method].items():
            if area is not None:
                yield f"auc_{window}", area
        for window, found in result.detail["auc_to_visit"].items():
            if found[method] is not None:
                yield f"auc_{window}_to_visit", found[method]


# --- Cohorts --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cohort:
    """One dose level: counts, what holds it, and the 3+3 row that people decide on."""

    dose_level: str
    cells_per_kg: Decimal
    planned: int
    counts: cohorts.Counts
    next_infusion_earliest: datetime | None
    hold: bool
    reasons: tuple[str, ...]
    three_plus_three: str


def cohorts_of(now: datetime) -> list[Cohort]:
    """Every dose level of the trial, lowest first, over all sites: a level is one, wherever its subjects are."""
    subjects = db.session.scalars(sa.select(Subject).order_by(Subject.infused_at, Subject.number, Subject.id)).all()
    if not subjects:
        return []
    study = studies.in_force(subjects[0])
    dlt = escalation.dlt_of([one.id for one in subjects])
    held = escalation.holds(study, {one.id: one.dose_level for one in subjects})
    window = timedelta(days=int(study.analysis.get("dlt_window_days", 28)))
    found = []
    for level in study.dose_levels:
        here = [one for one in subjects if one.dose_level == level.key]
        members = [cohorts.Member(one.number, one.infused_at, one.ended_at, dlt.get(one.id, "no")) for one in here]
        counted = cohorts.counts(members, now, window)
        infused = [one.infused_at for one in here if one.infused_at is not None]
        found.append(
            Cohort(
                dose_level=level.key,
                cells_per_kg=level.cells_per_kg,
                planned=level.planned,
                counts=counted,
                next_infusion_earliest=escalation.earliest_next(infused, study.analysis),
                hold=bool(held[level.key]),
                reasons=held[level.key],
                three_plus_three=cohorts.three_plus_three(counted.evaluable, counted.dlt),
            )
        )
    return found


def as_plain(cell: Cell) -> dict[str, Any]:
    """A cell without its rows, for tables and exports."""
    return {name: value for name, value in asdict(cell).items() if name != "rows"}
