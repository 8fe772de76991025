"""A hospital's platform: what it is sent, as it describes it; what its answers mean; and no page lost to its faults."""

import hashlib
import hmac
import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
import sqlalchemy as sa
from house import Person

from backend import audit
from backend.db import db, transaction
from backend.models.outbox import TOLD_STATES, Message
from backend.models.people import Account
from backend.models.study import Site
from notifications.fake_provider import ACCEPT_THEN_500, ACCEPT_THEN_DROP, ACCEPT_THEN_HANG, BROKEN, BUSY, HANG
from notifications.worker import send_all
from tests.channels.conftest import APPROVED, PLATFORM_SECRET, Ways, forget_ids, put, report_fever, with_a_patient
from tests.channels.fake_platforms import ACCEPT_THEN_HTML, BAD_REQUEST, FORBIDDEN, Post
from tests.notifications import outbox_builders as build
from tests.trial.desk import faults

FURNISH = with_a_patient
PAGE = {"lane": "page", "template": "page", "variables": {"number": 4821, "time": "14:02"}}


def sent(ways: Ways, who: Person | None = None, **over: Any) -> list[Post]:
    """One message through the senders' turn; what the platform took. A page unless told otherwise."""
    before = len(ways.fake.taken)
    with ways.house.app.app_context(), transaction():
        account = db.session.get_one(Account, (who or ways.house.doctor).id)
        build.message(account, db.session.get_one(Site, ways.house.site_id), **{**PAGE, "key": "x", **over})
    with ways.house.app.app_context(), audit.acting(audit.WORKER):
        for lane in ("page", "reminder"):
            send_all(ways, lane)
    return ways.fake.taken[before:]


def row(ways: Ways) -> Message:
    [one] = ways.rows(Message.key == "x")
    return one


