"""Twilio, through its own client. Pages and reminders go by two Messaging Services, so that a STOP silences only one.

The API knows no idempotency key: a timeout or a 5xx means "perhaps sent". Our row id rides in the status
callback's query, which the signature covers, so that a receipt settles even a call whose answer was lost.

A call says the page's number and asks for a key; only the key that is pressed accepts, as "completed" also comes from
a voicemail (`/webhooks/twilio/voice`).
"""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import requests

from backend import clock
from backend.channels import VOICE
from backend.config import Settings
from notifications.gateways.base import Outcome, Outgoing, Receipt, accepted, later, refused, stopped, unknown
from notifications.gateways.wire import failure
from notifications.texts import catalogue, segments

PAGE_VALIDITY_S = 300
_LONGEST_VALIDITY_S = 36_000
_CALLBACK, _KEY_PRESSED = "/api/v1/webhooks/twilio/status", "/api/v1/webhooks/twilio/voice"
ACCEPT_KEY = "1"
_RINGS_S, _WAITS_S = 40, 8  # a call rings before a voicemail takes most; and waits for the key after each saying
_OVERRIDES = "#rc=3&rp=all"  # without it a receipt lost in a restart is not sent again

_LATER = frozenset({20429, 21611, 30001, 30003, 30008, 30500, 60005})
_STOP = frozenset({20003, 20005, 21603, 21606, 30002})
# Settings, sender, template, country: somebody must mend it. 21210 to 21219: of calls.
_OUR_FAULT = frozenset(
    {21210, 21212, 21213, 21215, 21216, 21219, 21408, 21604, 21609, 21612, 21617}
    | {30007, 30034, 35114, 35115, 35117, 35118}
)
# Told by receipt, and temporary: how long to wait before the text is tried once more.
_AGAIN_AFTER = {
    30001: timedelta(hours=1),  # the sender's queue is full
    30003: timedelta(hours=3),  # handset off or out of reach
    30008: timedelta(minutes=30),  # nobody knows why
    30500: timedelta(minutes=15),
    60005: timedelta(minutes=15),
}
_OPTED_OUT = 21610
_FREE = frozenset({20429, 21611, 30001})  # never processed: uses up no attempt

# Twilio's word for a message: ours. What is not here changes nothing.
_RECEIPTS = {
    "accepted": "accepted",
    "scheduled": "accepted",
    "queued": "accepted",
    "sending": "accepted",
    "sent": "sent",
    "delivered": "delivered",
    "read": "delivered",
    "undelivered": "undelivered",
    "failed": "failed",
    "canceled": "failed",
    # Of calls. Picked up is delivered, whoever or whatever picked up; nobody there goes to the next person.
    "initiated": "accepted",
    "ringing": "sent",
    "answered": "sent",
    "in-progress": "sent",
    "completed": "delivered",
    "busy": "undelivered",
    "no-answer": "undelivered",
}


class TwilioGateway:
    """`services` maps a lane to its Messaging Service; `timeout_s` bounds connecting and each wait."""

    name = "twilio"
    can_look_up = True

    def __init__(
        self,
        account_sid: str,
        token: str,
        services: Mapping[str, str],
        public_url: str,
        api_base_url: str = "",
        timeout_s: float = 10.0,
        voice_number: str = "",
    ) -> None:
        from twilio.rest import Client

        self._voice_number = voice_number
        self._client = Client(account_sid, token, http_client=_http_client(api_base_url, timeout_s))
        # The client imports its parts when first asked for them, a second's work: now, not with the first page.
        self._messages, self._calls = self._client.messages, self._client.calls
        self._services = dict(services)
        self._public_url = public_url.rstrip("/")

    @classmethod
    def from_settings(cls, settings: Settings) -> "TwilioGateway":
        """The first token signs our calls; a second only checks callbacks while the token is being changed."""
        return cls(
            settings.twilio_account_sid,
            settings.twilio_auth_tokens[0],
            {"page": settings.twilio_page_service_sid, "reminder": settings.twilio_patient_service_sid},
            settings.public_url,
            settings.twilio_api_base_url,
            voice_number=settings.twilio_voice_number,
        )

    def send(self, outgoing: Outgoing) -> Outcome:
        from twilio.base.exceptions import TwilioException, TwilioRestException

        try:
            return self._called(outgoing) if outgoing.medium == VOICE else self._texted(outgoing)
        except TwilioRestException as error:
            return outcome_of(error.status, error.code)
        except requests.RequestException as error:
            return failure(error)
        except (TwilioException, ValueError):
            return unknown("answer_unreadable")

    def _texted(self, outgoing: Outgoing) -> Outcome:
        text = outgoing.text()
        made = self._messages.create(
            to=outgoing.to,
            messaging_service_sid=self._services[outgoing.lane],
            body=text,
            status_callback=self._callback(_CALLBACK, outgoing),
            validity_period=_validity_s(outgoing),
        )
        if made.status in ("failed", "undelivered"):
            return outcome_of(400, made.error_code)
        return accepted(made.sid, _whole(made.num_segments) or segments.count(text))

    def _called(self, outgoing: Outgoing) -> Outcome:
        if not self._voice_number:
            return refused("no_voice_number", alarm=True)
        made = self._calls.create(
            to=outgoing.to,
            from_=self._voice_number,
            twiml=_ask_for_key(outgoing.text(), outgoing.language, self._callback(_KEY_PRESSED, outgoing)),
            timeout=_RINGS_S,
            status_callback=self._callback(_CALLBACK, outgoing),
            status_callback_event=["initiated", "ringing", "answered", "completed"],
        )
        return accepted(made.sid)

    def _callback(self, path: str, outgoing: Outgoing) -> str:
        return f"{self._public_url}{path}?message={outgoing.message_id}{_OVERRIDES}"

    def look_up(self, outgoing: Outgoing, since: datetime) -> tuple[str, ...]:
        """SIDs of equal texts to this number since then, oldest first. Raises what the client raises.

        All of the number's texts are looked through: a filter by the date of sending may leave out one that still
        queues there, and "not among the last fifty" would be no proof that it never went.
        """
        text, earliest = outgoing.text(), since - timedelta(minutes=1)
        found = self._messages.list(to=outgoing.to, page_size=1000)
        return tuple(
            one.sid
            for one in reversed(found)
            if one.body == text
            and one.status != "failed"
            and (one.date_created is None or one.date_created >= earliest)
        )

    def status_of(self, provider_id: str) -> Receipt | None:
        """What became of a message or call, asked because no receipt came. Raises what the client raises."""
        if provider_id.startswith("CA"):
            return receipt_of(self._calls(provider_id).fetch().status, None, provider_id)
        found = self._messages(provider_id).fetch()
        return receipt_of(found.status, found.error_code, provider_id)


