"""Episodes: what is wrong, why, what is known, who answers. The list is live by conditional polling."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import marshmallow as ma
import sqlalchemy as sa

from api.doors import Caller, Page, Room, etag, listed, not_modified
from api.fields import Anything, Body, Id, Instant, Number, QueryWhole, Word
from api.paging import page
from backend import accounts, chronicle, clock, policy, studies
from backend.db import db
from backend.errors import Problem
from backend.models.clinical import Medication
from backend.models.people import Account
from backend.models.safety import Acknowledgement, ContactAttempt, Episode, Signal
from backend.models.study import Site
from backend.models.subject import Subject
from backend.safety import answers, facts
from schedules.protocol.definition import LEVELS
from schedules.windows import study_day

room = Room("episodes", __name__, url_prefix="/api/v1", description="Episodes, pages and their answers")

STATES = ("open", "accepted", "contacted", "seen", "closed")


class EpisodeAnswer(Body):
    id = Id(required=True)
    subject_id = Id(required=True)
    subject_number = ma.fields.String(required=True)
    site_id = Id(required=True)
    page_number = ma.fields.Integer(required=True)
    level = Word(*LEVELS, required=True)
    state = Word(*STATES, required=True)
    organs = ma.fields.List(ma.fields.String(), required=True)
    day = ma.fields.Integer(required=True, allow_none=True)
    opened_at = Instant(required=True)
    last_seq = ma.fields.Integer(required=True)
    paging = ma.fields.Boolean(required=True)
    paging_since = Instant(required=True, allow_none=True)
    next_step_at = Instant(required=True, allow_none=True)
    accepted_at = Instant(required=True, allow_none=True)
    accepted_by = ma.fields.String(required=True, allow_none=True)
    contacted_at = Instant(required=True, allow_none=True)
    contact_due_at = Instant(required=True, allow_none=True)
    seen_at = Instant(required=True, allow_none=True)
    seen_due_at = Instant(required=True, allow_none=True)
    snoozed_until = Instant(required=True, allow_none=True)
    closed_at = Instant(required=True, allow_none=True)
    outcome = ma.fields.String(required=True, allow_none=True)
    crs_grade = ma.fields.Integer(required=True, allow_none=True)
    icans_grade = ma.fields.Integer(required=True, allow_none=True)
    note = ma.fields.String(required=True, allow_none=True)
    change_seq = ma.fields.Integer(required=True)
    version = ma.fields.Integer(required=True)


class SignalAnswer(Body):
    id = Id(required=True)
    seq = ma.fields.Integer(required=True)
    at = Instant(required=True)
    rule = ma.fields.String(required=True)
    rule_version = ma.fields.Integer(required=True)
    level = Word(*LEVELS, required=True)
    found_level = Word(*LEVELS, required=True)
    organ = ma.fields.String(required=True)
    compatible_with = ma.fields.List(ma.fields.String(), required=True)
    inputs = Anything(required=True)
    thresholds = Anything(required=True)
    sentence = ma.fields.String(required=True)
    red_flag = ma.fields.Boolean(required=True)
    held_because = ma.fields.String(required=True, allow_none=True)
    trigger = ma.fields.String(required=True)


class AcknowledgementAnswer(Body):
    id = Id(required=True)
    kind = Word(*answers.KINDS, required=True)
    seen_signal_seq = ma.fields.Integer(required=True)
    by = ma.fields.String(required=True)
    on_behalf_of = ma.fields.String(required=True, allow_none=True)
    note = ma.fields.String(required=True, allow_none=True)
    at = Instant(required=True)


class AttemptAnswer(Body):
    id = Id(required=True)
    outcome = ma.fields.String(required=True)
    spoke_with = ma.fields.String(required=True, allow_none=True)
    note = ma.fields.String(required=True, allow_none=True)
    by = ma.fields.String(required=True)
    at = Instant(required=True)


class StepAnswer(Body):
    after_s = ma.fields.Integer(required=True)
    to = ma.fields.List(ma.fields.String(), required=True)
    channel = ma.fields.Integer(required=True)
    taken = ma.fields.Boolean(required=True)


class CountAnswer(Body):
    code = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    value = Number(required=True, allow_none=True)
    qualifier = ma.fields.String(required=True)
    unit = ma.fields.String(required=True)
    at = Instant(required=True)
    age_h = Number(required=True)


class DrugAnswer(Body):
    drug = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    dose_mg = Number(required=True, allow_none=True)
    started_at = Instant(required=True)
    stopped_at = Instant(required=True, allow_none=True)


class FactsAnswer(Body):
    day = ma.fields.Integer(required=True, allow_none=True)
    window = ma.fields.String(required=True, allow_none=True)
    infused_at = Instant(required=True, allow_none=True)
    admitted = ma.fields.Boolean(required=True)
    last_report_at = Instant(required=True, allow_none=True)
    prior_organs = ma.fields.List(ma.fields.String(), required=True)
    counts = ma.fields.List(ma.fields.Nested(CountAnswer), required=True)
    drugs = ma.fields.List(ma.fields.Nested(DrugAnswer), required=True)


class EpisodeWhole(EpisodeAnswer):
    signals = ma.fields.List(ma.fields.Nested(SignalAnswer), required=True)
    acknowledgements = ma.fields.List(ma.fields.Nested(AcknowledgementAnswer), required=True)
    contact_attempts = ma.fields.List(ma.fields.Nested(AttemptAnswer), required=True)
    ladder = ma.fields.List(ma.fields.Nested(StepAnswer), required=True)
    facts = ma.fields.Nested(FactsAnswer, required=True)


class EpisodeQuery(Page):
    state = Word(*STATES)
    level = Word(*LEVELS)
    subject_id = Id()
    page_number = QueryWhole(metadata={"description": "the number in the text of a page"})
    since_seq = QueryWhole(most=2**31 - 1)


def state_of(episode: Episode) -> str:
    """The furthest an episode has got."""
    if episode.closed_at is not None:
        return "closed"
    if episode.seen_at is not None:
        return "seen"
    if episode.contacted_at is not None:
        return "contacted"
    return "accepted" if episode.accepted_at is not None and episode.paging_seq <= episode.accepted_seq else "open"


_STATE_SQL = sa.case(
    (Episode.closed_at.is_not(None), "closed"),
    (Episode.seen_at.is_not(None), "seen"),
    (Episode.contacted_at.is_not(None), "contacted"),
    (sa.and_(Episode.accepted_at.is_not(None), Episode.paging_seq <= Episode.accepted_seq), "accepted"),
    else_="open",
)
# Open ones first, then the latest; one ascending key, so that a page continues where the last one ended.
_OPEN_FIRST = sa.case((Episode.closed_at.is_(None), 0), else_=1)


def view(episode: Episode, number: str, accepted_by: str | None, day: int | None) -> dict[str, Any]:
    computed = {"subject_number", "state", "day", "paging", "accepted_by"}
    plain = {name: getattr(episode, name) for name in EpisodeAnswer().fields.keys() - computed}
    return {
        **plain,
        "subject_number": number,
        "state": state_of(episode),
        "day": day,
        "paging": episode.closed_at is None and episode.paging_seq > episode.accepted_seq,
        "accepted_by": accepted_by,
    }


@room.door(
    "GET", "/episodes", "episode:read", query=EpisodeQuery, answer=listed(EpisodeAnswer, "EpisodeList"), also=[304]
)
def find(caller: Caller, query: dict[str, Any]) -> Any:
    """Episodes of the caller's sites, open ones first; 304 while nothing has changed."""
    sites = list(db.session.scalars(sa.select(Site).where(Site.id.in_(policy.sites_of(caller.id)))))
    seen = ".".join(str(site.change_seq) for site in sorted(sites, key=lambda site: str(site.id)))
    unchanged = not_modified(seen)
    if unchanged is not None:
        return unchanged
    wanted = (
        sa.select(Episode, Subject.number, Subject.infused_at, Account.name)
        .join(Subject, Subject.id == Episode.subject_id)
        .outerjoin(Account, Account.id == Episode.accepted_by)
        .where(Episode.site_id.in_([site.id for site in sites]))
    )
    if "state" in query:
        wanted = wanted.where(query["state"] == _STATE_SQL)
    if "level" in query:
        wanted = wanted.where(Episode.level == query["level"])
    if "subject_id" in query:
        wanted = wanted.where(Episode.subject_id == query["subject_id"])
    if "page_number" in query:
        wanted = wanted.where(Episode.page_number == query["page_number"])
    if "since_seq" in query:
        wanted = wanted.where(Episode.change_seq > query["since_seq"])
    zones = {site.id: site.time_zone for site in sites}
    now = clock.now()

    def show(row: Any) -> dict[str, Any]:
        episode, number, infused_at, name = row[:4]
        return view(episode, number, name, _day(infused_at, now, zones[episode.site_id]))

    keys = (_OPEN_FIRST, Episode.opened_at, Episode.id)
    return page(wanted, keys, query, show), 200, etag(seen)


