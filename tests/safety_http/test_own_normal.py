"""Rules that hold a report against the patient's own normal: each at its threshold and one step below it.

Both patients reported before infusion (see `with_baseline`): armpit 36.5 °C, pulse 70, 120/80 mmHg, SpO2 98 %.
"""

from typing import Any

from house import House

from tests.safety_http.builders import Sent, at_day, daily, neuro, paracetamol, quick, with_baseline

ROWS: list[tuple[str, str, tuple[Sent, ...], tuple[Sent, ...]]] = [
    ("R02", "EMERGENCY", (neuro(7),), (neuro(8),)),
    ("R05", "URGENT", (quick(sbp=96),), (quick(sbp=97),)),
    ("R07", "URGENT", (quick(spo2=95),), (quick(spo2=96),)),
    ("R13", "REVIEW", (quick(temp_c=37.5),), (quick(temp_c=37.4),)),
    ("R13", "URGENT", (quick(temp_c=37.5, chills=1),), (quick(temp_c=38.0, chills=1),)),  # from 38.0 on it is R11
    ("R20", "URGENT", (quick(chills=1, hr=85, sbp=108),), (quick(chills=1, hr=84, sbp=108),)),
    ("R20", "URGENT", (quick(chills=1, hr=85, sbp=108),), (quick(chills=1, hr=85, sbp=109),)),
    ("T2", "REVIEW", (quick(temp_c=36.5, hr=100),), (quick(temp_c=36.5, hr=99),)),
    ("T2", "URGENT", (quick(temp_c=38.0, hr=114),), (quick(temp_c=38.0, hr=113),)),  # 84 expected at +1.5 °C
    ("T3", "REVIEW", (neuro(neuro_seconds=60),), (neuro(neuro_seconds=59),)),
]


def test_against_the_patients_own_normal(sqlite_house: House) -> None:
    patient, spared = with_baseline(sqlite_house)
    for rule, level, fires, quiet in ROWS:
        assert patient.send(*fires).get(rule) == level, (rule, fires)
        assert rule not in spared.send(*quiet), (rule, quiet)
        sqlite_house.turn(hours=13)  # no two readings of the rows belong together


def test_r02_a_low_score_that_is_a_small_drop(sqlite_house: House) -> None:
    patient, other = with_baseline(sqlite_house, score=8)
    assert patient.send(neuro(6))["R02"] == "EMERGENCY"
    assert other.send(neuro(7)) == {"R03": "URGENT"}


def test_r14_a_fever_medicine_that_could_hide_a_fever(sqlite_house: House) -> None:
    masked, over = with_baseline(sqlite_house)
    for sent in (quick(chills=1), quick(hr=90), quick(temp_c=37.5)):
        taken = {"antipyretic": paracetamol(masked.ago(hours=8))}
        assert masked.send((sent[0], sent[1] | taken))["R14"] == "URGENT"
        late = {"antipyretic": paracetamol(over.ago(hours=8, minutes=1))}
        assert "R14" not in over.send((sent[0], sent[1] | late))
        sqlite_house.turn(hours=9)
    taken = {"antipyretic": paracetamol(masked.ago(hours=1))}
    assert "R14" not in masked.send(quick(temp_c=37.4, hr=89, **taken))


def test_r14_a_steroid_that_counts_as_none_hides_nothing_at_any_dose(sqlite_house: House) -> None:
    spared, masked = with_baseline(sqlite_house)
    spared.medicine("fludrocortisone", spared.ago(hours=2))
    spared.medicine("fludrocortisone", spared.ago(hours=1), dose_mg=100, times_per_day=1)
    masked.medicine("hydrocortisone", masked.ago(hours=2))
    assert "R14" not in spared.send(quick(temp_c=37.5))
    assert masked.send(quick(temp_c=37.5))["R14"] == "URGENT"


GIVEN: list[tuple[str, int, dict[str, Any]]] = [  # drug, hours for which it masks
    ("tocilizumab", 14 * 24, {"dose_mg": 480}),
    ("anakinra", 3 * 24, {"dose_mg": 100}),
    ("dexamethasone", 24, {"dose_mg": 5}),
    ("prednisone", 24, {"dose_mg": 5, "times_per_day": 2}),
]


