"""What the rules say to a laboratory's file: just what they say to the same values typed one by one.

A fresh critical value pages; one of the day before goes to the worklist. A dry run asks nobody.
"""

from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from house import House

from backend.models.outbox import Message
from backend.models.safety import Episode
from schedules.protocol.definition import LEVELS
from tests.laboratory.files import counted, send, sheet, taken
from tests.trial.desk import ago, at, measured, signals

CRITICAL = (
    {"code": "platelets", "value": "8000", "unit": "/uL"},  # 8 10*9/L: an emergency
    {"code": "anc", "value": "0.3", "unit": "K/uL"},
)


def pages(house: House) -> list[Message]:
    """What stands in the outbox for the pager after a turn of the worker."""
    house.work()
    return house.rows(sa.select(Message).where(Message.lane == "page"))


def found(house: House, subject: Any) -> dict[str, str]:
    """The gravest level of each rule."""
    rules: dict[str, str] = {}
    for one in signals(house, subject):
        rules[one.rule] = max(one.level, rules.get(one.rule, LEVELS[0]), key=LEVELS.index)
    return rules


def episode(house: House, subject: Any) -> tuple[str, list[str]]:
    [one] = [one for one in house.nurse.get("/episodes").json["items"] if one["subject_id"] == subject["id"]]
    return one["level"], one["organs"]


def test_a_fresh_critical_value_pages(house: House) -> None:
    subject = house.infused(days_ago=6)
    other = house.infused(days_ago=6, number="002")
    answer = taken(house, sheet(*({**one, "collected_at": "2026-03-02 08:00"} for one in CRITICAL), {"subject": "002"}))
    told = {(one["subject_number"], one["rule"], one["level"]) for one in answer["signals"]}
    assert {("001", "L08", "EMERGENCY"), ("001", "L07", "REVIEW")} <= told
    assert {number for number, _, _ in told} == {"001"}
    assert all(one["sentence"] for one in answer["signals"])
    assert episode(house, subject) == ("EMERGENCY", ["blood"])
    assert signals(house, other) == []
    assert {message.subject_id for message in pages(house)} == {row.subject_id for row in signals(house, subject)}
    assert house.pages() == []


def test_the_same_values_of_the_day_before_do_not_page(clinic: House, subject: dict[str, Any]) -> None:
    taken(clinic, sheet(*({**one, "collected_at": "2026-03-01 08:59"} for one in CRITICAL)))
    assert {"L07", "L08"} <= set(found(clinic, subject))
    assert {one.held_because for one in signals(clinic, subject)} == {"late"}
    assert episode(clinic, subject)[0] == "REVIEW"
    assert pages(clinic) == []


def test_values_of_just_a_day_ago_page(clinic: House, subject: dict[str, Any]) -> None:
    taken(clinic, sheet(*({**one, "collected_at": "2026-03-01 09:00"} for one in CRITICAL)))
    assert episode(clinic, subject)[0] == "EMERGENCY"
    assert pages(clinic)


def test_a_dry_run_or_a_known_file_asks_no_rule_and_pages_nobody(clinic: House, subject: dict[str, Any]) -> None:
    fresh = sheet(*({**one, "collected_at": "2026-03-02 08:00"} for one in CRITICAL))
    assert send(clinic, fresh, dry_run=True).status_code == 200
    assert clinic.rows(sa.select(Episode)) == []
    assert pages(clinic) == []
    taken(clinic, fresh)
    many = len(pages(clinic))
    count = len(signals(clinic, subject))
    answer = taken(clinic, fresh)
    assert (counted(answer), answer["signals"]) == ((2, 2, 0), [])
    assert (len(pages(clinic)), len(signals(clinic, subject))) == (many, count)


def test_a_culture_is_never_late(clinic: House, subject: dict[str, Any]) -> None:
    taken(clinic, sheet({"code": "blood_culture", "value": "1", "unit": "1", "collected_at": "2026-02-26 08:00"}))
    assert found(clinic, subject) == {"L15": "URGENT"}
    assert pages(clinic)


Value = tuple[str, str, str, str]  # code, value, unit, upper limit
SAMPLES: tuple[tuple[Value, ...], ...] = (
    (("ferritin", "700", "ug/L", "300"), ("alt", "300", "U/L", "40")),
    (("body_temperature", "38.6", "Cel", ""), ("anc", "0.3", "10*9/L", "")),
    (("crp", "80", "mg/L", ""), ("body_temperature", "38.6", "Cel", "")),
    (("sbp", "85", "mm[Hg]", ""), ("dbp", "50", "mm[Hg]", ""), ("spo2", "88", "%", "")),
    (("alt", "300", "U/L", "40"), ("bilirubin", "90", "umol/L", "20"), ("platelets", "8", "10*9/L", "")),
)


def singly(house: House, subject: Any, sample: Sequence[Value]) -> dict[str, str]:
    """Each value of a sample through the door for one, in this order."""
    for code, value, unit, uln in sample:
        limit = {"uln": float(uln)} if uln else {}
        answer = measured(house, subject, code, float(value), unit=unit, collected_at=ago(house, minutes=45), **limit)
        assert answer.status_code == 201, answer.text
    return found(house, subject)


@pytest.mark.parametrize("sample", SAMPLES, ids=["-".join(one[0] for one in sample) for sample in SAMPLES])
def test_values_of_one_sample_say_together_what_they_say_one_by_one(
    clinic: House, subject: dict[str, Any], sample: Sequence[Value]
) -> None:
    """Of the two orders the one that knew more when it was asked."""
    forth, back = (clinic.infused(days_ago=6, number=number) for number in ("002", "003"))
    asked = (singly(clinic, forth, sample), singly(clinic, back, tuple(reversed(sample))))
    knowing = {
        rule: max((one.get(rule, LEVELS[0]) for one in asked), key=LEVELS.index)
        for rule in dict.fromkeys(rule for one in asked for rule in one)
    }
    taken(
        clinic, sheet(*({"code": code, "value": value, "unit": unit, "uln": uln} for code, value, unit, uln in sample))
    )
    assert found(clinic, subject) == knowing
    assert episode(clinic, subject) == episode(clinic, back)


def test_values_of_several_days_say_together_what_they_said_day_by_day(clinic: House, subject: dict[str, Any]) -> None:
    """Lines out of order are put to the rules by time: no value knows of one that came after it."""
    course = [("1000", 26), ("2500", 27), ("900", 28), ("12000", 1)]
    days = [(value, at(2026, 2 if day > 20 else 3, day, 8)) for value, day in course]
    other = clinic.infused(days_ago=6, number="002")
    for value, when in days:
        assert measured(clinic, other, "ferritin", float(value), unit="ug/L", collected_at=when).status_code == 201
    lines = [
        {"code": "ferritin", "unit": "ug/L", "value": value, "collected_at": when.isoformat()} for value, when in days
    ]
    taken(clinic, sheet(*(lines[n] for n in (2, 0, 3, 1))))
    rules = [[(one.rule, one.level, one.sentence_en) for one in signals(clinic, who)] for who in (subject, other)]
    assert rules[0] == rules[1] != []
