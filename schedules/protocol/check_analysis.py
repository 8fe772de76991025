"""Whether the settings of the analysis name what there is: measures, items, words of instruments.

The instruments live upstairs, where this floor may not look; `Words` is all it must know of them.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Protocol

from schedules.faults import Fault, pointer
from schedules.protocol.definition import Study


class Words(Protocol):
    """Terms with laboratory grades, and the systems of BILAG-2004."""

    @property
    def graded_terms(self) -> Collection[str]: ...
    @property
    def bilag_systems(self) -> Collection[str]: ...


def analysis_faults(study: Study, words: Words | None) -> Iterator[Fault]:
    """Every name that leads nowhere."""
    for assessment, codes in _mapping(study.analysis, "assessment_measures").items():
        path: tuple[object, ...] = ("analysis", "assessment_measures", assessment)
        if assessment not in study.assessments:
            yield Fault(pointer(path), "unknown_assessment", f"there is no assessment {assessment!r}")
        for index, code in enumerate(codes):
            if code not in study.measures:
                yield Fault(pointer((*path, index)), "unknown_measure", f"there is no measure {code!r}")
    for code, term in _mapping(study.analysis, "ctcae_terms").items():
        path = ("analysis", "ctcae_terms", code)
        if code not in study.measures:
            yield Fault(pointer(path), "unknown_measure", f"there is no measure {code!r}")
        if words is not None and term not in words.graded_terms:
            message = f"{term!r} has no laboratory grades; {', '.join(words.graded_terms)} have"
            yield Fault(pointer(path), "unknown_term", message)
    for index, system in enumerate(study.analysis.get("bilag2004_registration_systems", ())):
        if words is not None and system not in words.bilag_systems:
            path = ("analysis", "bilag2004_registration_systems", index)
            yield Fault(pointer(path), "unknown_system", f"{system!r} is none of {', '.join(words.bilag_systems)}")
    symptoms = _mapping(_mapping(study.analysis, "reconciliation"), "symptoms")
    for item in symptoms:
        path = ("analysis", "reconciliation", "symptoms", item)
        if item not in study.items:
            yield Fault(pointer(path), "unknown_item", f"there is no item {item!r}")
        elif study.items[item].type != "scale":
            yield Fault(pointer(path), "not_a_number", f"{item!r} has no severity")


def _mapping(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = settings.get(name)
    return found if isinstance(found, Mapping) else {}
