"""What a failed HTTP call tells about whether the text went out. Shared by the gateways that speak HTTP."""

import requests
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

from notifications.gateways.base import Outcome, later, unknown


def failure(error: requests.RequestException) -> Outcome:
    """Not sent if no connection came about; unknown as soon as the request may have left."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return later("connect_timeout")
    if isinstance(error, requests.exceptions.SSLError):
        return later("tls")
    if isinstance(error, requests.exceptions.Timeout):
        return unknown("timeout")
    if isinstance(error, requests.exceptions.ConnectionError):
        return later("connection_refused") if _never_connected(error) else unknown("connection_broken")
    return unknown("transport")


def _never_connected(error: requests.exceptions.ConnectionError) -> bool:
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)
