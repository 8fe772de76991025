"""The product form as it is filled in at the bedside: cells per kilogram, corrections, release tests, bad input."""

from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from house import House, iso

from backend.models.record import AuditEvent
from backend.models.safety import Episode
from tests.trial.desk import Subject, at, faults, measured, refused, send, signals, z

RELEASE = ["release_sterility", "release_endotoxin", "release_mycoplasma", "release_replication_competent_virus"]


def form(**over: Any) -> dict[str, Any]:
    """A bag of 9.6 million cells for somebody of 60 kg: 160 000 per kg, where level 1 plans 150 000."""
    body = {
        "lot": "L-2026-007",
        "car_t_cells": 9_600_000,
        "weight_kg": 60,
        "volume_ml": 50,
        "release_tests": ["release_sterility", "release_endotoxin"],
        **over,
    }
    return {name: iso(value) for name, value in body.items()}


def door(subject: Subject) -> str:
    return f"/subjects/{subject['id']}/product"


def put(house: House, subject: Subject, **over: Any) -> Any:
    return house.nurse.put(door(subject), form(**over))


def test_cells_per_kilogram_stand_beside_the_planned_level(house: House) -> None:
    subject = house.enrol()
    assert refused(house.nurse.get(door(subject))) == (404, "not_found")
    first = put(house, subject)
    assert (first.status_code, first.headers["ETag"]) == (201, '"1"')
    assert first.json["dose"] == {"actual": 160000, "planned": 150000, "deviation_pct": Decimal("6.7")}
    assert (first.json["revision"], first.json["recorded_by"]) == (1, "Nurse")
    read = house.monitor.get(door(subject))
    assert (read.status_code, read.json) == (200, first.json)
    assert refused(house.monitor.put(door(subject), form())) == (403, "forbidden")
    assert refused(house.stranger.get(door(subject))) == (404, "not_found")


BY_HAND: list[tuple[str, dict[str, Any], tuple[Any, ...]]] = [
    # 9.6e6 × 45/50 / 60 = 144 000; 144/150 = 0.96
    ("1", {"given_ml": 45}, (144000, 150000, "-4.0")),
    # the whole bag said in millilitres is the whole bag
    ("1", {"given_ml": 50}, (160000, 150000, "6.7")),
    # nothing reached the patient
    ("1", {"given_ml": 0}, (0, 150000, "-100.0")),
    # 1e7 / 63 = 158 730.158…; /150 000 = 1.0582…
    ("1", {"car_t_cells": 10_000_000, "weight_kg": 63}, (158730, 150000, "5.8")),
    # 9 000 030 / 60 = 150 000.5, half up; the deviation 0.000 33 % is 0.0
    ("1", {"car_t_cells": 9_000_030}, (150001, 150000, "0.0")),
    # 9 004 500 / 60 = 150 075: a deviation of exactly 0.05 % rounds half up to 0.1
    ("1", {"car_t_cells": 9_004_500}, (150075, 150000, "0.1")),
    # exactly −0.05 %: half up is away from zero
    ("1", {"car_t_cells": 8_995_500}, (149925, 150000, "-0.1")),
    # 3.1e7 / 62.5 = 496 000; −4/500
    ("2", {"car_t_cells": 31_000_000, "weight_kg": 62.5}, (496000, 500000, "-0.8")),
    # 4.8e7 × 12.5/40 / 15.2 = 986 842.1…; −1.3157…
    ("3", {"car_t_cells": 48e6, "weight_kg": 15.2, "volume_ml": 40, "given_ml": 12.5}, (986842, 1000000, "-1.3")),
]


def test_the_dose_by_hand(sqlite_house: House) -> None:
    for n, (level, over, dose) in enumerate(BY_HAND):
        subject = sqlite_house.enrol(number=f"{n:03}", dose_level=level)
        answer = put(sqlite_house, subject, **over)
        assert answer.status_code == 201, answer.text
        said = answer.json["dose"]
        assert (said["actual"], said["planned"], str(said["deviation_pct"])) == dose, over


