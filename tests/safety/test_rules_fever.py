"""R08–R12, R27 and R31 at, below and outside their limits (clinical-safety §2.2, §3.3)."""

from decimal import Decimal

import pytest

from backend.safety.rules import temperature as heat
from tests.safety.builders import (
    AT,
    SETTINGS,
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

# --- §2.2: what a reading amounts to ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("site", "degrees", "state"),
    [
        ("armpit", "38.0", heat.DEFINITE),
        ("armpit", "37.95", heat.DEFINITE),  # rounded half up
        ("armpit", "37.94", heat.PROBABLE),
        ("armpit", "37.5", heat.PROBABLE),
        ("armpit", "37.4", heat.WATCH),
        ("armpit", "37.3", heat.WATCH),
        ("armpit", "37.2", None),
        ("forehead", "37.5", heat.PROBABLE),
        ("forehead", "37.4", None),
        ("mouth", "37.6", heat.PROBABLE),
        ("mouth", "37.5", None),
        ("ear", "37.6", heat.PROBABLE),
        ("ear", "37.5", None),
        *((site, "38.0", heat.DEFINITE) for site in ("mouth", "ear", "forehead", "core")),
        *((site, "37.9", heat.PROBABLE) for site in ("mouth", "ear", "forehead", "core", None)),
        ("core", "37.6", heat.PROBABLE),
        ("core", "37.5", None),
        (None, "37.4", None),
        (None, "38.0", heat.DEFINITE),
        (None, "37.5", heat.PROBABLE),  # unknown site: the default limit
    ],
)
def test_a_reading_is_judged_by_its_site(site, degrees, state):
    given = context(report(temp_c=Decimal(degrees), temp_site=site))
    assert heat.state(given, heat.temperature(given)) == state


@pytest.mark.parametrize(
    ("minutes", "site", "state"),
    [
        (9, "armpit", heat.PROBABLE),
        (10, "armpit", heat.REPEATED),
        (90, "armpit", heat.REPEATED),
        (91, "armpit", heat.PROBABLE),
        (20, "ear", heat.PROBABLE),
    ],
)
def test_a_repeat_is_the_same_site_ten_to_ninety_minutes_later(minutes, site, state):
    given = asked(temperature(ago(minutes=minutes), 37.7, site), temp_c=37.5)
    assert heat.state(given, heat.temperature(given)) == state


# --- R11 ----------------------------------------------------------------------------------------------


def test_r11_pages_at_38_and_says_everything_the_template_wants():
    given = asked(
        temp_c=38.2,
        chills=3,
        doses=[paracetamol(3)],
        values=[value("anc", 0.6, ago(19))],
        baseline=baseline(temperature={"armpit/16-22": median(36.6)}),
    )
    found = only(given, "R11")
    assert found is not None
    assert (found.level, found.organ, found.asks) == ("URGENT", "fever", "repeat_temperature_15min")
    assert found.sentence_en == (
        "Day +6, 21:10. Armpit 38.2 °C (baseline for evening 36.6, n=7, +1.6). Paracetamol 1000 mg 3 h ago. "
        "Shaking chills. Compatible with CRS grade ≥1 if no other cause; infection not excluded: ANC 0.6 (19 h ago). "
        "The two cannot be told apart remotely."
    )
    assert found.sentence_zh == (
        "第 +6 天，21:10。腋温 38.2 °C（傍晚基线 36.6，n=7，+1.6）。3 小时前用对乙酰氨基酚 1000 mg。寒战。"
        "如无其他原因，与 CRS ≥1 级相符；不能排除感染：ANC 0.6（19 小时前）。远程无法区分二者。"
    )


def test_r11_keeps_the_raw_value_with_site_time_source_and_reporter():
    found = only(asked(temp_c=37.96, reporter="carer"), "R11")
    assert found is not None
    assert found.inputs["facts"] == [
        {
            "name": "temp_c",
            "value": Decimal("37.96"),
            "at": AT,
            "source": "r101310quick",
            "reporter": "carer",
            "site": "armpit",
        }
    ]
    assert found.thresholds == {}
    assert found.version == 1


def test_r11_is_quiet_just_below_and_outside_its_windows():
    assert only(asked(temp_c=37.9), "R11") is None
    assert only(asked(temp_c=38.0, window="W4"), "R11") is None
    assert only(asked(temp_c=None), "R11") is None


