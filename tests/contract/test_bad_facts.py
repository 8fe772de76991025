"""Events out of order, values out of range, batches with one bad row, answers to episodes that cannot be."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from house import House, iso

from tests.contract.stage import Faults, Stage, but, everything, refuses

# --- events ---------------------------------------------------------------------------------------------------


def event(house: House, kind: str, **over: Any) -> dict[str, Any]:
    return {"id": str(uuid4()), "kind": kind, **{name: iso(value) for name, value in over.items()}}


def refuse_event(house: House, subject: dict[str, Any], body: dict[str, Any], *faults: tuple[str, str]) -> None:
    path = f"/subjects/{subject['id']}/events"
    refuses(house, house.nurse, "POST", path, body, faults=list(faults))
    refuses(house, house.nurse, "POST", path, {**body, "preview": True}, faults=list(faults))


def test_events_that_cannot_have_happened(stage: Stage) -> None:
    house, subject, now = stage.house, stage.subject, stage.house.now
    later = now + timedelta(minutes=5, seconds=1)
    refuse_event(house, subject, event(house, "infusion", actual_at=later), ("/actual_at", "in_the_future"))
    refuse_event(house, subject, event(house, "discharge", actual_at=now), ("/actual_at", "out_of_order"))
    refuse_event(house, subject, event(house, "birthday", actual_at=now), ("/kind", "not_allowed"))
    refuse_event(house, subject, event(house, "admission"), ("/actual_at", "required"))
    refuse_event(house, subject, event(house, "death", planned_at=now), ("/actual_at", "required"))
    refuse_event(house, subject, event(house, "admission", actual_at=now, scope=["texts"]), ("/scope", "not_allowed"))
    refuse_event(house, subject, event(house, "withdrawal", actual_at=now, scope=["tea"]), ("/scope/0", "not_allowed"))
    refuse_event(house, subject, event(house, "withdrawal", actual_at=now, scope=[]), ("/scope", "too_short"))
    refuse_event(house, stage.foreign | {"id": subject["id"]}, event(house, "infusion", actual_at="yesterday"),
                 ("/actual_at", "invalid_instant"))  # fmt: skip
    early = event(house, "collection", actual_at=now - timedelta(days=5))
    refuse_event(house, subject, early, ("/actual_at", "out_of_order"))


def test_the_order_of_treatment(own_stage: Stage) -> None:
    house, now = own_stage.house, own_stage.house.now
    subject = house.enrol(number="002")
    path = f"/subjects/{subject['id']}/events"
    house.event(subject, "consent", actual_at=now - timedelta(days=3))
    before_consent = event(house, "infusion", actual_at=now - timedelta(days=4))
    refuse_event(house, subject, before_consent, ("/actual_at", "out_of_order"))
    refuse_event(house, subject, event(house, "completion", actual_at=now), ("/kind", "out_of_order"))
    house.event(subject, "infusion", actual_at=now - timedelta(days=2))
    second = event(house, "infusion", actual_at=now - timedelta(days=1))
    refuses(house, house.nurse, "POST", path, second, status=409, code="conflict")
    late_consent = event(house, "consent", actual_at=now - timedelta(days=1))
    refuse_event(house, subject, late_consent, ("/actual_at", "out_of_order"))
    stay = house.event(subject, "admission", actual_at=now - timedelta(days=1))["event"]
    twice = event(house, "admission", actual_at=now - timedelta(hours=2))
    refuse_event(house, subject, twice, ("/actual_at", "out_of_order"))
    earlier = event(house, "discharge", actual_at=now - timedelta(days=2))
    refuse_event(house, subject, earlier, ("/actual_at", "out_of_order"))
    house.event(subject, "death", actual_at=now - timedelta(hours=1))
    for kind, over in [
        ("discharge", {"actual_at": now}),
        ("admission", {"planned_at": now + timedelta(days=1)}),
        ("withdrawal", {"actual_at": now}),
    ]:
        refuses(house, house.nurse, "POST", path, event(house, kind, **over), status=409, code="subject_ended")
    correction = {"actual_at": iso(now + timedelta(days=1)), "reason": "typed wrongly"}
    refuses(
        house,
        house.nurse,
        "PATCH",
        f"{path}/{stay['id']}",
        correction,
        faults=[("/actual_at", "in_the_future")],
        headers={"If-Match": '"1"'},
    )


def test_an_event_is_corrected_with_its_version_and_a_reason(stage: Stage) -> None:
    house = stage.house
    path = f"{stage.at}/events/{stage.ids['event_id']}"
    body = {"actual_at": iso(house.now - timedelta(days=5)), "reason": "typed wrongly"}
    refuses(house, house.nurse, "PATCH", path, body, status=428, code="if_match_required")
    refuses(house, house.nurse, "PATCH", path, body, status=412, code="stale", headers={"If-Match": '"2"'})
    silent = but(body, reason=...)
    refuses(house, house.nurse, "PATCH", path, silent, faults=[("/reason", "required")], headers={"If-Match": '"1"'})
    absent = f"{stage.at}/events/{uuid4()}"
    refuses(house, house.nurse, "PATCH", absent, body, status=404, code="not_found", headers={"If-Match": '"1"'})


def test_an_event_id_that_is_taken(stage: Stage) -> None:
    house = stage.house
    taken = event(house, "admission", actual_at=house.now) | {"id": stage.ids["event_id"]}
    refuses(house, house.nurse, "POST", f"{stage.at}/events", taken, status=409, code="id_taken")
    foreign = f"/subjects/{stage.foreign['id']}/events"
    refuses(house, house.stranger, "POST", foreign, taken, status=409, code="id_taken")


# --- measurements and medications -----------------------------------------------------------------------------


def value(house: House, **over: Any) -> dict[str, Any]:
    plain = {
        "id": str(uuid4()),
        "code": "anc",
        "value": 1.2,
        "unit": "10*9/L",
        "source": "laboratory",
        "collected_at": iso(house.now),
    }
    return but(plain, **over)


WRONG_VALUES: list[tuple[dict[str, Any], tuple[str, str]]] = [
    ({"code": "unobtainium"}, ("/code", "not_allowed")),
    ({"code": "an c"}, ("/code", "wrong_format")),
    ({"unit": "10^9/L"}, ("/unit", "wrong_unit")),
    ({"unit": "mg/L"}, ("/unit", "wrong_unit")),
    ({"unit": ...}, ("/unit", "required")),
    ({"value": -0.1}, ("/value", "out_of_range")),
    ({"value": 200.1}, ("/value", "out_of_range")),
    ({"value": "1.2"}, ("/value", "wrong_type")),
    ({"value": True}, ("/value", "wrong_type")),
    ({"value": None}, ("/value", "required")),
    ({"value": 1, "not_done": True}, ("/value", "not_allowed")),
    ({"not_done": 1}, ("/not_done", "wrong_type")),
    ({"qualifier": "≤"}, ("/qualifier", "not_allowed")),
    ({"lln": 4, "uln": 2}, ("/uln", "out_of_range")),
    ({"lln": -1}, ("/lln", "out_of_range")),
    ({"uln": 0}, ("/uln", "out_of_range")),
    ({"source": "phone"}, ("/source", "not_allowed")),
    ({"collected_at": "2026-03-02T09:05:01+08:00"}, ("/collected_at", "in_the_future")),
    ({"collected_at": "2026-03-02T09:00:00"}, ("/collected_at", "invalid_instant")),
    ({"collected_at": "9999-01-01T00:00:00Z"}, ("/collected_at", "out_of_range")),
    ({"corrects_id": "00000000-0000-4000-8000-000000000000", "reason": "x"}, ("/corrects_id", "not_allowed")),
    ({"grade": 3}, ("/grade", "unknown_field")),
]


@pytest.mark.parametrize(("over", "fault"), WRONG_VALUES, ids=str)
def test_one_wrong_value_alone_in_an_array_and_among_items(
    stage: Stage, over: dict[str, Any], fault: tuple[str, str]
) -> None:
    """One bad row in a batch of three: nothing is stored, and its path is as it was sent."""
    house, path = stage.house, f"{stage.at}/measurements"
    bad, good = value(house, **over), [value(house), value(house)]
    at, code = fault
    refuses(house, house.nurse, "POST", path, bad, faults=[(at, code)])
    refuses(house, house.nurse, "POST", path, [good[0], bad, good[1]], faults=[(f"/1{at}", code)])
    refuses(house, house.nurse, "POST", path, {"items": [*good, bad]}, faults=[(f"/items/2{at}", code)])


@pytest.mark.parametrize("what", ["measurements", "medications"])
@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ([], [("", "wrong_length")]),
        ({"items": []}, [("/items", "wrong_length")]),
        ({"items": None}, [("/items", "null_not_allowed")]),
        ({"items": {}}, [("/items", "wrong_type")]),
        ({"items": [], "dry_run": True}, [("/dry_run", "unknown_field"), ("/items", "wrong_length")]),
        (5, [("", "wrong_type")]),
        ("text", [("", "wrong_type")]),
        (None, [("", "null_not_allowed")]),
        ([None], [("/0", "null_not_allowed")]),
        ([[]], [("/0", "wrong_type")]),
    ],
    ids=str,
)
def test_a_batch_of_nothing(stage: Stage, what: str, body: Any, faults: Faults) -> None:
    house = stage.house
    sent = b"null" if body is None else body
    refuses(house, house.nurse, "POST", f"{stage.at}/{what}", sent, faults=faults)


def test_ids_of_measurements_that_are_taken(own_stage: Stage) -> None:
    house, path = own_stage.house, f"{own_stage.at}/measurements"
    kept = value(house)
    assert house.nurse.post(path, kept).status_code == 201
    assert house.nurse.post(path, kept).status_code == 200
    fresh = value(house)
    refuses(house, house.nurse, "POST", path, [fresh, fresh], faults=[("/1/id", "duplicate")])
    refuses(house, house.nurse, "POST", path, [fresh, but(kept, value=1.3)], status=409, code="id_taken")
    foreign = f"/subjects/{own_stage.foreign['id']}/measurements"
    refuses(house, house.stranger, "POST", foreign, [fresh, kept], status=409, code="id_taken")
    correction = value(house, corrects_id=kept["id"], value=1.1)
    refuses(house, house.nurse, "POST", path, correction, faults=[("/reason", "required")])
    assert house.nurse.post(path, correction | {"reason": "misread"}).status_code == 201
    again = value(house, corrects_id=kept["id"], reason="misread")
    refuses(house, house.nurse, "POST", path, again, faults=[("/corrects_id", "already_corrected")])


def test_medications_that_cannot_be(own_stage: Stage) -> None:
    house, path = own_stage.house, f"{own_stage.at}/medications"
    plain = {"id": str(uuid4()), "drug": "paracetamol", "dose_mg": 500, "started_at": iso(house.now)}
    wrong: list[tuple[dict[str, Any], tuple[str, str]]] = [
        ({"drug": "aspirin?"}, ("/drug", "wrong_format")),
        ({"drug": "unobtainium"}, ("/drug", "not_allowed")),
        ({"dose_mg": -1}, ("/dose_mg", "out_of_range")),
        ({"dose_mg": "500"}, ("/dose_mg", "wrong_type")),
        ({"times_per_day": 49}, ("/times_per_day", "out_of_range")),
        ({"started_at": iso(house.now + timedelta(minutes=6))}, ("/started_at", "in_the_future")),
        ({"stopped_at": iso(house.now - timedelta(days=1))}, ("/stopped_at", "out_of_order")),
        ({"corrects_id": str(uuid4()), "reason": "x"}, ("/corrects_id", "not_allowed")),
    ]
    for over, (at, code) in wrong:
        rows = [but(plain), {**plain, **over, "id": str(uuid4())}, but(plain, id=str(uuid4()))]
        refuses(house, house.nurse, "POST", path, rows, faults=[(f"/1{at}", code)])
    assert house.nurse.post(path, plain).status_code == 201
    refuses(house, house.nurse, "POST", path, but(plain, dose_mg=1000), status=409, code="id_taken")


# --- rota, visits, episodes -----------------------------------------------------------------------------------


def test_a_rota_that_cannot_be(stage: Stage) -> None:
    house, now = stage.house, stage.house.now
    shift = {
        "id": str(uuid4()),
        "duty": "on_call",
        "account_id": str(house.doctor.id),
        "starts_at": iso(now),
        "ends_at": iso(now + timedelta(hours=12)),
    }
    wrong: list[tuple[dict[str, Any], tuple[str, str]]] = [
        ({"ends_at": iso(now)}, ("/shifts/1/ends_at", "out_of_order")),
        ({"ends_at": iso(now + timedelta(days=32))}, ("/shifts/1/ends_at", "out_of_range")),
        ({"account_id": str(house.monitor.id)}, ("/shifts/1/account_id", "not_allowed")),
        ({"account_id": str(house.stranger.id)}, ("/shifts/1/account_id", "not_allowed")),
        ({"duty": "sleeper"}, ("/shifts/1/duty", "not_allowed")),
        ({"id": shift["id"]}, ("/shifts/1/id", "duplicate")),
    ]
    version = house.nurse.get(f"/on-call?site_id={house.site_id}").headers["ETag"]
    for over, (at, code) in wrong:
        rows = [shift, {**shift, "id": str(uuid4()), **over}]
        found = [(at, code)] if code != "out_of_order" else [(at, "in_the_past"), (at, code)]
        body = {"site_id": str(house.site_id), "shifts": rows}
        refuses(house, house.nurse, "PUT", "/on-call", body, faults=found, headers={"If-Match": version})
    elsewhere = {"site_id": str(house.other_site_id), "shifts": []}
    refuses(
        house,
        house.nurse,
        "PUT",
        "/on-call",
        elsewhere,
        faults=[("/site_id", "unknown_site")],
        headers={"If-Match": "*"},
    )


def test_visits_that_cannot_be(stage: Stage) -> None:
    house, path = stage.house, f"/visits/{stage.ids['visit_id']}"
    soon, far = house.now + timedelta(hours=1), house.now + timedelta(days=300)
    attended = {"at": iso(soon), "outcome": "attended"}
    refuses(house, house.nurse, "PUT", f"{path}/attendance", attended, faults=[("/at", "in_the_future")])
    missed = {"at": iso(house.now), "outcome": "missed"}
    refuses(house, house.nurse, "PUT", f"{path}/attendance", missed, faults=[("/reason", "required")])
    refuses(house, house.nurse, "PUT", f"{path}/appointment", {"at": iso(far)}, faults=[("/reason", "required")])
    refuses(house, house.nurse, "PUT", f"{path}/appointment", {}, faults=[("/at", "required")])
    agreed = {"at": iso(house.now)}
    unknown = f"/visits/{uuid4()}/appointment"
    refuses(house, house.nurse, "PUT", unknown, agreed, status=404, code="not_found")
    refuses(house, house.stranger, "PUT", f"{path}/appointment", agreed, status=404, code="not_found")


def test_answers_to_an_episode_that_cannot_be(own_stage: Stage) -> None:
    house, path = own_stage.house, f"/episodes/{own_stage.ids['episode_id']}"
    known = house.doctor.get(path)
    last, version = known.json["last_seq"], {"If-Match": known.headers["ETag"]}
    accepted = {"id": str(uuid4()), "kind": "accepted", "seen_signal_seq": last}
    answers = f"{path}/acknowledgements"
    wrong: list[tuple[dict[str, Any], tuple[str, str]]] = [
        ({"seen_signal_seq": last + 1}, ("/seen_signal_seq", "out_of_range")),
        ({"seen_signal_seq": str(last)}, ("/seen_signal_seq", "wrong_type")),
        ({"kind": "ignored"}, ("/kind", "not_allowed")),
        ({"on_behalf_of": str(house.stranger.id)}, ("/on_behalf_of", "not_allowed")),
        ({"on_behalf_of": str(own_stage.patient.id)}, ("/on_behalf_of", "not_allowed")),
        ({"note": "x" * 1001}, ("/note", "wrong_length")),
    ]
    for over, fault in wrong:
        refuses(house, house.nurse, "POST", answers, {**accepted, **over}, faults=[fault])
    assert house.nurse.post(answers, accepted).status_code == 201
    refuses(house, house.nurse, "POST", answers, but(accepted, kind="seen"), status=409, code="id_taken")
    crs = {"outcome": "crs"}
    refuses(house, house.doctor, "POST", f"{path}/close", crs, status=428, code="if_match_required")
    refuses(house, house.doctor, "POST", f"{path}/close", crs, status=412, code="stale", headers={"If-Match": '"0"'})
    version = {"If-Match": house.doctor.get(path).headers["ETag"]}
    refuses(house, house.doctor, "POST", f"{path}/close", crs, faults=[("/crs_grade", "required")], headers=version)
    six = {"outcome": "crs", "crs_grade": 6}
    refuses(house, house.doctor, "POST", f"{path}/close", six, faults=[("/crs_grade", "out_of_range")], headers=version)
    assert house.doctor.call("POST", f"{path}/close", crs | {"crs_grade": 1}, version).status_code == 200
    version = {"If-Match": house.doctor.get(path).headers["ETag"]}
    again = crs | {"crs_grade": 2}
    refuses(house, house.doctor, "POST", f"{path}/close", again, status=409, code="episode_closed", headers=version)
    nap = {"id": str(uuid4()), "until": iso(house.now + timedelta(hours=1)), "reason": "asleep"}
    refuses(house, house.nurse, "POST", f"{path}/snooze", nap, status=409, code="episode_closed")


# --- the same request twice -----------------------------------------------------------------------------------


def test_an_idempotency_key_is_for_one_request(own_stage: Stage) -> None:
    house, path = own_stage.house, f"{own_stage.at}/activation-codes"
    key = {"Idempotency-Key": "once"}
    first = house.nurse.call("POST", path, {"for": "patient"}, key)
    before = everything(house)
    again = house.nurse.call("POST", path, {"for": "patient"}, key)
    assert (again.status_code, again.json) == (201, first.json)
    assert everything(house) == before
    other = {"for": "carer", "account_id": str(own_stage.carer.id)}
    refuses(house, house.nurse, "POST", path, other, status=409, code="conflict", headers=key)
    for bad in ("x" * 101, "ключ", "tab\there"):
        headers = {"Idempotency-Key": bad.encode().decode("latin-1")}
        refuses(house, house.nurse, "POST", path, other, status=400, code="bad_request", headers=headers)
