"""One laboratory value graded by CTCAE v5.0, in few words: the grade and the rules that made it."""

from decimal import Decimal

from backend.instruments.ctcae import Grade
from backend.scoring import INSTRUMENTS

COUNT = "10*9/L"


def graded(term: str, value: str | Decimal | None, unit: str | None, **limits: str | Decimal | None) -> Grade:
    """One value, with `lln`, `uln` and `baseline` in its unit."""
    numbers = {name: None if one is None else Decimal(one) for name, one in limits.items()}
    answer: Grade = INSTRUMENTS["ctcae"](
        version="5.0", term=term, value=None if value is None else Decimal(value), unit=unit, **numbers
    )
    return answer


def rules(answer: Grade) -> list[str]:
    return [reason.rule for reason in answer.reasons]
