"""Reminders that may not have gone or did not arrive: looked up first, again only if they never went, twice at most."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from house import House

from backend import outbox
from backend.db import db, transaction
from backend.models.outbox import Message
from backend.models.people import Account, SubjectLink
from backend.models.study import Site
from notifications import receipts
from notifications.fake_provider import ACCEPT_THEN_500, ACCEPT_THEN_DROP, BROKEN
from notifications.fake_twilio import Taken
from notifications.gateways import twilio
from tests.channels.conftest import Ways, move_site
from tests.notifications import outbox_builders as build
from tests.test_main_thread import rota
from tests.trial.desk import PATIENT

TEMPORARY = {
    30001: timedelta(hours=1),
    30003: timedelta(hours=3),
    30008: timedelta(minutes=30),
    30500: timedelta(minutes=15),
    60005: timedelta(minutes=15),
}
PERMANENT = (21610, 30002, 30004, 30005, 30006, 30007, 30034, 30036, None)


def patient_id(house: House, subject: dict[str, Any]) -> UUID:
    [found] = house.rows(sa.select(SubjectLink.account_id).where(SubjectLink.subject_id == UUID(subject["id"])))
    return UUID(str(found))


def remind(ways: Ways, hours: float = 8, country: str = "DE", key: str = "x", **over: Any) -> Message:
    """A text to a patient that goes by Twilio, of use for so many hours. Nobody owes anything that day."""
    house = ways.house
    if not ways.rows():
        move_site(house, country)
        ways.set("sms", "twilio")
        rota(house, ("on_call", "doctor", -1, 72), ("backup", "backup", -1, 72))  # no text about a gap
    subject = house.enrol(number=f"7{len(ways.rows())}")
    with house.app.app_context(), transaction():
        account = db.session.get_one(Account, patient_id(house, subject))
        said: dict[str, Any] = {"template": "nudge", "variables": {"day": f"{house.now:%Y-%m-%d}"}, "key": key}
        about = {"subject_id": UUID(subject["id"]), "not_after": house.now + timedelta(hours=hours)}
        return build.message(account, db.session.get_one(Site, house.site_id), **{**said, **about, **over})


def row(ways: Ways, key: str = "x") -> Message:
    [one] = ways.rows(Message.key == key)
    return one


def tries(ways: Ways) -> list[Message]:
    """The text and its further intents, oldest first."""
    return sorted(ways.rows(Message.key.startswith("x")), key=lambda one: (one.created_at, one.key))


def texts(ways: Ways) -> list[Taken]:
    return [one for one in ways.twilio.taken if one.to == PATIENT]


def asked_to_send(ways: Ways) -> int:
    return sum(method == "POST" and form.get("To") == PATIENT for method, _, form in ways.twilio.requests)


def alarms(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, Any]]:
    out = capsys.readouterr()
    lines = [json.loads(line) for line in (out.out + out.err).splitlines() if line.startswith("{")]
    return [(one["code"], one.get("template")) for one in lines if one["event"] == "gateway.alarm"]


# --- Of unknown fate -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [ACCEPT_THEN_500, ACCEPT_THEN_DROP])
def test_one_that_went_is_found_and_not_sent_again(ways: Ways, how: str) -> None:
    remind(ways)
    ways.twilio.will(how)
    ways.turn()
    assert row(ways).state == "unknown"
    ways.turn(minutes=1)
    assert row(ways).state == "unknown"
    ways.turn(minutes=1)
    assert (row(ways).state, row(ways).provider_id) == ("accepted", texts(ways)[0].sid)
    for _ in range(3):
        ways.turn(minutes=20)
    assert (len(texts(ways)), asked_to_send(ways)) == (1, 1)


def test_one_that_never_went_goes_once_more_after_a_quarter_of_an_hour(ways: Ways) -> None:
    remind(ways)
    ways.twilio.will(BROKEN)
    ways.turn()
    for _ in range(2):
        ways.turn(minutes=7)
        assert (row(ways).state, asked_to_send(ways)) == ("unknown", 1)
    ways.turn(minutes=2)
    assert (row(ways).state, asked_to_send(ways), len(texts(ways))) == ("accepted", 2, 1)


def test_never_a_third_time(ways: Ways) -> None:
    remind(ways)
    ways.twilio.will(BROKEN, BROKEN)
    ways.turn()
    for _ in range(8):
        ways.turn(minutes=16)
    assert (row(ways).state, row(ways).reason) == ("expired", "unknown")
    assert (asked_to_send(ways), texts(ways)) == (2, [])


def test_the_second_one_is_looked_up_too(ways: Ways) -> None:
    remind(ways)
    ways.twilio.will(BROKEN, ACCEPT_THEN_500)
    ways.turn()
    for _ in range(5):
        ways.turn(minutes=8)
    assert (row(ways).state, row(ways).provider_id) == ("accepted", texts(ways)[0].sid)
    assert (len(texts(ways)), asked_to_send(ways)) == (1, 2)


@pytest.mark.parametrize("minutes", [5, 14, 17])
def test_not_when_it_is_of_no_use_any_more(quick: Ways, minutes: int) -> None:
    remind(quick, hours=minutes / 60)
    quick.twilio.will(BROKEN)
    quick.turn()
    for _ in range(12):
        quick.turn(minutes=2)
    assert row(quick).state == ("expired" if minutes < 15 else "accepted")
    assert asked_to_send(quick) == (1 if minutes < 15 else 2)


def unwell(*_: Any) -> Any:
    raise ConnectionError


def test_a_look_up_that_fails_says_nothing(ways: Ways, monkeypatch: pytest.MonkeyPatch) -> None:
    remind(ways)
    ways.twilio.will(ACCEPT_THEN_500)
    ways.turn()
    monkeypatch.setattr(ways.made["twilio"], "look_up", unwell)
    for _ in range(4):
        ways.turn(minutes=8)
        assert row(ways).state == "unknown", "nobody could be asked, so nobody said that it never went"
    monkeypatch.undo()
    ways.turn(minutes=2)
    assert (row(ways).state, asked_to_send(ways)) == ("accepted", 1)


def test_a_look_up_that_fails_to_the_end_expires_in_the_open(quick: Ways, monkeypatch: pytest.MonkeyPatch) -> None:
    remind(quick, hours=1)
    quick.twilio.will(BROKEN)
    quick.turn()
    monkeypatch.setattr(quick.made["twilio"], "look_up", unwell)
    for _ in range(9):
        quick.turn(minutes=9)
    assert (row(quick).state, row(quick).reason, asked_to_send(quick)) == ("expired", "unknown", 1)


def test_a_gateway_that_cannot_be_asked_does_not_send_again(quick: Ways) -> None:
    remind(quick)
    quick.set("sms", "http")
    quick.fake.will(BROKEN)
    quick.turn()
    for _ in range(5):
        quick.turn(minutes=8)
    assert (row(quick).state, row(quick).reason) == ("expired", "unknown")
    assert [post for post in quick.fake.taken if post.body["to"] == PATIENT] == []


def test_a_receipt_settles_it_before_anybody_asks(quick: Ways) -> None:
    remind(quick)
    quick.twilio.will(ACCEPT_THEN_500)
    quick.turn()
    quick.twilio.tell(texts(quick)[0], "delivered")
    assert row(quick).state == "delivered"
    for _ in range(10):
        quick.turn(minutes=2)
    assert asked_to_send(quick) == 1


def test_what_goes_once_more_is_judged_once_more(quick: Ways) -> None:
    remind(quick)
    quick.twilio.will(BROKEN)
    quick.turn()
    with quick.house.app.app_context(), transaction():
        db.session.get_one(Account, row(quick).account_id).texts_stopped_at = quick.house.now
    for _ in range(10):
        quick.turn(minutes=2)
    assert (row(quick).state, row(quick).reason, asked_to_send(quick)) == ("suppressed", "opted_out", 1)


# --- Did not arrive --------------------------------------------------------------------------------------------


def undelivered(ways: Ways, code: int | None) -> None:
    """Twilio's receipt for the last text."""
    answer = ways.twilio.tell(texts(ways)[-1], "undelivered", code=code)
    assert answer.status_code == 204  # type: ignore[attr-defined]


