"""R13–R17 and R29 at, below and outside their limits (clinical-safety §3.3)."""

from datetime import timedelta

import pytest

from tests.safety.builders import (
    AT,
    ago,
    asked,
    baseline,
    context,
    dose,
    fired,
    median,
    only,
    paracetamol,
    report,
    temperature,
    value,
)

OWN = baseline(temperature={"armpit/16-22": median(36.3), "armpit": median(36.2)}, vitals={"hr": median(70)})


# --- R13 ----------------------------------------------------------------------------------------------


def test_r13_a_degree_over_the_matched_baseline():
    found = only(asked(temp_c=37.3, baseline=OWN), "R13")
    assert found.level == "REVIEW"
    assert "(baseline for evening 36.3, n=7, +1.0)" in found.sentence_en
    assert only(asked(temp_c=37.2, baseline=OWN), "R13") is None


def test_r13_needs_a_baseline_of_six_readings_at_this_site():
    """§2.2: the median of at least six, matched by site and band; else of the whole day."""
    few = baseline(temperature={"armpit/16-22": median(36.0, 5)})
    assert only(asked(temp_c=37.9, baseline=few), "R13") is None
    assert only(asked(temp_c=37.9, temp_site="ear", baseline=OWN), "R13") is None
    whole_day = baseline(temperature={"armpit/16-22": median(36.0, 5), "armpit": median(36.2, 6)})
    found = only(asked(temp_c=37.2, baseline=whole_day), "R13")
    assert "baseline for the whole day 36.2, n=6" in found.sentence_en


@pytest.mark.parametrize(
    ("hours", "earlier", "level"),
    [(12, 37.3, "URGENT"), (12.1, 37.3, "REVIEW"), (2, 37.2, "REVIEW"), (0.1, 37.3, "REVIEW")],
)
def test_r13_is_urgent_when_two_lie_within_twelve_hours(hours, earlier, level):
    # the earlier reading falls into other bands, so the whole-day baseline of 36.3 serves it
    own = baseline(temperature={"armpit": median(36.3)})
    assert only(asked(temperature(ago(hours), earlier), temp_c=37.3, baseline=own), "R13").level == level


def test_r13_is_urgent_with_chills_or_masked():
    assert only(asked(temp_c=37.3, chills=1, baseline=OWN), "R13").level == "URGENT"
    assert only(asked(temp_c=37.3, chills=0, baseline=OWN), "R13").level == "REVIEW"
    assert only(asked(temp_c=37.3, baseline=OWN, doses=[paracetamol(8)]), "R13").level == "URGENT"
    assert only(asked(temp_c=37.3, baseline=OWN, doses=[paracetamol(9)]), "R13").level == "REVIEW"


def test_r13_leaves_definite_fever_alone_and_stays_in_its_windows():
    assert only(asked(temp_c=38.0, baseline=OWN), "R13") is None
    assert only(asked(temp_c=37.8, baseline=OWN, window="W4"), "R13") is None


# --- R14 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "fires"),
    [
        ({"temp_c": 37.5}, True),
        ({"temp_c": 37.4}, False),
        ({"chills": 2}, True),  # own highest before treatment was 1
        ({"chills": 1}, False),
        ({"hr": 90}, True),
        ({"hr": 89}, False),
    ],
)
def test_r14_masked_with_warmth_chills_or_a_fast_pulse(answers, fires):
    own = baseline(vitals={"hr": median(70)}, symptoms={"chills": 1})
    found = only(asked(doses=[paracetamol(3, 650)], baseline=own, **answers), "R14")
    assert (found is not None) == fires
    if found is not None:
        assert found.level == "URGENT"
        assert "Paracetamol 650 mg 3 h ago." in found.sentence_en
        assert "fever is not required once treated" in found.sentence_en


def test_r14_rests_on_chills_alone_only_when_nothing_else_speaks():
    masked = [paracetamol(3)]
    assert only(asked(doses=masked, chills=1), "R14").drives == {"chills": 1}
    assert only(asked(doses=masked, chills=1, temp_c=37.5), "R14").drives == {}


def test_r14_needs_a_mask_and_its_windows():
    assert only(asked(temp_c=37.9, chills=3, doses=[paracetamol(8.1)]), "R14") is None
    assert only(asked(temp_c=37.9, doses=[dose("tocilizumab", "tocilizumab", ago(14 * 24))]), "R14") is not None
    assert only(asked(temp_c=37.9, doses=[dose("tocilizumab", "tocilizumab", ago(14 * 24 + 1))]), "R14") is None
    assert only(asked(temp_c=37.9, doses=[paracetamol(3)], window="W4"), "R14") is None


# --- R15 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hours", "fires"), [(1.9, False), (2, True), (6, True), (6.1, False)])
def test_r15_still_febrile_two_to_six_hours_after_a_dose(hours, fires):
    given = asked(temperature(ago(9), 38.9), temp_c=38.0, doses=[paracetamol(hours)])
    assert (only(given, "R15") is not None) == fires
    assert only(asked(temp_c=37.9, doses=[paracetamol(hours)]), "R15") is None


@pytest.mark.parametrize(("hours", "between", "fires"), [(7.9, 37.2, True), (8, 37.2, False), (7.9, 38.1, False)])
def test_r15_fever_back_within_eight_hours(hours, between, fires):
    earlier = (temperature(ago(9), 38.6), temperature(ago(4), between))
    found = only(asked(*earlier, temp_c=38.2, doses=[paracetamol(hours)]), "R15")
    assert (found is not None) == fires
    if found is not None:
        assert "Fever 7.9 h after paracetamol, largest drop 1.4 °C." in found.sentence_en


