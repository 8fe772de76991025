"""A calendar file for a phone: visits and report times with the phone's own alarms, and no telling word. Pure.

Nothing in it says who, what for or where. Times are UTC instants, which every phone shows in its own zone.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from schedules.planned import Occurrence, settled
from schedules.protocol.definition import Label

VISIT, VISIT_TO_AGREE = Label("预约", "Appointment"), Label("预约（时间待定）", "Appointment (time to be agreed)")
REPORT = Label("提醒", "Reminder")
_SPACE = UUID("0b5f7a3e-6c1d-4c3e-9a58-2f4d1c9be001")  # of ids of report times, which hold several forms
_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_VISIT_ALARMS = (timedelta(days=-1), timedelta(hours=-2))
_VISIT_LASTS, _REPORT_LASTS = timedelta(hours=1), timedelta(minutes=15)


def calendar_file(found: Iterable[Occurrence], now: datetime, today: date, locale: str) -> bytes:
    """The file (RFC 5545) of what is still ahead: visits with their times, and one event per report time.

    `today` is the site's date: there stands a visit whose target has passed and which may still be done.

    The same occurrences at the same instant give the same bytes; a later file replaces an earlier one's events.
    """
    from icalendar import Calendar  # slow to import, and only this door needs it

    calendar = Calendar()
    for name, value in (("prodid", "-//Daymark//EN"), ("version", "2.0"), ("method", "PUBLISH")):
        calendar.add(name, value)
    calendar.add("x-wr-calname", "Daymark")
    visits, reports = [], dict[datetime, list[Occurrence]]()
    for one in found:
        if one.kind == "slot" and one.due_at is not None and one.due_at > now:
            reports.setdefault(one.due_at, []).append(one)
        elif one.kind == "visit" and _ahead(one, now):
            visits.append(one)
    for visit in sorted(visits, key=lambda one: (str(one.due_at), str(one.id))):
        calendar.add_component(_visit(visit, now, today, locale))
    for due_at, slots in sorted(reports.items()):
        if any(settled(slot) is None for slot in slots):
            calendar.add_component(_report(slots, due_at, now, locale))
    return bytes(calendar.to_ical())


def _ahead(visit: Occurrence, now: datetime) -> bool:
    """Whether the visit may still take place: at the time that was agreed, or in its window."""
    if settled(visit) is not None or visit.closes_at is None or visit.closes_at <= now:
        return False
    return visit.appointment_at is None or visit.appointment_at > now


def _visit(visit: Occurrence, now: datetime, today: date, locale: str) -> Any:
    agreed = visit.appointment_at
    event = _event(visit.id, now, (VISIT if agreed else VISIT_TO_AGREE).in_language(locale))
    if agreed is None:
        assert visit.target_on is not None  # every planned visit that is dated has one
        event.add("dtstart", max(visit.target_on, today))
        return event
    event.add("dtstart", agreed)
    event.add("dtend", agreed + _VISIT_LASTS)
    for before in _VISIT_ALARMS:
        event.add_component(_alarm(before, VISIT.in_language(locale)))
    return event


def _report(slots: list[Occurrence], due_at: datetime, now: datetime, locale: str) -> Any:
    identity = uuid5(_SPACE, ":".join(sorted(str(slot.id) for slot in slots)))
    event = _event(identity, now, REPORT.in_language(locale))
    event.add("dtstart", due_at)
    event.add("dtend", due_at + _REPORT_LASTS)
    if any(slot.announced for slot in slots):  # at night nobody is woken by a diary
        event.add_component(_alarm(timedelta(0), REPORT.in_language(locale)))
    return event


def _event(identity: UUID, now: datetime, summary: str) -> Any:
    from icalendar import Event

    event = Event()
    event.add("uid", str(identity))
    event.add("dtstamp", now)
    event.add("sequence", int((now - _EPOCH).total_seconds()))
    event.add("summary", summary)
    return event


def _alarm(trigger: timedelta, words: str) -> Any:
    from icalendar import Alarm

    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", words)
    alarm.add("trigger", trigger)
    return alarm
