"""Where sealed values stand, which keys they need, and whether they open. What they say goes nowhere from here."""

from base64 import b64decode, b64encode
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend.crypto import CannotOpen, key_of, lacks
from backend.db import db
from backend.installation import vault
from backend.models.people import Account
from backend.models.record import KeptAnswer
from backend.models.study import SiteChannel
from backend.models.subject import Contact

# What the values are sealed under: a place that was renamed opens no more.
PHONE, TOTP, NAME, CHANNEL = "account.phone", "account.totp", "contact.name", "site_channel.sealed"
KEPT_ANSWER = "kept_answer.body"
# The place, the row's identity it is bound to, and the value.
COLUMNS: tuple[tuple[str, Any, Any], ...] = (
    (PHONE, Account.id, Account.phone_sealed),
    (TOTP, Account.id, Account.totp_sealed),
    (NAME, Contact.account_id, Contact.name_sealed),
    (CHANNEL, SiteChannel.id, SiteChannel.sealed),
)
_NAMED = 3  # so many rows are named; more are a matter of a key


@dataclass(frozen=True, slots=True)
class Need:
    """So many values of a column need this key, 0 where they are damaged; `closed`: whose do not open here."""

    column: str
    key: int
    values: int
    closed: tuple[UUID, ...]


def seal_answer(account_id: UUID, key: str, text: str) -> str:
    """The answer to a repeatable request, as it is kept."""
    return b64encode(vault().seal(_kept_answer(key), account_id, text)).decode()


def open_answer(account_id: UUID, key: str, body: str) -> str:
    """What `seal_answer` was given; CannotOpen otherwise."""
    return vault().open(_kept_answer(key), account_id, _decoded(body))


def _kept_answer(key: str) -> str:
    return f"{KEPT_ANSWER}:{key}"


def _decoded(body: str) -> bytes:
    """Nothing, which does not open, where it is no base64."""
    try:
        return b64decode(body)
    except ValueError:
        return b""


def survey() -> list[Need]:
    """Open every sealed value of the current database. Inside a transaction."""
    values: Counter[tuple[str, int]] = Counter()
    closed: defaultdict[tuple[str, int], list[UUID]] = defaultdict(list)
    for column, place, row, sealed in _values():
        key = column, key_of(sealed)
        values[key] += 1
        if not _opens(place, row, sealed):
            closed[key].append(row)
    return [Need(*key, values[key], tuple(closed[key])) for key in sorted(values)]


def faults(needs: Collection[Need]) -> list[str]:
    """What does not open, in words that name the column, and the key or the rows."""
    return [_fault(one) for one in needs if one.closed]


def _fault(need: Need) -> str:
    if need.key and need.key not in vault().field_fingerprints:
        return lacking(need.key, need.values, need.column)
    why = f"do not open with key {need.key}" if need.key else "are damaged"
    rows = ", ".join(str(row) for row in need.closed[:_NAMED])
    more = len(need.closed) - _NAMED
    return f"{len(need.closed)} of {need.values} values of {need.column} {why}: {rows}" + (
        f" and {more} more" if more > 0 else ""
    )


def lacking(key: int, values: int, column: str) -> str:
    """A field key that is not here, and what it costs."""
    return f"{lacks(key)}, which seals {values} values of {column}"


def _opens(place: str, row: UUID, sealed: bytes) -> bool:
    try:
        vault().open(place, row, sealed)
    except CannotOpen:
        return False
    return True


def _values() -> Iterator[tuple[str, str, UUID, bytes]]:
    for column, identity, value in COLUMNS:
        for row_id, sealed in _streamed(sa.select(identity, value).where(value.is_not(None))):
            yield column, column, row_id, sealed
    for account_id, key, body in _streamed(sa.select(KeptAnswer.account_id, KeptAnswer.key, KeptAnswer.body)):
        yield KEPT_ANSWER, _kept_answer(key), account_id, _decoded(body)


def _streamed(query: sa.Executable) -> Iterator[Any]:
    with closing(db.session.execute(query.execution_options(yield_per=500))) as rows:
        yield from rows
