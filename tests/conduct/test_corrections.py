"""Whatever is corrected: the old value stays to be read, with the reason and who it was."""

from typing import Any

from tests.conduct.acts import ago, consent, done, excuse, fresh, measurement, medication, product, trail, visit, well
from tests.contract.stage import Stage

NOW = {"If-Match": "*"}


def told(stage: Stage, verb: str, entity_id: str, old: dict[str, Any], new: dict[str, Any], reason: str) -> None:
    """The trail's last word on this thing: by the doctor, old and new among what it says."""
    row = trail(stage.house, verb, entity_id)[-1]
    assert (row.actor_id, row.actor_role, row.reason) == (stage.house.doctor.id, "investigator", reason)
    assert old.items() <= row.old.items(), row.old
    assert new.items() <= row.new.items(), row.new


def test_an_event(both: Stage) -> None:
    house, path = both.house, f"{both.at}/events/{both.ids['event_id']}"
    was, becomes = ago(both, days=6), ago(both, days=7)
    change = {"actual_at": becomes, "reason": "the ward's sheet says so"}
    done(house.doctor.call("PATCH", path, change, NOW), 200)
    first, last = done(house.monitor.get(f"{path}/history"))["items"]
    assert (first["actual_at"], first["reason"], first["recorded_by"]) == (was, None, "Nurse")
    assert (last["actual_at"], last["reason"], last["recorded_by"]) == (becomes, change["reason"], "Doctor")
    told(both, "event:corrected", both.ids["event_id"], {"actual_at": was}, {"actual_at": becomes}, change["reason"])


def test_an_event_taken_back(stage: Stage) -> None:
    house, path = stage.house, f"{stage.at}/events/{stage.ids['event_id']}"
    done(house.doctor.call("PATCH", path, {"void": True, "reason": "another patient's"}, NOW), 200)
    assert done(house.monitor.get(f"{stage.at}/events"))["items"] == []
    first, last = done(house.monitor.get(f"{path}/history"))["items"]
    assert (first["void"], first["actual_at"], first["recorded_by"]) == (False, ago(stage, days=6), "Nurse")
    assert (last["void"], last["reason"], last["recorded_by"]) == (True, "another patient's", "Doctor")
    told(stage, "event:corrected", stage.ids["event_id"], {"void": False}, {"void": True}, "another patient's")


def test_an_appointment(stage: Stage) -> None:
    house, row = stage.house, visit(stage, "V15")
    path = f"/visits/{row['id']}"
    first, moved = ({"at": f"{row['target_on']}T0{hour}:00:00Z"} for hour in (3, 5))
    done(house.nurse.put(f"{path}/appointment", first, **NOW), 200)
    house.turn(minutes=1)
    done(house.doctor.put(f"{path}/appointment", {**moved, "reason": "a train strike"}, **NOW), 200)
    house.turn(minutes=1)
    done(house.doctor.put(f"{path}/appointment", {"at": None, "reason": "to be agreed"}, **NOW), 200)
    history = done(house.monitor.get(f"{path}/history"))["items"]
    assert [(one["kind"], one["at"], one["reason"], one["recorded_by"]) for one in history] == [
        ("appointment", first["at"], None, "Nurse"),
        ("appointment", moved["at"], "a train strike", "Doctor"),
        ("appointment", None, "to be agreed", "Doctor"),
    ]
    told(stage, "visit:appointed", row["id"], moved, {"at": None}, "to be agreed")


def test_an_attendance(stage: Stage) -> None:
    house, path = stage.house, f"/visits/{stage.ids['visit_id']}"
    came = {"at": ago(stage, hours=5), "outcome": "attended"}
    missed = {"at": ago(stage, hours=4), "outcome": "missed", "reason": "the name was another's"}
    done(house.nurse.put(f"{path}/attendance", came, **NOW), 200)
    house.turn(minutes=1)
    done(house.doctor.put(f"{path}/attendance", missed, **NOW), 200)
    history = [one for one in done(house.monitor.get(f"{path}/history"))["items"] if one["kind"] == "attendance"]
    assert [(one["at"], one["outcome"], one["reason"], one["recorded_by"]) for one in history] == [
        (came["at"], "attended", None, "Nurse"),
        (missed["at"], "missed", missed["reason"], "Doctor"),
    ]
    old = {"at": came["at"], "missed": False}
    new = {"at": missed["at"], "outcome": "missed"}
    told(stage, "visit:attendance", stage.ids["visit_id"], old, new, missed["reason"])


def test_an_entry(both: Stage) -> None:
    house, entry = both.house, both.ids["entry_id"]
    change = {"answers": {**well(both), "temp_c": 37.1}, "reason": "read the wrong scale"}
    done(house.doctor.call("PATCH", f"/entries/{entry}", change, NOW), 200)
    first, last = done(house.monitor.get(f"/entries/{entry}/versions"))["items"]
    assert (first["revision"], str(first["answers"]["temp_c"]), first["reason"]) == (1, "38.4", None)
    assert (last["revision"], str(last["answers"]["temp_c"]), last["reason"]) == (2, "37.1", change["reason"])
    [row] = trail(house, "entry:revised", entry)
    assert (row.actor_id, row.reason, row.new["revision"]) == (house.doctor.id, change["reason"], 2)
    [stored] = trail(house, "entry:stored", entry)
    assert (stored.actor_id, stored.new["digest"] != row.new["digest"]) == (both.patient.id, True)


