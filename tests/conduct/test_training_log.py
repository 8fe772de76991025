"""The training log: who was trained in what, in which version; of the staff or a subject, of this site."""

from typing import Any
from uuid import uuid4

import pytest
from house import House, subject_body

from tests.conduct.acts import done, fresh, trail
from tests.contract.stage import Stage, but, refuses


def training(house: House, **over: Any) -> dict[str, Any]:
    return {
        "id": fresh(),
        "site_id": str(house.site_id),
        "account_id": str(house.doctor.id),
        "subject_id": None,
        "topic": "Grading CRS",
        "material_version": "1.2",
        "trained_on": "2026-03-02",
        "trainer": "Prof. Li",
        **over,
    }


def test_staff_and_subjects_are_trained_and_it_is_kept(house: House) -> None:
    subject = house.enrol()
    first = done(house.nurse.post("/trainings", training(house)), 201)
    assert first == {**first, "recorded_by": str(house.nurse.id), "recorded_at": "2026-03-02T01:00:00Z"}
    house.turn(minutes=1)
    body = training(house, account_id=None, subject_id=subject["id"], topic="The phone")
    second = done(house.admin.post("/trainings", body), 201)
    path = f"/trainings?site_id={house.site_id}"
    assert done(house.monitor.get(path))["items"] == [first, second]
    assert done(house.monitor.get(f"{path}&account_id={house.doctor.id}"))["items"] == [first]
    assert done(house.monitor.get(f"{path}&subject_id={subject['id']}"))["items"] == [second]
    page = done(house.monitor.get(f"{path}&limit=1"))
    assert page["items"] == [first]
    assert done(house.monitor.get(f"{path}&limit=1&cursor={page['next_cursor']}"))["items"] == [second]
    told = {row.entity_id: (row.actor_id, row.chain) for row in trail(house, "training:recorded")}
    assert told == {first["id"]: (house.nurse.id, "system"), second["id"]: (house.admin.id, subject["id"])}


def test_a_repeat_is_harmless_and_another_content_is_refused(sqlite_house: House) -> None:
    house = sqlite_house
    body = training(house)
    first = done(house.nurse.post("/trainings", body), 201)
    house.turn(days=1)
    assert done(house.nurse.post("/trainings", body), 200) == first
    for name, value in (
        ("topic", "Taking blood"),
        ("material_version", "1.3"),
        ("trained_on", "2026-03-01"),
        ("trainer", "Dr. Wu"),
        ("account_id", str(house.nurse.id)),
    ):
        refuses(house, house.nurse, "POST", "/trainings", {**body, name: value}, status=409, code="id_taken")
    assert len(trail(house, "training:recorded")) == 1


REQUIRED = ("id", "site_id", "topic", "material_version", "trained_on", "trainer")


@pytest.mark.parametrize(
    ("over", "faults"),
    [
        (dict.fromkeys(REQUIRED, ...), [(f"/{name}", "required") for name in REQUIRED]),
        ({"account_id": None}, [("/account_id", "required")]),
        ({"account_id": str(uuid4())}, [("/account_id", "not_allowed")]),
        ({"site_id": str(uuid4())}, [("/site_id", "unknown_site")]),
        ({"trained_on": "2026-03-03"}, [("/trained_on", "in_the_future")]),
        ({"trained_on": "yesterday"}, [("/trained_on", "invalid_date")]),
        ({"hours": 3}, [("/hours", "unknown_field")]),
    ],
)
def test_a_bad_training_says_where(stage: Stage, over: dict[str, Any], faults: list[tuple[str, str]]) -> None:
    house = stage.house
    refuses(house, house.nurse, "POST", "/trainings", but(training(house), **over), faults=faults)


def test_people_of_another_site_are_unknown(sqlite_house: House) -> None:
    house = sqlite_house
    body = subject_body(house, site_id=str(house.other_site_id), number="901")
    foreign = done(house.stranger.post("/subjects", body), 201)["id"]
    own = house.enrol()["id"]
    wrong: list[tuple[dict[str, Any], str, str]] = [
        ({"account_id": str(house.stranger.id)}, "/account_id", "not_allowed"),
        ({"account_id": None, "subject_id": foreign}, "/subject_id", "not_allowed"),
        ({"account_id": None, "subject_id": fresh()}, "/subject_id", "not_allowed"),
        ({"subject_id": own}, "/account_id", "required"),  # one or the other, not both
        ({"site_id": str(house.other_site_id)}, "/site_id", "unknown_site"),
    ]
    for over, path, code in wrong:
        refuses(house, house.nurse, "POST", "/trainings", training(house, **over), faults=[(path, code)])
