"""Answers to a form: taken as given, refused with their place, asked about again, scored, and flagged."""

from decimal import Decimal
from typing import Any

import pytest

from schedules.protocol.definition import Condition, Study
from schedules.protocol.forms import Checked, check_answers, holds, shown_items

QUICK: dict[str, Any] = {
    "temp_c": Decimal("36.6"),
    "temp_site": "armpit",
    "antipyretic": [],
    "chills": 0,
    "dizzy": 0,
    "faint": "no",
    "breath": 0,
    "confused": 0,
    "words": 0,
    "now_any": ["none"],
    "worry": "no",
}
NEURO: dict[str, Any] = {
    "neuro_finished": "yes",
    "neuro_year": 1,
    "neuro_month": 1,
    "neuro_city": 1,
    "neuro_hospital": 1,
    "neuro_naming": 3,
    "neuro_command": 1,
    "neuro_writing": 1,
    "neuro_counting": 1,
}
EVENING: dict[str, Any] = {"wheeze": 0, "puffs": 2}
DOSE = {"name": "paracetamol", "dose_mg": 500, "taken_at": "2026-03-01T07:30:00+08:00"}


def quick(study: Study, **changes: Any) -> Checked:
    return check_answers(study, "quick", {**QUICK, **changes})


def told(checked: Checked) -> list[tuple[str, str]]:
    return [(fault.path, fault.code) for fault in checked.faults]


def without(answers: dict[str, Any], *items: str) -> dict[str, Any]:
    return {key: value for key, value in answers.items() if key not in items}


# --- taken as given ---------------------------------------------------------------------------------------------


def test_a_good_report_is_taken_digit_for_digit(sle: Study) -> None:
    checked = quick(sle, temp_c=Decimal("36.60"), note=None)
    assert told(checked) == []
    assert checked.answers == {**QUICK, "temp_c": Decimal("36.60"), "note": None}
    assert str(checked.answers["temp_c"]) == "36.60"
    assert (checked.asks, checked.score, checked.red_flags) == ((), None, ())


def test_a_text_may_be_as_long_as_the_study_says(sle: Study, mini: Study) -> None:
    assert told(quick(sle, worry="now", note="热" * 500)) == []
    assert told(check_answers(mini, "evening", {**EVENING, "remark": "x" * 20})) == []
    assert told(check_answers(mini, "evening", {**EVENING, "remark": "x" * 21})) == [("/answers/remark", "too_long")]


def test_only_text_is_trimmed(sle: Study) -> None:
    checked = quick(sle, worry="tomorrow", note="  冷得发抖 \n")
    assert told(checked) == []
    assert checked.answers["note"] == "冷得发抖"


@pytest.mark.parametrize("temp", [34, 43, Decimal("34.0"), 36.6, Decimal("3.66e1")])
def test_numbers_of_every_make_within_the_limits(sle: Study, temp: Any) -> None:
    assert told(quick(sle, temp_c=temp)) == []


def test_no_thermometer_is_an_answer(sle: Study) -> None:
    assert told(check_answers(sle, "quick", without(QUICK, "temp_c", "temp_site"))) == []
    assert told(quick(sle, temp_c=None, temp_site=None)) == []


# --- which answers are wanted -----------------------------------------------------------------------------------


@pytest.mark.parametrize("item", [key for key in QUICK if key != "temp_c"])
def test_required_answers_are_there_and_not_null(sle: Study, item: str) -> None:
    assert told(check_answers(sle, "quick", without(QUICK, item))) == [(f"/answers/{item}", "required")]
    assert told(quick(sle, **{item: None})) == [(f"/answers/{item}", "required")]


def test_what_is_not_asked_is_refused(sle: Study) -> None:
    assert told(quick(sle, smell=1, writing="no")) == [
        ("/answers/smell", "unknown_item"),
        ("/answers/writing", "not_in_form"),
    ]
    assert told(check_answers(sle, "noon", QUICK)) == [("/form", "unknown_form")]
    assert told(check_answers(sle, "quick", [QUICK])) == [("/answers", "wrong_type")]


def test_a_follow_up_question_is_wanted_only_when_shown(sle: Study, mini: Study) -> None:
    assert told(quick(sle, temp_c=None)) == [("/answers/temp_site", "hidden")]
    assert told(quick(sle, worry="no", note="still here")) == [("/answers/note", "hidden")]
    assert told(quick(sle, worry="no", note=" ")) == []
    assert told(check_answers(mini, "evening", {"wheeze": 1, "puffs": 0})) == [("/answers/trigger", "required")]
    assert told(check_answers(mini, "evening", {**EVENING, "trigger": ["no"]})) == [("/answers/trigger", "hidden")]


