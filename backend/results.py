"""What an outcome is: its value at a time point or of a course, the facts it came from, and why it is what it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from backend.analysis.selection import Value
from backend.instruments.logic import Reason

# RUNNING: of a course, what was seen so far; it is observed once no more can come.
OBSERVED, RUNNING, UNKNOWN, NOT_YET_DUE, MISSING, LEFT = (
    "observed", "running", "unknown", "not_yet_due", "missing", "left",
)  # fmt: skip
STATUSES = (OBSERVED, RUNNING, UNKNOWN, NOT_YET_DUE, MISSING, LEFT)


@dataclass(frozen=True, slots=True)
class Input:
    """One fact an outcome was computed from."""

    kind: str  # assessment, measurement, medication, adverse_event
    id: UUID | None
    at: datetime | None
    what: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class Result:
    """One outcome of one subject, at a time point or of the whole course (`time_point` None).

    `value`: true or false of a response, a number of a change, None where unknown. `imputed`: a response with unknown
    counted as none, None where that is not due yet.
    """

    outcome: str
    measure: str
    time_point: str | None
    visit_id: UUID | None
    day: int | None
    status: str
    value: Any
    imputed: bool | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[Input, ...] = ()
    reasons: tuple[Reason, ...] = ()
    primary: bool = True  # another reading of the same outcome stands beside it


def measurement_input(value: Value, what: str) -> Input:
    return Input("measurement", value.id, value.at, f"{value.code}, {what}", shown(value))


def shown(value: Value | None) -> Any:
    if value is None:
        return None
    return value.reading.value if not value.reading.qualifier else f"{value.reading.qualifier}{value.reading.value}"
