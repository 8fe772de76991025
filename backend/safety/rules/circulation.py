"""Blood pressure, pulse, oxygen and breathing: R04–R07 and R18 of clinical-safety §3.3. Pure.

Pressures in mmHg, SpO2 in %, heart rate per minute, scales 0–3. Ward values and home devices are read alike.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from backend.safety.context import Context, Finding
from backend.safety.masking import masked
from backend.safety.rules import temperature as heat
from backend.safety.rules import wording
from backend.safety.rules.base import Thresholds, round_half_up, rule
from backend.safety.rules.compose import compose, temperature_if_any
from backend.safety.rules.evidence import (
    Fact,
    Measured,
    choice,
    current,
    drives,
    expected_heart_rate,
    known,
    minutes,
    previous,
    scale,
    temperature,
)
from backend.safety.rules.fever import BOTH
from backend.safety.rules.vocabulary import Text


def _own_normal(context: Context, name: str, taken: Measured | None) -> Text | None:
    """The subject's own normal of a vital sign and the change from it."""
    if taken is None:
        return None
    normal = context.baseline.vitals.get(name)
    if normal is None:
        return Text("无个人基线。", "No own baseline.")
    change = wording.signed(taken.mean - normal.median)
    base = wording.number(round_half_up(normal.median))
    return Text(
        f"个人基线 {base}（n={normal.n}），变化 {change}。", f"Own baseline {base} (n={normal.n}), change {change}."
    )


def _fever_status(context: Context) -> Text:
    """Fever, masked or neither: what decides how a low pressure or saturation is read (§1.1)."""
    if heat.fever(context) is not None:
        return Text("有发热。", "With fever.")
    if masked(context):
        return Text("发热可能被药物掩盖。", "Fever may be masked.")
    return Text("无已知发热。", "No known fever.")


def _vital_finding(
    context: Context,
    level: str,
    organ: str,
    keys: tuple[str, ...],
    facts: Sequence[Fact],
    *texts: Text | None,
    **rest: Any,
) -> Finding:
    return compose(
        context,
        level,
        organ=organ,
        keys=keys,
        facts=facts,
        texts=[
            wording.reported(context, *facts),
            *texts,
            _fever_status(context),
            temperature_if_any(context, temperature(context)),
            wording.masking_text(context),
        ],
        **rest,
    )


def _confirmed(context: Context, taken: Measured, limit: Decimal, within_h: Decimal) -> Measured | None:
    """The taking before, if it was low as well: two in a row confirm each other."""
    before = previous(context, taken.name, within_h)
    return before if before is not None and before.mean < limit else None


def _mean_pressure(context: Context, taken: Measured) -> tuple[Decimal, Fact] | None:
    """(SBP + 2·DBP)/3 from a diastolic reading taken with this systolic one."""
    lower = current(context, "dbp")
    if lower is None or abs(lower.at - taken.at) > minutes(context.settings["pressure_pair_min"]):
        return None
    return (taken.mean + 2 * lower.first) / 3, lower.facts()[0]


