"""What waits for subjects beside their visits: each task appears with its cause and goes with its settling."""

from typing import Any

import sqlalchemy as sa
from house import House, Person

from backend.models.record import AuditEvent
from tests.trial.desk import Subject, at, faults, measured, read, refused, send, z
from tests.trial.test_consents import consent, new_text
from tests.trial.test_product import put


def waits(house: House, query: str = "", who: str = "nurse") -> list[tuple[str, str, dict[str, Any]]]:
    answer = house.people[who].get(f"/worklist{query}")
    assert answer.status_code == 200, answer.text
    return [(one["subject_number"], one["kind"], one["detail"]) for one in answer.json["items"]]


def hand_over(house: House, subject: Subject, to: Person, **over: Any) -> Any:
    body = {"contact_person_id": str(to.id), **over}
    return house.nurse.patch(f"/subjects/{subject['id']}", body, read(house, subject)["version"])


def test_a_consent_waits_until_it_is_given(house: House) -> None:
    subject = house.enrol()
    assert waits(house) == []
    new_text(house)
    assert [(number, kind, detail["why"]) for number, kind, detail in waits(house)] == [
        ("001", "consent", "new_version")
    ]
    consent(house, subject)
    assert waits(house) == []


def test_form_and_release_tests_wait_after_infusion(house: House) -> None:
    subject = house.infused(days_ago=1)
    every = ["release_endotoxin", "release_mycoplasma", "release_replication_competent_virus", "release_sterility"]
    form, (number, kind, detail) = waits(house)
    assert form == ("001", "product_form", {})
    assert (number, kind, sorted(detail["tests"])) == ("001", "release_test", every)
    put(house, subject)
    assert waits(house) == [("001", "release_test", {"tests": ["release_endotoxin", "release_sterility"]})]
    assert measured(house, subject, "release_endotoxin", 0).status_code == 201
    assert waits(house, "?kind=release_test") == [("001", "release_test", {"tests": ["release_sterility"]})]
    assert waits(house, "?kind=contact") == []


def test_a_discharge_hands_over_the_contact(house: House) -> None:
    subject = house.infused(days_ago=4)
    put(house, subject, release_tests=[])
    assert hand_over(house, subject, house.nurse).json["contact_person_id"] == str(house.nurse.id)
    send(house, subject, "admission", actual_at=house.now)
    assert waits(house) == []  # the ward has the contact
    house.to(2026, 3, 4, 10)
    send(house, subject, "discharge", actual_at=house.now)
    since = z(2026, 3, 4, 10)
    assert waits(house) == [("001", "contact", {"since": since, "contact_person_id": str(house.nurse.id)})]
    house.turn(minutes=5)
    answer = hand_over(house, subject, house.nurse, reason="after the ward")  # the same person, named anew
    assert (answer.status_code, answer.json["contact_since"]) == (200, z(2026, 3, 4, 10, 5))
    assert waits(house) == []
    kept = house.rows(sa.select(AuditEvent).where(AuditEvent.verb == "subject:addressed").order_by(AuditEvent.seq))
    assert [(row.actor_id, row.new["contact_person_id"], row.reason) for row in kept] == [
        (house.nurse.id, str(house.nurse.id), None),
        (house.nurse.id, str(house.nurse.id), "after the ward"),
    ]


def test_only_clinicians_of_the_site_take_over_a_contact(house: House) -> None:
    subject = house.enrol()
    for other in (house.stranger, house.monitor, house.admin, house.patient_of(subject)):
        assert faults(hand_over(house, subject, other)) == [("/contact_person_id", "not_allowed")]
    assert read(house, subject)["contact_person_id"] is None


def test_who_has_left_waits_for_nothing_and_other_sites_see_nothing(house: House) -> None:
    subject = house.infused(days_ago=1)
    assert len(waits(house)) == 2
    assert waits(house, who="stranger") == []
    assert refused(house.admin.get("/worklist")) == (403, "forbidden")
    assert faults(house.nurse.get(f"/worklist?site_id={house.other_site_id}")) == [("/site_id", "unknown_site")]
    send(house, subject, "withdrawal", actual_at=at(2026, 3, 2, 9))
    assert waits(house) == []


def test_pages_go_through_the_subjects(house: House) -> None:
    for number in ("003", "001", "002"):
        house.infused(days_ago=1, number=number, contact={"name": "A B", "phone": f"13800138{number}"})
    house.enrol(number="000", contact={"name": "A B", "phone": "13800138999"})
    found, cursor = [], ""
    for _ in range(4):
        answer = house.nurse.get(f"/worklist?limit=1&kind=product_form{cursor}").json
        found.append([one["subject_number"] for one in answer["items"]])
        cursor = f"&cursor={answer['next_cursor']}"
    assert (found, answer["next_cursor"]) == ([[], ["001"], ["002"], ["003"]], None)
