"""The calendar of one subject of the lupus study, by dates and numbers counted by hand. Pure.

The hand-counted subject: cells collected on Monday 2 March 2026 at 10:00, lymphodepletion from 5 March at
08:00, infused on 10 March at 09:30, all in Shanghai. So D0 is 10 March.
"""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from schedules.history import Attended, History, Stay
from schedules.planned import Occurrence, slot_id, status, visit_id
from tests.calendar.histories import (
    INFUSED,
    SHANGHAI,
    SUBJECT,
    answer,
    at,
    history,
    hours,
    known,
    local,
    per_day,
    sle,
    slots,
    visits,
)

COLLECTED, DEPLETED = at(2026, 3, 2, 10), at(2026, 3, 5, 8)


def treated(**over: object) -> History:
    anchors = {
        "collection": known("collection", actual_at=COLLECTED),
        "lymphodepletion": known("lymphodepletion", actual_at=DEPLETED),
    }
    return history(**{"anchors": anchors, **over})


# visit: study day, first date, target date, last date of its window
BY_HAND = {
    "V0": (-22, "2026-02-02", "2026-02-16", "2026-03-01"),
    "V1": (-8, "2026-03-02", "2026-03-02", "2026-03-02"),
    "V2": (-5, "2026-03-05", "2026-03-05", "2026-03-07"),
    "V3": (0, "2026-03-10", "2026-03-10", "2026-03-10"),
    "V4": (1, "2026-03-11", "2026-03-11", "2026-03-11"),
    "V5": (2, "2026-03-12", "2026-03-12", "2026-03-12"),
    "V6": (3, "2026-03-13", "2026-03-13", "2026-03-13"),
    "V7": (5, "2026-03-14", "2026-03-15", "2026-03-16"),
    "V8": (7, "2026-03-16", "2026-03-17", "2026-03-18"),
    "V9": (10, "2026-03-19", "2026-03-20", "2026-03-21"),
    "V10": (12, "2026-03-21", "2026-03-22", "2026-03-23"),
    "V11": (14, "2026-03-23", "2026-03-24", "2026-03-25"),
    "V12": (17, "2026-03-26", "2026-03-27", "2026-03-28"),
    "V13": (21, "2026-03-29", "2026-03-31", "2026-04-02"),
    "V14": (28, "2026-04-04", "2026-04-07", "2026-04-10"),
    "V15": (60, "2026-05-02", "2026-05-09", "2026-05-16"),
    "V16": (90, "2026-06-01", "2026-06-08", "2026-06-15"),
    "V17": (120, "2026-06-28", "2026-07-08", "2026-07-18"),
    "V18": (150, "2026-07-28", "2026-08-07", "2026-08-17"),
    "V19": (180, "2026-08-23", "2026-09-06", "2026-09-20"),
}


@pytest.mark.parametrize("key", BY_HAND)
def test_each_visit_stands_where_it_was_counted_by_hand(key: str) -> None:
    day, first, target, last = BY_HAND[key]
    visit = visits(sle(), treated())[key]
    midnight = datetime.min.time()
    assert visit.day == day
    assert local(visit.opens_at) == (date.fromisoformat(first), midnight)
    assert local(visit.due_at) == (date.fromisoformat(target), midnight)
    assert local(visit.late_at) == (date.fromisoformat(target) + timedelta(days=1), midnight)
    assert local(visit.closes_at) == (date.fromisoformat(last) + timedelta(days=1), midnight)


def test_the_study_has_these_visits_and_no_other() -> None:
    assert list(BY_HAND) == [visit.key for visit in sle().visits]


def test_slots_of_every_day_counted_by_hand() -> None:
    """D−5–D0: 2 forms at 08:00 and 20:00. D1–D21: 2 + 1 + 1 + 3. D22–D30: 2 + 2. Then one a week from D37."""
    wanted = {day: 4 for day in range(-5, 1)}  # noqa: C420  # reads as the sentence above
    wanted |= {day: 7 for day in range(1, 22)}  # noqa: C420
    wanted |= {day: 4 for day in range(22, 31)}  # noqa: C420
    weekly = (37, 44, 51, 58, 65, 72, 79, 86, 93, 100, 107, 114, 121, 128, 135, 142, 149, 156, 163, 170, 177)
    wanted |= {day: 1 for day in weekly}  # noqa: C420
    found = slots(sle(), treated())
    assert per_day(found) == wanted
    assert len(found) == 24 + 147 + 36 + 21


