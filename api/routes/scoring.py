"""Scoring without a record: one door per instrument, the same functions that score a visit. Nothing is stored."""

from typing import Any

from api.answer_schemas import answer_schema
from api.doors import Caller, Room
from api.fields import Body
from api.scoring import CONTRACTS, score

room = Room("scoring", __name__, url_prefix="/api/v1/scoring", description="Instruments and outcomes, scored at once")


def _open(instrument: str, asked: type[Body], answers: type[Any]) -> None:
    def handler(caller: Caller, body: dict[str, Any]) -> Any:
        del caller
        return score(instrument, body)

    handler.__name__ = instrument
    handler.__doc__ = f"Score `{instrument}` from plain values; null is unknown, and nothing is stored."
    name = f"{asked.__name__.removesuffix('Input')}Score"
    door = room.door(
        "POST", f"/{instrument}", "scoring:use", body=asked, answer=answer_schema(answers, name), writes=False
    )
    door(handler)


for _instrument, (_asked, _answers) in CONTRACTS.items():
    _open(_instrument, _asked, _answers)
