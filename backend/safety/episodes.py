"""The one way in for danger: signals become, or join, the subject's one open episode, and paging starts.

Nobody else pages. Everything runs in the caller's transaction with the subject's row locked. Paging runs
while `paging_seq` (the last signal that asked for it) is above `accepted_seq` (the last signal whoever
accepted had seen); so an acknowledgement is idempotent and something worse after it pages again.

This module opens and raises; what people answer is `backend.safety.answers`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from backend import audit, studies
from backend.db import db
from backend.models.safety import Episode, Evaluation, KnownSymptom, Signal
from backend.models.study import Site
from backend.models.subject import Subject
from backend.safety import codec
from backend.safety.context import Context, Finding
from backend.safety.rules.base import current_temperature
from schedules.protocol.definition import LEVELS, Ladder, Study

PAGE_LANE = "page"
WORKLIST = ("late", "in_hospital")  # held back from the pager, and looked at with the worklist


@dataclass(frozen=True, slots=True)
class Cause:
    """The fact behind an evaluation, for the row that keeps it. `from_staff`: typed or imported by staff."""

    entry_version_id: UUID | None = None
    measurement_id: UUID | None = None
    from_staff: bool = False


@dataclass(frozen=True, slots=True)
class Raised:
    """What came of it: every new signal, the episode they belong to, and whether paging (re)started."""

    signals: tuple[Signal, ...]
    episode: Episode | None
    paged: bool

    @property
    def level(self) -> str | None:
        """The highest level among the new signals."""
        return max((signal.level for signal in self.signals), key=LEVELS.index, default=None)


def raise_signals(subject: Subject, context: Context, findings: Iterable[Finding], cause: Cause) -> Raised:
    """Write signals, episode, the first step of the ladder and audit for what the rules found.

    A finding whose key is stored already (a replay, a spell of silence that goes on) is left out.
    """
    study = studies.in_force(subject)
    fresh = _not_yet_stored(subject, context, findings)
    if not fresh:
        return Raised((), open_episode(subject.id), False)
    evaluation = Evaluation(
        subject_id=subject.id,
        study_revision_id=studies.in_force_id(subject),
        at=context.now,
        context=codec.to_json(context),
    )
    db.session.add(evaluation)
    db.session.flush()
    known = _known_symptoms(subject.id)
    signals = tuple(
        _signal(subject, study, context, finding, key, evaluation, cause, known) for key, finding in fresh.items()
    )
    episode = _join(subject, study, context, signals)
    pages = tuple(signal for signal in signals if signal.held_because is None)
    late = tuple(signal for signal in signals if signal.held_because in WORKLIST)  # for the worklist and its digest
    again = any(each.again and signal in pages for each, signal in zip(fresh.values(), signals, strict=True))
    paged = episode is not None and _page_if_worse(study, episode, (*pages, *late), context.now, again=again)
    if episode is not None:
        _follow(episode, context, signals)
        touch(episode)
    db.session.add_all(signals)
    db.session.flush()
    for signal in signals:
        audit.record(
            "signal:raised",
            "signal",
            signal.id,
            subject_id=subject.id,
            new={
                "rule": signal.rule,
                "level": signal.level,
                "episode": signal.episode_id,
                "seq": signal.seq,
                "pages": paged and signal in pages,
                "held_because": signal.held_because,
            },
        )
    return Raised(signals, episode, paged)


def open_episode(subject_id: UUID) -> Episode | None:
    """The subject's one open episode."""
    return db.session.execute(
        sa.select(Episode)
        .where(Episode.subject_id == subject_id, Episode.closed_at.is_(None))
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()


def _not_yet_stored(subject: Subject, context: Context, findings: Iterable[Finding]) -> dict[str, Finding]:
    keyed = {finding.key or f"{finding.rule}:{context.trigger}:{context.trigger_id}": finding for finding in findings}
    stored = db.session.scalars(
        sa.select(Signal.key).where(Signal.subject_id == subject.id, Signal.key.in_(list(keyed)))
    )
    for key in stored:
        keyed.pop(key)
    return keyed


def _known_symptoms(subject_id: UUID) -> dict[str, int]:
    """Symptoms the team has called known, at the last severity it said so."""
    rows = db.session.execute(
        sa.select(KnownSymptom.item, KnownSymptom.severity)
        .where(KnownSymptom.subject_id == subject_id)
        .order_by(KnownSymptom.at)
    )
    return {item: severity for item, severity in rows}  # noqa: C416


def _signal(
    subject: Subject,
    study: Study,
    context: Context,
    finding: Finding,
    key: str,
    evaluation: Evaluation,
    cause: Cause,
    known: dict[str, int],
) -> Signal:
    subject.signal_seq += 1
    held = _held_because(study, context, finding, cause, known)
    return Signal(
        subject_id=subject.id,
        evaluation_id=evaluation.id,
        seq=subject.signal_seq,
        key=key,
        rule=finding.rule,
        rule_version=finding.version,
        level=_level_when_held(finding.level, held),
        found_level=finding.level,
        organ=finding.organ,
        compatible_with=list(finding.compatible_with),
        inputs=finding.inputs,
        thresholds=finding.thresholds,
        sentence_zh=finding.sentence_zh,
        sentence_en=finding.sentence_en,
        drives=finding.drives,
        red_flag=finding.red_flag,
        asks=finding.asks,
        held_because=held,
        trigger=context.trigger,
        entry_version_id=cause.entry_version_id,
        measurement_id=cause.measurement_id,
        at=context.now,
    )


def _held_because(study: Study, context: Context, finding: Finding, cause: Cause, known: dict[str, int]) -> str | None:
    """Why a finding goes to the worklist instead of the pager: measured long ago, in the ward, or known and no worse.

    In hospital only an emergency pages: the ward is there, and what it enters is what it knows.

    Clinical-safety §3.6: values typed by staff more than a day after they were measured do not page; a late
    phone entry does for a day, its emergency answers for three; a culture or release test is never late, its
    result takes days. Red flags are never "known".
    """
    age = context.now - context.at
    limits = study.settings["late_pages_h"]
    name = "staff" if cause.from_staff else "emergency" if finding.level == LEVELS[-1] else "phone"
    never_late = context.trigger == "silence" or finding.rule in study.settings["never_late"]
    if not never_late and age > timedelta(hours=int(limits[name])):
        return "late"
    if not finding.pages:
        return "after_contact"
    if context.admitted and finding.level != LEVELS[-1]:
        return "in_hospital"
    worse = any(severity > known.get(item, -1) for item, severity in finding.drives.items())
    if finding.drives and not worse and not finding.red_flag:
        return "known"
    return None


def _level_when_held(level: str, held: str | None) -> str:
    if held in WORKLIST:
        return min(level, "REVIEW", key=LEVELS.index)
    return "NOTE" if held == "known" else level


def _join(subject: Subject, study: Study, context: Context, signals: tuple[Signal, ...]) -> Episode | None:
    """Put the signals into the open episode, or open one if any of them is more than a note."""
    episode = open_episode(subject.id)
    level = max((signal.level for signal in signals), key=LEVELS.index)
    if episode is None:
        if level == LEVELS[0]:
            return None
        episode = _open(subject, study, context, level)
    for signal in signals:
        signal.episode_id = episode.id
    episode.last_seq = subject.signal_seq
    return episode


def _open(subject: Subject, study: Study, context: Context, level: str) -> Episode:
    episode = Episode(
        subject_id=subject.id,
        site_id=subject.site_id,
        page_number=studies.next_page_number(subject.site_id),
        opened_at=context.now,
        level=LEVELS[0],  # raised by what it holds, in `_page_if_worse` and `_follow`
        organs=[],
        last_seq=subject.signal_seq,
        paging_seq=0,
        accepted_seq=0,
        paging_round=0,
        ladder_step=0,
        change_seq=0,
    )
    db.session.add(episode)
    db.session.flush()
    audit.record("episode:opened", "episode", episode.id, subject_id=subject.id, new={"level": level})
    return episode


def _page_if_worse(study: Study, episode: Episode, signals: tuple[Signal, ...], now: datetime, *, again: bool) -> bool:
    """Start the ladder for a higher level, a newly affected organ or a finding that pages `again`; a repeat joins."""
    paging = [signal for signal in signals if signal.level in study.ladders]
    if not paging:
        return False
    level = max((signal.level for signal in paging), key=LEVELS.index)
    ladder = study.ladders[level]
    higher = LEVELS.index(level) > LEVELS.index(episode.level)
    new_organ = ladder.lane == PAGE_LANE and any(
        signal.organ not in episode.organs and study.ladders[signal.level].lane == PAGE_LANE for signal in paging
    )
    if not (higher or new_organ or again):
        return False
    strongest = max(level, episode.level, key=LEVELS.index)
    episode.level = strongest
    start_ladder(episode, study.ladders[strongest], max(signal.seq for signal in paging), now)
    return ladder.lane == PAGE_LANE


def start_ladder(episode: Episode, ladder: Ladder, seq: int, now: datetime) -> None:
    """Begin the ladder from its first step, for the signals up to `seq`. A snooze does not outlive something worse."""
    episode.paging_seq = seq
    episode.paging_since = now
    episode.paging_round += 1
    episode.ladder_step = 0
    episode.snoozed_until = None
    episode.next_step_at = now + timedelta(seconds=ladder.steps[0].after_s)


def _follow(episode: Episode, context: Context, signals: tuple[Signal, ...]) -> None:
    """Keep what the rules ask an open episode about: organs, the highest temperature, the repeat asked for."""
    told = [signal for signal in signals if signal.level != LEVELS[0] and signal.held_because is None]
    episode.organs = sorted({*episode.organs, *(signal.organ for signal in told)})
    # What only joined after contact must not raise the level: the next real emergency would not be "higher".
    joined = [signal.level for signal in signals if signal.held_because != "after_contact"]
    episode.level = max((episode.level, *joined), key=LEVELS.index)
    note_temperature(episode, context)
    if context.trigger == "silence":
        return
    asks = any(signal.asks for signal in signals if signal.level in ("URGENT", "EMERGENCY"))
    if asks and episode.contacted_at is None:
        episode.repeat_asked_at = context.now
        wait = timedelta(minutes=int(context.settings["repeat_within_min"]))
        episode.repeat_due_at = context.now + wait


def note_temperature(episode: Episode, context: Context) -> None:
    """Remember the episode's highest temperature, and that a repeat which was asked for has come."""
    reading = current_temperature(context)
    if reading is None or context.trigger == "silence":
        return
    if episode.repeat_asked_at is not None and reading.at > episode.repeat_asked_at:
        episode.repeat_asked_at = episode.repeat_due_at = None
    if episode.highest_temperature is None or reading.value > episode.highest_temperature:
        episode.highest_temperature = reading.value


def escalate(episode: Episode, level: str, now: datetime) -> None:
    """Nobody accepted: the episode rises to `level` and that level's ladder starts. Called by the ladder."""
    subject = db.session.get_one(Subject, episode.subject_id)
    study = studies.in_force(subject)
    audit.record(
        "episode:escalated",
        "episode",
        episode.id,
        subject_id=episode.subject_id,
        old={"level": episode.level},
        new={"level": level},
        reason="nobody accepted in time",
    )
    episode.level = level
    start_ladder(episode, study.ladders[level], episode.paging_seq, now)
    touch(episode)


def raise_again(episode: Episode, now: datetime, reason: str) -> None:
    """Ask about an open episode as if nobody had answered: what people did meanwhile is not known any more.

    Who accepted is asked again; that the patient was contacted or seen stays true. The acknowledgements stay too.
    """
    subject = db.session.get_one(Subject, episode.subject_id)
    ladder = studies.in_force(subject).ladders.get(episode.level)
    old = {"accepted_seq": episode.accepted_seq, "accepted_by": episode.accepted_by}
    episode.accepted_seq, episode.accepted_at, episode.accepted_by = 0, None, None
    episode.contact_due_at = episode.seen_due_at = episode.overdue_at = None
    if ladder is not None:
        start_ladder(episode, ladder, episode.last_seq, now)
    audit.record(
        "episode:raised_again",
        "episode",
        episode.id,
        subject_id=episode.subject_id,
        old=old,
        new={"level": episode.level, "paging_seq": episode.paging_seq},
        reason=reason,
    )
    touch(episode)


def touch(episode: Episode) -> None:
    """Let every console that shows the site know that something changed."""
    site = db.session.execute(
        sa.select(Site).where(Site.id == episode.site_id).with_for_update().execution_options(populate_existing=True)
    ).scalar_one()
    site.change_seq += 1
    episode.change_seq = site.change_seq
    episode.version += 1
    db.session.flush()
