"""The doors of the reconciliation list: who sees and decides, which part is asked for, page by page, at what cost."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from house import House, Person, entry_body, iso, subject_body

from backend.db import db
from backend.models.findings import Reconciliation
from tests.conduct.acts import closing
from tests.outcomes import events
from tests.outcomes.reconciled import (
    EVERY,
    SYMPTOMS,
    count,
    decide,
    decided,
    is_event,
    known,
    line,
    lines,
    said,
    told,
)
from tests.safety_http.builders import Patient, quick
from tests.trial.desk import LI_NA, ago, faults, refused


def collected(house: House, number: str, by: str = "nurse") -> Patient:
    """A subject whose treatment began five days ago; the nurse who enrolled it reports by telephone."""
    who = house.people[by]
    site = house.other_site_id if by == "stranger" else house.site_id
    contact = {"name": "Zhao Min", "phone": f"1350013{number}"}
    subject = who.post("/subjects", subject_body(house, site_id=str(site), number=number, contact=contact)).json
    begun = {"id": str(uuid4()), "kind": "collection", "actual_at": iso(ago(house, days=5))}
    assert who.post(f"/subjects/{subject['id']}/events", begun).status_code == 201
    return Patient(house, subject, who)


def phoned(patient: Patient, **answers: Any) -> None:
    """A report by telephone, written down by whoever enrolled the subject."""
    body = {**entry_body(patient.house, patient.phone), "answers": quick(**answers)[1]}
    body |= {"id": str(uuid4()), "source": "telephone", "reporter": "staff"}
    answer = patient.phone.post(f"{patient.path}/entries", body)
    assert answer.status_code == 201, answer.text


def numbers(house: House, query: str = SYMPTOMS, by: str = "nurse") -> list[str]:
    return [one["subject_number"] for one in lines(house, query, by)]


# --- Who ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["nurse", "doctor", "chief"])
def test_who_decides(patient: Patient, by: str) -> None:
    said(patient, "chills", 2)
    answer = decide(patient, known(line(patient.house)), by=by)
    assert (answer.status_code, answer.json["items"][0]["recorded_by"]) == (201, str(patient.house.people[by].id))


@pytest.mark.parametrize("by", ["monitor", "statistician"])
def test_who_only_reads(patient: Patient, by: str) -> None:
    said(patient, "chills", 2)
    (about,) = lines(patient.house, by=by)
    assert refused(decide(patient, known(about), by=by)) == (403, "forbidden")
    assert patient.house.rows(sa.select(Reconciliation)) == []


def test_who_does_not_even_read(patient: Patient) -> None:
    said(patient, "chills", 2)
    body = known(line(patient.house))
    carer = patient.house.patient_of(patient.subject, "carer", carer=LI_NA)
    people: list[Person] = [patient.phone, carer, patient.house.admin]
    for who in people:
        assert refused(who.get("/reconciliation")) == (403, "forbidden")
        assert refused(who.post(f"{patient.path}/reconciliation", body)) == (403, "forbidden")
    client = patient.house.app.test_client()
    assert client.get("/api/v1/reconciliation").status_code == 401
    assert client.post(f"/api/v1{patient.path}/reconciliation", json=body).status_code == 401


def test_another_site_sees_nothing_of_it(patient: Patient) -> None:
    house = patient.house
    said(patient, "chills", 2)
    body, own = known(line(house)), collected(house, "9001", by="stranger")
    phoned(own, dizzy=2)
    assert told(house, EVERY, by="stranger") == told(house, EVERY, by="rival") == [("dizzy", 2, "open", "new")]
    assert told(house, EVERY) == [("chills", 2, "open", "new")]
    assert refused(house.stranger.get(f"/reconciliation?subject_id={patient.subject['id']}")) == (404, "not_found")
    assert faults(house.stranger.get(f"/reconciliation?site_id={house.site_id}")) == [("/site_id", "unknown_site")]
    assert refused(decide(patient, body, by="stranger")) == (404, "not_found")
    assert refused(decide(own, known(body), by="nurse")) == (404, "not_found")
    assert house.rows(sa.select(Reconciliation)) == []


def lock(house: House, path: str, closed: bool = True) -> None:
    answer = house.chief.post(path, closing(closed), **house.confirmed(house.chief))
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("whole", [False, True])
def test_a_locked_record_takes_no_decision(patient: Patient, whole: bool) -> None:
    """It still lists what waits, also what a phone sends meanwhile."""
    said(patient, "chills", 2, days=1)
    body, path = known(line(patient.house)), "/database/lock" if whole else f"{patient.path}/lock"
    lock(patient.house, path)
    assert refused(decide(patient, body)) == (409, "record_locked")
    said(patient, "dizzy", 2)
    assert told(patient.house) == [("chills", 2, "open", "new"), ("dizzy", 2, "open", "new")]
    lock(patient.house, path, closed=False)
    assert decide(patient, body).status_code == 201


# --- Which part -----------------------------------------------------------------------------------------------


def test_open_settled_or_all_of_some_kind(patient: Patient) -> None:
    house = patient.house
    said(patient, "chills", 2, hours=3)
    said(patient, "dizzy", 2, hours=2)
    count(patient, "anc", 0.4, hours=1)
    patient.send(quick(temp_c=38.4))
    decided(patient, known(lines(house)[0]))
    kinds = {
        query: [one["item"] or one["kind"] for one in lines(house, query)]
        for query in ("", "?state=open", "?state=settled", "?state=all", "?state=all&kind=laboratory", EVERY)
    }
    assert kinds == {
        "": ["dizzy", "anc", "episode"],
        "?state=open": ["dizzy", "anc", "episode"],
        "?state=settled": ["chills"],
        "?state=all": ["chills", "dizzy", "anc", "episode"],
        "?state=all&kind=laboratory": ["anc"],
        EVERY: ["chills", "dizzy"],
    }
    assert lines(house, "?state=settled&kind=episode") == []


@pytest.mark.parametrize(
    "query", ["state=closed", "kind=vital", "limit=0", "limit=x", "cursor=x", "subject_id=x", "who=x"]
)
def test_senseless_questions(patient: Patient, query: str) -> None:
    name = query.split("=")[0]
    assert [path for path, _ in faults(patient.house.nurse.get(f"/reconciliation?{query}"))] == [f"/{name}"]


def test_of_one_site_or_one_subject(patient: Patient) -> None:
    house = patient.house
    said(patient, "chills", 2)
    other = collected(house, "9002")
    phoned(other, chills=2)
    assert len(lines(house)) == 2
    assert len(lines(house, f"{SYMPTOMS}&site_id={house.site_id}")) == 2
    assert numbers(house, f"{SYMPTOMS}&subject_id={other.subject['id']}") == ["9002"]
    assert numbers(house, f"{SYMPTOMS}&site_id={house.site_id}&subject_id={other.subject['id']}") == ["9002"]
    assert faults(house.nurse.get(f"/reconciliation?site_id={house.other_site_id}")) == [("/site_id", "unknown_site")]


def test_page_by_page_nobody_is_missed_and_nobody_comes_twice(patient: Patient) -> None:
    """A page counts subjects: the lines of one stand together; one that holds nothing need not be the last."""
    house = patient.house
    for number, answers in (("9005", {"chills": 2, "dizzy": 2}), ("9003", {}), ("9004", {"breath": 2})):
        phoned(collected(house, number), **answers)
    whole = lines(house)
    assert [one["subject_number"] for one in whole] == ["9004", "9005", "9005"]
    pages, cursor = [], ""
    while True:
        answer = house.nurse.get(f"/reconciliation{SYMPTOMS}&limit=1{cursor}").json
        pages.append([one["subject_number"] for one in answer["items"]])
        if answer["next_cursor"] is None:
            break
        cursor = f"&cursor={answer['next_cursor']}"
    assert len(pages) == 4
    assert sorted(len(one) for one in pages) == [0, 0, 1, 2]
    assert [number for one in pages for number in one] == ["9004", "9005", "9005"]
    assert house.nurse.get(f"/reconciliation{SYMPTOMS}&limit=4").json == {"items": whole, "next_cursor": None}


def test_the_oldest_comes_first(patient: Patient) -> None:
    said(patient, "headache", 2, hours=1)
    said(patient, "chills", 2, hours=5)
    count(patient, "anc", 0.4, hours=3)
    found = [one["item"] for one in lines(patient.house, "") if one["item"]]
    assert found == ["chills", "anc", "headache"]


# --- At what cost ---------------------------------------------------------------------------------------------


@contextmanager
def statements(house: House) -> Iterator[list[str]]:
    """Every statement that is sent to the database meanwhile."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    with house.app.app_context():
        engine = db.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


def test_six_subjects_cost_no_more_statements_than_one(patient: Patient) -> None:
    house = patient.house

    def lived(one: Patient) -> None:
        """A symptom known, one of an event, a value that waits, and an emergency."""
        phoned(one, chills=2, dizzy=2, breath=3, temp_c=38.4)
        count(one, "anc", 0.4)
        chills, dizzy, *_ = lines(house, f"{SYMPTOMS}&subject_id={one.subject['id']}")
        decided(one, known(chills), is_event(dizzy, events.record(house, one.subject)))

    lived(Patient(house, patient.subject, house.nurse))
    with statements(house) as for_one:
        assert len(lines(house, "?state=all")) == 5
    for number in range(9001, 9006):
        lived(collected(house, str(number)))
    with statements(house) as for_six:
        assert len(lines(house, "?state=all")) == 30
    assert len(for_six) == len(for_one)
    assert len(for_one) < 30