def test_one_peak_day_by_hand() -> None:
    """D1, Wednesday 11 March."""
    found = [
        (f"{local(one.due_at)[1]:%H:%M}", one.key, one.opens_at, one.late_at, one.closes_at)
        for one in slots(sle(), treated())
        if one.day == 1
    ]
    assert [(clock_time, key) for clock_time, key, *_ in found] == [
        ("07:00", "neuro"),
        ("07:00", "quick"),
        ("12:00", "quick"),
        ("17:00", "quick"),
        ("21:30", "daily"),
        ("21:30", "neuro"),
        ("21:30", "quick"),
    ]
    assert found[-1][2:] == (at(2026, 3, 11, 20, 30), at(2026, 3, 11, 22, 30), at(2026, 3, 12, 0, 55))


def test_a_weekly_slot_by_hand() -> None:
    """D37, 16 April: opens in the morning, late after a day, closes after two."""
    (slot,) = [one for one in slots(sle(), treated()) if one.day == 37]
    times = (slot.opens_at, slot.due_at, slot.late_at, slot.closes_at)
    assert times == (at(2026, 4, 16, 8), at(2026, 4, 16, 20), at(2026, 4, 17, 20), at(2026, 4, 18, 20))
    assert slot.id == slot_id(SUBJECT, "weekly", date(2026, 4, 16), "20:00")


# --- The three orders of treatment ---------------------------------------------------------------------------


def test_order_a_collect_deplete_infuse() -> None:
    found = visits(sle(), treated())
    now = at(2026, 3, 10, 12)
    done = {key: status(found[key], now) for key in ("V0", "V1", "V2", "V3", "V4")}
    # V1 to V3 are done by their events themselves; the screening visit was never recorded.
    assert done == {"V0": "missed", "V1": "done", "V2": "done", "V3": "done", "V4": "not_yet"}
    assert found["V3"].satisfied_at == INFUSED


def test_order_b_deplete_then_collect_and_infuse_on_one_day() -> None:
    anchors = {
        "lymphodepletion": known("lymphodepletion", actual_at=at(2026, 3, 6, 8)),
        "collection": known("collection", actual_at=at(2026, 3, 10, 8)),
    }
    found = visits(sle(), history(anchors=anchors))
    assert (found["V1"].day, found["V2"].day, found["V3"].day) == (0, -4, 0)
    assert found["V0"].day == -14
    assert found["V1"].due_at == found["V3"].due_at == at(2026, 3, 10)
    assert {status(found[key], at(2026, 3, 10, 12)) for key in ("V1", "V2", "V3")} == {"done"}


def test_order_c_without_lymphodepletion() -> None:
    facts = history(anchors={"collection": known("collection", actual_at=COLLECTED)})
    visit = visits(sle(), facts)["V2"]
    assert (status(visit, INFUSED), visit.due_at, visit.day) == ("not_applicable", None, None)
    before = replace(facts, anchors={k: v for k, v in facts.anchors.items() if k != "infusion"})
    assert status(visits(sle(), before)["V2"], INFUSED) == "not_dated"  # it may still come
    planned = {**facts.anchors, "infusion": known("infusion", planned_at=INFUSED)}
    assert status(visits(sle(), replace(facts, anchors=planned))["V2"], INFUSED) == "not_dated"


def test_lymphodepletion_recorded_late_dates_its_visit_again() -> None:
    without = visits(sle(), history(anchors={"collection": known("collection", actual_at=COLLECTED)}))["V2"]
    with_it = visits(sle(), treated())["V2"]
    assert (without.id, without.excused) == (with_it.id, "not_in_order")
    assert (with_it.excused, with_it.due_at) == (None, at(2026, 3, 5))


