"""Staff: password and one-time code, lock-out, confirmation before signing, and the PIN for a shift."""

from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import VerifyMismatchError
from auth_world import World, on_both
from house import PASSWORD

from backend import crypto
from backend.db import db, transaction
from backend.models.people import Account


def test_the_right_name_password_and_code_open_a_session(world: World) -> None:
    answer = world.sign_in(world.nurse, username=" NURSE ")
    assert answer.status_code == 200
    assert answer.json["staff"] == {
        "id": str(world.nurse.id),
        "name": "Nurse",
        "role": "nurse",
        "username": "nurse",
        "locale": "en",
    }
    assert answer.json["expires_in"] == 900
    me = world.get("/me", answer.json["access_token"])
    assert (me.status_code, me.json["strength"], [site["code"] for site in me.json["sites"]]) == (200, "full", ["NJ"])
    assert "activation:issue" in me.json["actions"]
    [opened] = world.trail("session:opened")
    assert (opened.actor_id, opened.actor_role) == (world.nurse.id, "nurse")


def test_wrong_name_wrong_password_and_wrong_code_look_the_same(world: World) -> None:
    answers = [
        world.sign_in(world.nurse, username="nobody"),
        world.sign_in(world.nurse, password="wrong"),
        world.sign_in(world.nurse, totp="000000"),
    ]
    bodies = [{**answer.json, "request_id": None} for answer in answers]
    assert answers[0].status_code == 401
    assert bodies[0]["code"] == "credentials_wrong"
    assert bodies[0] == bodies[1] == bodies[2]
    assert [row.entity_id for row in world.trail("session:refused")] == ["unknown", *[str(world.nurse.id)] * 2]


def test_an_unknown_name_costs_a_hash_as_hard_as_a_known_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    verified = []
    real = crypto.password_matches
    monkeypatch.setattr(
        crypto, "password_matches", lambda stored, given: verified.append(stored) or real(stored, given)
    )
    world.sign_in(world.nurse, username="nobody")
    world.sign_in(world.nurse, password="wrong")
    assert len(verified) == 2
    assert extract_parameters(crypto._NOBODY) == extract_parameters(PasswordHasher().hash("x"))
    with pytest.raises(VerifyMismatchError):  # and not InvalidHashError, which is found at once
        PasswordHasher().verify(crypto._NOBODY, "x")


def test_a_one_time_code_works_once_and_within_a_step(world: World) -> None:
    code = world.next_code(world.nurse)
    assert world.sign_in(world.nurse, totp=code).status_code == 200
    assert world.sign_in(world.nurse, totp=code).status_code == 401
    world.time.turn(seconds=30)
    late = world.totp(world.nurse)
    world.time.turn(seconds=30)
    assert world.sign_in(world.nurse, totp=late).status_code == 200
    world.time.turn(seconds=30)
    too_late = world.totp(world.nurse)
    world.time.turn(seconds=60)
    assert world.sign_in(world.nurse, totp=too_late).status_code == 401


def test_a_wrong_password_does_not_use_up_the_code(world: World) -> None:
    code = world.next_code(world.nurse)
    assert world.sign_in(world.nurse, totp=code, password="wrong").status_code == 401
    assert world.sign_in(world.nurse, totp=code).status_code == 200


@on_both
def test_five_failures_lock_whichever_process_counts_them(world: World) -> None:
    here, there = world.app, world.process()
    for n in range(5):
        world.app = (here, there)[n % 2]
        assert world.sign_in(world.nurse, password="wrong").json["code"] == "credentials_wrong"
    for world.app in (there, here):
        refused = world.sign_in(world.nurse)
        assert (refused.status_code, refused.json["code"]) == (401, "locked_out")
    assert 0 < int(refused.headers["Retry-After"]) <= 15 * 60
    world.time.turn(minutes=15)
    assert world.sign_in(world.nurse).status_code == 200


def test_locks_double_up_to_a_day_and_fall_with_the_right_password(world: World) -> None:
    minutes = []
    for _ in range(9):
        for _ in range(5):
            assert world.sign_in(world.nurse, password="wrong").status_code == 401
        [account] = world.rows(sa.select(Account).where(Account.id == world.nurse.id))
        minutes.append((account.locked_until - world.time.at).total_seconds() / 60)
        world.time.turn(minutes=minutes[-1])
    assert minutes == [15, 30, 60, 120, 240, 480, 960, 1440, 1440]
    assert world.sign_in(world.nurse).status_code == 200
    [account] = world.rows(sa.select(Account).where(Account.id == world.nurse.id))
    assert (account.failed, account.locked_until) == (0, None)


