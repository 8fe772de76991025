"""The composition root: settings, keys, database, doors and commands become one Flask application."""

import os
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from flask import Flask, Response, g, request
from flask.json.provider import DefaultJSONProvider
from flask_jwt_extended import JWTManager
from flask_migrate import Migrate
from flask_smorest import Api
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from api import commands, fields, logs, pages, problems
from api.limits import limiter
from api.routes import all as routes
from backend import agenda, installation, strictjson
from backend.config import Settings, from_environment
from backend.db import db, engine_options
from backend.errors import Problem
from notifications import replanning
from notifications.gateways import choose

migrate = Migrate()

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; worker-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'"
)


class _Json(DefaultJSONProvider):
    """Answers keep the digits of decimals and write instants with Z."""

    mimetype = "application/json"

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return strictjson.dumps(obj)

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        return strictjson.loads(s)


class _JsonFlask(Flask):
    json_provider_class = _Json


def create_app(environ: Mapping[str, str] | None = None) -> Flask:
    """Build the application from the environment. Raises BadSetting naming every wrong one."""
    settings = from_environment(os.environ if environ is None else environ)
    choose.check(settings)
    app = _JsonFlask("daymark", static_folder=None, root_path=os.path.dirname(os.path.dirname(__file__)))
    installation.furnish(app, settings)
    _configure(app, settings)
    db.init_app(app)
    migrate.init_app(app, db, directory=os.path.join(app.root_path, "migrations"))
    JWTManager(app)
    limiter.init_app(app)
    logs.configure(app)
    _manners(app)
    api = Api(app)
    for field, kind, format_ in fields.OPENAPI_TYPES:
        api.register_field(field, kind, format_)
    api.DEFAULT_ERROR_RESPONSE_NAME = None
    problems.describe_problem(api)
    routes.register(api)
    _errors(app)
    pages.register(app)
    commands.register(app)
    agenda.follow(replanning.replan)
    return app


def _configure(app: Flask, settings: Settings) -> None:
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings.database_url),
        JWT_SECRET_KEY=settings.secret_key,
        JWT_ALGORITHM="HS256",
        JWT_TOKEN_LOCATION=["headers", "cookies"],
        JWT_COOKIE_CSRF_PROTECT=True,
        RATELIMIT_ENABLED=settings.rate_limits,
        MAX_CONTENT_LENGTH=2 * 1024 * 1024,
        API_TITLE="Daymark",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/api/v1",
        OPENAPI_JSON_PATH="openapi.json",
        API_SPEC_OPTIONS={
            "info": {"description": "Follow-up companion of CAR-T trials in autoimmune disease."},
            "components": {
                "securitySchemes": {
                    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                }
            },
            "security": [{"bearer": []}],
        },
    )
    if settings.trusted_proxies:
        n = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=n, x_proto=n, x_host=n)  # type: ignore[method-assign]


def _manners(app: Flask) -> None:
    house: installation.House = app.extensions["daymark"]
    secure = house.settings.public_url.startswith("https://")

    @app.before_request
    def name_the_request() -> None:
        g.request_id = uuid4().hex

    @app.after_request
    def guard_the_answer(response: Response) -> Response:
        headers = response.headers
        headers["X-Request-Id"] = g.get("request_id", "")
        headers.setdefault("Content-Security-Policy", CSP)
        headers["X-Content-Type-Options"] = "nosniff"
        headers["X-Frame-Options"] = "DENY"
        headers["Referrer-Policy"] = "no-referrer"
        headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        headers["Cross-Origin-Resource-Policy"] = "same-origin"
        if secure:
            headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
        if request.path.startswith("/api/") and "Cache-Control" not in headers:
            headers["Cache-Control"] = "no-store"
        return response


def _errors(app: Flask) -> None:
    app.register_error_handler(Problem, problems.answer)
    app.register_error_handler(HTTPException, problems.from_http)
    app.register_error_handler(Exception, problems.from_crash)
