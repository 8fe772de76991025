"""A laboratory's file is stored whole or not at all, and the same file twice is one.

Proves who may send it and for whom, that what is recorded already is known and never replaced, what the trail keeps,
and that a locked record takes nothing. How lines are read: `test_file_lines`; what the rules say: `test_file_signals`.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from house import House, Person, subject_body

from backend.models.clinical import Measurement
from tests.conduct.acts import also_works_at, bare, closing, trail
from tests.contract.stage import changed, everything, problem_of
from tests.laboratory.files import at, counted, refused, send, sheet, taken, values
from tests.trial.desk import measured

SAMPLE = datetime(2026, 3, 2, 0, 15, tzinfo=UTC)  # when LINE was collected
EIGHT = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)
TRAIL = {"audit_event", "audit_head"}


def typed(house: House, subject: Mapping[str, Any], value: Any = 5, **over: Any) -> dict[str, Any]:
    """A value that the nurse typed by hand, of LINE's sample unless said otherwise."""
    answer = measured(house, subject, over.pop("code", "crp"), value, **{"collected_at": SAMPLE, **over})
    assert answer.status_code == 201, answer.text
    return dict(answer.json["items"][0])


def stored(house: House) -> int:
    return len(house.rows(sa.select(Measurement)))


def at_the_other_site(house: House, number: str) -> dict[str, Any]:
    body = subject_body(house, site_id=str(house.other_site_id), number=number)
    answer = house.stranger.post("/subjects", body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json)


# --- all or nothing -----------------------------------------------------------------------------------------------


def test_a_file_for_several_subjects_is_stored_whole_and_on_record(house: House) -> None:
    first, second = house.enrol(), house.enrol(number="002")
    text = sheet({}, {"code": "anc", "value": "2.0", "unit": "10*9/L"}, {"subject": "002", "value": "<0.5"})
    answer = taken(house, text)
    assert (counted(answer), answer["signals"]) == ((3, 0, 3), [])
    assert sorted(values(house, first, "code", "value", "unit")) == [("anc", 2, "10*9/L"), ("crp", 5, "mg/L")]
    assert [(str(value), qualifier) for value, qualifier in values(house, second, "value", "qualifier")] == [
        ("0.5", "<")
    ]

    acts = trail(house, "measurement:recorded")
    assert sorted(act.chain for act in acts) == sorted([first["id"], first["id"], second["id"]])
    assert {act.actor_id for act in acts} == {house.nurse.id}
    assert {act.entity_id for act in acts} == {str(row.id) for row in house.rows(sa.select(Measurement))}
    [whole] = trail(house, "measurements:imported")
    assert (whole.chain, whole.actor_id, whole.new["lines"], whole.new["new"]) == ("system", house.nurse.id, 3, 3)
    assert hashlib.sha256(text.encode()).hexdigest()[:32] in f"{whole.entity_id} {whole.new}"
    assert house.chief.get("/audit/verify").json["intact"] is True


def test_one_bad_line_of_many_stores_nothing(house: House) -> None:
    house.enrol()
    house.enrol(number="002")
    good = [{"subject": f"00{n % 2 + 1}", "collected_at": f"2026-03-01 08:{n:02}"} for n in range(30)]
    refused(house, sheet(*good, {"value": "1001"}), at(32, "value", "out_of_range"))
    refused(house, sheet(*good[:9], {"subject": "003"}, *good[9:]), at(11, "subject", "not_found"))
    refused(house, sheet({"value": "high"}, *good), at(2, "value", "wrong_type"))


def test_only_false_stores(clinic: House) -> None:
    """What is not known is never taken for `false`."""
    before = everything(clinic)
    for dry_run, code in (("1", "not_allowed"), ("yes", "not_allowed"), ("", "not_allowed")):
        problem_of(send(clinic, sheet({}), dry_run=dry_run), 422, "invalid", [("/dry_run", code)])
    problem_of(send(clinic, sheet({}), dryrun="true"), 422, "invalid", [("/dryrun", "unknown_field")])
    assert changed(clinic, before) == set()
    assert send(clinic, sheet({}), dry_run="false").status_code == 201
    assert stored(clinic) == 1


