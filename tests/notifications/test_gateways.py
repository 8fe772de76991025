"""The gateways against a local server standing for the provider: what is asked, and what each answer means."""

import hashlib
import hmac
import io
import json
import logging
import socket
import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import requests
import urllib3
from twilio.request_validator import RequestValidator
from urllib3.exceptions import MaxRetryError

from backend.config import BadSetting, from_environment
from notifications.gateways import twilio, wire
from notifications.gateways.base import Outcome, Outgoing, Receipt
from notifications.gateways.choose import Installed, NotInstalled, check
from notifications.gateways.console import ConsoleGateway, masked
from notifications.gateways.http import HttpGateway, Platform
from notifications.gateways.twilio import TwilioGateway
from tests.notifications.outbox_builders import HandClock
from tests.notifications.provider import Provider, serving

ID = UUID("00000000-0000-4000-8000-000000000001")
NUMBER = "+8613800138000"
SECRET = "shared between two"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serving() as one:
        yield one


def outgoing(**over: Any) -> Outgoing:
    plain: dict[str, Any] = {"to": NUMBER, "lane": "page", "template": "page", "language": "en"}
    return Outgoing(message_id=ID, **plain | {"variables": {"number": 4821, "time": "14:02"}} | over)


def a_reminder(**over: Any) -> Outgoing:
    return outgoing(**{"lane": "reminder", "template": "diary_today", "language": "zh-CN", "variables": {}} | over)


def by_twilio(url: str, timeout_s: float = 5) -> TwilioGateway:
    services = {"page": "MG" + "1" * 32, "reminder": "MG" + "2" * 32}
    return TwilioGateway("AC" + "0" * 32, "token", services, "https://daymark.example/", url, timeout_s)


def by_http(url: str, timeout_s: float = 5) -> HttpGateway:
    return HttpGateway(Platform(f"{url}/send", SECRET), timeout_s)


def refusal(status: int, code: int) -> tuple[int, dict[str, Any]]:
    return status, {"code": code, "message": "no", "status": status, "more_info": ""}


def told(outcome: Outcome) -> tuple[str, str | None, bool]:
    return outcome.kind, outcome.code, outcome.permanent


def test_twilio_is_asked_as_it_expects(provider: Provider) -> None:
    outcome = by_twilio(provider.url).send(outgoing())
    assert (outcome.kind, outcome.provider_id, outcome.segments) == ("accepted", "SM1", 1)
    asked = provider.seen[0]
    assert (asked.method, asked.path) == ("POST", f"/2010-04-01/Accounts/AC{'0' * 32}/Messages.json")
    assert asked.headers["Authorization"].startswith("Basic ")
    assert asked.form == {
        "To": NUMBER,
        "MessagingServiceSid": "MG" + "1" * 32,
        "Body": "Page 4821 14:02. Open the app.",
        "StatusCallback": f"https://daymark.example/api/v1/webhooks/twilio/status?message={ID}#rc=3&rp=all",
        "ValidityPeriod": "300",
    }


@pytest.mark.parametrize(("left", "validity"), [(None, "36000"), (3600, "3600"), (50_000, "36000"), (0, "1")])
def test_a_reminder_goes_by_its_own_service_while_it_is_useful(
    provider: Provider, time: HandClock, left: int | None, validity: str
) -> None:
    not_after = None if left is None else time.at + timedelta(seconds=left)
    by_twilio(provider.url).send(a_reminder(not_after=not_after))
    form = provider.seen[0].form
    assert (form["MessagingServiceSid"], form["ValidityPeriod"]) == ("MG" + "2" * 32, validity)
    assert form["Body"] == "今天您的日记中有一项待完成。"


