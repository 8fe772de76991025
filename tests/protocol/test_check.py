"""Faults of meaning: each is planted alone in the small study and must be told, alone, at its place."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from schedules.protocol.build import build
from schedules.protocol.check import check
from schedules.protocol.definition import Study
from schedules.protocol.load import structure_faults

Content = dict[str, Any]
Spoil = Callable[[Content], object]


def found(content: Content) -> list[tuple[str, str]]:
    """Faults of meaning in content whose structure must be sound, else the test is about something else."""
    assert structure_faults(content) == ()
    return [(fault.path, fault.code) for fault in check(build(content))]


def put(*path: Any) -> Spoil:
    """Set the last argument at the path before it."""
    *places, key, value = path

    def spoil(content: Any) -> None:
        for place in places:
            content = content[place]
        content[key] = value

    return spoil


def drop(*path: Any) -> Spoil:
    *places, key = path

    def spoil(content: Any) -> None:
        for place in places:
            content = content[place]
        del content[key]

    return spoil


def both(*spoils: Spoil) -> Spoil:
    return lambda content: [spoil(content) for spoil in spoils]


SAME = {"zh": "同样", "en": "Same"}
PHASE = {
    "key": "second",
    "from_day": 20,
    "to_day": 20,
    "every_days": 1,
    "opens_before_min": 0,
    "late_after_min": 0,
    "closes_after_min": 5,
    "times": [{"at": "12:00", "forms": ["evening"]}],
}
EVENING = ("forms", "evening", "items")


def phase(**changes: Any) -> Spoil:
    """Another diary phase beside the first, which has slots on days 0, 3, 6 and 9 until 18:40 + 90 min."""
    return lambda content: content["diary"].append({**PHASE, **changes})


def visit(**changes: Any) -> Spoil:
    return lambda content: content["visits"][1].update(changes)


FAULTS: dict[str, tuple[Spoil, list[tuple[str, str]]]] = {
    "form asks an unknown item": (
        lambda c: c["forms"]["evening"]["items"].append({"item": "smell"}),
        [("/forms/evening/items/9/item", "unknown_item")],
    ),
    "form asks an item twice": (
        lambda c: c["forms"]["evening"]["items"].append({"item": "puffs"}),
        [("/forms/evening/items/9/item", "duplicate")],
    ),
    "show-if looks ahead": (
        put(*EVENING, 0, "show_if", {"item": "puffs", "op": "ge", "value": 1}),
        [("/forms/evening/items/0/show_if/item", "not_earlier")],
    ),
    "show-if of another kind": (
        put(*EVENING, 2, "show_if", {"item": "wheeze", "op": "contains", "value": 1}),
        [("/forms/evening/items/2/show_if/op", "not_applicable")],
    ),
    "show-if with a word for a number": (
        put(*EVENING, 2, "show_if", {"item": "wheeze", "op": "ge", "value": "1"}),
        [("/forms/evening/items/2/show_if/value", "wrong_type")],
    ),
    "score of something not asked": (
        put("forms", "evening", "score", ["wheeze", "smell"]),
        [("/forms/evening/score/1", "unknown_item")],
    ),
    "score of words": (put("forms", "evening", "score", ["slept"]), [("/forms/evening/score/0", "not_a_number")]),
    "unscheduled form unknown": (put("unscheduled_form", "noon"), [("/unscheduled_form", "unknown_form")]),
    "staff form in the patient's slot": (
        put("forms", "evening", "staff_only", True),
        [
            ("/unscheduled_form", "staff_only"),
            ("/diary/0/times/0/forms/0", "staff_only"),
            ("/diary/0/times/1/forms/0", "staff_only"),
        ],
    ),
    "choice without options": (
        drop("items", "slept", "options"),
        [("/items/slept/options", "missing")],
    ),
    "text with options": (
        lambda c: c["items"]["remark"].update(options=c["items"]["slept"]["options"]),
        [("/items/remark/options", "not_applicable")],
    ),
    "option twice": (put("items", "slept", "options", 1, "key", "well"), [("/items/slept/options", "duplicate")]),
    "scale with a gap": (put("items", "wheeze", "options", 1, "key", "3"), [("/items/wheeze/options", "unordered")]),
    "exclusive option unknown": (
        put("items", "trigger", "exclusive", "all"),
        [("/items/trigger/exclusive", "unknown_option")],
    ),
    "exclusive option of a choice": (
        put("items", "slept", "exclusive", "well"),
        [("/items/slept/exclusive", "unknown_option")],
    ),
    "count without limit": (drop("items", "puffs", "max"), [("/items/puffs/max", "missing")]),
    "limits upside down": (put("items", "puffs", "max", 12), [("/items/puffs/max", "unordered")]),
    "limits on words": (put("items", "slept", "min", 1), [("/items/slept/min", "not_applicable")]),
    "red flag on unknown item": (put("red_flags", 0, "item", "smell"), [("/red_flags/0/item", "unknown_item")]),
    "red flag never reached": (put("red_flags", 0, "value", 3), [("/red_flags/0/value", "out_of_range")]),
    "red flag on unknown option": (
        put("red_flags", 0, {"item": "trigger", "op": "contains", "value": "cats"}),
        [("/red_flags/0/value", "unknown_option")],
    ),
    "steroid without conversion": (
        put("drugs", "budesonide", "drug_class", "steroid"),
        [("/drugs/budesonide/prednisolone_per_mg", "missing")],
    ),
    "measure upside down": (put("measures", "fev1", "min", 8), [("/measures/fev1/max", "unordered")]),
    "dose levels highest first": (
        lambda c: c["dose_levels"].reverse(),
        [("/dose_levels/1/cells_per_kg", "unordered")],
    ),
    "dose levels of one dose": (
        put("dose_levels", 1, "cells_per_kg", 20000),
        [("/dose_levels/1/cells_per_kg", "unordered")],
    ),
    "dose levels alike": (put("dose_levels", 1, "key", "low"), [("/dose_levels/1/key", "duplicate")]),
    "risk windows leave a day out": (
        put("risk_windows", 2, "from_day", 11),
        [("/risk_windows/2/from_day", "not_adjoining")],
    ),
    "risk windows share a day": (
        put("risk_windows", 1, "from_day", -1),
        [("/risk_windows/1/from_day", "not_adjoining")],
    ),
    "risk window open in the middle": (
        put("risk_windows", 1, "to_day", None),
        [("/risk_windows/2/from_day", "not_adjoining")],
    ),
    "risk window ends before it begins": (
        put("risk_windows", 2, "to_day", 9),
        [("/risk_windows/2/to_day", "unordered")],
    ),
    "no window before infusion": (put("risk_windows", 0, "from_day", -50), [("/risk_windows/0/from_day", "not_open")]),
    "visit key twice": (visit(key="A"), [("/visits/1/key", "duplicate")]),
    "unscheduled visit has a planned one's key": (
        put("unscheduled_visit", "key", "B"),
        [("/unscheduled_visit/key", "duplicate")],
    ),
    "visit on an unknown event": (visit(anchor="birth"), [("/visits/1/anchor", "unknown_anchor")]),
    "visit window upside down": (visit(from_day=8, to_day=7), [("/visits/1/to_day", "unordered")]),
    "visit target outside": (visit(day=10), [("/visits/1/day", "outside_window")]),
    "visit assesses the unknown": (visit(assessments=["taste"]), [("/visits/1/assessments/0", "unknown_assessment")]),
    "unscheduled visit assesses the unknown": (
        put("unscheduled_visit", "assessments", ["taste"]),
        [("/unscheduled_visit/assessments/0", "unknown_assessment")],
    ),
    "no infusion to count from": (
        both(
            drop("anchor_events", "infusion"),
            put("visits", 1, "anchor", "consent"),
            put("visits", 2, "anchor", "consent"),
        ),
        [("/anchor_events/infusion", "missing"), ("/outcomes/0/time_frame_months", "time_frame_not_covered")],
    ),
    "slot with an unknown form": (
        put("diary", 0, "times", 1, "forms", ["noon"]),
        [("/diary/0/times/1/forms/0", "unknown_form")],
    ),
    "slots out of order": (put("diary", 0, "times", 1, "at", "06:10"), [("/diary/0/times/1/at", "unordered")]),
    "slot opens before the last closed": (
        put("diary", 0, "times", 1, "at", "08:09"),
        [("/diary/0/times/1/at", "overlap")],
    ),
    "late after closing": (put("diary", 0, "late_after_min", 91), [("/diary/0/late_after_min", "unordered")]),
    "open over midnight into the next slot": (
        both(
            put("diary", 0, "every_days", 1),
            put("diary", 0, "times", [{"at": "06:10", "forms": ["evening"]}]),
            put("diary", 0, "closes_after_min", 1411),
        ),
        [("/diary/0/closes_after_min", "overlap")],
    ),
    "phase ends before it begins": (phase(to_day=19), [("/diary/1/to_day", "unordered")]),
    "phases share a day": (phase(from_day=9), [("/diary/1/from_day", "overlap")]),
    "phases share an hour": (
        phase(from_day=10, to_day=10, opens_before_min=15 * 60 + 51),
        [("/diary/1/opens_before_min", "overlap")],
    ),
    "phase key twice": (phase(key="first"), [("/diary/1/key", "duplicate")]),
    "no text a day": (put("reminders", "texts_per_day", 0), [("/reminders/texts_per_day", "out_of_range")]),
    "quiet hours of no length": (put("reminders", "quiet_to", "00:30"), [("/reminders/quiet_to", "malformed")]),
    "morning text in quiet hours": (
        put("reminders", "morning_at", "07:59"),
        [("/reminders/morning_at", "in_quiet_hours")],
    ),
    "morning text in quiet hours over midnight": (
        both(put("reminders", "quiet_from", "22:00"), put("reminders", "morning_at", "22:00")),
        [("/reminders/morning_at", "in_quiet_hours")],
    ),
    "outcome of something unknown": (
        put("outcomes", 0, "inputs", ["spirometry", "taste"]),
        [("/outcomes/0/inputs/1", "unknown_assessment"), ("/outcomes/0/time_points/0", "input_not_scheduled")],
    ),
    "outcome at an unknown visit": (
        put("outcomes", 0, "time_points", ["C", "D"]),
        [("/outcomes/0/time_points/1", "unknown_visit")],
    ),
    "outcome at the unscheduled visit": (
        put("outcomes", 0, "time_points", ["C", "X"]),
        [("/outcomes/0/time_points/1", "unknown_visit")],
    ),
    "outcome lacks its input at a time point": (
        put("visits", 2, "assessments", ["blood_count"]),
        [("/outcomes/0/time_points/0", "input_not_scheduled")],
    ),
    "outcome lacks its baseline": (put("visits", 0, "assessments", []), [("/outcomes/0/baseline", "no_baseline")]),
    "outcome's baseline hangs on an event not everybody has": (
        put("anchor_events", "consent", "optional", True),
        [("/outcomes/0/baseline", "no_baseline")],
    ),
    "outcome's baseline after treatment": (
        put("visits", 0, "anchor", "infusion"),
        [("/outcomes/0/baseline", "no_baseline")],
    ),
    "outcome's time frame has no visit": (
        put("outcomes", 0, "time_frame_months", 2),
        [("/outcomes/0/time_frame_months", "time_frame_not_covered")],
    ),
    "rule in an unknown window": (put("rules", "R11", "windows", ["W2"]), [("/rules/R11/windows/0", "unknown_window")]),
    "level without a ladder": (drop("ladders", "REVIEW"), [("/ladders/REVIEW", "missing")]),
    "level without advice": (drop("ladders", "REVIEW", "advice"), [("/ladders/REVIEW/advice", "missing_text")]),
    "ladder steps out of order": (
        put("ladders", "EMERGENCY", "steps", 1, "after_s", 0),
        [("/ladders/EMERGENCY/steps/1/after_s", "unordered")],
    ),
    "ladder pages whoever accepted": (
        put("ladders", "REVIEW", "steps", 0, "to", ["accepted_by"]),
        [("/ladders/REVIEW/steps/0/to", "unknown_duty")],
    ),
    "ladder repeats to nobody": (
        put("ladders", "EMERGENCY", "repeat_every_s", 60),
        [("/ladders/EMERGENCY/repeat_to", "incomplete")],
    ),
    "ladder turns without a time": (
        drop("ladders", "URGENT", "becomes_after_s"),
        [("/ladders/URGENT/becomes", "incomplete")],
    ),
    "ladder turns into less": (
        put("ladders", "URGENT", "becomes", "REVIEW"),
        [("/ladders/URGENT/becomes", "unordered")],
    ),
    "overdue without a clock": (
        put("ladders", "URGENT", "overdue_to", ["backup"]),
        [("/ladders/URGENT/overdue_to", "incomplete")],
    ),
    "telephone number in an advice": (
        put("ladders", "URGENT", "advice", "en", "Call 120 now."),
        [("/ladders/URGENT/advice/en", "telephone_number")],
    ),
    "same text in both languages": (
        put("emergency_text", {"zh": "Go now.", "en": "Go now."}),
        [("/emergency_text", "same_text")],
    ),
    "Chinese text in English": (
        put("items", "slept", "label", "zh", "Slept"),
        [("/items/slept/label/zh", "not_chinese")],
    ),
    "English text in Chinese": (
        put("forms", "evening", "name", "en", "晚间"),
        [("/forms/evening/name/en", "not_english")],
    ),
    "option texts swapped": (
        put("items", "slept", "options", 0, "label", {"zh": "Good", "en": "好"}),
        [("/items/slept/options/0/label/zh", "not_chinese"), ("/items/slept/options/0/label/en", "not_english")],
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_one_fault_is_told_at_its_place(content: Content, name: str) -> None:
    spoil, expected = FAULTS[name]
    assert found(content) == []
    spoil(content)
    assert found(content) == expected


def test_a_text_that_is_missing_in_one_language(mini: Study) -> None:
    """The schema refuses an empty text; a study built elsewhere may still have one."""
    spoilt = replace(mini, name=replace(mini.name, zh=" "))
    assert [(fault.path, fault.code) for fault in check(spoilt)] == [("/name/zh", "missing_text")]


def test_faults_are_all_told(content: Content) -> None:
    for spoil, _ in (
        FAULTS["visit target outside"],
        FAULTS["red flag never reached"],
        FAULTS["level without a ladder"],
    ):
        spoil(content)
    assert found(content) == [
        ("/red_flags/0/value", "out_of_range"),
        ("/visits/1/day", "outside_window"),
        ("/ladders/REVIEW", "missing"),
    ]


def test_slots_may_touch(content: Content) -> None:
    """The closing instant is outside: 06:10 + 90 min and 08:10 − 30 min are both 07:40."""
    put("diary", 0, "times", 1, "at", "08:10")(content)
    phase(from_day=10, to_day=10, opens_before_min=15 * 60 + 50)(content)
    assert found(content) == []


def test_limits_that_are_just_allowed(content: Content) -> None:
    put("diary", 0, "late_after_min", 90)(content)  # late in the instant it closes
    put("reminders", "morning_at", "08:00")(content)  # the end of quiet hours is outside
    put("red_flags", 0, "value", 1)(content)
    put("visits", 1, "day", 9)(content)
    assert found(content) == []
    daily = {"every_days": 1, "times": [{"at": "06:10", "forms": ["evening"]}], "closes_after_min": 1410}
    content["diary"][0].update(daily)  # 06:10 + 1410 min and 06:10 − 30 min of the next day are both 05:40
    assert found(content) == []
