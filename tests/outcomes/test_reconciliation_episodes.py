"""What else may be an adverse event: an episode, with what the clinician called it, until a person has decided."""

from datetime import timedelta
from typing import Any

import pytest
from house import House, iso

from tests.outcomes import events
from tests.outcomes.reconciled import ago, decided, known, line, lines, told
from tests.safety_http.builders import Patient, not_infused, quick
from tests.trial import desk

EPISODES = "?kind=episode"
NEW = ("open", "new")


def test_an_episode_is_listed_and_proposes_nothing_before_it_is_closed(patient: Patient) -> None:
    patient.send(quick(temp_c=38.4))
    episode, found = patient.open_episode(), line(patient.house, EPISODES)
    assert episode is not None
    assert (found["item"], found["episode_id"], found["sources"]) == (None, episode["id"], [episode["id"]])
    assert (found["since"], found["until"], found["state"], found["why"]) == (*[iso(patient.house.now)] * 2, *NEW)
    proposal = found["proposal"]
    assert (proposal["term"], proposal["soc"], proposal["grade"], proposal["special_interest"]) == (None,) * 4
    assert (proposal["onset_at"], proposal["episode_id"]) == (iso(patient.house.now), episode["id"])


CLOSED: dict[str, tuple[dict[str, Any], tuple[Any, ...]]] = {
    "crs": (
        {"crs_grade": 2, "icans_grade": 1},
        ("Cytokine release syndrome", "immune", "ASTCT2019", 2, "crs"),
    ),
    "icans": (
        {"crs_grade": 1, "icans_grade": 3},
        ("Immune effector cell-associated neurotoxicity syndrome", "nervous_system", "ASTCT2019", 3, "icans"),
    ),
    "infection": ({}, ("Infection", "infections", "CTCAE", None, None)),
    "flare": ({}, ("Flare of systemic lupus erythematosus", "musculoskeletal", "CTCAE", None, "flare")),
    "licats": (
        {},
        ("Local immune effector cell-associated toxicity syndrome", "immune", "CTCAE", None, "licats"),
    ),
    "other": ({}, (None, None, "CTCAE", None, None)),
    "none": ({}, (None, None, "CTCAE", None, None)),
}


@pytest.mark.parametrize("outcome", CLOSED)
def test_a_closed_episode_proposes_what_the_clinician_called_it(patient: Patient, outcome: str) -> None:
    grades_given, expected = CLOSED[outcome]
    patient.send(quick(temp_c=38.4))
    patient.house.turn(hours=6)
    patient.close(outcome=outcome, **grades_given)
    found = line(patient.house, EPISODES)
    proposal = found["proposal"]
    assert tuple(proposal[name] for name in ("term", "soc", "scale", "grade", "special_interest")) == expected
    assert (found["since"], found["until"]) == (ago(patient, hours=6), ago(patient))
    if proposal["term"] is not None:
        said_of_it = {name: proposal[name] for name in ("term", "soc", "onset_at", "special_interest", "episode_id")}
        event = events.record(patient.house, patient.subject, **said_of_it, grade=proposal["grade"] or 2)
        assert event["scale"] == proposal["scale"]
        assert lines(patient.house, EPISODES) == []


def test_an_event_of_the_episode_settles_it_without_a_word(patient: Patient) -> None:
    patient.send(quick(temp_c=38.4))
    house, found = patient.house, line(patient.house, EPISODES)
    event = events.record(house, patient.subject, episode_id=found["episode_id"])
    (settled,) = lines(house, f"{EPISODES}&state=settled")
    assert (settled["adverse_event_id"], settled["decision"], settled["why"]) == (event["id"], None, None)
    second = events.corrected(house, event, episode_id=None)
    assert told(house, EPISODES) == [(None, found["worst"], *NEW)]
    third = events.corrected(house, second, episode_id=found["episode_id"])
    assert lines(house, EPISODES) == []
    events.corrected(house, third, void=True)
    assert [one["state"] for one in lines(house, EPISODES)] == ["open"]


def test_an_episode_whose_event_was_taken_back_says_so(patient: Patient) -> None:
    patient.send(quick(temp_c=38.4))
    event = events.record(patient.house, patient.subject, episode_id=line(patient.house, EPISODES)["episode_id"])
    events.corrected(patient.house, event, void=True)
    assert line(patient.house, EPISODES)["why"] == "taken_back"


def test_an_episode_that_is_known_asks_again_when_it_gets_worse(patient: Patient) -> None:
    patient.send(quick(temp_c=38.4))
    (stored,) = decided(patient, known(line(patient.house, EPISODES)))
    assert lines(patient.house, EPISODES) == []
    patient.house.turn(hours=1)
    patient.send(quick(breath=3))
    (found,) = lines(patient.house, EPISODES)
    assert (found["worst"], found["why"], found["decision"]) == (3, "worse", stored)


def test_an_episode_called_nothing_and_then_a_syndrome_asks_again(patient: Patient) -> None:
    """What was decided while it was open did not know the grade with which it was closed."""
    patient.send(quick(temp_c=38.4))
    decided(patient, known(line(patient.house, EPISODES), decision="not_adverse_event"))
    patient.house.turn(minutes=5)
    patient.close(outcome="crs", crs_grade=3)
    assert [one["why"] for one in lines(patient.house, EPISODES)] == ["went_on"]
    assert [one["proposal"]["term"] for one in lines(patient.house, EPISODES)] == ["Cytokine release syndrome"]


def test_two_episodes_are_two_lines(patient: Patient) -> None:
    patient.send(quick(temp_c=38.4))
    patient.close(outcome="infection")
    decided(patient, known(line(patient.house, EPISODES)))
    patient.house.turn(hours=12)
    patient.send(quick(breath=3))
    assert [one["state"] for one in lines(patient.house, f"{EPISODES}&state=all")] == ["settled", "open"]


def test_an_episode_before_treatment_is_history(sqlite_house: House) -> None:
    patient = not_infused(sqlite_house)
    patient.send(quick(breath=3))
    patient.close(outcome="other")
    sqlite_house.turn(hours=1)
    sqlite_house.event(patient.subject, "infusion", actual_at=sqlite_house.now)
    assert lines(sqlite_house, "?state=all") == []


def test_an_episode_that_went_on_into_treatment_is_listed(sqlite_house: House) -> None:
    """There is one open episode: what happens after infusion joins one that nobody has closed yet."""
    patient = not_infused(sqlite_house)
    patient.send(quick(breath=3))
    sqlite_house.turn(hours=1)
    sqlite_house.event(patient.subject, "infusion", actual_at=sqlite_house.now)
    sqlite_house.turn(days=2)
    patient.send(quick(temp_c=39.4))
    patient.close(outcome="crs", crs_grade=2)
    assert [one["proposal"]["grade"] for one in lines(sqlite_house, EPISODES)] == [2]


def test_an_infusion_that_was_later_leaves_the_episode_before_it(patient: Patient) -> None:
    patient.send(quick(temp_c=38.4))
    patient.close(outcome="other")
    patient.house.turn(days=1)
    desk.correct(patient.house, patient.subject, "infusion", actual_at=patient.house.now - timedelta(hours=1))
    assert lines(patient.house, "?state=all") == []
