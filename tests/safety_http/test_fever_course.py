"""Fever over time: what one reading cannot show. R09, R10, R12–R17 and R29, at their limits and just short of them."""

from house import House

from tests.safety_http.builders import NO_TEMPERATURE, Patient, at_day, daily, paracetamol, quick, with_baseline


def pair(house: House, day: float = 6) -> tuple[Patient, Patient]:
    return at_day(house, day), at_day(house, day)


def test_r09_fever_with_few_neutrophils(sqlite_house: House) -> None:
    few, enough = pair(sqlite_house)
    few.values(("anc", 0.49), at=few.ago(hours=72))
    enough.values(("anc", 0.5), at=enough.ago(hours=72))
    assert few.send(quick(temp_c=38.0)) == {"R09": "EMERGENCY", "R11": "URGENT"}
    assert enough.send(quick(temp_c=38.0)) == {"R11": "URGENT"}
    sqlite_house.turn(minutes=1)  # the count is now too old to be used; no count is fresh: R11 says it is unknown
    later = few.taken(quick(temp_c=38.0))
    assert [signal["rule"] for signal in later["signals"]] == ["R11"]
    assert "ANC unknown" in later["signals"][0]["sentence"]


def test_r09_a_count_that_comes_after_the_fever(sqlite_house: House) -> None:
    few, enough = pair(sqlite_house)
    for patient in (few, enough):
        patient.send(quick(temp_c=38.0))
    sqlite_house.turn(hours=24)
    assert few.values(("anc", 0.49))["R09"] == "EMERGENCY"
    assert "R09" not in enough.values(("anc", 0.5))
    sqlite_house.turn(minutes=1)
    assert "R09" not in few.values(("anc", 0.4))  # the fever is more than a day ago


def test_r10_two_fevers_an_hour_apart(sqlite_house: House) -> None:
    sooner, patient = pair(sqlite_house)
    patient.send(quick(temp_c=38.0))
    sqlite_house.turn(minutes=1)
    sooner.send(quick(temp_c=38.0))
    sqlite_house.turn(minutes=59)
    assert patient.send(quick(temp_c=38.0)) == {"R10": "EMERGENCY", "R11": "URGENT"}
    assert sooner.send(quick(temp_c=38.0)) == {"R11": "URGENT"}


def test_r10_on_the_ward_as_at_home(sqlite_house: House) -> None:
    patient, other = pair(sqlite_house)
    assert patient.values(("body_temperature", 39.0, {"method": "core", "source": "ward"}))["R10"] == "EMERGENCY"
    assert other.values(("body_temperature", 38.9, {"method": "core", "source": "ward"})) == {"R11": "URGENT"}


def test_r12_a_probable_fever_repeated(sqlite_house: House) -> None:
    for minutes, level in ((9, "NOTE"), (10, "URGENT"), (90, "URGENT"), (91, "NOTE")):
        patient = at_day(sqlite_house, 6)
        assert patient.send(quick(temp_c=37.5)) == {"R12": "NOTE"}
        assert patient.open_episode() is None
        sqlite_house.turn(minutes=minutes)
        assert patient.send(quick(temp_c=37.5)) == {"R12": level}, minutes


def test_r13_two_rises_within_twelve_hours(sqlite_house: House) -> None:
    late, patient = with_baseline(sqlite_house)
    assert late.send(quick(temp_c=37.5))["R13"] == "REVIEW"
    sqlite_house.turn(minutes=1)
    assert patient.send(quick(temp_c=37.5))["R13"] == "REVIEW"
    sqlite_house.turn(hours=12)
    assert patient.send(quick(temp_c=37.5))["R13"] == "URGENT"
    assert late.send(quick(temp_c=37.5))["R13"] == "REVIEW"


def test_r15_a_fever_the_medicine_does_not_hold(sqlite_house: House) -> None:
    for hours, fires in ((1.99, False), (2, True), (6, True), (6.01, False)):
        patient = at_day(sqlite_house, 6)
        said = patient.send(quick(temp_c=38.0, antipyretic=paracetamol(patient.ago(hours=hours))))
        assert ("R15" in said) is fires, hours
        assert said["R11"] == ("EMERGENCY" if fires else "URGENT")  # every other fever finding one level up
        assert said.get("R15") == ("URGENT" if fires else None)
    cooler = at_day(sqlite_house, 6)
    assert "R15" not in cooler.send(quick(temp_c=37.9, antipyretic=paracetamol(cooler.ago(hours=2))))


