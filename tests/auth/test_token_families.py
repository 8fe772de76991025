"""Token families: rotation, misuse, cookies and the value that proves a request came from our own page."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import sqlalchemy as sa
from auth_world import World, on_both
from flask.testing import FlaskClient
from house import PASSWORD
from werkzeug.test import TestResponse

from backend.models.people import TokenFamily

HERE = "https://daymark.example"


def renew(world: World, token: str) -> TestResponse:
    return world.post("/auth/refresh", refresh_token=token)


def test_renewing_gives_new_tokens_until_the_family_ends(world: World) -> None:
    first = world.sign_in(world.nurse).json
    second = renew(world, first["refresh_token"])
    assert second.status_code == 200
    third = renew(world, second.json["refresh_token"])
    assert third.status_code == 200
    assert len({first["refresh_token"], second.json["refresh_token"], third.json["refresh_token"]}) == 3
    assert world.get("/me", third.json["access_token"]).status_code == 200
    world.time.turn(hours=12)
    assert renew(world, third.json["refresh_token"]).json["code"] == "token_expired"


def test_an_access_token_ends_after_fifteen_minutes(world: World) -> None:
    token = world.token(world.nurse)
    world.time.turn(minutes=14, seconds=59)
    assert world.get("/me", token).status_code == 200
    world.time.turn(seconds=1)
    assert world.get("/me", token).json["code"] == "token_expired"


@on_both
def test_a_reused_token_ends_its_family_and_no_other(world: World) -> None:
    other = world.token(world.nurse)
    stolen = world.sign_in(world.nurse).json
    renewed = renew(world, stolen["refresh_token"]).json
    reused = renew(world, stolen["refresh_token"])
    assert (reused.status_code, reused.json["code"]) == (401, "refresh_reused")
    assert world.get("/me", renewed["access_token"]).json["code"] == "token_revoked"
    assert renew(world, renewed["refresh_token"]).json["code"] == "token_revoked"
    assert world.get("/me", other).status_code == 200
    [row] = world.trail("session:reuse_detected")
    assert row.new == {"account": str(world.nurse.id)}


@on_both
def test_of_two_renewals_at_once_one_wins_and_the_family_ends(world: World) -> None:
    token = world.sign_in(world.nurse).json["refresh_token"]
    with ThreadPoolExecutor(4) as pool:
        codes = sorted(answer.status_code for answer in pool.map(lambda _: renew(world, token), range(4)))
    assert codes == [200, 401, 401, 401]
    assert world.rows(sa.select(TokenFamily.revoked_why)) == ["refresh token reused"]


def test_a_token_of_one_kind_is_not_taken_for_the_other(world: World) -> None:
    session = world.sign_in(world.nurse).json
    assert world.get("/me", session["refresh_token"]).json["code"] == "token_invalid"
    assert renew(world, session["access_token"]).json["code"] == "token_invalid"
    assert renew(world, "not.a.token").json["code"] == "token_invalid"
    assert world.get("/me").json["code"] == "sign_in_required"


# --- cookies -----------------------------------------------------------------------------------


def browser(world: World) -> FlaskClient:
    client = world.client()
    body = {"username": "nurse", "password": PASSWORD, "totp": world.next_code(world.nurse), "transport": "cookie"}
    answer = client.post("/api/v1/auth/staff/sign-in", json=body, base_url=HERE)
    assert answer.status_code == 200
    assert (answer.json["access_token"], answer.json["refresh_token"]) == (None, None)
    return client


def value(client: FlaskClient, name: str, path: str = "/") -> str:
    cookie = client.get_cookie(f"daymark_console_{name}", domain="daymark.example", path=path)
    assert cookie is not None
    return cookie.value


def ask(client: FlaskClient, method: str, path: str, csrf: str | None = None, **body: Any) -> TestResponse:
    headers = {} if csrf is None else {"X-CSRF-Token": csrf}
    json = None if method == "GET" else body
    return client.open(f"/api/v1{path}", method=method, json=json, headers=headers, base_url=HERE)


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(world: World) -> None:
    body = {"username": "nurse", "password": PASSWORD, "totp": world.next_code(world.nurse), "transport": "cookie"}
    answer = world.client().post("/api/v1/auth/staff/sign-in", json=body, base_url=HERE)
    cookies = {line.split("=", 1)[0]: line for line in answer.headers.getlist("Set-Cookie")}
    assert all("Secure" in line and "SameSite=Strict" in line for line in cookies.values())
    assert {name for name, line in cookies.items() if "HttpOnly" in line} == {
        "daymark_console_access",
        "daymark_console_refresh",
    }
    assert "Path=/api/v1/auth" in cookies["daymark_console_refresh"]
    assert "Max-Age=900" in cookies["daymark_console_access"]


def test_a_change_by_cookie_needs_the_csrf_value(world: World) -> None:
    client = browser(world)
    assert ask(client, "GET", "/me").status_code == 200
    for wrong in (None, "", "made-up", "不"):
        headers = {} if wrong is None else {"X-CSRF-Token": wrong.encode().decode("latin-1")}
        refused = client.post("/api/v1/auth/sign-out", json={}, headers=headers, base_url=HERE)
        assert (refused.status_code, refused.json["code"]) == (401, "csrf_failed")
        refused = client.post("/api/v1/auth/refresh", json={}, headers=headers, base_url=HERE)
        assert (refused.status_code, refused.json["code"]) == (401, "csrf_failed")
    assert ask(client, "POST", "/auth/sign-out", value(client, "csrf")).status_code == 200


def test_two_tabs_that_renew_together_both_stay(world: World) -> None:
    client = browser(world)
    csrf, refresh = value(client, "csrf_refresh"), value(client, "refresh", "/api/v1/auth")
    assert ask(client, "POST", "/auth/refresh", csrf).status_code == 200
    renewed = value(client, "refresh", "/api/v1/auth")
    client.set_cookie("daymark_console_refresh", refresh, domain="daymark.example", path="/api/v1/auth")
    world.time.turn(seconds=10)
    second = ask(client, "POST", "/auth/refresh", csrf)
    assert second.status_code == 200
    names = {line.split("=", 1)[0] for line in second.headers.getlist("Set-Cookie")}
    assert names == {"daymark_console_access", "daymark_console_csrf"}
    assert ask(client, "GET", "/me").status_code == 200
    world.time.turn(seconds=1)
    assert ask(client, "POST", "/auth/refresh", csrf).json["code"] == "refresh_reused"
    assert renewed != refresh
    assert ask(client, "GET", "/me").json["code"] == "token_revoked"


def test_a_token_from_a_cookie_is_not_taken_from_a_body(world: World) -> None:
    refresh = value(browser(world), "refresh", "/api/v1/auth")
    assert renew(world, refresh).json["code"] == "token_invalid"


def test_signing_out_of_one_app_leaves_the_other(world: World) -> None:
    client = browser(world)
    body = {"code": world.code(), "pin": "4821", "device_name": "phone", "transport": "cookie"}
    assert client.post("/api/v1/auth/activate", json=body, base_url=HERE).status_code == 200
    csrf = client.get_cookie("daymark_phone_csrf", domain="daymark.example")
    assert csrf is not None
    headers = {"X-App": "phone", "X-CSRF-Token": csrf.value}
    assert client.post("/api/v1/auth/sign-out", json={}, headers=headers, base_url=HERE).status_code == 200
    assert client.get_cookie("daymark_phone_access", domain="daymark.example", path="/api/v1") is None
    assert ask(client, "GET", "/me").json["role"] == "nurse"


def test_a_browser_may_confirm_and_sign_with_the_token_it_gets(world: World) -> None:
    client = browser(world)
    confirmed = ask(
        client, "POST", "/auth/confirm", value(client, "csrf"), password=PASSWORD, totp=world.next_code(world.nurse)
    )
    assert world.get("/me", confirmed.json["access_token"]).status_code == 200


# --- me ----------------------------------------------------------------------------------------


def test_changing_my_language_needs_what_i_read(world: World) -> None:
    token = world.token(world.nurse)
    read = world.get("/me", token)
    assert read.json["locale"] == "en"

    def change(etag: str | None) -> TestResponse:
        headers = {"Authorization": f"Bearer {token}"} | ({"If-Match": etag} if etag else {})
        return world.client().patch("/api/v1/me", json={"locale": "zh-CN"}, headers=headers)

    assert change(None).status_code == 428
    changed = change(read.headers["ETag"])
    assert (changed.status_code, changed.json["locale"]) == (200, "zh-CN")
    assert change(read.headers["ETag"]).status_code == 412
    assert change(changed.headers["ETag"]).status_code == 200
    assert [row.new for row in world.trail("account:changed")] == [{"locale": "zh-CN"}] * 2
