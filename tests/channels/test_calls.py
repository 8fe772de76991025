"""The ladder's second channel as a call: only the key that is pressed accepts; nobody there is the next one's turn."""

from typing import Any
from urllib.parse import urldefrag
from uuid import UUID, uuid4
from xml.etree import ElementTree

import pytest
import sqlalchemy as sa
from house import House, Person

from backend.db import db, transaction
from backend.models.outbox import Message
from backend.models.people import Account
from backend.models.safety import Acknowledgement, Episode
from notifications.fake_provider import ACCEPT_THEN_500
from notifications.fake_twilio import Taken
from notifications.ladder import LADDER_TEMPLATES
from tests.channels.conftest import Ways, move_site, report_fever, with_a_patient
from tests.twilio.conftest import PUBLIC, VOICE_NUMBER

FURNISH = with_a_patient


def fever(ways: Ways, voice: int = 2) -> None:
    """An emergency at a site abroad: texts first, calls as the ladder's second channel."""
    house = ways.house
    move_site(house, "DE")
    ways.set("sms", "twilio", 1)
    ways.set("voice", "twilio", voice)
    report_fever(house)


def calls(ways: Ways, **delta: float) -> dict[str, Taken]:
    """The calls of one turn, by the number that was called."""
    return {one.to: one for one in ways.called(**delta) if one.kind == "call"}


def ringing(ways: Ways) -> dict[str, Taken]:
    """The fever's calls, five minutes after its texts."""
    fever(ways)
    assert {one.kind for one in ways.called()} == {"message"}
    found = calls(ways, seconds=300)
    assert set(found) == {ways.house.doctor.phone, ways.house.backup.phone}
    return found


def episode(house: House) -> Episode:
    [one] = house.rows(sa.select(Episode))
    return one


def acknowledged(house: House) -> list[tuple[str, UUID, int]]:
    return [(one.kind, one.by_id, one.seen_signal_seq) for one in house.rows(sa.select(Acknowledgement))]


def ladder_pages(ways: Ways) -> int:
    return len(ways.rows(Message.template.in_(LADDER_TEMPLATES)))


