"""The doors of scoring: whoever is signed in gets what the functions say, and nothing is stored, good input or bad."""

from dataclasses import asdict
from decimal import Decimal
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from werkzeug.test import TestResponse

from api.scoring import CONTRACTS
from backend import policy, strictjson
from backend.scoring import INSTRUMENTS
from tests.contract.stage import Faults, Stage, changed, everything, problem_of, refuses, send

PEOPLE = ("patient", "carer", "nurse", "doctor", "chief", "monitor", "statistician", "admin")
SYSTEMS = (
    "constitutional", "mucocutaneous", "neuropsychiatric", "musculoskeletal", "cardiorespiratory",
    "gastrointestinal", "ophthalmic", "renal", "haematological",
)  # fmt: skip
D = Decimal

# Of each instrument something that it takes, and what the published rules make of it, worked out by hand.
GOOD: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "sledai2k": (  # 2 + 1; 38.4 is above 38
        {"present": ["rash", "fever"], "not_assessed": [], "labs": {"temperature_c": D("38.4")}},
        {"sledai_2k": 3, "clinical_sledai": 3, "complete": True, "lab_consistency": {"fever": "agrees"}},
    ),
    "bilag2004": (  # pyrexia active, and two of the others
        {"system": "constitutional", "items": {"1": 4, "2": 3, "3": 2}, "unlisted_items": 0},
        {"grade": "A", "incomplete": False},
    ),
    "bilag2004_total": (  # 12 + 8 + 1
        {"grades": {**dict.fromkeys(SYSTEMS, "E"), "renal": "A", "ophthalmic": "B", "constitutional": "C"}},
        {"numeric_total": 21, "count": {"A": 1, "B": 1, "C": 1, "D": 0, "E": 6}},
    ),
    "pga": ({"value": D(50), "scale": "0-100"}, {"pga": D("1.5")}),
    "sri4": (  # fallen by 4; worse by 0.2; one new B
        {
            "baseline": {"sledai_2k": 10, "pga": D("1.4"), "bilag": {"renal": "C", "ophthalmic": "A"}},
            "visit": {"sledai_2k": 6, "pga": D("1.6"), "bilag": {"renal": "B", "ophthalmic": "B"}},
            "prohibited_or_rescue_treatment": False,
        },
        {"responder": True, "new_bilag_a": [], "new_bilag_b": ["renal"], "responder_with_nri": True},
    ),
    "lldas": (  # every criterion at its very limit
        {
            "sledai_present": ["arthritis"],
            "previous_visit_sledai_present": ["arthritis"],
            "previous_visit_sledai_not_assessed": ["rash"],
            "haemolytic_anaemia": False,
            "gastrointestinal_activity": False,
            "pga": D("1.0"),
            "prednisolone_mg_per_day": D("7.5"),
            "standard_stable_immunosuppression": True,
        },
        {"lldas": True, "sledai_2k": 4},
    ),
    "doris": (  # serology alone; 8 mg of methylprednisolone on alternate days are 5 mg
        {
            "sledai_present": ["low_complement"],
            "pga": D("0.4"),
            "glucocorticoids": [
                {"drug": "methylprednisolone", "mg": D(8), "every_days": D(2)},
                {"drug": "fludrocortisone", "mg_per_day": D("0.1")},
            ],
            "immunosuppressant_or_biologic": "none",
        },
        {"doris": True, "sledai_2k": 2, "clinical_sledai": 0, "prednisolone_equivalent_mg_per_day": 5},
    ),
    "pk": (  # trapezoids 6 + 3 + 1.5
        {"time": [D(3), D(0), D(1), D(2)], "conc": [D(1), D(8), D(4), D(2)], "windows": [[D(0), D(3)]]},
        {"cmax": 8, "tmax": 0, "clast": 1, "tlast": 3, "window_covered": {"0-3": True}},
    ),
    "conversion": ({"upcr_mg_per_g": D(884)}, {"upcr_mg_per_mmol": 100}),
    "change_from_baseline": (
        {"baseline": {"value": D(10)}, "visit": {"value": D(7), "qualifier": ""}},
        {"absolute_change": -3, "percent_change": -30, "censored": False},
    ),
    "crs": ({"fever": True, "fever_masked": False, "hypotension": "no_vasopressor", "hypoxia": "none"}, {"grade": 2}),
    "icans": (
        {"ice": 8, "consciousness": "awake", "seizure": "none", "motor_weakness": False, "raised_icp": "none"},
        {"grade": 1},
    ),
    "ctcae": (  # 0.9 lies between 1.0 and 0.5
        {"version": "5.0", "term": "neutrophils", "value": D("0.9"), "unit": "10*9/L", "lln": D("1.8")},
        {"grade": 3},
    ),
}


