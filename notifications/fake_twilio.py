"""A Twilio of our own to test against: it takes messages and calls, tells what became of them, and fails as told.

For tests and for developers (`flask fake-twilio`); nothing else uses it. What it accepted (`taken`) is the truth that
an outbox is compared with. It knows what published mocks do not: accepting and then failing, receipts early, late,
repeated or forged, numbers that said STOP.
"""

import json
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Thread
from typing import Any
from urllib.parse import urldefrag, urlencode
from uuid import uuid4
from xml.etree import ElementTree

import requests
from twilio.request_validator import RequestValidator
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from notifications.fake_provider import BUSY, HANG, Scripted
from notifications.texts import segments

RECEIPT_FIRST = "receipt_first"  # the callback overtakes the answer
STOPPED = 21610
_CALL_REPORTS = ("ringing", "in-progress", "completed")
STOP_WORDS = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"})
START_WORDS = frozenset({"START", "YES", "UNSTOP"})
_ROUTES = Map(
    [
        Rule("/2010-04-01/Accounts/<account>/Messages.json", endpoint="messages"),
        Rule("/2010-04-01/Accounts/<account>/Messages/<sid>.json", endpoint="message"),
        Rule("/2010-04-01/Accounts/<account>/Calls.json", endpoint="calls"),
        Rule("/2010-04-01/Accounts/<account>/Calls/<sid>.json", endpoint="call"),
    ]
)
Post = Callable[[str, Mapping[str, str], str], object]


@dataclass
class Taken:
    """One message or call that was accepted, and the states it has gone through."""

    sid: str
    kind: str  # message, call
    to: str
    service: str
    body: str
    callback: str
    form: Mapping[str, str]
    at: datetime
    states: list[str] = field(default_factory=list)
    error: int | None = None


def post_by_http(url: str, form: Mapping[str, str], signature: str) -> int:
    """Deliver a callback as Twilio does; what the other side answers."""
    return requests.post(url, data=form, headers={"X-Twilio-Signature": signature}, timeout=10).status_code


