"""What an HTTP call tells about whether the text went out. Shared by the gateways that speak HTTP themselves."""

import logging
import ssl
from typing import Any

import phonenumbers
import requests
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

from notifications.gateways.base import Outcome, later, refused, stopped, unknown

_LONGEST_WAIT_S = 3600
# At DEBUG it writes addresses with their query, and a robot's address holds its key.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


def failure(error: requests.RequestException) -> Outcome:
    """Not sent if no connection came about; unknown as soon as the request may have left."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return later("connect_timeout")
    if isinstance(error, requests.exceptions.SSLError):
        return later("tls") if _not_trusted(error) else unknown("tls")
    if isinstance(error, requests.exceptions.Timeout):
        return unknown("timeout")
    if isinstance(error, requests.exceptions.ConnectionError):
        return later("connection_refused") if _never_connected(error) else unknown("connection_broken")
    return unknown("transport")


def _not_trusted(error: BaseException) -> bool:
    """The other side's certificate was refused, so nothing was said to it; a break later on says nothing of that."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return True
        inner = seen.reason if isinstance(seen, MaxRetryError) else next(iter(seen.args), None)
        seen = inner if isinstance(inner, BaseException) else None
    return False


def _never_connected(error: requests.exceptions.ConnectionError) -> bool:
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)


def refusal(answer: requests.Response) -> Outcome | None:
    """What a status other than 2xx means; None for a 2xx."""
    status, code = answer.status_code, f"http_{answer.status_code}"
    if 200 <= status < 300:
        return None
    if status in (401, 403):
        return stopped(code)
    if status == 429:
        return later(code, retry_after_s=_wait(answer), counts=False)
    if status == 408:
        return later(code)
    return refused(code, alarm=True) if status < 500 else unknown(code)


def content_of(answer: requests.Response) -> Any:
    """The answer's JSON; None if it is none."""
    try:
        return answer.json()
    except ValueError:
        return None


def national(number: str) -> str:
    """An E.164 number as it is dialled in its own country, digits alone: what Chinese platforms and robots want."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return number
    return phonenumbers.national_significant_number(parsed)


def _wait(answer: requests.Response) -> int | None:
    text = answer.headers.get("Retry-After", "")
    return min(int(text), _LONGEST_WAIT_S) if text.isdigit() else None
