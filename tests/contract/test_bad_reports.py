"""Reports that cannot be taken: wrong answers, wrong times, taken ids, revisions out of order."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from house import House, entry_body, iso

from backend.models.capture import Entry, EntryConflict, EntryVersion
from tests.contract.stage import CARER, Faults, Stage, but, changed, everything, problem_of, refuses, report_body


def refuse(stage: Stage, faults: Faults, but_answers: dict[str, Any] | None = None, **over: Any) -> None:
    body = report_body(stage, but_answers, **over)
    refuses(stage.house, stage.patient, "PUT", f"/me/entries/{uuid4()}", body, faults=faults)


@pytest.mark.parametrize(
    ("answers", "fault"),
    [
        ({"temp_c": 98.6}, ("/answers/temp_c", "looks_like_fahrenheit")),
        ({"temp_c": 100.4}, ("/answers/temp_c", "looks_like_fahrenheit")),
        ({"temp_c": 83.6}, ("/answers/temp_c", "looks_mistyped")),
        ({"temp_c": 386}, ("/answers/temp_c", "looks_mistyped")),
        ({"temp_c": 43.1}, ("/answers/temp_c", "out_of_range")),
        ({"temp_c": -37}, ("/answers/temp_c", "out_of_range")),
        ({"temp_c": 37.55}, ("/answers/temp_c", "too_many_decimals")),
        ({"temp_c": "38.2"}, ("/answers/temp_c", "wrong_type")),
        ({"temp_c": True}, ("/answers/temp_c", "wrong_type")),
        ({"temp_c": [38.2]}, ("/answers/temp_c", "wrong_type")),
        ({"temp_site": "forehead?"}, ("/answers/temp_site", "unknown_option")),
        ({"temp_site": 1}, ("/answers/temp_site", "wrong_type")),
        ({"chills": 4}, ("/answers/chills", "out_of_range")),
        ({"chills": 1.5}, ("/answers/chills", "wrong_type")),
        ({"chills": False}, ("/answers/chills", "wrong_type")),
        ({"chills": None}, ("/answers/chills", "required")),
        ({"worry": None}, ("/answers/worry", "required")),
        ({"now_any": "none"}, ("/answers/now_any", "wrong_type")),
        ({"now_any": []}, ("/answers/now_any", "empty")),
        ({"now_any": ["none", "none"]}, ("/answers/now_any/1", "duplicate")),
        ({"now_any": ["none", "cannot_wake"]}, ("/answers/now_any", "exclusive")),
        ({"now_any": [None]}, ("/answers/now_any/0", "wrong_type")),
        ({"note": "a note nobody asked for"}, ("/answers/note", "hidden")),
        ({"worry": "now", "note": "x" * 501}, ("/answers/note", "too_long")),
        ({"dbp": 80}, ("/answers/dbp", "hidden")),
        ({"steroid_taken": "yes"}, ("/answers/steroid_taken", "not_in_form")),
        ({"mood": 1}, ("/answers/mood", "unknown_item")),
        ({"a/b": 1}, ("/answers/a~1b", "unknown_item")),
        ({"antipyretic": [{"name": "aspirin?", "dose_mg": 1, "taken_at": "2026-03-02T08:00:00+08:00"}]},
         ("/answers/antipyretic/0/name", "unknown_drug")),
        ({"antipyretic": [{"name": "paracetamol", "dose_mg": -500, "taken_at": "2026-03-02T08:00:00+08:00"}]},
         ("/answers/antipyretic/0/dose_mg", "wrong_type")),
        ({"antipyretic": [{"name": "paracetamol", "dose_mg": 500, "taken_at": "2026-03-02T08:00:00"}]},
         ("/answers/antipyretic/0/taken_at", "malformed")),
        ({"antipyretic": [{"name": "paracetamol", "dose_mg": 500}]}, ("/answers/antipyretic/0/taken_at", "required")),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_one_wrong_answer(stage: Stage, answers: dict[str, Any], fault: tuple[str, str]) -> None:
    refuse(stage, [fault], answers)


def test_every_wrong_answer_is_named_at_once(stage: Stage) -> None:
    wrong = {"temp_c": 98.6, "chills": "3", "mood": 1, "words": None}
    refuse(
        stage,
        [
            ("/answers/temp_c", "looks_like_fahrenheit"),
            ("/answers/chills", "wrong_type"),
            ("/answers/mood", "unknown_item"),
            ("/answers/words", "required"),
        ],
        wrong,
    )


@pytest.mark.parametrize(
    ("over", "fault"),
    [
        ({"form": "tea_leaves"}, ("/form", "not_allowed")),
        ({"form": "../quick"}, ("/form", "wrong_format")),
        ({"slot_id": "00000000-0000-4000-8000-000000000000"}, ("/slot_id", "not_allowed")),
        ({"slot_id": ...}, ("/slot_id", "required")),
        ({"reporter": "nurse"}, ("/reporter", "not_allowed")),
        ({"reporter": "staff"}, ("/reporter", "not_allowed")),
        ({"reporter": "carer"}, ("/reporter", "not_allowed")),
        ({"revision": 0}, ("/revision", "out_of_range")),
        ({"revision": 2**31}, ("/revision", "out_of_range")),
        ({"revision": True}, ("/revision", "wrong_type")),
        ({"revision": "1"}, ("/revision", "wrong_type")),
        ({"practice": 0}, ("/practice", "wrong_type")),
        ({"practice": "false"}, ("/practice", "wrong_type")),
        ({"answers": []}, ("/answers", "wrong_type")),
        ({"answers": ...}, ("/answers", "required")),
        ({"time_zone": "UTC+8"}, ("/time_zone", "unknown_time_zone")),
        ({"measured_at": "2026-03-02T09:00:00"}, ("/measured_at", "invalid_instant")),
        ({"measured_at": "9999-01-01T00:00:00Z"}, ("/measured_at", "out_of_range")),
        ({"measured_at": "0001-01-01T00:00:00Z"}, ("/measured_at", "out_of_range")),
        ({"sent_at": "2026-13-01T00:00:00Z"}, ("/sent_at", "invalid_instant")),
        ({"source": "ward"}, ("/source", "unknown_field")),
        ({"received_at": "2026-03-02T09:00:00Z"}, ("/received_at", "unknown_field")),
    ],
    ids=str,
)
def test_one_wrong_field(stage: Stage, over: dict[str, Any], fault: tuple[str, str]) -> None:
    refuse(stage, [fault], **over)


def test_a_key_of_an_answer_too_long(stage: Stage) -> None:
    key = "x" * 61
    refuse(stage, [(f"/answers/{key}/key", "too_long")], {key: 1})


def test_a_slot_of_somebody_else_or_of_another_form(stage: Stage) -> None:
    slots = stage.house.nurse.get(f"{stage.at}/calendar").json["items"]
    daily = next(one["id"] for one in slots if one["key"] == "daily")
    refuse(stage, [("/slot_id", "not_allowed")], slot_id=daily)
    refuse(stage, [("/slot_id", "not_allowed")], slot_id=stage.ids["visit_id"])


def test_whose_report_it_is(stage: Stage) -> None:
    """A foreign subject does not exist for a patient; a foreign entry's id is taken, and shows nothing."""
    house, path = stage.house, f"/me/entries/{uuid4()}"
    body = report_body(stage, subject_id=stage.foreign["id"])
    refuses(house, stage.patient, "PUT", path, body, status=404, code="not_found")
    refuses(house, stage.patient, "PUT", path, but(body, subject_id=str(uuid4())), status=404, code="not_found")
    mine = f"/me/entries/{stage.ids['entry_id']}"
    refuses(house, stage.outsider, "PUT", mine, report_body(stage), status=409, code="id_taken")
    refuses(house, stage.outsider, "GET", mine, b"", status=404, code="not_found")


