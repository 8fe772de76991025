"""What a report rule rests on: answers, readings and values with their time, source and reporter. Pure.

Rules read a context through these functions, so that an unasked or unusable answer is unknown everywhere
(never zero, never an error) and every fact a finding uses can be shown and found again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from backend.safety.baselines import band
from backend.safety.context import Context, Dose, Median, Reading, Report, Value
from backend.safety.rules.base import current_temperature, hours_between, round_half_up


@dataclass(frozen=True, slots=True)
class Fact:
    """One answer, reading or laboratory value as used by a rule; `value` is in the item's or code's own unit."""

    name: str
    value: Any
    at: datetime
    source: str
    reporter: str | None = None
    site: str | None = None
    qualifier: str = ""

    def shown(self) -> dict[str, Any]:
        """As it stands in a finding's inputs; what does not apply is left out."""
        named = {"name": self.name, "value": self.value, "at": self.at, "source": self.source}
        extra = {"reporter": self.reporter, "site": self.site, "qualifier": self.qualifier}
        return {**named, **{key: given for key, given in extra.items() if given}}


def minutes(count: Any) -> timedelta:
    return timedelta(seconds=float(count) * 60)


def hours(count: Any) -> timedelta:
    return timedelta(seconds=float(count) * 3600)


def local_day(context: Context, at: datetime) -> date:
    """The calendar date in the subject's own zone."""
    return at.astimezone(ZoneInfo(context.zone)).date()


# --- answers -----------------------------------------------------------------------------------------


def sitting(context: Context) -> Iterator[Report]:
    """The forms handed in around `context.at`, newest first: a slot's forms come one after another."""
    span = minutes(context.settings["sitting_minutes"])
    for report in reversed(context.reports):
        if timedelta(0) <= context.at - report.at <= span:
            yield report


def answer(context: Context, item: str) -> Fact | None:
    """`context.answer` with who gave it, when and in which report; None if unasked."""
    for report in sitting(context):
        if report.answers.get(item) is not None:
            return Fact(item, report.answers[item], report.at, report.id, report.reporter)
    return None


def scale(context: Context, item: str, least: Any, most: Any = None) -> Fact | None:
    """The answer to a scale or count if it is at least `least` (and at most `most`); unknown is None."""
    given = answer(context, item)
    if given is None or isinstance(given.value, bool) or not isinstance(given.value, int | Decimal):
        return None
    return given if given.value >= least and (most is None or given.value <= most) else None


def choice(context: Context, item: str, *options: str) -> Fact | None:
    """The answer to a choice if it is one of `options`."""
    given = answer(context, item)
    return given if given is not None and isinstance(given.value, str) and given.value in options else None


def ticked(context: Context, item: str, *options: str) -> Fact | None:
    """The ticks of a multiple choice that are among `options`, in their order; None if there are none."""
    given = answer(context, item)
    if given is None or not isinstance(given.value, list | tuple | set | frozenset):
        return None
    chosen = [option for option in options if option in given.value]
    return replace(given, value=chosen) if chosen else None


def above_baseline(context: Context, given: Fact | None, by: Any = 1) -> Fact | None:
    """The same answer if it exceeds the subject's own highest before treatment by at least `by` steps."""
    if given is None:
        return None
    return given if given.value - context.baseline.symptoms.get(given.name, 0) >= by else None


def known(*facts: Fact | None) -> list[Fact]:
    """Those that are there."""
    return [fact for fact in facts if fact is not None]


def drives(facts: list[Fact]) -> dict[str, int]:
    """The scale answers a finding rests on; empty as soon as it also rests on anything else.

    Only a finding that rests on such answers alone can be "known to us".
    """
    scales = {fact.name: fact.value for fact in facts if isinstance(fact.value, int) and fact.reporter}
    return scales if len(scales) == len(facts) else {}


# --- temperature and vital signs ---------------------------------------------------------------------


def _reporter(context: Context, source: str) -> str:
    return next((report.reporter for report in context.reports if report.id == source), "staff")


def as_fact(context: Context, name: str, reading: Reading) -> Fact:
    return Fact(name, reading.value, reading.at, reading.source, _reporter(context, reading.source), reading.site)


def temperature(context: Context) -> Reading | None:
    """The temperature under evaluation, °C, as given."""
    return current_temperature(context)


def earlier_temperatures(context: Context, current: Reading, within: timedelta) -> list[Reading]:
    """Readings before `current` and at most `within` old, oldest first."""
    return [
        reading for reading in context.temperatures() if reading.at < current.at and current.at - reading.at <= within
    ]


