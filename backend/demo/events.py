"""What the demo's doctors make of what went wrong: pages answered and closed, adverse events, the reconciliation.

Acts for `stage.play`. What nobody decides here stays open on the reconciliation list, as the story wants it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from backend import adverse_events, candidates, reconciliation
from backend.candidates import LABORATORY, Candidate
from backend.db import db
from backend.demo.stage import Act, Life
from backend.models.subject import Subject
from backend.reconciliation import ADVERSE_EVENT, KNOWN
from backend.safety import answers
from backend.safety.episodes import open_episode

_PLAIN: Mapping[str, Any] = {
    "serious": False,
    "seriousness": [],
    "related_product": "not_related",
    "related_lymphodepletion": "not_related",
    "related_procedure": "not_related",
    "action": "none",
    "outcome": "ongoing",
    "dlt": "no",
}


@dataclass
class Event:
    """One adverse event with what its first report says; what came of it is said later (`told`)."""

    life: Life
    first: Mapping[str, Any]
    id: UUID = field(default_factory=uuid4)

    def recorded(self, at: datetime, *, explains: str | None = None, of_episode: bool = False) -> Act:
        """Reported by the doctor. `explains`: the measure whose grades it is; `of_episode`: of the one open then."""
        return Act(at, lambda: self._record(explains, of_episode=of_episode))

    def told(self, at: datetime, reason: str, **what: Any) -> Act:
        """A further revision."""
        doctor, content = self.life.cast.staff["doctor"], {**what, "reason": reason}
        return Act(at, lambda: adverse_events.correct(self.id, content, doctor, judges=True))

    def _record(self, explains: str | None, *, of_episode: bool) -> None:
        life, doctor = self.life, self.life.cast.staff["doctor"]
        episode = open_episode(life.subject.id) if of_episode else None
        content = {"id": self.id, **_PLAIN, **self.first, "episode_id": episode.id if episode else None}
        if explains is None:
            adverse_events.record(life.subject.id, content, doctor, judges=True)
            return
        grades = _grades(life, explains)
        adverse_events.record(life.subject.id, {**content, "onset_at": grades.since}, doctor, judges=True)
        _decide(life, grades, ADVERSE_EVENT, adverse_event_id=self.id)


def known(life: Life, at: datetime, measure: str, reason: str) -> Act:
    """The grades of a measure are no adverse event of their own."""
    return Act(at, lambda: _decide(life, _grades(life, measure), KNOWN, reason=reason))


def _grades(life: Life, measure: str) -> Candidate:
    """The laboratory grades of one measure, as they stand on the reconciliation list then."""
    subject = db.session.get_one(Subject, life.subject.id)
    (found,) = [
        one for one in candidates.of_each([subject])[subject.id] if (one.kind, one.item) == (LABORATORY, measure)
    ]
    return found


def _decide(life: Life, about: Candidate, decision: str, **more: Any) -> None:
    said = {name: getattr(about, name) for name in ("kind", "item", "since", "until", "worst")}
    decided = {"id": uuid4(), "decision": decision, **said, **more}
    reconciliation.decide(life.subject.id, [decided], life.cast.staff["doctor"])


# --- Pages ----------------------------------------------------------------------------------------------------


def answered(life: Life, after: datetime, minutes: Iterable[tuple[int, str]]) -> list[Act]:
    """Accepted, contacted, seen so many minutes after an instant, by the doctor on duty."""
    return [Act(after + timedelta(minutes=n), _Answer(life, kind)) for n, kind in minutes]


@dataclass(frozen=True, slots=True)
class _Answer:
    """One acknowledgement of the episode that is open then."""

    life: Life
    kind: str

    def __call__(self) -> None:
        episode = open_episode(self.life.subject.id)
        assert episode is not None  # the story raises it
        said = {"id": uuid4(), "kind": self.kind, "seen_signal_seq": episode.last_seq}
        answers.acknowledge(answers.locked_episode(episode.id), said, self.life.cast.staff["doctor"])


def closed(life: Life, at: datetime, outcome: str, note: str, **graded: int) -> Act:
    """The open episode is closed with what it was."""

    def close() -> None:
        episode = open_episode(life.subject.id)
        assert episode is not None  # the story raises it
        content = {"outcome": outcome, "note": note, **graded}
        answers.close(answers.locked_episode(episode.id), content, life.cast.staff["doctor"])

    return Act(at, close)


# --- The adverse events of the story --------------------------------------------------------------------------


def lymphopenia(life: Life, *, over_on: int | None = None) -> list[Act]:
    """Expected after fludarabine and cyclophosphamide, and recorded all the same."""
    first = {"term": "Lymphocyte count decreased", "soc": "investigations", "grade": 4}
    event = Event(life, {**first, "related_lymphodepletion": "definite"})
    acts = [event.recorded(life.infused_at + timedelta(hours=30), explains="lymphocytes")]
    if over_on is not None:
        at = life.infused_at + timedelta(days=over_on)
        acts.append(event.told(at, "recovered", outcome="recovered", ended_at=at))
    return acts


def neutropenia(life: Life, since: datetime, until: datetime) -> list[Act]:
    """Grade 4 after lymphodepletion without fever: on the worklist the same day, watched, closed when it was over."""
    first = {"term": "Neutrophil count decreased", "soc": "investigations", "grade": 4}
    judged = {"related_lymphodepletion": "probable", "related_product": "possible", "action": "treated"}
    event, seen_at = Event(life, {**first, **judged}), since + timedelta(hours=4)
    note = "Neutropenia after lymphodepletion, no fever, no infection; G-CSF until recovery."
    return [
        *answered(life, seen_at, ((0, "accepted"), (20, "contacted"), (60, "seen"))),
        event.recorded(seen_at + timedelta(hours=2), explains="anc", of_episode=True),
        known(life, seen_at + timedelta(hours=2), "wbc", "Part of the neutropenia, which is recorded."),
        closed(life, until + timedelta(hours=5), "other", note),
        event.told(until + timedelta(hours=6), "recovered", outcome="recovered", ended_at=until),
    ]


def cytokine_release(life: Life, fever_at: datetime, admitted_at: datetime) -> list[Act]:
    """A fever that was paged, answered and admitted: CRS of grade 1, serious because of the admission."""
    first = {"term": "Cytokine release syndrome", "soc": "immune", "grade": 1, "onset_at": fever_at}
    serious = {"serious": True, "seriousness": ["hospitalisation"], "serious_known_at": admitted_at}
    judged = {"related_product": "probable", "action": "hospitalised", "special_interest": "crs"}
    event, over_at = Event(life, {**first, **serious, **judged}), fever_at + timedelta(hours=20)
    closed_at = admitted_at + timedelta(days=2)
    return [
        *answered(life, fever_at, ((4, "accepted"), (9, "contacted"))),
        *answered(life, admitted_at, ((30, "seen"),)),
        event.recorded(admitted_at + timedelta(hours=2), of_episode=True),
        event.told(admitted_at + timedelta(hours=6), "reported", reported_at=admitted_at + timedelta(hours=6)),
        closed(life, closed_at, "crs", "Fever alone, gone within a day with paracetamol.", crs_grade=1),
        event.told(closed_at, "recovered", outcome="recovered", ended_at=over_at),
    ]


def airway_infection(life: Life, since: datetime) -> list[Act]:
    """A cold in the third month: told at home, treated by mouth."""
    first = {"term": "Upper respiratory infection", "soc": "infections", "grade": 2, "onset_at": since}
    event = Event(life, {**first, "related_product": "possible", "action": "treated"})
    over_at = since + timedelta(days=7)
    return [
        event.recorded(since + timedelta(days=1, hours=2)),
        event.told(over_at + timedelta(days=1), "recovered", outcome="recovered", ended_at=over_at),
    ]
