"""A small made-up trial, entered through the use-cases at the times it is supposed to have happened.

Seven subjects at one site: in screening, three days before a planned infusion, day 2, day 7 with a fever
that was answered, day 9 in hospital, day 40, and month 6. For `DAYMARK_MODE=demo` only; no real person.
This module tells the stories: numbers are `courses`, visits `findings`, what went wrong `events`.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from backend import (
    accounts,
    activation,
    capture,
    crypto,
    delegation,
    enrolment,
    medications,
    rota,
    studies,
    treatment,
    workdays,
)
from backend.assessments import CLINICAL, PARTS
from backend.db import db, transaction
from backend.demo import diary, events, findings
from backend.demo.courses import PATIENTS
from backend.demo.stage import Act, Cast, Life, acting_at, play
from backend.models.study import Site
from backend.models.subject import Subject
from schedules.windows import local_date, start_of_day

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
SINCE = timedelta(days=220)  # before the first subject was enrolled
DAY, HOUR = timedelta(days=1), timedelta(hours=1)

Story = Callable[[Cast, Subject, datetime], list[Act]]


def load(content: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Fill an empty database. Returns what `demo-accounts.json` holds: sign-ins and activation codes."""
    hashed = crypto.hash_password(PASSWORD)
    with acting_at(now - SINCE), transaction():
        cast = _team(content, hashed, now)
        findings.limits(cast, now - SINCE)
    for n, number in enumerate(STORIES):
        subject = _enrolled(cast, number, n, now)
        acts = STORIES[number](cast, subject, now)
        assert all(act.at <= now for act in acts), f"{number}: a story has happened"
        play(acts)
        with acting_at(now), transaction():
            subject = db.session.execute(sa.select(Subject).where(Subject.number == number)).scalar_one()
            issued = activation.issue_code(subject, activation.patient_of(subject), cast.staff["nurse"].id)
            cast.shown["subjects"].append({"number": number, "id": subject.id, "activation_code": issued.code})
    return cast.shown


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
        live_at=now - SINCE,
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
    since = local_date(now - SINCE, site.time_zone)
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
    days = {"S01": 2, "S02": 21, "S03": 26, "S04": 31, "S05": 33, "S06": 64, "S07": 204}[number]
    enrolled_at = now - timedelta(days=days)
    with acting_at(enrolled_at), transaction():
        subject, _ = enrolment.enrol(
            cast.site,
            {
                "id": uuid4(),
                "number": number,
                "dose_level": cast.study.dose_levels[number == "S01"].key,  # six are planned on the lowest
                "locale": "zh-CN" if n % 2 else "en",
                "time_zone": cast.site.time_zone,
                "contact": {"name": f"Demo {number}", "phone": f"1390000{n:04}"},
                "consents": [
                    {"kind": "trial", "text_version": "1.0", "given_at": enrolled_at},
                    {"kind": "app", "text_version": "1.0", "given_at": enrolled_at},
                ],
                "prior_organs": list(PATIENTS[number].organs),
                "year_of_birth": 1985 + n,
            },
            cast.staff["nurse"].id,
        )
    play(_event(cast, subject, kind, enrolled_at) for kind in ("screening", "consent"))
    return subject


def _event(
    cast: Cast, subject: Subject, kind: str, at: datetime, *, planned: bool = False, said: datetime | None = None
) -> Act:
    """An event recorded when it happened, or a plan when it was made (`said`)."""
    told: dict[str, Any] = {"id": uuid4(), "kind": kind, "planned_at" if planned else "actual_at": at}
    if kind == "admission":
        told["place"] = treatment.PLACES[0]
    return Act(said or at, lambda: treatment.record_event(subject.id, told, cast.staff["nurse"].id))


def _screening(cast: Cast, subject: Subject, now: datetime) -> list[Act]:
    life = Life(cast, subject, now + 30 * DAY)
    return [_values(life, now - DAY, {"anc": "3.4", "platelets": "212", "crp": "4"})]


def _values(life: Life, at: datetime, told: Mapping[str, str]) -> Act:
    """Values outside of any visit, typed half an hour later."""
    return findings.values(life, at, {code: Decimal(value) for code, value in told.items()}, after=HOUR / 2)


def _planned(cast: Cast, subject: Subject, now: datetime) -> list[Act]:
    """Three days before a planned infusion; the baseline diary has begun."""
    life = Life(cast, subject, now + 3 * DAY)
    plan = _event(cast, subject, "infusion", life.infused_at, planned=True, said=now - 9 * DAY)
    play([plan, _event(cast, subject, "collection", now - 5 * DAY)])
    return [*diary.reports(life, now), *_visits(life, now)]


def _day(day: int) -> Story:
    def story(cast: Cast, subject: Subject, now: datetime) -> list[Act]:
        life = _treated(cast, subject, now - day * DAY)
        return [*diary.reports(life, now), *_visits(life, now), *events.lymphopenia(life)]

    return story


def _treated(cast: Cast, subject: Subject, infused_at: datetime) -> Life:
    """The steps of treatment come first: they date the visits and reports that the rest is about."""
    plan = _event(cast, subject, "infusion", infused_at, planned=True, said=infused_at - 10 * DAY)
    before = (("collection", 8), ("lymphodepletion", 5), ("infusion", 0))
    play([plan, *(_event(cast, subject, kind, infused_at - days * DAY) for kind, days in before)])
    return Life(cast, subject, infused_at)


