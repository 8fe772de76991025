"""Gathers what is stored about one subject into the `Context` that the rules are asked about.

A constant number of indexed queries, whatever the length of the follow-up. `now` is an argument; the
trigger names the fact that caused the question. The rules themselves never come here.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend import chronicle, studies
from backend.db import db
from backend.models.calendar import Occurrence
from backend.models.capture import Entry, EntryVersion
from backend.models.clinical import Measurement, Medication
from backend.models.safety import ContactAttempt, Episode
from backend.models.subject import Subject
from backend.safety.baselines import baseline
from backend.safety.context import Baseline, Context, Dose, EpisodeView, Report, Slot, Value
from schedules.history import Anchor
from schedules.protocol.definition import Study
from schedules.windows import local_date

RECENT_DRUGS = timedelta(days=14)
LAST_FEW = 12  # of each code, however old
ANTIPYRETIC = "antipyretic"
STEROID = "steroid"


def context_of(subject: Subject, *, trigger: str, trigger_id: UUID | None, at: datetime, now: datetime) -> Context:
    """The context of one evaluation. `at` is the effective time of the fact, `now` the time of asking."""
    study = studies.in_force(subject)
    settings = study.settings
    known = chronicle.facts_of(subject.id)
    anchors = chronicle.anchors(known, study.anchor_events)
    infused_at = anchors["infusion"].actual_at if "infusion" in anchors else None
    treated_at = _treated_at(anchors)
    zone = chronicle.zones_of(subject).at(at)
    history = timedelta(days=int(settings["history_days"]))
    reports = _reports(study, subject.id, at - history, infused_at or treated_at)
    values = _values(subject.id, at - timedelta(days=int(settings["value_history_days"])), infused_at)
    day = _day(subject, infused_at, at)
    return Context(
        subject_id=str(subject.id),
        now=now,
        at=at,
        trigger=trigger,
        trigger_id=str(trigger_id) if trigger_id else None,
        day=day,
        window=study.risk_window(day),
        infused_at=infused_at,
        zone=zone,
        reports=tuple(report for report in reports if report.at >= at - history),
        values=values,
        doses=tuple(sorted((*_given(study, subject, infused_at), *_taken(study, reports)), key=_by_start)),
        # Before treatment, what is judged now must not count as this person's own normal.
        baseline=_baseline(reports, values, treated_at or at - sitting_of(study), zone, settings, infused_at),
        prior_organs=tuple(subject.prior_organs),
        slots=_slots(study, subject.id, now),
        admitted=subject.admitted,
        episode=_episode(subject.id),
        reached_at=_reached_at(subject.id) if trigger == "silence" else None,
        settings=settings,
    )


def asked_again(context: Context, *, trigger: str, trigger_id: UUID) -> Context:
    """The context of another fact of the same instant in the same transaction: only the episode may have changed."""
    episode = _episode(UUID(context.subject_id))
    return replace(context, trigger=trigger, trigger_id=str(trigger_id), episode=episode)


def sitting_of(study: Study) -> timedelta:
    """How long the forms of one slot, sent one after another, count as one sitting."""
    return timedelta(minutes=int(study.settings["sitting_minutes"]))


def _baseline(
    reports: tuple[Report, ...],
    values: tuple[Value, ...],
    treated_at: datetime,
    zone: str,
    settings: Any,
    infused_at: datetime | None,
) -> Baseline:
    """The subject's own normal before treatment. Where the diary began too late for a temperature baseline
    before lymphodepletion, afebrile readings up to infusion give it (clinical-safety §2.2)."""
    before = baseline(reports, values, treated_at, zone, settings, infused_at)
    if before.temperature or infused_at is None or infused_at <= treated_at:
        return before
    return replace(before, temperature=baseline(reports, values, infused_at, zone, settings, infused_at).temperature)


def _treated_at(anchors: Any) -> datetime | None:
    """When treatment began: baselines are what was measured before it."""
    for kind in ("lymphodepletion", "infusion"):
        anchor: Anchor | None = anchors.get(kind)
        if anchor is not None and anchor.actual_at is not None:
            return anchor.actual_at
    return None


def _day(subject: Subject, infused_at: datetime | None, at: datetime) -> int | None:
    if infused_at is None:
        return None
    zone = chronicle.site_zone(subject.site_id)
    return (local_date(at, zone) - local_date(infused_at, zone)).days


def _reports(study: Study, subject_id: UUID, since: datetime, treated_at: datetime | None) -> tuple[Report, ...]:
    """The latest version of every entry since `since`, and of every one before treatment, for the baseline."""
    recent = Entry.effective_at >= since
    wanted = sa.or_(recent, Entry.effective_at < treated_at) if treated_at is not None else sa.true()
    rows = db.session.execute(
        sa.select(*_REPORT)
        .join(EntryVersion, sa.and_(EntryVersion.entry_id == Entry.id, EntryVersion.revision == Entry.revision))
        .where(Entry.subject_id == subject_id, Entry.practice.is_(False), wanted)
        .order_by(Entry.effective_at, EntryVersion.received_at)
    )
    return tuple(
        Report(
            id=str(row.id),
            form=row.form,
            at=row.effective_at,
            received_at=row.received_at,
            reporter=row.reporter,
            source=row.source,
            answers=row.answers,
            score=row.score,
            is_report=study.forms[row.form].report,
            claimed_at=row.measured_at,
            skew_s=row.skew_s,
        )
        for row in rows
    )


# Plain columns: a hundred reports a question are read, never changed.
_REPORT = (
    EntryVersion.id,
    Entry.form,
    Entry.source,
    EntryVersion.effective_at,
    EntryVersion.received_at,
    EntryVersion.reporter,
    EntryVersion.answers,
    EntryVersion.score,
    EntryVersion.measured_at,
    EntryVersion.skew_s,
)


def _values(subject_id: UUID, since: datetime, infused_at: datetime | None) -> tuple[Value, ...]:
    """Measurements since `since`, of each code the last few before, and the last at infusion: a rule may compare
    with it to the end of follow-up. Corrected ones no longer hold."""
    latest_first = (Measurement.collected_at.desc(), Measurement.recorded_at.desc())
    before_infusion = sa.case((Measurement.collected_at <= infused_at, 0), else_=1) if infused_at else sa.literal(1)
    ranked = (
        sa.select(
            Measurement.id,
            sa.func.row_number().over(partition_by=Measurement.code, order_by=latest_first).label("place"),
            before_infusion.label("after"),
            sa.func.row_number()
            .over(partition_by=(Measurement.code, before_infusion), order_by=latest_first)
            .label("place_at_infusion"),
        )
        .where(Measurement.subject_id == subject_id, Measurement.id.not_in(_corrected_measurements(subject_id)))
        .subquery()
    )
    rows = db.session.execute(
        sa.select(*_VALUE)
        .join(ranked, ranked.c.id == Measurement.id)
        .where(
            sa.or_(
                Measurement.collected_at >= since,
                ranked.c.place <= LAST_FEW,
                sa.and_(ranked.c.after == 0, ranked.c.place_at_infusion == 1),
            )
        )
        .order_by(Measurement.collected_at, Measurement.recorded_at, Measurement.id)
    )
    return tuple(value_of(row) for row in rows)


# Plain columns, as of the reports.
_VALUE = (
    Measurement.id,
    Measurement.code,
    Measurement.value,
    Measurement.not_done,
    Measurement.collected_at,
    Measurement.recorded_at,
    Measurement.qualifier,
    Measurement.lln,
    Measurement.uln,
    Measurement.method,
    Measurement.source,
)


def value_of(row: Any) -> Value:
    """One measurement, a row of the table or of _VALUE, as the rules see it."""
    return Value(
        id=str(row.id),
        code=row.code,
        value=None if row.not_done else row.value,
        at=row.collected_at,
        recorded_at=row.recorded_at,
        qualifier=row.qualifier,
        lln=row.lln,
        uln=row.uln,
        method=row.method,
        source=row.source,
    )


def last_values(subject_id: UUID, codes: Iterable[str]) -> tuple[Value, ...]:
    """The last value done of each code, for whoever is woken by a page."""
    wanted = list(codes)
    rows = db.session.scalars(
        sa.select(Measurement)
        .where(
            Measurement.subject_id == subject_id,
            Measurement.code.in_(wanted),
            Measurement.not_done.is_(False),
            Measurement.id.not_in(_corrected_measurements(subject_id)),
        )
        .order_by(Measurement.collected_at, Measurement.recorded_at)
    )
    last = {row.code: value_of(row) for row in rows}
    return tuple(last[code] for code in wanted if code in last)


def corrected_medications(subject_id: UUID) -> sa.Select[Any]:
    """Medications that a later row corrects: they no longer hold."""
    return sa.select(Medication.corrects_id).where(
        Medication.subject_id == subject_id, Medication.corrects_id.is_not(None)
    )


def _corrected_measurements(subject_id: UUID) -> sa.Select[Any]:
    return sa.select(Measurement.corrects_id).where(
        Measurement.subject_id == subject_id, Measurement.corrects_id.is_not(None)
    )


def _given(study: Study, subject: Subject, infused_at: datetime | None) -> Iterable[Dose]:
    """Medications that staff entered. An unchanged one begun before infusion is standing."""
    rows = db.session.scalars(
        sa.select(Medication).where(
            Medication.subject_id == subject.id, Medication.id.not_in(corrected_medications(subject.id))
        )
    )
    for row in rows:
        drug = study.drugs[row.drug]
        per_day = Decimal(0) if drug.prednisolone_per_mg == 0 else None
        if drug.prednisolone_per_mg and row.dose_mg is not None and row.times_per_day is not None:
            per_day = row.dose_mg * row.times_per_day / (row.every_days or 1) * drug.prednisolone_per_mg
        yield Dose(
            id=str(row.id),
            drug=row.drug,
            drug_class=drug.drug_class,
            start=row.started_at,
            stop=row.stopped_at,
            mg=row.dose_mg,
            prednisolone_mg_per_day=per_day,
            standing=infused_at is not None and row.started_at < infused_at and row.stopped_at is None,
        )


def _taken(study: Study, reports: Iterable[Report]) -> Iterable[Dose]:
    """What the patient said was taken: fever medicines with their times, and the day's steroid."""
    for report in reports:
        for i, dose in enumerate(report.answers.get(ANTIPYRETIC) or ()):
            taken_at = datetime.fromisoformat(dose["taken_at"].upper())
            drug = study.drugs.get(dose["name"])
            yield Dose(
                id=f"{report.id}/{ANTIPYRETIC}/{i}",
                drug=dose["name"],
                drug_class=drug.drug_class if drug else ANTIPYRETIC,
                start=taken_at,
                stop=taken_at,
                mg=dose.get("dose_mg"),
            )
        daily = report.answers.get("steroid_taken")
        if daily:
            yield Dose(
                id=f"{report.id}/steroid_taken",
                drug=STEROID,
                drug_class=STEROID,
                start=report.at,
                stop=report.at + timedelta(days=1),
                prednisolone_mg_per_day=Decimal(daily),
            )