def test_a_repeated_request_gets_the_same_answer(clinic: House) -> None:
    key = {"Idempotency-Key": "file-7"}
    critical = sheet({"code": "platelets", "value": "8", "unit": "10*9/L"})
    first = send(clinic, critical, headers=key)
    assert (first.status_code, len(first.json["signals"])) == (201, 2), first.text
    before = everything(clinic)
    again = send(clinic, critical, headers=key)
    assert (again.status_code, again.json) == (201, first.json)
    for other in (send(clinic, sheet({}), headers=key), send(clinic, critical, headers=key, dry_run=True)):
        problem_of(other, 409, "conflict")
    assert changed(clinic, before) == set()


# --- what is recorded already -------------------------------------------------------------------------------------


def test_the_same_file_twice_is_known_and_stores_nothing_new(clinic: House, subject: dict[str, Any]) -> None:
    lines: list[Mapping[str, str]] = [
        {"laboratory": "Central", "lln": "1", "uln": "8"},
        {"code": "anc", "value": "1500", "unit": "/uL"},
        {"code": "creatinine", "value": "1.1", "unit": "mg/dL", "uln": "1.3"},
        {"code": "il6", "value": "<2.0", "unit": "ng/L"},
        {"code": "igg", "value": "", "unit": "g/L", "not_done": "yes"},
        {"code": "body_temperature", "value": "36.60", "unit": "°C", "method": "ear", "source": "ward"},
    ]
    assert counted(taken(clinic, sheet(*lines))) == (6, 0, 6)
    clinic.turn(hours=1)
    before = everything(clinic)
    again = send(clinic, sheet(*lines))
    assert (again.status_code, counted(again.json), again.json["signals"]) == (200, (6, 6, 0), [])
    assert changed(clinic, before) <= TRAIL
    longer = sheet(*reversed(lines), {"value": "6", "collected_at": "2026-03-02 09:30"})
    assert counted(taken(clinic, longer)) == (7, 6, 1)
    assert len(values(clinic, subject, "id")) == 7


def test_the_same_sample_is_known_however_it_is_written(clinic: House) -> None:
    taken(clinic, sheet({}))
    for same in (
        {"value": "5.00"},
        {"value": "0.5", "unit": "mg/dL"},
        {"collected_at": "2026/3/2 8:15:00"},
        {"collected_at": "2026-03-02T00:15:00Z"},
    ):
        assert counted(taken(clinic, sheet(same))) == (1, 1, 0), same


def test_a_value_typed_by_hand_before_is_known(clinic: House, subject: dict[str, Any]) -> None:
    typed(clinic, subject)
    typed(clinic, subject, 0.7, unit="mg/dL", collected_at=EIGHT, uln=0.8, laboratory="Central", source="ward")
    typed(clinic, subject, None, code="igg", unit="g/L", not_done=True)
    lines = ({}, {"value": "7", "collected_at": "2026-03-02 08:00"}, {"code": "igg", "value": "", "not_done": "yes"})
    assert counted(taken(clinic, sheet(*({"unit": "mg/L", **one} for one in lines[:2])))) == (2, 2, 0)
    assert counted(taken(clinic, sheet({**lines[2], "unit": "g/L"}))) == (1, 1, 0)
    named = {"value": "7", "collected_at": "2026-03-02 08:00", "laboratory": "Central", "uln": "8"}
    assert counted(taken(clinic, sheet(named))) == (1, 1, 0)
    assert stored(clinic) == 3


@pytest.mark.parametrize(
    "other", [{"value": "5.1"}, {"value": "<5"}, {"value": "", "not_done": "yes"}, {"value": "5", "unit": "mg/dL"}]
)
def test_another_value_of_a_recorded_sample_is_a_fault(
    clinic: House, subject: dict[str, Any], other: Mapping[str, str]
) -> None:
    typed(clinic, subject)
    refused(clinic, sheet({"collected_at": "2026-03-02 08:10"}, other), at(3, "value", "differs_from_record"))


