"""The calendar against a slow second telling of it: a thousand made-up studies, each with a made-up subject."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

import pytest
from furnishing import furnished
from house import HandClock, House
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
    """Every occurrence with all it says, in order, and the same facts the same bytes; boundaries in order; the clock
    turns a status when we say it will. Among a thousand lives each reason and each status there is has been given.
    """
    reasons: Counter[str | None] = Counter()
    words: Counter[str] = Counter()

    @thousand
    @given(looks())
    def told_twice(look: tuple[Life, datetime]) -> None:
        life, now = look
        note(life.told())
        found, wanted = life.calendar(), life.reference()
        assert apart(found, wanted) == []
        assert [one.id for one in found] == [one.id for one in wanted]
        assert found == wanted
        assert written(life.calendar()) == written(found)
        assert len({one.id for one in found}) == len(found)
        for one in found:
            words[turned(one, now)] += 1
        reasons.update(one.excused for one in found)

    told_twice()
    assert set(reasons) == {None, *reference.NOTHING_EXPECTED, "admitted", "device_lost", "other"}
    assert set(words) == set(STATUSES)


def turned(one: Occurrence, now: datetime) -> str:
    """Its status now, which is the same until the instant that is named, and another then."""
    times = [one.opens_at, one.due_at, one.late_at, one.closes_at]
    assert times == [None] * 4 or times == sorted(at for at in times if at)
    word, turn = status(one, now), turns_at(one, now)
    assert (word, turn) == (reference.word(one, now), reference.next_turn(one, now))
    if turn is not None:
        assert status(one, turn - INSTANT) == word != status(one, turn)
    return word


@thousand
@given(steps_of_a_visit())
def test_a_visit_goes_through_amendments_as_the_slow_telling_says(life: Life) -> None:
    """Rare among whole lives: brought too late and moved ahead, taken off and brought back, over in between."""
    note(life.told())
    assert apart(life.calendar(), life.reference()) == []


@settings(thousand, max_examples=200)
@given(lives())
def test_the_made_up_studies_are_such_as_can_be_published(life: Life) -> None:
    """So that what is found with them is not the fault of a study that the check would have refused."""
    for study in life.studies():
        faults = [one for one in schedule_faults(study) if one.path.startswith(("/visits", "/diary"))]
        assert faults == []


def test_after_each_made_up_life_rebuilt_is_stored(time: HandClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `flask agenda verify` asks, after each of a thousand, on both databases: one subject's rows become calendar
    after calendar, so that each has to take away what the one before had."""
    monkeypatch.setattr(agenda, "_followers", [])  # nobody is reminded of a life that is not theirs

    def stored(house: House, subject_id: UUID, life: Life) -> None:
        with house.app.app_context():
            with transaction():
                subject = lock_subject(subject_id)
                revisions = (subject.study_revision_id,) * len(life.studies())
                plan = agenda.Plan(life.study, life.history, revisions)
                monkeypatch.setattr(agenda, "plan_of", lambda _: plan)
                agenda.refresh(subject)
            with transaction(writes=False):
                assert agenda.differences_of(db.session.get_one(Subject, subject_id)) == []

    @thousand
    @given(lives())
    def stored_on_both(life: Life) -> None:
        note(life.told())
        for house, subject_id in subjects:
            stored(house, subject_id, life)

    with furnished("sqlite", time) as one, furnished("postgresql", time) as other:
        subjects = [(house, UUID(house.enrol()["id"])) for house in (one, other)]
        stored_on_both()
