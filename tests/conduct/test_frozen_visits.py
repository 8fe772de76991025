"""A frozen visit stands still, whoever asks and whatever would move it; opened with a reason it moves again."""

from datetime import timedelta
from typing import Any

import pytest

from tests.conduct.acts import CLINIC, RECORD, ago, closing, done, fresh, is_refused, lock, trail, unplanned, visit
from tests.contract.stage import Stage, changed, everything, problem_of, publish_next, refuses

MISTYPED = {"reason": "mistyped"}


def freeze(stage: Stage, key_or_id: str, closed: bool = True, who: str = "monitor", **over: Any) -> dict[str, Any]:
    visit_id = key_or_id if len(key_or_id) == 36 else visit(stage, key_or_id)["id"]
    return done(stage.person(who).post(f"/visits/{visit_id}/freeze", closing(closed, **over)), 201)


def put(stage: Stage, who: str, visit_id: str, what: str, body: dict[str, Any]) -> Any:
    return stage.person(who).put(f"/visits/{visit_id}/{what}", body, **{"If-Match": "*"})


def agreed(stage: Stage, row: dict[str, Any]) -> dict[str, Any]:
    return {"at": f"{row['target_on']}T03:00:00Z", "reason": "agreed by phone"}


def came(stage: Stage) -> dict[str, Any]:
    return {"at": ago(stage, hours=1), "outcome": "attended", "reason": "signed the list"}


def correct(stage: Stage, who: str, **change: Any) -> Any:
    path = f"{stage.at}/events/{stage.ids['event_id']}"
    return stage.person(who).call("PATCH", path, {**MISTYPED, **change}, {"If-Match": "*"})


def test_a_frozen_visit_stands_still_until_it_is_opened(both: Stage) -> None:
    house = both.house
    frozen, other = visit(both, "V8"), visit(both, "V9")
    house.turn(days=2)
    shut = freeze(both, frozen["id"], who="doctor")
    shown = visit(both, "V8")
    before = everything(house)
    for who in CLINIC:
        is_refused(put(both, who, frozen["id"], "appointment", agreed(both, frozen)), "visit_frozen", who)
        is_refused(put(both, who, frozen["id"], "attendance", came(both)), "visit_frozen", who)
        moved = is_refused(correct(both, who, actual_at=ago(both, days=10)), "visit_frozen", who)
        assert "V8" in moved["detail"]
        assert "V9" not in moved["detail"]
        taken_back = is_refused(correct(both, who, void=True), "visit_frozen", who)
        assert "V8" in taken_back["detail"]
    assert changed(house, before) == set()
    assert visit(both, "V8") == shown

    done(put(both, "nurse", other["id"], "appointment", agreed(both, other)), 200)
    done(put(both, "nurse", both.ids["visit_id"], "attendance", came(both)), 200)
    assert visit(both, "V9")["appointment_at"] == agreed(both, other)["at"]

    opened = freeze(both, frozen["id"], closed=False, who="chief", reason="the date was misread")
    done(put(both, "nurse", frozen["id"], "appointment", agreed(both, frozen)), 200)
    done(put(both, "doctor", frozen["id"], "attendance", came(both)), 200)
    done(correct(both, "nurse", actual_at=ago(both, days=9)), 200)
    assert visit(both, "V8")["target_on"] != frozen["target_on"]

    history = done(house.nurse.get(f"/visits/{frozen['id']}/freeze"))["items"]
    assert history == [shut, opened]
    assert [(one["closed"], one["by"], one["reason"]) for one in history] == [
        (True, "Doctor", "reviewed"),
        (False, "Chief", "the date was misread"),
    ]
    for verb, who, reason in (("closed", house.doctor, "reviewed"), ("opened", house.chief, "the date was misread")):
        [row] = trail(house, f"visit:{verb}", frozen["id"])
        shut_now = verb == "closed"
        assert (row.old, row.new) == ({"closed": not shut_now}, {"closed": shut_now})
        assert (row.actor_id, row.reason, row.chain) == (who.id, reason, both.subject["id"])
    assert house.chief.get("/audit/verify").json["intact"] is True


