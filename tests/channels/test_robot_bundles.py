"""A robot's pace: what is due together travels together, within its rate, by any number of senders; no page is lost."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from threading import Barrier, BrokenBarrierError, Thread
from typing import Any

import pytest

from backend import audit, outbox
from backend.db import db, transaction
from backend.models.outbox import Message
from backend.models.safety import Episode
from notifications import bundles, delivery
from notifications.fake_provider import ACCEPT_THEN_500, ACCEPT_THEN_DROP, ACCEPT_THEN_HANG, BROKEN
from notifications.worker import send_all
from tests.channels.conftest import Ways
from tests.channels.fake_platforms import POSTS_A_MINUTE, Post
from tests.channels.robot_pages import TEAM, national, numbers_in, post_pages, send, states


@pytest.mark.parametrize(
    ("medium", "how"),
    [
        *(("wecom", how) for how in (ACCEPT_THEN_500, ACCEPT_THEN_HANG, 99999)),
        *(("dingtalk", how) for how in (ACCEPT_THEN_DROP, BROKEN)),
    ],
)
def test_a_bundle_of_unknown_fate_goes_again_whole(ways: Ways, medium: str, how: str | int) -> None:
    ways.robot(medium)
    rows = post_pages(ways.house, medium, 5)
    ways.fake.will(how)
    first = send(ways)
    took = how in (ACCEPT_THEN_500, ACCEPT_THEN_HANG, ACCEPT_THEN_DROP)
    again = [*first[took:], *send(ways, seconds=4), *send(ways, seconds=11)]
    assert numbers_in(again) == {row.variables["number"] for row in rows}
    assert states(ways) == [("accepted", None)]
    send(ways, minutes=5)
    assert len(ways.fake.taken) == took + len(again), "what was taken is not said again"


@pytest.mark.parametrize(
    ("medium", "template", "language"),
    [
        ("wecom", "page", "en"),
        ("wecom", "page_everyone", "en"),
        ("wecom", "page_everyone", "zh-CN"),
        ("dingtalk", "page_everyone", "zh-CN"),
    ],
)
def test_sixty_pages_at_once_are_all_conveyed_within_the_rate(
    quick: Ways, medium: str, template: str, language: str
) -> None:
    quick.robot(medium)
    rows = post_pages(quick.house, medium, 60, template=template, language=language)
    for _ in range(20):
        send(quick, seconds=1)
    assert quick.fake.refused == [], "the robot was asked for more than it bears"
    assert states(quick) == [("accepted", None)]
    assert numbers_in(quick.fake.taken) == {row.variables["number"] for row in rows}
    for post in quick.fake.taken:
        wanted = {national(quick.house.people[TEAM[n % 3]]) for n in (one - 5000 for one in numbers_in([post]))}
        assert set(post.to) == wanted, "whoever is meant is mentioned beside their page"
    assert most_in_a_minute(quick.fake.taken) <= POSTS_A_MINUTE


def test_pages_that_trickle_in_share_posts_too(quick: Ways) -> None:
    ways = quick
    ways.robot("wecom")
    numbers = set()
    for n in range(61):  # one a second
        numbers |= {row.variables["number"] for row in post_pages(ways.house, "wecom", 1, first=5100 + n)}
        send(ways, seconds=1)
    send(ways, seconds=4)
    assert ways.fake.refused == []
    assert numbers_in(ways.fake.taken) == numbers
    assert most_in_a_minute(ways.fake.taken) <= POSTS_A_MINUTE
    assert states(ways) == [("accepted", None)]
    delays = [row.send_started_at - row.due_at for row in ways.rows(Message.key.startswith("x:"))]
    assert max(delays) <= timedelta(seconds=5)


def most_in_a_minute(posts: Sequence[Post]) -> int:
    return max(sum(one.at <= other.at < one.at + timedelta(minutes=1) for other in posts) for one in posts)


def test_a_robot_that_never_says_yes_is_not_asked_too_often(quick: Ways) -> None:
    """Pages come one a second and every answer is lost: each goes again, at the robot's pace all the same."""
    quick.robot("wecom")
    quick.fake.will(always=ACCEPT_THEN_500)
    for n in range(40):
        post_pages(quick.house, "wecom", 1, first=5100 + n)
        send(quick, seconds=1)
    send(quick, seconds=4)
    assert quick.fake.refused == []
    assert numbers_in(quick.fake.taken) == {5100 + n for n in range(40)}
    assert most_in_a_minute(quick.fake.taken) <= POSTS_A_MINUTE


