"""Group robots: the exact posts, and what a code in a 200 means for the page and its ladder."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from backend.db import db, transaction
from backend.models.outbox import Message
from backend.models.people import Account
from backend.models.safety import Episode
from backend.models.study import Site
from notifications.fake_provider import ACCEPT_THEN_500, ACCEPT_THEN_DROP, ACCEPT_THEN_HANG, BROKEN, HANG
from tests.channels.conftest import KEY, SECRET, Ways, put, report_fever, with_a_patient
from tests.channels.fake_platforms import ACCEPT_THEN_HTML, ACCEPT_THEN_ODD, FORBIDDEN
from tests.channels.robot_pages import TEAM, national, post_pages, send, states
from tests.notifications import outbox_builders as build

FURNISH = with_a_patient
ROBOTS = ("wecom", "dingtalk")


def alarms(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    out = capsys.readouterr()
    lines = [line for line in (out.out + out.err).splitlines() if line.startswith("{")]
    return [one for one in map(json.loads, lines) if one["event"] == "gateway.alarm"]


# --- What is posted --------------------------------------------------------------------------------------------


def test_wecom_is_posted_to_as_it_wants(quick: Ways) -> None:
    quick.robot("wecom")
    post_pages(quick.house, "wecom", 1)
    [post] = send(quick)
    assert (post.path, post.query) == ("/cgi-bin/webhook/send", {"key": KEY})
    assert post.headers["Content-Type"] == "application/json"
    assert post.body == {
        "msgtype": "text",
        "text": {
            "content": "Page 5000 09:00:00. Open the app.",
            "mentioned_mobile_list": [national(quick.house.doctor)],
        },
    }


def test_dingtalk_is_posted_to_as_it_wants(quick: Ways) -> None:
    quick.robot("dingtalk")
    post_pages(quick.house, "dingtalk", 1)
    [post] = send(quick)
    mobile = national(quick.house.doctor)
    assert post.path == "/robot/send"
    assert post.body == {
        "msgtype": "text",
        "text": {"content": f"Page 5000 09:00:00. Open the app.\n@{mobile}"},
        "at": {"atMobiles": [mobile], "isAtAll": False},
    }
    at = str(int(quick.house.now.timestamp() * 1000))
    digest = hmac.new(SECRET.encode(), (at + "\n" + SECRET).encode(), hashlib.sha256).digest()
    assert post.query == {"access_token": KEY, "timestamp": at, "sign": base64.b64encode(digest).decode()}


def test_a_dingtalk_robot_without_a_secret_is_not_signed(quick: Ways) -> None:
    quick.set("dingtalk", "dingtalk", secrets={"key": KEY})
    post_pages(quick.house, "dingtalk", 1)
    quick.fake._signed = lambda request: True  # type: ignore[method-assign]
    [post] = send(quick)
    assert post.query == {"access_token": KEY}


@pytest.mark.parametrize("medium", ROBOTS)
def test_each_person_is_mentioned_once_and_each_line_said_once(quick: Ways, medium: str) -> None:
    quick.robot(medium)
    post_pages(quick.house, medium, 6)
    with quick.house.app.app_context(), transaction():  # the first page again, to somebody else
        one = db.session.scalars(sa.select(Message).where(Message.key == "x:5000")).one()
        chief, site = (db.session.get_one(*of) for of in ((Account, quick.house.chief.id), (Site, one.site_id)))
        build.page(chief, site, medium=medium, subject_id=one.subject_id, episode_id=one.episode_id, signal_seq=1,
                   variables=one.variables, key="x:again")  # fmt: skip
    [post] = send(quick)
    assert sorted(post.to) == sorted(national(quick.house.people[name]) for name in TEAM)
    lines = post.text.split("\n@")[0].split("\n")
    assert sorted(lines) == [f"Page {5000 + n} 09:00:00. Open the app." for n in range(6)]
    assert states(quick) == [("accepted", None)]


@pytest.mark.parametrize("medium", ROBOTS)
def test_a_robot_stands_beside_texts_never_instead_of_them(quick: Ways, medium: str) -> None:
    """A site that texted by the installation's gateway adds a robot: its texts go on."""
    house = quick.house
    quick.robot(medium)
    report_fever(house)
    assert [sorted(post.to) for post in quick.turn()] == [[national(house.doctor), national(house.backup)]]
    assert house.doctor.phone in [one["to"] for one in house.gateway.sent if one["lane"] == "page"]


# --- What the answers mean -------------------------------------------------------------------------------------


def fever(ways: Ways, medium: str) -> Episode:
    """An emergency at a site with texts and this robot; the robot has been told what to do."""
    house = ways.house
    put(house, "sms", {"gateway": "console", "rung": 1})
    ways.robot(medium)
    report_fever(house)
    ways.turn()
    [episode] = house.rows(sa.select(Episode))
    return episode


def page_row(ways: Ways, medium: str) -> Message:
    """The doctor's page over the robot."""
    [row] = ways.rows(Message.medium == medium, Message.template == "page", Message.account_id == ways.house.doctor.id)
    return row


def is_hurried(ways: Ways) -> bool:
    """Whether the ladder's next step came at once, over the texts too."""
    return "page_again" in [one["template"] for one in ways.house.gateway.sent]


