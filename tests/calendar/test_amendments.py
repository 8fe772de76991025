"""Amendments by doors: who stays, what is refused, all or nothing, and what an approval was given for."""

from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import UUID, uuid4

import databases
import sqlalchemy as sa
from furnishing import build
from house import HandClock, House, iso

from backend import clock
from backend.db import db, lock_subject, transaction
from backend.models.study import Site, SubjectRevision
from tests.contract.stage import publish_next


def move_month_4(content: dict[str, Any]) -> None:
    visit = next(one for one in content["visits"] if one["key"] == "V17")
    visit |= {"day": 110, "from_day": 104, "to_day": 116}


def propose(house: House, revision: str, **over: Any) -> Any:
    body = {
        "id": str(uuid4()),
        "site_id": str(house.site_id),
        "study_revision_id": revision,
        "effective_on": "2026-03-10",
        "reason": "amendment 1",
        **over,
    }
    return house.doctor.post("/amendments", body)


def approve(house: House, amendment: str, tag: str | None = None) -> Any:
    seen = tag or house.chief.get(f"/amendments/{amendment}/difference").headers["ETag"]
    door = f"/amendments/{amendment}/approval"
    return house.chief.post(door, None, **{"If-Match": seen}, **house.confirmed(house.chief))


def target(house: House, subject: dict[str, Any], key: str = "V17") -> str:
    items = house.nurse.get(f"/subjects/{subject['id']}/calendar").json["items"]
    return str(next(one["target_on"] for one in items if one["key"] == key))


def test_one_follows_and_one_stays(house: House) -> None:
    goes, stays = house.infused(days_ago=10, number="001"), house.infused(days_ago=10, number="002")
    before = target(house, goes)
    asked = [{"subject_id": stays["id"], "reason": "finishes under the first protocol"}]
    amendment = propose(house, publish_next(house, "2.0", move_month_4), staying=asked).json["id"]
    shown = house.chief.get(f"/amendments/{amendment}/difference").json["subjects"]
    assert [(one["number"], one["stays"], [s["key"] for s in one["shifts"]]) for one in shown] == [
        ("001", None, ["V17"]),
        ("002", "finishes under the first protocol", []),
    ]
    approved = approve(house, amendment)
    assert (approved.status_code, approved.json["state"]) == (200, "approved")
    assert (target(house, goes) < before, target(house, stays)) == (True, before)
    fresh = house.enrol(number="003")
    assert house.nurse.get(f"/subjects/{fresh['id']}/revisions").json["items"][0]["revision"] == "2.0"
    assert len(house.rows(sa.select(SubjectRevision))) == 1
    assert approve(house, amendment).status_code == 409
    assert house.app.test_cli_runner().invoke(args=["agenda", "verify"]).exit_code == 0


def test_what_is_approved_is_what_was_seen(sqlite_house: House) -> None:
    """A visit agreed on meanwhile changes the difference: it has to be looked at again."""
    house = sqlite_house
    subject = house.infused(days_ago=10)
    amendment = propose(house, publish_next(house, "2.0", move_month_4)).json["id"]
    seen = house.chief.get(f"/amendments/{amendment}/difference")
    visits = house.nurse.get(f"/subjects/{subject['id']}/calendar").json["items"]
    visit = next(one for one in visits if one["key"] == "V17")
    agreed = {"at": iso(house.now + timedelta(days=112)), "reason": "agreed"}
    assert house.nurse.put(f"/visits/{visit['id']}/appointment", agreed).status_code == 200
    stale = approve(house, amendment, seen.headers["ETag"])
    assert (stale.status_code, stale.json["code"]) == (412, "stale")
    again = house.chief.get(f"/amendments/{amendment}/difference").json["subjects"][0]["shifts"]
    assert [(one["key"], one["appointment_outside"]) for one in again] == [("V17", True)]
    assert approve(house, amendment).status_code == 200


