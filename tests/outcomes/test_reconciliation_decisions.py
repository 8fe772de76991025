"""What people decide about the reconciliation list: what settles a line, what asks again, what is refused and kept."""

from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from house import iso

from backend.models.findings import Reconciliation
from tests.outcomes import events
from tests.outcomes.reconciled import (
    EVERY,
    decide,
    decided,
    is_event,
    known,
    line,
    lines,
    said,
    told,
)
from tests.safety_http.builders import Patient, quick
from tests.trial.desk import at, faults, refused

NEW, WORSE, BACK = ("open", "new"), ("open", "worse"), ("open", "taken_back")
SETTLED = ("settled", None)


# --- What is decided ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["known", "not_adverse_event"])
def test_a_word_with_its_reason_settles(patient: Patient, word: str) -> None:
    said(patient, "joints", 2, days=2)
    about = line(patient.house)
    (stored,) = decided(patient, known(about, decision=word, reason=" lupus, since 2019 "))
    assert (stored["decision"], stored["reason"]) == (word, "lupus, since 2019")
    assert (stored["recorded_by"], stored["recorded_at"]) == (str(patient.house.nurse.id), iso(patient.house.now))
    assert lines(patient.house) == []
    expected = {**about, "state": "settled", "why": None, "decision": stored}
    assert lines(patient.house, EVERY) == [expected]


def test_more_of_the_same_asks_nobody_and_worse_does(patient: Patient) -> None:
    said(patient, "joints", 2, days=4)
    (stored,) = decided(patient, known(line(patient.house)))
    said(patient, "joints", 2, days=3)
    said(patient, "joints", 0, days=2)
    said(patient, "joints", 2, days=1)
    assert told(patient.house, EVERY) == [("joints", 2, *SETTLED)]
    said(patient, "joints", 3)
    (again,) = lines(patient.house)
    assert (again["state"], again["why"], again["decision"]) == (*WORSE, stored)
    (second,) = decided(patient, known(again, decision="not_adverse_event"))
    (settled,) = lines(patient.house, EVERY)
    assert (settled["state"], settled["decision"]) == ("settled", second)


def test_a_later_spell_is_new(patient: Patient) -> None:
    said(patient, "joints", 2, days=5)
    decided(patient, known(line(patient.house)))
    said(patient, "joints", 0, days=4)
    said(patient, "joints", 2)
    assert told(patient.house, EVERY) == [("joints", 2, *SETTLED), ("joints", 2, *NEW)]
    assert line(patient.house)["decision"] is None


def test_a_word_about_one_symptom_is_about_no_other(patient: Patient) -> None:
    patient.taken(quick(chills=2, dizzy=2))
    chills, _ = lines(patient.house)
    decided(patient, known(chills))
    assert told(patient.house, EVERY) == [("chills", 2, *SETTLED), ("dizzy", 2, *NEW)]


def test_several_lines_may_be_one_event(patient: Patient) -> None:
    patient.taken(quick(chills=2, dizzy=2))
    event = events.record(patient.house, patient.subject)
    decided(patient, *(is_event(one, event) for one in lines(patient.house)))
    assert [one["adverse_event_id"] for one in lines(patient.house, EVERY)] == [event["id"]] * 2
    events.corrected(patient.house, event, void=True)
    assert told(patient.house) == [("chills", 2, *BACK), ("dizzy", 2, *BACK)]


def test_an_event_taken_back_asks_again_until_it_stands_or_another_does(patient: Patient) -> None:
    said(patient, "rash", 2, days=1)
    house, first = patient.house, events.record(patient.house, patient.subject)
    (stored,) = decided(patient, is_event(line(house), first, reason="seen on the ward"))
    assert stored["reason"] == "seen on the ward"
    gone = events.corrected(house, first, void=True)
    (again,) = lines(house)
    assert (again["state"], again["why"], again["adverse_event_id"]) == (*BACK, None)
    assert again["decision"] == stored
    events.corrected(house, gone, void=False, reason="it was this subject's")
    assert told(house, EVERY) == [("rash", 2, *SETTLED)]
    events.corrected(house, events.read(house, first), void=True)
    second = events.record(house, patient.subject)
    decided(patient, is_event(line(house), second))
    assert lines(house, EVERY)[0]["adverse_event_id"] == second["id"]


