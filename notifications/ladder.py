"""The ladder's due steps: who is paged next, until somebody accepts; and the clocks that run after that.

Each episode is stepped in a transaction of its own, its subject locked first. `Episode.ladder_step` is the
step that falls due next; it goes on counting while the last one repeats, so that keys stay unique. Times
count from `paging_since` (or from the end of a snooze) and know no quiet hours, caps or opt-outs.
"""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
import structlog

from backend import audit, installation, outbox, studies
from backend.channels import SMS
from backend.db import db, lock_subject, transaction
from backend.models.outbox import Message
from backend.models.people import Account
from backend.models.safety import Episode
from backend.models.study import Site
from backend.models.subject import Subject
from backend.safety import episodes
from notifications import budget, hours, recipients, routing
from notifications.texts.catalogue import language_of
from schedules.protocol.definition import Ladder
from schedules.windows import at_local

log = structlog.get_logger(__name__)

LADDER_TEMPLATES = ("page", "page_again", "page_everyone")
WORK_FROM, WORK_TO = time(8), time(20)  # a digest is no page: site time
_OVERDUE_EVERY_S = 900
_OVERDUE_TO = ("accepted_by", "backup")


def run_due(now: datetime, limit: int = 50) -> int:
    """Step every episode whose step or overdue clock has come, at most `limit` of each. Returns how many."""
    return _run(Episode.next_step_at, _step, now, limit) + _run(Episode.overdue_at, _overdue, now, limit)


def _run(column: sa.orm.InstrumentedAttribute[datetime | None], act: Callable[[Episode, Subject, datetime], None],
         now: datetime, limit: int) -> int:  # fmt: skip
    with transaction(writes=False):
        due = db.session.execute(
            sa.select(Episode.id, Episode.subject_id)
            .where(column <= now, Episode.closed_at.is_(None))
            .order_by(column)
            .limit(limit)
        ).all()
    done = 0
    for episode_id, subject_id in due:
        try:
            done += _in_transaction(column.key, act, episode_id, subject_id, now)
        except Exception as error:  # one broken episode must not keep the others waiting
            log.error("ladder.failed", episode_id=str(episode_id), error=type(error).__name__)
    return done


def _in_transaction(
    column: str, act: Callable[[Episode, Subject, datetime], None], episode_id: UUID, subject_id: UUID, now: datetime
) -> int:
    with transaction():
        subject = lock_subject(subject_id)
        episode = _reread(episode_id)
        due_at = getattr(episode, column)
        if episode.closed_at is not None or due_at is None or due_at > now:
            return 0  # somebody was here first
        act(episode, subject, now)
        return 1


def _reread(episode_id: UUID) -> Episode:
    return db.session.execute(
        sa.select(Episode).where(Episode.id == episode_id).execution_options(populate_existing=True)
    ).scalar_one()


def _step(episode: Episode, subject: Subject, now: datetime) -> None:
    ladder = studies.in_force(subject).ladders.get(episode.level)
    if ladder is None or not is_asking(episode):
        episode.next_step_at = None
    elif _snoozed(episode, now):
        episode.next_step_at = episode.snoozed_until
    elif ladder.becomes and now >= _becomes_at(episode, ladder):
        episodes.escalate(episode, ladder.becomes, now)
    elif ladder.lane == "worklist":
        _digest(episode, ladder, now)
    else:
        _page(episode, ladder, now)


def is_asking(episode: Episode) -> bool:
    """Whether the signal the ladder runs for still waits for somebody."""
    return episode.paging_seq > episode.accepted_seq


def _snoozed(episode: Episode, now: datetime) -> bool:
    return episode.level == "URGENT" and episode.snoozed_until is not None and episode.snoozed_until > now


def _start(episode: Episode) -> datetime:
    """What the ladder's seconds count from: a snooze holds its clock."""
    since = episode.paging_since or episode.opened_at
    held = episode.snoozed_until if episode.level == "URGENT" else None
    return max(since, held) if held else since


def _becomes_at(episode: Episode, ladder: Ladder) -> datetime:
    return _start(episode) + timedelta(seconds=ladder.becomes_after_s or 0)