@pytest.mark.parametrize(
    ("answer", "kind", "code", "permanent", "flags"),
    [
        (refusal(400, 21610), "refused", "21610", True, {"opted_out"}),
        (refusal(400, 21211), "refused", "21211", True, set()),
        (refusal(400, 21614), "refused", "21614", True, set()),
        (refusal(400, 21635), "refused", "21635", True, set()),
        (refusal(400, 21408), "refused", "21408", True, {"alarm"}),
        (refusal(400, 21612), "refused", "21612", True, {"alarm"}),
        (refusal(400, 21617), "refused", "21617", True, {"alarm"}),
        (refusal(400, 21606), "refused", "21606", False, {"alarm", "stop", "free"}),
        (refusal(401, 20003), "refused", "20003", False, {"alarm", "stop", "free"}),
        (refusal(429, 20429), "refused", "20429", False, {"free"}),
        (refusal(400, 21611), "refused", "21611", False, {"free"}),
        ((429, b""), "refused", "http_429", False, {"free"}),
        ((401, b"no"), "refused", "http_401", False, {"alarm", "stop", "free"}),
        (refusal(500, 20500), "unknown", "20500", False, set()),
        ((503, b"<html>"), "unknown", "http_503", False, set()),
        ((201, b"<html>"), "unknown", "answer_unreadable", False, set()),
        ("drop", "unknown", "connection_broken", False, set()),
    ],
)
def test_what_twilios_answers_mean(
    provider: Provider, answer: Any, kind: str, code: str, permanent: bool, flags: set[str]
) -> None:
    provider.answers = [answer]
    outcome = by_twilio(provider.url).send(outgoing())
    assert told(outcome) == (kind, code, permanent)
    shown = {name for name in ("alarm", "stop", "opted_out") if getattr(outcome, name)}
    assert shown | (set() if outcome.counts else {"free"}) == flags
    assert len(provider.seen) == 1  # a POST is never repeated below us


@pytest.mark.parametrize("make", [by_twilio, by_http])
def test_a_hanging_provider_costs_the_timeout_and_no_more(provider: Provider, make: Any) -> None:
    provider.answers = ["hang"]
    assert told(make(provider.url, 0.2).send(outgoing())) == ("unknown", "timeout", False)


@pytest.mark.parametrize("make", [by_twilio, by_http])
def test_nobody_listening_is_certainly_not_sent(make: Any) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, not listening: refused
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        assert told(make(url).send(outgoing())) == ("refused", "connection_refused", False)


@pytest.mark.parametrize("make", [by_twilio, by_http])
def test_a_name_that_does_not_resolve_is_certainly_not_sent(make: Any) -> None:
    def no_such_name(*_: object, **__: object) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", no_such_name)
        assert told(make("http://provider.invalid").send(outgoing())) == ("refused", "connection_refused", False)


def test_twilio_finds_what_it_took(provider: Provider, time: HandClock) -> None:
    def listed(sid: str, body: str, status: str = "sent") -> dict[str, Any]:
        return {"sid": sid, "body": body, "status": status}

    mine = "今天您的日记中有一项待完成。"
    rows = [listed("SM3", mine), listed("SM2", "other"), listed("SM1", mine), listed("SM0", mine, "failed")]
    provider.answers = [(200, {"messages": rows, "next_page_uri": None})]
    assert by_twilio(provider.url).look_up(a_reminder(), time.at) == ("SM1", "SM3")
    assert provider.seen[0].query["To"] == [NUMBER]
    assert "DateSent>" not in provider.seen[0].query, "one that queues has no date of sending yet"