def test_a_correction_needs_if_match_and_a_reason_and_keeps_all(house: House) -> None:
    subject = house.enrol()
    assert put(house, subject, note="thawed at 09:20").status_code == 201
    house.turn(minutes=30)
    change = form(weight_kg=64, reason="weighed again")
    assert refused(house.nurse.put(door(subject), change)) == (428, "if_match_required")
    assert refused(house.nurse.put(door(subject), change, **{"If-Match": '"2"'})) == (412, "stale")
    for silent in ({}, {"reason": None}):
        answer = house.nurse.put(door(subject), form(weight_kg=64, **silent), **{"If-Match": '"1"'})
        assert faults(answer) == [("/reason", "required")]
    stored = house.doctor.put(door(subject), change, **{"If-Match": '"1"'})
    assert (stored.status_code, stored.headers["ETag"]) == (200, '"2"')
    assert stored.json["dose"] == {"actual": 150000, "planned": 150000, "deviation_pct": 0.0}
    assert stored.json["note"] is None  # a form is filled in whole
    kept = house.monitor.get(f"{door(subject)}/history").json["items"]
    assert [
        tuple(one[name] for name in ("revision", "weight_kg", "note", "reason", "recorded_by")) for one in kept
    ] == [(1, 60, "thawed at 09:20", None, "Nurse"), (2, 64, None, "weighed again", "Doctor")]
    assert [one["recorded_at"] for one in kept] == [z(2026, 3, 2, 9), z(2026, 3, 2, 9, 30)]
    rows = house.rows(sa.select(AuditEvent).where(AuditEvent.entity == "product").order_by(AuditEvent.seq))
    assert [(row.verb, row.reason) for row in rows] == [
        ("product:recorded", None),
        ("product:corrected", "weighed again"),
    ]


def states(house: House, subject: Subject) -> dict[str, tuple[str, Any]]:
    found = house.nurse.get(door(subject)).json["release"]
    return {one["code"]: (one["state"], one["value"]) for one in found}


def test_release_tests_are_pending_until_a_result_comes(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.enrol()
    assert put(house, subject, release_tests=RELEASE).status_code == 201
    assert states(house, subject) == dict.fromkeys(RELEASE, ("pending", None))
    names = {one["code"]: one["name"] for one in house.nurse.get(door(subject)).json["release"]}
    assert names["release_mycoplasma"] == "Release test: mycoplasma (1 positive, 0 negative)"
    assert measured(house, subject, "release_endotoxin", 0).status_code == 201
    assert measured(house, subject, "release_mycoplasma", None, not_done=True).status_code == 201
    assert states(house, subject) == {
        **dict.fromkeys(RELEASE, ("pending", None)),
        "release_endotoxin": ("resulted", 0),
        "release_mycoplasma": ("not_done", None),
    }
    # A mistyped result no longer holds once it is corrected.
    wrong = measured(house, subject, "release_sterility", 1).json["items"][0]["id"]
    assert states(house, subject)["release_sterility"] == ("resulted", 1)
    right = measured(house, subject, "release_sterility", 0, corrects_id=wrong, reason="read from the wrong line")
    assert right.status_code == 201, right.text
    assert states(house, subject)["release_sterility"] == ("resulted", 0)


def test_a_late_positive_release_result_pages_as_an_emergency(sqlite_house: House) -> None:
    """Sterility takes days: taken before infusion, positive on day 9. It is no paperwork of the past."""
    house = sqlite_house
    subject = house.enrol()
    assert put(house, subject).status_code == 201
    taken_at = house.now
    house.event(subject, "infusion", actual_at=house.now)
    house.turn(days=9)
    negative = measured(house, subject, "release_endotoxin", 0, collected_at=taken_at)
    assert (negative.status_code, negative.json["signals"]) == (201, [])
    house.work()
    positive = measured(house, subject, "release_sterility", 1, collected_at=taken_at)
    assert positive.status_code == 201, positive.text
    assert [(one["rule"], one["level"]) for one in positive.json["signals"]] == [("L16", "EMERGENCY")]
    assert [(row.level, row.found_level, row.held_because) for row in signals(house, subject, "L16")] == [
        ("EMERGENCY", "EMERGENCY", None)
    ]
    assert [row.level for row in house.rows(sa.select(Episode))] == ["EMERGENCY"]
    assert house.pages()
    assert states(house, subject)["release_sterility"] == ("resulted", 1)


BAD: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"car_t_cells": -1}, [("/car_t_cells", "out_of_range")]),
    ({"car_t_cells": 0}, [("/car_t_cells", "out_of_range")]),
    ({"car_t_cells": "9600000"}, [("/car_t_cells", "wrong_type")]),
    ({"car_t_cells": None}, [("/car_t_cells", "null_not_allowed")]),
    ({"weight_kg": 0}, [("/weight_kg", "out_of_range")]),
    ({"weight_kg": -60}, [("/weight_kg", "out_of_range")]),
    ({"viability_pct": 100.1}, [("/viability_pct", "out_of_range")]),
    ({"lot": ""}, [("/lot", "wrong_length")]),
    ({"volume_ml": 50, "given_ml": 50.1}, [("/given_ml", "out_of_range")]),
    ({"volume_ml": None, "given_ml": 10}, [("/volume_ml", "required")]),
    ({"given_ml": -1}, [("/given_ml", "out_of_range")]),
    ({"release_tests": ["release_sterility", "release_x"]}, [("/release_tests/1", "not_allowed")]),
    ({"release_tests": ["crp"]}, [("/release_tests/0", "not_allowed")]),
    ({"started_at": at(2026, 3, 2, 8, 30), "stopped_at": at(2026, 3, 2, 8, 29)}, [("/stopped_at", "out_of_order")]),
    ({"stopped_at": at(2026, 3, 2, 8)}, [("/started_at", "required")]),
    ({"started_at": at(2026, 3, 2, 9, 6)}, [("/started_at", "in_the_future")]),
    (
        {"started_at": at(2026, 3, 2, 8), "stopped_at": at(2026, 3, 2, 10)},
        [("/stopped_at", "in_the_future")],
    ),
    ({"started_at": "2026-03-02T08:00:00"}, [("/started_at", "invalid_instant")]),
    ({"dose": 1}, [("/dose", "unknown_field")]),
]


