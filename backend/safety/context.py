"""Everything a safety rule may look at, as one immutable value that can be written down and read back.

Pure. A `Context` is built from stored facts by `backend.safety.facts`, kept beside the signals it
gave rise to, and replays to the same findings. Lists are ordered oldest first and end with the
fact that caused the evaluation. All instants are aware UTC; `day` is the study day of `at`.
Rules never read the database, the clock or a threshold that is not handed to them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Report:
    """One entry as it now stands (its latest version). `at` is the effective time of measurement."""

    id: str  # entry version
    form: str
    at: datetime
    received_at: datetime
    reporter: str  # patient, carer, staff
    source: str  # phone, telephone, ward
    answers: Mapping[str, Any]
    score: Decimal | None = None
    is_report: bool = True  # counts for the silence rules
    claimed_at: datetime | None = None  # the device's own, uncorrected time of measurement
    skew_s: int = 0  # device clock minus server clock


@dataclass(frozen=True, slots=True)
class Value:
    """One measurement, laboratory or vital sign, in the study's canonical UCUM unit."""

    id: str
    code: str
    value: Decimal | None  # None: not done
    at: datetime
    recorded_at: datetime
    qualifier: str = ""  # "<", ">" or nothing
    lln: Decimal | None = None
    uln: Decimal | None = None
    method: str | None = None  # thermometer site for temperatures
    source: str = "laboratory"


@dataclass(frozen=True, slots=True)
class Dose:
    """One medication as taken. `stop` is None while it goes on; a single dose has start = stop."""

    id: str
    drug: str
    drug_class: str  # antipyretic, steroid, tocilizumab, siltuximab, anakinra, sedative …
    start: datetime
    stop: datetime | None
    mg: Decimal | None = None  # per dose
    prednisolone_mg_per_day: Decimal | None = None
    standing: bool = False  # unchanged since before infusion


@dataclass(frozen=True, slots=True)
class Reading:
    """A number of one kind wherever it came from: report answer or measurement."""

    at: datetime
    value: Decimal
    source: str  # id of the report or value it stands in
    site: str | None = None  # thermometer site


@dataclass(frozen=True, slots=True)
class Median:
    median: Decimal
    n: int


@dataclass(frozen=True, slots=True)
class Baseline:
    """The subject's own normal, from readings before lymphodepletion (before infusion where there is none).

    `temperature` is keyed "site/band" and, over all bands, "site"; bands are 04-10, 10-16, 16-22, 22-04
    in the subject's zone. `symptoms` holds the highest answer to each scale before treatment.
    """

    temperature: Mapping[str, Median] = field(default_factory=dict)
    vitals: Mapping[str, Median] = field(default_factory=dict)  # sbp, hr, spo2, weight
    neuro: Decimal | None = None  # best neuro-check score
    neuro_seconds: Decimal | None = None  # median completion time of the neuro check
    symptoms: Mapping[str, int] = field(default_factory=dict)
    values: Mapping[str, Decimal] = field(default_factory=dict)  # last laboratory value at or before infusion


@dataclass(frozen=True, slots=True)
class Slot:
    """A scheduled report near now, for the silence rules. `announced`: a reminder could announce it."""

    id: str
    form: str
    due_at: datetime
    late_at: datetime
    closes_at: datetime
    done: bool
    announced: bool
    weekly: bool = False


@dataclass(frozen=True, slots=True)
class EpisodeView:
    """What the open episode already knows."""

    level: str
    opened_at: datetime
    contacted_at: datetime | None
    highest_temperature: Decimal | None
    organs: tuple[str, ...]
    repeat_asked_at: datetime | None = None
    repeat_due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """`trigger` is report, value, medication, release or silence; `trigger_id` the fact that caused it."""

    subject_id: str
    now: datetime
    at: datetime
    trigger: str
    trigger_id: str | None
    day: int | None
    window: str | None
    infused_at: datetime | None
    zone: str
    reports: tuple[Report, ...] = ()
    values: tuple[Value, ...] = ()
    doses: tuple[Dose, ...] = ()
    baseline: Baseline = field(default_factory=Baseline)
    prior_organs: tuple[str, ...] = ()
    slots: tuple[Slot, ...] = ()
    admitted: bool = False
    episode: EpisodeView | None = None
    reached_at: datetime | None = None  # when patient or carer was last spoken with or seen, for the silence rules
    site_thermometer: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)  # the study's shared numbers

    @property
    def report(self) -> Report | None:
        """The report that caused this evaluation, if one did."""
        if self.trigger != "report":
            return None
        return next((r for r in self.reports if r.id == self.trigger_id), None)

    @property
    def value(self) -> Value | None:
        """The measurement that caused this evaluation, if one did."""
        if self.trigger != "value":
            return None
        return next((v for v in self.values if v.id == self.trigger_id), None)

    def answer(self, item: str) -> Any:
        """The answer given in the report under evaluation, or in one of the same sitting; None if unasked.

        A slot may hold several forms, sent one after another: they are one sitting.
        """
        sitting = timedelta(minutes=self.settings.get("sitting_minutes", 60))
        for report in reversed(self.reports):
            if report.at > self.at or self.at - report.at > sitting:
                continue
            if report.answers.get(item) is not None:
                return report.answers[item]
        return None

    def temperatures(self) -> tuple[Reading, ...]:
        """Every temperature, home or ward, oldest first, up to `at`."""
        return tuple(sorted(self._readings("temp_c", "body_temperature"), key=lambda r: self.place(r.at, r.source)))

    def vitals(self, name: str) -> tuple[Reading, ...]:
        """Every sbp, dbp, hr, spo2 or weight_kg, home or ward, oldest first, up to `at`."""
        return tuple(sorted(self._readings(name, name), key=lambda r: self.place(r.at, r.source)))

    def place(self, at: datetime, source: str) -> tuple[datetime, bool, str]:
        """Where a reading stands among others: by time, and of several at one instant the evaluated one last."""
        return at, source == self.trigger_id, source

    def laboratory(self, code: str) -> tuple[Value, ...]:
        """Values of one code that were done, oldest first, up to `at`."""
        return tuple(v for v in self.values if v.code == code and v.value is not None and v.at <= self.at)

    def _readings(self, item: str, code: str) -> Iterator[Reading]:
        for report in self.reports:
            given = report.answers.get(item)
            if given is not None and report.at <= self.at:
                site = report.answers.get("temp_site") if item == "temp_c" else None
                yield Reading(report.at, Decimal(str(given)), report.id, site)
        for value in self.values:
            if value.code == code and value.value is not None and value.at <= self.at:
                yield Reading(value.at, value.value, value.id, value.method)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found. `compatible_with` are keys, never a diagnosis; `drives` are the answers it rests on.

    `organ` groups findings (fever, neuro, circulation, breathing, …): a new one pages again.
    `red_flag` findings can never be "known to us". `asks` names what the patient is asked to do again.
    """

    rule: str
    version: int
    level: str
    organ: str
    compatible_with: tuple[str, ...]
    inputs: Mapping[str, Any]
    thresholds: Mapping[str, Any]
    sentence_zh: str
    sentence_en: str
    drives: Mapping[str, int] = field(default_factory=dict)
    red_flag: bool = False
    asks: str | None = None
    key: str | None = None  # one signal per key: a spell of silence speaks once
    pages: bool = True  # False: joins the episode without paging (after contact)
    again: bool = False  # pages although neither its level nor its organ is new to the episode