# --- What is planned, and what is not dated ------------------------------------------------------------------


def test_a_planned_infusion_dates_the_baseline_and_no_day_after_it() -> None:
    facts = history(infused=None, anchors={"infusion": known("infusion", planned_at=INFUSED)})
    assert set(per_day(slots(sle(), facts))) == set(range(-5, 1))
    found = visits(sle(), facts)
    assert found["V19"].due_at == at(2026, 9, 6)  # visits are planned on it, the diary is not
    assert status(found["V3"], INFUSED) == "due"
    assert status(found["V0"], INFUSED) == "not_dated"


def test_without_any_anchor_everything_is_there_and_not_dated() -> None:
    facts = history(infused=None)
    assert slots(sle(), facts) == []
    found = visits(sle(), facts)
    assert len(found) == 20
    assert {status(visit, INFUSED) for visit in found.values()} == {"not_dated"}


def test_an_actual_infusion_on_another_day_than_planned_moves_all() -> None:
    both = known("infusion", planned_at=INFUSED, actual_at=INFUSED + timedelta(days=2))
    found = visits(sle(), history(infused=None, anchors={"infusion": both}))
    assert found["V3"].due_at == at(2026, 3, 12)
    assert found["V19"].due_at == at(2026, 9, 8)


def test_the_infusion_day_is_the_sites_even_where_the_subject_lives_elsewhere() -> None:
    late = at(2026, 3, 10, 23, 30)
    facts = history(infused=late, zones=replace(history().zones, first="America/New_York"))
    first = min(one.due_at for one in slots(sle(), facts) if one.day == 1 and one.due_at)
    assert first == at(2026, 3, 11, 7, zone="America/New_York")


# --- Excuses -------------------------------------------------------------------------------------------------


def excused(facts: History, why: str) -> list[Occurrence]:
    return [one for one in slots(sle(), facts) if one.excused == why]


def test_a_stay_excuses_the_slots_that_fall_due_in_it() -> None:
    """From 13 March 12:00 (a slot's own time) to 15 March 07:00: that slot is in, the one at discharge is out."""
    facts = treated(stays=(Stay(at(2026, 3, 13, 12), at(2026, 3, 15, 7)),))
    found = excused(facts, "admitted")
    assert len(found) == 5 + 7  # 12:00, 17:00 and three at 21:30; then a whole day
    assert {status(one, at(2026, 9, 1)) for one in found} == {"excused"}
    assert min(one.due_at for one in found if one.due_at) == at(2026, 3, 13, 12)
    assert max(one.due_at for one in found if one.due_at) == at(2026, 3, 14, 21, 30)


def test_an_open_stay_excuses_all_that_follows() -> None:
    facts = treated(stays=(Stay(at(2026, 3, 13, 12, 0, 1), None),))
    found = excused(facts, "admitted")
    assert min(one.due_at for one in found if one.due_at) == at(2026, 3, 13, 17)
    assert max(one.day for one in found if one.day) == 177
    assert {one.excused for one in visits(sle(), facts).values()} == {None}  # visits go on at the bedside


def test_what_is_answered_in_hospital_is_done_all_the_same() -> None:
    facts = treated(stays=(Stay(at(2026, 3, 13), None),), answered=(answer("quick", at(2026, 3, 14, 12, 5)),))
    (done,) = [one for one in slots(sle(), facts) if one.satisfied_by]
    assert status(done, at(2026, 9, 1)) == "done"


def test_before_enrolment_nothing_is_owed() -> None:
    """Enrolled on 8 March (D−2) at 13:00: the slot of 08:00 closed at 13:00 and was never owed."""
    found = excused(treated(enrolled_at=at(2026, 3, 8, 13)), "before_enrolment")
    assert len(found) == 3 * 4 + 2
    assert {status(one, at(2026, 9, 1)) for one in found} == {"not_applicable"}
    assert len(excused(treated(enrolled_at=at(2026, 3, 8, 12, 59, 59)), "before_enrolment")) == 3 * 4


