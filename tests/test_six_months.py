"""Six months of one life, read as a story: what the nurse sees, which texts go out, what counts as adherence.

Infused on Wednesday 26 August 2026 in Nanjing, so that day 60 is Sunday 25 October, when Berlin turns its clocks.
"""

from datetime import datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from house import House, Person, entry_body, iso

from tests.contract.stage import publish_next

BERLIN = ZoneInfo("Europe/Berlin")


def at(*local: int, zone: str = "Asia/Shanghai") -> str:
    return iso(datetime(*local, tzinfo=ZoneInfo(zone)))  # type: ignore[arg-type, misc]


class Life:
    """The subject, with the questions that are asked again and again."""

    def __init__(self, house: House) -> None:
        self.house, self.nurse = house, house.nurse
        self.subject = house.enrol(consents=[{"kind": "trial", "text_version": "1.0", "given_at": iso(house.now)}])
        self.address = f"/subjects/{self.subject['id']}"
        self.patient: Person = house.patient_of(self.subject)
        self.phone = house.nurse.get(self.address).json["contact"]["phone"]

    def visit(self, key: str) -> dict[str, Any]:
        [found] = [one for one in self._items() if one["kind"] == "visit" and one["key"] == key]
        return found

    def slots(self, first: str, last: str) -> dict[str, str]:
        """Status of each quick or weekly report due in a span, by its instant."""
        found = self.nurse.get(f"{self.address}/calendar?from={first}&to={last}").json["items"]
        return {one["due_at"]: one["status"] for one in found if one["key"] in ("quick", "weekly")}

    def _items(self) -> list[dict[str, Any]]:
        return list(self.nurse.get(f"{self.address}/calendar").json["items"])

    def appoint(self, key: str, at: str | None, reason: str | None = None) -> dict[str, Any]:
        door = f"/visits/{self.visit(key)['id']}/appointment"
        answer = self.nurse.put(door, {"at": at, "reason": reason}, **{"If-Match": "*"})
        assert answer.status_code == 200, answer.text
        return dict(answer.json)

    def attend(self, key: str, at: str) -> dict[str, Any]:
        answer = self.nurse.put(f"/visits/{self.visit(key)['id']}/attendance", {"at": at, "outcome": "attended"})
        assert answer.status_code == 200, answer.text
        return dict(answer.json)

    def texts(self) -> list[str]:
        """What the worker sends to the patient now."""
        return [one["template"] for one in self.house.work() if one["to"] == self.phone]

    def total(self) -> dict[str, Any]:
        return dict(self.nurse.get(f"{self.address}/adherence").json["total"])

    def sound(self) -> None:
        run = self.house.app.test_cli_runner().invoke(args=["agenda", "verify"])
        assert (run.exit_code, run.output) == (0, "rebuilt = stored\n")


def test_six_months(house: House) -> None:
    house.to(2026, 8, 20, 9, 0)
    life = Life(house)
    wrong = _infused_a_day_early(life)
    _the_date_is_corrected_on_day_3(life, wrong)
    _in_hospital_from_day_5_to_12(life)
    _the_day_28_visit_is_moved_twice(life)
    _to_berlin_over_the_autumn_change_on_day_60(life)
    _amended_on_day_75(life)
    _the_phone_is_lost_on_day_90(life)
    _month_6_comes_late_and_the_record_is_locked(life)


def _infused_a_day_early(life: Life) -> dict[str, Any]:
    """Day 0 is 26 August; the form says the 25th."""
    house = life.house
    house.event(life.subject, "collection", actual_at=house.now)
    house.event(life.subject, "infusion", planned_at=datetime(2026, 8, 26, 9, 30, tzinfo=ZoneInfo("Asia/Shanghai")))
    assert life.visit("V14")["target_on"] == "2026-09-23"
    house.to(2026, 8, 26, 11, 0)
    typed = house.event(life.subject, "infusion", actual_at=datetime(2026, 8, 25, 9, 30, tzinfo=BERLIN))
    assert life.visit("V14")["target_on"] == "2026-09-22"
    for day in (27, 28):
        for hour, minute in ((7, 5), (12, 5), (17, 5), (21, 35)):
            house.to(2026, 8, day, hour, minute)
            assert house.report(life.patient).status_code == 201
    life.sound()
    return typed


