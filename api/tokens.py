"""Access and refresh tokens: made, carried, read. What they mean is decided by `backend.accounts`.

Machines carry them in the Authorization header. The two apps carry them in cookies that scripts cannot
read, each app under its own names, with a CSRF value in a readable cookie that must come back in
`X-CSRF-Token`. Signing and checking is flask-jwt-extended's; which family still stands is our table's.
When a token ends is asked of `backend.clock`, as every instant is, and not of the library's own clock.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Response, request
from flask_jwt_extended import create_access_token, create_refresh_token, decode_token
from flask_jwt_extended.exceptions import CSRFError, JWTExtendedException
from jwt.exceptions import PyJWTError

from backend import clock
from backend.errors import Problem
from backend.installation import settings

CSRF_HEADER = "X-CSRF-Token"
REFRESH_PATH = "/api/v1/auth"
_APPS = {"staff": "console", "patient": "phone", "carer": "phone"}


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token that verifies says. `jti` names a refresh token; `strength` is full or pin."""

    account_id: UUID
    family_id: UUID
    jti: str
    confirmed: bool
    transport: str


CONFIRMATION = timedelta(minutes=5)


def issue(account_id: UUID, family_id: UUID, jti: str, lifetime: timedelta) -> tuple[str, str]:
    """(access token, refresh token) of one family; the refresh token carries `jti`."""
    claims = {"fam": str(family_id), "ref": jti, "exp": _end(lifetime)}
    refresh = create_refresh_token(str(account_id), additional_claims=claims, expires_delta=False)
    return issue_access(account_id, family_id), refresh


def issue_access(account_id: UUID, family_id: UUID) -> str:
    return _access(account_id, {"fam": str(family_id), "exp": _end(access_lifetime())})


def issue_confirmation(account_id: UUID, family_id: UUID) -> str:
    """A five-minute access token that may sign."""
    return _access(account_id, {"fam": str(family_id), "conf": True, "exp": _end(CONFIRMATION)})


def access_lifetime() -> timedelta:
    return timedelta(minutes=settings().access_minutes)


def _access(account_id: UUID, claims: dict[str, Any]) -> str:
    token: str = create_access_token(str(account_id), additional_claims=claims, expires_delta=False)
    return token


def _end(lifetime: timedelta) -> int:
    return int((clock.now() + lifetime).timestamp())


def access_claims() -> Claims:
    """The caller's access token, from header or cookie. Raises Problem 401."""
    header = request.headers.get("Authorization", "")
    if header:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Problem("sign_in_required")
        return _claims(token.strip(), "access", "bearer")
    for app in ("console", "phone"):
        token = request.cookies.get(f"daymark_{app}_access", "")
        if token and (app == "phone") == _is_phone_request():
            return _claims(token, "access", "cookie")
    raise Problem("sign_in_required")


def refresh_claims(in_body: str | None) -> Claims:
    """The refresh token from the body (bearer) or its cookie. Raises Problem 401."""
    if in_body:
        return _claims(in_body, "refresh", "bearer")
    app = "phone" if _is_phone_request() else "console"
    token = request.cookies.get(f"daymark_{app}_refresh", "")
    if not token:
        raise Problem("sign_in_required")
    return _claims(token, "refresh", "cookie")


def _is_phone_request() -> bool:
    """Which of the two apps asks, where one browser holds the cookies of both: it says so in `X-App`."""
    said = request.headers.get("X-App", "")
    if said:
        return said == "phone"
    return "daymark_phone_refresh" in request.cookies or (
        "daymark_phone_access" in request.cookies and "daymark_console_access" not in request.cookies
    )


def _claims(token: str, kind: str, transport: str) -> Claims:
    content = _verified(token, _csrf_wanted(transport))
    try:
        if content.get("type") != kind:
            raise Problem("token_invalid")
        if int(content["exp"]) <= clock.now().timestamp():
            raise Problem("token_expired")
        return Claims(
            UUID(content["sub"]),
            UUID(content["fam"]),
            str(content.get("ref", "")),
            bool(content.get("conf")),
            transport,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Problem("token_invalid") from error


def _csrf_wanted(transport: str) -> str | None:
    """The value that must equal the token's, where a browser sent the token by itself; else None."""
    if transport == "bearer" or request.method in ("GET", "HEAD", "OPTIONS"):
        return None
    given = request.headers.get(CSRF_HEADER, "")
    if not given or not given.isascii():  # the library reads an empty value as "do not check"
        raise Problem("csrf_failed")
    return given


def _verified(token: str, csrf: str | None) -> dict[str, Any]:
    try:
        return dict(decode_token(token, csrf_value=csrf, allow_expired=True))
    except CSRFError as error:
        raise Problem("csrf_failed") from error
    except (JWTExtendedException, PyJWTError, TypeError, ValueError) as error:
        raise Problem("token_invalid") from error


def set_cookies(response: Response, kind: str, access: str, refresh: str | None, lifetime: timedelta) -> None:
    """Put the tokens into the app's cookies; the readable one carries only the CSRF value."""
    app = _APPS[kind]
    secure = settings().public_url.startswith("https://")
    seconds = int(lifetime.total_seconds())
    short = int(access_lifetime().total_seconds())

    def put(name: str, value: str, *, hidden: bool, path: str, age: int) -> None:
        response.set_cookie(
            f"daymark_{app}_{name}",
            value,
            max_age=age,
            httponly=hidden,
            secure=secure,
            samesite="Strict",
            path=path,
        )

    put("access", access, hidden=True, path="/api/v1", age=short)
    put("csrf", _csrf_of(access), hidden=False, path="/", age=seconds)
    if refresh is not None:
        put("refresh", refresh, hidden=True, path=REFRESH_PATH, age=seconds)
        put("csrf_refresh", _csrf_of(refresh), hidden=False, path="/", age=seconds)


def _csrf_of(token: str) -> str:
    return str(_verified(token, None)["csrf"])


def clear_cookies(response: Response, kind: str) -> None:
    """Forget the cookies of the app that this kind of account uses; the other app stays signed in."""
    app = _APPS[kind]
    secure = settings().public_url.startswith("https://")
    for name, path in (("access", "/api/v1"), ("refresh", REFRESH_PATH), ("csrf", "/"), ("csrf_refresh", "/")):
        response.delete_cookie(f"daymark_{app}_{name}", path=path, samesite="Strict", secure=secure)
