"""Which study days a diary phase falls on. Pure."""

from collections.abc import Iterator

from schedules.protocol.definition import DiaryPhase


def days_of(phase: DiaryPhase, first: int | None = None, last: int | None = None) -> Iterator[int]:
    """Study days of the phase, ascending, within [first, last] where given."""
    start = phase.from_day
    if first is not None and first > start:
        skipped = -(-(first - start) // phase.every_days)  # whole steps, rounded up
        start += skipped * phase.every_days
    end = phase.to_day if last is None else min(phase.to_day, last)
    yield from range(start, end + 1, phase.every_days)