@on_both
def test_a_guess_that_was_under_way_when_the_lock_fell_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = crypto.password_matches

    def five_others_fail_meanwhile(stored: str | None, given: str) -> bool:
        monkeypatch.setattr(crypto, "password_matches", real)
        for _ in range(5):
            world.sign_in(world.nurse, password="wrong")
        return real(stored, given)

    monkeypatch.setattr(crypto, "password_matches", five_others_fail_meanwhile)
    assert world.sign_in(world.nurse).json["code"] == "locked_out"


def test_an_ended_account_is_out_at_once(world: World) -> None:
    token = world.token(world.nurse)
    with world.app.app_context(), transaction():
        db.session.get_one(Account, world.nurse.id).active = False
    assert world.get("/me", token).json["code"] == "token_revoked"
    assert world.sign_in(world.nurse).json["code"] == "credentials_wrong"


def test_hashing_never_happens_inside_a_transaction(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def outside(real: Any) -> Any:
        def hashed(*args: Any) -> Any:
            seen.append(db.session.registry.has() and db.session().in_transaction())
            return real(*args)

        return hashed

    monkeypatch.setattr(crypto, "password_matches", outside(crypto.password_matches))
    monkeypatch.setattr(crypto, "hash_password", outside(crypto.hash_password))
    token = world.token(world.nurse)
    world.client().put(
        "/api/v1/auth/staff/pin",
        json={"pin": "4821", "device_name": "ward"},
        headers={"Authorization": f"Bearer {token}"},
    )
    world.post("/auth/confirm", token, password=PASSWORD, totp=world.next_code(world.nurse))
    world.pin_in(world.activate().json["device"]["id"])
    assert seen == [False] * 5


# --- confirmation ------------------------------------------------------------------------------


def test_confirming_needs_both_secrets_and_counts_as_signing_in_does(world: World) -> None:
    token = world.token(world.nurse)
    good = world.post("/auth/confirm", token, password=PASSWORD, totp=world.next_code(world.nurse))
    assert (good.status_code, good.json["expires_in"]) == (200, 300)
    assert world.get("/me", good.json["access_token"]).status_code == 200
    world.time.turn(minutes=5)
    assert world.get("/me", good.json["access_token"]).json["code"] == "token_expired"
    for _ in range(5):
        bad = world.post("/auth/confirm", token, password="wrong", totp=world.next_code(world.nurse))
        assert bad.json["code"] == "credentials_wrong"
    assert world.sign_in(world.nurse).json["code"] == "locked_out"


def test_patients_have_nothing_to_sign(world: World) -> None:
    token = world.activate().json["access_token"]
    assert world.post("/auth/confirm", token, password="x", totp="000000").status_code == 403


# --- the PIN of a shift ------------------------------------------------------------------------


def put_pin(world: World, token: str) -> Any:
    body = {"pin": "4821", "device_name": "ward 7"}
    return world.client().put("/api/v1/auth/staff/pin", json=body, headers={"Authorization": f"Bearer {token}"})


def test_a_pin_brings_staff_back_until_the_shift_ends(world: World) -> None:
    set_pin = put_pin(world, world.token(world.nurse))
    assert set_pin.status_code == 200
    device = set_pin.json["device_id"]
    world.time.turn(hours=11)
    back = world.pin_in(device)
    assert (back.status_code, back.json["staff"]["username"], back.json["account"]) == (200, "nurse", None)
    assert world.get("/me", back.json["access_token"]).json["strength"] == "pin"
    assert put_pin(world, back.json["access_token"]).status_code == 403
    renewed = world.post("/auth/refresh", refresh_token=back.json["refresh_token"])
    world.time.turn(hours=1)
    assert world.pin_in(device).json["code"] == "token_expired"
    assert world.get("/me", renewed.json["access_token"]).status_code == 401
    assert world.post("/auth/refresh", refresh_token=renewed.json["refresh_token"]).status_code == 401


def test_patients_set_no_staff_pin(world: World) -> None:
    assert put_pin(world, world.activate().json["access_token"]).status_code == 403


def test_an_unknown_device_looks_like_a_wrong_pin(world: World) -> None:
    unknown = world.pin_in(str(uuid4()))
    assert (unknown.status_code, unknown.json["code"]) == (401, "credentials_wrong")
