"""The signature under a casebook: given to what is settled and locked, and void, visibly, by any later change."""

from typing import Any

from werkzeug.test import TestResponse

from tests.conduct.acts import RECORD, Act, ask, closing, done, fresh, is_refused, lock, visit
from tests.contract.stage import Stage, refuses

MEANING = "I have reviewed this casebook; it is complete and true."


def settle(stage: Stage) -> None:
    """Close every query of the subject."""
    monitor = stage.house.monitor
    for one in monitor.get(f"/queries?subject_id={stage.subject['id']}").json["items"]:
        if one["state"] != "closed":
            move(stage, one["id"], "closure")


def move(stage: Stage, query_id: str, verb: str) -> None:
    who = stage.house.nurse if verb == "answers" else stage.house.monitor
    done(who.call("POST", f"/queries/{query_id}/{verb}", {"text": "as it stands"}, {"If-Match": "*"}), 200)


def sign(stage: Stage, **over: Any) -> TestResponse:
    chief, body = stage.house.chief, {"id": fresh(), "meaning": MEANING, **over}
    return chief.post(f"{stage.at}/casebook/signature", body, **stage.house.confirmed(chief))


def signatures(stage: Stage) -> list[dict[str, Any]]:
    return list(done(stage.house.monitor.get(f"{stage.at}/casebook"))["signatures"])


def signed(stage: Stage) -> dict[str, Any]:
    """Settle, lock, sign: the new signature."""
    settle(stage)
    if stage.house.monitor.get(stage.at).json["locked_at"] is None:
        done(lock(stage), 201)
    return dict(done(sign(stage), 201)["signatures"][-1])


def test_it_is_signed_when_settled_and_locked_and_not_before(both: Stage) -> None:
    house, path, body = both.house, f"{both.at}/casebook/signature", {"id": fresh(), "meaning": MEANING}
    settle(both)
    confirmed = house.confirmed(house.chief)
    not_yet = {"status": 409, "code": "conflict", "headers": confirmed}
    refuses(house, house.chief, "POST", path, body, **not_yet)  # not locked
    done(lock(both), 201)
    query = done(ask(both))["id"]
    assert "1 data queries" in refuses(house, house.chief, "POST", path, body, **not_yet)["detail"]
    move(both, query, "answers")
    refuses(house, house.chief, "POST", path, body, **not_yet)
    assert done(house.chief.get(f"{both.at}/casebook"))["queries_unsettled"] == 1
    move(both, query, "closure")
    refuses(house, house.chief, "POST", path, body, status=403, code="confirmation_required")
    for who in (house.nurse, house.doctor, house.monitor, house.statistician, house.admin):
        is_refused(who.post(path, body, **house.confirmed(who)), "forbidden", who.username)
    theirs = f"/subjects/{both.foreign['id']}/casebook/signature"
    refuses(house, house.chief, "POST", theirs, body, status=404, code="not_found", headers=confirmed)
    assert signatures(both) == []

    book = done(house.chief.post(path, body, **confirmed), 201)
    assert (book["queries_unsettled"], len(book["signatures"])) == (0, 1)
    [one] = book["signatures"]
    assert (one["id"], one["meaning"], one["signed_by"], one["signed_as"]) == (
        body["id"],
        MEANING,
        "Chief",
        "principal_investigator",
    )
    assert (one["valid"], one["voided_by"]) == (True, [])
    chain = house.chief.get(f"/audit?subject_id={both.subject['id']}&limit=5").json["items"]
    link = {row["seq"]: row["hash"] for row in chain}
    assert link[one["audit_seq"]] == one["audit_hash"]
    assert (chain[0]["verb"], chain[0]["actor_id"]) == ("casebook:signed", str(house.chief.id))
    assert house.chief.get("/audit/verify").json["intact"] is True


def test_the_locked_database_is_lock_enough(stage: Stage) -> None:
    settle(stage)
    done(lock(stage, whole=True), 201)
    assert done(sign(stage), 201)["signatures"][0]["valid"] is True


def test_a_repeat_is_harmless_and_another_content_is_refused(stage: Stage) -> None:
    house, path, body = stage.house, f"{stage.at}/casebook/signature", {"id": fresh(), "meaning": MEANING}
    settle(stage)
    done(lock(stage), 201)
    confirmed = house.confirmed(house.chief)
    first = done(house.chief.post(path, body, **confirmed), 201)
    house.turn(hours=1)
    assert done(house.chief.post(path, body, **house.confirmed(house.chief)), 200) == first
    other = {**body, "meaning": "seen"}
    headers = house.confirmed(house.chief)
    refuses(house, house.chief, "POST", path, other, status=409, code="id_taken", headers=headers)
    silent = {"id": fresh()}
    refuses(house, house.chief, "POST", path, silent, faults=[("/meaning", "required")], headers=headers)
    assert len(signatures(stage)) == 1


