"""R01–R12 and R17–R32 from one sitting at the phone: each at its threshold, and one step below it.

Two patients of the same day of treatment report: of one the rule speaks at the level given, of the other it does
not speak at all. Nothing is known of either from before treatment.
"""

import pytest
from house import House

from tests.safety_http.builders import NO_TEMPERATURE, Sent, at_day, daily, neuro, not_infused, quick, weekly

Forms = Sent | tuple[Sent, ...]
LI_NA = {"name": "Li Na", "phone": "13900139000", "locale": "en"}
FINGER = {"spo2_warm_finger": "no"}
DAY_6 = [
    ("R01", "EMERGENCY", daily(seizure_weak="yes"), daily()),
    ("R01", "EMERGENCY", quick(now_any=["cannot_wake"]), quick(confused=3)),
    ("R02", "EMERGENCY", quick(confused=2), quick(confused=1)),
    ("R02", "EMERGENCY", quick(words=2), quick(words=1)),
    ("R02", "EMERGENCY", neuro(7), neuro(8)),  # a drop of three from the full score
    ("R03", "URGENT", quick(confused=1), quick()),
    ("R03", "URGENT", quick(words=1), quick()),
    ("R03", "URGENT", neuro(9), neuro(10)),
    ("R03", "URGENT", daily(writing="yes"), daily(writing="unsure")),
    ("R04", "EMERGENCY", quick(sbp=89, sbp_repeat=90), quick(sbp=90, sbp_repeat=90)),
    ("R04", "EMERGENCY", quick(sbp=89, breath=2), quick(sbp=90, breath=2)),
    ("R04", "EMERGENCY", quick(sbp=90, dbp=52), quick(sbp=91, dbp=52)),  # mean pressure 64.7, 65
    ("R04", "EMERGENCY", quick(faint="yes"), quick(faint="near")),
    ("R04", "URGENT", quick(sbp=89), quick(sbp=90)),
    ("R05", "URGENT", quick(dizzy=2), quick(dizzy=1)),
    ("R05", "URGENT", quick(faint="near"), quick()),
    ("R06", "EMERGENCY", quick(spo2=92, spo2_repeat=89, **FINGER), quick(spo2=89, spo2_repeat=90, **FINGER)),
    ("R06", "EMERGENCY", quick(breath=3), quick(breath=2)),
    ("R06", "URGENT", quick(spo2=89), quick(spo2=90)),
    ("R07", "URGENT", quick(spo2=93), quick(spo2=94)),
    ("R07", "URGENT", quick(spo2=90), quick(spo2=89)),  # lower still is R06
    ("R07", "URGENT", quick(breath=2), quick(breath=1)),
    ("R08", "EMERGENCY", quick(temp_c=38.0, chills=3), quick(temp_c=38.0, chills=2)),
    ("R08", "EMERGENCY", quick(temp_c=38.0, hr=120), quick(temp_c=38.0, hr=119)),
    ("R08", "EMERGENCY", quick(temp_c=38.0, dizzy=2), quick(temp_c=37.9, dizzy=2)),
    ("R10", "EMERGENCY", quick(temp_c=39.0), quick(temp_c=38.9)),
    ("R11", "URGENT", quick(temp_c=38.0), quick(temp_c=37.9)),
    ("R11", "URGENT", quick(temp_c=38.0, temp_site="mouth"), quick(temp_c=37.9, temp_site="mouth")),
    ("R12", "URGENT", quick(temp_c=37.5, chills=1), quick(temp_c=37.2, chills=1)),
    ("R12", "NOTE", quick(temp_c=37.3), quick(temp_c=37.2)),  # the armpit's watch range: measure again
    ("R12", "URGENT", (daily(malaise=1), quick(temp_c=37.5)), (daily(malaise=1), quick(temp_c=37.2))),
    ("R12", "URGENT", quick(temp_c=37.6, temp_site="ear", chills=1), quick(temp_c=37.5, temp_site="ear", chills=1)),
    ("R17", "REVIEW", quick(chills=3, **NO_TEMPERATURE), quick(chills=2, **NO_TEMPERATURE)),
    ("R18", "URGENT", quick(hr=120), quick(hr=119)),
    ("R19", "EMERGENCY", daily(chest_pain="yes"), daily()),
    ("R19", "EMERGENCY", quick(now_any=["chest_pain"]), quick(breath=2)),
    ("R20", "URGENT", (quick(temp_c=37.5, chills=1), daily(fatigue=2)), (quick(temp_c=37.5, chills=1), daily())),
    ("R20", "URGENT", (quick(temp_c=37.5, chills=1), daily(intake="no")), (quick(chills=1), daily(intake="no"))),
    ("R21", "EMERGENCY", daily(bleeding=1, bleeding_site=["stool"]), daily(bleeding=1, bleeding_site=["nose"])),
    ("R21", "EMERGENCY", quick(now_any=["bleeding"]), quick()),
    ("R21", "URGENT", daily(bleeding=2, bleeding_site=["gums"]), daily(bleeding=1, bleeding_site=["gums"])),
    ("R22", "URGENT", daily(urine=["none_8h"]), daily(urine=["less"])),
    ("R22", "URGENT", (quick(dizzy=1), daily(urine=["less"])), (quick(dizzy=1), daily(urine=["foamy"]))),
    ("R23", "URGENT", daily(vomit_24h=6), daily(vomit_24h=5)),
    ("R23", "URGENT", daily(diarrhoea_24h=7), daily(diarrhoea_24h=6)),
    ("R23", "URGENT", daily(fluids_kept="no"), daily()),
    ("R24", "URGENT", daily(rash=2), daily(rash=1)),
    ("R24", "URGENT", quick(now_any=["blisters_painful_skin"]), quick()),
    ("R24", "EMERGENCY", quick(now_any=["swelling_face_throat"]), quick(breath=2)),
    ("R26", "EMERGENCY", daily(headache=3), daily(headache=2)),
    ("R26", "EMERGENCY", daily(headache=2, vomit_24h=1), daily(headache=1, vomit_24h=1)),
    ("R26", "EMERGENCY", (quick(temp_c=38.0), daily(headache=2)), (quick(temp_c=37.4), daily(headache=2))),
    ("R26", "EMERGENCY", quick(now_any=["stiff_neck"]), quick()),
    ("R28", "URGENT", quick(worry="now"), quick()),
    ("R28", "REVIEW", quick(worry="tomorrow"), quick()),
]
LATER = [  # day of treatment, then as above
    (91, "R01", "EMERGENCY", weekly(seizure_weak="yes"), weekly()),
    (90, "R07", "URGENT", quick(spo2=93), quick(spo2=94)),
    (31, "R27", "URGENT", quick(temp_c=38.0), quick(temp_c=37.9)),
    (91, "R27", "EMERGENCY", weekly(temp_c=38.0, confused=1), weekly(temp_c=37.9, confused=1)),
    (31, "R27", "EMERGENCY", quick(temp_c=38.0, spo2=93), quick(temp_c=37.9, spo2=93)),
    (44, "R32", "EMERGENCY", weekly(confused=2), weekly()),
    (44, "R32", "URGENT", weekly(words=1), weekly()),
    (100, "R32", "EMERGENCY", weekly(seizure_weak="yes"), weekly()),
]