def test_staff_of_another_site(stage: Stage) -> None:
    house = stage.house
    body = but(report_body(stage), id=str(uuid4()), source="telephone", practice=...)
    refuses(house, house.stranger, "POST", f"{stage.at}/entries", body, status=404, code="not_found")
    fixed = {"answers": body["answers"], "reason": "misread"}
    headers = {"If-Match": "*"}
    path = f"/entries/{stage.ids['entry_id']}"
    refuses(house, house.stranger, "PATCH", path, fixed, status=404, code="not_found", headers=headers)


def test_a_correction_by_the_site_is_held_to_the_same(stage: Stage) -> None:
    house, path = stage.house, f"/entries/{stage.ids['entry_id']}"
    body = {"answers": {**report_body(stage)["answers"], "temp_c": 98.6}, "reason": "misread"}
    anyway = {"If-Match": "*"}
    fahrenheit = [("/answers/temp_c", "looks_like_fahrenheit")]
    refuses(house, house.nurse, "PATCH", path, body, faults=fahrenheit, headers=anyway)
    refuses(house, house.nurse, "PATCH", path, body, status=428, code="if_match_required")
    refuses(house, house.nurse, "PATCH", path, body, status=412, code="stale", headers={"If-Match": '"7"'})
    silent = but(body, reason=...)
    refuses(house, house.nurse, "PATCH", path, silent, faults=[("/reason", "required")], headers=anyway)
    blank = but(body, reason="  ")
    refuses(house, house.nurse, "PATCH", path, blank, faults=[("/reason", "wrong_length")], headers=anyway)


def test_what_staff_may_not_say_for_a_patient(stage: Stage) -> None:
    house, path = stage.house, f"{stage.at}/entries"
    body = but(report_body(stage), id=str(uuid4()), source="telephone", practice=...)
    refuses(house, house.nurse, "POST", path, but(body, source="phone"), faults=[("/source", "not_allowed")])
    refuses(house, house.nurse, "POST", path, but(body, practice=True), faults=[("/practice", "unknown_field")])
    refuses(house, house.nurse, "POST", path, but(body, id=...), faults=[("/id", "required")])


