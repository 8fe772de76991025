"""Mainland China: how many texts a number gets in a day, what is held back for it, and that no two are the same."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from house import House, Person

from backend import audit
from backend.db import db, transaction
from backend.models.outbox import Message
from backend.models.people import Account, SubjectLink
from backend.models.study import Site
from notifications.gateways.base import Outcome, Outgoing, accepted, refused, unknown
from notifications.worker import send_all
from tests.channels.conftest import Ways, move_site, report_fever, with_a_patient
from tests.notifications import outbox_builders as build
from tests.test_main_thread import rota
from tests.trial.desk import CARER, PATIENT, calendar, z

FURNISH = with_a_patient  # of `quick`; the others begin with the team alone
FEVER = {"temp_c": 38.9, "chills": 3}
DAY = timedelta(hours=24)


def quiet_rota(house: House) -> None:
    """Two on duty for ten days, so that no text tells of a gap."""
    rota(house, ("on_call", "doctor", -1, 240), ("backup", "backup", -1, 240))


def reporter(house: House, subject: dict[str, Any], relation: str = "patient") -> UUID:
    wanted = sa.select(SubjectLink.account_id).where(
        SubjectLink.subject_id == UUID(subject["id"]), SubjectLink.relation == relation
    )
    return UUID(str(house.rows(wanted)[0]))


def text(
    house: House, account_id: UUID, count: int = 1, about: Any = None, **over: Any
) -> list[tuple[str, str | None]]:
    """So many texts to somebody, one after the other; what became of each."""
    keys = [uuid4().hex for _ in range(count)]
    for key in keys:
        with house.app.app_context(), transaction():
            account = db.session.get_one(Account, account_id)
            said: dict[str, Any] = {"template": "nudge" if about else "digest", "variables": {"day": "2026-03-02"}}
            said |= {"subject_id": UUID(about["id"]) if about else None, "key": key}
            build.message(account, db.session.get_one(Site, house.site_id), **{**said, **over})
        with house.app.app_context(), audit.acting(audit.WORKER):
            for lane in ("page", "reminder"):
                send_all(house.gateway, lane)
        house.turn(seconds=1)
    states = {row.key: (row.state, row.reason) for row in house.rows(sa.select(Message).where(Message.key.in_(keys)))}
    return [states[key] for key in keys]


GONE, HELD = ("accepted", None), ("suppressed", "budget")
PAGE = {"lane": "page", "template": "page", "variables": {"number": 4821, "time": "09:00"}}


# --- How many --------------------------------------------------------------------------------------------------


def test_the_fifth_text_to_a_patient_is_held_back(house: House) -> None:
    quiet_rota(house)
    subject = house.enrol()
    assert text(house, reporter(house, subject), 6, subject) == [GONE] * 4 + [HELD] * 2
    assert sum(one["to"] == PATIENT for one in house.gateway.sent) == 4


def test_on_the_number_of_staff_half_is_kept_for_pages(house: House) -> None:
    quiet_rota(house)
    assert text(house, house.chief.id, 4) == [GONE] * 2 + [HELD] * 2
    assert text(house, house.chief.id, 2, **PAGE) == [GONE] * 2, "the room was for these"


def test_pages_take_the_room_of_reminders(sqlite_house: House) -> None:
    house = sqlite_house
    quiet_rota(house)
    assert text(house, house.chief.id, 2, **PAGE) == [GONE] * 2
    assert text(house, house.chief.id) == [HELD]


def test_a_page_is_never_held_back(sqlite_house: House) -> None:
    house = sqlite_house
    quiet_rota(house)
    assert text(house, house.doctor.id, 12, **PAGE) == [GONE] * 12


def test_elsewhere_nobody_counts(sqlite_house: House) -> None:
    house = sqlite_house
    quiet_rota(house)
    house.abroad()
    subject = house.enrol()
    assert text(house, reporter(house, subject), 9, subject) == [GONE] * 9
    assert text(house, house.chief.id, 6) == [GONE] * 6


def test_a_day_later_there_is_room_again(sqlite_house: House) -> None:
    """It is a day, not a date: midnight does not count."""
    house = sqlite_house
    quiet_rota(house)
    subject = house.enrol()
    who = reporter(house, subject)
    for hour in (9, 12, 15, 18):
        house.to(2026, 3, 2, hour, 0)
        assert text(house, who, 1, subject) == [GONE]
    house.to(2026, 3, 3, 8, 59)
    assert text(house, who, 1, subject) == [HELD]
    house.to(2026, 3, 3, 9, 1)
    assert text(house, who, 2, subject) == [GONE, HELD]
    house.to(2026, 3, 3, 12, 1)
    assert text(house, who, 2, subject) == [GONE, HELD]


def test_two_accounts_with_one_number_count_together(house: House) -> None:
    quiet_rota(house)
    first, second = house.enrol(number="001"), house.enrol(number="002")
    one, other = reporter(house, first), reporter(house, second)
    assert one != other
    assert text(house, one, 3, first) == [GONE] * 3
    assert text(house, other, 3, second) == [GONE, HELD, HELD]
    assert text(house, one, 1, first) == [HELD]


def test_another_number_has_its_own(sqlite_house: House) -> None:
    house = sqlite_house
    quiet_rota(house)
    first = house.enrol(number="001")
    second = house.enrol(number="002", contact={"name": "Li Na", "phone": CARER})
    assert text(house, reporter(house, first), 5, first)[-1] == HELD
    assert text(house, reporter(house, second), 4, second) == [GONE] * 4


def test_a_patients_reminders_leave_room_on_the_number_of_somebody_who_is_paged(sqlite_house: House) -> None:
    """Somebody on duty who is a carer too, with the one telephone they have: the room is the number's."""
    quiet_rota(sqlite_house)
    subject = sqlite_house.enrol(contact={"name": "Li Na", "phone": sqlite_house.doctor.phone})
    assert text(sqlite_house, reporter(sqlite_house, subject), 3, subject) == [GONE, GONE, HELD]


