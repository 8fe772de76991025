"""The numbers of the demo: who has which lupus, and how each laboratory value runs after CD19 CAR-T cells. Pure.

Made up, in the size of the published series of CD19 CAR-T cells in refractory lupus: copies peak near day 10, B cells
are gone by day 14 and back after month 4, anti-dsDNA and protein fall, complement rises. Nobody's data.
"""

import random
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

LABORATORY = "Demonstration Hospital Laboratory"
# The laboratory's limits in the study's units: lower, upper.
LIMITS: Mapping[str, tuple[str | None, str | None]] = {
    "wbc": ("3.5", "9.5"),
    "anc": ("1.8", "6.3"),
    "lymphocytes": ("1.1", "3.2"),
    "platelets": ("125", "350"),
    "haemoglobin": ("115", "150"),
    "crp": (None, "10"),
    "ferritin": ("30", "400"),
    "il6": (None, "7"),
    "fibrinogen": ("2.0", "4.0"),
    "alt": (None, "40"),
    "ast": (None, "35"),
    "bilirubin": (None, "23"),
    "creatinine": ("41", "81"),
    "igg": ("8.6", "17.4"),
    "c3": ("0.79", "1.52"),
    "c4": ("0.16", "0.38"),
    "anti_dsdna": (None, "20"),
    "urine_protein_24h": (None, "0.15"),
    "urine_rbc": (None, "3"),
    "urine_wbc": (None, "5"),
    "b_cells": ("90", "560"),
}
COPIES_FROM = Decimal(50)  # fewer CAR copies are below the assay's limit of quantification

Knots = tuple[tuple[int, float], ...]  # (study day, value), joined by straight lines
COURSES: Mapping[str, Knots] = {
    "wbc": (
        (-8, 5.2),
        (-5, 5.0),
        (0, 2.7),
        (3, 2.35),
        (7, 2.3),
        (14, 2.9),
        (28, 3.7),
        (60, 4.4),
        (90, 4.9),
        (180, 5.6),
    ),
    "anc": ((-8, 3.5), (-5, 3.4), (0, 2.1), (3, 1.7), (7, 1.35), (14, 1.9), (28, 2.5), (90, 3.2), (180, 3.6)),
    "lymphocytes": (
        (-5, 0.85),
        (0, 0.14),
        (3, 0.17),
        (7, 0.3),
        (14, 0.56),
        (28, 0.82),
        (60, 1.1),
        (90, 1.3),
        (180, 1.6),
    ),
    "platelets": ((-5, 206), (0, 168), (7, 120), (10, 113), (14, 136), (28, 178), (90, 220)),
    "haemoglobin": ((-5, 105), (0, 99), (7, 93), (14, 96), (28, 102), (60, 111), (90, 118), (180, 125)),
    "crp": ((-20, 7), (0, 6), (3, 10), (7, 19), (10, 15), (14, 7), (28, 4), (180, 2)),
    "ferritin": ((-20, 225), (0, 235), (5, 330), (10, 420), (14, 330), (28, 220), (90, 140), (180, 110)),
    "il6": ((-20, 9), (0, 7), (3, 18), (7, 46), (10, 34), (14, 12), (28, 6), (180, 3)),
    "fibrinogen": ((0, 3.2), (10, 2.6), (14, 2.9)),
    "alt": ((0, 22), (7, 34), (14, 27), (28, 20)),
    "ast": ((0, 24), (7, 31), (14, 25), (28, 21)),
    "bilirubin": ((0, 9),),
    "creatinine": ((0, 66), (90, 63)),
    "igg": ((0, 15), (28, 9.5), (60, 7.4), (120, 6.2), (180, 7.2)),
    "c3": ((0, 0.5), (28, 0.68), (60, 0.93), (90, 1.0), (180, 1.08)),
    "c4": ((0, 0.07), (28, 0.13), (60, 0.18), (90, 0.21), (180, 0.24)),
    "urine_wbc": ((0, 2),),
    "b_cells": ((-20, 118), (-5, 110), (13, 0), (90, 0), (120, 14), (150, 46), (180, 88)),
    "car_copies": (
        *((0, 0), (1, 240), (3, 900), (5, 5200), (7, 19000), (10, 41000), (14, 17500), (17, 8200)),
        *((21, 3600), (28, 1100), (60, 160), (90, 20), (180, 0)),
    ),
}
# Multiples of the subject's own value before treatment.
OF_BASELINE: Mapping[str, Knots] = {
    "anti_dsdna": ((0, 1), (28, 0.45), (60, 0.2), (90, 0.08), (120, 0.05), (180, 0.03)),
    "urine_protein_24h": ((0, 1), (28, 0.55), (60, 0.3), (90, 0.18), (180, 0.08)),
    "urine_rbc": ((0, 1), (28, 0.22), (60, 0.1)),
    "pga": ((0, 1), (28, 0.56), (60, 0.36), (90, 0.24), (120, 0.16), (150, 0.12), (180, 0.08)),
}
_DIGITS: Mapping[str, str] = {
    **dict.fromkeys(("wbc", "anc", "lymphocytes", "c3", "c4", "urine_protein_24h"), "0.01"),
    **dict.fromkeys(("fibrinogen", "igg", "pga"), "0.1"),
}
_FROM_DAY: tuple[tuple[int, str], ...] = ((-8, "7.5"), (29, "5"), (91, "2.5"), (121, "0"))
_BEFORE = "15"


