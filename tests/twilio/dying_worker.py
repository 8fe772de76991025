"""A real worker in a process of its own that kills itself with SIGKILL at a step of its choice, or lives.

DIE_AT: before_claim, after_claim, in_call (the provider has taken it), before_record; nothing: it lives.
DIE_AFTER: at which time that this step is reached. Waits are shortened, nothing else differs from `flask worker`.
"""

import os
import signal
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

from api.app import create_app
from backend import installation
from notifications import delivery, worker
from notifications.gateways.choose import Installed

_reached = count(1)


def perhaps_die(*_: Any) -> None:
    if next(_reached) == int(os.environ["DIE_AFTER"]):
        os.kill(os.getpid(), signal.SIGKILL)


def dying(act: Callable[..., Any], *, first: bool) -> Callable[..., Any]:
    """The act with death before it, or after it and before anybody hears of it."""

    def done(*given: Any, **named: Any) -> Any:
        if first:
            perhaps_die()
        found = act(*given, **named)
        if not first:
            perhaps_die()
        return found

    return done


def main() -> None:
    delivery.LEASE = timedelta(seconds=1)
    delivery.LOOK_AFTER, delivery.RECEIPT_WAIT = timedelta(seconds=0.3), timedelta(seconds=2)
    delivery.PAGE_RETRY = timedelta(seconds=0.3)
    worker.POLL_S = 0.05
    worker._EVERY_S.update(sweeper=0.2, ladder=0.2)
    app = create_app()
    with app.app_context():
        gateways = Installed(installation.settings())
        gateway = gateways.by("twilio")
    step = os.environ.get("DIE_AT", "")
    if step == "before_claim":
        delivery._claim = dying(delivery._claim, first=True)  # type: ignore[assignment]
    elif step == "after_claim":
        delivery._begin = dying(delivery._begin, first=True)  # type: ignore[assignment]
    elif step == "in_call":
        gateway.send = dying(gateway.send, first=False)  # type: ignore[method-assign]
    elif step == "before_record":
        delivery._record = dying(delivery._record, first=True)  # type: ignore[assignment]
    worker.Worker(app, gateways, page_senders=2, reminder_senders=1).run()


if __name__ == "__main__":
    main()