def _day(infused_at: datetime | None, now: datetime, zone: str) -> int | None:
    return None if infused_at is None else study_day(now, infused_at, zone)


@room.door("GET", "/episodes/<uuid:episode_id>", "episode:read", answer=EpisodeWhole)
def read(caller: Caller, episode_id: UUID) -> Any:
    """One episode with everything at hand: signals and why, ladder, answers, counts with their age, drugs."""
    episode = visible(caller, episode_id)
    return whole(caller, episode), 200, etag(episode.version)


def visible(caller: Caller, episode_id: UUID) -> Episode:
    episode = db.session.get(Episode, episode_id)
    if episode is None:
        raise Problem("not_found")
    caller.subject(episode.subject_id)
    return episode


def locked(caller: Caller, episode_id: UUID) -> Episode:
    visible(caller, episode_id)
    return answers.locked_episode(episode_id)


def whole(caller: Caller, episode: Episode) -> dict[str, Any]:
    subject = db.session.get_one(Subject, episode.subject_id)
    study = studies.in_force(subject)
    day = _day(subject.infused_at, clock.now(), chronicle.site_zone(subject.site_id))
    ladder = study.ladders.get(episode.level)
    signals = db.session.scalars(sa.select(Signal).where(Signal.episode_id == episode.id).order_by(Signal.seq))
    acknowledgements = db.session.scalars(
        sa.select(Acknowledgement).where(Acknowledgement.episode_id == episode.id).order_by(Acknowledgement.at)
    ).all()
    attempts = db.session.scalars(
        sa.select(ContactAttempt).where(ContactAttempt.episode_id == episode.id).order_by(ContactAttempt.at)
    ).all()
    people = accounts.names_of(
        [episode.accepted_by]
        + [a.by_id for a in acknowledgements]
        + [a.on_behalf_of_id for a in acknowledgements]
        + [a.by_id for a in attempts]
    )
    shown = view(episode, subject.number, people.get(episode.accepted_by), day)
    chinese = caller.account.locale.startswith("zh")
    shown["signals"] = [_signal(signal, chinese) for signal in signals]
    shown["acknowledgements"] = [
        {
            **{name: getattr(a, name) for name in ("id", "kind", "seen_signal_seq", "note", "at")},
            "by": people.get(a.by_id, ""),
            "on_behalf_of": people.get(a.on_behalf_of_id),
        }
        for a in acknowledgements
    ]
    shown["contact_attempts"] = [
        {
            **{name: getattr(a, name) for name in ("id", "outcome", "spoke_with", "note", "at")},
            "by": people.get(a.by_id, ""),
        }
        for a in attempts
    ]
    shown["ladder"] = [
        {"after_s": step.after_s, "to": step.to, "channel": step.channel, "taken": i < episode.ladder_step}
        for i, step in enumerate(ladder.steps if ladder else ())
    ]
    shown["facts"] = _facts(caller, subject, day)
    return shown


