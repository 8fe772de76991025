"""Reminders: one bundled text a morning, one nudge, nothing to whoever should be left in peace."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from backend.db import transaction
from backend.models.outbox import Message
from backend.models.people import SubjectLink
from backend.models.subject import SubjectEvent, ZoneChange
from notifications import reminders
from notifications.worker import send_all
from tests.notifications import outbox_builders as build
from tests.notifications.outbox_builders import FakeGateway, HandClock, House

MORNING = build.START - timedelta(hours=2)  # 07:00 in Shanghai


@pytest.fixture
def time(time: HandClock) -> HandClock:
    time.at = MORNING
    return time


def plan(time: HandClock, **delta: float) -> list[tuple[str, dict[str, Any]]]:
    before = {one.id for one in build.everything(Message)}
    posted = reminders.plan(time.turn(**delta))
    new = [one for one in build.everything(Message) if one.id not in before]
    assert posted == len(new)
    assert all(one.variables["day"] == one.local_day for one in new)
    return sorted((one.template, {k: v for k, v in one.variables.items() if k != "day"}) for one in new)


def owe(house: House, time: HandClock, *, slots: float | None = None, visit: float | None = None) -> Any:
    """A slot or a visit so many hours from now; the last one made."""
    made = None
    with transaction():
        if slots is not None:
            made = build.slot(house.subject, time.at + timedelta(hours=slots))
        if visit is not None:
            made = build.visit(house.subject, time.at + timedelta(hours=visit))
    return made


@pytest.mark.parametrize(
    ("slots", "visit", "said"),
    [
        (5, None, [("diary_today", {})]),
        (None, 3, [("visit_today", {})]),
        (None, 27, [("visit_soon", {"days": 1})]),
        (None, 75, [("visit_soon", {"days": 3})]),
        (None, 51, []),  # two days ahead is not among the days that are told
        (5, 3, [("diary_and_visit_today", {})]),
        (5, 27, [("diary_and_visit_soon", {"days": 1})]),
        (24, None, []),
        (None, None, []),
    ],
)
def test_one_bundled_text(house: House, time: HandClock, slots: float | None, visit: float | None, said: Any) -> None:
    owe(house, time, slots=slots, visit=visit)
    assert plan(time) == said
    assert plan(time) == []
    assert plan(time, minutes=5) == []


def test_the_morning_lasts_two_hours(house: House, time: HandClock) -> None:
    owe(house, time, slots=10)
    assert plan(time, seconds=-1) == []
    time.turn(hours=2)
    assert plan(time) != []
    with transaction():
        late_riser = build.reporter(house.subject, "carer")
    assert plan(time, seconds=1) == []
    assert late_riser.active


def test_every_reporter_gets_one_in_their_own_language(house: House, time: HandClock) -> None:
    with transaction():
        build.reporter(house.subject, "carer", locale="zh-CN")
        build.link(house.subject, gone := build._account("carer", "carer", "new"))
    with transaction():
        build.db.session.get_one(SubjectLink, (gone.id, house.subject.id)).revoked_at = time.at
    owe(house, time, slots=5)
    plan(time)
    assert sorted(one.language for one in build.everything(Message)) == ["en", "zh-CN"]


def test_a_carer_of_two_gets_one_text(house: House, time: HandClock) -> None:
    with transaction():
        other = build.subject(house.site, house.chief)
        build.link(other, house.patient)
        build.slot(other, time.at + timedelta(hours=5))
        build.visit(house.subject, time.at + timedelta(hours=3))
    assert plan(time) == [("diary_and_visit_today", {})]


def test_what_is_done_excused_or_missed_is_not_told(house: House, time: HandClock) -> None:
    due = time.at + timedelta(hours=5)
    with transaction():
        build.slot(house.subject, due, satisfied_at=time.at, satisfied_by=uuid4())
        build.slot(house.subject, due, excused="in_hospital")
        build.visit(house.subject, due, missed=True)
        build.visit(house.subject, due, appointment_at=time.at - timedelta(minutes=5))
    assert plan(time) == []


@pytest.mark.parametrize("why", ["admitted", "ended", "stopped", "no_phone", "inactive", "withdrawn", "void"])
def test_who_is_left_in_peace(house: House, time: HandClock, why: str) -> None:
    owe(house, time, slots=5)
    with transaction():
        build.slot(house.subject, time.at - timedelta(hours=2))  # late as well
    leave_in_peace(house, time, why)
    said = plan(time)
    assert said == ([("diary_today", {})] if why == "void" else [])


def leave_in_peace(house: House, time: HandClock, why: str) -> None:
    if why == "admitted":
        build.change(house.subject, admitted=True)
    elif why == "ended":
        build.change(house.subject, ended_at=time.at)
    elif why == "stopped":
        build.change(house.patient, texts_stopped_at=time.at)
    elif why == "no_phone":
        build.change(house.patient, phone_sealed=None)
    elif why == "inactive":
        build.change(house.patient, active=False)
    else:
        withdraw(house, time, taken_back=why == "void")


def withdraw(house: House, time: HandClock, taken_back: bool) -> None:
    event_id = uuid4()
    with transaction():
        for revision in (1, 2) if taken_back else (1,):
            build.add(
                SubjectEvent(
                    event_id=event_id,
                    revision=revision,
                    subject_id=house.subject.id,
                    kind="withdrawal",
                    actual_at=time.at - timedelta(days=1),
                    scope=["texts"],
                    void=revision == 2,
                    recorded_at=time.at,
                    recorded_by=house.chief.id,
                )
            )


def test_a_moved_visit_is_told_once_at_its_new_time(house: House, time: HandClock) -> None:
    row = owe(house, time, visit=27)
    gateway = FakeGateway()
    assert plan(time) == [("visit_soon", {"days": 1})]
    build.change(row, appointment_at=time.at + timedelta(hours=5))  # before the text went out
    assert plan(time) == [("visit_today", {})]
    assert plan(time) == []
    send_all(gateway, "reminder")
    assert gateway.templates() == ["visit_today"]
    moved = next(one for one in build.everything(Message) if one.template == "visit_soon")
    assert (moved.state, moved.reason) == ("suppressed", "moved")
    build.change(row, appointment_at=time.at + timedelta(hours=29))
    assert plan(time) == [("visit_soon", {"days": 1})]
    assert plan(time, days=1) == [("visit_today", {})]


def test_a_visit_moved_far_away_brings_no_second_text_about_the_diary(house: House, time: HandClock) -> None:
    owe(house, time, slots=5)
    row = owe(house, time, visit=3)
    assert plan(time) == [("diary_and_visit_today", {})]
    send_all(FakeGateway(), "reminder")
    build.change(row, appointment_at=time.at + timedelta(days=10))
    assert plan(time) == []


def test_one_nudge_a_day_within_the_budget(house: House, time: HandClock) -> None:
    owe(house, time, slots=2)
    owe(house, time, slots=6)
    assert plan(time) == [("diary_today", {})]
    assert plan(time, hours=2, minutes=59) == []
    assert plan(time, minutes=1) == [("nudge", {})]
    assert plan(time, hours=4) == []  # the next slot is late too
    assert {one.local_day for one in build.everything(Message)} == {"2026-03-02"}


def test_the_days_budget_counts_what_went_out(house: House, time: HandClock) -> None:
    time.turn(hours=3)
    owe(house, time, slots=-2)
    day = {"lane": "reminder", "template": "nudge", "local_day": "2026-03-02"}
    with transaction():
        rows = [build.message(house.patient, house.site, key=f"other:{n}", **day) for n in range(2)]
    assert plan(time) == []
    build.change(rows[0], state="cancelled")
    assert plan(time) == []  # the other has gone out since the slot became late
    assert plan(time, seconds=1) == []
    owe(house, time, slots=0)
    assert plan(time, hours=1) == [("nudge", {})]


def test_the_mornings_text_is_not_followed_by_a_nudge_about_the_same(house: House, time: HandClock) -> None:
    owe(house, time, slots=-1.5)
    assert plan(time) == [("diary_today", {})]
    assert plan(time, minutes=30) == []
    owe(house, time, slots=0)
    assert plan(time, hours=1) == [("nudge", {})]


@pytest.mark.parametrize(
    ("over", "nudged"),
    [({}, True), ({"announced": False}, False), ({"excused": "x"}, False), ({"missed": True}, False)],
)
def test_which_late_slot_nudges(house: House, time: HandClock, over: dict[str, Any], nudged: bool) -> None:
    time.turn(hours=3)
    with transaction():
        build.slot(house.subject, time.at - timedelta(hours=2), **over)
    assert plan(time) == ([("nudge", {})] if nudged else [])


def test_no_nudge_after_the_slot_has_closed_or_in_quiet_hours(house: House, time: HandClock) -> None:
    with transaction():
        build.slot(house.subject, time.at - timedelta(hours=3))
    assert plan(time) == []
    time.at = MORNING + timedelta(hours=15)  # 22:00
    with transaction():
        build.slot(house.subject, time.at - timedelta(hours=1))
    assert plan(time) == []


def test_the_morning_is_where_the_subject_lives_now(house: House, time: HandClock) -> None:
    with transaction():
        change = {"effective_on": MORNING.date(), "time_zone": "Europe/Berlin"}
        build.add(ZoneChange(subject_id=house.subject.id, recorded_at=time.at, recorded_by=house.chief.id, **change))
    owe(house, time, slots=10)
    assert plan(time) == []
    assert plan(time, hours=7) == [("diary_today", {})]  # 06:00 UTC on 2 March is 07:00 in Berlin
    assert build.everything(Message)[0].local_day == "2026-03-02"


def test_over_the_spring_change_the_morning_stays_at_seven(app: Any, time: HandClock) -> None:
    with transaction():
        site = build.site(time_zone="Europe/Berlin")
        subject = build.subject(site, build.staff(site))
        build.reporter(subject)
        for day in range(3):
            build.slot(subject, build.datetime(2026, 3, 28 + day, 16, tzinfo=build.UTC))
    sent = []
    time.at = build.datetime(2026, 3, 28, 0, tzinfo=build.UTC)
    for _ in range(3 * 24 * 2):
        sent += [f"{template} {time.at:%d %H:%M}" for template, _ in plan(time, minutes=30)]
    mornings = [one for one in sent if one.startswith("diary")]
    assert mornings == ["diary_today 28 06:00", "diary_today 29 05:00", "diary_today 30 05:00"]


def claimed(house: House, time: HandClock) -> Message:
    send_all(FakeGateway(), "reminder")
    return build.everything(Message)[0]


def test_a_text_claimed_in_quiet_hours_moves_to_their_end(house: House, time: HandClock) -> None:
    owe(house, time, slots=5)
    plan(time)
    row = build.everything(Message)[0]
    build.change(row, not_after=None)
    time.at = MORNING - timedelta(hours=1)  # as if planned by a clock that was wrong
    build.change(row, next_try_at=time.at)
    send_all(FakeGateway(), "reminder")
    stored = build.fresh(row)
    assert (stored.state, stored.next_try_at) == ("pending", MORNING - timedelta(minutes=15))
    time.at = stored.next_try_at
    send_all(FakeGateway(), "reminder")
    assert build.fresh(row).state == "accepted"


def test_a_text_no_longer_useful_expires(house: House, time: HandClock) -> None:
    owe(house, time, slots=14.9)
    plan(time)
    time.turn(hours=15)
    assert (claimed(house, time).state, claimed(house, time).reason) == ("expired", "too_late")


def test_a_text_whose_validity_ends_within_quiet_hours_expires(house: House, time: HandClock) -> None:
    with transaction():
        build.slot(house.subject, time.at + timedelta(hours=13, minutes=30))  # 20:30, late at 21:30
    plan(time, hours=14, minutes=40)
    time.turn(minutes=30)  # 22:10; the slot closes at 23:30
    assert (claimed(house, time).state, claimed(house, time).reason) == ("expired", "quiet_hours")


@pytest.mark.parametrize(
    ("why", "reason"),
    [
        ("done", "done"),
        ("admitted", "admitted"),
        ("ended", "left"),
        ("withdrawn", "left"),
        ("stopped", "opted_out"),
        ("inactive", "inactive"),
    ],
)
def test_what_changed_meanwhile_suppresses(house: House, time: HandClock, why: str, reason: str) -> None:
    row = owe(house, time, slots=5)
    plan(time)
    if why == "done":
        build.change(row, satisfied_at=time.at, satisfied_by=uuid4())
    else:
        leave_in_peace(house, time, why)
    gateway = FakeGateway()
    send_all(gateway, "reminder")
    stored = build.everything(Message)[0]
    assert (stored.state, stored.reason, gateway.sent) == ("suppressed", reason, [])


def test_a_nudge_whose_report_has_come_is_suppressed(house: House, time: HandClock) -> None:
    time.turn(hours=3)
    row = owe(house, time, slots=-2)
    assert plan(time) == [("nudge", {})]
    build.change(row, satisfied_at=time.at, satisfied_by=uuid4())
    assert claimed(house, time).reason == "done"


def test_nothing_new_writes_nothing(house: House, time: HandClock) -> None:
    owe(house, time, slots=5)
    plan(time)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reminders, "_post", lambda *_: pytest.fail("a turn with nothing new wrote"))
        assert plan(time) == []
