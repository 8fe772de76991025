"""R04–R07 and R18 at, below and outside their limits (clinical-safety §2.3, §3.3)."""

import pytest

from tests.safety.builders import ago, asked, baseline, context, fired, median, only, report, temperature, value

OWN = baseline(
    vitals={"sbp": median(120), "hr": median(70), "spo2": median(97)},
    temperature={"armpit/16-22": median(36.5)},
)


# --- R04 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("symptom", [{"dizzy": 1}, {"faint": "near"}, {"confused": 1}, {"breath": 2}])
def test_r04_a_single_low_pressure_with_a_symptom(symptom):
    found = only(asked(sbp=89, **symptom), "R04")
    assert (found.level, found.red_flag, found.organ) == ("EMERGENCY", True, "circulation")
    assert only(asked(sbp=90, **symptom), "R04") is None


def test_r04_confirmed_by_the_mean_of_the_pair():
    """§2.3: two readings 1–2 min apart; use the mean."""
    found = only(asked(sbp=92, sbp_repeat=87, baseline=OWN), "R04")
    assert found.level == "EMERGENCY"
    assert "systolic pressure (mmHg): 92, systolic pressure, repeat (mmHg): 87" in found.sentence_en
    assert "Own baseline 120 (n=7), change -30.5." in found.sentence_en
    assert only(asked(sbp=85, sbp_repeat=95), "R04") is None


@pytest.mark.parametrize(("hours", "before", "level"), [(12, 89, "EMERGENCY"), (12.1, 89, "URGENT"), (1, 90, "URGENT")])
def test_r04_confirmed_by_the_taking_before(hours, before, level):
    assert only(asked(report(ago(hours), sbp=before), sbp=88), "R04").level == level


def test_r04_an_unconfirmed_low_pressure_is_measured_again_and_not_dropped():
    found = only(asked(sbp=89, dizzy=0, confused=0, breath=1, faint="no"), "R04")
    assert (found.level, found.asks) == ("URGENT", "repeat_blood_pressure_5min")


@pytest.mark.parametrize(("dbp", "fires"), [(50, False), (49, True)])
def test_r04_mean_pressure_below_65(dbp, fires):
    """(95 + 2·50)/3 = 65 is not below; (95 + 2·49)/3 = 64.3 is."""
    found = only(asked(sbp=95, dbp=dbp), "R04")
    assert (found is not None) == fires
    if found is not None:
        assert found.level == "EMERGENCY"
        assert "Mean arterial pressure 64." in found.sentence_en


def test_r04_pairs_ward_pressures_taken_within_five_minutes():
    systolic, close, far = value("sbp", 95, ago(minutes=5)), value("dbp", 40), value("dbp", 40, ago(minutes=11))
    assert only(context(values=[systolic, close]), "R04").level == "EMERGENCY"
    assert only(context(values=[far, systolic], trigger="value", trigger_id=systolic.id), "R04") is None


@pytest.mark.parametrize("window", ["W0", "W2", "W5"])
def test_r04_fainted_in_any_window(window):
    found = only(asked(faint="yes", window=window), "R04")
    assert (found.level, found.red_flag) == ("EMERGENCY", True)
    assert only(asked(faint="near", window=window), "R04") is None


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"temp_c": 38.0}, "With fever."),
        ({"temp_c": 36.6}, "No known fever."),
        ({"steroid_taken": 20}, "may be masked"),
    ],
)
def test_r04_says_whether_there_is_fever(answers, said):
    assert said in only(asked(faint="yes", **answers), "R04").sentence_en


# --- R05 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sbp", "fires"), [(96, True), (97, False), (90, True), (89, False)])
def test_r05_a_fifth_below_own_pressure_but_not_below_90(sbp, fires):
    found = only(asked(sbp=sbp, baseline=OWN), "R05")
    assert (found is not None) == fires
    if found is not None:
        assert found.level == "URGENT"
        assert "Own baseline 120" in found.sentence_en


@pytest.mark.parametrize(
    ("answers", "fires"),
    [({"dizzy": 2}, True), ({"dizzy": 1}, False), ({"faint": "near"}, True), ({"faint": "no"}, False)],
)
def test_r05_dizzy_or_nearly_fainted(answers, fires):
    assert (only(asked(**answers), "R05") is not None) == fires


def test_r05_rests_on_dizziness_alone_or_on_more():
    assert only(asked(dizzy=2), "R05").drives == {"dizzy": 2}
    assert only(asked(dizzy=2, sbp=95, baseline=OWN), "R05").drives == {}
    assert only(asked(dizzy=2, faint="near"), "R05").drives == {}


