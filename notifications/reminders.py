"""Reminders to patients and carers, planned just in time: one bundled text in the morning, at most one nudge a day.

Planning is idempotent: it looks at what is owed now and posts by a key of account, local day and, for the
morning, the visit times the text speaks of. So a moved visit brings one text at its new time, and a second
planner finds the row there. Whether a text may still go out is judged again when it is claimed (`judgement`).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from backend import chronicle, installation, outbox, studies
from backend.db import db, lock_subject, transaction
from backend.models.outbox import Message
from backend.models.people import Account, SubjectLink
from backend.models.subject import Subject, ZoneChange
from notifications import hours, owed
from notifications.texts.catalogue import language_of
from schedules.protocol.definition import Reminders
from schedules.windows import at_local, local_date

MORNING_LASTS = timedelta(hours=2)  # a worker that was away longer leaves the day to the phone's own alarms
_CHUNK = 400


@dataclass(frozen=True, slots=True)
class Living:
    """A text of a day that went out or will. `variables` without the day."""

    key: str
    posted_at: datetime
    template: str
    variables: dict[str, object]


@dataclass(slots=True)
class Plan:
    """One text an account should get on a local day.

    `seen` are the visits a morning's text speaks of, as words of its key; `late_since` is a nudge's reason.
    `living` are this day's texts to the same number that went out or will.
    """

    kind: str  # day, nudge
    account: Account
    subject: Subject
    reminders: Reminders
    day: date
    zone: str
    template: str
    variables: dict[str, object]
    not_after: datetime
    seen: tuple[str, ...] = ()
    late_since: datetime | None = None
    living: list["Living"] = field(default_factory=list)

    @property
    def key(self) -> str:
        start = f"{self.kind}:{self.account.id}:{self.day}"
        return start if self.kind == "nudge" else f"{start}:{'+'.join(self.seen) or 'none'}"

    def wanted(self) -> bool:
        """Whether this text says something that no text of the day has said, and the day's budget has room."""
        if len(self.living) >= self.reminders.texts_per_day:
            return False
        if self.late_since is not None and any(one.posted_at >= self.late_since for one in self.living):
            return False  # a text has gone out since it became late, so they know
        before = [one for one in self.living if one.key.startswith(f"{self.kind}:")]
        if not before:
            return True
        if any((one.template, one.variables) == (self.template, self.variables) for one in before):
            return False  # a visit moved to another hour: the text would say the very same
        said = {word for one in before for word in words_of(one.key)}
        return any(word not in said for word in self.seen)


def plan(now: datetime) -> int:
    """Post what has fallen due and is not there yet. Returns how many texts were posted."""
    with transaction(writes=False):
        due = _new([*_mornings(now), *_nudges(now)])
    return sum(_post(one, now) for one in due)


def plan_for(subject: Subject, now: datetime) -> int:
    """The morning text of one subject, in the caller's transaction and under its lock: after its calendar changed.

    A nudge waits for the planner: what has just been typed in about the past is no news to the patient.
    """
    if subject.admitted or subject.ended_at is not None:
        return 0
    reminders, zone = studies.in_force(subject).reminders, chronicle.zones_of(subject).at(now)
    morning = _morning_of((Subject.id == subject.id,), reminders, zone, now)
    return sum(_write(one, subject, now) for one in _new(list(morning)))


