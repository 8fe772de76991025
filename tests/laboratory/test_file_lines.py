"""How a laboratory's file is read: every bad line at its place, every spelling of a time, a number and a unit.

What is refused is refused in a dry run and in earnest with the same faults, and nothing at all is stored.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from house import House, subject_body

from backend.db import db, transaction
from backend.instruments import units
from backend.models.study import Site
from tests.conduct.acts import also_works_at
from tests.contract.stage import changed, everything
from tests.laboratory.files import HEADING, at, counted, refused, send, sheet, taken, values

GOOD = {"collected_at": "2026-02-27 07:00"}
FEVER = {"code": "body_temperature", "value": "37", "unit": "Cel"}
BAD: tuple[tuple[Mapping[str, str], str, str], ...] = (
    ({"subject": ""}, "subject", "required"),
    ({"subject": "999"}, "subject", "not_found"),
    ({"subject": "0" * 41}, "subject", "wrong_length"),
    ({"code": ""}, "code", "required"),
    ({"code": "CRP"}, "code", "not_allowed"),
    ({"code": "c r p"}, "code", "wrong_format"),
    ({"value": ""}, "value", "required"),
    ({"value": "<"}, "value", "required"),
    ({"value": "NaN"}, "value", "wrong_type"),
    ({"value": "1e5"}, "value", "wrong_type"),
    ({"value": "Infinity"}, "value", "wrong_type"),
    ({"value": "-inf"}, "value", "wrong_type"),
    ({"value": "阳性"}, "value", "wrong_type"),
    ({"value": "５"}, "value", "wrong_type"),
    ({"value": "1,5"}, "value", "wrong_type"),
    ({"value": "1_000"}, "value", "wrong_type"),
    ({"value": "5 mg/L"}, "value", "wrong_type"),
    ({"value": "9" * 31}, "value", "wrong_type"),
    ({"value": "1000.1"}, "value", "out_of_range"),
    ({"value": "-0.1"}, "value", "out_of_range"),
    ({"value": "200", "unit": "mg/dL"}, "value", "out_of_range"),
    ({"value": "<0.5", "qualifier": "<"}, "value", "wrong_type"),
    ({"qualifier": "="}, "qualifier", "not_allowed"),
    ({"not_done": "yes"}, "value", "not_allowed"),
    ({"value": "", "not_done": "perhaps"}, "not_done", "wrong_type"),
    ({"value": "", "not_done": "no"}, "value", "required"),
    ({"unit": ""}, "unit", "required"),
    ({"unit": "mmol/L"}, "unit", "wrong_unit"),
    ({"unit": "MG/L"}, "unit", "wrong_unit"),
    ({"unit": "m" * 41}, "unit", "wrong_length"),
    ({"lln": "low"}, "lln", "wrong_type"),
    ({"lln": "9", "uln": "8"}, "uln", "out_of_range"),
    ({"lln": "-1"}, "lln", "out_of_range"),
    ({"uln": "0"}, "uln", "out_of_range"),
    ({"lln": "8", "uln": "8.0"}, "uln", "out_of_range"),
    ({"source": "home"}, "source", "not_allowed"),
    ({"method": "by hand"}, "method", "wrong_format"),
    ({**FEVER, "method": "foot"}, "method", "not_allowed"),
    ({"laboratory": "L" * 101}, "laboratory", "wrong_length"),
    ({"laboratory": "bell\a"}, "laboratory", "wrong_type"),
    ({"collected_at": ""}, "collected_at", "required"),
    ({"collected_at": "2026-03-01"}, "collected_at", "invalid_instant"),
    ({"collected_at": "8:15"}, "collected_at", "invalid_instant"),
    ({"collected_at": "2026-02-30 08:15"}, "collected_at", "invalid_instant"),
    ({"collected_at": "2026-03-01 24:00"}, "collected_at", "invalid_instant"),
    ({"collected_at": "01/03/2026 08:15"}, "collected_at", "invalid_instant"),
    ({"collected_at": "2026-03-01T08:15:00+25:00"}, "collected_at", "invalid_instant"),
    ({"collected_at": "1899-12-31 08:15"}, "collected_at", "out_of_range"),
    ({"collected_at": "2200-01-01 00:00"}, "collected_at", "out_of_range"),
    ({"collected_at": "2026-03-02 09:06"}, "collected_at", "in_the_future"),
    ({"collected_at": "2026-03-02T09:07:00+08:00"}, "collected_at", "in_the_future"),
)


# --- bad lines ----------------------------------------------------------------------------------------------------


def test_every_bad_line_is_named_at_its_cell(clinic: House, subject: dict[str, Any]) -> None:
    """Between good ones, each of which has a time of its own."""
    bad = [{"collected_at": f"2026-02-28 08:{n:02}", **cells} for n, (cells, _, _) in enumerate(BAD)]
    wanted = [at(n, column, code) for n, (_, column, code) in enumerate(BAD, 3)]
    found = refused(clinic, sheet(GOOD, *bad, {"collected_at": "2026-02-27 07:01"}), *wanted)
    assert [fault["path"] for fault in found] == [path for path, _ in wanted]


def test_every_bad_cell_of_a_line_is_named(clinic: House, subject: dict[str, Any]) -> None:
    unread = {"value": "high", "unit": "", "collected_at": "yesterday"}
    wrong = {"value": "2000", "unit": "mmol/L", "collected_at": "2026-03-03 08:15"}
    refused(
        clinic,
        sheet(unread, wrong),
        at(2, "value", "wrong_type"),
        at(2, "unit", "required"),
        at(2, "collected_at", "invalid_instant"),
        at(3, "value", "out_of_range"),
        at(3, "unit", "wrong_unit"),
        at(3, "collected_at", "in_the_future"),
    )


@pytest.mark.parametrize("ending", ["\r\n", "\n", "\r"])
def test_empty_lines_count_and_say_nothing(clinic: House, subject: dict[str, Any], ending: str) -> None:
    good, bad = "001,crp,5,mg/L,2026-03-02 08:15", "001,crp,high,mg/L,2026-03-02 08:16"
    lines = [HEADING, "", good, ",,,,", "  ,,, ,", ",", bad, "", "", "001,crp,5", bad, ""]
    faults = (at(7, "value", "wrong_type"), ("/lines/10", "wrong_length"), at(11, "value", "wrong_type"))
    refused(clinic, ending.join(lines), *faults)
    assert counted(taken(clinic, ending.join(lines[:6]))) == (1, 0, 1)


def test_a_line_break_inside_a_cell_begins_no_line(clinic: House, subject: dict[str, Any]) -> None:
    """Numbers are those a spreadsheet shows beside its rows, however many lines of text a row takes."""
    where = {"laboratory": "Central\nLaboratory"}
    text = sheet(where, {"value": "high", **where}, {**where, "collected_at": "2026-03-01 08:15"}, {"value": "low"})
    refused(clinic, text, at(3, "value", "wrong_type"), at(5, "value", "wrong_type"))


def test_a_cell_may_hold_line_breaks_commas_and_quotes(clinic: House, subject: dict[str, Any]) -> None:
    name = 'Central "North",\nsecond floor'
    assert counted(taken(clinic, sheet({"laboratory": name, "value": " 5 ", "code": "crp "}))) == (1, 0, 1)
    assert values(clinic, subject, "laboratory", "value") == [(name, 5)]


# --- the heading and the whole ------------------------------------------------------------------------------------


NEEDED = ("subject", "code", "unit", "collected_at")
HEADINGS: tuple[tuple[str, list[tuple[str, str]]], ...] = (
    ("", [("/columns/" + name, "required") for name in NEEDED]),
    (f"\n{HEADING}\n", [("/columns/" + name, "required") for name in NEEDED]),
    ("subject,code,value,collected_at\n001,crp,5,2026-03-01 08:15", [("/columns/unit", "required")]),
    (f"{HEADING},mood\n", [("/columns/mood", "unknown_field")]),
    (f"{HEADING},id\n", [("/columns/id", "unknown_field")]),
    (f"{HEADING},corrects_id\n", [("/columns/corrects_id", "unknown_field")]),
    (f"{HEADING},Value\n", [("/columns/Value", "unknown_field")]),
    (f"{HEADING},a/b~c\n", [("/columns/a~1b~0c", "unknown_field")]),
    (f"{HEADING},value \n", [("/columns/value", "duplicate")]),
    (HEADING.replace(",unit", ",value"), [("/columns/value", "duplicate"), ("/columns/unit", "required")]),
    (HEADING, [("/lines", "required")]),
    (f"{HEADING}\n\n,,,,\n", [("/lines", "required")]),
)


def test_a_heading_has_the_known_columns_once_and_lines_below_it(clinic: House) -> None:
    for text, faults in HEADINGS:
        refused(clinic, text, *faults)


def test_columns_stand_in_any_order_and_optional_ones_may_be_missing(clinic: House, subject: dict[str, Any]) -> None:
    text = "collected_at , not_done,unit,subject,code\n2026-03-01 08:15,yes,mg/L,001,crp\n"
    assert counted(taken(clinic, text)) == (1, 0, 1)
    assert values(clinic, subject, "code", "value", "not_done", "source") == [("crp", None, True, "laboratory")]


NO_FILES: tuple[tuple[bytes, str], ...] = (
    (f'{HEADING}\n001,crp,5,mg/L,2026-03-01 08:15\n"001,crp,5,mg/L,2026-03-01 08:16\n'.encode(), "/lines/3"),
    (f'{HEADING}\n"001"x,crp,5,mg/L,2026-03-01 08:15\n'.encode(), "/lines/2"),
    (sheet({"laboratory": "x" * 140_000}).encode(), "/lines/2"),
    (sheet({"laboratory": "nul\0"}).encode(), ""),
    (sheet({"laboratory": "检验科"}).encode("gbk"), ""),
    (sheet({}).encode("utf-16"), ""),
    (b"\xff\xd8\xff\xe0 a picture", ""),
)


def test_what_is_no_such_file_is_malformed(clinic: House) -> None:
    for content, path in NO_FILES:
        refused(clinic, content, (path, "malformed"))


def test_five_hundred_lines_are_taken_and_no_more(clinic: House, subject: dict[str, Any]) -> None:
    lines = [
        f"001,crp,5,mg/L,2026-02-{day:02} {hour:02}:{m:02}" for day in (1, 2) for hour in range(5) for m in range(50)
    ]
    whole = "\n".join([HEADING, *lines, "", ",,,,"])
    dry = send(clinic, whole, dry_run=True)
    assert (dry.status_code, counted(dry.json)) == (200, (500, 0, 500))
    refused(clinic, f"{whole}\n001,crp,high,mg/L,2026-02-03 00:00", ("/lines", "too_long"))


def test_too_large_a_file_is_refused(clinic: House, subject: dict[str, Any]) -> None:
    answer = send(clinic, HEADING + "\n" * 2**21)
    assert (answer.status_code, answer.json["code"]) == (413, "too_large")


# --- charsets and content types -----------------------------------------------------------------------------------

DRUM_TOWER = "南京鼓楼医院检验科"


CHARSETS = (
    ("text/csv", "utf-8"),
    ("text/csv", "utf-8-sig"),
    ("text/csv; charset=utf-8", "utf-8-sig"),
    ("TEXT/CSV; charset=UTF-8; header=present", "utf-8"),
    ("text/csv; charset=gbk", "gbk"),
    ('text/csv; charset="GBK"', "gbk"),
    ("text/csv;charset=gb2312", "gb2312"),
    ("text/csv; charset=GB18030", "gb18030"),
)


def test_a_chinese_name_is_read_in_the_charset_that_was_named(clinic: House, subject: dict[str, Any]) -> None:
    for n, (media, charset) in enumerate(CHARSETS):
        text = sheet({"laboratory": DRUM_TOWER, "collected_at": f"2026-03-02 08:{n:02}"})
        assert counted(taken(clinic, text.encode(charset), media=media)) == (1, 0, 1)
    assert values(clinic, subject, "laboratory") == [(DRUM_TOWER,)] * len(CHARSETS)


OTHER_TYPES = (
    None,
    "application/json",
    "text/plain",
    "application/vnd.ms-excel",
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded",
    "text/csv; charset=latin-1",
    "text/csv; charset=utf-7",
)


def test_another_content_type_is_refused(clinic: House) -> None:
    before = everything(clinic)
    for media in OTHER_TYPES:
        for dry_run in (True, False):
            answer = send(clinic, sheet({}), media=media, dry_run=dry_run)
            assert (answer.status_code, answer.json["code"]) == (415, "unsupported_media_type"), media
            assert "text/csv" in answer.json["detail"]
    assert changed(clinic, before) == set()


def test_nobody_who_sent_a_wrong_file_is_told_to_send_json(clinic: House, subject: dict[str, Any]) -> None:
    nurse = clinic.nurse
    version = nurse.get("/me").headers["ETag"]
    in_english = send(clinic, sheet({}), media="text/plain").json
    assert nurse.call("PATCH", "/me", {"locale": "zh-CN"}, {"If-Match": version}).status_code == 200
    in_chinese = send(clinic, sheet({}), media="text/plain").json
    assert "json" not in f"{in_english['title']} {in_english['detail']}".lower()
    assert "json" not in f"{in_chinese['title']} {in_chinese['detail']}".lower()


# --- times, numbers and units -------------------------------------------------------------------------------------

CLOCKS = {
    "2026/2/27 0:05": "2026-02-26T16:05:00Z",
    "2026-02-27 08:15": "2026-02-27T00:15:00Z",
    "2026/2/27 8:16": "2026-02-27T00:16:00Z",
    "2026-02-27T08:17": "2026-02-27T00:17:00Z",
    "2026/02/27 08:18:30": "2026-02-27T00:18:30Z",
    "2026-02-27T08:19:00+08:00": "2026-02-27T00:19:00Z",
    "2026-02-27t00:20:00z": "2026-02-27T00:20:00Z",
    "2026-02-27T00:21:00-05:00": "2026-02-27T05:21:00Z",
    "2026-03-02 09:05": "2026-03-02T01:05:00Z",  # the ward's clock may be five minutes ahead
}


def test_a_time_without_offset_is_the_sites_clock(sqlite_house: House) -> None:
    """Whatever zone the subject lives in."""
    subject = sqlite_house.enrol(time_zone="Europe/London")
    taken(sqlite_house, sheet(*({"collected_at": text} for text in CLOCKS)))
    assert values(sqlite_house, subject, "collected_at") == [(instant,) for instant in CLOCKS.values()]


def test_each_line_is_read_on_the_clock_of_its_own_site(sqlite_house: House) -> None:
    house = sqlite_house
    here = house.enrol()
    body = subject_body(house, site_id=str(house.other_site_id), number="901")
    there = house.stranger.post("/subjects", body).json
    with house.app.app_context(), transaction():
        db.session.get_one(Site, house.other_site_id).time_zone = "Europe/Paris"
    also_works_at(house, house.other_site_id, house.chief)
    time = {"collected_at": "2026-03-01 08:15"}
    assert counted(taken(house, sheet(time, {**time, "subject": "901"}), who=house.chief)) == (2, 0, 2)
    assert values(house, here, "collected_at") == [("2026-03-01T00:15:00Z",)]
    stored = house.stranger.get(f"/subjects/{UUID(there['id'])}/measurements").json["items"]
    assert [one["collected_at"] for one in stored] == ["2026-03-01T07:15:00Z"]


UNITS: tuple[tuple[str, str, str, str, str | None], ...] = (
    # code, value and unit as written; value in the study's unit; the unit written, where it is another one
    ("anc", "5.10", "10*9/L", "5.10", None),
    ("anc", "5.1", "x10^9/L", "5.1", None),
    ("anc", "5.1", "×10⁹/L", "5.1", None),
    ("wbc", "5.1", "K/uL", "5.1", "K/uL"),
    ("lymphocytes", "1500", "/µL", "1.5", "/µL"),
    ("haemoglobin", "12.0", "g/dL", "120", "g/dL"),
    ("creatinine", "1.1", "mg/dL", "97.24", "mg/dL"),
    ("crp", "0.80", "mg/dL", "8", "mg/dL"),
    ("ferritin", "0.3", "mg/L", "300", "mg/L"),
    ("body_temperature", "37.0", "℃", "37.0", None),
    ("urine_rbc", "2", "/HP", "2", None),
    ("sbp", "120", "mmHg", "120", None),
)


def test_other_units_are_converted_and_what_was_written_is_kept(clinic: House, subject: dict[str, Any]) -> None:
    written = [(f"2026-03-02 08:{n:02}", *each) for n, each in enumerate(UNITS)]
    lines = ({"collected_at": t, "code": c, "value": v, "unit": u} for t, c, v, u, _, _ in written)
    taken(clinic, sheet(*lines))
    stored = values(clinic, subject, "code", "value", "given_value", "given_unit")
    assert [(code, str(value)) for code, value, _, _ in stored] == [(code, value) for code, _, _, value, _ in UNITS]
    assert [None if given is None else str(given) for _, _, given, _ in stored] == [
        value if unit else None for _, value, _, _, unit in UNITS
    ]
    assert [unit and units.ucum(unit) for _, _, _, unit in stored] == [unit and units.ucum(unit) for *_, unit in UNITS]


def test_limits_are_converted_with_their_value(clinic: House, subject: dict[str, Any]) -> None:
    taken(clinic, sheet({"value": "0.2", "unit": "mg/dL", "lln": "0.1", "uln": "0.8"}))
    assert values(clinic, subject, "value", "unit", "lln", "uln") == [(2, "mg/L", 1, 8)]


def test_qualifiers_and_values_not_done(clinic: House, subject: dict[str, Any]) -> None:
    lines = [
        {"value": "<0.5"},
        {"value": "> 500"},
        {"value": "0.5", "qualifier": "<"},
        {"value": "", "not_done": "yes"},
        {"value": "", "not_done": "TRUE"},
        {"value": " ", "not_done": "1"},
        {"value": "0", "not_done": "FALSE"},
    ]
    taken(clinic, sheet(*({**one, "collected_at": f"2026-03-02 08:{n:02}"} for n, one in enumerate(lines))))
    half = Decimal("0.5")
    assert values(clinic, subject, "qualifier", "value", "not_done") == [
        ("<", half, False),
        (">", 500, False),
        ("<", half, False),
        ("", None, True),
        ("", None, True),
        ("", None, True),
        ("", 0, False),
    ]


def test_what_a_dry_run_finds_good_can_be_stored(house: House) -> None:
    """However many digits a limit has: both databases keep forty characters."""
    house.enrol()
    text = sheet({"lln": "0." + "1" * 20, "uln": "9" * 30 + "." + "9" * 20})
    dry, real = (send(house, text, dry_run=dry_run) for dry_run in (True, False))
    assert (dry.status_code, real.status_code) in ((200, 201), (422, 422))
