"""The ladder: who is called when, who stops it, and the clocks that run after acceptance."""

from datetime import timedelta
from typing import Any

import pytest

from backend import outbox
from backend.db import transaction
from backend.models.outbox import Message
from backend.models.people import OnCallShift
from backend.models.record import AuditEvent
from backend.models.safety import Episode
from notifications import ladder, recipients
from notifications.gateways.base import refused, unknown
from notifications.worker import send_all
from tests.notifications import outbox_builders as build
from tests.notifications.outbox_builders import HandClock, House


def open_episode(house: House, level: str = "EMERGENCY", **over: Any) -> Episode:
    with transaction():
        return build.episode(house.subject, level, **over)


def run(time: HandClock, **delta: float) -> list[tuple[str, int, str]]:
    """Turn the clock, run the ladder, and say what it posted: (account, channel, template)."""
    before = {one.id for one in build.everything(Message)}
    time.turn(**delta)
    ladder.run_due(time.at)
    new = [one for one in build.everything(Message) if one.id not in before]
    return sorted((str(one.account_id), one.channel, one.template) for one in new)


def called(*who: Any, channel: int = 1, template: str) -> list[tuple[str, int, str]]:
    return sorted((str(account.id), channel, template) for account in who)


def test_an_emergency_climbs_its_ladder_and_repeats_for_ever(house: House, time: HandClock) -> None:
    open_episode(house)
    both = (house.on_call, house.backup)
    assert run(time) == called(*both, template="page")
    assert run(time) == []
    assert run(time, seconds=299) == []
    assert run(time, seconds=1) == called(*both, channel=2, template="page_again")
    assert run(time, seconds=599) == []
    assert run(time, seconds=1) == called(house.chief, template="page_again")
    for _ in range(20):
        assert run(time, seconds=899) == []
        assert run(time, seconds=1) == called(*both, house.chief, template="page_everyone")


def test_the_text_carries_number_and_site_time_and_the_recipients_language(house: House, time: HandClock) -> None:
    open_episode(house)
    run(time)
    run(time, seconds=900)
    run(time)
    rows = {one.template + one.language: one.variables for one in build.everything(Message)}
    assert rows["pageen"] == {"number": 4821, "time": "09:00"}
    assert rows["page_againzh-CN"] == {"number": 4821, "time": "09:15:00"}


def test_an_urgent_ladder_becomes_an_emergency(house: House, time: HandClock) -> None:
    case = open_episode(house, "URGENT")
    assert run(time) == called(house.on_call, template="page")
    assert run(time, seconds=600) == called(house.on_call, channel=2, template="page_again")
    assert run(time, seconds=600) == called(house.backup, template="page_again")
    assert run(time, seconds=599) == []
    assert run(time, seconds=1) == []  # the level rises; its ladder starts
    assert build.fresh(case).level == "EMERGENCY"
    assert run(time) == called(house.on_call, house.backup, template="page_again")


def test_the_recipient_is_whoever_is_on_call_when_the_step_falls_due(house: House, time: HandClock) -> None:
    with transaction():
        night = build.staff(house.site)
        build.shift(house.site, night, "on_call", starts_at=time.at + timedelta(seconds=200))
    build.change(build.everything(OnCallShift, OnCallShift.account_id == house.on_call.id)[0],
                 ends_at=time.at + timedelta(seconds=200))  # fmt: skip
    open_episode(house)
    assert run(time) == called(house.on_call, house.backup, template="page")
    assert run(time, seconds=300) == called(night, house.backup, channel=2, template="page_again")


def test_accepting_in_between_stops_it(house: House, time: HandClock) -> None:
    case = open_episode(house)
    run(time)
    build.change(case, accepted_seq=1)
    assert run(time, seconds=300) == []
    assert build.fresh(case).next_step_at is None
    assert run(time, hours=2) == []