def test_an_infusion_recorded_late_leaves_no_slots_missed_that_nobody_knew_of() -> None:
    """Recorded on 12 March at 12:00: of D1 all are excused, of D2 the one that closed at 10:25."""
    late = {**treated().anchors, "infusion": known("infusion", actual_at=INFUSED, known_since=at(2026, 3, 12, 12))}
    found = excused(treated(anchors=late), "before_enrolment")
    assert [one.day for one in found] == [1] * 7 + [2] * 2


@pytest.mark.parametrize(
    ("scopes", "slots_ended", "visits_ended"),
    [(("texts",), False, False), (("diary",), True, False), (("visits",), False, True), (("data",), False, False),
     (("diary", "visits"), True, True)],
)  # fmt: skip
def test_leaving_by_scope(scopes: tuple[str, ...], slots_ended: bool, visits_ended: bool) -> None:
    """On 20 March at 13:00: what closed before stays as it was, the rest is not applicable."""
    left = at(2026, 3, 20, 13)
    facts = treated(stopped=dict.fromkeys(scopes, left))
    ended = excused(facts, "ended")
    assert bool(ended) is slots_ended
    if slots_ended:
        assert min(one.closes_at for one in ended if one.closes_at) == at(2026, 3, 20, 15, 25)  # of the 12:00 slot
    gone = {key for key, one in visits(sle(), facts).items() if one.excused == "ended"}
    assert gone == ({f"V{n}" for n in range(9, 20)} if visits_ended else set())


def test_a_visit_that_never_got_a_date_ends_with_the_subject() -> None:
    facts = history(infused=None, stopped={"visits": at(2026, 3, 1)})
    assert {status(one, at(2026, 3, 2)) for one in visits(sle(), facts).values()} == {"not_applicable"}


def test_what_was_attended_before_leaving_stays_done() -> None:
    attended = Attended(visit_id(SUBJECT, "V9"), at(2026, 3, 20, 9), "attended")
    facts = treated(stopped={"visits": at(2026, 3, 20, 13)}, attendances={attended.id: attended})
    assert status(visits(sle(), facts)["V9"], at(2026, 9, 1)) == "done"


# --- Appointments and attendance -----------------------------------------------------------------------------


def appointed(when: datetime, key: str = "V14") -> Occurrence:
    return visits(sle(), treated(appointments={visit_id(SUBJECT, key): when}))[key]


def test_an_appointment_is_when_the_visit_is_due() -> None:
    visit = appointed(at(2026, 4, 8, 10, 15))
    assert (visit.due_at, visit.appointment_at) == (at(2026, 4, 8, 10, 15),) * 2
    assert (visit.opens_at, visit.late_at, visit.closes_at) == (at(2026, 4, 4), at(2026, 4, 9), at(2026, 4, 11))


@pytest.mark.parametrize(
    ("when", "opens", "closes"),
    [(at(2026, 4, 2, 10), at(2026, 4, 2, 10), at(2026, 4, 11)), (at(2026, 4, 13, 10), at(2026, 4, 4), at(2026, 4, 14))],
)
def test_an_appointment_outside_the_window_widens_it_to_its_own_day(
    when: datetime, opens: datetime, closes: datetime
) -> None:
    visit = appointed(when)
    assert (visit.opens_at, visit.closes_at) == (opens, closes)
    assert status(visit, when) == "due"


@pytest.mark.parametrize(
    ("came", "said"),
    [(at(2026, 4, 7, 9), "done"), (at(2026, 4, 10, 23, 59), "done"), (at(2026, 4, 11), "late"), (None, "missed")],
)
def test_attendance(came: datetime | None, said: str) -> None:
    row = Attended(visit_id(SUBJECT, "x"), came or at(2026, 4, 7), "attended" if came else "missed")
    facts = treated(attendances={visit_id(SUBJECT, "V14"): row})
    assert status(visits(sle(), facts)["V14"], at(2026, 4, 8)) == said


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (at(2026, 4, 3, 23, 59, 59), "not_yet"),
        (at(2026, 4, 4), "open"),
        (at(2026, 4, 6, 23, 59, 59), "open"),
        (at(2026, 4, 7), "due"),
        (at(2026, 4, 8), "overdue"),
        (at(2026, 4, 10, 23, 59, 59), "overdue"),
        (at(2026, 4, 11), "missed"),
    ],
)
def test_the_status_of_a_visit_by_the_second(now: datetime, said: str) -> None:
    assert status(visits(sle(), treated())["V14"], now) == said