@pytest.mark.parametrize(("hours", "said"), [(48, "ANC 0.9 (48 h ago)"), (49, "ANC unknown in the last 48 h")])
def test_r11_says_an_old_anc_is_unknown(hours, said):
    """§3.3 R09: no ANC in 48 h: R11 stays URGENT and its text says so."""
    found = only(asked(temp_c=38.0, values=[value("anc", 0.9, ago(hours))]), "R11")
    assert found is not None
    assert found.level == "URGENT"
    assert said in found.sentence_en


def test_r11_says_anc_unknown_when_there_never_was_one():
    found = only(asked(temp_c=38.0), "R11")
    assert found is not None
    assert "infection not excluded: ANC unknown." in found.sentence_en
    assert "ANC 未知" in found.sentence_zh


def test_r11_says_how_old_a_late_report_is():
    """§3.6: a phone entry that arrives late pages with "measured n hours ago"."""
    found = only(asked(temp_c=38.0, now=ago(-5)), "R11")
    assert found is not None
    assert "Measured 5 h ago." in found.sentence_en
    assert "5 小时前测量。" in found.sentence_zh


def test_a_ward_temperature_is_a_fever_as_well():
    found = only(context(values=[value("body_temperature", "38.0", method="ear")]), "R11")
    assert found is not None
    assert found.inputs["facts"][0]["reporter"] == "staff"


def test_a_value_that_is_no_temperature_does_not_raise_the_fever_again():
    given = context(temperature(ago(minutes=30), 38.5), values=[value("crp", 40)])
    assert only(given, "R11") is None


@pytest.mark.parametrize(("minutes", "said"), [(60, True), (59, False)])
def test_a_report_is_called_late_from_one_hour(minutes, said):
    found = only(asked(temp_c=38.0, now=ago(minutes=-minutes)), "R11")
    assert ("Measured 1 h ago." in found.sentence_en) == said


@pytest.mark.parametrize(("minutes", "fires"), [(60, True), (61, False)])
def test_a_temperature_stands_for_an_hour(minutes, fires):
    """The forms of one slot are one sitting: a pulse within it is held against its temperature."""
    given = context(temperature(ago(minutes=minutes), 38.4), values=[value("hr", 130)])
    assert (only(given, "R08") is not None) == fires


# --- R08 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sign",
    [
        {"hr": 120},
        {"chills": 3},
        {"faint": "yes"},
        {"faint": "near"},
        {"dizzy": 2},
        {"breath": 2},
        {"breath": 3},
        {"spo2": 93},
        {"sbp": 89},
    ],
)
def test_r08_fires_for_fever_with_any_of_its_signs(sign):
    found = fired(asked(temp_c=38.0, **sign))["R08"]
    assert found.level == "EMERGENCY"
    assert found.red_flag
    assert {next(iter(sign)), "temp_c"} <= {fact["name"] for fact in found.inputs["facts"]}


@pytest.mark.parametrize("sign", [{"hr": 119}, {"chills": 2}, {"dizzy": 1}, {"breath": 1}, {"spo2": 94}, {"sbp": 90}])
def test_r08_is_quiet_just_below_every_sign(sign):
    assert "R08" not in fired(asked(temp_c=38.0, **sign))


def test_r08_needs_definite_fever_and_its_window():
    assert "R08" not in fired(asked(temp_c=37.9, hr=130))
    assert "R08" not in fired(asked(temp_c=38.5, hr=130, window="W4", day=40))


@pytest.mark.parametrize(("sign", "key"), [({"sbp": 80}, "crs_hypotension"), ({"spo2": 91}, "crs_hypoxia")])
def test_r08_says_possible_grade_two_and_never_more(sign, key):
    """§1.1: remote data never yield grade 3 or 4."""
    found = fired(asked(temp_c=38.5, **sign))["R08"]
    assert key in found.compatible_with
    assert "possible CRS grade ≥2" in found.sentence_en
    assert "grade ≥3" not in found.sentence_en
    assert "grade 4" not in found.sentence_en


