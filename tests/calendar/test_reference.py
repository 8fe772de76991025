"""The calendar against a slow second telling of it: a thousand made-up studies, each with a made-up subject."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

import pytest
from house import House
from hypothesis import HealthCheck, given, note, settings

from backend import agenda, strictjson
from backend.db import db, lock_subject, transaction
from backend.models.subject import Subject
from schedules.planned import STATUSES, Occurrence, status, turns_at
from schedules.protocol.check_schedule import schedule_faults
from tests.calendar import reference
from tests.calendar.made_up import INSTANT, Life, lives, looks, steps_of_a_visit

thousand = settings(
    max_examples=1000,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


def apart(found: Iterable[Occurrence], wanted: Iterable[Occurrence]) -> list[str]:
    """Where the two differ, field by field: two long tuples say little."""
    mine, theirs = ({one.id: asdict(one) for one in some} for some in (found, wanted))
    told = [f"{one} is in one only" for one in mine.keys() ^ theirs.keys()]
    for same in mine.keys() & theirs.keys():
        one, other = mine[same], theirs[same]
        told.extend(
            f"{one['key']} of day {one['day']}: {name} is {one[name]}, not {other[name]}"
            for name in one
            if one[name] != other[name]
        )
    return told


def written(found: tuple[Occurrence, ...]) -> bytes:
    return strictjson.canonical([asdict(one) for one in found]).encode()


def test_the_calendar_is_what_the_slow_telling_says() -> None:
    """Every occurrence with all it says, in order. Among a thousand lives each reason there is has been given."""
    reasons: Counter[str | None] = Counter()

    @thousand
    @given(lives())
    def told_twice(life: Life) -> None:
        note(life.told())
        found, wanted = life.calendar(), life.reference()
        assert apart(found, wanted) == []
        assert [one.id for one in found] == [one.id for one in wanted]
        assert found == wanted
        reasons.update(one.excused for one in found)

    told_twice()
    assert set(reasons) == {None, *reference.NOTHING_EXPECTED, "admitted", "device_lost", "other"}


@thousand
@given(steps_of_a_visit())
def test_a_visit_goes_through_amendments_as_the_slow_telling_says(life: Life) -> None:
    """Rare among whole lives: brought too late and moved ahead, taken off and brought back, over in between."""
    note(life.told())
    assert apart(life.calendar(), life.reference()) == []


@thousand
@given(lives())
def test_the_same_facts_give_the_same_bytes(life: Life) -> None:
    assert written(life.calendar()) == written(life.calendar())


def test_status_and_its_next_turn_follow_from_the_boundaries() -> None:
    """Boundaries stand in order, ids are one of a kind, and the clock turns a status when we say it will."""
    words: Counter[str] = Counter()

    @thousand
    @given(looks())
    def looked_at(look: tuple[Life, datetime]) -> None:
        life, now = look
        note(life.told())
        found = life.calendar()
        assert len({one.id for one in found}) == len(found)
        for one in found:
            times = [one.opens_at, one.due_at, one.late_at, one.closes_at]
            assert times == [None] * 4 or times == sorted(at for at in times if at)
            word, turn = status(one, now), turns_at(one, now)
            assert (word, turn) == (reference.word(one, now), reference.next_turn(one, now))
            if turn is not None:
                assert status(one, turn - INSTANT) == word != status(one, turn)
            words[word] += 1

    looked_at()
    assert set(words) == set(STATUSES)


@settings(thousand, max_examples=200)
@given(lives())
def test_the_made_up_studies_are_such_as_can_be_published(life: Life) -> None:
    """So that what is found with them is not the fault of a study that the check would have refused."""
    for study in life.studies():
        faults = [one for one in schedule_faults(study) if one.path.startswith(("/visits", "/diary"))]
        assert faults == []


def test_after_each_made_up_life_rebuilt_is_stored(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `flask agenda verify` asks, after each of a thousand: one subject's rows become calendar after calendar,
    so that each has to take away what the one before had."""
    subject_id = UUID(house.enrol()["id"])
    monkeypatch.setattr(agenda, "_followers", [])  # nobody is reminded of a life that is not theirs

    @thousand
    @given(lives())
    def stored(life: Life) -> None:
        note(life.told())
        with transaction():
            subject = lock_subject(subject_id)
            revisions = (subject.study_revision_id,) * len(life.studies())
            plan = agenda.Plan(life.study, life.history, revisions)
            monkeypatch.setattr(agenda, "plan_of", lambda _: plan)
            agenda.refresh(subject)
        with transaction(writes=False):
            assert agenda.differences_of(db.session.get_one(Subject, subject_id)) == []

    with house.app.app_context():
        stored()