def test_every_instrument_has_an_example_and_every_role_a_person(stage: Stage) -> None:
    assert set(GOOD) == set(CONTRACTS) == set(INSTRUMENTS)
    assert {stage.person(name).role for name in PEOPLE} == set(policy.ROLES)


def ask(stage: Stage, name: str, instrument: str, body: Any) -> Any:
    answer = send(stage.house, stage.person(name), "POST", f"/scoring/{instrument}", body)
    assert (answer.status_code, answer.content_type) == (200, "application/json"), answer.text
    return strictjson.loads(answer.data)


# --- what is answered -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("instrument", CONTRACTS)
def test_the_answer_is_the_functions_whoever_asks(stage: Stage, instrument: str) -> None:
    body, expected = GOOD[instrument]
    scored = strictjson.loads(strictjson.dumps(asdict(INSTRUMENTS[instrument](**body))))
    before = everything(stage.house)
    for name in PEOPLE:
        answer = ask(stage, name, instrument, body)
        assert answer == scored, name
    assert {key: answer[key] for key in expected} == expected
    assert changed(stage.house, before) == set()


@pytest.mark.parametrize("instrument", CONTRACTS)
def test_the_command_gives_the_same(stage: Stage, instrument: str) -> None:
    body, _ = GOOD[instrument]
    sent = strictjson.dumps(body)
    typed = stage.house.app.test_cli_runner().invoke(args=["score", instrument], input=sent)
    assert strictjson.loads(typed.stdout) == ask(stage, "nurse", instrument, sent.encode())


@pytest.fixture(scope="module")
def document(stage: Stage) -> dict[str, Any]:
    found: dict[str, Any] = strictjson.loads(stage.house.app.test_client().get("/api/v1/openapi.json").data)
    return found


