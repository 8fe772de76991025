"""Every kind of failure leaves in the one shape, in the language of the caller, and tells nothing but its code."""

import ast
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from house import House, subject_body
from werkzeug.exceptions import NotAcceptable, RequestEntityTooLarge, TooManyRequests
from werkzeug.test import TestResponse

from api import problems
from api.routes import study
from backend import enrolment
from backend.db import db, transaction
from backend.errors import CODES
from tests.contract.stage import SHAPE, Headers, Stage, problem_of, refuses, report_body, send

FORM = {"Content-Type": "text/plain"}
STALE = {"If-Match": '"0"'}
NOWHERE = "/subjects/00000000-0000-4000-8000-000000000000"

# code: (who, method, path, body, headers) of a request that fails so
Request = tuple[str | None, str, str, Any, Headers]
FAILURES: dict[str, Request] = {
    "not_json": ("nurse", "POST", "/subjects", b"{", {}),
    "bad_request": ("nurse", "POST", "/auth/sign-out", {}, {"Idempotency-Key": "x" * 101}),
    "sign_in_required": (None, "GET", "/me", b"", {}),
    "token_invalid": (None, "GET", "/me", b"", {"Authorization": "Bearer e30.e30.e30"}),
    "credentials_wrong": (
        None,
        "POST",
        "/auth/staff/sign-in",
        {"username": "nobody", "password": "x", "totp": "000000", "transport": "bearer"},
        {},
    ),
    "forbidden": ("monitor", "POST", "/subjects", {}, {}),
    "not_found": ("nurse", "GET", NOWHERE, b"", {}),
    "method_not_allowed": ("nurse", "DELETE", "/subjects", b"", {}),
    "unsupported_media_type": ("nurse", "POST", "/subjects", b"x", FORM),
    "too_large": ("nurse", "POST", "/subjects", b" " * (2 * 1024 * 1024 + 1), {}),
    "stale": ("nurse", "PATCH", "/me", {"locale": "en"}, STALE),
    "if_match_required": ("nurse", "PATCH", "/me", {"locale": "en"}, {}),
    "invalid": ("nurse", "POST", "/subjects", {}, {}),
}


def fail(stage: Stage, code: str, **headers: str) -> TestResponse:
    who, method, path, body, given = FAILURES[code]
    return send(stage.house, stage.person(who) if who else None, method, path, body, {**given, **headers})


@pytest.mark.parametrize("code", FAILURES)
def test_the_one_shape(stage: Stage, code: str) -> None:
    status, english, _ = CODES[code]
    answer = fail(stage, code)
    body = answer.json
    assert set(body) == SHAPE
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert (body["status"], body["code"], body["title"]) == (status, code, english)
    assert body["type"] == f"/api/docs#problem-{code}"
    assert body["detail"]
    assert body["request_id"] == answer.headers["X-Request-Id"]
    assert len(body["request_id"]) == 32
    assert bool(body["faults"]) is (code == "invalid")
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("code", ["sign_in_required", "token_invalid", "credentials_wrong"])
def test_a_stranger_is_spoken_to_as_the_browser_asks(stage: Stage, code: str) -> None:
    _, english, chinese = CODES[code]
    for asked, title in [
        ("zh-CN,zh;q=0.9,en;q=0.8", chinese),
        ("zh", chinese),
        ("zh-TW", chinese),
        ("en-GB,en;q=0.9,zh;q=0.1", english),
        ("de", english),
        ("", english),
    ]:
        said = fail(stage, code, **{"Accept-Language": asked}).json
        assert (asked, said["title"]) == (asked, title)


def test_who_is_signed_in_is_spoken_to_in_their_own_language(own_stage: Stage) -> None:
    house, nurse = own_stage.house, own_stage.house.nurse
    version = nurse.get("/me").headers["ETag"]
    assert nurse.call("PATCH", "/me", {"locale": "zh-CN"}, {"If-Match": version}).status_code == 200
    answer = nurse.call("POST", "/subjects", {"locale": "fr", "more": 1}, {"Accept-Language": "en"})
    assert answer.json["title"] == answer.json["detail"] == CODES["invalid"][2]
    said = {fault["path"]: fault["message"] for fault in answer.json["faults"]}
    assert (said["/id"], said["/more"], said["/locale"]) == ("此项必填。", "不认识的字段。", "不在允许的取值之内。")
    english = house.doctor.call("POST", "/subjects", {"locale": "fr"}, {"Accept-Language": "zh-CN"}).json
    assert english["title"] == CODES["invalid"][1]


def test_faults_about_answers_are_said_in_chinese_too(own_stage: Stage) -> None:
    version = own_stage.patient.get("/me").headers["ETag"]
    own_stage.patient.call("PATCH", "/me", {"locale": "zh-CN"}, {"If-Match": version})
    wrong = report_body(own_stage, {"temp_c": 98.6, "chills": 9, "worry": None, "mood": 1})
    answer = own_stage.patient.put(f"/me/entries/{uuid4()}", wrong)
    said = {fault["path"]: fault["message"] for fault in answer.json["faults"]}
    assert said == {
        "/answers/temp_c": "看起来是华氏度，请填写摄氏度。",
        "/answers/chills": "数值超出范围。",
        "/answers/worry": "此项必填。",
        "/answers/mood": "表单中没有此项。",
    }


