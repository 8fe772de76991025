"""The doors of a site's channels: what may be set, by whom and how; and what is warned of."""

import json
from typing import Any

import pytest
import sqlalchemy as sa
from house import House, Person

from backend import channels
from backend.db import transaction
from backend.models.study import SiteChannel
from tests.channels.conftest import (
    APPROVED,
    KEY,
    PLATFORM_SECRET,
    Ways,
    installed,
    move_site,
    path_of,
    put,
    shown,
)
from tests.trial.desk import faults, refused

URL = "https://sms.hospital.example/api/8841-hidden-path"
PLATFORM = {"gateway": "http", "rung": 1, "secrets": {"url": URL, "secret": PLATFORM_SECRET}}
WECOM = {"gateway": "wecom", "rung": 1, "secrets": {"key": KEY}}


def kept(house: House, medium: str) -> dict[str, str]:
    """The secrets as they are kept, which no door shows."""
    with house.app.app_context(), transaction(writes=False):
        row = channels.find(house.site_id, medium)
        assert row is not None
        return dict(channels.secrets_of(row))


def stored(house: House) -> list[str]:
    return [row.medium for row in house.rows(sa.select(SiteChannel))]


def test_a_site_begins_without_channels(house: House) -> None:
    answer = house.admin.get(path_of(house))
    assert answer.status_code == 200
    assert answer.json["items"] == []
    assert answer.json["site_id"] == str(house.site_id)


def test_a_channel_is_set_and_shown(house: House) -> None:
    answer = put(house, "sms", {**PLATFORM, "platform": {"code_at": "/code", "ok": ["0"]}})
    assert answer.status_code == 200, answer.text
    assert answer.headers["ETag"].strip('W/"') == str(answer.json["version"])
    one = shown(house, "sms")
    assert one == answer.json
    assert (one["gateway"], one["rung"], one["wakes"], one["test"]) == ("http", 1, True, "none")
    assert one["secrets"] == ["secret", "url"], "the names of what is kept, never more"
    assert one["platform"] == {"code_at": "/code", "ok": ["0"]}
    assert (one["accepted_at"], one["accepted_by"]) == (None, None)


@pytest.mark.parametrize(("medium", "wakes"), [("sms", True), ("voice", True), ("wecom", False), ("dingtalk", False)])
def test_only_texts_and_calls_wake(sqlite_house: House, medium: str, wakes: bool) -> None:
    gateway = medium if not wakes else "console"
    put(sqlite_house, medium, {"gateway": gateway, "rung": 1, "secrets": {"key": KEY}} if not wakes else
        {"gateway": gateway, "rung": 1})  # fmt: skip
    assert shown(sqlite_house, medium)["wakes"] is wakes


def test_the_rungs_order_what_is_shown(sqlite_house: House) -> None:
    put(sqlite_house, "sms", {"gateway": "console", "rung": 2})
    put(sqlite_house, "wecom", WECOM)
    items = sqlite_house.admin.get(path_of(sqlite_house)).json["items"]
    assert [(one["medium"], one["rung"]) for one in items] == [("wecom", 1), ("sms", 2)]


# --- Replace and drop ------------------------------------------------------------------------------------------


def test_a_second_write_needs_the_version_it_replaces(house: House) -> None:
    first = house.admin.put(path_of(house, "wecom"), WECOM)
    assert first.status_code == 200, first.text
    body = {"gateway": "wecom", "rung": 2}
    assert refused(house.admin.put(path_of(house, "wecom"), body))[0] == 428
    stale = {"If-Match": f'"{first.json["version"] - 1}"'}
    assert refused(house.admin.put(path_of(house, "wecom"), body, **stale))[0] == 412
    assert shown(house, "wecom")["rung"] == 1, "neither was taken"
    again = house.admin.put(path_of(house, "wecom"), body, **{"If-Match": first.headers["ETag"]})
    assert again.status_code == 200, again.text
    assert (again.json["rung"], again.json["version"]) == (2, first.json["version"] + 1)


def test_secrets_that_are_left_out_stay(house: House) -> None:
    put(house, "sms", PLATFORM)
    put(house, "sms", {"gateway": "http", "rung": 2})
    assert kept(house, "sms") == {"url": URL, "secret": PLATFORM_SECRET}
    put(house, "sms", {"gateway": "http", "rung": 2, "secrets": {"secret": "another one"}})
    assert kept(house, "sms") == {"url": URL, "secret": "another one"}


