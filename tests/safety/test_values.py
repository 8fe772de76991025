"""L01–L08 (clinical-safety §3.4): each fires at its limit, not short of it, not outside its condition."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from backend.safety.context import Baseline, Finding, Report, Value
from tests.safety.value_builders import INFUSED, NOW, RULES, ago, ask, context, dose, fires, report, value

LATER = {"day": 40, "window": "W4", "infused_at": NOW - timedelta(days=40, hours=1)}
BEFORE_INFUSION: dict[str, Any] = {"day": -2, "window": "W0", "infused_at": None}


def base(code: str, amount: str, **rest: Any) -> Value:
    """The value at infusion."""
    return value(code, amount, INFUSED, **rest)


def level(rule: str, *facts: Any, **rest: Any) -> str | None:
    """How grave the rule finds it; None if it is silent."""
    found = ask(rule, context(*facts, **rest))
    return found.level if found else None


@pytest.mark.parametrize("rule", [id for id in RULES if id.startswith("L")])
def test_every_rule_is_asked_only_for_what_triggers_it(rule: str) -> None:
    assert ask(rule, context(report(temp_c=Decimal("39.5"), bleeding=3))) is None
    assert ask(rule, context(value("weight_kg", 60))) is None
    assert ask(rule, context(value("crp", None))) is None


# --- L01, L02 -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ((base("ferritin", "300"), value("ferritin", "600.1")), "REVIEW"),
        ((base("ferritin", "300"), value("ferritin", "600")), None),
        ((value("ferritin", "601", uln="300"),), "REVIEW"),
        ((value("ferritin", "600", uln="300"),), None),
        ((value("ferritin", "9000"),), None),  # nothing to compare with
        ((base("ferritin", "300"), value("ferritin", "600", qualifier=">")), "REVIEW"),
        ((base("ferritin", "300"), value("ferritin", "900", qualifier="<")), None),
        ((base("ferritin", "2000", qualifier=">"), value("ferritin", "9000")), None),
    ],
)
def test_l01_ferritin_over_twice_its_value_at_infusion_or_the_upper_limit(facts: Any, expected: str | None) -> None:
    assert level("L01", *facts) == expected


def test_l01_names_the_comparison_and_only_the_entry_criterion() -> None:
    found = fires("L01", context(base("ferritin", "300"), value("ferritin", "700", ago(3), uln="300")))
    assert "Ferritin 700 µg/L (taken 18:10, 3 h ago)" in found.sentence_en
    assert "the value at infusion, 300 µg/L (2026-03-03 11:10)" in found.sentence_en
    assert "entry criterion" in found.sentence_en
    assert "700 µg/L（18:10 采样，3 小时前）" in found.sentence_zh
    assert {fact["value"] for fact in found.inputs["facts"]} == {Decimal(300), Decimal(700)}


def test_l01_before_infusion_lays_nothing_to_the_cells() -> None:
    found = fires("L01", context(value("ferritin", "700", uln="300"), **BEFORE_INFUSION))
    assert found.compatible_with == ("infection", "flare")


def test_a_value_at_the_very_instant_of_infusion_is_the_comparison_and_not_compared() -> None:
    assert ask("L01", context(value("ferritin", "300", INFUSED - timedelta(days=1)), base("ferritin", "700"))) is None
    assert "crs" in fires("L04", context(base("crp", "60"))).compatible_with  # cells are being given


def test_l01_takes_the_value_at_infusion_from_the_baseline_when_history_is_short() -> None:
    known = Baseline(values={"ferritin": Decimal(300)})
    assert level("L01", value("ferritin", "601"), baseline=known) == "REVIEW"
    assert level("L01", value("ferritin", "600"), baseline=known) is None


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ((value("ferritin", "500", ago(48)), value("ferritin", "1000")), "URGENT"),
        ((value("ferritin", "500", ago(48)), value("ferritin", "999")), None),
        ((value("ferritin", "500", ago(48.1)), value("ferritin", "1000")), None),
        ((value("ferritin", "500", ago(24), qualifier=">"), value("ferritin", "1500")), None),
        ((value("ferritin", "10001"),), "URGENT"),
        ((value("ferritin", "10000"),), None),
        ((value("ferritin", "10000", qualifier=">"),), "URGENT"),
    ],
)
def test_l02_ferritin_doubling_in_two_days_or_extreme(facts: Any, expected: str | None) -> None:
    assert level("L02", *facts) == expected


HIGH = value("ferritin", "601", ago(20), uln="300")


@pytest.mark.parametrize(
    ("sign", "just_short"),
    [
        (value("alt", "201", uln="40"), value("alt", "200", uln="40")),
        (value("ast", "201", uln="40"), value("ast", "200", uln="40")),
        (value("fibrinogen", "1.49"), value("fibrinogen", "1.5")),
        (value("triglycerides", "3.00"), value("triglycerides", "2.99")),
        (value("anc", "0.49"), value("anc", "0.5")),
        (value("platelets", "24"), value("platelets", "25")),
    ],
)
def test_l02_high_ferritin_with_one_further_sign(sign: Value, just_short: Value) -> None:
    assert level("L02", HIGH, sign) == "URGENT"
    assert level("L02", HIGH, just_short) is None
    assert level("L02", replace(HIGH, value=Decimal(600)), sign) is None  # ferritin not high
    assert level("L02", replace(HIGH, at=ago(days=7, minutes=1)), sign) is None  # ferritin too old
    assert level("L02", replace(HIGH, at=ago(days=7)), sign) == "URGENT"
    assert level("L02", replace(sign, at=ago(24)), replace(HIGH, at=NOW)) == "URGENT"  # whichever comes last


def test_l02_a_count_that_was_grade_4_already_is_not_new() -> None:
    high = replace(HIGH, at=NOW)
    assert level("L02", value("anc", "0.4", ago(days=9)), value("anc", "0.3", ago(days=1)), high) is None
    assert level("L02", value("anc", "0.6", ago(days=9)), value("anc", "0.3", ago(days=1)), high) == "URGENT"
    assert level("L02", value("anc", "0.3", ago(days=7)), high) == "URGENT"
    assert level("L02", value("anc", "0.3", ago(days=7, minutes=1)), high) is None


# --- L03 ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ((value("fibrinogen", "1.49"),), "URGENT"),
        ((value("fibrinogen", "1.5"),), None),
        ((value("fibrinogen", "1.5", qualifier="<"),), "URGENT"),
        ((value("fibrinogen", "1.0"),), "URGENT"),
        ((value("fibrinogen", "0.99"),), "EMERGENCY"),
        ((value("fibrinogen", "1.0", qualifier="<"),), "EMERGENCY"),
        ((report(ago(24), bleeding=1), value("fibrinogen", "1.4")), "EMERGENCY"),
        ((report(ago(24.1), bleeding=1), value("fibrinogen", "1.4")), "URGENT"),
        ((report(ago(2), bleeding=0, now_any=["none"]), value("fibrinogen", "1.4")), "URGENT"),
        ((report(ago(2), now_any=["bleeding"]), value("fibrinogen", "1.4")), "EMERGENCY"),
        ((report(ago(2), bleeding=3), value("fibrinogen", "1.5")), None),
    ],
)
def test_l03_fibrinogen_and_bleeding(facts: Any, expected: str | None) -> None:
    assert level("L03", *facts) == expected


def test_l03_counts_bleeding_reported_after_the_sample() -> None:
    sample = value("fibrinogen", "1.4", ago(6))
    assert level("L03", report(ago(1), bleeding=2), sample) == "EMERGENCY"


# --- L04–L06 --------------------------------------------------------------------------------------------------

FEVER = report(ago(24), temp_c=Decimal("37.5"), temp_site="armpit")
NO_FEVER = report(ago(2), temp_c=Decimal("37.4"), temp_site="armpit")
TOCILIZUMAB = dose("tocilizumab", "tocilizumab", ago(days=14), mg=Decimal(480))
TOCILIZUMAB_LONG_AGO = dose("tocilizumab", "tocilizumab", ago(days=14, minutes=1))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ((value("crp", "50"),), "REVIEW"),
        ((value("crp", "49.9"),), None),
        ((value("crp", "50", qualifier="<"),), None),
        ((base("crp", "4"), value("crp", "20")), "REVIEW"),
        ((base("crp", "4"), value("crp", "19.9")), None),
        ((base("crp", "0"), value("crp", "19.9")), None),  # nothing is a multiple of zero
        ((base("crp", "0.5", qualifier="<"), value("crp", "2.5")), "REVIEW"),
        ((FEVER, value("crp", "50")), "URGENT"),
        ((NO_FEVER, value("crp", "50")), "REVIEW"),
        ((replace(FEVER, at=ago(24.1)), value("crp", "50")), "REVIEW"),
        ((FEVER, value("crp", "49.9")), None),
        ((TOCILIZUMAB, FEVER, value("crp", "120")), None),
        ((TOCILIZUMAB_LONG_AGO, value("crp", "120")), "REVIEW"),
    ],
)
def test_l04_crp(facts: Any, expected: str | None) -> None:
    assert level("L04", *facts) == expected


def test_l04_counts_a_fever_measured_on_the_ward_after_the_sample() -> None:
    sample, ward = value("crp", "60", ago(5)), value("body_temperature", "38.4", ago(1), method="ear", source="ward")
    assert level("L04", ward, sample) == "URGENT"
    assert level("L04", replace(ward, value=Decimal("37.5")), sample) == "REVIEW"
    assert level("L04", replace(ward, at=ago(29)), sample) == "URGENT"
    assert level("L04", replace(ward, at=ago(29.1)), sample) == "REVIEW"


def test_l04_says_that_crs_and_infection_cannot_be_told_apart_once_cells_are_given() -> None:
    found = fires("L04", context(FEVER, value("crp", "60")))
    assert "CRS and infection cannot be told apart" in found.sentence_en
    assert "无法区分 CRS 与感染" in found.sentence_zh
    assert {"crs", "infection"} <= set(found.compatible_with)
    earlier = fires("L04", context(value("crp", "60"), **BEFORE_INFUSION))
    assert "CRS" not in earlier.sentence_en
    assert "crs" not in earlier.compatible_with


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ((value("il6", "100"),), "REVIEW"),
        ((value("il6", "99.9"),), None),
        ((base("il6", "5"), value("il6", "50")), "REVIEW"),
        ((base("il6", "5"), value("il6", "49.9")), None),
        ((report(ago(24), chills=1), value("il6", "100")), "URGENT"),
        ((report(ago(24.1), chills=1), value("il6", "100")), "REVIEW"),
        ((report(ago(1), chills=0, fatigue=0, faint="no"), value("il6", "100")), "REVIEW"),
        ((report(ago(1), faint="near"), value("il6", "100")), "URGENT"),
        ((FEVER, value("il6", "100")), "URGENT"),
        ((report(ago(1), chills=3), value("il6", "99")), None),
        ((TOCILIZUMAB, report(ago(1), chills=3), value("il6", "5000")), None),
        ((TOCILIZUMAB_LONG_AGO, value("il6", "5000")), "REVIEW"),
    ],
)
def test_l05_il6(facts: Any, expected: str | None) -> None:
    assert level("L05", *facts) == expected


def test_l05_a_symptom_the_subject_always_had_does_not_count() -> None:
    facts, own = (report(ago(1), fatigue=2), value("il6", "100")), Baseline(symptoms={"fatigue": 2})
    assert level("L05", *facts, baseline=own) == "REVIEW"
    assert level("L05", *facts, baseline=Baseline(symptoms={"fatigue": 1})) == "URGENT"


@pytest.mark.parametrize("code", ["crp", "il6"])
def test_l06_annotates_every_crp_and_il6_after_tocilizumab(code: str) -> None:
    found = fires("L06", context(TOCILIZUMAB, value(code, "1")))
    assert found.level == "NOTE"
    assert "336 h before" in found.sentence_en
    assert "cannot be told apart" in found.sentence_en
    assert "不能区分二者" in found.sentence_zh
    assert found.inputs["tocilizumab"]["source"] == TOCILIZUMAB.id
    assert level("L06", TOCILIZUMAB_LONG_AGO, value(code, "1")) is None
    assert level("L06", value(code, "1")) is None
    assert level("L06", TOCILIZUMAB, value("ferritin", "1")) is None


def test_l04_and_l06_go_by_the_time_of_the_sample_not_of_its_result() -> None:
    given = dose("tocilizumab", "tocilizumab", ago(4))
    assert level("L04", given, value("crp", "60", ago(5))) == "REVIEW"  # drawn before the drug
    assert level("L06", given, value("crp", "60", ago(5))) is None
    assert level("L06", given, value("crp", "60", ago(3))) == "NOTE"


# --- L07, L08 -------------------------------------------------------------------------------------------------


def counts(*amounts: str | tuple[str, str], every_d: float = 1) -> list[Value]:
    """Daily ANC values, the last one now; a tuple carries its qualifier."""
    pairs = [each if isinstance(each, tuple) else (each, "") for each in amounts]
    return [
        value("anc", amount, ago(days=(len(pairs) - 1 - place) * every_d), qualifier=qualifier)
        for place, (amount, qualifier) in enumerate(pairs)
    ]


@pytest.mark.parametrize(
    ("amounts", "expected"),
    [
        (["0.49"], "REVIEW"),
        (["0.5"], None),
        ([("0.5", "<")], "REVIEW"),
        ([("0.5", ">")], None),
        (["0.6", "0.4"], "REVIEW"),
        (["0.4", "0.4"], None),  # not the first
        (["0.4", "0.6", "0.6", "0.4"], None),  # two days do not end a spell
        (["0.4", "0.6", "0.6", "0.6", "0.4"], "REVIEW"),  # three do: first of a new one
        (["0.4"] * 14, "URGENT"),
        (["0.4"] * 13, None),
        (["0.4"] * 6 + ["0.9", "0.9"] + ["0.4"] * 6, "URGENT"),
        (["0.4"] * 5 + ["0.9"] * 3 + ["0.4"] * 6, None),
        (["0.1"] * 7, "URGENT"),
        (["0.1"] * 6, None),
        (["0.2"] + ["0.1"] * 6, None),
        ([("0.1", "<")] * 7, "URGENT"),
        ([("0.4", "<")] * 7, None),  # perhaps, but not certainly at most 0.1
        (["0.1"] * 6 + ["0.4"], None),
    ],
)
def test_l07_neutrophils_by_depth_and_duration(amounts: list[Any], expected: str | None) -> None:
    assert level("L07", *counts(*amounts)) == expected


@pytest.mark.parametrize("amounts", [["0.4"] * 14, ["0.1"] * 7])
def test_l07_a_long_spell_is_not_told_as_its_first_value(amounts: list[str]) -> None:
    assert "first value" not in fires("L07", context(*counts(*amounts))).sentence_en
    assert "first value below 0.5" in fires("L07", context(*counts("0.4"))).sentence_en


def test_l07_takes_days_without_a_value_as_those_around_them_and_says_so() -> None:
    found = fires("L07", context(*counts("0.3", "0.4", every_d=13)))
    assert (found.level, found.inputs["days_below"]) == ("URGENT", 14)
    assert "<0.5 for 14 days (2 values; days without one" in found.sentence_en


@pytest.mark.parametrize(
    ("code", "amount", "expected"),
    [
        ("platelets", "20", None),
        ("platelets", "19", "URGENT"),
        ("platelets", "10", "URGENT"),
        ("platelets", "9", "EMERGENCY"),
        ("haemoglobin", "70", None),
        ("haemoglobin", "69", "URGENT"),
        ("haemoglobin", "9", "URGENT"),
        ("wbc", "1", None),
    ],
)
def test_l08_platelets_and_haemoglobin(code: str, amount: str, expected: str | None) -> None:
    assert level("L08", value(code, amount)) == expected


# --- what every sentence keeps ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "found",
    [
        fires("L02", context(HIGH, value("anc", "0.4"))),
        fires("L05", context(report(ago(1), chills=2), value("il6", "300"))),
        fires("L09", context(base("creatinine", "60"), value("creatinine", "120"))),
        fires("L15", context(value("blood_culture", "1"))),
    ],
    ids=["L02", "L05", "L09", "L15"],
)
def test_inputs_name_every_number_with_its_time_and_source(found: Finding) -> None:
    for fact in found.inputs["facts"]:
        assert fact["value"] is not None
        assert fact["at"].tzinfo is not None
        assert fact["source"]


def test_a_corrected_or_later_value_than_the_evaluated_one_plays_no_part() -> None:
    asked = value("anc", "0.4", ago(days=2))
    later = value("anc", "0.3")
    given = context(asked, later, trigger_id=asked.id, at=asked.at)
    assert fires("L07", given).level == "REVIEW"


def test_a_report_without_answers_is_no_symptom() -> None:
    odd: Report = report(ago(1), chills="2", bleeding=True, now_any="bleeding")
    assert level("L05", odd, value("il6", "100")) == "REVIEW"
    assert level("L03", odd, value("fibrinogen", "1.4")) == "URGENT"
