"""Claim, send, record: once each, whoever dies; pages before everything; what each outcome leads to."""

from collections import Counter
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from flask import Flask

from backend import accounts
from backend.db import transaction
from backend.models.outbox import Message
from notifications import delivery, receipts, sweeping
from notifications.gateways.base import Outgoing, Receipt, accepted, later, refused, stopped, unknown
from notifications.worker import send_all
from tests.notifications import outbox_builders as build
from tests.notifications.outbox_builders import FakeGateway, HandClock, House


class Killed(BaseException):
    """The process ends between the call and the record."""


def kill(outgoing: Outgoing) -> Any:
    raise Killed


def reminder(house: House, **over: Any) -> Message:
    """A text to staff: judged by working hours alone."""
    with transaction():
        return build.message(house.chief, house.site, **over)


def page(house: House, **over: Any) -> Message:
    with transaction():
        return build.page(house.on_call, house.site, **over)


def test_an_accepted_message(house: House) -> None:
    row = page(house)
    gateway = FakeGateway(lambda one: accepted("SM1", 1))
    done = delivery.deliver_next(gateway, "page")
    assert done == delivery.Delivered(row.id, "accepted")
    stored = build.fresh(row)
    assert (stored.provider, stored.provider_id, stored.segments, stored.attempts) == ("fake", "SM1", 1, 1)
    assert build.events_of(row) == [
        ("pending", None),
        ("claimed", None),
        ("claimed", "send_started"),
        ("accepted", None),
    ]
    assert gateway.sent[0].to.startswith("+86138")
    assert gateway.sent[0].to not in repr(gateway.sent[0])
    assert delivery.deliver_next(gateway, "page") is None


def test_not_before_it_is_due_and_oldest_first(house: House, time: HandClock) -> None:
    later_row = page(house, due_at=time.at + timedelta(seconds=2))
    first = page(house, due_at=time.at + timedelta(seconds=1))
    gateway = FakeGateway()
    assert delivery.deliver_next(gateway, "page") is None
    time.turn(seconds=2)
    done = [delivery.deliver_next(gateway, "page") for _ in range(2)]
    assert [one.message_id for one in done if one] == [first.id, later_row.id]


def test_many_senders_send_each_message_once(app: Flask, house: House) -> None:
    rows = [page(house) for _ in range(40)]
    gateway = FakeGateway()

    def send_all() -> None:
        with app.app_context():
            while delivery.deliver_next(gateway, "page"):
                pass

    senders = [Thread(target=send_all) for _ in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(60)
    assert Counter(one.message_id for one in gateway.sent) == Counter(row.id for row in rows)
    assert set(build.states().values()) == {"accepted"}


def test_a_reminder_whose_sender_died_is_never_sent_twice(house: House, time: HandClock) -> None:
    row = reminder(house)
    gateway = FakeGateway(kill)
    with pytest.raises(Killed):
        delivery.deliver_next(gateway, "reminder")
    gateway.answer = lambda one: accepted("SM1", 1)
    send_all(gateway, "reminder")
    time.turn(seconds=61)
    assert sweeping.sweep(gateway, time.at) == 1
    assert build.fresh(row).state == "unknown"
    send_all(gateway, "reminder")
    time.turn(minutes=15)
    sweeping.sweep(gateway, time.at)
    assert (build.fresh(row).state, build.fresh(row).reason) == ("expired", "unknown")
    send_all(gateway, "reminder")
    assert len(gateway.sent) == 1


def test_a_page_whose_sender_died_goes_again(house: House, time: HandClock) -> None:
    row = page(house)
    gateway = FakeGateway(kill)
    with pytest.raises(Killed):
        delivery.deliver_next(gateway, "page")
    gateway.answer = lambda one: accepted("SM1", 1)
    time.turn(seconds=59)
    assert sweeping.sweep(gateway, time.at) == 0  # somebody may still be at it
    time.turn(seconds=2)
    sweeping.sweep(gateway, time.at)
    send_all(gateway, "page")
    assert (len(gateway.sent), build.fresh(row).state) == (2, "accepted")
    assert ("unknown", "sender_died") in build.events_of(row)


@pytest.mark.parametrize("make", [page, reminder])
def test_a_sender_that_died_before_its_call_costs_nothing(house: House, time: HandClock, make: Any) -> None:
    row = make(house)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delivery, "_begin", kill_before)
        with pytest.raises(Killed):
            delivery.deliver_next(FakeGateway(), row.lane)
    time.turn(seconds=61)
    gateway = FakeGateway()
    sweeping.sweep(gateway, time.at)
    send_all(gateway, row.lane)
    assert (len(gateway.sent), build.fresh(row).state, build.fresh(row).attempts) == (1, "accepted", 1)


def kill_before(*_: object) -> Any:
    raise Killed


