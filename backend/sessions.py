"""Sign-in and what it opens: a family of tokens. The tokens themselves are made in `api.tokens`.

Passwords and PINs are verified outside any transaction: a short one reads, the hash is computed, and a
second one locks the row, looks again and writes. A refusal is counted and audited although it is refused
(`Problem.commits`). Renewing a token is not audited; opening, closing, refusing and misuse are.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pyotp
import sqlalchemy as sa

from backend import audit, clock, crypto, lockout
from backend.accounts import username_of
from backend.db import db, transaction
from backend.errors import Problem
from backend.installation import settings, vault
from backend.models.people import Account, ActivationCode, Device, TokenFamily
from backend.sealed import TOTP

SHIFT = timedelta(hours=12)  # how long a PIN stands in for a full sign-in of staff
GRACE = timedelta(seconds=10)  # two tabs of one browser renew at the same time
TOTP_STEP = 30

Row = TypeVar("Row", Account, Device, TokenFamily)


@dataclass(frozen=True, slots=True)
class Session:
    """An open family. `jti` names its refresh token; None means that an access token is all there is to give."""

    account: Account
    family_id: UUID
    jti: str | None
    lifetime: timedelta
    transport: str
    device_id: UUID | None = None


# --- staff: password and one-time code ---------------------------------------------------------


def sign_in_staff(username: str, password: str, totp: str, transport: str) -> Session:
    """A full session. Opens its own transactions. Raises 401 `credentials_wrong` or `locked_out`.

    An unknown name, a wrong password, a wrong or used code and an ended account look and cost the same.
    """
    with transaction(writes=False):
        known = db.session.scalars(sa.select(Account).where(Account.username == username_of(username))).one_or_none()
        if known is not None:
            lockout.refuse_if_locked(known)
    right = crypto.password_matches(known.password_hash if known else None, password)
    with transaction():
        account = _proven(known, right, totp)
        ends = clock.now() + settings().staff_session
        return open_family(account, transport=transport, strength="full", ends=ends)


def confirm_staff(account_id: UUID, password: str, totp: str) -> None:
    """Password and code once more, before signing. Own transactions, refusals and counts as at sign-in."""
    with transaction(writes=False):
        known = db.session.get_one(Account, account_id)
        lockout.refuse_if_locked(known)
    right = crypto.password_matches(known.password_hash, password)
    with transaction():
        account = _proven(known, right, totp)
        audit.record("session:confirmed", "account", account.id)


def _proven(known: Account | None, right: bool, totp: str) -> Account:
    """The account, its row locked, if the password was right and the one-time code is; else counted and refused."""
    if known is None:
        audit.record("session:refused", "account", "unknown", new={"by": "password"})
        raise Problem("credentials_wrong", commits=True)
    account = _locked_row(Account, known.id)
    lockout.refuse_if_locked(account)
    unchanged = account.active and account.password_hash == known.password_hash
    if not (right and unchanged and _totp_fits(account, totp)):
        raise _refused(account, "account", account.id, "password")
    lockout.clear(account)
    return account


def _totp_fits(account: Account, code: str) -> bool:
    """Whether the code is of this step or a neighbour, and newer than the last one taken; takes it."""
    if account.totp_sealed is None:
        return False
    otp = pyotp.TOTP(vault().open(TOTP, account.id, account.totp_sealed))
    step = int(clock.now().timestamp()) // TOTP_STEP
    for candidate in (step - 1, step, step + 1):
        used = account.totp_last_step is not None and candidate <= account.totp_last_step
        if not used and compare_digest(otp.generate_otp(candidate), code):
            account.totp_last_step = candidate
            return True
    return False


# --- a device and its PIN ----------------------------------------------------------------------


def sign_in_device(device_id: UUID, pin: str, transport: str) -> Session:
    """A session by PIN on a known device: a patient's phone, or staff within a shift. Own transactions.

    Raises 401: `credentials_wrong`, `locked_out`; with the right PIN `token_revoked` for a device that was
    signed out and `token_expired` after the shift.
    """
    with transaction(writes=False):
        known = db.session.get(Device, device_id)
        if known is not None:
            lockout.refuse_if_locked(known)
    right = crypto.password_matches(known.pin_hash if known else None, pin)
    with transaction():
        device = _pin_proven(known, right)
        account = db.session.get_one(Account, device.account_id)
        now = clock.now()
        if device.revoked_at is not None or not account.active:
            raise Problem("token_revoked")
        if device.expires_at is not None and device.expires_at <= now:
            raise Problem("token_expired")
        device.last_seen_at = now
        ends = device.expires_at or now + settings().patient_session
        return open_family(account, transport=transport, strength="pin", ends=ends, device_id=device.id)


def _pin_proven(known: Device | None, right: bool) -> Device:
    if known is None:
        audit.record("session:refused", "device", "unknown", new={"by": "pin"})
        raise Problem("credentials_wrong", commits=True)
    device = _locked_row(Device, known.id)
    lockout.refuse_if_locked(device)
    if not right:
        raise _refused(device, "device", device.id, "pin")
    lockout.clear(device)
    return device


def set_staff_pin(account: Account, pin: str, device_name: str) -> Device:
    """Let this member of staff come back by PIN on this computer until the shift ends. Own transaction."""
    pin_hash = crypto.hash_password(pin)
    with transaction():
        now = clock.now()
        device = new_device(account.id, device_name, pin_hash, expires_at=now + SHIFT)
        audit.record("device:added", "device", device.id, new={"expires_at": device.expires_at})
        return device


def new_device(
    account_id: UUID, name: str, pin_hash: str, *, expires_at: datetime | None = None, credential: str | None = None
) -> Device:
    """A device row; `credential` is digested. The caller audits."""
    device = Device(
        id=uuid4(),
        account_id=account_id,
        name=name,
        pin_hash=pin_hash,
        credential_digest=vault().code_digest(credential) if credential else None,
        failed=0,
        created_at=clock.now(),
        expires_at=expires_at,
    )
    db.session.add(device)
    db.session.flush()
    return device


# --- families ----------------------------------------------------------------------------------


def open_family(
    account: Account, *, transport: str, strength: str, ends: datetime, device_id: UUID | None = None
) -> Session:
    """A new family, in the caller's transaction, as an act of the account itself."""
    now = clock.now()
    family = TokenFamily(
        id=uuid4(),
        account_id=account.id,
        device_id=device_id,
        transport=transport,
        strength=strength,
        current_jti=crypto.new_secret(),
        rotated_at=now,
        created_at=now,
        expires_at=ends,
    )
    db.session.add(family)
    db.session.flush()
    with audit.acting(as_account(account)):
        new = {"account": str(account.id), "strength": strength, "transport": transport}
        audit.record("session:opened", "token_family", family.id, new=new)
    return Session(account, family.id, family.current_jti, ends - now, transport, device_id)