def published(document: dict[str, Any], instrument: str) -> Draft202012Validator:
    """The judge of a door's answer, from the document."""
    operation = document["paths"][f"/api/v1/scoring/{instrument}"]["post"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": document["components"]})


# The least that each instrument takes; most of the answer is then unknown.
LEAST: dict[str, dict[str, Any]] = {
    "bilag2004": {"system": "renal"},
    "bilag2004_total": {"grades": {}},
    "pk": {"time": []},
    "conversion": {"glucocorticoids": [{"drug": "prednisone"}]},
    "ctcae": {"term": "inr"},
}


@pytest.mark.parametrize("instrument", CONTRACTS)
def test_answers_are_as_published(stage: Stage, document: dict[str, Any], instrument: str) -> None:
    judge = published(document, instrument)
    name = judge.schema["$ref"].rsplit("/", 1)[1]  # type: ignore[index]
    keys = set(document["components"]["schemas"][name]["properties"])
    for body in (GOOD[instrument][0], LEAST.get(instrument, {})):
        answer = ask(stage, "statistician", instrument, body)
        assert [error.message for error in judge.iter_errors(answer)] == []
        assert set(answer) == keys
    assert list(judge.iter_errors({**answer, "more": 1})), "the judge itself must be able to refuse"


# --- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instrument", "body", "faults"),
    [
        ("sledai2k", {"present": ["gills"]}, [("/present/0", "not_allowed")]),
        ("sledai2k", {"present": ["rash"], "not_assessed": ["rash"]}, [("/not_assessed/0", "contradiction")]),
        ("sledai2k", {"present": [], "labs": {"wbc_1e9_per_l": -1}}, [("/labs/wbc_1e9_per_l", "out_of_range")]),
        ("bilag2004", {}, [("/system", "required")]),
        ("bilag2004", {"system": "ophthalmic", "items": {"98": 4}}, [("/items/98", "not_allowed")]),
        ("bilag2004_total", {"grades": {"renal": "F"}}, [("/grades/renal", "not_allowed")]),
        ("pga", {"value": 4, "scale": "0-3", "mood": 1}, [("/value", "out_of_range"), ("/mood", "unknown_field")]),
        ("sri4", {"baseline": {"pga": 4}, "visit": []}, [("/baseline/pga", "out_of_range"), ("/visit", "wrong_type")]),
        ("lldas", {"prednisolone_mg_per_day": -1}, [("/prednisolone_mg_per_day", "out_of_range")]),
        (
            "lldas",
            {
                "sledai_present": ["rash", "rash"],
                "previous_visit_sledai_present": ["fever", "fever"],
                "previous_visit_sledai_not_assessed": ["gills", "fever"],
            },
            [
                ("/sledai_present/1", "duplicate"),
                ("/previous_visit_sledai_present/1", "duplicate"),
                ("/previous_visit_sledai_not_assessed/0", "not_allowed"),
                ("/previous_visit_sledai_not_assessed/1", "contradiction"),
            ],
        ),
        ("doris", {"glucocorticoids": [{"drug": "aspirin"}]}, [("/glucocorticoids/0/drug", "not_allowed")]),
        ("pk", {"time": [0, 7], "conc": [1]}, [("/conc", "wrong_length")]),
        ("pk", {"time": [0, 0], "conc": [1, 2]}, [("/time/1", "duplicate")]),
        ("pk", {"time": [0], "windows": [["a", 5]]}, [("/windows/0/0", "wrong_type")]),
        ("conversion", {}, [("", "required")]),
        ("conversion", {"creatinine_mg_per_dl": "1"}, [("/creatinine_mg_per_dl", "wrong_type")]),
        ("change_from_baseline", {"visit": {"qualifier": "~"}}, [("/visit/qualifier", "not_allowed")]),
        ("crs", {"hypoxia": "mild"}, [("/hypoxia", "not_allowed")]),
        ("icans", {"ice": 10.5}, [("/ice", "wrong_type")]),
        ("ctcae", {"term": "platelets", "value": 40, "unit": "mg/L"}, [("/unit", "wrong_unit")]),
        ("ctcae", {"term": "alt", "value": 20, "unit": "U/L", "uln": 0}, [("/uln", "out_of_range")]),
        ("ctcae", {"term": "alt", "value": 20, "unit": "U/L", "lln": -1}, [("/lln", "out_of_range")]),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["patient", "nurse"])
def test_bad_input_is_refused_by_path(
    stage: Stage, name: str, instrument: str, body: dict[str, Any], faults: Faults
) -> None:
    refuses(stage.house, stage.person(name), "POST", f"/scoring/{instrument}", body, faults=faults)


def faults_of(answer: TestResponse) -> Faults:
    return [(fault["path"], fault["code"]) for fault in strictjson.loads(answer.data)["faults"]]


@pytest.mark.parametrize("instrument", CONTRACTS)
@pytest.mark.parametrize("body", [b"5", b'"x"', b"null"])
def test_a_body_that_is_no_object(stage: Stage, instrument: str, body: bytes) -> None:
    answer = send(stage.house, stage.house.nurse, "POST", f"/scoring/{instrument}", body)
    assert answer.status_code == 422, answer.text
    assert ("", "wrong_type") in faults_of(answer)


@pytest.mark.parametrize("instrument", CONTRACTS)
def test_a_door_takes_one_at_a_time(stage: Stage, instrument: str) -> None:
    """Lists are the command's."""
    answer = send(stage.house, stage.house.nurse, "POST", f"/scoring/{instrument}", [GOOD[instrument][0]])
    assert answer.status_code == 422, answer.text
    assert ("", "wrong_type") in faults_of(answer)


@pytest.mark.parametrize("body", [b"", b"{", b'{"value": NaN}', b'{"value": 1, "value": 2}'])
def test_what_is_not_json(stage: Stage, body: bytes) -> None:
    refuses(stage.house, stage.house.nurse, "POST", "/scoring/pga", body, status=400, code="not_json")


@pytest.mark.parametrize("name", ["sledai", "SLEDAI2K", "bilag2004/total", ""])
def test_an_unknown_instrument_does_not_exist(stage: Stage, name: str) -> None:
    for who in ("patient", "nurse"):
        answer = send(stage.house, stage.person(who), "POST", f"/scoring/{name}", {})
        problem_of(answer, 404, "not_found")


@pytest.mark.parametrize("instrument", CONTRACTS)
def test_nobody_scores_without_a_sign_in(stage: Stage, instrument: str) -> None:
    path, body = f"/scoring/{instrument}", GOOD[instrument][0]
    problem_of(send(stage.house, None, "POST", path, body), 401, "sign_in_required")
    problem_of(send(stage.house, None, "POST", path, {"nickname": 1}), 401, "sign_in_required")


def test_faults_are_told_in_chinese_to_whom_reads_it(stage: Stage) -> None:
    headers = {"Accept-Language": "zh-CN"}
    body = {"present": ["rash"], "not_assessed": ["rash"]}
    carer = refuses(
        stage.house, stage.carer, "POST", "/scoring/sledai2k", body, faults=[("/not_assessed/0", "contradiction")],
        headers=headers,
    )  # fmt: skip
    assert carer["faults"][0]["message"] == "与另一项填写的内容矛盾。"
