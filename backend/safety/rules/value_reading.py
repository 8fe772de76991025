"""How laboratory values are read, compared and worded for the rules on values. Pure; no limit stands here.

A qualifier is a bound, never a number: "<0.5" proves "below 0.5", ">500" proves "at least 500" and no
doubling of what came before unless the bound itself is double. What is not proven is not found.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from backend.safety.context import Context, Finding, Reading, Report, Value
from backend.safety.rules import vocabulary
from backend.safety.rules.base import hours_between
from backend.safety.rules.compose import compose
from backend.safety.rules.evidence import Fact, hours, value_fact
from backend.safety.rules.vocabulary import Text, word
from backend.safety.rules.wording import clock, listed, number

# --- what a value proves ----------------------------------------------------------------------------------


def _amount(value: Value) -> Decimal:
    assert value.value is not None, "values that were not done are not handed to rules"
    return value.value


def below(value: Value, limit: Any) -> bool:
    """Certainly < limit."""
    amount = _amount(value)
    return amount < limit if not value.qualifier else value.qualifier == "<" and amount <= limit


def at_most(value: Value, limit: Any) -> bool:
    """Certainly ≤ limit."""
    return value.qualifier != ">" and _amount(value) <= limit


def above(value: Value, limit: Any) -> bool:
    """Certainly > limit."""
    amount = _amount(value)
    return amount > limit if not value.qualifier else value.qualifier == ">" and amount >= limit


def at_least(value: Value, limit: Any) -> bool:
    """Certainly ≥ limit."""
    return value.qualifier != "<" and _amount(value) >= limit


def times(later: Value, earlier: Value | None, factor: Any, *, strictly: bool = False, zero: Any = 0) -> bool:
    """Certainly ≥ `factor` × the earlier value (> if `strictly`); nothing is a multiple of a ">".

    An earlier value of zero counts as `zero`; where that is zero too, nothing is a multiple of it.
    """
    base = (_amount(earlier) or zero) if earlier is not None and earlier.qualifier != ">" else 0
    if earlier is None or base <= 0:
        return False
    limit = base * factor
    return above(later, limit) if strictly and not earlier.qualifier else at_least(later, limit)


def lower_than(later: Value, earlier: Value | None) -> bool:
    """Certainly lower than the earlier value."""
    return earlier is not None and earlier.qualifier != "<" and below(later, _amount(earlier))


def higher_than(later: Value, earlier: Value) -> bool:
    """Certainly higher than the earlier value."""
    return earlier.qualifier != ">" and above(later, _amount(earlier))


def above_uln(value: Value, factor: Any) -> bool:
    """Certainly > `factor` × the upper limit of the laboratory that measured it; unknown without one."""
    return value.uln is not None and above(value, value.uln * factor)


# --- which value --------------------------------------------------------------------------------------------


def measured(context: Context, *codes: str) -> Value | None:
    """The value that caused this evaluation, if it was done and is one of `codes`."""
    value = context.value
    return value if value is not None and value.value is not None and value.code in codes else None


def before(context: Context, value: Value) -> Value | None:
    """The value of the same code just before this one."""
    earlier = [each for each in context.laboratory(value.code) if each.at < value.at]
    return earlier[-1] if earlier else None


def recent(context: Context, code: str, within_h: Any) -> Value | None:
    """The last value of a code, if at most `within_h` hours older than the evaluated one."""
    found = [each for each in context.laboratory(code) if context.at - each.at <= hours(within_h)]
    return found[-1] if found else None


def infused(context: Context) -> bool:
    """Whether cells had been given by the instant under evaluation."""
    return context.infused_at is not None and context.at >= context.infused_at


def since_infusion(context: Context, code: str) -> list[Value]:
    return [each for each in context.laboratory(code) if context.infused_at and each.at >= context.infused_at]


def at_infusion(context: Context, code: str) -> Value | None:
    """The last value at or before infusion; None before it, or where that value is only a lower bound."""
    given = context.infused_at
    if given is None or context.at <= given:
        return None
    found = [each for each in context.laboratory(code) if each.at <= given]
    if found:
        return None if found[-1].qualifier == ">" else found[-1]
    known = context.baseline.values.get(code)
    return None if known is None else Value("baseline", code, known, given, given)


def local_date(context: Context, value: Value) -> date:
    return value.at.astimezone(ZoneInfo(context.zone)).date()


def study_day(context: Context, value: Value) -> int | None:
    """Study day of any value, counted from the day of the one under evaluation."""
    if context.day is None:
        return None
    return context.day - (context.at.astimezone(ZoneInfo(context.zone)).date() - local_date(context, value)).days


def reports_near(context: Context, within_h: Any) -> list[Report]:
    """Reports within so many hours before or after the sample: its result comes later than the blood."""
    return [report for report in context.reports if abs(report.at - context.at) <= hours(within_h)]


def temperatures_near(context: Context, within_h: Any) -> list[Reading]:
    """Temperatures at home and on the ward within so many hours of the sample, oldest first."""
    found = []
    for report in reports_near(context, within_h):
        if (given := report.answers.get("temp_c")) is not None:
            found.append(Reading(report.at, Decimal(str(given)), report.id, report.answers.get("temp_site")))
    for value in context.values:
        close = abs(value.at - context.at) <= hours(within_h)
        if value.code == "body_temperature" and value.value is not None and close:
            found.append(Reading(value.at, value.value, value.id, value.method))
    return sorted(found, key=lambda reading: (reading.at, reading.source))


# --- words --------------------------------------------------------------------------------------------------

NAMES: Mapping[str, tuple[Text, str]] = {
    "anc": (Text("中性粒细胞", "ANC"), "×10⁹/L"),
    "wbc": (Text("白细胞", "WBC"), "×10⁹/L"),
    "platelets": (Text("血小板", "platelets"), "×10⁹/L"),
    "haemoglobin": (Text("血红蛋白", "haemoglobin"), "g/L"),
    "crp": (Text("CRP", "CRP"), "mg/L"),
    "ferritin": (Text("铁蛋白", "ferritin"), "µg/L"),
    "il6": (Text("IL-6", "IL-6"), "pg/mL"),
    "alt": (Text("ALT", "ALT"), "U/L"),
    "ast": (Text("AST", "AST"), "U/L"),
    "bilirubin": (Text("总胆红素", "bilirubin"), "µmol/L"),
    "creatinine": (Text("肌酐", "creatinine"), "µmol/L"),
    "fibrinogen": (Text("纤维蛋白原", "fibrinogen"), "g/L"),
    "triglycerides": (Text("甘油三酯", "triglycerides"), "mmol/L"),
    "troponin": (Text("肌钙蛋白", "troponin"), "ng/L"),
    "igg": (Text("IgG", "IgG"), "g/L"),
    "upcr": (Text("尿蛋白/肌酐比", "UPCR"), "mg/g"),
    "urine_protein_24h": (Text("24 小时尿蛋白", "24-h urine protein"), "g/24 h"),
    "anti_dsdna": (Text("抗 dsDNA 抗体", "anti-dsDNA"), "IU/mL"),
    "c3": (Text("补体 C3", "C3"), "g/L"),
    "c4": (Text("补体 C4", "C4"), "g/L"),
    "b_cells": (Text("CD19+ B 细胞", "CD19+ B cells"), "/µL"),
    "car_copies": (Text("CAR 拷贝数", "CAR copies"), "copies/µg DNA"),
    "cmv_dna": (Text("CMV DNA", "CMV DNA"), "IU/mL"),
    "ebv_dna": (Text("EBV DNA", "EBV DNA"), "IU/mL"),
    "blood_culture": (Text("血培养", "blood culture"), ""),
    "urine_culture": (Text("尿培养", "urine culture"), ""),
}

COMPATIBLE: Mapping[str, Text] = {
    **vocabulary.COMPATIBLE,
    "icaht": Text("ICAHT（细胞治疗相关血液学毒性）", "ICAHT (haematological toxicity of the cells)"),
    "lymphodepletion": Text("清淋化疗的作用", "effect of lymphodepletion"),
    "bleeding_risk": Text("出血风险", "risk of bleeding"),
    "myocarditis": Text("心肌炎", "myocarditis"),
    "liver_injury": Text("肝损伤", "liver injury"),
    "anaemia": Text("贫血或出血", "anaemia or blood loss"),
    "hypogammaglobulinaemia": Text("低丙种球蛋白血症", "hypogammaglobulinaemia"),
    "re_expansion": Text("CAR-T 细胞晚期再扩增", "late re-expansion of the cells"),
    "product_contamination": Text("产品污染", "contamination of the product"),
    "unable_to_report": Text("无法填报", "being unable to report"),
    "not_reported": Text("忘记填报或手机离线", "a forgotten report or a phone offline"),
    "data_quality": Text("数据质量问题", "a question of data quality"),
    "adverse_event": Text("需记录的不良事件", "an adverse event to be recorded"),
}

# What only cells already given can cause: never named before infusion.
OF_THE_CELLS = frozenset({"crs", "icans", "iec_hs", "licats", "icaht", "re_expansion"})


def amount(value: Value) -> str:
    """'<0.5 g/L'."""
    unit = NAMES[value.code][1] if value.code in NAMES else ""
    return f"{value.qualifier}{number(_amount(value))} {unit}".strip()


def name(code: str) -> Text:
    return NAMES[code][0] if code in NAMES else Text(code, code)


def taken(context: Context, value: Value) -> Text:
    """'(taken 2026-03-09 21:10, 3.5 h ago)', the age being that at the time of evaluation."""
    when, ago = clock(context, value.at), number(hours_between(context.now, value.at))
    return Text(f"（{when.zh} 采样，{ago} 小时前）", f" (taken {when.en}, {ago} h ago)")


def dated(context: Context, value: Value) -> Text:
    """A value with its unit, when it was taken and how many hours ago that is."""
    called, when = name(value.code), taken(context, value)
    return Text(f"{called.zh} {amount(value)}{when.zh}", f"{called.en} {amount(value)}{when.en}")


def all_dated(context: Context, values: Iterable[Value]) -> Text:
    return listed(dated(context, value) for value in values)


def infusion_text(context: Context, value: Value) -> Text:
    """'the value at infusion, 300 µg/L (2026-03-03 11:10)'."""
    when = clock(context, value.at)
    return Text(f"回输时值 {amount(value)}（{when.zh}）", f"the value at infusion, {amount(value)} ({when.en})")


def uln_text(value: Value) -> Text:
    limit = number(value.uln) if value.uln is not None else "?"
    unit = NAMES[value.code][1]
    return Text(f"正常上限 {limit} {unit}", f"the upper limit of normal, {limit} {unit}")


def compatible(keys: tuple[str, ...]) -> Text:
    if not keys:
        return Text("需由医护人员判断。", "Staff must examine and decide.")
    said = listed(word(COMPATIBLE, key) for key in keys)
    return Text(
        f"可能相符的情况：{said.zh}；需由医护人员判断。", f"Compatible with: {said.en}; staff must examine and decide."
    )


def found(
    context: Context,
    level: str,
    *,
    organ: str,
    keys: tuple[str, ...],
    values: Iterable[Value | None],
    texts: Iterable[Text | None],
    facts: Iterable[Fact] = (),
    **rest: Any,
) -> Finding:
    """A finding resting on these values, said in both languages; nothing is laid to cells not yet given."""
    keys = keys if infused(context) else tuple(key for key in keys if key not in OF_THE_CELLS)
    unique = {value.id + value.code: value for value in values if value is not None}
    return compose(
        context,
        level,
        organ=organ,
        keys=keys,
        facts=[*(value_fact(value) for value in unique.values()), *facts],
        texts=[Text(text.zh, text.en[:1].upper() + text.en[1:]) for text in texts if text is not None],
        closing=compatible(keys),
        **rest,
    )


def step(report: Report, item: str) -> int:
    """The answer to a scale; 0 when it was not asked or is no whole number."""
    given = report.answers.get(item)
    return given if isinstance(given, int) and not isinstance(given, bool) else 0


def days_between(context: Context, first: Value, last: Value) -> int:
    """Calendar days from first to last in the subject's zone, both counted."""
    return (local_date(context, last) - local_date(context, first)).days + 1
