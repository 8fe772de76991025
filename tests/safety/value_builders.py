"""Small contexts around one evening on study day 6, for the rules on values, silence, masking and baselines.

`RULES` are the rules of the lupus study as it ships on values (L01–L17) and silence (S1–S8), `SETTINGS` its numbers.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from backend.safety.context import Context, Dose, Finding, Report, Slot, Value
from backend.safety.evaluate import evaluate
from schedules import protocol
from schedules.protocol.load import load_study

NOW = datetime(2026, 3, 9, 13, 10, tzinfo=UTC)  # 21:10 in Shanghai
INFUSED = NOW - timedelta(days=6, hours=10)
STUDY = load_study(Path(protocol.__file__).with_name("definitions") / "sle-cd19.yaml")
SETTINGS: Mapping[str, Any] = STUDY.settings
RULES = {id: rule for id, rule in STUDY.rules.items() if id[0] in "LS"}


def ago(hours: float = 0, *, days: float = 0, minutes: float = 0) -> datetime:
    return NOW - timedelta(days=days, hours=hours, minutes=minutes)


def number(text: str | int | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def value(code: str, amount: str | int | None, at: datetime = NOW, **rest: Any) -> Value:
    """A laboratory value known the moment it was taken; its limits may be given as text."""
    limits = {name: number(rest.pop(name, None)) for name in ("lln", "uln")}
    return Value(f"{code}@{at:%m%d%H%M%S}", code, number(amount), at, rest.pop("recorded_at", at), **limits, **rest)


def report(at: datetime = NOW, form: str = "quick", **answers: Any) -> Report:
    """An entry of the patient's own; `score`, `received_at`, `claimed_at`, `skew_s`, `source` go to the entry."""
    own = ("score", "received_at", "claimed_at", "skew_s", "source", "reporter", "is_report")
    rest = {name: answers.pop(name) for name in own if name in answers}
    rest = {"received_at": at, "reporter": "patient", "source": "phone"} | rest
    return Report(id=f"{form}@{at:%m%d%H%M%S}", form=form, at=at, answers=answers, **rest)


def dose(drug: str, drug_class: str, start: datetime, stop: datetime | None = None, **rest: Any) -> Dose:
    """One single dose unless `stop` says otherwise; `going_on=True` leaves it open."""
    end = None if rest.pop("going_on", False) else stop or start
    return Dose(f"{drug}@{start:%m%d%H%M}", drug, drug_class, start, end, **rest)


def slot(due: datetime, *, done: bool = False, announced: bool = True, weekly: bool = False, **rest: Any) -> Slot:
    """A quick report late one hour and closed two hours after it was due (a day and two, when weekly)."""
    late, closes = (24, 48) if weekly else (1, 2)
    times = {"late_at": due + timedelta(hours=late), "closes_at": due + timedelta(hours=closes)} | rest
    return Slot(f"slot@{due:%m%d%H%M}", "quick", due, done=done, announced=announced, weekly=weekly, **times)


def context(*facts: Any, **rest: Any) -> Context:
    """A context holding these facts, sorted by kind; the last value or report given is what triggered it."""
    values = tuple(sorted((f for f in facts if isinstance(f, Value)), key=lambda f: f.at))
    reports = tuple(sorted((f for f in facts if isinstance(f, Report)), key=lambda f: f.at))
    cause = next((f for f in reversed(facts) if isinstance(f, Value | Report)), None)
    plain = Context(
        subject_id="001",
        now=NOW,
        at=cause.at if cause else NOW,
        trigger="value" if isinstance(cause, Value) else "report",
        trigger_id=cause.id if cause else None,
        day=6,
        window="W2",
        infused_at=INFUSED,
        zone="Asia/Shanghai",
        reports=reports,
        values=values,
        doses=tuple(f for f in facts if isinstance(f, Dose)),
        slots=tuple(f for f in facts if isinstance(f, Slot)),
        settings=SETTINGS,
    )
    return replace(plain, **rest)


def silent(*facts: Any, **rest: Any) -> Context:
    """A context as the sweep for silence builds it: caused by the clock."""
    return context(*facts, **{"trigger": "silence", "trigger_id": None, "at": NOW} | rest)


def ask(rule: str, given: Context) -> Finding | None:
    """What one rule says when no other is in the study."""
    return next(iter(evaluate(given, {rule: RULES[rule]})), None)


def fires(rule: str, given: Context) -> Finding:
    """What one rule says, which must be something complete in both languages."""
    found = ask(rule, given)
    assert found is not None, f"{rule} is silent"
    assert found.sentence_zh
    assert found.sentence_en
    assert found.inputs["facts"]
    assert found.compatible_with
    return found