@pytest.mark.parametrize("code", TEMPORARY)
def test_a_temporary_failure_brings_it_again_after_its_delay(quick: Ways, code: int) -> None:
    ways = quick
    remind(ways, hours=12)
    ways.turn()
    ways.turn(minutes=1)
    undelivered(ways, code)
    ways.turn()
    assert (row(ways).state, row(ways).reason) == ("undelivered", str(code))
    ways.turn(minutes=TEMPORARY[code].total_seconds() / 60 - 1)
    assert len(texts(ways)) == 1, "not yet"
    ways.turn(minutes=1)
    assert len(texts(ways)) == 2
    assert texts(ways)[1].body == texts(ways)[0].body


@pytest.mark.parametrize("code", TEMPORARY)
def test_twice_again_at_most(quick: Ways, code: int) -> None:
    remind(quick, hours=12.5)
    quick.turn()
    for _ in range(4):
        undelivered(quick, code)
        quick.turn(hours=3)
    assert len(texts(quick)) == 3
    assert {one.state for one in tries(quick)} == {"undelivered"}


def test_nobody_knows_why_twice_is_a_handset_out_of_reach(quick: Ways) -> None:
    """The table's 30008: once more, then as 30003, with hours between."""
    remind(quick, hours=12)
    quick.turn()
    undelivered(quick, 30008)
    quick.turn(minutes=30)
    assert len(texts(quick)) == 2
    undelivered(quick, 30008)
    quick.turn(minutes=45)
    assert len(texts(quick)) == 2, "half an hour again is not hours"
    quick.turn(hours=2, minutes=15)
    assert len(texts(quick)) == 3


