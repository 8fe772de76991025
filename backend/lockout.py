"""How often a secret may be guessed: counted in the row that is guessed at, so that every process counts the same.

Five failures lock for 15 minutes, each further five for twice as long, up to a day. The count falls back to
zero with the right secret. Hashes are verified outside any transaction; so whoever counts locks the row
first and asks `refuse_if_locked` again, and a hundred guesses sent at once are still five.
"""

from datetime import datetime, timedelta
from typing import Protocol

from backend import clock
from backend.errors import Problem

TRIES = 5
FIRST, LONGEST = timedelta(minutes=15), timedelta(hours=24)


class Guarded(Protocol):
    """A row that counts: an account, or a device with a PIN."""

    failed: int
    locked_until: datetime | None


def refuse_if_locked(row: Guarded) -> None:
    """401 `locked_out` with Retry-After while the lock lasts."""
    now = clock.now()
    if row.locked_until is not None and row.locked_until > now:
        seconds = int((row.locked_until - now).total_seconds()) + 1
        raise Problem("locked_out", headers={"Retry-After": str(seconds)})


def count_failure(row: Guarded) -> None:
    """One more failure; every fifth locks."""
    row.failed += 1
    if row.failed % TRIES == 0:
        doublings = min(row.failed // TRIES - 1, 10)  # ten are more than a day already
        row.locked_until = clock.now() + min(FIRST * 2**doublings, LONGEST)


def clear(row: Guarded) -> None:
    row.failed, row.locked_until = 0, None