def test_r05_without_baseline_says_nothing_of_a_pressure_and_stays_in_its_windows():
    assert only(asked(sbp=92), "R05") is None
    assert only(asked(dizzy=3, window="W4"), "R05") is None


# --- R06 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "level"),
    [
        ({"breath": 3}, "EMERGENCY"),
        ({"spo2": 89, "spo2_repeat": 89}, "EMERGENCY"),
        ({"spo2": 89, "spo2_warm_finger": "yes"}, "EMERGENCY"),
        ({"spo2": 89, "breath": 1}, "EMERGENCY"),
        ({"spo2": 89, "spo2_warm_finger": "no"}, "URGENT"),
        ({"spo2": 89, "breath": 0}, "URGENT"),
        ({"spo2": 93, "spo2_repeat": 89}, "EMERGENCY"),
    ],
)
def test_r06_breathless_or_low_oxygen(answers, level):
    found = only(asked(**answers), "R06")
    assert (found.level, found.organ, found.red_flag) == (level, "breathing", True)
    assert found.asks == "repeat_spo2_warm_finger"


@pytest.mark.parametrize("answers", [{"spo2": 90}, {"spo2": 85, "spo2_repeat": 95}, {"breath": 2}])
def test_r06_is_quiet_just_above_or_when_the_repeat_is_normal(answers):
    """§2.3: cold fingers in lupus read falsely low; the repeat on a warmed finger decides."""
    assert only(asked(**answers), "R06") is None


@pytest.mark.parametrize(("hours", "level"), [(12, "EMERGENCY"), (12.1, "URGENT")])
def test_r06_confirmed_by_the_taking_before(hours, level):
    assert only(context(values=[value("spo2", 88, ago(hours)), value("spo2", 88)]), "R06").level == level


def test_r06_says_whether_the_finger_was_warm():
    assert "Measured on a warmed finger." in only(asked(spo2=85, spo2_warm_finger="yes"), "R06").sentence_en
    assert "a cold one may read low" in only(asked(spo2=85), "R06").sentence_en


@pytest.mark.parametrize("window", ["W0", "W5"])
def test_r06_in_any_window(window):
    assert only(asked(breath=3, window=window), "R06") is not None


# --- R07 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "fires"),
    [
        ({"spo2": 93}, True),
        ({"spo2": 94}, True),  # three points below own 97
        ({"spo2": 95}, False),
        ({"spo2": 90}, True),
        ({"spo2": 89}, False),  # R06's
        ({"spo2": 91, "spo2_repeat": 96}, False),
        ({"breath": 2}, True),
        ({"breath": 1}, False),
    ],
)
def test_r07_lower_oxygen_or_short_of_breath(answers, fires):
    found = only(asked(baseline=OWN, **answers), "R07")
    assert (found is not None) == fires
    if found is not None:
        assert found.level == "URGENT"


def test_r07_without_baseline_only_the_range_counts():
    assert only(asked(spo2=94), "R07") is None
    assert only(asked(spo2=93.5), "R07") is not None  # belongs to 90–93


def test_r07_in_w4_but_not_later():
    assert only(asked(breath=2, window="W4"), "R07").drives == {"breath": 2}
    assert only(asked(breath=2, window="W5"), "R07") is None


# --- R18 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hr", "fires"), [(120, True), (119, False)])
def test_r18_at_120(hr, fires):
    assert (only(asked(hr=hr), "R18") is not None) == fires


@pytest.mark.parametrize(
    ("hours", "before", "now", "fires"),
    [(24, 100, 100, True), (24.1, 100, 100, False), (5, 99, 105, False), (5, 105, 99, False)],
)
def test_r18_thirty_over_own_rate_twice(hours, before, now, fires):
    found = only(asked(report(ago(hours), hr=before), hr=now, baseline=OWN), "R18")
    assert (found is not None) == fires
    if found is not None:
        assert found.level == "URGENT"


def test_r18_says_the_rate_this_temperature_explains():
    """§2.3: fever adds about 9 beats per °C: 70 + 9·2.0."""
    found = only(asked(hr=125, temp_c=38.5, baseline=OWN), "R18")
    assert "Expected rate at this temperature 88." in found.sentence_en
    assert "unknown" in only(asked(hr=125), "R18").sentence_en


def test_r18_outside_its_windows():
    assert only(asked(hr=150, window="W4"), "R18") is None


def test_a_ward_pulse_is_read_like_one_from_home():
    assert fired(context(temperature(ago(minutes=10), 38.4), values=[value("hr", 122)]))["R08"].level == "EMERGENCY"