def matched_baseline(context: Context, reading: Reading) -> tuple[str, Median] | None:
    """The subject's normal at this thermometer site, °C: of this time of day, else of the whole day.

    Only medians of at least `baseline_min_n` readings count (§2.2). Returns the key it was found under.
    """
    if reading.site is None:
        return None
    for key in (f"{reading.site}/{band(reading.at, context.zone)}", reading.site):
        found = context.baseline.temperature.get(key)
        if found is not None and found.n >= context.settings["baseline_min_n"]:
            return key, found
    return None


def expected_heart_rate(context: Context, reading: Reading | None) -> Decimal | None:
    """Beats per minute that the subject's own resting rate and the fever would explain (§2.3); None if unknown."""
    resting = context.baseline.vitals.get("hr")
    normal = matched_baseline(context, reading) if reading else None
    if resting is None or reading is None or normal is None:
        return None
    rise = max(reading.value - normal[1].median, Decimal(0))
    return round_half_up(resting.median + rise * Decimal(str(context.settings["hr_per_degree"])), 0)


@dataclass(frozen=True, slots=True)
class Measured:
    """One taking of a vital sign with its repeat 1–2 minutes later, if there was one."""

    name: str
    first: Decimal
    repeat: Decimal | None
    at: datetime
    source: str
    reporter: str

    @property
    def mean(self) -> Decimal:
        return self.first if self.repeat is None else (self.first + self.repeat) / 2

    @property
    def last(self) -> Decimal:
        return self.first if self.repeat is None else self.repeat

    def facts(self) -> list[Fact]:
        """Both readings."""
        first = Fact(self.name, self.first, self.at, self.source, self.reporter)
        return known(
            first, None if self.repeat is None else replace(first, name=f"{self.name}_repeat", value=self.repeat)
        )


def _number(given: Any) -> Decimal | None:
    try:
        return None if given is None or isinstance(given, bool) else Decimal(str(given))
    except InvalidOperation:
        return None


def measured(context: Context, name: str) -> list[Measured]:
    """Every sbp, dbp, hr or spo2 up to `context.at`, home or ward, oldest first."""
    found = []
    for report in context.reports:
        first = _number(report.answers.get(name))
        if first is not None and report.at <= context.at:
            repeat = _number(report.answers.get(f"{name}_repeat"))
            found.append(Measured(name, first, repeat, report.at, report.id, report.reporter))
    for value in context.laboratory(name):
        assert value.value is not None
        found.append(Measured(name, value.value, None, value.at, value.id, "staff"))
    return sorted(found, key=lambda each: context.place(each.at, each.source))


def current(context: Context, name: str) -> Measured | None:
    """The vital sign under evaluation: the latest of this sitting."""
    taken = measured(context, name)
    if not taken or context.at - taken[-1].at > minutes(context.settings["sitting_minutes"]):
        return None
    return taken[-1]


def previous(context: Context, name: str, within_h: Any) -> Measured | None:
    """The taking before the current one, if it is at most `within_h` hours older."""
    taken = measured(context, name)
    if len(taken) < 2 or taken[-1].at - taken[-2].at > hours(within_h):
        return None
    return taken[-2]


# --- laboratory and medicines ------------------------------------------------------------------------


def latest(context: Context, code: str) -> Value | None:
    """The last value of a code that was done, whatever its age; sentences say the age."""
    found = context.laboratory(code)
    return found[-1] if found else None


def below(value: Value | None, limit: Any) -> bool:
    """Whether a value is certainly below `limit`: "<x" is when x is not above it, ">x" never."""
    if value is None or value.value is None or value.qualifier == ">":
        return False
    return bool(value.value <= limit if value.qualifier == "<" else value.value < limit)


def value_fact(value: Value) -> Fact:
    return Fact(value.code, value.value, value.at, value.id, qualifier=value.qualifier)


def age_hours(context: Context, at: datetime) -> Decimal:
    """Hours from `at` to the instant under evaluation."""
    return hours_between(context.at, at)


def doses(context: Context, drug_class: str) -> list[Dose]:
    """Doses of a class begun by `context.at`, oldest first."""
    taken = [dose for dose in context.doses if dose.drug_class == drug_class and dose.start <= context.at]
    return sorted(taken, key=lambda dose: (dose.start, dose.id))


def last_values(context: Context, *codes: str) -> dict[str, Mapping[str, Any]]:
    """The last value of each code with its age in hours, for the reader of a signal (§3.7)."""
    found: dict[str, Mapping[str, Any]] = {}
    for code in codes:
        value = latest(context, code)
        if value is not None:
            found[code] = {**value_fact(value).shown(), "age_h": age_hours(context, value.at)}
    return found