# --- what came twice ------------------------------------------------------------------------------------------


KEPT = frozenset({"entry_conflict", "audit_event", "audit_head"})


def _conflicts(house: House) -> list[tuple[int, Any]]:
    rows = house.rows(sa.select(EntryConflict).order_by(EntryConflict.received_at, EntryConflict.id))
    return [(row.revision, row.content["answers"]["chills"]) for row in rows]


def test_other_content_under_a_taken_revision_is_kept_beside_it(own_stage: Stage) -> None:
    house, patient = own_stage.house, own_stage.patient
    path = f"/me/entries/{uuid4()}"
    first = entry_body(house, patient, {"chills": 1})
    assert patient.put(path, first).status_code == 201
    other = {**first, "answers": {**first["answers"], "chills": 2}}
    said: dict[str, Any] = {"status": 409, "code": "entry_conflict"}
    refuses(house, patient, "PUT", path, other, **said, leaves=KEPT)
    assert _conflicts(house) == [(1, 2)]
    refuses(house, patient, "PUT", path, other, **said)  # the same again is kept once
    assert patient.get(path).json["answers"]["chills"] == 1
    assert patient.put(path, first).status_code == 200


def test_an_older_revision_after_a_newer_one_is_kept_beside_it(own_stage: Stage) -> None:
    house, patient = own_stage.house, own_stage.patient
    path = f"/me/entries/{uuid4()}"
    late = entry_body(house, patient, {"chills": 1}, revision=2)
    assert patient.put(path, entry_body(house, patient, {"chills": 2}, revision=3)).status_code == 201
    refuses(house, patient, "PUT", path, late, status=409, code="revision_superseded", leaves=KEPT)
    assert _conflicts(house) == [(2, 1)]
    stored = patient.get(path).json
    assert (stored["revision"], stored["answers"]["chills"]) == (3, 2)
    [entry] = house.rows(sa.select(Entry).where(Entry.id == sa.literal(path.rsplit("/", 1)[1], sa.Uuid(as_uuid=False))))
    assert len(house.rows(sa.select(EntryVersion).where(EntryVersion.entry_id == entry.id))) == 1


def test_what_an_entry_is_never_changes(own_stage: Stage) -> None:
    house, patient = own_stage.house, own_stage.patient
    path = f"/me/entries/{uuid4()}"
    assert house.report(patient, id=path.rsplit("/", 1)[1]).status_code == 201
    again = entry_body(house, patient, revision=2, practice=True)
    refuses(house, patient, "PUT", path, again, faults=[("/form", "changed")])
    house.turn(days=2)
    late = entry_body(house, patient, {"chills": 1}, revision=2)
    refuses(house, patient, "PUT", path, late, status=409, code="slot_closed")


def test_a_carer_of_two_says_for_whom(own_stage: Stage) -> None:
    house = own_stage.house
    second = house.enrol(number="002")
    body = {"for": "carer", "account_id": str(own_stage.carer.id)}
    assert house.nurse.post(f"/subjects/{second['id']}/activation-codes", body).status_code == 201
    sent = entry_body(house, own_stage.carer)
    refuses(house, own_stage.carer, "PUT", f"/me/entries/{uuid4()}", sent, faults=[("/subject_id", "required")])
    before = everything(house)
    answer = own_stage.carer.put(f"/me/entries/{uuid4()}", {**sent, "subject_id": second["id"]})
    assert answer.status_code == 201
    assert "entry" in changed(house, before)
    assert CARER["name"] not in answer.text


def test_after_the_death_of_the_subject(own_stage: Stage) -> None:
    house, patient = own_stage.house, own_stage.patient
    house.event(own_stage.subject, "death", actual_at=house.now - timedelta(minutes=1))
    path = f"/me/entries/{uuid4()}"
    refuses(house, patient, "PUT", path, entry_body(house, patient), status=409, code="subject_ended")
    earlier = entry_body(house, patient, measured_at=house.now - timedelta(hours=1))
    assert patient.put(path, earlier).status_code == 201, "what was measured before still belongs to the record"
    problem_of(patient.get(f"/me/entries/{uuid4()}"), 404, "not_found")


def test_a_clock_that_is_a_century_off_is_no_error(house: House) -> None:
    """On both databases: the skew is measured and kept as far as the column reaches."""
    patient = house.patient_of(house.infused(days_ago=6))
    body = entry_body(house, patient, sent_at="2190-01-01T00:00:00Z", measured_at="1901-01-01T00:00:00Z")
    answer = patient.put(f"/me/entries/{uuid4()}", body)
    assert answer.status_code == 201, answer.text
    assert answer.json["entry"]["clock_skew_s"] == 2**31 - 1
    assert answer.json["entry"]["sent_at"] == "2190-01-01T00:00:00Z"
    listed = patient.get("/me/entries?limit=1").json["items"]
    assert [one["id"] for one in listed] == [answer.json["entry"]["id"]]
    assert iso(house.now) == answer.json["entry"]["received_at"]