class FakeTwilio(Scripted):
    """The provider's side. `post` delivers callbacks (url, form, signature); tests hand in their own."""

    def __init__(self, account: str, token: str, post: Post = post_by_http) -> None:
        super().__init__()
        self.account, self.token, self._post = account, token, post
        self.taken: list[Taken] = []
        self.requests: list[tuple[str, str, Mapping[str, str]]] = []  # method, path, form or query
        self.stopped: set[tuple[str, str]] = set()  # (service, number)
        self.refuses: dict[str, int] = {}  # numbers that nothing is taken for, and the code that says why
        self.reports: tuple[str, ...] = ()  # receipts that follow every message by themselves
        self.latency_s = 0.0  # how long every request that sends takes
        self.hangs: set[str] = set()  # services whose requests get no answer
        self.page_limit = 1000  # how many messages a page of a list holds at most, whatever was asked for

    # --- The API ----------------------------------------------------------------------------------------------

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        given = request.form if request.method == "POST" else request.args
        with self._lock:
            self.requests.append((request.method, request.path, {name: given.getlist(name)[-1] for name in given}))
        self.arrived.set()
        try:
            name, found = _ROUTES.bind_to_environ(environ).match()
            answer = self._answer(request, name, **found)
        except HTTPException as error:
            answer = _refusal(error.code or 404, 20404)
        return answer(environ, start_response)

    def _answer(self, request: Request, name: str, account: str, sid: str | None = None) -> Response:
        if not self._is_known(request) or account != self.account:
            return _refusal(401, 20003)
        if name in ("message", "call"):
            one = next((one for one in self.taken if one.sid == sid), None)
            return _json(_shown(one)) if one else _refusal(404, 20404)
        if request.method == "GET":
            return self._listed(request)
        return self._sent(request, "message" if name == "messages" else "call")

    def _is_known(self, request: Request) -> bool:
        kind, _, secret = request.headers.get("Authorization", "").partition(" ")
        return kind == "Basic" and b64decode(secret).decode() == f"{self.account}:{self.token}"

    def _listed(self, request: Request) -> Response:
        wanted, number = request.args.get("To"), request.args.get("Page", 0, type=int)
        size = min(request.args.get("PageSize", 50, type=int), self.page_limit)
        found = [one for one in reversed(self.taken) if one.kind == "message" and wanted in (None, one.to)]
        shown, rest = found[number * size : (number + 1) * size], found[(number + 1) * size :]
        following = f"{request.path}?{urlencode({**request.args, 'Page': number + 1})}" if rest else None
        return _json({"messages": [_shown(one) for one in shown], "next_page_uri": following, "page": number})

    def _sent(self, request: Request, kind: str) -> Response:
        form = dict(request.form.items())
        told = HANG if form.get("MessagingServiceSid") in self.hangs else self._told()
        self.released.wait(self.latency_s)
        status = self._fails_before(told)
        if status is not None:
            return _refusal(status, 20429 if told == BUSY else 20500)
        fault = told if isinstance(told, int) else self._fault(form, kind)
        if fault is not None:
            return _refusal(400, fault)
        one = self._take(form, kind)
        status = self._fails_after(told)
        if status is not None:
            return _refusal(status, 20500)
        if told == RECEIPT_FIRST:
            self.tell(one, "delivered")
        if self.reports and one.callback:
            states = self.reports if kind == "message" else _CALL_REPORTS
            Thread(target=lambda: [self.tell(one, state) for state in states], daemon=True).start()
        return _json(_shown(one), 201)

    def _fault(self, form: Mapping[str, str], kind: str) -> int | None:
        """The codes of Twilio's own checks that matter here."""
        if not form.get("To", "").startswith("+"):
            return 21211
        if form["To"] in self.refuses:
            return self.refuses[form["To"]]
        if kind == "call":
            return None if form.get("From") and (form.get("Twiml") or form.get("Url")) else 21213
        if not (form.get("MessagingServiceSid") or form.get("From")):
            return 21603
        if not form.get("Body"):
            return 21602
        if len(form["Body"]) > 1600:
            return 21617
        return STOPPED if (form.get("MessagingServiceSid", ""), form["To"]) in self.stopped else None

    def _take(self, form: Mapping[str, str], kind: str) -> Taken:
        sid = ("SM" if kind == "message" else "CA") + uuid4().hex
        service, callback = form.get("MessagingServiceSid", form.get("From", "")), form.get("StatusCallback", "")
        body = form.get("Body", form.get("Twiml", ""))
        one = Taken(sid, kind, form["To"], service, body, callback, form, datetime.now(UTC))
        one.states.append("accepted" if form.get("MessagingServiceSid") else "queued")
        with self._lock:
            self.taken.append(one)
        return one

    # --- What Twilio does by itself ---------------------------------------------------------------------------

    def tell(self, one: Taken, state: str, *, code: int | None = None, token: str | None = None) -> object:
        """One receipt; `token`: signed with another one, a forgery. What the other side answered."""
        one.states.append(state)
        one.error = code
        if one.kind == "call":
            about = {"CallSid": one.sid, "CallStatus": state}
        else:
            about = {"MessageSid": one.sid, "MessageStatus": state, "MessagingServiceSid": one.service}
        form = {
            "AccountSid": self.account,
            **about,
            "To": one.to,
            "From": "",  # an empty field is signed like any other
            **({"ErrorCode": str(code)} if code is not None else {}),
        }
        return self.post(one.callback, form, token)

    def press(self, one: Taken, digits: str, *, token: str | None = None) -> object:
        """Somebody who was called presses a key: what the call asked for is told to where it asked for it."""
        gather = ElementTree.fromstring(one.body).find("Gather")  # noqa: S314  # our own words come back
        if gather is None:
            raise ValueError("this call asks for no key")
        form = {"AccountSid": self.account, "CallSid": one.sid, "CallStatus": "in-progress", "Digits": digits}
        return self.post(gather.attrib["action"], {**form, "To": one.to, "From": ""}, token)

    def text(self, url: str, number: str, body: str, service: str, *, token: str | None = None) -> object:
        """Somebody writes back. STOP and START are kept, as Twilio keeps them, and passed on."""
        word = body.strip().upper()
        kind = "STOP" if word in STOP_WORDS else "START" if word in START_WORDS else "HELP" if word == "HELP" else None
        if kind == "STOP" and token is None:
            self.stopped.add((service, number))
        elif kind == "START":
            self.stopped.discard((service, number))
        form = {"From": number, "To": "+15005550006", "Body": body, "MessagingServiceSid": service}
        kept = {"OptOutType": kind} if kind else {}
        return self.post(url, {**form, "MessageSid": f"SM{uuid4().hex}", **kept}, token)

    def post(self, url: str, form: Mapping[str, str], token: str | None = None) -> object:
        """A signed request to a callback's address, without its fragment."""
        address = urldefrag(url).url
        signature = RequestValidator(token or self.token).compute_signature(address, dict(form))
        return self._post(address, form, signature)


def _shown(one: Taken) -> dict[str, Any]:
    if one.kind == "call":
        return {"sid": one.sid, "status": one.states[-1], "to": one.to, "from": one.service}
    return {
        "sid": one.sid,
        "status": one.states[-1],
        "to": one.to,
        "body": one.body,
        "num_segments": str(segments.count(one.body)),
        "messaging_service_sid": one.service,
        "error_code": one.error,
        "date_created": f"{one.at:%a, %d %b %Y %H:%M:%S +0000}",
        "date_sent": f"{one.at:%a, %d %b %Y %H:%M:%S +0000}",
    }


def _json(content: Mapping[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(content), status, content_type="application/json")


def _refusal(status: int, code: int) -> Response:
    return _json({"code": code, "message": "refused", "more_info": "", "status": status}, status)
