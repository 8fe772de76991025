"""Who may say what for whom, from which device, and how the patient learns that it was seen."""

from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from house import House, Person, entry_body, iso

from backend.models.calendar import Occurrence
from backend.models.capture import Entry, EntryVersion
from tests.test_main_thread import rota


@pytest.fixture
def ill(sqlite_house: House) -> tuple[House, dict[str, Any], Person]:
    subject = sqlite_house.infused(days_ago=6)
    return sqlite_house, subject, sqlite_house.patient_of(subject)


def carer_of(house: House, subject: dict[str, Any], name: str, phone: str) -> Person:
    return house.patient_of(subject, "carer", carer={"name": name, "phone": phone, "locale": "en"})


def linked_too(house: House, carer: Person, subject: dict[str, Any]) -> None:
    """The same carer reports for another subject as well."""
    asked = {"for": "carer", "account_id": str(carer.id)}
    assert house.nurse.post(f"/subjects/{subject['id']}/activation-codes", asked).status_code == 201


# --- On behalf -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["telephone", "ward"])
def test_staff_report_on_behalf_and_stay_the_author(ill: tuple[House, dict[str, Any], Person], source: str) -> None:
    house, subject, patient = ill
    body = {**entry_body(house, house.nurse, {"temp_c": 38.2}), "id": str(uuid4()), "source": source}
    body["measured_at"] = iso(house.now)
    sent = house.nurse.post(f"/subjects/{subject['id']}/entries", body)
    assert sent.status_code == 201, sent.text
    assert (sent.json["entry"]["source"], sent.json["entry"]["reporter"]) == (source, "staff")
    assert "R11" in [one["rule"] for one in sent.json["signals"]]
    assert house.nurse.post(f"/subjects/{subject['id']}/entries", body).status_code == 200
    (version,) = house.rows(sa.select(EntryVersion))
    assert version.author_id == house.nurse.id
    seen = patient.get(f"/me/entries/{body['id']}").json
    assert (seen["source"], str(seen["answers"]["temp_c"])) == (source, "38.2")


def test_by_telephone_the_patients_own_words_can_be_entered_as_theirs(
    ill: tuple[House, dict[str, Any], Person],
) -> None:
    house, subject, _ = ill
    body = {**entry_body(house, house.nurse, reporter="carer"), "id": str(uuid4()), "source": "telephone"}
    sent = house.nurse.post(f"/subjects/{subject['id']}/entries", body)
    assert (sent.status_code, sent.json["entry"]["reporter"]) == (201, "carer")


def test_who_may_not_enter_on_behalf(ill: tuple[House, dict[str, Any], Person]) -> None:
    house, subject, patient = ill
    body = {**entry_body(house, house.nurse), "id": str(uuid4()), "source": "telephone"}
    door = f"/subjects/{subject['id']}/entries"
    for who, status in ((house.monitor, 403), (patient, 403), (house.stranger, 404)):
        assert who.post(door, body).status_code == status
    assert house.nurse.post(door, {**body, "source": "phone"}).json["faults"][0]["path"] == "/source"
    assert house.rows(sa.select(Entry)) == []


def test_a_ward_form_is_for_staff_alone(ill: tuple[House, dict[str, Any], Person]) -> None:
    house, _, patient = ill
    refused = house.report(patient, form="ward")
    assert (refused.status_code, refused.json["faults"][0]["path"]) == (422, "/form")


# --- Reporters -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("claimed", ["carer", "staff"])
def test_the_reporter_is_the_account(ill: tuple[House, dict[str, Any], Person], claimed: str) -> None:
    house, _, patient = ill
    refused = house.report(patient, reporter=claimed)
    assert (refused.status_code, refused.json["faults"][0]["path"]) == (422, "/reporter")


def test_a_carer_of_two_says_for_whom(ill: tuple[House, dict[str, Any], Person]) -> None:
    house, first, _ = ill
    second = house.infused(days_ago=3, number="002", contact={"name": "Wang Er", "phone": "13800138002"})
    third = house.infused(days_ago=3, number="003", contact={"name": "Li San", "phone": "13800138003"})
    mother = carer_of(house, first, "Li Lan", "13900139000")
    assert house.report(mother).json["entry"]["subject_id"] == first["id"]  # there is only one so far
    linked_too(house, mother, second)
    silent = house.report(mother)
    assert (silent.status_code, silent.json["faults"][0]["path"]) == (422, "/subject_id")
    for subject in (first, second):
        sent = house.report(mother, subject_id=subject["id"])
        assert (sent.status_code, sent.json["entry"]["subject_id"]) == (201, subject["id"])
    assert house.report(mother, subject_id=third["id"]).status_code == 404
    assert mother.get("/me/entries").status_code == 422
    listed = mother.get(f"/me/entries?subject_id={second['id']}").json["items"]
    assert [one["subject_id"] for one in listed] == [second["id"]]


def test_a_carer_whose_link_ended_reports_no_more(ill: tuple[House, dict[str, Any], Person]) -> None:
    house, subject, _ = ill
    second = house.infused(number="002", contact={"name": "Wang Er", "phone": "13800138002"})
    carer = carer_of(house, subject, "Li Lan", "13900139000")
    linked_too(house, carer, second)
    ended = house.nurse.post(f"/subjects/{subject['id']}/carers/{carer.id}/revocation", {"reason": "moved away"})
    assert ended.status_code == 200, ended.text
    assert house.report(carer, subject_id=subject["id"]).status_code == 404
    assert house.report(carer).json["entry"]["subject_id"] == second["id"]


