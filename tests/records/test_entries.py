"""Entries over HTTP: five times, a wrong clock, repeats, revisions, conflicts, on behalf, and how far they got."""

import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import databases
import pytest
import sqlalchemy as sa
from furnishing import build
from house import HandClock, House, Person, entry_body, iso

from backend import clock
from backend.models.calendar import Occurrence
from backend.models.capture import Entry, EntryConflict, EntryVersion
from backend.models.record import AuditEvent
from backend.models.safety import Episode, Signal

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)  # a slot of D3 in Shanghai: open 11:00 to 15:25


@pytest.fixture
def noon(sqlite_house: House) -> tuple[House, dict[str, Any], Person]:
    """Five minutes past twelve on D3, a subject and a phone."""
    subject = sqlite_house.infused(days_ago=3)
    patient = sqlite_house.patient_of(subject)
    sqlite_house.to(2026, 3, 2, 12, 5)
    return sqlite_house, subject, patient


def slot_at(house: House, due: datetime, key: str = "quick") -> Occurrence:
    (row,) = house.rows(sa.select(Occurrence).where(Occurrence.due_at == due, Occurrence.key == key))
    return row  # type: ignore[no-any-return]


def filled(house: House) -> dict[Any, Any]:
    rows = house.rows(sa.select(Occurrence).where(Occurrence.kind == "slot", Occurrence.satisfied_by.is_not(None)))
    return {row.id: (row.satisfied_by, row.satisfied_at) for row in rows}


# --- Times ---------------------------------------------------------------------------------------------------


def test_five_times_are_kept_as_given(noon: tuple[House, dict[str, Any], Person]) -> None:
    house, _, patient = noon
    times = {
        "measured_at": house.now - timedelta(minutes=9),
        "entered_at": house.now - timedelta(minutes=8),
        "queued_at": house.now - timedelta(minutes=7),
        "sent_at": house.now - timedelta(seconds=3),
    }
    entry = house.report(patient, **times).json["entry"]
    assert {name: entry[name] for name in times} == {name: iso(at) for name, at in times.items()}
    assert entry["received_at"] == iso(house.now)
    assert entry["effective_at"] == entry["measured_at"]
    assert (entry["clock_skew_s"], entry["time_zone"]) == (0, "Asia/Shanghai")


@pytest.mark.parametrize(
    ("ahead", "skew_s"),
    [
        (timedelta(hours=2), 7200),
        (timedelta(hours=-3), -10800),
        (timedelta(days=3650), 3650 * 86400),
        (timedelta(days=-3650), -3650 * 86400),
        (timedelta(seconds=120), 0),  # what a slow network may add
        (timedelta(seconds=-120), 0),
        (timedelta(seconds=121), 121),
        (timedelta(seconds=-121), -121),
    ],
)
def test_a_wrong_device_clock_is_measured_and_the_slot_found(
    noon: tuple[House, dict[str, Any], Person], ahead: timedelta, skew_s: int
) -> None:
    """Measured five minutes ago by the phone's clock, which is `ahead` of ours."""
    house, _, patient = noon
    device = house.now + ahead
    measured = device - timedelta(minutes=5)
    sent = house.report(patient, measured_at=measured, entered_at=measured, sent_at=device)
    assert sent.status_code == 201, sent.text
    entry = sent.json["entry"]
    assert (entry["clock_skew_s"], entry["measured_at"]) == (skew_s, iso(measured))
    noise = ahead if not skew_s else timedelta(0)
    assert entry["effective_at"] == iso(min(house.now, house.now - timedelta(minutes=5) + noise))
    assert list(filled(house)) == [slot_at(house, NOON).id]


def test_nothing_was_measured_in_the_future(noon: tuple[House, dict[str, Any], Person]) -> None:
    house, _, patient = noon
    entry = house.report(patient, measured_at=house.now + timedelta(hours=5)).json["entry"]
    assert entry["measured_at"] == iso(house.now + timedelta(hours=5))
    assert (entry["effective_at"], entry["clock_skew_s"]) == (iso(house.now), 0)


def test_without_a_time_of_sending_there_is_no_skew(noon: tuple[House, dict[str, Any], Person]) -> None:
    house, _, patient = noon
    entry = house.report(patient, sent_at=None, measured_at=house.now - timedelta(hours=1)).json["entry"]
    assert (entry["clock_skew_s"], entry["sent_at"]) == (0, None)
    assert entry["effective_at"] == iso(house.now - timedelta(hours=1))


