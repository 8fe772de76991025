"""Limits of a performing laboratory: written down once, taken by values that name it, as in force on their day.

Proves that a list is stored whole or not at all with each fault at its path, that limits given with a value hold before
the list, and that a stored value and the repeat of its request never change because the list did.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from house import House, Person
from werkzeug.test import TestResponse

from backend.db import db, transaction
from backend.models.clinical import ReferenceLimit
from backend.models.study import Site
from tests.conduct.acts import bare, trail
from tests.contract.stage import changed, everything, problem_of, publish_next
from tests.laboratory.files import at as cell
from tests.laboratory.files import counted, refused, sheet, taken, values
from tests.trial.desk import at, faults, measured, signals

CENTRAL = "Central"
TRAIL = {"audit_event", "audit_head"}


def limit(**over: Any) -> dict[str, Any]:
    body = {
        "id": str(uuid4()),
        "laboratory": CENTRAL,
        "code": "crp",
        "unit": "mg/L",
        "uln": 8,
        "valid_from": "2026-01-01",
    }
    return {name: value for name, value in {**body, **over}.items() if value is not ...}


def post(house: House, body: Any, who: Person | None = None, site_id: UUID | None = None) -> TestResponse:
    return (who or house.nurse).post(f"/sites/{site_id or house.site_id}/reference-limits", body)


def listed(house: House, *items: Mapping[str, Any], **how: Any) -> list[dict[str, Any]]:
    answer = post(house, list(items), **how)
    assert answer.status_code == 201, answer.text
    return list(answer.json["items"])


def read(house: House, asked: str = "", who: str = "monitor") -> dict[str, Any]:
    answer = house.people[who].get(f"/sites/{house.site_id}/reference-limits{asked}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


def limits(answer: TestResponse) -> tuple[Any, Any]:
    """(lln, uln) that a value was stored with."""
    assert answer.status_code == 201, answer.text
    return answer.json["items"][0]["lln"], answer.json["items"][0]["uln"]


def of_central(house: House, subject: Any, code: str = "crp", value: Any = 5, **over: Any) -> TestResponse:
    """A value that names the laboratory."""
    return measured(house, subject, code, value, **{"laboratory": CENTRAL, **over})


# --- the list -----------------------------------------------------------------------------------------------------


def test_a_list_is_recorded_repeated_and_read(house: House) -> None:
    first = limit(lln=0, uln=8)
    second = limit(code="anc", unit="/uL", lln=1800, uln=..., valid_from="2026-02-01")
    other = limit(laboratory="南京鼓楼医院检验科", lln=1, uln=...)
    made = listed(house, first, second, other)
    assert [(one["id"], one["lln"], one["uln"]) for one in made] == [
        (first["id"], 0, 8),
        (second["id"], 1800, None),
        (other["id"], 1, None),
    ]
    assert {(one["recorded_by"], one["recorded_at"]) for one in made} == {(str(house.nurse.id), "2026-03-02T01:00:00Z")}
    acts = trail(house, "reference_limit:recorded")
    assert {act.entity_id for act in acts} == {first["id"], second["id"], other["id"]}
    assert house.chief.get("/audit/verify").json["intact"] is True

    house.turn(hours=1)
    before = everything(house)
    for again in ([first, second, other], first, {"items": [other, first]}, {**first, "uln": 8.00}):
        assert post(house, again, house.doctor).status_code == 200
    assert changed(house, before) == set()
    assert read(house) == {"items": [made[1], made[0], made[2]], "next_cursor": None}
    assert read(house, f"?laboratory={CENTRAL}&code=crp")["items"] == [made[0]]
    assert read(house, "?code=crp", "statistician")["items"] == [made[0], made[2]]
    assert read(house, "?laboratory=central")["items"] == []


NAMES = {
    "short": CENTRAL,
    "hospital": "南京大学医学院附属鼓楼医院检验科临床免疫学与分子诊断中心实验室",
    "longest": "检" * 100,
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_the_list_is_read_page_by_page(clinic: House, name: str) -> None:
    """However a laboratory is called."""
    for _ in range(3):
        listed(clinic, limit(laboratory=name, code="haemoglobin", unit="g/L", uln=160), limit(laboratory=name))
        clinic.turn(minutes=1)
    whole = read(clinic)["items"]
    assert [one["code"] for one in whole] == ["crp"] * 3 + ["haemoglobin"] * 3
    pages: list[dict[str, Any]] = []
    cursor = ""
    while cursor is not None:
        page = read(clinic, f"?limit=2{cursor and '&cursor='}{cursor}")
        pages, cursor = [*pages, *page["items"]], page["next_cursor"]
    assert pages == whole


BAD: tuple[tuple[dict[str, Any], str, str], ...] = (
    ({"id": ...}, "/id", "required"),
    ({"id": "7"}, "/id", "invalid_uuid"),
    ({"laboratory": ...}, "/laboratory", "required"),
    ({"laboratory": "L" * 101}, "/laboratory", "wrong_length"),
    ({"laboratory": None}, "/laboratory", "null_not_allowed"),
    ({"code": "mood"}, "/code", "not_allowed"),
    ({"code": "c r p"}, "/code", "wrong_format"),
    ({"unit": "mmol/L"}, "/unit", "wrong_unit"),
    ({"unit": ...}, "/unit", "required"),
    ({"uln": ...}, "/uln", "required"),
    ({"uln": None, "lln": None}, "/uln", "required"),
    ({"uln": "8"}, "/uln", "wrong_type"),
    ({"uln": True}, "/uln", "wrong_type"),
    ({"uln": 0}, "/uln", "out_of_range"),
    ({"uln": -1}, "/uln", "out_of_range"),
    ({"lln": -0.1}, "/lln", "out_of_range"),
    ({"lln": 8}, "/uln", "out_of_range"),
    ({"lln": 8.1}, "/uln", "out_of_range"),
    ({"valid_from": ...}, "/valid_from", "required"),
    ({"valid_from": "2026-02-30"}, "/valid_from", "invalid_date"),
    ({"valid_from": "2026-03-01T00:00:00Z"}, "/valid_from", "invalid_date"),
    ({"valid_from": "1899-12-31"}, "/valid_from", "out_of_range"),
    ({"site_id": "x"}, "/site_id", "unknown_field"),
    ({"recorded_at": "2026-03-01T00:00:00Z"}, "/recorded_at", "unknown_field"),
)


def test_bad_limits_are_refused_at_their_place(clinic: House) -> None:
    before = everything(clinic)
    for wrong, path, code in BAD:
        bad = limit(**wrong)
        assert faults(post(clinic, bad)) == [(path, code)], wrong
        assert faults(post(clinic, [limit(laboratory="Another"), bad])) == [(f"/1{path}", code)], wrong
        assert faults(post(clinic, {"items": [bad, limit(laboratory="Another")]})) == [(f"/items/0{path}", code)], wrong
    assert changed(clinic, before) == set()


def test_a_list_is_stored_whole_or_not_at_all(clinic: House) -> None:
    known = limit()
    listed(clinic, known)
    before = everything(clinic)
    both = [limit(), limit(code="mood"), limit(uln=..., unit="g", laboratory="Another"), limit()]
    assert faults(post(clinic, both)) == [
        ("/1/code", "not_allowed"),
        ("/2/uln", "required"),
        ("/2/unit", "wrong_unit"),
        ("/3/valid_from", "duplicate"),
    ]
    twice = limit()
    assert faults(post(clinic, [twice, limit(code="c3", unit="g/L"), twice])) == [
        ("/2/id", "duplicate"),
        ("/2/valid_from", "duplicate"),
    ]
    for over in ({"uln": 9}, {"lln": 1}, {"valid_from": "2026-01-02"}, {"laboratory": "Another"}):
        problem_of(post(clinic, [limit(code="c3", unit="g/L"), {**known, **over}]), 409, "id_taken")
    problem_of(post(clinic, known, clinic.stranger, clinic.other_site_id), 409, "id_taken")
    assert [path for path, _ in faults(post(clinic, [limit() for _ in range(201)]))] == [""]
    assert [path for path, _ in faults(post(clinic, {"items": []}))] == ["/items"]
    assert changed(clinic, before) == set()
    assert len(listed(clinic, *(limit(valid_from=f"2025-06-{n + 1:02}") for n in range(20)), known)) == 21


def test_whose_list_it_is(clinic: House, subject: dict[str, Any]) -> None:
    before = everything(clinic)
    there = f"/sites/{clinic.other_site_id}/reference-limits"
    for foreign in (there, f"/sites/{uuid4()}/reference-limits"):
        problem_of(clinic.nurse.post(foreign, limit()), 404, "not_found")
        problem_of(clinic.nurse.get(foreign), 404, "not_found")
    for name in ("monitor", "statistician", "admin"):
        problem_of(post(clinic, limit(), clinic.people[name]), 403, "forbidden")
    problem_of(clinic.admin.get(f"/sites/{clinic.site_id}/reference-limits"), 403, "forbidden")
    bare(clinic, clinic.doctor)
    problem_of(post(clinic, limit(), clinic.doctor), 403, "not_delegated")
    assert read(clinic, who="doctor")["items"] == []
    assert changed(clinic, before) == {"delegation", *TRAIL}
    problem_of(post(clinic, limit(), clinic.patient_of(subject)), 403, "forbidden")
    assert clinic.rows(sa.select(ReferenceLimit)) == []


# --- what a value takes of it -------------------------------------------------------------------------------------


def test_a_value_takes_the_limits_in_force_on_its_day(clinic: House, subject: dict[str, Any]) -> None:
    """The day of the site's calendar, whatever the order they were written down in."""
    listed(clinic, limit(lln=1, uln=10, valid_from="2026-03-01"), limit(lln=0, uln=8, valid_from="2026-02-01"))
    listed(clinic, limit(lln=2, uln=12, valid_from="2026-03-02"))
    for when, found in (
        (at(2026, 1, 31, 23, 59, 59), (None, None)),
        (at(2026, 2, 1), (0, 8)),
        (at(2026, 2, 28, 23, 59, 59), (0, 8)),
        (at(2026, 3, 1), (1, 10)),
        (at(2026, 3, 1, 23, 59, 59), (1, 10)),
        (at(2026, 3, 2), (2, 12)),
    ):
        assert limits(of_central(clinic, subject, collected_at=when)) == found, when


