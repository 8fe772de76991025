"""The stage of the demo: its people, its clock, and acts that are played in the order in which they happened.

Knows no story and no finding: the stories are `stories`, what is found at visits `findings`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from backend import audit, clock
from backend.db import transaction
from backend.models.people import Account
from backend.models.study import Site
from backend.models.subject import Subject
from schedules.protocol.definition import Study
from schedules.windows import study_day


@dataclass
class Cast:
    """The people of the demo and the secrets to show."""

    site: Site
    study: Study
    staff: dict[str, Account] = field(default_factory=dict)
    shown: dict[str, Any] = field(default_factory=lambda: {"staff": [], "subjects": []})


@dataclass(frozen=True, slots=True)
class Life:
    """One subject of the demo, with the infusion that its days count from: given, or planned for then."""

    cast: Cast
    subject: Subject
    infused_at: datetime

    def day(self, at: datetime) -> int:
        return study_day(at, self.infused_at, self.cast.site.time_zone)


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did at an instant."""

    at: datetime
    do: Callable[[], object]


class acting_at:  # noqa: N801  # reads as a preposition
    """Act at an instant, as the demo."""

    def __init__(self, at: datetime) -> None:
        self._clock = clock.running_on(lambda: at)
        self._actor = audit.acting(audit.Actor(None, "demo"))

    def __enter__(self) -> None:
        self._clock.__enter__()
        self._actor.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._actor.__exit__(*error)
        self._clock.__exit__(*error)


def play(acts: Iterable[Act]) -> None:
    """Oldest first, as the rules are asked about what was known by then; of one instant in the order given.

    In one transaction, which saves two seconds of loading: nobody else is there yet, and half a story is none.
    """
    with transaction():
        for act in sorted(acts, key=lambda one: one.at):
            with acting_at(act.at):
                act.do()
