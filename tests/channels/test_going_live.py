"""A site goes live only after a test page was accepted over a channel that wakes; before that it enrols nobody."""

from typing import Any

import pytest
import sqlalchemy as sa
from house import House, Person, subject_body
from werkzeug.test import TestResponse

from backend.db import db, transaction
from backend.models.outbox import Message
from backend.models.people import Account
from backend.models.subject import Subject
from notifications.gateways.base import Outcome, refused, unknown
from tests.channels.conftest import Ways, move_site, path_of, put, shown
from tests.trial.desk import faults
from tests.trial.desk import refused as refusal

CONSOLE = {"gateway": "console", "rung": 1}


@pytest.fixture(autouse=True)
def not_live(request: pytest.FixtureRequest) -> None:
    """Every test begins at a site that is not live."""
    name = next(one for one in ("house", "sqlite_house", "ways", "quick") if one in request.fixturenames)
    given = request.getfixturevalue(name)
    house = given if isinstance(given, House) else given.house
    move_site(house, live_at=None)


def send_test(house: House, medium: str, who: Person, by: Person | None = None) -> TestResponse:
    return (by or house.admin).post(f"{path_of(house, medium)}/tests", {"account_id": str(who.id)})


def accept(house: House, medium: str, number: Any, who: Person) -> TestResponse:
    return who.put(f"{path_of(house, medium)}/test-acceptance", {"number": number})


def live(house: House, who: Person | None = None) -> TestResponse:
    return (who or house.chief).call("PUT", f"/sites/{house.site_id}/live")


def enrol(house: House) -> TestResponse:
    return house.nurse.post("/subjects", subject_body(house))


def number_of(house: House) -> int:
    """The number of the last test page, as its row has it."""
    rows = house.rows(sa.select(Message).where(Message.template == "test_page").order_by(Message.key))
    return max(int(row.variables["number"]) for row in rows)


def proven(house: House, medium: str = "sms", who: Person | None = None) -> None:
    """A channel whose test page was sent, read and confirmed."""
    who = who or house.doctor
    assert send_test(house, medium, who).status_code == 201
    house.work()
    assert accept(house, medium, number_of(house), who).status_code == 200


# --- Before ----------------------------------------------------------------------------------------------------


def test_nobody_is_enrolled_before_the_site_is_live(house: House) -> None:
    assert refusal(enrol(house)) == (409, "site_not_live")
    assert house.rows(sa.select(Subject)) == []
    assert house.rows(sa.select(Account).where(Account.kind == "patient")) == []
    assert house.admin.get(path_of(house)).json["live_at"] is None


def test_another_site_is_no_concern_of_ours(sqlite_house: House) -> None:
    house = sqlite_house
    body = subject_body(house, site_id=str(house.other_site_id))
    assert house.stranger.post("/subjects", body).status_code == 201


def test_no_channel_no_life(sqlite_house: House) -> None:
    house = sqlite_house
    assert refusal(live(house)) == (409, "no_waking_channel")
    put(house, "sms", CONSOLE)
    assert refusal(live(house)) == (409, "no_waking_channel")
    assert house.admin.get(path_of(house)).json["live_at"] is None


def test_a_test_that_was_only_sent_proves_nothing(house: House) -> None:
    put(house, "sms", CONSOLE)
    send_test(house, "sms", house.doctor)
    assert refusal(live(house)) == (409, "no_waking_channel")
    house.work()
    assert shown(house, "sms")["test"] == "sent"
    assert refusal(live(house)) == (409, "no_waking_channel")
    assert refusal(enrol(house)) == (409, "site_not_live")


@pytest.mark.parametrize("robot", ["wecom", "dingtalk"])
def test_a_robot_wakes_nobody(quick: Ways, robot: str) -> None:
    house = quick.house
    quick.robot(robot)
    send_test(house, robot, house.doctor)
    assert [post.kind for post in quick.turn()] == [robot]
    assert accept(house, robot, number_of(house), house.doctor).json["test"] == "accepted"
    assert refusal(live(house)) == (409, "no_waking_channel")
    assert refusal(enrol(house)) == (409, "site_not_live")