def test_every_frozen_visit_that_would_move_is_named(stage: Stage) -> None:
    for key in ("V9", "V19"):
        freeze(stage, key)
    detail = is_refused(correct(stage, "chief", actual_at=ago(stage, days=8)), "visit_frozen")["detail"]
    assert all(key in detail for key in ("V9", "V19"))
    assert "V10" not in detail


def test_a_correction_that_leaves_the_dates_is_taken(stage: Stage) -> None:
    """From nine to eight in the morning: the visits stay where they are."""
    freeze(stage, "V8")
    frozen = visit(stage, "V8")
    done(correct(stage, "nurse", actual_at=ago(stage, days=6, hours=1)), 200)
    assert visit(stage, "V8") == frozen


def test_another_anchor_moves_its_own_visits(stage: Stage) -> None:
    house, event = stage.house, {"id": fresh(), "kind": "collection", "actual_at": ago(stage, days=7)}
    freeze(stage, "V8")
    assert visit(stage, "V1")["due_at"] is None
    done(house.nurse.post(f"{stage.at}/events", event), 201)
    assert visit(stage, "V1")["due_at"] is not None
    freeze(stage, "V1")
    path = f"{stage.at}/events/{event['id']}"
    change = {**MISTYPED, "actual_at": ago(stage, days=9)}
    answer = house.nurse.call("PATCH", path, change, {"If-Match": "*"})
    assert "V1" in is_refused(answer, "visit_frozen")["detail"]


def test_a_frozen_undated_visit_gets_no_date(stage: Stage) -> None:
    freeze(stage, "V1")
    event = {"id": fresh(), "kind": "collection", "actual_at": ago(stage, days=7)}
    refused = stage.house.nurse.post(f"{stage.at}/events", event)
    assert "V1" in is_refused(refused, "visit_frozen")["detail"]
    assert len(stage.house.nurse.get(f"{stage.at}/events").json["items"]) == 1


def test_a_visit_outside_the_plan_is_frozen_too(stage: Stage) -> None:
    house = stage.house
    row = done(house.nurse.post(f"{stage.at}/visits", unplanned(stage)), 201)
    freeze(stage, row["id"])
    for who in CLINIC:
        is_refused(put(stage, who, row["id"], "attendance", came(stage)), "visit_frozen")
        is_refused(put(stage, who, row["id"], "appointment", {"at": ago(stage), **MISTYPED}), "visit_frozen")
    freeze(stage, row["id"], closed=False)
    done(put(stage, "nurse", row["id"], "attendance", came(stage)), 200)


def later(content: dict[str, Any]) -> None:
    """The last visit a little later."""
    next(one for one in content["visits"] if one["key"] == "V19")["day"] += 5


@pytest.mark.parametrize("frozen", [False, True])
def test_an_amendment_does_not_move_a_frozen_visit(stage: Stage, frozen: bool) -> None:
    house, before = stage.house, visit(stage, "V19")
    if frozen:
        freeze(stage, "V19")
    ahead = {"study_revision_id": publish_next(house, "2.0", later), "effective_on": "2026-04-01", "reason": "amended"}
    body = {"id": fresh(), "site_id": str(house.site_id), **ahead}
    path = f"/amendments/{done(house.doctor.post('/amendments', body), 201)['id']}"
    seen = house.chief.get(f"{path}/difference").headers["ETag"]
    headers = {"If-Match": seen, **house.confirmed(house.chief)}
    answer = house.chief.call("POST", f"{path}/approval", None, headers)
    if frozen:
        assert "V19" in is_refused(answer, "visit_frozen")["detail"]
    else:
        done(answer, 200)
    assert (visit(stage, "V19")["target_on"] == before["target_on"]) is frozen


