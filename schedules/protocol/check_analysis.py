"""Whether the settings of the analysis name what there is: measures, items, words of instruments.

The instruments live upstairs, where this floor may not look; `Words` is all it must know of them.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Protocol

from schedules.faults import Fault, pointer
from schedules.protocol.definition import Study

# Settings that choose: what there is to choose from. Where that is one thing, no other is built.
CHOICES: Mapping[str, tuple[str, ...]] = {
    "baseline": ("last_before_lymphodepletion_or_infusion",),
    "lldas_doris_definition": ("published", "registration"),
    "sri4_non_responder_imputation": ("after_window_or_leaving", "none"),
    "auc_method": ("linear_up_log_down", "linear"),
    "auc_middle_blq": ("drop", "zero"),
    "escalation_design": ("3+3",),
    "ctcae_version": ("5.0",),
}


class Words(Protocol):
    """Terms with laboratory grades, and the systems of BILAG-2004."""

    @property
    def graded_terms(self) -> Collection[str]: ...
    @property
    def bilag_systems(self) -> Collection[str]: ...


def analysis_faults(study: Study, words: Words | None) -> Iterator[Fault]:
    """Every choice that is none, and every name that leads nowhere."""
    for name, choices in CHOICES.items():
        if name in study.analysis and study.analysis[name] not in choices:
            yield Fault(pointer(("analysis", name)), "not_allowed", f"must be {' or '.join(choices)}")
    yield from _measure_faults(study)
    yield from _symptom_faults(study)
    if words is not None:
        yield from _word_faults(study, words)


def _measure_faults(study: Study) -> Iterator[Fault]:
    for assessment, codes in _mapping(study.analysis, "assessment_measures").items():
        path: tuple[object, ...] = ("analysis", "assessment_measures", assessment)
        if assessment not in study.assessments:
            yield Fault(pointer(path), "unknown_assessment", f"there is no assessment {assessment!r}")
        for index, code in enumerate(codes):
            if code not in study.measures:
                yield Fault(pointer((*path, index)), "unknown_measure", f"there is no measure {code!r}")
    for code in _mapping(study.analysis, "ctcae_terms"):
        if code not in study.measures:
            path = ("analysis", "ctcae_terms", code)
            yield Fault(pointer(path), "unknown_measure", f"there is no measure {code!r}")


def _symptom_faults(study: Study) -> Iterator[Fault]:
    for item in _mapping(_mapping(study.analysis, "reconciliation"), "symptoms"):
        path = pointer(("analysis", "reconciliation", "symptoms", item))
        if item not in study.items:
            yield Fault(path, "unknown_item", f"there is no item {item!r}")
        elif study.items[item].type != "scale":
            yield Fault(path, "not_a_number", f"{item!r} has no severity")


def _word_faults(study: Study, words: Words) -> Iterator[Fault]:
    for code, term in _mapping(study.analysis, "ctcae_terms").items():
        if term not in words.graded_terms:
            path = pointer(("analysis", "ctcae_terms", code))
            message = f"{term!r} has no laboratory grades; {', '.join(words.graded_terms)} have"
            yield Fault(path, "unknown_term", message)
    for index, system in enumerate(study.analysis.get("bilag2004_registration_systems", ())):
        if system not in words.bilag_systems:
            path = pointer(("analysis", "bilag2004_registration_systems", index))
            yield Fault(path, "unknown_system", f"{system!r} is none of {', '.join(words.bilag_systems)}")


def _mapping(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = settings.get(name)
    return found if isinstance(found, Mapping) else {}
