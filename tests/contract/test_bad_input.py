"""Bodies that are not what they should be, at the door of enrolment: refused with every fault, nothing stored."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from house import iso, subject_body

from tests.contract.stage import Faults, Stage, but, refuses

SUBJECTS = "/subjects"


def refuse(stage: Stage, faults: Faults, **over: Any) -> None:
    body = but(subject_body(stage.house, number="777"), **over)
    refuses(stage.house, stage.house.nurse, "POST", SUBJECTS, body, faults=faults)


# --- what JSON forbids ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"id": "1", "id": "2"}',
        b'{"contact": {"name": "a", "name": "b"}}',
        b'{"year_of_birth": NaN}',
        b'{"year_of_birth": Infinity}',
        b'{"year_of_birth": -Infinity}',
        b'{"number": "00\\u00001"}',
        b'{"\\u0000": 1}',
        b'{"contact": {"name": "half \\ud83d"}}',
        b'{"year_of_birth": 1e999999999}',
        b'{"year_of_birth": 1' + b"0" * 40 + b"}",
        b'{"year_of_birth": 0.' + b"1" * 60 + b"}",
        b"[" * 40 + b"]" * 40,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    ],
    ids=lambda text: text[:24].decode("ascii", "replace"),
)
def test_what_is_not_json_here(stage: Stage, text: bytes) -> None:
    refuses(stage.house, stage.house.nurse, "POST", SUBJECTS, text, status=400, code="not_json")


@pytest.mark.parametrize("text", [b"[]", b'"text"', b"5", b"true", b"null"])
def test_a_body_that_is_no_object(stage: Stage, text: bytes) -> None:
    refuses(stage.house, stage.house.nurse, "POST", SUBJECTS, text, faults=[("", "wrong_type")])


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_is_not_sent_as_json(stage: Stage, kind: str) -> None:
    sent = b'{"id": "1"}'
    headers = {"Content-Type": kind}
    refuses(
        stage.house,
        stage.house.nurse,
        "POST",
        SUBJECTS,
        sent,
        status=415,
        code="unsupported_media_type",
        headers=headers,
    )


def test_two_megabytes_are_read_and_one_byte_more_is_not(stage: Stage) -> None:
    limit = 2 * 1024 * 1024
    refuses(stage.house, stage.house.nurse, "POST", SUBJECTS, b"5".rjust(limit), faults=[("", "wrong_type")])
    refuses(stage.house, stage.house.nurse, "POST", SUBJECTS, b"5".rjust(limit + 1), status=413, code="too_large")


# --- the wrong thing in a field -------------------------------------------------------------------------------


def test_nothing_given_names_every_field(stage: Stage) -> None:
    wanted = sorted(subject_body(stage.house))
    refuses(stage.house, stage.house.nurse, "POST", SUBJECTS, {}, faults=[(f"/{name}", "required") for name in wanted])


@pytest.mark.parametrize(
    ("over", "fault"),
    [
        ({"nickname": "x"}, ("/nickname", "unknown_field")),
        ({"a/b~c": "x"}, ("/a~1b~0c", "unknown_field")),
        ({"contact": {"name": "A", "phone": "13800138000", "wechat": "x"}}, ("/contact/wechat", "unknown_field")),
        ({"id": "7"}, ("/id", "invalid_uuid")),
        ({"id": 7}, ("/id", "invalid_uuid")),
        ({"id": None}, ("/id", "null_not_allowed")),
        ({"year_of_birth": "1990"}, ("/year_of_birth", "wrong_type")),
        ({"year_of_birth": True}, ("/year_of_birth", "wrong_type")),
        ({"year_of_birth": 1990.5}, ("/year_of_birth", "wrong_type")),
        ({"year_of_birth": [1990]}, ("/year_of_birth", "wrong_type")),
        ({"year_of_birth": -1}, ("/year_of_birth", "out_of_range")),
        ({"year_of_birth": 2023}, ("/year_of_birth", "out_of_range")),
        ({"year_of_birth": 1901}, ("/year_of_birth", "out_of_range")),
        ({"locale": "fr"}, ("/locale", "not_allowed")),
        ({"time_zone": "Asia/Nanjing"}, ("/time_zone", "unknown_time_zone")),
        ({"time_zone": "../etc/passwd"}, ("/time_zone", "unknown_time_zone")),
        ({"dose_level": "9"}, ("/dose_level", "not_allowed")),
        ({"dose_level": "1\n"}, ("/dose_level", "wrong_format")),
        ({"dose_level": 1}, ("/dose_level", "wrong_type")),
        ({"number": "x" * 41}, ("/number", "wrong_format")),
        ({"number": "00 1"}, ("/number", "wrong_format")),
        ({"number": "777\n"}, ("/number", "wrong_format")),
        ({"prior_organs": "skin"}, ("/prior_organs", "wrong_type")),
        ({"prior_organs": ["gills"]}, ("/prior_organs/0", "not_allowed")),
        ({"prior_organs": [7]}, ("/prior_organs/0", "wrong_type")),
        ({"prior_organs": ["renal"] * 31}, ("/prior_organs", "too_long")),
        ({"contact": "13800138000"}, ("/contact", "wrong_type")),
        ({"contact": {"name": "x" * 101, "phone": "13800138000"}}, ("/contact/name", "wrong_length")),
        ({"contact": {"name": " \n ", "phone": "13800138000"}}, ("/contact/name", "wrong_length")),
        ({"contact": {"name": "bell \x07", "phone": "13800138000"}}, ("/contact/name", "wrong_type")),
        ({"consents": []}, ("/consents", "wrong_length")),
        ({"consents": {}}, ("/consents", "wrong_type")),
    ],
    ids=str,
)
def test_one_wrong_field(stage: Stage, over: dict[str, Any], fault: tuple[str, str]) -> None:
    refuse(stage, [fault], **over)


@pytest.mark.parametrize("phone", ["12345", "call me", "+999 1234567", "138001380001234", "1380013800O"])
def test_what_is_no_telephone_number(stage: Stage, phone: str) -> None:
    body = but(subject_body(stage.house, number="777"), contact={"name": "A", "phone": phone})
    said = refuses(stage.house, stage.house.nurse, "POST", SUBJECTS, body, faults=[("/contact/phone", "invalid_phone")])
    assert phone not in str(said)


def test_every_fault_is_named_at_once(stage: Stage) -> None:
    refuse(
        stage,
        [
            ("/locale", "not_allowed"),
            ("/more", "unknown_field"),
            ("/number", "required"),
            ("/year_of_birth", "wrong_type"),
        ],
        locale="fr",
        more=1,
        number=...,
        year_of_birth="1990",
    )


# --- instants and dates ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_at", "code"),
    [
        ("2026-02-01T09:00:00", "invalid_instant"),
        ("2026-02-01 09:00:00+08:00", "invalid_instant"),
        ("2026-02-01", "invalid_instant"),
        ("2026-02-30T09:00:00+08:00", "invalid_instant"),
        ("2025-02-29T09:00:00Z", "invalid_instant"),
        ("2026-02-01T24:30:00Z", "invalid_instant"),
        ("2026-02-01T09:00:00+25:00", "invalid_instant"),
        ("0001-01-01T00:00:00+14:00", "invalid_instant"),
        ("9999-12-31T23:59:59-14:00", "invalid_instant"),
        ("0001-01-01T00:00:00Z", "out_of_range"),
        ("9999-12-31T23:59:59Z", "out_of_range"),
        ("1899-12-31T23:59:59Z", "out_of_range"),
        (1770000000, "invalid_instant"),
        ("", "invalid_instant"),
        ("2026-W05-1T09:00:00Z" * 3, "invalid_instant"),
    ],
)
def test_a_consent_at_no_time_there_is(stage: Stage, given_at: Any, code: str) -> None:
    consent = {"kind": "trial", "text_version": "1.0", "given_at": given_at}
    refuse(stage, [("/consents/0/given_at", code)], consents=[consent])


def test_consents_that_cannot_be(stage: Stage) -> None:
    consent = {"kind": "trial", "text_version": "1.0", "given_at": iso(stage.house.now)}
    soon = but(consent, given_at=iso(stage.house.now + timedelta(minutes=5)))
    late = but(consent, given_at=iso(stage.house.now + timedelta(minutes=5, seconds=1)))
    refuse(stage, [("/consents/0/given_at", "in_the_future")], consents=[late])
    refuse(stage, [("/consents", "required")], consents=[but(consent, kind="app")])
    refuse(stage, [("/consents", "duplicate")], consents=[consent, soon])
    refuse(stage, [("/consents/1/kind", "not_allowed")], consents=[consent, but(consent, kind="photo")])


@pytest.mark.parametrize(
    ("zone_from", "code"),
    [
        ("2026-02-30", "invalid_date"),
        ("2026-3-5", "invalid_date"),
        ("20260305", "invalid_date"),
        ("2026-03-05T00:00:00Z", "invalid_date"),
        ("0001-01-01", "out_of_range"),
        ("9999-12-31", "out_of_range"),
        ("2026-03-02", "in_the_past"),
    ],
)
def test_a_zone_change_at_no_date_there_is(stage: Stage, zone_from: str, code: str) -> None:
    body = {"time_zone": "Europe/Berlin", "zone_from": zone_from}
    headers = {"If-Match": "*"}
    refuses(
        stage.house,
        stage.house.nurse,
        "PATCH",
        stage.at,
        body,
        faults=[("/zone_from", code)],
        headers=headers,
    )


# --- ids and numbers that are somebody else's -----------------------------------------------------------------


def test_the_site_must_be_ones_own(stage: Stage) -> None:
    refuse(stage, [("/site_id", "unknown_site")], site_id=str(stage.house.other_site_id))
    refuse(stage, [("/site_id", "unknown_site")], site_id=str(uuid4()))


def test_an_id_or_a_number_that_is_taken(stage: Stage) -> None:
    house = stage.house
    for taken in (stage.subject["id"], stage.foreign["id"]):
        body = subject_body(house, id=taken, number="777")
        refuses(house, house.nurse, "POST", SUBJECTS, body, status=409, code="id_taken")
    body = subject_body(house, number=stage.subject["number"])
    refuses(house, house.nurse, "POST", SUBJECTS, body, status=409, code="conflict")


# --- versions -------------------------------------------------------------------------------------------------


def test_a_change_needs_the_version_that_was_read(stage: Stage) -> None:
    house, body = stage.house, {"locale": "zh-CN"}
    stale = {"If-Match": '"0"'}
    refuses(house, house.nurse, "PATCH", stage.at, body, status=428, code="if_match_required")
    refuses(house, house.nurse, "PATCH", stage.at, body, status=412, code="stale", headers=stale)
    refuses(house, house.nurse, "PATCH", "/me", body, status=428, code="if_match_required")
    refuses(house, house.nurse, "PATCH", "/me", body, status=412, code="stale", headers=stale)
    rota = {"site_id": str(house.site_id), "shifts": []}
    refuses(house, house.nurse, "PUT", "/on-call", rota, status=428, code="if_match_required")
    refuses(house, house.nurse, "PUT", "/on-call", rota, status=412, code="stale", headers=stale)


# --- codes that let a phone in --------------------------------------------------------------------------------


def test_an_activation_code_works_once(own_stage: Stage) -> None:
    house = own_stage.house
    code = house.nurse.post(f"{own_stage.at}/activation-codes", {"for": "patient"}).json["code"]
    body = {"code": code, "pin": "4821", "device_name": "phone", "transport": "bearer"}
    assert house.app.test_client().post("/api/v1/auth/activate", json=body).status_code == 200
    refuses(house, None, "POST", "/auth/activate", body, faults=[("/code", "code_used")])
    unknown = but(body, code="2222222222")
    refuses(house, None, "POST", "/auth/activate", unknown, faults=[("/code", "code_unknown")])
    code = house.nurse.post(f"{own_stage.at}/activation-codes", {"for": "patient"}).json["code"]
    house.turn(hours=72)
    refuses(house, None, "POST", "/auth/activate", but(body, code=code), faults=[("/code", "code_expired")])
    for pin in ("123", "1234567890123", "12a4", "１２３４", "1234\n"):
        refuses(house, None, "POST", "/auth/activate", but(body, pin=pin), faults=[("/pin", "wrong_format")])


# --- paging ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("limit=0", ("/limit", "out_of_range")),
        ("limit=201", ("/limit", "out_of_range")),
        ("limit=ten", ("/limit", "wrong_type")),
        ("limit=٣", ("/limit", "wrong_type")),
        ("limit=--3", ("/limit", "wrong_type")),
        ("page=2", ("/page", "unknown_field")),
        ("status=gone", ("/status", "not_allowed")),
        ("site_id=7", ("/site_id", "invalid_uuid")),
        ("q=%00", ("/q", "wrong_type")),
        ("cursor=%20", ("/cursor", "wrong_length")),
        ("cursor=!", ("/cursor", "invalid")),
        ("cursor=é", ("/cursor", "invalid")),
        ("cursor=WzFd", ("/cursor", "invalid")),
        ("cursor=eyJhIjoxfQ", ("/cursor", "invalid")),
    ],
)
def test_a_list_asked_for_wrongly(stage: Stage, query: str, fault: tuple[str, str]) -> None:
    refuses(stage.house, stage.house.nurse, "GET", f"/subjects?{query}", b"", faults=[fault])


@pytest.mark.parametrize("year", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_cursor_at_the_ends_of_the_calendar(stage: Stage, year: str) -> None:
    from api.paging import _encode

    cursor = _encode([year, str(uuid4())])
    path = f"{stage.at}/measurements?cursor={cursor}"
    refuses(stage.house, stage.house.nurse, "GET", path, b"", faults=[("/cursor", "invalid")])
