"""Twilio, through its own client. Pages and reminders go by two Messaging Services, so that a STOP silences only one.

The API knows no idempotency key: a timeout or a 5xx means "perhaps sent". Our row id rides in the status
callback's query, which the signature covers, so that a receipt settles even a call whose answer was lost.
"""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import requests

from backend import clock
from backend.config import Settings
from notifications.gateways.base import Outcome, Outgoing, accepted, later, refused, stopped, unknown
from notifications.gateways.wire import failure
from notifications.texts import catalogue, segments

PAGE_VALIDITY_S = 300
_LONGEST_VALIDITY_S = 36_000
_CALLBACK = "/api/v1/webhooks/twilio/status"
_OVERRIDES = "#rc=3&rp=all"  # without it a receipt lost in a restart is not sent again

_LATER = frozenset({20429, 21611, 30001, 30003, 30008, 30500, 60005})
_STOP = frozenset({20003, 20005, 21603, 21606, 30002})
_OUR_FAULT = frozenset({21408, 21604, 21609, 21612, 21617, 30007, 30034, 35114, 35115, 35117, 35118})
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
    ) -> None:
        from twilio.rest import Client

        self._client = Client(account_sid, token, http_client=_http_client(api_base_url, timeout_s))
        self._services = dict(services)
        self._callback = public_url.rstrip("/") + _CALLBACK

    @classmethod
    def from_settings(cls, settings: Settings) -> "TwilioGateway":
        """The first token signs our calls; a second only checks callbacks while the token is being changed."""
        return cls(
            settings.twilio_account_sid,
            settings.twilio_auth_tokens[0],
            {"page": settings.twilio_page_service_sid, "reminder": settings.twilio_patient_service_sid},
            settings.public_url,
            settings.twilio_api_base_url,
        )

    def send(self, outgoing: Outgoing) -> Outcome:
        from twilio.base.exceptions import TwilioException, TwilioRestException

        text = _text(outgoing)
        try:
            made = self._client.messages.create(
                to=outgoing.to,
                messaging_service_sid=self._services[outgoing.lane],
                body=text,
                status_callback=f"{self._callback}?message={outgoing.message_id}{_OVERRIDES}",
                validity_period=_validity_s(outgoing),
            )
        except TwilioRestException as error:
            return outcome_of(error.status, error.code)
        except requests.RequestException as error:
            return failure(error)
        except (TwilioException, ValueError):
            return unknown("answer_unreadable")
        if made.status in ("failed", "undelivered"):
            return outcome_of(400, made.error_code)
        return accepted(made.sid, _whole(made.num_segments) or segments.count(text))

    def look_up(self, outgoing: Outgoing, since: datetime) -> tuple[str, ...]:
        """SIDs of equal texts to this number since then, oldest first. Raises what the client raises."""
        text = _text(outgoing)
        found = self._client.messages.list(to=outgoing.to, date_sent_after=since - timedelta(minutes=1), limit=50)
        return tuple(one.sid for one in reversed(found) if one.body == text and one.status != "failed")

    def status_of(self, provider_id: str) -> tuple[str, str | None] | None:
        """What became of a message, asked because no receipt came. Raises what the client raises."""
        found = self._client.messages(provider_id).fetch()
        state = _RECEIPTS.get(found.status)
        if state is None:
            return None
        return state, str(found.error_code) if state in ("failed", "undelivered") and found.error_code else None


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


def read_receipt(form: Mapping[str, str]) -> tuple[str, str | None, str | None] | None:
    """State, error code and provider id of a status callback; None if it says nothing we keep.

    An ErrorCode may hang on to a message that has not failed: it counts only for those that have.
    """
    state = _RECEIPTS.get(form.get("MessageStatus") or form.get("SmsStatus") or "")
    if state is None:
        return None
    code = form.get("ErrorCode") if state in ("failed", "undelivered") else None
    return state, (code or None), (form.get("MessageSid") or form.get("SmsSid"))


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


def _text(outgoing: Outgoing) -> str:
    return catalogue.render(outgoing.template, outgoing.language, outgoing.variables)


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
