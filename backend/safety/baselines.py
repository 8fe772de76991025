"""A subject's own normal, from what was measured before treatment (clinical-safety §2.2). Pure.

Temperatures are kept apart by thermometer site and by time of day, because an armpit in the morning is
no measure for a mouth in the evening. `settings`: `baseline_min_n`, `fever.probable` (°C by site) and
`scale_max`. Time bands are part of the shape of a `Baseline`, so they stand here, not in the study.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from backend.safety.context import Baseline, Median, Reading, Report, Value
from backend.safety.rules.base import round_half_up

BANDS = {"04-10": range(4, 10), "10-16": range(10, 16), "16-22": range(16, 22)}  # local hours; the rest is 22-04
NIGHT = "22-04"
VITALS = ("sbp", "dbp", "hr", "spo2", "weight_kg")
TEMPERATURE = "body_temperature"
_YES_NO = {"no": 0, "yes": 1}


def band(at: datetime, zone: str) -> str:
    """The time band an instant falls in on the subject's own clock: 04-10, 10-16, 16-22 or 22-04."""
    hour = at.astimezone(ZoneInfo(zone)).hour
    return next((key for key, hours in BANDS.items() if hour in hours), NIGHT)


def probable_limit(site: str | None, settings: Mapping[str, Any]) -> Decimal:
    """From how many °C a temperature is possibly a fever at this site; the lowest of all where the site is unknown."""
    limits: Mapping[str, Any] = settings["fever"]["probable"]
    chosen = limits.get(site, min(limits.values())) if site else min(limits.values())
    return Decimal(str(chosen))


def febrile(reading: Reading, settings: Mapping[str, Any]) -> bool:
    """Definite or probable fever by §2.2, read to one decimal, halves up."""
    return round_half_up(reading.value) >= probable_limit(reading.site, settings)


def baseline(
    reports: Sequence[Report],
    values: Sequence[Value],
    before: datetime,
    zone: str,
    settings: Mapping[str, Any],
    infused_at: datetime | None = None,
) -> Baseline:
    """What is normal for this subject; whatever was not measured before `before` is absent, never guessed.

    `before` is the start of lymphodepletion (infusion where there is none). Laboratory values go up to and
    including `infused_at`; while that is unknown nothing lies after it, so the last value counts.
    """
    earlier = [report for report in reports if report.at < before]
    measured = [value for value in values if value.at < before and value.value is not None]
    return Baseline(
        temperature=_temperatures(earlier, measured, zone, settings),
        vitals={
            name: found for name in VITALS if (found := _median(r.value for r in _numbers(earlier, measured, name)))
        },
        neuro=max((report.score for report in _neuro(earlier) if report.score is not None), default=None),
        neuro_seconds=_middle([Decimal(str(s)) for r in _neuro(earlier) if (s := r.answers.get("neuro_seconds"))]),
        symptoms=_symptoms(earlier, settings["scale_max"]),
        values=_at_infusion(values, infused_at),
    )


def _numbers(reports: Iterable[Report], values: Iterable[Value], name: str) -> Iterator[Reading]:
    """Readings of one kind, given at home or measured by staff."""
    item, code = ("temp_c", TEMPERATURE) if name == TEMPERATURE else (name, name)
    for report in reports:
        if (given := report.answers.get(item)) is not None:
            yield Reading(report.at, Decimal(str(given)), report.id, report.answers.get("temp_site"))
    for value in values:
        if value.code == code and value.value is not None and not value.qualifier:
            yield Reading(value.at, value.value, value.id, value.method)


def _temperatures(
    reports: Sequence[Report], values: Sequence[Value], zone: str, settings: Mapping[str, Any]
) -> dict[str, Median]:
    """Medians of afebrile readings by site and band and by site alone, where there are enough of them."""
    grouped: dict[str, list[Decimal]] = defaultdict(list)
    for reading in _numbers(reports, values, TEMPERATURE):
        if reading.site and not febrile(reading, settings):
            grouped[reading.site].append(reading.value)
            grouped[f"{reading.site}/{band(reading.at, zone)}"].append(reading.value)
    enough = int(settings["baseline_min_n"])
    return {key: Median(median(found), len(found)) for key, found in grouped.items() if len(found) >= enough}


def _median(numbers: Iterable[Decimal]) -> Median | None:
    found = list(numbers)
    return Median(median(found), len(found)) if found else None


def _middle(numbers: list[Decimal]) -> Decimal | None:
    return median(numbers) if numbers else None


def _neuro(reports: Iterable[Report]) -> list[Report]:
    return [report for report in reports if report.form == "neuro"]


def _symptoms(reports: Iterable[Report], scale_max: int) -> dict[str, int]:
    """The highest answer to each scale (0 … `scale_max`); a plain no or yes stands as 0 or 1."""
    highest: dict[str, int] = {}
    for report in reports:
        for item, answer in report.answers.items():
            step = _YES_NO.get(answer) if isinstance(answer, str) else answer
            if type(step) is int and 0 <= step <= scale_max:
                highest[item] = max(step, highest.get(item, 0))
    return highest


def _at_infusion(values: Iterable[Value], infused_at: datetime | None) -> dict[str, Decimal]:
    """The last laboratory value of each code at or before infusion.

    "<x" stands as x, so that a rise over it is certain; ">x" says nothing a rise could be measured from.
    """
    last: dict[str, Decimal] = {}
    for value in sorted(values, key=lambda each: each.at):
        if value.value is None or value.code in (*VITALS, TEMPERATURE) or (infused_at and value.at > infused_at):
            continue
        if value.qualifier == ">":
            last.pop(value.code, None)
        else:
            last[value.code] = value.value
    return last
