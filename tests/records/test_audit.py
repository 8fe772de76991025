"""The trail holds after the whole main job, and whatever is changed in it is found; on both databases."""

import contextlib
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from house import House

from api.app import create_app
from backend import audit, guards
from backend.db import db, transaction
from backend.models.base import Base
from backend.models.record import AuditEvent
from tests.records.promises import values

NAMES = ("Wang Xiaoming", "Li Lan", "Wang Daming")
NUMBERS = ("13800138000", "13900139000", "13700137000")


@pytest.fixture
def trail(house: House) -> House:
    """Enrolment, events, carer, contact, fever, page, acknowledgement, correction, close."""
    subject = house.infused(days_ago=6)
    patient = house.patient_of(subject)
    carer = {"name": NAMES[1], "phone": NUMBERS[1], "locale": "en"}
    house.patient_of(subject, "carer", carer=carer)
    version = house.nurse.get(f"/subjects/{subject['id']}").json["version"]
    contact = {"contact": {"name": NAMES[2], "phone": NUMBERS[2]}, "reason": "a new telephone"}
    changed = house.nurse.patch(f"/subjects/{subject['id']}", contact, version)
    assert changed.status_code == 200, changed.text
    sent = house.report(patient, {"temp_c": 38.6, "chills": 2, "worry": "tomorrow", "note": "feeling unwell"})
    assert sent.status_code == 201, sent.text
    house.work()
    (episode,) = house.nurse.get("/episodes").json["items"]
    said = {"id": str(uuid4()), "kind": "seen", "seen_signal_seq": episode["last_seq"]}
    assert house.doctor.post(f"/episodes/{episode['id']}/acknowledgements", said).status_code == 201
    door = f"/entries/{sent.json['entry']['id']}"
    corrected = {"answers": sent.json["entry"]["answers"], "reason": "read out again"}
    assert house.nurse.patch(door, corrected, 1).status_code == 200
    closed = {"outcome": "infection", "note": "pneumonia"}
    seal = house.doctor.get(f"/episodes/{episode['id']}").headers["ETag"]
    assert house.doctor.post(f"/episodes/{episode['id']}/close", closed, **{"If-Match": seal}).status_code == 200
    return house


def verified(app: Flask) -> audit.ChainReport:
    with app.app_context(), transaction(writes=False):
        return audit.verify()


def test_the_main_job_leaves_an_unbroken_trail(trail: House) -> None:
    report = verified(trail.app)
    assert (report.intact, report.chains) == (True, 2)  # one subject, one system
    assert report.rows == len(trail.rows(sa.select(AuditEvent))) > 20
    shown = trail.monitor.get("/audit/verify").json
    assert (shown["intact"], shown["rows"], shown["first_bad"]) == (True, report.rows, None)
    run = trail.app.test_cli_runner().invoke(args=["audit", "verify"])
    assert (run.exit_code, run.output) == (0, f"2 chains, {report.rows} rows\nintact\n")


def test_every_row_says_who_when_and_on_what(trail: House) -> None:
    rows = trail.rows(sa.select(AuditEvent).order_by(AuditEvent.chain, AuditEvent.seq))
    verbs = {row.verb for row in rows}
    assert verbs >= {"subject:enrolled", "event:recorded", "contact:changed", "entry:stored", "signal:raised",
                     "episode:opened", "page:queued", "episode:seen", "entry:revised"}  # fmt: skip
    by_staff = [row for row in rows if row.actor_role == "nurse" and row.chain != audit.SYSTEM]
    assert {row.actor_id for row in by_staff} == {trail.nurse.id}
    assert all(row.origin for row in by_staff)
    queued = [row.actor_role for row in rows if row.verb == "page:queued"]
    assert set(queued) == {"worker"}


def test_contact_data_never_enter(trail: House) -> None:
    """Nor does a symptom in the patient's own words; the columns are read as text, whatever they hold."""
    with trail.app.app_context(), transaction(writes=False):
        rows = db.session.execute(sa.text("SELECT * FROM audit_event")).mappings().all()
        assert any(row["verb"] == "contact:changed" for row in rows)
        kept = db.session.execute(sa.text("SELECT body FROM kept_answer")).scalars().all()
    written = " ".join(str(value) for row in rows for value in row.values()) + " ".join(kept)
    for secret in (*NAMES, *NUMBERS, "feeling unwell"):
        assert secret not in written
    assert '"phone":"changed"' in written


