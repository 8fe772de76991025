"""A provider on a local port that answers as it is told and keeps every request. No framework, no network."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode(), keep_blank_values=True).items()}


@dataclass
class Provider:
    """`answers` are used up one a request, the last one for ever: (status, JSON, headers), "hang" or "drop"."""

    url: str = ""
    answers: list[Any] = field(default_factory=lambda: [(201, {"sid": "SM1", "status": "queued", "num_segments": "1"})])
    seen: list[Request] = field(default_factory=list)
    released: Event = field(default_factory=Event)

    def next_answer(self) -> Any:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def serving() -> Iterator[Provider]:
    provider = Provider()

    class Handler(BaseHTTPRequestHandler):
        def _take(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            provider.seen.append(
                Request(self.command, parts.path, parse_qs(parts.query), dict(self.headers.items()), body)
            )
            answer = provider.next_answer()
            if answer == "hang":
                provider.released.wait(10)
            elif answer != "drop":
                self._say(*answer)

        def _say(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
            text = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = _take  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield provider
    finally:
        provider.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
