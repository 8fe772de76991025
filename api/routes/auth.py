"""Signing in and out. What may be guessed is limited per address here and counted per account in `backend.lockout`."""

from typing import Any

import marshmallow as ma
from flask import Response, after_this_request
from marshmallow import validate

from api import tokens
from api.doors import Caller, Room
from api.fields import Body, Flag, Id, Instant, Shaped, Text, Whole, Word
from api.limits import SECRETS, limiter
from backend import activation, sessions
from backend.errors import Problem
from backend.models.people import Account

room = Room("auth", __name__, url_prefix="/api/v1/auth")
limited = limiter.limit(SECRETS)


class Secret(ma.fields.String):
    """A password or token as typed: never trimmed, of bounded length because hashing it costs."""

    def __init__(self, *, most: int = 256, **kwargs: Any) -> None:
        super().__init__(validate=validate.Length(min=1, max=most), metadata={"format": "password"}, **kwargs)


class Digits(Shaped):
    """A PIN or one-time code."""

    def __init__(self, least: int, most: int, **kwargs: Any) -> None:
        super().__init__(f"[0-9]{{{least},{most}}}", metadata={"format": "password"}, **kwargs)


def _pin() -> Digits:
    return Digits(4, 12, required=True)


class _Transport(Word):
    """`bearer`: tokens in the body, for machines. `cookie`: HttpOnly cookies and `X-CSRF-Token`, for the two apps."""

    def __init__(self) -> None:
        super().__init__("bearer", "cookie", load_default="bearer")


class StaffSignIn(Body):
    username = Text(required=True)
    password = Secret(required=True)
    totp = Digits(6, 6, required=True)
    transport = _Transport()


class Activation(Body):
    code = Text(most=40, required=True)
    pin = _pin()
    device_name = Text(most=80, required=True)
    transport = _Transport()


class DeviceSignIn(Body):
    device_id = Id(required=True)
    pin = _pin()
    transport = _Transport()


class Refresh(Body):
    refresh_token = Secret(most=2000, allow_none=True)


class SignOut(Body):
    everywhere = Flag(load_default=False)


class Confirmation(Body):
    password = Secret(required=True)
    totp = Digits(6, 6, required=True)


class StaffPin(Body):
    pin = _pin()
    device_name = Text(most=80, required=True)


class StaffOut(Body):
    id = Id(required=True)
    name = ma.fields.String(required=True)
    role = ma.fields.String(required=True)
    username = ma.fields.String(required=True)
    locale = ma.fields.String(required=True)


class AccountOut(Body):
    id = Id(required=True)
    kind = ma.fields.String(required=True)
    role = ma.fields.String(required=True)
    locale = ma.fields.String(required=True)


class Tokens(Body):
    """Null tokens mean that they are in cookies; a null refresh token alone, that another tab renewed just now."""

    access_token = ma.fields.String(required=True, allow_none=True)
    refresh_token = ma.fields.String(required=True, allow_none=True)
    expires_in = Whole(required=True, metadata={"description": "seconds until the access token ends"})


class StaffSession(Tokens):
    staff = ma.fields.Nested(StaffOut, required=True)


class DeviceSession(Tokens):
    """`staff` for a member of staff, `account` for a patient or carer; the other is null."""

    staff = ma.fields.Nested(StaffOut, required=True, allow_none=True)
    account = ma.fields.Nested(AccountOut, required=True, allow_none=True)


class NewDevice(Body):
    id = Id(required=True)
    credential = ma.fields.String(required=True)


class ActivatedSession(Tokens):
    device = ma.fields.Nested(NewDevice, required=True)
    account = ma.fields.Nested(AccountOut, required=True)


class SignedOut(Body):
    devices_ended = ma.fields.List(Id(), required=True)


class ConfirmationToken(Body):
    """Send it as `Authorization: Bearer` with what is signed; it lives in memory only, whatever the transport."""

    access_token = ma.fields.String(required=True)
    expires_in = Whole(required=True)


class PinDevice(Body):
    device_id = Id(required=True)
    valid_until = Instant(required=True)


@room.door("POST", "/staff/sign-in", None, body=StaffSignIn, answer=StaffSession, refuses=(401,), own_transactions=True)
@limited
def sign_in_staff(body: dict[str, Any]) -> dict[str, Any]:
    """Sign in with user name, password and one-time code. A one-time code works once."""
    session = sessions.sign_in_staff(body["username"], body["password"], body["totp"], body["transport"])
    return {**_handed_out(session), "staff": staff_out(session.account)}