@pytest.mark.parametrize(
    "path",
    ["/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v1/me/", "/api/v1/subjects/7", "/api/v1/../etc", "/nowhere"],
)
def test_an_address_that_is_none(stage: Stage, path: str) -> None:
    problem_of(stage.house.app.test_client().get(path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/v1/me", {"GET", "PATCH"}),
        ("POST", "/api/v1/audit", {"GET"}),
        ("GET", "/api/v1/auth/activate", {"POST"}),
        ("PUT", "/api/v1/subjects", {"GET", "POST"}),
        ("POST", "/healthz", {"GET"}),
        ("POST", "/api/docs", {"GET"}),
    ],
)
def test_a_method_that_an_address_does_not_take(stage: Stage, method: str, path: str, allowed: set[str]) -> None:
    answer = stage.house.app.test_client().open(path, method=method)
    problem_of(answer, 405, "method_not_allowed")
    assert set(answer.headers["Allow"].replace(" ", "").split(",")) - {"HEAD", "OPTIONS"} == allowed


# --- what nobody foresaw --------------------------------------------------------------------------------------

SECRET = "Wang Xiaoming 13800138000 temp_c=38.4"


def crash_with(error: Exception) -> Callable[..., Any]:
    def crash(*_: Any, **__: Any) -> Any:
        raise error

    return crash


def crashing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """`GET /sites` comes upon this error."""
    monkeypatch.setattr(study.policy, "sites_of", crash_with(error))


def test_a_crash_tells_nothing_to_the_caller_nor_to_the_log(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    crashing(monkeypatch, RuntimeError(SECRET))
    answer = stage.house.nurse.get("/sites")
    body = problem_of(answer, 500, "internal")
    assert body["title"] == body["detail"] == CODES["internal"][1]
    for secret in (SECRET, "RuntimeError", "Traceback", "sites_of", ".py"):
        assert secret not in answer.text
    logged = capsys.readouterr().err
    assert SECRET not in logged
    [crash] = [line for line in map(json.loads, logged.splitlines()) if line["event"] == "crash"]
    assert (crash["error"], crash["request_id"]) == ("RuntimeError", body["request_id"])
    assert any("read_sites" in frame for frame in crash["at"])


def test_a_crash_inside_a_write_stores_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the subject, the consents and the contact are written, before they are committed."""
    monkeypatch.setattr(enrolment.agenda, "refresh", crash_with(RuntimeError(SECRET)))
    body = subject_body(stage.house, number="888")
    refuses(stage.house, stage.house.nurse, "POST", "/subjects", body, status=500, code="internal")


def test_a_database_that_is_away_asks_to_come_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    crashing(monkeypatch, sa.exc.OperationalError(SECRET, {"phone": SECRET}, Exception(SECRET)))
    answer = stage.house.nurse.get("/sites")
    problem_of(answer, 503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert SECRET not in answer.text


def test_two_who_want_the_same_number_at_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """On both databases: who comes second after the check has passed is told of a conflict, and nothing is stored."""
    first = house.enrol(number="007")
    monkeypatch.setattr(enrolment, "_check_enrolment", lambda *_: None)
    body = subject_body(house, number="007")
    refuses(house, house.nurse, "POST", "/subjects", body, status=409, code="conflict")
    assert [one["id"] for one in house.nurse.get("/subjects?q=007").json["items"]] == [first["id"]]


def test_any_other_broken_promise_is_a_crash(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    crashing(monkeypatch, sa.exc.IntegrityError("x", {}, Exception("NOT NULL constraint failed: subject.number")))
    problem_of(stage.house.nurse.get("/sites"), 500, "internal")


def test_statements_in_errors_never_show_what_was_said(house: House) -> None:
    """On both databases: the engine hides parameters, so that no traceback of a command prints them."""
    with house.app.app_context(), transaction(writes=False), pytest.raises(sa.exc.SQLAlchemyError) as broken:
        db.session.execute(sa.text("SELECT nothing FROM nowhere WHERE x = :x"), {"x": SECRET})
    assert SECRET not in str(broken.value)
    assert "nowhere" in str(broken.value)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotAcceptable(), "not_acceptable"),
        (RequestEntityTooLarge(), "too_large"),
        (TooManyRequests(), "too_many_requests"),
    ],
)
def test_the_servers_own_errors_take_the_shape(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    crashing(monkeypatch, error)
    problem_of(stage.house.nurse.get("/sites"), CODES[code][0], code)


# --- the published list ---------------------------------------------------------------------------------------


def test_every_code_has_a_status_and_is_said_in_both_languages() -> None:
    for code, (status, english, chinese) in CODES.items():
        assert re.fullmatch("[a-z_]+", code)
        assert 400 <= status < 600
        assert re.fullmatch(r"[ -~]+\.", english)
        assert any("\u4e00" <= character <= "\u9fff" for character in chinese), code


def test_every_code_the_server_maps_to_is_published() -> None:
    assert set(problems._HTTP_CODES.values()) <= set(CODES)
    for status, code in problems._HTTP_CODES.items():
        assert CODES[code][0] == status


def _fault_codes() -> set[str]:
    """Every code that a fault is made with, read from the source of the floors a request reaches."""
    root = Path(problems.__file__).parents[1]
    files = [*root.glob("api/**/*.py"), *root.glob("backend/**/*.py"), root / "schedules/protocol/forms.py"]
    found = set()
    for node in (node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Fault", "fault") and len(node.args) == 3:
            code = node.args[1]
            if isinstance(code, ast.Constant):
                found.add(code.value)
    return found


def test_every_fault_is_said_in_chinese() -> None:
    codes = _fault_codes()
    assert {"looks_mistyped", "wrong_unit", "in_the_past", "unknown_site"} <= codes
    assert codes - set(problems._CHINESE) - set(problems._BY_CODE) == set()