def test_a_time_without_an_offset_is_refused(noon: tuple[House, dict[str, Any], Person]) -> None:
    house, _, patient = noon
    body = {**entry_body(house, patient), "measured_at": "2026-03-02T12:00:00"}
    refused = patient.put(f"/me/entries/{uuid4()}", body)
    assert (refused.status_code, refused.json["faults"][0]["path"]) == (422, "/measured_at")


# --- Repeats, revisions, conflicts ---------------------------------------------------------------------------


def test_a_repeat_changes_nothing_even_sent_later(noon: tuple[House, dict[str, Any], Person]) -> None:
    house, _, patient = noon
    entry_id, measured = str(uuid4()), house.now
    over = {"id": entry_id, "measured_at": measured, "entered_at": measured}
    first = house.report(patient, {"temp_c": 38.4}, **over)
    rows = len(house.rows(sa.select(AuditEvent)))
    house.turn(hours=7)
    again = house.report(patient, {"temp_c": 38.4}, **over, queued_at=measured)  # sent_at is another
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json["entry"]["sent_at"] == first.json["entry"]["sent_at"]
    assert again.json["signals"] == first.json["signals"]
    assert again.json["advice"] == first.json["advice"]
    assert len(house.rows(sa.select(EntryVersion))) == 1
    assert len(house.rows(sa.select(AuditEvent))) == rows


def test_digits_are_kept_as_typed(noon: tuple[House, dict[str, Any], Person]) -> None:
    house, _, patient = noon
    text = json.dumps(entry_body(house, patient)).replace('"temp_c": 36.6', '"temp_c": 37.0')
    headers = {"Authorization": f"Bearer {patient.fresh_token()}", "Content-Type": "application/json"}
    entry_id = uuid4()
    sent = house.app.test_client().put(f"/api/v1/me/entries/{entry_id}", data=text, headers=headers)
    assert (sent.status_code, '"temp_c": 37.0,' in sent.text) == (201, True)
    assert '"temp_c": 37.0,' in house.nurse.get(f"/entries/{entry_id}").text


def test_the_patient_revises_until_the_slot_closes(noon: tuple[House, dict[str, Any], Person]) -> None:
    house, _, patient = noon
    entry_id, measured = str(uuid4()), house.now
    assert house.report(patient, id=entry_id, measured_at=measured).status_code == 201
    house.to(2026, 3, 2, 15, 24)
    revised = house.report(patient, {"dizzy": 1}, id=entry_id, revision=2, measured_at=measured)
    assert (revised.status_code, revised.json["entry"]["revision"]) == (200, 2)
    assert revised.json["entry"]["answers"]["dizzy"] == 1
    house.to(2026, 3, 2, 15, 25)
    late = house.report(patient, {"dizzy": 2}, id=entry_id, revision=3, measured_at=measured)
    assert (late.status_code, late.json["code"]) == (409, "slot_closed")
    assert patient.get(f"/me/entries/{entry_id}").json["revision"] == 2


def test_a_revision_typed_in_time_and_sent_late_is_taken(noon: tuple[House, dict[str, Any], Person]) -> None:
    """The phone had no network; its clock is two hours ahead, which the time of sending tells."""
    house, _, patient = noon
    entry_id = str(uuid4())
    begun = {"measured_at": house.now + timedelta(hours=2), "entered_at": house.now + timedelta(hours=2)}
    house.to(2026, 3, 3, 9, 0)
    ahead = {"sent_at": house.now + timedelta(hours=2)}
    assert house.report(patient, id=entry_id, **begun, **ahead).status_code == 201
    typed = {**begun, "entered_at": begun["entered_at"] + timedelta(hours=3, minutes=19)}
    second = house.report(patient, {"dizzy": 1}, id=entry_id, revision=2, **typed, **ahead)
    assert (second.status_code, second.json["entry"]["revision"]) == (200, 2)
    typed["entered_at"] += timedelta(minutes=1)  # 15:25 on our clock
    third = house.report(patient, {"dizzy": 2}, id=entry_id, revision=3, **typed, **ahead)
    assert (third.status_code, third.json["code"]) == (409, "slot_closed")


