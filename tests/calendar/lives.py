"""Made-up lives for the projection: one subject to whom things happen in any order, through the use-cases.

What cannot have happened is refused by the product and leaves nothing; `done` counts what went through.
"""

import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from house import WELL, House, subject_body

from backend import activation, agenda, capture, chronicle, enrolment, excuses, treatment, visits
from backend.db import db, lock_subject, transaction
from backend.errors import Problem
from backend.models.calendar import Occurrence
from backend.models.capture import Entry
from backend.models.people import Account
from backend.models.study import Site
from schedules.windows import local_date

ZONES = ("Asia/Shanghai", "Europe/London", "America/New_York", "Pacific/Pago_Pago", "Pacific/Kiritimati")
STAYS = ("admission", "discharge", "pass", "return")
KINDS = ("screening", "consent", "collection", "lymphodepletion", "infusion", *STAYS)
MILD = {**WELL, "temp_c": None, "temp_site": None}


class Life:
    """One subject; `live(n)` lets n things happen to it while time goes on."""

    def __init__(self, house: House, seed: int) -> None:
        self.house, self.chance = house, random.Random(seed)
        self.id = uuid4()
        self.done: Counter[str] = Counter()
        self._entries: list[UUID] = []
        with self._writing():
            site = db.session.get_one(Site, house.site_id)
            body = subject_body(house, id=self.id, site_id=site.id, number=f"L{seed}")
            body["consents"][0]["given_at"] = house.now
            enrolment.enrol(site, body, house.nurse.id)
            self.patient_id = activation.patient_of(lock_subject(self.id)).id

    def _writing(self) -> Any:
        return _Both(self.house.app.app_context())

    def live(self, things: int) -> None:
        acts: tuple[tuple[Callable[[], bool], int], ...] = (
            (self.event, 5),
            (self.correction, 3),
            (self.appointment, 2),
            (self.attendance, 2),
            (self.entry, 8),
            (self.revision, 3),
            (self.zone, 1),
            (self.excuse, 1),
            (self.unplanned, 1),
            (self.leaving, 1),
        )
        wanted = [act for act, weight in acts for _ in range(weight)]
        self._infuse()
        for _ in range(things):
            self.house.turn(minutes=self.chance.choice((0, 1, 30, 200, 700, 1440)))
            act = self.chance.choice(wanted)
            try:
                with self._writing():
                    happened = act()
            except Problem:
                continue
            self.done[act.__name__] += happened

    def _infuse(self) -> None:
        """Most lives begin with an infusion a few days ago, some with a plan of one, some with nothing."""
        way = self.chance.random()
        at = self.house.now - timedelta(days=self.chance.randint(-3, 25), hours=self.chance.randint(0, 23))
        when = {"planned_at": at} if at > self.house.now or way < 0.2 else {"actual_at": at}
        if way < 0.9:
            with self._writing():
                treatment.record_event(self.id, {"id": uuid4(), "kind": "infusion", **when}, self.house.nurse.id)

    def _sometime(self) -> datetime:
        return self.house.now + timedelta(minutes=self.chance.randint(-20 * 1440, 2 * 1440))

    def event(self) -> bool:
        at = self._sometime()
        when = {"actual_at": at} if at <= self.house.now else {"planned_at": at}
        content = {"id": uuid4(), "kind": self.chance.choice(KINDS), **when, "preview": self.chance.random() < 0.1}
        return treatment.record_event(self.id, content, self.house.nurse.id)[2]

    def correction(self) -> bool:
        known = chronicle.facts_of(self.id)
        if not known:
            return False
        fact = self.chance.choice(known)
        content: dict[str, Any] = {"reason": "typed wrong", "void": self.chance.random() < 0.2}
        name = "actual_at" if fact.actual_at else "planned_at"
        content[name] = (fact.at or self.house.now) + timedelta(hours=self.chance.choice((-24, -1, 1, 24, 50)))
        if self.chance.random() < 0.2:
            content |= {"planned_at": content[name], "actual_at": None}
        return treatment.correct_event(self.id, fact.event_id, content, self.house.nurse.id)[2]

    def _some(self, kind: str) -> Occurrence | None:
        rows = db.session.scalars(
            sa.select(Occurrence)
            .where(Occurrence.subject_id == self.id, Occurrence.kind == kind, Occurrence.due_at.is_not(None))
            .where(Occurrence.due_at < self.house.now + timedelta(days=2))
            .order_by(Occurrence.due_at.desc(), Occurrence.key)
            .limit(30)
        ).all()
        return self.chance.choice(rows) if rows else None

    def appointment(self) -> bool:
        visit = self._some("visit")
        if visit is None or visit.due_at is None:
            return False
        at = visit.due_at + timedelta(hours=self.chance.randint(-48, 96))
        content = {"at": self.chance.choice((at, at, at, None)), "reason": "as the family asked"}
        visits.appoint(visit.id, content, self.house.nurse.id)
        return True

    def attendance(self) -> bool:
        visit = self._some("visit")
        if visit is None:
            return False
        at = min((visit.due_at or self.house.now) + timedelta(hours=self.chance.randint(-5, 60)), self.house.now)
        outcome = self.chance.choice(("attended", "attended", "missed"))
        visits.attend(visit.id, {"at": at, "outcome": outcome, "reason": "said so"}, self.house.nurse.id)
        return True

    def _content(self, slot: Occurrence | None, revision: int, at: datetime, claims: bool) -> dict[str, Any]:
        return {
            "revision": revision,
            "form": "quick",
            "slot_id": slot.id if slot is not None and claims else None,
            "reporter": "patient",
            "measured_at": at,
            "entered_at": at,
            "sent_at": self.house.now + self.chance.choice((timedelta(0), timedelta(0), timedelta(hours=2))),
            "time_zone": "Asia/Shanghai",
            "answers": {**MILD, "dizzy": self.chance.randint(0, 1)},
            "practice": self.chance.random() < 0.1,
        }

    def entry(self) -> bool:
        slot = self._some("slot")
        due = slot.due_at if slot is not None and slot.due_at is not None else self.house.now
        at = due + timedelta(minutes=self.chance.choice((-70, -60, -5, 0, 59, 60, 204, 205, 300, 2000)))
        claims = slot is not None and slot.key == "quick" and self.chance.random() < 0.5
        entry_id = uuid4()
        self._submit(entry_id, self._content(slot, 1, at, claims))
        self._entries.append(entry_id)
        return True

    def revision(self) -> bool:
        if not self._entries:
            return False
        entry = db.session.get_one(Entry, self.chance.choice(self._entries), populate_existing=True)
        if self.chance.random() < 0.5:  # the site corrects
            at = entry.effective_at + timedelta(minutes=self.chance.choice((-400, -30, 0, 30, 400)))
            content = {"answers": {**MILD, "dizzy": 1}, "reason": "told by telephone", "measured_at": at}
            capture.correct(self.id, entry.id, content, _account(self.house.nurse.id))
            return True
        at = entry.effective_at + timedelta(minutes=self.chance.choice((-90, 0, 90)))
        content = self._content(None, entry.revision + 1, at, claims=False)
        self._submit(entry.id, {**content, "slot_id": entry.claimed_slot, "practice": entry.practice})
        return True

    def _submit(self, entry_id: UUID, content: dict[str, Any]) -> None:
        capture.submit(self.id, entry_id, content, _account(self.patient_id), source="phone")

    def zone(self) -> bool:
        subject = lock_subject(self.id)
        content: dict[str, Any] = {"time_zone": self.chance.choice(ZONES)}
        if self.chance.random() < 0.7:
            ahead = timedelta(days=self.chance.randint(1, 4))
            content["zone_from"] = local_date(self.house.now, "Pacific/Kiritimati") + ahead
        enrolment.change_subject(subject, content, self.house.nurse.id)
        return True

    def excuse(self) -> bool:
        known = chronicle.excuses_of(self.id)
        if known and self.chance.random() < 0.5:
            change = {"until": self._sometime(), "void": self.chance.random() < 0.3, "reason": "found again"}
            excuses.change(self.id, self.chance.choice(known).excuse_id, change, self.house.nurse.id)
            return True
        content = {
            "id": uuid4(),
            "kind": self.chance.choice(chronicle.EXCUSES),
            "since": self._sometime(),
            "reason": "lost",
        }
        return excuses.record(self.id, content, self.house.nurse.id)[1]

    def unplanned(self) -> bool:
        content = {"id": uuid4(), "at": self._sometime(), "reason": "cough"}
        return visits.add_unscheduled(self.id, content, self.house.nurse.id)[1]

    def leaving(self) -> bool:
        kind = self.chance.choice(("withdrawal", "withdrawal", "withdrawal", "death", "completion"))
        content: dict[str, Any] = {"id": uuid4(), "kind": kind, "actual_at": min(self._sometime(), self.house.now)}
        if kind == "withdrawal" and self.chance.random() < 0.8:
            content["scope"] = self.chance.sample(chronicle.WITHDRAWAL_SCOPES, self.chance.randint(1, 2))
        return treatment.record_event(self.id, content, self.house.nurse.id)[2]

    def differences(self) -> list[dict[str, Any]]:
        """What `agenda.verify` finds, in any subject."""
        with self.house.app.app_context(), transaction(writes=False):
            return agenda.verify()


class _Both:
    """The application's context, and in it one transaction."""

    def __init__(self, context: Any) -> None:
        self._context, self._transaction = context, transaction()

    def __enter__(self) -> None:
        self._context.__enter__()
        self._transaction.__enter__()

    def __exit__(self, *error: Any) -> None:
        try:
            self._transaction.__exit__(*error)
        finally:
            self._context.__exit__(*error)


def _account(account_id: UUID) -> Account:
    return db.session.get_one(Account, account_id)