def test_r15_a_fever_that_is_back_within_eight_hours(sqlite_house: House) -> None:
    late, patient = pair(sqlite_house)
    taken = paracetamol(late.ago())
    sqlite_house.turn(hours=4)
    for each in (late, patient):
        each.send(quick(temp_c=37.0, antipyretic=taken))
    sqlite_house.turn(hours=3, minutes=59)
    assert patient.send(quick(temp_c=38.0))["R15"] == "URGENT"
    sqlite_house.turn(minutes=1)
    assert "R15" not in late.send(quick(temp_c=38.0))


def test_r16_fever_on_three_days(sqlite_house: House) -> None:
    patient, other = pair(sqlite_house)
    for n in range(2):
        assert "R16" not in patient.send(quick(temp_c=38.0))
        other.send(quick(temp_c=38.0 if n else 37.4))
        sqlite_house.turn(days=1)
    assert patient.send(quick(temp_c=38.0))["R16"] == "URGENT"
    assert "R16" not in other.send(quick(temp_c=38.0))


def test_r16_a_fever_that_comes_back_after_a_day_without(sqlite_house: House) -> None:
    sooner, patient = pair(sqlite_house)
    for each in (sooner, patient):
        each.send(quick(temp_c=38.0))
    sqlite_house.turn(hours=2)
    patient.send(quick(temp_c=37.0))
    sqlite_house.turn(minutes=6)
    sooner.send(quick(temp_c=37.0))
    sqlite_house.turn(hours=23, minutes=54)
    said = patient.taken(quick(temp_c=38.0))["signals"]
    [back] = [signal for signal in said if signal["rule"] == "R16"]
    assert back["level"] == "URGENT"
    assert "ferritin, fibrinogen and blood culture" in back["sentence"]
    assert "R16" not in sooner.send(quick(temp_c=38.0))


def test_r17_shaking_and_no_temperature_after_twenty_minutes(sqlite_house: House) -> None:
    silent, measured = pair(sqlite_house)
    for each in (silent, measured):
        assert each.send(quick(chills=3, **NO_TEMPERATURE)) == {"R17": "REVIEW"}
    sqlite_house.turn(minutes=10)
    measured.send(quick(temp_c=36.8))
    sqlite_house.turn(minutes=9)
    sqlite_house.work()
    assert silent.open_signals() == {"R17": "REVIEW"}
    sqlite_house.turn(minutes=1)
    assert {page["template"] for page in sqlite_house.pages()} == {"page"}
    assert silent.open_signals() == {"R17": "URGENT"}
    assert measured.open_signals() == {"R17": "REVIEW"}


def test_r17_a_temperature_of_the_last_half_hour_will_do(sqlite_house: House) -> None:
    late, patient = pair(sqlite_house)
    late.send(quick(temp_c=36.8))
    sqlite_house.turn(minutes=1)
    patient.send(quick(temp_c=36.8))
    sqlite_house.turn(minutes=30)
    assert patient.send(quick(chills=3, **NO_TEMPERATURE)) == {}
    assert late.send(quick(chills=3, **NO_TEMPERATURE)) == {"R17": "REVIEW"}


def test_r29_a_fever_medicine_on_two_days_without_a_temperature(sqlite_house: House) -> None:
    patient, once, measured = (at_day(sqlite_house, 6) for _ in range(3))
    for each in (patient, measured):
        assert "R29" not in each.send(quick(antipyretic=paracetamol(each.ago(hours=1)), **NO_TEMPERATURE))
    sqlite_house.turn(days=1)
    again = paracetamol(patient.ago(hours=1))
    assert patient.send(quick(antipyretic=again, **NO_TEMPERATURE)) == {"R29": "REVIEW"}
    assert once.send(quick(antipyretic=again, **NO_TEMPERATURE)) == {}
    assert measured.send(quick(antipyretic=again, temp_c=36.6)) == {}


def test_r21_bleeding_with_few_platelets(sqlite_house: House) -> None:
    few, enough = pair(sqlite_house)
    for each, count in ((few, 19), (enough, 20)):
        each.values(("platelets", count))
    bleeding = daily(bleeding=1, bleeding_site=["gums"])
    assert few.send(bleeding) == {"R21": "EMERGENCY"}
    assert enough.send(bleeding) == {}
    sqlite_house.turn(hours=24)
    assert enough.values(("platelets", 19))["R21"] == "EMERGENCY"  # a count that comes after the bleeding
