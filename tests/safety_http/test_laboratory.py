"""L01–L17 by what a nurse types in: each at its threshold, and one step below it.

`AT_INFUSION` was measured two hours before the infusion. Rows share their two patients where nothing they measure
is read together.
"""

from datetime import timedelta
from typing import Any

import pytest
from house import House

from tests.safety_http.builders import Patient, at_day, daily, not_infused, quick

AT_INFUSION = [("ferritin", 300), ("crp", 8), ("il6", 9), ("creatinine", 60), ("upcr", 400), ("urine_protein_24h", 0.5)]
LIVER, BILE = {"uln": 40}, {"uln": 20}
Item = tuple[Any, ...]

ROWS: list[tuple[str, str, Item, Item]] = [
    ("L01", "REVIEW", ("ferritin", 601), ("ferritin", 600)),
    ("L01", "REVIEW", ("ferritin", 581, {"uln": 290}), ("ferritin", 580, {"uln": 290})),
    ("L02", "URGENT", ("ferritin", 10001), ("ferritin", 10000)),
    ("L03", "URGENT", ("fibrinogen", 1.49), ("fibrinogen", 1.5)),
    ("L03", "URGENT", ("fibrinogen", 1.0), ("fibrinogen", 1.5)),
    ("L03", "EMERGENCY", ("fibrinogen", 0.99), ("fibrinogen", 1.5)),
    ("L04", "REVIEW", ("crp", 50), ("crp", 39)),
    ("L04", "REVIEW", ("crp", 40), ("crp", 39.9)),  # five times the value at infusion
    ("L05", "REVIEW", ("il6", 100), ("il6", 89)),
    ("L05", "REVIEW", ("il6", 90), ("il6", 89.9)),  # ten times the value at infusion
    ("L07", "REVIEW", ("anc", 0.49), ("anc", 0.5)),
    ("L08", "URGENT", ("platelets", 19), ("platelets", 20)),
    ("L08", "URGENT", ("platelets", 10), ("platelets", 20)),
    ("L08", "EMERGENCY", ("platelets", 9), ("platelets", 20)),
    ("L08", "URGENT", ("haemoglobin", 69), ("haemoglobin", 70)),
    ("L09", "URGENT", ("creatinine", 90), ("creatinine", 89)),
    ("L09", "URGENT", ("upcr", 800), ("upcr", 799)),
    ("L09", "URGENT", ("urine_protein_24h", 1.0), ("urine_protein_24h", 0.99)),
    ("L10", "REVIEW", ("troponin", 15, {"uln": 14}), ("troponin", 14, {"uln": 14})),  # nothing to compare with
    ("L10", "URGENT", ("troponin", 16, {"uln": 14}), ("troponin", 14, {"uln": 14})),
    ("L11", "URGENT", ("alt", 201, LIVER), ("alt", 200, LIVER)),
    ("L11", "URGENT", ("ast", 201, LIVER), ("ast", 200, LIVER)),
    ("L11", "URGENT", ("bilirubin", 61, BILE), ("bilirubin", 60, BILE)),
    ("L12", "REVIEW", ("igg", 3.99), ("igg", 4.0)),
    ("L15", "URGENT", ("cmv_dna", 1), ("cmv_dna", 34, {"qualifier": "<"})),
    ("L15", "URGENT", ("ebv_dna", 1), ("ebv_dna", 0)),
    ("L15", "URGENT", ("blood_culture", 1), ("blood_culture", 0)),
    ("L15", "URGENT", ("urine_culture", 1), ("urine_culture", 0)),
    ("L16", "EMERGENCY", ("release_sterility", 1), ("release_sterility", 0)),
    ("L16", "EMERGENCY", ("release_mycoplasma", 1), ("release_mycoplasma", 0)),
    ("L16", "EMERGENCY", ("release_endotoxin", 1), ("release_endotoxin", 0)),
    (
        *("L16", "EMERGENCY"),
        *(("release_replication_competent_virus", 1), ("release_replication_competent_virus", 0)),
    ),
]
GRADES: list[tuple[Item, Item]] = [  # L17: CTCAE v5.0 grade 3
    (("anc", 0.99), ("anc", 1.0)),
    (("wbc", 1.99), ("wbc", 2.0)),
    (("platelets", 49), ("platelets", 50)),
    (("haemoglobin", 79), ("haemoglobin", 80)),
    (("alt", 201, LIVER), ("alt", 200, LIVER)),
    (("ast", 201, LIVER), ("ast", 200, LIVER)),
    (("bilirubin", 61, BILE), ("bilirubin", 60, BILE)),
    (("creatinine", 181), ("creatinine", 180)),  # three times the value at infusion
    (("fibrinogen", 0.99, {"lln": 2.0}), ("fibrinogen", 1.0, {"lln": 2.0})),
]


def infused_patient(house: House, day: float = 6) -> Patient:
    patient = at_day(house, day)
    patient.values(*AT_INFUSION, at=patient.ago(days=day, hours=2))
    return patient