def test_another_gateway_inherits_no_secrets(house: House) -> None:
    """The address and key of a platform mean nothing to another gateway, and come back to nobody."""
    put(house, "sms", PLATFORM)
    answer = put(house, "sms", {"gateway": "console", "rung": 1})
    assert answer.json["secrets"] == []
    assert kept(house, "sms") == {}
    with installed(house, http_gateway_url="https://other.example/sms", http_gateway_secret="s"):
        assert put(house, "sms", {"gateway": "http", "rung": 1}).json["secrets"] == []
    assert kept(house, "sms") == {}, "the installation's platform was chosen, not the one of before"


def test_a_channel_is_dropped(house: House) -> None:
    version = put(house, "wecom", WECOM).headers["ETag"]
    path = path_of(house, "wecom")
    assert refused(house.admin.call("DELETE", path))[0] == 428
    assert refused(house.admin.call("DELETE", path, headers={"If-Match": '"99"'}))[0] == 412
    assert stored(house) == ["wecom"]
    answer = house.admin.call("DELETE", path, headers={"If-Match": version})
    assert (answer.status_code, answer.json["items"]) == (200, [])
    assert stored(house) == []
    assert refused(house.admin.call("DELETE", path, headers={"If-Match": version}))[0] == 404


def test_one_site_has_nothing_of_the_other(house: House) -> None:
    put(house, "wecom", WECOM)
    other = house.clerk.put(path_of(house, "wecom", house.other_site_id), {**WECOM, "secrets": {"key": "theirs"}})
    assert other.status_code == 200, other.text
    assert kept(house, "wecom") == {"key": KEY}
    assert shown(house, "wecom")["version"] == 1


def test_what_was_done_is_in_the_audit_trail(house: House) -> None:
    put(house, "wecom", WECOM)
    version = put(house, "wecom", {**WECOM, "rung": 2}).headers["ETag"]
    house.admin.call("DELETE", path_of(house, "wecom"), headers={"If-Match": version})
    rows = [row for row in house.admin.get("/audit?limit=200").json["items"] if row["verb"].startswith("channel:")]
    assert sorted(row["verb"] for row in rows) == ["channel:dropped", "channel:set", "channel:set"]
    assert {row["actor_id"] for row in rows} == {str(house.admin.id)}
    assert '"secrets": "changed"' in json.dumps([row["new"] for row in rows])
    assert house.chief.get("/audit/verify").json["intact"] is True


# --- What is refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("medium", "gateway"),
    [("sms", "wecom"), ("voice", "dingtalk"), ("wecom", "dingtalk"), ("dingtalk", "http"), ("wecom", "console")],
)
def test_a_gateway_that_does_not_carry_the_medium(sqlite_house: House, medium: str, gateway: str) -> None:
    body = {"gateway": gateway, "rung": 1, "secrets": {"key": KEY}}
    assert faults(put(sqlite_house, medium, body)) == [("/gateway", "not_allowed")]
    assert stored(sqlite_house) == []


def test_a_gateway_that_is_not_installed(sqlite_house: House) -> None:
    for medium in ("sms", "voice"):
        body = {"gateway": "twilio", "rung": 1}
        assert faults(put(sqlite_house, medium, body)) == [("/gateway", "not_installed")]
    move_site(sqlite_house, "DE")
    with installed(sqlite_house, twilio_account_sid="AC1", twilio_auth_tokens=("t",)):
        body = {"gateway": "twilio", "rung": 2}
        assert faults(put(sqlite_house, "voice", body)) == [("/gateway", "not_installed")], "no number to call from"
    assert stored(sqlite_house) == []


def test_a_platform_that_is_nowhere_is_not_installed(sqlite_house: House) -> None:
    """Neither the site nor the installation says where it listens: every page over it would fail."""
    answer = put(sqlite_house, "sms", {"gateway": "http", "rung": 1})
    assert answer.status_code == 422, "accepted, though nothing says where the platform is"
    assert {path for path, _ in faults(answer)} <= {"/gateway", "/secrets/url"}
    assert stored(sqlite_house) == []


def test_twilio_calls_nobody_in_mainland_china(ways: Ways) -> None:
    body = {"gateway": "twilio", "rung": 2}
    assert faults(put(ways.house, "voice", body)) == [("/gateway", "not_allowed")]
    assert stored(ways.house) == []
    move_site(ways.house, "DE")
    assert put(ways.house, "voice", body).status_code == 200


def test_a_hospitals_platform_may_call_in_mainland_china(quick: Ways) -> None:
    quick.platform("voice", 2)
    assert shown(quick.house, "voice")["gateway"] == "http"


