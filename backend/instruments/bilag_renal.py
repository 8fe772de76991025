"""The renal system of BILAG-2004 (items 78-89): six features, and how protein, creatinine and pressure have moved.

Structure and numbers as in the index (Isenberg 2005); where a legacy implementation differs on a boundary the
published text holds: a fall of exactly 25 % is an improvement, creatinine of exactly 130 % is no feature.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from backend.instruments.logic import Reason

# Protein measures and what is mild, marked and severe in each: above .25/25, from .5/50, above 1/100.
PROTEIN = ("urine_protein_24h_g", "upcr_mg_per_mmol", "acr_mg_per_mmol")
_SCALE = {"urine_protein_24h_g": Decimal(1), "upcr_mg_per_mmol": Decimal(100), "acr_mg_per_mmol": Decimal(100)}
SEVERE, MARKED, MILD = Decimal(1), Decimal("0.5"), Decimal("0.25")
IMPROVED_TO = Decimal("0.75")  # of the previous value: a fall of 25 % or more

CREATININE_UMOL_L = Decimal(130)
CREATININE_SEVERE_RISE, CREATININE_RISE = Decimal("1.30"), Decimal("1.15")
GFR, GFR_FALL, GFR_LOW = Decimal(80), Decimal("0.67"), Decimal(50)
SYSTOLIC, DIASTOLIC, SYSTOLIC_RISE, DIASTOLIC_RISE = Decimal(140), Decimal(90), Decimal(30), Decimal(15)
DIPSTICK_MARKED, DIPSTICK_MILD = 2, 1

# Features 1-6 of category A; two of them, one of which is one of the deciding, make grade A.
YES_NO = {
    "accelerated_hypertension": 2,
    "active_urinary_sediment": 4,
    "active_nephritis_histology_3m": 5,
    "nephrotic_syndrome": 6,
}
DECIDING = frozenset({1, 4, 5})
Values = Mapping[str, Any]  # Decimal, int or truth by name; None or absent where unknown


def activity(current: Values, previous: Values | None, *, worst: bool) -> tuple[str | None, tuple[Reason, ...]]:
    """Grade A-C with what gave it, else None. `worst`: as if every value that is unknown were as bad as can be.

    Without a previous value nothing has fallen, and nothing can be shown to have risen.
    """
    before = previous or {}
    features = _features(current, before, worst=worst)
    if len(features) >= 2 and DECIDING & features.keys():
        return "A", tuple(features.values())
    if features:
        return "B", tuple(features.values())
    if found := [reason for test in _B_TESTS if (reason := test(current, before)) is not None]:
        return "B", tuple(found)
    if worst and _protein_unknown(current):
        return "B", (Reason("protein_unknown"),)
    if worst and _function_unknown(current):
        return "B", (Reason("renal_function_unknown"),)
    if found := [reason for test in _C_TESTS if (reason := test(current, before)) is not None]:
        return "C", tuple(found)
    if worst and _pressure_unknown(current, before):
        return "C", (Reason("pressure_unknown"),)
    return None, ()


def _features(current: Values, before: Values, *, worst: bool) -> dict[int, Reason]:
    """The features of category A that are there, by number."""
    found = {}
    protein = _protein_reaches(current, before, SEVERE, strictly=True) or _dipstick_risen(current, before, 2, 0)
    if protein is not None:
        found[1] = Reason("severe_proteinuria", protein.values)
    elif worst and _protein_unknown(current):
        found[1] = Reason("protein_unknown")
    function = _severe_deterioration(current, before)
    if function is not None:
        found[3] = function
    elif worst and _function_unknown(current):
        found[3] = Reason("renal_function_unknown")
    for name, number in YES_NO.items():
        if current.get(name) is True or (worst and current.get(name) is None):
            found[number] = Reason(name, {name: current.get(name)})
    return dict(sorted(found.items()))


# --- Protein --------------------------------------------------------------------------------------------------


def _measured(current: Values) -> tuple[str, ...]:
    return tuple(name for name in PROTEIN if current.get(name) is not None)


def _protein_unknown(current: Values) -> bool:
    """Without a quantity, unless the dipstick is negative: a positive one may be any amount."""
    return not _measured(current) and current.get("dipstick_level") != 0


def _protein_reaches(current: Values, before: Values, limit: Decimal, *, strictly: bool) -> Reason | None:
    """One measure beyond the limit that has not fallen by 25 %; any one of several suffices."""
    for name in _measured(current):
        value, last, scaled = current[name], before.get(name), limit * _SCALE[name]
        beyond = value > scaled if strictly else value >= scaled
        if beyond and (last is None or value > last * IMPROVED_TO):
            return Reason("proteinuria", {name: value, f"previous_{name}": last})
    return None


def _marked_proteinuria(current: Values, before: Values) -> Reason | None:
    return _protein_reaches(current, before, MARKED, strictly=False)


def _mild_proteinuria(current: Values, _before: Values) -> Reason | None:
    for name in _measured(current):
        if current[name] > MILD * _SCALE[name]:
            return Reason("mild_or_improving_proteinuria", {name: current[name]})
    return None


def _dipstick_risen(current: Values, before: Values, by: int, to_at_least: int) -> Reason | None:
    """Only where no quantitative result exists."""
    level, last = current.get("dipstick_level"), before.get("dipstick_level")
    if _measured(current) or level is None or last is None or level - last < by or level < to_at_least:
        return None
    return Reason("dipstick_risen", {"dipstick_level": level, "previous_dipstick_level": last})


def _dipstick_marked(current: Values, before: Values) -> Reason | None:
    return _dipstick_risen(current, before, 1, DIPSTICK_MARKED)


def _dipstick_positive(current: Values, _before: Values) -> Reason | None:
    level = current.get("dipstick_level")
    if _measured(current) or level is None or level < DIPSTICK_MILD:
        return None
    return Reason("dipstick_positive", {"dipstick_level": level})


# --- Function -------------------------------------------------------------------------------------------------


def _function_unknown(current: Values) -> bool:
    """Without a filtration, unless a creatinine within the limit stands in: a raised one may go with any."""
    creatinine = current.get("creatinine_umol_l")
    return current.get("gfr") is None and (creatinine is None or creatinine > CREATININE_UMOL_L)


def _beyond(value: Decimal | None, limit: Decimal | None) -> bool:
    return value is not None and limit is not None and value > limit


def _times(value: Decimal | None, factor: Decimal) -> Decimal | None:
    return None if value is None else value * factor


def _severe_deterioration(current: Values, before: Values) -> Reason | None:
    creatinine, last = current.get("creatinine_umol_l"), before.get("creatinine_umol_l")
    gfr, last_gfr = current.get("gfr"), before.get("gfr")
    if _beyond(creatinine, CREATININE_UMOL_L) and _beyond(creatinine, _times(last, CREATININE_SEVERE_RISE)):
        return Reason("severe_deterioration", {"creatinine_umol_l": creatinine, "previous_creatinine_umol_l": last})
    if gfr is None:
        return None
    fallen = gfr < GFR and last_gfr is not None and gfr < last_gfr * GFR_FALL
    newly_low = gfr < GFR_LOW and (last_gfr is None or last_gfr > GFR_LOW)
    if fallen or newly_low:
        return Reason("severe_deterioration", {"gfr": gfr, "previous_gfr": last_gfr})
    return None


def _creatinine_risen(current: Values, before: Values) -> Reason | None:
    creatinine, last = current.get("creatinine_umol_l"), before.get("creatinine_umol_l")
    if creatinine is None or last is None or creatinine <= CREATININE_UMOL_L:
        return None
    if not last * CREATININE_RISE <= creatinine <= last * CREATININE_SEVERE_RISE:
        return None
    return Reason("creatinine_risen", {"creatinine_umol_l": creatinine, "previous_creatinine_umol_l": last})


# --- Pressure -------------------------------------------------------------------------------------------------


def _pressure(values: Values) -> tuple[Any, Any]:
    return values.get("systolic_mmhg"), values.get("diastolic_mmhg")


def _pressure_unknown(current: Values, before: Values) -> bool:
    """Whether a half that was not measured could have completed the rise."""
    halves = zip(_pressure(current), _pressure(before), _RAISED, strict=True)
    could = [last is not None and (now is None or _is_raised(now, last, limits)) for now, last, limits in halves]
    return all(could) and None in _pressure(current)


_RAISED = ((SYSTOLIC, SYSTOLIC_RISE), (DIASTOLIC, DIASTOLIC_RISE))


def _is_raised(now: Any, last: Any, limits: tuple[Decimal, Decimal]) -> bool:
    return bool(now > limits[0] and now - last >= limits[1])


def _pressure_risen(current: Values, before: Values) -> Reason | None:
    """Both halves: above 140/90, and by 30/15 or more."""
    now, last = _pressure(current), _pressure(before)
    if None in (*now, *last) or not all(map(_is_raised, now, last, _RAISED)):
        return None
    return Reason("pressure_risen", {"systolic_mmhg": now[0], "diastolic_mmhg": now[1]})


def flags(current: Values, previous: Values | None) -> tuple[Reason, ...]:
    """What a person should know beside the grade: a raised creatinine that nothing can show to have risen."""
    creatinine, last = current.get("creatinine_umol_l"), (previous or {}).get("creatinine_umol_l")
    if last is not None or not _beyond(creatinine, CREATININE_UMOL_L):
        return ()
    return (Reason("creatinine_without_previous", {"creatinine_umol_l": creatinine}),)


Test = Callable[[Values, Values], Reason | None]
_B_TESTS: tuple[Test, ...] = (_marked_proteinuria, _dipstick_marked, _creatinine_risen)
_C_TESTS: tuple[Test, ...] = (_mild_proteinuria, _dipstick_positive, _pressure_risen)
