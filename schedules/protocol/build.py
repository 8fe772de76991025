"""From the plain content of a study file to the `Study` it says. Content must satisfy `study.schema.json`.

Names are not resolved here and nothing is judged: an unknown item stays an unknown name, for `check` to find.
Fields left out take the defaults of `definition`; numbers given as fractions become Decimal, whatever they came as.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import time
from decimal import Decimal
from typing import Any, TypeVar

from schedules.protocol.content import identity
from schedules.protocol.definition import (
    AnchorEvent,
    Condition,
    DiaryPhase,
    DoseLevel,
    Drug,
    Form,
    FormItem,
    Item,
    Label,
    Ladder,
    LadderStep,
    LowAdherence,
    Measure,
    Option,
    Outcome,
    Reminders,
    RiskWindow,
    Rule,
    SlotTime,
    Study,
    Visit,
)

Content = Mapping[str, Any]
Made = TypeVar("Made")


def build(content: Content) -> Study:
    """The study of already validated content, as parsed from YAML or read back from stored JSON."""
    return Study(
        key=content["key"],
        revision=content["revision"],
        registration=content["registration"],
        name=_label(content["name"]),
        age_from=content["age_from"],
        anchor_events=_keyed(content["anchor_events"], _anchor_event),
        dose_levels=_each(content["dose_levels"], _dose_level),
        risk_windows=_each(content["risk_windows"], lambda given: RiskWindow(**given)),
        visits=_each(content["visits"], _visit),
        unscheduled_visit=_visit({**content["unscheduled_visit"], "anchor": "", "day": 0, "from_day": 0, "to_day": 0}),
        items=_keyed(content["items"], _item),
        forms=_keyed(content["forms"], _form),
        diary=_each(content["diary"], _phase),
        red_flags=_each(content["red_flags"], _condition),
        organs=_labels(content["organs"]),
        assessments=_labels(content["assessments"]),
        measures=_keyed(content["measures"], _measure),
        drugs=_keyed(content["drugs"], _drug),
        settings=_frozen(content["settings"]),
        rules=_keyed(content["rules"], _rule),
        ladders=_keyed(content["ladders"], _ladder),
        reminders=_reminders(content["reminders"]),
        emergency_text=_label(content["emergency_text"]),
        outcomes=_each(content["outcomes"], _outcome),
        sha256=identity(content),
        low_adherence=LowAdherence(**content["low_adherence"]) if "low_adherence" in content else None,
        unscheduled_form=content.get("unscheduled_form", ""),
        analysis=_frozen(content.get("analysis", {})),
    )


def _each(given: Sequence[Content], make: Callable[[Content], Made]) -> tuple[Made, ...]:
    return tuple(make(one) for one in given)


def _keyed(given: Mapping[str, Content], make: Callable[[str, Content], Made]) -> dict[str, Made]:
    return {key: make(key, one) for key, one in given.items()}


def _label(given: Content) -> Label:
    return Label(given["zh"], given["en"])


def _labels(given: Mapping[str, Content]) -> dict[str, Label]:
    return {key: _label(one) for key, one in given.items()}


def _decimal(given: Any) -> Decimal | None:
    """A number as Decimal with the digits given; a float (a JSON column's) by its shortest spelling."""
    return None if given is None else _exactly(given)


def _exactly(given: Any) -> Decimal:
    return Decimal(repr(given) if isinstance(given, float) else given)


def _frozen(given: Any) -> Any:
    """Settings and thresholds: lists as tuples, fractions as Decimal, whole numbers as they are."""
    if isinstance(given, Mapping):
        return {key: _frozen(one) for key, one in given.items()}
    if isinstance(given, list | tuple):
        return tuple(_frozen(one) for one in given)
    return _exactly(given) if isinstance(given, float) else given


def _time(given: str) -> time:
    return time.fromisoformat(given)


def _anchor_event(key: str, given: Content) -> AnchorEvent:
    return AnchorEvent(key, _label(given["name"]), given.get("optional", False))


def _dose_level(given: Content) -> DoseLevel:
    return DoseLevel(given["key"], _exactly(given["cells_per_kg"]), given["planned"])


def _visit(given: Content) -> Visit:
    return Visit(
        key=given["key"],
        name=_label(given["name"]),
        anchor=given["anchor"],
        day=given["day"],
        from_day=given["from_day"],
        to_day=given["to_day"],
        assessments=tuple(given["assessments"]),
        before=given.get("before", ""),
    )


def _condition(given: Content) -> Condition:
    return Condition(given["item"], given["op"], _frozen(given["value"]))


def _item(key: str, given: Content) -> Item:
    return Item(
        key=key,
        type=given["type"],
        label=_label(given["label"]),
        options=tuple(Option(one["key"], _label(one["label"])) for one in given.get("options", ())),
        exclusive=given.get("exclusive"),
        min=_decimal(given.get("min")),
        max=_decimal(given.get("max")),
        decimals=given.get("decimals", 0),
        unit=given.get("unit"),
        confirm_below=_decimal(given.get("confirm_below")),
        confirm_above=_decimal(given.get("confirm_above")),
        max_length=given.get("max_length", 500),
        hint=_label(given["hint"]) if "hint" in given else None,
    )


def _form(key: str, given: Content) -> Form:
    return Form(
        key=key,
        name=_label(given["name"]),
        items=_each(given["items"], _form_item),
        score=tuple(given.get("score", ())),
        report=given.get("report", True),
        staff_only=given.get("staff_only", False),
    )


def _form_item(given: Content) -> FormItem:
    show_if = given.get("show_if")
    return FormItem(given["item"], given.get("required", True), None if show_if is None else _condition(show_if))


def _phase(given: Content) -> DiaryPhase:
    times = tuple(SlotTime(_time(one["at"]), tuple(one["forms"])) for one in given["times"])
    return DiaryPhase(**{**given, "times": times})


def _measure(key: str, given: Content) -> Measure:
    return Measure(
        code=key,
        name=_label(given["name"]),
        unit=given["unit"],
        min=_exactly(given["min"]),
        max=_exactly(given["max"]),
        kind=given["kind"],
        methods=tuple(given.get("methods", ())),
    )


def _drug(key: str, given: Content) -> Drug:
    return Drug(key, _label(given["name"]), given["drug_class"], _decimal(given.get("prednisolone_per_mg")))


def _rule(key: str, given: Content) -> Rule:
    thresholds = _frozen(given["thresholds"])
    return Rule(key, given["version"], given["level"], tuple(given["windows"]), thresholds)


def _ladder(level: str, given: Content) -> Ladder:
    return Ladder(
        level=level,
        steps=tuple(LadderStep(one["after_s"], tuple(one["to"]), one.get("channel", 1)) for one in given["steps"]),
        lane=given.get("lane", "page"),
        repeat_every_s=given.get("repeat_every_s"),
        repeat_to=tuple(given.get("repeat_to", ())),
        becomes=given.get("becomes"),
        becomes_after_s=given.get("becomes_after_s"),
        contact_within_s=given.get("contact_within_s"),
        seen_within_s=given.get("seen_within_s"),
        overdue_to=tuple(given.get("overdue_to", ())),
        **({"advice": _label(given["advice"])} if "advice" in given else {}),
    )


def _reminders(given: Content) -> Reminders:
    return Reminders(
        morning_at=_time(given["morning_at"]),
        visit_days_before=tuple(given["visit_days_before"]),
        nudge=given["nudge"],
        texts_per_day=given["texts_per_day"],
        quiet_from=_time(given["quiet_from"]),
        quiet_to=_time(given["quiet_to"]),
    )


def _outcome(given: Content) -> Outcome:
    return Outcome(
        key=given["key"],
        name=_label(given["name"]),
        time_frame_months=given["time_frame_months"],
        baseline=given["baseline"],
        time_points=tuple(given["time_points"]),
        inputs=tuple(given["inputs"]),
    )
