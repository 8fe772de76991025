"""A hospital's platform and the group robots of WeCom and DingTalk, of our own: what they took, and failing as told.

For tests; nothing else uses it. They know what the real ones do: 200 with a code in the body, twenty posts a minute,
at most 2,048 bytes in a text of WeCom's.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from werkzeug.wrappers import Request, Response

from notifications.fake_provider import Scripted

POSTS_A_MINUTE = 20
WECOM_BYTES, WECOM_TOO_LONG = 2048, 40058
# Further words for what the next request does. `accept_then_odd`: taken, and answered with what nobody understands.
BAD_REQUEST, FORBIDDEN, ACCEPT_THEN_ODD, ACCEPT_THEN_HTML = "400", "403", "accept_then_odd", "accept_then_html"
_HOW: dict[str, tuple[str, int]] = {
    "/cgi-bin/webhook/send": ("wecom", 45009),
    "/robot/send": ("dingtalk", 130101),
}


@dataclass(frozen=True)
class Post:
    """One post that was taken. `to`: the numbers meant; of a platform, what its body says is for its reader to know."""

    kind: str  # wecom, dingtalk, http
    body: Any
    headers: dict[str, str]
    raw: bytes
    at: datetime
    path: str = ""
    query: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return str(self.body["text"]["content"]) if self.kind != "http" else str(self.body)

    @property
    def to(self) -> list[str]:
        if self.kind == "wecom":
            return list(self.body["text"].get("mentioned_mobile_list", ()))
        return list(self.body.get("at", {}).get("atMobiles", ())) if self.kind == "dingtalk" else []


class FakePlatforms(Scripted):
    """All three on one port, told apart by path. `clock` is whose minute the robots count."""

    def __init__(self, key: str, secret: str, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self.key, self.secret, self._clock = key, secret, clock
        self.taken: list[Post] = []
        self.refused: list[tuple[str, int]] = []  # which robot, with what code
        self.answers: Any = None  # what the platform says when it takes a message, instead of its own

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        self.arrived.set()
        return self._answer(request)(environ, start_response)

    def _answer(self, request: Request) -> Response:
        kind, busy = _HOW.get(request.path, ("http", 0))
        told = self._told()
        status = self._fails_before(told)
        if status is not None:
            return _json({}, status)
        code = told if isinstance(told, int) else self._fault(kind, busy, request)
        if code:
            self.refused.append((kind, code))
            return _json({"errcode": code, "errmsg": "refused"})
        raw = request.get_data()
        about = (dict(request.headers), raw, self._clock(), request.path, request.args.to_dict())
        self.taken.append(Post(kind, json.loads(raw), *about))
        status = self._fails_after(told)
        if status is not None:
            return _json({}, status)
        if told == ACCEPT_THEN_ODD:
            return _json({"result": "fine"})
        if told == ACCEPT_THEN_HTML:
            return Response("<html>a gate on the way</html>", content_type="text/html")
        if kind == "http":
            return _json(self.answers or {"errcode": 0, "errmsg": "ok", "id": len(self.taken)})
        return _json({"errcode": 0, "errmsg": "ok"})

    def _fault(self, kind: str, busy: int, request: Request) -> int:
        if kind == "wecom" and request.args.get("key") != self.key:
            return 93000
        if kind == "dingtalk" and request.args.get("access_token") != self.key:
            return 300001
        if kind == "dingtalk" and not self._signed(request):
            return 310000
        if kind == "wecom" and len(request.get_json()["text"]["content"].encode()) > WECOM_BYTES:
            return WECOM_TOO_LONG
        recent = [one for one in self.taken if one.kind == kind and one.at > self._clock() - timedelta(minutes=1)]
        return busy if kind != "http" and len(recent) >= POSTS_A_MINUTE else 0

    def _signed(self, request: Request) -> bool:
        """Signed with our secret, within the hour that DingTalk allows."""
        at = request.args.get("timestamp", "0")
        wanted = hmac.new(self.secret.encode(), f"{at}\n{self.secret}".encode(), hashlib.sha256).digest()
        late = abs(int(at) / 1000 - self._clock().timestamp()) > 3600
        return not late and request.args.get("sign") == base64.b64encode(wanted).decode()


def _json(content: Any, status: int = 200) -> Response:
    return Response(json.dumps(content), status, content_type="application/json")
