"""Reading a study file: what it says, what it refuses and where, and that nothing breaks the reader."""

import json
import random
from collections.abc import Callable
from copy import deepcopy
from dataclasses import fields
from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schedules.faults import Fault
from schedules.protocol.content import as_json, from_json, identity
from schedules.protocol.definition import Study
from schedules.protocol.load import StudyFaults, build, load_content, load_study, validated

SLE = Path(__file__).parents[2] / "schedules" / "protocol" / "definitions" / "sle-cd19.yaml"
MINI = Path(__file__).parents[1] / "data" / "small-study.yaml"
SLE_CONTENT = load_content(SLE.read_text(encoding="utf-8"))
MINI_TEXT = MINI.read_text(encoding="utf-8")


def faults_of(text: str) -> list[tuple[str, str]]:
    with pytest.raises(StudyFaults) as refused:
        load_study(text)
    return [(fault.path, fault.code) for fault in refused.value.faults]


def message_of(text: str, path: str) -> str:
    with pytest.raises(StudyFaults) as refused:
        load_study(text)
    return next(fault.message for fault in refused.value.faults if fault.path == path)


# --- the lupus study ------------------------------------------------------------------------------------------


def test_sle_study_says_what_was_registered(sle: Study) -> None:
    assert (sle.key, sle.revision, sle.registration, sle.age_from) == ("sle-cd19", "1.0", "NCT07331467", 5)
    assert [(level.cells_per_kg, level.planned) for level in sle.dose_levels] == [
        (150000, 6),
        (500000, 6),
        (1000000, 6),
    ]
    assert {key for key, event in sle.anchor_events.items() if event.optional} == {"lymphodepletion"}


def test_sle_visits_stand_on_the_days_of_the_reference(sle: Study) -> None:
    """Clinical-safety §5.1: V3 to V19 by study day with their windows."""
    after = [(visit.key, visit.day, visit.day - visit.from_day, visit.to_day - visit.day) for visit in sle.visits[3:]]
    days = (0, 1, 2, 3, 5, 7, 10, 12, 14, 17, 21, 28, 60, 90, 120, 150, 180)
    either_side = (0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 3, 7, 7, 10, 10, 14)
    assert after == [(f"V{n}", day, w, w) for n, day, w in zip(range(3, 20), days, either_side, strict=True)]
    assert {visit.anchor for visit in sle.visits[3:]} == {"infusion"}
    before = [(visit.key, visit.anchor, visit.from_day, visit.day, visit.to_day) for visit in sle.visits[:3]]
    assert before[:2] == [("V0", "collection", -28, -14, -1), ("V1", "collection", 0, 0, 0)]
    assert before[2][:2] == ("V2", "lymphodepletion")
    assert sle.visit("UNS") is sle.unscheduled_visit


@pytest.mark.parametrize(
    ("day", "window"),
    [
        (None, "W0"),
        (-1, "W0"),
        (0, "W1"),
        (2, "W1"),
        (3, "W2"),
        (21, "W2"),
        (22, "W3"),
        (30, "W3"),
        (31, "W4"),
        (91, "W5"),
    ],
)
def test_sle_risk_windows(sle: Study, day: int | None, window: str) -> None:
    assert sle.risk_window(day) == window


def test_sle_diary_times(sle: Study) -> None:
    """Clinical-safety §1.8; the neuro check in the first and last slot to D21, then in the first."""
    slots = {phase.key: [(slot.at, slot.forms) for slot in phase.times] for phase in sle.diary}
    days = [(phase.from_day, phase.to_day, phase.every_days) for phase in sle.diary]
    twice = [(time(8), ("quick", "neuro")), (time(20), ("quick", "daily"))]
    assert days == [(-5, 0, 1), (1, 21, 1), (22, 30, 1), (37, 180, 7)]
    assert slots["baseline"] == slots["watch"] == twice
    assert [at for at, _ in slots["peak"]] == [time(7), time(12), time(17), time(21, 30)]
    assert [forms for _, forms in slots["peak"]] == [
        ("quick", "neuro"),
        ("quick",),
        ("quick",),
        ("quick", "daily", "neuro"),
    ]
    assert slots["weekly"] == [(time(20), ("weekly",))]


def test_sle_emergency_ladder(sle: Study) -> None:
    """Clinical-safety §3.1."""
    ladder = sle.ladders["EMERGENCY"]
    assert [(step.after_s, step.to, step.channel) for step in ladder.steps] == [
        (0, ("on_call", "backup"), 1),
        (300, ("on_call", "backup"), 2),
        (900, ("principal_investigator",), 1),
    ]
    assert (ladder.repeat_every_s, ladder.contact_within_s, ladder.seen_within_s) == (900, 900, 3600)
    assert ladder.overdue_to == ("accepted_by", "backup")
    assert (sle.ladders["URGENT"].becomes, sle.ladders["URGENT"].becomes_after_s) == ("EMERGENCY", 1800)
    assert sle.ladders["REVIEW"].lane == "worklist"


