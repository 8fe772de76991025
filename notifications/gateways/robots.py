"""Group robots of WeCom and DingTalk: one POST to the group, the people who are meant mentioned by their numbers.

Both answer 200 and say in the body whether they took it, so the code there is what counts. Both bear about twenty
posts a minute (DingTalk then refuses for ten minutes), so what is due together travels in one post; the pace is
`notifications.delivery`'s. A robot wakes nobody at night: it stands beside texts and calls, never instead of them.

Sources: vendors' pages on group robots (WeCom developer document 91770; DingTalk "custom robot access", read 2026).
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import requests

from backend import clock
from backend.channels import DINGTALK, WECOM
from notifications.gateways import wire
from notifications.gateways.base import Outcome, Outgoing, Unasked, accepted, later, refused, unknown

_REST_S = 60  # after "too many": both count by the minute


class _Robot(Unasked):
    """What both have in common: one POST, and a code in the body. `busy` and `gone`: the vendor's codes for those."""

    name: str
    busy: frozenset[str]
    gone: frozenset[str]  # the robot, its key or its signature: nothing will pass until somebody mends it

    def __init__(self, base_url: str, timeout_s: float = 10.0) -> None:
        self._base_url, self._timeout_s = base_url.rstrip("/"), timeout_s

    def send(self, outgoing: Outgoing) -> Outcome:
        if not outgoing.line.secrets.get("key"):
            return refused("no_robot", alarm=True)
        together = (outgoing, *outgoing.also)
        text = "\n".join(dict.fromkeys(one.text() for one in together))
        numbers = list(dict.fromkeys(wire.national(one.to) for one in together if one.to))
        path, query = self._address(outgoing.line.secrets)
        try:
            with requests.post(
                self._base_url + path,
                params=query,
                json=self._body(text, numbers),
                headers={"Connection": "close"},
                timeout=self._timeout_s,
                allow_redirects=False,
            ) as answer:
                return wire.refusal(answer) or self._outcome(wire.content_of(answer))
        except requests.RequestException as error:
            return wire.failure(error)

    def _outcome(self, content: Any) -> Outcome:
        if not isinstance(content, Mapping) or "errcode" not in content:
            return unknown("answer_unreadable")
        code = str(content["errcode"])[:20]
        if code == "0":
            return accepted(None)
        if code in self.busy:
            return later(f"errcode_{code}", retry_after_s=_REST_S, counts=False)
        return refused(f"errcode_{code}", alarm=True) if code in self.gone else later(f"errcode_{code}")

    def _address(self, secrets: Mapping[str, str]) -> tuple[str, dict[str, str]]:
        raise NotImplementedError

    def _body(self, text: str, numbers: list[str]) -> dict[str, Any]:
        raise NotImplementedError


class WeCom(_Robot):
    """The robot's key rides in the address."""

    name = WECOM
    busy = frozenset({"45009"})
    gone = frozenset({"93000"})

    def _address(self, secrets: Mapping[str, str]) -> tuple[str, dict[str, str]]:
        return "/cgi-bin/webhook/send", {"key": secrets["key"]}

    def _body(self, text: str, numbers: list[str]) -> dict[str, Any]:
        return {"msgtype": "text", "text": {"content": text, "mentioned_mobile_list": numbers}}


class DingTalk(_Robot):
    """Signed: HMAC-SHA256 under the secret over the time in milliseconds, a newline and the secret."""

    name = DINGTALK
    busy = frozenset({"130101", "410100", "660026"})
    gone = frozenset({"310000", "300001", "400013", "400101", "400102"})

    def _address(self, secrets: Mapping[str, str]) -> tuple[str, dict[str, str]]:
        at, secret = str(int(clock.now().timestamp() * 1000)), secrets.get("secret", "")
        signed = hmac.new(secret.encode(), f"{at}\n{secret}".encode(), hashlib.sha256).digest()
        signature = {"timestamp": at, "sign": base64.b64encode(signed).decode()} if secret else {}
        return "/robot/send", {"access_token": secrets["key"], **signature}

    def _body(self, text: str, numbers: list[str]) -> dict[str, Any]:
        # A mention shows, and rings through a muted group, only where the text holds it too.
        mentions = " ".join(f"@{number}" for number in numbers)
        content = f"{text}\n{mentions}" if mentions else text
        return {"msgtype": "text", "text": {"content": content}, "at": {"atMobiles": numbers, "isAtAll": False}}
