"""A handful of the same on both databases: a fever, a value, silence, late data, known symptoms, the page again."""

from house import House

from tests.safety_http.builders import at_day, paracetamol, quick, replay, with_baseline


def test_reports_values_and_silence_are_signalled_and_replay(house: House) -> None:
    patient = at_day(house, 6)
    patient.values(("anc", 0.49), ("ferritin", 300), at=patient.ago(days=6, hours=1))
    patient.values(("anc", 0.49), ("ferritin", 601, {"uln": 290}))
    said = patient.send(quick(temp_c=38.0, sbp=89, sbp_repeat=88, antipyretic=paracetamol(patient.ago(hours=2))))
    assert said == {**dict.fromkeys(("R04", "R08", "R09", "R11", "R14"), "EMERGENCY"), "R15": "URGENT"}
    assert house.pages() != []
    house.turn(minutes=30)
    house.work()
    assert patient.open_signals()["S4"] == "EMERGENCY"
    episode = patient.open_episode() or {}
    assert {"L01", "L07", "L17"} <= {signal["rule"] for signal in episode["signals"]}
    assert replay(house) == len(episode["signals"])


def test_the_patients_own_normal(house: House) -> None:
    patient, other = with_baseline(house)
    said = patient.send(quick(temp_c=37.5, hr=100))
    assert said == {"R12": "NOTE", "R13": "REVIEW"}
    assert other.send(quick(temp_c=37.2)) == {}


def test_known_late_and_after_contact(house: House) -> None:
    patient = at_day(house, 10)
    patient.send(quick(dizzy=2))
    patient.close(outcome="other", known=[{"item": "dizzy", "severity": 2}])
    house.turn(hours=2)
    assert patient.send(quick(dizzy=2)) == {"R05": "NOTE"}
    made = patient.ago(hours=25)
    assert patient.send(quick(temp_c=38.0), measured_at=made, entered_at=made)["R11"] == "REVIEW"
    house.turn(hours=2)
    assert patient.send(quick(temp_c=38.0))["R11"] == "URGENT"
    assert house.pages() != []
    patient.answer("contacted")
    house.turn(hours=1)
    assert patient.send(quick(temp_c=38.4))["R10"] == "EMERGENCY"
    assert house.pages() == []
    house.turn(hours=1)
    assert patient.send(quick(temp_c=38.9))["R10"] == "EMERGENCY"
    assert house.pages() != []
