"""What guards every answer: headers, cookies, logs that tell nothing, and settings that a live start insists on."""

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import databases
import pytest
import structlog
from flask.testing import FlaskClient
from furnishing import build
from house import PASSWORD, HandClock, House, Person, totp_of

from api import logs
from api.app import create_app
from backend import clock, installation
from backend.config import BadSetting
from backend.db import db
from tests.contract.stage import Stage, everything, problem_of, refuses

# --- headers --------------------------------------------------------------------------------------------------

EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


PLACES = ["/api/v1/me", "/api/v1/nothing", "/api/v1/openapi.json", "/api/docs", "/healthz", "/metrics", "/no"]


@pytest.mark.parametrize("path", PLACES)
def test_every_answer_carries_the_guards(stage: Stage, path: str) -> None:
    headers = stage.house.app.test_client().get(path).headers
    for name, value in EVERYWHERE.items():
        assert headers[name] == value
    rules = csp(headers["Content-Security-Policy"])
    assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == {"'none'"}
    assert rules["script-src"] == {"'self'"}
    styles = {"'self'", "'unsafe-inline'"} if path == "/api/docs" else {"'self'"}
    assert rules["style-src"] == styles
    everything_allowed = set().union(*rules.values()) - styles
    assert everything_allowed <= {"'none'", "'self'", "data:"}
    assert "Strict-Transport-Security" not in headers, "the demo speaks plain HTTP on loopback"


def csp(text: str) -> dict[str, set[str]]:
    parts = [part.split() for part in text.split(";")]
    return {part[0]: set(part[1:]) for part in parts}


def test_no_answer_of_the_api_is_stored_on_the_way(stage: Stage) -> None:
    nurse = stage.house.nurse
    for path in (stage.at, "/me", "/episodes", "/messages", "/nothing", f"{stage.at}/entries"):
        assert nurse.get(path).headers["Cache-Control"] == "no-store"
    unchanged = nurse.get("/episodes", **{"If-None-Match": nurse.get("/episodes").headers["ETag"]})
    assert (unchanged.status_code, unchanged.headers["Cache-Control"]) == (304, "no-store")


# --- a browser ------------------------------------------------------------------------------------------------


@pytest.fixture
def https_house(tmp_path: Path) -> Iterator[House]:
    """A house behind https, as a live one is."""
    hand = HandClock()
    with databases.sqlite_copy(tmp_path) as url, clock.running_on(hand), build(url, hand, tmp_path) as house:
        house.app = create_app({"DATABASE_URL": url, "RATE_LIMITS": "off", "PUBLIC_URL": "https://daymark.example"})
        yield house
        with house.app.app_context():
            db.engine.dispose()


def browser(house: House, who: Person) -> FlaskClient:
    """A browser in which somebody has signed in."""
    client = house.app.test_client()
    body = {"username": who.username, "password": PASSWORD, "totp": totp_of(who, house.now), "transport": "cookie"}
    answer = client.post("/api/v1/auth/staff/sign-in", json=body, base_url="https://daymark.example")
    assert answer.status_code == 200, answer.text
    assert answer.json["access_token"] is None
    assert answer.json["refresh_token"] is None
    return client


def test_behind_https_browsers_are_told_to_stay_there(https_house: House) -> None:
    headers = https_house.app.test_client().get("/healthz").headers
    assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"


def test_cookies_of_a_sign_in(https_house: House) -> None:
    house, nurse = https_house, https_house.nurse
    body = {"username": "nurse", "password": PASSWORD, "totp": totp_of(nurse, house.now), "transport": "cookie"}
    answer = house.app.test_client().post("/api/v1/auth/staff/sign-in", json=body)
    cookies = {}
    for line in answer.headers.getlist("Set-Cookie"):
        pair, *flags = line.split("; ")
        name, _, value = pair.partition("=")
        cookies[name] = {flag.split("=")[0]: flag.partition("=")[2] for flag in flags} | {"value": value}
    assert set(cookies) == {f"daymark_console_{name}" for name in ("access", "refresh", "csrf", "csrf_refresh")}
    for name, cookie in cookies.items():
        assert "Secure" in cookie, name
        assert cookie["SameSite"] == "Strict"
        assert ("HttpOnly" in cookie) is ("csrf" not in name), "scripts read the CSRF value and nothing else"
        assert "Domain" not in cookie
    assert cookies["daymark_console_access"]["Path"] == "/api/v1"
    assert cookies["daymark_console_refresh"]["Path"] == "/api/v1/auth"
    readable = cookies["daymark_console_csrf"]["value"]
    assert readable.count(".") == 0, "the readable cookie holds no token"


