"""A stay in hospital by doors: slots rest, rounds are a grid, passes and transfers, who is paged meanwhile."""

from datetime import timedelta
from uuid import uuid4

import pytest
from house import House, Person, iso

from backend.models.safety import Episode
from tests.trial.desk import (
    CARER,
    LI_NA,
    PATIENT,
    Subject,
    ago,
    at,
    correct,
    faults,
    fever,
    read,
    refused,
    round_of,
    send,
    signals,
    slots,
    told,
    z,
)

import sqlalchemy as sa  # isort: skip


@pytest.fixture
def stay(sqlite_house: House) -> tuple[House, Subject, Person]:
    """Infused on 26 February at 09:00: 2 March is day 4. A patient with a phone, a carer with one."""
    house = sqlite_house
    subject = house.infused(days_ago=4)
    patient = house.patient_of(subject)
    house.patient_of(subject, "carer", carer=LI_NA)
    return house, subject, patient


def bed(house: House) -> list[tuple[str, str, str | None, str | None]]:
    return [
        (one["subject_number"], one["since"], one["place"], one["away_since"])
        for one in house.monitor.get("/ward").json["items"]
    ]


def grid(house: House, subject: Subject, query: str = "") -> list[tuple[str, dict[str, object]]]:
    items = house.monitor.get(f"/subjects/{subject['id']}/rounds{query}").json["items"]
    assert {one["form"] for one in items} <= {"ward"}
    return [(one["at"], one["answers"]) for one in items]


# --- Slots and reminders ---------------------------------------------------------------------------------------


def test_admission_rests_the_slots_and_nothing_is_texted(stay: tuple[House, Subject, Person]) -> None:
    house, subject, _ = stay
    assert house.event(subject, "admission", actual_at=house.now, place="ward")["stored"]
    assert read(house, subject)["admitted"]
    # 07:00 fell due before the admission, and is late by now; the rest of the day is the ward's.
    rest = [("12:00", "excused", "admitted"), ("17:00", "excused", "admitted"), ("21:30", "excused", "admitted")]
    assert slots(house, subject, 4) == [("07:00", "overdue", None), *rest]
    assert {one[1:] for one in slots(house, subject, 9)} == {("excused", "admitted")}
    for when in ((2, 13, 5), (2, 18, 5), (3, 7, 0), (3, 8, 5), (4, 7, 0)):
        house.to(2026, 3, *when)
        assert told(house.work()) == []
    assert signals(house, subject) == []  # nobody is silent in the ward


def test_a_slot_due_at_the_very_instant_of_admission_or_discharge(sqlite_house: House) -> None:
    """In the ward is [admission, discharge): at 12:00 sharp admitted is excused, at 17:00 sharp discharged is due."""
    house = sqlite_house
    subject = house.infused(days_ago=4)
    house.to(2026, 3, 2, 18)
    house.event(subject, "admission", actual_at=at(2026, 3, 2, 12))
    house.event(subject, "discharge", actual_at=at(2026, 3, 2, 17))
    assert [one[2] for one in slots(house, subject, 4)] == [None, "admitted", None, None]


def test_discharge_restarts_the_slots_and_the_texts(stay: tuple[House, Subject, Person]) -> None:
    house, subject, _ = stay
    house.event(subject, "admission", actual_at=house.now)
    house.to(2026, 3, 4, 10)
    house.event(subject, "discharge", actual_at=house.now)
    assert not read(house, subject)["admitted"]
    assert bed(house) == []
    assert slots(house, subject, 6) == [
        ("07:00", "excused", "admitted"),
        ("12:00", "not_yet", None),
        ("17:00", "not_yet", None),
        ("21:30", "not_yet", None),
    ]
    house.to(2026, 3, 4, 13, 5)  # an hour and more after 12:00
    assert told(house.work()) == [(CARER, "nudge"), (PATIENT, "nudge")]
    house.to(2026, 3, 5, 7)
    # Day 7 is planned for 5 March: V8 today.
    assert told(house.work()) == [(CARER, "diary_and_visit_today"), (PATIENT, "diary_and_visit_today")]


