"""Planned and unscheduled visits of one subject, under the revisions that were in force. Pure.

An amendment works ahead only: a visit that was over when it took effect stays under the revision it was done
in, one that it brings into the past is not asked for, one that it would move there keeps its window. A visit's
id hangs on its key alone, so that a corrected anchor or an amendment leaves what was done attached to it.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from schedules.history import INFUSION, Anchor, Edition, History, Unscheduled
from schedules.planned import Occurrence, visit_id
from schedules.protocol.definition import Visit
from schedules.windows import end_of_day, local_date, start_of_day

_INSTANT = timedelta(microseconds=1)


def visits(editions: tuple[Edition, ...], history: History) -> Iterator[Occurrence]:
    """Every planned visit of any edition, in the order they first appear, then the unscheduled ones."""
    planned = [{visit.key: visit for visit in edition.study.visits} for edition in editions]
    for key in dict.fromkeys(key for one in planned for key in one):
        yield _through(key, list(zip(editions, planned, strict=True)), history)
    for unscheduled in history.unscheduled:
        yield _unscheduled(editions, history, unscheduled)


def _through(key: str, planned: list[tuple[Edition, dict[str, Visit]]], history: History) -> Occurrence:
    """The visit as the last edition has it that may still say something about it."""
    found: Occurrence | None = None
    for edition, visits_here in planned:
        begins = start_of_day(edition.since, history.site_zone) if edition.since else None
        if found is not None and begins is not None and _over(found, history, begins):
            break
        visit = visits_here.get(key)
        if visit is None:
            if found is not None and found.excused is None:
                found = replace(found, excused="amended")
            continue
        one = _visit(edition, history, visit)
        if begins is not None and one.closes_at is not None and one.closes_at <= begins:
            one = found if found is not None else _not_asked(one)
        found = one
    assert found is not None  # its key came from one of the editions
    return found


def _not_asked(one: Occurrence) -> Occurrence:
    """A visit whose window had closed before the amendment that brought it."""
    return one if one.satisfied_at is not None or one.excused is not None else replace(one, excused="before_amendment")


def _over(one: Occurrence, history: History, before: datetime) -> bool:
    """Whether nothing that happens from that instant on can change the visit: attended, missed or closed by then."""
    attended = history.attendances.get(one.id)
    ends = (one.satisfied_at, attended.at if attended else None)
    if any(at is not None and at < before for at in ends):
        return True
    asked = one.excused not in ("amended", "before_amendment")  # a later revision may still ask
    return asked and one.closes_at is not None and one.closes_at <= before


def _visit(edition: Edition, history: History, visit: Visit) -> Occurrence:
    identity = visit_id(history.subject_id, visit.key)
    bare = Occurrence(identity, "visit", visit.key, _day(history, visit), edition=edition.number)
    bare = _attended(bare, history)
    anchor = history.anchors.get(visit.anchor)
    if anchor is None or anchor.at is None:
        infused = history.anchors.get(INFUSION)
        optional = edition.study.anchor_events[visit.anchor].optional
        left_out = optional and infused is not None and infused.actual_at is not None
        return ended(replace(bare, excused="not_in_order" if left_out else None), history, "visits")
    if visit.day == 0 and anchor.actual_at is not None and bare.satisfied_at is None:
        bare = replace(bare, satisfied_by=anchor.event_id, satisfied_at=anchor.actual_at)
    return ended(_dated(bare, history, visit, anchor.at), history, "visits")


def _attended(bare: Occurrence, history: History) -> Occurrence:
    attended = history.attendances.get(bare.id)
    if attended is None:
        return bare
    if attended.outcome == "attended":
        return replace(bare, satisfied_by=attended.id, satisfied_at=attended.at)
    return replace(bare, missed=True)


def _day(history: History, visit: Visit) -> int | None:
    """The visit's target as a study day, where infusion and its own anchor are both dated."""
    anchor, infused = history.anchors.get(visit.anchor), history.anchors.get(INFUSION)
    if visit.anchor == INFUSION:
        return visit.day
    if anchor is None or anchor.at is None or infused is None or infused.at is None:
        return None
    offset = local_date(anchor.at, history.site_zone) - local_date(infused.at, history.site_zone)
    return visit.day + offset.days


def _dated(bare: Occurrence, history: History, visit: Visit, anchored_at: datetime) -> Occurrence:
    zone = history.site_zone
    anchor_day = local_date(anchored_at, zone)
    earliest, target, latest = (anchor_day + timedelta(days=n) for n in (visit.from_day, visit.day, visit.to_day))
    closes = end_of_day(latest, zone)
    limit = _must_precede(history, visit)
    if limit is not None and limit < closes:
        # A baseline: after the treatment has begun it can no longer be taken.
        closes, latest = limit, local_date(limit - _INSTANT, zone)
        earliest, target = min(earliest, latest), min(target, latest)
    opens = start_of_day(earliest, zone)
    appointment = history.appointments.get(bare.id)
    if appointment is None:
        due = start_of_day(target, zone)
        late = min(end_of_day(target, zone), max(closes, due))
    else:
        due, late = appointment, end_of_day(local_date(appointment, zone), zone)
        if limit is not None and due < limit:
            late = min(late, limit)  # what was agreed before the treatment is no baseline after it has begun
    # An appointment outside the window is allowed (with a reason); its own day is then still in time for it.
    return replace(
        bare,
        opens_at=min(opens, due),
        due_at=due,
        late_at=late,
        closes_at=max(closes, late),
        appointment_at=appointment,
        target_on=target,
        earliest_on=earliest,
        latest_on=latest,
    )


def _must_precede(history: History, visit: Visit) -> datetime | None:
    """The instant before which the visit must take place: its baselines are of before the treatment."""
    anchor: Anchor | None = history.anchors.get(visit.before) if visit.before else None
    return anchor.at if anchor is not None else None


def _unscheduled(editions: tuple[Edition, ...], history: History, visit: Unscheduled) -> Occurrence:
    """A visit that nobody planned: its window is its own day."""
    if visit.at is None:
        key = editions[0].study.unscheduled_visit.key
        return _attended(Occurrence(visit.id, "visit", key, None, excused="cancelled"), history)
    zone = history.site_zone
    on = local_date(visit.at, zone)
    infused = history.anchors.get(INFUSION)
    day = (on - local_date(infused.at, zone)).days if infused is not None and infused.at is not None else None
    edition = next(one for one in reversed(editions) if one.since is None or one.since <= on)
    end = end_of_day(on, zone)
    bare = Occurrence(
        id=visit.id,
        kind="visit",
        key=edition.study.unscheduled_visit.key,
        day=day,
        opens_at=start_of_day(on, zone),
        due_at=visit.at,
        late_at=end,
        closes_at=end,
        appointment_at=visit.at,
        edition=edition.number,
    )
    return ended(_attended(bare, history), history, "visits")


def ended(one: Occurrence, history: History, what: str) -> Occurrence:
    """The occurrence, excused if it would still be open when `what` (visits, diary) had ended; a miss stays one."""
    stopped = history.stopped.get(what)
    recorded = history.attendances.get(one.id)
    if stopped is not None and recorded is not None and recorded.outcome == "missed" and recorded.at < stopped:
        return one
    if stopped is not None and one.excused is None and (one.closes_at is None or one.closes_at > stopped):
        return replace(one, excused="ended")
    return one