def test_a_write_by_cookie_needs_the_csrf_value(https_house: House) -> None:
    house = https_house
    client = browser(house, house.nurse)
    base = {"base_url": "https://daymark.example"}
    csrf = client.get_cookie("daymark_console_csrf", domain="daymark.example").value
    assert client.get("/api/v1/me", **base).status_code == 200
    before = everything(house)
    for headers in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": csrf + "x"}, {"X-CSRF-Token": "é"}):
        for method, path in (("PATCH", "/api/v1/me"), ("POST", "/api/v1/subjects"), ("PUT", "/api/v1/on-call")):
            given = {"If-Match": "*", **headers}
            answer = client.open(path, method=method, json={"locale": "zh-CN"}, headers=given, **base)
            problem_of(answer, 401, "csrf_failed")
    assert everything(house) == before
    given = {"If-Match": "*", "X-CSRF-Token": csrf}
    assert client.patch("/api/v1/me", json={"locale": "zh-CN"}, headers=given, **base).status_code == 200
    other = client.get_cookie("daymark_console_csrf_refresh", domain="daymark.example", path="/").value
    wrong = client.patch("/api/v1/me", json={"locale": "en"}, headers={**given, "X-CSRF-Token": other}, **base)
    problem_of(wrong, 401, "csrf_failed")


def test_signing_out_empties_the_browser(https_house: House) -> None:
    client = browser(https_house, https_house.nurse)
    base = {"base_url": "https://daymark.example"}
    csrf = client.get_cookie("daymark_console_csrf", domain="daymark.example").value
    gone = client.post("/api/v1/auth/sign-out", json={}, headers={"X-CSRF-Token": csrf}, **base)
    assert gone.status_code == 200
    assert client.get_cookie("daymark_console_access", domain="daymark.example", path="/api/v1") is None
    problem_of(client.get("/api/v1/me", **base), 401, "sign_in_required")


# --- logs -----------------------------------------------------------------------------------------------------