# --- The test page ---------------------------------------------------------------------------------------------


def test_the_test_page_travels_like_any_page(sqlite_house: House) -> None:
    house = sqlite_house
    put(house, "sms", {**CONSOLE, "rung": 2})
    answer = send_test(house, "sms", house.doctor)
    assert (answer.status_code, answer.json["test"]) == (201, "waiting")
    [sent] = house.pages()
    assert (sent["to"], sent["lane"], sent["template"]) == (house.doctor.phone, "page", "test_page")
    assert (sent["channel"], sent["medium"]) == (2, "sms")
    assert sent["text"] == f"Test page {sent['number']} 09:00. Confirm in the app that it reached you."
    [row] = house.rows(sa.select(Message).where(Message.template == "test_page"))
    assert (row.subject_id, row.episode_id, row.account_id) == (None, None, house.doctor.id)


def test_from_the_test_page_to_the_first_subject(house: House) -> None:
    put(house, "sms", CONSOLE)
    send_test(house, "sms", house.doctor)
    [sent] = house.pages()
    house.turn(minutes=2)
    answer = accept(house, "sms", sent["number"], house.doctor)
    assert (answer.status_code, answer.json["test"]) == (200, "accepted")
    assert answer.json["accepted_by"] == str(house.doctor.id)
    assert answer.json["accepted_at"] == "2026-03-02T01:02:00Z"
    house.turn(minutes=1)
    now_live = live(house)
    assert now_live.status_code == 200, now_live.text
    assert now_live.json["live_at"] == "2026-03-02T01:03:00Z"
    assert enrol(house).status_code == 201
    rows = house.admin.get("/audit?limit=200").json["items"]
    verbs = {row["verb"]: row["actor_id"] for row in rows}
    assert verbs["channel:tested"] == str(house.admin.id)
    assert verbs["channel:accepted"] == str(house.doctor.id)
    assert verbs["site:went_live"] == str(house.chief.id)


def test_to_be_live_twice_is_to_be_live(sqlite_house: House) -> None:
    house = sqlite_house
    put(house, "sms", CONSOLE)
    proven(house)
    since = live(house).json["live_at"]
    house.turn(hours=1)
    assert live(house, house.admin).json["live_at"] == since


def test_a_wrong_number_proves_nothing(sqlite_house: House) -> None:
    house = sqlite_house
    put(house, "sms", CONSOLE)
    send_test(house, "sms", house.doctor)
    [sent] = house.pages()
    for wrong in (sent["number"] + 1, 0):
        assert faults(accept(house, "sms", wrong, house.doctor)) == [("/number", "not_allowed")]
    for nonsense in (str(sent["number"]), None, 1.5, True):
        assert accept(house, "sms", nonsense, house.doctor).status_code == 422
    assert shown(house, "sms")["test"] == "sent"
    assert refusal(live(house)) == (409, "no_waking_channel")


def test_only_whom_it_was_for_can_say_that_it_came(sqlite_house: House) -> None:
    house = sqlite_house
    put(house, "sms", CONSOLE)
    send_test(house, "sms", house.doctor)
    [sent] = house.pages()
    for name in ("nurse", "chief", "backup"):
        assert refusal(accept(house, "sms", sent["number"], house.people[name])) == (409, "conflict")
    assert accept(house, "sms", sent["number"], house.admin).status_code == 403, "whoever set it up does not prove it"
    assert accept(house, "sms", sent["number"], house.stranger).status_code == 404
    assert shown(house, "sms")["test"] == "sent"


def test_nothing_came_before_a_gateway_has_taken_it(house: House) -> None:
    put(house, "sms", CONSOLE)
    assert accept(house, "sms", 1001, house.doctor).status_code == 409, "there was no test page at all"
    send_test(house, "sms", house.doctor)
    guessed = number_of(house)
    assert refusal(accept(house, "sms", guessed, house.doctor)) == (409, "conflict")
    assert shown(house, "sms")["test"] == "waiting"
    house.work()
    assert accept(house, "sms", guessed, house.doctor).status_code == 200


