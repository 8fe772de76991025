"""Where sealed values stand, which keys they need, and whether they open. The values themselves go nowhere."""

from base64 import b64decode
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backend.crypto import CannotOpen
from backend.db import db
from backend.installation import vault
from backend.models.people import Account
from backend.models.record import KeptAnswer
from backend.models.study import SiteChannel
from backend.models.subject import Contact

# The column, the row's identity it is bound to, and the value. The names are those the values were sealed under.
COLUMNS: tuple[tuple[str, Any, Any], ...] = (
    ("account.phone", Account.id, Account.phone_sealed),
    ("account.totp", Account.id, Account.totp_sealed),
    ("contact.name", Contact.account_id, Contact.name_sealed),
    ("site_channel.sealed", SiteChannel.id, SiteChannel.sealed),
)
KEPT_ANSWER = "kept_answer.body"


def kept_answer_place(key: str) -> str:
    """The place under which the answer to a repeatable request is sealed."""
    return f"{KEPT_ANSWER}:{key}"


@dataclass(frozen=True, slots=True)
class Need:
    """So many values of a column need this key; `closed` of them do not open with the keys that are here."""

    column: str
    key: int
    values: int
    closed: int


def survey() -> list[Need]:
    """Open every sealed value of the current database. Inside a transaction."""
    values: Counter[tuple[str, int]] = Counter()
    closed: Counter[tuple[str, int]] = Counter()
    for column, place, row, sealed in _values():
        key = column, sealed[0]
        values[key] += 1
        closed[key] += not _opens(place, row, sealed)
    return [Need(*key, values[key], closed[key]) for key in sorted(values)]


def faults(needs: Collection[Need]) -> list[str]:
    """What does not open, in words that name the key and the column."""
    here = vault().field_fingerprints
    return [
        f"FIELD_KEYS lacks key {one.key}, which seals {one.values} values of {one.column}"
        if one.key not in here
        else f"{one.closed} of {one.values} values of {one.column} do not open with key {one.key}"
        for one in needs
        if one.closed
    ]


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
        yield KEPT_ANSWER, kept_answer_place(key), account_id, b64decode(body)


def _streamed(query: sa.Executable) -> Iterator[Any]:
    with closing(db.session.execute(query.execution_options(yield_per=500))) as rows:
        yield from rows
