"""What only several facts together show: R20, R25 and T1–T4 of clinical-safety §3.3. Pure.

Temperatures in °C, heart rate per minute, pressure in mmHg, weight in kg, neuro check 0–10 and its time in seconds.
T1–T4 come at their usual level; `evaluate` raises them when another rule fired too.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

from backend.safety.context import Context, Finding, Report
from backend.safety.masking import masked
from backend.safety.rules import temperature as heat
from backend.safety.rules import wording
from backend.safety.rules.base import Thresholds, round_half_up, rule
from backend.safety.rules.compose import compose, distinct, fever_texts, temperature_fact, temperature_if_any
from backend.safety.rules.evidence import (
    Fact,
    above_baseline,
    answer,
    choice,
    current,
    drives,
    expected_heart_rate,
    hours,
    known,
    local_day,
    measured,
    scale,
    temperature,
    ticked,
)
from backend.safety.rules.fever import BOTH, READS
from backend.safety.rules.neuro import neuro_check
from backend.safety.rules.vocabulary import ORGANS, Text, word


@rule(
    "R20",
    triggers=BOTH,
    items=("temp_c", "chills", "hr", "sbp", "headache", "myalgia", "fatigue", "intake"),
    values=("body_temperature", "hr", "sbp"),
    thresholds=(
        *("least", "temp_c", "chills", "hr_above_baseline_per_min", "sbp_below_baseline_pct"),
        *("symptom", "symptom_above_baseline"),
    ),
)
def early_warning(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R20: at least `least` of temperature, chills, pulse, pressure, new symptom and poor intake.

    Headache, muscle ache and fatigue are one of them together: from `symptom` and above own baseline.
    """
    signs = [sign for sign in _early_signs(context, thresholds) if sign]
    if len(signs) < thresholds["least"]:
        return None
    facts = [fact for sign in signs for fact in sign]
    return compose(
        context,
        thresholds["level"],
        organ="trend",
        keys=("crs_prodrome", "infection"),
        facts=facts,
        texts=[
            wording.plain("同时存在 {n} 项早期信号。", "{n} early signs together.", n=len(signs)),
            wording.reported(context, *facts),
            wording.masking_text(context),
        ],
        drives=drives(facts),
    )


def _early_signs(context: Context, thresholds: Thresholds) -> list[list[Fact]]:
    """Each sign with its facts, empty where it is absent or unknown."""
    reading, rate, pressure = temperature(context), current(context, "hr"), current(context, "sbp")
    resting, usual = context.baseline.vitals.get("hr"), context.baseline.vitals.get("sbp")
    warm = reading is not None and round_half_up(reading.value) >= thresholds["temp_c"]
    fast = rate and resting and rate.first - resting.median >= thresholds["hr_above_baseline_per_min"]
    kept = (100 - thresholds["sbp_below_baseline_pct"]) / Decimal(100)
    low = pressure and usual and pressure.mean <= usual.median * kept
    symptoms = known(
        *(
            above_baseline(context, scale(context, item, thresholds["symptom"]), thresholds["symptom_above_baseline"])
            for item in ("headache", "myalgia", "fatigue")
        )
    )
    return [
        [temperature_fact(context, reading)] if reading is not None and warm else [],
        known(scale(context, "chills", thresholds["chills"])),
        rate.facts() if rate and fast else [],
        pressure.facts() if pressure and low else [],
        symptoms,
        known(choice(context, "intake", "no")),
    ]