@pytest.mark.parametrize(
    ("medium", "body", "found"),
    [
        ("wecom", {"gateway": "wecom", "rung": 1}, [("/secrets/key", "required")]),
        ("dingtalk", {"gateway": "dingtalk", "rung": 1, "secrets": {"secret": "s"}}, [("/secrets/key", "required")]),
        ("wecom", {"gateway": "wecom", "rung": 1, "secrets": {"key": "  "}}, [("/secrets/key", "wrong_length")]),
        ("sms", {"gateway": "http", "rung": 1, "secrets": {"url": URL}}, [("/secrets/secret", "required")]),
        ("sms", {**PLATFORM, "secrets": {"url": "ftp://x", "secret": "s"}}, [("/secrets/url", "invalid")]),
        ("sms", {**PLATFORM, "secrets": {"url": "https://", "secret": "s"}}, [("/secrets/url", "invalid")]),
        ("sms", {**PLATFORM, "secrets": {"url": "https:///sms", "secret": "s"}}, [("/secrets/url", "invalid")]),
        ("sms", {**PLATFORM, "secrets": {"url": "https://a b/sms", "secret": "s"}}, [("/secrets/url", "invalid")]),
        ("sms", {"rung": 1}, [("/gateway", "required")]),
        ("sms", {"gateway": "http"}, [("/rung", "required")]),
        ("sms", {"gateway": "pigeon", "rung": 3}, [("/gateway", "not_allowed"), ("/rung", "out_of_range")]),
        ("sms", {**PLATFORM, "rung": 0, "colour": 1}, [("/colour", "unknown_field"), ("/rung", "out_of_range")]),
        ("sms", {**PLATFORM, "secrets": {"token": "x"}}, [("/secrets/token", "unknown_field")]),
        ("sms", {**PLATFORM, "platform": []}, [("/platform", "wrong_type")]),
    ],
)
def test_bad_input_names_every_fault_and_stores_nothing(
    sqlite_house: House, medium: str, body: Any, found: list[tuple[str, str]]
) -> None:
    answer = put(sqlite_house, medium, body)
    assert faults(answer) == found
    assert stored(sqlite_house) == []
    assert KEY not in answer.text
    assert PLATFORM_SECRET not in answer.text


@pytest.mark.parametrize(
    ("platform", "found"),
    [
        ({"colour": 1}, [("/platform/colour", "unknown_key")]),
        ({"a/b": 1}, [("/platform/a~1b", "unknown_key")]),
        ({"fields": ["{to}"]}, [("/platform/fields", "wrong_type")]),
        ({"templates": ["SMS_1"]}, [("/platform/templates", "wrong_type")]),
        ({"code_at": "code"}, [("/platform/code_at", "wrong_type")]),
        ({"code_at": 3, "id_at": None}, [("/platform/code_at", "wrong_type"), ("/platform/id_at", "wrong_type")]),
        ({"ok": "0"}, [("/platform/ok", "wrong_type")]),
        ({"ok": [0]}, [("/platform/ok", "wrong_type")]),
        ({"fields": {"text": "{text}"}}, [("/platform/fields", "required")]),
        ({"fields": {"to": "{to}", "t": "{template_id}"}}, [("/platform/templates", "required")]),
    ],
)
def test_the_faults_of_a_platforms_description(
    sqlite_house: House, platform: Any, found: list[tuple[str, str]]
) -> None:
    assert faults(put(sqlite_house, "sms", {**PLATFORM, "platform": platform})) == found
    assert stored(sqlite_house) == []


@pytest.mark.parametrize(
    ("platform", "path"),
    [
        ({"fields": {"to": "{to}", "deep": {"who": "{nobody}"}}}, "/platform/fields/deep/who"),
        ({"fields": {"to": "{to}", "list": ["x", "{nobody}"]}}, "/platform/fields/list/1"),
        ({"templates": {**APPROVED, "page/zh": 4711}}, "/platform/templates/page~1zh"),
        ({"templates": {**APPROVED, "pgae/zh": "SMS_1"}}, "/platform/templates/pgae~1zh"),
        (
            {"templates": {key: one for key, one in APPROVED.items() if not key.startswith("page_everyone/")}},
            "/platform/templates/page_everyone~1zh",
        ),
    ],
)
def test_the_path_leads_to_where_the_fault_is(sqlite_house: House, platform: Any, path: str) -> None:
    """Two hundred fields with one misspelt place are no place to search by hand."""
    answer = put(sqlite_house, "sms", {**PLATFORM, "platform": platform})
    assert answer.status_code == 422, "taken, though no page would ever carry it"
    assert [one for one, _ in faults(answer)] == [path]


