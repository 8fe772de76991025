"""What stands beside the infusion form: open fever, holds, product, baselines. Only a held level refuses."""

from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from house import House, iso, subject_body

from backend.models.record import AuditEvent
from tests.trial.desk import Subject, ago, at, fever, measured, refused, send, visit, z
from tests.trial.test_product import RELEASE, put

Hints = dict[str, tuple[bool, dict[str, Any]]]


def hints(house: House, subject: Subject, kind: str = "infusion") -> Hints:
    """code: (holds, detail)."""
    answer = house.nurse.get(f"/subjects/{subject['id']}/readiness?kind={kind}")
    assert answer.status_code == 200, answer.text
    return said(answer.json["items"])


def said(items: list[dict[str, Any]]) -> Hints:
    found = {one["code"]: (one["holds"], one["detail"]) for one in items}
    assert len(found) == len(items)
    return found


def holding(house: House, subject: Subject) -> Hints:
    return {code: hint for code, hint in hints(house, subject).items() if hint[0]}


def test_a_new_subject_lacks_product_release_and_baselines(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.enrol()
    found = hints(house, subject)
    assert {code: holds for code, (holds, _) in found.items()} == {
        "product_missing": False,
        "release_pending": False,
        "baseline_visit_missing": False,
        "baseline_temperature_missing": False,
    }
    assert sorted(found["release_pending"][1]["tests"]) == sorted(RELEASE)
    assert found["baseline_visit_missing"][1] == {"visits": ["V0"]}
    assert found["baseline_temperature_missing"][1] == {"readings": 0}
    assert hints(house, subject, "admission") == {}
    assert refused(house.stranger.get(f"/subjects/{subject['id']}/readiness?kind=infusion")) == (404, "not_found")
    # The form is not refused, and says the same.
    answer = send(house, subject, "infusion", actual_at=house.now)
    assert (answer.status_code, answer.json["stored"], said(answer.json["hints"])) == (201, True, found)


def test_product_and_release_tests_settle_one_by_one(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.enrol()
    assert put(house, subject, release_tests=RELEASE[:2]).status_code == 201
    found = hints(house, subject)
    assert "product_missing" not in found
    assert sorted(found["release_pending"][1]["tests"]) == sorted(RELEASE[:2])
    measured(house, subject, RELEASE[0], 0)
    assert hints(house, subject)["release_pending"][1] == {"tests": [RELEASE[1]]}
    measured(house, subject, RELEASE[1], 0)
    assert "release_pending" not in hints(house, subject)


def test_baselines_are_asked_for_before_lymphodepletion_and_not_after(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.enrol()
    patient = house.patient_of(subject)
    assert set(hints(house, subject, "lymphodepletion")) == {"baseline_visit_missing", "baseline_temperature_missing"}
    send(house, subject, "collection", planned_at=at(2026, 3, 16, 9))
    attended = {"at": iso(house.now), "outcome": "attended"}
    assert house.nurse.put(f"/visits/{visit(house, subject, 'V0')['id']}/attendance", attended).json["status"] == "done"
    for n in range(6):
        assert set(hints(house, subject, "lymphodepletion")) == {"baseline_temperature_missing"}
        assert hints(house, subject, "lymphodepletion")["baseline_temperature_missing"][1] == {"readings": n}
        assert house.report(patient, {"temp_c": 36.5 + n / 10}).status_code == 201
        house.turn(hours=3)
    assert hints(house, subject, "lymphodepletion") == {}


def test_after_lymphodepletion_the_time_for_baselines_is_over(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.enrol()
    begun = send(house, subject, "lymphodepletion", actual_at=house.now)
    assert set(said(begun.json["hints"])) == {"baseline_visit_missing", "baseline_temperature_missing"}
    assert set(hints(house, subject)) == {"product_missing", "release_pending"}


def test_an_open_fever_holds_with_the_last_crp_until_it_is_closed(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.enrol()
    patient = house.patient_of(subject)
    assert holding(house, subject) == {}
    measured(house, subject, "crp", 12, collected_at=ago(house, hours=5))
    measured(house, subject, "crp", 87, collected_at=ago(house, hours=2))
    taken = fever(house, patient, 38.4)
    assert [(one["rule"], one["level"]) for one in taken["signals"]] == [("R31", "URGENT")]
    (episode,) = house.doctor.get("/episodes").json["items"]
    holds, detail = hints(house, subject)["open_fever"]
    assert holds
    assert (detail["episode_id"], detail["page_number"]) == (episode["id"], episode["page_number"])
    assert (detail["level"], detail["at"]) == ("URGENT", z(2026, 3, 2, 9))
    assert (detail["crp"], detail["crp_at"]) == (87, z(2026, 3, 2, 7))
    assert "38.4" in detail["sentence_en"]
    assert "回输前须由医生复核" in detail["sentence_zh"]
    planned = send(house, subject, "infusion", planned_at=at(2026, 3, 3, 9))
    assert "open_fever" in said(planned.json["hints"])
    shown = send(house, subject, "infusion", actual_at=house.now, preview=True)
    assert (shown.status_code, "open_fever" in said(shown.json["hints"])) == (200, True)
    assert "open_fever" not in hints(house, subject, "lymphodepletion")

    closed = house.doctor.post(
        f"/episodes/{episode['id']}/close", {"outcome": "none"}, **{"If-Match": f'"{episode["version"]}"'}
    )
    assert closed.status_code == 200, closed.text
    assert "open_fever" not in hints(house, subject)


def test_a_fever_without_crp_says_so(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.enrol()
    fever(house, house.patient_of(subject))
    detail = hints(house, subject)["open_fever"][1]
    assert (detail["crp"], detail["crp_at"]) == (None, None)
    answer = send(house, subject, "infusion", actual_at=house.now)
    assert (answer.status_code, "open_fever" in said(answer.json["hints"])) == (201, True)


def test_the_sentinel_waits_fourteen_days_then_seven_between(sqlite_house: House) -> None:
    """First of the level on 2 March 09:00: the second from 16 March 09:00. Infused then; the third from 23 March."""
    house = sqlite_house
    house.infused(number="A1")
    second, third = house.enrol(number="A2"), house.enrol(number="A3")
    assert holding(house, second) == {"stagger": (True, {"earliest_at": z(2026, 3, 16, 9), "after": "A1"})}
    house.to(2026, 3, 16, 8, 59)
    assert set(holding(house, second)) == {"stagger"}
    house.turn(minutes=1)
    assert holding(house, second) == {}
    house.event(second, "infusion", actual_at=house.now)
    assert holding(house, third) == {"stagger": (True, {"earliest_at": z(2026, 3, 23, 9), "after": "A2"})}
    early = send(house, third, "infusion", actual_at=house.now)
    assert (early.status_code, said(early.json["hints"])["stagger"][0]) == (201, True)
    fourth = house.enrol(number="A4")
    assert holding(house, fourth)["stagger"][1] == {"earliest_at": z(2026, 3, 23, 9), "after": "A3"}
    house.to(2026, 3, 23, 9)
    assert holding(house, fourth) == {}


def test_the_level_below_is_waited_for_until_its_window_is_over(sqlite_house: House) -> None:
    """Level 1 on 2 and 16 March: level 2 waits until 13 April (28 days after the second). Level 3 looks at 2 only."""
    house = sqlite_house
    house.infused(number="A1")
    upper, top = house.enrol(number="B1", dose_level="2"), house.enrol(number="C1", dose_level="3")
    house.to(2026, 3, 16, 9)
    left = house.enrol(number="A2")
    house.event(left, "infusion", actual_at=house.now)
    pending = {"dose_level": "1", "subjects": 2, "numbers": ["A1", "A2"]}
    assert holding(house, upper) == {"level_below_pending": (True, pending)}
    assert holding(house, top) == {}
    house.to(2026, 3, 30, 9)  # 28 days after the first
    assert holding(house, upper)["level_below_pending"][1] == {"dose_level": "1", "subjects": 1, "numbers": ["A2"]}
    house.to(2026, 4, 13, 8, 59)
    assert set(holding(house, upper)) == {"level_below_pending"}
    house.turn(minutes=1)
    assert holding(house, upper) == {}


def test_an_open_emergency_on_the_level_holds_the_others(sqlite_house: House) -> None:
    house = sqlite_house
    sick = house.infused(days_ago=20, number="A1")
    same, other = house.enrol(number="A2"), house.enrol(number="B1", dose_level="2")
    patient = house.patient_of(sick)
    assert holding(house, same) == {}
    taken = house.report(patient, {"faint": "yes", "confused": 3}).json
    assert taken["advice"]["level"] == "EMERGENCY"
    (episode,) = house.doctor.get("/episodes").json["items"]
    expected = (True, {"number": "A1", "page_number": episode["page_number"]})
    held = (True, {"reasons": ["emergency_open"]})
    assert holding(house, same) == {"open_emergency": expected, "level_held": held}
    assert "open_emergency" not in holding(house, other)
    assert holding(house, other)["level_held"] == held  # what is open below holds what is above
    assert "open_emergency" not in holding(house, sick)
    # Shown to whoever looks, and enforced: only the principal investigator, with a reason, goes on all the same.
    assert refused(send(house, same, "infusion", actual_at=house.now)) == (409, "infusion_held")
    assert send(house, same, "infusion", planned_at=house.now).status_code == 201  # to plan is free
    assert refused(send(house, same, "infusion", actual_at=house.now, override_reason="agreed")) == (403, "forbidden")
    body = {"id": str(uuid4()), "kind": "infusion", "actual_at": iso(house.now)}
    path = f"/subjects/{same['id']}/events"
    assert refused(house.chief.post(path, body)) == (409, "infusion_held")
    answer = house.chief.post(path, {**body, "override_reason": "the cells do not keep"})
    assert (answer.status_code, said(answer.json["hints"])["open_emergency"]) == (201, expected)
    (kept,) = house.rows(sa.select(AuditEvent).where(AuditEvent.verb == "hold:overridden"))
    assert (kept.actor_id, kept.new["holds"], kept.reason) == (
        house.chief.id,
        ["emergency_open"],
        "the cells do not keep",
    )


@pytest.mark.parametrize("level", ["1", "2"])
def test_the_other_site_counts_and_stays_unnamed(sqlite_house: House, level: str) -> None:
    house = sqlite_house
    mine = house.enrol(dose_level=level)
    body = subject_body(house, site_id=str(house.other_site_id), number="SH-9")
    theirs = house.stranger.post("/subjects", {**body, "contact": {"name": "Li", "phone": "13900139000"}}).json
    infusion = {"id": str(uuid4()), "kind": "infusion", "actual_at": iso(house.now)}
    assert house.stranger.post(f"/subjects/{theirs['id']}/events", infusion).status_code == 201
    answer = house.nurse.get(f"/subjects/{mine['id']}/readiness?kind=infusion")
    assert "SH-9" not in answer.text
    assert holding(house, mine) == (
        {"stagger": (True, {"earliest_at": z(2026, 3, 16, 9), "after": None})}
        if level == "1"
        else {"level_below_pending": (True, {"dose_level": "1", "subjects": 1, "numbers": []})}
    )


def test_an_infusion_taken_back_holds_nobody(sqlite_house: House) -> None:
    house = sqlite_house
    first, second = house.infused(number="A1"), house.enrol(number="A2")
    assert set(holding(house, second)) == {"stagger"}
    stands = house.nurse.get(f"/subjects/{first['id']}/events").json["items"][0]
    gone = {"void": True, "reason": "another subject's"}
    assert house.nurse.patch(f"/subjects/{first['id']}/events/{stands['id']}", gone, 1).status_code == 200
    assert holding(house, second) == {}


def test_once_it_took_place_nothing_stands_before_it(sqlite_house: House) -> None:
    subject = sqlite_house.enrol()
    assert hints(sqlite_house, subject)
    sqlite_house.event(subject, "infusion", actual_at=sqlite_house.now)
    assert hints(sqlite_house, subject) == {}