def test_bad_input_is_refused_with_its_path(sqlite_house: House) -> None:
    subject = sqlite_house.enrol()
    for over, found in BAD:
        assert faults(put(sqlite_house, subject, **over)) == found, over
    assert refused(sqlite_house.nurse.get(door(subject))) == (404, "not_found")


def test_every_fault_is_named_at_once_and_nan_is_no_json(sqlite_house: House) -> None:
    house = sqlite_house
    subject = house.enrol()
    bad = put(house, subject, release_tests=["x"], given_ml=60, stopped_at=at(2026, 3, 2, 8))
    assert faults(bad) == [
        ("/given_ml", "out_of_range"),
        ("/release_tests/0", "not_allowed"),
        ("/started_at", "required"),
    ]
    for literal in ("NaN", "Infinity", "-Infinity"):
        raw = house.app.test_client().put(
            f"/api/v1{door(subject)}",
            data='{"lot": "L", "car_t_cells": %s, "weight_kg": 60, "release_tests": []}' % literal,  # noqa: UP031
            headers={"Authorization": f"Bearer {house.nurse.fresh_token()}", "Content-Type": "application/json"},
        )
        assert refused(raw) == (400, "not_json")
    assert refused(house.nurse.get(door(subject))) == (404, "not_found")


def test_the_form_is_filled_in_before_the_infusion_is_recorded(sqlite_house: House) -> None:
    """The form may be filled in before the infusion is recorded, and says when the bag ran."""
    house = sqlite_house
    subject = house.enrol()
    times = {"started_at": at(2026, 3, 2, 8, 30), "stopped_at": at(2026, 3, 2, 8, 42)}
    stored = put(house, subject, viability_pct=91.5, **times)
    assert (stored.json["started_at"], stored.json["stopped_at"]) == (z(2026, 3, 2, 8, 30), z(2026, 3, 2, 8, 42))
    assert stored.json["viability_pct"] == Decimal("91.5")
    assert send(house, subject, "infusion", actual_at=times["started_at"]).status_code == 201
    assert house.nurse.get(door(subject)).json["started_at"] == z(2026, 3, 2, 8, 30)