def test_an_answer_after_the_lease_was_lost_does_not_undo_what_followed(house: House, time: HandClock) -> None:
    row = page(house)

    def slow(outgoing: Outgoing) -> Any:
        time.turn(seconds=61)
        sweeping.sweep(gateway, time.at)
        return refused("21211")

    gateway = FakeGateway(slow)
    delivery.deliver_next(gateway, "page")
    assert build.fresh(row).state == "pending"


def test_a_receipt_may_overtake_the_answer(house: House, time: HandClock) -> None:
    row = page(house)

    def early(outgoing: Outgoing) -> Any:
        with transaction():
            receipts.take(row.id, Receipt("delivered", None, "SM1"), "fake", time.at)
        return accepted("SM1", 1)

    delivery.deliver_next(FakeGateway(early), "page")
    stored = build.fresh(row)
    assert (stored.state, stored.provider_id, stored.segments) == ("delivered", "SM1", 1)


def test_a_page_of_unknown_fate_goes_again_at_once_then_every_quarter_minute(house: House, time: HandClock) -> None:
    page(house)
    gateway = FakeGateway(lambda one: unknown("500"))
    send_all(gateway, "page")
    assert len(gateway.sent) == 2
    time.turn(seconds=14)
    send_all(gateway, "page")
    assert len(gateway.sent) == 2
    time.turn(seconds=1)
    send_all(gateway, "page")
    assert len(gateway.sent) == 3


def test_no_two_calls_of_a_page_read_the_same(house: House, time: HandClock) -> None:
    with transaction():
        case = build.episode(house.subject, next_step_at=None)
        build.page(house.on_call, house.site, episode_id=case.id, subject_id=house.subject.id, signal_seq=1)
    gateway = FakeGateway(lambda one: unknown("500"))
    send_all(gateway, "page")
    time.turn(seconds=15)
    send_all(gateway, "page")
    assert [one.variables["time"] for one in gateway.sent] == ["09:00", "09:00:01", "09:00:15"]


def test_two_on_duty_with_one_telephone_read_two_pages(house: House, time: HandClock) -> None:
    """The ward's: the same words twice in a minute would be refused as a repeat."""
    with transaction():
        case = build.episode(house.subject, next_step_at=None)
        number = accounts.phone_of(house.on_call)
        other = build.staff(house.site, phone=number)
        for to in (house.on_call, other):
            build.page(to, house.site, episode_id=case.id, subject_id=house.subject.id, signal_seq=1)
    gateway = FakeGateway()
    send_all(gateway, "page")
    assert len({one.to for one in gateway.sent}) == 1
    assert [one.variables["time"] for one in gateway.sent] == ["09:00", "09:00:01"]


def test_a_throttled_page_waits_a_minute_at_most_and_loses_no_attempt(house: House, time: HandClock) -> None:
    row = page(house)
    gateway = FakeGateway(lambda one: later("20429", retry_after_s=600, counts=False))
    send_all(gateway, "page")
    stored = build.fresh(row)
    assert (stored.state, stored.attempts, stored.next_try_at) == ("pending", 0, time.at + timedelta(seconds=60))


def test_a_page_is_given_up_in_the_end(house: House, time: HandClock) -> None:
    row = page(house)
    gateway = FakeGateway(lambda one: later("connection_refused"))
    send_all(gateway, "page")
    time.turn(hours=6)
    send_all(gateway, "page")
    assert (build.fresh(row).state, build.fresh(row).reason) == ("failed", "gave_up")


def test_a_reminder_comes_back_later_and_later(house: House, time: HandClock) -> None:
    row = reminder(house)
    gateway = FakeGateway(lambda one: later("connection_refused"))
    for seconds in (30, 60, 120, 240):
        send_all(gateway, "reminder")
        wait = (build.fresh(row).next_try_at - time.at).total_seconds()
        assert 0.8 * seconds <= wait <= 1.2 * seconds
        time.turn(seconds=wait)
    for _ in range(4):
        send_all(gateway, "reminder")
        time.turn(hours=1)
    assert build.fresh(row).state == "failed"
    assert len(gateway.sent) == delivery.REMINDER_ATTEMPTS


def test_a_reminder_waits_as_long_as_the_provider_says_or_expires(house: House, time: HandClock) -> None:
    patient, useless = reminder(house), reminder(house, not_after=time.at + timedelta(minutes=9))
    send_all(FakeGateway(lambda one: later("429", retry_after_s=600, counts=False)), "reminder")
    assert build.fresh(patient).next_try_at == time.at + timedelta(seconds=600)
    assert build.fresh(useless).state == "expired"


def test_an_opt_out_sets_the_flag_on_a_reminder(house: House, time: HandClock) -> None:
    row = reminder(house)
    send_all(FakeGateway(lambda one: refused("21610", opted_out=True)), "reminder")
    assert (build.fresh(row).state, build.fresh(row).reason) == ("failed", "21610")
    assert build.fresh(house.chief).texts_stopped_at == time.at


def test_a_stopped_sender_keeps_its_rows(house: House) -> None:
    rows = [page(house), page(house)]
    gateway = FakeGateway(lambda one: stopped("20003"))
    done = delivery.deliver_next(gateway, "page")
    assert done is not None
    assert (done.stop, done.code, done.state) == (True, "20003", "pending")
    assert {build.fresh(row).state for row in rows} == {"pending"}