def _signal(signal: Signal, chinese: bool) -> dict[str, Any]:
    names = SignalAnswer().fields.keys() - {"sentence"}
    sentence = signal.sentence_zh if chinese else signal.sentence_en
    return {**{name: getattr(signal, name) for name in names}, "sentence": sentence}


def _facts(caller: Caller, subject: Subject, day: int | None) -> dict[str, Any]:
    """What a doctor woken at night wants to know: the last of each count with its age, and the drugs."""
    study, now, locale = studies.in_force(subject), clock.now(), caller.account.locale
    last = facts.last_values(subject.id, study.settings["facts_at_hand"])
    drugs = db.session.scalars(
        sa.select(Medication)
        .where(
            Medication.subject_id == subject.id,
            sa.or_(Medication.stopped_at.is_(None), Medication.stopped_at > now - facts.RECENT_DRUGS),
            Medication.id.not_in(facts.corrected_medications(subject.id)),
        )
        .order_by(Medication.started_at.desc())
    )
    return {
        "day": day,
        "window": study.risk_window(day),
        "infused_at": subject.infused_at,
        "admitted": subject.admitted,
        "last_report_at": subject.last_report_at,
        "prior_organs": subject.prior_organs,
        "counts": [
            {
                "code": value.code,
                "name": study.measures[value.code].name.in_language(locale),
                "value": value.value,
                "qualifier": value.qualifier,
                "unit": study.measures[value.code].unit,
                "at": value.at,
                "age_h": round(Decimal((now - value.at).total_seconds()) / 3600, 1),
            }
            for value in last
        ],
        "drugs": [
            {
                "drug": row.drug,
                "name": study.drugs[row.drug].name.in_language(locale),
                "dose_mg": row.dose_mg,
                "started_at": row.started_at,
                "stopped_at": row.stopped_at,
            }
            for row in drugs
        ],
    }
