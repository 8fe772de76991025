"""Whoever lacks a task, for whatever reason, does none of its acts; whoever holds it does; danger needs no paper."""

from collections.abc import Callable
from datetime import date, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from house import House, Person

from backend import delegation
from backend.db import db, transaction
from backend.models.study import Site
from tests.conduct.acts import (
    GRADE,
    OTHER_TASKS,
    RECORD,
    SIGN,
    Act,
    also_works_at,
    approved,
    asked_for,
    bare,
    closing,
    delegate,
    done,
    fresh,
    is_refused,
    trail,
)
from tests.contract.stage import Stage, changed, everything

ACTS = (*RECORD, *OTHER_TASKS, GRADE, SIGN)
ALL_TASKS = (
    "consent",
    "follow_up",
    "correction",
    "laboratory",
    "medication",
    "product",
    "data_query",
    "grading",
    "adverse_event",
    "assessment",
)
TASK_OF = {action: task for task, actions in delegation.TASKS.items() for action in actions}
ONE_OF_EACH_TASK = tuple({TASK_OF[act.action]: act for act in ACTS}.values())
TODAY = date(2026, 3, 2)


def test_there_is_an_act_for_every_delegated_action() -> None:
    assert {act.action for act in ACTS} == {action for actions in delegation.TASKS.values() for action in actions}
    assert set(ALL_TASKS) == set(delegation.TASKS)


def refused_for_want_of_a_task(stage: Stage, who: Person, *acts: Act) -> None:
    """403 for each, nothing stored, and every attempt in the trail: who, where, about whom."""
    before = everything(stage.house)
    asked = {}
    for act in acts:
        answer = act.by(stage, who)
        is_refused(answer, "not_delegated", act.name)
        asked[answer.headers["X-Request-Id"]] = act
    assert changed(stage.house, before) == {"audit_event", "audit_head"}
    kept = [row for row in trail(stage.house, "access:refused") if row.origin in asked]
    assert sorted(row.origin for row in kept) == sorted(asked)
    for row in kept:
        act = asked[row.origin]
        chain = "system" if act.action == "subject:enrol" else stage.subject["id"]
        assert (row.actor_id, row.actor_role, row.chain) == (who.id, who.role, chain), act.name
        assert row.new["door"].startswith(f"{act.method} /api/v1/"), act.name


def works(stage: Stage, who: Person, acts: tuple[Act, ...]) -> None:
    for act in acts:
        answer = act.by(stage, who)
        assert answer.status_code in (200, 201), (act.name, answer.text)


# Each way of not holding a task: sets it up, and gives what makes it good.
Mends = Callable[[], None]


def never_asked(house: House, who: Person) -> Mends:
    return lambda: delegate(house, who, ALL_TASKS)


def ended(house: House, who: Person) -> Mends:
    for task in ALL_TASKS:
        row = approved(house, done(house.nurse.post("/delegations", asked_for(house, who, task))))
        end = {"reason": "moved to another ward"}
        done(house.nurse.post(f"/delegations/{row['id']}/end", end, **{"If-Match": f'"{row["version"]}"'}))
    return lambda: delegate(house, who, ALL_TASKS)


def not_approved(house: House, who: Person) -> Mends:
    rows = [done(house.nurse.post("/delegations", asked_for(house, who, task))) for task in ALL_TASKS]

    def mend() -> None:
        for row in rows:
            approved(house, row)

    return mend


def not_begun(house: House, who: Person) -> Mends:
    delegate(house, who, ALL_TASKS, valid_from=str(TODAY + timedelta(days=1)))
    return lambda: house.turn(days=1)


def past(house: House, who: Person) -> Mends:
    delegate(house, who, ALL_TASKS, valid_from="2026-02-01", valid_to=str(TODAY - timedelta(days=1)))
    return lambda: delegate(house, who, ALL_TASKS)


def elsewhere(house: House, who: Person) -> Mends:
    also_works_at(house, house.other_site_id, who, house.chief, house.nurse)
    delegate(house, who, ALL_TASKS, site_id=str(house.other_site_id))
    return lambda: delegate(house, who, ALL_TASKS)


@pytest.mark.parametrize("want", [never_asked, ended, not_approved, not_begun, past, elsewhere])
def test_without_the_task_no_act_of_it_is_taken_and_with_it_each(stage: Stage, want: Callable[..., Mends]) -> None:
    house = stage.house
    bare(house, house.doctor)
    mend = want(house, house.doctor)
    refused_for_want_of_a_task(stage, house.doctor, *ACTS)
    mend()
    works(stage, house.doctor, ACTS if want is never_asked else ONE_OF_EACH_TASK)


