"""What Twilio tells of a message: it moves forward in any order, once, and only where Twilio signed."""

from uuid import uuid4

import pytest
import sqlalchemy as sa
from house import House, Person

from backend.models.outbox import MessageEvent
from notifications.fake_provider import ACCEPT_THEN_500
from notifications.fake_twilio import RECEIPT_FIRST, Taken
from tests.test_main_thread import rota
from tests.twilio.conftest import OLD_TOKEN, PUBLIC, Line


def paged(line: Line) -> list[Taken]:
    """The pages of a fever, taken by the provider."""
    patient: Person = line.house.patient_of(line.house.infused(days_ago=6))
    assert line.house.report(patient, {"temp_c": 38.9, "chills": 3}).status_code == 201
    found = line.turn()
    assert found
    return found


def events(house: House) -> int:
    return len(house.rows(sa.select(MessageEvent)))


def test_a_page_is_sent_by_the_pagers_service_and_told_of(line: Line) -> None:
    one = paged(line)[0]
    assert one.form["MessagingServiceSid"] == "MG" + "2" * 32
    assert one.form["ValidityPeriod"] == "300"
    assert one.callback.startswith(f"{PUBLIC}/api/v1/webhooks/twilio/status?message=")
    assert line.message(one)["state"] == "accepted"
    assert line.fake.tell(one, "sent").status_code == 204  # type: ignore[attr-defined]
    assert line.message(one)["state"] == "sent"
    assert line.fake.tell(one, "delivered").status_code == 204  # type: ignore[attr-defined]
    assert line.message(one)["state"] == "delivered"


@pytest.mark.parametrize(
    "told",
    [
        ("sent", "delivered"),
        ("delivered", "sent"),
        ("delivered", "sent", "delivered", "queued"),
        ("sending", "sent", "sent", "delivered", "delivered"),
    ],
)
def test_in_any_order_and_any_number_of_times_it_ends_the_same(line: Line, told: tuple[str, ...]) -> None:
    one = paged(line)[0]
    for state in told:
        assert line.fake.tell(one, state).status_code == 204  # type: ignore[attr-defined]
    assert line.message(one)["state"] == "delivered"


def test_a_receipt_may_overtake_the_answer(line: Line) -> None:
    line.fake.will(RECEIPT_FIRST)
    one = paged(line)[0]
    assert line.message(one)["state"] == "delivered"


def test_a_receipt_settles_a_call_whose_answer_was_lost(line: Line) -> None:
    """A page goes again at once; the receipt of the first call still tells about the person."""
    line.fake.will(ACCEPT_THEN_500)
    first = paged(line)[0]
    again = [one for one in line.fake.taken if (one.to, one.callback) == (first.to, first.callback)]
    assert len(again) == 2, "a page whose answer was lost is sent again at once"
    line.fake.tell(first, "delivered")
    assert line.message(first)["state"] == "delivered"


@pytest.mark.parametrize("token", ["somebody else's", ""])
def test_a_forged_receipt_changes_nothing(line: Line, token: str) -> None:
    one = paged(line)[0]
    before = events(line.house)
    answer = line.fake.tell(one, "failed", code=30003, token=token or "x")
    assert (answer.status_code, answer.json["code"]) == (403, "signature_wrong")  # type: ignore[attr-defined]
    assert (line.message(one)["state"], events(line.house)) == ("accepted", before)


def test_a_receipt_of_another_message_is_forged(line: Line) -> None:
    """Our id is under the signature: put another one in and it no longer holds."""
    first, second = paged(line)[:2]
    first.callback, kept = second.callback, first.callback
    form = {"MessageSid": first.sid, "MessageStatus": "failed"}
    seen: list[str] = []
    own, line.fake._post = line.fake._post, lambda url, form, signature: seen.append(signature)
    line.fake.post(kept, form)
    line.fake._post = own
    answer = own(second.callback.partition("#")[0], form, seen[0])
    assert answer.status_code == 403  # type: ignore[attr-defined]