@dataclass(frozen=True, slots=True)
class Patient:
    """A made-up patient. `active`: SLEDAI-2K descriptors that no value tells, by the last study day they were seen.

    `before`: own values before treatment; `otherwise`: courses that run differently from the others'.
    """

    organs: tuple[str, ...]
    active: Mapping[str, int]
    before: Mapping[str, float]
    weight_kg: str
    otherwise: Mapping[str, Knots] = field(default_factory=dict)


def _before(anti_dsdna: float, protein: float, rbc: float, pga: float) -> Mapping[str, float]:
    return {"anti_dsdna": anti_dsdna, "urine_protein_24h": protein, "urine_rbc": rbc, "pga": pga}


PATIENTS: Mapping[str, Patient] = {
    "S01": Patient(("joints", "skin"), {"arthritis": 30, "rash": 30}, _before(120, 0.1, 1, 1.9), "55.0"),
    "S02": Patient(
        ("joints", "skin"), {"arthritis": 12, "rash": 20, "alopecia": 40}, _before(150, 0.1, 2, 1.9), "61.5"
    ),
    "S03": Patient(
        ("joints", "skin"), {"arthritis": 12, "rash": 20, "mucosal_ulcers": 10}, _before(180, 0.12, 1, 2.0), "52.0"
    ),
    "S04": Patient(
        ("kidney", "skin"),
        {"rash": 20},
        _before(260, 1.4, 14, 2.2),
        "58.5",
        {
            "anc": ((-5, 3.4), (0, 1.9), (3, 1.5), (5, 1.2)),
            "platelets": ((-5, 190), (0, 155), (3, 124), (5, 108)),
        },
    ),
    "S05": Patient(
        ("joints", "kidney"),
        {"arthritis": 12, "alopecia": 40},
        _before(230, 1.2, 3, 2.1),
        "49.5",
        {
            "crp": ((-20, 7), (0, 6), (3, 11), (5, 22), (7, 26)),
            "il6": ((-20, 9), (0, 7), (3, 20), (5, 44), (7, 58)),
        },
    ),
    "S06": Patient(("joints", "kidney", "skin"), {"arthritis": 12, "rash": 20}, _before(210, 1.6, 3, 2.3), "63.0"),
    "S07": Patient(
        ("joints", "kidney"),
        {"arthritis": 14},
        _before(320, 2.1, 18, 2.5),
        "56.0",
        {  # neutropenia of grade 4 after lymphodepletion, over by day 12
            "wbc": (
                (-5, 4.8),
                (0, 2.3),
                (3, 2.15),
                (5, 1.3),
                (7, 1.1),
                (10, 1.2),
                (12, 2.2),
                (14, 2.7),
                (28, 3.6),
                (180, 5.4),
            ),
            "anc": ((-5, 3.2), (0, 1.7), (3, 1.12), (5, 0.45), (7, 0.31), (10, 0.42), (12, 1.2), (14, 1.8), (90, 3.1)),
        },
    ),
}


def value_on(number: str, code: str, day: int) -> Decimal:
    """What is measured of a subject on a study day: the course, a little up or down, the same every time."""
    patient = PATIENTS[number]
    if code in patient.before:
        mean = patient.before[code] * _between(OF_BASELINE[code], day)
    else:
        mean = _between(patient.otherwise.get(code) or COURSES[code], day)
    chance = random.Random(f"{number} {code} {day}")  # noqa: S311  # a repeatable story, no secret
    return Decimal(mean * chance.uniform(0.97, 1.03)).quantize(Decimal(_DIGITS.get(code, "1")))


def _between(knots: Knots, day: int) -> float:
    """The line at a day; before the first knot and after the last one it is level."""
    place = bisect_right([at for at, _ in knots], day)
    if place == 0 or place == len(knots):
        return knots[min(place, len(knots) - 1)][1]
    (before, low), (after, high) = knots[place - 1], knots[place]
    return low + (high - low) * (day - before) / (after - before)


def is_low(number: str, code: str, day: int) -> bool:
    """Below the laboratory's lower limit."""
    return value_on(number, code, day) < Decimal(LIMITS[code][0] or 0)


def is_high(number: str, code: str, day: int) -> bool:
    """Above the laboratory's upper limit."""
    return value_on(number, code, day) > Decimal(LIMITS[code][1] or "Infinity")


def prednisone_on(day: int) -> Decimal:
    """mg a day, tapered from cell collection on, and at the visits of months 1, 3 and 4."""
    doses = [mg for since, mg in _FROM_DAY if since <= day]
    return Decimal(doses[-1] if doses else _BEFORE)


def prednisone_from() -> tuple[tuple[int | None, Decimal], ...]:
    """(first study day, mg a day) of each step of the taper; None: taken since long before."""
    return ((None, Decimal(_BEFORE)), *((since, Decimal(mg)) for since, mg in _FROM_DAY))
