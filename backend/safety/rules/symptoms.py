"""What patients tell of chest, bleeding, kidney, gut, skin, head, infusion and worry. Pure.

R19, R21–R24, R26, R28 and R30 of clinical-safety §3.3. Scales 0–3, counts per 24 h, platelets in 10*9/L. A tick in
`now_any` is a red flag: the phone already says "call now", so the rule never says less.
"""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from backend.safety.context import Context, Finding
from backend.safety.rules import temperature as heat
from backend.safety.rules import wording
from backend.safety.rules.base import Thresholds, rule
from backend.safety.rules.compose import compose, temperature_fact, temperature_if_any
from backend.safety.rules.evidence import (
    Fact,
    above_baseline,
    answer,
    below,
    choice,
    drives,
    hours,
    known,
    latest,
    measured,
    scale,
    temperature,
    ticked,
    value_fact,
)
from backend.safety.rules.fever import BOTH
from backend.safety.rules.vocabulary import Text


def _answers(
    context: Context,
    level: str,
    organ: str,
    keys: tuple[str, ...],
    facts: list[Fact],
    *texts: Text | None,
    **rest: Any,
) -> Finding:
    """A finding on answers: which, who, when, then what the rule adds, then the temperature."""
    told = [fact for fact in facts if fact.reporter and fact.name != "temp_c"]
    return compose(
        context,
        level,
        organ=organ,
        keys=keys,
        facts=facts,
        texts=[
            wording.reported(context, *told) if told else None,
            *texts,
            temperature_if_any(context, temperature(context)),
        ],
        **rest,
    )


