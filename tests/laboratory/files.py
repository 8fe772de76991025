"""A laboratory's files: how they are written, sent as a dry run and in earnest, and what came of them.

sheet({"value": "7"}, {"code": "anc", …})      a file: what a line leaves open is as in LINE
send(house, text, dry_run=True)                one file through the door, whatever comes of it
taken(house, text), refused(house, text, …)    both runs, which must agree, and a dry run that stores nothing
"""

import csv
import io
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from house import House, Person
from werkzeug.test import TestResponse

from tests.contract.stage import changed, everything, problem_of

LINE = {"subject": "001", "code": "crp", "value": "5", "unit": "mg/L", "collected_at": "2026-03-02 08:15"}
HEADING = ",".join(LINE)
COUNTS = ("lines", "known", "new")


def sheet(*lines: Mapping[str, str]) -> str:
    """A file of these lines. Its heading has every column that any of them has."""
    columns = list(dict.fromkeys(name for each in (LINE, *lines) for name in each))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="")
    writer.writeheader()
    writer.writerows({**LINE, **each} for each in lines)
    return text.getvalue()


def send(
    house: House,
    content: str | bytes,
    *,
    who: Person | None = None,
    media: str | None = "text/csv",
    headers: Mapping[str, str] | None = None,
    **asked: Any,
) -> TestResponse:
    """One file through the door. `asked`: dry_run and site_id."""
    given = {"Authorization": f"Bearer {(who or house.nurse).fresh_token()}", **(headers or {})}
    query = urlencode({name: str(value).lower() for name, value in asked.items()})
    data = content.encode() if isinstance(content, str) else content
    path = f"/api/v1/measurements/import?{query}"
    return house.app.test_client().open(path, method="POST", data=data, content_type=media, headers=given)


def taken(house: House, content: str | bytes, **how: Any) -> dict[str, Any]:
    """The answer to a good file, after a dry run that counted the same and stored nothing."""
    before = everything(house)
    dry = send(house, content, dry_run=True, **how)
    assert (dry.status_code, dry.json.get("dry_run")) == (200, True), dry.text
    assert changed(house, before) == set()
    real = send(house, content, **how)
    assert real.status_code == (201 if dry.json["new"] else 200), real.text
    assert [real.json[name] for name in COUNTS] == [dry.json[name] for name in COUNTS]
    assert real.json["dry_run"] is False
    return dict(real.json)


def counted(answer: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(answer[name] for name in COUNTS)


def refused(house: House, content: str | bytes, *faults: tuple[str, str], **how: Any) -> list[dict[str, str]]:
    """A bad file has just these faults (path, code), in a dry run and in earnest, and leaves no trace."""
    before = everything(house)
    dry, real = (send(house, content, dry_run=dry_run, **how) for dry_run in (True, False))
    assert changed(house, before) == set()
    problem_of(dry, 422, "invalid", list(faults))
    assert dry.json["faults"] == real.json["faults"]
    assert real.status_code == 422
    return list(real.json["faults"])


def at(line: int, column: str, code: str) -> tuple[str, str]:
    """A fault of one cell."""
    return f"/lines/{line}/{column}", code


def values(house: House, subject: Mapping[str, Any], *names: str, code: str | None = None) -> list[tuple[Any, ...]]:
    """These columns of what is stored about a subject, oldest sample first."""
    asked = f"?code={code}" if code else ""
    answer = house.nurse.get(f"/subjects/{subject['id']}/measurements{asked}")
    assert answer.status_code == 200, answer.text
    return [tuple(one[name] for name in names) for one in reversed(answer.json["items"])]