@pytest.mark.parametrize(
    ("medium", "code"), [("wecom", 45009), ("dingtalk", 130101), ("dingtalk", 410100), ("dingtalk", 660026)]
)
def test_a_busy_robot_is_asked_again_after_a_minute(
    quick: Ways, capsys: pytest.CaptureFixture[str], medium: str, code: int
) -> None:
    quick.fake.will(code)
    fever(quick, medium)
    row = page_row(quick, medium)
    assert (row.state, row.reason, row.attempts) == ("pending", f"errcode_{code}", 0)
    assert row.next_try_at == quick.house.now + timedelta(seconds=60)
    assert alarms(capsys) == []
    assert [post.kind for post in quick.turn(seconds=59)] == []
    assert [post.kind for post in quick.turn(seconds=1)] == [medium]
    assert page_row(quick, medium).state == "accepted"


@pytest.mark.parametrize(
    ("medium", "code"),
    [("wecom", 93000), *(("dingtalk", code) for code in (310000, 300001, 400013, 400101, 400102))],
)
def test_a_robot_that_is_gone_is_an_alarm_and_the_next_step_comes_at_once(
    quick: Ways, capsys: pytest.CaptureFixture[str], medium: str, code: int
) -> None:
    quick.fake.will(code)
    episode = fever(quick, medium)
    row = page_row(quick, medium)
    assert (row.state, row.reason) == ("failed", f"errcode_{code}")
    assert {(one["code"], one["stop"]) for one in alarms(capsys)} == {(f"errcode_{code}", False)}
    assert is_hurried(quick)
    subject = str(episode.subject_id)
    rows = quick.house.chief.get(f"/audit?subject_id={subject}&limit=200").json["items"]
    assert "page:failed" in [one["verb"] for one in rows]


def test_a_key_that_was_mended_carries_the_next_page(quick: Ways) -> None:
    """A wrong key is refused by the robot itself, without being told to."""
    quick.set("wecom", "wecom", secrets={"key": "wrong"})
    post_pages(quick.house, "wecom", 1)
    assert send(quick) == []
    assert (quick.fake.refused, states(quick)) == ([("wecom", 93000)], [("failed", "errcode_93000")])
    put(quick.house, "wecom", {"gateway": "wecom", "rung": 1, "secrets": {"key": KEY}})
    post_pages(quick.house, "wecom", 1, first=5100)
    assert len(send(quick, seconds=4)) == 1


@pytest.mark.parametrize("medium", ROBOTS)
def test_a_code_that_nobody_knows_is_tried_again_and_then_the_ladder_moves(quick: Ways, medium: str) -> None:
    quick.fake.will(99999, 99999)
    fever(quick, medium)
    row = page_row(quick, medium)
    assert (row.state, row.reason) == ("pending", "errcode_99999")
    assert not is_hurried(quick)
    quick.turn(seconds=15)
    assert is_hurried(quick)


@pytest.mark.parametrize(
    ("medium", "how"),
    [
        *(("wecom", how) for how in (ACCEPT_THEN_ODD, ACCEPT_THEN_500, ACCEPT_THEN_HANG, BROKEN)),
        *(("dingtalk", how) for how in (ACCEPT_THEN_HTML, ACCEPT_THEN_DROP, HANG)),
    ],
)
def test_an_answer_that_says_nothing_sends_the_page_again_and_moves_the_ladder(
    quick: Ways, medium: str, how: str
) -> None:
    quick.fake.will(how)
    fever(quick, medium)
    assert is_hurried(quick)
    for _ in range(4):
        quick.turn(seconds=5)
    texts = [post.text.split("\n@")[0] for post in quick.fake.taken]
    number = page_row(quick, medium).variables["number"]
    assert texts
    assert all(f"Page {number}" in text for text in texts)
    told = ("accepted", "suppressed")  # the newer page of the next step stands for it
    assert {row.state for row in quick.rows(Message.medium == medium)} <= set(told)
    assert "accepted" in {row.state for row in quick.rows(Message.medium == medium)}


def test_a_robot_whose_door_is_shut_keeps_its_rows_and_alarms(quick: Ways, capsys: pytest.CaptureFixture[str]) -> None:
    quick.fake.will(FORBIDDEN)
    fever(quick, "wecom")
    assert page_row(quick, "wecom").state in ("pending", "suppressed", "accepted")
    assert "http_403" in [one["code"] for one in alarms(capsys)]
    assert is_hurried(quick)


def test_a_robot_that_is_taken_away_fails_what_waits_for_it(quick: Ways, capsys: pytest.CaptureFixture[str]) -> None:
    quick.robot("wecom")
    post_pages(quick.house, "wecom", 2)
    version = quick.house.admin.get(f"/sites/{quick.house.site_id}/channels").json["items"][0]["version"]
    path = f"/sites/{quick.house.site_id}/channels/wecom"
    assert quick.house.admin.call("DELETE", path, headers={"If-Match": f'"{version}"'}).status_code == 200
    assert send(quick) == []
    assert states(quick) == [("failed", "no_channel")]
    assert {one["code"] for one in alarms(capsys)} == {"no_channel"}