def test_a_measurement(stage: Stage) -> None:
    house, wrong = stage.house, stage.ids["measurement_id"]
    right = measurement(stage, value=41.5, corrects_id=wrong, reason="a digit was lost")
    done(house.doctor.post(f"{stage.at}/measurements", right), 201)
    rows = {row["id"]: row for row in done(house.monitor.get(f"{stage.at}/measurements?code=crp"))["items"]}
    was, becomes = rows[wrong], rows[right["id"]]
    assert (was["value"], was["recorded_by"], was["reason"]) == (3, str(house.nurse.id), None)
    assert (becomes["value"], becomes["corrects_id"], becomes["reason"], becomes["recorded_by"]) == (
        41.5,
        wrong,
        "a digit was lost",
        str(house.doctor.id),
    )
    [row] = trail(house, "measurement:corrected", right["id"])
    assert (row.actor_id, row.reason, row.new["corrects_id"]) == (house.doctor.id, "a digit was lost", wrong)


def test_a_medication(stage: Stage) -> None:
    house, wrong = stage.house, stage.ids["medication_id"]
    right = medication(stage, dose_mg=5, corrects_id=wrong, reason="reduced in the morning")
    done(house.doctor.post(f"{stage.at}/medications", right), 201)
    rows = {row["id"]: row for row in done(house.monitor.get(f"{stage.at}/medications"))["items"]}
    assert (rows[wrong]["dose_mg"], rows[wrong]["recorded_by"]) == (10, str(house.nurse.id))
    becomes = rows[right["id"]]
    assert (becomes["dose_mg"], becomes["corrects_id"], becomes["reason"], becomes["recorded_by"]) == (
        5,
        wrong,
        "reduced in the morning",
        str(house.doctor.id),
    )


def test_a_product(both: Stage) -> None:
    house, path = both.house, f"{both.at}/product"
    before = done(house.monitor.get(path))
    change = product(both, lot="LOT-8", weight_kg=61.5, reason="weighed again")
    done(house.doctor.put(path, change, **NOW), 200)
    *_, was, becomes = done(house.monitor.get(f"{path}/history"))["items"]
    assert (was["lot"], was["weight_kg"], was["recorded_by"], was["revision"]) == (
        "LOT-7",
        60,
        "Nurse",
        before["revision"],
    )
    assert (becomes["lot"], becomes["weight_kg"], becomes["reason"], becomes["recorded_by"]) == (
        "LOT-8",
        61.5,
        "weighed again",
        "Doctor",
    )
    row = trail(house, "product:corrected")[-1]
    assert (row.old["lot"], row.new["lot"], row.reason) == ("LOT-7", "LOT-8", "weighed again")
    assert row.actor_id == house.doctor.id


def test_an_excuse(stage: Stage) -> None:
    house = stage.house
    said = excuse(stage)
    done(house.nurse.post(f"{stage.at}/excuses", said), 201)
    until = ago(stage)
    path = f"{stage.at}/excuses/{said['id']}"
    done(house.doctor.call("PATCH", path, {"until": until, "reason": "found in the tram"}, NOW), 200)
    [shown] = [one for one in done(house.monitor.get(f"{stage.at}/excuses"))["items"] if one["id"] == said["id"]]
    assert (shown["revision"], shown["until"], shown["reason"]) == (2, until, "found in the tram")
    told(stage, "excuse:changed", said["id"], {"until": None}, {"until": until}, "found in the tram")
    done(house.doctor.call("PATCH", path, {"void": True, "reason": "another patient's"}, NOW), 200)
    told(stage, "excuse:changed", said["id"], {"void": False, "until": until}, {"void": True}, "another patient's")
    [first] = trail(house, "excuse:recorded", said["id"])
    assert (first.actor_id, first.new["since"], first.reason) == (house.nurse.id, said["since"], said["reason"])


def test_a_working_day(stage: Stage) -> None:
    house, path = stage.house, f"/sites/{stage.house.site_id}/working-days/2026-10-10"  # a Saturday
    works = {"working": True, "name": "make-up day", "reason": "announced by the State Council"}
    done(house.nurse.put(path, works), 200)
    rests = {"working": False, "name": "Saturday", "reason": "withdrawn again"}
    done(house.doctor.put(path, rests, **NOW), 200)
    days = done(house.monitor.get(f"/sites/{house.site_id}/working-days?year=2026"))["items"]
    [shown] = [one for one in days if one["day"] == "2026-10-10"]
    assert (shown["working"], shown["reason"], shown["revision"]) == (False, "withdrawn again", 2)
    site = str(house.site_id)
    told(stage, "site:day_edited", site, {"day": "2026-10-10", "working": True}, {"working": False}, rests["reason"])
    first = trail(house, "site:day_edited", site)[-2]
    assert (first.actor_id, first.old["working"], first.new["working"]) == (house.nurse.id, False, True)
    assert first.reason == works["reason"]


def test_organs_and_zone(stage: Stage) -> None:
    house = stage.house
    change = {"prior_organs": ["kidney"], "time_zone": "Asia/Urumqi", "reason": "asked again"}
    done(house.doctor.call("PATCH", stage.at, change, NOW), 200)
    row = trail(house, "subject:changed", stage.subject["id"])[-1]
    assert (row.old["prior_organs"], row.new["prior_organs"]) == ([], ["kidney"])
    assert (row.old["time_zone"], row.new["time_zone"]["time_zone"]) == ("Asia/Shanghai", "Asia/Urumqi")
    assert (row.actor_id, row.reason) == (house.doctor.id, "asked again")


def test_a_newer_consent_stands_beside_the_older(stage: Stage) -> None:
    house = stage.house
    newer = done(house.doctor.post(f"{stage.at}/consents", {**consent(stage), "id": fresh()}), 201)
    rows = done(house.monitor.get(f"{stage.at}/consents"))["items"]
    assert [one["text_version"] for one in rows if one["kind"] == "trial"] == ["1.0", "2.0"]
    [row] = trail(house, "consent:recorded", newer["id"])
    assert (row.actor_id, row.new["text_version"]) == (house.doctor.id, "2.0")
