"""A small made-up trial, entered through the use-cases at the times it is supposed to have happened.

Seven subjects at one site: in screening, three days before a planned infusion, day 2, day 7 with a fever
that was answered, day 9 in hospital, day 40, and month 6. For `DAYMARK_MODE=demo` only; no real person.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from backend import (
    accounts,
    activation,
    audit,
    capture,
    clock,
    crypto,
    delegation,
    enrolment,
    laboratory,
    medications,
    rota,
    studies,
    treatment,
    visits,
    workdays,
)
from backend.db import db, lock_subject, transaction
from backend.models.calendar import Occurrence
from backend.models.people import Account
from backend.models.study import Site
from backend.models.subject import Subject
from backend.safety import answers
from backend.safety.episodes import open_episode
from schedules.protocol.definition import Form, Study
from schedules.windows import local_date

PASSWORD = "daymark-demo"  # noqa: S105  # printed on every start; the demo listens on loopback alone
STAFF = (
    ("nurse", "nurse", "Li Na"),
    ("doctor", "investigator", "Chen Wei"),
    ("backup", "investigator", "Zhao Min"),
    ("pi", "principal_investigator", "Prof. Sun"),
    ("monitor", "monitor", "Monitor"),
    ("statistician", "statistician", "Statistician"),
    ("admin", "administrator", "Administrator"),
)
GOOD = {"intake": "yes", "fluids_kept": "yes", "neuro_finished": "yes", "spo2_warm_finger": "yes"}


@dataclass
class Cast:
    """The people of the demo and the secrets to show."""

    site: Site
    study: Study
    staff: dict[str, Account] = field(default_factory=dict)
    shown: dict[str, Any] = field(default_factory=lambda: {"staff": [], "subjects": []})


def load(content: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Fill an empty database. Returns what `demo-accounts.json` holds: sign-ins and activation codes."""
    hashed = crypto.hash_password(PASSWORD)
    with _at(now - timedelta(days=220)), transaction():
        cast = _team(content, hashed, now)
    people: tuple[tuple[str, Callable[[Cast, Subject, datetime], None]], ...] = (
        ("S01", _screening),
        ("S02", _planned),
        ("S03", _day(2)),
        ("S04", _febrile),
        ("S05", _in_hospital),
        ("S06", _day(40)),
        ("S07", _day(180)),
    )
    for n, (number, story) in enumerate(people):
        story(cast, _enrolled(cast, number, n, now), now)
        with _at(now), transaction():
            subject = db.session.execute(sa.select(Subject).where(Subject.number == number)).scalar_one()
            issued = activation.issue_code(subject, activation.patient_of(subject), cast.staff["nurse"].id)
            cast.shown["subjects"].append({"number": number, "id": subject.id, "activation_code": issued.code})
    return cast.shown


class _at:  # noqa: N801  # reads as a preposition
    """Act at an instant, as the demo."""

    def __init__(self, at: datetime) -> None:
        self._clock = clock.running_on(lambda: at)
        self._actor = audit.acting(audit.Actor(None, "demo"))

    def __enter__(self) -> None:
        self._clock.__enter__()
        self._actor.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._actor.__exit__(*error)
        self._clock.__exit__(*error)


def _team(content: dict[str, Any], hashed: str, now: datetime) -> Cast:
    revision = studies.publish(content, author_id=None, approver_id=None)
    site = Site(
        id=uuid4(),
        code="NJ-DEMO",
        name_zh="示范医院（演示）",
        name_en="Demonstration Hospital",
        time_zone="Asia/Shanghai",
        country="CN",
        delegates=True,
        phone_24h="+862500000000",
        study_revision_id=revision.id,
        change_seq=0,
        next_page_number=4800,
        version=1,
    )
    db.session.add(site)
    db.session.flush()
    cast = Cast(site, studies.revision(revision.id))
    for n, (username, role, name) in enumerate(STAFF):
        account, secret = accounts.add_staff(
            username=username,
            name=name,
            role=role,
            password_hash=hashed,
            locale="en",
            site_ids=[site.id],
            phone=f"1380000{n:04}",
        )
        cast.staff[username] = account
        cast.shown["staff"].append({"role": role, "username": username, "password": PASSWORD, "totp_secret": secret})
    since = local_date(now - timedelta(days=220), site.time_zone)
    for account in cast.staff.values():
        delegation.grant_all(account, site.id, since, cast.staff["pi"].id)
    for year in (since.year, now.year, now.year + 1):
        workdays.seed(site, year)
    shifts: list[Mapping[str, Any]] = [
        {
            "id": uuid4(),
            "duty": duty,
            "account_id": cast.staff[who].id,
            "starts_at": now - timedelta(days=1),
            "ends_at": now + timedelta(days=7),
        }
        for duty, who in (("on_call", "doctor"), ("backup", "backup"))
    ]
    rota.replace(site, shifts, cast.staff["nurse"].id)
    return cast


