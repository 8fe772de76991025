"""The strip of counts to type in: the study's, in its order, each with the last value and whether today's is in."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from house import House

from tests.laboratory.files import sheet, taken
from tests.trial.desk import at, measured

CODES = ["anc", "platelets", "haemoglobin", "crp", "ferritin", "il6", "fibrinogen", "igg", "b_cells"]


def strip(house: House, subject: Any, who: str = "nurse") -> list[dict[str, Any]]:
    answer = house.people[who].get(f"/subjects/{subject['id']}/counts")
    assert answer.status_code == 200, answer.text
    assert answer.json["next_cursor"] is None
    return list(answer.json["items"])


def crp(house: House, subject: Any) -> dict[str, Any]:
    return next(one for one in strip(house, subject) if one["code"] == "crp")


def value(house: House, subject: Any, number: Any, when: datetime, **over: Any) -> str:
    """A CRP typed by the nurse; its id."""
    answer = measured(house, subject, "crp", number, collected_at=when, **over)
    assert answer.status_code == 201, answer.text
    return str(answer.json["items"][0]["id"])


def test_it_shows_the_studys_facts_in_their_order(clinic: House, subject: dict[str, Any]) -> None:
    items = strip(clinic, subject)
    assert [one["code"] for one in items] == CODES
    assert items[0] == {
        "code": "anc",
        "name": "Neutrophils (ANC)",
        "unit": "10*9/L",
        "value": None,
        "qualifier": "",
        "collected_at": None,
        "today": False,
    }
    assert [one["unit"] for one in items[1:]] == ["10*9/L", "g/L", "mg/L", "ug/L", "pg/mL", "g/L", "g/L", "/uL"]


def test_names_are_in_the_readers_language(clinic: House, subject: dict[str, Any]) -> None:
    monitor = clinic.monitor
    version = monitor.get("/me").headers["ETag"]
    assert monitor.call("PATCH", "/me", {"locale": "zh-CN"}, {"If-Match": version}).status_code == 200
    assert [one["name"] for one in strip(clinic, subject, "monitor")][:2] == ["中性粒细胞绝对值", "血小板"]


def test_it_shows_the_last_sample_whenever_it_was_typed(clinic: House, subject: dict[str, Any]) -> None:
    value(clinic, subject, 9, at(2026, 3, 2, 8))
    value(clinic, subject, 7, at(2026, 3, 1, 8))
    taken(clinic, sheet({"value": "3", "collected_at": "2026-02-28 08:00"}))
    shown = crp(clinic, subject)
    assert (shown["value"], shown["collected_at"], shown["today"]) == (9, "2026-03-02T00:00:00Z", True)
    taken(clinic, sheet({"value": "<0.05", "unit": "mg/dL", "collected_at": "2026-03-02 08:30"}))
    shown = crp(clinic, subject)
    assert (shown["value"], shown["qualifier"], shown["unit"]) == (Decimal("0.5"), "<", "mg/L")


def test_today_is_the_sites_date(clinic: House) -> None:
    """From midnight to midnight in Shanghai, wherever the subject lives."""
    subject = clinic.enrol(number="002", time_zone="America/New_York")
    clinic.to(2026, 3, 2, 23, 59, 59)
    value(clinic, subject, 5, at(2026, 3, 1, 23, 59, 59))
    assert crp(clinic, subject)["today"] is False
    value(clinic, subject, 6, at(2026, 3, 2))
    assert crp(clinic, subject)["today"] is True
    clinic.turn(seconds=1)
    assert (crp(clinic, subject)["value"], crp(clinic, subject)["today"]) == (6, False)
    value(clinic, subject, 7, at(2026, 3, 3))
    assert (crp(clinic, subject)["value"], crp(clinic, subject)["today"]) == (7, True)
    assert clinic.now == datetime(2026, 3, 2, 16, tzinfo=UTC)


def test_what_was_corrected_or_not_done_is_not_shown(clinic: House, subject: dict[str, Any]) -> None:
    value(clinic, subject, 4, at(2026, 3, 1, 8))
    wrong = value(clinic, subject, 90, at(2026, 3, 2, 8))
    right = value(clinic, subject, 9, at(2026, 3, 2, 8), corrects_id=wrong, reason="a digit too many")
    assert (crp(clinic, subject)["value"], crp(clinic, subject)["today"]) == (9, True)
    value(clinic, subject, None, at(2026, 3, 2, 8, 30), not_done=True)
    assert (crp(clinic, subject)["value"], crp(clinic, subject)["today"]) == (9, True)
    value(clinic, subject, None, at(2026, 3, 2, 8), not_done=True, corrects_id=right, reason="somebody else's")
    assert (crp(clinic, subject)["value"], crp(clinic, subject)["today"]) == (4, False)


@pytest.mark.parametrize(("who", "status"), [("statistician", 200), ("monitor", 200), ("doctor", 200), ("admin", 403)])
def test_who_may_see_it(clinic: House, subject: dict[str, Any], who: str, status: int) -> None:
    assert clinic.people[who].get(f"/subjects/{subject['id']}/counts").status_code == status


def test_a_foreign_subject_does_not_exist(clinic: House, subject: dict[str, Any]) -> None:
    foreign = clinic.stranger.get(f"/subjects/{subject['id']}/counts")
    absent = clinic.stranger.get(f"/subjects/{uuid4()}/counts")
    assert (foreign.status_code, absent.status_code) == (404, 404)
    assert foreign.json["detail"] == absent.json["detail"]
    assert clinic.patient_of(subject).get(f"/subjects/{subject['id']}/counts").status_code == 403
