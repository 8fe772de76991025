"""Real threads on real databases: what happens at the same instant happens once, and nothing is lost."""

import threading
import time as real_time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from house import House, Person, subject_body

from backend import audit, clock
from backend.db import db, snapshot, transaction
from backend.models.capture import Entry, EntryVersion
from backend.models.outbox import Message
from backend.models.record import AuditEvent, AuditHead
from backend.models.safety import Acknowledgement, Episode, Signal
from backend.models.subject import Subject
from backend.outbox import PAGE, REMINDER, post
from notifications import delivery, ladder
from notifications.gateways.base import accepted
from tests.test_main_thread import rota


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Run every act in a thread of its own, all let go together; their results in order."""
    start = threading.Barrier(len(acts))
    done: dict[int, Any] = {}
    failed: list[BaseException] = []

    def run(n: int, act: Callable[[], Any]) -> None:
        start.wait(10)
        try:
            done[n] = act()
        except BaseException as error:  # a thread's failure is the test's
            failed.append(error)

    threads = [threading.Thread(target=run, args=(n, act)) for n, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    if failed:
        raise failed[0]
    return [done[n] for n in range(len(acts))]


def family(house: House) -> tuple[dict[str, Any], Person, Person]:
    subject = house.infused(days_ago=6)
    carer = {"name": "Li Lan", "phone": "13900139000", "locale": "en"}
    return subject, house.patient_of(subject), house.patient_of(subject, "carer", carer=carer)


def intact(house: House) -> bool:
    with house.app.app_context(), transaction(writes=False):
        return audit.verify().intact


def test_patient_and_carer_report_one_fever_at_the_same_instant(house: House) -> None:
    subject, patient, carer = family(house)
    rota(house, ("on_call", "doctor", -1, 12), ("backup", "backup", -1, 12))
    fever = {"temp_c": 38.6, "chills": 3}
    sent = at_once(lambda: house.report(patient, fever), lambda: house.report(carer, fever))
    assert [one.status_code for one in sent] == [201, 201]
    (episode,) = house.rows(sa.select(Episode))
    assert (episode.level, episode.paging_round) == ("EMERGENCY", 1)
    assert len(house.rows(sa.select(Entry))) == 2
    signals = house.rows(sa.select(Signal).order_by(Signal.seq))
    assert [one.seq for one in signals] == list(range(1, len(signals) + 1))
    assert {one.episode_id for one in signals} == {episode.id}
    assert intact(house)
    to = Counter(page["to"] for page in house.pages())
    assert to == {house.doctor.phone: 1, house.backup.phone: 1}
    assert subject["id"] == str(episode.subject_id)


def test_two_nurses_accept_at_once(house: House) -> None:
    subject, patient, _ = family(house)
    house.report(patient, {"temp_c": 38.6, "chills": 3})
    (listed,) = house.nurse.get("/episodes").json["items"]
    door = f"/episodes/{listed['id']}/acknowledgements"

    def accept(who: Person) -> Callable[[], int]:
        body = {"id": str(uuid4()), "kind": "accepted", "seen_signal_seq": listed["last_seq"]}
        return lambda: who.post(door, body).status_code

    assert at_once(accept(house.nurse), accept(house.doctor)) == [201, 201]
    (episode,) = house.rows(sa.select(Episode))
    assert episode.accepted_by in (house.nurse.id, house.doctor.id)
    assert episode.next_step_at is None
    assert len(house.rows(sa.select(Acknowledgement))) == 2
    written = sa.select(AuditEvent).where(AuditEvent.verb == "episode:accepted")
    assert len(house.rows(written.where(AuditEvent.chain == subject["id"]))) == 2
    assert intact(house)


def test_one_acknowledgement_sent_twice_at_once_is_one(house: House) -> None:
    _, patient, _ = family(house)
    house.report(patient, {"temp_c": 38.6, "chills": 3})
    (listed,) = house.nurse.get("/episodes").json["items"]
    body = {"id": str(uuid4()), "kind": "accepted", "seen_signal_seq": listed["last_seq"]}
    tap = lambda: house.nurse.post(f"/episodes/{listed['id']}/acknowledgements", body).status_code  # noqa: E731
    assert sorted(at_once(tap, tap)) == [200, 201]
    assert len(house.rows(sa.select(Acknowledgement))) == 1


def test_the_same_entry_sent_four_times_at_once_is_one_entry(house: House) -> None:
    _, patient, _ = family(house)
    entry_id = str(uuid4())
    send = lambda: house.report(patient, {"temp_c": 38.4}, id=entry_id)  # noqa: E731
    sent = at_once(send, send, send, send)
    assert sorted(one.status_code for one in sent) == [200, 200, 200, 201]
    assert all(one.json == sent[0].json for one in sent)  # each is told the same
    assert len(house.rows(sa.select(EntryVersion))) == 1
    assert len(house.rows(sa.select(Signal).where(Signal.rule == "R11"))) == 1
    assert intact(house)


def test_two_contents_under_one_revision_at_once_are_one_entry_and_one_conflict(house: House) -> None:
    _, patient, _ = family(house)
    entry_id = str(uuid4())
    sends = [lambda n=n: house.report(patient, {"dizzy": n}, id=entry_id) for n in range(3)]
    assert sorted(one.status_code for one in at_once(*sends)) == [201, 409, 409]
    assert len(house.rows(sa.select(EntryVersion))) == 1
    assert intact(house)


def test_a_number_is_given_to_one_subject(house: House) -> None:
    bodies = [subject_body(house, number="007") for _ in range(4)]
    enrols = [lambda body=body: house.nurse.post("/subjects", body).status_code for body in bodies]
    assert sorted(at_once(*enrols)) == [201, 409, 409, 409]
    assert len(house.rows(sa.select(Subject))) == 1


def waiting(house: House, lane: str, how_many: int) -> None:
    with house.app.app_context(), transaction():
        for n in range(how_many):
            post(key=f"{lane}-{n}", lane=lane, site_id=house.site_id, account_id=house.doctor.id, template="test_page",
                 variables={"n": n}, language="en", due_at=house.now, now=house.now)  # fmt: skip


def test_workers_that_claim_at_once_send_each_message_once(house: House) -> None:
    house.abroad()
    waiting(house, PAGE, 24)
    waiting(house, REMINDER, 12)
    sent: list[UUID] = []

    class Gateway:
        name, can_look_up = "counting", False

        def by(self, name: str) -> Any:
            return self

        def send(self, outgoing: Any) -> Any:
            sent.append(outgoing.message_id)
            return accepted(str(uuid4()))

    def work(lane: str) -> Callable[[], int]:
        def run() -> int:
            done = 0
            with house.app.app_context():
                while delivery.deliver_next(Gateway(), lane) is not None:
                    done += 1
            return done

        return run

    done = at_once(work(PAGE), work(PAGE), work(PAGE), work(REMINDER), work(REMINDER))
    assert sum(done) == 36
    assert (len(sent), len(set(sent))) == (36, 36)
    rows = house.rows(sa.select(Message))
    assert {(row.state, row.attempts) for row in rows} == {("accepted", 1)}


def test_ladders_stepped_at_once_page_each_person_once(house: House) -> None:
    _, patient, _ = family(house)
    rota(house, ("on_call", "doctor", -1, 12), ("backup", "backup", -1, 12))
    house.report(patient, {"temp_c": 38.6, "chills": 3})

    def step() -> int:
        with house.app.app_context():
            return ladder.run_due(house.now)

    assert sum(at_once(step, step, step)) == 1
    pages = house.rows(sa.select(Message).where(Message.lane == PAGE))
    assert Counter(row.account_id for row in pages) == {house.doctor.id: 1, house.backup.id: 1}


def test_eight_writers_for_three_seconds_lose_nothing(sqlite_house: House) -> None:
    """One file, one writer at a time, readers beside: no "database is locked", no lost count, no broken chain."""
    house = sqlite_house
    subjects = [house.enrol(number=f"N{n}", contact={"name": "X", "phone": f"1380013{n:04}"}) for n in range(4)]
    people = [house.patient_of(subject) for subject in subjects]
    until = real_time.monotonic() + 3

    def writer(n: int) -> Callable[[], list[str]]:
        def run() -> list[str]:
            written = []
            while real_time.monotonic() < until:
                entry_id = str(uuid4())
                assert house.report(people[n % 4], id=entry_id).status_code == 201
                written.append(entry_id)
            return written

        return run

    def reader() -> list[str]:
        while real_time.monotonic() < until:
            assert house.nurse.get("/subjects").status_code == 200
        return []

    written = at_once(*(writer(n) for n in range(8)), reader)
    ids = [one for each in written for one in each]
    assert all(written[:8])  # nobody starved
    assert {str(row.id) for row in house.rows(sa.select(Entry))} == set(ids)
    stored = sa.select(AuditEvent).where(AuditEvent.verb == "entry:stored")
    assert sorted(row.entity_id for row in house.rows(stored)) == sorted(ids)
    assert intact(house)
    heads = {head.chain: head.seq for head in house.rows(sa.select(AuditHead))}
    with house.app.app_context(), transaction(writes=False):
        counted = db.session.execute(sa.select(AuditEvent.chain, sa.func.count()).group_by(AuditEvent.chain)).all()
    assert {chain: n for chain, n in counted} == heads  # noqa: C416
    assert clock.now() == house.now


def test_acts_of_one_thread_are_not_taken_for_anothers(house: House) -> None:
    """Who acts is known to its own thread alone."""
    subjects = [house.enrol(number=f"W{n}", contact={"name": "X", "phone": f"1380014{n:04}"}) for n in range(4)]
    actors = [house.nurse, house.doctor, house.backup, house.chief]

    def change(n: int) -> Callable[[], int]:
        version = house.nurse.get(f"/subjects/{subjects[n]['id']}").json["version"]
        return lambda: actors[n].patch(f"/subjects/{subjects[n]['id']}", {"locale": "zh-CN"}, version).status_code

    assert at_once(*(change(n) for n in range(4))) == [200] * 4
    rows: Iterable[AuditEvent] = house.rows(sa.select(AuditEvent).where(AuditEvent.verb == "subject:addressed"))
    assert {row.chain: row.actor_id for row in rows} == {
        subject["id"]: who.id for subject, who in zip(subjects, actors, strict=True)
    }


def test_a_snapshot_sees_one_moment_and_lets_everybody_write(house: House) -> None:
    """Whoever exports reads for long: what comes meanwhile is stored at once, and is not in it."""
    subject = house.infused(days_ago=6)
    patient = house.patient_of(subject)
    entries = sa.select(sa.func.count()).select_from(Entry)
    with house.app.app_context(), snapshot():
        before = db.session.scalar(sa.select(sa.func.count()).select_from(Subject)), db.session.scalar(entries)
        [answer] = at_once(lambda: house.report(patient))
        assert answer.status_code == 201
        assert (
            db.session.scalar(sa.select(sa.func.count()).select_from(Subject)),
            db.session.scalar(entries),
        ) == before
    with house.app.app_context(), transaction(writes=False):
        assert db.session.scalar(entries) == 1