def signature(secret: str, raw: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()


def alarms(capsys: pytest.CaptureFixture[str]) -> list[str]:
    out = capsys.readouterr()
    lines = [json.loads(line) for line in (out.out + out.err).splitlines() if line.startswith("{")]
    return [one["code"] for one in lines if one["event"] == "gateway.alarm"]


# --- What it is sent -------------------------------------------------------------------------------------------


def test_the_body_unless_the_platform_wants_it_otherwise(quick: Ways) -> None:
    quick.platform()
    [post] = sent(quick)
    assert (post.path, post.headers["Content-Type"]) == ("/hospital", "application/json")
    assert post.body == {
        "message_id": str(row(quick).id),
        "to": quick.house.doctor.phone,
        "lane": "page",
        "medium": "sms",
        "channel": 1,
        "template": "page",
        "language": "en",
        "variables": {"number": "4821", "time": "14:02"},
    }
    assert row(quick).provider_id == "1"


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_signature_covers_the_bytes_as_they_were_sent(quick: Ways, language: str) -> None:
    quick.platform(fields={"to": "{to_national}", "文": "{text}"})
    [post] = sent(quick, language=language)
    assert post.headers["X-Daymark-Signature"] == signature(PLATFORM_SECRET, post.raw)
    assert json.loads(post.raw) == post.body


def test_the_fields_are_the_platforms_own(quick: Ways) -> None:
    fields = {
        "account": "ward-7",
        "retries": 3,
        "urgent": True,
        "nothing": None,
        "phones": ["{to_national}"],
        "request": {"sign": "【医院】", "template": {"id": "{template_id}", "params": "{variables}"}},
        "list": "{values}",
        "line": "{channel}",
        "memo": "{lane}/{medium} {number_is_no_place_here}",
        "both": "{template}:{language}:{variables}",
        "apikey": "{secret}",
    }
    answer = put(quick.house, "sms", {"gateway": "http", "rung": 1, "platform": {"fields": fields}})
    assert ("/platform/templates", "required") in faults(answer)
    fields["memo"] = "{lane}/{medium} of {message_id}"
    quick.platform(fields=fields, templates={**APPROVED, "page/en": "SMS_77"})
    [post] = sent(quick)
    assert post.body == {
        "account": "ward-7",
        "retries": 3,
        "urgent": True,
        "nothing": None,
        "phones": [quick.house.doctor.phone.removeprefix("+86")],
        "request": {
            "sign": "【医院】",
            "template": {"id": "SMS_77", "params": {"number": "4821", "time": "14:02"}},
        },
        "list": ["4821", "14:02"],
        "line": 1,
        "memo": f"page/sms of {row(quick).id}",
        "both": 'page:en:{"number": "4821", "time": "14:02"}',
        "apikey": PLATFORM_SECRET,
    }


def test_values_come_in_the_order_of_the_approved_text(quick: Ways) -> None:
    """The date a reminder begins with is its first value, as it is read."""
    quick.platform(fields={"to": "{to}", "values": "{values}", "variables": "{variables}", "text": "{text}"})
    said = {"template": "rota_gap", "lane": "reminder", "language": "zh-CN"}
    [post] = sent(quick, quick.house.chief, **said, variables={"time": "18:00", "day": "2026-03-02"})
    assert post.body["values"] == ["3月2日", "18:00"]
    assert post.body["variables"] == {"day": "3月2日", "time": "18:00"}
    assert post.body["text"] == "3月2日：值班表在未来一天内有空缺，起于18:00。请打开应用填补。"


@pytest.mark.parametrize(
    ("language", "wanted"), [("zh-CN", "SMS_1"), ("zh", "SMS_1"), ("en", "SMS_2"), ("de", "SMS_2")]
)
def test_a_template_has_an_id_in_each_language(quick: Ways, language: str, wanted: str) -> None:
    ids = {**APPROVED, "page/zh": "SMS_1", "page/en": "SMS_2"}
    quick.platform(fields={"to": "{to}", "id": "{template_id}"}, templates=ids)
    [post] = sent(quick, language=language)
    assert post.body["id"] == wanted


def test_whoever_reads_the_other_language_gets_the_text_that_is_approved(quick: Ways) -> None:
    """Better a page in Chinese than none: id, values and text are of one language."""
    chinese = {key: number for key, number in APPROVED.items() if key.endswith("/zh")}
    fields = {"to": "{to}", "id": "{template_id}", "text": "{text}", "language": "{language}"}
    quick.platform(fields=fields, templates=chinese)
    [post] = sent(quick, language="en")
    assert (post.body["id"], post.body["language"]) == ("page-zh", "zh")
    assert post.body["text"].startswith("呼叫")


def test_a_text_without_an_id_is_not_sent_and_alarms(quick: Ways, capsys: pytest.CaptureFixture[str]) -> None:
    quick.platform(fields={"to": "{to}", "id": "{template_id}"}, templates=APPROVED)
    forget_ids(quick, "page")
    assert sent(quick, language="en") == []
    assert (row(quick).state, row(quick).reason) == ("failed", "no_text")
    assert alarms(capsys) == ["no_text"]


def fever(ways: Ways) -> None:
    """An emergency with the doctor and the backup on duty."""
    report_fever(ways.house)


def steps(ways: Ways) -> set[str]:
    """The templates of the ladder's pages that were posted."""
    return {one.template for one in ways.rows(Message.lane == "page")}


def test_a_page_without_an_id_brings_the_next_step_at_once(ways: Ways) -> None:
    ways.platform(fields={"to": "{to}", "id": "{template_id}"}, templates={**APPROVED, "page_again/en": "SMS_2"})
    forget_ids(ways, "page")
    fever(ways)
    posts = [post for post in ways.turn() if "id" in post.body]
    assert steps(ways) == {"page", "page_again"}
    team = {ways.house.doctor.phone, ways.house.backup.phone, ways.house.chief.phone}
    assert {post.body["id"] for post in posts if post.body["to"] in team} == {"SMS_2"}
    assert {post.body["to"] for post in posts} >= {ways.house.doctor.phone, ways.house.backup.phone}
    assert {one.state for one in ways.rows(Message.template == "page")} == {"failed"}


def test_a_call_by_the_platform_is_told_to_be_one(quick: Ways) -> None:
    quick.platform("voice", 2, fields={"to": "{to}", "kind": "{medium}", "words": "{text}", "v": "{variables}"})
    [post] = sent(quick, medium="voice", channel=2)
    assert (post.body["kind"], post.body["v"]["number"]) == ("voice", "4821")
    assert post.body["words"] == "Page 4 8 2 1. To accept it, press 1."


# --- Whose platform --------------------------------------------------------------------------------------------


def test_a_site_without_an_address_of_its_own_uses_the_installations(quick: Ways) -> None:
    quick.set("sms", "http")
    [post] = sent(quick)
    assert post.path == "/installation"
    assert post.headers["X-Daymark-Signature"] == signature("the installation's", post.raw)


def test_a_site_with_its_own_is_signed_with_its_own(quick: Ways) -> None:
    quick.platform()
    [post] = sent(quick)
    assert post.path == "/hospital"
    assert post.headers["X-Daymark-Signature"] == signature(PLATFORM_SECRET, post.raw)
    assert post.headers["X-Daymark-Signature"] != signature("the installation's", post.raw)


# --- What its answers mean -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "answer", "state", "code", "number"),
    [
        ({}, {"errcode": 0, "id": 12}, "accepted", None, "12"),
        ({}, {}, "accepted", None, None),
        ({}, {"errcode": 40001}, "pending", "errcode_40001", None),
        (
            {"code_at": "/Code", "ok": ["OK"], "id_at": "/BizId"},
            {"Code": "OK", "BizId": "9^0"},
            "accepted",
            None,
            "9^0",
        ),
        ({"code_at": "/Code", "ok": ["OK"]}, {"Code": "isv.DENIED"}, "pending", "errcode_isv.DENIED", None),
        ({"code_at": "/r/s/code", "id_at": "/r/id"}, {"r": {"s": {"code": "0"}, "id": "a"}}, "accepted", None, "a"),
        ({"code_at": "/r/s/code"}, {"r": {"s": {"code": "7"}}}, "pending", "errcode_7", None),
        ({"ok": ["0", "1"]}, {"errcode": 1}, "accepted", None, None),
        # As RFC 6901 has it: a number leads into a list, ~1 is a slash, ~0 a tilde.
        ({"code_at": "/set/0/code", "ok": ["Ok"]}, {"set": [{"code": "Limit"}]}, "pending", "errcode_Limit", None),
        ({"id_at": "/set/0/id"}, {"set": [{"id": "s1"}]}, "accepted", None, "s1"),
        ({"code_at": "/a~1b", "ok": ["0"]}, {"a/b": 9}, "pending", "errcode_9", None),
        # The words for yes and no in JSON.
        ({"code_at": "/success", "ok": ["true"]}, {"success": True}, "accepted", None, None),
        ({"code_at": "/success", "ok": ["true"]}, {"success": False}, "pending", "errcode_false", None),
    ],
)
def test_code_and_id_stand_where_the_platform_says(
    quick: Ways, platform: Mapping[str, Any], answer: Any, state: str, code: str | None, number: str | None
) -> None:
    quick.platform(**platform)
    quick.fake.answers = answer or {"fine": "yes"}
    sent(quick)
    one = row(quick)
    assert (one.state, one.reason, one.provider_id) == (state, code, number)