def test_a_visit_that_is_over_stays_under_its_revision(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.infused(days_ago=10)
    before = {key: target(house, subject, key) for key in ("V7", "V8", "V9")}

    def earlier(content: dict[str, Any]) -> None:
        for one in content["visits"]:
            if one["key"] in before:
                one |= {"day": one["day"] + 20, "from_day": one["from_day"] + 20, "to_day": one["to_day"] + 20}

    assert approve(house, propose(house, publish_next(house, "2.0", earlier)).json["id"]).status_code == 200
    assert {key: target(house, subject, key) for key in before} == before  # closed before 10 March, all of them


def test_what_cannot_be_amended_is_refused(sqlite_house: House) -> None:
    house = sqlite_house
    house.infused(days_ago=10)

    def poorer(content: dict[str, Any]) -> None:
        del content["drugs"]["tocilizumab"]

    without = propose(house, publish_next(house, "2.0", poorer))
    assert [(one["path"], one["code"]) for one in without.json["faults"]] == [("/study_revision_id", "taken_away")]
    assert "/drugs/tocilizumab" in without.json["faults"][0]["message"]
    revision = publish_next(house, "3.0", move_month_4)
    today = propose(house, revision, effective_on="2026-03-02")
    assert [(one["path"], one["code"]) for one in today.json["faults"]] == [("/effective_on", "in_the_past")]
    unknown = propose(house, str(uuid4()))
    assert unknown.json["faults"][0]["path"] == "/study_revision_id"
    strange = propose(house, revision, staying=[{"subject_id": str(uuid4()), "reason": "x"}])
    assert strange.json["faults"][0]["path"] == "/staying/0/subject_id"
    assert house.nurse.post("/amendments", {}).status_code == 403
    first = propose(house, revision).json
    dropped = house.doctor.post(f"/amendments/{first['id']}/drop", {"reason": "not now"}, **{"If-Match": '"1"'})
    assert dropped.json["state"] == "dropped"
    assert approve(house, first["id"]).status_code == 409
    assert house.rival.get(f"/amendments/{first['id']}/difference").status_code == 404


def test_a_locked_subject_holds_the_whole_approval_back(house: House) -> None:
    """All subjects or none."""
    house.infused(days_ago=10, number="001")
    locked = house.infused(days_ago=10, number="002")
    closing = {"id": str(uuid4()), "closed": True, "reason": "clean"}
    door = f"/subjects/{locked['id']}/lock"
    assert house.chief.post(door, closing, **house.confirmed(house.chief)).status_code == 201
    amendment = propose(house, publish_next(house, "2.0", move_month_4)).json["id"]
    refused = approve(house, amendment)
    assert (refused.status_code, refused.json["code"]) == (409, "record_locked")
    assert house.rows(sa.select(SubjectRevision)) == []
    assert house.chief.get("/amendments").json["items"][0]["state"] == "proposed"


def test_an_approval_and_a_fever_wait_for_each_other_in_one_order(tmp_path: Path) -> None:
    """Whoever opens an episode holds the subject, then the site; an approval that took them the other way round would
    meet it crosswise, and the database would end one of the two."""
    hand = HandClock()
    with databases.postgres_copy() as url, clock.running_on(hand), build(url, hand, tmp_path) as house:
        subject = house.infused(days_ago=10)
        amendment = propose(house, publish_next(house, "2.0", move_month_4)).json["id"]
        seen = house.chief.get(f"/amendments/{amendment}/difference").headers["ETag"]
        holds, crash = Event(), list[BaseException]()

        def episode() -> None:
            try:
                with house.app.app_context(), transaction():
                    lock_subject(UUID(subject["id"]))
                    holds.set()
                    _until_somebody_waits(url)
                    db.session.execute(sa.select(Site).where(Site.id == house.site_id).with_for_update())
            except BaseException as error:  # shown below
                crash.append(error)

        other = Thread(target=episode)
        other.start()
        assert holds.wait(10)
        approved = approve(house, amendment, seen)
        other.join(20)
        assert crash == []
        assert approved.status_code == 200, approved.text


def _until_somebody_waits(url: str) -> None:
    """Look until another transaction of this database waits for a lock."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    waiting = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with engine.connect() as connection:
        for _ in range(20_000):
            if connection.execute(waiting).scalar_one():
                break
        else:
            raise AssertionError("nobody waits")
    engine.dispose()