@rule(
    "R25",
    items=("rash", "joints", "oedema", "urine", "palps", "breath", "cough", "diarrhoea_24h"),
    thresholds=("from_day", "to_day", "above_baseline", "diarrhoea_above_baseline", "fever_within_h", "serious_level"),
    settings=("organ_answers",),
)
def known_organ_again(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R25 and §1.6: a symptom above own baseline in an organ affected before, without fever, not masked.

    `settings["organ_answers"]` says which scales and urine answers speak for an organ and which organs are serious
    (`serious_level`). A urine answer is above baseline unless it was given before infusion too. Fever within
    `fever_within_h` counts as fever; an unmeasured temperature does not (safer: it is then still looked at).
    """
    if context.day is None or not thresholds["from_day"] <= context.day <= thresholds["to_day"]:
        return None
    if masked(context) or heat.fever(context) is not None or _recent_fever(context, thresholds["fever_within_h"]):
        return None
    organs = context.settings["organ_answers"]
    found = {
        organ: facts
        for organ in context.prior_organs
        if organ in organs and (facts := _organ_facts(context, organs[organ], thresholds))
    }
    if not found:
        return None
    serious = [organ for organ in found if organs[organ]["serious"]]
    facts = distinct([fact for group in found.values() for fact in group])
    names = wording.listed(word(ORGANS, organ) for organ in found)
    return compose(
        context,
        thresholds["serious_level"] if serious else thresholds["level"],
        organ=organs[(serious or list(found))[0]]["organ"],
        keys=("licats", "flare"),
        facts=facts,
        texts=[
            Text(f"治疗前受累的器官：{names.zh}。", f"Organs affected before treatment: {names.en}."),
            wording.reported(context, *facts),
            temperature_if_any(context, temperature(context)),
            wording.values_text(context, "b_cells"),
        ],
        more={"organs": list(found)},
        drives=_organ_drives(facts),
    )


def _organ_drives(facts: list[Fact]) -> dict[str, int]:
    """The scales, and each urine answer as a step of its own, so that foamy urine can be known to the team."""
    urine = {f"urine_{option}": 1 for fact in facts if fact.name == "urine" for option in fact.value}
    return {**{fact.name: fact.value for fact in facts if fact.name != "urine"}, **urine}


def _recent_fever(context: Context, within_h: Decimal) -> bool:
    return any(context.at - reading.at <= hours(within_h) for reading in heat.fevers(context))


def _organ_facts(context: Context, speaks: Mapping[str, Any], thresholds: Thresholds) -> list[Fact]:
    """The answers above own baseline that speak for one organ."""
    scales = [
        above_baseline(
            context,
            scale(context, item, 1),
            thresholds["diarrhoea_above_baseline" if item == "diarrhoea_24h" else "above_baseline"],
        )
        for item in speaks["items"]
    ]
    new = [option for option in speaks["urine"] if not _urine_before(context, option)]
    return known(*scales, ticked(context, "urine", *new) if new else None)


def _urine_before(context: Context, option: str) -> bool:
    """Whether this urine answer was given before treatment already: in the baseline or in a report still at hand."""
    if context.baseline.symptoms.get(f"urine_{option}"):
        return True
    if context.infused_at is None:
        return False
    return any(
        option in (report.answers.get("urine") or ()) for report in context.reports if report.at < context.infused_at
    )


def _trend(
    context: Context, level: str, keys: tuple[str, ...], facts: list[Fact], *texts: Text | None, **rest: Any
) -> Finding:
    return compose(context, level, organ="trend", keys=keys, facts=facts, texts=texts, **rest)


@rule(
    "T1",
    triggers=BOTH,
    items=READS,
    values=("body_temperature",),
    thresholds=("rise_c", "readings", "end_c", "within_h", "combined_level"),
)
def rising_temperature(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 T1: `rise_c` or more over the last `readings` same-site readings, ending at or above `end_c`.

    The slope is the last less the first; readings further back than `within_h` do not make a slope.
    """
    reading = temperature(context)
    if reading is None or round_half_up(reading.value) < thresholds["end_c"]:
        return None
    same = [
        each
        for each in context.temperatures()
        if each.site == reading.site and each.at <= reading.at and reading.at - each.at <= hours(thresholds["within_h"])
    ][-int(thresholds["readings"]) :]
    if len(same) < thresholds["readings"]:
        return None
    rise = round_half_up(same[-1].value) - round_half_up(same[0].value)
    if rise < thresholds["rise_c"]:
        return None
    return _trend(
        context,
        thresholds["level"],
        ("crs_prodrome", "infection"),
        [temperature_fact(context, each) for each in same],
        *fever_texts(context, reading),
        wording.plain(
            "最近 {n} 次读数上升 {rise} °C。", "Up {rise} °C over the last {n} readings.", n=len(same), rise=rise
        ),
    )


@rule(
    "T2",
    triggers=BOTH,
    items=("hr", "temp_c", "temp_site"),
    values=("hr", "body_temperature"),
    thresholds=("hr_above_expected_per_min", "combined_level"),
    settings=("hr_per_degree",),
)
def pulse_out_of_step(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 T2: heart rate `hr_above_expected_per_min` or more above what own resting rate and temperature explain."""
    reading, rate = temperature(context), current(context, "hr")
    expected = expected_heart_rate(context, reading)
    if reading is None or rate is None or expected is None:
        return None
    if rate.first - expected < thresholds["hr_above_expected_per_min"]:
        return None
    return _trend(
        context,
        thresholds["level"],
        ("crs_prodrome", "arrhythmia", "dehydration"),
        [temperature_fact(context, reading), *rate.facts()],
        wording.temperature_text(context, reading),
        wording.plain(
            "心率 {hr}，该体温下预期 {n}。",
            "Heart rate {hr}, expected {n} at this temperature.",
            hr=rate.first,
            n=expected,
        ),
        more={"expected_hr": expected},
    )


@rule("T3", items=("neuro_seconds",), thresholds=("falls", "span_days", "slower_pct", "combined_level"))
def slipping_neuro_check(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 T3: `falls` daily falls of the neuro check in a row, or its time `slower_pct` over own baseline.

    The lowest check of a day stands for it; the days compared lie within `span_days` of each other.
    """
    check = neuro_check(context)
    falling = _falls(context, thresholds) if check is not None else []
    seconds, usual = answer(context, "neuro_seconds"), context.baseline.neuro_seconds
    slow = None
    if seconds is not None and usual is not None and isinstance(seconds.value, int | Decimal):
        slow = seconds if seconds.value >= usual * (100 + thresholds["slower_pct"]) / Decimal(100) else None
    if not (falling or slow):
        return None
    return _trend(
        context,
        thresholds["level"],
        ("icans",),
        [*(_score(report) for report in falling), *known(slow)],
        _scores(falling),
        wording.plain("用时 {s} 秒，本人基线 {u} 秒。", "Took {s} s, own baseline {u} s.", s=slow.value, u=usual)
        if slow
        else None,
    )


def _score(report: Report) -> Fact:
    return Fact("neuro_score", report.score, report.at, report.id, report.reporter)


def _scores(falling: list[Report]) -> Text | None:
    if not falling:
        return None
    row = " → ".join(wording.number(report.score) for report in falling if report.score is not None)
    return Text(f"神经检查逐日下降：{row}。", f"Neuro check falling day by day: {row}.")


def _falls(context: Context, thresholds: Thresholds) -> list[Report]:
    """The lowest check of each of the last days if every one is below the one before; else nothing."""
    lowest: dict[date, Report] = {}
    for report in context.reports:
        if report.form == "neuro" and report.score is not None and report.at <= context.at:
            day = local_day(context, report.at)
            held = lowest.get(day)
            if held is None or held.score is None or report.score < held.score:
                lowest[day] = report
    days = sorted(lowest)[-(int(thresholds["falls"]) + 1) :]
    if len(days) <= thresholds["falls"] or (days[-1] - days[0]).days > thresholds["span_days"]:
        return []
    scores = [(lowest[day].score or Decimal(0)) for day in days]
    falling = all(later < earlier for earlier, later in pairwise(scores))
    return [lowest[day] for day in days] if falling else []


@rule(
    "T4",
    triggers=BOTH,
    items=("weight_kg",),
    values=("weight_kg",),
    thresholds=("gain_kg", "within_days", "combined_level"),
)
def weight_gain(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 T4: `gain_kg` or more over the lowest weight of the last `within_days` days (72 h for three days)."""
    now = current(context, "weight_kg")
    if now is None:
        return None
    span = hours(thresholds["within_days"] * 24)
    earlier = [each for each in measured(context, "weight_kg") if each.at < now.at and now.at - each.at <= span]
    lightest = min(earlier, key=lambda each: each.first, default=None)
    if lightest is None or now.first - lightest.first < thresholds["gain_kg"]:
        return None
    when = wording.clock(context, lightest.at)
    gain = wording.signed(now.first - lightest.first)
    return _trend(
        context,
        thresholds["level"],
        ("capillary_leak", "lupus_nephritis"),
        [*lightest.facts(), *now.facts()],
        Text(f"自 {when.zh} 体重变化 {gain} kg。", f"Weight change {gain} kg since {when.en}."),
    )