def test_a_description_without_an_address_is_obeyed_or_refused(quick: Ways) -> None:
    """A site that describes the installation's platform: what it wrote must not be ignored in silence."""
    wanted = {"fields": {"mobile": "{to}", "words": "{text}"}}
    answer = put(quick.house, "sms", {"gateway": "http", "rung": 1, "platform": wanted})
    if answer.status_code == 200:
        test = quick.house.admin.post(
            f"{path_of(quick.house, 'sms')}/tests", {"account_id": str(quick.house.doctor.id)}
        )
        assert test.status_code == 201, test.text
        posts = quick.turn()
        assert posts
        assert [sorted(one.body) for one in posts] == [["mobile", "words"]] * len(posts)
    else:
        assert answer.status_code == 422


def test_faults_of_gateway_and_platform_come_together(sqlite_house: House) -> None:
    body = {"gateway": "wecom", "rung": 1, "platform": {"ok": 1}, "secrets": {"url": "gopher://x", "key": KEY}}
    assert faults(put(sqlite_house, "sms", body)) == [
        ("/gateway", "not_allowed"),
        ("/platform/ok", "wrong_type"),
        ("/secrets/url", "invalid"),
    ]


def test_a_refused_change_leaves_the_channel_as_it_was(house: House) -> None:
    put(house, "sms", PLATFORM)
    before = shown(house, "sms")
    changed = {**PLATFORM, "rung": 2, "secrets": {"secret": "new", "url": URL}, "platform": {"ok": 1}}
    assert put(house, "sms", changed).status_code == 422
    assert shown(house, "sms") == before
    assert kept(house, "sms")["secret"] == PLATFORM_SECRET


def test_in_live_mode_an_address_is_encrypted(sqlite_house: House) -> None:
    body = {**PLATFORM, "secrets": {"url": "http://sms.hospital.example/", "secret": "s"}}
    with installed(sqlite_house, mode="live"):
        assert faults(put(sqlite_house, "sms", body)) == [("/secrets/url", "invalid")]


# --- Who -------------------------------------------------------------------------------------------------------


def test_roles(house: House) -> None:
    for name, status in {"nurse": 200, "doctor": 200, "chief": 200, "monitor": 200, "statistician": 403}.items():
        assert house.people[name].get(path_of(house)).status_code == status, name
    for name in ("nurse", "doctor", "chief", "monitor", "statistician"):
        assert house.people[name].put(path_of(house, "wecom"), WECOM).status_code == 403, name
    assert stored(house) == []
    version = put(house, "wecom", WECOM).headers["ETag"]
    for name in ("nurse", "chief", "monitor"):
        gone = house.people[name].call("DELETE", path_of(house, "wecom"), headers={"If-Match": version})
        assert gone.status_code == 403, name
    assert stored(house) == ["wecom"]


@pytest.mark.parametrize("name", ["stranger", "rival", "clerk"])
def test_a_site_of_others_does_not_exist(sqlite_house: House, name: str) -> None:
    put(sqlite_house, "wecom", WECOM)
    who: Person = sqlite_house.people[name]
    path, wecom = path_of(sqlite_house), path_of(sqlite_house, "wecom")
    assert who.get(path).status_code == 404
    if name == "clerk":
        assert who.put(wecom, WECOM, **{"If-Match": '"1"'}).status_code == 404
        assert who.call("DELETE", wecom, headers={"If-Match": '"1"'}).status_code == 404
        assert who.put(f"/sites/{sqlite_house.site_id}/live", {}).status_code == 404
    assert stored(sqlite_house) == ["wecom"]


def test_a_medium_that_nobody_knows(sqlite_house: House) -> None:
    assert refused(sqlite_house.admin.put(path_of(sqlite_house, "telex"), WECOM)) == (404, "not_found")


# --- Warnings --------------------------------------------------------------------------------------------------


def test_twilio_in_mainland_china_is_warned_of(quick: Ways) -> None:
    quick.set("sms", "twilio")
    assert shown(quick.house, "sms")["warnings"] == ["numbers_leave_country", "no_replies", "few_texts_a_day"]
    quick.platform("sms")
    assert shown(quick.house, "sms")["warnings"] == []
    quick.set("sms", "twilio")
    move_site(quick.house, "DE")
    assert shown(quick.house, "sms")["warnings"] == []
