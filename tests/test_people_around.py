"""What each person around a subject needs at once: the carer's one tap, the patient's choice, the doctor's bed."""

from uuid import uuid4

import sqlalchemy as sa
from house import House, Person, entry_body
from test_main_thread import rota

from backend.models.people import OnCallShift

CARER = {"name": "Wang Fang", "phone": "13800138111", "locale": "zh-CN"}


def carer_of(house: House, subject: dict[str, object]) -> Person:
    return house.patient_of(subject, "carer", carer=CARER)


def test_i_cannot_wake_her_is_one_tap(sqlite_house: House) -> None:
    house = sqlite_house
    carer = carer_of(house, house.infused(days_ago=4))
    rota(house, ("on_call", "doctor", -1, 12), ("backup", "backup", -1, 12))
    body = {**entry_body(house, carer, form="alarm"), "answers": {"now_any": ["cannot_wake"]}}
    sent = carer.put(f"/me/entries/{uuid4()}", body)
    assert sent.status_code == 201, sent.text
    assert [(one["rule"], one["level"]) for one in sent.json["signals"]] == [("R01", "EMERGENCY")]
    assert sent.json["advice"]["call_now"] is True
    assert sent.json["advice"]["text"].startswith("请现在就拨打研究电话")
    assert {page["to"] for page in house.pages()} == {house.doctor.phone, house.backup.phone}


def test_the_patient_chooses_what_a_carer_sees(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.infused(days_ago=40)
    patient, carer = house.patient_of(subject), carer_of(house, subject)
    mine = house.report(patient).json["entry"]["id"]
    theirs = house.report(carer).json["entry"]["id"]
    assert {one["id"] for one in carer.get("/me/entries").json["items"]} == {mine, theirs}

    listed = patient.get("/me/carers").json["items"]
    assert [(one["name"], one["sees_reports"]) for one in listed] == [("Wang Fang", True)]
    chosen = patient.put(f"/me/carers/{carer.id}", {"sees_reports": False})
    assert chosen.json["items"][0]["sees_reports"] is False
    assert [one["id"] for one in carer.get("/me/entries").json["items"]] == [theirs]
    assert carer.get(f"/me/entries/{mine}").status_code == 404
    assert carer.get(f"/me/entries/{theirs}").status_code == 200
    assert len(patient.get("/me/entries").json["items"]) == 2
    assert carer.get("/me/carers").status_code == 403
    assert patient.put(f"/me/carers/{uuid4()}", {"sees_reports": True}).status_code == 404


def test_the_ward_desk_accepts_page_4821_for_a_doctor_on_the_telephone(sqlite_house: House) -> None:
    house = sqlite_house
    patient = house.patient_of(house.infused(days_ago=6))
    rota(house, ("on_call", "doctor", -1, 12), ("backup", "backup", -1, 12))
    house.report(patient, {"temp_c": 38.6})
    said = house.pages()[0]["text"]
    number = said.split()[1]
    found = house.nurse.get(f"/episodes?page_number={number}").json["items"]
    assert [str(one["page_number"]) for one in found] == [number]
    body = {"id": str(uuid4()), "kind": "accepted", "seen_signal_seq": found[0]["last_seq"],
            "on_behalf_of": str(house.doctor.id), "note": "by telephone"}  # fmt: skip
    episode = house.nurse.post(f"/episodes/{found[0]['id']}/acknowledgements", body).json
    assert (episode["state"], episode["accepted_by"]) == ("accepted", "Doctor")
    assert [(a["by"], a["on_behalf_of"]) for a in episode["acknowledgements"]] == [("Nurse", "Doctor")]
    assert patient.get("/me/entries").json["items"][0]["state"]["by"] == "Doctor"
    body = {**body, "id": str(uuid4()), "on_behalf_of": str(house.stranger.id)}
    refused = house.nurse.post(f"/episodes/{found[0]['id']}/acknowledgements", body)
    assert [(f["path"], f["code"]) for f in refused.json["faults"]] == [("/on_behalf_of", "not_allowed")]


def test_speaking_with_the_patient_is_contact_but_accepts_nothing(sqlite_house: House) -> None:
    house = sqlite_house
    patient = house.patient_of(house.infused(days_ago=6))
    rota(house, ("on_call", "doctor", -1, 12), ("backup", "backup", -1, 12))
    house.report(patient, {"temp_c": 38.6})
    episode = house.nurse.get("/episodes").json["items"][0]["id"]

    def attempt(**over: str) -> dict[str, object]:
        answer = house.nurse.post(f"/episodes/{episode}/contact-attempts", {"id": str(uuid4()), **over})
        assert answer.status_code == 201, answer.text
        return dict(answer.json)

    assert attempt(outcome="no_answer")["contacted_at"] is None
    spoken = attempt(outcome="spoke_with", spoke_with="carer")
    assert (spoken["state"], spoken["paging"]) == ("contacted", True)
    assert [one["outcome"] for one in spoken["contact_attempts"]] == ["no_answer", "spoke_with"]  # type: ignore[attr-defined]


def test_a_shift_is_confirmed_by_its_holder_when_it_begins(sqlite_house: House) -> None:
    house = sqlite_house
    rota(house, ("on_call", "doctor", 2, 14), ("backup", "backup", 2, 14))
    shift = next(one for one in house.rows(sa.select(OnCallShift)) if one.duty == "on_call")
    path = f"/on-call/shifts/{shift.id}/confirmation"
    assert house.doctor.put(path, None).status_code == 409
    house.turn(hours=2)
    assert house.nurse.put(path, None).status_code == 404
    first = house.doctor.put(path, None)
    assert [one["confirmed_at"] for one in first.json["shifts"] if one["id"] == str(shift.id)] == [
        "2026-03-02T03:00:00Z"
    ]
    house.turn(minutes=1)
    assert house.doctor.put(path, None).json["shifts"] == first.json["shifts"]