def test_the_last_test_page_counts(sqlite_house: House) -> None:
    house = sqlite_house
    put(house, "sms", CONSOLE)
    send_test(house, "sms", house.doctor)
    [first] = house.pages()
    send_test(house, "sms", house.nurse)
    [second] = house.pages()
    assert second["number"] != first["number"]
    assert refusal(accept(house, "sms", first["number"], house.doctor)) == (409, "conflict")
    assert faults(accept(house, "sms", first["number"], house.nurse)) == [("/number", "not_allowed")]
    assert accept(house, "sms", second["number"], house.nurse).status_code == 200


def test_a_new_test_takes_the_old_acceptance_away(sqlite_house: House) -> None:
    house = sqlite_house
    put(house, "sms", CONSOLE)
    proven(house)
    assert send_test(house, "sms", house.nurse).json["test"] == "waiting"
    assert refusal(live(house)) == (409, "no_waking_channel")


def test_accepting_twice_keeps_the_first_time(house: House) -> None:
    put(house, "sms", CONSOLE)
    proven(house)
    at = shown(house, "sms")["accepted_at"]
    house.turn(minutes=5)
    again = accept(house, "sms", number_of(house), house.doctor)
    assert (again.status_code, again.json["accepted_at"]) == (200, at)


def lost(outgoing: Any) -> Outcome:
    return refused("21614")