def test_a_unit_is_taken_as_laboratories_write_it(clinic: House, subject: dict[str, Any]) -> None:
    """As in their files: 10^9/L is UCUM's 10*9/L."""
    [made] = listed(clinic, limit(code="platelets", unit="10^9/L", lln=125, uln=350))
    assert made["unit"] == "10*9/L"
    again = {**limit(code="platelets", unit="×10⁹/L", lln=125, uln=350), "id": made["id"]}
    assert post(clinic, again).status_code == 200
    assert limits(of_central(clinic, subject, "platelets", 150, unit="10*9/L")) == (125, 350)


def test_limits_are_converted_to_the_studys_unit(clinic: House, subject: dict[str, Any]) -> None:
    listed(
        clinic,
        limit(unit="mg/dL", lln=0.1, uln=0.85),
        limit(code="anc", unit="/uL", lln=1800, uln=6300),
        limit(code="haemoglobin", unit="g/dL", lln=11.5, uln=...),
    )
    assert limits(of_central(clinic, subject)) == (1, 8.5)
    assert limits(of_central(clinic, subject, value=0.5, unit="mg/dL")) == (1, 8.5)
    answer = of_central(clinic, subject, "anc", 2.5, unit="10*3/uL")
    assert limits(answer) == (Decimal("1.8"), Decimal("6.3"))
    assert (answer.json["items"][0]["given_value"], answer.json["items"][0]["given_unit"]) == (2.5, "10*3/uL")
    assert limits(of_central(clinic, subject, "haemoglobin", 120, unit="g/L")) == (115, None)