@rule("R19", items=("chest_pain", "now_any", "breath"), thresholds=("known_level", "breath_above_baseline"))
def chest_pain(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R19: chest pain new or worse than own baseline; known and unchanged at `known_level`.

    A yes/no answer cannot say "worse", so known pain counts as worse when it is ticked under "now", or when breath is
    `breath_above_baseline` steps over the subject's own (safer).
    """
    now, asked = ticked(context, "now_any", "chest_pain"), choice(context, "chest_pain", "yes")
    facts = known(now, asked)
    if not facts:
        return None
    breath = above_baseline(context, scale(context, "breath", 1), thresholds["breath_above_baseline"])
    unchanged = bool(context.baseline.symptoms.get("chest_pain")) and now is None and breath is None
    told = Text("治疗前已有胸痛。", "Chest pain known from before treatment.") if unchanged else None
    return _answers(
        context,
        thresholds["known_level"] if unchanged else thresholds["level"],
        "heart",
        ("myopericarditis", "pulmonary_embolism", "serositis"),
        [*facts, *known(breath)],
        told,
        red_flag=not unchanged,
    )


BLEEDING = ("thrombocytopenia", "consumption", "iec_hs")


@rule(
    "R21",
    triggers=BOTH,
    items=("bleeding", "bleeding_site", "now_any"),
    values=("platelets",),
    thresholds=(
        *("bleeding", "moderate_bleeding", "moderate_level", "any_bleeding"),
        *("platelets_10_9_per_l", "bleeding_within_h"),
    ),
)
def bleeding(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R21: severe bleeding, blood in stool or vomit, any bleeding with few platelets; else `moderate_level`.

    The last platelet count stands whatever its age (safer) and its age is said. A count that comes in later is held
    against the bleeding reported in the last `bleeding_within_h` hours.
    """
    if context.trigger == "value":
        return _bleeding_and_new_count(context, thresholds)
    any_bleeding = scale(context, "bleeding", thresholds["any_bleeding"])
    count = latest(context, "platelets")
    few = [count] if count and any_bleeding and below(count, thresholds["platelets_10_9_per_l"]) else []
    severe = known(
        scale(context, "bleeding", thresholds["bleeding"]),
        ticked(context, "bleeding_site", "stool", "vomit"),
        ticked(context, "now_any", "bleeding"),
    )
    moderate = known(scale(context, "bleeding", thresholds["moderate_bleeding"]))
    if not (severe or few or moderate):
        return None
    answers = list({each.name: each for each in known(any_bleeding, *severe, *moderate)}.values())
    emergency = bool(severe or few)
    return _answers(
        context,
        thresholds["level"] if emergency else thresholds["moderate_level"],
        "bleeding",
        BLEEDING,
        [*answers, *(value_fact(each) for each in few)],
        wording.values_text(context, "platelets"),
        red_flag=emergency,
        drives={} if emergency else drives(moderate),
    )


def _bleeding_and_new_count(context: Context, thresholds: Thresholds) -> Finding | None:
    count = context.value
    if count is None or count.code != "platelets" or not below(count, thresholds["platelets_10_9_per_l"]):
        return None
    span, until_now = hours(thresholds["bleeding_within_h"]), max(context.at, context.now)
    for report in reversed(context.reports):
        if until_now - report.at > span:
            continue
        given = scale(replace(context, at=report.at), "bleeding", thresholds["any_bleeding"])
        if given is not None:
            return _answers(
                context,
                thresholds["level"],
                "bleeding",
                BLEEDING,
                [given, value_fact(count)],
                wording.values_text(context, "platelets"),
                red_flag=True,
            )
    return None


@rule("R22", items=("urine", "dizzy", "weight_kg"), thresholds=("dizzy",))
def little_urine(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R22: no urine for eight hours or more, or much less together with dizziness."""
    none, less = ticked(context, "urine", "none_8h"), ticked(context, "urine", "less")
    dizzy = scale(context, "dizzy", thresholds["dizzy"])
    facts = known(none) or (known(less, dizzy) if less and dizzy else [])
    if not facts:
        return None
    return _answers(
        context,
        thresholds["level"],
        "kidney",
        ("shock", "kidney_injury", "lupus_nephritis"),
        facts,
        _weight_change(context),
    )


def _weight_change(context: Context) -> Text:
    """The last two weights, kg."""
    weights = measured(context, "weight_kg")
    if len(weights) < 2:
        return Text("体重变化未知。", "Weight change unknown.")
    change = wording.signed(weights[-1].first - weights[-2].first)
    when = wording.clock(context, weights[-2].at)
    return Text(f"自 {when.zh} 体重变化 {change} kg。", f"Weight change {change} kg since {when.en}.")


@rule("R23", items=("vomit_24h", "diarrhoea_24h", "fluids_kept"), thresholds=("vomit_24h", "diarrhoea_24h"))
def fluid_loss(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R23: vomiting or diarrhoea at or above the count in 24 h, or no fluids kept."""
    facts = known(
        scale(context, "vomit_24h", thresholds["vomit_24h"]),
        scale(context, "diarrhoea_24h", thresholds["diarrhoea_24h"]),
        choice(context, "fluids_kept", "no"),
    )
    if not facts:
        return None
    return _answers(context, thresholds["level"], "gut", ("dehydration", "infection"), facts)


def _skin_before(context: Context) -> Text:
    before = "skin" in context.prior_organs
    return Text(
        f"治疗前皮肤受累：{'有' if before else '未记录'}。",
        f"Skin disease before treatment: {'yes' if before else 'not recorded'}.",
    )


@rule("R24", items=("rash", "now_any"), thresholds=("rash", "rash_above_baseline", "airway_level"))
def skin_or_airway(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R24: rash from `rash` and worse than own baseline, blisters or painful skin; airway at `airway_level`.

    Swelling of face or throat and "hives or wheeze" (one answer) both count as airway: the safer reading.
    """
    airway = ticked(context, "now_any", "swelling_face_throat", "hives_wheeze")
    rash = above_baseline(context, scale(context, "rash", thresholds["rash"]), thresholds["rash_above_baseline"])
    facts = known(airway, rash, ticked(context, "now_any", "blisters_painful_skin"))
    if not facts:
        return None
    return _answers(
        context,
        thresholds["airway_level"] if airway else thresholds["level"],
        "breathing" if airway else "skin",
        ("drug_reaction", "licats"),
        facts,
        _skin_before(context),
        red_flag=airway is not None,
        drives=drives(facts),
    )


@rule(
    "R26",
    triggers=BOTH,
    items=("headache", "vomit_24h", "now_any", "temp_c"),
    values=("body_temperature",),
    thresholds=("headache", "headache_with_sign", "vomit_24h"),
)
def bad_headache(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R26: severe headache, or a moderate one with fever, vomiting or neck stiffness.

    "Worst headache" and "stiff neck" under "now" are enough by themselves: both are red flags (safer).
    """
    now = ticked(context, "now_any", "worst_headache", "stiff_neck")
    severe = scale(context, "headache", thresholds["headache"])
    moderate = scale(context, "headache", thresholds["headache_with_sign"])
    feverish = heat.fever(context)
    signs = known(
        scale(context, "vomit_24h", thresholds["vomit_24h"]),
        temperature_fact(context, feverish) if feverish else None,
    )
    if not (now or severe or (moderate and signs)):
        return None
    return _answers(
        context,
        thresholds["level"],
        "neuro",
        ("meningitis", "icans", "pres"),
        [*known(now, severe or moderate), *signs],
        red_flag=True,
    )


@rule("R28", items=("worry", "note"), thresholds=("tomorrow_level",))
def worried(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R28: patient or carer is worried; the level is the one they asked for, their own words are shown."""
    worry = choice(context, "worry", "now", "tomorrow")
    if worry is None:
        return None
    return _answers(
        context,
        thresholds["level"] if worry.value == "now" else thresholds["tomorrow_level"],
        "worry",
        (),
        [worry, *known(answer(context, "note"))],
        closing=Text("请按其要求联系。", "Call as they asked."),
    )


@rule(
    "R30",
    items=("chills", "dizzy", "rash", "breath", "faint", "now_any"),
    thresholds=("within_h", "chills", "dizzy", "rash", "airway_breath", "airway_level"),
)
def infusion_reaction(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R30: chills, hives, wheeze or dizziness within `within_h` of infusion; `airway_level` for airway or faint.

    Airway: swelling of face or throat, "hives or wheeze" (one answer), breath from `airway_breath`. Nearly fainted
    counts as faint, any rash as hives: the safer readings.
    """
    began = context.infused_at
    if began is None or not began <= context.at <= began + hours(thresholds["within_h"]):
        return None
    airway = known(
        ticked(context, "now_any", "swelling_face_throat", "hives_wheeze"),
        scale(context, "breath", thresholds["airway_breath"]),
        choice(context, "faint", "near", "yes"),
    )
    milder = known(*(scale(context, item, thresholds[item]) for item in ("chills", "dizzy", "rash")))
    if not (airway or milder):
        return None
    since = Decimal(int((context.at - began).total_seconds()) // 60)
    return _answers(
        context,
        thresholds["airway_level"] if airway else thresholds["level"],
        "infusion",
        ("infusion_reaction", "crs"),
        [*airway, *milder],
        wording.plain("回输后 {n} 分钟。", "{n} min after infusion.", n=since),
        red_flag=bool(airway),
        drives=drives([*airway, *milder]),
    )
