"""CTCAE v5.0 grades of laboratory values and of fever (NCI, 2017). A proposal: an adverse event is graded by a person.

Grades that need a clinician (anaemia 4, albumin 4, fever above 40.0 for more than 24 h) are never given here. Of liver
enzymes, GGT and bilirubin an abnormal baseline (above its upper limit) replaces the limit; one that is not known is
taken as normal, which never grades too low, and the reason says so. Of creatinine and fibrinogen an unknown baseline
(of creatinine an unknown limit too) could make the grade worse: there is none then, but the least it can be. CRS and
ICANS have their own (`astct`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from backend.instruments import units
from backend.instruments.logic import Reason

VERSIONS = ("5.0",)
LN, BASE = "lln", "baseline"


@dataclass(frozen=True, slots=True)
class Grade:
    """`grade` 0-4; None where it hangs on a limit or value that is unknown."""

    grade: int | None
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Low:
    """Grades of a fall: below `steps[0]` (None: the lower limit of normal) is grade 1, below each further one more."""

    unit: str
    steps: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class High:
    """Grades of a rise, in multiples of the upper limit; of an abnormal baseline in multiples of that.

    `from_baseline`: the first multiple of an abnormal baseline that is grade 1; `inclusive`: and itself counts.
    """

    unit: str
    steps: tuple[Decimal, ...]
    from_baseline: Decimal | None = None
    inclusive: bool = False


def _d(*numbers: str) -> tuple[Decimal, ...]:
    return tuple(Decimal(number) for number in numbers)


# Grade 1 begins below the laboratory's lower limit; the steps are where grades 2, 3 and 4 begin.
FALLS: Mapping[str, Low] = {
    "neutrophils": Low("10*9/L", _d("1.5", "1.0", "0.5")),
    "wbc": Low("10*9/L", _d("3.0", "2.0", "1.0")),
    "lymphocytes": Low("10*9/L", _d("0.8", "0.5", "0.2")),
    "cd4": Low("10*9/L", _d("0.5", "0.2", "0.05")),
    "platelets": Low("10*9/L", _d("75", "50", "25")),
    "haemoglobin": Low("g/L", _d("100", "80")),
    "albumin": Low("g/L", _d("30", "20")),
}
# Above the first is grade 1, above each further one a grade more.
RISES: Mapping[str, High] = {
    "alt": High("U/L", _d("1", "3", "5", "20"), Decimal("1.5"), inclusive=True),
    "ast": High("U/L", _d("1", "3", "5", "20"), Decimal("1.5"), inclusive=True),
    "ggt": High("U/L", _d("1", "2.5", "5", "20"), Decimal("2"), inclusive=True),
    "bilirubin": High("umol/L", _d("1", "1.5", "3", "10"), Decimal("1")),
}
CREATININE_OF_ULN, CREATININE_OF_BASELINE = _d("1", "1.5", "3", "6"), _d("1.5", "3")
FIBRINOGEN_OF_LLN, FIBRINOGEN_FALL_PCT = _d("1", "0.75", "0.5", "0.25"), _d("25", "50", "75")
FIBRINOGEN_LEAST = Decimal("0.5")  # g/L, grade 4 whatever the limit
INR = _d("1.2", "1.5", "2.5")
FEVER_FROM, FEVER = Decimal("38.0"), _d("39.0", "40.0")
UNITS: Mapping[str, str] = {
    **{term: low.unit for term, low in FALLS.items()},
    **{term: high.unit for term, high in RISES.items()},
    "creatinine": "umol/L",
    "fibrinogen": "g/L",
    "inr": "1",
    "fever": "Cel",
}
TERMS = tuple(UNITS)
WORSE_BELOW = (*FALLS, "fibrinogen")  # the others are worse above
# CTCAE v5.0 name and system organ class (by our key) of each.
EVENTS: Mapping[str, tuple[str, str]] = {
    "neutrophils": ("Neutrophil count decreased", "investigations"),
    "wbc": ("White blood cell decreased", "investigations"),
    "lymphocytes": ("Lymphocyte count decreased", "investigations"),
    "cd4": ("CD4 lymphocytes decreased", "investigations"),
    "platelets": ("Platelet count decreased", "investigations"),
    "haemoglobin": ("Anemia", "blood"),
    "alt": ("Alanine aminotransferase increased", "investigations"),
    "ast": ("Aspartate aminotransferase increased", "investigations"),
    "ggt": ("GGT increased", "investigations"),
    "bilirubin": ("Blood bilirubin increased", "investigations"),
    "creatinine": ("Creatinine increased", "investigations"),
    "fibrinogen": ("Fibrinogen decreased", "investigations"),
    "inr": ("INR increased", "investigations"),
    "albumin": ("Hypoalbuminemia", "metabolism"),
    "fever": ("Fever", "general"),
}


class WrongUnit(ValueError):
    """The unit is none of the term's."""


