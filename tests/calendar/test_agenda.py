"""The stored calendar is always what would be computed now, whatever happened before; on both databases."""

from collections import Counter
from datetime import timedelta

import pytest
import sqlalchemy as sa
from house import House

from backend import agenda
from backend.db import db, transaction
from backend.models.calendar import Occurrence
from tests.calendar.lives import Life

LIVES, THINGS = 5, 24


@pytest.mark.parametrize("batch", range(3))
def test_after_any_history_rebuilt_is_stored(house: House, batch: int) -> None:
    """Fifteen lives on each database, each seed another sequence of acts."""
    begun = house.now
    done: Counter[str] = Counter()
    first = 100 * batch + (50 if house.app.config["SQLALCHEMY_DATABASE_URI"].startswith("postgres") else 0)
    for seed in range(first, first + LIVES):
        house.time.at = begun + timedelta(days=seed % 7)
        life = Life(house, seed)
        life.live(THINGS)
        assert life.differences() == [], f"seed {seed}"
        done += life.done
    assert sum(done.values()) > LIVES * THINGS / 3, done  # most acts were no refusals
    assert {"event", "correction", "entry", "revision"} <= set(done)


def test_an_early_entry_an_answer_and_a_correction_by_hand(sqlite_house: House) -> None:
    """The same path step by step, where the rows can be looked at."""
    house = sqlite_house
    subject = house.infused(days_ago=3)
    patient = house.patient_of(subject)
    house.to(2026, 3, 3, 11, 30)
    sent = house.report(patient)
    assert sent.status_code == 201, sent.text
    before = satisfied(house)
    assert [row.due_at.hour for row in before] == [4]  # 12:00 in Shanghai
    events = house.nurse.get(f"/subjects/{subject['id']}/events").json["items"]
    corrected = house.nurse.call(
        "PATCH",
        f"/subjects/{subject['id']}/events/{events[0]['id']}",
        {"actual_at": "2026-02-26T01:00:00Z", "reason": "a day earlier"},
        {"If-Match": '"1"'},
    )
    assert corrected.status_code == 200, corrected.text
    assert [(row.id, row.satisfied_by) for row in satisfied(house)] == [(row.id, row.satisfied_by) for row in before]
    assert [row.day for row in satisfied(house)] == [before[0].day + 1]
    assert house.app.test_cli_runner().invoke(args=["agenda", "verify"]).exit_code == 0


def satisfied(house: House) -> list[Occurrence]:
    wanted = sa.select(Occurrence).where(Occurrence.kind == "slot", Occurrence.satisfied_by.is_not(None))
    return house.rows(wanted.order_by(Occurrence.due_at))


@pytest.mark.parametrize("damage", ["moved", "forgotten", "invented", "another_answer"])
def test_verify_finds_a_projection_that_is_wrong(house: House, damage: str) -> None:
    house.infused(days_ago=3)
    run = house.app.test_cli_runner()
    sound = run.invoke(args=["agenda", "verify"])
    assert (sound.exit_code, sound.output) == (0, "rebuilt = stored\n")
    with house.app.app_context(), transaction():
        row = db.session.scalars(sa.select(Occurrence).where(Occurrence.kind == "slot").limit(1)).one()
        damaged = str(row.id)
        if damage == "moved":
            row.due_at += timedelta(microseconds=1)
        elif damage == "forgotten":
            db.session.delete(row)
        elif damage == "another_answer":
            row.satisfied_by, row.satisfied_at = house.nurse.id, house.now
        else:
            damaged = str(house.nurse.id)
            made_up = {"stage": "not_dated", "listed_at": agenda.UNDATED, "study_revision_id": row.study_revision_id}
            where = {"subject_id": row.subject_id, "site_id": row.site_id, "kind": "slot", "key": "quick"}
            invented = Occurrence(id=house.nurse.id, missed=False, announced=True, **where, **made_up)
            db.session.add(invented)
    broken = run.invoke(args=["agenda", "verify"])
    assert broken.exit_code == 1
    assert damaged in broken.output
