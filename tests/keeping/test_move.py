"""`flask move`: the same installation in another database, both ways, and an old one that nobody works on any more."""

import os
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import databases
import pytest
import sqlalchemy as sa
from furnishing import furnished
from house import HandClock, House, Person, entry_body
from sqlalchemy.engine import make_url

from backend import elsewhere, guards, installation, moving
from backend.config import BadSetting
from backend.db import db, transaction
from backend.models.clinical import Measurement
from backend.models.outbox import Message
from backend.models.people import Account
from backend.models.record import AuditEvent
from backend.models.study import Installation, WorkerHeartbeat
from tests.keeping.acts import at, contents, episode, lived_in, patient_at, refused, run, unlike
from tests.records.promises import connected

ROOT = Path(__file__).parents[2]


def url_of(house: House) -> str:
    with house.app.app_context():
        return db.engine.url.render_as_string(hide_password=False)


def test_an_installation_moves(lived: House, target: str) -> None:
    """One move, as it takes its time: all that is there is looked at in the new place, and then in the old one."""
    patient, before = patient_at(lived), contents(lived.app)
    said = run(lived.app, "move", "--to", target)
    with at(lived, target) as there:
        arrived_to_the_last_digit(before, lived, there, said)
        is_guarded(there)
        goes_on_as_if_nothing_were(there)
    takes_nothing_any_more(lived, patient)
    with lived.app.app_context(), pytest.raises(BadSetting, match="was moved to another database"):
        installation.refuse_unfit_database()
    ready = lived.app.test_client().get("/readyz")
    assert (ready.status_code, ready.json) == (503, {"status": "moved to another database"})


def arrived_to_the_last_digit(before: dict[str, moving.Content], lived: House, there: House, said: str) -> None:
    after = contents(there.app)
    assert unlike(before, after) == {"audit_event", "audit_head"}  # that it was moved
    assert unlike(contents(lived.app), after) == {"installation"}  # that it is not here any more
    assert f"{sum(one.rows for one in after.values())} rows in {len(after)} tables" in said
    assert run(there.app, "audit", "verify").endswith("intact\n")
    assert there.app.test_client().get("/readyz").status_code == 200
    with there.app.app_context():
        installation.refuse_unfit_database()


def is_guarded(there: House) -> None:
    with there.app.app_context():
        with db.engine.connect() as connection:
            assert guards.missing(connection) == ()
        with pytest.raises(sa.exc.DBAPIError, match="daymark keeps"), db.engine.begin() as connection:
            connection.execute(sa.delete(AuditEvent))


def goes_on_as_if_nothing_were(there: House) -> None:
    """Everybody stays signed in, who accepted stays so, and what waits goes out once, from the new place."""
    assert there.nurse.get("/me").json["server_epoch"] == str(there.made.epoch)
    assert episode(there, there.made.accepted).accepted_at is not None
    sent = there.work()
    assert {one["lane"] for one in sent} == {"page", "reminder"}
    assert {one.state for one in there.rows(sa.select(Message))} >= {"accepted"}
    assert there.rows(sa.select(Installation.restored_at)) == [None]


def takes_nothing_any_more(lived: House, patient: Person) -> None:
    """A web process that was forgotten must not take a report which nobody will see: the phone keeps it."""
    before = contents(lived.app)
    answer = patient.put(f"/me/entries/{uuid4()}", entry_body(lived, patient, {"temp_c": 39.5}))
    assert answer.status_code == 500
    with pytest.raises(sa.exc.DBAPIError):
        lived.work()
    assert lived.gateway.sent == []
    assert unlike(before, contents(lived.app)) == set()