def _page(episode: Episode, ladder: Ladder, now: datetime) -> None:
    """Post this step's messages and set the time of the next."""
    step = episode.ladder_step
    if step < len(ladder.steps):
        duties, channel = ladder.steps[step].to, ladder.steps[step].channel
        template = "page_everyone" if "everyone" in duties else "page_again" if _paged_before(episode) else "page"
    elif ladder.repeat_every_s:
        duties, channel, template = ladder.repeat_to or ("everyone",), 1, "page_everyone"
    else:
        duties, channel, template = (), 1, ""
    if duties:
        _post_pages(episode, template, duties, channel, now)
    episode.ladder_step = step + 1
    episode.next_step_at = _next_at(episode, ladder, now)


def _post_pages(episode: Episode, template: str, duties: tuple[str, ...], channel: int, now: datetime) -> None:
    step = episode.ladder_step
    called = recipients.of_duties(episode, duties, now)
    ways = routing.media(episode.site_id, channel)
    for account in called:
        for medium in _enough(episode.site_id, account, ways, now):
            outbox.post(
                key=f"page:{episode.id}:{episode.paging_round}:{step}:{account.id}:{channel}:{medium}",
                signal_seq=episode.paging_seq,
                channel=channel,
                **_page_to(account, episode, template, medium, now),
            )
    audit.record(
        "page:queued",
        "episode",
        episode.id,
        subject_id=episode.subject_id,
        new={
            "level": episode.level,
            "round": episode.paging_round,
            "step": step,
            "channel": channel,
            "to": [str(account.id) for account in called],
        },
    )
    episodes.touch(episode)


def _page_to(account: Account, episode: Episode, template: str, medium: str, now: datetime) -> dict[str, Any]:
    """What every page about an episode is posted with."""
    return {
        "lane": outbox.PAGE,
        "site_id": episode.site_id,
        "subject_id": episode.subject_id,
        "episode_id": episode.id,
        "account_id": account.id,
        "medium": medium,
        "template": template,
        "variables": _variables(episode, template, now),
        "language": language_of(account.locale),
        "due_at": now,
        "now": now,
    }


def _enough(site_id: UUID, account: Account, ways: tuple[str, ...], now: datetime) -> tuple[str, ...]:
    """These ways, and every other one of the site where this person's texts of the day are used up."""
    if SMS in ways and budget.used_up(site_id, account, now, for_page=True):
        return tuple(dict.fromkeys((*ways, *routing.all_media(site_id))))
    return ways


def _paged_before(episode: Episode) -> bool:
    earlier = sa.select(Message.id).where(Message.episode_id == episode.id, Message.template.in_(LADDER_TEMPLATES))
    return db.session.execute(earlier.limit(1)).first() is not None


def _variables(episode: Episode, template: str, now: datetime) -> dict[str, object]:
    """Number and time; to the second where it is not the first, as providers refuse the same text twice."""
    here = hours.local(now, db.session.get_one(Site, episode.site_id).time_zone)
    return {"number": episode.page_number, "time": f"{here:%H:%M}" if template == "page" else f"{here:%H:%M:%S}"}


def _next_at(episode: Episode, ladder: Ladder, now: datetime) -> datetime | None:
    """When the step now counted by `ladder_step` falls due, or the level rises, whichever is first."""
    start, step, steps = _start(episode), episode.ladder_step, ladder.steps
    times = []
    if step < len(steps):
        times.append(start + timedelta(seconds=steps[step].after_s))
    elif ladder.repeat_every_s:
        every = timedelta(seconds=ladder.repeat_every_s)
        last = start + timedelta(seconds=steps[-1].after_s if steps else 0)
        at = last + every * (step - len(steps) + 1)
        times.append(at if at > now else now + every)  # a worker that was away does not catch up by a volley
    if ladder.becomes:
        times.append(_becomes_at(episode, ladder))
    return min(times, default=None)


