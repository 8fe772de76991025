"""What one subject's scored visits say: SLEDAI-2K, BILAG-2004, SRI-4, LLDAS and DORIS by visit, with reasons.

Takes plain records of visits in order of time; knows no table. Cytopenia after lymphodepletion and fever in the weeks
of CRS are not lupus by themselves: where the rater marked them without saying so they count as not assessed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from backend.analysis.selection import Value
from backend.analysis.treatment import UNKNOWN, Treatment
from backend.instruments import bilag2004, doris, lldas, pga, sledai2k, sri4
from backend.instruments.bilag2004 import GRADES, Graded
from backend.instruments.bilag_items import SYSTEMS
from backend.instruments.logic import Reading, Truth, every
from backend.instruments.units import convert

ACTIVE = ("A", "B", "C")
# What a visit's laboratory values are called in the instrument: code → (key, unit); and their limits, code → key.
_LABS: Mapping[str, tuple[str, str]] = {
    "urine_protein_24h": ("urine_protein_24h_g", "g/(24.h)"),
    "upcr": ("upcr_mg_per_mmol", "mg/mmol"),
    "platelets": ("platelets_1e9_per_l", "10*9/L"),
    "wbc": ("wbc_1e9_per_l", "10*9/L"),
    "body_temperature": ("temperature_c", "Cel"),
    "urine_rbc": ("urine_rbc_per_hpf", "/[HPF]"),
    "urine_wbc": ("urine_wbc_per_hpf", "/[HPF]"),
    "c3": ("c3_g_per_l", "g/L"),
    "c4": ("c4_g_per_l", "g/L"),
    "anti_dsdna": ("anti_dsdna_iu_ml", "[IU]/mL"),
}
_LIMITS = {"c3": "c3_lln_g_per_l", "c4": "c4_lln_g_per_l", "anti_dsdna": "anti_dsdna_uln_iu_ml"}


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit with what was found. `answers`: instrument → answers of its form; `labs`: code → the value chosen.

    `asked`: descriptors whose cause must be said, because treatment may explain them at that time.
    """

    id: UUID
    key: str
    day: int | None
    at: datetime
    answers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    labs: Mapping[str, Value] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    treatment: Treatment = UNKNOWN
    asked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scored:
    """A visit with its scores. `open_questions`: marked descriptors whose cause was not said."""

    visit: Visit
    present: frozenset[str] | None
    not_assessed: frozenset[str]
    sledai: sledai2k.Sledai | None
    open_questions: tuple[str, ...]
    pga: Decimal | None
    bilag: Mapping[str, Graded] | None

    def bilag_possible(self) -> Mapping[str, tuple[str, ...]]:
        """Each system's possible grades: from the one that is known to the worst that could be."""
        if self.bilag is None:
            return {}
        return {system: possible_grades(graded) for system, graded in self.bilag.items()}


def possible_grades(graded: Graded) -> tuple[str, ...]:
    """From the worst that could be to what is known; where D and E cannot be told apart, both."""
    best = graded.grade or "E"
    worst = (graded.worst or graded.grade or "D") if graded.incomplete else best
    return GRADES[GRADES.index(worst) : GRADES.index(best) + 1]


def score_all(visits: Sequence[Visit], involved_before: Mapping[str, bool]) -> list[Scored]:
    """Each visit scored, in order of time; BILAG compares with the assessment before.

    `involved_before`: systems known to have been involved (or not) before the first visit.
    """
    found: list[Scored] = []
    involved: dict[str, bool] = dict(involved_before)
    renal: Mapping[str, Any] | None = None
    for visit in visits:
        bilag = None
        answered = visit.answers.get("bilag2004")
        if answered is not None:
            said = answered.get("previously_involved") or {}
            involved |= {system: ever for system, ever in said.items() if not involved.get(system)}
            bilag = {
                system: bilag_grade(system, answered, involved.get(system), renal, visit.asked) for system in SYSTEMS
            }
            involved |= {system: True for system, one in bilag.items() if one.grade in ACTIVE}
            renal = _kidney_of(answered) or renal
        found.append(_scored(visit, bilag))
    return found


