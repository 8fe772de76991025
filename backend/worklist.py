"""What waits for subjects beside visits and reports: consents, release tests, the contact, whom texts do not reach.

Reads only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import sqlalchemy as sa

from backend import chronicle, consents, products, reach
from backend.chronicle import Fact
from backend.models.subject import Subject

KINDS = ("consent", "release_test", "product_form", "contact", "texts")


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to do. `detail` of consent: as `Wanting`; of release_test: tests; of contact: since, who had it; of
    texts: as `Unreached`."""

    subject: Subject
    kind: str
    detail: dict[str, Any] = field(default_factory=dict)


def followed() -> sa.Select[Subject]:
    """The subjects a worklist looks through: those who have not left."""
    return sa.select(Subject).where(Subject.ended_at.is_(None))


def tasks(subjects: Sequence[Subject]) -> list[Task]:
    """What waits for these subjects, in their order; in a constant number of queries."""
    wanting = consents.wanting_each(subjects)
    release = products.release_of_each(subjects)
    forms = products.have_a_form([subject.id for subject in subjects])
    known = chronicle.facts_of_each([subject.id for subject in subjects])
    unreached = reach.unreached_of_each([subject.id for subject in subjects])
    found = []
    for one in subjects:
        for want in wanting[one.id]:
            names = ("kind", "text_version", "why", "state", "since")
            found.append(Task(one, "consent", {name: getattr(want, name) for name in names}))
        if one.infused_at is not None:
            pending = [test.code for test in release[one.id] if test.state == "pending"]
            if one.id not in forms:
                found.append(Task(one, "product_form"))
            if pending:
                found.append(Task(one, "release_test", {"tests": pending}))
        found.extend(_contact(one, known[one.id]))
        if "texts" not in chronicle.stopped(known[one.id]):
            found.extend(Task(one, "texts", asdict(who)) for who in unreached.get(one.id, ()))
    return found


def _contact(subject: Subject, known: tuple[Fact, ...]) -> Iterator[Task]:
    """After a discharge somebody takes over the contact that the ward had."""
    left = [stay.until for stay in chronicle.stays(known) if stay.until is not None]
    if left and not subject.admitted and (subject.contact_since is None or subject.contact_since < left[-1]):
        yield Task(subject, "contact", {"since": left[-1], "contact_person_id": subject.contact_person_id})
