"""`flask score`: one JSON in, one JSON out, for every instrument, without a database or a setting.

Bad input leaves standard output empty and names every fault with its path; one bad item refuses the whole list.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from api.app import create_app
from api.scoring import CONTRACTS
from backend import strictjson

ROOT = Path(__file__).parents[2]
# The example printed in the description of the interface.
EXAMPLE = '{"present": ["rash", "fever"], "labs": {"temperature_c": 38.4}}'
EXAMPLE_ANSWER = (
    '{"sledai_2k": 3, "clinical_sledai": 3, "minimum_known_score": 3, "complete": true, '
    '"lab_consistency": {"fever": "agrees"}}'
)
Faults = list[tuple[str, str]]


@pytest.fixture(scope="module")
def app() -> Flask:
    return create_app({"DATABASE_URL": "sqlite://"})


def score(app: Flask, instrument: str, sent: str | bytes | None, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=["score", instrument, *words], input=sent)


def answer(app: Flask, instrument: str, given: Any) -> Any:
    scored = score(app, instrument, strictjson.dumps(given))
    assert (scored.exit_code, scored.stderr) == (0, ""), scored.stderr
    assert scored.stdout.endswith("\n")
    return strictjson.loads(scored.stdout)


def faults(scored: Result) -> Faults:
    """What a refusal names; and that it is one: status 2, nothing on standard output, not a crash."""
    assert isinstance(scored.exception, SystemExit), repr(scored.exception)
    assert (scored.exit_code, scored.stdout) == (2, "")
    told = json.loads(scored.stderr)
    assert told
    assert all(set(fault) == {"path", "code", "message"} and fault["message"] for fault in told)
    return [(fault["path"], fault["code"]) for fault in told]


# --- in and out -------------------------------------------------------------------------------------------------


def test_the_example_as_described(app: Flask) -> None:
    scored = score(app, "sledai2k", EXAMPLE)
    assert (scored.exit_code, scored.stdout, scored.stderr) == (0, EXAMPLE_ANSWER + "\n", "")


def test_file_dash_or_nothing(app: Flask, tmp_path: Path) -> None:
    path = tmp_path / "given.json"
    path.write_text(EXAMPLE, encoding="utf-8")
    for sent, words in ((None, [str(path)]), (EXAMPLE, ["-"]), (EXAMPLE, []), ("not read", [str(path)])):
        scored = score(app, "sledai2k", sent, *words)
        assert (scored.exit_code, scored.stdout) == (0, EXAMPLE_ANSWER + "\n"), words


def test_a_file_that_is_not_there(app: Flask, tmp_path: Path) -> None:
    scored = score(app, "sledai2k", None, str(tmp_path / "absent.json"))
    assert (scored.exit_code, scored.stdout) == (2, "")
    assert "absent.json" in scored.stderr


def test_an_unknown_instrument(app: Flask) -> None:
    scored = score(app, "sledai", EXAMPLE)
    assert (scored.exit_code, scored.stdout) == (2, "")
    assert all(name in scored.stderr.replace("\n", "") for name in ("sledai2k", "bilag2004_total", "ctcae"))


def test_a_list_keeps_its_order(app: Flask) -> None:
    marks = [30, 0, 100, 50]
    given = [{"value": mark, "scale": "0-100"} for mark in marks]
    assert [one["pga"] * 100 / 3 for one in answer(app, "pga", given)] == marks
    assert answer(app, "pga", given[:1]) == [answer(app, "pga", given[0])]
    assert answer(app, "pga", []) == []


def test_decimals_are_decimals(app: Flask) -> None:
    """1.4 - 1.1 is 0.3 and worse; in binary it would be a hair less, and pass."""
    quiet = {"bilag": {"renal": "D"}}
    given = [
        {"baseline": {"sledai_2k": 10, "pga": 1.1, **quiet}, "visit": {"sledai_2k": 6, "pga": mark, **quiet}}
        for mark in (1.39, 1.4)
    ]
    scored = score(app, "sri4", json.dumps(given))
    assert [one["components"]["pga"] for one in json.loads(scored.stdout)] == [True, False]


def test_chinese_stays_readable(app: Flask) -> None:
    given = {"time": [0], "conc": [1], "units": "拷贝/µg"}
    assert '"units": "拷贝/µg"' in score(app, "pk", json.dumps(given)).stdout


REQUIRED = {"bilag2004": "/system", "bilag2004_total": "/grades", "pk": "/time", "conversion": "", "ctcae": "/term"}
UNKNOWN = {
    "sledai2k": ("sledai_2k", "clinical_sledai"),
    "pga": ("pga",),
    "sri4": ("responder",),
    "lldas": ("lldas", "sledai_2k", "prednisolone_equivalent_mg_per_day"),
    "doris": ("doris", "sledai_2k", "clinical_sledai", "prednisolone_equivalent_mg_per_day", "drug_free"),
    "change_from_baseline": ("absolute_change", "percent_change", "change_is_below", "change_is_above"),
    "crs": ("grade",),
    "icans": ("grade",),
}


def test_every_instrument_is_asked_with_nothing() -> None:
    assert sorted([*REQUIRED, *UNKNOWN]) == sorted(CONTRACTS)


@pytest.mark.parametrize(("instrument", "names"), UNKNOWN.items(), ids=UNKNOWN)
def test_of_nothing_everything_is_unknown(app: Flask, instrument: str, names: tuple[str, ...]) -> None:
    found = answer(app, instrument, {})
    assert {name: found[name] for name in names} == dict.fromkeys(names)


@pytest.mark.parametrize(("instrument", "path"), REQUIRED.items(), ids=REQUIRED)
def test_what_must_be_given_is_named(app: Flask, instrument: str, path: str) -> None:
    assert faults(score(app, instrument, "{}")) == [(path, "required")]


@pytest.mark.parametrize("instrument", CONTRACTS)
def test_null_means_the_same_as_absent(app: Flask, instrument: str) -> None:
    """Of the keys that need not be given and have no default."""
    wanted: dict[str, dict[str, Any]] = {
        "bilag2004": {"system": "renal"},
        "bilag2004_total": {"grades": {}},
        "pk": {"time": [0]},
        "conversion": {"c3_mg_per_dl": 90},
        "ctcae": {"term": "inr"},
    }
    given = wanted.get(instrument, {})
    has_default = {"middle_blq", "version", "prohibited_or_rescue_treatment", "new_bilag_activity"}
    names = set(CONTRACTS[instrument][0]().fields) - has_default
    assert answer(app, instrument, {**dict.fromkeys(names), **given}) == answer(app, instrument, given)


# --- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "not json",
        '{"present": [}',
        "{} {}",
        '{"value": NaN, "scale": "0-3"}',
        '{"value": Infinity, "scale": "0-3"}',
        '{"value": 1, "value": 2}',
        '[{"value": 1}, {"value": 2, "value": 2}]',
        '{"value": 1e999999999}',
        b"\xff\xfe{}",
    ],
    ids=repr,
)
def test_what_is_not_json(app: Flask, tmp_path: Path, sent: str | bytes) -> None:
    path = tmp_path / "given.json"
    path.write_bytes(sent if isinstance(sent, bytes) else sent.encode())
    for scored in (score(app, "pga", sent), score(app, "pga", None, str(path))):
        assert faults(scored) == [("", "not_json")]


@pytest.mark.parametrize("sent", ["5", '"rash"', "null", "true", "0.5"])
def test_what_is_neither_object_nor_list(app: Flask, sent: str) -> None:
    assert faults(score(app, "sledai2k", sent)) == [("", "wrong_type")]


@pytest.mark.parametrize("instrument", CONTRACTS)
@pytest.mark.parametrize("item", ["5", '"x"', "null", "[]", "[{}]"])
def test_a_list_of_anything_but_objects(app: Flask, instrument: str, item: str) -> None:
    assert ("/0", "wrong_type") in faults(score(app, instrument, f"[{item}]"))


@pytest.mark.parametrize("instrument", CONTRACTS)
def test_an_unknown_key_is_refused(app: Flask, instrument: str) -> None:
    assert ("/nickname", "unknown_field") in faults(score(app, instrument, '{"nickname": 1}'))
    assert ("/0/nickname", "unknown_field") in faults(score(app, instrument, '[{"nickname": null}]'))


BAD: list[tuple[str, dict[str, Any], Faults]] = [
    ("sledai2k", {"present": ["rash", "gills"]}, [("/present/1", "not_allowed")]),
    ("sledai2k", {"not_assessed": ["gills"]}, [("/not_assessed/0", "not_allowed")]),
    ("sledai2k", {"present": ["rash"], "not_assessed": ["fever", "rash"]}, [("/not_assessed/1", "contradiction")]),
    ("sledai2k", {"present": ["rash", "fever", "rash"]}, [("/present/2", "duplicate")]),
    ("sledai2k", {"present": "rash"}, [("/present", "wrong_type")]),
    ("sledai2k", {"present": [], "labs": {"platelets_1e9_per_l": -1}}, [("/labs/platelets_1e9_per_l", "out_of_range")]),
    ("sledai2k", {"labs": {"temperature_c": "38.4"}}, [("/labs/temperature_c", "wrong_type")]),
    ("sledai2k", {"labs": {"platelets": 90}}, [("/labs/platelets", "unknown_field")]),
    ("bilag2004", {"system": "vasculitis"}, [("/system", "not_allowed")]),
    ("bilag2004", {"system": "ophthalmic", "items": {"98": 4}}, [("/items/98", "not_allowed")]),
    ("bilag2004", {"system": "ophthalmic", "items": {"0": 4}}, [("/items/0", "not_allowed")]),
    ("bilag2004", {"system": "ophthalmic", "items": {"64": 4}}, [("/items/64", "not_allowed")]),
    ("bilag2004", {"system": "ophthalmic", "items": {"65": 5}}, [("/items/65", "not_allowed")]),
    ("bilag2004", {"system": "ophthalmic", "items": {"65": "nd"}}, [("/items/65", "not_allowed")]),
    ("bilag2004", {"system": "ophthalmic", "items": {"65": True}}, [("/items/65", "not_allowed")]),
    ("bilag2004", {"system": "ophthalmic", "unlisted_items": 9}, [("/unlisted_items", "not_allowed")]),
    ("bilag2004", {"system": "ophthalmic", "current": {"gfr": 80}}, [("/current", "unknown_field")]),
    ("bilag2004", {"system": "renal", "items": {"84": 1}}, [("/items", "unknown_field")]),
    ("bilag2004", {"system": "renal", "current": {"gfr": -1}}, [("/current/gfr", "out_of_range")]),
    ("bilag2004", {"system": "renal", "previous": {"ttp": 1}}, [("/previous/ttp", "unknown_field")]),
    ("bilag2004", {"system": "haematological", "current": {"ttp": 5}}, [("/current/ttp", "out_of_range")]),
    ("bilag2004", {"system": "renal", "previously_involved": "yes"}, [("/previously_involved", "wrong_type")]),
    ("bilag2004_total", {"grades": {"renal": "F"}}, [("/grades/renal", "not_allowed")]),
    ("bilag2004_total", {"grades": {"renal": "a"}}, [("/grades/renal", "not_allowed")]),
    ("bilag2004_total", {"grades": {"vasculitis": "A"}}, [("/grades/vasculitis", "not_allowed")]),
    ("pga", {"value": 3.01, "scale": "0-3"}, [("/value", "out_of_range")]),
    ("pga", {"value": -0.1, "scale": "0-100"}, [("/value", "out_of_range")]),
    ("pga", {"value": 1, "scale": "0-10"}, [("/scale", "not_allowed")]),
    ("sri4", {"baseline": {"sledai_2k": 106}}, [("/baseline/sledai_2k", "out_of_range")]),
    ("sri4", {"visit": {"sledai_2k": 4.5}}, [("/visit/sledai_2k", "wrong_type")]),
    ("sri4", {"visit": {"bilag": {"renal": "F"}}}, [("/visit/bilag/renal", "not_allowed")]),
    ("lldas", {"prednisolone_mg_per_day": -5}, [("/prednisolone_mg_per_day", "out_of_range")]),
    (
        "lldas",
        {"prednisolone_mg_per_day": 5, "glucocorticoids": [{"drug": "prednisone", "mg_per_day": 5}]},
        [("/glucocorticoids", "contradiction")],
    ),
    (
        "doris",
        {"glucocorticoids": [{"drug": "prednisone", "mg_per_day": 5}, {"drug": "cortisone", "mg": -5}]},
        [("/glucocorticoids/1/mg", "out_of_range")],
    ),
    ("doris", {"glucocorticoids": [{"drug": "aspirin"}]}, [("/glucocorticoids/0/drug", "not_allowed")]),
    ("doris", {"glucocorticoids": [{"mg_per_day": 5}]}, [("/glucocorticoids/0/drug", "required")]),
    (
        "doris",
        {"glucocorticoids": [{"drug": "prednisone", "mg": 5, "every_days": 0}]},
        [("/glucocorticoids/0/every_days", "out_of_range")],
    ),
    (
        "doris",
        {"sledai_present": ["rash"], "sledai_not_assessed": ["rash"]},
        [("/sledai_not_assessed/0", "contradiction")],
    ),
    ("doris", {"immunosuppressant_or_biologic": "some"}, [("/immunosuppressant_or_biologic", "not_allowed")]),
    ("pk", {"time": [0, 7], "conc": [1]}, [("/conc", "wrong_length")]),
    ("pk", {"time": [0, 7], "blq": [True] * 3}, [("/blq", "wrong_length")]),
    ("pk", {"time": [0, 7], "conc": [1, 2], "not_done": []}, [("/not_done", "wrong_length")]),
    ("pk", {"time": [0, 7, 7.0], "conc": [1, 2, 3]}, [("/time/2", "duplicate")]),
    ("pk", {"time": [0, None]}, [("/time/1", "null_not_allowed")]),
    ("pk", {"time": [0], "conc": [-1]}, [("/conc/0", "out_of_range")]),
    ("pk", {"time": [0], "windows": [[0, 28], [90, 28]]}, [("/windows/1/1", "out_of_range")]),
    ("pk", {"time": [0], "windows": [[0, 28, 90]]}, [("/windows/0", "wrong_length")]),
    ("pk", {"time": [0], "windows": [["a", 5]]}, [("/windows/0/0", "wrong_type")]),
    ("pk", {"time": [0], "middle_blq": "keep"}, [("/middle_blq", "not_allowed")]),
    ("conversion", {"c3_mg_per_dl": -1}, [("/c3_mg_per_dl", "out_of_range")]),
    ("conversion", {"c3_mg_per_dl": 90, "c4_mg_per_dl": 9}, [("/c4_mg_per_dl", "contradiction")]),
    ("change_from_baseline", {"visit": {"value": 1, "qualifier": "~"}}, [("/visit/qualifier", "not_allowed")]),
    ("crs", {"hypotension": "mild"}, [("/hypotension", "not_allowed")]),
    ("crs", {"fever": 1}, [("/fever", "wrong_type")]),
    ("icans", {"ice": 11}, [("/ice", "out_of_range")]),
    ("icans", {"consciousness": "asleep"}, [("/consciousness", "not_allowed")]),
    ("ctcae", {"term": "platelets", "value": 40, "unit": "mg/L"}, [("/unit", "wrong_unit")]),
    ("ctcae", {"term": "haemoglobin", "value": 40, "unit": "G/L"}, [("/unit", "wrong_unit")]),
    ("ctcae", {"term": "sodium", "value": 140, "unit": "mmol/L"}, [("/term", "not_allowed")]),
    ("ctcae", {"term": "inr", "version": "4.03"}, [("/version", "not_allowed")]),
]


@pytest.mark.parametrize(("instrument", "given", "expected"), BAD, ids=str)
def test_a_fault_is_named_by_its_path(app: Flask, instrument: str, given: dict[str, Any], expected: Faults) -> None:
    assert faults(score(app, instrument, json.dumps(given))) == expected
    within = [(f"/1{path}", code) for path, code in expected]
    assert faults(score(app, instrument, json.dumps([given, given])))[len(expected) :] == within


def test_every_instrument_has_a_bad_example() -> None:
    assert {instrument for instrument, _, _ in BAD} == set(CONTRACTS)


def test_one_bad_item_refuses_the_whole_list(app: Flask) -> None:
    good = json.loads(EXAMPLE)
    bad = {"present": [], "labs": {"wbc_1e9_per_l": "low"}}
    assert len(answer(app, "sledai2k", [good] * 5)) == 5
    refused = score(app, "sledai2k", json.dumps([good, good, good, bad, good]))
    assert faults(refused) == [("/3/labs/wbc_1e9_per_l", "wrong_type")]


def test_every_fault_of_every_item_is_named(app: Flask) -> None:
    bad = [{"value": 4, "scale": "0-3"}, {}, {"value": "1", "scale": "0-4", "mood": 1}]
    assert faults(score(app, "pga", json.dumps(bad))) == [
        ("/0/value", "out_of_range"),
        ("/2/mood", "unknown_field"),
        ("/2/scale", "not_allowed"),
        ("/2/value", "wrong_type"),
    ]


@pytest.mark.parametrize(
    ("instrument", "given", "first", "second"),
    [
        ("pk", {"time": ["a", 1, 1]}, ("/time/0", "wrong_type"), ("/time/2", "duplicate")),
        (
            "pk",
            {"time": [0], "windows": [[1], [5, 3]]},
            ("/windows/0", "wrong_length"),
            ("/windows/1/1", "out_of_range"),
        ),
        (
            "sledai2k",
            {"present": ["gills", "rash", "rash"]},
            ("/present/0", "not_allowed"),
            ("/present/2", "duplicate"),
        ),
        (
            "sledai2k",
            {"present": ["rash"], "not_assessed": ["gills", "rash"]},
            ("/not_assessed/0", "not_allowed"),
            ("/not_assessed/1", "contradiction"),
        ),
    ],
    ids=str,
)
def test_what_is_sound_is_never_named(
    app: Flask, instrument: str, given: dict[str, Any], first: tuple[str, str], second: tuple[str, str]
) -> None:
    """A second fault behind a first one is named in its own place or not yet, never in another's."""
    assert faults(score(app, instrument, json.dumps(given))) in ([first], [first, second])