def _kidney_of(answered: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The kidney's values of a form; None where none was filled in: those before stay the last."""
    current = ((answered.get("systems") or {}).get("renal") or {}).get("current") or {}
    return current if any(value is not None for value in current.values()) else None


def bilag_total(scored: Scored) -> bilag2004.Total:
    """The total of the grades; none where an item not done could add to it. D and E are both nothing."""
    found = bilag2004.total({system: one.grade for system, one in (scored.bilag or {}).items()})
    points = [{bilag2004.POINTS[letter] for letter in some} for some in scored.bilag_possible().values()]
    settled = bool(points) and all(len(some) == 1 for some in points)
    return replace(found, numeric_total=found.minimum_known_total if settled else None)


def bilag_grade(
    system: str,
    answered: Mapping[str, Any],
    involved: bool | None,
    renal: Mapping[str, Any] | None,
    asked: Sequence[str] = (),
) -> Graded:
    """One system of a visit's form; a system that the form leaves out was not done.

    Where treatment may explain low counts (`asked`), haematology counts only if somebody said that lupus does.
    """
    given = dict((answered.get("systems") or {}).get(system) or {})
    if system == "haematological":
        given["current"] = _blood_of(answered, asked)
    if "items" in given:
        given["items"] = {int(number): code for number, code in (given["items"] or {}).items()}
    if system == "renal":
        given["previous"] = renal
    return bilag2004.grade(system, involved, **given)


def _blood_of(answered: Mapping[str, Any], asked: Sequence[str]) -> Mapping[str, Any]:
    """The blood's values of a form; where treatment may explain them, the cause is unknown until somebody said it."""
    current = ((answered.get("systems") or {}).get("haematological") or {}).get("current") or {}
    unsaid = {"attributable_to_sle": None} if {"leukopenia", "thrombocytopenia"} & set(asked) else {}
    return {**unsaid, **current}


def _scored(visit: Visit, bilag: Mapping[str, Graded] | None) -> Scored:
    answered = visit.answers.get("sledai2k")
    marked = visit.answers.get("pga") or {}
    global_assessment = pga.score(marked.get("value"), marked.get("scale")).pga
    if answered is None:
        return Scored(visit, None, frozenset(), None, (), global_assessment, bilag)
    present, not_assessed, unasked = attributed(answered, visit.asked)
    sledai = sledai2k.score(present, not_assessed, labs_of(visit))
    return Scored(visit, present, not_assessed, sledai, unasked, global_assessment, bilag)


def attributed(
    answered: Mapping[str, Any], asked: Sequence[str]
) -> tuple[frozenset[str] | None, frozenset[str], tuple[str, ...]]:
    """(present, not assessed, questions left open): what is marked without its cause, where that must be said, is
    unknown; what was said to have another cause is absent."""
    if answered.get("present") is None:
        return None, frozenset(), ()
    present = frozenset(answered["present"])
    not_assessed = frozenset(answered.get("not_assessed") or ())
    causes = answered.get("attribution") or {}
    other = {descriptor for descriptor, cause in causes.items() if cause != "lupus"}
    open_ones = tuple(sorted(one for one in present if one in asked and one not in causes))
    return present - other - set(open_ones), not_assessed | set(open_ones), open_ones


def labs_of(visit: Visit) -> sledai2k.Labs:
    """The visit's laboratory values in the instrument's units."""
    found: dict[str, Any] = {}
    for code, (name, unit) in _LABS.items():
        value = visit.labs.get(code)
        if value is None:
            continue
        given = visit.units.get(code, unit)
        number = convert(code, value.reading.value, given, unit)
        if number is None:
            continue
        found[name] = Reading(number, value.reading.qualifier)
        limit = value.uln if code == "anti_dsdna" else value.lln
        if code in _LIMITS and limit is not None:
            found[_LIMITS[code]] = convert(code, limit, given, unit)
    return sledai2k.Labs(**found)


def sri4_of(baseline: Scored, now: Scored, systems: Sequence[str] = SYSTEMS) -> sri4.Response:
    """The response of a visit against the baseline, over these BILAG systems."""
    said = (now.visit.answers.get("treatment") or {}).get("rescue_treatment")
    rescue = now.visit.treatment.rescue if said is None else bool(said)  # null where nobody looked: decision 12
    before, after = baseline.bilag_possible(), now.bilag_possible()
    return sri4.respond(
        (_sledai(baseline), _sledai(now)),
        (baseline.pga, now.pga),
        {system: letters for system, letters in before.items() if system in systems},
        {system: letters for system, letters in after.items() if system in systems},
        rescue,
    )


def _sledai(scored: Scored) -> sri4.Bounds:
    """SLEDAI-2K between what is present and what might be beside it."""
    if scored.present is None:
        return sri4.ANY_SLEDAI
    known = sledai2k.weight(scored.present)
    return known, known + sledai2k.weight(scored.not_assessed)


def last_assessed(earlier: Sequence[Scored]) -> tuple[Scored | None, Scored | None]:
    """Of visits in order of time the last with a SLEDAI-2K and the last with a BILAG-2004: few have both."""
    newest = earlier[::-1]
    return (
        next((one for one in newest if one.present is not None), None),
        next((one for one in newest if one.bilag is not None), None),
    )


def lldas_of(earlier: Sequence[Scored], now: Scored) -> lldas.LowActivity:
    """The state of a visit; `earlier`: the visits before it in order of time, none at the first."""
    previous, graded = last_assessed(earlier)
    said = now.visit.answers.get("treatment") or {}
    return lldas.score(
        sledai_present=now.present,
        sledai_not_assessed=now.not_assessed,
        previous_visit_sledai_present=previous.present if previous is not None else None,
        previous_visit_sledai_not_assessed=previous.not_assessed if previous is not None else None,
        haemolytic_anaemia=_haemolysis(now),
        gastrointestinal_activity=_gastrointestinal(now),
        pga=now.pga,
        prednisolone_mg_per_day=now.visit.treatment.steroid_for(lldas.MAX_PREDNISOLONE_MG),
        standard_stable_immunosuppression=_stable(said, now.visit.treatment),
        new_bilag_activity=_new_bilag(graded, now),
    )


def _stable(said: Mapping[str, Any], treatment: Treatment) -> Truth:
    """What the investigator said; else from the medications: unchanged, and within the doses of maintenance."""
    if said.get("standard_stable_immunosuppression") is not None:
        return bool(said["standard_stable_immunosuppression"])
    other = treatment.immunosuppressant_or_biologic
    if other is None:
        return None
    return False if other == "changed" else treatment.within_maintenance


def _haemolysis(now: Scored) -> Truth:
    said = (now.visit.answers.get("treatment") or {}).get("haemolytic_anaemia")
    if said is not None:
        return bool(said)
    found = _blood_of(now.visit.answers.get("bilag2004") or {}, now.visit.asked)
    return every(found.get("active_haemolysis"), found.get("attributable_to_sle", True))


def _gastrointestinal(now: Scored) -> Truth:
    said = (now.visit.answers.get("treatment") or {}).get("gastrointestinal_activity")
    if said is not None or now.bilag is None:
        return None if said is None else bool(said)
    graded = now.bilag["gastrointestinal"]
    if graded.grade in ACTIVE:
        return True
    return None if set(possible_grades(graded)) & set(ACTIVE) else False


def _new_bilag(last: Scored | None, now: Scored) -> Truth:
    """Whether a system has a new A or B since the last BILAG; not asked at a visit that has none."""
    if now.bilag is None:
        return False
    worse = sri4.worsening(last.bilag_possible() if last is not None else {}, now.bilag_possible())
    if worse.new_a or worse.new_b:
        return True
    return None if worse.unknown else False


def doris_of(now: Scored) -> doris.Remission:
    """The state of a visit."""
    treatment = now.visit.treatment
    return doris.score(
        sledai_present=now.present,
        sledai_not_assessed=now.not_assessed,
        pga=now.pga,
        prednisolone_mg_per_day=treatment.steroid_for(doris.MAX_PREDNISOLONE_MG),
        antimalarial=treatment.antimalarial,
        immunosuppressant_or_biologic=_kind(now.visit.answers.get("treatment") or {}, treatment),
        prednisolone_at_least_mg_per_day=treatment.steroid_at_least,
    )


def _kind(said: Mapping[str, Any], treatment: Treatment) -> str | None:
    """From the medications; the investigator's word on stability goes before."""
    kind, stable = treatment.immunosuppressant_or_biologic, said.get("standard_stable_immunosuppression")
    if kind is None or kind == "none" or stable is None:
        return kind
    return "stable" if stable else "changed"