def test_a_code_that_stands_nowhere_is_no_yes(quick: Ways) -> None:
    """The site said where its platform says yes; an answer that says nothing there has not said it."""
    quick.platform(code_at="/Code", ok=["OK"])
    quick.fake.will(ACCEPT_THEN_HTML)
    quick.fake.answers = {"Code": "OK"}
    assert len(sent(quick)) == 2, "of unknown fate, so it went again"
    assert row(quick).state == "accepted"


@pytest.mark.parametrize(("how", "code"), [(BAD_REQUEST, "http_400"), (FORBIDDEN, "http_403")])
def test_a_platform_that_refuses_us_is_an_alarm(
    quick: Ways, capsys: pytest.CaptureFixture[str], how: str, code: str
) -> None:
    quick.platform()
    quick.fake.will(how)
    sent(quick)
    assert (row(quick).state, row(quick).reason) == ("failed" if how == BAD_REQUEST else "pending", code)
    assert alarms(capsys) == [code]


def test_a_page_is_lost_at_one_door_and_goes_on_at_the_next(ways: Ways) -> None:
    """The platform refuses for good: the next step comes at once, not in five minutes."""
    ways.platform()
    fever(ways)
    ways.fake.will(BAD_REQUEST)
    ways.turn()
    assert steps(ways) == {"page", "page_again"}


# --- Its faults: what it took is the truth ---------------------------------------------------------------------