def _the_date_is_corrected_on_day_3(life: Life, typed: dict[str, Any]) -> None:
    """Everything moves by a day, what was reported stays where it was, and the old date is kept with its reason."""
    house = life.house
    house.to(2026, 8, 29, 6, 50)
    assert life.texts() == []
    before = {due: status for due, status in life.slots(at(2026, 8, 27), at(2026, 8, 29)).items() if status == "done"}
    assert len(before) == 8
    door = f"{life.address}/events/{typed['event']['id']}"
    asked = {"actual_at": at(2026, 8, 26, 9, 30), "reason": "form filled in for the day before"}
    shown = life.nurse.patch(door, {**asked, "preview": True}, 1).json
    moved = {one["key"]: (one["before"], one["after"]) for one in shown["moves"] if one["kind"] == "visit"}
    assert moved["V14"] == (at(2026, 9, 22), at(2026, 9, 23))
    assert shown["stored"] is False
    assert life.visit("V14")["target_on"] == "2026-09-22"  # only looked at
    done = life.nurse.patch(door, asked, 1)
    assert (done.status_code, done.json["moves"]) == (200, shown["moves"])
    assert life.visit("V14")["target_on"] == "2026-09-23"
    after = life.slots(at(2026, 8, 27), at(2026, 8, 29))
    assert {due: status for due, status in after.items() if status == "done"} == before
    kept = life.nurse.get(f"{door}/history").json["items"]
    assert [(one["actual_at"], one["reason"], one["recorded_by"]) for one in kept] == [
        (at(2026, 8, 25, 15, 30), None, "Nurse"),
        (at(2026, 8, 26, 9, 30), "form filled in for the day before", "Nurse"),
    ]
    house.to(2026, 8, 29, 7, 0)
    assert life.texts() == ["diary_and_visit_today"]  # V6 is day 3: today, and not yesterday
    life.sound()


def _in_hospital_from_day_5_to_12(life: Life) -> None:
    house = life.house
    house.to(2026, 8, 31, 10, 0)
    house.event(life.subject, "admission", actual_at=house.now, place="ward")
    house.to(2026, 9, 1, 7, 0)
    assert life.texts() == []
    assert set(life.slots(at(2026, 9, 1), at(2026, 9, 2)).values()) == {"excused"}
    house.to(2026, 9, 7, 10, 0)
    house.event(life.subject, "discharge", actual_at=house.now)
    assert life.slots(at(2026, 9, 7, 12), at(2026, 9, 7, 13)) == {at(2026, 9, 7, 12): "not_yet"}
    house.to(2026, 9, 8, 7, 0)
    assert life.texts() == ["diary_and_visit_soon"]  # the visit of day 14 is tomorrow
    # In the ward: of day 5 the reports from 12:00 on, six whole days, of day 12 the one at 07:00.
    reasons = life.total()["reasons"]
    assert reasons == {"admitted": (3 + 6 * 4 + 1) + (1 + 6 * 2 + 1) + (1 + 6)}
    life.sound()


def _the_day_28_visit_is_moved_twice(life: Life) -> None:
    """From its target to a time that was agreed, then out of its window because of the autumn festival."""
    house = life.house
    house.to(2026, 9, 16, 9, 0)
    assert life.appoint("V14", at(2026, 9, 24, 9, 0))["remarks"] == []
    house.to(2026, 9, 21, 7, 0)
    assert "diary_and_visit_soon" in life.texts()  # in three days
    house.to(2026, 9, 21, 7, 30)
    door = f"/visits/{life.visit('V14')['id']}/appointment"
    silent = life.nurse.put(door, {"at": at(2026, 9, 28, 9, 0)}, **{"If-Match": '"1"'})
    assert (silent.status_code, silent.json["faults"][0]["path"]) == (422, "/reason")
    moved = life.appoint("V14", at(2026, 9, 28, 9, 0), "family festival")
    assert [one["code"] for one in moved["remarks"]] == ["outside_window"]  # 20 to 26 September
    house.to(2026, 9, 22, 7, 0)
    assert life.texts() == ["diary_today"]  # of the old time nobody is reminded
    house.to(2026, 9, 25, 7, 0)
    assert life.texts() == ["diary_and_visit_soon"]  # of the new one, three days before
    said = life.nurse.get(f"/visits/{moved['id']}/history").json["items"]
    assert [(one["at"], one["reason"]) for one in said] == [
        (at(2026, 9, 24, 9, 0), None),
        (at(2026, 9, 28, 9, 0), "family festival"),
    ]
    house.to(2026, 9, 28, 10, 0)
    assert life.attend("V14", at(2026, 9, 28, 9, 30))["status"] == "done"  # on the day that was agreed
    life.sound()


