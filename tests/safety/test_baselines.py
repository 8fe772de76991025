"""A subject's own normal: medians by site and band, from afebrile readings before treatment (clinical-safety §2.2)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from backend.safety.baselines import band, baseline, febrile, probable_limit
from backend.safety.context import Baseline, Median, Reading, Report
from tests.safety.value_builders import INFUSED, SETTINGS, report, value

ZONE = "Asia/Shanghai"
BEFORE = INFUSED - timedelta(days=5)
MORNING = datetime(2026, 2, 20, 23, 30, tzinfo=UTC)  # 07:30 on the 21st in Shanghai
DAY = timedelta(days=1)


def mornings(*temperatures: str, site: str = "armpit", at: datetime = MORNING) -> list[Report]:
    return [report(at + n * timedelta(minutes=1), temp_c=t, temp_site=site) for n, t in enumerate(temperatures)]


def made(reports: Sequence[Report] = (), values: Any = (), infused_at: datetime | None = INFUSED) -> Baseline:
    return baseline(reports, values, BEFORE, ZONE, SETTINGS, infused_at)


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("03:59", "22-04"), ("04:00", "04-10"), ("09:59", "04-10"), ("10:00", "10-16"),
        ("15:59", "10-16"), ("16:00", "16-22"), ("21:59", "16-22"), ("22:00", "22-04"), ("00:00", "22-04"),
    ],
)  # fmt: skip
def test_bands_are_read_on_the_subjects_clock(local: str, expected: str) -> None:
    shanghai = datetime.fromisoformat(f"2026-03-09T{local}:00+08:00")
    assert band(shanghai.astimezone(UTC), ZONE) == expected
    assert band(datetime.fromisoformat(f"2026-07-09T{local}:00-04:00"), "America/New_York") == expected


def test_nothing_measured_is_nothing_known() -> None:
    assert made() == Baseline()


def test_six_readings_of_one_band_make_a_median_and_five_do_not() -> None:
    six = mornings("36.1", "36.2", "36.3", "36.4", "36.5", "36.6")
    assert made(six).temperature == {
        "armpit/04-10": Median(Decimal("36.35"), 6),
        "armpit": Median(Decimal("36.35"), 6),
    }
    assert made(six[:5]).temperature == {}


def test_bands_are_kept_apart_and_joined_over_the_whole_day() -> None:
    evening = mornings("36.8", "36.8", "36.9", at=MORNING + timedelta(hours=12))
    found = made(mornings("36.2", "36.2", "36.2") + evening).temperature
    assert found == {"armpit": Median(Decimal("36.5"), 6)}


def test_sites_are_kept_apart_and_a_reading_without_one_is_left_out() -> None:
    mixed = mornings(*["36.2"] * 5) + mornings("36.2", site="mouth")
    mixed += [report(MORNING + DAY, temp_c="36.2")]
    assert made(mixed).temperature == {}


@pytest.mark.parametrize(("site", "warm", "fever"), [("armpit", "37.4", "37.45"), ("ear", "37.5", "37.6")])
def test_febrile_readings_do_not_count(site: str, warm: str, fever: str) -> None:
    five = mornings(*["36.4"] * 5, site=site)
    assert made(five + mornings(warm, site=site, at=MORNING + DAY)).temperature[site].n == 6
    assert made(five + mornings(fever, site=site, at=MORNING + DAY)).temperature == {}


def test_an_unknown_site_is_judged_by_the_lowest_limit() -> None:
    assert probable_limit(None, SETTINGS) == probable_limit("tongue", SETTINGS) == Decimal("37.5")
    assert febrile(Reading(MORNING, Decimal("37.5"), "r"), SETTINGS)
    assert not febrile(Reading(MORNING, Decimal("37.5"), "r", "mouth"), SETTINGS)


def test_readings_from_treatment_on_do_not_count() -> None:
    late = [report(BEFORE, form="neuro", score=Decimal(10), hr=60, temp_c="36.4", temp_site="armpit", joints=3)]
    assert made(late, [value("hr", 60, BEFORE)]) == Baseline()
    just = [report(BEFORE - timedelta(seconds=1), hr=60)]
    assert made(just).vitals == {"hr": Median(Decimal(60), 1)}


def test_vital_signs_join_home_and_ward() -> None:
    home = [report(MORNING, sbp=110, hr=70, spo2=98), report(MORNING + DAY, sbp=120, weight_kg="52.4")]
    found = made(home, [value("sbp", 100, MORNING, source="ward"), value("sbp", None, MORNING + DAY)]).vitals
    assert found == {
        "sbp": Median(Decimal(110), 3),
        "hr": Median(Decimal(70), 1),
        "spo2": Median(Decimal(98), 1),
        "weight_kg": Median(Decimal("52.4"), 1),
    }


def test_ward_temperatures_count_at_their_site() -> None:
    warded = [value("body_temperature", "36.5", MORNING + n * DAY / 100, method="armpit") for n in range(6)]
    assert made((), warded).temperature["armpit"] == Median(Decimal("36.5"), 6)


def test_neuro_keeps_the_best_score_and_the_middle_time() -> None:
    checks = [
        report(MORNING, form="neuro", score=Decimal(9), neuro_seconds=120),
        report(MORNING + DAY, form="neuro", score=Decimal(10), neuro_seconds=90),
        report(MORNING + DAY * 2, form="neuro", score=None, neuro_seconds=80),
        report(MORNING + DAY * 3, form="weekly", score=Decimal(30)),
    ]
    found = made(checks)
    assert (found.neuro, found.neuro_seconds) == (Decimal(10), Decimal(90))


def test_symptoms_keep_the_worst_answer_to_each_scale() -> None:
    found = made(
        [
            report(MORNING, joints=2, chills=0, chest_pain="yes", worry=True, hr=88, note="2"),
            report(MORNING + DAY, joints=1, chills=1, chest_pain="no"),
        ]
    )
    assert found.symptoms == {"joints": 2, "chills": 1, "chest_pain": 1}


def test_laboratory_values_are_the_last_at_or_before_infusion() -> None:
    values = [
        value("crp", "8", INFUSED - DAY),
        value("crp", "5.0", INFUSED),
        value("crp", "60", INFUSED + timedelta(seconds=1)),
        value("ferritin", "300", INFUSED - DAY),
        value("ferritin", None, INFUSED),
        value("hr", 70, BEFORE),
    ]
    found = made((), values).values
    assert found == {"crp": Decimal("5.0"), "ferritin": Decimal(300)}
    assert made((), values, None).values["crp"] == Decimal(60)


def test_a_lower_bound_is_no_baseline_and_an_upper_bound_is_one() -> None:
    below = value("crp", "0.5", INFUSED, qualifier="<")
    above = value("ferritin", "2000", INFUSED, qualifier=">")
    older = value("ferritin", "300", INFUSED - DAY)
    assert made((), [below, older, above]).values == {"crp": Decimal("0.5")}