def test_while_the_token_is_changed_both_hold(line: Line) -> None:
    one = paged(line)[0]
    assert line.fake.tell(one, "delivered", token=OLD_TOKEN).status_code == 204  # type: ignore[attr-defined]
    assert line.message(one)["state"] == "delivered"


def test_of_a_message_nobody_knows_nothing_happens(line: Line) -> None:
    unknown = f"{PUBLIC}/api/v1/webhooks/twilio/status?message=00000000-0000-4000-8000-000000000000"
    before = events(line.house)
    for url in (unknown, unknown.partition("?")[0]):
        answer = line.fake.post(url, {"MessageSid": "SM1", "MessageStatus": "delivered"})
        assert answer.status_code == 204  # type: ignore[attr-defined]
    assert events(line.house) == before


def test_an_undelivered_page_calls_the_next_person_at_once(line: Line) -> None:
    called = paged(line)
    line.fake.tell(called[0], "undelivered", code=30003)
    assert line.message(called[0])["state"] == "undelivered"
    assert line.message(called[0])["reason"] == "30003"
    assert line.turn(), "the ladder's next step came at once"


def test_an_error_code_on_a_message_that_did_not_fail_is_none(line: Line) -> None:
    one = paged(line)[0]
    line.fake.tell(one, "sent", code=30005)
    assert (line.message(one)["state"], line.message(one)["reason"]) == ("sent", None)


# --- Receipts that never come ----------------------------------------------------------------------------------


def asked(line: Line) -> int:
    """How often a message was asked about."""
    return sum(method == "GET" and "/Messages/" in path for method, path, _ in line.fake.requests)


def test_a_page_without_a_receipt_is_asked_about(line: Line) -> None:
    one = paged(line)[0]
    one.states.append("delivered")  # and the callback was lost
    line.house.turn(minutes=9)
    line.turn()
    assert asked(line) == 0
    line.house.turn(minutes=2)
    line.turn()
    assert line.message(one)["state"] == "delivered"


def test_one_that_turns_out_lost_calls_the_next_person(line: Line) -> None:
    house = line.house
    rota(house, ("on_call", "doctor", -1, 24), ("backup", "backup", -1, 24))
    one = next(one for one in paged(line) if one.to == house.doctor.phone)
    one.states.append("undelivered")
    one.error = 30003
    house.turn(minutes=11)
    line.turn()
    assert (line.message(one)["state"], line.message(one)["reason"]) == ("undelivered", "30003")


def test_nobody_asks_for_ever(line: Line) -> None:
    """Of three days without a receipt: ever later, and after the first day no more."""
    one, house = paged(line)[0], line.house
    [episode] = house.doctor.get("/episodes").json["items"]
    accepted = {"id": str(uuid4()), "kind": "accepted", "seen_signal_seq": episode["last_seq"]}
    assert house.doctor.post(f"/episodes/{episode['id']}/acknowledgements", accepted).status_code == 201
    counts = []
    for hours in (1, 6, 6):
        for _ in range(24 // hours):
            house.turn(hours=hours)
            line.turn()
        counts.append(
            sum(path.endswith(f"{one.sid}.json") for method, path, _ in line.fake.requests if method == "GET")
        )
    assert 1 <= counts[0] <= 10
    assert counts[1] <= counts[0] + 1
    assert counts[2] == counts[1]


def test_while_the_provider_is_unwell_it_is_asked_later(line: Line) -> None:
    one = paged(line)[0]
    known, line.fake.taken[:] = list(line.fake.taken), []  # it answers 404
    line.house.turn(minutes=11)
    line.turn()
    line.fake.taken[:0] = known
    assert line.message(one)["state"] == "accepted"
    one.states.append("delivered")
    line.house.turn(minutes=30)
    line.turn()
    assert line.message(one)["state"] == "delivered"