def test_an_event_corrected_otherwise_stays(patient: Patient) -> None:
    said(patient, "rash", 2, days=1)
    event = events.record(patient.house, patient.subject)
    decided(patient, is_event(line(patient.house), event))
    events.corrected(patient.house, event, grade=3, onset_at=patient.ago(days=2))
    assert told(patient.house, EVERY) == [("rash", 2, *SETTLED)]


def test_worse_than_the_event_said_asks_again(patient: Patient) -> None:
    said(patient, "rash", 2, days=1)
    event = events.record(patient.house, patient.subject)
    decided(patient, is_event(line(patient.house), event))
    said(patient, "rash", 3)
    (again,) = lines(patient.house)
    assert (again["state"], again["why"], again["adverse_event_id"]) == (*WORSE, None)
    decided(patient, is_event(again, event))
    assert lines(patient.house, EVERY)[0]["adverse_event_id"] == event["id"]


def test_the_last_word_holds(patient: Patient) -> None:
    said(patient, "rash", 2, days=1)
    about, event = line(patient.house), events.record(patient.house, patient.subject)
    decided(patient, is_event(about, event))
    patient.house.turn(minutes=5)
    decided(patient, known(about))
    (found,) = lines(patient.house, EVERY)
    assert (found["state"], found["decision"]["decision"], found["adverse_event_id"]) == ("settled", "known", None)
    events.corrected(patient.house, event, void=True)
    assert told(patient.house, EVERY) == [("rash", 2, *SETTLED)]


def test_a_word_that_was_given_up_does_not_come_back(patient: Patient) -> None:
    """First called known, then recorded as an event, then the event is taken back: somebody must look again."""
    said(patient, "rash", 2, days=1)
    about, event = line(patient.house), events.record(patient.house, patient.subject)
    decided(patient, known(about))
    patient.house.turn(minutes=5)
    decided(patient, is_event(about, event))
    events.corrected(patient.house, event, void=True)
    assert told(patient.house, EVERY) == [("rash", 2, *BACK)]


# --- What is kept ---------------------------------------------------------------------------------------------


def test_the_trail_holds_the_word_and_its_reason(patient: Patient) -> None:
    said(patient, "joints", 2, days=2)
    (stored,) = decided(patient, known(line(patient.house), reason="lupus"))
    last = patient.house.chief.get(f"/audit?subject_id={patient.subject['id']}").json["items"][0]
    assert (last["verb"], last["entity"], last["entity_id"]) == (
        "reconciliation:decided",
        "reconciliation",
        stored["id"],
    )
    assert (last["actor_id"], last["actor_role"], last["reason"]) == (str(patient.house.nurse.id), "nurse", "lupus")
    kept = ("kind", "item", "since", "until", "worst", "decision", "adverse_event_id", "reason")
    assert {name: last["new"][name] for name in kept} == {name: stored[name] for name in kept}


def test_what_the_list_proposes_is_never_stored(patient: Patient) -> None:
    said(patient, "joints", 2, days=2)
    lines(patient.house, "?state=all")
    assert patient.house.rows(sa.select(Reconciliation)) == []
    assert events.listed(patient.house) == []
    decided(patient, known(line(patient.house)))
    (row,) = patient.house.rows(sa.select(Reconciliation))
    assert row.subject_id == UUID(patient.subject["id"])
    assert decide(patient, known(lines(patient.house, EVERY)[0])).status_code == 201  # a further word is a further row
    assert len(patient.house.rows(sa.select(Reconciliation))) == 2


# --- All or nothing -------------------------------------------------------------------------------------------


def nothing_kept(patient: Patient) -> bool:
    return patient.house.rows(sa.select(Reconciliation)) == []


def test_a_batch_is_kept_whole_or_not_at_all_and_every_fault_is_told(patient: Patient) -> None:
    patient.taken(quick(chills=2, dizzy=2, breath=2))
    chills, dizzy, breath = sorted(
        lines(patient.house), key=lambda one: ("chills", "dizzy", "breath").index(one["item"])
    )
    event = events.record(patient.house, patient.subject)
    batch = [
        known(chills, reason=None),
        known(dizzy, decision="adverse_event"),
        known(breath, item="tremor"),
        known(breath),
        known(dizzy, decision="not_adverse_event", adverse_event_id=event["id"], reason=None),
    ]
    assert faults(decide(patient, *batch)) == [
        ("/0/reason", "required"),
        ("/1/adverse_event_id", "required"),
        ("/2/item", "not_found"),
        ("/4/adverse_event_id", "not_allowed"),
        ("/4/reason", "required"),
    ]
    assert nothing_kept(patient)
    assert len(decided(patient, *map(known, (chills, dizzy, breath)))) == 3