def _to_berlin_over_the_autumn_change_on_day_60(life: Life) -> None:
    house = life.house
    house.to(2026, 10, 22, 9, 0)
    version = life.nurse.get(life.address).headers["ETag"].strip('"')
    change = {"time_zone": "Europe/Berlin", "zone_from": "2026-10-24", "reason": "to a sister in Berlin"}
    assert life.nurse.patch(life.address, change, version).status_code == 200
    weekly = life.slots(at(2026, 10, 16), at(2026, 11, 1))
    assert list(weekly) == [
        at(2026, 10, 16, 20, 0),  # day 51, at home
        at(2026, 10, 23, 20, 0),  # day 58, before the flight
        at(2026, 10, 30, 20, 0, zone="Europe/Berlin"),  # day 65: 20:00 on the wall, an hour later than in summer
    ]
    assert list(weekly)[2] == "2026-10-30T19:00:00Z"
    # Visits are the site's: V15 stays on day 60 in Nanjing, whatever zone the phone is in.
    assert (life.visit("V15")["target_on"], life.visit("V15")["due_at"]) == ("2026-10-25", at(2026, 10, 25))
    morning = datetime(2026, 10, 25, 7, 0, tzinfo=BERLIN)
    house.time.at = morning.astimezone(house.now.tzinfo)
    assert life.texts() == ["visit_today"]
    house.turn(minutes=1)
    assert life.texts() == []  # the hour that comes twice brings no second text
    house.time.at = datetime(2026, 10, 30, 20, 5, tzinfo=BERLIN).astimezone(house.now.tzinfo)
    well = {"temp_c": 36.5, "temp_site": "armpit", "now_any": ["none"], "worry": "no", "rash": 0, "joints": 0}
    asked = next(one for key, one in life.patient.get("/me/today").json["forms"].items() if key == "weekly")
    answers = {
        **{one["key"]: _nothing(one) for one in asked["items"] if one["required"] and one["show_if"] is None},
        **well,
    }
    report = entry_body(house, life.patient, form="weekly", time_zone="Europe/Berlin") | {"answers": answers}
    sent = life.patient.put(f"/me/entries/{uuid4()}", report)
    assert sent.status_code == 201, sent.text
    assert list(life.slots(at(2026, 10, 30), at(2026, 11, 1)).values()) == ["done"]
    life.sound()


def _nothing(question: dict[str, Any]) -> Any:
    if question["type"] == "multi":
        return [question["exclusive"]]
    if question["type"] == "choice":
        return next(one["key"] for one in question["options"] if one["key"] in ("no", "armpit", "yes"))
    return [] if question["type"] == "doses" else 0


def _amended_on_day_75(life: Life) -> None:
    """A visit on day 100 is added, month 4 moves by ten days, the last weekly reports are dropped: ahead only."""
    house = life.house
    house.to(2026, 11, 9, 9, 0)

    def change(content: dict[str, Any]) -> None:
        visits = {one["key"]: one for one in content["visits"]}
        extra = {**visits["V17"], "key": "V16b", "day": 100, "from_day": 97, "to_day": 103}
        visits["V17"] |= {"day": 110, "from_day": 104, "to_day": 116}
        visits["V9"]["day"] = 9  # long over: changes nothing for this subject
        content["visits"].insert(list(visits).index("V17"), extra)
        content["diary"][-1]["to_day"] = 150

    revision = publish_next(house, "2.0", change)
    done_before = {one["key"]: one for one in life._items() if one["kind"] == "visit" and one["status"] == "done"}
    body = {"id": str(uuid4()), "site_id": str(house.site_id), "study_revision_id": revision, "reason": "amendment 1"}
    proposed = house.doctor.post("/amendments", {**body, "effective_on": "2026-11-10"})
    assert proposed.status_code == 201, proposed.text
    shown = house.chief.get(f"/amendments/{body['id']}/difference")
    [own] = shown.json["subjects"]
    visits = {one["key"]: one for one in own["shifts"] if one["kind"] == "visit"}
    assert set(visits) == {"V16b", "V17"}
    assert visits["V16b"]["before"] is None
    assert (visits["V17"]["before"]["due_at"], visits["V17"]["after"]["due_at"]) == (at(2026, 12, 24), at(2026, 12, 14))
    assert {one["after"] for one in own["shifts"] if one["key"] == "weekly"} == {None}
    assert "/visits/V17/day" in {one["path"] for one in shown.json["study"]}
    door = f"/amendments/{body['id']}/approval"
    seen = {"If-Match": shown.headers["ETag"]}
    assert house.chief.post(door, None, **seen).json["code"] == "confirmation_required"
    assert house.chief.post(door, None, **{"If-Match": '"x"'}, **house.confirmed(house.chief)).status_code == 412
    assert house.chief.post(door, None, **seen, **house.confirmed(house.chief)).status_code == 200
    assert life.visit("V17")["target_on"] == "2026-12-14"
    assert life.visit("V16b")["target_on"] == "2026-12-04"
    now_done = {one["key"]: one for one in life._items() if one["kind"] == "visit" and one["status"] == "done"}
    assert now_done == done_before
    line = life.nurse.get(f"{life.address}/revisions").json["items"]
    assert [(one["revision"], one["in_force"]) for one in line] == [("1.0", True), ("2.0", False)]
    house.to(2026, 11, 10, 9, 0)
    line = life.nurse.get(f"{life.address}/revisions").json["items"]
    assert [(one["revision"], one["in_force"]) for one in line] == [("1.0", False), ("2.0", True)]
    life.sound()