def test_no_process_starts_on_the_old_database(sqlite_lived: House, sqlite_target: str) -> None:
    run(sqlite_lived.app, "move", "--to", sqlite_target)
    env = {"PATH": os.environ["PATH"], "DATABASE_URL": url_of(sqlite_lived)}
    words = [sys.executable, "-m", "flask", "--app", "wsgi", "worker"]
    ended = subprocess.run(words, env=env, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode != 0
    assert "this installation was moved to another database" in ended.stderr


def test_it_moves_back_into_a_new_database_and_not_twice_from_the_old(sqlite_lived: House, tmp_path: Path) -> None:
    target = databases.emptied("postgresql")
    run(sqlite_lived.app, "move", "--to", target)
    other = f"sqlite:///{tmp_path}/other.db"
    assert "moved already" in refused(sqlite_lived.app, "move", "--to", other)
    with at(sqlite_lived, target) as there:
        run(there.app, "move", "--to", other)
        with at(sqlite_lived, other) as home:
            assert unlike(contents(there.app), contents(home.app)) == {"installation"}
            moves = home.rows(sa.select(AuditEvent).where(AuditEvent.verb == "installation:moved"))
            assert len(moves) == 2
            assert home.work() != []


# --- refusals ------------------------------------------------------------------------------------


def stays(house: House) -> None:
    assert house.rows(sa.select(Installation.moved_at)) == [None]
    assert house.rows(sa.select(AuditEvent).where(AuditEvent.verb == "installation:moved")) == []
    assert house.nurse.get("/me").status_code == 200


def test_not_under_a_worker_that_runs(lived: House, sqlite_target: str) -> None:
    with lived.app.app_context(), transaction():
        db.session.add(WorkerHeartbeat(name="ladder", at=lived.now - timedelta(seconds=59)))
    assert "a worker runs" in refused(lived.app, "move", "--to", sqlite_target)
    stays(lived)
    run(lived.app, "move", "--to", sqlite_target, "--force")


def test_not_into_a_database_with_rows(sqlite_lived: House, target: str) -> None:
    lived = sqlite_lived
    with at(lived, target) as there, there.app.app_context():
        elsewhere.bring_up()
        with transaction():
            db.session.add(WorkerHeartbeat(name="ladder", at=lived.now))
    assert "rows in worker_heartbeat" in refused(lived.app, "move", "--to", target)
    stays(lived)


def test_not_onto_itself(lived: House) -> None:
    assert "that is the database the installation is in" in refused(lived.app, "move", "--to", url_of(lived))
    stays(lived)


def test_not_onto_itself_by_another_name(sqlite_lived: House, tmp_path: Path) -> None:
    path = make_url(url_of(sqlite_lived)).database
    assert path is not None
    link = tmp_path / "link.db"
    link.symlink_to(path)
    assert "that is the database" in refused(sqlite_lived.app, "move", "--to", f"sqlite:///{link}")
    stays(sqlite_lived)


def test_another_schema_is_another_database(time: HandClock) -> None:
    """What stands behind the `?` may say where rows go. A password, there or before the host, does not."""
    with furnished("postgresql", time, lived_in) as lived:
        here = make_url(url_of(lived))
        for known in (here.update_query_dict({"password": "tiger"}), here.set(password="tiger")):
            url = known.render_as_string(hide_password=False)
            assert "that is the database" in refused(lived.app, "move", "--to", url)
        with lived.app.app_context(), db.engine.begin() as connection:
            connection.exec_driver_sql("CREATE SCHEMA beside")
        beside = here.update_query_dict({"options": "-csearch_path=beside"}).render_as_string(hide_password=False)
        before = contents(lived.app)
        run(lived.app, "move", "--to", beside)
        with at(lived, beside) as there:
            assert unlike(before, contents(there.app)) == {"audit_event", "audit_head"}


ADDRESSES = {
    "mysql://root:tiger@localhost/daymark": "must be sqlite or postgresql",
    "postgresql://root:tiger@127.0.0.1:1/daymark": "cannot be used",
    "postgresql://root:tiger@localhost": "names no database",
    "sqlite://": "names no database",
    "tiger": "not a URL",
    "postgresql://root:tiger@host:port/x": "not a URL",
    "sqlite:////nowhere/at/all/tiger.db": "cannot be used",
}


def test_an_address_is_never_repeated(sqlite_lived: House) -> None:
    for url, said in ADDRESSES.items():
        told = refused(sqlite_lived.app, "move", "--to", url)
        assert said in told
        assert "tiger" not in told
    stays(sqlite_lived)


def test_a_password_is_not_shown(sqlite_lived: House) -> None:
    url = databases.emptied("postgresql")
    hidden = {"password": "tiger", "sslpassword": "tiger", "passfile": "/nowhere/tiger"}  # asked for by nobody here
    secret = make_url(url).set(password="tiger").update_query_dict(hidden).render_as_string(hide_password=False)
    done = sqlite_lived.app.test_cli_runner().invoke(args=["move"], env={"MOVE_TO": secret})
    assert (done.exit_code, "tiger" in done.output) == (0, False), done.output
    with at(sqlite_lived, url) as there:
        [row] = there.rows(sa.select(AuditEvent).where(AuditEvent.verb == "installation:moved"))
        assert "tiger" not in str(row.new)
        assert str(make_url(url).database) in row.new["to"]


def test_what_is_wrong_at_the_source_is_not_moved_unsaid(sqlite_lived: House, sqlite_target: str) -> None:
    with sqlite_lived.app.app_context(), transaction():
        account = db.session.scalars(sa.select(Account).where(Account.username == "nurse")).one()
        account.phone_sealed = b"\x07" + (account.phone_sealed or b"")[1:]
    said = refused(sqlite_lived.app, "move", "--to", sqlite_target)
    assert "FIELD_KEYS lacks key 7, which seals 1 values of account.phone" in said
    stays(sqlite_lived)
    assert "warning: FIELD_KEYS lacks key 7" in run(sqlite_lived.app, "move", "--to", sqlite_target, "--force")


def test_a_source_that_breaks_off_at_the_end_is_told_with_what_was_kept(
    sqlite_lived: House, sqlite_target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: sa.Connection) -> None:
        raise sa.exc.OperationalError("CREATE TRIGGER", None, TimeoutError())

    before = contents(sqlite_lived.app)
    monkeypatch.setattr(guards, "shut", broken)
    said = refused(sqlite_lived.app, "move", "--to", sqlite_target)
    assert "nothing was kept" not in said
    assert f"everything was carried to {sqlite_target}" in said
    stays(sqlite_lived)
    with at(sqlite_lived, sqlite_target) as there:
        assert unlike(before, contents(there.app)) == {"audit_event", "audit_head"}


# --- the copy ------------------------------------------------------------------------------------


DIGITS = ("5.10", "0.000", "1E+2", "-0.0", "123456789012345678901234567890")


def test_rows_may_point_at_rows_that_come_later(sqlite_lived: House, target: str) -> None:
    """More than a chunk of corrections, each stored before the value it corrects, and every digit of the values."""
    lived, ids = sqlite_lived, [UUID(int=n) for n in range(1, moving.CHUNK + 100)]
    values = cycle(Decimal(text) for text in DIGITS)
    [some] = lived.rows(sa.select(Measurement).limit(1))
    plain = {column.name: getattr(some, column.name) for column in Measurement.__table__.columns}
    with lived.app.app_context(), connected() as connection, connection.begin():
        for one, corrected in zip(ids, [*ids[1:], None], strict=True):
            connection.execute(
                sa.insert(Measurement).values({**plain, "id": one, "corrects_id": corrected, "value": next(values)})
            )
    before = contents(lived.app)
    run(lived.app, "move", "--to", target)
    with at(lived, target) as there:
        assert contents(there.app)["measurement"] == before["measurement"]
        found = there.rows(sa.select(Measurement.corrects_id).where(Measurement.id.in_(ids)).order_by(Measurement.id))
        assert found == [*ids[1:], None]
        assert {str(one) for one in there.rows(sa.select(Measurement.value))} >= set(DIGITS)


def test_a_value_that_does_not_fit_is_told_by_its_table_alone(sqlite_lived: House) -> None:
    """SQLite holds longer texts than it promised to."""
    with sqlite_lived.app.app_context(), transaction():
        account = db.session.scalars(sa.select(Account).where(Account.username == "nurse")).one()
        account.name = "secret" * 50
    said = refused(sqlite_lived.app, "move", "--to", databases.emptied("postgresql"))
    assert "account: a row cannot be stored in the target" in said
    assert "secret" not in said
    stays(sqlite_lived)


def test_tables_that_point_at_each_other_are_carried() -> None:
    metadata = sa.MetaData()

    def table(name: str, *columns: sa.Column[Any]) -> None:
        sa.Table(name, metadata, sa.Column("id", sa.Integer, primary_key=True), *columns)

    table("egg", sa.Column("hen_id", sa.ForeignKey("hen.id")))
    table("hen", sa.Column("egg_id", sa.ForeignKey("egg.id")), sa.Column("mother_id", sa.ForeignKey("hen.id")))
    table("nest", sa.Column("hen_id", sa.ForeignKey("hen.id"), nullable=False))
    found = moving.parts(metadata)
    names = [part.table.name for part in found]
    late = {part.table.name: part.late for part in found}
    assert names.index("nest") > names.index("hen")
    assert late["nest"] == ()
    assert "mother_id" in late["hen"]
    assert "hen_id" in late["egg"] or "egg_id" in late["hen"]