# --- YAML as it should be read -------------------------------------------------------------------------------


def test_words_times_and_decimals_are_kept_as_written() -> None:
    text = MINI_TEXT.replace("masking: {", "masking: {answer: no, at: 12:30, on: 2026-01-01, exact: 38.50, count: 20, ")
    found = load_study(text).settings["masking"]
    assert (found["answer"], found["at"], found["on"]) == ("no", "12:30", "2026-01-01")
    assert isinstance(found["exact"], Decimal)
    assert str(found["exact"]) == "38.50"
    assert type(found["count"]) is int


def test_study_is_found_by_path_by_name_and_by_text(mini: Study) -> None:
    assert load_study(MINI) == load_study(str(MINI)) == load_study(MINI_TEXT) == mini


@pytest.mark.parametrize("name", [field.name for field in fields(Study) if field.name not in ("sha256", "analysis")])
def test_every_part_of_the_small_study_arrives(mini: Study, name: str) -> None:
    assert getattr(mini, name)


# --- identity ------------------------------------------------------------------------------------------------


def test_identity_ignores_how_it_is_written_and_nothing_else(content: dict[str, Any]) -> None:
    same = identity(content)
    assert (
        load_study(
            MINI_TEXT.replace("max: 42.5", "max: 42.500").replace("format: 1", '"format":   1  # a remark')
        ).sha256
        == same
    )
    assert identity(dict(reversed(content.items()))) == same
    assert load_study(MINI_TEXT.replace("max: 42.5", "max: 42.4")).sha256 != same
    assert load_study(MINI_TEXT.replace("有一点", "有一些")).sha256 != same


def test_identity_tells_a_number_from_a_word_and_from_yes() -> None:
    assert len({identity({"a": value}) for value in (1, "1", True, None, [1], {"1": 1})}) == 6


@pytest.mark.parametrize("study", ["sle", "mini"])
def test_stored_content_builds_the_same_study(study: str, request: pytest.FixtureRequest) -> None:
    """Through our own JSON, and through a JSON column that knows only floats."""
    text = SLE.read_text(encoding="utf-8") if study == "sle" else MINI_TEXT
    stored = as_json(load_content(text))
    expected = request.getfixturevalue(study)
    assert build(from_json(stored)) == expected
    assert build(json.loads(stored)) == expected
    assert list(from_json(stored)["items"]) == list(expected.items)


# --- what is refused, and where -------------------------------------------------------------------------------


def test_all_faults_are_told_at_once() -> None:
    text = (
        MINI_TEXT.replace("age_from: 18", "age_from: eighteen\nage_form: 18")
        .replace('revision: "0.3"\n', "")
        .replace('at: "06:10"', 'at: "24:10"')
        .replace("planned: 3}", "planned: 3, planned: 5}")
        .replace("op: ge, value: 2", "op: above, value: 2")
    )
    assert sorted(faults_of(text)) == [
        ("/age_form", "unknown_key"),
        ("/age_from", "wrong_type"),
        ("/diary/0/times/0/at", "malformed"),
        ("/dose_levels/0/planned", "duplicate_key"),
        ("/red_flags/0/op", "not_allowed"),
        ("/revision", "missing"),
    ]


def test_meaning_is_judged_once_the_structure_holds() -> None:
    assert faults_of(MINI_TEXT.replace("time_points: [C]", "time_points: [C, D]")) == [
        ("/outcomes/0/time_points/1", "unknown_visit")
    ]


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("age_from: 18", "age_from: 18\nage_from: 19", "/age_from"),
        ("age_from: 18", "age_from: old", "/age_from"),
        ("age_from: 18", "age_from: 0x12", "/age_from"),
        ("anchor: consent, day", "anchor: birth, day", "/visits/0/anchor"),
    ],
)
def test_faults_name_their_line(old: str, new: str, path: str) -> None:
    text = MINI_TEXT.replace(old, new)
    line = next(number for number, row in enumerate(text.splitlines(), 1) if new.splitlines()[-1] in row)
    assert f"(line {line}" in message_of(text, path)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "malformed_yaml"),
        ("a: [1\n", "malformed_yaml"),
        ("a: *nowhere\n", "malformed_yaml"),
        ("a: &a [*a]\n", "malformed_yaml"),
        ("a: &x 1\nb: &x 2\n", "malformed_yaml"),
        ("---\na: 1\n---\nb: 2\n", "malformed_yaml"),
        ("%YAML 1.1\n---\na: no\n", "malformed_yaml"),
        ("a: \x00\n", "malformed_yaml"),
        ("[" * 5000, "too_deep"),
        (
            "a: &a [x,x,x,x,x,x,x,x,x]\n"
            + "".join(f"{c}: &{c} [{','.join(['*' + p] * 9)}]\n" for p, c in zip("abcdef", "bcdefg", strict=True)),
            "too_large",
        ),
        ("just words", "wrong_type"),
    ],
)
def test_unreadable_text_is_one_fault(text: str, code: str) -> None:
    assert [found for _, found in faults_of(text)] == [code]