def _the_phone_is_lost_on_day_90(life: Life) -> None:
    house = life.house
    house.to(2026, 11, 24, 9, 0)
    before = life.total()
    lost = {"id": str(uuid4()), "kind": "device_lost", "since": iso(house.now), "reason": "left in a taxi"}
    assert life.nurse.post(f"{life.address}/excuses", lost).status_code == 201
    house.to(2026, 12, 8, 9, 0)  # days 93 and 100 had a weekly report each, at 20:00 in Berlin
    back = {"until": iso(house.now), "reason": "a new phone"}
    assert life.nurse.patch(f"{life.address}/excuses/{lost['id']}", back, 1).status_code == 200
    after = life.total()
    assert after["reasons"]["device_lost"] == 2
    assert {name: after[name] for name in ("expected", "missed")} == {
        name: before[name] for name in ("expected", "missed")
    }
    house.to(2026, 12, 14, 9, 0)
    life.attend("V17", iso(house.now))
    house.to(2026, 12, 15, 9, 0)
    assert life.total()["missed"] == before["missed"] + 1  # day 107 was expected again, and did not come
    life.sound()


def _month_6_comes_late_and_the_record_is_locked(life: Life) -> None:
    """Day 180 is 22 February 2027, its window ends on 8 March; the visit takes place on the 10th."""
    house = life.house
    assert life.visit("V19")["latest_on"] == "2027-03-08"
    house.to(2027, 3, 9, 9, 0)
    assert life.visit("V19")["status"] == "missed"
    house.to(2027, 3, 10, 11, 0)
    assert life.attend("V19", at(2027, 3, 10, 9, 0))["status"] == "late"
    house.event(life.subject, "completion", actual_at=house.now)
    house.to(2027, 3, 11, 7, 0)
    assert life.texts() == []
    confirmed = house.confirmed(house.chief)
    lock = {"id": str(uuid4()), "closed": True, "reason": "all queries closed"}
    assert house.chief.post(f"{life.address}/lock", lock, **confirmed).status_code == 201
    door = f"/visits/{life.visit('V19')['id']}/attendance"
    refused = life.nurse.put(door, {"at": iso(house.now), "outcome": "attended", "reason": "x"}, **{"If-Match": "*"})
    assert (refused.status_code, refused.json["code"]) == (409, "record_locked")
    signed = house.chief.post(
        f"{life.address}/casebook/signature", {"id": str(uuid4()), "meaning": "reviewed and complete"}, **confirmed
    )
    assert (signed.status_code, signed.json["signatures"][0]["valid"]) == (201, True)
    by_form = life.nurse.get(f"{life.address}/adherence").json["items"]
    whole = life.total()
    for name in ("expected", "done", "late", "missed", "excused"):
        assert whole[name] == sum(row[name] for row in by_form), name
    assert whole["expected"] == whole["done"] + whole["late"] + whole["missed"]
    assert house.chief.get("/audit/verify").json["intact"] is True
    life.sound()
