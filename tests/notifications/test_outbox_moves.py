"""The outbox: once by key, forward only, receipts in any order."""

from itertools import permutations

import pytest

from backend import outbox
from backend.db import db, transaction
from backend.models.outbox import FINAL_STATES, NEXT_STATES, Message
from tests.notifications import outbox_builders as build
from tests.notifications.outbox_builders import House


def moved_to(row: Message, *path: str) -> Message:
    with transaction():
        here = outbox.locked(row.id)
        assert here is not None
        for state in path:
            assert outbox.move(here, state, origin="worker", now=row.created_at)
    return here


@pytest.fixture
def posted(house: House) -> Message:
    with transaction():
        return build.page(house.on_call, house.site)


def test_an_intent_is_posted_once(house: House, time: build.HandClock) -> None:
    with transaction():
        first = build.message(house.on_call, house.site, key="k")
    with transaction():
        again = outbox.post(
            key="k", lane="page", site_id=house.site.id, account_id=house.chief.id, template="page", variables={},
            language="en", due_at=time.at, now=time.at,
        )  # fmt: skip
    assert again is None
    assert [one.id for one in build.everything(Message)] == [first.id]
    assert build.events_of(first) == [("pending", None)]


def test_posting_is_part_of_the_callers_transaction(house: House) -> None:
    def post_and_fail() -> None:
        with transaction():
            build.message(house.on_call, house.site)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        post_and_fail()
    assert build.everything(Message) == []


@pytest.mark.parametrize("state", FINAL_STATES)
def test_final_is_final(posted: Message, state: str) -> None:
    ways = {"undelivered": ("claimed", "accepted"), "delivered": ("claimed", "accepted"), "failed": ("claimed",)}
    row = moved_to(posted, *ways.get(state, ()), state)
    with transaction():
        here = outbox.locked(row.id)
        assert here is not None
        assert [to for to in NEXT_STATES if outbox.move(here, to, origin="worker", now=row.created_at)] == []
    stored = build.fresh(row)
    assert (stored.state, stored.finished_at) == (state, row.created_at)


@pytest.mark.parametrize("order", list(permutations(("accepted", "sent", "delivered"))))
def test_receipts_in_any_order_end_the_same(house: House, posted: Message, order: tuple[str, ...]) -> None:
    moved_to(posted, "claimed")
    for state in (*order, *order):
        with transaction():
            outbox.receipt(posted.id, state, now=posted.created_at, provider="twilio", provider_id="SM1")
    assert (build.fresh(posted).state, build.fresh(posted).provider_id) == ("delivered", "SM1")


def test_a_receipt_settles_a_call_whose_answer_was_lost(posted: Message) -> None:
    moved_to(posted, "claimed", "unknown")
    with transaction():
        outbox.receipt(posted.id, "undelivered", now=posted.created_at, code="30003")
    assert (build.fresh(posted).state, build.fresh(posted).reason) == ("undelivered", "30003")


def test_of_another_call_only_delivered_counts(posted: Message) -> None:
    row = moved_to(posted, "claimed", "accepted")
    build.change(row, provider_id="SM2")
    with transaction():
        assert outbox.receipt(posted.id, "failed", now=posted.created_at, provider_id="SM1") is None
    assert build.fresh(posted).state == "accepted"
    with transaction():
        assert outbox.receipt(posted.id, "delivered", now=posted.created_at, provider_id="SM1") is not None


def test_a_receipt_for_nobody_is_no_error(house: House) -> None:
    with transaction():
        assert outbox.receipt(house.site.id, "sent", now=build.START) is None


def test_leaving_cancels_reminders_not_pages(house: House, time: build.HandClock) -> None:
    with transaction():
        reminder = build.message(house.patient, house.site, subject_id=house.subject.id, template="nudge")
        page = build.page(house.on_call, house.site, subject_id=house.subject.id)
        other = build.message(house.chief, house.site)
    with transaction():
        assert outbox.cancel_for_subject(house.subject.id, reason="left", now=time.at) == 1
    assert build.states() == {reminder.id: "cancelled", page.id: "pending", other.id: "pending"}


def test_accepting_takes_back_only_pages_for_what_was_seen(house: House, time: build.HandClock) -> None:
    with transaction():
        case = build.episode(house.subject)
        about = {"subject_id": house.subject.id, "episode_id": case.id}
        seen = build.page(house.on_call, house.site, signal_seq=1, **about)
        worse = build.page(house.on_call, house.site, signal_seq=2, **about)
        clock_page = build.page(house.on_call, house.site, template="contact_overdue", **about)
    with transaction():
        outbox.cancel_for_episode(case.id, upto_seq=1, reason="accepted", now=time.at)
    assert build.states() == {seen.id: "cancelled", worse.id: "pending", clock_page.id: "pending"}
    with transaction():
        outbox.cancel_for_episode(case.id, upto_seq=None, reason="closed", now=time.at)
    assert set(build.states().values()) == {"cancelled"}


def test_what_has_begun_is_not_cancelled(house: House, time: build.HandClock) -> None:
    with transaction():
        row = build.message(house.patient, house.site, subject_id=house.subject.id)
    moved_to(row, "claimed")
    build.change(row, send_started_at=time.at)
    with transaction():
        assert outbox.cancel_for_subject(house.subject.id, reason="left", now=time.at) == 0
        assert db.session.get_one(Message, row.id).state == "claimed"
