"""SRI-4: SLEDAI fallen by 4 or more, PGA not worse by 0.3, no new BILAG A and at most one new B, against baseline.

Furie 2009 (SRI); Navarra 2011 (BLISS). The original uses SELENA-SLEDAI, this trial SLEDAI-2K.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from backend.instruments import pga, sledai2k
from backend.instruments.bilag2004 import GRADES
from backend.instruments.logic import Reason, Truth, every

FALL = 4
NEW_B_ALLOWED = 1
_NEW_B, _NEW_A = 1, NEW_B_ALLOWED + 1
# What a system's grade may be: one letter where it is known, several where items were not done.
Possible = Collection[str]
# What a SLEDAI-2K may be: the least and the most, equal where it is known.
Bounds = tuple[int, int]
ANY_SLEDAI: Bounds = (0, sledai2k.MAXIMUM)


@dataclass(frozen=True, slots=True)
class State:
    """What is compared: both numbers may be unknown; a system's grade is a letter, or None."""

    sledai_2k: int | None = None
    pga: Decimal | None = None
    bilag: Mapping[str, str | None] | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """`evaluable`: the answer is known, and the baseline left room for one. `responder_with_nri`: unknown is no."""

    responder: Truth
    components: Mapping[str, Truth]
    new_bilag_a: tuple[str, ...]
    new_bilag_b: tuple[str, ...]
    evaluable: bool
    responder_with_nri: bool
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Worsening:
    """New grades that are certain, the systems that leave it open, and whether the criterion holds."""

    new_a: tuple[str, ...]
    new_b: tuple[str, ...]
    unknown: tuple[str, ...]
    truth: Truth


def score(baseline: State | None, visit: State | None, prohibited_or_rescue_treatment: bool | None = False) -> Response:
    """The response of one visit. A system that neither side lists is not part of the comparison (the registration's
    eight); one that only one side lists is unknown on the other."""
    before, now = baseline or State(), visit or State()
    return respond(
        (_bounds(before.sledai_2k), _bounds(now.sledai_2k)),
        (before.pga, now.pga),
        {system: _possible(letter) for system, letter in (before.bilag or {}).items()},
        {system: _possible(letter) for system, letter in (now.bilag or {}).items()},
        prohibited_or_rescue_treatment,
    )


def respond(
    sledai: tuple[Bounds, Bounds],
    global_assessment: tuple[Decimal | None, Decimal | None],
    bilag_before: Mapping[str, Possible],
    bilag_now: Mapping[str, Possible],
    rescue: bool | None,
) -> Response:
    """The same where what was not assessed leaves a score bounds, and a system several possible grades."""
    worse = worsening(bilag_before, bilag_now)
    components = {"sledai": _fallen(*sledai), "pga": pga.not_worse(*global_assessment), "bilag": worse.truth}
    unaided = None if rescue is None else not rescue
    responder = every(*components.values(), unaided)
    too_low = sledai[0][1] < FALL
    return Response(
        responder=responder,
        components=components,
        new_bilag_a=worse.new_a,
        new_bilag_b=worse.new_b,
        evaluable=responder is not None and not too_low,
        responder_with_nri=responder is True,
        reasons=tuple(_reasons(components, unaided, too_low=too_low, worse=worse)),
    )


def _possible(letter: str | None) -> Possible:
    return GRADES if letter is None else (letter,)


def _bounds(score: int | None) -> Bounds:
    return ANY_SLEDAI if score is None else (score, score)


def _fallen(before: Bounds, now: Bounds) -> Truth:
    """Whether the least that it can have fallen by is enough, or the most is not."""
    if before[0] - now[1] >= FALL:
        return True
    return False if before[1] - now[0] < FALL else None


def worsening(before: Mapping[str, Possible], now: Mapping[str, Possible]) -> Worsening:
    """New A: A now, not at baseline. New B: B now and C, D or E at baseline; B that was A is an improvement.

    A new B uses up one of the new B that are allowed, a new A more than all of them; the criterion holds if even the
    worst of the possible grades stay within it, and fails if even the best do not.
    """
    systems = tuple(dict.fromkeys((*before, *now)))
    used = {system: _used(before.get(system, GRADES), now.get(system, GRADES)) for system in systems}
    least, most = (sum(pick(some) for some in used.values()) for pick in (min, max))
    truth = False if least > NEW_B_ALLOWED else True if systems and most <= NEW_B_ALLOWED else None
    return Worsening(
        new_a=tuple(system for system in systems if used[system] == {_NEW_A}),
        new_b=tuple(system for system in systems if used[system] == {_NEW_B}),
        unknown=tuple(system for system in systems if len(used[system]) > 1),
        truth=truth,
    )


def _used(was: Possible, becomes: Possible) -> set[int]:
    """What a system may use up of the new B that are allowed, over all grades it may have had and may have now."""
    return {
        _NEW_A if new == "A" and old != "A" else _NEW_B if new == "B" and old not in ("A", "B") else 0
        for old in was
        for new in becomes
    }


def _reasons(components: Mapping[str, Truth], unaided: Truth, *, too_low: bool, worse: Worsening) -> list[Reason]:
    found = []
    if too_low:
        found.append(Reason("baseline_sledai_below_4"))
    for name, truth in components.items():
        if truth is not True:
            found.append(Reason(f"{name}_{'not_met' if truth is False else 'unknown'}"))
    if worse.new_a or worse.new_b:
        found.append(Reason("new_bilag", {"a": worse.new_a, "b": worse.new_b}))
    if components["bilag"] is None and worse.unknown:
        found.append(Reason("bilag_systems_unknown", {"systems": worse.unknown}))
    if unaided is not True:
        found.append(Reason("rescue_treatment" if unaided is False else "rescue_treatment_unknown"))
    return found