def test_a_signal_after_acceptance_pages_again(house: House, time: HandClock) -> None:
    case = open_episode(house)
    run(time)
    build.change(
        case, accepted_seq=1, paging_seq=2, paging_round=2, ladder_step=0, paging_since=time.at, next_step_at=time.at
    )
    assert run(time) == called(house.on_call, house.backup, template="page_again")


def test_a_closed_episode_is_left_alone(house: House, time: HandClock) -> None:
    open_episode(house, closed_at=time.at)
    assert run(time, hours=1) == []


def test_a_snooze_holds_the_urgent_ladder_and_its_clock(house: House, time: HandClock) -> None:
    case = open_episode(house, "URGENT")
    run(time)
    end = time.at + timedelta(hours=4)
    build.change(case, snoozed_until=end)
    assert run(time, seconds=600) == []
    assert build.fresh(case).next_step_at == end
    assert run(time, hours=4) == called(house.on_call, channel=2, template="page_again")
    assert build.fresh(case).level == "URGENT"  # half an hour more from here before it rises
    run(time, seconds=1200)
    run(time, seconds=600)
    assert build.fresh(case).level == "EMERGENCY"


def test_an_emergency_cannot_be_snoozed(house: House, time: HandClock) -> None:
    open_episode(house, snoozed_until=time.at + timedelta(hours=4))
    assert run(time) == called(house.on_call, house.backup, template="page")


def test_a_worker_that_was_away_sends_no_volley(house: House, time: HandClock) -> None:
    open_episode(house, ladder_step=3, next_step_at=time.at + timedelta(minutes=30))
    everybody = called(house.on_call, house.backup, house.chief, template="page_everyone")
    assert run(time, hours=10) == everybody
    assert run(time) == []
    assert run(time, seconds=900) == everybody


def test_each_page_leaves_one_audit_row_and_counts_for_the_consoles(house: House, time: HandClock) -> None:
    case = open_episode(house)
    run(time)
    row = build.everything(AuditEvent, AuditEvent.verb == "page:queued")[0]
    assert row.chain == str(house.subject.id)
    assert row.new["to"] == [str(house.on_call.id), str(house.backup.id)]
    assert build.fresh(case).change_seq == build.fresh(house.site).change_seq == 1


@pytest.mark.parametrize("level", ["EMERGENCY", "URGENT"])
def test_an_empty_rota_falls_back(app: Any, time: HandClock, level: str) -> None:
    with transaction():
        site = build.site()
        chief = build.staff(site, "principal_investigator")
        nurse = build.staff(site, "nurse")
        build.episode(build.subject(site, chief), level)
    assert run(time) == called(chief, template="page")
    build.change(chief, active=False)
    with transaction():
        doctor = build.staff(site, "investigator")
    assert run(time, seconds=600) == called(doctor, channel=2, template="page_again")
    build.change(doctor, active=False)
    assert run(time, seconds=900) == []
    assert [one.new["duties"] for one in build.everything(AuditEvent, AuditEvent.verb == "page:nobody")]
    assert nurse.active


def test_nobody_is_called_twice_in_one_step(house: House, time: HandClock) -> None:
    with transaction():
        build.shift(house.site, house.on_call, "backup")
        build.shift(house.site, house.on_call, "on_call")
    open_episode(house)
    assert run(time) == called(house.on_call, house.backup, template="page")


def test_everyone_is_todays_rota_and_the_principal_investigator(house: House, time: HandClock) -> None:
    day_start = time.at.replace(hour=0) - timedelta(hours=8)  # midnight in Shanghai
    with transaction():
        tonight, tomorrow = build.staff(house.site), build.staff(house.site)
        build.shift(house.site, tonight, starts_at=day_start + timedelta(hours=20), hours=4)
        build.shift(house.site, tomorrow, starts_at=day_start + timedelta(hours=24))
        build.staff(house.site, "nurse")
        case = build.episode(house.subject)
        found = recipients.of_duties(case, ("everyone", "on_call"), time.at)
    assert {one.id for one in found} == {house.on_call.id, house.backup.id, tonight.id, house.chief.id}