def test_malformed_yaml_names_line_and_column() -> None:
    assert "line 2, column 1" in message_of("a: [1,\n", "")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (".inf", "malformed_number"),
        ("1e999", "malformed_number"),
        ("9" * 31, "malformed_number"),
        ("0o17", "malformed_number"),
        ("!!binary aGk=", "malformed_value"),
        ("!!python/object:os.system x", "malformed_value"),
        ('"\\ud800"', "malformed_value"),
        ('"\\0"', "malformed_value"),
    ],
)
def test_values_no_database_or_reader_agrees_on_are_refused(value: str, code: str) -> None:
    assert faults_of(MINI_TEXT.replace("sitting_minutes: 20", f"sitting_minutes: {value}")) == [
        ("/settings/sitting_minutes", code)
    ]


@pytest.mark.parametrize("key", ["1", "~", "[a]", "yes : &k ", "true"])
def test_keys_that_are_not_words_are_refused(key: str) -> None:
    text = MINI_TEXT.replace("masking: {", f"masking: {{? {key} : 1, ")
    assert faults_of(text)


def test_a_file_that_is_not_there_or_not_utf8_is_a_fault(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("name: é\n".encode("latin-1"))
    for path in (latin, tmp_path / "absent.yaml", tmp_path):
        with pytest.raises(StudyFaults) as refused:
            load_study(path)
        assert [fault.code for fault in refused.value.faults] == ["unreadable"]


@pytest.mark.parametrize("content", [None, 3, [], "x", {}, {"format": 2}, {1: 2}])
def test_any_content_is_judged(content: Any) -> None:
    with pytest.raises(StudyFaults):
        validated(content)


@pytest.mark.parametrize(
    "value", ["\ud800", "a\x00b", float("nan"), float("inf"), Decimal("1e400"), Decimal("sNaN"), 10**31]
)
def test_content_from_elsewhere_may_say_no_more_than_yaml(content: dict[str, Any], value: Any) -> None:
    content["settings"]["sitting_minutes"] = value
    with pytest.raises(StudyFaults) as refused:
        validated(content)
    assert [fault.path for fault in refused.value.faults] == ["/settings/sitting_minutes"]


# --- nothing breaks the reader --------------------------------------------------------------------------------

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "no", "12:30\n", "V16", "../x", "~1", "\ud800", "啊" * 3000, "0" * 100_000]),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
)


def outcome(load: Callable[[], Study]) -> tuple[Study | None, tuple[Fault, ...]]:
    """A study, or the faults it was refused for; anything else that is raised fails the test."""
    try:
        return load(), ()
    except StudyFaults as refused:
        return None, refused.faults


def places(content: Any) -> list[tuple[Any, Any]]:
    """Every (container, key or index) of a content, outermost first."""
    found: list[tuple[Any, Any]] = []
    keys = content.keys() if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ()
    for key in keys:
        found += [(content, key), *places(content[key])]
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32),
    junk=st.lists(JUNK, min_size=1, max_size=4),
    how=st.sampled_from(["put", "delete", "swap", "add"]),
)
def test_a_spoilt_study_loads_or_tells_its_faults(seed: int, junk: list[Any], how: str) -> None:
    content = deepcopy(SLE_CONTENT)
    chance = random.Random(seed)
    for value in junk:
        container, key = chance.choice(places(content))
        if how == "put":
            container[key] = value
        elif how == "delete":
            del container[key]
        elif how == "swap":
            other, name = chance.choice(places(content))
            container[key] = deepcopy(other[name])
        elif isinstance(container, dict):
            container["unheard_of"] = value
        else:
            container.append(deepcopy(container[0]))
    study, faults = outcome(lambda: validated(content))
    if study is None:
        assert faults
        assert all(fault.path == "" or fault.path.startswith("/") for fault in faults)
        assert all(fault.code and len(fault.message) < 1000 for fault in faults)
    else:
        assert build(from_json(as_json(content))) == study


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    at=st.integers(0, len(MINI_TEXT)),
    cut=st.integers(0, 30),
    put=st.text(alphabet=st.sampled_from(list(":-{}[]&*!|>%@#'\"\\,? \n\t0a啊\x00\ufeff")), max_size=4),
)
def test_a_torn_text_loads_or_tells_its_faults(at: int, cut: int, put: str) -> None:
    text = MINI_TEXT[:at] + put + MINI_TEXT[at + cut :]
    study, faults = outcome(lambda: load_study(text))
    assert (study is None) == bool(faults)
    assert study is None or study.sha256 == identity(load_content(text))