@rule(
    "R04",
    triggers=BOTH,
    items=("faint", "sbp", "dbp", "dizzy", "confused", "breath"),
    values=("sbp", "dbp"),
    thresholds=("sbp_mmhg", "map_mmhg", "confirm_within_h", "dizzy", "confused", "breath", "unconfirmed_level"),
    settings=("pressure_pair_min",),
)
def low_pressure_or_faint(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R04: SBP below `sbp_mmhg` confirmed or with a symptom, mean pressure below `map_mmhg`, or fainted.

    Confirmed: the mean of the pair (§2.3), or the taking before it within `confirm_within_h`, is low too. A single
    low reading without symptom or repeat is not dropped (safer): `unconfirmed_level`, and it is measured again.
    """
    fainted = choice(context, "faint", "yes")
    taken = current(context, "sbp")
    low = taken is not None and taken.mean < thresholds["sbp_mmhg"]
    pair = _mean_pressure(context, taken) if taken is not None else None
    poor = pair is not None and pair[0] < thresholds["map_mmhg"]
    if not (fainted or low or poor):
        return None
    symptoms = known(
        choice(context, "faint", "near"),
        *(scale(context, item, thresholds[item]) for item in ("dizzy", "confused", "breath")),
    )
    before = (
        _confirmed(context, taken, thresholds["sbp_mmhg"], thresholds["confirm_within_h"]) if taken and low else None
    )
    sure = fainted or poor or before or (taken is not None and taken.repeat is not None) or symptoms
    facts = [
        *known(fainted),
        *(before.facts() if before else []),
        *(taken.facts() if taken and (low or poor) else []),
        *([pair[1]] if pair and poor else []),
        *symptoms,
    ]
    return _vital_finding(
        context,
        thresholds["level"] if sure else thresholds["unconfirmed_level"],
        "circulation",
        ("crs_hypotension", "sepsis", "bleeding"),
        facts,
        _own_normal(context, "sbp", taken),
        wording.plain("平均动脉压 {map}。", "Mean arterial pressure {map}.", map=round_half_up(pair[0], 0))
        if pair
        else None,
        red_flag=True,
        asks="repeat_blood_pressure_5min",
    )


@rule(
    "R05",
    triggers=BOTH,
    items=("dizzy", "faint", "sbp"),
    values=("sbp",),
    thresholds=("sbp_below_baseline_pct", "sbp_mmhg", "dizzy"),
)
def falling_pressure(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R05: SBP `sbp_below_baseline_pct` or more below own baseline, not below `sbp_mmhg`; dizzy; near-faint."""
    taken, normal = current(context, "sbp"), context.baseline.vitals.get("sbp")
    fallen = (
        taken is not None
        and normal is not None
        and taken.mean >= thresholds["sbp_mmhg"]
        and taken.mean <= normal.median * (100 - thresholds["sbp_below_baseline_pct"]) / 100
    )
    symptoms = known(scale(context, "dizzy", thresholds["dizzy"]), choice(context, "faint", "near"))
    facts = [*(taken.facts() if taken and fallen else []), *symptoms]
    if not facts:
        return None
    return _vital_finding(
        context,
        thresholds["level"],
        "circulation",
        ("hypotension", "crs_prodrome", "dehydration"),
        facts,
        _own_normal(context, "sbp", taken) if fallen else None,
        drives=drives(facts),
        asks="repeat_blood_pressure_5min" if fallen else None,
    )


def _finger(context: Context) -> Text:
    """Whether the finger was warm: cold fingers in lupus read falsely low (§2.3)."""
    if choice(context, "spo2_warm_finger", "yes"):
        return Text("已在暖手后测量。", "Measured on a warmed finger.")
    return Text("未记录手指已暖：冷手指可能读数偏低。", "Finger not known to be warm: a cold one may read low.")


@rule(
    "R06",
    triggers=BOTH,
    items=("breath", "spo2", "spo2_warm_finger"),
    values=("spo2",),
    thresholds=("spo2_pct", "confirm_within_h", "breath", "symptom_breath", "unconfirmed_level"),
)
def low_oxygen_or_breathless(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R06: SpO2 below `spo2_pct` confirmed, or breathless at rest.

    Confirmed: the repeat or the taking before it is low too, it was a warmed finger, or `symptom_breath`. The repeat
    decides where there is one. A single low reading is not dropped (safer): `unconfirmed_level`, measured again.
    """
    breathless = scale(context, "breath", thresholds["breath"])
    taken = current(context, "spo2")
    low = taken is not None and taken.last < thresholds["spo2_pct"]
    if not (breathless or low):
        return None
    before = (
        _confirmed(context, taken, thresholds["spo2_pct"], thresholds["confirm_within_h"]) if taken and low else None
    )
    warm = choice(context, "spo2_warm_finger", "yes")
    symptom = scale(context, "breath", thresholds["symptom_breath"])
    repeated = taken is not None and taken.repeat is not None and low
    sure = breathless or before or warm or symptom or repeated
    facts = [
        *(before.facts() if before else []),
        *(taken.facts() if taken and low else []),
        *known(warm if low else None, breathless or symptom),
    ]
    return _vital_finding(
        context,
        thresholds["level"] if sure else thresholds["unconfirmed_level"],
        "breathing",
        ("crs_hypoxia", "pneumonia", "pulmonary_embolism"),
        facts,
        _finger(context) if low else None,
        _own_normal(context, "spo2", taken),
        red_flag=True,
        asks="repeat_spo2_warm_finger",
    )


@rule(
    "R07",
    triggers=BOTH,
    items=("breath", "spo2"),
    values=("spo2",),
    thresholds=("spo2_from_pct", "spo2_to_pct", "spo2_below_baseline_points", "breath"),
)
def lower_oxygen_or_short_of_breath(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R07: SpO2 from `spo2_from_pct` to `spo2_to_pct` or well below own baseline, or short of breath.

    Readings between `spo2_to_pct` and the next whole number belong to the range: compared rounded down. Lower is R06.
    """
    taken, normal = current(context, "spo2"), context.baseline.vitals.get("spo2")
    lower = False
    if taken is not None and taken.last >= thresholds["spo2_from_pct"]:
        fallen = normal is not None and normal.median - taken.last >= thresholds["spo2_below_baseline_points"]
        lower = taken.last // 1 <= thresholds["spo2_to_pct"] or fallen
    breath = scale(context, "breath", thresholds["breath"], thresholds["breath"])
    facts = [*(taken.facts() if taken and lower else []), *known(breath)]
    if not facts:
        return None
    return _vital_finding(
        context,
        thresholds["level"],
        "breathing",
        ("hypoxia", "pneumonia"),
        facts,
        _finger(context) if lower else None,
        _own_normal(context, "spo2", taken) if lower else None,
        drives=drives(facts),
        asks="repeat_spo2_warm_finger" if lower else None,
    )


@rule(
    "R18",
    triggers=BOTH,
    items=("hr",),
    values=("hr",),
    thresholds=("hr_per_min", "hr_above_baseline_per_min", "within_h"),
    settings=("hr_per_degree",),
)
def fast_pulse(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R18: heart rate from `hr_per_min`, or twice in a row `hr_above_baseline_per_min` over own baseline."""
    taken, normal = current(context, "hr"), context.baseline.vitals.get("hr")
    if taken is None:
        return None
    before = None
    if normal is not None:
        limit = normal.median + thresholds["hr_above_baseline_per_min"]
        earlier = previous(context, "hr", thresholds["within_h"])
        before = earlier if earlier is not None and min(taken.first, earlier.first) >= limit else None
    if taken.first < thresholds["hr_per_min"] and before is None:
        return None
    expected = expected_heart_rate(context, temperature(context))
    return _vital_finding(
        context,
        thresholds["level"],
        "circulation",
        ("crs_prodrome", "dehydration", "arrhythmia"),
        [*(before.facts() if before else []), *taken.facts()],
        _own_normal(context, "hr", taken),
        Text("该体温下的预期心率未知。", "Expected rate at this temperature unknown.")
        if expected is None
        else wording.plain("该体温下的预期心率 {n}。", "Expected rate at this temperature {n}.", n=expected),
        more={"expected_hr": expected},
        asks="repeat_heart_rate_5min",
    )
