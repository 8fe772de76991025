"""The demo's gateway: prints each text and appends it to the messages file. Numbers are masked. Never live."""

import json
import sys
from pathlib import Path
from threading import Lock
from typing import TextIO

from backend import clock
from backend.channels import SMS
from notifications.gateways.base import Outcome, Outgoing, Unasked, accepted
from notifications.texts import segments


def masked(number: str) -> str:
    """A number by its country code and last two digits."""
    return number[:3] + "*" * max(len(number) - 5, 0) + number[-2:] if len(number) > 7 else "*" * len(number)


class ConsoleGateway(Unasked):
    """`messages_file` gets one JSON object a line: `{id, lane, medium, to, template, language, text, at}`."""

    name = "console"

    def __init__(self, messages_file: str | None = None, out: TextIO | None = None) -> None:
        self._file = Path(messages_file) if messages_file else None
        self._out = out
        self._lock = Lock()

    def send(self, outgoing: Outgoing) -> Outcome:
        for one in (outgoing, *outgoing.also):
            self._print(one)
        return accepted(f"console-{outgoing.message_id}", segments.count(outgoing.text()))

    def _print(self, outgoing: Outgoing) -> None:
        text = outgoing.text()
        line = {
            "id": str(outgoing.message_id),
            "lane": outgoing.lane,
            "medium": outgoing.medium,
            "to": masked(outgoing.to),
            "template": outgoing.template,
            "language": outgoing.language,
            "text": text,
            "at": clock.now().isoformat().replace("+00:00", "Z"),
        }
        with self._lock:
            way = "" if outgoing.medium == SMS else f" {outgoing.medium}"
            print(f"[{line['lane']}{way}] {line['to']}: {text}", file=self._out or sys.stdout, flush=True)
            if self._file:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                with self._file.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps(line, ensure_ascii=False) + "\n")