def test_a_gateway_that_breaks_is_taken_for_unknown(house: House) -> None:
    row = reminder(house)

    def breaks(outgoing: Outgoing) -> Any:
        raise RuntimeError(outgoing.to)

    send_all(FakeGateway(breaks), "reminder")
    assert (build.fresh(row).state, build.fresh(row).reason) == ("unknown", "gateway_error")


def test_somebody_without_a_number_fails_in_the_open(house: House) -> None:
    with transaction():
        row = build.page(build.staff(house.site, phone=None), house.site)
    gateway = FakeGateway()
    send_all(gateway, "page")
    assert (gateway.sent, build.fresh(row).state, build.fresh(row).reason) == ([], "failed", "no_number")


def test_an_unknown_reminder_is_looked_up_where_that_can_be_done(house: House, time: HandClock) -> None:
    other, row = reminder(house), reminder(house, due_at=build.START + timedelta(seconds=1))
    gateway = FakeGateway(lambda one: accepted("SM1", 1), can_look_up=True)
    delivery.deliver_next(gateway, "reminder")
    assert build.fresh(other).provider_id == "SM1"
    time.turn(seconds=1)
    gateway.answer = lambda one: unknown("timeout")
    send_all(gateway, "reminder")
    time.turn(minutes=2)
    sweeping.sweep(gateway, time.at)
    assert build.fresh(row).state == "unknown"
    gateway.known = ("SM1", "SM2")  # the first is the other message's
    time.turn(minutes=2)
    sweeping.sweep(gateway, time.at)
    assert (build.fresh(row).state, build.fresh(row).provider_id) == ("accepted", "SM2")


def test_pages_know_no_quiet_hours_opt_out_or_validity(house: House, time: HandClock) -> None:
    time.turn(hours=16)  # 01:00 at the site
    build.change(house.on_call, texts_stopped_at=time.at)
    row = page(house, not_after=time.at - timedelta(hours=1))
    send_all(FakeGateway(), "page")
    assert build.fresh(row).state == "accepted"


def test_a_backlog_of_reminders_delays_no_page(house: House) -> None:
    with transaction():
        for _ in range(1000):
            build.message(house.chief, house.site)
        row = build.page(house.on_call, house.site)
    gateway = FakeGateway()
    done = delivery.deliver_next(gateway, "page")
    assert done is not None
    assert (done.message_id, len(gateway.sent)) == (row.id, 1)


def test_a_page_that_was_answered_meanwhile_is_not_sent(house: House, time: HandClock) -> None:
    with transaction():
        case = build.episode(house.subject, accepted_seq=1)
        about = {"episode_id": case.id, "subject_id": house.subject.id}
        old = build.page(house.on_call, house.site, signal_seq=1, **about)
        worse = build.page(house.on_call, house.site, signal_seq=2, channel=2, **about)
        contact = build.page(house.on_call, house.site, template="contact_overdue", **about)
    gateway = FakeGateway()
    send_all(gateway, "page")
    assert build.states() == {old.id: "suppressed", worse.id: "accepted", contact.id: "accepted"}


def test_after_an_outage_each_person_gets_the_last_page_only(house: House, time: HandClock) -> None:
    with transaction():
        case = build.episode(house.subject)
        about = {"episode_id": case.id, "subject_id": house.subject.id, "signal_seq": 1}
        rows = [
            build.page(house.on_call, house.site, due_at=time.at + timedelta(minutes=15 * n), **about) for n in range(3)
        ]
    time.turn(hours=1)
    send_all(FakeGateway(), "page")
    assert [build.fresh(row).state for row in rows] == ["suppressed", "suppressed", "accepted"]


def test_a_digest_waits_for_working_hours(house: House, time: HandClock) -> None:
    time.turn(hours=12)  # 21:00
    row = reminder(house)
    send_all(FakeGateway(), "reminder")
    assert (build.fresh(row).state, build.fresh(row).next_try_at) == ("pending", time.at + timedelta(hours=11))
    time.turn(hours=11)
    send_all(FakeGateway(), "reminder")
    assert build.fresh(row).state == "accepted"


def test_a_failed_receipt_for_a_page_moves_its_ladder(house: House, time: HandClock) -> None:
    with transaction():
        case = build.episode(house.subject, ladder_step=1, next_step_at=time.at + timedelta(minutes=5))
        row = build.page(
            house.on_call, house.site, key=f"page:{case.id}:1:0:x:1", episode_id=case.id,
            subject_id=house.subject.id, signal_seq=1,
        )  # fmt: skip
    send_all(FakeGateway(lambda one: accepted("SM1", 1)), "page")
    with transaction():
        assert receipts.take(row.id, Receipt("undelivered", "30003", "SM1"), "fake", time.at)
    assert build.fresh(case).next_step_at == time.at
