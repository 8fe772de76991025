"""What the demo's site finds and gives: laboratory values, scored forms and medications of each visit, the product.

Acts for `stage.play`, each at the hour at which somebody would have typed it. Adverse events: `events`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from backend import assessments, laboratory, medications, products, reference_limits, visits
from backend.assessments import CLINICAL, COMPLETE
from backend.db import db, transaction
from backend.demo.courses import COPIES_FROM, LABORATORY, LIMITS, PATIENTS, prednisone_from, value_on
from backend.demo.scores import answers
from backend.demo.stage import Act, Cast, Life
from backend.laboratory import RELEASE
from backend.models.calendar import Occurrence
from schedules.windows import local_date, start_of_day

HOUR, MINUTE, DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)
# In the order in which they are filled in: the global assessment before the score that could sway it.
_FORMS = {"pga": 10 * MINUTE, "sledai2k": 20 * MINUTE, "bilag2004": 30 * MINUTE, "treatment": 35 * MINUTE}
MEANING = {CLINICAL: "As I found it.", COMPLETE: "The values are in and change nothing."}
# Tests of the lot whose results come after infusion, on which day.
_RESULT_DAYS = {"release_sterility": 14, "release_replication_competent_virus": 21}


@dataclass(frozen=True, slots=True)
class Came:
    """A visit that took place: `at` the subject came. `marked`: the treatment itself says so in the calendar."""

    id: UUID
    key: str
    at: datetime
    day: int
    asked: tuple[str, ...]
    marked: bool


def limits(cast: Cast, since: datetime) -> None:
    """The laboratory's reference limits, written down once."""
    items = [
        {
            "id": uuid4(),
            "laboratory": LABORATORY,
            "code": code,
            "unit": cast.study.measures[code].unit,
            "lln": _decimal(low),
            "uln": _decimal(high),
            "valid_from": local_date(since, cast.site.time_zone),
        }
        for code, (low, high) in LIMITS.items()
    ]
    reference_limits.record(cast.site, items, cast.staff["nurse"].id)


def _decimal(limit: str | None) -> Decimal | None:
    return None if limit is None else Decimal(limit)


def attended(life: Life, now: datetime, *, ahead: Mapping[str, datetime] | None = None) -> list[Came]:
    """Every visit whose day has passed, and those that came `ahead` of their day; to be marked as attended then."""
    early = ahead or {}
    with transaction(writes=False):
        rows = db.session.execute(
            sa.select(Occurrence.id, Occurrence.key, Occurrence.due_at, Occurrence.satisfied_at).where(
                Occurrence.subject_id == life.subject.id,
                Occurrence.kind == "visit",
                sa.or_(Occurrence.late_at < now, Occurrence.satisfied_at.is_not(None), Occurrence.key.in_(list(early))),
            )
        ).all()
    found = []
    for visit_id, key, due_at, done_at in rows:
        # A treatment is its own visit; the subject was there an hour before it.
        at = done_at - HOUR if done_at is not None else early.get(key)
        if at is None:
            assert due_at is not None  # late_at is
            at = due_at + 9 * HOUR
        asked = tuple(life.cast.study.visit(key).assessments)
        found.append(Came(visit_id, key, at, life.day(done_at or at), asked, done_at is not None))
    return sorted(found, key=lambda came: came.at)


def visit(life: Life, came: Came, *, signed: Sequence[str] = ()) -> list[Act]:
    """One visit: the subject comes, blood is taken, values are typed, the doctor fills in the forms and signs."""
    acts = [] if came.marked else [Act(came.at, lambda: _attend(life, came))]
    codes = _codes(life, came)
    if codes:
        found = {code: value_on(life.subject.number, code, came.day) for code in codes}
        acts.append(values(life, _sample_at(life, came), found, after=2 * HOUR))
    forms = [name for name in _FORMS if assessments.FORMS[name] in came.asked]
    if forms:
        acts.append(Act(came.at + 3 * HOUR, lambda: _assess(life, came, forms)))
    for part in signed:
        acts.append(Act(came.at + (4 * HOUR if part == CLINICAL else DAY), partial(_sign, life, came, part)))
    return acts


