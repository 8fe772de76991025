"""Contexts for the report rules: Day +6 of a subject at 21:10 in Nanjing, changed by keyword.

`STUDY` is the lupus study as it ships, `RULES` its rules on reports (R01–R32, T1–T4), `SETTINGS` its shared numbers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from backend.safety.context import Baseline, Context, Dose, EpisodeView, Finding, Median, Report, Value
from backend.safety.evaluate import evaluate
from schedules import protocol
from schedules.protocol.load import load_study

STUDY = load_study(Path(protocol.__file__).with_name("definitions") / "sle-cd19.yaml")
SETTINGS: Mapping[str, Any] = STUDY.settings
RULES = {id: rule for id, rule in STUDY.rules.items() if id[0] in "RT"}

ZONE = "Asia/Shanghai"
AT = datetime(2025, 3, 10, 13, 10, tzinfo=UTC)  # 21:10 on the subject's clock
DAY = 6
FULL_NEURO = {
    **{f"neuro_{item}": 1 for item in ("year", "month", "city", "hospital", "command", "writing", "counting")},
    "neuro_naming": 3,
}


def ago(hours: float = 0, minutes: float = 0) -> datetime:
    return AT - timedelta(hours=hours, minutes=minutes)


def number(given: Any) -> Any:
    """Numbers as the capture hands them over: floats are written as decimals."""
    return Decimal(str(given)) if isinstance(given, float) else given


def report(at: datetime = AT, *, id: str | None = None, form: str = "quick", **answers: Any) -> Report:
    """A report; `reporter`, `score` and `received_at` are its own, everything else is an answer."""
    own = {key: answers.pop(key) for key in ("reporter", "score", "received_at") if key in answers}
    if answers.get("temp_c") is not None:
        answers.setdefault("temp_site", "armpit")
    return Report(
        id=id or f"r{at:%d%H%M}{form}",
        form=form,
        at=at,
        received_at=own.get("received_at", at),
        reporter=own.get("reporter", "patient"),
        source="phone",
        answers={key: number(given) for key, given in answers.items()},
        score=own.get("score"),
    )


def temperature(at: datetime, degrees: float, site: str = "armpit") -> Report:
    return report(at, temp_c=degrees, temp_site=site)


def value(code: str, amount: Any, at: datetime = AT, **rest: Any) -> Value:
    return Value(id=f"v-{code}-{at:%d%H%M}", code=code, value=Decimal(str(amount)), at=at, recorded_at=at, **rest)


def dose(drug: str, drug_class: str, at: datetime, mg: Any = None, **rest: Any) -> Dose:
    """A single dose unless `stop` is given."""
    stop = rest.pop("stop", at)
    return Dose(f"d-{drug}-{at:%d%H%M}", drug, drug_class, at, stop, None if mg is None else Decimal(str(mg)), **rest)


def paracetamol(hours: float, mg: Any = 1000) -> Dose:
    return dose("paracetamol", "antipyretic", ago(hours), mg)


def median(middle: float, n: int = 7) -> Median:
    return Median(Decimal(str(middle)), n)


def context(
    *reports: Report,
    values: Iterable[Value] = (),
    day: int | None = DAY,
    window: str | None = "W2",
    **rest: Any,
) -> Context:
    """Evaluated at AT for the last of the reports, or for the last of the values if there is no report at AT."""
    given = tuple(sorted(values, key=lambda each: each.at))
    asked = [each for each in reports if each.at == AT]
    latest = ("value", given[-1].id) if given and not asked else ("report", (asked or reports)[-1].id)
    fields: dict[str, Any] = {
        "subject_id": "s1",
        "now": AT,
        "at": AT,
        "trigger": latest[0],
        "trigger_id": latest[1],
        "day": day,
        "window": window,
        "infused_at": None if day is None else AT - timedelta(days=day),
        "zone": ZONE,
        "reports": tuple(sorted(reports, key=lambda each: each.at)),
        "values": given,
        "settings": SETTINGS,
        **rest,
    }
    fields["doses"] = tuple(fields.get("doses", ()))
    return Context(**fields)


def asked(*earlier: Report, answers: Mapping[str, Any] | None = None, **rest: Any) -> Context:
    """One report at AT with these answers; context fields and answers may be mixed as keywords."""
    fields = {"values", "day", "window", "doses", "baseline", "episode", "prior_organs", "now", "infused_at"}
    own = {key: rest.pop(key) for key in tuple(rest) if key in fields}
    return context(*earlier, report(**(answers or {}), **rest), **own)


def baseline(**rest: Any) -> Baseline:
    return Baseline(**rest)


def episode(**changes: Any) -> EpisodeView:
    view = EpisodeView("URGENT", ago(2), None, None, ("fever",))
    return replace(view, **changes)


def fired(given: Context) -> dict[str, Finding]:
    """Everything the study's rules find, by rule id."""
    return {found.rule: found for found in evaluate(given, RULES)}


def only(given: Context, rule: str) -> Finding | None:
    """What one rule finds when no other is in the study."""
    return next(iter(evaluate(given, {rule: RULES[rule]})), None)
