"""L09–L17 (clinical-safety §3.4): each fires at its limit, not short of it, not outside its condition."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from backend.safety.context import Context, Value
from tests.safety.value_builders import INFUSED, NOW, ago, ask, context, fires, value

LATER = {"day": 40, "window": "W4", "infused_at": NOW - timedelta(days=40, hours=1)}
BEFORE_INFUSION: dict[str, Any] = {"day": -2, "window": "W0", "infused_at": None}


def base(code: str, amount: str, **rest: Any) -> Value:
    """The value at infusion."""
    return value(code, amount, INFUSED, **rest)


def level(rule: str, *facts: Any, **rest: Any) -> str | None:
    """How grave the rule finds it; None if it is silent."""
    found = ask(rule, context(*facts, **rest))
    return found.level if found else None


# --- L09–L12 --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "at_infusion", "at_limit", "below_limit"),
    [
        ("creatinine", "60", "90", "89.9"),
        ("upcr", "400", "800", "799"),
        ("urine_protein_24h", "0.8", "1.6", "1.59"),
    ],
)
def test_l09_kidney(code: str, at_infusion: str, at_limit: str, below_limit: str) -> None:
    assert level("L09", base(code, at_infusion), value(code, at_limit)) == "URGENT"
    assert level("L09", base(code, at_infusion), value(code, below_limit)) is None
    assert level("L09", value(code, at_limit)) is None  # no rise is known
    assert level("L09", base(code, at_infusion), value(code, at_limit), window="W0") is None


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ((value("troponin", "10", ago(24)), value("troponin", "14.1", uln="14")), "URGENT"),
        ((value("troponin", "10", ago(24)), value("troponin", "14", uln="14")), None),
        ((value("troponin", "20", ago(24)), value("troponin", "20", uln="14")), None),  # not rising
        ((value("troponin", "3", ago(24), qualifier="<"), value("troponin", "20", uln="14")), "URGENT"),
        ((value("troponin", "10", ago(24), qualifier=">"), value("troponin", "20", uln="14")), None),
        ((value("troponin", "20", uln="14"),), "REVIEW"),  # whether it rises is not known
        ((value("troponin", "10", ago(24)), value("troponin", "20")), None),  # no upper limit
    ],
)
def test_l10_troponin(facts: Any, expected: str | None) -> None:
    assert level("L10", *facts) == expected


@pytest.mark.parametrize(
    ("code", "uln", "at_limit", "below_limit"),
    [("alt", "40", "200.1", "200"), ("ast", "40", "200.1", "200"), ("bilirubin", "20", "60.1", "60")],
)
def test_l11_liver(code: str, uln: str, at_limit: str, below_limit: str) -> None:
    assert level("L11", value(code, at_limit, uln=uln)) == "URGENT"
    assert level("L11", value(code, below_limit, uln=uln)) is None
    assert level("L11", value(code, "9999")) is None  # no upper limit, no multiple of it
    assert level("L11", value("ggt", "9999", uln="40")) is None


def test_l12_igg() -> None:
    assert level("L12", value("igg", "3.99")) == "REVIEW"
    assert level("L12", value("igg", "4")) is None
    assert level("L12", value("igg", "4", qualifier="<")) == "REVIEW"


# --- L13–L16 --------------------------------------------------------------------------------------------------


def relapse(**changes: Any) -> Context:
    """B cells back, anti-dsDNA doubled over its lowest, C3 falling; each part can be changed or dropped (None)."""
    parts: dict[str, Value | None] = {
        "depleted": value("b_cells", "0", ago(days=30)),
        "returned": value("b_cells", "10", ago(days=2)),
        "dsdna_high": value("anti_dsdna", "90", ago(days=38)),
        "dsdna_low": value("anti_dsdna", "20", ago(days=20)),
        "c3_before": value("c3", "0.90", ago(days=20)),
        "c3": value("c3", "0.89", ago(days=1)),
        "dsdna": value("anti_dsdna", "40"),
    }
    return context(*(each for each in (parts | changes).values() if each), **LATER)


def test_l13_relapse_signs_after_b_cell_return() -> None:
    found = fires("L13", relapse())
    assert found.level == "REVIEW"
    assert "B cells are back" in found.sentence_en
    assert {fact["value"] for fact in found.inputs["facts"]} == {
        Decimal(40), Decimal(20), Decimal("0.89"), Decimal("0.90"), Decimal(10),
    }  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"dsdna": value("anti_dsdna", "39.9")},
        {"returned": value("b_cells", "9", ago(days=2))},
        {"depleted": value("b_cells", "10", ago(days=30))},  # never gone, so not back
        {"depleted": None},
        {"c3": value("c3", "0.90", ago(days=1))},
        {"c3_before": None},
        {"dsdna_low": value("anti_dsdna", "20", ago(days=20), qualifier=">")},
        {"c3": value("c3", "0.89", NOW - timedelta(days=46)), "c3_before": value("c3", "0.9", ago(days=50))},
    ],
)
def test_l13_needs_every_part(changes: dict[str, Any]) -> None:
    assert ask("L13", relapse(**changes)) is None


def test_l13_counts_b_cells_gone_at_the_very_instant_of_infusion() -> None:
    infused_at: Any = LATER["infused_at"]
    assert ask("L13", relapse(depleted=value("b_cells", "0", infused_at)))
    assert ask("L13", relapse(depleted=value("b_cells", "0", infused_at - timedelta(seconds=1)))) is None


def test_l13_takes_c4_as_well_and_counts_a_zero_as_the_study_says() -> None:
    c4 = {"c3": value("c4", "0.10", ago(days=1)), "c3_before": value("c4", "0.12", ago(days=20))}
    assert ask("L13", relapse(**c4))
    zero = {"dsdna_low": value("anti_dsdna", "0", ago(days=20))}
    found = fires("L13", relapse(**zero, dsdna=value("anti_dsdna", "2")))
    assert "counted as 1" in found.sentence_en
    assert Decimal(0) in {fact["value"] for fact in found.inputs["facts"]}  # the raw value is kept
    assert ask("L13", relapse(**zero, dsdna=value("anti_dsdna", "1.9"))) is None


def copies(*, now: str, before: str = "200", lowest: str | None = None, day: int = 28, **rest: Any) -> str | None:
    """L14 on `day`: `before` was measured 5 days earlier, `lowest` 10 days earlier."""
    infused = NOW - timedelta(days=day, hours=1)
    values = [value("car_copies", before, ago(days=5)), value("car_copies", now, **rest)]
    values += [value("car_copies", lowest, ago(days=10))] if lowest else []
    window = "W2" if day < 22 else "W3" if day < 31 else "W4"
    return level("L14", *sorted(values, key=lambda v: v.at), day=day, window=window, infused_at=infused)


def test_l14_late_re_expansion() -> None:
    assert copies(now="1000") == "REVIEW"
    assert copies(now="999") is None
    assert copies(now="1000", day=27) is None
    assert copies(now="1000", qualifier="<") is None
    assert copies(now="1000", before="900", lowest="200", day=38) == "REVIEW"  # lowest since day 28
    assert copies(now="1000", before="900", lowest="200", day=37) is None  # that low was on day 27, still rising
    assert copies(now="250", before="0") == "REVIEW"
    assert copies(now="249", before="0") is None
    assert level("L14", value("car_copies", "9000"), **LATER) is None


@pytest.mark.parametrize("code", ["cmv_dna", "ebv_dna"])
def test_l15_viral_dna_newly_positive(code: str) -> None:
    assert level("L15", value(code, "0", ago(days=7)), value(code, "35")) == "URGENT"
    assert level("L15", value(code, "35")) == "URGENT"
    assert level("L15", value(code, "34", qualifier=">")) == "URGENT"
    assert level("L15", value(code, "0")) is None
    assert level("L15", value(code, "34", qualifier="<")) is None
    assert level("L15", value(code, "20", ago(days=7)), value(code, "35")) is None  # known
    assert level("L15", value(code, "34", ago(days=7), qualifier="<"), value(code, "35")) == "URGENT"


@pytest.mark.parametrize("code", ["blood_culture", "urine_culture"])
def test_l15_every_positive_culture(code: str) -> None:
    assert level("L15", value(code, "1", ago(days=1)), value(code, "1")) == "URGENT"
    assert level("L15", value(code, "0")) is None


def release(amount: str | None, code: str = "release_sterility", **rest: Any) -> Context:
    result = value(code, amount, ago(days=10), recorded_at=NOW)
    return context(**({"values": (result,), "trigger": "release", "trigger_id": result.id} | rest))


def test_l16_release_result_positive() -> None:
    found = fires("L16", release("1"))
    assert (found.level, found.organ, found.red_flag) == ("EMERGENCY", "product", True)
    assert "sterility (taken 2026-02-27 21:10, 240 h ago)" in found.sentence_en
    assert "无菌检查" in found.sentence_zh
    assert "Contact the patient" in found.sentence_en


def test_l16_quiet_for_a_negative_a_missing_and_an_ordinary_value() -> None:
    assert ask("L16", release("0")) is None
    assert ask("L16", release(None)) is None
    assert ask("L16", release("1", trigger="value")) is None
    assert ask("L16", release("1", trigger_id="another")) is None


def test_l16_before_infusion_forbids_it_and_an_unknown_test_keeps_its_name() -> None:
    found = fires("L16", release("1", code="release_identity", **BEFORE_INFUSION))
    assert "release_identity" in found.sentence_en
    assert "Do not infuse" in found.sentence_en


# --- L17 ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "grade_3", "short_of_3", "grade_4", "limits"),
    [
        ("anc", "0.99", "1.0", "0.49", {}),
        ("wbc", "1.99", "2.0", "0.99", {}),
        ("platelets", "49", "50", "24", {}),
        ("haemoglobin", "79", "80", None, {}),
        ("alt", "200.1", "200", "800.1", {"uln": "40"}),
        ("ast", "200.1", "200", "800.1", {"uln": "40"}),
        ("bilirubin", "60.1", "60", "200.1", {"uln": "20"}),
        ("creatinine", "300.1", "300", "600.1", {"uln": "100"}),
        ("fibrinogen", "0.99", "1.0", "0.49", {"lln": "2.0"}),
    ],
)
def test_l17_grades_at_the_limits_of_ctcae(
    code: str, grade_3: str, short_of_3: str, grade_4: str | None, limits: dict[str, str]
) -> None:
    found = fires("L17", context(value(code, grade_3, **limits)))
    assert (found.level, found.inputs["grade"], found.inputs["grade_before"]) == ("REVIEW", 3, 0)
    assert "within 24 h" in found.sentence_en
    assert level("L17", value(code, short_of_3, **limits)) is None
    if grade_4 is not None:
        assert fires("L17", context(value(code, grade_4, **limits))).inputs["grade"] == 4


def test_l17_only_when_the_value_before_was_of_a_lower_grade() -> None:
    three, four = value("anc", "0.9", ago(days=1)), value("anc", "0.4", ago(days=1))
    assert level("L17", three, value("anc", "0.8")) is None
    assert level("L17", four, value("anc", "0.8")) is None
    assert fires("L17", context(three, value("anc", "0.4"))).inputs["grade_before"] == 3
    assert level("L17", value("anc", "1.2", ago(days=1)), value("anc", "0.8")) == "REVIEW"


def test_l17_compares_with_the_value_at_infusion_where_that_is_the_measure() -> None:
    assert level("L17", base("creatinine", "50"), value("creatinine", "150.1", uln="100")) == "REVIEW"
    assert level("L17", base("creatinine", "50"), value("creatinine", "150", uln="100")) is None
    assert level("L17", base("alt", "80", uln="40"), value("alt", "400", uln="40")) is None  # abnormal before
    assert level("L17", base("alt", "80", uln="40"), value("alt", "400.1", uln="40")) == "REVIEW"
    assert level("L17", base("fibrinogen", "4"), value("fibrinogen", "2", lln="2")) == "REVIEW"  # fallen by half
    assert level("L17", base("fibrinogen", "4"), value("fibrinogen", "2.1", lln="2")) is None
    assert level("L17", base("fibrinogen", "4", qualifier="<"), value("fibrinogen", "2", lln="2")) is None
    assert fires("L17", context(base("fibrinogen", "4"), value("fibrinogen", "1", lln="1"))).inputs["grade"] == 4


def test_l17_lymphopenia_is_expected() -> None:
    assert level("L17", value("lymphocytes", "0.1")) is None