def test_reading_asking_and_closing_leave_it_valid(both: Stage) -> None:
    house = both.house
    signed(both)
    assert "contact" in done(house.nurse.get(both.at))
    done(house.doctor.get(f"{both.at}/carers"))
    done(lock(both, closed=False), 201)
    visit_id = visit(both, "V8")["id"]
    for closed in (True, False):
        done(house.monitor.post(f"/visits/{visit_id}/freeze", closing(closed)), 201)
    done(lock(both), 201)
    for closed in (True, False):
        done(lock(both, closed, whole=True), 201)
    query = done(ask(both))["id"]
    for verb in ("answers", "closure", "reopening", "closure"):
        move(both, query, verb)
    house.statistician.get(f"{both.at}/measurements")
    is_refused(house.statistician.post(f"{both.at}/measurements", {}), "forbidden")
    second = signed(both)
    first, last = signatures(both)
    assert (first["valid"], first["voided_by"]) == (True, [])
    assert (last["id"], last["valid"], last["audit_seq"] > first["audit_seq"]) == (second["id"], True, True)


ENTITIES = {
    "event": ("event:recorded", "subject_event"),
    "event correction": ("event:corrected", "subject_event"),
    "appointment": ("visit:appointed", "visit"),
    "attendance": ("visit:attendance", "visit"),
    "unscheduled visit": ("visit:added", "visit"),
    "entry on behalf": ("entry:stored", "entry"),
    "entry correction": ("entry:revised", "entry"),
    "measurement": ("measurement:recorded", "measurement"),
    "measurement correction": ("measurement:corrected", "measurement"),
    "medication": ("medication:recorded", "medication"),
    "medication correction": ("medication:corrected", "medication"),
    "product": ("product:corrected", "product"),
    "consent": ("consent:recorded", "consent"),
    "excuse": ("excuse:recorded", "excuse"),
    "excuse change": ("excuse:changed", "excuse"),
    "dose level": ("subject:changed", "subject"),
    "organs": ("subject:changed", "subject"),
    "zone": ("subject:changed", "subject"),
    "assessment": ("assessment:corrected", "assessment"),
    "adverse event": ("adverse_event:recorded", "adverse_event"),
    "adverse event correction": ("adverse_event:corrected", "adverse_event"),
}


def test_any_change_voids_it_and_is_named(stage: Stage) -> None:
    """Unlock, change one thing, lock and sign again: each signature is void by what came after it, the last is not."""
    house = stage.house
    ids, named = [signed(stage)["id"]], []
    for act in RECORD:
        house.turn(minutes=1)
        done(lock(stage, closed=False), 201)
        assert signatures(stage)[-1]["valid"] is True, act.name
        change(stage, act)
        void = signatures(stage)[-1]
        assert void["valid"] is False, act.name
        assert [(one["verb"], one["entity"]) for one in void["voided_by"]] == [ENTITIES[act.name]]
        assert void["voided_by"][0]["at"] == house.now.isoformat().replace("+00:00", "Z")
        named.append(void["voided_by"][0])
        ids.append(signed(stage)["id"])
    assert [one["id"] for one in signatures(stage)] == ids
    assert [one["valid"] for one in signatures(stage)] == [False] * len(RECORD) + [True]
    assert signatures(stage)[0]["voided_by"] == named
    assert {"entry": stage.ids["entry_id"], "excuse": stage.ids["excuse_id"]}.items() <= {
        one["entity"]: one["entity_id"] for one in named
    }.items()


def change(stage: Stage, act: Act) -> None:
    answer = act.by(stage, stage.house.doctor)
    assert answer.status_code in (200, 201), (act.name, answer.text)


def test_what_the_patient_reports_afterwards_voids_it(stage: Stage) -> None:
    """It comes in beside the locked record, and whoever reads the signature is told."""
    signed(stage)
    stage.house.turn(hours=1)
    entry = fresh()
    done(stage.house.report(stage.patient, id=entry), 201)
    [one] = signatures(stage)
    assert one["valid"] is False
    assert [(by["verb"], by["entity_id"]) for by in one["voided_by"]] == [("entry:stored", entry)]


def test_a_page_that_goes_on_ringing_does_not_void_it(stage: Stage) -> None:
    """An episode is open when the casebook is signed, and the ladder climbs: the record says nothing else."""
    house = stage.house
    before = signed(stage)
    house.turn(minutes=30)
    assert house.pages(), "nobody was called, so nothing is proved"
    [one] = signatures(stage)
    assert (one["id"], one["valid"], one["voided_by"]) == (before["id"], True, [])


def test_a_new_number_to_call_does_not_void_it(stage: Stage) -> None:
    """A locked record takes it, so it is no change of the record."""
    house = stage.house
    signed(stage)
    contact = {"contact": {"name": "Wang Xiaoming", "phone": "13900139111"}}
    done(house.nurse.call("PATCH", stage.at, contact, {"If-Match": "*"}), 200)
    [one] = signatures(stage)
    assert (one["valid"], one["voided_by"]) == (True, [])
