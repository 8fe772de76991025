"""What every provider of our own does as it is told: answer, refuse, accept and fail, hang; on a local port.

For tests and for developers; nothing else uses it.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

# What the next request may be told to do. Those that begin with `accept` take the message first; digits are a status.
OK = "ok"
ACCEPT_THEN_500, ACCEPT_THEN_HANG, ACCEPT_THEN_DROP = "accept_then_500", "accept_then_hang", "accept_then_drop"
BUSY, BROKEN, HANG = "429", "503", "hang"


class Scripted:
    """A WSGI application that is told what its next requests do."""

    def __init__(self) -> None:
        self.released = Event()  # lets hanging requests go
        self.arrived = Event()  # set by every request
        self._script: deque[str | int] = deque()
        self._always: str | int = OK
        self._lock = Lock()

    def will(self, *what: str | int, always: str | int | None = None) -> None:
        """What the next requests that send do, one each: a word of this module, or an error code to refuse with.

        `always`: what every one does after those.
        """
        with self._lock:
            self._script.extend(what)
            if always is not None:
                self._always = always

    def _told(self) -> str | int:
        with self._lock:
            return self._script.popleft() if self._script else self._always

    def _fails_before(self, told: str | int) -> int | None:
        """The status of a request that is not taken; after a hang too, when nobody waits any more."""
        if told == HANG:
            self.released.wait(60)
            return int(BROKEN)
        return int(told) if isinstance(told, str) and told.isdigit() else None

    def _fails_after(self, told: str | int) -> int | None:
        """The status of a request that was taken and is not answered as such."""
        if told == ACCEPT_THEN_HANG:
            self.released.wait(60)
        if told == ACCEPT_THEN_DROP:
            raise ConnectionAbortedError
        return 500 if told == ACCEPT_THEN_500 else None

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        raise NotImplementedError


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        pass

    def connection_dropped(self, error: BaseException, environ: Any = None) -> None:
        pass


@contextmanager
def serving(fake: Scripted, port: int = 0) -> Iterator[str]:
    """Serve it on a local port; its address."""
    server = make_server("127.0.0.1", port, fake, threaded=True, request_handler=_Quiet)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        fake.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