@pytest.mark.parametrize(
    ("word", "code"), [*(("undelivered", code) for code in PERMANENT), ("failed", 21610), ("failed", 30005)]
)
def test_a_permanent_failure_never_comes_again(quick: Ways, code: int | None, word: str) -> None:
    remind(quick, hours=12)
    quick.turn()
    quick.twilio.tell(texts(quick)[0], word, code=code)
    for _ in range(3):
        quick.turn(hours=3.5)
    assert (row(quick).state, len(tries(quick)), len(texts(quick))) == (word, 1, 1)
    stopped = [one.texts_stopped_at for one in quick.house.rows(sa.select(Account)) if one.kind == "patient"]
    assert (stopped[0] is not None) == (code == 21610)


@pytest.mark.parametrize(
    ("code", "alarm"),
    [(30007, True), (30034, True), (30002, True), (30003, False), (30004, False), (30005, False), (30036, False)],
)
def test_what_somebody_must_mend_is_an_alarm(
    quick: Ways, capsys: pytest.CaptureFixture[str], code: int, alarm: bool
) -> None:
    remind(quick)
    quick.turn()
    alarms(capsys)
    undelivered(quick, code)
    assert alarms(capsys) == ([(str(code), "nudge")] if alarm else []), "it names the template, and nobody"


@pytest.mark.parametrize(("hours", "count"), [(2.9, 1), (3, 1), (3.1, 2)])
def test_only_while_it_is_of_use(quick: Ways, hours: float, count: int) -> None:
    remind(quick, hours=hours)
    quick.turn()
    undelivered(quick, 30003)
    for _ in range(8):
        quick.turn(minutes=30)
    assert (len(texts(quick)), len(tries(quick))) == (count, count)


def test_an_opt_out_meanwhile_ends_it(quick: Ways) -> None:
    remind(quick)
    quick.turn()
    undelivered(quick, 30008)
    with quick.house.app.app_context(), transaction():
        db.session.get_one(Account, row(quick).account_id).texts_stopped_at = quick.house.now
    quick.turn(minutes=30)
    assert [(one.state, one.reason) for one in tries(quick)][1:] == [("suppressed", "opted_out")]
    assert len(texts(quick)) == 1


def test_a_number_whose_texts_are_used_up_gets_no_further_one(quick: Ways) -> None:
    """In mainland China a text that did not arrive has been counted all the same."""
    remind(quick, country="CN")
    for n in range(3):
        remind(quick, country="CN", key=f"other{n}", template="diary_today")
    quick.turn()
    assert len(texts(quick)) == 4
    quick.twilio.tell(texts(quick)[0], "undelivered", code=30008)
    quick.turn(minutes=30)
    assert again(quick) == [("suppressed", "budget")]
    assert len(texts(quick)) == 4


def went(ways: Ways, **over: Any) -> Message:
    """A text that the provider has taken already."""
    posted = remind(ways, **over)
    with ways.house.app.app_context(), transaction():
        here = outbox.locked(posted.id)
        assert here is not None
        for state in ("claimed", "accepted"):
            assert outbox.move(here, state, origin="worker", now=ways.house.now)
        here.provider, here.provider_id, here.send_started_at = "twilio", "SM1", ways.house.now
    return posted


def told(ways: Ways, message: Message, code: int) -> None:
    with ways.house.app.app_context(), transaction():
        receipt = twilio.receipt_of("undelivered", code, "SM1")
        assert receipt is not None
        assert receipts.take(message.id, receipt, "twilio", ways.house.now)


def again(ways: Ways) -> list[tuple[str, str | None]]:
    rows = sorted(ways.rows(Message.key.contains("#again")), key=lambda one: one.key)
    return [(one.state, one.reason) for one in rows]


def test_a_task_that_is_done_meanwhile_is_not_spoken_of_again(quick: Ways) -> None:
    for key in ("day:x:2026-03-02:none", "nudge:x:2026-03-02"):
        message = went(quick, key=key, template="diary_today")
        told(quick, message, 30008)
    quick.turn(minutes=30)
    assert again(quick) == [("suppressed", "done"), ("suppressed", "done")]
    assert texts(quick) == []


def test_not_in_quiet_hours(quick: Ways) -> None:
    house = quick.house
    house.to(2026, 3, 2, 20, 30)
    message = went(quick, hours=14)
    told(quick, message, 30003)
    quick.turn(hours=3)
    [row] = quick.rows(Message.key == "x#again1")
    assert (row.state, row.reason) == ("pending", "quiet_hours")
    house.to(2026, 3, 3, 6, 44)
    quick.turn()
    assert texts(quick) == []
    quick.turn(minutes=1)
    assert len(texts(quick)) == 1


def test_a_page_is_not_posted_again_its_ladder_moves(quick: Ways) -> None:
    house = quick.house
    move_site(house, "DE")
    quick.set("sms", "twilio")
    patient = house.patient_of(house.infused(days_ago=6))
    assert house.report(patient, {"temp_c": 38.9, "chills": 3}).status_code == 201
    [page] = [one for one in quick.called() if "Page" in one.body][:1]
    quick.twilio.tell(page, "undelivered", code=30003)
    quick.turn(hours=3)
    assert quick.rows(Message.key.contains("#again")) == []
    assert "page_again" in {one.template for one in quick.rows(Message.lane == "page")}