def test_readmission_is_a_second_stay(stay: tuple[House, Subject, Person]) -> None:
    house, subject, _ = stay
    house.event(subject, "admission", actual_at=house.now)
    house.to(2026, 3, 3, 10)
    house.event(subject, "discharge", actual_at=house.now)
    house.to(2026, 3, 4, 20)
    house.event(subject, "admission", actual_at=at(2026, 3, 4, 15), place="intensive_care")
    assert bed(house) == [("001", z(2026, 3, 4, 15), "intensive_care", None)]
    assert [one[2] for one in slots(house, subject, 5)] == ["admitted", None, None, None]
    assert [one[2] for one in slots(house, subject, 6)] == [None, None, "admitted", "admitted"]
    assert read(house, subject)["admitted"]


def test_a_night_pass_expects_reports_and_the_return_rests_them_again(stay: tuple[House, Subject, Person]) -> None:
    house, subject, _ = stay
    house.event(subject, "admission", actual_at=house.now, place="ward")
    house.to(2026, 3, 3, 15)
    house.event(subject, "pass", actual_at=house.now)
    assert not read(house, subject)["admitted"]
    assert bed(house) == [("001", z(2026, 3, 2, 9), "ward", z(2026, 3, 3, 15))]
    assert [one[2] for one in slots(house, subject, 5)] == ["admitted", "admitted", None, None]
    house.to(2026, 3, 3, 18, 1)  # 17:00 is late, out on a pass as at home
    assert told(house.work()) == [(CARER, "nudge"), (PATIENT, "nudge")]
    house.to(2026, 3, 4, 7)
    assert told(house.work())
    house.to(2026, 3, 4, 9)
    house.event(subject, "return", actual_at=house.now)
    assert read(house, subject)["admitted"]
    assert bed(house) == [("001", z(2026, 3, 2, 9), "ward", None)]
    assert [one[2] for one in slots(house, subject, 6)] == [None, "admitted", "admitted", "admitted"]
    for when in ((4, 13, 5), (5, 7, 0), (5, 8, 5)):
        house.to(2026, 3, *when)
        assert told(house.work()) == []


@pytest.mark.parametrize("minutes_ahead", [0, 4])
def test_a_ward_clock_a_little_ahead_does_not_keep_anybody_in_bed(
    stay: tuple[House, Subject, Person], minutes_ahead: int
) -> None:
    """The doors take a clock up to five minutes ahead: the subject is in hospital when that minute has come."""
    house, subject, _ = stay
    house.event(subject, "admission", actual_at=ago(house, minutes=-minutes_ahead))
    house.turn(minutes=10)
    assert read(house, subject)["admitted"]
    house.event(subject, "discharge", actual_at=ago(house, minutes=-minutes_ahead))
    house.turn(minutes=10)
    assert not read(house, subject)["admitted"]
    assert bed(house) == []
    house.to(2026, 3, 3, 7)
    # Day 5 is planned for 3 March: V7 today.
    assert told(house.work()) == [(CARER, "diary_and_visit_today"), (PATIENT, "diary_and_visit_today")]


# --- Rounds and places -----------------------------------------------------------------------------------------


def test_rounds_are_entries_of_the_ward_newest_first(house: House) -> None:
    subject = house.infused(days_ago=4)
    house.event(subject, "admission", actual_at=house.now, place="ward")
    first = {"temp_c": 36.9, "temp_site": "ear", "sbp": 118, "dbp": 76, "hr": 80, "spo2": 97, "ice_score": 10}
    stored = round_of(house, subject, **first, consciousness="awake")
    assert (stored.status_code, stored.json["signals"], stored.json["entry"]["source"]) == (201, [], "ward")
    house.turn(hours=4)
    assert round_of(house, subject, by="doctor", temp_c=37.1, temp_site="ear", hr=84).status_code == 201
    house.turn(minutes=5)
    late = round_of(house, subject, hr=81, over={"measured_at": ago(house, hours=2), "entered_at": house.now})
    assert late.status_code == 201, late.text
    assert [when for when, _ in grid(house, subject)] == [z(2026, 3, 2, 13), z(2026, 3, 2, 11, 5), z(2026, 3, 2, 9)]
    oldest = grid(house, subject)[2][1]
    assert {name: str(value) for name, value in oldest.items()} == {
        **{name: str(value) for name, value in first.items()},
        "consciousness": "awake",
    }
    assert grid(house, subject, f"?from={z(2026, 3, 2, 11)}&to={z(2026, 3, 2, 13)}")[0][0] == z(2026, 3, 2, 11, 5)
    assert len(grid(house, subject, "?limit=1")) == 1
    (listed,) = house.monitor.get("/ward").json["items"]
    assert (listed["last_round"]["at"], float(listed["last_round"]["answers"]["hr"])) == (z(2026, 3, 2, 13), 84)
    assert house.stranger.get("/ward").json["items"] == []
    assert refused(house.stranger.get(f"/subjects/{subject['id']}/rounds")) == (404, "not_found")
    assert refused(house.admin.get("/ward")) == (403, "forbidden")