def test_no_number_is_logged(provider: Provider, time: HandClock, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        gateway = by_twilio(provider.url)
        gateway.send(outgoing())
        provider.answers = [(200, {"messages": [], "next_page_uri": None})]
        gateway.look_up(a_reminder(), time.at)
        by_http(provider.url).send(outgoing())
    assert "13800138000" not in caplog.text


@pytest.mark.parametrize(
    ("form", "receipt"),
    [
        ({"MessageStatus": "sent", "MessageSid": "SM1"}, Receipt("sent", None, "SM1")),
        ({"MessageStatus": "delivered", "MessageSid": "SM1", "ErrorCode": "30008"}, Receipt("delivered", None, "SM1")),
        (
            {"MessageStatus": "undelivered", "MessageSid": "SM1", "ErrorCode": "30003"},
            Receipt("undelivered", "30003", "SM1", again_after=timedelta(hours=3)),
        ),
        (
            {"MessageStatus": "undelivered", "MessageSid": "SM1", "ErrorCode": "30007"},
            Receipt("undelivered", "30007", "SM1", alarm=True),
        ),
        (
            {"MessageStatus": "failed", "MessageSid": "SM1", "ErrorCode": "21610"},
            Receipt("failed", "21610", "SM1", opted_out=True),
        ),
        ({"SmsStatus": "failed", "SmsSid": "SM1", "ErrorCode": ""}, Receipt("failed", "failed", "SM1")),
        ({"CallStatus": "in-progress", "CallSid": "CA1"}, Receipt("sent", None, "CA1")),
        ({"CallStatus": "completed", "CallSid": "CA1"}, Receipt("delivered", None, "CA1")),
        ({"CallStatus": "no-answer", "CallSid": "CA1"}, Receipt("undelivered", "no_answer", "CA1")),
        ({"CallStatus": "failed", "CallSid": "CA1"}, Receipt("failed", "failed", "CA1")),
        ({"MessageStatus": "receiving"}, None),
        ({}, None),
    ],
)
def test_receipts_are_read(form: dict[str, str], receipt: Any) -> None:
    assert twilio.read_receipt(form) == receipt


def test_a_callback_is_ours_only_with_one_of_our_tokens() -> None:
    url = f"https://daymark.example/api/v1/webhooks/twilio/status?message={ID}"
    form = {"MessageSid": "SM1", "MessageStatus": "sent", "ErrorCode": ""}
    signature = RequestValidator("new").compute_signature(url, form)
    assert twilio.signature_holds(("old", "new"), url, form, signature)
    assert not twilio.signature_holds(("old",), url, form, signature)
    assert not twilio.signature_holds(("new",), url.replace("0001", "0002"), form, signature)
    assert not twilio.signature_holds((), url, form, signature)


def test_http_sends_a_signed_intent_and_no_text(provider: Provider) -> None:
    provider.answers = [(200, {"id": 77})]
    outcome = by_http(provider.url).send(outgoing(channel=2))
    assert (outcome.kind, outcome.provider_id) == ("accepted", "77")
    asked = provider.seen[0]
    assert json.loads(asked.body) == {
        "message_id": str(ID),
        "to": NUMBER,
        "lane": "page",
        "medium": "sms",
        "channel": 2,
        "template": "page",
        "language": "en",
        "variables": {"number": "4821", "time": "14:02"},
    }
    expected = hmac.new(SECRET.encode(), asked.body, hashlib.sha256).hexdigest()
    assert asked.headers["X-Daymark-Signature"] == f"sha256={expected}"


@pytest.mark.parametrize(
    ("answer", "kind", "code", "permanent"),
    [
        ((204, b""), "accepted", None, False),
        ((200, b"OK"), "accepted", None, False),
        ((200, {"errcode": 0}), "accepted", None, False),
        ((200, {"errcode": 45009}), "refused", "errcode_45009", False),
        ((400, {}), "refused", "http_400", True),
        ((404, {}), "refused", "http_404", True),
        ((302, b""), "refused", "http_302", True),
        ((401, {}), "refused", "http_401", False),
        ((408, {}), "refused", "http_408", False),
        ((429, {}, {"Retry-After": "90"}), "refused", "http_429", False),
        ((500, {}), "unknown", "http_500", False),
        ("drop", "unknown", "connection_broken", False),
    ],
)
def test_what_http_answers_mean(provider: Provider, answer: Any, kind: str, code: str | None, permanent: bool) -> None:
    provider.answers = [answer]
    outcome = by_http(provider.url).send(outgoing())
    assert told(outcome) == (kind, code, permanent)
    assert outcome.retry_after_s == (90 if code == "http_429" else None)


def test_the_console_masks_numbers(tmp_path: Path, time: HandClock) -> None:
    path, out = tmp_path / "new" / "messages.jsonl", io.StringIO()
    gateway = ConsoleGateway(str(path), out)
    gateway.send(outgoing())
    gateway.send(a_reminder())
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert lines[0] == {
        "id": str(ID),
        "lane": "page",
        "medium": "sms",
        "to": "+86*********00",
        "template": "page",
        "language": "en",
        "text": "Page 4821 14:02. Open the app.",
        "at": "2026-03-02T01:00:00Z",
    }
    assert lines[1]["text"] == "今天您的日记中有一项待完成。"
    assert "+86*********00: Page 4821" in out.getvalue()
    assert "13800138000" not in path.read_text("utf-8") + out.getvalue()


@pytest.mark.parametrize("number", ["+8613800138000", "+123456", "12", "+4915112345678"])
def test_a_mask_leaves_no_number(number: str) -> None:
    hidden = masked(number)
    assert len(hidden) == len(number)
    assert hidden.count("*") >= min(len(number), 5)


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        ({}, ConsoleGateway),
        ({"SMS_GATEWAY": "http", "HTTP_GATEWAY_URL": "http://x", "HTTP_GATEWAY_SECRET": "s"}, HttpGateway),
        (
            {
                "SMS_GATEWAY": "twilio",
                "TWILIO_ACCOUNT_SID": "AC1",
                "TWILIO_AUTH_TOKEN": "new,old",
                "TWILIO_PATIENT_SERVICE_SID": "MG1",
                "TWILIO_PAGE_SERVICE_SID": "MG2",
            },
            TwilioGateway,
        ),
    ],
)
def test_the_settings_choose(environment: dict[str, str], kind: type[Any]) -> None:
    settings = from_environment(environment)
    assert type(Installed(settings).by(settings.sms_gateway)) is kind


