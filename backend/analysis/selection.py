"""Which laboratory value stands for a visit, and which for the baseline."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from backend.instruments.logic import Reading


@dataclass(frozen=True, slots=True)
class Value:
    """One result in the study's unit, with the performing laboratory's limits."""

    id: UUID
    code: str
    at: datetime
    reading: Reading
    lln: Decimal | None = None
    uln: Decimal | None = None


def nearest(
    values: Iterable[Value], at: datetime, opens_at: datetime | None, closes_at: datetime | None
) -> Value | None:
    """The result nearest to the visit inside its window [opens, closes); of two as near, the earlier."""
    inside = [
        value
        for value in values
        if (opens_at is None or value.at >= opens_at) and (closes_at is None or value.at < closes_at)
    ]
    return min(inside, key=lambda value: (abs(value.at - at), value.at, str(value.id)), default=None)


def last_before(values: Sequence[Value], at: datetime) -> Value | None:
    """The last result before an instant: the baseline of what begins then."""
    before = [value for value in values if value.at < at]
    return max(before, key=lambda value: (value.at, str(value.id)), default=None)
