"""Logs as JSON lines: what happened, to which id, never to whom.

One processor drops every key that could hold a name, a number, an answer or a text, so that a careless
line cannot leak; a test feeds it such lines.
"""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from time import perf_counter
from typing import Any

import structlog
from flask import Flask, Response, g, request

SPEAKING_KEYS = frozenset(
    {
        "phone",
        "name",
        "to",
        "number",
        "text",
        "body",
        "answers",
        "answer",
        "value",
        "note",
        "password",
        "pin",
        "totp",
        "token",
        "code_plain",
        "credential",
        "contact",
        "symptom",
        "sentence",
        "username",
        "secret",
        "access_token",
        "refresh_token",
        "authorization",
        "cookie",
        "query",
    }
)


def without_speaking_keys(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace what could identify or tell about a person, however deep it lies."""
    return {key: _silent(key, value) for key, value in event.items()}


def _silent(key: str, value: Any) -> Any:
    if key.lower() in SPEAKING_KEYS:
        return "…"
    if isinstance(value, Mapping):
        return {str(inner): _silent(str(inner), one) for inner, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_silent("", one) for one in value]
    return value


def configure(app: Flask) -> None:
    """One line per request, to standard error."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            without_speaking_keys,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # wherever standard error goes by then
        cache_logger_on_first_use=False,
    )
    log = structlog.get_logger("daymark")

    @app.before_request
    def start_the_watch() -> None:
        g.started = perf_counter()

    @app.after_request
    def write_a_line(response: Response) -> Response:
        rule = request.url_rule.rule if request.url_rule else "unknown"
        if rule not in ("/healthz", "/readyz", "/metrics"):
            log.info(
                "request",
                method=request.method,
                rule=rule,
                status=response.status_code,
                ms=round((perf_counter() - g.get("started", perf_counter())) * 1000, 1),
                request_id=g.get("request_id"),
            )
        return response
