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
from api.assessment_forms import ANSWERS
from backend import strictjson
from backend.db import db, transaction
from backend.models.calendar import Occurrence
from backend.models.conduct import DataQuery
from backend.models.findings import Assessment
from backend.models.outbox import Message
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
        waits_for_nobody(app)
        people = json.loads(shown.read_text(encoding="utf-8"))
        signs_people_in(app, time, people)
        holds_what_its_doors_would_take(app)
        shows_what_was_found(Reader(app, time, people, "statistician"))
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


def waits_for_nobody(app: Flask) -> None:
    """Three episodes were raised by what was entered; all were answered, and only the fever of day 7 is open."""
    subjects = {one.id: one.number for one in rows(app, sa.select(Subject))}
    raised = {subjects[one.subject_id]: one for one in rows(app, sa.select(Episode))}
    assert {number: (one.level, one.outcome) for number, one in raised.items()} == {
        "S04": ("URGENT", None),
        "S05": ("URGENT", "crs"),
        "S07": ("REVIEW", "other"),
    }
    assert all(one.seen_at is not None for one in raised.values())
    assert all(one.next_step_at is None and one.overdue_at is None for one in raised.values())
    assert rows(app, sa.select(Message)) == []
    assert rows(app, sa.select(DataQuery)) == [], "no value came after its visit was signed"


def holds_what_its_doors_would_take(app: Flask) -> None:
    """The stories go past the doors: what they stored of the forms, the doors' schemas take and leave as it is."""
    forms = rows(app, sa.select(Assessment))
    assert {one.instrument for one in forms} == {"sledai2k", "pga", "bilag2004", "treatment"}
    for one in forms:
        sent = strictjson.loads(strictjson.dumps(one.answers))
        assert {**one.answers, **ANSWERS[one.instrument]().load(sent)} == one.answers, one.visit_key


class Reader:
    """One of the demo's people, reading."""

    def __init__(self, app: Flask, time: HandClock, people: Any, role: str) -> None:
        who = next(one for one in people["staff"] if one["role"] == role)
        body = {"username": who["username"], "password": who["password"], "transport": "bearer",
                "totp": pyotp.TOTP(who["totp_secret"]).at(time.at)}  # fmt: skip
        self._client = app.test_client()
        token = self._client.post("/api/v1/auth/staff/sign-in", json=body).json["access_token"]
        self._headers = {"Authorization": f"Bearer {token}"}
        self.subjects = {one["number"]: one["id"] for one in people["subjects"]}

    def items(self, path: str) -> list[dict[str, Any]]:
        answer = self._client.get(f"/api/v1{path}", headers=self._headers)
        assert answer.status_code == 200, answer.text
        return list(answer.json["items"])

    def values(self, number: str, outcome: str) -> list[Any]:
        """Of one subject and one outcome what was observed, by time point."""
        found = self.items(f"/subjects/{self.subjects[number]}/outcomes?outcome={outcome}")
        return [one["value"] for one in found if one["measure"] == outcome and one["status"] == "observed"]

    def detail(self, number: str, measure: str) -> dict[str, Any]:
        found = self.items(f"/subjects/{self.subjects[number]}/outcomes")
        return next(dict(one["detail"]) for one in found if one["measure"] == measure)


def shows_what_was_found(reader: Reader) -> None:
    assert reader.values("S07", "sri4") == [True, True]
    assert reader.values("S07", "lldas") == [False, False, True, True, True, True]
    assert reader.values("S07", "doris") == [False, False, False, True, True, True]
    assert reader.values("S07", "sledai2k") == [-8, -10, -14, -16, -16, -16]
    assert (reader.values("S06", "sledai2k"), reader.values("S06", "lldas")) == ([-6], [False])
    assert [one["observed"]["n"] for one in reader.items("/outcomes?outcome=sri4&time_point=V16&dose_level=1")][:1] == [
        1
    ]
    copies, cells = reader.detail("S07", "car_copies"), reader.detail("S07", "b_cells")
    assert (round(float(copies["tmax"])), copies["window_covered"]) == (10, {"0-28": True, "0-90": True, "28-90": True})
    assert (cells["first_day_below"], cells["reconstituted_on_day"]) == (14, 120)
    (first, *_) = reader.items("/cohorts")
    assert [first[name] for name in ("dosed", "evaluable", "pending", "dlt", "hold")] == [5, 2, 3, 0, False]
    events = {one["term"]: (one["subjects"], one["serious"]) for one in reader.items("/adverse-events/summary")}
    assert events == {
        "Cytokine release syndrome": (1, 1),
        "Upper respiratory infection": (1, 0),
        "Lymphocyte count decreased": (5, 0),
        "Neutrophil count decreased": (1, 0),
    }
    undecided = {
        (one["subject_number"], one["kind"], one["item"]) for one in reader.items("/reconciliation?state=open")
    }
    assert undecided == {("S04", "episode", None), ("S04", "laboratory", "anc"), ("S06", "symptom", "fatigue")}


def grows_old(app: Flask, time: HandClock) -> None:
    """Twelve hours from when this installation was made."""
    (made,) = rows(app, sa.select(Installation.created_at))
    for age, status in ((0, 0), (12 * 3600 - 1, 0), (12 * 3600, 1)):
        time.at = made + timedelta(seconds=age)
        assert run(app, "demo", "age").exit_code == status, age
