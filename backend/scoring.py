"""Every instrument by the name of its contract: plain validated values in, an answer dataclass out. Pure.

The command and the doors score through here, the visit forms too, so that one input has one answer everywhere.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from backend.analysis import change, pharmacokinetics
from backend.analysis.pharmacokinetics import Sample
from backend.instruments import astct, bilag2004, ctcae, doris, lldas, pga, sledai2k, sri4, steroids, units
from backend.instruments.bilag_items import SYSTEMS
from backend.instruments.logic import Reading
from backend.instruments.steroids import Dose

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Words:
    """What a study file may name of the instruments; `schedules.protocol.check` asks for them."""

    graded_terms: tuple[str, ...]
    bilag_systems: tuple[str, ...]


WORDS = Words(ctcae.TERMS, SYSTEMS)


def _sledai2k(
    present: Sequence[str] | None = None, not_assessed: Sequence[str] | None = None, labs: Values | None = None
) -> sledai2k.Sledai:
    return sledai2k.score(present, not_assessed or (), labs_of(labs or {}))


def labs_of(values: Values) -> sledai2k.Labs:
    """Plain numbers as readings; limits stay numbers."""
    limits = ("c3_lln_g_per_l", "c4_lln_g_per_l", "anti_dsdna_uln_iu_ml")
    known: dict[str, Any] = {name: value for name, value in values.items() if value is not None}
    readings: dict[str, Any] = {k: v if k in limits or isinstance(v, Reading) else Reading(v) for k, v in known.items()}
    return sledai2k.Labs(**readings)


def _bilag2004(
    system: str,
    previously_involved: bool | None = None,
    items: Mapping[str, Any] | None = None,
    **rest: Any,
) -> bilag2004.Graded:
    numbered = {int(number): code for number, code in (items or {}).items()}
    return bilag2004.grade(system, previously_involved, numbered, **rest)


def _sri4(
    baseline: Values | None = None, visit: Values | None = None, prohibited_or_rescue_treatment: bool | None = False
) -> sri4.Response:
    before, now = (sri4.State(**one) if one is not None else None for one in (baseline, visit))
    return sri4.score(before, now, prohibited_or_rescue_treatment)


def _lldas(glucocorticoids: Sequence[Values] | None = None, **given: Any) -> lldas.LowActivity:
    return lldas.score(glucocorticoids=_doses(glucocorticoids), **given)


def _doris(glucocorticoids: Sequence[Values] | None = None, **given: Any) -> doris.Remission:
    return doris.score(glucocorticoids=_doses(glucocorticoids), **given)


def _doses(given: Sequence[Values] | None) -> list[Dose] | None:
    return None if given is None else [Dose(**one) for one in given]


def _pk(
    time: Sequence[Decimal],
    conc: Sequence[Decimal | None] | None = None,
    blq: Sequence[bool | None] | None = None,
    not_done: Sequence[bool | None] | None = None,
    units: str | None = None,
    windows: Sequence[Sequence[Decimal]] | None = None,
    middle_blq: str | None = None,
) -> pharmacokinetics.Kinetics:
    """Lists of one length. A sample without a value and not BLQ tells nothing: it counts as not done."""
    nothing: list[None] = [None] * len(time)
    samples = [
        Sample(at, None if below else value)
        for at, value, below, missing in zip(time, conc or nothing, blq or nothing, not_done or nothing, strict=True)
        if not missing and (below or value is not None)
    ]
    asked = pharmacokinetics.WINDOWS if windows is None else tuple((start, end) for start, end in windows)
    return pharmacokinetics.kinetics(samples, units, asked, middle_blq or "drop")


def _change(baseline: Values | None = None, visit: Values | None = None) -> change.Change:
    return change.change(_reading(baseline), _reading(visit))


def _reading(given: Values | None) -> Reading | None:
    if given is None or given.get("value") is None:
        return None
    return Reading(given["value"], given.get("qualifier") or "")


@dataclass(frozen=True, slots=True)
class Converted:
    """The one value that was asked for; the others are None."""

    upcr_mg_per_mmol: Decimal | None = None
    upcr_mg_per_g: Decimal | None = None
    c3_g_per_l: Decimal | None = None
    c4_g_per_l: Decimal | None = None
    haemoglobin_g_per_dl: Decimal | None = None
    creatinine_umol_per_l: Decimal | None = None
    prednisolone_equivalent_mg_per_day: Decimal | None = None


# asked → (analyte, its unit, what it becomes, in which unit)
CONVERSIONS: Mapping[str, tuple[str, str, str, str]] = {
    "upcr_mg_per_g": ("upcr", "mg/g", "upcr_mg_per_mmol", "mg/mmol"),
    "upcr_mg_per_mmol": ("upcr", "mg/mmol", "upcr_mg_per_g", "mg/g"),
    "c3_mg_per_dl": ("c3", "mg/dL", "c3_g_per_l", "g/L"),
    "c4_mg_per_dl": ("c4", "mg/dL", "c4_g_per_l", "g/L"),
    "haemoglobin_g_per_l": ("haemoglobin", "g/L", "haemoglobin_g_per_dl", "g/dL"),
    "creatinine_mg_per_dl": ("creatinine", "mg/dL", "creatinine_umol_per_l", "umol/L"),
}


def _conversion(glucocorticoids: Sequence[Values] | None = None, **given: Decimal | None) -> Converted:
    """One value converted. ValueError unless just one is asked for."""
    asked = {name: value for name, value in given.items() if value is not None}
    if len(asked) + (glucocorticoids is not None) != 1:
        raise ValueError("one value at a time")
    if glucocorticoids is not None:
        return Converted(prednisolone_equivalent_mg_per_day=steroids.per_day(_doses(glucocorticoids)))
    ((name, value),) = asked.items()
    analyte, unit, becomes, wanted = CONVERSIONS[name]
    return Converted(**{becomes: units.convert(analyte, value, unit, wanted)})


def _ctcae(term: str, version: str | None = None, **given: Any) -> ctcae.Grade:
    return ctcae.grade(version or ctcae.VERSIONS[0], term, **given)


INSTRUMENTS: Mapping[str, Callable[..., Any]] = {
    "sledai2k": _sledai2k,
    "bilag2004": _bilag2004,
    "bilag2004_total": bilag2004.total,
    "pga": pga.score,
    "sri4": _sri4,
    "lldas": _lldas,
    "doris": _doris,
    "pk": _pk,
    "conversion": _conversion,
    "change_from_baseline": _change,
    "crs": astct.crs,
    "icans": astct.icans,
    "ctcae": _ctcae,
}