@pytest.mark.parametrize("other", [{"uln": "10"}, {"lln": "2"}, {"laboratory": "Another"}])
def test_other_limits_or_another_laboratory_of_a_recorded_sample_are_a_fault(
    clinic: House, subject: dict[str, Any], other: Mapping[str, str]
) -> None:
    typed(clinic, subject, uln=8, lln=1, laboratory="Central")
    before = everything(clinic)
    answer = send(clinic, sheet(other))
    assert [fault["code"] for fault in answer.json["faults"]] == ["differs_from_record"], answer.text
    assert changed(clinic, before) == set()


def test_the_same_sample_stands_once_in_a_file(clinic: House, subject: dict[str, Any]) -> None:
    other_day = {"collected_at": "2026-03-01 08:15"}
    for twice in ({}, {"value": "6"}, {"value": "0.5", "unit": "mg/dL"}, {"collected_at": "2026-03-02T00:15:00Z"}):
        refused(clinic, sheet({}, other_day, twice), at(4, "code", "duplicate"))
    ear, mouth = ({"code": "body_temperature", "unit": "Cel", "value": "37", "method": way} for way in ("ear", "mouth"))
    assert counted(taken(clinic, sheet({}, other_day, ear, mouth))) == (4, 0, 4)
    refused(clinic, sheet({}, {}), at(3, "code", "duplicate"))


def test_after_a_correction_the_corrected_value_is_the_one_that_stands(clinic: House, subject: dict[str, Any]) -> None:
    taken(clinic, sheet({}))
    [(first,)] = values(clinic, subject, "id")
    typed(clinic, subject, 6, corrects_id=first, reason="misread")
    again = taken(clinic, sheet({}))
    assert (counted(again), again["corrected_since"]) == ((1, 1, 0), 1)
    refused(clinic, sheet({"value": "7"}), at(2, "value", "differs_from_record"))
    assert counted(taken(clinic, sheet({"value": "6"}))) == (1, 1, 0)


def test_a_value_corrected_into_not_done_does_not_come_back(clinic: House, subject: dict[str, Any]) -> None:
    taken(clinic, sheet({}))
    [(first,)] = values(clinic, subject, "id")
    typed(clinic, subject, None, not_done=True, corrects_id=first, reason="the tube broke")
    again = taken(clinic, sheet({}))
    assert (counted(again), again["corrected_since"]) == ((1, 1, 0), 1)


def test_a_sample_whose_time_was_corrected_does_not_come_back(clinic: House, subject: dict[str, Any]) -> None:
    """The same file once more: what was found to be of another time is not stored a second time as it was."""
    taken(clinic, sheet({}))
    [(first,)] = values(clinic, subject, "id")
    typed(clinic, subject, collected_at=EIGHT, corrects_id=first, reason="drawn at eight")
    count = stored(clinic)
    send(clinic, sheet({}))
    assert stored(clinic) == count


@pytest.mark.parametrize("value", ["5", "6"])
def test_either_of_two_values_typed_for_one_sample_is_known(clinic: House, subject: dict[str, Any], value: str) -> None:
    typed(clinic, subject, 5)
    typed(clinic, subject, 6)
    assert counted(taken(clinic, sheet({"value": value}))) == (1, 1, 0)


# --- whose --------------------------------------------------------------------------------------------------------


def test_a_foreign_subject_does_not_exist(clinic: House) -> None:
    at_the_other_site(clinic, "901")
    faults = refused(
        clinic, sheet({"subject": "901"}, {}, {"subject": "902"}), *(at(n, "subject", "not_found") for n in (2, 4))
    )
    assert len({fault["message"] for fault in faults}) == 1


def test_a_number_of_two_sites_is_ambiguous_until_one_is_named(clinic: House, subject: dict[str, Any]) -> None:
    there = at_the_other_site(clinic, "001")
    chief = clinic.chief
    assert counted(taken(clinic, sheet({"value": "4"}), who=chief)) == (1, 0, 1)
    also_works_at(clinic, clinic.other_site_id, chief)
    refused(
        clinic, sheet({}, {"value": "high"}), at(2, "subject", "ambiguous"), at(3, "value", "wrong_type"), who=chief
    )
    text = sheet({"collected_at": "2026-03-02 08:30"})
    assert counted(taken(clinic, text, who=chief, site_id=clinic.other_site_id)) == (1, 0, 1)
    assert counted(taken(clinic, text, who=chief, site_id=clinic.site_id)) == (1, 0, 1)
    stored_there = clinic.stranger.get(f"/subjects/{there['id']}/measurements").json["items"]
    assert [one["collected_at"] for one in stored_there] == ["2026-03-02T00:30:00Z"]
    assert len(values(clinic, subject, "id")) == 2