def _enrolled(cast: Cast, number: str, n: int, now: datetime) -> Subject:
    """One subject, enrolled long enough ago for its story."""
    days = {"S01": 2, "S02": 12, "S03": 16, "S04": 21, "S05": 23, "S06": 54, "S07": 195}[number]
    enrolled_at = now - timedelta(days=days)
    with _at(enrolled_at), transaction():
        subject, _ = enrolment.enrol(
            cast.site,
            {
                "id": uuid4(),
                "number": number,
                "dose_level": cast.study.dose_levels[0].key,
                "locale": "zh-CN" if n % 2 else "en",
                "time_zone": cast.site.time_zone,
                "contact": {"name": f"Demo {number}", "phone": f"1390000{n:04}"},
                "consents": [
                    {"kind": "trial", "text_version": "1.0", "given_at": enrolled_at},
                    {"kind": "app", "text_version": "1.0", "given_at": enrolled_at},
                ],
                "prior_organs": sorted(cast.study.organs)[:2],
                "year_of_birth": 1985 + n,
            },
            cast.staff["nurse"].id,
        )
    _event(cast, subject, "screening", enrolled_at)
    _event(cast, subject, "consent", enrolled_at)
    return subject


def _event(
    cast: Cast, subject: Subject, kind: str, at: datetime, *, planned: bool = False, said: datetime | None = None
) -> None:
    """Record an event when it happened, or a plan when it was made (`said`)."""
    with _at(said or at), transaction():
        told: dict[str, Any] = {"planned_at": at} if planned else {"actual_at": at}
        if kind == "admission":
            told["place"] = treatment.PLACES[0]
        treatment.record_event(subject.id, {"id": uuid4(), "kind": kind, **told}, cast.staff["nurse"].id)


def _screening(cast: Cast, subject: Subject, now: datetime) -> None:
    _values(cast, subject, now - timedelta(days=1), {"anc": "3.4", "platelets": "212", "crp": "4"})


def _planned(cast: Cast, subject: Subject, now: datetime) -> None:
    """Three days before a planned infusion; the baseline diary has begun."""
    _event(cast, subject, "collection", now - timedelta(days=5))
    _event(cast, subject, "infusion", now + timedelta(days=3), planned=True, said=now - timedelta(days=9))
    _diary(cast, subject, now)


def _day(day: int) -> Callable[[Cast, Subject, datetime], None]:
    def story(cast: Cast, subject: Subject, now: datetime) -> None:
        _treated(cast, subject, now - timedelta(days=day))
        _diary(cast, subject, now)
        _attended(cast, subject, now)

    return story


def _treated(cast: Cast, subject: Subject, infused_at: datetime) -> None:
    _event(cast, subject, "infusion", infused_at, planned=True, said=infused_at - timedelta(days=10))
    _event(cast, subject, "collection", infused_at - timedelta(days=8))
    _event(cast, subject, "lymphodepletion", infused_at - timedelta(days=5))
    _event(cast, subject, "infusion", infused_at)


def _febrile(cast: Cast, subject: Subject, now: datetime) -> None:
    """Day 7: a fever an hour ago, answered: accepted, contacted, seen; still open."""
    _treated(cast, subject, now - timedelta(days=7))
    _diary(cast, subject, now - timedelta(hours=2))
    _values(cast, subject, now - timedelta(hours=19), {"anc": "0.8", "platelets": "96", "crp": "21", "ferritin": "410"})
    fever_at = now - timedelta(hours=1)
    well = _well(cast.study, cast.study.forms[cast.study.unscheduled_form], random.Random(4), fever_at)  # noqa: S311
    _submit(cast, subject, cast.study.unscheduled_form, fever_at, {**well, "temp_c": Decimal("38.3"), "chills": 1})
    for minutes, kind in ((3, "accepted"), (9, "contacted"), (35, "seen")):
        with _at(fever_at + timedelta(minutes=minutes)), transaction():
            episode = open_episode(subject.id)
            if episode is not None:
                said = {"id": uuid4(), "kind": kind, "seen_signal_seq": episode.last_seq}
                answers.acknowledge(answers.locked_episode(episode.id), said, cast.staff["doctor"])
    with _at(now - timedelta(minutes=20)), transaction():
        given: dict[str, Any] = {"id": uuid4(), "drug": "paracetamol", "dose_mg": Decimal(1000)}
        taken = {**given, "started_at": fever_at, "stopped_at": fever_at}
        medications.record(subject.id, [taken], cast.staff["doctor"])


def _in_hospital(cast: Cast, subject: Subject, now: datetime) -> None:
    """Day 9, admitted on day 5: the diary rests, the ward's values take its place."""
    infused_at = now - timedelta(days=9)
    _treated(cast, subject, infused_at)
    admitted_at = infused_at + timedelta(days=5)
    _diary(cast, subject, admitted_at)
    _event(cast, subject, "admission", admitted_at)
    _attended(cast, subject, now)
    for hours in range(48, 0, -8):
        _round(cast, subject, now - timedelta(hours=hours))


