"""L09–L17 of clinical-safety §3.4: single organs, immunity, infection, the product, reporting. Pure.

Creatinine and bilirubin in µmol/L, UPCR in mg/g, 24-h protein in g, troponin in ng/L, AST/ALT in U/L, IgG and
complement in g/L, anti-dsDNA in IU/mL, B cells per µL, CAR copies per µg DNA, viral DNA in IU/mL; a culture or a
release test is 1 when positive. A rule's usual level comes as `thresholds["level"]`.
"""

from decimal import Decimal
from typing import Any

from backend.safety.context import Context, Finding, Value
from backend.safety.rules.base import Thresholds, rule
from backend.safety.rules.grades import severe_grade
from backend.safety.rules.value_reading import (
    above,
    above_uln,
    at_infusion,
    at_least,
    before,
    below,
    dated,
    found,
    higher_than,
    infusion_text,
    lower_than,
    measured,
    name,
    recent,
    since_infusion,
    study_day,
    taken,
    times,
    uln_text,
)
from backend.safety.rules.vocabulary import Text, word
from backend.safety.rules.wording import number

VALUE = ("value",)


@rule(
    "L09",
    triggers=VALUE,
    values=("creatinine", "upcr", "urine_protein_24h"),
    thresholds=("creatinine_times_infusion_value", "protein_times_infusion_value"),
)
def kidney(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.4 L09: creatinine (µmol/L) ≥ 1.5 ×, UPCR (mg/g) or 24-h protein (g) ≥ 2 × the value at infusion.

    Without a value at infusion no rise is known and none is found.
    """
    value = measured(context, "creatinine", "upcr", "urine_protein_24h")
    base = at_infusion(context, value.code) if value else None
    if value is None or base is None:
        return None
    kind = "creatinine" if value.code == "creatinine" else "protein"
    factor = thresholds[f"{kind}_times_infusion_value"]
    if not times(value, base, factor):
        return None
    said, than = dated(context, value), infusion_text(context, base)
    texts = [Text(f"{said.zh}，至少是{than.zh}的 {factor} 倍。", f"{said.en}, at least {factor} × {than.en}.")]
    keys = ("kidney_injury", "licats", "lupus_nephritis")
    return found(context, thresholds["level"], organ="kidney", keys=keys, values=[value, base], texts=texts)


@rule("L10", triggers=VALUE, values=("troponin",), thresholds=("times_uln", "level_if_first"))
def troponin_rising(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.4 L10: troponin (ng/L) > ULN and higher than the value before.

    A first value above ULN may or may not be rising: it goes to the worklist (`level_if_first`), saying so.
    """
    troponin = measured(context, "troponin")
    if troponin is None or not above_uln(troponin, thresholds["times_uln"]):
        return None
    earlier = before(context, troponin)
    if earlier is not None and not higher_than(troponin, earlier):
        return None
    said, limit = dated(context, troponin), uln_text(troponin)
    if earlier is None:
        than = Text(
            "此前无检测，是否升高未知，请复查", "no earlier value, so whether it is rising is not known; repeat it"
        )
    else:
        was = dated(context, earlier)
        than = Text(f"较 {was.zh} 升高", f"up from {was.en}")
    texts = [Text(f"{said.zh}，高于{limit.zh}；{than.zh}。", f"{said.en}, above {limit.en}; {than.en}.")]
    level = thresholds["level_if_first"] if earlier is None else thresholds["level"]
    keys = ("myocarditis", "licats")
    return found(context, level, organ="heart", keys=keys, values=[troponin, earlier], texts=texts)


@rule(
    "L11",
    triggers=VALUE,
    values=("alt", "ast", "bilirubin"),
    thresholds=("transaminase_times_uln", "bilirubin_times_uln"),
)
def liver(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.4 L11: AST or ALT (U/L) > 5 × ULN, or bilirubin (µmol/L) > 3 × ULN, of the laboratory that measured it."""
    value = measured(context, "alt", "ast", "bilirubin")
    if value is None:
        return None
    factor = thresholds["bilirubin_times_uln" if value.code == "bilirubin" else "transaminase_times_uln"]
    if not above_uln(value, factor):
        return None
    said, limit = dated(context, value), uln_text(value)
    texts = [Text(f"{said.zh}，高于{limit.zh}的 {factor} 倍。", f"{said.en}, above {factor} × {limit.en}.")]
    keys = ("liver_injury", "iec_hs", "drug_reaction", "infection")
    return found(context, thresholds["level"], organ="liver", keys=keys, values=[value], texts=texts)


@rule("L12", triggers=VALUE, values=("igg",), thresholds=("below_g_per_l",))
def igg_low(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.4 L12: IgG < 4 g/L: replacement to be decided."""
    igg = measured(context, "igg")
    if igg is None or not below(igg, thresholds["below_g_per_l"]):
        return None
    said, limit = dated(context, igg), number(thresholds["below_g_per_l"])
    texts = [
        Text(
            f"{said.zh}，低于 {limit} g/L；请决定是否替代治疗。",
            f"{said.en}, below {limit} g/L; replacement is to be decided.",
        )
    ]
    keys = ("hypogammaglobulinaemia",)
    return found(context, thresholds["level"], organ="immune", keys=keys, values=[igg], texts=texts)


@rule(
    "L13",
    triggers=VALUE,
    values=("anti_dsdna", "c3", "c4", "b_cells"),
    thresholds=("dsdna_times_lowest", "dsdna_zero_counts_as_iu_per_ml", "b_cells_back_at_per_ul", "together_within_d"),
)
def relapse_signs(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.4 L13: anti-dsDNA (IU/mL) doubled and C3 or C4 (g/L) falling after B cells (/µL) have come back.

    Doubled over its lowest value since infusion; falling below the value before. B cells are back at the first value
    at or above the limit after one below it, without waiting for a second: the safer reading. A zero stands as
    `dsdna_zero_counts_as_iu_per_ml`. None of the values may be older than `together_within_d` days.
    """
    trigger = measured(context, "anti_dsdna", "c3", "c4", "b_cells")
    returned = _b_cells_back(context, thresholds["b_cells_back_at_per_ul"])
    dsdna = recent(context, "anti_dsdna", thresholds["together_within_d"] * 24)
    if trigger is None or returned is None or dsdna is None:
        return None
    zero, factor = thresholds["dsdna_zero_counts_as_iu_per_ml"], thresholds["dsdna_times_lowest"]
    lowest = _lowest([value for value in since_infusion(context, "anti_dsdna") if value.at < dsdna.at])
    falling = _falling_complement(context, thresholds["together_within_d"] * 24)
    if lowest is None or falling is None or not times(dsdna, lowest, factor, zero=zero):
        return None
    said, rise, back = dated(context, dsdna), _multiple(context, lowest, factor, zero), dated(context, returned)
    now, was = (dated(context, value) for value in falling)
    texts = [
        Text(f"{said.zh}，{rise.zh}（回输后最低值）。", f"{said.en}, {rise.en}, its lowest since infusion."),
        Text(f"{now.zh}，低于前次 {was.zh}。", f"{now.en}, down from {was.en}."),
        Text(f"B 细胞已恢复：{back.zh}。", f"B cells are back: {back.en}."),
    ]
    values = [dsdna, lowest, *falling, returned]
    return found(context, thresholds["level"], organ="immune", keys=("flare",), values=values, texts=texts)


def _b_cells_back(context: Context, limit: Any) -> Value | None:
    """The last B-cell count, if at or above the limit after having been below it since infusion."""
    counts = since_infusion(context, "b_cells")
    depleted = any(below(count, limit) for count in counts[:-1])
    return counts[-1] if depleted and at_least(counts[-1], limit) else None


def _lowest(values: list[Value]) -> Value | None:
    """The value a rise is measured from: the lowest that is no lower bound."""
    counted = [value for value in values if value.qualifier != ">"]
    return min(counted, key=lambda value: (value.value or Decimal(0), value.at), default=None)


def _multiple(context: Context, lowest: Value, factor: Any, zero: Any) -> Text:
    """'at least 5 × CAR copies 0 copies/µg DNA (…), counted as 50'."""
    low = dated(context, lowest)
    counted = Text("", "") if lowest.value else Text(f"（按 {zero} 计）", f", counted as {zero}")
    return Text(f"至少是 {low.zh}{counted.zh} 的 {factor} 倍", f"at least {factor} × {low.en}{counted.en}")


def _falling_complement(context: Context, within_h: Any) -> tuple[Value, Value] | None:
    """The last C3, or else C4, that is certainly lower than the one before it."""
    for code in ("c3", "c4"):
        value = recent(context, code, within_h)
        earlier = before(context, value) if value else None
        if value is not None and earlier is not None and lower_than(value, earlier):
            return value, earlier
    return None


@rule(
    "L14",
    triggers=VALUE,
    values=("car_copies",),
    thresholds=("times_earlier", "from_day", "zero_counts_as_copies_per_ug"),
)
def late_expansion(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.4 L14: CAR copies (per µg DNA) ≥ 5 × an earlier value, measured on day 28 or later.

    Compared with the lowest value since `from_day` and with the one just before, whichever is lower: the safer
    reading. A zero stands as `zero_counts_as_copies_per_ug`.
    """
    copies = measured(context, "car_copies")
    first_day = thresholds["from_day"]
    if copies is None or context.day is None or context.day < first_day:
        return None
    earlier = [each for each in since_infusion(context, "car_copies") if each.at < copies.at]
    late = [each for each in earlier if (study_day(context, each) or 0) >= first_day]
    lowest = _lowest([*late, *earlier[-1:]])
    factor, zero = thresholds["times_earlier"], thresholds["zero_counts_as_copies_per_ug"]
    if lowest is None or not times(copies, lowest, factor, zero=zero):
        return None
    said, rise = dated(context, copies), _multiple(context, lowest, factor, zero)
    texts = [Text(f"{said.zh}，{rise.zh}。", f"{said.en}, {rise.en}.")]
    keys = ("re_expansion",)
    return found(context, thresholds["level"], organ="immune", keys=keys, values=[copies, lowest], texts=texts)


@rule(
    "L15",
    triggers=VALUE,
    values=("cmv_dna", "ebv_dna", "blood_culture", "urine_culture"),
    thresholds=("dna_above_iu_per_ml", "culture_positive_at_least"),
)
def infection_found(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.4 L15: CMV or EBV DNA (IU/mL) positive where the value before was not, or a positive culture (1).

    "<34" is below what can be counted and not positive; a first value that is positive is new.
    """
    value = measured(context, "cmv_dna", "ebv_dna", "blood_culture", "urine_culture")
    if value is None:
        return None
    culture = value.code.endswith("_culture")
    earlier = None if culture else before(context, value)
    if culture:
        positive = at_least(value, thresholds["culture_positive_at_least"])
    else:
        positive = above(value, thresholds["dna_above_iu_per_ml"])
    known = earlier is not None and above(earlier, thresholds["dna_above_iu_per_ml"])
    if not positive or known:
        return None
    when = taken(context, value)
    said = (
        Text(f"{name(value.code).zh}{when.zh}", f"{name(value.code).en}{when.en}") if culture else dated(context, value)
    )
    first = "" if culture else "新出现的"
    texts = [Text(f"{first}阳性结果：{said.zh}。", f"{'Positive' if culture else 'Newly positive'}: {said.en}.")]
    keys = ("infection",)
    return found(context, thresholds["level"], organ="immune", keys=keys, values=[value, earlier], texts=texts)


RELEASE_TESTS = {
    "release_sterility": Text("无菌检查", "sterility"),
    "release_endotoxin": Text("内毒素", "endotoxin"),
    "release_mycoplasma": Text("支原体", "mycoplasma"),
    "release_replication_competent_virus": Text("复制型病毒", "replication-competent virus"),
}


@rule("L16", triggers=("release",), thresholds=("positive_at_least",))
def release_positive(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.4 L16: a product-release test (1 positive, 0 negative) comes back positive, after infusion or before it.

    The result may be days older than its arrival; that makes it no less urgent.
    """
    result = next((value for value in context.values if value.id == context.trigger_id), None)
    if context.trigger != "release" or result is None or result.value is None:
        return None
    if not at_least(result, thresholds["positive_at_least"]):
        return None
    test, when = word(RELEASE_TESTS, result.code), taken(context, result)
    texts = [
        Text(f"产品放行检验阳性：{test.zh}{when.zh}。", f"Product release test positive: {test.en}{when.en}."),
        Text("请立即联系患者并检查感染。", "Contact the patient at once and examine for infection.")
        if context.infused_at is not None
        else Text("不得回输。", "Do not infuse."),
    ]
    keys = ("product_contamination", "infection", "sepsis")
    level = thresholds["level"]
    return found(context, level, organ="product", keys=keys, values=[result], texts=texts, red_flag=True)


ORGAN_OF = {
    **dict.fromkeys(("anc", "wbc", "platelets", "haemoglobin"), "blood"),
    **dict.fromkeys(("alt", "ast", "bilirubin"), "liver"),
    "creatinine": "kidney",
    "fibrinogen": "bleeding",
}


@rule("L17", triggers=VALUE, values=tuple(ORGAN_OF), thresholds=("grades", "report_within_h"))
def severe_laboratory_grade(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.4 L17: a value of CTCAE v5.0 grade 3 or 4 (§5.2) where the value before was of a lower grade or missing.

    Lymphopenia is expected and not signalled. The serious-event criterion is a person's; the clock is named here.
    """
    value = measured(context, *ORGAN_OF)
    if value is None:
        return None
    limits, infusion, earlier = (
        thresholds["grades"][value.code],
        at_infusion(context, value.code),
        before(context, value),
    )
    grade = severe_grade(value, limits, infusion)
    was = severe_grade(earlier, limits, at_infusion(context, value.code)) if earlier else 0
    if grade <= was:
        return None
    said, within = dated(context, value), thresholds["report_within_h"]
    than = dated(context, earlier) if earlier else Text("无", "none")
    texts = [
        Text(
            f"{said.zh}，达到 CTCAE v5.0 {grade} 级界值；前次：{than.zh}。",
            f"{said.en}, within the limits of CTCAE v5.0 grade {grade}; before: {than.en}.",
        ),
        Text(
            f"请评估归因和分级；如为严重不良事件，须在 {within} 小时内报告。",
            f"Attribute and grade it; if it is a serious adverse event, report within {within} h.",
        ),
    ]
    keys, organ = ("adverse_event",), ORGAN_OF[value.code]
    more = {"grade": grade, "grade_before": was}
    values = [value, earlier, infusion]
    return found(context, thresholds["level"], organ=organ, keys=keys, values=values, texts=texts, more=more)