def answering(house: House, monkeypatch: pytest.MonkeyPatch, *outcomes: Outcome) -> list[Outgoing]:
    """What the gateway says to the next calls, then that it takes them; what it was given."""
    told, given = list(outcomes), []

    def send(outgoing: Outgoing) -> Outcome:
        given.append(outgoing)
        return told.pop(0) if told else accepted(uuid4().hex, 1)

    monkeypatch.setattr(house.gateway, "send", send)
    return given


def test_what_never_went_does_not_count_and_what_may_have_gone_does(
    sqlite_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = sqlite_house
    quiet_rota(house)
    subject = house.enrol()
    who = reporter(house, subject)
    answering(house, monkeypatch, refused("21614"), refused("21614"), unknown("timeout"))
    found = text(house, who, 7, subject)
    assert [state for state, _ in found] == [
        "failed", "failed", "unknown", "accepted", "accepted", "accepted", "suppressed"
    ]  # fmt: skip


def test_receipts_that_come_late_and_again_are_no_texts(quick: Ways) -> None:
    """Twilio tells of one text several times, and out of order: it stays one text."""
    house = quick.house
    quick.set("sms", "twilio")
    subject = house.enrol(number="002", contact={"name": "Li Na", "phone": CARER})
    with house.app.app_context(), transaction():
        account = db.session.get_one(Account, reporter(house, subject))
        build.message(account, db.session.get_one(Site, house.site_id), template="nudge", key="first",
                      variables={"day": "2026-03-02"}, subject_id=UUID(subject["id"]))  # fmt: skip
    [one] = [one for one in quick.called() if one.to == CARER]
    for state in ("delivered", "sent", "sending", "queued", "queued"):
        quick.twilio.tell(one, state)
    quick.set("sms", "console")
    found = text(house, reporter(house, subject), 4, subject, template="diary_today")
    assert found == [GONE] * 3 + [HELD]


def test_other_ways_are_no_texts(quick: Ways) -> None:
    house = quick.house
    quiet_rota(house)
    quick.set("voice", "console", 2)
    quick.set("sms", "console", 1)
    assert text(house, house.chief.id, 5, medium="voice", **PAGE) == [GONE] * 5
    assert text(house, house.chief.id, 2) == [GONE] * 2


# --- A page whose number is used up ----------------------------------------------------------------------------


def ways_with(quick: Ways) -> House:
    """Texts first, calls second, a robot beside the calls."""
    quick.set("sms", "console", 1)
    quick.set("voice", "console", 2)
    quick.robot("wecom", 2)
    return quick.house


def media_of(house: House, who: Person, template: str = "page") -> list[str]:
    wanted = sa.select(Message).where(Message.template == template, Message.account_id == who.id)
    return sorted(row.medium for row in house.rows(wanted.where(Message.episode_id.is_not(None))))


def paged(quick: Ways) -> None:
    house = quick.house
    report_fever(house)
    quick.turn()


@pytest.mark.parametrize(("before", "media"), [(3, ["sms"]), (4, ["sms", "voice", "wecom"])])
def test_a_page_that_is_one_too_many_takes_every_way_at_once(quick: Ways, before: int, media: list[str]) -> None:
    house = ways_with(quick)
    text(house, house.doctor.id, before, **PAGE)
    paged(quick)
    assert media_of(house, house.doctor) == media
    assert media_of(house, house.backup) == ["sms"], "whose texts are not used up"
    states = {row.state for row in quick.rows(Message.episode_id.is_not(None))}
    assert states == {"accepted"}, "the text is not held back either"


def test_so_does_one_that_is_overdue(quick: Ways) -> None:
    house = ways_with(quick)
    paged(quick)
    text(house, house.doctor.id, 3, **PAGE)
    episode = house.doctor.get("/episodes").json["items"][0]["id"]
    seen = house.doctor.get(f"/episodes/{episode}").json["last_seq"]
    body = {"id": str(uuid4()), "kind": "accepted", "seen_signal_seq": seen}
    assert house.doctor.post(f"/episodes/{episode}/acknowledgements", body).status_code == 201
    quick.turn(minutes=16)
    assert media_of(house, house.doctor, "contact_overdue") == ["sms", "voice", "wecom"]


def test_elsewhere_a_page_keeps_to_its_channel(quick: Ways) -> None:
    house = ways_with(quick)
    move_site(house, "DE")
    text(house, house.doctor.id, 8, **PAGE)
    paged(quick)
    assert media_of(house, house.doctor) == ["sms"]


def test_a_page_that_was_sent_twice_has_cost_two_texts(quick: Ways, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two pages whose first answer was lost: four texts on that number, so the next page takes every way."""
    house = ways_with(quick)
    given = answering(house, monkeypatch, unknown("500"), accepted("1"), unknown("500"), accepted("2"))
    text(house, house.doctor.id, 2, **PAGE)
    assert len(given) == 4
    paged(quick)
    assert media_of(house, house.doctor) == ["sms", "voice", "wecom"]


# --- No two the same -------------------------------------------------------------------------------------------


class Carrier:
    """Remembers every text by number; what it is told to lose the answer of, it has taken all the same."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch, lost: float = 0.0) -> None:
        self.said: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
        self._house, self._lost, self._chance = house, lost, Random(11)
        monkeypatch.setattr(house.gateway, "send", self._send)

    def _send(self, outgoing: Outgoing) -> Outcome:
        if outgoing.medium == "sms":
            self.said[outgoing.to].append((self._house.now, outgoing.text()))
        return unknown("timeout") if self._chance.random() < self._lost else accepted(uuid4().hex, 1)

    def repeats(self) -> list[str]:
        """Texts that a number got a second time within a day."""
        return [
            f"{words} at {at:%d %H:%M:%S} and {later:%d %H:%M:%S}"
            for got in self.said.values()
            for n, (at, words) in enumerate(got)
            for later, again in got[n + 1 :]
            if again == words and later - at < DAY
        ]


def a_week(house: House, patients: Sequence[Person]) -> None:
    """Mornings, nudges, two emergencies that nobody accepts for a while, and something worse within a minute."""
    start = house.now.replace(hour=0, minute=0)
    for day in range(7):
        for hour in (7, 10, 21):
            at = start + timedelta(days=day, hours=hour - 8)
            if at > house.now:
                house.time.at = at
                house.work()
        if day in (1, 4):
            trouble(house, patients[day % len(patients)])
        settle(house)


def trouble(house: House, patient: Person) -> None:
    assert house.report(patient, FEVER).status_code == 201
    house.work()
    for seconds, answers in ((20, {"temp_c": 39.6, "confused": 2}), (25, {"temp_c": 40.4, "faint": "yes"})):
        house.turn(seconds=seconds)
        house.report(patient, {**FEVER, **answers})
        house.work()
    for minutes in (5, 5, 5, 15):
        house.turn(minutes=minutes)
        house.work()


def settle(house: House) -> None:
    """The doctor has seen whoever was paged about, and closes it."""
    for one in house.doctor.get("/episodes").json["items"]:
        if one["state"] == "closed":
            continue
        body = {"id": str(uuid4()), "kind": "seen", "seen_signal_seq": one["last_seq"]}
        assert house.doctor.post(f"/episodes/{one['id']}/acknowledgements", body).status_code == 201
        version = house.doctor.get(f"/episodes/{one['id']}").headers["ETag"]
        closing = {"outcome": "crs", "crs_grade": 1, "note": "fever only"}
        answer = house.doctor.post(f"/episodes/{one['id']}/close", closing, **{"If-Match": version})
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(("country", "lost"), [("CN", 0.0), ("DE", 0.3)])
def test_a_week_in_which_no_text_is_said_twice(
    sqlite_house: House, monkeypatch: pytest.MonkeyPatch, country: str, lost: float
) -> None:
    house = sqlite_house
    move_site(house, country)
    first = house.patient_of(house.infused(days_ago=6, number="001"))
    second = house.patient_of(
        house.infused(days_ago=20, number="002", locale="zh-CN", contact={"name": "Li Na", "phone": CARER})
    )
    carrier = Carrier(house, monkeypatch, lost)
    rota(house, ("on_call", "doctor", -1, 100), ("backup", "backup", -1, 240))
    a_week(house, (first, second))
    assert sum("still open" in words for _, words in carrier.said[PATIENT]) >= 3, "nudges"
    assert sum("today" in words for _, words in carrier.said[PATIENT]) >= 6, "mornings"
    assert len(carrier.said[CARER]) >= 4
    assert len(carrier.said[house.doctor.phone]) >= 10, "pages, their repeats and new rounds"
    assert carrier.repeats() == []


def test_a_family_with_one_telephone(sqlite_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mother and child, one number, two accounts: in the morning it is not told the same twice."""
    house = sqlite_house
    quiet_rota(house)
    carrier = Carrier(house, monkeypatch)
    subject = house.infused(days_ago=6)
    house.patient_of(subject)
    house.patient_of(subject, "carer", carer={"name": "Li Na", "phone": PATIENT, "locale": "en"})
    house.to(2026, 3, 3, 7, 0)
    house.work()
    assert carrier.said[PATIENT], "there was a text that morning"
    assert carrier.repeats() == []


def test_a_visit_moved_within_its_day(sqlite_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text of seven o'clock said it already; said again in the same words it would be refused."""
    house = sqlite_house
    quiet_rota(house)
    carrier = Carrier(house, monkeypatch)
    subject = house.infused(days_ago=6)
    house.patient_of(subject)
    house.to(2026, 3, 3, 6, 50)
    planned = next(one for one in calendar(house, subject) if one.get("target_on") == "2026-03-03")
    match: dict[str, str] = {}
    for hour in (10, 15):
        body = {"at": z(2026, 3, 3, hour), "reason": "asked"}
        agreed = house.nurse.put(f"/visits/{planned['id']}/appointment", body, **match)
        match = {"If-Match": agreed.headers["ETag"]}
        assert agreed.status_code == 200, agreed.text
        house.to(2026, 3, 3, 7 + (hour > 12), 0)
        house.work()
    assert any("appointment today" in words for _, words in carrier.said[PATIENT])
    assert carrier.repeats() == []