def _visits(
    life: Life,
    now: datetime,
    signed: Mapping[str, Sequence[str]] | None = None,
    ahead: Mapping[str, datetime] | None = None,
) -> list[Act]:
    """Every visit whose day has passed was attended on it, with all that was found and given."""
    came = findings.attended(life, now, ahead=ahead)
    acts = [act for one in came for act in findings.visit(life, one, signed=(signed or {}).get(one.key, ()))]
    acts += findings.regimens(life, came, now)
    if life.infused_at < now:
        acts += [findings.lymphodepletion(life), *findings.product(life, now)]
    return acts


def _febrile(cast: Cast, subject: Subject, now: datetime) -> list[Act]:
    """Day 7: a fever an hour ago, answered: accepted, contacted, seen; still open."""
    life, fever_at = _treated(cast, subject, now - 7 * DAY), now - HOUR
    return [
        *diary.reports(life, now - 2 * HOUR),
        *_visits(life, now),
        *events.lymphopenia(life),
        _values(life, now - 19 * HOUR, {"anc": "0.8", "platelets": "96", "crp": "21", "ferritin": "410"}),
        _fever(life, fever_at, "38.3"),
        *events.answered(life, fever_at, ((3, "accepted"), (9, "contacted"), (35, "seen"))),
        _paracetamol(life, fever_at),
    ]


def _fever(life: Life, at: datetime, temperature: str) -> Act:
    """Reported at once, outside of any slot, with a little shivering."""
    study = life.cast.study
    well = diary.well(study, study.forms[study.unscheduled_form], random.Random(4))  # noqa: S311
    return diary.report(life, study.unscheduled_form, at, {**well, "temp_c": Decimal(temperature), "chills": 1})


def _paracetamol(life: Life, at: datetime) -> Act:
    """Taken with the fever, recorded by the doctor who called."""
    given: dict[str, Any] = {"id": uuid4(), "drug": "paracetamol", "dose_mg": Decimal(1000)}
    taken = {**given, "started_at": at, "stopped_at": at}
    doctor = life.cast.staff["doctor"]
    return Act(at + 2 * HOUR / 3, lambda: medications.record(life.subject.id, [taken], doctor))


def _in_hospital(cast: Cast, subject: Subject, now: datetime) -> list[Act]:
    """Day 9, admitted with a fever on day 5: the diary rests, the ward's values take its place."""
    life = _treated(cast, subject, now - 9 * DAY)
    admitted_at = life.infused_at + 5 * DAY
    fever_at = admitted_at - 3 * HOUR
    return [
        *diary.reports(life, fever_at),
        *_visits(life, now),
        *events.lymphopenia(life),
        _fever(life, fever_at, "38.2"),
        _paracetamol(life, fever_at),
        *events.cytokine_release(life, fever_at, admitted_at),
        _event(cast, subject, "admission", admitted_at),
        *(_round(life, now - timedelta(hours=hours)) for hours in range(48, 0, -8)),
    ]


def _round(life: Life, at: datetime) -> Act:
    """One row of the ward's grid, by the nurse."""
    cast = life.cast
    form = next(form for form in cast.study.forms.values() if form.staff_only)
    seen = {"temp_c": Decimal("37.0"), "temp_site": "ear", "hr": 84, "sbp": 112, "dbp": 70, "spo2": 97, "ice_score": 10}
    given = {one.item: seen[one.item] for one in form.items if one.item in seen}
    told = diary.body(cast, form.key, at, given) | {"reporter": "staff"}
    return Act(
        at + timedelta(minutes=5),
        lambda: capture.submit(life.subject.id, uuid4(), told, cast.staff["nurse"], source="ward"),
    )


def _responding(cast: Cast, subject: Subject, now: datetime) -> list[Act]:
    """Day 40: on the way. What made the subject tired on days 11 and 12 nobody has decided yet."""
    life = _treated(cast, subject, now - 40 * DAY)
    tired = {(day, "daily"): {"fatigue": 2} for day in (11, 12)}
    signed = {"V0": PARTS, "V14": (CLINICAL,)}
    return [*diary.reports(life, now, tired), *_visits(life, now, signed), *events.lymphopenia(life)]


def _in_remission(cast: Cast, subject: Subject, now: datetime) -> list[Act]:
    """Month 6: SRI-4 and low activity at month 3, in remission since; the last visit came two days early."""
    life = _treated(cast, subject, now - 180 * DAY)
    zone = cast.site.time_zone
    last = start_of_day(local_date(now, zone), zone) - 2 * DAY + 9 * HOUR
    signed = {"V19": (CLINICAL,), **dict.fromkeys(("V0", "V14", "V15", "V16", "V17", "V18"), PARTS)}
    return [
        *diary.reports(life, now),
        *_visits(life, now, signed, {"V19": last}),
        *events.lymphopenia(life, over_on=60),
        *events.neutropenia(life, findings.sampled_on(life, 5), findings.sampled_on(life, 12)),
        *findings.course(life, 6, 11, now, "g_csf", "0.3", route="subcutaneous"),
        *events.airway_infection(life, life.infused_at + 74 * DAY),
        *findings.course(life, 75, 80, now, "other_antibiotic", "500"),
    ]


STORIES: Mapping[str, Story] = {
    "S01": _screening,
    "S02": _planned,
    "S03": _day(2),
    "S04": _febrile,
    "S05": _in_hospital,
    "S06": _responding,
    "S07": _in_remission,
}
