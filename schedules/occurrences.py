"""The calendar of one subject: every visit and diary slot, computed from the study and the facts. Pure.

Nothing here is stored as truth: the same study and history give the same occurrences with the same ids,
whoever computes them and when.
"""

from datetime import datetime

from schedules.history import History
from schedules.planned import Occurrence
from schedules.protocol.definition import Study
from schedules.slots import slots
from schedules.visits import visits


def occurrences(study: Study, history: History) -> tuple[Occurrence, ...]:
    """The whole calendar, ordered by due time, undated last, then kind, key and id.

    `study` is the revision the subject was enrolled under; later ones are in the history's amendments.
    """
    editions = tuple(history.editions(study))
    return tuple(sorted((*slots(editions, history), *visits(editions, history)), key=_order))


def _order(one: Occurrence) -> tuple[bool, datetime | str, str, str, str]:
    return (one.due_at is None, one.due_at or one.key, one.kind, one.key, str(one.id))