def test_a_nurse_too_on_both_databases(both: Stage) -> None:
    house, acts = both.house, (*RECORD, *OTHER_TASKS)
    bare(house, house.nurse)
    refused_for_want_of_a_task(both, house.nurse, *acts)
    delegate(house, house.nurse, delegation.tasks_for("nurse"))
    works(both, house.nurse, acts)
    assert house.chief.get("/audit/verify").json["intact"] is True


def test_one_task_is_not_another(stage: Stage) -> None:
    house = stage.house
    bare(house, house.doctor)
    delegate(house, house.doctor, ["correction"])
    for act in ACTS:
        if TASK_OF[act.action] == "correction":
            done(act.by(stage, house.doctor))
        else:
            is_refused(act.by(stage, house.doctor), "not_delegated", act.name)


def test_the_last_date_is_covered_to_its_end_in_the_sites_own_zone(stage: Stage) -> None:
    house, act = stage.house, RECORD[7]
    bare(house, house.nurse)
    delegate(house, house.nurse, ["laboratory"], valid_from=str(TODAY), valid_to=str(TODAY + timedelta(days=1)))
    house.to(2026, 3, 3, 23, 59)
    done(act.by(stage, house.nurse))
    house.to(2026, 3, 4, 0, 0)  # still the 3rd in UTC
    is_refused(act.by(stage, house.nurse), "not_delegated")
    delegate(house, house.nurse, ["laboratory"], valid_from="2026-03-05")
    house.to(2026, 3, 4, 23, 59)
    is_refused(act.by(stage, house.nurse), "not_delegated")
    house.to(2026, 3, 5, 0, 0)
    done(act.by(stage, house.nurse))


def test_the_principal_investigator_needs_none(stage: Stage) -> None:
    bare(stage.house, stage.house.chief)
    works(stage, stage.house.chief, ACTS)


def test_a_site_that_does_not_delegate_asks_for_none(stage: Stage) -> None:
    house = stage.house
    bare(house, house.doctor)
    refused_for_want_of_a_task(stage, house.doctor, RECORD[0])
    set_delegates(house, house.other_site_id, to=False)
    refused_for_want_of_a_task(stage, house.doctor, RECORD[0])
    set_delegates(house, house.site_id, to=False)
    works(stage, house.doctor, ACTS)


def set_delegates(house: House, site_id: UUID, *, to: bool) -> None:
    with house.app.app_context(), transaction():
        db.session.execute(sa.update(Site).where(Site.id == site_id).values(delegates=to))


def test_answering_danger_needs_no_task(both: Stage) -> None:
    """Accept, call, pause, close as nothing; what is no delegated act stays open as well."""
    house, nurse = both.house, both.house.nurse
    bare(house, nurse, house.doctor)
    episode = f"/episodes/{both.ids['episode_id']}"
    accepted = {"id": fresh(), "kind": "accepted", "seen_signal_seq": 1}
    assert done(nurse.post(f"{episode}/acknowledgements", accepted), 201)["state"] != "closed"
    done(nurse.post(f"{episode}/contact-attempts", {"id": fresh(), "outcome": "no_answer"}), 201)
    done(nurse.post(f"{both.at}/contact-attempts", {"id": fresh(), "outcome": "no_answer"}), 201)
    done(house.doctor.post(f"{episode}/acknowledgements", {**accepted, "id": fresh(), "kind": "seen"}), 201)
    done(house.doctor.post(f"/visits/{both.ids['visit_id']}/freeze", closing(True)), 201)
    done(nurse.get(both.at))
    ends = nurse.call("POST", f"{episode}/close", {"outcome": "none"}, {"If-Match": "*"})
    assert done(ends, 200)["state"] == "closed"
    assert trail(house, "access:refused") == []


def test_a_doctor_without_the_task_closes_without_a_grade_only(stage: Stage) -> None:
    house, path = stage.house, f"/episodes/{stage.ids['episode_id']}/close"
    bare(house, house.doctor)
    for graded in ({"outcome": "infection"}, {"outcome": "none", "icans_grade": 1}):
        is_refused(house.doctor.call("POST", path, graded, {"If-Match": "*"}), "not_delegated")
    done(house.doctor.call("POST", path, {"outcome": "none"}, {"If-Match": "*"}), 200)
