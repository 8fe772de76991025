"""`make run`: one demo installation on this machine, from nothing to a printed address.

Not for live use: it binds to loopback, keeps its data in one folder, and rebuilds the made-up trial when it
is older than twelve hours. The live installation starts gunicorn and the worker as services of their own.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

PYTHON = sys.executable


def main() -> int:
    """Prepare, start web and worker, print, wait; returns the exit status."""
    asked = argparse.ArgumentParser(prog="make run")
    asked.add_argument("--port", type=int, default=8000)
    asked.add_argument("--data", type=Path, default=Path("data"))
    options = asked.parse_args()
    data: Path = options.data.resolve()
    data.mkdir(parents=True, exist_ok=True)
    env = _environment(data, options.port)
    _prepare(data, env)
    return _run(data, options.port, env)


def _environment(data: Path, port: int) -> dict[str, str]:
    return {
        **os.environ,
        "DAYMARK_MODE": "demo",
        "DATABASE_URL": f"sqlite:///{data}/daymark.db",
        "MESSAGES_FILE": str(data / "messages.jsonl"),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "SMS_GATEWAY": "console",
    }


def _flask(env: dict[str, str], *words: str) -> int:
    return subprocess.run([PYTHON, "-m", "flask", "--app", "wsgi", *words], env=env, check=False).returncode  # noqa: S603


def _prepare(data: Path, env: dict[str, str]) -> None:
    """Migrate, and load the trial where there is none or it has grown old."""
    accounts = data / "demo-accounts.json"
    fresh = (data / "daymark.db").exists() and accounts.exists()
    if fresh and _flask(env, "db", "upgrade") == 0 and _flask(env, "demo", "age") == 0:
        return
    print("Making the demo trial: seven subjects, about half a minute …", flush=True)
    for old in ("daymark.db", "daymark.db-wal", "daymark.db-shm", "messages.jsonl", "demo-accounts.json"):
        with contextlib.suppress(FileNotFoundError):
            (data / old).unlink()
    for words in (("db", "upgrade"), ("demo", "load", "--accounts", str(accounts))):
        if _flask(env, *words) != 0:
            raise SystemExit(f"`flask {' '.join(words)}` failed")


def _run(data: Path, port: int, env: dict[str, str]) -> int:
    web = [PYTHON, "-m", "gunicorn", "wsgi:app", "--bind", f"127.0.0.1:{port}", "--workers", "2", "--threads", "4",
           "--worker-class", "gthread", "--log-level", "warning"]  # fmt: skip
    log = (data / "web.log").open("a", encoding="utf-8")
    running = [
        subprocess.Popen(web, env=env, stdout=log, stderr=log),  # noqa: S603
        subprocess.Popen([PYTHON, "-m", "flask", "--app", "wsgi", "worker"], env=env, stderr=log),  # noqa: S603
    ]
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _stop(running))
    try:
        if not _ready(port, running):
            print(f"Daymark did not start; see {data / 'web.log'}", file=sys.stderr)
            return 1
        _greet(data, port)
        while all(one.poll() is None for one in running):
            time.sleep(0.3)
        return 0 if all(one.poll() in (None, 0, -signal.SIGTERM) for one in running) else 1
    finally:
        _stop(running)
        for one in running:
            one.wait()
        log.close()


def _stop(running: list[subprocess.Popen[bytes]]) -> None:
    for one in running:
        if one.poll() is None:
            one.terminate()


def _ready(port: int, running: list[subprocess.Popen[bytes]]) -> bool:
    """Wait until web and worker answer, at most a minute."""
    for _ in range(240):
        if any(one.poll() is not None for one in running):
            return False
        try:
            for page in ("readyz", "healthz/worker"):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=2).close()
            return True
        except OSError:
            time.sleep(0.25)
    return False


def _greet(data: Path, port: int) -> None:
    shown = json.loads((data / "demo-accounts.json").read_text(encoding="utf-8"))
    print(f"\nDaymark demo on http://127.0.0.1:{port}   API: http://127.0.0.1:{port}/api/docs")
    print(f"Sign-ins are in {data / 'demo-accounts.json'}; texts appear below and in {data / 'messages.jsonl'}\n")
    for one in shown["staff"]:
        print(f"  {one['role']:24} {one['username']:14} {one['password']}   TOTP secret {one['totp_secret']}")
    for one in shown["subjects"]:
        print(f"  subject {one['number']}              activation code {one['activation_code']}")
    print("\nMade-up people only. Stop with Ctrl-C.\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
