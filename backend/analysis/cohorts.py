"""Dose escalation by 3+3 in cohorts of up to six: what the counts say. The row is shown; people decide.

A subject is evaluable with a DLT, or once the DLT window has been completed without leaving.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

FIRST, FULL = 3, 6


@dataclass(frozen=True, slots=True)
class Member:
    """One subject of a dose level. `dlt`: no, suspected, confirmed."""

    number: str
    infused_at: datetime | None
    ended_at: datetime | None
    dlt: str = "no"


@dataclass(frozen=True, slots=True)
class Counts:
    """`replaced`: dosed, left before the end of the DLT window without a DLT; somebody else takes the place."""

    enrolled: int
    dosed: int
    evaluable: int
    dlt: int
    suspected: int
    pending: int
    replaced: int


def counts(members: Sequence[Member], now: datetime, window: timedelta) -> Counts:
    """Over the members of one level."""
    dosed = [one for one in members if one.infused_at is not None]
    states = [_state(one, now, window) for one in dosed]
    return Counts(
        enrolled=len(members),
        dosed=len(dosed),
        evaluable=states.count("evaluable") + states.count("dlt"),
        dlt=states.count("dlt"),
        suspected=sum(one.dlt == "suspected" for one in members),
        pending=states.count("pending"),
        replaced=states.count("replaced"),
    )


def _state(one: Member, now: datetime, window: timedelta) -> str:
    assert one.infused_at is not None
    ends = one.infused_at + window
    if one.dlt == "confirmed":
        return "dlt"
    if one.ended_at is not None and one.ended_at < ends:
        return "replaced"
    return "evaluable" if now >= ends else "pending"


def three_plus_three(evaluable: int, dlt: int) -> str:
    """The row of the 3+3 table: wait, escalate, expand, or stop (the level before is the MTD).

    0 of 3 escalate, 1 of 3 expand to 6, at most 1 of 6 escalate, 2 or more stop.
    """
    if dlt >= 2:
        return "stop"
    if evaluable >= FULL:
        return "escalate"
    if evaluable < FIRST:
        return "wait"
    if dlt == 0:
        return "escalate"
    return "expand"