def word(at: datetime) -> str:
    """A visit's time as it stands in a key."""
    return format(int(at.timestamp()) // 60, "x")


def words_of(key: str) -> tuple[str, ...]:
    """The visit times in a morning text's key."""
    last = key.rsplit(":", 1)[-1].split("#")[0]
    return () if last == "none" or not key.startswith("day:") else tuple(last.split("+"))


def morning_text(one: owed.Owed) -> tuple[str, dict[str, object]]:
    """The template for what is owed, and its variables but the day."""
    visits = one.nearest()
    if not visits:
        return "diary_today", {}
    days = visits[0][0]
    start = "diary_and_visit" if one.slots else "visit"
    return (f"{start}_today", {}) if days == 0 else (f"{start}_soon", {"days": days})


def _mornings(now: datetime) -> Iterator[Plan]:
    for who, reminders, zone in _groups(now):
        yield from _morning_of(who, reminders, zone, now)


def _morning_of(
    who: Sequence[sa.ColumnElement[bool]], reminders: Reminders, zone: str, now: datetime
) -> Iterator[Plan]:
    """The morning texts of those in one zone, while it is morning there."""
    day = local_date(now, zone)
    morning = at_local(day, reminders.morning_at, zone)
    if morning <= now < morning + MORNING_LASTS:
        yield from _morning(owed.on_day(who, reminders, zone, day, now), reminders, zone, day, now)


def _groups(now: datetime) -> Iterator[tuple[Sequence[sa.ColumnElement[bool]], Reminders, str]]:
    """Reachable subjects by what decides their morning: revision and zone. Who has moved zone stands alone."""
    moved = sa.exists().where(ZoneChange.subject_id == Subject.id)
    in_force = studies.in_force_sql(now)
    settled = sa.select(in_force, Subject.time_zone).where(*owed.REACHABLE, ~moved).distinct()
    for revision_id, zone in db.session.execute(settled).all():
        who = (in_force == revision_id, Subject.time_zone == zone, ~moved)
        yield who, studies.revision(revision_id).reminders, zone
    for subject in db.session.scalars(sa.select(Subject).where(*owed.REACHABLE, moved)).all():
        reminders = studies.in_force(subject).reminders
        yield (Subject.id == subject.id,), reminders, chronicle.zones_of(subject).at(now)


def _morning(found: dict[UUID, owed.Owed], reminders: Reminders, zone: str, day: date, now: datetime) -> Iterator[Plan]:
    """One text per number, whatever number of subjects, or of people with one telephone, it is for."""
    bundles: dict[str | None, tuple[Account, Subject, owed.Owed]] = {}
    told: set[tuple[str | None, UUID]] = set()
    for account, subject in _reporters(list(found), now):
        number = account.phone_index
        _, _, bundle = bundles.setdefault(number, (account, subject, owed.Owed()))
        if (number, subject.id) not in told:
            told.add((number, subject.id))
            bundle.slots += found[subject.id].slots
            bundle.visits += found[subject.id].visits
    for account, subject, bundle in bundles.values():
        template, variables = morning_text(bundle)
        seen = tuple(dict.fromkeys(word(at) for _, at in bundle.nearest()))
        evening = _evening(reminders, zone, day)
        yield Plan("day", account, subject, reminders, day, zone, template, variables, evening, seen)


def _evening(reminders: Reminders, zone: str, day: date) -> datetime:
    """When quiet hours begin after the day's morning; past midnight they belong to the next date."""
    late = reminders.quiet_from <= reminders.morning_at
    return at_local(day + timedelta(days=1) if late else day, reminders.quiet_from, zone)


def _nudges(now: datetime) -> Iterator[Plan]:
    late = owed.late(now)
    planned: set[tuple[str | None, date]] = set()
    for account, subject in _reporters(list(late), now):
        reminders = studies.in_force(subject).reminders
        zone = chronicle.zones_of(subject).at(now)
        day = local_date(now, zone)
        quiet = hours.until(now, zone, reminders.quiet_from, reminders.quiet_to)
        if reminders.nudge and quiet is None and (account.phone_index, day) not in planned:
            planned.add((account.phone_index, day))
            one = late[subject.id]
            yield Plan(
                "nudge", account, subject, reminders, day, zone, "nudge", {}, one.closes_at, late_since=one.since
            )


def _reporters(subject_ids: Sequence[UUID], now: datetime) -> Iterator[tuple[Account, Subject]]:
    """The accounts that may be texted for these subjects, in a stable order."""
    for start in range(0, len(subject_ids), _CHUNK):
        part = subject_ids[start : start + _CHUNK]
        stopped = owed.stopped_texts(part, now)
        query = (
            sa.select(Account, Subject)
            .join(SubjectLink, SubjectLink.account_id == Account.id)
            .join(Subject, Subject.id == SubjectLink.subject_id)
            .where(Subject.id.in_([one for one in part if one not in stopped]))
            .where(SubjectLink.revoked_at.is_(None), *reachable_account())
            .order_by(Subject.number, Account.created_at, Account.id)
        )
        yield from ((account, subject) for account, subject in db.session.execute(query))


def reachable_account() -> tuple[sa.ColumnElement[bool], ...]:
    return (Account.active.is_(True), Account.texts_stopped_at.is_(None), Account.phone_sealed.is_not(None))


def _new(plans: list[Plan]) -> list[Plan]:
    """Those not said already, so that a turn with nothing new writes nothing."""
    if not plans:
        return []
    restored_at = installation.restored_at()
    plans = [one for one in plans if not hours.perhaps_told(one.day, one.zone, restored_at)]
    living = _living({one.account.phone_index for one in plans}, {str(one.day) for one in plans})
    for one in plans:
        one.living = living[one.account.phone_index, str(one.day)]
    return [one for one in plans if one.wanted()]


def _living(numbers: Iterable[str | None], days: Iterable[str]) -> dict[tuple[str | None, str], list[Living]]:
    """The reminders that count against the day of a number (as its index has it)."""
    found: dict[tuple[str | None, str], list[Living]] = defaultdict(list)
    wanted, days = sorted(filter(None, numbers)), list(days)
    for start in range(0, len(wanted), _CHUNK):
        query = (
            sa.select(Account.phone_index, Message)
            .join(Message, Message.account_id == Account.id)
            .where(
                Account.phone_index.in_(wanted[start : start + _CHUNK]),
                Message.local_day.in_(days),
                Message.lane == outbox.REMINDER,
                Message.state.not_in(outbox.UNSENT_STATES),
            )
        )
        for number, row in db.session.execute(query):
            said = {name: value for name, value in row.variables.items() if name != "day"}
            found[number, row.local_day or ""].append(Living(row.key, row.created_at, row.template, said))
    return found


def _post(one: Plan, now: datetime) -> bool:
    """Post under the subject's lock, the day counted again there."""
    with transaction():
        subject = lock_subject(one.subject.id)
        if subject.admitted or subject.ended_at is not None:
            return False
        number, day = one.account.phone_index, str(one.day)
        one.living = _living((number,), (day,))[number, day]
        return _write(one, subject, now)


def _write(one: Plan, subject: Subject, now: datetime) -> bool:
    if not one.wanted():
        return False
    message = outbox.post(
        key=_free(one.key),
        lane=outbox.REMINDER,
        site_id=subject.site_id,
        subject_id=subject.id,
        account_id=one.account.id,
        template=one.template,
        variables={**one.variables, "day": str(one.day)},
        language=language_of(one.account.locale),
        local_day=str(one.day),
        due_at=now,
        not_after=one.not_after,
        now=now,
    )
    return message is not None


def _free(key: str) -> str:
    """The key, or its next try where the text was cancelled by a fact that was taken back since."""
    again = sa.select(Message.state).where(
        sa.or_(Message.key == key, Message.key.startswith(f"{key}#", autoescape=True))
    )
    states = list(db.session.scalars(again))
    return f"{key}#{len(states) + 1}" if states and set(states) == {"cancelled"} else key
