"""The calendar over HTTP: events with preview, the nurse's list, appointments, adherence, zones."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from house import House, Person, iso, subject_body

from backend.models.record import AuditEvent
from backend.models.subject import SubjectEvent, ZoneChange
from tests.calendar.histories import at


def calendar(house: House, subject: Mapping[str, Any], query: str = "") -> list[dict[str, Any]]:
    answer = house.nurse.get(f"/subjects/{subject['id']}/calendar{query}")
    assert answer.status_code == 200, answer.text
    assert answer.json["next_cursor"] is None
    return list(answer.json["items"])


def visit(house: House, subject: Mapping[str, Any], key: str) -> dict[str, Any]:
    return next(one for one in calendar(house, subject) if one["key"] == key)


def events(house: House, subject: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(house.nurse.get(f"/subjects/{subject['id']}/events").json["items"])


# --- Events: preview, correction, what stays ----------------------------------------------------------------


def test_a_correction_of_the_infusion_is_previewed_then_stored(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.infused(days_ago=3)  # 27 February, 09:00
    patient = house.patient_of(subject)
    house.to(2026, 3, 2, 12, 10)
    assert house.report(patient).status_code == 201
    done = [one for one in calendar(house, subject) if one["satisfied_by"] and one["kind"] == "slot"]
    (event,) = events(house, subject)
    door = f"/subjects/{subject['id']}/events/{event['id']}"
    change = {"actual_at": "2026-02-26T01:00:00Z", "reason": "read from the ward's sheet"}

    before = calendar(house, subject)
    shown = house.nurse.patch(door, {**change, "preview": True}, 1)
    assert (shown.status_code, shown.json["stored"], shown.headers["ETag"]) == (200, False, '"1"')
    assert shown.json["event"]["actual_at"] == change["actual_at"]
    assert calendar(house, subject) == before
    assert events(house, subject) == [event]
    assert len(house.rows(sa.select(SubjectEvent))) == 1

    stored = house.nurse.patch(door, change, 1)
    assert (stored.status_code, stored.json["stored"], stored.headers["ETag"]) == (200, True, '"2"')
    assert stored.json["moves"] == shown.json["moves"]
    assert stored.json["moves"] == moves_between(before, calendar(house, subject))
    assert visit(house, subject, "V19")["due_at"] == "2026-08-24T16:00:00Z"  # 25 August in Shanghai, D180
    assert [one["reason"] for one in events(house, subject)] == [change["reason"]]
    kept = [one for one in calendar(house, subject) if one["satisfied_by"] and one["kind"] == "slot"]
    assert [(one["id"], one["satisfied_by"]) for one in kept] == [(one["id"], one["satisfied_by"]) for one in done]
    audited = house.rows(sa.select(AuditEvent).where(AuditEvent.verb == "event:corrected"))
    assert [(row.reason, row.old["actual_at"], row.new["actual_at"]) for row in audited] == [
        (change["reason"], event["actual_at"], change["actual_at"])
    ]


def moves_between(before: Iterable[dict[str, Any]], after: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a person would write down who compares two calendars."""
    old, new = ({one["id"]: one for one in calendar} for calendar in (before, after))
    moved = []
    for identity in old.keys() | new.keys():
        was, becomes = old.get(identity), new.get(identity)
        one = becomes or was or {}
        due = (was["due_at"] if was else None, becomes["due_at"] if becomes else None)
        if due[0] != due[1]:
            moved.append({"id": identity, "kind": one["kind"], "key": one["key"], "before": due[0], "after": due[1]})
    return sorted(moved, key=lambda each: (each["after"] or each["before"], each["kind"], each["key"], each["id"]))