@room.door("POST", "/activate", None, body=Activation, answer=ActivatedSession, refuses=(401,), own_transactions=True)
@limited
def activate(body: dict[str, Any]) -> dict[str, Any]:
    """Turn an activation code into a device with a PIN. Faults at /code: code_unknown, code_used, code_expired.

    The credential is shown here only. It may do one thing: `Authorization: Device …` with `PUT /me/entries/{id}`.
    """
    done = activation.activate(body["code"], body["pin"], body["device_name"], body["transport"])
    device = {"id": done.device_id, "credential": done.credential}
    return {**_handed_out(done.session), "device": device, "account": account_out(done.session.account)}


@room.door("POST", "/sign-in", None, body=DeviceSignIn, answer=DeviceSession, refuses=(401,), own_transactions=True)
@limited
def sign_in_device(body: dict[str, Any]) -> dict[str, Any]:
    """Sign in by PIN on a device that is known: a patient's phone, or a ward computer within a shift."""
    session = sessions.sign_in_device(body["device_id"], body["pin"], body["transport"])
    of_staff = session.account.kind == "staff"
    return {
        **_handed_out(session),
        "staff": staff_out(session.account) if of_staff else None,
        "account": None if of_staff else account_out(session.account),
    }


@room.door("POST", "/refresh", None, body=Refresh, answer=Tokens, refuses=(401,), own_transactions=True)
@limited
def refresh(body: dict[str, Any]) -> dict[str, Any]:
    """Renew. Bearer: the token in the body; cookies: an empty object, and the CSRF value of the refresh cookie."""
    claims = tokens.refresh_claims(body.get("refresh_token"))
    return _handed_out(sessions.renew(claims.family_id, claims.account_id, claims.jti, claims.transport))


@room.door("POST", "/sign-out", "self:change", body=SignOut, answer=SignedOut)
def sign_out(caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """End this session; `everywhere`: every session, device and unused code of the account as well."""
    ended = sessions.sign_out_everywhere(caller.id).devices if body["everywhere"] else ()
    if caller.family_id is not None and not body["everywhere"]:
        sessions.close_family(caller.family_id)

    @after_this_request
    def forget(response: Response) -> Response:
        tokens.clear_cookies(response, caller.account.kind)
        return response

    return {"devices_ended": list(ended)}


@room.door("POST", "/confirm", "signing:confirm", body=Confirmation, answer=ConfirmationToken, own_transactions=True)
@limited
def confirm(caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Password and one-time code once more: a token that may sign, for five minutes."""
    assert caller.family_id is not None  # only device credentials have none, and they are not let in here
    sessions.confirm_staff(caller.id, body["password"], body["totp"])
    token = tokens.issue_confirmation(caller.id, caller.family_id)
    return {"access_token": token, "expires_in": int(tokens.CONFIRMATION.total_seconds())}


@room.door("PUT", "/staff/pin", "pin:set", body=StaffPin, answer=PinDevice, own_transactions=True)
@limited
def set_pin(caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """A PIN for coming back on this computer until the shift ends. Needs a full sign-in, not a PIN."""
    if caller.strength != "full":
        raise Problem("forbidden", "a full sign-in with password and one-time code is needed")
    device = sessions.set_staff_pin(caller.account, body["pin"], body["device_name"])
    return {"device_id": device.id, "valid_until": device.expires_at}


def _handed_out(session: sessions.Session) -> dict[str, Any]:
    """The session's tokens as it carries them: in the body, or in cookies and nulls in the body."""
    account = session.account
    if session.jti is None:
        access, new = tokens.issue_access(account.id, session.family_id), None
    else:
        access, new = tokens.issue(account.id, session.family_id, session.jti, session.lifetime)
    expires_in = int(tokens.access_lifetime().total_seconds())
    if session.transport == "bearer":
        return {"access_token": access, "refresh_token": new, "expires_in": expires_in}

    @after_this_request
    def carry(response: Response) -> Response:
        tokens.set_cookies(response, account.kind, access, new, session.lifetime)
        return response

    return {"access_token": None, "refresh_token": None, "expires_in": expires_in}


def staff_out(account: Account) -> dict[str, Any]:
    """A member of staff as colleagues see them."""
    return {
        "id": account.id,
        "name": account.name,
        "role": account.role,
        "username": account.username,
        "locale": account.locale,
    }


def account_out(account: Account) -> dict[str, Any]:
    """A patient or carer: nothing that names them."""
    return {"id": account.id, "kind": account.kind, "role": account.role, "locale": account.locale}
