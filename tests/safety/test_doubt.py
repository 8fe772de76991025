"""S3, S7 and S8 (clinical-safety §3.6): each fires at its limit, not short of it, not outside its condition."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from backend.safety.context import Baseline, Context, Report
from tests.safety.value_builders import NOW, ago, ask, context, dose, fires, report, silent

SECOND = timedelta(seconds=1)


# --- S3 -------------------------------------------------------------------------------------------------------

UNFINISHED = report(form="neuro", neuro_finished="could_not_finish", reporter="carer")


def test_s3_a_check_that_could_not_be_finished_acts_as_r02() -> None:
    sedative = dose("lorazepam", "sedative", ago(24))
    found = fires("S3", context(sedative, UNFINISHED, baseline=Baseline(neuro=Decimal(10))))
    assert (found.level, found.organ, found.red_flag) == ("EMERGENCY", "neuro", True)
    assert "own best score before treatment: 10; sedatives: lorazepam" in found.sentence_en
    assert found.inputs["neuro_baseline"] == Decimal(10)
    assert {fact["source"] for fact in found.inputs["facts"]} == {UNFINISHED.id, sedative.id}


def test_s3_says_what_is_unknown_and_leaves_out_older_sedatives() -> None:
    found = fires("S3", context(dose("lorazepam", "sedative", ago(24) - SECOND), UNFINISHED))
    assert "own best score before treatment: unknown; sedatives: none on record" in found.sentence_en


def test_s3_holds_during_admission() -> None:
    assert ask("S3", context(UNFINISHED, admitted=True)) is not None


@pytest.mark.parametrize(
    "given",
    [
        context(report(form="neuro", neuro_finished="yes", score=Decimal(2))),
        context(report(form="quick", neuro_finished="could_not_finish")),
        context(UNFINISHED, report(temp_c=Decimal("36.5"))),  # another form of the sitting
        context(UNFINISHED, window="W0", day=-3),
        silent(UNFINISHED),
    ],
    ids=["finished", "another form", "another report", "W0", "silence"],
)
def test_s3_quiet(given: Context) -> None:
    assert ask("S3", given) is None


# --- S7, S8 ---------------------------------------------------------------------------------------------------


def readings(*temperatures: str, **rest: Any) -> list[Report]:
    """Four-hourly temperatures, the last one now."""
    count = len(temperatures)
    return [report(ago((count - 1 - n) * 4), temp_c=Decimal(t), **rest) for n, t in enumerate(temperatures)]


def test_s7_the_same_values_four_times() -> None:
    found = fires("S7", context(*readings("36.5", "36.5", "36.5", "36.5", hr=80)))
    assert (found.level, found.organ, found.asks) == ("REVIEW", "data", "temperature")
    assert "The same values in 4 reports in a row" in found.sentence_en
    assert len(found.inputs["received_at"]) == 4
    five = fires("S7", context(*readings("36.5", "36.5", "36.5", "36.5", "36.5")))
    assert five.inputs["received_at"][0] < found.inputs["received_at"][0]


@pytest.mark.parametrize(
    "given",
    [
        context(*readings("36.5", "36.5", "36.5")),
        context(*readings("36.5", "36.6", "36.5", "36.5", "36.5")),
        context(*readings("36.5", "36.5", "36.5", "36.6")),
        context(*readings("36.5", "36.5", "36.5"), report(temp_c=Decimal("36.5"), hr=81)),
        context(*readings("36.5", "36.5", "36.5", "36.5"), report(form="neuro", score=Decimal(10))),
        context(*readings("36.5", "36.5", "36.5", "36.5"), admitted=True),
    ],
    ids=["three", "broken", "another", "other pulse", "no temperature", "admitted"],
)
def test_s7_quiet_while_values_differ(given: Context) -> None:
    assert ask("S7", given) is None


def test_s7_judges_a_report_by_those_before_it() -> None:
    run = readings("36.5", "36.5", "36.5", "36.5", "37.0")
    assert ask("S7", context(*run, trigger_id=run[3].id, at=run[3].at)) is not None
    assert ask("S7", context(*run, trigger_id=run[2].id, at=run[2].at)) is None


def test_s7_an_identical_run_has_one_key() -> None:
    run = readings("36.5", "36.5", "36.5", "36.5", "36.5")
    first = context(*run[:4])
    assert fires("S7", first).key == fires("S7", context(*run)).key


def received(after: timedelta, **rest: Any) -> Context:
    at = ago(20)
    return context(report(at, temp_c=Decimal("36.5"), received_at=at + after, **rest), now=at + after)


def test_s7_an_entry_long_after_the_time_it_speaks_of() -> None:
    found = fires("S7", received(timedelta(hours=12)))
    assert "Received 12 h after" in found.sentence_en
    assert ask("S7", received(timedelta(hours=12) - SECOND)) is None
    assert ask("S7", received(timedelta(hours=12), source="telephone")) is None


@pytest.mark.parametrize(("skew", "expected"), [(601, True), (-601, True), (600, False), (0, False)])
def test_s8_a_clock_more_than_ten_minutes_off(skew: int, expected: bool) -> None:
    given = context(report(skew_s=skew))
    found = ask("S8", given)
    assert (found is not None) is expected
    if found is not None:
        assert (found.level, found.pages) == ("NOTE", False)
        assert found.inputs["facts"][0]["value"] == skew
        assert ("10 min fast" if skew > 0 else "10 min slow") in found.sentence_en


def test_s8_a_phone_that_was_offline() -> None:
    assert "arrived after 1 h" in fires("S8", received(timedelta(hours=1, seconds=1))).sentence_en
    assert ask("S8", received(timedelta(hours=1))) is None
    assert ask("S8", received(timedelta(hours=5), source="ward")) is None
    assert ask("S8", received(timedelta(hours=5), source="phone")) is not None
    assert ask("S8", replace(received(timedelta(hours=5)), admitted=True)) is None


def test_s8_one_note_a_day() -> None:
    morning, evening = context(report(ago(8), skew_s=900), now=ago(8)), context(report(skew_s=900))
    assert fires("S8", morning).key == fires("S8", evening).key
    tomorrow = context(report(NOW + timedelta(hours=3), skew_s=900), now=NOW + timedelta(hours=3))
    assert fires("S8", tomorrow).key != fires("S8", evening).key