def _attend(life: Life, came: Came) -> None:
    visits.attend(came.id, {"at": came.at, "outcome": "attended"}, life.cast.staff["nurse"].id)


def _sample_at(life: Life, came: Came) -> datetime:
    """Half an hour before the visit, on its day."""
    zone = life.cast.site.time_zone
    on = start_of_day(local_date(came.at + HOUR, zone), zone)
    return max(came.at - 30 * MINUTE, on)


def sampled_on(life: Life, day: int) -> datetime:
    """When blood was taken at the visit of a study day."""
    return _morning(life, day) + 30 * MINUTE


def _codes(life: Life, came: Came) -> list[str]:
    """The values that the visit's assessments stand for."""
    measures: Mapping[str, Sequence[str]] = life.cast.study.analysis["assessment_measures"]
    return list(dict.fromkeys(code for name in came.asked for code in measures.get(name, ())))


def values(life: Life, at: datetime, found: Mapping[str, Decimal], *, after: timedelta) -> Act:
    """The values of one sample, typed some time `after` it was taken; their limits are the laboratory's."""
    items = [
        {**_item(life, code, value, at), "laboratory": LABORATORY}
        if code != "car_copies" or value >= COPIES_FROM
        else {**_item(life, code, COPIES_FROM, at), "laboratory": LABORATORY, "qualifier": "<"}
        for code, value in found.items()
    ]
    return _typed(life, at + after, items)


def _item(life: Life, code: str, value: Decimal, at: datetime) -> dict[str, Any]:
    unit = life.cast.study.measures[code].unit
    return {"id": uuid4(), "code": code, "value": value, "unit": unit, "source": "laboratory", "collected_at": at}


def _typed(life: Life, at: datetime, items: Sequence[Mapping[str, Any]]) -> Act:
    return Act(at, lambda: laboratory.record(life.subject.id, list(items), life.cast.staff["nurse"]))


def _assess(life: Life, came: Came, forms: Iterable[str]) -> None:
    """The forms that the visit asks for, all by the same rater."""
    for instrument in forms:
        given = answers(life.subject.number, instrument, came.day)
        content = {"revision": 1, "answers": given, "assessed_at": came.at + _FORMS[instrument]}
        assessments.record(came.id, instrument, content, life.cast.staff["doctor"])


def _sign(life: Life, came: Came, part: str) -> None:
    content = {"id": uuid4(), "part": part, "meaning": MEANING[part]}
    assessments.sign(came.id, content, life.cast.staff["doctor"])


# --- What is taken and given ----------------------------------------------------------------------------------


def regimens(life: Life, came: Sequence[Came], now: datetime) -> list[Act]:
    """What was taken before, as told at screening, and what became of it."""
    screened = next(one.at for one in came if one.key == "V0")
    begun = screened - 400 * DAY
    mycophenolate = _drug("mycophenolate", "1000", begun, times_per_day=Decimal(2))
    return [
        _given(life, screened + HOUR, _drug("hydroxychloroquine", "200", begun, times_per_day=Decimal(2))),
        _given(life, screened + HOUR, mycophenolate),
        *_stopped(life, mycophenolate, _morning(life, -9), now, "washed out before cell collection"),
        *_taper(life, screened + HOUR, begun, now),
    ]


def lymphodepletion(life: Life) -> Act:
    """Three days of fludarabine and cyclophosphamide, recorded when they were over; prophylaxis goes on."""
    first = life.infused_at - 5 * DAY
    doses = (("fludarabine", "45"), ("cyclophosphamide", "450"))
    daily = [_drug(name, mg, first, stopped_at=first + 2 * DAY, route="intravenous") for name, mg in doses]
    prophylaxis = _drug("aciclovir", "400", first, times_per_day=Decimal(2))
    return _given(life, first + 2 * DAY + 4 * HOUR, *daily, prophylaxis)


