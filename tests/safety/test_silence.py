"""S1, S2, S4–S6 (clinical-safety §3.6): each fires at its limit, not short of it, not outside its condition."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from backend.safety.context import Baseline, Context, EpisodeView, Report, Slot
from tests.safety.value_builders import NOW, ago, ask, dose, fires, report, silent, slot

SECOND = timedelta(seconds=1)
SILENCE_RULES = ("S1", "S2", "S4", "S5", "S6")
W3: dict[str, Any] = {"day": 25, "window": "W3"}
W4: dict[str, Any] = {"day": 44, "window": "W4"}


def episode(level: str = "URGENT", **rest: Any) -> EpisodeView:
    known: dict[str, Any] = {"contacted_at": None, "highest_temperature": None, "organs": ("fever",)}
    return EpisodeView(level=level, opened_at=ago(3), **(known | rest))


def later(given: Context, **passed: float) -> Context:
    """The same facts, asked about some time later."""
    now = given.now + timedelta(**passed)
    return replace(given, now=now, at=now)


# --- S1 -------------------------------------------------------------------------------------------------------


def test_s1_a_late_report_is_a_note_that_asks_for_the_nudge() -> None:
    found = fires("S1", silent(slot(ago(1))))
    assert (found.level, found.asks, found.pages) == ("NOTE", "nudge", False)
    assert found.key == f"S1:{slot(ago(1)).id}"
    assert "due at 20:10 has not come; 1 h have passed" in found.sentence_en
    assert "20:10 的报告尚未收到" in found.sentence_zh


@pytest.mark.parametrize(
    "given",
    [
        silent(slot(ago(1) + SECOND)),
        silent(slot(ago(1), done=True)),
        silent(slot(ago(1), announced=False)),
        silent(slot(ago(1)), admitted=True),
        silent(slot(ago(1)), window="W1"),
        silent(slot(ago(1)), window="W4"),
        silent(slot(ago(5)), report(ago(1))),  # a report off the timetable is a report
        silent(slot(ago(30), weekly=True)),
        silent(),
    ],
    ids=["in time", "done", "unannounced", "admitted", "W1", "W4", "unscheduled report", "weekly", "no slot"],
)
def test_s1_quiet(given: Context) -> None:
    assert ask("S1", given) is None


def test_s1_speaks_of_the_last_late_report() -> None:
    assert fires("S1", silent(slot(ago(6)), slot(ago(1)))).key == f"S1:{slot(ago(1)).id}"


# --- S2 -------------------------------------------------------------------------------------------------------

LAST = report(ago(12))


def test_s2_two_missed_in_a_row_in_w2() -> None:
    found = fires("S2", silent(LAST, slot(ago(7)), slot(ago(2))))
    assert (found.level, found.organ, found.pages) == ("URGENT", "silence", True)
    assert "2 reports missed in a row (14:10, 19:10)" in found.sentence_en
    assert "Last report 09:10 (12 h ago)" in found.sentence_en
    assert "连续未收到 2 次报告" in found.sentence_zh


@pytest.mark.parametrize(
    "given",
    [
        silent(LAST, slot(ago(7)), slot(ago(2) + SECOND)),  # the second is still open
        silent(LAST, slot(ago(2))),
        silent(LAST, slot(ago(12)), slot(ago(7), done=True), slot(ago(2))),  # not in a row
        silent(LAST, slot(ago(7)), slot(ago(2), announced=False)),
        silent(report(ago(4)), slot(ago(7)), slot(ago(2))),  # spoke in between
        silent(report(ago(7)), slot(ago(7)), slot(ago(2))),
        silent(report(NOW), slot(ago(7)), slot(ago(2))),
        silent(LAST, slot(ago(7)), slot(ago(2)), admitted=True),
        silent(LAST, slot(ago(7)), slot(ago(2)), window="W1"),
        silent(LAST, slot(ago(7)), slot(ago(2)), **W3),
    ],
    ids=["open", "one", "not in a row", "unannounced", "spoke", "spoke on time", "speaks now", "admitted", "W1", "W3"],
)
def test_s2_quiet_in_w2(given: Context) -> None:
    assert ask("S2", given) is None


def test_s2_an_entry_that_counts_for_nothing_does_not_end_the_silence() -> None:
    assert ask("S2", silent(LAST, report(ago(1), is_report=False), slot(ago(7)), slot(ago(2))))


def test_s2_forms_of_one_time_are_one_report() -> None:
    at = ago(3)
    twins = (slot(at), replace(slot(at), id="neuro", form="neuro"))
    assert ask("S2", silent(LAST, *twins)) is None
    done = replace(twins[1], done=True)
    assert ask("S2", silent(LAST, slot(ago(7)), twins[0], done)) is None


def test_s2_one_key_for_the_whole_spell_even_when_its_first_slots_are_forgotten() -> None:
    slots = [slot(ago(hours)) for hours in (22, 17, 12, 7, 2)]
    silence_so_far = fires("S2", silent(report(ago(26)), *slots[:3], now=ago(9), at=ago(9)))
    assert fires("S2", silent(report(ago(26)), *slots)).key == silence_so_far.key
    assert fires("S2", silent(report(ago(26)), *slots[2:])).key == silence_so_far.key
    assert fires("S2", silent(*slots)).key == fires("S2", silent(*slots[2:])).key
    again = [slot(ago(hours)) for hours in (7, 2)]
    assert fires("S2", silent(report(ago(8)), *again)).key != silence_so_far.key


def test_s2_none_for_a_day_in_w3() -> None:
    slots = (slot(ago(14)), slot(ago(3)))
    assert fires("S2", silent(report(ago(24)), *slots, **W3)).level == "URGENT"
    assert ask("S2", silent(report(ago(24) + SECOND), *slots, **W3)) is None
    assert ask("S2", silent(report(ago(30)), slot(ago(14), announced=False), **W3)) is None
    assert ask("S2", silent(report(ago(30)), slot(ago(1)), **W3)) is None  # nothing missed yet
    assert ask("S2", silent(report(ago(24)), *slots, admitted=True, **W3)) is None


def test_s2_in_w3_without_any_report_counts_from_the_first_announced_time() -> None:
    assert ask("S2", silent(slot(ago(24)), slot(ago(12)), **W3))
    assert ask("S2", silent(slot(ago(24) + SECOND), slot(ago(12)), **W3)) is None


def test_s2_weekly_is_for_review() -> None:
    found = fires("S2", silent(report(ago(days=9)), slot(ago(48), weekly=True), **W4))
    assert found.level == "REVIEW"
    assert "48 h overdue" in found.sentence_en
    again = fires("S2", silent(report(ago(days=9)), slot(ago(days=8), weekly=True), slot(ago(24), weekly=True), **W4))
    assert again.key == found.key  # one spell


@pytest.mark.parametrize(
    "given",
    [
        silent(slot(ago(48) + SECOND, weekly=True), **W4),
        silent(slot(ago(48), weekly=True, done=True), **W4),
        silent(slot(ago(48), weekly=True, announced=False), **W4),
        silent(slot(ago(50), weekly=True), report(ago(10)), **W4),
        silent(slot(ago(48), weekly=True), admitted=True, **W4),
        silent(slot(ago(48)), **W4),
    ],
    ids=["in time", "done", "unannounced", "spoke since", "admitted", "not weekly"],
)
def test_s2_weekly_quiet(given: Context) -> None:
    assert ask("S2", given) is None


# --- S4 -------------------------------------------------------------------------------------------------------


def asked(minutes_ago: float, *, due_after: float = 30, level: str = "URGENT", **rest: Any) -> EpisodeView:
    at = ago(minutes=minutes_ago)
    return episode(level, repeat_asked_at=at, repeat_due_at=at + timedelta(minutes=due_after), **rest)


@pytest.mark.parametrize("level", ["URGENT", "EMERGENCY"])
def test_s4_a_missing_repeat_is_one_level_up(level: str) -> None:
    found = fires("S4", silent(report(ago(minutes=30)), episode=asked(30, level=level)))
    assert (found.level, found.pages) == ("EMERGENCY", True)
    assert found.inputs["episode_level"] == level
    assert "asked for at 20:40 has not come after 0.5 h" in found.sentence_en


def test_s4_waits_for_the_later_of_thirty_minutes_and_the_time_it_was_due() -> None:
    assert ask("S4", silent(LAST, episode=asked(29.9, due_after=15))) is None
    assert ask("S4", silent(LAST, episode=asked(30, due_after=15)))
    assert ask("S4", silent(LAST, episode=asked(59.9, due_after=60))) is None
    assert ask("S4", silent(LAST, episode=asked(60, due_after=60)))
    assert ask("S4", silent(LAST, episode=episode(repeat_due_at=NOW)))
    assert ask("S4", silent(LAST, episode=episode(repeat_due_at=NOW + SECOND))) is None


@pytest.mark.parametrize(
    "given",
    [
        silent(LAST),
        silent(LAST, episode=episode()),
        silent(LAST, episode=asked(40, level="REVIEW")),
        silent(report(ago(minutes=39)), episode=asked(40)),
        silent(LAST, episode=asked(40), admitted=True),
    ],
    ids=["no episode", "nothing asked", "review", "answered", "admitted"],
)
def test_s4_quiet(given: Context) -> None:
    assert ask("S4", given) is None


def test_s4_after_contact_joins_without_paging_or_raising() -> None:
    found = fires("S4", silent(LAST, episode=asked(40, contacted_at=ago(minutes=20))))
    assert (found.level, found.pages) == ("URGENT", False)


# --- S5 -------------------------------------------------------------------------------------------------------

FEVER = report(ago(6), temp_c=Decimal("37.5"), temp_site="armpit")


def overdue(last: Report | None, hours: float = 1, *facts: Any, **rest: Any) -> Context:
    """The next report after `last` is `hours` overdue."""
    return silent(*((last,) if last else ()), slot(ago(hours)), *facts, **rest)


@pytest.mark.parametrize(
    "last",
    [
        FEVER,
        report(ago(6), temp_c=Decimal("37.6"), temp_site="mouth"),
        report(ago(6), confused=1),
        report(ago(6), words=1),
        report(ago(6), writing="yes"),
        report(ago(6), seizure_weak="yes"),
        report(ago(6), now_any=["cannot_wake"]),
        report(ago(6), form="neuro", neuro_finished="could_not_finish"),
        report(ago(6), form="neuro", score=Decimal(9)),
        report(ago(6), antipyretic=[{"name": "paracetamol", "dose_mg": 500, "taken_at": ago(14).isoformat()}]),
        report(ago(6), steroid_taken=Decimal(20)),
    ],
)
def test_s5_fever_neuro_sign_or_masking_and_then_nothing(last: Report) -> None:
    own = Baseline(neuro=Decimal(10))
    found = fires("S5", overdue(last, baseline=own))
    assert (found.level, found.pages) == ("URGENT", True)
    assert last.id in {fact["source"] for fact in found.inputs["facts"]}
    assert ask("S5", overdue(last, 59 / 60, baseline=own)) is None
    grave = fires("S5", overdue(last, 2, baseline=own))
    assert grave.level == "EMERGENCY"
    assert "welfare call" in grave.sentence_en
    assert "welfare call" not in found.sentence_en
    assert fires("S5", overdue(last, 119 / 60, baseline=own)).level == "URGENT"


@pytest.mark.parametrize(
    "last",
    [
        report(ago(6), temp_c=Decimal("37.4"), temp_site="armpit"),
        report(ago(6), temp_c=Decimal("37.5"), temp_site="mouth"),
        report(ago(6), confused=0, words=0, writing="unsure", now_any=["none"]),
        report(ago(6), form="neuro", score=Decimal(10)),
        report(ago(6), antipyretic=[{"name": "paracetamol", "dose_mg": 500, "taken_at": ago(14.1).isoformat()}]),
        report(ago(6), steroid_taken=Decimal("9.5")),
    ],
)
def test_s5_quiet_after_an_unremarkable_report(last: Report) -> None:
    assert ask("S5", overdue(last, 3, baseline=Baseline(neuro=Decimal(10)))) is None


@pytest.mark.parametrize(
    "given",
    [
        overdue(None, 3),
        overdue(FEVER, 3, admitted=True),
        overdue(FEVER, 3, window="W4"),
        overdue(FEVER, 3, report(ago(1))),  # the next report came
        silent(FEVER, slot(ago(3), announced=False)),
        silent(FEVER, slot(ago(30), weekly=True)),
        silent(FEVER, slot(ago(3), done=True)),
        silent(FEVER, slot(ago(7))),  # missed before it, not after
    ],
    ids=["no report", "admitted", "W4", "came", "unannounced", "weekly", "done", "before"],
)
def test_s5_quiet(given: Context) -> None:
    assert ask("S5", given) is None


def test_s5_a_standing_steroid_is_no_acute_masking() -> None:
    standing = dose(
        "prednisone", "steroid", ago(days=90), going_on=True, standing=True, prednisolone_mg_per_day=Decimal(20)
    )
    assert ask("S5", overdue(report(ago(6)), 3, standing)) is None
    assert ask("S5", overdue(report(ago(6)), 3, replace(standing, standing=False)))


def test_s5_reads_all_forms_of_the_last_sitting() -> None:
    neuro = report(ago(5.9), form="neuro", score=Decimal(10))
    assert ask("S5", overdue(neuro, 3, FEVER, baseline=Baseline(neuro=Decimal(10))))


def test_s5_speaks_once_when_overdue_and_once_for_the_welfare_call() -> None:
    first = overdue(FEVER, 1)
    keys = [fires("S5", later(first, minutes=minutes)).key for minutes in (0, 59, 60, 240)]
    assert keys[0] == keys[1] != keys[2] == keys[3]
    forgotten = silent(FEVER, slot(ago(1)), now=NOW + timedelta(hours=5), at=NOW + timedelta(hours=5))
    assert fires("S5", forgotten).key == keys[3]


def test_s5_after_contact_joins_quietly_unless_hotter() -> None:
    contacted = episode(contacted_at=ago(7))
    earlier = report(ago(8), temp_c=Decimal("38.0"), temp_site="armpit")
    same = report(ago(6), temp_c=Decimal("38.4"), temp_site="armpit")
    quiet = fires("S5", overdue(same, 2, earlier, episode=contacted))
    assert (quiet.level, quiet.pages) == ("URGENT", False)  # not above the episode it joins
    hotter = report(ago(6), temp_c=Decimal("38.5"), temp_site="armpit")
    loud = fires("S5", overdue(hotter, 2, earlier, episode=contacted))
    assert (loud.level, loud.pages) == ("EMERGENCY", True)
    known = replace(contacted, contacted_at=ago(6))  # the heat was known when the patient was reached
    assert fires("S5", overdue(hotter, 2, earlier, episode=known)).pages is False


# --- S6 -------------------------------------------------------------------------------------------------------

MISSED = (slot(ago(20)), slot(ago(9)), slot(ago(4)))


def test_s6_nothing_for_a_day_and_nobody_reached() -> None:
    found = fires("S6", silent(report(ago(24)), *MISSED))
    assert (found.level, found.pages) == ("EMERGENCY", True)
    assert "nobody was reached" in found.sentence_en
    assert "110/120" in found.sentence_zh


@pytest.mark.parametrize(
    "given",
    [
        silent(report(ago(24) + SECOND), *MISSED),
        silent(report(ago(30)), *MISSED, episode=episode(contacted_at=ago(24) + SECOND)),
        silent(report(ago(30)), *MISSED, reached_at=ago(24) + SECOND),
        silent(report(ago(30)), *(replace(each, announced=False) for each in MISSED)),
        silent(report(ago(30))),
        silent(report(ago(24)), *MISSED, admitted=True),
        silent(report(ago(24)), *MISSED, **W3),
    ],
    ids=["spoke", "reached", "telephoned", "unannounced", "nothing due", "admitted", "W3"],
)
def test_s6_quiet(given: Context) -> None:
    assert ask("S6", given) is None


def test_s6_a_contact_begins_a_new_spell() -> None:
    before = fires("S6", silent(report(ago(60)), *MISSED))
    after = fires("S6", silent(report(ago(60)), *MISSED, episode=episode(contacted_at=ago(24))))
    assert before.key != after.key
    assert after.inputs["contacted_at"] == ago(24)
    spoken = fires("S6", silent(report(ago(60)), *MISSED, reached_at=ago(24), episode=episode(contacted_at=ago(30))))
    assert spoken.key == after.key
    assert fires("S6", silent(report(ago(60)), *MISSED[1:])).key == before.key


def test_s6_without_any_report_counts_from_the_first_announced_time() -> None:
    assert ask("S6", silent(slot(ago(24)), slot(ago(4))))
    assert ask("S6", silent(slot(ago(24) + SECOND), slot(ago(4)))) is None


# --- all of them ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", SILENCE_RULES)
def test_no_rule_speaks_while_reports_come(rule: str) -> None:
    slots: list[Slot] = [slot(ago(hours), done=True) for hours in (22, 14, 9, 4)]
    reports = [report(ago(hours), temp_c=Decimal("38.6"), temp_site="armpit") for hours in (22, 14, 9, 4)]
    assert ask(rule, silent(*slots, *reports, episode=episode("EMERGENCY"))) is None


@pytest.mark.parametrize("rule", SILENCE_RULES)
def test_the_rules_on_silence_are_asked_by_the_clock_only(rule: str) -> None:
    given = silent(report(ago(25), confused=1), slot(ago(7)), slot(ago(3)), episode=asked(60))
    assert ask(rule, given) is not None
    assert ask(rule, replace(given, trigger="report", trigger_id=given.reports[0].id)) is None


def test_times_in_sentences_are_the_subjects_own() -> None:
    assert datetime.fromisoformat("2026-03-09T21:10:00+08:00") == NOW
    abroad = silent(slot(ago(1)), zone="Europe/Berlin")
    assert "due at 13:10" in fires("S1", abroad).sentence_en
