"""L01–L06 of clinical-safety §3.4: inflammation, clotting. L07–L08: `value_counts`, L09–L17: `value_organs`. Pure.

Ferritin in µg/L, CRP in mg/L, IL-6 in pg/mL, fibrinogen in g/L, triglycerides in mmol/L, cells in 10*9/L. A
rule's usual level comes as `thresholds["level"]`; where its row knows a graver one, `raised` gives it.
"""

from collections.abc import Callable, Iterable
from typing import Any

from backend.safety.baselines import febrile
from backend.safety.context import Context, Finding, Value
from backend.safety.masking import MaskReason, masked
from backend.safety.rules import value_counts as value_counts  # L07–L17 enter the catalogue with this module
from backend.safety.rules import value_organs as value_organs
from backend.safety.rules.base import Thresholds, raised, rule
from backend.safety.rules.evidence import Fact, as_fact, hours
from backend.safety.rules.value_reading import (
    above,
    above_uln,
    all_dated,
    at_infusion,
    at_least,
    before,
    below,
    dated,
    found,
    infused,
    infusion_text,
    measured,
    recent,
    reports_near,
    step,
    temperatures_near,
    times,
    uln_text,
)
from backend.safety.rules.vocabulary import ITEMS, Text, answer, drug, word
from backend.safety.rules.wording import listed, number

VALUE = ("value",)
INFLAMED = ("crs", "infection", "flare")
SYMPTOMS = (
    *("chills", "dizzy", "breath", "palps", "headache", "confused", "words"),
    *("tremor", "fatigue", "malaise", "myalgia"),
)
Reason = tuple[list[Value], Text]  # the values it rests on, and a part of a sentence

# --- ferritin and fibrinogen --------------------------------------------------------------------------------


def _over(than: Text, factor: Any) -> Text:
    return Text(f"高于{than.zh}的 {factor} 倍", f"above {factor} × {than.en}")


def _high_ferritin(context: Context, ferritin: Value, t: Thresholds) -> list[Reason]:
    """Above `times_infusion_value` × the value at infusion, above `times_uln` × ULN: either, both or none."""
    reasons: list[Reason] = []
    base = at_infusion(context, "ferritin")
    if base is not None and times(ferritin, base, t["times_infusion_value"], strictly=True):
        reasons.append(([base], _over(infusion_text(context, base), t["times_infusion_value"])))
    if above_uln(ferritin, t["times_uln"]):
        reasons.append(([], _over(uln_text(ferritin), t["times_uln"])))
    return reasons