def test_what_is_no_visit_stays_free(stage: Stage) -> None:
    """With every visit frozen, reports, values and drugs are still taken."""
    for row in stage.house.nurse.get(f"{stage.at}/calendar").json["items"]:
        if row["kind"] == "visit":
            freeze(stage, row["id"])
    for act in RECORD:
        if act.action in ("entry:on_behalf", "entry:correct", "measurement:record", "medication:record"):
            done(act.by(stage, stage.house.nurse))
    assert stage.house.report(stage.patient).status_code == 201


def test_freezing_what_is_frozen_or_opening_what_is_open_is_a_conflict(stage: Stage) -> None:
    house, path = stage.house, f"/visits/{stage.ids['visit_id']}/freeze"

    def again(closed: bool) -> None:
        refuses(house, house.monitor, "POST", path, closing(closed), status=409, code="conflict")

    again(False)
    freeze(stage, stage.ids["visit_id"])
    again(True)
    freeze(stage, stage.ids["visit_id"], closed=False)
    again(False)
    freeze(stage, stage.ids["visit_id"])
    assert [one["closed"] for one in house.nurse.get(path).json["items"]] == [True, False, True]


def test_a_repeat_is_harmless_and_another_content_is_refused(stage: Stage) -> None:
    house, path, body = stage.house, f"/visits/{stage.ids['visit_id']}/freeze", closing(True)
    first = done(house.monitor.post(path, body), 201)
    house.turn(hours=1)
    assert done(house.monitor.post(path, body), 200) == first
    elsewhere = f"/visits/{stage.ids['later_id']}/freeze"
    for at, other in ((path, {**body, "closed": False}), (elsewhere, body)):
        refuses(house, house.monitor, "POST", at, other, status=409, code="id_taken")
    assert len(trail(house, "visit:closed")) == 1


@pytest.mark.parametrize(
    ("over", "path", "code"),
    [
        ({"reason": ""}, "/reason", "wrong_length"),
        ({"closed": "yes"}, "/closed", "wrong_type"),
        ({"id": "1"}, "/id", "invalid_uuid"),
        ({"until": "2026-04-01"}, "/until", "unknown_field"),
    ],
)
def test_a_bad_freeze_says_where(stage: Stage, over: dict[str, Any], path: str, code: str) -> None:
    at = f"/visits/{stage.ids['visit_id']}/freeze"
    body = {**closing(True), **over}
    refuses(stage.house, stage.house.monitor, "POST", at, body, faults=[(path, code)])


def test_only_visits_of_ones_own_site_are_frozen(stage: Stage) -> None:
    house = stage.house
    slot = next(one for one in house.nurse.get(f"{stage.at}/calendar").json["items"] if one["kind"] == "slot")
    theirs = house.stranger.get(f"/subjects/{stage.foreign['id']}/calendar").json["items"][0]["id"]
    for visit_id in (slot["id"], theirs, fresh()):
        at = f"/visits/{visit_id}/freeze"
        refuses(house, house.monitor, "POST", at, closing(True), status=404, code="not_found")
        problem_of(house.monitor.get(at), 404, "not_found")


def test_in_a_locked_record_nothing_is_frozen_or_opened(stage: Stage) -> None:
    house, path = stage.house, f"/visits/{stage.ids['visit_id']}/freeze"
    freeze(stage, stage.ids["visit_id"])
    done(lock(stage), 201)
    refuses(house, house.chief, "POST", path, closing(False), status=409, code="record_locked")
    later = f"/visits/{stage.ids['later_id']}/freeze"
    refuses(house, house.chief, "POST", later, closing(True), status=409, code="record_locked")


def test_the_casebook_shows_which_visits_are_frozen(stage: Stage) -> None:
    freeze(stage, "V8")
    freeze(stage, "V9")
    freeze(stage, "V9", closed=False)
    house = stage.house
    house.time.at += timedelta(hours=1)
    book = done(house.statistician.get(f"{stage.at}/casebook"))
    assert [one["key"] for one in book["visits"] if one["frozen"]] == ["V8"]