def test_faults_are_told_at_the_place_where_they_were_sent(patient: Patient) -> None:
    said(patient, "chills", 2)
    about = line(patient.house)
    wrong, post, door = known(about, reason=None), patient.house.nurse.post, f"{patient.path}/reconciliation"
    assert faults(post(door, wrong)) == [("/reason", "required")]
    assert faults(post(door, [known(about), wrong])) == [("/1/reason", "required")]
    assert faults(post(door, {"items": [known(about), wrong]})) == [("/items/1/reason", "required")]
    assert nothing_kept(patient)


UNKNOWN = str(UUID(int=7, version=4))

WRONG: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "no reason": ({"reason": None}, ("/reason", "required")),
    "an empty reason": ({"reason": "  "}, ("/reason", "wrong_length")),
    "no reason why it is none": ({"decision": "not_adverse_event", "reason": None}, ("/reason", "required")),
    "known, and an event": ({"adverse_event_id": UNKNOWN}, ("/adverse_event_id", "not_allowed")),
    "an event that is not said": ({"decision": "adverse_event"}, ("/adverse_event_id", "required")),
    "an event that there is not": (
        {"decision": "adverse_event", "adverse_event_id": UNKNOWN},
        ("/adverse_event_id", "not_found"),
    ),
    "a word that is none": ({"decision": "perhaps"}, ("/decision", "not_allowed")),
    "a kind that is none": ({"kind": "vital"}, ("/kind", "not_allowed")),
    "another kind": ({"kind": "laboratory"}, ("/item", "not_found")),
    "another item": ({"item": "dizzy"}, ("/item", "not_found")),
    "no item": ({"item": None}, ("/item", "not_found")),
    "an episode that there is not": (
        {"kind": "episode", "item": None, "episode_id": UNKNOWN},
        ("/episode_id", "not_found"),
    ),
    "a symptom of an episode": ({"episode_id": UNKNOWN}, ("/item", "not_found")),
    "before it began": ({"since": at(2026, 2, 28, 9), "until": at(2026, 3, 1, 8, 59)}, ("/since", "not_found")),
    "after it was": ({"since": at(2026, 3, 1, 9, 1), "until": at(2026, 3, 2, 9)}, ("/since", "not_found")),
    "worse than there is": ({"worst": 6}, ("/worst", "out_of_range")),
}


@pytest.mark.parametrize("name", WRONG)
def test_refused(patient: Patient, name: str) -> None:
    over, fault = WRONG[name]
    said(patient, "chills", 2, days=1)
    assert faults(decide(patient, known(line(patient.house), **over))) == [fault]
    assert nothing_kept(patient)


@pytest.mark.parametrize("severity", [0, 1])
def test_there_is_nothing_to_decide_about_a_mild_symptom(patient: Patient, severity: int) -> None:
    said(patient, "dizzy", 2, days=1)
    said(patient, "chills", severity, days=1)
    assert faults(decide(patient, known(line(patient.house), item="chills"))) == [("/item", "not_found")]


# What nobody can have seen in the list would settle what is still to come, without anybody's word.


def test_nobody_decides_about_what_is_still_to_come(patient: Patient) -> None:
    said(patient, "chills", 2, days=1)
    decide(patient, known(line(patient.house), until=at(2026, 12, 31, 9)))
    patient.house.turn(days=30)
    said(patient, "chills", 0, days=20)
    said(patient, "chills", 2)
    assert told(patient.house, EVERY)[1:] == [("chills", 2, *NEW)]


def test_nobody_decides_about_worse_than_was_seen(patient: Patient) -> None:
    said(patient, "chills", 2, days=1)
    decide(patient, known(line(patient.house), worst=5))
    said(patient, "chills", 3)
    assert lines(patient.house, EVERY)[0]["state"] == "open"


def test_a_span_does_not_end_before_it_begins(patient: Patient) -> None:
    said(patient, "chills", 2, days=2)
    said(patient, "chills", 2, days=1)
    about = line(patient.house)
    assert decide(patient, known(about, since=about["until"], until=about["since"])).status_code == 422
    assert nothing_kept(patient)


