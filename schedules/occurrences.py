"""The calendar of one subject: every visit and diary slot, computed from the study and the facts. Pure.

Nothing here is stored as truth: the same study and history give the same occurrences with the same ids,
whoever computes them and when.
"""

from datetime import datetime

from schedules.history import History
from schedules.planned import Occurrence
from schedules.protocol.definition import Study
from schedules.slots import Span, slots
from schedules.visits import visits


def occurrences(study: Study, history: History, span: Span = None) -> tuple[Occurrence, ...]:
    """The whole calendar, or with `span` only the slots that fall due within it (visits are then left out).

    `study` is the revision the subject was enrolled under; later ones are in the history's amendments.
    Ordered by due time, undated last, then kind, key and id.
    """
    editions = tuple(history.editions(study))
    found = slots(editions, history, span)
    if span is None:
        found.extend(visits(editions, history))
    return tuple(sorted(found, key=_order))


def _order(one: Occurrence) -> tuple[bool, datetime | str, str, str, str]:
    return (one.due_at is None, one.due_at or one.key, one.kind, one.key, str(one.id))
