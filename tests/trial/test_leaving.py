"""Leaving in part or altogether: what is still sent, to whom, what the calendar says, and taking it back."""

from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from house import House, iso

from backend import outbox
from backend.db import db, transaction
from backend.models.outbox import Message
from notifications import reminders as planner
from tests.trial.desk import (
    CARER,
    LI_NA,
    PATIENT,
    Subject,
    ago,
    calendar,
    correct,
    event,
    faults,
    read,
    refused,
    reminders,
    send,
    signals,
    slots,
    told,
    visit,
    z,
)

Told = list[tuple[str, str]]
NUDGE: Told = [(CARER, "nudge"), (PATIENT, "nudge")]
OTHER_PATIENT = "+8613600136000"
ENDINGS = {"withdrawal": "withdrawn", "lost_to_follow_up": "lost", "death": "died", "completion": "completed"}


def both(template: str) -> Told:
    return [(CARER, template), (PATIENT, template)]


def family(house: House, days_ago: float = 4, **over: Any) -> Subject:
    """Infused on 26 February: 2 March is day 4, its report of 07:00 is late at 09:00; V7 is planned for 3 March."""
    subject = house.infused(days_ago=days_ago, **over)
    house.patient_of(subject)
    house.patient_of(subject, "carer", carer=LI_NA)
    return subject


def families(house: House, count: int) -> list[Subject]:
    """Several such families; the nth has numbers of its own, see `to`."""
    found = []
    for n in range(count):
        subject = house.infused(days_ago=4, number=f"F{n}", contact={"name": "Wang", "phone": f"1380000000{n}"})
        house.patient_of(subject)
        house.patient_of(subject, "carer", carer={**LI_NA, "phone": f"1370000000{n}"})
        found.append(subject)
    return found


def to(n: int, sent: list[dict[str, Any]]) -> list[str]:
    """What went to patient and carer of the nth family: each template once, for both get the same or neither."""
    carer, patient = ([template for _, template in told(sent, f"+86{prefix}0000000{n}")] for prefix in ("137", "138"))
    assert carer == patient
    return patient


def leave(house: House, subject: Subject, kind: str, **over: Any) -> None:
    assert send(house, subject, kind, actual_at=house.now, **over).status_code == 201


# --- In part ---------------------------------------------------------------------------------------------------

PARTS: list[tuple[list[str] | None, list[str], list[str], bool]] = [
    # scope, what comes a minute later, what comes the next morning, whether silence is signalled
    (None, ["nudge"], ["diary_and_visit_today"], True),  # nobody has left: what the others are measured against
    (["texts"], [], [], True),
    (["diary"], [], ["visit_today"], False),
    (["visits"], ["nudge"], ["diary_today"], True),
    (["diary", "visits"], [], [], False),
    (["data"], [], [], False),
]


def test_who_leaves_in_part_is_left_in_peace_about_that_part(sqlite_house: House) -> None:
    house = sqlite_house
    subjects = families(house, len(PARTS))
    for subject, (scope, *_) in zip(subjects, PARTS, strict=True):
        if scope:
            leave(house, subject, "withdrawal", scope=scope)
    house.turn(minutes=1)
    sent = house.work()
    assert [to(n, sent) for n in range(len(PARTS))] == [soon for _, soon, _, _ in PARTS]
    house.to(2026, 3, 2, 15, 26)  # 07:00 and 12:00 have closed: two in a row (S2)
    assert house.pages()
    assert [bool(signals(house, one, "S2")) for one in subjects] == [silence for *_, silence in PARTS]
    house.to(2026, 3, 3, 7)
    sent = house.work()
    assert [to(n, sent) for n in range(len(PARTS))] == [morning for _, _, morning, _ in PARTS]
    stands = [read(house, one) for one in subjects]
    assert {(one["status"], one["ended_at"]) for one in stands} == {("follow_up", None)}


def test_each_part_ends_its_own_half_of_the_calendar(sqlite_house: House) -> None:
    house = sqlite_house
    subject = family(house)
    leave(house, subject, "withdrawal", scope=["diary"])
    assert {one[1:] for one in slots(house, subject, 4)} == {("not_applicable", "ended")}
    assert visit(house, subject, "V7")["status"] == "open"  # day 4 to 6
    house.turn(hours=1)
    leave(house, subject, "withdrawal", scope=["visits"])
    seven = visit(house, subject, "V7")
    assert (seven["status"], seven["excused"]) == ("not_applicable", "ended")
    assert visit(house, subject, "V3")["status"] == "done"
    assert visit(house, subject, "V4")["status"] == "missed"  # what had closed before stays as it was


