"""Rules against their catalogue: what each reads must be asked in time or entered by staff, and its numbers given."""

import importlib
import json
import pkgutil
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import backend.safety.rules
from backend.safety.rules.base import CATALOGUE
from schedules.protocol.build import build
from schedules.protocol.check import check
from schedules.protocol.definition import Study
from schedules.protocol.load import SCHEMA

Content = dict[str, Any]


@dataclass(frozen=True)
class Facts:
    """What a rule of the catalogue says of itself."""

    id: str
    reads_items: tuple[str, ...] = ()
    reads_values: tuple[str, ...] = ()
    thresholds: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()


def found(content: Content, catalogue: Mapping[str, Facts] | None = None) -> list[tuple[str, str]]:
    return [(fault.path, fault.code) for fault in check(build(content), catalogue)]


def test_without_a_catalogue_rules_are_left_alone(content: Content) -> None:
    content["rules"]["R99"] = {"version": 1, "level": "NOTE", "windows": ["late"], "thresholds": {}}
    assert found(content) == []
    assert found(content, {}) == [("/rules/R11", "unknown_rule"), ("/rules/R99", "unknown_rule")]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (Facts("R11", ("temp_c", "wheeze")), []),
        (Facts("R11", ("temp_c", "smell")), [("/rules/R11", "item_not_collected")]),
        (Facts("R11", ("fev1",)), []),
        (Facts("R11", reads_values=("fev1",)), []),
        (Facts("R11", reads_values=("ferritin",)), [("/rules/R11", "unknown_measure")]),
        (Facts("R11", thresholds=("temp_c",)), [("/rules/R11/thresholds/temp_c", "missing_threshold")]),
    ],
)
def test_a_rule_needs_its_numbers_and_somebody_to_ask(content: Content, facts: Facts, expected: list[Any]) -> None:
    assert found(content, {"R11": facts}) == expected


def test_a_rule_needs_the_shared_numbers_it_reads(content: Content) -> None:
    facts = Facts("R11", settings=("sitting_minutes", "neuro_max"))
    assert found(content, {"R11": facts}) == [("/settings/neuro_max", "missing_setting")]


def test_a_window_named_in_a_threshold_is_one_of_the_studys(content: Content) -> None:
    facts = Facts("R11", thresholds=("in_window",))
    for window, expected in (("early", []), ("W2", [("/rules/R11/thresholds/in_window", "unknown_window")])):
        content["rules"]["R11"]["thresholds"] = {"in_window": window}
        assert found(content, {"R11": facts}) == expected


def test_a_threshold_no_rule_reads_is_a_fault(content: Content) -> None:
    content["rules"]["R11"]["thresholds"] = {"temp": 38}
    assert found(content, {"R11": Facts("R11")}) == [("/rules/R11/thresholds/temp", "unknown_threshold")]


def test_an_item_must_be_asked_in_one_of_the_rules_own_windows(content: Content) -> None:
    """The diary ends on day 9; the window `late` begins on day 10."""
    catalogue = {"R11": Facts("R11", ("wheeze",))}
    content["rules"]["R11"]["windows"] = ["late"]
    assert found(content, catalogue) == [("/rules/R11", "item_not_collected")]
    content["rules"]["R11"]["windows"] = ["early", "late"]
    assert found(content, catalogue) == []


def test_a_day_between_two_slots_collects_nothing(content: Content) -> None:
    """Slots every third day from day 0: none on days 1 and 2."""
    catalogue = {"R11": Facts("R11", ("wheeze",))}
    content["rules"]["R11"]["windows"] = ["gap"]
    content["risk_windows"] = [
        {"key": "before", "from_day": None, "to_day": 0},
        {"key": "gap", "from_day": 1, "to_day": 2},
        {"key": "after", "from_day": 3, "to_day": None},
    ]
    assert found(content, catalogue) == [("/rules/R11", "item_not_collected")]
    content["risk_windows"][1]["to_day"], content["risk_windows"][2]["from_day"] = 3, 4
    assert found(content, catalogue) == []


def test_an_item_only_staff_are_asked_is_not_collected(content: Content) -> None:
    content["forms"]["ward"] = {"name": {"zh": "病房", "en": "Ward"}, "staff_only": True, "items": [{"item": "remark"}]}
    content["forms"]["evening"]["items"].pop()
    assert found(content, {"R11": Facts("R11", ("remark",))}) == [("/rules/R11", "item_not_collected")]


# --- the lupus study ------------------------------------------------------------------------------------------


def test_the_lupus_study_fits_the_rules_as_they_are(sle: Study) -> None:
    """Every rule of the study exists, has its thresholds, and reads only what is asked or entered."""
    for module in pkgutil.iter_modules(backend.safety.rules.__path__):
        importlib.import_module(f"backend.safety.rules.{module.name}")
    assert check(sle, CATALOGUE) == ()
    assert set(sle.rules) == set(CATALOGUE)


def test_every_setting_the_safety_rooms_read_stands_in_the_lupus_study(sle: Study) -> None:
    """A missing one would be a KeyError in the middle of a report."""
    rooms = Path(backend.safety.rules.__file__).parents[1]
    sources = "\n".join(path.read_text(encoding="utf-8") for path in rooms.rglob("*.py"))
    read = set(re.findall(r'settings\["(\w+)"\]', sources))
    assert {"fever", "masking"} <= read
    assert read - set(sle.settings) == set()


def test_the_lupus_study_cannot_lose_a_number_its_rules_read(sle: Study) -> None:
    """What the structure does not ask of every study, a rule that reads it asks of this one."""
    of_every_study = json.loads(SCHEMA.read_text(encoding="utf-8"))["properties"]["settings"]["required"]
    others = set(sle.settings) - set(of_every_study)
    assert others >= {"anc_valid_h", "hr_per_degree", "neuro_max", "neuro_item_max", "sedative_h", "organ_answers"}
    for name in others:
        poorer = replace(sle, settings={key: value for key, value in sle.settings.items() if key != name})
        faults = check(poorer, CATALOGUE)
        assert {(fault.path, fault.code) for fault in faults} == {(f"/settings/{name}", "missing_setting")}
