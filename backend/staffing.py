"""What an operator does to an account of staff after it was made: new secrets, or its end. Making one is `accounts`.

Both end every session and device of the account at once, in the caller's transaction.
"""

import pyotp
import sqlalchemy as sa

from backend import audit, lockout, sessions
from backend.accounts import username_of
from backend.db import db
from backend.errors import Problem
from backend.installation import vault
from backend.models.people import Account
from backend.sealed import TOTP


def reset(username: str, password_hash: str) -> tuple[Account, str]:
    """A new password (hashed) and a new TOTP secret, to be shown once; a lock-out is lifted. 404 if unknown."""
    account = _locked(username)
    secret = pyotp.random_base32()
    account.password_hash = password_hash
    account.totp_sealed = vault().seal(TOTP, account.id, secret)
    account.totp_last_step = None
    lockout.clear(account)
    ended = sessions.end_everything(account.id, "secrets were reset")
    account.version += 1
    db.session.flush()
    audit.record("account:reset", "account", account.id, new={"sessions": ended.sessions})
    return account, secret


def end(username: str, reason: str) -> Account:
    """The person has left: the account opens nothing any more and is no longer paged. What they did stays theirs."""
    account = _locked(username)
    account.active = False
    ended = sessions.end_everything(account.id, "the account was ended")
    account.version += 1
    db.session.flush()
    audit.record("account:ended", "account", account.id, new={"sessions": ended.sessions}, reason=reason)
    return account


def _locked(username: str) -> Account:
    account = db.session.scalars(
        sa.select(Account).where(Account.username == username_of(username)).with_for_update()
    ).one_or_none()
    if account is None or account.kind != "staff":
        raise Problem("not_found", f"no member of staff is called {username}")
    return account