def test_a_scope_belongs_to_a_withdrawal_and_is_known(sqlite_house: House) -> None:
    house = sqlite_house
    subject = family(house)
    now = house.now
    assert faults(send(house, subject, "death", actual_at=now, scope=["texts"])) == [("/scope", "not_allowed")]
    assert faults(send(house, subject, "withdrawal", actual_at=now, scope=["sleep"])) == [("/scope/0", "not_allowed")]
    assert faults(send(house, subject, "withdrawal", actual_at=now, scope=[])) == [("/scope", "too_short")]
    future = send(house, subject, "withdrawal", actual_at=ago(house, minutes=-6))
    assert faults(future) == [("/actual_at", "in_the_future")]
    assert faults(send(house, subject, "withdrawal", planned_at=now)) == [("/actual_at", "required")]


def test_the_same_id_with_another_scope_is_not_the_same_event(sqlite_house: House) -> None:
    """A form sent again after a change of mind must not be taken for its repeat: it says something else."""
    house = sqlite_house
    subject = family(house)
    body = {"id": str(uuid4()), "kind": "withdrawal", "actual_at": iso(house.now), "scope": ["texts"]}
    door = f"/subjects/{subject['id']}/events"
    assert [house.nurse.post(door, body).status_code for _ in range(2)] == [201, 200]
    whole = {name: value for name, value in body.items() if name != "scope"}
    again = house.nurse.post(door, whole)
    assert again.status_code == 409, again.text
    assert event(house, subject, "withdrawal")["scope"] == ["texts"]


# --- Altogether ------------------------------------------------------------------------------------------------


def test_who_has_left_is_sent_nothing_and_asked_nothing(sqlite_house: House) -> None:
    house = sqlite_house
    subjects = dict(zip(ENDINGS, families(house, len(ENDINGS)), strict=True))
    for kind, subject in subjects.items():
        door = f"/visits/{visit(house, subject, 'V8')['id']}/appointment"
        assert house.nurse.put(door, {"at": z(2026, 3, 5, 10)}).status_code == 200
        leave(house, subject, kind)
        stands = read(house, subject)
        assert (stands["status"], stands["ended_at"]) == (ENDINGS[kind], z(2026, 3, 2, 9))
        listed = house.nurse.get(f"/subjects?status={ENDINGS[kind]}").json["items"]
        assert [one["id"] for one in listed] == [subject["id"]]
        open_ones = {"open", "due", "overdue", "not_yet", "not_dated"}
        assert {one["status"] for one in calendar(house, subject)} & open_ones == set()
        code = house.nurse.post(f"/subjects/{subject['id']}/activation-codes", {"for": "patient"})
        assert refused(code) == (409, "subject_ended")
    assert house.nurse.get("/subjects?status=follow_up").json["items"] == []
    house.turn(minutes=1)
    for when in (None, (2, 15, 26), (3, 7, 0), (4, 7, 0), (5, 7, 0)):
        if when:
            house.to(2026, 3, *when)
        sent = house.work()
        assert [to(n, sent) for n in range(len(ENDINGS))] == [[]] * len(ENDINGS)
        assert [one for one in sent if one["lane"] == "page"] == []


def test_taken_back_everything_is_as_before(sqlite_house: House) -> None:
    house = sqlite_house
    subjects = families(house, len(ENDINGS))
    before = [calendar(house, subject) for subject in subjects]
    for kind, subject in zip(ENDINGS, subjects, strict=True):
        leave(house, subject, kind)
    house.turn(minutes=1)
    sent = house.work()
    assert [to(n, sent) for n in range(len(ENDINGS))] == [[]] * len(ENDINGS)
    for kind, subject in zip(ENDINGS, subjects, strict=True):
        assert correct(house, subject, kind, void=True).status_code == 200
        assert [read(house, subject)[name] for name in ("status", "ended_at")] == ["follow_up", None]
    assert [calendar(house, subject) for subject in subjects] == before
    house.turn(minutes=1)
    sent = house.work()
    assert [to(n, sent) for n in range(len(ENDINGS))] == [["nudge"]] * len(ENDINGS)
    house.to(2026, 3, 3, 7)
    sent = house.work()
    assert [to(n, sent) for n in range(len(ENDINGS))] == [["diary_and_visit_today"]] * len(ENDINGS)


def test_a_partial_withdrawal_taken_back_brings_the_texts_again(sqlite_house: House) -> None:
    house = sqlite_house
    subject = family(house)
    leave(house, subject, "withdrawal", scope=["texts"])
    house.turn(minutes=1)
    assert told(house.work()) == []
    assert correct(house, subject, "withdrawal", void=True).status_code == 200
    house.turn(minutes=1)
    assert told(house.work()) == NUDGE


