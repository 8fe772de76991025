"""Physician global assessment on 0-3: marks at 0 none, 1 mild, 2 moderate, 3 severe (Piga 2022, PISCOS consensus)."""

from dataclasses import dataclass
from decimal import Decimal

from backend.instruments.logic import Truth

MAXIMUM = Decimal(3)
SCALES = {"0-3": Decimal(3), "0-100": Decimal(100)}
# SRI counts an increase of 10 % of the scale or more as worsening (Furie 2009).
WORSENED_FROM = Decimal("0.3")


@dataclass(frozen=True, slots=True)
class Assessment:
    """`pga` on 0-3 with the digits the scale allows."""

    pga: Decimal | None


def score(value: Decimal | None, scale: str | None) -> Assessment:
    """The mark carried to 0-3. ValueError for a value off its scale or an unknown scale."""
    if value is None or scale is None:
        return Assessment(None)
    most = SCALES.get(scale)
    if most is None or not 0 <= value <= most:
        raise ValueError(f"{value} is not on the scale {scale}")
    return Assessment(value if most == MAXIMUM else value * MAXIMUM / most)


def not_worse(before: Decimal | None, now: Decimal | None) -> Truth:
    """Whether the increase stays below 0.3: exactly 0.3 is worsening."""
    return None if before is None or now is None else now - before < WORSENED_FROM
