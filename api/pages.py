"""Pages at the root: is it alive, is it ready, does the worker beat, how much of what; and the API's own page."""

import os
from importlib.resources import files
from typing import Any

import sqlalchemy as sa
from flask import Flask, Response, abort, send_from_directory
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from backend import guards, installation, strictjson
from backend.db import db, transaction
from backend.models.outbox import Message
from backend.models.safety import Episode
from notifications import heartbeat

_ASSETS = str(files("flask_swagger_ui").joinpath("dist"))
_DOCS = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Daymark API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/api/docs/swagger-ui.css"></head>
<body><div id="swagger-ui"></div><script src="/api/docs/swagger-ui-bundle.js"></script>
<script src="/api/docs/start.js"></script></body></html>"""
_START = 'SwaggerUIBundle({url: "/api/v1/openapi.json", dom_id: "#swagger-ui", validatorUrl: null});'
# Swagger UI styles its parts inline; no other page needs that.
_DOCS_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


def register(app: Flask) -> None:
    """Hang the pages on the application."""
    app.add_url_rule("/healthz", view_func=healthz)
    app.add_url_rule("/readyz", view_func=readyz)
    app.add_url_rule("/healthz/worker", view_func=healthz_worker)
    app.add_url_rule("/metrics", view_func=metrics)
    app.add_url_rule("/api/docs", view_func=docs)
    app.add_url_rule("/api/docs/<path:name>", view_func=docs_asset)


def _json(body: dict[str, Any], status: int = 200) -> Response:
    return Response(strictjson.dumps(body), status=status, mimetype="application/json")


def healthz() -> Response:
    """The process answers."""
    return _json({"status": "ok"})


def readyz() -> Response:
    """The database answers, its schema is the code's, its guards stand, and it is of our mode."""
    try:
        with transaction(writes=False):
            version = db.session.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
            unguarded = guards.missing(db.session.connection())
            made = installation.mode_of_database()
    except sa.exc.SQLAlchemyError:
        return _json({"status": "no database or no schema"}, 503)
    if version != newest_migration():
        return _json({"status": "schema is not current", "schema": version}, 503)
    if unguarded:
        return _json({"status": "guards are missing", "guards": list(unguarded)}, 503)
    if made != installation.settings().mode:
        return _json({"status": "made in another mode", "mode": made}, 503)
    with transaction(writes=False):
        if installation.is_moved():
            return _json({"status": "moved to another database"}, 503)
    return _json({"status": "ok", "schema": version})


def newest_migration() -> str:
    """The revision the code expects: migrations are numbered, so it is the last file."""
    folder = os.path.join(os.path.dirname(os.path.dirname(__file__)), "migrations", "versions")
    return max(name.split("_")[0] for name in os.listdir(folder) if name.endswith(".py"))


def healthz_worker() -> Response:
    """503 when any loop of the worker has not turned for a minute, or never did, or a page that is due waits longer."""
    with transaction(writes=False):
        pulse = heartbeat.pulse()
    told = {
        "status": pulse.status,
        "late": list(pulse.late),
        "details": dict(pulse.details),
        "age_s": {name: round(age, 1) for name, age in pulse.ages.items()},
        "page_waits_s": round(pulse.page_waits_s, 1),
    }
    return _json(told, 200 if pulse.status == "ok" else 503)


def metrics() -> Response:
    """Counts for Prometheus, read from the database: no number names a person."""
    registry = CollectorRegistry()
    messages = Gauge("daymark_messages", "Messages by lane and state", ["lane", "state"], registry=registry)
    episodes = Gauge("daymark_open_episodes", "Open episodes by level", ["level"], registry=registry)
    beats = Gauge("daymark_worker_beat_age_seconds", "Age of each worker loop's last turn", ["loop"], registry=registry)
    with transaction(writes=False):
        for lane, state, n in db.session.execute(
            sa.select(Message.lane, Message.state, sa.func.count()).group_by(Message.lane, Message.state)
        ):
            messages.labels(lane, state).set(n)
        for level, n in db.session.execute(
            sa.select(Episode.level, sa.func.count()).where(Episode.closed_at.is_(None)).group_by(Episode.level)
        ):
            episodes.labels(level).set(n)
        for name, age in heartbeat.pulse().ages.items():
            beats.labels(name).set(age)
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def docs() -> Response:
    """The API's page, from our own host alone."""
    response = Response(_DOCS, mimetype="text/html")
    response.headers["Content-Security-Policy"] = _DOCS_CSP
    return response


def docs_asset(name: str) -> Response:
    if name == "start.js":
        return Response(_START, mimetype="text/javascript")
    if name not in ("swagger-ui.css", "swagger-ui-bundle.js"):
        abort(404)
    response = send_from_directory(_ASSETS, name)
    response.headers["Cache-Control"] = "public, max-age=86400"
    return response
