"""The study definition as one immutable value: what a published revision says.

Only shapes live here. How a YAML file becomes one is in `load`, whether it makes sense in
`check`, how answers are judged against its forms in `forms`. Every text is a `Label` with
both languages. Days are study days (Day 0 = the site-local date of infusion) unless a visit
names another anchor event. Decimals are `Decimal`, never float.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from decimal import Decimal
from typing import Any

LEVELS = ("NOTE", "REVIEW", "URGENT", "EMERGENCY")  # ascending; clinical-safety §3.1


@dataclass(frozen=True, slots=True)
class Label:
    """One text in both languages of the house."""

    zh: str
    en: str

    def in_language(self, locale: str) -> str:
        return self.zh if locale.lower().startswith("zh") else self.en


@dataclass(frozen=True, slots=True)
class Condition:
    """Flat test of one answer: `{item, op, value}`. There is no expression language."""

    item: str
    op: str  # eq, ne, ge, le, contains
    value: Any

    def __str__(self) -> str:
        return f"{self.item} {self.op} {self.value}"


@dataclass(frozen=True, slots=True)
class Option:
    key: str
    label: Label


@dataclass(frozen=True, slots=True)
class Item:
    """One thing asked. `type` decides the JSON of its answer:

    scale and count: integer; decimal: number with at most `decimals` digits; choice: option key;
    multi: non-empty list of option keys, `exclusive` alone or not at all; text: string;
    doses: list of `{name, dose_mg, taken_at}`, empty meaning an explicit "none".

    The options of a scale are its steps, keys "0", "1" …; `unit` is UCUM; outside `confirm_below` and
    `confirm_above` (within min and max) the answer is taken and asked about; `hint` says how to measure.
    """

    key: str
    type: str
    label: Label
    options: tuple[Option, ...] = ()
    exclusive: str | None = None
    min: Decimal | None = None
    max: Decimal | None = None
    decimals: int = 0
    unit: str | None = None
    confirm_below: Decimal | None = None
    confirm_above: Decimal | None = None
    max_length: int = 500
    hint: Label | None = None

    def option_keys(self) -> tuple[str, ...]:
        return tuple(option.key for option in self.options)


@dataclass(frozen=True, slots=True)
class FormItem:
    item: str
    required: bool
    show_if: Condition | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """`score` names the items whose sum is the form's score; it stays unknown unless all are answered."""

    key: str
    name: Label
    items: tuple[FormItem, ...]
    score: tuple[str, ...] = ()
    report: bool = True  # counts as a report for the silence rules
    staff_only: bool = False  # never shown to patient or carer, never in a slot


@dataclass(frozen=True, slots=True)
class SlotTime:
    at: time
    forms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DiaryPhase:
    """Slots on every `every_days`-th study day of [from_day, to_day], at clock times of the subject's zone.

    A slot is open from `opens_before_min` before its time until `closes_after_min` after it, the closing
    instant excluded; undone it is late from `late_after_min` after its time.
    """

    key: str
    from_day: int
    to_day: int
    every_days: int
    times: tuple[SlotTime, ...]
    opens_before_min: int
    late_after_min: int
    closes_after_min: int


@dataclass(frozen=True, slots=True)
class RiskWindow:
    """W0–W5 of clinical-safety §3.2; an open end is None."""

    key: str
    from_day: int | None
    to_day: int | None


@dataclass(frozen=True, slots=True)
class Visit:
    """A planned visit: `day` and its window are days relative to the site-local date of `anchor`.

    `before` names an anchor event that ends the window when it begins: what is assessed is a baseline of it.
    The unscheduled visit has no anchor ("") and no day (0).
    """

    key: str
    name: Label
    anchor: str
    day: int
    from_day: int
    to_day: int
    assessments: tuple[str, ...]
    before: str = ""


@dataclass(frozen=True, slots=True)
class AnchorEvent:
    """`optional`: some treatment orders never have it; what hangs on it is then not applicable."""

    key: str
    name: Label
    optional: bool = False


@dataclass(frozen=True, slots=True)
class DoseLevel:
    key: str
    cells_per_kg: Decimal
    planned: int


