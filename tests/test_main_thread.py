"""The main job, from enrolment to the close of an episode, over HTTP as named people, on both databases."""

from datetime import timedelta
from uuid import uuid4

from house import House, iso


def rota(house: House, *shifts: tuple[str, str, float, float]) -> None:
    """Write the rota: (duty, who, from hours, to hours) from now."""
    version = house.nurse.get(f"/on-call?site_id={house.site_id}").headers["ETag"]
    body = {
        "site_id": str(house.site_id),
        "shifts": [
            {
                "id": str(uuid4()),
                "duty": duty,
                "account_id": str(house.people[who].id),
                "starts_at": iso(house.now + timedelta(hours=since)),
                "ends_at": iso(house.now + timedelta(hours=until)),
            }
            for duty, who, since, until in shifts
        ],
    }
    answer = house.nurse.put("/on-call", body, **{"If-Match": version})
    assert answer.status_code == 200, answer.text


def test_a_fever_from_the_patients_thumb_to_the_closed_episode(house: House) -> None:
    subject = house.infused(days_ago=6)
    patient = house.patient_of(subject)
    rota(house, ("on_call", "doctor", -1, 0.1), ("on_call", "nurse", 0.1, 12), ("backup", "backup", -1, 12))

    sent = house.report(patient, {"temp_c": 38.2, "chills": 3})
    assert sent.status_code == 201, sent.text
    assert sent.json["advice"]["level"] == "EMERGENCY"
    assert sent.json["advice"]["phone"] == "+862583106666"
    assert sent.json["page"] == "queued"
    assert sent.json["state"] == "stored"
    assert any("ANC" in signal["sentence"] for signal in sent.json["signals"])
    entry = sent.json["entry"]["id"]

    assert {page["to"] for page in house.pages()} == {house.doctor.phone, house.backup.phone}
    assert patient.get(f"/me/entries/{entry}").json["state"]["state"] == "told"

    house.turn(seconds=299)
    assert house.pages() == []
    house.turn(seconds=1)
    again = house.pages()
    assert {page["to"] for page in again} == {house.doctor.phone, house.backup.phone}
    house.turn(seconds=600)  # the shift has changed; nobody accepted: the principal investigator too
    assert {page["to"] for page in house.pages()} >= {house.chief.phone}

    listed = house.nurse.get("/episodes")
    assert listed.status_code == 200, listed.text
    listed = listed.json["items"]
    assert [episode["state"] for episode in listed] == ["open"]
    episode = listed[0]["id"]
    seen = house.nurse.get(f"/episodes/{episode}").json
    accepted = {"id": str(uuid4()), "kind": "accepted", "seen_signal_seq": seen["last_seq"]}
    assert house.nurse.post(f"/episodes/{episode}/acknowledgements", accepted).status_code == 201
    assert house.nurse.post(f"/episodes/{episode}/acknowledgements", accepted).status_code == 200
    house.turn(seconds=899)
    assert house.pages() == []
    house.turn(seconds=2)
    overdue = house.pages()
    assert {page["template"] for page in overdue} == {"contact_overdue"}
    assert {page["to"] for page in overdue} == {house.nurse.phone, house.backup.phone}

    contacted = {**accepted, "id": str(uuid4()), "kind": "contacted"}
    assert house.nurse.post(f"/episodes/{episode}/acknowledgements", contacted).status_code == 201
    seen_by = patient.get(f"/me/entries/{entry}").json["state"]
    assert (seen_by["state"], seen_by["by"]) == ("seen", "Nurse")

    version = house.doctor.get(f"/episodes/{episode}").headers["ETag"]
    graded = {"outcome": "crs", "crs_grade": 1, "note": "fever only"}
    assert house.doctor.post(f"/episodes/{episode}/close", graded).status_code == 428
    assert house.nurse.post(f"/episodes/{episode}/close", graded, **{"If-Match": version}).status_code == 403
    closed = house.doctor.post(f"/episodes/{episode}/close", graded, **{"If-Match": version})
    assert closed.status_code == 200, closed.text
    assert (closed.json["state"], closed.json["crs_grade"]) == ("closed", 1)
    house.turn(hours=2)
    assert house.pages() == []
    assert house.chief.get("/audit/verify").json["intact"] is True