def test_facts_from_before_may_still_be_written_and_none_from_after(sqlite_house: House) -> None:
    house = sqlite_house
    subject = family(house)
    leave(house, subject, "death")
    house.turn(hours=5)
    assert send(house, subject, "admission", actual_at=ago(house, days=1)).status_code == 201
    assert refused(send(house, subject, "discharge", actual_at=ago(house, hours=1))) == (409, "subject_ended")
    assert refused(send(house, subject, "completion", actual_at=house.now)) == (409, "subject_ended")
    assert house.nurse.get("/ward").json["items"] == []  # nobody lies in a bed of the ward any more
    assert read(house, subject)["status"] == "died"


def test_who_was_never_infused_withdraws_and_does_not_complete(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.enrol()
    assert read(house, subject)["status"] == "screening"
    assert faults(send(house, subject, "completion", actual_at=house.now)) == [("/kind", "out_of_order")]
    leave(house, subject, "withdrawal")
    assert read(house, subject)["status"] == "withdrawn"
    assert correct(house, subject, "withdrawal", void=True).status_code == 200
    assert read(house, subject)["status"] == "screening"


# --- What is on its way ----------------------------------------------------------------------------------------


def queue(house: House, *, claim: Any = None) -> None:
    """The planner's turn without the sender's; one account's text already in a sender's hand, its call not begun."""
    with house.app.app_context():
        planner.plan(house.now)
        if claim is None:
            return
        with transaction():
            wanted = sa.select(Message).where(Message.key.startswith("day:"), Message.account_id == claim)
            message = db.session.scalars(wanted).one()
            assert outbox.move(message, "claimed", origin="worker", now=house.now)
            message.lease_owner, message.lease_until = "sender", ago(house, minutes=-1)


def test_what_waits_or_is_claimed_is_cancelled_in_the_same_transaction(house: House) -> None:
    """Of each family one text waits and the other is in a sender's hand; left, no texts, admitted."""
    reasons = {"death": "left", "withdrawal": "left", "admission": "admitted"}
    subjects = families(house, len(reasons))
    patients = [house.patient_of(subject) for subject in subjects]
    house.to(2026, 3, 3, 7)
    for patient in patients:
        queue(house, claim=patient.id)
    for (kind, reason), subject in zip(reasons.items(), subjects, strict=True):
        assert sorted(one.state for one in reminders(house, subject)) == ["claimed", "pending"]
        leave(house, subject, kind, **({"scope": ["texts"]} if kind == "withdrawal" else {}))
        assert [(one.state, one.reason) for one in reminders(house, subject)] == [("cancelled", reason)] * 2
        listed = house.nurse.get(f"/messages?subject_id={subject['id']}&lane=reminder").json["items"]
        assert [(one["state"], one["reason"]) for one in listed] == [("cancelled", reason)] * 2
        cancelled = [[row["origin"] for row in one["receipts"] if row["state"] == "cancelled"] for one in listed]
        assert cancelled == [["staff"], ["staff"]]
    for _ in range(3):
        house.turn(minutes=2)  # past the sender's lease
        sent = house.work()
        assert [to(n, sent) for n in range(len(subjects))] == [[]] * len(subjects)


@pytest.mark.parametrize("kind", ["death", "admission"])
def test_taken_back_the_same_morning_the_text_still_goes_out(sqlite_house: House, kind: str) -> None:
    """Recorded for the wrong subject and put right at once: that family is still told about its day."""
    house = sqlite_house
    subject = family(house)
    house.to(2026, 3, 3, 7)
    queue(house)
    leave(house, subject, kind)
    assert {one.state for one in reminders(house, subject)} == {"cancelled"}
    house.turn(minutes=5)
    assert correct(house, subject, kind, void=True).status_code == 200
    house.turn(minutes=1)
    assert told(house.work()) == both("diary_and_visit_today")


def two_families(house: House) -> Subject:
    """Li Na cares for two people, infused on 23 February: on 3 March, day 8, only the diary is owed. The first."""
    first = family(house, days_ago=7, number="001")
    second = house.infused(days_ago=7, number="002", contact={"name": "Zhao", "phone": "13600136000"})
    carer = house.nurse.get(f"/subjects/{first['id']}/carers").json["items"][0]["account_id"]
    code = house.nurse.post(f"/subjects/{second['id']}/activation-codes", {"for": "carer", "account_id": carer})
    assert code.status_code == 201, code.text
    return first


@pytest.mark.parametrize("queued", [False, True])
def test_a_carer_of_two_is_still_told_about_the_one_who_stays(sqlite_house: House, queued: bool) -> None:
    """Even if the text that spoke of both was waiting when one of them left."""
    house = sqlite_house
    first = two_families(house)
    if not queued:
        leave(house, first, "death")
    house.to(2026, 3, 3, 7)
    if queued:
        queue(house)
        leave(house, first, "death")
        house.turn(minutes=1)
    assert told(house.work(), PATIENT, CARER, OTHER_PATIENT) == [(OTHER_PATIENT, "diary_today"), (CARER, "diary_today")]
