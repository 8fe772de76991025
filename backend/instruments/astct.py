"""CRS and ICANS after ASTCT 2019 (Lee 2019), by what the clinician found and gave; and the 10-point ICE score.

Organ toxicity does not change these grades, and they are never mapped to CTCAE. Grade 5 is death and a person's to
record. A phone's report is no input here: Daymark says "compatible with", a clinician grades.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.instruments.logic import Reason, settled

HYPOTENSION = {"none": 0, "no_vasopressor": 2, "one_vasopressor": 3, "several_vasopressors": 4}
HYPOXIA = {"none": 0, "low_flow": 2, "high_flow": 3, "positive_pressure": 4}
CONSCIOUSNESS = {"awake": 0, "voice": 2, "touch": 3, "unrousable": 4}
SEIZURE = {"none": 0, "resolved": 3, "prolonged": 4}
RAISED_ICP = {"none": 0, "focal": 3, "diffuse": 4}
MOTOR_WEAKNESS = 4
ICE_MAXIMUM = 10


@dataclass(frozen=True, slots=True)
class Grade:
    """`grade` 0-4; None where it hangs on something unknown."""

    grade: int | None
    reasons: tuple[Reason, ...]


def crs(
    fever: bool | None = None,
    fever_masked: bool | None = None,
    hypotension: str | None = None,
    hypoxia: str | None = None,
) -> Grade:
    """CRS: fever, and the worse of hypotension and hypoxia.

    After an antipyretic, steroid or anticytokine (`fever_masked`) fever is no longer needed for grade 2 and above; the
    event must have begun with one, which a person knows.
    """
    given = {"fever": fever, "fever_masked": fever_masked, "hypotension": hypotension, "hypoxia": hypoxia}
    domains = {
        "fever": (True, False),
        "fever_masked": (True, False),
        "hypotension": HYPOTENSION,
        "hypoxia": HYPOXIA,
    }
    return _grade(_crs, given, domains)


def _crs(*, fever: bool, fever_masked: bool, hypotension: str, hypoxia: str) -> int:
    if not fever and not fever_masked:
        return 0
    return max(int(fever), HYPOTENSION[hypotension], HYPOXIA[hypoxia])


def icans(
    ice: int | None = None,
    consciousness: str | None = None,
    seizure: str | None = None,
    motor_weakness: bool | None = None,
    raised_icp: str | None = None,
) -> Grade:
    """ICANS: the most severe domain that has no other cause. ICE 0 in somebody who can be woken is grade 3."""
    given = {
        "ice": ice,
        "consciousness": consciousness,
        "seizure": seizure,
        "motor_weakness": motor_weakness,
        "raised_icp": raised_icp,
    }
    domains = {
        "ice": range(ICE_MAXIMUM + 1),
        "consciousness": CONSCIOUSNESS,
        "seizure": SEIZURE,
        "motor_weakness": (True, False),
        "raised_icp": RAISED_ICP,
    }
    return _grade(_icans, given, domains)


def _icans(*, ice: int, consciousness: str, seizure: str, motor_weakness: bool, raised_icp: str) -> int:
    return max(
        _of_ice(ice),
        CONSCIOUSNESS[consciousness],
        SEIZURE[seizure],
        MOTOR_WEAKNESS if motor_weakness else 0,
        RAISED_ICP[raised_icp],
    )


def _of_ice(ice: int) -> int:
    """10 none, 7-9 grade 1, 3-6 grade 2, 0-2 grade 3; grade 4 only for want of consciousness."""
    if ice == ICE_MAXIMUM:
        return 0
    return 1 if ice >= 7 else 2 if ice >= 3 else 3


def _grade(function: Any, given: Mapping[str, Any], domains: Mapping[str, Any]) -> Grade:
    """The grade, if everything unknown leaves it the same; and what made it, or what is missing."""
    known = {name: value for name, value in given.items() if value is not None}
    unknown = {name: domain for name, domain in domains.items() if name not in known}
    grade = settled(function, unknown, **known)
    if grade is None:
        return Grade(None, (Reason("unknown", {"missing": tuple(unknown)}),))
    if function is _crs and not given["fever"] and grade == 0:
        return Grade(0, (Reason("no_fever", known),))
    return Grade(grade, tuple(_deciding(function, grade, known, domains)))


def _deciding(function: Any, grade: int, known: Mapping[str, Any], domains: Mapping[str, Any]) -> list[Reason]:
    """Each known finding that would give this grade by itself."""
    mildest: dict[str, Any] = {
        "fever": True,
        "fever_masked": False,
        "ice": ICE_MAXIMUM,
        "consciousness": "awake",
        "motor_weakness": False,
    }
    mild = {name: mildest.get(name, "none") for name in domains}
    alone = [name for name, value in known.items() if function(**{**mild, name: value}) == grade]
    return [Reason(name, {name: known[name]}) for name in alone if grade or name == "fever"]