def test_a_report_outside_any_slot_can_be_revised_for_a_day(noon: tuple[House, dict[str, Any], Person]) -> None:
    house, _, patient = noon
    house.to(2026, 3, 2, 15, 30)
    entry_id, measured = str(uuid4()), house.now
    assert house.report(patient, id=entry_id).status_code == 201
    house.turn(hours=23, minutes=59)
    assert house.report(patient, id=entry_id, revision=2, measured_at=measured).status_code == 200
    house.turn(minutes=1)
    late = house.report(patient, {"dizzy": 1}, id=entry_id, revision=3, measured_at=measured)
    assert late.json["code"] == "slot_closed"


def test_the_site_corrects_with_a_reason_and_the_old_version_stays(noon: tuple[House, dict[str, Any], Person]) -> None:
    house, _, patient = noon
    sent = house.report(patient, {"dizzy": 1}).json["entry"]
    house.to(2026, 3, 4, 9, 0)
    door, answers = f"/entries/{sent['id']}", {**sent["answers"], "dizzy": 0}
    assert house.nurse.patch(door, {"answers": answers}, 1).json["faults"][0]["path"] == "/reason"
    body = {"answers": answers, "reason": "pressed the wrong button"}
    assert house.nurse.call("PATCH", door, body).status_code == 428
    assert house.nurse.patch(door, body, 2).status_code == 412
    assert house.monitor.patch(door, body, 1).status_code == 403
    corrected = house.nurse.patch(door, body, 1)
    assert (corrected.status_code, corrected.headers["ETag"]) == (200, '"2"')
    now = corrected.json["entry"]
    assert (now["answers"]["dizzy"], now["reason"], now["reporter"]) == (0, body["reason"], "patient")
    old, new = house.nurse.get(f"{door}/versions").json["items"]
    assert (old["revision"], old["answers"]["dizzy"], old["reason"]) == (1, 1, None)
    assert (new["revision"], new["answers"]["dizzy"]) == (2, 0)
    authors = [row.author_id for row in house.rows(sa.select(EntryVersion).order_by(EntryVersion.revision))]
    assert authors == [patient.id, house.nurse.id]


@pytest.mark.parametrize("ahead", [timedelta(hours=2), timedelta(hours=-3), timedelta(days=-3650), timedelta(0)])
def test_correcting_answers_leaves_the_time_where_it_was(
    noon: tuple[House, dict[str, Any], Person], ahead: timedelta
) -> None:
    """The raw time was read off a clock that was wrong; the error measured then still holds."""
    house, _, patient = noon
    device = house.now + ahead
    sent = house.report(patient, measured_at=device, entered_at=device, sent_at=device).json["entry"]
    before = filled(house)
    house.turn(hours=1)
    body = {"answers": {**sent["answers"], "dizzy": 1}, "reason": "told by telephone"}
    now = house.nurse.patch(f"/entries/{sent['id']}", body, 1).json["entry"]
    kept = ("effective_at", "clock_skew_s", "measured_at")
    assert {name: now[name] for name in kept} == {name: sent[name] for name in kept}
    assert filled(house) == before
    moved = {**body, "measured_at": iso(house.now - timedelta(hours=3))}
    later = house.nurse.patch(f"/entries/{sent['id']}", moved, 2).json["entry"]
    assert (later["effective_at"], later["clock_skew_s"]) == (moved["measured_at"], 0)


def test_two_contents_under_one_revision_are_both_kept(noon: tuple[House, dict[str, Any], Person]) -> None:
    house, _, patient = noon
    entry_id, measured = str(uuid4()), house.now
    assert house.report(patient, id=entry_id).status_code == 201
    for _ in range(2):  # the second time it is known already
        other = house.report(patient, {"dizzy": 3}, id=entry_id, measured_at=measured)
        assert (other.status_code, other.json["code"]) == (409, "entry_conflict")
    (kept,) = house.rows(sa.select(EntryConflict))
    assert (kept.revision, kept.content["answers"]["dizzy"], kept.author_id) == (1, 3, patient.id)
    assert patient.get(f"/me/entries/{entry_id}").json["answers"]["dizzy"] == 0
    assert len(house.rows(sa.select(AuditEvent).where(AuditEvent.verb == "entry:conflict_kept"))) == 1


def test_an_older_revision_after_a_newer_one_is_kept_beside_it(noon: tuple[House, dict[str, Any], Person]) -> None:
    house, _, patient = noon
    entry_id, measured = str(uuid4()), house.now
    assert house.report(patient, {"dizzy": 2}, id=entry_id, revision=2).status_code == 201
    older = house.report(patient, {"dizzy": 1}, id=entry_id, revision=1, measured_at=measured)
    assert (older.status_code, older.json["code"]) == (409, "revision_superseded")
    assert [row.revision for row in house.rows(sa.select(EntryConflict))] == [1]
    assert patient.get(f"/me/entries/{entry_id}").json["answers"]["dizzy"] == 2