def forms(given: Forms) -> tuple[Sent, ...]:
    return (given,) if isinstance(given[0], str) else given  # type: ignore[return-value]


@pytest.mark.parametrize("rule", dict.fromkeys(row[0] for row in DAY_6))
def test_on_day_six(sqlite_house: House, rule: str) -> None:
    spared = at_day(sqlite_house, 6)
    for level, fires, quiet in [row[1:] for row in DAY_6 if row[0] == rule]:
        said = at_day(sqlite_house, 6).send(*forms(fires))
        assert said.get(rule) == level, f"{fires}: {said}"
        assert rule not in spared.send(*forms(quiet)), quiet
        sqlite_house.turn(hours=2)  # the next is another sitting


def test_on_later_days(sqlite_house: House) -> None:
    for day, rule, level, fires, quiet in LATER:
        said = at_day(sqlite_house, day).send(fires)
        assert said.get(rule) == level, f"day {day}, {fires}: {said}"
        assert rule not in at_day(sqlite_house, day).send(quiet), f"day {day}, {quiet}"


WINDOWS = [  # the rule, a day it speaks on, the next one it does not
    ("R11", 30, 31, quick(temp_c=38.0)),
    ("R27", 31, 30, quick(temp_c=38.0)),
    ("R32", 31, 30, quick(confused=1)),
    ("R03", 30, 31, quick(confused=1)),
    ("R07", 90, 91, quick(spo2=93)),
    ("R25", 3, 2, daily(joints=1)),
    ("R25", 60, 61, daily(joints=1)),
]


