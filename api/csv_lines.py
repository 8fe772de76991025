"""Files of comma-separated lines at a door: read strictly, each line through a schema, faults by line and column.

A fault's path is `/lines/<number>/<column>`, numbers as a spreadsheet counts its rows: the heading is line 1, and a
line break inside a cell begins no other.
"""

import csv
import io
import re
from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import Any

import marshmallow as ma
from flask import request

from api import problems
from api.fields import Body, Flag, Instant, Number
from backend.errors import Problem, fault, invalid
from schedules.faults import Fault, pointer

MEDIA = "text/csv"
# What laboratory systems and spreadsheets write; a spreadsheet's byte order mark is no part of the first heading.
CHARSETS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "gb18030": "gb18030",
}
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_CLOCK = re.compile(r"([0-9]{4})[-/]([0-9]{1,2})[-/]([0-9]{1,2})[ T]([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?")


class Line(Body):
    """Base of a line's schema: an empty cell is absent, numbers and yes/no are read from their text."""

    @ma.pre_load
    def from_cells(self, cells: dict[str, str], **_: Any) -> dict[str, Any]:
        return {name: self.cell(name, text.strip()) for name, text in self.split(cells).items() if text.strip()}

    def split(self, cells: dict[str, str]) -> dict[str, str]:
        """Where one cell says two things, a line's schema takes it apart here."""
        return cells

    def cell(self, name: str, text: str) -> Any:
        kind = self.fields.get(name)
        if isinstance(kind, Number) and _NUMBER.fullmatch(text):
            return Decimal(text)
        return _WORDS.get(text.lower(), text) if isinstance(kind, Flag) else text


class ClockTime(Instant):
    """An instant, or a clock time without offset as spreadsheets write it (2026-03-01 08:15, 2026/3/1 8:15): naive."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        parts = _CLOCK.fullmatch(value) if isinstance(value, str) else None
        if parts is None:
            return super()._deserialize(value, attr, data, **kwargs)
        try:
            clock_time = datetime(*(int(part or 0) for part in parts.groups()))  # type: ignore[arg-type]  # noqa: DTZ001
        except ValueError as error:
            raise self.make_error("invalid") from error
        if not 1900 <= clock_time.year < 2200:
            raise ma.ValidationError("Outside the years 1900 to 2200.")
        return clock_time


def read(schema: type[Line], most: int) -> tuple[list[tuple[int, dict[str, Any]]], list[Fault]]:
    """The good lines of the request's file as (number, content), and every fault of the others.

    Raises where the file cannot be read at all, or its heading is not the schema's.
    """
    rows = csv.reader(io.StringIO(_text(), newline=""), strict=True)
    lines: list[tuple[int, dict[str, Any]]] = []
    faults: list[Fault] = []
    number = 0
    try:
        heading = [name.strip() for name in next(rows, [])]
        _check(heading, schema)
        number, seen = 1, 0
        for number, cells in enumerate(rows, start=2):
            if not any(cell.strip() for cell in cells):
                continue
            seen += 1
            if seen > most:
                raise fault("/lines", "too_long", f"at most {most} lines at a time")
            if len(cells) != len(heading):
                message = f"{len(cells)} cells under {len(heading)} headings"
                faults.append(Fault(f"/lines/{number}", "wrong_length", message))
                continue
            try:
                lines.append((number, schema().load(dict(zip(heading, cells, strict=True)))))
            except ma.ValidationError as error:
                found = problems.faults_of(error.messages)
                faults.extend(Fault(f"/lines/{number}{one.path}", one.code, one.message) for one in found)
    except csv.Error as error:
        raise fault(f"/lines/{number + 1}", "malformed", f"not comma-separated: {error}") from error
    if not seen:
        raise fault("/lines", "required", "the file has no line below its heading")
    return lines, faults


def _text() -> str:
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if request.mimetype != MEDIA or charset not in CHARSETS:
        raise Problem("unsupported_media_type", f"{MEDIA} in one of {', '.join(CHARSETS)}")
    try:
        text = request.get_data(cache=True).decode(CHARSETS[charset]).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise fault("", "malformed", f"the file is not in {charset}: say which charset it is in") from error
    if "\0" in text:
        raise fault("", "malformed", "the file holds a character that no text has")
    return text


def _check(heading: list[str], schema: type[Line]) -> None:
    known = schema().fields
    faults = [
        Fault(pointer(("columns", name)), "unknown_field", f"no column of this name; there are {', '.join(known)}")
        for name in heading
        if name not in known
    ]
    faults.extend(
        Fault(pointer(("columns", name)), "duplicate", "stands twice in the heading")
        for name, times in Counter(heading).items()
        if times > 1
    )
    faults.extend(
        Fault(pointer(("columns", name)), "required", "this column is needed")
        for name, field in known.items()
        if field.required and name not in heading
    )
    if faults:
        raise invalid(*faults)
