"""What an operator types: study check, staff and site, the demo trial and its verification."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyotp
import pytest
import sqlalchemy as sa
from flask import Flask
from house import SLE, HandClock, House

from api.app import create_app
from backend.db import db, transaction
from backend.models.calendar import Occurrence
from backend.models.people import Account, AccountSite
from backend.models.record import AuditEvent
from backend.models.safety import Episode
from backend.models.study import Installation, Site, StudyRevision
from backend.models.subject import Subject

SMALL = Path(__file__).parents[1] / "data" / "small-study.yaml"


def run(app: Flask, *words: str, **more: Any) -> Any:
    return app.test_cli_runner().invoke(args=list(words), **more)


# --- study check ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("file", "said"), [(SLE, "sle-cd19 1.0: no fault."), (SMALL, "demo-mini 0.3: no fault.")])
def test_a_sound_study_is_said_to_be(sqlite_house: House, file: Path, said: str) -> None:
    checked = run(sqlite_house.app, "study", "check", str(file))
    assert (checked.exit_code, said in checked.output) == (0, True), checked.output
    assert "sha256 " in checked.output


def test_every_fault_is_printed_with_its_path(sqlite_house: House, tmp_path: Path) -> None:
    text = SMALL.read_text(encoding="utf-8")
    spoilt = (
        ("anchor: infusion, day: 7, from_day: 6", "anchor: nothing, day: 7, from_day: 6"),
        ("R11: {version: 7", "R77: {version: 7"),
        ("- {item: puffs}", "- {item: smells}"),
        ("wheeze, op: ge, value: 2}", "wheeze, op: ge, value: 9}"),
    )
    for old, new in spoilt:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = tmp_path / "spoilt.yaml"
    path.write_text(text, encoding="utf-8")
    checked = run(sqlite_house.app, "study", "check", str(path))
    assert checked.exit_code == 2
    found = {line.split(": ")[0] for line in checked.output.splitlines()}
    assert {"/visits/1/anchor", "/rules/R77", "/forms/evening/items/1/item", "/red_flags/0/value"} <= found


def test_a_study_without_the_numbers_of_every_finding_is_refused(sqlite_house: House, tmp_path: Path) -> None:
    path = tmp_path / "poor.yaml"
    path.write_text(SMALL.read_text(encoding="utf-8").replace("  anc_fresh_h: 24\n", ""), encoding="utf-8")
    checked = run(sqlite_house.app, "study", "check", str(path))
    assert checked.exit_code == 2
    assert "anc_fresh_h" in checked.output


def test_a_file_that_is_no_study_is_a_fault_and_no_crash(sqlite_house: House, tmp_path: Path) -> None:
    path = tmp_path / "torn.yaml"
    path.write_text("format: 1\nkey: [unclosed\n", encoding="utf-8")
    checked = run(sqlite_house.app, "study", "check", str(path))
    assert checked.exit_code == 2
    assert isinstance(checked.exception, SystemExit)
    assert run(sqlite_house.app, "study", "check", str(tmp_path / "absent.yaml")).exit_code == 2


# --- staff and sites -----------------------------------------------------------------------------------------

GOOD = ("staff", "add", "--username", "wang", "--name", "Wang Li", "--role", "nurse", "--site", "NJ",
        "--phone", "13500001111", "--password", "a long enough one")  # fmt: skip


def without(option: str, words: tuple[str, ...] = GOOD) -> list[str]:
    at = words.index(option)
    return [*words[:at], *words[at + 2 :]]


def test_staff_are_added_once_with_a_secret_shown_once(sqlite_house: House) -> None:
    house = sqlite_house
    added = run(house.app, *GOOD)
    assert added.exit_code == 0, added.output
    assert added.output.startswith("wang: otpauth://totp/Daymark:wang?")
    (account,) = house.rows(sa.select(Account).where(Account.username == "wang"))
    assert (account.role, account.active) == ("nurse", True)
    sites = house.rows(sa.select(AccountSite.site_id).where(AccountSite.account_id == account.id))
    assert sites == [house.site_id]
    signed = {"username": "wang", "password": "a long enough one", "transport": "bearer"}
    totp = pyotp.parse_uri(added.output.split(": ", 1)[1].strip()).at(house.now)
    answer = house.app.test_client().post("/api/v1/auth/staff/sign-in", json={**signed, "totp": totp})
    assert answer.status_code == 200, answer.text
    again = run(house.app, *GOOD)
    assert (again.exit_code, "/username" in again.output) == (1, True)
    audited = house.rows(sa.select(AuditEvent).where(AuditEvent.entity_id == str(account.id)))
    assert {row.actor_role for row in audited} >= {"operator"}
    assert "13500001111" not in str([(row.old, row.new) for row in audited])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([*without("--site"), "--site", "XX"], "no such site"),
        ([*without("--password"), "--password", "short"], "at least 12"),
        ([*without("--role"), "--role", "janitor"], "janitor"),
        ([*without("--phone"), "--phone", "12"], "phone"),
    ],
)
def test_staff_that_cannot_be_added(sqlite_house: House, words: list[str], said: str) -> None:
    refused = run(sqlite_house.app, *words)
    assert refused.exit_code != 0
    assert said in refused.output
    assert sqlite_house.rows(sa.select(Account).where(Account.username == "wang")) == []


def test_a_site_runs_a_published_revision(sqlite_house: House) -> None:
    house = sqlite_house
    (revision,) = house.rows(sa.select(StudyRevision))
    good = ["site", "add", "--code", "BJ", "--name-zh", "北京", "--name-en", "Beijing", "--time-zone", "Asia/Shanghai",
            "--phone-24h", "+861000000000", "--study-sha256", revision.sha256]  # fmt: skip
    added = run(house.app, *good)
    assert (added.exit_code, added.output.startswith("BJ ")) == (0, True), added.output
    (site,) = house.rows(sa.select(Site).where(Site.code == "BJ"))
    assert site.study_revision_id == revision.id
    bad = [*good[:-1], "0" * 64]
    bad[bad.index("Asia/Shanghai")] = "Asia/Nowhere"
    refused = run(house.app, *bad)
    assert refused.exit_code == 1
    assert all(path in refused.output for path in ("/study_sha256", "/time_zone", "/code"))
    assert [row.code for row in house.rows(sa.select(Site).order_by(Site.code))] == ["BJ", "NJ", "SH"]


# --- the demo ------------------------------------------------------------------------------------------------


def rows(app: Flask, statement: sa.Select[Any]) -> list[Any]:
    with app.app_context(), transaction(writes=False):
        return list(db.session.scalars(statement))


def test_the_demo_trial(sqlite_url: str, time: HandClock, tmp_path: Path) -> None:
    """Loaded once, as it takes its time: sound, at every stage, with sign-ins that work, and old after half a day."""
    shown = tmp_path / "demo-accounts.json"
    app = create_app({"DATABASE_URL": sqlite_url, "RATE_LIMITS": "off"})
    try:
        loaded = run(app, "demo", "load", "--accounts", str(shown))
        assert loaded.exit_code == 0, loaded.output
        assert run(app, "agenda", "verify").output == "rebuilt = stored\n"
        audited = run(app, "audit", "verify")
        assert (audited.exit_code, audited.output.endswith("intact\n")) == (0, True), audited.output
        shows_every_stage(app, time)
        signs_people_in(app, time, json.loads(shown.read_text(encoding="utf-8")))
        grows_old(app, time)
    finally:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


def shows_every_stage(app: Flask, time: HandClock) -> None:
    subjects = rows(app, sa.select(Subject).order_by(Subject.number))
    assert [one.number for one in subjects] == [f"S0{n}" for n in range(1, 8)]
    days = [None if one.infused_at is None else (time.at - one.infused_at).days for one in subjects]
    assert days == [None, None, 2, 7, 9, 40, 180]
    assert [one.admitted for one in subjects] == [False] * 4 + [True, False, False]
    (febrile,) = [one for one in rows(app, sa.select(Episode)) if one.subject_id == subjects[3].id]
    assert febrile.closed_at is None
    assert febrile.seen_at is not None
    answered = sa.select(Occurrence).where(Occurrence.kind == "slot", Occurrence.satisfied_by.is_not(None))
    assert len(rows(app, answered)) > 200


def signs_people_in(app: Flask, time: HandClock, people: Any) -> None:
    assert {one["role"] for one in people["staff"]} == {
        "nurse", "investigator", "principal_investigator", "monitor", "statistician", "administrator",
    }  # fmt: skip
    nurse = next(one for one in people["staff"] if one["role"] == "nurse")
    body = {"username": nurse["username"], "password": nurse["password"], "transport": "bearer",
            "totp": pyotp.TOTP(nurse["totp_secret"]).at(time.at)}  # fmt: skip
    assert app.test_client().post("/api/v1/auth/staff/sign-in", json=body).status_code == 200
    code = people["subjects"][2]["activation_code"]
    asked = {"code": code, "pin": "4821", "device_name": "phone", "transport": "bearer"}
    assert app.test_client().post("/api/v1/auth/activate", json=asked).status_code == 200


def grows_old(app: Flask, time: HandClock) -> None:
    """Twelve hours from when this installation was made."""
    (made,) = rows(app, sa.select(Installation.created_at))
    for age, status in ((0, 0), (12 * 3600 - 1, 0), (12 * 3600, 1)):
        time.at = made + timedelta(seconds=age)
        assert run(app, "demo", "age").exit_code == status, age