def test_overdue_clocks_page_who_took_it_over(house: House, time: HandClock) -> None:
    start = time.at
    case = open_episode(
        house,
        accepted_seq=1,
        next_step_at=None,
        accepted_by=house.chief.id,
        contact_due_at=start + timedelta(seconds=900),
        seen_due_at=start + timedelta(seconds=3600),
        overdue_at=start + timedelta(seconds=900),
    )
    assert run(time, seconds=899) == []
    assert run(time, seconds=1) == called(house.chief, house.backup, template="contact_overdue")
    assert run(time, seconds=899) == []
    assert run(time, seconds=1) == called(house.chief, house.backup, template="contact_overdue")
    build.change(case, contacted_at=time.at)
    assert run(time, seconds=900) == []
    assert build.fresh(case).overdue_at == start + timedelta(seconds=3600)
    assert run(time, seconds=900) == called(house.chief, house.backup, template="seen_overdue")
    build.change(case, seen_at=time.at)
    assert run(time, seconds=900) == []
    assert build.fresh(case).overdue_at is None


def test_a_review_becomes_one_digest_in_working_hours(house: House, time: HandClock) -> None:
    case = open_episode(house, "REVIEW", next_step_at=time.at + timedelta(hours=12))
    assert run(time, hours=12) == []  # 21:00 at the site
    assert build.fresh(case).next_step_at == time.at + timedelta(hours=11)
    assert run(time, hours=11) == called(house.chief, template="digest")
    digest = build.everything(Message)[0]
    assert (digest.lane, digest.subject_id) == (outbox.REMINDER, None)
    assert build.fresh(case).next_step_at is None


def test_one_broken_episode_keeps_no_other_waiting(house: House, time: HandClock) -> None:
    with transaction():
        elsewhere = build.site(code="XX", content=build.CONTENT)
        other = build.subject(elsewhere, house.chief)
        build.episode(other, page_number=1, next_step_at=time.at - timedelta(hours=1))
        build.episode(house.subject)
    whole = ladder.recipients.of_duties

    def fails_elsewhere(case: Episode, duties: Any, now: Any) -> Any:
        if case.site_id == elsewhere.id:
            raise RuntimeError
        return whole(case, duties, now)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ladder.recipients, "of_duties", fails_elsewhere)
        assert run(time) == called(house.on_call, house.backup, template="page")


def test_a_page_that_is_refused_moves_the_ladder_at_once(house: House, time: HandClock) -> None:
    open_episode(house, "URGENT")
    gateway = build.FakeGateway(lambda one: refused("21610", opted_out=True))
    run(time)
    send_all(gateway, "page")
    assert run(time) == called(house.on_call, channel=2, template="page_again")
    send_all(gateway, "page")
    assert run(time) == called(house.backup, template="page_again")
    send_all(gateway, "page")
    assert run(time) == []  # everybody has been called; it rises at its time
    assert len(build.everything(AuditEvent, AuditEvent.verb == "page:failed")) == 3
    assert build.fresh(house.on_call).texts_stopped_at is None


def test_an_unknown_page_goes_again_and_moves_the_ladder_once(house: House, time: HandClock) -> None:
    open_episode(house, "URGENT")
    gateway = build.FakeGateway(lambda one: unknown("timeout"))
    run(time)
    send_all(gateway, "page")
    assert gateway.templates() == ["page", "page"]
    assert run(time) == called(house.on_call, channel=2, template="page_again")


def test_an_old_failure_does_not_hurry_a_later_step(house: House, time: HandClock) -> None:
    case = open_episode(house)
    run(time)
    old = build.everything(Message)[0]
    run(time, seconds=300)
    with transaction():
        assert not ladder.hurry(build.db.session.get_one(Message, old.id), time.at)
    assert build.fresh(case).next_step_at == time.at + timedelta(seconds=600)
