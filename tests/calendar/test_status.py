"""`backend.agenda.status_at` says in SQL what `schedules.occurrences.status` says, on both databases."""

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from house import House

from backend import agenda
from backend.db import db, transaction
from backend.models import calendar as tables
from schedules.planned import NOT_APPLICABLE, STATUSES, Occurrence, status

START = datetime(2026, 3, 10, 8, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


def any_occurrence(chance: random.Random) -> Occurrence:
    """Dated or not, done early or late or not at all, excused, missed: whatever may stand in the table."""
    times = [None] * 4
    if chance.random() < 0.9:
        steps = [timedelta(minutes=chance.choice((0, 1, 60, 1440))) for _ in range(4)]
        times = [START + sum(steps[:n], timedelta()) for n in range(1, 5)]
    done = None
    if chance.random() < 0.4:
        done = (chance.choice(times) or START) + chance.choice((-1, 0, 1)) * INSTANT
    return Occurrence(
        uuid4(),
        chance.choice(("visit", "slot")),
        "quick",
        chance.choice((None, -5, 0, 30)),
        *times,
        appointment_at=times[1] if chance.random() < 0.2 else None,
        satisfied_by=uuid4() if done else None,
        satisfied_at=done,
        missed=chance.random() < 0.15,
        excused=chance.choice((None, None, None, "admitted", "on_holiday", *NOT_APPLICABLE)),
        announced=chance.random() < 0.5,
    )


def write(house: House, made: list[Occurrence]) -> None:
    subject = house.enrol()
    rows = [
        {name: getattr(one, name) for name in Occurrence.__dataclass_fields__}
        | {"subject_id": UUID(subject["id"]), "site_id": house.site_id}
        for one in made
    ]
    with house.app.app_context(), transaction():
        db.session.execute(sa.insert(tables.Occurrence), rows)


@pytest.mark.parametrize("seed", [1, 2])
def test_sql_and_python_agree_at_every_boundary(house: House, seed: int) -> None:
    chance = random.Random(seed)
    made = [any_occurrence(chance) for _ in range(400)]
    write(house, made)
    times = {at for one in made for at in (one.opens_at, one.due_at, one.late_at, one.closes_at) if at}
    instants = sorted({at + step for at in times for step in (-INSTANT, timedelta(), INSTANT)})
    asked = chance.sample(instants, 60) if len(instants) > 60 else instants
    said: set[str] = set()
    with house.app.app_context(), transaction(writes=False):
        for now in asked:
            rows = db.session.execute(
                sa.select(tables.Occurrence.id, agenda.status_at(now)).where(
                    tables.Occurrence.id.in_([one.id for one in made])
                )
            )
            found = {identity: word for identity, word in rows}  # noqa: C416  # rows are no pairs to dict()
            wanted = {one.id: status(one, now) for one in made}
            assert found == wanted
            said |= set(wanted.values())
    assert said == set(STATUSES)  # the sample says every word there is


def test_each_boundary_belongs_to_what_begins_there(house: House) -> None:
    """Opens, due, late, closes an hour apart; a microsecond before each is still the state before it."""
    times = [START + timedelta(hours=n) for n in range(4)]
    one = Occurrence(uuid4(), "slot", "quick", 1, *times)
    write(house, [one])
    words = ("not_yet", "open", "due", "overdue", "missed")
    with house.app.app_context(), transaction(writes=False):
        for n, at in enumerate(times):
            for now, word in ((at - INSTANT, words[n]), (at, words[n + 1])):
                row = sa.select(agenda.status_at(now)).where(tables.Occurrence.id == one.id)
                assert db.session.execute(row).scalar_one() == word == status(one, now)
