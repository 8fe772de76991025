"""Whether the settings of the analysis name what there is: measures, items, graded terms. The rest of them are numbers.

Which terms have laboratory grades is known upstairs; `terms` is all this floor must know of them.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from schedules.faults import Fault, pointer
from schedules.protocol.definition import Study


def analysis_faults(study: Study, terms: Collection[str] | None) -> Iterator[Fault]:
    """Every name that leads nowhere; without `terms` those of graded terms are left unchecked."""
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
        if terms is not None and term not in terms:
            yield Fault(pointer(path), "unknown_term", f"{term!r} has no laboratory grades; {', '.join(terms)} have")
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
