"""Fever as it stands now: R08–R12, R27, R31 of clinical-safety §3.3. Pure.

Temperatures in °C, heart rate per minute, pressure in mmHg, SpO2 in %, ANC in 10*9/L. A rule's usual level comes
as `thresholds["level"]`; what fired before as `thresholds["fired"]` (see `evaluate`).
"""

from dataclasses import replace
from decimal import Decimal

from backend.safety.context import Context, Finding, Reading
from backend.safety.rules import temperature as heat
from backend.safety.rules import wording
from backend.safety.rules.base import Thresholds, round_half_up, rule
from backend.safety.rules.compose import (
    compose,
    distinct,
    facts_of,
    fever_texts,
    fired,
    temperature_fact,
    together_with,
)
from backend.safety.rules.evidence import (
    Measured,
    below,
    current,
    drives,
    earlier_temperatures,
    hours,
    known,
    latest,
    scale,
    temperature,
    value_fact,
)
from backend.safety.rules.vocabulary import Text, drug

BOTH = ("report", "value")
REPEAT_15, REPEAT_60 = "repeat_temperature_15min", "repeat_temperature_60min"
READS = ("temp_c", "temp_site", "chills")
IN_FEVER_SENTENCE = ("temp_c", "chills")


@rule(
    "R08",
    triggers=BOTH,
    items=(*READS, "hr", "sbp", "spo2", "dizzy", "faint", "breath"),
    values=("body_temperature", "sbp", "dbp", "hr", "spo2"),
    thresholds=("hr_per_min", "chills"),
)
def fever_with_sign(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R08: definite fever and any of R04–R07, heart rate at or above `hr_per_min`, or shaking chills.

    An unconfirmed low pressure or saturation (R04, R06 at their lower level) counts too: the safer reading.
    """
    reading = heat.definite_fever(context)
    if reading is None:
        return None
    rate, chills = current(context, "hr"), scale(context, "chills", thresholds["chills"])
    fast = rate.facts() if rate is not None and rate.first >= thresholds["hr_per_min"] else []
    signs = fired(thresholds, "R04", "R05", "R06", "R07")
    if not (signs or fast or chills):
        return None
    facts = distinct([temperature_fact(context, reading), *facts_of(signs), *fast, *known(chills)])
    keys = ("crs", *_grade_two_keys(signs), "infection")
    return compose(
        context,
        thresholds["level"],
        organ="fever",
        keys=keys,
        facts=facts,
        texts=[
            *fever_texts(context, reading),
            wording.reported(context, *(fact for fact in facts if fact.name not in IN_FEVER_SENTENCE)),
            together_with(signs),
        ],
        closing=wording.joined(wording.compatible(*keys), wording.anc_sentence(context)),
        red_flag=True,
        asks=REPEAT_15,
    )


def _grade_two_keys(signs: list[Finding]) -> tuple[str, ...]:
    """Possible ≥2 by pressure, by oxygen, or both (§1.1); never higher from remote data."""
    organs = {sign.organ for sign in signs}
    return (
        *(("crs_hypotension",) if "circulation" in organs else ()),
        *(("crs_hypoxia",) if "breathing" in organs else ()),
    )


@rule(
    "R09",
    triggers=BOTH,
    items=READS,
    values=("body_temperature", "anc"),
    thresholds=("anc_10_9_per_l", "fever_within_h"),
    settings=("anc_valid_h",),
)
def neutropenic_fever(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R09: definite fever and a last ANC below `anc_10_9_per_l` at most `anc_valid_h` old.

    An ANC that comes back after the fever counts with a definite fever of the last `fever_within_h` hours.
    """
    anc = latest(context, "anc")
    if context.value is not None and context.value.code == "anc":
        reading = _recent_definite(context, thresholds["fever_within_h"])
    else:
        reading = heat.definite_fever(context)
    if reading is None or anc is None or not below(anc, thresholds["anc_10_9_per_l"]):
        return None
    if reading.at - anc.at > hours(context.settings["anc_valid_h"]):
        return None
    keys = ("neutropenic_fever", "crs", "infection")
    return compose(
        context,
        thresholds["level"],
        organ="fever",
        keys=keys,
        facts=[temperature_fact(context, reading), value_fact(anc)],
        texts=fever_texts(context, reading),
        closing=wording.joined(wording.values_text(context, "anc", "platelets"), wording.compatible(*keys)),
        red_flag=True,
        asks=REPEAT_15,
    )


def _recent_definite(context: Context, within_h: Decimal) -> Reading | None:
    """The last definite fever up to now, also one measured after the blood was drawn."""
    until_now = replace(context, at=max(context.at, context.now))
    for reading in reversed(until_now.temperatures()):
        if heat.at_least(context, reading, heat.DEFINITE):
            return reading if until_now.at - reading.at <= hours(within_h) else None
    return None


@rule(
    "R10",
    triggers=BOTH,
    items=READS,
    values=("body_temperature",),
    thresholds=("temp_c", "sustained_c", "apart_h", "within_h", "after_contact_rise_c"),
)
def high_or_lasting_fever(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R10: at or above `temp_c`, or `sustained_c` on two readings at least `apart_h` apart.

    The reference names no longest distance; `within_h` bounds it, a normal reading between does not (safer).
    `evaluate` lets it join without paging once the patient was contacted, unless it is worse.
    """
    reading = temperature(context)
    if reading is None:
        return None
    value, sustained = round_half_up(reading.value), thresholds["sustained_c"]
    earlier = [
        each
        for each in earlier_temperatures(context, reading, hours(thresholds["within_h"]))
        if round_half_up(each.value) >= sustained and reading.at - each.at >= hours(thresholds["apart_h"])
    ]
    if value < thresholds["temp_c"] and not (value >= sustained and earlier):
        return None
    return compose(
        context,
        thresholds["level"],
        organ="fever",
        keys=("crs", "infection"),
        facts=[temperature_fact(context, each) for each in (*earlier, reading)],
        texts=[*fever_texts(context, reading), _curve(context, earlier)],
        closing=wording.crs_or_infection(context),
        red_flag=True,
        asks=REPEAT_15,
    )


def _curve(context: Context, earlier: list[Reading]) -> Text | None:
    """The earlier fevers with their times."""
    if not earlier:
        return None
    points = [(wording.clock(context, each.at), f"{round_half_up(each.value):.1f}") for each in earlier]
    row = wording.listed(Text(f"{when.zh} {degrees} °C", f"{degrees} °C at {when.en}") for when, degrees in points)
    return Text(f"此前发热：{row.zh}。", f"Earlier fever: {row.en}.")


@rule("R11", triggers=BOTH, items=READS, values=("body_temperature",))
def definite_fever(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R11: a definite fever for its site, alone or with anything else; the ANC is said, or that it is unknown."""
    reading = heat.definite_fever(context)
    if reading is None:
        return None
    return _plain_fever(context, thresholds["level"], reading)


def _plain_fever(context: Context, level: str, reading: Reading) -> Finding:
    return compose(
        context,
        level,
        organ="fever",
        keys=("crs", "infection"),
        facts=[temperature_fact(context, reading)],
        texts=fever_texts(context, reading),
        closing=wording.crs_or_infection(context),
        asks=REPEAT_15,
    )


@rule(
    "R12",
    triggers=BOTH,
    items=(*READS, "malaise"),
    values=("body_temperature",),
    thresholds=("first_level", "chills", "malaise"),
)
def probable_fever(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R12 and §2.2: probable fever repeated, or with chills or malaise.

    A first probable reading, and an armpit reading in the watch range, only ask for a repeat (`first_level`).
    """
    reading = temperature(context)
    found = heat.state(context, reading)
    if reading is None or found in (None, heat.DEFINITE):
        return None
    signs = known(
        scale(context, "chills", thresholds["chills"]),
        scale(context, "malaise", thresholds["malaise"]),
    )
    if found == heat.WATCH or (found == heat.PROBABLE and not signs):
        return _measure_again(
            context, thresholds["first_level"], reading, REPEAT_60 if found == heat.WATCH else REPEAT_15
        )
    first = heat.is_repeat(context, reading)
    rests_on = [temperature_fact(context, each) for each in (first, reading) if each is not None]
    return compose(
        context,
        thresholds["level"],
        organ="fever",
        keys=("crs", "infection"),
        facts=[*rests_on, *signs],
        texts=[*fever_texts(context, reading), _why_probable(context, first, reading), *_malaise(context, thresholds)],
        closing=wording.crs_or_infection(context),
        drives={} if first else drives(signs),
        asks=REPEAT_15,
    )


def _malaise(context: Context, thresholds: Thresholds) -> list[Text]:
    return [wording.reported(context, each) for each in known(scale(context, "malaise", thresholds["malaise"]))]


def _why_probable(context: Context, first: Reading | None, reading: Reading) -> Text:
    """The caveat of the site: below the definite limit, and whether it was repeated."""
    if first is None:
        return Text("低于该部位的明确发热界限。", "Below the definite-fever limit of this site.")
    when = wording.clock(context, first.at)
    return Text(
        f"{when.zh} 已有一次偏高读数；本次低于该部位的明确发热界限。",
        f"Repeats a raised reading at {when.en}; below the definite-fever limit of this site.",
    )


def _measure_again(context: Context, level: str, reading: Reading, asks: str) -> Finding:
    """Timeline only: the patient measures again; the sentence is calm and never says that all is well."""
    hour = asks == REPEAT_60
    return compose(
        context,
        level,
        organ="fever",
        keys=(),
        facts=[temperature_fact(context, reading)],
        texts=[wording.temperature_text(context, reading), wording.masking_text(context)],
        closing=Text(
            f"第一次读数，请患者{'一小时' if hour else '15 分钟'}后在同一部位复测。",
            f"First reading; to be measured again at the same site in {'one hour' if hour else '15 minutes'}.",
        ),
        more={"first_reading": True},
        asks=asks,
    )


@rule(
    "R27",
    triggers=BOTH,
    items=(*READS, "sbp", "spo2"),
    values=("body_temperature", "sbp", "spo2"),
    thresholds=("sign_level", "sbp_below_baseline_pct", "spo2_pct", "spo2_below_baseline_points"),
    settings=("prophylaxis_classes",),
)
def late_fever(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R27: definite fever after D30: infection first; `sign_level` with a pressure, SpO2 or neuro sign.

    Signs are R01–R07 and R32 where they fire, and here the limits of R05 and R07, whose windows end earlier.
    """
    reading = heat.definite_fever(context)
    if reading is None:
        return None
    signs = fired(thresholds, "R01", "R02", "R03", "R04", "R05", "R06", "R07", "R32")
    vital = [fact for taken in _vital_signs(context, thresholds) for fact in taken.facts()]
    facts = distinct([temperature_fact(context, reading), *facts_of(signs), *vital])
    keys = ("infection", "flare", "crs_late")
    others = [fact for fact in facts if fact.name not in IN_FEVER_SENTENCE]
    return compose(
        context,
        thresholds["sign_level"] if signs or vital else thresholds["level"],
        organ="fever",
        keys=keys,
        facts=facts,
        texts=[
            *fever_texts(context, reading),
            wording.reported(context, *others) if others else None,
            together_with(signs),
            wording.values_text(context, "igg", "anc", "b_cells"),
            _prophylaxis(context),
        ],
        closing=wording.compatible(*keys),
        red_flag=bool(signs or vital),
        asks=REPEAT_15,
    )


def _vital_signs(context: Context, thresholds: Thresholds) -> list[Measured]:
    """SBP far below the subject's own, SpO2 low or below the subject's own."""
    found = []
    pressure, normal = current(context, "sbp"), context.baseline.vitals.get("sbp")
    if pressure and normal and pressure.mean <= normal.median * (100 - thresholds["sbp_below_baseline_pct"]) / 100:
        found.append(pressure)
    oxygen, usual = current(context, "spo2"), context.baseline.vitals.get("spo2")
    if oxygen and (
        oxygen.last < thresholds["spo2_pct"]
        or (usual and usual.median - oxygen.last >= thresholds["spo2_below_baseline_points"])
    ):
        found.append(oxygen)
    return found


def _prophylaxis(context: Context) -> Text:
    """Prophylactic medicines that are going on, by name."""
    classes = context.settings["prophylaxis_classes"]
    going = sorted(
        {
            dose.drug
            for dose in context.doses
            if dose.drug_class in classes
            and dose.start <= context.at
            and (dose.stop is None or dose.stop >= context.at)
        }
    )
    names = wording.listed(drug(key) for key in going)
    return Text(f"抗感染用药：{names.zh or '未记录'}。", f"Anti-infectives: {names.en or 'none on record'}.")


@rule("R31", triggers=BOTH, items=READS, values=("body_temperature",), thresholds=("first_level",))
def fever_before_infusion(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R31: before infusion, definite fever, or probable fever repeated or with chills; a first one is repeated."""
    reading = temperature(context)
    if reading is None or heat.state(context, reading) in (None, heat.WATCH):
        return None
    if heat.fever(context) is None:
        return _measure_again(context, thresholds["first_level"], reading, REPEAT_15)
    return compose(
        context,
        thresholds["level"],
        organ="fever",
        keys=("infection",),
        facts=[temperature_fact(context, reading)],
        texts=[
            *fever_texts(context, reading),
            wording.values_text(context, "crp", "anc"),
            Text("回输前须由医生复核。", "Review before infusing."),
        ],
        more={"review_before_infusing": True},
        asks=REPEAT_15,
    )
