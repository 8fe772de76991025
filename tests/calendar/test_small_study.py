"""A made-up study carries a whole trial: its visits, thresholds, ladder times and texts, none of the lupus trial's."""

import itertools
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from furnishing import build
from house import HandClock, House, Person, entry_body, iso, subject_body

from backend.models.safety import Episode, Signal
from tests.calendar.histories import at
from tests.calendar.texts import reminded

SMALL = Path(__file__).parents[1] / "data" / "small-study.yaml"


@pytest.fixture
def small(sqlite_url: str, time: HandClock, tmp_path: Path) -> Iterator[House]:
    with build(sqlite_url, time, tmp_path, study=SMALL) as house:
        yield house


@pytest.fixture
def urgent(sqlite_url: str, time: HandClock, tmp_path: Path) -> Iterator[House]:
    """The same study, its one rule at URGENT."""
    text = SMALL.read_text(encoding="utf-8")
    changed = text.replace("R11: {version: 7, level: REVIEW,", "R11: {version: 8, level: URGENT,")
    assert changed != text
    path = tmp_path / "urgent.yaml"
    path.write_text(changed, encoding="utf-8")
    with build(sqlite_url, time, tmp_path, study=path) as house:
        yield house


def treated(house: House) -> tuple[dict[str, Any], Person]:
    """Consented on 23 February, infused on 27 February at 09:00; today is 2 March, D3."""
    subject = house.enrol(dose_level="low", prior_organs=["lung"])
    house.event(subject, "consent", actual_at=at(2026, 2, 23, 10))
    house.event(subject, "infusion", actual_at=at(2026, 2, 27, 9))
    return subject, house.patient_of(subject)


def evening(house: House, patient: Person, temp_c: float, **over: Any) -> Any:
    body = entry_body(house, patient, form="evening", **over)
    body["answers"] = {"wheeze": 0, "puffs": 2, "temp_c": temp_c}
    return patient.put(f"/me/entries/{uuid4()}", body)


def test_the_lupus_trials_words_are_refused(small: House) -> None:
    refused = small.nurse.post("/subjects", subject_body(small, dose_level="1", prior_organs=["skin"]))
    assert {one["path"] for one in refused.json["faults"]} == {"/dose_level", "/prior_organs/0"}
    subject = small.enrol(dose_level="high")
    body = {"id": str(uuid4()), "kind": "collection", "actual_at": iso(small.now)}
    unknown = small.nurse.post(f"/subjects/{subject['id']}/events", body)
    assert (unknown.status_code, unknown.json["faults"][0]["path"]) == (422, "/kind")
    quick = small.patient_of(subject).put(
        f"/me/entries/{uuid4()}", {**entry_body(small, small.nurse), "reporter": "patient"}
    )
    assert (quick.status_code, quick.json["faults"][0]["path"]) == (422, "/form")


def test_its_calendar_counted_by_hand(small: House) -> None:
    """Slots on D0, D3, D6, D9 at 06:10 and 18:40; A on consent + 1, B on D7, C on D29."""
    subject, _ = treated(small)
    items = small.nurse.get(f"/subjects/{subject['id']}/calendar").json["items"]
    visits = {one["key"]: (one["day"], one["due_at"], one["name"]) for one in items if one["kind"] == "visit"}
    assert visits == {
        "A": (-3, iso(at(2026, 2, 24)), "Entry"),
        "B": (7, iso(at(2026, 3, 6)), "One week"),
        "C": (29, iso(at(2026, 3, 28)), "One month"),
    }
    slots = [(one["key"], one["day"], one["due_at"]) for one in items if one["kind"] == "slot"]
    days = ((0, 2, 27), (3, 3, 2), (6, 3, 5), (9, 3, 8))
    assert slots == [
        ("evening", day, iso(at(2026, month, date, *clock_time)))
        for day, month, date in days
        for clock_time in ((6, 10), (18, 40))
    ]


def test_the_phone_shows_its_forms_and_texts(small: House) -> None:
    today = treated(small)[1].get("/me/today").json
    assert (set(today["forms"]), today["unscheduled_form"]) == ({"evening"}, "evening")
    assert [one["key"] for one in today["forms"]["evening"]["items"]][:2] == ["wheeze", "puffs"]
    assert today["red_flags"] == [{"item": "wheeze", "op": "ge", "value": 2}]
    assert today["emergency"]["text"] == "If you cannot breathe, seek help at once."
    assert today["advice"]["URGENT"] == "The study team will contact you."


