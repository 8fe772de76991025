"""An operator gives new secrets, or ends an account; both end what was open."""

from auth_world import PASSWORD, World


def run(world: World, *words: str, text: str = "") -> tuple[int, str]:
    result = world.app.test_cli_runner().invoke(args=list(words), input=text)
    return result.exit_code, result.output


def test_new_secrets_end_the_old_sessions_and_open_new_ones(world: World) -> None:
    token = world.token(world.nurse)
    other = "another long password"
    status, shown = run(world, "staff", "reset", "nurse", text=f"{other}\n{other}\n")
    assert status == 0, shown
    assert world.get("/me", token).json["code"] == "token_revoked"
    assert world.sign_in(world.nurse).status_code == 401
    world.nurse.totp_secret = shown.split("secret=")[1].split("&")[0]
    assert world.sign_in(world.nurse, password=other).status_code == 200
    assert world.sign_in(world.nurse, password=PASSWORD).status_code == 401
    assert len(world.trail("account:reset")) == 1


def test_an_ended_account_opens_nothing(world: World) -> None:
    token = world.token(world.nurse)
    assert run(world, "staff", "end", "nurse", "--reason", "left the hospital")[0] == 0
    assert world.get("/me", token).status_code == 401
    assert world.sign_in(world.nurse).status_code == 401
    assert [row.reason for row in world.trail("account:ended")] == ["left the hospital"]


def test_somebody_unknown_and_a_short_password_are_refused(world: World) -> None:
    assert run(world, "staff", "end", "nobody", "--reason", "x")[0] == 1
    assert run(world, "staff", "reset", "nurse", text="short\nshort\n")[0] == 1