def test_two_senders_convey_everything_once_and_keep_the_rate(ways: Ways) -> None:
    ways.robot("dingtalk")
    rows = post_pages(ways.house, "dingtalk", 60)
    for _ in range(12):
        ways.house.turn(seconds=4)
        in_threads(ways, lambda: send_all(ways, "page"))
    assert ways.fake.refused == []
    assert numbers_in(ways.fake.taken) == {row.variables["number"] for row in rows}
    said = [number for post in ways.fake.taken for number in numbers_in([post])]
    assert len(said) == 60, "nothing failed, so nothing is said twice"
    assert states(ways) == [("accepted", None)]


def test_two_senders_that_ask_at_the_same_moment_do_not_both_post(ways: Ways, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has claimed a page of its own and asks whether the robot is free: only one may hear yes."""
    ways.robot("wecom")
    post_pages(ways.house, "wecom", 2)
    claimed, posting = Barrier(2), Barrier(2)
    begin, company = delivery._begin, bundles.company

    def meet(barrier: Barrier, seconds: float) -> None:
        with suppress(BrokenBarrierError):  # the other one is kept out, as it should be
            barrier.wait(seconds)

    def begin_together(*args: Any) -> Any:
        meet(claimed, 2)
        return begin(*args)

    def post_together(*args: Any) -> Any:
        meet(posting, 0.5)
        return company(*args)

    monkeypatch.setattr(delivery, "_begin", begin_together)
    monkeypatch.setattr(bundles, "company", post_together)
    in_threads(ways, lambda: delivery.deliver_next(ways, "page"))
    assert len(ways.fake.taken) == 1
    monkeypatch.undo()
    send(ways, seconds=4)
    assert numbers_in(ways.fake.taken) == {5000, 5001}
    assert states(ways) == [("accepted", None)]


def in_threads(ways: Ways, work: Any, count: int = 2) -> None:
    failed: list[BaseException] = []

    def run() -> None:
        try:
            with ways.house.app.app_context(), audit.acting(audit.WORKER):
                work()
        except BaseException as error:
            failed.append(error)

    threads = [Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failed == []


@pytest.mark.parametrize("which", [0, 4])
def test_a_page_that_was_accepted_meanwhile_is_not_in_the_bundle(ways: Ways, which: int) -> None:
    ways.robot("wecom")
    rows = post_pages(ways.house, "wecom", 5)
    with ways.house.app.app_context(), transaction():
        db.session.get_one(Episode, rows[which].episode_id).accepted_seq = 1
    [post] = send(ways)
    assert numbers_in([post]) == {5000 + n for n in range(5) if n != which}
    left = {row.key: (row.state, row.reason) for row in ways.rows(Message.key.startswith("x:"))}
    assert left.pop(f"x:{5000 + which}") == ("suppressed", "accepted")
    assert set(left.values()) == {("accepted", None)}


def test_a_text_that_nobody_knows_goes_alone_and_holds_up_no_other(quick: Ways) -> None:
    """An older version's page, brought back from a backup: refused as on any other way, and the others are posted."""
    quick.robot("wecom")
    house = quick.house
    with house.app.app_context(), transaction():
        outbox.post(
            key="old", lane=outbox.PAGE, site_id=house.site_id, account_id=house.doctor.id, medium="wecom",
            template="page_of_old", variables={}, language="en", due_at=house.now, now=house.now,
        )  # fmt: skip
    post_pages(house, "wecom", 3)
    send(quick, seconds=0)
    send(quick, seconds=4)
    found = {row.template: (row.state, row.reason) for row in quick.rows(Message.lane == "page")}
    assert found["page_of_old"] == ("failed", "no_text")
    assert found["page"] == ("accepted", None)