@pytest.mark.parametrize("how", [BROKEN, BUSY, HANG, ACCEPT_THEN_DROP, ACCEPT_THEN_500, ACCEPT_THEN_HANG])
def test_no_page_is_lost_to_a_fault(quick: Ways, how: str) -> None:
    ways = quick
    ways.platform()
    fever(ways)
    ways.fake.will(how, how)
    ways.turn()
    ways.turn(seconds=15)
    ways.turn(seconds=45)
    pages = ways.rows(Message.lane == "page")
    taken = Counter(post.body["message_id"] for post in ways.fake.taken)
    assert {one.account_id for one in pages if taken[str(one.id)]} >= {ways.house.doctor.id, ways.house.backup.id}
    for one in pages:
        if one.state in TOLD_STATES:
            assert taken[str(one.id)] >= 1, "the outbox says what the platform knows nothing of"
        else:
            assert (one.state, one.reason) == ("suppressed", "superseded")
    if how != BUSY:
        assert "page_again" in steps(ways), "the ladder moved at once"
    else:
        assert steps(ways) == {"page"}, "certainly not sent, and sent a minute later"


@pytest.mark.parametrize("how", [BROKEN, ACCEPT_THEN_DROP, ACCEPT_THEN_HANG])
def test_a_reminder_of_unknown_fate_is_sent_once_at_most(ways: Ways, how: str) -> None:
    """This platform cannot be asked, so it is not sent again."""
    ways.platform()
    ways.fake.will(how)
    said = {"template": "digest", "lane": "reminder", "variables": {"day": "2026-03-02"}}
    sent(ways, ways.house.chief, **said, not_after=ways.house.now.replace(hour=11))
    assert row(ways).state == "unknown"
    for _ in range(5):
        ways.turn(minutes=4)
    assert (row(ways).state, row(ways).reason) == ("expired", "unknown")
    ids = [post.body["message_id"] for post in ways.fake.taken]
    assert ids.count(str(row(ways).id)) == (1 if how.startswith("accept") else 0)


def test_a_reminder_that_certainly_did_not_go_goes_later(ways: Ways) -> None:
    ways.platform()
    ways.fake.will(BUSY, 40001)
    said = {"template": "digest", "lane": "reminder", "variables": {"day": "2026-03-02"}}
    sent(ways, ways.house.chief, **said, not_after=ways.house.now.replace(hour=11))
    assert (row(ways).state, row(ways).reason) == ("pending", "http_429")
    for _ in range(4):
        ways.turn(minutes=2)
    assert row(ways).state == "accepted"
    assert [post.body["message_id"] for post in ways.fake.taken].count(str(row(ways).id)) == 1


def test_no_two_posts_of_a_page_read_the_same(quick: Ways) -> None:
    quick.platform(fields={"to": "{to}", "text": "{text}", "variables": "{variables}"})
    fever(quick)
    quick.fake.will(always=ACCEPT_THEN_500)
    for _ in range(5):
        quick.turn(seconds=15)
    said = Counter((post.body["to"], post.body["text"]) for post in quick.fake.taken if "Page" in post.body["text"])
    assert len(said) > 4
    assert [text for (_, text), times in said.items() if times > 1] == []
    assert all(re.search(r"\d\d:\d\d", text) for _, text in said)


def test_the_outbox_is_what_the_platform_knows(ways: Ways) -> None:
    """A day of faults in every order: each person of each page, and nothing that was never posted."""
    ways.platform()
    fever(ways)
    ways.fake.will(ACCEPT_THEN_500, BROKEN, 40001, BUSY, HANG, ACCEPT_THEN_DROP, BAD_REQUEST, ACCEPT_THEN_HANG)
    for _ in range(12):
        ways.turn(minutes=5)
    known = {str(one.id): one for one in ways.house.rows(sa.select(Message))}
    taken = Counter(post.body["message_id"] for post in ways.fake.taken)
    assert set(taken) <= set(known)
    for message_id, one in known.items():
        if one.state in TOLD_STATES:
            assert taken[message_id] >= 1
        if one.lane == "reminder":
            assert taken[message_id] <= 1
    assert {one.account_id for one in known.values() if one.lane == "page" and one.state in TOLD_STATES} == {
        ways.house.doctor.id, ways.house.backup.id, ways.house.chief.id
    }  # fmt: skip