@dataclass(frozen=True, slots=True)
class Rule:
    """What the study says of one named rule: which windows, which level, which thresholds."""

    id: str
    version: int
    level: str
    windows: tuple[str, ...]
    thresholds: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LadderStep:
    """`after_s` seconds from the start of the ladder; `to` names duties, resolved when the step falls due."""

    after_s: int
    to: tuple[str, ...]
    channel: int = 1


@dataclass(frozen=True, slots=True)
class Ladder:
    level: str
    steps: tuple[LadderStep, ...]
    lane: str = "page"
    repeat_every_s: int | None = None
    repeat_to: tuple[str, ...] = ()
    becomes: str | None = None
    becomes_after_s: int | None = None
    contact_within_s: int | None = None
    seen_within_s: int | None = None
    overdue_to: tuple[str, ...] = ()
    advice: Label = field(default_factory=lambda: Label("", ""))


@dataclass(frozen=True, slots=True)
class Reminders:
    """One bundled text a day at `morning_at`, and at most one nudge when a report is late."""

    morning_at: time
    visit_days_before: tuple[int, ...]
    nudge: bool
    texts_per_day: int
    quiet_from: time
    quiet_to: time


@dataclass(frozen=True, slots=True)
class LowAdherence:
    """When a nurse is shown that too little comes: below `below_pct` % of at least `at_least` slots in `over_days`."""

    below_pct: int
    over_days: int
    at_least: int


@dataclass(frozen=True, slots=True)
class Measure:
    """A measurement code the study accepts: canonical UCUM unit and the limits of what is possible."""

    code: str
    name: Label
    unit: str
    min: Decimal
    max: Decimal
    kind: str  # vital, laboratory, or release: a test of the product
    methods: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Drug:
    """A medication by class. `prednisolone_per_mg`: mg of prednisolone that 1 mg of a systemic steroid is, or 0."""

    key: str
    name: Label
    drug_class: str
    prednisolone_per_mg: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A registered outcome with its time frame; `inputs` are assessments that must be scheduled at each time point."""

    key: str
    name: Label
    time_frame_months: int
    baseline: bool
    time_points: tuple[str, ...]
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Study:
    """One published revision. `sha256` is of the canonical content, so equal content has equal identity."""

    key: str
    revision: str
    registration: str
    name: Label
    age_from: int
    anchor_events: Mapping[str, AnchorEvent]
    dose_levels: tuple[DoseLevel, ...]
    risk_windows: tuple[RiskWindow, ...]
    visits: tuple[Visit, ...]
    unscheduled_visit: Visit
    items: Mapping[str, Item]
    forms: Mapping[str, Form]
    diary: tuple[DiaryPhase, ...]
    red_flags: tuple[Condition, ...]
    organs: Mapping[str, Label]
    assessments: Mapping[str, Label]
    measures: Mapping[str, Measure]
    drugs: Mapping[str, Drug]
    settings: Mapping[str, Any]  # numbers several rules share: masking hours, fever limits by site …
    rules: Mapping[str, Rule]
    ladders: Mapping[str, Ladder]
    reminders: Reminders
    emergency_text: Label
    outcomes: tuple[Outcome, ...]
    sha256: str
    low_adherence: LowAdherence | None = None
    unscheduled_form: str = ""  # the form of a report outside every slot; empty: none is taken
    analysis: Mapping[str, Any] = field(default_factory=dict)  # decisions of design §11: DLT window, AUC method …

    def risk_window(self, day: int | None) -> str | None:
        """Key of the risk window a study day lies in; before infusion is dated it is the open-started one."""
        for window in self.risk_windows:
            after_start = window.from_day is None or (day is not None and day >= window.from_day)
            before_end = day is None or window.to_day is None or day <= window.to_day
            if after_start and before_end:
                return window.key
        return None

    def visit(self, key: str) -> Visit:
        """The visit of this key, planned or unscheduled; KeyError if the study has none."""
        for visit in (*self.visits, self.unscheduled_visit):
            if visit.key == key:
                return visit
        raise KeyError(key)
