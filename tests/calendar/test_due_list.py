"""The nurse's list over a hundred thousand subjects: same answers, index-only plans, work that does not grow.

No clock is looked at: SQLite counts the steps of its machine, PostgreSQL the pages it touched.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from house import House, subject_body

from backend import agenda, clock, duelist
from backend.db import db, transaction
from backend.duelist import Part
from backend.models.calendar import Occurrence
from backend.models.subject import Subject

MANY = 100_000
STATUSES = ("not_yet", "due", "overdue", "missed", None)
PAGE = 51


@pytest.fixture
def crowd(house: House) -> House:
    """One real subject, and a site full of copies of it with a visit and two slots each."""
    house.infused(days_ago=6)
    fill(house, 18)
    return house


def fill(house: House, upto: int) -> None:
    with house.app.app_context(), transaction():
        postgres = db.session.get_bind().dialect.name == "postgresql"
        series = (
            f"(SELECT generate_series(1, {upto}) AS n)"
            if postgres
            else f"(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {upto}) SELECT n FROM s)"
        )
        name = "CAST(lpad(to_hex({0}), 32, '0') AS uuid)" if postgres else "printf('%032x', {0})"
        bare = [column.name for column in Subject.__table__.columns if column.name not in ("id", "number")]
        copied = ", ".join(f"one.{column}" for column in bare)
        number = "'C' || s.n"
        db.session.execute(
            sa.text(
                f"INSERT INTO subject (id, number, {', '.join(bare)}) SELECT {name.format('s.n')}, {number}, {copied} "
                f"FROM {series} s, (SELECT * FROM subject WHERE number = '001') one "
                f"WHERE {name.format('s.n')} NOT IN (SELECT id FROM subject)"
            )
        )
        for kind, rows in enumerate(_rows(house.now)):
            _copy(house, rows, kind, series, name, postgres)
        db.session.execute(sa.text("ANALYZE"))


def _rows(now: datetime) -> list[dict[str, Any]]:
    """An overdue visit, a missed slot and one not yet open: when each is due, and for how long it may be done."""
    day, hour = timedelta(days=1), timedelta(hours=1)
    shapes = (("visit", "V7", now - 2 * day, day, day, 9 * day), ("slot", "quick", now - 3 * day, hour, hour, 3 * hour),
              ("slot", "daily", now + 3 * day, hour, hour, 3 * hour))  # fmt: skip
    return [
        {"kind": kind, "key": key, "opens_at": due - before, "due_at": due, "late_at": due + late,
         "closes_at": due + closes, "listed_at": due}
        for kind, key, due, before, late, closes in shapes
    ]  # fmt: skip


def _copy(house: House, row: dict[str, Any], kind: int, series: str, name: str, postgres: bool) -> None:
    """The row once for every subject of the series, each a second later than the one before."""
    later = "+ s.n % 3600 * interval '1 second'" if postgres else None
    site = db.session.scalar(sa.select(Subject.site_id))
    revision = db.session.scalar(sa.select(Subject.study_revision_id))
    template = Occurrence(id=house.nurse.id, subject_id=house.nurse.id, site_id=site, missed=False, announced=True,
                          edition=0, study_revision_id=revision, **row)  # fmt: skip
    value = agenda.as_value(template)
    listing = agenda._listing(value, house.now)
    times = ("opens_at", "due_at", "late_at", "closes_at", "listed_at", "turns_at")
    values = {**row, **listing}

    def moved(column: str) -> str:
        if values.get(column) is None:
            return "NULL"
        bound = f"CAST(:{column} AS timestamptz)" if postgres else f":{column}"
        if postgres:
            return f"{bound} {later}"
        return f"strftime('%Y-%m-%d %H:%M:%f', {bound}, '+' || (s.n % 3600) || ' seconds') || '000'"

    identity = name.format(f"s.n + {MANY * 10 * (kind + 1)}")
    columns = ["id", "subject_id", "site_id", "kind", '"key"', "missed", "announced", "edition", "study_revision_id",
               "stage", *times]  # fmt: skip
    key = "CAST(:key AS varchar)"
    fixed = [identity, name.format("s.n"), ":site", ":kind", key, "false", "true", "0", ":revision", ":stage"]
    statement = (
        f"INSERT INTO occurrence ({', '.join(columns)}) SELECT {', '.join([*fixed, *map(moved, times)])} "
        f'FROM {series} s WHERE {identity} NOT IN (SELECT id FROM occurrence WHERE "key" = CAST(:key AS varchar))'
    )
    bound = {name: value for name, value in values.items() if name in times and value is not None}
    if not postgres:
        bound = {name: value.replace(tzinfo=None).isoformat(" ") for name, value in bound.items()}
    ids = {"site": site, "revision": revision} if postgres else {"site": site.hex, "revision": revision.hex}
    db.session.execute(sa.text(statement), {**bound, **ids, "kind": row["kind"], "key": row["key"],
                                            "stage": listing["stage"]})  # fmt: skip


@contextmanager
def reading(house: House) -> Iterator[None]:
    with house.app.app_context(), transaction(writes=False):
        yield


def page_query(house: House, status: str | None, kind: str, after: Any = None) -> Any:
    part = Part(house.site_id)
    if status is None:
        part = Part(house.site_id, house.now - timedelta(days=1), house.now + timedelta(days=4))
    return duelist.ids([part], [kind], status, house.now, after, PAGE)


def work(statement: Any) -> int:
    """What the database did to answer: machine steps on SQLite, pages on PostgreSQL."""
    if db.session.get_bind().dialect.name == "postgresql":
        plan = explained(statement, "ANALYZE, BUFFERS, FORMAT JSON")[0]["Plan"]
        return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])
    raw = db.session.connection().connection.driver_connection
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    raw.set_progress_handler(step, 1)
    db.session.execute(statement).all()
    raw.set_progress_handler(None, 0)
    return steps


def explained(statement: Any, how: str) -> Any:
    text = str(statement.compile(db.session.get_bind(), compile_kwargs={"literal_binds": True}))
    found = db.session.execute(sa.text(f"EXPLAIN ({how}) {text}".replace(":", "\\:"))).scalar_one()
    return json.loads(found) if isinstance(found, str) else found


def leaves(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if not plan.get("Plans"):
        yield plan
    for inner in plan.get("Plans", ()):
        yield from leaves(inner)


def assert_index_only(statement: Any) -> None:
    """Every look at the calendar is a look at an index; the rows the clock has turned since are found by theirs."""
    if db.session.get_bind().dialect.name == "postgresql":
        for leaf in leaves(explained(statement, "FORMAT JSON")[0]["Plan"]):
            turned = leaf.get("Index Name") == "ix_occurrence_turns"
            kinds = ("Index Scan", "Bitmap Index Scan", "Index Only Scan") if turned else ("Index Only Scan",)
            assert leaf["Node Type"] in kinds, leaf
        return
    text = str(statement.compile(db.session.get_bind(), compile_kwargs={"literal_binds": True}))
    plan = [row[3] for row in db.session.execute(sa.text(f"EXPLAIN QUERY PLAN {text}".replace(":", "\\:")))]
    looks = [line for line in plan if "occurrence" in line]
    assert looks
    for line in looks:
        assert "USING COVERING INDEX ix_occurrence_" in line or "ix_occurrence_turns" in line, plan
        assert "SCAN occurrence" not in line, plan


def test_a_page_costs_the_same_for_eighteen_subjects_and_a_hundred_thousand(crowd: House) -> None:
    shown: dict[str, tuple[str | None, str]] = {
        f"{status} {kind}": (status, kind) for status in STATUSES for kind in duelist.KINDS
    }
    with reading(crowd):
        few = {name: work(page_query(crowd, *asked)) for name, asked in shown.items()}
    fill(crowd, 1_000)
    with reading(crowd):
        some = {name: work(page_query(crowd, *asked)) for name, asked in shown.items()}
    fill(crowd, MANY)
    with reading(crowd):
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Subject)) == MANY + 1
        for name, asked in shown.items():
            statement = page_query(crowd, *asked)
            assert_index_only(statement)
            assert work(statement) <= 1.5 * some[name] + 60, (name, few[name], some[name])
            rows = db.session.execute(statement).all()
            if rows:  # a page deep in the list costs what the first does
                after = (rows[-1].listed_at + timedelta(minutes=20), rows[-1].id)
                assert work(page_query(crowd, *asked, after)) <= 1.5 * some[name] + 60, name
        counted = {(one.kind, one.status): (one.count, one.more) for one in duelist.counts([crowd.site_id], crowd.now)}
        assert counted["visit", "overdue"] == (duelist.MOST, True)
        assert counted["slot", "missed"] == (duelist.MOST, True)
        found = duelist.rows([Part(crowd.site_id)], ["visit"], "overdue", crowd.now, None, PAGE)
        assert [row.status for row in found] == ["overdue"] * PAGE


def test_what_the_clock_has_turned_is_listed_at_once_and_costs_little_once_it_is_advanced(house: House) -> None:
    """Stages are an index: a list is right before anybody has moved them on, and the same after."""
    for n in range(3):
        house.infused(days_ago=6, number=f"00{n}")
    with reading(house):
        early = _answers(house)
    house.turn(hours=7)
    with reading(house):
        before = _answers(house)
    with house.app.app_context(), transaction():
        assert agenda.advance(house.now) > 0
        assert agenda.advance(house.now) == 0
    with reading(house):
        assert _answers(house) == before
        assert agenda.verify() == []
    assert before != early


def _answers(house: House) -> dict[Any, list[Any]]:
    """Each status as the list finds it, which must be what the clock says of every row."""
    found = {}
    with clock.running_on(house.time):
        status = agenda.status_at(house.now)
        for kind in duelist.KINDS:
            for one in ("not_dated", "not_yet", "open", "due", "done", "late", "overdue", "missed", "not_applicable"):
                rows = duelist.rows([Part(house.site_id)], [kind], one, house.now, None, 1000)
                wanted = sa.select(Occurrence.id).where(Occurrence.kind == kind, status == one)
                ordered = list(db.session.scalars(wanted.order_by(Occurrence.listed_at, Occurrence.id)))
                found[kind, one] = [row.Occurrence.id for row in rows]
                assert found[kind, one] == ordered, (kind, one)
    return found


def test_the_list_pages_through_everything_once(sqlite_house: House) -> None:
    house = sqlite_house
    for n in range(4):
        house.infused(days_ago=20, number=f"10{n}")
    seen: list[str] = []
    cursor = ""
    while True:
        answer = house.nurse.get(f"/calendar?status=missed&limit=7{cursor}")
        assert answer.status_code == 200, answer.text
        seen += [item["id"] for item in answer.json["items"]]
        if answer.json["next_cursor"] is None:
            break
        cursor = f"&cursor={answer.json['next_cursor']}"
    assert len(seen) == len(set(seen)) > 30
    stranger = house.stranger.get("/calendar?status=missed")
    assert stranger.json["items"] == []


def test_a_week_at_a_glance(sqlite_house: House) -> None:
    house = sqlite_house
    house.nurse.post("/subjects", subject_body(house, number="201"))
    house.infused(days_ago=3, number="202")
    week = house.nurse.get("/calendar?date=2026-03-02&to=2026-03-08&kind=visit").json["items"]
    assert [one["key"] for one in week] == ["V6", "V7", "V8"]
    backwards = house.nurse.get("/calendar?date=2026-03-02&to=2026-03-01")
    assert (backwards.status_code, backwards.json["faults"][0]["path"]) == (422, "/to")
    waiting = house.nurse.get("/calendar/counts").json["items"]
    assert {(one["kind"], one["status"]): one["count"] for one in waiting if one["count"]}["visit", "due"] == 1