def test_an_id_of_another_subjects_entry_is_taken(ill: tuple[House, dict[str, Any], Person]) -> None:
    house, _, patient = ill
    other = house.patient_of(house.infused(number="002", contact={"name": "Wang Er", "phone": "13800138002"}))
    entry_id = str(uuid4())
    assert house.report(patient, id=entry_id).status_code == 201
    taken = house.report(other, id=entry_id)
    assert (taken.status_code, taken.json["code"]) == (409, "id_taken")
    assert other.get(f"/me/entries/{entry_id}").status_code == 404


def test_patient_and_carer_fill_one_slot_with_two_entries(ill: tuple[House, dict[str, Any], Person]) -> None:
    house, subject, patient = ill
    carer = carer_of(house, subject, "Li Lan", "13900139000")
    house.to(2026, 3, 2, 12, 5)
    first = house.report(patient).json["entry"]["id"]
    house.turn(minutes=1)
    assert house.report(carer).status_code == 201
    (slot,) = house.rows(sa.select(Occurrence).where(Occurrence.satisfied_by.is_not(None), Occurrence.kind == "slot"))
    assert str(slot.satisfied_by) == first
    assert {one["reporter"] for one in patient.get("/me/entries").json["items"]} == {"patient", "carer"}


# --- A locked phone ------------------------------------------------------------------------------------------


def by_device(house: House, credential: str, body: dict[str, Any], entry_id: str) -> Any:
    headers = {"Authorization": f"Device {credential}"}
    return house.app.test_client().put(f"/api/v1/me/entries/{entry_id}", json=body, headers=headers)


def test_a_locked_phone_still_sends_a_fever(ill: tuple[House, dict[str, Any], Person]) -> None:
    """The credential is all it has; it may append and not read."""
    house, _, patient = ill
    credential, entry_id = patient.username, str(uuid4())
    sent = by_device(house, credential, entry_body(house, patient, {"temp_c": 38.4, "chills": 3}), entry_id)
    assert (sent.status_code, sent.json["page"], sent.json["advice"]["level"]) == (201, "queued", "EMERGENCY")
    headers = {"Authorization": f"Device {credential}"}
    client = house.app.test_client()
    for door in ("/me/today", "/me/entries", f"/me/entries/{entry_id}", "/me"):
        assert client.get(f"/api/v1{door}", headers=headers).status_code == 401, door
    again = by_device(house, credential, entry_body(house, patient, {"temp_c": 38.4, "chills": 3}), entry_id)
    assert again.status_code == 200
    assert by_device(house, credential[:-1] + "x", entry_body(house, patient), str(uuid4())).status_code == 401


def test_a_lost_phone_sends_no_more(ill: tuple[House, dict[str, Any], Person]) -> None:
    house, subject, patient = ill
    lost = house.nurse.post(f"/subjects/{subject['id']}/devices/revocation", {"reason": "left in a taxi"})
    assert lost.status_code == 200, lost.text
    refused = by_device(house, patient.username, entry_body(house, patient), str(uuid4()))
    assert (refused.status_code, refused.json["code"]) == (401, "token_revoked")


# --- Stored, told, seen --------------------------------------------------------------------------------------


def test_a_report_goes_from_stored_to_told_to_seen(ill: tuple[House, dict[str, Any], Person]) -> None:
    house, _, patient = ill
    rota(house, ("on_call", "doctor", -1, 12))
    sent = house.report(patient, {"temp_c": 38.2, "chills": 3})
    door = f"/me/entries/{sent.json['entry']['id']}"

    def state() -> tuple[Any, ...]:
        return tuple(patient.get(door).json["state"].values())

    assert sent.json["state"] == "stored"
    assert state() == ("stored", None, None)
    assert len(house.pages()) >= 1
    assert state() == ("told", None, None)
    (episode,) = house.nurse.get("/episodes").json["items"]
    house.turn(minutes=2)
    first = house.now
    said = {"id": str(uuid4()), "kind": "accepted", "seen_signal_seq": episode["last_seq"]}
    desk = {**said, "on_behalf_of": str(house.doctor.id), "note": "on the telephone"}
    assert house.nurse.post(f"/episodes/{episode['id']}/acknowledgements", desk).status_code == 201
    assert state() == ("seen", "Doctor", iso(first))
    house.turn(minutes=2)
    later = {**said, "id": str(uuid4()), "kind": "contacted"}
    assert house.nurse.post(f"/episodes/{episode['id']}/acknowledgements", later).status_code == 201
    assert state() == ("seen", "Doctor", iso(first))  # the first to see it is named
    listed = patient.get("/me/entries").json["items"]
    assert [one["state"]["state"] for one in listed] == ["seen"]


def test_an_acknowledgement_of_earlier_signals_does_not_see_a_later_report(
    ill: tuple[House, dict[str, Any], Person],
) -> None:
    house, _, patient = ill
    first = house.report(patient, {"temp_c": 38.2, "chills": 3}).json["entry"]["id"]
    house.work()
    (episode,) = house.nurse.get("/episodes").json["items"]
    house.turn(minutes=5)
    second = house.report(patient, {"faint": "yes"}).json["entry"]["id"]
    said = {"id": str(uuid4()), "kind": "accepted", "seen_signal_seq": episode["last_seq"]}
    assert house.nurse.post(f"/episodes/{episode['id']}/acknowledgements", said).status_code == 201
    states = {entry: patient.get(f"/me/entries/{entry}").json["state"]["state"] for entry in (first, second)}
    assert states == {first: "seen", second: "stored"}
    house.work()
    assert patient.get(f"/me/entries/{second}").json["state"]["state"] == "told"


def test_a_report_without_a_signal_stops_at_stored(ill: tuple[House, dict[str, Any], Person]) -> None:
    house, _, patient = ill
    sent = house.report(patient).json
    house.work()
    assert sent["signals"] == []
    assert patient.get(f"/me/entries/{sent['entry']['id']}").json["state"]["state"] == "stored"