def _digest(episode: Episode, ladder: Ladder, now: datetime) -> None:
    """One text a day to whoever keeps the worklist, in working hours."""
    zone = db.session.get_one(Site, episode.site_id).time_zone
    here = hours.local(now, zone)
    after_work = hours.until(now, zone, WORK_TO, WORK_FROM)
    if after_work is not None:
        episode.next_step_at = after_work
        return
    if hours.perhaps_told(here.date(), zone, installation.restored_at()):
        episode.next_step_at = at_local(here.date() + timedelta(days=1), WORK_FROM, zone)
        return
    step = ladder.steps[min(episode.ladder_step, len(ladder.steps) - 1)]
    for account in recipients.of_duties(episode, step.to, now):
        outbox.post(
            key=f"digest:{account.id}:{here.date()}",
            lane=outbox.REMINDER,
            site_id=episode.site_id,
            account_id=account.id,
            template="digest",
            variables={"day": str(here.date())},
            language=language_of(account.locale),
            local_day=str(here.date()),
            due_at=now,
            not_after=at_local(here.date(), WORK_TO, zone),
            now=now,
        )
    episode.ladder_step += 1
    more = episode.ladder_step < len(ladder.steps) or ladder.repeat_every_s or ladder.becomes
    episode.next_step_at = _next_at(episode, ladder, now) if more else None


def _overdue(episode: Episode, subject: Subject, now: datetime) -> None:
    """Page those who took it over when they have not called, or not seen, the patient in time."""
    ladder = studies.in_force(subject).ladders.get(episode.level)
    template = _owed(episode, now)
    if template:
        duties = (ladder.overdue_to if ladder else ()) or _OVERDUE_TO
        ways = routing.media(episode.site_id, 1)
        for account in recipients.of_duties(episode, duties, now):
            for medium in _enough(episode.site_id, account, ways, now):
                outbox.post(
                    key=f"overdue:{episode.id}:{episode.accepted_seq}:{template}:{now:%Y%m%dT%H%M%S}:{account.id}:{medium}",
                    **_page_to(account, episode, template, medium, now),
                )
        audit.record("page:overdue", "episode", episode.id, subject_id=episode.subject_id, new={"template": template})
    episode.overdue_at = _look_again(episode, ladder, now)


def _owed(episode: Episode, now: datetime) -> str | None:
    for template, due_at in _clocks(episode):
        if due_at <= now:
            return template
    return None


def _clocks(episode: Episode) -> list[tuple[str, datetime]]:
    """What is still owed to the patient and by when. Seen in person is also contacted."""
    if episode.seen_at is not None:
        return []
    clocks = []
    if episode.contacted_at is None and episode.contact_due_at is not None:
        clocks.append(("contact_overdue", episode.contact_due_at))
    if episode.seen_due_at is not None:
        clocks.append(("seen_overdue", episode.seen_due_at))
    return clocks


def _look_again(episode: Episode, ladder: Ladder | None, now: datetime) -> datetime | None:
    due = min((due_at for _, due_at in _clocks(episode)), default=None)
    if due is None or due > now:
        return due
    every = (ladder.contact_within_s if ladder else None) or _OVERDUE_EVERY_S
    return now + timedelta(seconds=every)


def hurry(message: Message, now: datetime) -> bool:
    """A page of the ladder's last step did not get through: the next step falls due at once.

    Only towards a step of its own: once the last one repeats, everybody has been called, and hurrying would
    never end. The caller holds the subject.
    """
    if message.episode_id is None or message.template not in LADDER_TEMPLATES:
        return False
    episode = _reread(message.episode_id)
    latest = f"page:{episode.id}:{episode.paging_round}:{episode.ladder_step - 1}:"
    if episode.closed_at is not None or not message.key.startswith(latest) or _snoozed(episode, now):
        return False
    subject = db.session.get_one(Subject, episode.subject_id)
    ladder = studies.in_force(subject).ladders.get(episode.level)
    if ladder is None or not is_asking(episode) or episode.ladder_step >= len(ladder.steps):
        return False
    if episode.next_step_at is None or episode.next_step_at > now:
        episode.next_step_at = now
    return True
