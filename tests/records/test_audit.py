"""The trail holds after the whole main job, and whatever is changed in it is found; on both databases."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from house import House

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
    """Change the trail as somebody would who owns the database."""
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


def broken(house: House, chain: str, seq: int) -> str:
    """That all three ways of asking find the same first bad row; why it is bad."""
    report = verified(house.app)
    assert report.first_bad is not None
    assert (report.first_bad["chain"], report.first_bad["seq"]) == (chain, seq)
    assert house.monitor.get("/audit/verify").json["first_bad"] == report.first_bad
    run = house.app.test_cli_runner().invoke(args=["audit", "verify"])
    assert run.exit_code == 1
    assert report.first_bad["why"] in run.output
    return str(report.first_bad["why"])


def test_a_change_in_any_column_is_found(trail: House) -> None:
    row = middle(trail)
    tamper(trail, "UPDATE audit_event SET reason = reason WHERE seq > 0")  # only drops the guards
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


def test_a_removed_row_is_found(trail: House) -> None:
    row = middle(trail)
    tamper(trail, "DELETE FROM audit_event WHERE chain = :chain AND seq = :seq", chain=row.chain, seq=row.seq)
    assert broken(trail, row.chain, row.seq + 1) == "a row is missing or doubled"


def test_a_removed_row_with_the_others_moved_up_is_found(trail: House) -> None:
    row = middle(trail)
    tamper(
        trail,
        "DELETE FROM audit_event WHERE chain = :chain AND seq = :seq",
        "UPDATE audit_event SET seq = -seq WHERE chain = :chain AND seq > :seq",
        "UPDATE audit_event SET seq = -seq - 1 WHERE chain = :chain AND seq < 0",
        chain=row.chain,
        seq=row.seq,
    )
    assert broken(trail, row.chain, row.seq) == "the row does not follow the one before"


@pytest.mark.parametrize("how_many", [1, 5])
def test_a_removed_tail_is_found(trail: House, how_many: int) -> None:
    row = middle(trail)
    last = max(one.seq for one in trail.rows(sa.select(AuditEvent).where(AuditEvent.chain == row.chain)))
    tamper(trail, "DELETE FROM audit_event WHERE chain = :chain AND seq > :seq", chain=row.chain, seq=last - how_many)
    assert broken(trail, row.chain, last - how_many + 1) == "rows at the end are missing"


def test_a_whole_chain_that_is_gone_is_found(trail: House) -> None:
    row = middle(trail)
    tamper(trail, "DELETE FROM audit_event WHERE chain = :chain", chain=row.chain)
    assert broken(trail, row.chain, 1) == "rows at the end are missing"
    tamper(trail, "DELETE FROM audit_head WHERE chain = :chain", chain=row.chain)
    assert broken(trail, row.chain, 1) == "the whole chain is missing"
    with trail.app.app_context(), transaction(writes=False):
        assert audit.verify(audit.SYSTEM).intact  # one chain can be asked about alone
        assert not audit.verify(row.chain).intact


COPY = (
    "INSERT INTO audit_event (id, chain, seq, at, actor_id, actor_role, verb, entity, entity_id, old, new, reason, "
    "origin, previous, hash, key_id) SELECT :id, chain, {seq}, at, actor_id, actor_role, verb, entity, entity_id, "
    "old, new, reason, origin, {previous}, {hash}, key_id FROM audit_event WHERE chain = :chain AND seq = :seq"
)


def test_an_inserted_row_is_found_even_with_its_head(trail: House) -> None:
    """A forged row at the end that continues the chain, its head moved along: only the key is missing."""
    row = middle(trail)
    last = max(trail.rows(sa.select(AuditEvent).where(AuditEvent.chain == row.chain)), key=lambda one: one.seq)
    copy = COPY.format(seq=last.seq + 1, previous=":last", hash=":forged")
    forged = {"id": uuid4().hex, "last": last.hash, "forged": "a" * 64, "chain": row.chain, "seq": row.seq}
    tamper(trail, copy, "UPDATE audit_head SET hash = :forged, seq = seq + 1 WHERE chain = :chain", **forged)
    assert broken(trail, row.chain, last.seq + 1) == "the row was changed"


def test_a_chain_that_nobody_began_is_found(trail: House) -> None:
    row = middle(trail)
    copy = COPY.format(seq="1", previous="previous", hash="hash").replace("SELECT :id, chain", "SELECT :id, 'other'")
    tamper(trail, copy, id=uuid4().hex, chain=row.chain, seq=row.seq)
    assert broken(trail, "other", 1) == "the chain has no head"


def test_a_swapped_pair_is_found(trail: House) -> None:
    row = middle(trail)
    tamper(
        trail,
        "UPDATE audit_event SET seq = -1 WHERE chain = :chain AND seq = :seq",
        "UPDATE audit_event SET seq = :seq WHERE chain = :chain AND seq = :seq + 1",
        "UPDATE audit_event SET seq = :seq + 1 WHERE chain = :chain AND seq = -1",
        chain=row.chain,
        seq=row.seq,
    )
    assert broken(trail, row.chain, row.seq) == "the row does not follow the one before"


def test_a_row_of_another_chain_does_not_fit(trail: House) -> None:
    """The content is moved with its hash; the hash covers the chain's name and the row before."""
    row = middle(trail)
    last = max(one.seq for one in trail.rows(sa.select(AuditEvent).where(AuditEvent.chain == audit.SYSTEM)))
    tamper(
        trail,
        "UPDATE audit_event SET chain = 'system', seq = :last WHERE chain = :chain AND seq = :seq",
        last=last + 1,
        chain=row.chain,
        seq=row.seq,
    )
    assert not verified(trail.app).intact


def test_another_installations_key_finds_every_row_changed(trail: House) -> None:
    from api.app import create_app

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
