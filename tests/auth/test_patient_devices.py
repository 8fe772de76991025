"""Patients' phones: the activation code, the PIN, the credential that can only send entries."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from auth_world import World, on_both

from api.doors import Room
from backend.models.people import Device


def faults(answer: object) -> list[tuple[str, str]]:
    return [(fault["path"], fault["code"]) for fault in answer.json["faults"]]  # type: ignore[attr-defined]


def test_a_code_makes_a_device_that_is_signed_in(world: World) -> None:
    answer = world.activate()
    assert answer.status_code == 200
    assert answer.json["account"]["id"] == str(world.patient_id)
    assert set(answer.json["device"]) == {"id", "credential"}
    me = world.get("/me", answer.json["access_token"]).json
    assert me["subjects"] == [{"id": str(world.subject_id), "number": "001"}]
    assert (me["kind"], me["strength"], me["name"]) == ("patient", "pin", "")
    [row] = world.trail("device:activated")
    assert (row.chain, row.actor_id) == (str(world.subject_id), world.patient_id)


def test_a_code_is_read_however_it_is_typed(world: World) -> None:
    code = world.code()
    assert world.activate(f" {code.lower().replace('-', ' – ')} ").status_code == 200


@on_both
def test_of_two_phones_that_type_one_code_one_gets_in(world: World) -> None:
    code = world.code()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: world.activate(code), range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 422, 422, 422]
    assert len(world.rows(sa.select(Device.id))) == 1


def test_a_code_works_once(world: World) -> None:
    code = world.code()
    assert world.activate(code).status_code == 200
    again = world.activate(code)
    assert (again.status_code, again.json["code"], faults(again)) == (422, "invalid", [("/code", "code_used")])


def test_a_code_ends_after_72_hours(world: World) -> None:
    early, late = world.code(), None
    world.time.turn(hours=71, minutes=59)
    assert world.activate(early).status_code == 200
    late = world.code()
    world.time.turn(hours=72)
    assert faults(world.activate(late)) == [("/code", "code_expired")]


def test_a_newer_code_ends_the_older(world: World) -> None:
    older, newer = world.code(), world.code()
    assert faults(world.activate(older)) == [("/code", "code_expired")]
    assert world.activate(newer).status_code == 200


def test_an_unknown_code_says_so(world: World) -> None:
    assert faults(world.activate("AAAAA-AAAAA")) == [("/code", "code_unknown")]


@pytest.mark.parametrize("pin", ["123", "12a4", "1234567890123", "１２３４", "1234\n", ""])
def test_a_pin_is_four_to_twelve_digits(world: World, pin: str) -> None:
    answer = world.activate("AAAAA-AAAAA", pin=pin)
    assert answer.status_code == 422
    assert faults(answer)[0][0] == "/pin"


def test_five_wrong_pins_lock_the_device_for_a_while(world: World) -> None:
    device = world.activate().json["device"]["id"]
    for _ in range(5):
        assert world.pin_in(device, "0000").json["code"] == "credentials_wrong"
    assert world.pin_in(device).json["code"] == "locked_out"
    world.time.turn(minutes=15)
    assert world.pin_in(device).status_code == 200
    assert world.rows(sa.select(Device.failed)) == [0]


def test_a_lock_of_one_phone_leaves_the_other_open(world: World) -> None:
    first, second = (world.activate().json["device"]["id"] for _ in range(2))
    for _ in range(5):
        world.pin_in(first, "0000")
    assert world.pin_in(second).status_code == 200


def test_a_forgotten_pin_needs_a_new_code_and_nothing_else(world: World) -> None:
    world.activate(pin="1111")
    again = world.activate(pin="2222")
    assert world.pin_in(again.json["device"]["id"], "2222").status_code == 200


# --- the credential ----------------------------------------------------------------------------

PUBLIC = (
    "/api/v1/auth/staff/sign-in",
    "/api/v1/auth/activate",
    "/api/v1/auth/sign-in",
    "/api/v1/auth/refresh",
    "/api/v1/openapi.json",
    "/api/v1/webhooks/",
)


def test_the_credential_opens_no_door_but_the_entries(world: World) -> None:
    header = {"Authorization": f"Device {world.activate().json['device']['credential']}"}
    tried, client = 0, world.client()
    for rule in world.app.url_map.iter_rules():
        if not rule.rule.startswith("/api/v1/") or (
            rule.rule.startswith(PUBLIC) and not rule.rule.endswith("sign-out")
        ):
            continue
        for method in rule.methods - {"OPTIONS", "HEAD"}:
            if (method, rule.rule.split("<")[0]) == ("PUT", "/api/v1/me/entries/"):
                continue
            path = rule.build(dict.fromkeys(rule.arguments, world.subject_id), append_unknown=False)[1]
            answer = client.open(path, method=method, headers=header)
            assert answer.status_code == 401, f"{method} {rule.rule} answered {answer.status_code}"
            tried += 1
    assert tried >= 6


@pytest.fixture
def letterbox(world: World) -> None:
    """A door that lets device credentials in, as that of the entries does."""
    room = Room("letterbox", __name__, url_prefix="/letterbox")

    @room.door("PUT", "", "entry:report", device=True)
    def take(caller):  # type: ignore[no-untyped-def]
        return {"strength": caller.strength, "account": caller.id}

    world.app.register_blueprint(room)


def test_the_credential_outlives_locks_and_dies_with_a_sign_out_everywhere(world: World, letterbox: None) -> None:
    activated = world.activate().json
    header = {"Authorization": f"Device {activated['device']['credential']}"}
    for _ in range(6):
        world.pin_in(activated["device"]["id"], "0000")
    taken = world.client().put("/letterbox", headers=header)
    assert (taken.status_code, taken.json) == (200, {"strength": "device", "account": str(world.patient_id)})
    out = world.post("/auth/sign-out", activated["access_token"], everywhere=True)
    assert out.json == {"devices_ended": [activated["device"]["id"]]}
    assert world.client().put("/letterbox", headers=header).json["code"] == "token_revoked"
    world.time.turn(minutes=15)
    assert world.pin_in(activated["device"]["id"]).json["code"] == "token_revoked"


def test_signing_out_here_leaves_the_device_known(world: World, letterbox: None) -> None:
    activated = world.activate().json
    assert world.post("/auth/sign-out", activated["access_token"]).status_code == 200
    assert world.get("/me", activated["access_token"]).json["code"] == "token_revoked"
    assert world.post("/auth/refresh", refresh_token=activated["refresh_token"]).json["code"] == "token_revoked"
    header = {"Authorization": f"Device {activated['device']['credential']}"}
    assert world.client().put("/letterbox", headers=header).status_code == 200
    assert world.pin_in(activated["device"]["id"]).status_code == 200


def test_a_made_up_credential_is_refused(world: World, letterbox: None) -> None:
    answer = world.client().put("/letterbox", headers={"Authorization": "Device made-up"})
    assert (answer.status_code, answer.json["code"]) == (401, "token_invalid")