# --- Entries and their slots ---------------------------------------------------------------------------------

NOON = at(2026, 3, 16, 12)  # D6: open 11:00 to 15:25, late from 13:00
NOON_ID = slot_id(SUBJECT, "quick", date(2026, 3, 16), "12:00")


def filled(*entries: object) -> dict[datetime | None, Occurrence]:
    return {one.due_at: one for one in slots(sle(), treated(answered=entries)) if one.satisfied_by}


@pytest.mark.parametrize(
    ("when", "said"),
    [
        (NOON - hours(1), "done"),  # early, at the very opening
        (NOON, "done"),
        (NOON + hours(1) - timedelta(microseconds=1), "done"),
        (NOON + hours(1), "late"),
        (at(2026, 3, 16, 15, 24, 59), "late"),
    ],
)
def test_an_entry_belongs_to_the_slot_that_is_open(when: datetime, said: str) -> None:
    (slot,) = filled(answer("quick", when)).values()
    assert (slot.id, status(slot, at(2026, 9, 1)), slot.satisfied_at) == (NOON_ID, said, when)


@pytest.mark.parametrize("when", [NOON - hours(1) - timedelta(microseconds=1), at(2026, 3, 16, 15, 25)])
def test_an_entry_outside_every_slot_belongs_to_none(when: datetime) -> None:
    assert filled(answer("quick", when)) == {}


def test_a_claim_holds_however_late_and_never_before_the_opening() -> None:
    (slot,) = filled(answer("quick", at(2026, 3, 18, 3), slot=NOON_ID)).values()
    assert (slot.due_at, status(slot, at(2026, 3, 18, 4))) == (NOON, "late")
    assert filled(answer("quick", NOON - hours(1, ) - timedelta(seconds=1), slot=NOON_ID)) == {}  # fmt: skip
    assert filled(answer("daily", NOON, slot=NOON_ID)) == {}  # another form's slot


def test_a_claim_wins_over_the_slot_that_is_open() -> None:
    evening = at(2026, 3, 16, 17, 5)
    assert list(filled(answer("quick", evening, slot=NOON_ID))) == [NOON]
    assert list(filled(answer("quick", evening))) == [at(2026, 3, 16, 17)]


def test_a_claim_of_an_unknown_slot_falls_back_to_the_open_one() -> None:
    unknown = slot_id(SUBJECT, "quick", date(2026, 3, 16), "12:01")
    assert list(filled(answer("quick", NOON, slot=unknown))) == [NOON]


def test_of_two_entries_in_one_slot_the_earlier_counts_in_any_order() -> None:
    patient, carer = answer("quick", NOON, name="patient"), answer("quick", NOON + hours(0.1), name="carer")
    for entries in ((patient, carer), (carer, patient)):
        (slot,) = filled(*entries).values()
        assert slot.satisfied_by == patient.entry_id
    twin = answer("quick", NOON, name="twin")
    first = {next(iter(filled(*pair).values())).satisfied_by for pair in ((patient, twin), (twin, patient))}
    assert first == {min(patient.entry_id, twin.entry_id, key=str)}


def test_another_form_of_the_same_time_is_another_slot() -> None:
    evening = at(2026, 3, 16, 21, 40)
    found = filled(answer("quick", evening), answer("neuro", evening))
    assert len(found) == 1  # one clock time …
    done = {one.key for one in slots(sle(), treated(answered=(answer("quick", evening),))) if one.satisfied_by}
    assert done == {"quick"}  # … and only what was answered


def test_shanghai_is_where_this_was_counted() -> None:
    assert (treated().site_zone, INFUSED.tzname()) == (SHANGHAI, "CST")