def _round(cast: Cast, subject: Subject, at: datetime) -> None:
    """One row of the ward's grid, by the nurse."""
    form = next(form for form in cast.study.forms.values() if form.staff_only)
    seen = {"temp_c": Decimal("37.0"), "temp_site": "ear", "hr": 84, "sbp": 112, "dbp": 70, "spo2": 97, "ice_score": 10}
    given = {one.item: seen[one.item] for one in form.items if one.item in seen}
    with _at(at + timedelta(minutes=5)), transaction():
        nurse = cast.staff["nurse"]
        body = _body(cast, form.key, at, given) | {"reporter": "staff"}
        capture.submit(subject.id, uuid4(), body, nurse, source="ward")


def _values(cast: Cast, subject: Subject, at: datetime, values: dict[str, str]) -> None:
    items: list[Mapping[str, Any]] = [
        {
            "id": uuid4(),
            "code": code,
            "value": Decimal(value),
            "unit": cast.study.measures[code].unit,
            "method": (cast.study.measures[code].methods or (None,))[0],
            "source": "laboratory",
            "collected_at": at,
        }
        for code, value in values.items()
        if code in cast.study.measures
    ]
    with _at(at + timedelta(minutes=30)), transaction():
        laboratory.record(subject.id, items, cast.staff["nurse"])


def _attended(cast: Cast, subject: Subject, now: datetime) -> None:
    """Every visit whose day has passed was attended on it."""
    with transaction(writes=False):
        rows = db.session.execute(
            sa.select(Occurrence.id, Occurrence.due_at).where(
                Occurrence.subject_id == subject.id,
                Occurrence.kind == "visit",
                Occurrence.late_at < now,
                Occurrence.satisfied_at.is_(None),
            )
        ).all()
    for visit_id, due_at in rows:
        assert due_at is not None  # late_at is
        at = due_at + timedelta(hours=9)
        with _at(at), transaction():
            visits.attend(visit_id, {"at": at, "outcome": "attended"}, cast.staff["nurse"].id)


def _diary(cast: Cast, subject: Subject, until: datetime) -> None:
    """Nine of ten slots up to `until` are answered, a little after their time, by somebody who is well."""
    chance = random.Random(str(subject.number))  # noqa: S311  # a repeatable story, no secret
    with transaction(writes=False):
        slots = db.session.execute(
            sa.select(Occurrence.id, Occurrence.key, Occurrence.due_at)
            .where(
                Occurrence.subject_id == subject.id,
                Occurrence.kind == "slot",
                Occurrence.excused.is_(None),
                Occurrence.due_at < until - timedelta(minutes=30),
            )
            .order_by(Occurrence.due_at, Occurrence.key)
        ).all()
    recent = until - timedelta(hours=24)
    for slot_id, form, due_at in slots:
        assert due_at is not None  # every slot is dated
        # Nobody has been silent lately: the demo begins without a page for a missed report.
        if chance.random() < 0.9 or due_at > recent:
            at = due_at + timedelta(minutes=chance.randint(1, 25))
            given = _well(cast.study, cast.study.forms[form], chance, at)
            _submit(cast, subject, form, at, given, slot_id)


def _submit(
    cast: Cast, subject: Subject, form: str, at: datetime, given: dict[str, Any], slot_id: UUID | None = None
) -> None:
    with _at(at), transaction():
        patient = activation.patient_of(lock_subject(subject.id))
        body = _body(cast, form, at, given) | {"slot_id": slot_id}
        capture.submit(subject.id, uuid4(), body, patient, source="phone")


def _body(cast: Cast, form: str, at: datetime, given: dict[str, Any]) -> dict[str, Any]:
    """What is sent with the answers, where everything happens at one instant."""
    return {
        "revision": 1,
        "form": form,
        "slot_id": None,
        "reporter": "patient",
        "measured_at": at,
        "entered_at": at,
        "queued_at": at,
        "sent_at": at,
        "time_zone": cast.site.time_zone,
        "answers": given,
        "practice": False,
    }


def _well(study: Study, form: Form, chance: random.Random, at: datetime) -> dict[str, Any]:
    """What somebody answers who has nothing to report."""
    given: dict[str, Any] = {}
    for one in form.items:
        item = study.items[one.item]
        if one.show_if is not None and one.item != "temp_site":
            continue
        if item.key == "temp_c":
            # A normal armpit day: lowest before waking, highest in the late afternoon.
            given["temp_c"] = Decimal(str(round(36.4 + chance.uniform(-0.35, 0.35), 1)))
        elif item.key == "temp_site":
            given["temp_site"] = "armpit"
        elif one.required or item.key in GOOD:
            given[item.key] = _nothing(item, study)
    for item_key in form.score:
        given[item_key] = int(study.items[item_key].max or 1)
    return {key: value for key, value in given.items() if value is not None}


def _nothing(item: Any, study: Study) -> Any:
    options = item.option_keys()
    if item.key in GOOD:
        return GOOD[item.key] if GOOD[item.key] in options else None
    if item.type == "choice":
        return "no" if "no" in options else options[0]
    if item.type == "multi":
        return [item.exclusive or options[0]]
    if item.type == "doses":
        return []
    return None if item.type == "text" else 0