def test_a_correction_needs_a_reason_and_the_revision_that_was_read(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.infused(days_ago=3)
    door = f"/subjects/{subject['id']}/events/{events(house, subject)[0]['id']}"
    change = {"actual_at": iso(house.now - timedelta(days=4)), "reason": "typed wrong"}
    assert house.nurse.call("PATCH", door, change).status_code == 428
    assert house.nurse.patch(door, change, 7).status_code == 412
    silent = house.nurse.patch(door, {"actual_at": change["actual_at"]}, 1)
    assert (silent.status_code, silent.json["faults"][0]["path"]) == (422, "/reason")
    future = house.nurse.patch(door, {**change, "actual_at": iso(house.now + timedelta(hours=1))}, 1)
    assert (future.status_code, future.json["faults"][0]["code"]) == (422, "in_the_future")
    assert house.monitor.patch(door, change, 1).status_code == 403
    assert house.stranger.patch(door, change, 1).status_code == 404
    assert events(house, subject)[0]["revision"] == 1


def test_a_preview_of_a_new_event_leaves_nothing(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.enrol()
    body = {"id": str(uuid4()), "kind": "infusion", "planned_at": iso(house.now + timedelta(days=9)), "preview": True}
    shown = house.nurse.post(f"/subjects/{subject['id']}/events", body)
    assert (shown.status_code, shown.json["stored"]) == (200, False)
    assert len(shown.json["moves"]) == 24 + 17  # the baseline diary appears, V3 to V19 get a date
    assert {one["before"] for one in shown.json["moves"]} == {None}
    assert events(house, subject) == []
    assert {one["status"] for one in calendar(house, subject)} == {"not_dated"}


def test_an_event_sent_twice_is_one_event(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.enrol()
    body = {"id": str(uuid4()), "kind": "infusion", "actual_at": iso(house.now)}
    door = f"/subjects/{subject['id']}/events"
    assert [house.nurse.post(door, body).status_code for _ in range(2)] == [201, 200]
    other = house.nurse.post(door, {**body, "actual_at": iso(house.now - timedelta(hours=1))})
    assert (other.status_code, other.json["code"]) == (409, "id_taken")
    again = house.nurse.post(door, {**body, "id": str(uuid4())})
    assert (again.status_code, again.json["code"]) == (409, "conflict")
    assert len(events(house, subject)) == 1


def test_an_event_taken_back_is_gone_and_its_id_stays_taken(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.enrol()
    body = {"id": str(uuid4()), "kind": "infusion", "actual_at": iso(house.now)}
    door = f"/subjects/{subject['id']}/events"
    assert house.nurse.post(door, body).status_code == 201
    back = house.nurse.patch(f"{door}/{body['id']}", {"void": True, "reason": "another subject's"}, 1)
    assert (back.status_code, back.json["event"]) == (200, None)
    assert events(house, subject) == []
    assert {one["status"] for one in calendar(house, subject)} == {"not_dated"}
    repeat = house.nurse.post(door, body)
    assert (repeat.status_code, repeat.json["code"]) == (409, "id_taken")
    assert house.nurse.post(door, {**body, "id": str(uuid4())}).status_code == 201


def test_a_plan_cannot_become_a_second_infusion(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.enrol()
    door = f"/subjects/{subject['id']}/events"
    plan = {"id": str(uuid4()), "kind": "infusion", "planned_at": iso(house.now)}
    assert house.nurse.post(door, plan).status_code == 201
    actual = {"id": str(uuid4()), "kind": "infusion", "actual_at": iso(house.now)}
    assert house.nurse.post(door, actual).status_code == 201
    second = {"actual_at": iso(house.now - timedelta(hours=1)), "reason": "it took place"}
    refused = house.nurse.patch(f"{door}/{plan['id']}", second, 1)
    assert (refused.status_code, refused.json["code"]) == (409, "conflict")


# --- Lists ---------------------------------------------------------------------------------------------------


def test_a_subjects_calendar_can_be_cut_by_time(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.infused(days_ago=3)  # D3 is today, 2 March
    whole = calendar(house, subject)
    assert len(whole) == 248
    assert [one["due_at"] for one in whole if one["due_at"]] == sorted(one["due_at"] for one in whole if one["due_at"])
    day = calendar(house, subject, "?from=2026-03-01T16:00:00Z&to=2026-03-02T16:00:00Z")
    assert [(one["kind"], one["key"]) for one in day] == [
        ("visit", "V6"),
        *(("slot", key) for key in ("neuro", "quick", "quick", "quick", "daily", "neuro", "quick")),
    ]
    assert day == [one for one in whole if one["day"] == 3]
    assert [one["status"] for one in day] == ["due", "overdue", "overdue", *["not_yet"] * 5]
    assert {one["name"] for one in day if one["key"] == "quick"} == {"Quick report"}


def due(person: Person, query: str = "", cursor: str | None = None) -> list[dict[str, Any]]:
    """Every item of the nurse's list, page by page."""
    found: list[dict[str, Any]] = []
    for _ in range(50):
        answer = person.get(f"/calendar?{query}" + (f"&cursor={cursor}" if cursor else ""))
        assert answer.status_code == 200, answer.text
        found += answer.json["items"]
        cursor = answer.json["next_cursor"]
        if cursor is None:
            return found
    raise AssertionError("a list without an end")


def several(house: House) -> list[dict[str, Any]]:
    return [house.infused(days_ago=day, number=f"A{day}") for day in (1, 3, 14, 25)]


def test_the_nurses_list_is_the_subjects_calendars_of_the_day(sqlite_house: House) -> None:
    house = sqlite_house
    subjects = several(house)
    cut = "?from=2026-03-01T16:00:00Z&to=2026-03-02T16:00:00Z"
    wanted = {one["id"]: one["status"] for subject in subjects for one in calendar(house, subject, cut)}
    found = due(house.nurse)
    assert {one["id"]: one["status"] for one in found} == wanted
    assert {one["subject_number"] for one in found} == {"A1", "A3", "A14", "A25"}
    assert due(house.nurse, "date=2026-03-02&limit=3") == found
    tomorrow = due(house.nurse, "date=2026-03-03")
    assert {one["day"] for one in tomorrow if one["subject_number"] == "A3"} == {4}


def test_the_list_by_status_and_kind_adds_up(sqlite_house: House) -> None:
    house = sqlite_house
    subjects = several(house)
    whole = [one for subject in subjects for one in calendar(house, subject)]
    for status in ("not_dated", "not_yet", "open", "due", "done", "overdue", "missed", "not_applicable"):
        for kind in ("visit", "slot"):
            wanted = {one["id"] for one in whole if (one["status"], one["kind"]) == (status, kind)}
            assert {one["id"] for one in due(house.nurse, f"status={status}&kind={kind}&limit=200")} == wanted
    assert due(house.nurse, "status=excused&limit=200") == []
    assert house.nurse.get("/calendar?status=tired").status_code == 422


def test_what_is_not_dated_is_listed_and_paged_never_absent(house: House) -> None:
    subjects = [house.enrol(number=f"{n:03}") for n in range(1, 4)]
    wanted = {one["id"] for subject in subjects for one in calendar(house, subject) if one["status"] == "not_dated"}
    assert len(wanted) == 3 * 20  # V0 to V19: neither collection, lymphodepletion nor infusion is known
    found: list[str] = []
    path, cursor = "/calendar?status=not_dated&limit=7", ""
    while cursor is not None:
        answer = house.nurse.get(path + (f"&cursor={cursor}" if cursor else "")).json
        assert {one["status"] for one in answer["items"]} == {"not_dated"}
        found += [one["id"] for one in answer["items"]]
        cursor = answer["next_cursor"]
    assert len(found) == len(set(found))
    assert set(found) == wanted
    assert house.stranger.get("/calendar?status=not_dated").json["items"] == []


def test_a_cursor_stands_where_it_stood(sqlite_house: House) -> None:
    """Rows that appear before it are not shown again, none after it is left out."""
    house = sqlite_house
    several(house)
    whole = [one["id"] for one in due(house.nurse, "status=not_yet&limit=200")]
    first = house.nurse.get("/calendar?status=not_yet&limit=10").json
    house.infused(days_ago=0, number="A0")
    rest = due(house.nurse, "status=not_yet&limit=200", first["next_cursor"])
    seen = [one["id"] for one in first["items"]] + [one["id"] for one in rest]
    assert len(seen) == len(set(seen))
    assert [identity for identity in seen if identity in set(whole)] == whole
    for bad in ("x", "W10", first["next_cursor"][:-4]):
        refused = house.nurse.get(f"/calendar?cursor={bad}")
        assert (refused.status_code, refused.json["faults"][0]["path"]) == (422, "/cursor")


def test_each_site_sees_its_own(sqlite_house: House) -> None:
    house = sqlite_house
    mine = house.infused(days_ago=3)
    body = subject_body(house, site_id=str(house.other_site_id), contact={"name": "Li", "phone": "13900139000"})
    theirs = house.stranger.post("/subjects", body).json
    planned = {"id": str(uuid4()), "kind": "infusion", "planned_at": iso(house.now + timedelta(days=1))}
    assert house.stranger.post(f"/subjects/{theirs['id']}/events", planned).status_code == 201
    assert {one["subject_id"] for one in due(house.nurse, "limit=200")} == {mine["id"]}
    assert {one["subject_id"] for one in due(house.stranger, "limit=200")} == {theirs["id"]}
    assert due(house.nurse, f"site_id={house.site_id}") == due(house.nurse)
    foreign = house.nurse.get(f"/calendar?site_id={house.other_site_id}")
    assert (foreign.status_code, foreign.json["faults"][0]["code"]) == (422, "unknown_site")
    assert house.stranger.get(f"/subjects/{mine['id']}/calendar").status_code == 404
    assert house.admin.get("/calendar").status_code == 403


# --- Appointments --------------------------------------------------------------------------------------------


def test_an_appointment_needs_a_reason_when_moved_or_outside(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.infused(days_ago=3)
    door = f"/visits/{visit(house, subject, 'V8')['id']}/appointment"  # D7, 6 March; window 5 to 7 March
    outside = {"at": iso(at(2026, 3, 8, 10)), "reason": None}
    refused = house.nurse.put(door, outside)
    assert (refused.status_code, refused.json["faults"][0]["path"]) == (422, "/reason")
    first = house.nurse.put(door, {"at": iso(at(2026, 3, 6, 10)), "reason": None})
    assert (first.status_code, first.headers["ETag"], first.json["status"]) == (200, '"1"', "not_yet")
    assert first.json["appointment_at"] == first.json["due_at"] == "2026-03-06T02:00:00Z"

    moved = {"at": iso(at(2026, 3, 8, 10)), "reason": "the family is away"}
    assert house.nurse.put(door, moved).status_code == 428
    assert house.nurse.put(door, moved, **{"If-Match": '"0"'}).status_code == 412
    silent = house.nurse.put(door, {**moved, "reason": None}, **{"If-Match": '"1"'})
    assert (silent.status_code, silent.json["faults"][0]["path"]) == (422, "/reason")
    second = house.nurse.put(door, moved, **{"If-Match": '"1"'})
    assert (second.status_code, second.headers["ETag"]) == (200, '"2"')
    assert second.json["closes_at"] == "2026-03-08T16:00:00Z"  # its own day still counts
    back = house.nurse.put(door, {"at": None, "reason": "not agreed after all"}, **{"If-Match": '"2"'})
    assert (back.json["appointment_at"], back.json["due_at"]) == (None, "2026-03-05T16:00:00Z")
    reasons = [row.reason for row in house.rows(sa.select(AuditEvent).where(AuditEvent.verb == "visit:appointed"))]
    assert sorted(filter(None, reasons)) == ["not agreed after all", "the family is away"]


def test_an_undated_visit_takes_no_appointment(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.enrol()
    body = {"at": iso(house.now), "reason": "early"}
    refused = house.nurse.put(f"/visits/{visit(house, subject, 'V8')['id']}/appointment", body)
    assert (refused.status_code, refused.json["code"]) == (409, "conflict")
    slot = next(one for one in calendar(house, house.infused(number="002")) if one["kind"] == "slot")
    assert house.nurse.put(f"/visits/{slot['id']}/appointment", body).status_code == 404
    assert house.monitor.put(f"/visits/{slot['id']}/appointment", body).status_code == 403


def test_attendance_makes_a_visit_done_late_or_missed(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.infused(days_ago=10)
    doors = {key: f"/visits/{visit(house, subject, key)['id']}/attendance" for key in ("V7", "V8", "V9")}
    on_time = house.nurse.put(doors["V7"], {"at": iso(house.now - timedelta(days=5)), "outcome": "attended"})
    assert (on_time.status_code, on_time.json["status"], on_time.headers["ETag"]) == (200, "done", '"1"')
    late = house.nurse.put(doors["V8"], {"at": iso(house.now), "outcome": "attended"})
    assert late.json["status"] == "late"
    body = {"at": iso(house.now), "outcome": "missed"}
    assert house.nurse.put(doors["V9"], body).json["faults"][0]["path"] == "/reason"
    missed = house.nurse.put(doors["V9"], {**body, "reason": "did not come"})
    assert missed.json["status"] == "missed"
    assert house.nurse.put(doors["V9"], {**body, "outcome": "attended"}).status_code == 428
    silent = house.nurse.put(doors["V9"], {**body, "outcome": "attended"}, **{"If-Match": '"1"'})
    assert silent.json["faults"][0]["path"] == "/reason"  # a correction says why
    came = house.nurse.put(doors["V9"], {**body, "outcome": "attended", "reason": "came late"}, **{"If-Match": '"1"'})
    assert came.json["status"] == "done"
    future = {"at": iso(house.now + timedelta(minutes=6)), "outcome": "attended"}
    refused = house.nurse.put(doors["V7"], future, **{"If-Match": '"1"'})
    assert refused.json["faults"][0]["code"] == "in_the_future"


# --- Adherence -----------------------------------------------------------------------------------------------


def test_adherence_counted_by_hand(sqlite_house: House) -> None:
    """Infused on 27 February at 09:00, seen on 2 March (D3): one day of slots answered, one slot late, then none."""
    house = sqlite_house
    house.time.at = at(2026, 2, 27, 9)
    subject = house.infused()
    patient = house.patient_of(subject)
    for local in ((28, 7, 5), (28, 12, 5), (28, 17, 5), (28, 21, 35)):
        house.to(2026, 2, *local)
        assert house.report(patient).status_code == 201
    house.to(2026, 3, 1, 8, 0)  # the slot of 07:00 is late from 08:00
    assert house.report(patient).status_code == 201
    house.event(subject, "admission", actual_at=at(2026, 3, 1, 8))
    house.to(2026, 3, 2, 15, 0)
    house.event(subject, "discharge", actual_at=at(2026, 3, 2, 15))
    house.to(2026, 3, 2, 22, 0)
    answer = house.nurse.get(f"/subjects/{subject['id']}/adherence")
    assert answer.status_code == 200, answer.text
    counted = ("week", "expected", "done", "late", "missed", "excused")
    found = {row["form"]: {name: row[name] for name in counted} for row in answer.json["items"]}
    # quick: of D0 two missed, D1 four done, D2 one late and three in hospital, D3 two in hospital and one missed
    # at 20:25; the evening of D3 is still open. daily and neuro: nobody ever answered them.
    assert found == {
        "quick": {"week": 0, "expected": 8, "done": 4, "late": 1, "missed": 3, "excused": 5},
        "daily": {"week": 0, "expected": 2, "done": 0, "late": 0, "missed": 2, "excused": 1},
        "neuro": {"week": 0, "expected": 4, "done": 0, "late": 0, "missed": 4, "excused": 2},
    }
    assert {row["form"]: (row["percent"], row["reasons"]) for row in answer.json["items"]} == {
        "quick": (62.5, {"admitted": 5}),
        "daily": (0.0, {"admitted": 1}),
        "neuro": (0.0, {"admitted": 2}),
    }
    assert (answer.json["total"]["expected"], str(answer.json["total"]["percent"])) == (14, "35.7")  # 5 of 14


# --- Zones ---------------------------------------------------------------------------------------------------


def test_a_zone_change_touches_future_dates_alone(sqlite_house: House) -> None:
    """At 09:00 in Shanghai on 2 March it is 1 March in New York: the earliest date is the 3rd."""
    house = sqlite_house
    subject = house.infused(days_ago=3)
    before = {one["id"]: one for one in calendar(house, subject)}
    door, version = f"/subjects/{subject['id']}", subject_version(house, subject)
    past = house.nurse.patch(door, {"time_zone": "America/New_York", "zone_from": "2026-03-02"}, version)
    assert (past.status_code, past.json["faults"][0]["path"]) == (422, "/zone_from")
    alone = house.nurse.patch(door, {"zone_from": "2026-03-04"}, version)
    assert (alone.status_code, alone.json["faults"][0]["path"]) == (422, "/time_zone")
    assert house.rows(sa.select(ZoneChange)) == []
    changed = house.nurse.patch(door, {"time_zone": "America/New_York"}, version)
    assert changed.status_code == 200, changed.text
    after = {one["id"]: one for one in calendar(house, subject)}
    assert after.keys() == before.keys()
    moved = {one["day"] for one in after.values() if one["due_at"] != before[one["id"]]["due_at"]}
    assert moved == {*range(4, 31), *range(37, 178, 7)}  # D3 is today and stays
    first = min(one["due_at"] for one in after.values() if one["day"] == 4 and one["kind"] == "slot")
    assert first == "2026-03-03T12:00:00Z"  # 07:00 in New York


def subject_version(house: House, subject: Mapping[str, Any]) -> int:
    return int(house.nurse.get(f"/subjects/{subject['id']}").json["version"])


@pytest.mark.parametrize("locale", ["zh-CN", "en"])
def test_names_are_in_the_readers_language(sqlite_house: House, locale: str) -> None:
    house = sqlite_house
    patient = house.patient_of(house.infused(days_ago=3, locale=locale))
    today = patient.get("/me/today").json
    names = {one["name"] for one in today["slots"] if one["key"] == "quick"}
    assert names == {"快速填报" if locale == "zh-CN" else "Quick report"}
    assert UUID(today["slots"][0]["id"])
    assert datetime.fromisoformat(today["now"]) == house.now
