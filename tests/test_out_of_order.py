"""A phone's queue may arrive in any order: a fever and its sign must meet whichever comes last."""

from datetime import timedelta

from house import House


def rules(answer: object) -> set[str]:
    return {one["rule"] for one in answer.json["signals"]}  # type: ignore[attr-defined]


def test_an_earlier_fever_meets_the_later_chills_that_came_first(sqlite_house: House) -> None:
    house = sqlite_house
    patient = house.patient_of(house.infused(days_ago=6))
    now = house.now
    first = house.report(patient, {"temp_c": None, "temp_site": None, "chills": 3}, measured_at=now, entered_at=now)
    assert first.status_code == 201, first.text
    assert "R08" not in rules(first)
    earlier = now - timedelta(minutes=5)
    last = house.report(patient, {"temp_c": 38.2, "chills": 0}, measured_at=earlier, entered_at=earlier)
    assert "R08" in rules(last)


def test_new_chest_pain_before_treatment_is_no_ones_own_normal(sqlite_house: House) -> None:
    house = sqlite_house
    patient = house.patient_of(house.enrol())
    house.turn(days=1)
    body = {"now_any": ["chest_pain"]}
    assert ("R19", "EMERGENCY") in {(one["rule"], one["level"]) for one in house.report(patient, body).json["signals"]}
