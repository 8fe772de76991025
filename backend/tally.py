"""What a table holds, as one number: equal rows give equal digests on either database and in a backup's file.

Each row is taken as SQLite stores it, so that a file is checked without knowing what its columns mean, and rows of an
older schema as well. The order of rows does not matter: their keyed digests are added up.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from backend.crypto import Vault
from backend.strictjson import canonical

_SQLITE = sqlite.dialect()
_MODULUS = 1 << 256

Converter = Callable[[Any], Any]


class Tally:
    """Counts the rows of one table and adds up their digests."""

    def __init__(self, vault: Vault, table: str, columns: Sequence[str]) -> None:
        self._vault, self._table, self._columns = vault, table, list(columns)
        self._sum = 0
        self.rows = 0

    def add(self, values: Iterable[Any]) -> None:
        """One row, its values as SQLite stores them, in the order of the columns."""
        content = json.dumps(list(values), separators=(",", ":"), default=_bytes).encode()
        self._sum += int.from_bytes(self._vault.row_digest(content))
        self.rows += 1

    @property
    def digest(self) -> str:
        whole = [self._table, self._columns, self.rows, str(self._sum % _MODULUS)]
        return self._vault.row_digest(canonical(whole).encode()).hex()


def converters(columns: Iterable[sa.ColumnClause[Any]]) -> list[Converter]:
    """For each column what makes of its value what SQLite would store."""
    found = (column.type.dialect_impl(_SQLITE).bind_processor(_SQLITE) for column in columns)
    return [one or _as_it_is for one in found]


def _as_it_is(value: Any) -> Any:
    return value


def _bytes(value: Any) -> list[str]:
    """No other value becomes a list."""
    return [bytes(value).hex()]