def test_the_ward_form_is_for_staff_and_no_report(stay: tuple[House, Subject, Person]) -> None:
    house, subject, patient = stay
    body = {"form": "ward", "answers": {"temp_c": 36.5, "temp_site": "ear"}}
    own = patient.put(f"/me/entries/{uuid4()}", {**_from_phone(house, patient), **body})
    assert own.status_code == 422, own.text
    assert grid(house, subject) == []
    house.event(subject, "admission", actual_at=house.now)
    assert round_of(house, subject, temp_c=36.5, temp_site="ear").status_code == 201
    assert [one[1] for one in slots(house, subject, 4)][1:] == ["excused"] * 3  # a round fills no slot


def _from_phone(house: House, patient: Person) -> dict[str, object]:
    now = iso(house.now)
    times = {"measured_at": now, "entered_at": now, "sent_at": now, "time_zone": "Asia/Shanghai"}
    return {"revision": 1, "slot_id": None, "reporter": patient.role, **times}


def test_to_intensive_care_and_back(stay: tuple[House, Subject, Person]) -> None:
    house, subject, _ = stay
    house.event(subject, "admission", actual_at=house.now, place="ward")
    assert bed(house) == [("001", z(2026, 3, 2, 9), "ward", None)]
    for place in ("intensive_care", "ward"):
        house.turn(hours=6)
        house.event(subject, "transfer", actual_at=house.now, place=place)
        assert bed(house) == [("001", z(2026, 3, 2, 9), place, None)]
        assert {one[2] for one in slots(house, subject, 5)} == {"admitted"}
    # The second transfer never happened.
    assert correct(house, subject, "transfer", void=True).status_code == 200
    assert bed(house) == [("001", z(2026, 3, 2, 9), "intensive_care", None)]
    house.turn(hours=1)
    house.event(subject, "discharge", actual_at=house.now)
    house.turn(hours=1)
    house.event(subject, "admission", actual_at=house.now)
    assert bed(house)[0][2] is None  # a new stay does not remember the old place


# --- Who is paged ----------------------------------------------------------------------------------------------


def levels(house: House, subject: Subject) -> list[tuple[str, str, str | None]]:
    return [(row.found_level, row.level, row.held_because) for row in signals(house, subject)]


def test_urgent_in_hospital_goes_to_the_worklist_and_pages_again_after_discharge(
    stay: tuple[House, Subject, Person],
) -> None:
    house, subject, patient = stay
    house.event(subject, "admission", actual_at=house.now, place="ward")
    house.turn(minutes=30)
    answer = round_of(house, subject, temp_c=38.3, temp_site="ear")
    assert answer.status_code == 201, answer.text
    assert levels(house, subject) == [("URGENT", "REVIEW", "in_hospital")]
    (episode,) = house.rows(sa.select(Episode))
    assert episode.level == "REVIEW"
    assert house.pages() == []
    house.turn(hours=2)
    assert house.pages() == []
    house.event(subject, "discharge", actual_at=house.now)
    house.turn(hours=1)
    taken = fever(house, patient, 38.5)
    assert ("R11", "URGENT") in [(one["rule"], one["level"]) for one in taken["signals"]]
    assert taken["page"] == "queued"
    assert house.pages()
    assert house.rows(sa.select(Episode))[0].level == "EMERGENCY"  # two fevers an hour apart (R10)


