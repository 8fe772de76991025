"""A hospital's own SMS or voice platform: one signed POST a message, template and variables, no text.

The body is JSON `{message_id, to, lane, channel, template, language, variables}`; the header
`X-Daymark-Signature: sha256=<hex>` is HMAC-SHA256 of the body's bytes under the shared secret. The
platform answers 2xx, best with `{"id": …}`. Group robots answer 200 with `errcode`: that is read too.
"""

import hashlib
import hmac
from datetime import datetime
from typing import Any

import requests

from backend import strictjson
from notifications.gateways.base import Outcome, Outgoing, accepted, later, refused, stopped, unknown
from notifications.gateways.wire import failure

SIGNATURE = "X-Daymark-Signature"
_MAX_WAIT_S = 3600


class HttpGateway:
    """`timeout_s` bounds connecting and each wait for the answer."""

    name = "http"
    can_look_up = False

    def __init__(self, url: str, secret: str, timeout_s: float = 10.0) -> None:
        self._url = url
        self._secret = secret.encode()
        self._timeout_s = timeout_s

    def send(self, outgoing: Outgoing) -> Outcome:
        body = _body(outgoing)
        headers = {
            "Content-Type": "application/json",
            SIGNATURE: "sha256=" + hmac.new(self._secret, body, hashlib.sha256).hexdigest(),
            "Connection": "close",
        }
        try:
            with requests.post(
                self._url, data=body, headers=headers, timeout=self._timeout_s, allow_redirects=False
            ) as answer:
                return _outcome(answer)
        except requests.RequestException as error:
            return failure(error)

    def look_up(self, outgoing: Outgoing, since: datetime) -> tuple[str, ...]:
        return ()

    def status_of(self, provider_id: str) -> tuple[str, str | None] | None:
        return None


def _body(outgoing: Outgoing) -> bytes:
    content = {
        "message_id": str(outgoing.message_id),
        "to": outgoing.to,
        "lane": outgoing.lane,
        "channel": outgoing.channel,
        "template": outgoing.template,
        "language": outgoing.language,
        "variables": dict(outgoing.variables),
    }
    return strictjson.canonical(content).encode()


def _outcome(answer: requests.Response) -> Outcome:
    status, code = answer.status_code, f"http_{answer.status_code}"
    if 200 <= status < 300:
        return _taken(answer)
    if status in (401, 403):
        return stopped(code)
    if status == 429:
        return later(code, retry_after_s=_wait(answer), counts=False)
    if status == 408:
        return later(code)
    return refused(code, alarm=True) if status < 500 else unknown(code)


def _taken(answer: requests.Response) -> Outcome:
    try:
        content: Any = answer.json()
    except ValueError:
        content = None
    if not isinstance(content, dict):
        return accepted(None)
    fault = content.get("errcode")
    if fault not in (None, 0, "0"):
        return later(f"errcode_{str(fault)[:20]}")
    number = content.get("id")
    return accepted(None if number is None else str(number)[:200])


def _wait(answer: requests.Response) -> int | None:
    text = answer.headers.get("Retry-After", "")
    return min(int(text), _MAX_WAIT_S) if text.isdigit() else None