# --- R09 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("anc", "hours", "fires"),
    [("0.49", 10, True), ("0.5", 10, False), ("0.4", 72, True), ("0.4", 73, False)],
)
def test_r09_needs_an_anc_below_half_of_the_last_72_hours(anc, hours, fires):
    found = only(asked(temp_c=38.0, values=[value("anc", anc, ago(hours))]), "R09")
    assert (found is not None) == fires
    if found is not None:
        assert found.level == "EMERGENCY"
        assert f"ANC {Decimal(anc)} ({hours} h ago)" in found.sentence_en


def test_r09_reads_a_less_than_value_as_below():
    assert only(asked(temp_c=38.0, values=[value("anc", "0.5", ago(5), qualifier="<")]), "R09") is not None
    assert only(asked(temp_c=38.0, values=[value("anc", "0.4", ago(5), qualifier=">")]), "R09") is None


def test_r09_also_fires_when_the_anc_comes_back_after_the_fever():
    early, late = temperature(ago(24), 38.4), temperature(ago(24.1), 38.4)
    assert only(context(early, values=[value("anc", "0.3")]), "R09") is not None
    assert only(context(late, values=[value("anc", "0.3")]), "R09") is None


def test_r09_sees_a_fever_measured_after_the_blood_was_drawn():
    given = context(temperature(ago(-2), 38.4), values=[value("anc", "0.3")], now=ago(-4))
    assert only(given, "R09") is not None


def test_r09_outside_its_windows_is_quiet():
    assert only(asked(temp_c=39.0, values=[value("anc", "0.1", ago(5))], window="W5"), "R09") is None


# --- R10 ----------------------------------------------------------------------------------------------


def test_r10_at_39_in_one_reading():
    assert only(asked(temp_c=39.0), "R10").level == "EMERGENCY"
    assert only(asked(temp_c=38.94), "R10") is None
    assert only(asked(temp_c=39.0, window="W0"), "R10") is None


@pytest.mark.parametrize(
    ("minutes", "earlier", "now", "fires"),
    [
        (60, 38.0, 38.0, True),
        (59, 38.0, 38.0, False),
        (120, 37.9, 38.4, False),
        (120, 38.4, 37.9, False),
        (24 * 60, 38.2, 38.2, True),
        (24 * 60 + 1, 38.2, 38.2, False),
    ],
)
def test_r10_at_38_twice_an_hour_apart(minutes, earlier, now, fires):
    found = only(asked(temperature(ago(minutes=minutes), earlier), temp_c=now), "R10")
    assert (found is not None) == fires


def test_r10_shows_the_curve():
    found = only(asked(temperature(ago(2), 38.1), temp_c=38.3, doses=[paracetamol(1, 500)]), "R10")
    assert "Earlier fever: 38.1 °C at 19:10." in found.sentence_en
    assert "Paracetamol 500 mg 1 h ago." in found.sentence_en


# --- R12 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [{"chills": 1}, {"malaise": 1}])
def test_r12_pages_for_probable_fever_with_a_sign(sign):
    found = only(asked(temp_c=37.5, **sign), "R12")
    assert found.level == "URGENT"
    assert found.drives == sign
    assert "Below the definite-fever limit of this site" in found.sentence_en


def test_r12_pages_for_a_repeated_probable_fever_and_rests_on_no_symptom():
    found = only(asked(temperature(ago(minutes=20), 37.6), temp_c=37.5, chills=1), "R12")
    assert (found.level, found.drives) == ("URGENT", {})


def test_r12_asks_for_a_repeat_before_it_pages():
    found = only(asked(temp_c=37.9, chills=0, malaise=0), "R12")
    assert (found.level, found.asks) == ("NOTE", "repeat_temperature_15min")
    assert found.inputs["first_reading"] is True


def test_r12_asks_to_measure_again_in_an_hour_in_the_watch_range():
    found = only(asked(temp_c=37.3, chills=2), "R12")
    assert (found.level, found.asks) == ("NOTE", "repeat_temperature_60min")
    assert only(asked(temp_c=37.2, chills=2), "R12") is None


def test_r12_leaves_definite_fever_to_r11_and_stays_in_its_windows():
    assert only(asked(temp_c=38.0, chills=1), "R12") is None
    assert only(asked(temp_c=37.8, chills=1, window="W4"), "R12") is None


# --- R27 ----------------------------------------------------------------------------------------------