def test_r14_medicines_that_staff_gave(sqlite_house: House) -> None:
    for drug, hours, over in GIVEN:
        given, before = at_day(sqlite_house, 20), at_day(sqlite_house, 20)
        given.medicine(drug, given.ago(hours=hours), **over)
        before.medicine(drug, before.ago(hours=hours, minutes=1), **over)
        assert given.send(quick(chills=1)) == {"R14": "URGENT"}, drug
        assert before.send(quick(chills=1)) == {}, drug


def test_r18_a_pulse_far_over_the_patients_own_twice_in_a_row(sqlite_house: House) -> None:
    patient, other = with_baseline(sqlite_house)
    assert "R18" not in patient.send(quick(hr=100))
    other.send(quick(hr=100))
    sqlite_house.turn(hours=2)
    assert patient.send(quick(hr=100))["R18"] == "URGENT"
    assert "R18" not in other.send(quick(hr=99))


def test_what_was_there_before_treatment_is_not_new(sqlite_house: House) -> None:
    before = {"chest_pain": "yes", "rash": 2, "joints": 1}
    patient, other = with_baseline(sqlite_house, before=before, prior_organs=["joints"])
    assert patient.send(daily(**before)) == {"R19": "REVIEW"}  # known pain, unchanged; R24 and R25 silent
    said = other.send(quick(breath=1), daily(chest_pain="yes", rash=3, joints=2))
    assert said == {"R19": "EMERGENCY", "R24": "URGENT", "R25": "REVIEW"}


def test_r14_chills_that_were_there_before_treatment_show_no_hidden_fever(sqlite_house: House) -> None:
    [patient] = with_baseline(sqlite_house, 1, usual={"chills": 1})
    taken = paracetamol(patient.ago(hours=1))
    assert patient.send(quick(chills=1, antipyretic=taken)) == {}
    sqlite_house.turn(hours=2)
    assert patient.send(quick(chills=2, antipyretic=taken)) == {"R14": "URGENT"}


def test_t1_a_slope_over_three_readings(sqlite_house: House) -> None:
    rising, lower, slower = (at_day(sqlite_house, 6) for _ in range(3))
    for degrees in ((36.8, 36.7, 36.9), (37.0, 37.0, 37.1)):
        for patient, given in zip((rising, lower, slower), degrees, strict=True):
            assert patient.send(quick(temp_c=given)) == {}
        sqlite_house.turn(hours=4)
    assert rising.send(quick(temp_c=37.3))["T1"] == "REVIEW"  # +0.5, at 37.3
    assert "T1" not in lower.send(quick(temp_c=37.2))  # +0.5, below 37.3
    assert "T1" not in slower.send(quick(temp_c=37.3))  # +0.4


def test_t1_beside_another_finding_is_urgent(sqlite_house: House) -> None:
    patient = at_day(sqlite_house, 6)
    for degrees in (36.8, 37.2):
        patient.send(quick(temp_c=degrees))
        sqlite_house.turn(hours=4)
    assert patient.send(quick(temp_c=38.0)) == {"R11": "URGENT", "T1": "URGENT"}


def test_t3_two_daily_falls_of_the_neuro_check(sqlite_house: House) -> None:
    falling, steady = with_baseline(sqlite_house, score=10)
    for scores in ((10, 10), (9, 9)):
        for patient, score in zip((falling, steady), scores, strict=True):
            assert "T3" not in patient.send(neuro(score))
        sqlite_house.turn(days=1)
    assert falling.send(neuro(8)) == {"R03": "URGENT", "T3": "URGENT"}
    assert steady.send(neuro(9)) == {"R03": "URGENT"}


def test_t4_two_kilograms_within_three_days(sqlite_house: House) -> None:
    gaining, less, slower = (at_day(sqlite_house, 6) for _ in range(3))
    slower.send(daily(weight_kg=60.0))
    sqlite_house.turn(minutes=1)
    for patient in (gaining, less):
        patient.send(daily(weight_kg=60.0))
    sqlite_house.turn(days=3)
    assert gaining.send(daily(weight_kg=62.0)) == {"T4": "REVIEW"}
    assert less.send(daily(weight_kg=61.9)) == {}
    assert slower.send(daily(weight_kg=62.0)) == {}