@pytest.mark.parametrize(
    ("instrument", "sent"),
    [
        ("change_from_baseline", '{"baseline": {"value": 1e-20}, "visit": {"value": 1e15}}'),
        ("pk", '{"time": [0, 7, 14, 21, 42], "conc": [0, 5000, 50, 50, 50]}'),
        ("pk", '{"time": [0, 30], "conc": [1, 0.99999999999999999999999999999999]}'),
        ("pk", '{"time": [0, 1e-30, 4000], "conc": [1e15, 1e-30, 1e15], "windows": [[1e-30, 4000]]}'),
        ("conversion", '{"upcr_mg_per_mmol": 1e-30}'),
        ("conversion", '{"glucocorticoids": [{"drug": "dexamethasone", "mg": 1e5, "every_days": 0.01}]}'),
        ("ctcae", '{"term": "alt", "value": 1e12, "unit": "U/mL", "uln": 1e-30, "baseline": 1e-29}'),
    ],
)
def test_extreme_values_are_scored(app: Flask, instrument: str, sent: str) -> None:
    scored = score(app, instrument, sent)
    assert (scored.exit_code, scored.exception) == (0, None)
    assert isinstance(json.loads(scored.stdout), dict)


# --- without anything around it ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "status", "said"), [(EXAMPLE, 0, EXAMPLE_ANSWER + "\n"), ('{"present": ["gills"]}', 2, "")]
)
def test_it_wants_no_database_and_no_setting(tmp_path: Path, sent: str, status: int, said: str) -> None:
    command = [sys.executable, "-m", "flask", "--app", str(ROOT / "wsgi.py"), "score", "sledai2k"]
    env = {"PATH": os.environ["PATH"]}
    ended = subprocess.run(command, input=sent, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (status, said), ended.stderr
    if status:
        assert [fault["path"] for fault in json.loads(ended.stderr)] == ["/present/0"]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