def outcome_of(status: int, code: int | None) -> Outcome:
    """What an answer other than 2xx means, by Twilio's error code, or by the HTTP status where it has none."""
    if code == status:  # how the client fills in for an answer it could not read
        code = None
    name = str(code) if code else f"http_{status}"
    if status == 429 or code in _LATER:
        return later(name, counts=not (status == 429 or code in _FREE))
    if status >= 500:
        return unknown(name)
    if status in (401, 403) or code in _STOP:
        return stopped(name)
    return refused(name, alarm=code is None or code in _OUR_FAULT, opted_out=code == _OPTED_OUT)


def receipt_of(status: Any, code: Any, provider_id: str | None) -> Receipt | None:
    """Twilio's word for a message in ours; None if it says nothing we keep.

    An ErrorCode may hang on to a message that has not failed: it counts only for those that have.
    """
    state = _RECEIPTS.get(str(status))
    if state is None:
        return None
    if state not in ("failed", "undelivered"):
        return Receipt(state, None, provider_id)
    number = _whole(code)
    return Receipt(
        state,
        str(code) if code else str(status).replace("-", "_"),
        provider_id,
        again_after=_AGAIN_AFTER.get(number) if number else None,
        alarm=number in _OUR_FAULT | _STOP,
        opted_out=number == _OPTED_OUT,
    )


def read_receipt(form: Mapping[str, str]) -> Receipt | None:
    """The receipt in a status callback, of a message or of a call."""
    status = form.get("MessageStatus") or form.get("SmsStatus") or form.get("CallStatus")
    return receipt_of(
        status, form.get("ErrorCode"), form.get("MessageSid") or form.get("SmsSid") or form.get("CallSid")
    )


def signature_holds(tokens: tuple[str, ...], url: str, form: Mapping[str, Any], signature: str) -> bool:
    """Whether Twilio signed this request with one of our tokens.

    `url` is the public one with its query and without a fragment; `form` holds every field, empty ones too.
    """
    from twilio.request_validator import RequestValidator

    return any(bool(RequestValidator(token).validate(url, form, signature)) for token in tokens)


def reply(text: str | None) -> str:
    """TwiML that answers a text with another one, or with none."""
    from twilio.twiml.messaging_response import MessagingResponse

    answer = MessagingResponse()
    if text is not None:
        answer.message(text)
    return str(answer)


def say(text: str, language: str) -> str:
    """TwiML that ends a call with a sentence."""
    from twilio.twiml.voice_response import VoiceResponse

    answer = VoiceResponse()
    answer.say(text, language=_tongue(language))
    return str(answer)


def _ask_for_key(text: str, language: str, action: str) -> str:
    """TwiML that says a text twice, and asks for a key each time; silence ends the call and accepts nothing."""
    from twilio.twiml.voice_response import VoiceResponse

    answer = VoiceResponse()
    for _ in range(2):
        key = answer.gather(num_digits=1, timeout=_WAITS_S, action=action, method="POST")
        key.say(text, language=_tongue(language))
    answer.say(catalogue.text_of("call_not_accepted", language, {}, spoken=True), language=_tongue(language))
    return str(answer)


def _tongue(language: str) -> str:
    return "zh-CN" if catalogue.short(language) == "zh" else "en-US"


def _validity_s(outgoing: Outgoing) -> int:
    if outgoing.lane == "page":
        return PAGE_VALIDITY_S
    if outgoing.not_after is None:
        return _LONGEST_VALIDITY_S
    left = int((outgoing.not_after - clock.now()).total_seconds())
    return min(max(left, 1), _LONGEST_VALIDITY_S)


def _whole(text: Any) -> int | None:
    return int(text) if str(text).isdigit() else None


def _http_client(api_base_url: str, timeout_s: float) -> Any:
    """The client's HTTP layer with a finite timeout; its own default waits for ever."""
    from twilio.http.http_client import TwilioHttpClient

    base = urlsplit(api_base_url)

    class Elsewhere(TwilioHttpClient):  # type: ignore[misc]
        """Sends to another scheme and host where one is set, as tests do."""

        def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
            if base.netloc:
                url = urlsplit(url)._replace(scheme=base.scheme, netloc=base.netloc).geturl()
            return super().request(method, url, *args, **kwargs)

    # The client logs addresses with their query, and a look-up's query holds the number.
    silent = logging.getLogger("notifications.twilio")
    silent.disabled = True
    client = Elsewhere(timeout=timeout_s, logger=silent)
    # A kept connection that the other side has dropped looks like "perhaps sent"; volume is small, so none is kept.
    client.session.headers["Connection"] = "close"
    return client
