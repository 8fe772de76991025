"""R01–R03 and R32 at, below and outside their limits (clinical-safety §2.4, §3.3)."""

from decimal import Decimal

import pytest

from tests.safety.builders import FULL_NEURO, ago, asked, baseline, context, dose, only, report


def check(score, **rest):
    return asked(form="neuro", score=Decimal(score), answers=dict(FULL_NEURO), **rest)


# --- R01 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answers", [{"seizure_weak": "yes"}, {"now_any": ["seizure_weak"]}, {"now_any": ["chest_pain", "cannot_wake"]}]
)
@pytest.mark.parametrize("window", ["W0", "W1", "W2", "W3", "W4", "W5"])
def test_r01_in_any_window(answers, window):
    found = only(asked(window=window, **answers), "R01")
    assert (found.level, found.organ, found.red_flag) == ("EMERGENCY", "neuro", True)


def test_r01_states_which_answer_who_and_when():
    found = only(asked(now_any=["cannot_wake"], reporter="carer"), "R01")
    assert "Reported by the carer at 21:10: present now: cannot be woken." in found.sentence_en
    assert "照护者于 21:10 报告：现在有：叫不醒。" in found.sentence_zh


@pytest.mark.parametrize("answers", [{"seizure_weak": "no"}, {"now_any": ["none"]}, {"now_any": ["chest_pain"]}])
def test_r01_is_quiet_otherwise(answers):
    assert only(asked(**answers), "R01") is None


# --- R02 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "fires"),
    [
        ({"confused": 2}, True),
        ({"confused": 1}, False),
        ({"words": 2}, True),
        ({"words": 1}, False),
        ({"neuro_finished": "could_not_finish"}, True),
        ({"neuro_finished": "yes"}, False),
    ],
)
def test_r02_on_answers(answers, fires):
    found = only(asked(**answers), "R02")
    assert (found is not None) == fires
    if found is not None:
        assert (found.level, found.red_flag) == ("EMERGENCY", True)


@pytest.mark.parametrize(
    ("score", "own", "fires"),
    [(6, 6, True), (7, 9, False), (7, 10, True), (6, None, True), (8, None, False), (7, None, True)],
)
def test_r02_on_the_neuro_check(score, own, fires):
    """At or below six, or three below own best; without a baseline the full ten stands for it."""
    given = check(score, baseline=baseline(neuro=None if own is None else Decimal(own)))
    assert (only(given, "R02") is not None) == fires


def test_r02_names_lost_items_and_sedatives():
    given = asked(
        form="neuro",
        score=Decimal(6),
        answers={**FULL_NEURO, "neuro_naming": 1, "neuro_counting": 0, "neuro_writing": 0},
        baseline=baseline(neuro=Decimal(10)),
        doses=[dose("lorazepam", "sedative", ago(24), 1), dose("other_sedative", "sedative", ago(25), 1)],
    )
    found = only(given, "R02")
    assert "Neuro check 6/10 (own baseline 10); items lost: naming, writing, counting." in found.sentence_en
    assert "Sedatives: lorazepam." in found.sentence_en


@pytest.mark.parametrize(("item", "full"), list(FULL_NEURO.items()))
def test_r02_every_item_below_its_full_score_is_lost(item, full):
    given = asked(form="neuro", score=Decimal(6), answers={**FULL_NEURO, item: full - 1})
    name = item.removeprefix("neuro_")
    assert f"items lost: {name}." in only(given, "R02").sentence_en


def test_r02_reads_the_forms_of_one_sitting_together():
    neuro = report(ago(minutes=5), form="neuro", score=Decimal(5), **FULL_NEURO)
    assert only(context(neuro, report(confused=0)), "R02") is not None
    old = report(ago(minutes=61), form="neuro", score=Decimal(5), **FULL_NEURO)
    assert only(context(old, report(confused=0)), "R02") is None


def test_r02_an_unscored_check_is_unknown_not_zero():
    assert only(asked(form="neuro", neuro_year=1), "R02") is None


def test_r02_outside_its_windows():
    assert only(asked(confused=3, window="W4"), "R02") is None
    assert only(asked(confused=3, window="W0"), "R02") is None


# --- R03 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "fires"),
    [
        ({"confused": 1}, True),
        ({"confused": 0}, False),
        ({"confused": 2}, False),  # R02's
        ({"words": 1}, True),
        ({"words": 0}, False),
        ({"writing": "yes"}, True),
        ({"writing": "unsure"}, False),
        ({"writing": "no"}, False),
    ],
)
def test_r03_on_answers(answers, fires):
    found = only(asked(**answers), "R03")
    assert (found is not None) == fires
    if found is not None:
        assert (found.level, found.red_flag) == ("URGENT", False)


@pytest.mark.parametrize(("score", "own", "fires"), [(9, 10, True), (8, 10, True), (7, 10, False), (10, 10, False)])
def test_r03_on_a_small_drop(score, own, fires):
    assert (only(check(score, baseline=baseline(neuro=Decimal(own))), "R03") is not None) == fires


def test_r03_a_check_below_ten_without_baseline_is_a_drop():
    assert only(check(9), "R03") is not None


def test_r03_rests_on_the_scale_alone_when_nothing_else_speaks():
    assert only(asked(confused=1), "R03").drives == {"confused": 1}
    assert only(asked(confused=1, writing="yes"), "R03").drives == {}


def test_r03_outside_its_windows():
    assert only(asked(confused=1, window="W5"), "R03") is None


# --- R32 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "level"),
    [
        ({"seizure_weak": "yes"}, "EMERGENCY"),
        ({"confused": 2}, "EMERGENCY"),
        ({"words": 2}, "EMERGENCY"),
        ({"confused": 1}, "URGENT"),
        ({"words": 1}, "URGENT"),
    ],
)
@pytest.mark.parametrize("window", ["W4", "W5"])
def test_r32_takes_the_levels_of_r01_to_r03(answers, level, window):
    found = only(asked(form="weekly", window=window, day=100, **answers), "R32")
    assert found.level == level
    assert found.red_flag == (level == "EMERGENCY")


def test_r32_is_quiet_below_and_before_its_windows():
    assert only(asked(confused=0, words=0, seizure_weak="no", window="W4"), "R32") is None
    assert only(asked(confused=3, window="W3"), "R32") is None


def test_neuro_sentences_never_grade_icans():
    for answers in ({"confused": 3}, {"seizure_weak": "yes"}, {"words": 1}):
        for rule in ("R01", "R02", "R03"):
            found = only(asked(**answers), rule)
            if found is not None:
                assert "staff ICE decides" in found.sentence_en
                assert "grade" not in found.sentence_en