def test_follow_ups_of_a_wrong_answer_are_not_held_against_anybody(sle: Study) -> None:
    """Whether the site is wanted hangs on the temperature, which is the only mistake."""
    assert told(quick(sle, temp_c="38.6")) == [("/answers/temp_c", "wrong_type")]
    assert told(check_answers(sle, "quick", {**without(QUICK, "temp_site"), "temp_c": "38.6"})) == [
        ("/answers/temp_c", "wrong_type")
    ]
    assert told(quick(sle, temp_c="38.6", temp_site="toe")) == [
        ("/answers/temp_c", "wrong_type"),
        ("/answers/temp_site", "unknown_option"),
    ]


def test_a_chain_of_follow_ups(sle: Study) -> None:
    assert told(quick(sle, sbp=118, sbp_repeat=116, dbp_repeat=70)) == []
    assert told(quick(sle, sbp=118, dbp_repeat=70)) == [("/answers/dbp_repeat", "hidden")]
    assert told(quick(sle, sbp_repeat=116, dbp_repeat=70)) == [("/answers/sbp_repeat", "hidden")]


def test_an_entry_that_says_nothing_is_refused(sle: Study) -> None:
    assert told(check_answers(sle, "ward", {})) == [("/answers", "empty")]
    assert told(check_answers(sle, "ward", {"sbp": None})) == [("/answers", "empty")]
    assert told(check_answers(sle, "ward", {"sbp": 104})) == []


def test_shown_items_follow_the_answers(sle: Study) -> None:
    form = sle.forms["quick"]
    assert "temp_site" not in shown_items(form, {})
    assert "temp_site" in shown_items(form, {"temp_c": 36.6})
    assert "dbp_repeat" not in shown_items(form, {"sbp_repeat": 110})  # its own question is hidden
    assert "dbp_repeat" in shown_items(form, {"sbp": 112, "sbp_repeat": 110})


# --- what is wrong with a value -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({"chills": True}, [("/answers/chills", "wrong_type")]),
        ({"chills": "2"}, [("/answers/chills", "wrong_type")]),
        ({"chills": Decimal("2.0")}, [("/answers/chills", "wrong_type")]),
        ({"chills": 4}, [("/answers/chills", "out_of_range")]),
        ({"chills": -1}, [("/answers/chills", "out_of_range")]),
        ({"chills": 10**5000}, [("/answers/chills", "out_of_range")]),
        ({"sbp": 251}, [("/answers/sbp", "out_of_range")]),
        ({"sbp": 49}, [("/answers/sbp", "out_of_range")]),
        ({"sbp": Decimal("118.5")}, [("/answers/sbp", "wrong_type")]),
        ({"temp_c": True}, [("/answers/temp_c", "wrong_type")]),
        ({"temp_c": float("nan")}, [("/answers/temp_c", "wrong_type")]),
        ({"temp_c": Decimal("sNaN")}, [("/answers/temp_c", "wrong_type")]),
        ({"temp_c": Decimal("38.65")}, [("/answers/temp_c", "too_many_decimals")]),
        ({"temp_c": Decimal("38.6" + "0" * 60 + "1")}, [("/answers/temp_c", "too_many_decimals")]),
        ({"faint": "maybe"}, [("/answers/faint", "unknown_option")]),
        ({"faint": False}, [("/answers/faint", "wrong_type")]),
        ({"now_any": "none"}, [("/answers/now_any", "wrong_type")]),
        ({"now_any": []}, [("/answers/now_any", "empty")]),
        ({"now_any": ["none", "chest_pain"]}, [("/answers/now_any", "exclusive")]),
        ({"now_any": ["chest_pain", "toe"]}, [("/answers/now_any/1", "unknown_option")]),
        ({"now_any": ["chest_pain", "chest_pain"]}, [("/answers/now_any/1", "duplicate")]),
        ({"now_any": ["chest_pain", ["x"]]}, [("/answers/now_any/1", "wrong_type")]),
        ({"worry": "now", "note": 5}, [("/answers/note", "wrong_type")]),
        ({"worry": "now", "note": "热" * 501}, [("/answers/note", "too_long")]),
        ({"worry": "now", "note": "a\x00b"}, [("/answers/note", "malformed")]),
        ({"worry": "now", "note": "\ud83d"}, [("/answers/note", "malformed")]),
    ],
)
def test_wrong_values(sle: Study, changes: dict[str, Any], faults: list[tuple[str, str]]) -> None:
    checked = quick(sle, **changes)
    assert told(checked) == faults
    assert checked.answers == {**QUICK, **changes}


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({}, []),
        ({"dose_mg": None}, []),
        ({"dose_mg": Decimal("0.5")}, []),
        ({"name": "other"}, []),
        ({"taken_at": "2026-03-01T07:30:00.250Z"}, []),
        ({"name": "prednisone"}, [("name", "unknown_drug")]),
        ({"name": "aspirin?"}, [("name", "unknown_drug")]),
        ({"name": None}, [("name", "required")]),
        ({"name": ["other"]}, [("name", "unknown_drug")]),
        ({"dose_mg": 0}, [("dose_mg", "wrong_type")]),
        ({"dose_mg": "500"}, [("dose_mg", "wrong_type")]),
        ({"dose_mg": True}, [("dose_mg", "wrong_type")]),
        ({"taken_at": None}, [("taken_at", "required")]),
        ({"taken_at": "2026-03-01T07:30:00"}, [("taken_at", "malformed")]),
        ({"taken_at": "2026-02-30T07:30:00Z"}, [("taken_at", "malformed")]),
        ({"taken_at": "2026-03-01T07:30:00+25:00"}, [("taken_at", "malformed")]),
        ({"taken_at": "07:30"}, [("taken_at", "malformed")]),
        ({"taken_at": 1772321400}, [("taken_at", "malformed")]),
        ({"unit": "mg"}, [("unit", "unknown_key")]),
    ],
)
def test_doses(sle: Study, changes: dict[str, Any], faults: list[tuple[str, str]]) -> None:
    checked = quick(sle, antipyretic=[DOSE, {**DOSE, **changes}])
    assert told(checked) == [(f"/answers/antipyretic/1/{place}", code) for place, code in faults]