def test_form_and_slot_of_an_entry_never_change(noon: tuple[House, dict[str, Any], Person]) -> None:
    house, _, patient = noon
    entry_id = str(uuid4())
    assert house.report(patient, id=entry_id).status_code == 201
    other = house.report(patient, id=entry_id, revision=2, slot_id=str(slot_at(house, NOON).id))
    assert (other.status_code, other.json["faults"][0]["code"]) == (422, "changed")
    foreign = house.report(patient, slot_id=str(uuid4()))
    assert (foreign.status_code, foreign.json["faults"][0]["path"]) == (422, "/slot_id")


def test_practice_is_stored_and_never_judged(noon: tuple[House, dict[str, Any], Person]) -> None:
    house, _, patient = noon
    sent = house.report(patient, {"temp_c": 40.0, "faint": "yes"}, practice=True)
    assert (sent.status_code, sent.json["signals"], sent.json["page"]) == (201, [], "none")
    assert (filled(house), house.rows(sa.select(Episode))) == ({}, [])


# --- A queue that was offline --------------------------------------------------------------------------------


def queue(house: House, patient: Person) -> list[tuple[str, dict[str, Any]]]:
    """72 hours of reports from a phone three hours behind: every slot, one typed twice, a fever in the middle."""
    made: list[tuple[str, dict[str, Any]]] = []
    start, behind = house.now, timedelta(hours=-3)
    for n in range(18):
        at = start + timedelta(hours=4 * n, minutes=3) + behind
        entry_id = f"00000000-0000-4000-8000-{n:012d}"
        answers = {"temp_c": 38.3 if n == 9 else 36.5, "dizzy": n % 2}
        body = {
            **entry_body(house, patient, answers),
            "measured_at": iso(at),
            "entered_at": iso(at),
            "queued_at": iso(at),
        }
        made.append((entry_id, body))
        if n % 5 == 0:
            again = {**body, "revision": 2, "answers": {**body["answers"], "dizzy": 1}}
            made.append((entry_id, {**again, "entered_at": iso(at + timedelta(minutes=4))}))
    return made


def end_state(folder: Any, seed: int | None) -> Mapping[str, Any]:
    """What holds after the queue was flushed in an order: entries, slots, whether somebody was paged."""
    time = HandClock()
    with databases.sqlite_copy(folder) as url, clock.running_on(time), build(url, time, folder) as house:
        subject = house.infused(days_ago=3)
        patient = house.patient_of(subject)
        waiting = queue(house, patient)
        if seed is not None:
            random.Random(seed).shuffle(waiting)
        house.turn(hours=72)
        for entry_id, body in waiting:
            said = {**body, "sent_at": iso(house.now - timedelta(hours=3))}
            assert patient.put(f"/me/entries/{entry_id}", said).status_code in (200, 201, 409)
            house.turn(seconds=1)
        latest = sa.select(EntryVersion).join(
            Entry, sa.and_(Entry.id == EntryVersion.entry_id, Entry.revision == EntryVersion.revision)
        )
        slots = house.rows(sa.select(Occurrence).where(Occurrence.satisfied_by.is_not(None), Occurrence.kind == "slot"))
        runs = [house.app.test_cli_runner().invoke(args=[what, "verify"]).exit_code for what in ("agenda", "audit")]
        levels = {row.level for row in house.rows(sa.select(Signal)) if row.rule == "R11"}
        return {
            "entries": {str(row.entry_id): (row.revision, row.answers["dizzy"]) for row in house.rows(latest)},
            "slots": {(row.key, row.due_at): str(row.satisfied_by) for row in slots},
            "fever": (levels, len(house.rows(sa.select(Episode)))),
            "sound": runs,
        }


def test_a_queue_of_72_hours_ends_the_same_in_any_order(tmp_path: Any) -> None:
    in_order = end_state(tmp_path, None)
    assert len(in_order["entries"]) == 18
    assert {revision for revision, _ in in_order["entries"].values()} == {1, 2}
    assert len(in_order["slots"]) > 9
    assert in_order["fever"] == ({"REVIEW"}, 1)  # 35 hours old: to the worklist
    assert in_order["sound"] == [0, 0]
    for seed in (1, 2):
        assert end_state(tmp_path, seed) == in_order