def test_a_lost_test_page_is_shown_as_lost(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    put(house, "sms", CONSOLE)
    monkeypatch.setattr(house.gateway, "send", lost)
    send_test(house, "sms", house.doctor)
    house.work()
    assert shown(house, "sms")["test"] == "lost"
    assert refusal(accept(house, "sms", number_of(house), house.doctor)) == (409, "conflict")
    assert refusal(live(house)) == (409, "no_waking_channel")
    monkeypatch.undo()
    proven(house)
    assert live(house).status_code == 200


def test_no_two_calls_of_a_test_page_read_the_same(sqlite_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose answer was lost goes again; providers refuse the same words twice within a day."""
    house, said = sqlite_house, []

    def perhaps(outgoing: Any) -> Outcome:
        said.append(outgoing.text())
        return unknown("timeout")

    put(house, "sms", CONSOLE)
    monkeypatch.setattr(house.gateway, "send", perhaps)
    send_test(house, "sms", house.doctor)
    house.work()
    house.turn(seconds=15)
    house.work()
    said = [one for one in said if one.startswith("Test page")]
    assert len(said) == 3
    assert len(set(said)) == 3


@pytest.mark.parametrize(
    ("name", "code"), [("monitor", "not_allowed"), ("admin", "not_allowed"), ("stranger", "not_allowed")]
)
def test_the_page_goes_to_somebody_who_answers_pages_here(sqlite_house: House, name: str, code: str) -> None:
    put(sqlite_house, "sms", CONSOLE)
    answer = send_test(sqlite_house, "sms", sqlite_house.people[name])
    assert faults(answer) == [("/account_id", code)]
    assert sqlite_house.rows(sa.select(Message)) == []
    assert shown(sqlite_house, "sms")["test"] == "none"


def change(house: House, who: Person, **values: Any) -> None:
    with house.app.app_context(), transaction():
        account = db.session.get_one(Account, who.id)
        for name, value in values.items():
            setattr(account, name, value)


def test_whoever_has_left_or_has_no_telephone_cannot_be_tested_with(quick: Ways) -> None:
    house = quick.house
    quick.set("sms", "console")
    quick.robot("wecom")
    change(house, house.backup, active=False)
    assert faults(send_test(house, "sms", house.backup)) == [("/account_id", "not_allowed")]
    change(house, house.doctor, phone_sealed=None, phone_index=None)
    assert faults(send_test(house, "sms", house.doctor)) == [("/account_id", "no_phone")]
    assert send_test(house, "wecom", house.doctor).status_code == 201, "a robot posts to the group"
    assert [post.to for post in quick.turn()] == [[]]


def test_who_may_test_and_who_may_go_live(sqlite_house: House) -> None:
    house = sqlite_house
    put(house, "sms", CONSOLE)
    assert send_test(house, "wecom", house.doctor).status_code == 404, "there is no such channel"
    assert send_test(house, "sms", house.doctor, house.monitor).status_code == 403
    assert send_test(house, "sms", house.doctor, house.stranger).status_code == 404
    assert send_test(house, "sms", house.doctor, house.nurse).status_code == 201
    house.work()
    accept(house, "sms", number_of(house), house.doctor)
    for name in ("nurse", "doctor", "monitor"):
        assert live(house, house.people[name]).status_code == 403
    assert live(house, house.admin).status_code == 200


# --- After -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [{"gateway": "http"}, {"platform": {"ok": ["1"]}}])
def test_a_changed_channel_is_tested_again_while_the_site_stays_live(quick: Ways, change: dict[str, Any]) -> None:
    house = quick.house
    put(house, "sms", CONSOLE)
    proven(house)
    since = live(house).json["live_at"]
    answer = put(house, "sms", {**CONSOLE, **change})
    assert (answer.json["test"], answer.json["accepted_at"], answer.json["accepted_by"]) == ("none", None, None)
    assert house.admin.get(path_of(house)).json["live_at"] == since
    assert enrol(house).status_code == 201


def test_another_secret_is_another_channel(quick: Ways) -> None:
    house = quick.house
    quick.robot("wecom")
    send_test(house, "wecom", house.doctor)
    quick.turn()
    accept(house, "wecom", number_of(house), house.doctor)
    assert put(house, "wecom", {"gateway": "wecom", "rung": 2}).json["test"] == "accepted", "its rung is not its way"
    assert put(house, "wecom", {"gateway": "wecom", "rung": 2, "secrets": {"key": "new"}}).json["test"] == "none"


def test_an_old_test_page_says_nothing_about_the_changed_channel(sqlite_house: House) -> None:
    house = sqlite_house
    put(house, "sms", CONSOLE)
    send_test(house, "sms", house.doctor)
    [sent] = house.pages()
    put(house, "sms", {**CONSOLE, "platform": {"ok": ["1"]}})
    assert accept(house, "sms", sent["number"], house.doctor).status_code == 409
    assert refusal(live(house)) == (409, "no_waking_channel")


# --- A call ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("digit", "test"), [("1", "accepted"), ("2", "sent"), ("", "sent")])
def test_a_key_that_is_pressed_accepts_a_test_call(ways: Ways, digit: str, test: str) -> None:
    house = ways.house
    move_site(house, "DE")
    ways.set("voice", "twilio")
    send_test(house, "voice", house.doctor)
    [call] = [one for one in ways.called() if one.kind == "call"]
    assert call.to == house.doctor.phone
    answer = ways.twilio.press(call, digit)
    assert answer.status_code == 200  # type: ignore[attr-defined]
    ways.twilio.tell(call, "completed")
    assert shown(house, "voice")["test"] == test
    assert shown(house, "voice")["accepted_by"] == (str(house.doctor.id) if digit == "1" else None)
    assert live(house).status_code == (200 if digit == "1" else 409)


def test_a_busy_test_call_is_lost(quick: Ways) -> None:
    move_site(quick.house, "DE")
    quick.set("voice", "twilio")
    send_test(quick.house, "voice", quick.house.doctor)
    [call] = [one for one in quick.called() if one.kind == "call"]
    quick.twilio.tell(call, "busy")
    assert shown(quick.house, "voice")["test"] == "lost"
    assert refusal(live(quick.house)) == (409, "no_waking_channel")


def test_a_key_pressed_on_an_older_test_call_proves_nothing(quick: Ways) -> None:
    move_site(quick.house, "DE")
    quick.set("voice", "twilio")
    send_test(quick.house, "voice", quick.house.doctor)
    [old] = [one for one in quick.called() if one.kind == "call"]
    send_test(quick.house, "voice", quick.house.doctor)
    quick.turn()
    quick.twilio.press(old, "1")
    assert shown(quick.house, "voice")["test"] == "sent"