def test_doses_of_another_shape(sle: Study) -> None:
    assert told(quick(sle, antipyretic="none")) == [("/answers/antipyretic", "wrong_type")]
    assert told(quick(sle, antipyretic=["paracetamol"])) == [("/answers/antipyretic/0", "wrong_type")]
    assert told(quick(sle, antipyretic=[DOSE] * 21)) == [("/answers/antipyretic", "too_long")]


# --- slips of the thermometer -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("temp", "code", "meant"),
    [
        ("93.0", "looks_like_fahrenheit", None),
        ("100.4", "looks_like_fahrenheit", None),
        ("110", "looks_like_fahrenheit", None),
        ("92.9", "out_of_range", None),
        ("110.1", "out_of_range", None),
        ("386", "looks_mistyped", "38.6"),
        ("365", "looks_mistyped", "36.5"),
        ("355", "looks_mistyped", "35.5"),
        ("395", "looks_mistyped", "39.5"),
        ("83.6", "looks_mistyped", "38.6"),
        ("73.2", "looks_mistyped", "37.2"),
        ("63.8", "looks_mistyped", "36.8"),
        ("400", "out_of_range", None),  # 40.0 would be asked about itself: no suggestion
        ("55.5", "out_of_range", None),
        ("0", "out_of_range", None),
        ("-38.6", "out_of_range", None),
        ("1e400", "out_of_range", None),
    ],
)
def test_impossible_temperatures_are_refused_with_the_likely_slip(
    sle: Study, temp: str, code: str, meant: str | None
) -> None:
    checked = quick(sle, temp_c=Decimal(temp))
    assert told(checked) == [("/answers/temp_c", code)]
    assert checked.answers["temp_c"] == Decimal(temp)
    assert (meant is None) or f"was {meant} meant" in checked.faults[0].message


def test_slips_are_guessed_of_temperatures_only(sle: Study) -> None:
    assert told(check_answers(sle, "ward", {"hr": 386})) == [("/answers/hr", "out_of_range")]
    assert ("/answers/weight_kg", "out_of_range") in told(check_answers(sle, "daily", {"weight_kg": 651}))


@pytest.mark.parametrize(
    ("temp", "asked"),
    [("34.0", True), ("35.4", True), ("35.5", False), ("38.6", False), ("39.5", False), ("39.6", True), ("43.0", True)],
)
def test_unlikely_temperatures_are_taken_and_asked_about(sle: Study, temp: str, asked: bool) -> None:
    checked = quick(sle, temp_c=Decimal(temp))
    assert told(checked) == []
    assert checked.answers["temp_c"] == Decimal(temp)
    assert [(ask.item, ask.code) for ask in checked.asks] == ([("temp_c", "confirm_value")] if asked else [])
    assert all(temp in ask.label.zh and temp in ask.label.en for ask in checked.asks)


