"""BILAG-2004: a grade A-E for each of nine systems, why, and whether an item not done could have raised it.

Isenberg 2005 (index), Yee 2010 (numeric coding A=12 B=8 C=1). Codes of an item: 0 not present, 1 improving, 2 same,
3 worse, 4 new, "ND" not done. Of no activity the grade is D where the system was ever involved, else E.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backend.instruments import bilag_haematology, bilag_renal
from backend.instruments.bilag_items import CODED, LISTS, NUMBERS, SYSTEMS
from backend.instruments.logic import Reason

GRADES = ("A", "B", "C", "D", "E")
POINTS = {"A": 12, "B": 8, "C": 1, "D": 0, "E": 0}
MAXIMUM = 108
NOT_DONE = "ND"
_ACTIVE_FROM, _MOST_ACTIVE = 2, 4  # same, worse and new are active; improving is not
Code = int | str | None


@dataclass(frozen=True, slots=True)
class Graded:
    """`grade` A-E (None where D and E cannot be told apart); `worst` what it could be were all unknowns active."""

    grade: str | None
    incomplete: bool
    reasons: tuple[Reason, ...]
    worst: str | None


@dataclass(frozen=True, slots=True)
class Total:
    """`numeric_total` 0-108, None while a system has no grade; `count` of each grade that is known."""

    numeric_total: int | None
    minimum_known_total: int
    count: Mapping[str, int] = field(default_factory=dict)


def grade(
    system: str,
    previously_involved: bool | None = None,
    items: Mapping[int, Code] | None = None,
    unlisted_items: Code = None,
    current: Mapping[str, Any] | None = None,
    previous: Mapping[str, Any] | None = None,
) -> Graded:
    """The grade of one system.

    For the seven coded systems `items` (number → code) and the code of every item not listed; for renal and
    haematological `current` and for renal `previous` (None on a first visit), keys as in `bilag_items`, Decimal or
    truth. ValueError for an unknown system or an item of another one.
    """
    if system in CODED:
        codes = _codes(system, items or {}, unlisted_items)
        seen = _coded(system, {number: code for number, code in codes.items() if code is not None})
        worst, _ = _coded(system, {n: _MOST_ACTIVE if code is None else code for n, code in codes.items()})
    elif system == "renal":
        seen = bilag_renal.activity(current or {}, previous, worst=False)
        worst, _ = bilag_renal.activity(current or {}, previous, worst=True)
    elif system == "haematological":
        seen = bilag_haematology.activity(current or {}, worst=False)
        worst, _ = bilag_haematology.activity(current or {}, worst=True)
    else:
        raise ValueError(f"no system of BILAG-2004: {system}")
    found, reasons = seen
    inactive = {True: "D", False: "E", None: None}[previously_involved]
    if found is None:
        word = {True: "ever_involved", False: "never_involved", None: "involvement_unknown"}[previously_involved]
        reasons = (Reason(word),)
    if system == "renal":
        reasons = (*reasons, *bilag_renal.flags(current or {}, previous))
    return Graded(
        grade=found or inactive,
        incomplete=worst != found or (found is None and inactive is None),
        reasons=reasons,
        worst=worst or inactive,
    )


def _codes(system: str, items: Mapping[int, Code], unlisted: Code) -> dict[int, int | None]:
    """A code for every item of the system; None where not done or unknown."""
    if strange := set(items) - set(NUMBERS[system]):
        raise ValueError(f"no {system} item of BILAG-2004: {min(strange)}")
    given = {number: items.get(number, unlisted) for number in NUMBERS[system]}
    return {number: code if isinstance(code, int) else None for number, code in given.items()}


def _coded(system: str, codes: Mapping[int, int]) -> tuple[str | None, tuple[Reason, ...]]:
    """Grade A-C of the items that were done, evaluated over all of them, and the rule that gave it; else None."""
    rules = _constitutional(codes) if system == "constitutional" else _listed(system, codes)
    for letter, rule, numbers in rules:
        if numbers:
            return letter, (Reason(rule, {str(number): codes[number] for number in sorted(numbers)}),)
    return None, ()


def _active(codes: Mapping[int, int], numbers: Any) -> set[int]:
    return {number for number in numbers if codes.get(number, 0) >= _ACTIVE_FROM}


def _improving(codes: Mapping[int, int], numbers: Any) -> set[int]:
    return {number for number in numbers if codes.get(number) == 1}


def _present(codes: Mapping[int, int], numbers: Any) -> set[int]:
    return {number for number in numbers if codes.get(number, 0) > 0}


def _constitutional(codes: Mapping[int, int]) -> list[tuple[str, str, set[int]]]:
    pyrexia, others = _active(codes, (1,)), _active(codes, (2, 3, 4))
    several = others if len(others) >= 2 else set()
    return [
        ("A", "pyrexia_and_two_others_active", pyrexia | several if pyrexia and several else set()),
        ("B", "pyrexia_active", pyrexia),
        ("B", "two_others_active", several),
        ("C", "pyrexia_improving_or_another_present", _improving(codes, (1,)) | _present(codes, (2, 3, 4))),
    ]


def _listed(system: str, codes: Mapping[int, int]) -> list[tuple[str, str, set[int]]]:
    lists = LISTS[system]
    return [
        ("A", "list_a_active", _active(codes, lists.a)),
        ("B", "list_a_improving", _improving(codes, lists.a)),
        ("B", "list_b_active", _active(codes, lists.b)),
        ("C", "list_b_improving", _improving(codes, lists.b)),
        ("C", "list_c_present", _present(codes, lists.c)),
    ]


def total(grades: Mapping[str, str | None]) -> Total:
    """The numeric total over the nine systems. ValueError for an unknown system or grade."""
    for system, letter in grades.items():
        if system not in SYSTEMS or letter not in (*GRADES, None):
            raise ValueError(f"no grade of BILAG-2004: {system} {letter}")
    known = {system: letter for system in SYSTEMS if (letter := grades.get(system)) is not None}
    points = sum(POINTS[letter] for letter in known.values())
    return Total(
        numeric_total=points if len(known) == len(SYSTEMS) else None,
        minimum_known_total=points,
        count={letter: list(known.values()).count(letter) for letter in GRADES},
    )


def registration_view(grades: Mapping[str, str | None], systems: tuple[str, ...] = SYSTEMS) -> dict[str, str | None]:
    """The registration's A-D over the systems its sponsor names: E is printed D; the stored letters stay."""
    return {system: "D" if grades.get(system) == "E" else grades.get(system) for system in systems}