def test_r15_raises_the_fever_findings_by_one_level():
    found = fired(asked(temp_c=38.0, doses=[paracetamol(3)]))
    assert (found["R11"].level, found["R14"].level, found["R15"].level) == ("EMERGENCY", "EMERGENCY", "URGENT")
    later = fired(asked(temp_c=38.0, doses=[paracetamol(3)], window="W4", day=45))
    assert later["R27"].level == "EMERGENCY"


def test_r15_outside_its_windows():
    assert only(asked(temp_c=38.5, doses=[paracetamol(3)], window="W5"), "R15") is None


# --- R16 ----------------------------------------------------------------------------------------------


def test_r16_fever_on_three_calendar_days_of_the_subject():
    two_days = (temperature(ago(24), 38.1), temperature(ago(2), 38.1))
    three_days = (temperature(ago(48), 38.1), temperature(ago(24), 38.1))
    assert only(asked(*two_days, temp_c=38.0), "R16") is None
    found = only(asked(*three_days, temp_c=38.0), "R16")
    assert found.level == "URGENT"
    assert found.inputs["fever_days"] == ["2025-03-08", "2025-03-09", "2025-03-10"]
    assert "Consider ferritin, fibrinogen and blood culture." in found.sentence_en


def test_r16_counts_days_in_the_zone_of_the_subject():
    """15:30 and 16:30 UTC are two dates in Nanjing, so this is the third day."""
    before_midnight, after_midnight = temperature(ago(21 + 24 + 0.7), 38.2), temperature(ago(20.5 + 24), 38.2)
    assert before_midnight.at.date() == after_midnight.at.date()
    assert only(asked(before_midnight, after_midnight, temp_c=38.1), "R16") is not None


@pytest.mark.parametrize(("free_since", "fires"), [(24, True), (23.9, False)])
def test_r16_back_a_day_after_defervescence(free_since, fires):
    earlier = (temperature(ago(30), 38.4), temperature(ago(free_since), 36.8), temperature(ago(3), 36.9))
    assert (only(asked(*earlier, temp_c=38.0), "R16") is not None) == fires


def test_r16_needs_fever_now_and_its_windows():
    earlier = (temperature(ago(72), 38.4), temperature(ago(48), 38.4), temperature(ago(24), 38.4))
    assert only(asked(*earlier, temp_c=37.2), "R16") is None
    assert only(asked(*earlier, temp_c=38.4, window="W5", day=120), "R16") is None


def test_r16_does_not_count_fever_before_infusion():
    earlier = (temperature(ago(8 * 24), 38.4), temperature(ago(7 * 24), 38.4))
    assert only(asked(*earlier, temp_c=38.0), "R16") is None


# --- R17 ----------------------------------------------------------------------------------------------


def test_r17_prompts_at_once_when_there_is_no_temperature():
    found = only(asked(chills=3, reporter="carer"), "R17")
    assert (found.level, found.asks) == ("REVIEW", "measure_temperature")
    assert "Reported by the carer at 21:10: chills: 3 (severe)." in found.sentence_en
    assert only(asked(chills=2), "R17") is None


@pytest.mark.parametrize(("minutes", "fires"), [(30, False), (31, True)])
def test_r17_accepts_a_temperature_of_the_last_half_hour(minutes, fires):
    given = asked(temperature(ago(minutes=minutes), 36.8), chills=3)
    assert (only(given, "R17") is not None) == fires


def watch(*reports, minutes, **rest):
    now = AT + timedelta(minutes=minutes)
    return context(*reports, at=now, now=now, trigger="silence", trigger_id=None, **rest)


@pytest.mark.parametrize(("minutes", "fires"), [(19, False), (20, True), (24 * 60, True), (24 * 60 + 1, False)])
def test_r17_pages_when_twenty_minutes_bring_no_temperature(minutes, fires):
    shaking = report(chills=3)
    found = only(watch(shaking, minutes=minutes), "R17")
    assert (found is not None) == fires
    if found is not None:
        assert (found.level, found.key) == ("URGENT", f"R17:{shaking.id}")


def test_r17_is_still_once_a_temperature_came_from_anywhere():
    shaking = report(chills=3)
    assert only(watch(shaking, temperature(ago(minutes=-10), 36.9), minutes=25), "R17") is None
    ward = value("body_temperature", "38.1", ago(minutes=-12))
    assert only(watch(shaking, values=[ward], minutes=25), "R17") is None
    assert only(watch(shaking, minutes=25, window="W5"), "R17") is None


# --- R29 ----------------------------------------------------------------------------------------------


def test_r29_an_antipyretic_on_two_days_without_a_temperature():
    two = [paracetamol(2), paracetamol(26)]
    found = only(asked(chills=0, doses=two), "R29")
    assert found.level == "REVIEW"
    assert "03-09, 03-10" in found.sentence_en
    assert only(asked(chills=0, doses=[paracetamol(2), paracetamol(4)]), "R29") is None


def test_r29_a_temperature_on_one_of_the_days_is_enough():
    two = [paracetamol(2), paracetamol(26)]
    assert only(asked(temperature(ago(30), 36.7), chills=0, doses=two), "R29") is None


def test_r29_looks_three_days_back_and_stays_in_its_windows():
    assert only(asked(chills=0, doses=[paracetamol(2), paracetamol(48)]), "R29") is not None
    assert only(asked(chills=0, doses=[paracetamol(2), paracetamol(72)]), "R29") is None
    assert only(asked(chills=0, doses=[paracetamol(2), paracetamol(26)], window="W4"), "R29") is None