def test_the_console_takes_whatever_goes_another_way() -> None:
    assert type(Installed(from_environment({})).by("wecom")) is ConsoleGateway


def test_a_gateway_without_settings_is_not_there() -> None:
    settings = from_environment({"SMS_GATEWAY": "http", "HTTP_GATEWAY_URL": "http://x", "HTTP_GATEWAY_SECRET": "s"})
    with pytest.raises(NotInstalled):
        Installed(settings).by("twilio")


def test_a_platform_that_could_send_nothing_is_refused_at_start() -> None:
    bad = '{"fields": {"phone": "{whom}"}, "codes": 1}'
    with pytest.raises(BadSetting) as told:
        check(from_environment({"HTTP_GATEWAY_PLATFORM": bad}))
    for said in ("HTTP_GATEWAY_PLATFORM /codes", "/fields/phone: {whom} is no place", "nothing says to whom"):
        assert said in str(told.value)
    with pytest.raises(BadSetting, match="HTTP_GATEWAY_PLATFORM must be a JSON object"):
        from_environment({"HTTP_GATEWAY_PLATFORM": "[1]"})
    with pytest.raises(BadSetting, match="HTTP_GATEWAY_PLATFORM is not JSON"):
        from_environment({"HTTP_GATEWAY_PLATFORM": "{"})


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (ssl.SSLCertVerificationError("certificate verify failed"), "refused"),
        (ssl.SSLError("decryption failed or bad record mac"), "unknown"),
        (ssl.SSLEOFError("EOF occurred in violation of protocol"), "unknown"),
    ],
)
def test_only_a_certificate_that_is_not_trusted_proves_that_nothing_went(cause: ssl.SSLError, kind: str) -> None:
    """A record that breaks may break after the body was read."""
    pool = MaxRetryError(None, "/", urllib3.exceptions.SSLError(cause))  # type: ignore[arg-type]
    outcome = wire.failure(requests.exceptions.SSLError(pool))
    assert (outcome.kind, outcome.code) == (kind, "tls")


def test_what_was_made_before_is_another_text(provider: Provider, time: HandClock) -> None:
    mine = "今天您的日记中有一项待完成。"
    rows = [
        {"sid": sid, "body": mine, "status": "queued", "date_created": f"Mon, 02 Mar 2026 {at} +0000"}
        for sid, at in (("SM2", "01:00:05"), ("SM1", "00:58:59"))
    ]
    provider.answers = [(200, {"messages": rows, "next_page_uri": None})]
    assert by_twilio(provider.url).look_up(a_reminder(), time.at) == ("SM2",)