# --- Whose event ----------------------------------------------------------------------------------------------


def test_an_event_of_this_subject_that_stands(patient: Patient) -> None:
    said(patient, "rash", 2, days=1)
    house, about = patient.house, line(patient.house)
    gone = events.corrected(house, events.record(house, patient.subject), void=True)
    other = house.enrol(number="902", **events.LATE)
    foreign = events.record(house, other)
    for event in (gone, foreign):
        assert faults(decide(patient, is_event(about, event))) == [("/adverse_event_id", "not_found")]
    assert nothing_kept(patient)


def test_a_line_of_another_subject(patient: Patient) -> None:
    said(patient, "rash", 2, days=1)
    house, about = patient.house, line(patient.house)
    other = house.enrol(number="902", **events.LATE)
    house.event(other, "collection", actual_at=patient.ago(days=5))
    answer = house.nurse.post(f"/subjects/{other['id']}/reconciliation", known(about))
    assert faults(answer) == [("/item", "not_found")]
    assert nothing_kept(patient)


# --- Sent again -----------------------------------------------------------------------------------------------


def test_sent_again_it_is_the_same_and_nothing_is_kept_twice(patient: Patient) -> None:
    said(patient, "joints", 2, days=2)
    body = known(line(patient.house))
    first = decide(patient, body)
    trail = patient.house.chief.get(f"/audit?subject_id={patient.subject['id']}").json["items"]
    patient.house.turn(minutes=1)
    again = decide(patient, body)
    assert (first.status_code, again.status_code) == (201, 200), again.text
    assert again.json == first.json
    assert patient.house.chief.get(f"/audit?subject_id={patient.subject['id']}").json["items"] == trail
    assert len(patient.house.rows(sa.select(Reconciliation))) == 1


def test_sent_again_after_all_has_changed(patient: Patient) -> None:
    """The event was taken back and the symptom corrected away: what was stored is still what answers."""
    taken = said(patient, "rash", 2, days=2)
    event = events.record(patient.house, patient.subject)
    body = is_event(line(patient.house), event)
    decided(patient, body)
    events.corrected(patient.house, event, void=True)
    entry = taken["entry"]
    change = {"answers": {**entry["answers"], "rash": 0}, "reason": "misheard"}
    assert patient.house.nurse.patch(f"/entries/{entry['id']}", change, 1).status_code == 200
    assert lines(patient.house, EVERY) == []
    assert decide(patient, body).status_code == 200


def test_a_batch_with_something_new_in_it(patient: Patient) -> None:
    patient.taken(quick(chills=2, dizzy=2))
    first, second = map(known, lines(patient.house))
    stored = decided(patient, first)
    assert [one["id"] for one in decided(patient, first, second)] == [first["id"], second["id"]]
    assert decide(patient, first, second).json["items"][0] == stored[0]
    assert faults(decide(patient, first, known(lines(patient.house, EVERY)[0], reason=None))) == [
        ("/1/reason", "required")
    ]


@pytest.mark.parametrize(
    "over",
    [{"reason": "of the disease"}, {"decision": "not_adverse_event"}, {"worst": 1}, {"since": at(2026, 2, 28, 8, 59)}],
)
def test_an_id_stands_for_one_word(patient: Patient, over: dict[str, Any]) -> None:
    said(patient, "joints", 2, days=2)
    body = known(line(patient.house))
    decided(patient, body)
    assert refused(decide(patient, {**body, **{name: iso(value) for name, value in over.items()}})) == (409, "id_taken")
    assert lines(patient.house, EVERY)[0]["decision"]["reason"] == body["reason"]


def test_an_id_stands_for_one_subject(patient: Patient) -> None:
    said(patient, "joints", 2, days=2)
    body = known(line(patient.house))
    decided(patient, body)
    other = patient.house.enrol(number="902", **events.LATE)
    answer = patient.house.nurse.post(f"/subjects/{other['id']}/reconciliation", body)
    assert refused(answer) == (409, "id_taken")


def test_an_id_twice_in_one_batch(patient: Patient) -> None:
    patient.taken(quick(chills=2, dizzy=2))
    first, second = lines(patient.house)
    same = str(uuid4())
    answer = decide(patient, known(first, id=same), known(second, id=same))
    assert faults(answer) == [("/1/id", "duplicate")]
    assert nothing_kept(patient)
