"""Whether pages leave now: what the health page, the phone's wording and the dead-man check outside are told."""

from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
import sqlalchemy as sa
from house import House
from werkzeug.test import TestResponse

from backend import outbox
from backend.db import db, transaction
from backend.models.outbox import Message
from notifications import heartbeat


def beat(house: House, seconds_ago: float = 0, *names: str) -> None:
    with house.app.app_context(), transaction():
        at = house.now - timedelta(seconds=seconds_ago)
        heartbeat.write(dict.fromkeys(names or ("pages-1", "ladder"), (at, None)))


def health(house: House) -> TestResponse:
    return house.app.test_client().get("/healthz/worker")


def waiting_page(house: House, seconds: float) -> None:
    with house.app.app_context(), transaction():
        outbox.post(
            key="page:1", lane=outbox.PAGE, site_id=house.site_id, account_id=house.doctor.id, template="test_page",
            variables={"number": 1, "time": "14:02"}, language="en", due_at=house.now - timedelta(seconds=seconds),
            now=house.now,
        )  # fmt: skip


def waits_since(house: House, seconds: float, **values: object) -> dict[str, object]:
    """Health, a page being due so long and having been tried in between."""
    beat(house)
    waiting_page(house, seconds)
    with house.app.app_context(), transaction():
        db.session.execute(
            sa.update(Message).values(attempts=4, next_try_at=house.now + timedelta(seconds=15), **values)
        )
    return dict(health(house).json)


def deadman(house: House, *words: str) -> tuple[int, str]:
    done = house.app.test_cli_runner().invoke(args=["deadman", *words])
    return done.exit_code, done.output


def test_no_worker_has_ever_run(house: House) -> None:
    assert (health(house).status_code, health(house).json["status"]) == (503, "no worker has run")
    assert deadman(house)[0] == 1


def test_all_is_well(house: House) -> None:
    beat(house)
    assert (health(house).status_code, health(house).json) == (
        200,
        {"status": "ok", "late": [], "details": {}, "age_s": {"ladder": 0, "pages-1": 0}, "page_waits_s": 0},
    )
    assert deadman(house) == (0, "ok; oldest beat 0 s, oldest page waits 0 s\n")


def test_a_loop_that_stands_still(house: House) -> None:
    beat(house, 61, "ladder")
    beat(house, 1, "pages-1")
    assert (health(house).status_code, health(house).json["late"]) == (503, ["ladder"])
    code, said = deadman(house)
    assert code == 1
    assert "late: ladder" in said


@pytest.mark.parametrize(("seconds", "late"), [(60, []), (61, ["page"])])
def test_a_page_that_nobody_takes(house: House, seconds: float, late: list[str]) -> None:
    """Every loop turns and still nothing leaves: a fleet that is gone, a lane that nobody serves."""
    beat(house)
    waiting_page(house, seconds)
    assert health(house).json["late"] == late
    assert deadman(house)[0] == bool(late)


def test_a_page_that_a_provider_refuses_again_and_again(house: House) -> None:
    """Every try puts the next one off; the page waits all the same."""
    assert waits_since(house, 61)["late"] == ["page"]


def test_a_page_that_only_a_robot_refuses_is_told_beside(house: House) -> None:
    """Texts and calls go beside a robot, so that nobody waits for it."""
    assert waits_since(house, 61, medium="wecom")["late"] == []


def test_what_a_loop_says_is_wrong_is_shown(house: House) -> None:
    with house.app.app_context(), transaction():
        heartbeat.write({"reminders-1": (house.now, "stopped by the provider: 20003")})
    assert health(house).json["details"] == {"reminders-1": "stopped by the provider: 20003"}
    assert "reminders-1: stopped by the provider: 20003" in deadman(house)[1]


def test_loops_of_a_worker_of_another_size_are_forgotten(house: House) -> None:
    beat(house, 61, "pages-3")
    beat(house, 59, "pages-2")
    beat(house, 0, "pages-1")
    with house.app.app_context(), transaction():
        heartbeat.forget_others({"pages-1"})
        assert set(heartbeat.pulse().ages) == {"pages-1", "pages-2"}, "one that beats may be another worker's"


@pytest.fixture
def watcher() -> Iterator[tuple[str, list[str]]]:
    """Somebody outside who listens."""
    heard: list[str] = []

    class Ear(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)
            self.send_response(500 if "broken" in self.path else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Ear)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", heard
    server.shutdown()
    server.server_close()


def test_the_watcher_outside_hears_only_good_news(house: House, watcher: tuple[str, list[str]]) -> None:
    url, heard = watcher
    assert deadman(house, "--ping", f"{url}/it")[0] == 1
    assert heard == []
    beat(house)
    assert deadman(house, "--ping", f"{url}/it")[0] == 0
    assert heard == ["/it"]
    assert deadman(house, "--ping", f"{url}/broken")[0] == 1