def _by_start(dose: Dose) -> tuple[datetime, str]:
    return dose.start, dose.id


def _slots(study: Study, subject_id: UUID, now: datetime) -> tuple[Slot, ...]:
    """Scheduled reports of the last days, for silence. In hospital or after leaving nobody is silent; who has lost
    the phone is: an excuse speaks of adherence, not of safety."""
    days = timedelta(days=int(study.settings["silence_history_days"]))
    rows = db.session.scalars(
        sa.select(Occurrence)
        .where(
            Occurrence.subject_id == subject_id,
            Occurrence.kind == "slot",
            Occurrence.due_at.between(now - days, now),
            sa.or_(Occurrence.excused.is_(None), Occurrence.excused.in_(chronicle.EXCUSES)),
        )
        .order_by(Occurrence.due_at, Occurrence.id)
    )
    weekly = {form for phase in study.diary if phase.every_days > 1 for at in phase.times for form in at.forms}
    daily = {form for phase in study.diary if phase.every_days == 1 for at in phase.times for form in at.forms}
    return tuple(
        Slot(
            id=str(row.id),
            form=row.key,
            due_at=row.due_at,
            late_at=row.late_at,
            closes_at=row.closes_at,
            done=row.satisfied_at is not None,
            announced=row.announced,
            weekly=row.key in weekly - daily,
        )
        for row in rows
        if row.due_at and row.late_at and row.closes_at and study.forms[row.key].report
    )


def _episode(subject_id: UUID) -> EpisodeView | None:
    row = db.session.execute(
        sa.select(Episode).where(Episode.subject_id == subject_id, Episode.closed_at.is_(None))
    ).scalar_one_or_none()
    if row is None:
        return None
    return EpisodeView(
        level=row.level,
        opened_at=row.opened_at,
        contacted_at=row.contacted_at,
        highest_temperature=row.highest_temperature,
        organs=tuple(row.organs),
        repeat_asked_at=row.repeat_asked_at,
        repeat_due_at=row.repeat_due_at,
    )


def _reached_at(subject_id: UUID) -> datetime | None:
    """When somebody of the team last spoke with the patient or a carer, in whatever episode or outside of any."""
    spoken = sa.select(sa.func.max(ContactAttempt.at)).where(
        ContactAttempt.subject_id == subject_id,
        ContactAttempt.outcome == "spoke_with",
        ContactAttempt.spoke_with.in_(("patient", "carer")),
    )
    answered = sa.select(sa.func.max(Episode.contacted_at), sa.func.max(Episode.seen_at)).where(
        Episode.subject_id == subject_id
    )
    found = (db.session.scalar(spoken), *db.session.execute(answered).one())
    return max((at for at in found if at is not None), default=None)