def test_the_processor_drops_every_speaking_key(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    speaking = dict.fromkeys(logs.SPEAKING_KEYS, "Wang Xiaoming 13800138000")
    structlog.get_logger("daymark").info("careless", entry_id="7f", **speaking)
    [line] = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert {line[name] for name in logs.SPEAKING_KEYS} == {"…"}
    assert (line["event"], line["entry_id"], line["level"]) == ("careless", "7f", "info")
    assert {"phone", "name", "to", "text", "answers", "value", "note", "password", "pin", "totp", "token"} <= set(line)


def test_a_speaking_key_is_dropped_wherever_it_lies() -> None:
    event = {"event": "x", "request": {"headers": [{"Authorization": "Bearer s", "token": "s"}], "body": "38.4"}}
    said = logs.without_speaking_keys(None, "info", event)
    assert said == {"event": "x", "request": {"headers": [{"Authorization": "…", "token": "…"}], "body": "…"}}


def test_a_febrile_report_from_enrolment_to_close_leaves_no_word_in_the_logs(
    sqlite_house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    house = sqlite_house
    subject = house.infused(days_ago=6, contact={"name": "Zhuge Kongming", "phone": "13912345678"})
    answer = house.nurse.post(f"/subjects/{subject['id']}/activation-codes", {"for": "patient"})
    code = answer.json["code"]
    body = {"code": code, "pin": "483726", "device_name": "Kongmings phone", "transport": "bearer"}
    activated = house.app.test_client().post("/api/v1/auth/activate", json=body).json
    patient = Person(house, activated["account"]["id"], "patient", activated["access_token"])
    note = "shaking since breakfast"
    sent = house.report(patient, {"temp_c": 39.7, "chills": 3, "worry": "now", "note": note})
    assert sent.json["advice"]["level"] == "EMERGENCY"
    device = {"Authorization": f"Device {activated['device']['credential']}"}
    house.app.test_client().put(f"/api/v1/me/entries/{sent.json['entry']['id']}", json={}, headers=device)
    assert house.pages()
    house.report(patient, {"temp_c": 103.9})  # refused: what is wrong is not logged either
    episode = house.nurse.get("/episodes").json["items"][0]["id"]
    whole = house.doctor.get(f"/episodes/{episode}")
    closing = {"outcome": "crs", "crs_grade": 2, "note": "tocilizumab at noon"}
    house.doctor.post(f"/episodes/{episode}/close", closing, **{"If-Match": whole.headers["ETag"]})
    house.nurse.get(f"/subjects?q={subject['number']}")
    written = capsys.readouterr().err
    assert written.count('"event": "request"') >= 10, "the lines must be there to prove anything"
    secrets = [
        "Kongming", "13912345678", "39.7", "103.9", note, code, "483726", "tocilizumab", "CRS", "chills", "temp_c",
        activated["access_token"], activated["refresh_token"], activated["device"]["credential"], patient.fresh_token(),
        house.nurse.token, PASSWORD, f"q={subject['number']}", whole.json["signals"][0]["sentence"],
    ]  # fmt: skip
    measured = {"ms", "timestamp", "request_id"}  # figures of their own, which may look like anything
    for line in map(json.loads, written.splitlines()):
        assert set(line) - measured <= {"event", "level", "method", "rule", "status"}, line
        said = str([value for name, value in line.items() if name not in measured])
        assert [secret for secret in secrets if secret in said] == []


# --- contact data ---------------------------------------------------------------------------------------------


def test_changed_contact_data_are_sealed_and_the_trail_says_only_that(own_stage: Stage) -> None:
    house, contact = own_stage.house, {"name": "Zhuge Kongming", "phone": "13912345678"}
    before = house.nurse.get(own_stage.at)
    changed = house.nurse.call("PATCH", own_stage.at, {"contact": contact}, {"If-Match": before.headers["ETag"]})
    assert changed.status_code == 200, changed.text
    shown = house.nurse.get(own_stage.at).json["contact"]
    assert shown == {"name": "Zhuge Kongming", "phone": "+8613912345678"}
    stored = str(everything(house))
    assert "Kongming" not in stored
    assert "3912345678" not in stored
    rows = house.chief.get(f"/audit?subject_id={own_stage.subject['id']}").json["items"]
    assert {"name": "changed", "phone": "changed"} in [row["new"] for row in rows if row["verb"] == "contact:changed"]
    bad = {"contact": {"name": "A", "phone": "12"}}
    fault = [("/contact/phone", "invalid_phone")]
    refuses(house, house.nurse, "PATCH", own_stage.at, bad, faults=fault, headers={"If-Match": "*"})


# --- a live start --------------------------------------------------------------------------------------------

KEY = b64encode(b"k" * 32).decode()
LIVE = {
    "DAYMARK_MODE": "live",
    "SECRET_KEY": "s" * 32,
    "FIELD_KEYS": f"1:{KEY}",
    "SMS_GATEWAY": "http",
    "HTTP_GATEWAY_URL": "https://sms.example/send",
    "HTTP_GATEWAY_SECRET": "x" * 32,
    "PUBLIC_URL": "https://daymark.example",
    "DATABASE_URL": "sqlite://",
}


def test_a_live_app_starts_with_all_it_needs() -> None:
    app = create_app(LIVE)
    with app.app_context():
        assert installation.settings().live
        assert installation.settings().rate_limits, "nobody switches the limits of a live installation off"
    assert create_app({**LIVE, "RATE_LIMITS": "off"}).config["RATELIMIT_ENABLED"] is True


@pytest.mark.parametrize(
    ("over", "named"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY"),
        ({"SECRET_KEY": "s" * 31}, "SECRET_KEY"),
        ({"FIELD_KEYS": ""}, "FIELD_KEYS"),
        ({"FIELD_KEYS": "1:c2hvcnQ="}, "FIELD_KEYS"),
        ({"FIELD_KEYS": f"0:{KEY}"}, "FIELD_KEYS"),
        ({"SMS_GATEWAY": "console"}, "SMS_GATEWAY"),
        ({"SMS_GATEWAY": ""}, "SMS_GATEWAY"),
        ({"SMS_GATEWAY": "twilio"}, "TWILIO_AUTH_TOKEN"),
        ({"HTTP_GATEWAY_SECRET": ""}, "HTTP_GATEWAY_SECRET"),
        ({"PUBLIC_URL": "http://daymark.example"}, "PUBLIC_URL"),
        ({"PUBLIC_URL": ""}, "PUBLIC_URL"),
        ({"DATABASE_URL": ""}, "DATABASE_URL"),
        ({"DAYMARK_MODE": "production"}, "DAYMARK_MODE"),
    ],
    ids=str,
)
def test_a_live_app_refuses_to_start_without(over: dict[str, str], named: str) -> None:
    with pytest.raises(BadSetting) as refused:
        create_app({**LIVE, **over})
    assert named in str(refused.value)
    for secret in (LIVE["SECRET_KEY"], KEY, LIVE["HTTP_GATEWAY_SECRET"]):
        assert secret not in str(refused.value)


def test_every_wrong_setting_is_named_at_once() -> None:
    with pytest.raises(BadSetting) as refused:
        create_app({"DAYMARK_MODE": "live"})
    for name in ("SECRET_KEY", "FIELD_KEYS", "SMS_GATEWAY", "PUBLIC_URL", "DATABASE_URL"):
        assert name in str(refused.value)