def twiml(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314  # our own words come back


def said(answer: Any) -> str:
    assert (answer.status_code, answer.mimetype) == (200, "text/xml"), answer.text
    return "".join(twiml(answer.text).itertext())


def press(ways: Ways, call: Taken, digits: str, **how: Any) -> Any:
    return ways.twilio.press(call, digits, **how)


# --- The call --------------------------------------------------------------------------------------------------


def test_the_second_channel_is_a_call_that_asks_for_a_key(ways: Ways) -> None:
    call = ringing(ways)[ways.house.doctor.phone]
    [row] = ways.rows(Message.medium == "voice", Message.account_id == ways.house.doctor.id)
    assert (row.channel, row.provider_id, row.state) == (2, call.sid, "accepted")
    assert call.form["From"] == VOICE_NUMBER
    assert "MessagingServiceSid" not in call.form
    assert call.form["StatusCallback"].startswith(f"{PUBLIC}/api/v1/webhooks/twilio/status?message={row.id}")
    gathers = twiml(call.body).findall("Gather")
    assert len(gathers) == 2, "said twice, and asked each time"
    for gather in gathers:
        assert gather.attrib["numDigits"] == "1"
        assert urldefrag(gather.attrib["action"]).url == f"{PUBLIC}/api/v1/webhooks/twilio/voice?message={row.id}"
        number = " ".join(str(row.variables["number"]))
        assert [say.text for say in gather.findall("Say")] == [f"Page {number}. To accept it, press 1."]


def test_whoever_presses_nothing_hears_that_nothing_was_accepted(quick: Ways) -> None:
    """After the last question a sentence for silence, so that nobody hangs up believing that it is done."""
    call = ringing(quick)[quick.house.doctor.phone]
    last = list(twiml(call.body))[-1]
    assert (last.tag, last.text) == ("Say", "Nothing was accepted. Please open the app.")


def test_a_call_speaks_the_language_of_whom_it_calls(quick: Ways) -> None:
    change(quick.house, quick.house.doctor, locale="zh-CN")
    found = ringing(quick)
    chinese, english = found[quick.house.doctor.phone], found[quick.house.backup.phone]
    says = list(twiml(chinese.body).iter("Say"))
    assert {say.attrib["language"] for say in says} == {"zh-CN"}
    assert "接收请按1" in (says[0].text or "")
    assert {say.attrib["language"] for say in twiml(english.body).iter("Say")} == {"en-US"}
    assert said(press(quick, chinese, "1")) == "已接收。请打开应用。"


def test_nothing_in_a_call_tells_about_the_patient(quick: Ways) -> None:
    found = ringing(quick)
    patient = quick.house.rows(sa.select(Episode.subject_id))[0]
    telling = ["7719", "Wang", "Xiaoming", "13800138000", str(patient), "38.9", "NJ", "Hospital", "lupus", "fever",
               "cell", "EMERGENCY", "crs"]  # fmt: skip
    for call in found.values():
        whole = " ".join(call.form.values())
        assert [word for word in telling if word.lower() in whole.lower()] == []
        [heard] = {say.text for say in twiml(call.body).iter("Say") if "Page" in (say.text or "")}
        assert heard.startswith("Page 1 0 0 1.")


def test_a_site_without_calls_texts_again(quick: Ways) -> None:
    house = quick.house
    quick.set("sms", "twilio", 1)
    report_fever(house)
    quick.turn()
    found = [one for one in quick.called(seconds=300) if one.to == house.doctor.phone]
    assert [one.kind for one in found] == ["message"]


def test_texts_go_beside_calls_where_the_first_channel_has_both(ways: Ways) -> None:
    fever(ways, voice=1)
    found = ways.called()
    for who in (ways.house.doctor, ways.house.backup):
        assert sorted(one.kind for one in found if one.to == who.phone) == ["call", "message"]
    rows = ways.rows(Message.lane == "page")
    assert {row.channel for row in rows} == {1}
    [text] = [one for one in found if one.kind == "message" and one.to == ways.house.doctor.phone]
    ways.twilio.tell(text, "delivered")
    press(ways, next(one for one in found if one.kind == "call" and one.to == ways.house.doctor.phone), "1")
    assert ways.house.rows(sa.select(Episode))[0].accepted_by == ways.house.doctor.id


# --- Keys ------------------------------------------------------------------------------------------------------


def test_the_key_accepts_as_the_person_who_was_called(ways: Ways) -> None:
    house = ways.house
    call = ringing(ways)[house.backup.phone]
    assert said(press(ways, call, "1")) == "Accepted. Please open the app."
    one = episode(house)
    assert (one.accepted_by, one.accepted_at, one.accepted_seq) == (house.backup.id, house.now, one.last_seq)
    assert acknowledged(house) == [("accepted", house.backup.id, one.last_seq)]
    rows = house.chief.get(f"/audit?subject_id={one.subject_id}&limit=200").json["items"]
    [row] = [row for row in rows if row["verb"] == "episode:accepted"]
    assert (row["actor_id"], row["actor_role"], row["origin"]) == (str(house.backup.id), "investigator", "call")
    assert house.chief.get("/audit/verify").json["intact"] is True
    before = ladder_pages(ways)
    ways.turn(minutes=10)
    ways.turn(minutes=4)
    assert ladder_pages(ways) == before, "the ladder stands still"


@pytest.mark.parametrize("digits", ["2", "#", "11", ""])
def test_another_key_or_silence_accepts_nothing(quick: Ways, digits: str) -> None:
    call = ringing(quick)[quick.house.doctor.phone]
    assert said(press(quick, call, digits)) == "Nothing was accepted. Please open the app."
    assert (episode(quick.house).accepted_at, acknowledged(quick.house)) == (None, [])
    before = ladder_pages(quick)
    quick.turn(seconds=600)
    assert ladder_pages(quick) > before, "the ladder goes on"


def test_pressed_or_told_twice_accepts_once(ways: Ways) -> None:
    call = ringing(ways)[ways.house.doctor.phone]
    for _ in range(3):
        assert said(press(ways, call, "1")) == "Accepted. Please open the app."
        ways.house.turn(seconds=2)
    assert len(acknowledged(ways.house)) == 1
    assert episode(ways.house).accepted_at == ways.house.now.replace(second=ways.house.now.second - 6)


def test_two_people_may_press(quick: Ways) -> None:
    found = ringing(quick)
    for who in (quick.house.backup, quick.house.doctor):
        press(quick, found[who.phone], "1")
        quick.house.turn(seconds=1)
    assert {by for _, by, _ in acknowledged(quick.house)} == {quick.house.doctor.id, quick.house.backup.id}
    assert episode(quick.house).accepted_by == quick.house.backup.id, "the first one has it"


def test_a_forged_key_is_turned_away(ways: Ways) -> None:
    call = ringing(ways)[ways.house.doctor.phone]
    answer = press(ways, call, "1", token="guessed")
    assert (answer.status_code, answer.json["code"]) == (403, "signature_wrong")
    assert (episode(ways.house).accepted_at, acknowledged(ways.house)) == (None, [])


def test_a_key_for_another_call_is_forged(quick: Ways) -> None:
    """Whom it accepts for is under the signature."""
    found = ringing(quick)
    doctor, backup = found[quick.house.doctor.phone], found[quick.house.backup.phone]
    seen: list[tuple[Any, str]] = []
    own, quick.twilio._post = quick.twilio._post, lambda url, form, signature: seen.append((form, signature))
    press(quick, doctor, "1")
    quick.twilio._post = own
    gather = twiml(backup.body).find("Gather")
    assert gather is not None
    answer = own(urldefrag(gather.attrib["action"]).url, *seen[0])
    assert answer.status_code == 403  # type: ignore[attr-defined]
    assert acknowledged(quick.house) == []


@pytest.mark.parametrize("query", ["", "?message=00000000-0000-4000-8000-000000000000"])
def test_a_key_for_a_message_that_nobody_knows_accepts_nothing(quick: Ways, query: str) -> None:
    ringing(quick)
    answer = quick.twilio.post(f"{PUBLIC}/api/v1/webhooks/twilio/voice{query}", {"CallSid": "CA1", "Digits": "1"})
    assert said(answer) == "Nothing was accepted. Please open the app."
    assert acknowledged(quick.house) == []


def change(house: House, who: Person, **values: Any) -> None:
    with house.app.app_context(), transaction():
        account = db.session.get_one(Account, who.id)
        for name, value in values.items():
            setattr(account, name, value)


def test_somebody_who_was_deactivated_accepts_nothing(ways: Ways) -> None:
    call = ringing(ways)[ways.house.doctor.phone]
    change(ways.house, ways.house.doctor, active=False)
    assert said(press(ways, call, "1")) == "Nothing was accepted. Please open the app."
    assert (episode(ways.house).accepted_at, acknowledged(ways.house)) == (None, [])


def test_a_key_accepts_what_the_call_was_about_and_nothing_worse(ways: Ways) -> None:
    """Something worse came while it rang: that still waits for somebody."""
    house = ways.house
    fever(ways)
    ways.turn()
    call = calls(ways, seconds=300)[house.doctor.phone]
    known = episode(house).last_seq
    report_fever(house, temp_c=40.2, confused=3, faint="yes")
    worse = episode(house)
    assert worse.last_seq > known
    press(ways, call, "1")
    assert episode(house).accepted_seq <= known
    before = ladder_pages(ways)
    ways.turn(seconds=300)
    assert ladder_pages(ways) > before, "the ladder of what is worse goes on"


def test_a_key_after_the_close_changes_nothing(quick: Ways) -> None:
    house = quick.house
    call = ringing(quick)[house.doctor.phone]
    listed = house.doctor.get("/episodes").json["items"][0]["id"]
    accepted = {"id": str(uuid4()), "kind": "seen", "seen_signal_seq": episode(house).last_seq}
    assert house.doctor.post(f"/episodes/{listed}/acknowledgements", accepted).status_code == 201
    version = house.doctor.get(f"/episodes/{listed}").headers["ETag"]
    graded = {"outcome": "crs", "crs_grade": 1, "note": "fever only"}
    assert house.doctor.post(f"/episodes/{listed}/close", graded, **{"If-Match": version}).status_code == 200
    before = episode(house)
    assert press(quick, call, "1").status_code == 200
    after = episode(house)
    assert (after.accepted_by, after.accepted_at) == (before.accepted_by, before.accepted_at)


@pytest.mark.parametrize("template", ["contact_overdue", "seen_overdue"])
def test_a_key_on_an_overdue_call_is_no_contact(quick: Ways, template: str) -> None:
    """Whoever hears that the patient has not been called has not called by pressing a key."""
    house = quick.house
    fever(quick, voice=1)
    press(quick, calls(quick)[house.doctor.phone], "1")
    delta = {"minutes": 16} if template == "contact_overdue" else {"minutes": 61}
    if template == "seen_overdue":
        body = {"id": str(uuid4()), "kind": "contacted", "seen_signal_seq": episode(house).last_seq}
        assert house.doctor.post(f"/episodes/{episode(house).id}/acknowledgements", body).status_code == 201
    before = (episode(house).contacted_at, episode(house).seen_at)
    overdue = calls(quick, **delta)[house.doctor.phone]
    assert quick.rows(Message.template == template, Message.medium == "voice")
    press(quick, overdue, "1")
    assert (episode(house).contacted_at, episode(house).seen_at) == before
    assert episode(house).overdue_at is not None


# --- Nobody there ----------------------------------------------------------------------------------------------


def test_completed_also_comes_from_a_voicemail(ways: Ways) -> None:
    for call in ringing(ways).values():
        for state in ("initiated", "ringing", "in-progress", "completed"):
            assert ways.twilio.tell(call, state).status_code == 204  # type: ignore[attr-defined]
    assert {row.state for row in ways.rows(Message.medium == "voice")} == {"delivered"}
    assert (episode(ways.house).accepted_at, acknowledged(ways.house)) == (None, [])
    before = ladder_pages(ways)
    ways.turn()
    assert ladder_pages(ways) == before, "somebody or something picked up: the next step comes in its time"
    ways.turn(seconds=600)
    chief = [row for row in ways.rows(Message.account_id == ways.house.chief.id) if row.lane == "page"]
    assert chief, "and it does come"


@pytest.mark.parametrize(
    ("word", "state", "reason"),
    [
        ("busy", "undelivered", "busy"),
        ("no-answer", "undelivered", "no_answer"),
        ("failed", "failed", "failed"),
        ("canceled", "failed", "canceled"),
    ],
)
def test_nobody_there_is_the_next_persons_turn_at_once(quick: Ways, word: str, state: str, reason: str) -> None:
    house = quick.house
    call = ringing(quick)[house.doctor.phone]
    quick.twilio.tell(call, "ringing")
    quick.twilio.tell(call, word)
    [row] = quick.rows(Message.medium == "voice", Message.account_id == house.doctor.id)
    assert (row.state, row.reason) == (state, reason)
    assert house.chief.phone in [one.to for one in quick.called()], "at once, not ten minutes later"
    assert acknowledged(house) == []


@pytest.mark.parametrize("code", [21211, 21613])
def test_a_number_that_cannot_be_called_is_the_next_persons_turn(quick: Ways, code: int) -> None:
    fever(quick)
    quick.turn()
    quick.twilio.will(code)
    found = quick.called(seconds=300)
    assert quick.house.chief.phone in [one.to for one in found]
    assert str(code) in [row.reason for row in quick.rows(Message.medium == "voice")]


def test_a_call_of_unknown_fate_is_made_again_and_the_ladder_moves(ways: Ways) -> None:
    fever(ways)
    ways.turn()
    ways.twilio.will(ACCEPT_THEN_500)
    found = ways.called(seconds=300)
    rung = [one.to for one in found if one.kind == "call"]
    assert sorted(rung.count(who.phone) for who in (ways.house.doctor, ways.house.backup)) == [1, 2]
    assert ways.house.chief.phone in [one.to for one in found]
    first = next(one for one in found if one.kind == "call" and rung.count(one.to) == 2)
    press(ways, first, "1")
    assert len(acknowledged(ways.house)) == 1, "the key on the call whose answer was lost accepts all the same"