def test_limits_that_come_with_a_value_hold_before_the_list(clinic: House, subject: dict[str, Any]) -> None:
    listed(clinic, limit(lln=1, uln=8))
    assert limits(of_central(clinic, subject, lln=0, uln=5)) == (0, 5)
    assert limits(of_central(clinic, subject, uln=5)) == (None, 5)
    assert limits(of_central(clinic, subject, lln=0)) == (0, None)
    assert limits(of_central(clinic, subject, lln=None, uln=None)) == (1, 8)


def test_a_later_row_for_the_same_day_holds_from_then_on(clinic: House, subject: dict[str, Any]) -> None:
    listed(clinic, limit(uln=80))
    first = of_central(clinic, subject)
    assert limits(first) == (None, 80)
    for uln in (8, 9, 10):
        clinic.turn(minutes=1)
        listed(clinic, limit(uln=uln))
        assert limits(of_central(clinic, subject)) == (None, uln)
    assert values(clinic, subject, "id", "uln")[0] == (first.json["items"][0]["id"], 80)


def test_other_laboratories_and_sites_are_untouched(clinic: House, subject: dict[str, Any]) -> None:
    listed(clinic, limit(laboratory="Another", uln=9), limit(code="ferritin", unit="ug/L", uln=300))
    listed(clinic, limit(uln=7), who=clinic.stranger, site_id=clinic.other_site_id)
    for name in (CENTRAL, "another", "Anothe", None):
        assert limits(of_central(clinic, subject, laboratory=name)) == (None, None)
    assert limits(measured(clinic, subject, "crp", 5)) == (None, None)
    assert limits(of_central(clinic, subject, laboratory=" Another ")) == (None, 9)