def tamper(house: House, *statements: str, **given: Any) -> None:
    """Take the guards away and change the trail, as somebody would who owns the database."""
    with house.app.app_context(), db.engine.connect() as connection, connection.begin():
        for name, table in guards.existing(connection).items():
            if table == "audit_event":
                on = f" ON {table}" if connection.dialect.name == "postgresql" else ""
                connection.exec_driver_sql(f"DROP TRIGGER {name}{on}")
        for statement in statements:
            done = connection.execute(sa.text(statement), given)
            assert done.rowcount >= 1, statement


def middle(house: House) -> AuditEvent:
    chain = max(row.chain for row in house.rows(sa.select(AuditEvent)) if row.chain != audit.SYSTEM)
    rows = house.rows(sa.select(AuditEvent).where(AuditEvent.chain == chain).order_by(AuditEvent.seq))
    return rows[len(rows) // 2]  # type: ignore[no-any-return]


def test_a_change_in_any_column_is_found(trail: House) -> None:
    row = middle(trail)
    tamper(trail)
    table = Base.metadata.tables["audit_event"]
    for column in table.columns:
        before = getattr(row, column.name)
        after = next(value for value in values(column) if value != before)
        if column.name == "at":
            after = row.at + timedelta(microseconds=1)
        here = sa.update(table).where(table.c.seq == row.seq + 1000 * (column.name == "seq"), table.c.hash == row.hash)
        if column.name in ("seq", "chain", "hash"):
            here = sa.update(table).where(table.c.id == row.id)
            after = {"seq": row.seq + 1000, "chain": audit.SYSTEM + "x", "hash": "f" * 64}[column.name]
        with trail.app.app_context(), transaction():
            assert db.session.execute(here.values({column: after})).rowcount == 1  # type: ignore[attr-defined]
        assert not verified(trail.app).intact, column.name
        there = table.c.id == (after if column.name == "id" else row.id)
        with trail.app.app_context(), transaction():
            db.session.execute(sa.update(table).where(there).values({column: before}))
        assert verified(trail.app).intact, column.name


COPY = (
    "INSERT INTO audit_event (id, chain, seq, at, actor_id, actor_role, verb, entity, entity_id, old, new, reason, "
    "origin, previous, hash, key_id) SELECT :id, {chain}, {seq}, at, actor_id, actor_role, verb, entity, entity_id, "
    "old, new, reason, origin, {previous}, {hash}, key_id FROM audit_event WHERE chain = :chain AND seq = :seq"
)
DELETE = "DELETE FROM audit_event WHERE chain = :chain"
# what is done, to which seq of the chain it leads (from the middle row's, or the last one's), and why it is bad
TAMPERED: dict[str, tuple[tuple[str, ...], str, int, str]] = {
    "a removed row": ((f"{DELETE} AND seq = :seq",), "seq", 1, "a row is missing or doubled"),
    "a removed row, the others moved up": (
        (
            f"{DELETE} AND seq = :seq",
            "UPDATE audit_event SET seq = -seq WHERE chain = :chain AND seq > :seq",
            "UPDATE audit_event SET seq = -seq - 1 WHERE chain = :chain AND seq < 0",
        ),
        "seq", 0, "the row does not follow the one before",
    ),
    "a removed last row": ((f"{DELETE} AND seq = :last",), "last", 0, "rows at the end are missing"),
    "a removed tail": ((f"{DELETE} AND seq >= :seq",), "seq", 0, "rows at the end are missing"),
    "all rows of a chain": ((DELETE,), "zero", 1, "rows at the end are missing"),
    "a chain with its head": (
        (DELETE, "DELETE FROM audit_head WHERE chain = :chain"), "zero", 1, "the whole chain is missing",
    ),
    "a forged row at the end, the head moved along": (
        (
            COPY.format(chain="chain", seq=":last + 1", previous=":tail", hash=":forged"),
            "UPDATE audit_head SET hash = :forged, seq = seq + 1 WHERE chain = :chain",
        ),
        "last", 1, "the row was changed",
    ),
    "a swapped pair": (
        (
            "UPDATE audit_event SET seq = -1 WHERE chain = :chain AND seq = :seq",
            "UPDATE audit_event SET seq = :seq WHERE chain = :chain AND seq = :seq + 1",
            "UPDATE audit_event SET seq = :seq + 1 WHERE chain = :chain AND seq = -1",
        ),
        "seq", 0, "the row does not follow the one before",
    ),
}  # fmt: skip


class Undo(Exception):
    """Nothing of it is kept."""


def under(house: House, *statements: str, **given: Any) -> dict[str, Any] | None:
    """The first bad row while the trail stands so; afterwards all is as before."""
    used = {name: value for name, value in given.items() if any(f":{name}" in each for each in statements)}
    with house.app.app_context(), contextlib.suppress(Undo), transaction():
        for statement in statements:
            here = {name: value for name, value in used.items() if f":{name}" in statement}
            assert db.session.execute(sa.text(statement), here).rowcount >= 1, statement  # type: ignore[attr-defined]
        found = audit.verify().first_bad
        raise Undo
    return found


def test_every_way_of_tampering_is_found(trail: House) -> None:
    row = middle(trail)
    rows = trail.rows(sa.select(AuditEvent).where(AuditEvent.chain == row.chain).order_by(AuditEvent.seq))
    places = {"seq": row.seq, "last": rows[-1].seq, "zero": 0}
    tamper(trail)
    for what, (statements, place, step, why) in TAMPERED.items():
        found = under(trail, *statements, chain=row.chain, seq=row.seq, last=rows[-1].seq, tail=rows[-1].hash,
                      id=uuid4().hex, forged="a" * 64)  # fmt: skip
        assert found == {"chain": row.chain, "seq": places[place] + step, "why": why}, what
        assert verified(trail.app).intact


def test_a_row_in_a_chain_where_it_does_not_belong_is_found(trail: House) -> None:
    row = middle(trail)
    last = max(one.seq for one in trail.rows(sa.select(AuditEvent).where(AuditEvent.chain == audit.SYSTEM)))
    tamper(trail)
    moved = "UPDATE audit_event SET chain = 'system', seq = :last WHERE chain = :chain AND seq = :seq"
    assert under(trail, moved, chain=row.chain, seq=row.seq, last=last + 1) is not None
    begun = COPY.format(chain="'other'", seq="1", previous="previous", hash="hash")
    found = under(trail, begun, chain=row.chain, seq=row.seq, id=uuid4().hex)
    assert found == {"chain": "other", "seq": 1, "why": "the chain has no head"}


def test_all_ways_of_asking_find_the_same_row(trail: House) -> None:
    """And one chain can be asked about alone."""
    row = middle(trail)
    tamper(trail, "DELETE FROM audit_event WHERE chain = :chain AND seq = :seq", chain=row.chain, seq=row.seq)
    report = verified(trail.app)
    assert report.first_bad == {"chain": row.chain, "seq": row.seq + 1, "why": "a row is missing or doubled"}
    assert trail.monitor.get("/audit/verify").json["first_bad"] == report.first_bad
    run = trail.app.test_cli_runner().invoke(args=["audit", "verify"])
    assert run.exit_code == 1
    assert "a row is missing or doubled" in run.output
    with trail.app.app_context(), transaction(writes=False):
        assert audit.verify(audit.SYSTEM).intact
        assert not audit.verify(row.chain).intact


def test_another_installations_key_finds_every_row_changed(trail: House) -> None:
    environ = {
        "DATABASE_URL": trail.app.config["SQLALCHEMY_DATABASE_URI"],
        "SECRET_KEY": "x" * 40,
        "RATE_LIMITS": "off",
    }
    stranger = create_app(environ)
    report = verified(stranger)
    assert report.first_bad is not None
    assert (report.rows, report.first_bad["why"]) == (1, "the row was changed")
    with stranger.app_context():
        db.session.remove()
        db.engine.dispose()