def _taper(life: Life, told_at: datetime, begun: datetime, now: datetime) -> Iterator[Act]:
    """Each dose of prednisone, the one before it stopped on the evening before."""
    last: dict[str, Any] | None = None
    for since, mg in prednisone_from():
        starts_at = begun if since is None else _morning(life, since)
        if starts_at > now:
            return
        if last is not None:
            yield from _stopped(life, last, starts_at - 12 * HOUR, now, "the next step of the taper")
        if mg:
            last = _drug("prednisone", str(mg), starts_at)
            yield _given(life, told_at if since is None else starts_at, last)


def _morning(life: Life, day: int) -> datetime:
    zone = life.cast.site.time_zone
    return start_of_day(local_date(life.infused_at, zone), zone) + day * DAY + 8 * HOUR


def _drug(drug: str, mg: str, started_at: datetime, **more: Any) -> dict[str, Any]:
    told = {"dose_mg": Decimal(mg), "times_per_day": Decimal(1), "route": "oral", "started_at": started_at}
    return {"id": uuid4(), "drug": drug, **told, **more}


def _given(life: Life, at: datetime, *items: Mapping[str, Any]) -> Act:
    return Act(at, lambda: medications.record(life.subject.id, list(items), life.cast.staff["doctor"]))


def _stopped(life: Life, item: Mapping[str, Any], at: datetime, now: datetime, reason: str) -> Iterator[Act]:
    """A stop is a correction of what went on."""
    if at <= now:
        yield _given(life, at, {**item, "id": uuid4(), "corrects_id": item["id"], "stopped_at": at, "reason": reason})


def course(life: Life, since: int, until: int, now: datetime, drug: str, mg: str, **more: Any) -> list[Act]:
    """A drug given on study days [since, until], recorded when it was begun and when it was over."""
    item, over = _drug(drug, mg, _morning(life, since), **more), _morning(life, until)
    return [_given(life, item["started_at"], item), *_stopped(life, item, over, now, "completed")]


# --- The product ----------------------------------------------------------------------------------------------


def product(life: Life, now: datetime) -> list[Act]:
    """The product form after infusion, and the release tests whose results are in."""
    tests = [code for code, measure in life.cast.study.measures.items() if measure.kind == RELEASE]
    made_at = life.infused_at - 20 * HOUR
    early = [code for code in tests if code not in _RESULT_DAYS]
    acts = [_released(life, made_at, early, life.infused_at - 2 * HOUR)]
    late = ((code, life.infused_at + days * DAY + 5 * HOUR) for code, days in _RESULT_DAYS.items())
    acts.extend(_released(life, made_at, [code], at) for code, at in late if at <= now)
    return [*acts, Act(life.infused_at + HOUR, lambda: _product(life, tests))]


def _product(life: Life, tests: list[str]) -> None:
    number = life.subject.number
    weight = Decimal(PATIENTS[number].weight_kg)
    level = next(one for one in life.cast.study.dose_levels if one.key == life.subject.dose_level)
    n = int(number[1:])
    content = {
        "lot": f"DEMO-{local_date(life.infused_at, life.cast.site.time_zone):%y%m%d}-{n:02}",
        "car_t_cells": (level.cells_per_kg * weight * (Decimal(98 + n) / 100)).quantize(Decimal(1)),
        "viability_pct": Decimal(88 + n),
        "weight_kg": weight,
        "volume_ml": Decimal(20),
        "given_ml": Decimal(20),
        "started_at": life.infused_at,
        "stopped_at": life.infused_at + 12 * MINUTE,
        "release_tests": tests,
    }
    products.record(life.subject.id, content, life.cast.staff["doctor"].id)


def _released(life: Life, made_at: datetime, codes: Sequence[str], at: datetime) -> Act:
    """A negative result of each test, of the sample that was taken when the product was made."""
    return _typed(life, at, [_item(life, code, Decimal(0), made_at) for code in codes])
