"""The only place that asks the system for the time.

Tests and the simulator hand in their own source; everything else calls `now()`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

TOLERANCE = timedelta(minutes=5)  # a ward computer may be a little ahead of us
_source: Callable[[], datetime] = lambda: datetime.now(UTC)  # noqa: E731


def now() -> datetime:
    """The present instant, aware, UTC."""
    return _source()


@contextmanager
def running_on(source: Callable[[], datetime]) -> Iterator[None]:
    """Let `now()` answer from `source` inside the block."""
    global _source
    before, _source = _source, source
    try:
        yield
    finally:
        _source = before