@pytest.mark.parametrize("rule", dict.fromkeys(row[0] for row in ROWS))
def test_at_its_limit_and_one_step_short_of_it(sqlite_house: House, rule: str) -> None:
    patient, spared = infused_patient(sqlite_house), infused_patient(sqlite_house)
    for level, fires, quiet in [row[1:] for row in ROWS if row[0] == rule]:
        said = patient.values(fires)
        assert said.get(rule) == level, f"{fires}: {said}"
        assert rule not in spared.values(quiet), quiet
        sqlite_house.turn(minutes=1)


def test_l17_a_value_of_grade_three(sqlite_house: House) -> None:
    patient, spared = infused_patient(sqlite_house), infused_patient(sqlite_house)
    for fires, quiet in GRADES:
        assert patient.values(fires).get("L17") == "REVIEW", fires
        assert "L17" not in spared.values(quiet), quiet
    sqlite_house.turn(days=1)
    assert "L17" not in patient.values(("wbc", 1.5))  # still grade 3
    assert patient.values(("haemoglobin", 60)).get("L17") is None  # grade 4 anaemia is a person's judgement
    assert patient.values(("anc", 0.49))["L17"] == "REVIEW"  # grade 4 where it was grade 3


def test_l02_ferritin_that_doubles_within_two_days(sqlite_house: House) -> None:
    patient, slower = infused_patient(sqlite_house), infused_patient(sqlite_house)
    slower.values(("ferritin", 400), at=slower.ago(minutes=1))
    patient.values(("ferritin", 400))
    sqlite_house.turn(hours=48)
    assert patient.values(("ferritin", 800))["L02"] == "URGENT"
    assert "L02" not in slower.values(("ferritin", 800))
    other = infused_patient(sqlite_house)
    other.values(("ferritin", 400), at=other.ago(hours=48))
    assert "L02" not in other.values(("ferritin", 799))


FURTHER: list[tuple[Item, Item]] = [
    (("alt", 201, LIVER), ("alt", 200, LIVER)),
    (("fibrinogen", 1.49), ("fibrinogen", 1.5)),
    (("triglycerides", 3.0), ("triglycerides", 2.99)),
    (("platelets", 24), ("platelets", 25)),
    (("anc", 0.49), ("anc", 0.5)),
]


def test_l02_high_ferritin_with_one_further_sign(sqlite_house: House) -> None:
    spared = infused_patient(sqlite_house)
    spared.values(("ferritin", 601))
    for fires, quiet in FURTHER:
        patient = infused_patient(sqlite_house)
        assert patient.values(("ferritin", 601)) == {"L01": "REVIEW"}
        assert patient.values(fires)["L02"] == "URGENT", fires
        assert "L02" not in spared.values(quiet), quiet


def test_fever_and_bleeding_make_a_value_graver(sqlite_house: House) -> None:
    plain, ill = infused_patient(sqlite_house), infused_patient(sqlite_house)
    ill.send(quick(temp_c=37.5), daily(bleeding=1, bleeding_site=["nose"]))
    plain.send(quick(temp_c=37.4))
    for item, usual, graver in ((("crp", 50), "REVIEW", "URGENT"), (("fibrinogen", 1.4), "URGENT", "EMERGENCY")):
        rule = "L04" if item[0] == "crp" else "L03"
        assert plain.values(item)[rule] == usual
        assert ill.values(item)[rule] == graver
    sqlite_house.turn(hours=24, minutes=1)
    assert ill.values(("crp", 50))["L04"] == "REVIEW"
    tired = infused_patient(sqlite_house)
    tired.send(daily(fatigue=1))
    assert tired.values(("il6", 100)) == {"L05": "URGENT"}


def test_l06_after_tocilizumab_crp_and_il6_are_only_annotated(sqlite_house: House) -> None:
    given, before = infused_patient(sqlite_house, 20), infused_patient(sqlite_house, 20)
    given.medicine("tocilizumab", given.ago(days=14))
    before.medicine("tocilizumab", before.ago(days=14, minutes=1))
    assert given.values(("crp", 500), ("il6", 5000)) == {"L06": "NOTE"}
    assert given.open_episode() is None
    assert before.values(("crp", 500), ("il6", 5000)) == {"L04": "REVIEW", "L05": "REVIEW"}


def test_l07_neutrophils_that_stay_low(sqlite_house: House) -> None:
    patient, shorter = infused_patient(sqlite_house, 20), infused_patient(sqlite_house, 20)
    for each, days in ((patient, 13), (shorter, 12)):  # both ends count
        assert each.values(("anc", 0.4), at=each.ago(days=days)).get("L07") == "REVIEW"
    assert patient.values(("anc", 0.4))["L07"] == "URGENT"
    assert "L07" not in shorter.values(("anc", 0.4))
    very, barely = infused_patient(sqlite_house, 20), infused_patient(sqlite_house, 20)
    for each, least in ((very, 0.1), (barely, 0.11)):
        each.values(("anc", least), at=each.ago(days=6))
    assert very.values(("anc", 0.1))["L07"] == "URGENT"
    assert "L07" not in barely.values(("anc", 0.1))