def test_the_site_that_is_named_is_one_of_the_callers(clinic: House) -> None:
    at_the_other_site(clinic, "901")
    theirs = sheet({"subject": "901"})
    refused(clinic, theirs, ("/site_id", "unknown_site"), site_id=clinic.other_site_id)
    refused(clinic, theirs, ("/site_id", "unknown_site"), site_id="00000000-0000-4000-8000-000000000000")
    refused(clinic, theirs, ("/site_id", "invalid_uuid"), site_id="NJ")
    refused(clinic, theirs, at(2, "subject", "not_found"), site_id=clinic.site_id)


# --- who, and when not --------------------------------------------------------------------------------------------


def test_only_the_clinic_sends_files(clinic: House, subject: dict[str, Any]) -> None:
    patient = clinic.patient_of(subject)
    outside: list[Person] = [*(clinic.people[name] for name in ("monitor", "statistician", "admin")), patient]
    before = everything(clinic)
    for who in outside:
        for dry_run in (True, False):
            problem_of(send(clinic, sheet({}), who=who, dry_run=dry_run), 403, "forbidden")
    assert clinic.app.test_client().post("/api/v1/measurements/import").status_code == 401
    assert changed(clinic, before) <= TRAIL
    for n, who in enumerate((clinic.nurse, clinic.doctor, clinic.chief)):
        assert counted(taken(clinic, sheet({"collected_at": f"2026-03-02 08:{n:02}"}), who=who)) == (1, 0, 1)


def test_the_task_must_be_delegated_at_every_site_of_the_file(clinic: House) -> None:
    at_the_other_site(clinic, "901")
    also_works_at(clinic, clinic.other_site_id, clinic.nurse)
    before = everything(clinic)
    for text in (sheet({"subject": "901"}), sheet({}, {"subject": "901"})):
        for dry_run in (True, False):
            problem_of(send(clinic, text, dry_run=dry_run), 403, "not_delegated")
    problem_of(send(clinic, sheet({}), site_id=clinic.other_site_id), 403, "not_delegated")
    assert changed(clinic, before) <= TRAIL
    assert counted(taken(clinic, sheet({}))) == (1, 0, 1)
    bare(clinic, clinic.nurse)
    problem_of(send(clinic, sheet({"value": "6"})), 403, "not_delegated")


def test_a_locked_record_takes_no_line_and_so_no_file(clinic: House, subject: dict[str, Any]) -> None:
    chief = clinic.chief
    clinic.enrol(number="002")
    taken(clinic, sheet({}))
    lock = f"/subjects/{subject['id']}/lock"
    assert chief.post(lock, closing(True), **clinic.confirmed(chief)).status_code == 201
    others = ({"subject": "002"}, {"subject": "002", "value": "high"})
    mixed = sheet(others[0], {}, others[1], {"code": "CRP"})
    refused(
        clinic,
        mixed,
        at(3, "subject", "record_locked"),
        at(4, "value", "wrong_type"),
        at(5, "subject", "record_locked"),
    )
    assert counted(taken(clinic, sheet(others[0]))) == (1, 0, 1)
    assert chief.post(lock, closing(False), **clinic.confirmed(chief)).status_code == 201
    assert counted(taken(clinic, sheet({}, {"value": "6", "collected_at": "2026-03-02 08:20"}))) == (2, 1, 1)


def test_a_locked_database_takes_no_file(clinic: House) -> None:
    chief = clinic.chief
    assert chief.post("/database/lock", closing(True), **clinic.confirmed(chief)).status_code == 201
    before = everything(clinic)
    for dry_run in (True, False):
        problem_of(send(clinic, sheet({}), dry_run=dry_run), 409, "record_locked")
    assert changed(clinic, before) == set()