def test_asks_follow_the_study_not_the_item_name(mini: Study) -> None:
    def asks(**answers: Any) -> list[str]:
        return [ask.item for ask in check_answers(mini, "evening", {**EVENING, **answers}).asks]

    assert asks(temp_c=Decimal("38.99")) == []
    assert asks(temp_c=Decimal("39.01")) == ["temp_c"]
    assert asks(temp_c=Decimal("35.10")) == []  # this study asks of high values only
    assert asks(puffs=12) == []
    assert asks(puffs=13) == ["puffs"]


# --- score ----------------------------------------------------------------------------------------------------------


def test_neuro_score_is_the_sum_of_ten(sle: Study) -> None:
    assert check_answers(sle, "neuro", NEURO).score == 10
    assert check_answers(sle, "neuro", {**NEURO, "neuro_naming": 1, "neuro_year": 0}).score == 7
    assert check_answers(sle, "neuro", {**NEURO, "neuro_seconds": 95}).score == 10
    best = sum(sle.items[key].max or 0 for key in sle.forms["neuro"].score)
    assert best == 10


def test_a_score_with_a_gap_is_unknown(sle: Study) -> None:
    missing = check_answers(sle, "neuro", without(NEURO, "neuro_city"))
    assert (missing.score, told(missing)) == (None, [("/answers/neuro_city", "required")])
    wrong = check_answers(sle, "neuro", {**NEURO, "neuro_naming": 4})
    assert (wrong.score, told(wrong)) == (None, [("/answers/neuro_naming", "out_of_range")])


def test_a_check_that_could_not_be_finished_has_no_score_and_no_gaps(sle: Study) -> None:
    checked = check_answers(sle, "neuro", {"neuro_finished": "could_not_finish"})
    assert (checked.score, told(checked)) == (None, [])
    kept = check_answers(sle, "neuro", {**NEURO, "neuro_finished": "could_not_finish"})
    assert kept.score is None
    assert {code for _, code in told(kept)} == {"hidden"}


# --- red flags ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        ({"worry": "now"}, ()),
        ({"faint": "near"}, ()),
        ({"faint": "yes"}, ("faint eq yes",)),
        ({"breath": 2, "confused": 1, "words": 1}, ()),
        ({"breath": 3, "confused": 2, "words": 3}, ("breath ge 3", "confused ge 2", "words ge 2")),
        ({"now_any": ["stiff_neck", "cannot_wake"]}, ("now_any contains stiff_neck", "now_any contains cannot_wake")),
    ],
)
def test_red_flags(sle: Study, changes: dict[str, Any], flags: tuple[str, ...]) -> None:
    assert quick(sle, **changes).red_flags == flags


def test_every_dangerous_answer_of_now_any_is_a_red_flag(sle: Study) -> None:
    dangerous = [key for key in sle.items["now_any"].option_keys() if key != "none"]
    assert len(dangerous) == 9
    assert quick(sle, now_any=dangerous).red_flags == tuple(f"now_any contains {key}" for key in dangerous)


def test_a_red_flag_holds_even_in_a_report_with_faults(sle: Study) -> None:
    checked = check_answers(sle, "quick", {"faint": "yes", "chills": 9})
    assert checked.faults
    assert checked.red_flags == ("faint eq yes",)


def test_red_flags_are_the_studys_own(mini: Study) -> None:
    assert check_answers(mini, "evening", {**EVENING, "wheeze": 2, "trigger": ["dust"]}).red_flags == ("wheeze ge 2",)
    assert check_answers(mini, "evening", {**EVENING, "wheeze": 1, "trigger": ["dust"]}).red_flags == ()


@pytest.mark.parametrize(
    ("op", "value", "answer", "expected"),
    [
        ("eq", "yes", "yes", True),
        ("eq", "yes", None, False),
        ("ne", "no", "yes", True),
        ("ne", "no", "no", False),
        ("ne", "no", None, False),
        ("ne", 0, "0", False),
        ("eq", 1, True, False),
        ("eq", 1, Decimal("1.0"), True),
        ("ne", 1, 2, True),
        ("ge", Decimal("37.5"), 37.5, True),
        ("ge", Decimal("37.5"), Decimal("37.4"), False),
        ("le", 3, 3, True),
        ("le", 3, 4, False),
        ("ge", 2, "3", False),
        ("contains", "a", ["b", "a"], True),
        ("contains", "a", "a", False),
        ("contains", "a", None, False),
    ],
)
def test_a_condition_holds_only_of_what_is_known(op: str, value: Any, answer: Any, expected: bool) -> None:
    assert holds(Condition("x", op, value), {"x": answer}) is expected
