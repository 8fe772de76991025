"""Fever over time and under medicines: R13–R17 and R29 of clinical-safety §3.3. Pure.

Temperatures in °C, heart rate per minute, doses in mg; days are calendar days in the subject's zone.
"""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from backend.safety.context import Context, Dose, Finding, Reading, Report
from backend.safety.masking import masked
from backend.safety.rules import temperature as heat
from backend.safety.rules import wording
from backend.safety.rules.base import Thresholds, hours_between, round_half_up, rule
from backend.safety.rules.compose import compose, fever_texts, temperature_fact, temperature_if_any
from backend.safety.rules.evidence import (
    Fact,
    above_baseline,
    current,
    doses,
    drives,
    earlier_temperatures,
    hours,
    known,
    local_day,
    matched_baseline,
    minutes,
    scale,
    temperature,
)
from backend.safety.rules.fever import BOTH, READS, REPEAT_15
from backend.safety.rules.vocabulary import Text, drug


def _rise(context: Context, reading: Reading) -> Decimal | None:
    """°C over the matched baseline; None without one."""
    normal = matched_baseline(context, reading)
    return None if normal is None else round_half_up(reading.value) - normal[1].median


@rule(
    "R13",
    triggers=BOTH,
    items=READS,
    values=("body_temperature",),
    thresholds=("rise_c", "within_h", "chills", "strong_level"),
)
def rise_over_baseline(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R13: `rise_c` or more over the matched baseline, below definite fever.

    `strong_level` when two such readings lie within `within_h`, with chills, or masked. Two readings count as two
    when they are at least as far apart as a repeat of §2.2. Masked includes standing steroids, as R14 does.
    """
    reading = temperature(context)
    if reading is None or heat.at_least(context, reading, heat.DEFINITE):
        return None
    rise = _rise(context, reading)
    if rise is None or rise < thresholds["rise_c"]:
        return None
    apart = minutes(context.settings["fever"]["repeat_from_min"])
    before = [
        each
        for each in earlier_temperatures(context, reading, hours(thresholds["within_h"]))
        if reading.at - each.at >= apart and (_rise(context, each) or Decimal(0)) >= thresholds["rise_c"]
    ]
    chills = known(scale(context, "chills", thresholds["chills"]))
    strong = before or chills or masked(context)
    return compose(
        context,
        thresholds["strong_level"] if strong else thresholds["level"],
        organ="fever",
        keys=("crs_prodrome", "infection"),
        facts=[*(temperature_fact(context, each) for each in (*before, reading)), *chills],
        texts=[
            *fever_texts(context, reading),
            wording.plain("同一时段内已有 {n} 次升高。", "{n} earlier raised readings.", n=len(before))
            if before
            else None,
        ],
        asks=REPEAT_15,
    )


@rule(
    "R14",
    triggers=BOTH,
    items=(*READS, "hr", "antipyretic", "steroid_taken"),
    values=("body_temperature", "hr"),
    thresholds=("chills_above_baseline", "hr_above_baseline_per_min"),
)
def masked_fever(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R14: masked, and temperature at or above the probable limit, chills above own baseline, or a fast pulse.

    Once treated, fever is no longer required (§1.1). Chills count from `chills_above_baseline` steps over the
    subject's own highest, heart rate from `hr_above_baseline_per_min` over the subject's own.
    """
    if not masked(context):
        return None
    reading = temperature(context)
    warm = reading if heat.at_least(context, reading, heat.PROBABLE) else None
    chills = known(above_baseline(context, scale(context, "chills", 1), thresholds["chills_above_baseline"]))
    rate, normal = current(context, "hr"), context.baseline.vitals.get("hr")
    limit = thresholds["hr_above_baseline_per_min"]
    fast = rate.facts() if rate and normal and rate.first - normal.median >= limit else []
    if not (warm or chills or fast):
        return None
    facts = [*([temperature_fact(context, warm)] if warm else []), *chills, *fast]
    return compose(
        context,
        thresholds["level"],
        organ="fever",
        keys=("crs", "masked_fever", "infection"),
        facts=facts,
        texts=[
            temperature_if_any(context, reading),
            wording.masking_text(context),
            wording.chills_text(context),
            wording.reported(context, *fast) if fast else None,
        ],
        closing=wording.joined(
            Text(
                "不能排除 CRS ≥1 级：用药后评估不再要求发热。",
                "CRS grade ≥1 not excluded: fever is not required once treated.",
            ),
            wording.anc_sentence(context),
        ),
        drives=drives(facts),
        asks=REPEAT_15,
    )


@rule(
    "R15",
    triggers=BOTH,
    items=(*READS, "antipyretic"),
    values=("body_temperature",),
    thresholds=("temp_c", "after_dose_from_h", "after_dose_to_h", "back_within_h"),
)
def refractory_fever(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R15: still at or above `temp_c` 2–6 h after an antipyretic, or back within `back_within_h` of a dose.

    "Back <6–8 h" is read as below the upper hour: the safer reading. A medicine that goes on counts as taken
    regularly. `evaluate` raises the other fever findings by one level.
    """
    reading = temperature(context)
    if reading is None or round_half_up(reading.value) < thresholds["temp_c"]:
        return None
    dose = next(
        (each for each in reversed(doses(context, "antipyretic")) if _fails(context, reading, each, thresholds)), None
    )
    if dose is None:
        return None
    drop, since = _drop(context, reading, dose), hours_between(reading.at, dose.start)
    return compose(
        context,
        thresholds["level"],
        organ="fever",
        keys=("crs", "infection"),
        facts=[temperature_fact(context, reading), _dose_fact(dose)],
        texts=[
            *fever_texts(context, reading),
            wording.plain(
                "用{drug_zh}后 {since} 小时仍有或再次发热，{drop_zh}。",
                "Fever {since} h after {drug_en}, {drop_en}.",
                drug_zh=drug(dose.drug).zh,
                drug_en=drug(dose.drug).en,
                since=since,
                drop_zh="降温幅度未知" if drop is None else f"期间最多下降 {drop:.1f} °C",
                drop_en="drop unknown" if drop is None else f"largest drop {drop:.1f} °C",
            ),
        ],
        closing=wording.crs_or_infection(context),
        more={"hours_since_dose": since, "drop_c": drop},
        asks=REPEAT_15,
    )


def _dose_fact(dose: Dose) -> Fact:
    return Fact(dose.drug, dose.mg, dose.start, dose.id)


def _fails(context: Context, reading: Reading, dose: Dose, thresholds: Thresholds) -> bool:
    if dose.start >= reading.at:
        return False
    if dose.stop is None:
        return True
    since = reading.at - dose.start
    if hours(thresholds["after_dose_from_h"]) <= since <= hours(thresholds["after_dose_to_h"]):
        return True
    went = any(round_half_up(each.value) < thresholds["temp_c"] for each in _after(context, reading, dose))
    return went and since < hours(thresholds["back_within_h"])


def _after(context: Context, reading: Reading, dose: Dose) -> list[Reading]:
    return [each for each in context.temperatures() if dose.start < each.at < reading.at]


def _drop(context: Context, reading: Reading, dose: Dose) -> Decimal | None:
    """From the last temperature before the dose to the lowest since; None when there was none before it."""
    before = [each.value for each in context.temperatures() if each.at <= dose.start]
    lowest = min(each.value for each in (*_after(context, reading, dose), reading))
    return max(before[-1] - lowest, Decimal(0)) if before else None


@rule(
    "R16",
    triggers=BOTH,
    items=READS,
    values=("body_temperature",),
    thresholds=("days", "fever_free_h"),
)
def lasting_or_returning_fever(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R16: fever on `days` calendar days since infusion, or back `fever_free_h` after defervescence.

    Days need not follow each other (safer). Defervescence is the first reading without fever after the last fever.
    """
    reading = heat.fever(context)
    if reading is None:
        return None
    since = [each for each in heat.fevers(context) if context.infused_at is None or each.at >= context.infused_at]
    days = sorted({local_day(context, each.at) for each in (*since, reading)})
    free = _hours_free(context, reading, since)
    returned = free is not None and free >= thresholds["fever_free_h"]
    if len(days) < thresholds["days"] and not returned:
        return None
    facts = list({each.source: temperature_fact(context, each) for each in (*since, reading)}.values())
    return compose(
        context,
        thresholds["level"],
        organ="fever",
        keys=("crs_prolonged", "iec_hs", "infection"),
        facts=facts,
        texts=[
            *fever_texts(context, reading),
            _timeline(days),
            wording.plain("退热 {h} 小时后再次发热。", "Back {h} h after defervescence.", h=free) if returned else None,
            Text("请考虑复查铁蛋白、纤维蛋白原并送血培养。", "Consider ferritin, fibrinogen and blood culture."),
        ],
        more={"fever_days": [f"{day:%Y-%m-%d}" for day in days], "fever_free_h": free},
        asks=REPEAT_15,
    )


def _timeline(days: list[date]) -> Text:
    row = ", ".join(f"{day:%m-%d}" for day in days)
    return Text(f"回输后发热的日期：{row}。", f"Days with fever since infusion: {row}.")


def _hours_free(context: Context, reading: Reading, since: list[Reading]) -> Decimal | None:
    """Hours from the first reading without fever after the last fever until now; None without either."""
    past = [each for each in since if each.at < reading.at]
    if not past:
        return None
    free = [each for each in context.temperatures() if past[-1].at < each.at < reading.at]
    return hours_between(reading.at, free[0].at) if free else None


@rule(
    "R17",
    triggers=("report", "silence"),
    items=("chills", "temp_c"),
    thresholds=("chills", "prompt_level", "temp_within_min", "overdue_min", "lookback_h"),
)
def shaking_without_temperature(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R17: shaking chills and no temperature within `temp_within_min`: measure; none after `overdue_min`: page.

    The silence watch asks again until a temperature is there; each report speaks once, under its own key.
    """
    if context.trigger == "report":
        return _prompt_to_measure(context, thresholds)
    until_now = replace(context, at=max(context.at, context.now))
    report = next((each for each in reversed(context.reports) if _still_unmeasured(until_now, each, thresholds)), None)
    if report is None:
        return None
    return _shaking(
        context,
        thresholds["level"],
        Fact("chills", report.answers["chills"], report.at, report.id, report.reporter),
        Text("要求测体温后仍无读数。", "Still no temperature after it was asked for."),
        key=f"R17:{report.id}",
    )


def _prompt_to_measure(context: Context, thresholds: Thresholds) -> Finding | None:
    chills = scale(context, "chills", thresholds["chills"])
    readings = context.temperatures()
    if chills is None or (readings and chills.at - readings[-1].at <= minutes(thresholds["temp_within_min"])):
        return None
    told = Text("本次未测体温，请患者立即测量。", "No temperature with it; the patient is asked to measure now.")
    return _shaking(context, thresholds["prompt_level"], chills, told, key=None)


def _still_unmeasured(until_now: Context, report: Report, thresholds: Thresholds) -> bool:
    given = report.answers.get("chills")
    if not isinstance(given, int | Decimal) or isinstance(given, bool) or given < thresholds["chills"]:
        return False
    waited = until_now.at - report.at
    if not minutes(thresholds["overdue_min"]) <= waited <= hours(thresholds["lookback_h"]):
        return False
    earliest = report.at - minutes(thresholds["temp_within_min"])
    return not any(reading.at >= earliest for reading in until_now.temperatures())


def _shaking(context: Context, level: str, chills: Fact, told: Text, key: str | None) -> Finding:
    return compose(
        context,
        level,
        organ="fever",
        keys=("crs", "sepsis"),
        facts=[chills],
        texts=[wording.reported(context, chills), told, wording.masking_text(context)],
        key=key,
        asks="measure_temperature",
    )


@rule("R29", items=("antipyretic", "temp_c"), thresholds=("days", "within_days"))
def antipyretic_without_temperature(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R29: an antipyretic on `days` or more calendar days of the last `within_days`, each without a temperature.

    Today counts as it stands (safer); the days need not follow each other.
    """
    today = local_day(context, context.at)
    measured = {local_day(context, reading.at) for reading in context.temperatures()}
    taken = [
        dose
        for dose in doses(context, "antipyretic")
        if (today - local_day(context, dose.start)).days < thresholds["within_days"]
        and local_day(context, dose.start) not in measured
    ]
    days = sorted({local_day(context, dose.start) for dose in taken})
    if len(days) < thresholds["days"]:
        return None
    row = ", ".join(f"{day:%m-%d}" for day in days)
    return compose(
        context,
        thresholds["level"],
        organ="fever",
        keys=("masked_fever",),
        facts=[_dose_fact(dose) for dose in taken],
        texts=[
            Text(
                f"以下日期用了退烧药或止痛药而无体温：{row}。",
                f"Fever or pain medicine without a temperature on: {row}.",
            ),
            wording.masking_text(context),
        ],
        asks="measure_temperature",
    )