def test_a_repeat_is_a_repeat_after_the_list_changed(clinic: House, subject: dict[str, Any]) -> None:
    at_first = {"id": str(uuid4()), "collected_at": clinic.now}  # nothing was listed
    assert limits(of_central(clinic, subject, **at_first)) == (None, None)
    own = {"id": str(uuid4()), "collected_at": clinic.now, "uln": 5}
    assert limits(of_central(clinic, subject, **own)) == (None, 5)
    listed(clinic, limit(lln=1, uln=8))
    with_list = {"id": str(uuid4()), "collected_at": clinic.now}
    assert limits(of_central(clinic, subject, **with_list)) == (1, 8)
    clinic.turn(minutes=1)
    listed(clinic, limit(uln=10))
    before = everything(clinic)
    for body, found in ((at_first, (None, None)), (own, (None, 5)), (with_list, (1, 8))):
        again = of_central(clinic, subject, **body)
        assert again.status_code == 200, again.text
        assert (again.json["items"][0]["lln"], again.json["items"][0]["uln"]) == found
    for other in ({"value": 6}, {"uln": 9}, {"laboratory": "Another"}):
        problem_of(of_central(clinic, subject, **{**with_list, **other}), 409, "id_taken")
    problem_of(of_central(clinic, subject, **{**own, "uln": 6}), 409, "id_taken")
    assert changed(clinic, before) == set()


def test_a_correction_takes_the_limits_of_its_own_day(clinic: House, subject: dict[str, Any]) -> None:
    listed(clinic, limit(uln=8), limit(uln=10, valid_from="2026-03-01"))
    wrong = of_central(clinic, subject).json["items"][0]
    assert wrong["uln"] == 10
    over = {"corrects_id": wrong["id"], "reason": "drawn a day earlier", "collected_at": at(2026, 2, 28, 9)}
    assert limits(of_central(clinic, subject, **over)) == (None, 8)


# --- in a laboratory's file ---------------------------------------------------------------------------------------


def test_lines_of_a_file_take_them_and_rules_read_them(clinic: House, subject: dict[str, Any]) -> None:
    listed(clinic, limit(code="alt", unit="U/mL", uln=0.04), limit(uln=8), limit(uln=10, valid_from="2026-03-02"))
    alt = {"code": "alt", "value": "201", "unit": "IU/L", "laboratory": CENTRAL}
    text = sheet(
        alt,
        {"laboratory": CENTRAL},
        {"laboratory": CENTRAL, "collected_at": "2026-03-01 23:59", "value": "6"},
        {"laboratory": CENTRAL, "collected_at": "2026-03-02 08:16", "uln": "5"},
        {"collected_at": "2026-03-02 08:17"},
    )
    assert {one["rule"] for one in taken(clinic, text)["signals"]} >= {"L11"}  # above five times the limit
    assert values(clinic, subject, "uln", code="alt") == [(40,)]
    assert values(clinic, subject, "uln", code="crp") == [(8,), (10,), (5,), (None,)]
    assert {one.rule for one in signals(clinic, subject)} >= {"L11"}


def test_a_file_is_still_known_after_the_list_changed(clinic: House, subject: dict[str, Any]) -> None:
    text = sheet({"laboratory": CENTRAL}, {"laboratory": CENTRAL, "collected_at": "2026-03-02 08:16", "uln": "5"})
    assert counted(taken(clinic, text)) == (2, 0, 2)
    for uln in (8, 10):
        listed(clinic, limit(uln=uln))
        clinic.turn(minutes=1)
        assert counted(taken(clinic, text)) == (2, 2, 0)
    assert values(clinic, subject, "uln") == [(None,), (5,)]


# --- under another revision of the study --------------------------------------------------------------------------


def add_d_dimer(content: dict[str, Any]) -> None:
    name = {"zh": "D-二聚体", "en": "D-dimer"}
    content["measures"]["d_dimer"] = {**content["measures"]["crp"], "name": name}


def test_limits_of_a_measure_that_the_subjects_revision_lacks(clinic: House, subject: dict[str, Any]) -> None:
    """The site has gone on to the next revision; a subject of the first one has no such measurement."""
    revision = UUID(publish_next(clinic, change=add_d_dimer))
    with clinic.app.app_context(), transaction():
        db.session.get_one(Site, clinic.site_id).study_revision_id = revision
    listed(clinic, limit(code="d_dimer"))
    before = everything(clinic)
    assert faults(of_central(clinic, subject, "d_dimer", unit="mg/L")) == [("/code", "not_allowed")]
    refused(clinic, sheet({"code": "d_dimer", "laboratory": CENTRAL}), cell(2, "code", "not_allowed"))
    assert changed(clinic, before) == set()