@rule("L01", triggers=VALUE, values=("ferritin",), thresholds=("times_infusion_value", "times_uln"))
def ferritin_high(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.4 L01: ferritin (µg/L) > 2 × the value at infusion or > 2 × ULN: the entry criterion of IEC-HS only."""
    ferritin = measured(context, "ferritin")
    reasons = _high_ferritin(context, ferritin, thresholds) if ferritin else []
    if ferritin is None or not reasons:
        return None
    said, over = dated(context, ferritin), listed(text for _, text in reasons)
    texts = [
        Text(f"{said.zh}，{over.zh}。", f"{said.en}, {over.en}."),
        Text(
            "仅达到 IEC-HS 的入口条件；感染、CRS 和活动性狼疮也会升高铁蛋白。",
            "This is only the entry criterion of IEC-HS; infection, CRS and active lupus raise ferritin too.",
        ),
    ]
    values = [ferritin, *(value for used, _ in reasons for value in used)]
    keys = ("iec_hs", *INFLAMED)
    return found(context, thresholds["level"], organ="immune", keys=keys, values=values, texts=texts)


@rule(
    "L02",
    triggers=VALUE,
    values=("ferritin", "alt", "ast", "fibrinogen", "triglycerides", "anc", "platelets"),
    thresholds=(
        *("times_infusion_value", "times_uln", "doubling", "doubling_within_h", "above_ug_per_l", "together_within_h"),
        *("transaminase_times_uln", "fibrinogen_below_g_per_l", "triglycerides_above_mmol_per_l"),
        *("anc_grade_4_below_10_9_per_l", "platelets_grade_4_below_10_9_per_l"),
    ),
)
def ferritin_alarming(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.4 L02: ferritin doubling within 48 h, or > 10,000 µg/L, or L01 with one further sign of IEC-HS (§1.5).

    Further signs, none older than `together_within_h`: AST/ALT > 5 × ULN, fibrinogen < 1.5 g/L, triglycerides > 265
    mg/dL (2.99 mmol/L), a count of grade 4 (10*9/L) that was less in the value before. Whichever comes last fires it.
    """
    trigger = measured(context, "ferritin", "alt", "ast", "fibrinogen", "triglycerides", "anc", "platelets")
    ferritin = recent(context, "ferritin", thresholds["together_within_h"])
    if trigger is None or ferritin is None:
        return None
    reasons = _extreme_ferritin(context, ferritin, thresholds) if trigger.code == "ferritin" else []
    high, signs = _high_ferritin(context, ferritin, thresholds), _signs_of_iec_hs(context, thresholds)
    if high and signs:
        said = all_dated(context, signs)
        reasons += [*high, (signs, Text(f"同时有 {said.zh}", f"together with {said.en}"))]
    if not reasons:
        return None
    said, why = dated(context, ferritin), listed(text for _, text in reasons)
    texts = [Text(f"{said.zh}：{why.zh}。请筛查 IEC-HS。", f"{said.en}: {why.en}. Screen for IEC-HS.")]
    values = [ferritin, *(value for used, _ in reasons for value in used)]
    keys = ("iec_hs", *INFLAMED)
    return found(context, thresholds["level"], organ="immune", keys=keys, values=values, texts=texts)


def _extreme_ferritin(context: Context, ferritin: Value, t: Thresholds) -> list[Reason]:
    """What is enough by itself: doubled within `doubling_within_h` hours, or above `above_ug_per_l`."""
    reasons: list[Reason] = []
    span = hours(t["doubling_within_h"])
    for earlier in context.laboratory("ferritin"):
        close = earlier.at < ferritin.at and ferritin.at - earlier.at <= span
        if close and times(ferritin, earlier, t["doubling"]):
            was = dated(context, earlier)
            reasons.append(
                ([earlier], Text(f"至少是 {was.zh} 的 {t['doubling']} 倍", f"at least {t['doubling']} × {was.en}"))
            )
            break
    if above(ferritin, t["above_ug_per_l"]):
        limit = number(t["above_ug_per_l"])
        reasons.append(([], Text(f"高于 {limit} µg/L", f"above {limit} µg/L")))
    return reasons


def _signs_of_iec_hs(context: Context, t: Thresholds) -> list[Value]:
    """The further values that, beside a high ferritin, ask for screening."""
    tests: dict[str, Callable[[Value], bool]] = {
        "alt": lambda value: above_uln(value, t["transaminase_times_uln"]),
        "ast": lambda value: above_uln(value, t["transaminase_times_uln"]),
        "fibrinogen": lambda value: below(value, t["fibrinogen_below_g_per_l"]),
        "triglycerides": lambda value: above(value, t["triglycerides_above_mmol_per_l"]),
    }
    found_now = [recent(context, code, t["together_within_h"]) for code in tests]
    signs = [value for value in found_now if value is not None and tests[value.code](value)]
    for code in ("anc", "platelets"):
        fresh = _newly_below(context, code, t[f"{code}_grade_4_below_10_9_per_l"], t["together_within_h"])
        signs += [fresh] if fresh is not None else []
    return signs


def _newly_below(context: Context, code: str, limit: Any, within_h: Any) -> Value | None:
    """The last count below the limit whose predecessor was not, or had never been measured."""
    for value in reversed(context.laboratory(code)):
        earlier = before(context, value)
        fresh = below(value, limit) and not (earlier is not None and below(earlier, limit))
        if fresh and context.at - value.at <= hours(within_h):
            return value
    return None


@rule(
    "L03",
    triggers=VALUE,
    items=("bleeding", "now_any"),
    values=("fibrinogen",),
    thresholds=("below_g_per_l", "emergency_below_g_per_l", "bleeding_at_least", "bleeding_within_h"),
)
def fibrinogen_low(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.4 L03: fibrinogen < 1.5 g/L; one level more < 1.0 g/L or with any bleeding reported within 24 h."""
    fibrinogen = measured(context, "fibrinogen")
    if fibrinogen is None or not below(fibrinogen, thresholds["below_g_per_l"]):
        return None
    bleeding = _bleeding(context, thresholds)
    said, limit = dated(context, fibrinogen), number(thresholds["below_g_per_l"])
    texts = [
        Text(f"{said.zh}，低于 {limit} g/L。", f"{said.en}, below {limit} g/L."),
        Text("同时报告出血。", "Bleeding was reported as well.") if bleeding else None,
    ]
    keys = ("consumption", "iec_hs", "bleeding_risk")
    finding = found(
        context, thresholds["level"], organ="bleeding", keys=keys, values=[fibrinogen], texts=texts, facts=bleeding
    )
    grave = bleeding or below(fibrinogen, thresholds["emergency_below_g_per_l"])
    return raised(finding) if grave else finding


def _bleeding(context: Context, t: Thresholds) -> list[Fact]:
    """Reports of bleeding of at least `bleeding_at_least` steps, or bleeding ticked as present now."""
    facts = []
    for report in reports_near(context, t["bleeding_within_h"]):
        steps, now = step(report, "bleeding"), report.answers.get("now_any")
        if steps >= t["bleeding_at_least"]:
            facts.append(Fact("bleeding", steps, report.at, report.id, report.reporter))
        if isinstance(now, list | tuple) and "bleeding" in now:
            facts.append(Fact("now_any", ["bleeding"], report.at, report.id, report.reporter))
    return facts


# --- CRP and IL-6 -------------------------------------------------------------------------------------------


def _tocilizumab(context: Context) -> MaskReason | None:
    """Tocilizumab within `masking.tocilizumab_d` days before the sample: CRP and IL-6 no longer mean what they say."""
    return next((reason for reason in masked(context) if reason.drug_class == "tocilizumab"), None)


def _cannot_tell(context: Context) -> Text:
    if infused(context):
        return Text(
            "仅凭此值无法区分 CRS 与感染。",
            "CRS and infection cannot be told apart by this value; treat it as possibly both.",
        )
    return Text(
        "尚未回输细胞：可能为感染或活动性狼疮。", "No cells have been given: infection or active lupus is possible."
    )


def _fevers(context: Context, within_h: Any) -> list[Fact]:
    """Definite and probable fevers within so many hours of the sample."""
    near = temperatures_near(context, within_h)
    return [as_fact(context, "temp_c", reading) for reading in near if febrile(reading, context.settings)]


def _symptoms(context: Context, t: Thresholds) -> list[Fact]:
    """Fever, fainting, and scales at least `symptom_at_least` and above the subject's own, near the sample."""
    facts = _fevers(context, t["symptoms_within_h"])
    for report in reports_near(context, t["symptoms_within_h"]):
        for item in SYMPTOMS:
            steps = step(report, item)
            if steps >= t["symptom_at_least"] and steps > context.baseline.symptoms.get(item, 0):
                facts.append(Fact(item, steps, report.at, report.id, report.reporter))
        if report.answers.get("faint") in ("near", "yes"):
            facts.append(Fact("faint", report.answers["faint"], report.at, report.id, report.reporter))
    return facts


def _with(facts: Iterable[Fact]) -> Text | None:
    """'With: temperature 38.2, chills 1 (mild).'; nothing when there are none."""
    words = [(word(ITEMS, fact.name), answer(fact.name, fact.value)) for fact in facts]
    if not words:
        return None
    said = listed(Text(f"{item.zh} {given.zh}", f"{item.en} {given.en}") for item, given in words)
    return Text(f"同时有：{said.zh}。", f"With: {said.en}.")


def _cytokine(context: Context, value: Value, limit: Any, factor: Any) -> list[Reason]:
    """At or above the limit, at or above `factor` × the value at infusion: either, both or none."""
    base, reasons = at_infusion(context, value.code), list[Reason]()
    if at_least(value, limit):
        reasons.append(([], Text(f"达到 {number(limit)}", f"at or above {number(limit)}")))
    if base is not None and times(value, base, factor):
        than = infusion_text(context, base)
        reasons.append(([base], Text(f"至少是{than.zh}的 {factor} 倍", f"at least {factor} × {than.en}")))
    return reasons


def _inflammation(context: Context, t: Thresholds, value: Value, reasons: list[Reason], beside: list[Fact]) -> Finding:
    said, why = dated(context, value), listed(text for _, text in reasons)
    texts = [Text(f"{said.zh}：{why.zh}。", f"{said.en}: {why.en}."), _with(beside), _cannot_tell(context)]
    values = [value, *(each for used, _ in reasons for each in used)]
    finding = found(context, t["level"], organ="fever", keys=INFLAMED, values=values, texts=texts, facts=beside)
    return raised(finding) if beside else finding


@rule(
    "L04",
    triggers=VALUE,
    items=("temp_c", "temp_site"),
    values=("crp", "body_temperature"),
    thresholds=("at_least_mg_per_l", "times_infusion_value", "fever_within_h"),
)
def crp_high(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.4 L04: CRP ≥ 50 mg/L or ≥ 5 × the value at infusion, no tocilizumab within 14 d (L06); graver with fever.

    A probable fever counts as fever, within `fever_within_h` before or after the sample: the safer reading.
    """
    crp = measured(context, "crp")
    if crp is None or _tocilizumab(context):
        return None
    reasons = _cytokine(context, crp, thresholds["at_least_mg_per_l"], thresholds["times_infusion_value"])
    beside = _fevers(context, thresholds["fever_within_h"])
    return _inflammation(context, thresholds, crp, reasons, beside) if reasons else None


@rule(
    "L05",
    triggers=VALUE,
    items=("temp_c", "temp_site", "faint", *SYMPTOMS),
    values=("il6", "body_temperature"),
    thresholds=("at_least_pg_per_ml", "times_infusion_value", "symptom_at_least", "symptoms_within_h"),
)
def il6_high(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.4 L05: IL-6 ≥ 100 pg/mL or ≥ 10 × the value at infusion, no tocilizumab within 14 d (L06); graver with
    symptoms. Symptoms are any above the subject's own, or fever, within `symptoms_within_h` before or after the sample.
    """
    il6 = measured(context, "il6")
    if il6 is None or _tocilizumab(context):
        return None
    reasons = _cytokine(context, il6, thresholds["at_least_pg_per_ml"], thresholds["times_infusion_value"])
    return _inflammation(context, thresholds, il6, reasons, _symptoms(context, thresholds)) if reasons else None


@rule("L06", triggers=VALUE, values=("crp", "il6"))
def after_tocilizumab(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.4 L06: any CRP (mg/L) or IL-6 (pg/mL) within 14 d after tocilizumab is annotated; L04 and L05 are silent.

    High or low: a low CRP would comfort as falsely as a high IL-6 would alarm. Days: `settings.masking.tocilizumab_d`.
    """
    value, given = measured(context, "crp", "il6"), _tocilizumab(context)
    if value is None or given is None:
        return None
    said, ago, medicine = dated(context, value), number(given.hours), drug(given.drug)
    texts = [
        Text(
            f"{said.zh}；{medicine.zh}用于采样前 {ago} 小时。", f"{said.en}; {medicine.en} {ago} h before the sample."
        ),
        Text(
            "CRP 受抑制，IL-6 因受体被阻断而升高：两者此时都不能用来发现或排除 CRS 或感染，也不能区分二者。",
            "CRP is suppressed, IL-6 rises because its receptor is blocked: for now neither finds nor excludes CRS or "
            "infection, and the two cannot be told apart.",
        ),
    ]
    more = {"tocilizumab": {"drug": given.drug, "hours": given.hours, "mg": given.mg, "source": given.source}}
    level, keys = thresholds["level"], ("crs", "infection")
    return found(context, level, organ="fever", keys=keys, values=[value], texts=texts, more=more)