def test_an_emergency_in_hospital_pages(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.infused(days_ago=4)
    house.event(subject, "admission", actual_at=house.now, place="ward")
    answer = round_of(house, subject, sbp=82, dbp=50, hr=118, consciousness="unrousable", ice_score=2)
    assert answer.status_code == 201, answer.text
    assert "EMERGENCY" in {level for _, level, _ in levels(house, subject)}
    assert {held for found, _, held in levels(house, subject) if found == "EMERGENCY"} == {None}
    assert house.pages()


def test_urgent_on_a_pass_pages_as_at_home(stay: tuple[House, Subject, Person]) -> None:
    house, subject, patient = stay
    house.event(subject, "admission", actual_at=house.now)
    house.turn(hours=1)
    house.event(subject, "pass", actual_at=house.now)
    house.turn(hours=1)
    assert fever(house, patient, 38.3)["page"] == "queued"
    assert house.pages()


# --- What cannot have happened ---------------------------------------------------------------------------------


IMPOSSIBLE: list[tuple[tuple[str, ...], str, int]] = [
    ((), "discharge", 1),
    ((), "pass", 1),
    ((), "return", 1),
    (("admission",), "admission", 1),
    (("admission",), "return", 1),
    (("admission",), "discharge", -1),  # an hour before the admission
    (("admission",), "pass", -1),
    (("admission", "pass"), "pass", 1),
    (("admission", "pass", "return"), "return", 1),
    (("admission", "discharge"), "discharge", 1),
    (("admission", "discharge"), "pass", 1),
]


def test_an_impossible_order_is_refused(sqlite_house: House) -> None:
    """An hour after the last of the events that stand, or an hour before the first of them."""
    house = sqlite_house
    now = house.now
    for n, (kinds, then, later) in enumerate(IMPOSSIBLE):
        subject = house.infused(days_ago=4, number=f"{n:03}")
        first = now - timedelta(hours=20)
        for hours, kind in enumerate(kinds):
            house.event(subject, kind, actual_at=first + timedelta(hours=hours))
        when = first + timedelta(hours=len(kinds)) if later > 0 else first - timedelta(hours=1)
        assert faults(send(house, subject, then, actual_at=when)) == [("/actual_at", "out_of_order")], (kinds, then)


def test_a_transfer_needs_a_place_and_a_bed(stay: tuple[House, Subject, Person]) -> None:
    house, subject, _ = stay
    nowhere = send(house, subject, "transfer", actual_at=house.now, place="ward")
    assert faults(nowhere) == [("/actual_at", "out_of_order")]
    house.event(subject, "admission", actual_at=house.now)
    house.turn(hours=1)
    assert faults(send(house, subject, "transfer", actual_at=house.now)) == [("/place", "required")]
    assert faults(send(house, subject, "transfer", actual_at=house.now, place="hotel")) == [("/place", "not_allowed")]
    assert faults(send(house, subject, "discharge", actual_at=house.now, place="ward")) == [("/place", "not_allowed")]


def test_a_stay_cannot_begin_after_it_ended(stay: tuple[House, Subject, Person]) -> None:
    """A correction is held to the same order: the admission of a stay that has ended stays before its end."""
    house, subject, _ = stay
    house.event(subject, "admission", actual_at=ago(house, days=2))
    house.event(subject, "discharge", actual_at=ago(house, days=1))
    answer = correct(house, subject, "admission", actual_at=ago(house, hours=2))
    assert faults(answer) == [("/actual_at", "out_of_order")]
    assert not read(house, subject)["admitted"]


def test_an_admission_with_a_discharge_is_not_taken_back_alone(stay: tuple[House, Subject, Person]) -> None:
    """Taking back the discharge brings the stay back; both taken back, it never was."""
    house, subject, _ = stay
    house.event(subject, "admission", actual_at=ago(house, days=1))
    house.event(subject, "discharge", actual_at=ago(house, hours=1))
    assert faults(correct(house, subject, "admission", void=True)) == [("/void", "out_of_order")]
    assert correct(house, subject, "discharge", void=True).status_code == 200
    assert read(house, subject)["admitted"]
    assert [one[2] for one in slots(house, subject, 4)] == ["admitted"] * 4
    assert correct(house, subject, "admission", void=True).status_code == 200
    assert not read(house, subject)["admitted"]
    assert [one[2] for one in slots(house, subject, 4)] == [None] * 4