def test_r27_late_fever_is_infection_first_with_the_values_that_matter():
    found = fired(
        asked(
            temp_c=38.0,
            window="W4",
            day=60,
            values=[value("igg", "3.1", ago(48)), value("b_cells", 0, ago(48))],
            doses=[dose("aciclovir", "antiviral", ago(500), stop=None)],
        )
    )["R27"]
    assert (found.level, found.compatible_with[0]) == ("URGENT", "infection")
    assert "IgG 3.1 (48 h ago), ANC unknown, B cells 0 (48 h ago)" in found.sentence_en
    assert "Anti-infectives: aciclovir." in found.sentence_en


@pytest.mark.parametrize(
    ("sign", "level"),
    [
        ({"sbp": 96}, "EMERGENCY"),  # 20 % below 120
        ({"sbp": 97}, "URGENT"),
        ({"spo2": 93}, "EMERGENCY"),
        ({"spo2": 94}, "URGENT"),
        ({"confused": 1}, "EMERGENCY"),
        ({"confused": 0}, "URGENT"),
        ({"faint": "yes"}, "EMERGENCY"),
        ({"seizure_weak": "yes"}, "EMERGENCY"),
    ],
)
def test_r27_is_an_emergency_with_a_pressure_oxygen_or_neuro_sign(sign, level):
    own = baseline(vitals={"sbp": median(120), "spo2": median(96)})
    assert fired(asked(temp_c=38.0, window="W5", day=100, baseline=own, **sign))["R27"].level == level


@pytest.mark.parametrize(
    ("usual", "spo2", "level"),
    [(98, 95, "EMERGENCY"), (98, 96, "URGENT"), (None, 93, "EMERGENCY"), (None, 94, "URGENT")],
)
def test_r27_reads_oxygen_against_the_limit_and_the_own_normal(usual, spo2, level):
    own = baseline(vitals={} if usual is None else {"spo2": median(usual)})
    assert fired(asked(temp_c=38.0, window="W5", day=100, baseline=own, spo2=spo2))["R27"].level == level


def test_r27_below_the_limit_and_in_the_early_windows_is_quiet():
    assert "R27" not in fired(asked(temp_c=37.9, window="W4", day=60))
    assert "R27" not in fired(asked(temp_c=39.5))


# --- R31 ----------------------------------------------------------------------------------------------


def test_r31_fever_before_infusion():
    given = asked(temp_c=38.0, window="W0", day=-1, values=[value("crp", 22, ago(30))])
    found = only(given, "R31")
    assert (found.level, found.compatible_with) == ("URGENT", ("infection",))
    assert found.inputs["review_before_infusing"] is True
    assert found.sentence_en.startswith("Day -1, 21:10.")
    assert "CRP 22 (30 h ago)" in found.sentence_en


def test_r31_probable_fever_only_when_repeated():
    first = only(asked(temp_c=37.5, window="W0", day=None), "R31")
    assert (first.level, first.asks) == ("NOTE", "repeat_temperature_15min")
    assert first.sentence_en.startswith("Before infusion (not dated), 21:10.")
    again = only(asked(temperature(ago(minutes=15), 37.5), temp_c=37.5, window="W0", day=None), "R31")
    assert again.level == "URGENT"


@pytest.mark.parametrize(("chills", "level"), [(0, "NOTE"), (1, "URGENT")])
def test_r31_probable_fever_with_chills_is_treated_as_fever(chills, level):
    assert only(asked(temp_c=37.5, chills=chills, window="W0", day=-1), "R31").level == level


def test_r31_below_and_outside_its_window():
    assert only(asked(temp_c=37.4, window="W0", day=-2), "R31") is None
    assert only(asked(temp_c=38.5, window="W1", day=0), "R31") is None


def test_the_settings_of_the_builders_are_read_as_decimals():
    assert SETTINGS["fever"]["definite"]["armpit"] == Decimal("38.0")


@pytest.mark.parametrize(("hours", "said"), [(0, "just taken or ongoing."), (0.4, "<1 h ago."), (1.6, "2 h ago.")])
def test_how_long_ago_a_medicine_was_taken(hours, said):
    assert f"Paracetamol 1000 mg {said}" in only(asked(temp_c=38.0, doses=[paracetamol(hours)]), "R11").sentence_en