def grade(
    version: str,
    term: str,
    value: Decimal | None = None,
    unit: str | None = None,
    lln: Decimal | None = None,
    uln: Decimal | None = None,
    baseline: Decimal | None = None,
) -> Grade:
    """The grade of one value; limits and baseline in the value's unit. ValueError for an unknown version or term."""
    if version not in VERSIONS or term not in UNITS:
        raise ValueError(f"no term of CTCAE {version}: {term}")
    if value is None or unit is None:
        return Grade(
            None,
            (Reason("unknown", {"missing": tuple(k for k, v in (("value", value), ("unit", unit)) if v is None)}),),
        )
    by = units.factor(term, units.ucum(unit), UNITS[term])
    if by is None:
        raise WrongUnit(f"{term} comes in {', '.join(units.accepted(term, UNITS[term]))}")
    x, low, high, base = (None if one is None else one * by for one in (value, lln, uln, baseline))
    assert x is not None
    if term in FALLS:
        return _fall(x, low, FALLS[term])
    if term in RISES:
        return _rise(x, high, base, RISES[term])
    if term == "creatinine":
        return _creatinine(x, high, base)
    if term == "fibrinogen":
        return _fibrinogen(x, low, base)
    if term == "inr":
        return Grade(_above(x, INR), (Reason("inr", {"value": x}),))
    return _fever(x)


def _above(value: Decimal, steps: tuple[Decimal, ...]) -> int:
    return sum(value > step for step in steps)


def _below(value: Decimal, steps: tuple[Decimal, ...]) -> int:
    return sum(value < step for step in steps)


def _fall(value: Decimal, lln: Decimal | None, low: Low) -> Grade:
    steps = _below(value, low.steps)
    if steps:
        return Grade(steps + 1, (Reason("below", {"value": value, "limit": low.steps[steps - 1], "unit": low.unit}),))
    if lln is None:
        return Grade(None, (Reason("unknown", {"missing": ("lln",), "at_most": 1}),))
    return Grade(int(value < lln), (Reason("lower_limit", {"value": value, "lln": lln, "unit": low.unit}),))


def _rise(value: Decimal, uln: Decimal | None, baseline: Decimal | None, high: High) -> Grade:
    if uln is None:
        return Grade(None, (Reason("unknown", {"missing": ("uln",)}),))
    if baseline is None or baseline <= uln:
        found = _above(value, tuple(step * uln for step in high.steps))
        word = "of_upper_limit" if baseline is not None else "of_upper_limit_baseline_taken_as_normal"
        return Grade(found, (Reason(word, {"value": value, "uln": uln}),))
    assert high.from_baseline is not None
    first = high.from_baseline * baseline
    begun = value >= first if high.inclusive else value > first
    found = int(begun) + _above(value, tuple(step * baseline for step in high.steps[1:]))
    return Grade(found, (Reason("of_abnormal_baseline", {"value": value, "uln": uln, "baseline": baseline}),))


def _creatinine(value: Decimal, uln: Decimal | None, baseline: Decimal | None) -> Grade:
    """Grades 2 and 3 also by the subject's own baseline, the worse counts: below grade 3 it hangs on the baseline."""
    own = _above(value, tuple(step * baseline for step in CREATININE_OF_BASELINE)) if baseline is not None else 0
    own = own + 1 if own else 0
    if uln is None:
        least = {} if baseline is None else {"at_least": own}
        return Grade(None, (Reason("unknown", {"missing": ("uln",), **least}),))
    by_limit = _above(value, tuple(step * uln for step in CREATININE_OF_ULN))
    if baseline is None and by_limit < 3:
        return Grade(None, (Reason("unknown", {"missing": ("baseline",), "at_least": by_limit}),))
    word = "of_baseline" if own > by_limit else "of_upper_limit"
    return Grade(max(own, by_limit), (Reason(word, {"value": value, "uln": uln, "baseline": baseline}),))


def _fibrinogen(value: Decimal, lln: Decimal | None, baseline: Decimal | None) -> Grade:
    """By the lower limit or, of a value that is below it, by the fall from baseline; the worse counts."""
    if value < FIBRINOGEN_LEAST:
        return Grade(4, (Reason("below", {"value": value, "limit": FIBRINOGEN_LEAST, "unit": "g/L"}),))
    if lln is None:
        return Grade(None, (Reason("unknown", {"missing": ("lln",)}),))
    by_limit = _below(value, tuple(step * lln for step in FIBRINOGEN_OF_LLN))
    if baseline is None and 0 < by_limit < 4:
        return Grade(None, (Reason("unknown", {"missing": ("baseline",), "at_least": by_limit}),))
    own = 0
    if by_limit and baseline:
        fallen = (baseline - value) / baseline * 100
        own = 1 + sum(fallen >= step for step in FIBRINOGEN_FALL_PCT) if fallen > 0 else 0
    word = "fall_from_baseline" if own > by_limit else "of_lower_limit"
    return Grade(max(own, by_limit), (Reason(word, {"value": value, "lln": lln, "baseline": baseline}),))


def _fever(value: Decimal) -> Grade:
    found = int(value >= FEVER_FROM) + _above(value, FEVER)
    note = (Reason("grade_4_where_it_lasts_over_24_h"),) if found == 3 else ()
    return Grade(found, (Reason("temperature", {"value": value}), *note))