def test_l10_a_troponin_that_falls_is_no_alarm(sqlite_house: House) -> None:
    patient = infused_patient(sqlite_house)
    patient.values(("troponin", 30, {"uln": 14}))
    sqlite_house.turn(hours=6)
    assert patient.values(("troponin", 30, {"uln": 14})) == {}
    sqlite_house.turn(hours=6)
    assert patient.values(("troponin", 31, {"uln": 14})) == {"L10": "URGENT"}


def test_l13_signs_of_a_relapse_once_b_cells_are_back(sqlite_house: House) -> None:
    back, depleted, risen = (infused_patient(sqlite_house, 120) for _ in range(3))
    for each in (back, depleted, risen):
        each.values(("b_cells", 2), ("anti_dsdna", 50), ("c3", 0.9), at=each.ago(days=40))
        each.values(("c3", 0.8))
    assert "L13" not in depleted.values(("b_cells", 9), ("anti_dsdna", 100))
    assert "L13" not in risen.values(("b_cells", 10), ("anti_dsdna", 99))
    assert back.values(("b_cells", 10), ("anti_dsdna", 100)) == {"L13": "REVIEW"}


def test_l14_copies_that_rise_again_from_day_28(sqlite_house: House) -> None:
    patient, less, early = (infused_patient(sqlite_house, day) for day in (28, 28, 27))
    for each in (patient, less, early):
        each.values(("car_copies", 100), at=each.ago(hours=1))
    assert patient.values(("car_copies", 500)) == {"L14": "REVIEW"}
    assert less.values(("car_copies", 499)) == {}
    assert early.values(("car_copies", 500)) == {}


def test_l15_a_virus_already_known_is_not_new(sqlite_house: House) -> None:
    patient = infused_patient(sqlite_house)
    patient.values(("cmv_dna", 200))
    sqlite_house.turn(days=1)
    assert patient.values(("cmv_dna", 900)) == {}


def test_l16_a_sterility_result_two_weeks_after_the_infusion_still_pages(sqlite_house: House) -> None:
    patient = at_day(sqlite_house, 14)
    drawn = patient.ago(days=14, hours=3)
    assert patient.values(("release_sterility", 1), at=drawn) == {"L16": "EMERGENCY"}
    [signal] = (patient.open_episode() or {})["signals"]
    assert "Contact the patient at once" in signal["sentence"]
    assert {page["template"] for page in sqlite_house.pages()} == {"page"}
    waiting = not_infused(sqlite_house)
    assert waiting.values(("release_sterility", 1), at=waiting.ago(days=3)) == {"L16": "EMERGENCY"}
    [signal] = (waiting.open_episode() or {})["signals"]
    assert "Do not infuse." in signal["sentence"]


def test_the_value_at_infusion_is_compared_with_to_the_end_of_follow_up(sqlite_house: House) -> None:
    patient = infused_patient(sqlite_house, 170)
    for n in range(13):  # more than the last dozen, all later than the value at infusion
        patient.values(("creatinine", 70), at=patient.ago(days=n + 41))
    assert patient.values(("creatinine", 90)) == {"L09": "URGENT"}


def test_a_corrected_value_no_longer_counts(sqlite_house: House) -> None:
    patient = infused_patient(sqlite_house)
    patient.values(("troponin", 300, {"uln": 14}))
    [wrong] = sqlite_house.nurse.get(f"{patient.path}/measurements?code=troponin").json["items"]
    fix = {"uln": 14, "corrects_id": wrong["id"], "reason": "read from another patient's sheet"}
    assert patient.values(("troponin", 10, fix)) == {}
    sqlite_house.turn(hours=6)
    assert patient.values(("troponin", 20, {"uln": 14})) == {"L10": "URGENT"}  # up from 10, not down from 300


def test_a_fever_beside_another_reading_of_the_same_minute_is_not_overlooked(sqlite_house: House) -> None:
    for _ in range(4):  # ids are made at random: one in two would sort the other reading last
        patient = at_day(sqlite_house, 6)
        patient.send(quick(temp_c=36.6))
        said = patient.values(
            ("body_temperature", 38.0, {"method": "ear", "source": "ward"}),
            ("body_temperature", 37.2, {"method": "armpit", "source": "ward"}),
        )
        assert said == {"R11": "URGENT"}


def test_values_of_one_batch_are_judged_in_the_order_they_were_taken(sqlite_house: House) -> None:
    patient = infused_patient(sqlite_house)
    earlier = {"collected_at": (sqlite_house.now - timedelta(hours=1)).isoformat(), "uln": 14}
    said = patient.values(("troponin", 20, {"uln": 14}), ("troponin", 16, earlier))
    assert said == {"L10": "URGENT"}