def renew(family_id: UUID, account_id: UUID, jti: str, transport: str) -> Session:
    """Take one refresh token and give the next. Own transaction; the family's row is locked, so one of two wins.

    Raises 401: `token_invalid`, `token_revoked`, and `refresh_reused` for a token that was taken before: its
    family ends, because a thief or the owner holds the other. A browser's tabs may race: for ten seconds the
    token before gets an access token, but never a new refresh token.
    """
    with transaction():
        family = _locked_row(TokenFamily, family_id)
        if family.account_id != account_id or family.transport != transport:
            raise Problem("token_invalid")
        now = clock.now()
        account = db.session.get_one(Account, account_id)
        if family.revoked_at is not None or family.expires_at <= now or not account.active:
            raise Problem("token_revoked")
        left = family.expires_at - now
        if compare_digest(family.current_jti, jti):
            family.previous_jti, family.current_jti, family.rotated_at = jti, crypto.new_secret(), now
            return Session(account, family.id, family.current_jti, left, transport, family.device_id)
        if transport == "cookie" and jti == family.previous_jti and now - family.rotated_at <= GRACE:
            return Session(account, family.id, None, left, transport, family.device_id)
        family.revoked_at, family.revoked_why = now, "refresh token reused"
        audit.record("session:reuse_detected", "token_family", family.id, new={"account": str(account_id)})
        raise Problem("refresh_reused", commits=True)


def close_family(family_id: UUID) -> None:
    """Sign out of one session, in the caller's transaction."""
    family = _locked_row(TokenFamily, family_id)
    if family.revoked_at is None:
        family.revoked_at, family.revoked_why = clock.now(), "signed out"
        db.session.flush()
        audit.record("session:closed", "token_family", family.id)


@dataclass(frozen=True, slots=True)
class Ended:
    """What `end_everything` ended."""

    devices: tuple[UUID, ...]
    sessions: int


def end_everything(account_id: UUID, why: str) -> Ended:
    """End each session, device credential and unused code of an account, in the caller's transaction.

    Does not audit: the caller knows in whose chain, by whom and for what reason.
    """
    now = clock.now()
    open_devices = sa.select(Device).where(Device.account_id == account_id, Device.revoked_at.is_(None))
    devices = tuple(db.session.scalars(open_devices.with_for_update()))
    for device in devices:
        device.revoked_at = now
    open_families = sa.select(TokenFamily).where(
        TokenFamily.account_id == account_id, TokenFamily.revoked_at.is_(None), TokenFamily.expires_at > now
    )
    families = tuple(db.session.scalars(open_families.with_for_update()))
    for family in families:
        family.revoked_at, family.revoked_why = now, why
    revoke_codes(account_id)
    db.session.flush()
    return Ended(tuple(device.id for device in devices), len(families))


def revoke_codes(account_id: UUID) -> None:
    """No activation code given to this account so far works any more."""
    unused = sa.select(ActivationCode).where(
        ActivationCode.account_id == account_id,
        ActivationCode.used_at.is_(None),
        ActivationCode.revoked_at.is_(None),
    )
    for code in db.session.scalars(unused.with_for_update()):
        code.revoked_at = clock.now()


def sign_out_everywhere(account_id: UUID) -> Ended:
    """All sessions and devices of the account, by its owner, in the caller's transaction."""
    ended = end_everything(account_id, "signed out everywhere")
    new = {"devices": [str(device) for device in ended.devices], "sessions": ended.sessions}
    audit.record("session:closed_everywhere", "account", account_id, new=new)
    return ended


def as_account(account: Account) -> audit.Actor:
    """The account as the one who acts, once it has proven who it is."""
    return audit.Actor(account.id, account.role, audit.actor().origin)


def _locked_row(table: type[Row], key: UUID) -> Row:
    row = db.session.get(table, key, with_for_update=True, populate_existing=True)
    if row is None:
        raise Problem("token_invalid")
    return row


def _refused(row: lockout.Guarded, entity: str, entity_id: UUID, by: str) -> Problem:
    lockout.count_failure(row)
    db.session.flush()
    new: dict[str, Any] = {"by": by, "failed": row.failed, "locked_until": row.locked_until}
    audit.record("session:refused", entity, entity_id, new=new)
    return Problem("credentials_wrong", commits=True)