def test_a_report_fires_its_own_rule_with_its_own_threshold(small: House) -> None:
    """R11 at 38.4 as in the mouth; its level is REVIEW, so a digest goes to the backup after two hours."""
    subject, patient = treated(small)
    assert evening(small, patient, 38.3).json["signals"] == []
    small.turn(minutes=30)
    sent = evening(small, patient, 38.4)
    assert (sent.status_code, sent.json["page"]) == (201, "none")
    assert [(one["rule"], one["level"]) for one in sent.json["signals"]] == [("R11", "REVIEW")]
    assert sent.json["advice"]["text"] == "The study team will look at it."
    (signal,) = small.rows(sa.select(Signal))
    assert (signal.rule_version, signal.asks) == (7, "repeat_temperature_15min")
    (episode,) = small.rows(sa.select(Episode))
    assert episode.next_step_at == small.now + timedelta(seconds=7200)
    assert worklist(small) == []
    small.turn(seconds=7200)
    sent_now = worklist(small)
    # Nobody holds the backup duty here: the pager's own order of falling back decides who hears of it.
    assert {one["template"] for one in sent_now} == {"digest"}
    assert {one["lane"] for one in sent_now} == {"reminder"}
    assert subject["dose_level"] == "low"


def worklist(house: House) -> list[dict[str, Any]]:
    """What staff are told about episodes; the patient's texts and the gaps of the rota are another matter."""
    return [one for one in house.work() if one["lane"] == "page" or one["template"] == "digest"]


def test_its_rule_sleeps_outside_its_window(small: House) -> None:
    """`early` ends on D9; on D10 the same fever is stored and nothing more."""
    _, patient = treated(small)
    small.to(2026, 3, 8, 12, 0)
    assert [one["rule"] for one in evening(small, patient, 39.0).json["signals"]] == ["R11"]
    small.to(2026, 3, 9, 12, 0)
    assert evening(small, patient, 39.0).json["signals"] == []


def test_its_ladder_runs_by_its_own_seconds(urgent: House) -> None:
    """URGENT pages after 5 s and becomes EMERGENCY after 700 s, which pages at once and on channel 2 after 120 s."""
    _, patient = treated(urgent)
    sent = evening(urgent, patient, 38.4)
    assert sent.json["page"] == "queued"
    begun = urgent.now
    told: list[tuple[int, int]] = []
    for second, after in itertools.pairwise((0, 4, 5, 6, 699, 700, 701, 819, 820, 821, 4000)):
        told += [(second, one["channel"]) for one in urgent.pages()]
        urgent.turn(seconds=after - second)
    assert urgent.now == begun + timedelta(seconds=4000)
    assert sorted(set(told)) == [(5, 1), (700, 1), (820, 2)]
    assert {episode.level for episode in urgent.rows(sa.select(Episode))} == {"EMERGENCY"}


def test_its_morning_is_at_twenty_past_nine_and_nobody_is_nudged(small: House) -> None:
    """V on the 6th is told two days before, on the 4th; the slots of D6 are told on their morning."""
    treated(small)
    small.to(2026, 3, 3, 0, 0)
    told = []
    for _ in range(4 * 24 * 3):
        small.turn(minutes=15)
        told += [(one["template"], one["at"]) for one in reminded(small)]
    assert told == [("visit_soon", at(2026, 3, 4, 9, 30)), ("diary_today", at(2026, 3, 5, 9, 30))]


def test_the_whole_trial_leaves_everything_sound(small: House) -> None:
    subject, patient = treated(small)
    assert evening(small, patient, 38.6).status_code == 201
    (listed,) = small.nurse.get("/episodes").json["items"]
    seen = {"id": str(uuid4()), "kind": "accepted", "seen_signal_seq": listed["last_seq"]}
    assert small.nurse.post(f"/episodes/{listed['id']}/acknowledgements", seen).status_code == 201
    version = small.doctor.get(f"/episodes/{listed['id']}").headers["ETag"]
    closed = small.doctor.post(f"/episodes/{listed['id']}/close", {"outcome": "infection"}, **{"If-Match": version})
    assert closed.status_code == 200, closed.text
    small.to(2026, 4, 20, 9, 0)
    small.work()
    small.event(subject, "completion", actual_at=small.now)
    assert small.nurse.get(f"/subjects/{subject['id']}").json["status"] == "completed"
    run = small.app.test_cli_runner()
    assert [run.invoke(args=[what, "verify"]).exit_code for what in ("agenda", "audit")] == [0, 0]