def test_a_rule_speaks_in_its_windows_only(sqlite_house: House) -> None:
    for rule, inside, outside, sent in WINDOWS:
        assert rule in at_day(sqlite_house, inside, prior_organs=["joints"]).send(sent)
        assert rule not in at_day(sqlite_house, outside, prior_organs=["joints"]).send(sent)


ORGANS = [
    ("joints", "REVIEW", daily(joints=1), daily(rash=1)),
    ("kidney", "URGENT", daily(urine=["foamy"]), daily(joints=1)),
    ("heart", "URGENT", daily(palps=1), daily()),
    ("gut", "REVIEW", daily(diarrhoea_24h=3), daily(diarrhoea_24h=2)),
    ("skin", "REVIEW", (quick(temp_c=37.4), daily(rash=1)), (quick(temp_c=38.0), daily(rash=1))),
]


def test_r25_an_organ_affected_before(sqlite_house: House) -> None:
    for organ, level, fires, quiet in ORGANS:
        said = at_day(sqlite_house, 6, prior_organs=[organ]).send(*forms(fires))
        assert said.get("R25") == level, f"{organ}: {said}"
        assert "R25" not in at_day(sqlite_house, 6, prior_organs=[organ]).send(*forms(quiet))
        assert "R25" not in at_day(sqlite_house, 6).send(*forms(fires))


REACTIONS = [
    (6, "URGENT", quick(chills=1)),
    (6, "URGENT", quick(dizzy=1)),
    (6, "EMERGENCY", quick(now_any=["hives_wheeze"])),
    (6, "EMERGENCY", quick(breath=2)),
    (0, "EMERGENCY", quick(faint="near")),
]


def test_r30_within_six_hours_of_the_infusion(sqlite_house: House) -> None:
    well = at_day(sqlite_house, 0, hours=6)
    assert "R30" not in well.send(quick())
    for hours, level, sent in REACTIONS:
        assert at_day(sqlite_house, 0, hours).send(sent)["R30"] == level
        assert "R30" not in at_day(sqlite_house, 0, 6 + 1 / 60).send(sent)


def test_r31_a_fever_before_infusion_is_to_be_reviewed_before_infusing(sqlite_house: House) -> None:
    patient, well = not_infused(sqlite_house), not_infused(sqlite_house)
    assert patient.send(quick(temp_c=38.0)) == {"R31": "URGENT"}
    assert well.send(quick(temp_c=37.4)) == {}
    episode = patient.open_episode()
    assert episode is not None
    assert episode["facts"]["window"] == "W0"
    [signal] = episode["signals"]
    assert signal["inputs"]["review_before_infusing"] is True
    assert "Review before infusing." in signal["sentence"]
    assert "crs" not in signal["compatible_with"]


def test_r31_a_probable_fever_counts_when_it_is_repeated(sqlite_house: House) -> None:
    patient = not_infused(sqlite_house)
    assert patient.send(quick(temp_c=37.5)) == {"R31": "NOTE"}
    sqlite_house.turn(minutes=10)
    assert patient.send(quick(temp_c=37.5)) == {"R31": "URGENT"}


def test_a_carer_answers_for_a_patient_who_cannot_be_woken(sqlite_house: House) -> None:
    patient = at_day(sqlite_house, 6)
    carer = sqlite_house.patient_of(patient.subject, "carer", carer=LI_NA)
    answer = patient.taken(quick(now_any=["cannot_wake"]), carer)
    assert answer["advice"]["call_now"] is True
    [signal] = answer["signals"]
    assert (signal["rule"], signal["level"]) == ("R01", "EMERGENCY")
    assert "the carer" in signal["sentence"]
