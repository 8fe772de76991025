"""Secrets of a site's channels go in and never come out: no door, log, audit row or byte of the database tells one."""

import logging
from pathlib import Path

import pytest
import sqlalchemy as sa
from house import House
from sqlalchemy.engine import make_url

from backend.db import db, transaction
from backend.models.base import Base
from tests.channels.conftest import KEY, PLATFORM_SECRET, SECRET, Ways, path_of, shown


def everything_stored(house: House) -> str:
    """Every row of every table, and the raw bytes of the database where it is a file."""
    found = []
    with house.app.app_context(), transaction(writes=False):
        for table in Base.metadata.sorted_tables:
            found += [str(tuple(row)) for row in db.session.execute(sa.select(table))]
        url = make_url(db.engine.url)
    if url.get_backend_name() == "sqlite" and url.database:
        for path in Path(url.database).parent.glob(Path(url.database).name + "*"):
            found.append(path.read_bytes().decode("latin-1"))
    return "\n".join(found)


def test_secrets_never_come_out(
    ways: Ways, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    house, said = ways.house, []
    hidden = f"{ways.url}/hospital"
    with caplog.at_level(logging.INFO):
        ways.robot("wecom")
        ways.robot("dingtalk", 2)
        ways.platform("sms")
        ways.set("sms", "http", secrets={"secret": f"{PLATFORM_SECRET}-2"})
        for medium in ("wecom", "dingtalk", "sms"):
            answer = house.admin.post(f"{path_of(house, medium)}/tests", {"account_id": str(house.doctor.id)})
            said.append(answer.text)
        ways.fake.will(93000, 310000, "503")
        ways.turn()
        ways.turn(minutes=1)
    said += [house.people[name].get(path_of(house)).text for name in ("admin", "doctor", "monitor")]
    said += [house.admin.get("/audit?limit=200").text, house.chief.get("/audit?limit=200").text]
    said += [house.admin.get("/messages?limit=200").text]
    version = shown(house, "sms")["version"]
    said.append(house.admin.call("DELETE", path_of(house, "sms"), headers={"If-Match": f'"{version}"'}).text)
    said.append(house.admin.get("/audit?limit=200").text)
    out = capsys.readouterr()
    for secret in (KEY, SECRET, PLATFORM_SECRET, hidden):
        assert secret not in "\n".join(said), "an answer or the audit trail tells a secret"
        assert secret not in caplog.text + out.out + out.err, "the log tells a secret"
        assert secret not in everything_stored(house), "the database tells a secret"
    assert len(ways.fake.taken) > 0


def test_no_library_logs_a_robots_key_either(quick: Ways, caplog: pytest.LogCaptureFixture) -> None:
    """An operator who turns everything on to find a fault must not print the key of every robot."""
    quick.robot("wecom")
    quick.house.admin.post(f"{path_of(quick.house, 'wecom')}/tests", {"account_id": str(quick.house.doctor.id)})
    with caplog.at_level(logging.DEBUG):
        assert quick.turn()
    assert KEY not in caplog.text
