"""The sentences of the report rules, in Simplified Chinese and English side by side (clinical-safety §3.7). Pure.

A `Text` is one or more complete sentences in both languages. Nothing here decides anything, names a diagnosis as
a fact or a CRS grade above "≥1" / "possible ≥2": staff grade. Times are in the subject's own zone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from backend.safety.baselines import band
from backend.safety.context import Context, Reading, Value
from backend.safety.masking import MaskReason, masked
from backend.safety.rules import vocabulary
from backend.safety.rules.base import round_half_up
from backend.safety.rules.evidence import Fact, age_hours, hours, latest, matched_baseline, scale
from backend.safety.rules.vocabulary import Text


@dataclass(frozen=True, slots=True)
class Sentences:
    """Several texts as one, with the space English wants and Chinese does not."""

    parts: tuple[Text, ...]

    @property
    def zh(self) -> str:
        return "".join(part.zh for part in self.parts if part.zh)

    @property
    def en(self) -> str:
        return " ".join(part.en for part in self.parts if part.en)


def sentences(*parts: Text | None) -> Sentences:
    return Sentences(tuple(part for part in parts if part is not None))


def joined(*texts: Text) -> Text:
    """Complete sentences one after another."""
    found = Sentences(texts)
    return Text(found.zh, found.en)


def number(value: Decimal | int) -> str:
    """Without exponent and without trailing zeros."""
    plain = f"{value:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def whole_hours(span: Decimal) -> str:
    """'3', or '<1' for less than one hour."""
    return number(round_half_up(span, 0)) if span >= 1 else "<1"


def signed(value: Decimal) -> str:
    return f"{value:+.1f}"


def listed(texts: Iterable[Text]) -> Text:
    """Things in a row: commas in English, enumeration commas in Chinese."""
    found = list(texts)
    return Text("、".join(text.zh for text in found), ", ".join(text.en for text in found))


def clock(context: Context, at: datetime) -> Text:
    """The wall-clock time, with the date when it is not the day of evaluation."""
    zone = ZoneInfo(context.zone)
    local, today = at.astimezone(zone), context.at.astimezone(zone).date()
    if local.date() == today:
        return Text(f"{local:%H:%M}", f"{local:%H:%M}")
    return Text(f"{local.month}月{local.day}日 {local:%H:%M}", f"{local:%Y-%m-%d %H:%M}")


def opening(context: Context) -> Text:
    """Study day and local time of measurement, and how old it is when it arrives late (§3.6)."""
    local = context.at.astimezone(ZoneInfo(context.zone))
    if context.day is None:
        text = Text(f"回输前（日期未定），{local:%H:%M}。", f"Before infusion (not dated), {local:%H:%M}.")
    else:
        day = f"{context.day:+d}" if context.day else "0"
        text = Text(f"第 {day} 天，{local:%H:%M}。", f"Day {day}, {local:%H:%M}.")
    if context.now - context.at < hours(context.settings["late_mention_h"]):
        return text
    ago = number(round_half_up(Decimal((context.now - context.at).total_seconds()) / 3600, 0))
    return Text(f"{text.zh}{ago} 小时前测量。", f"{text.en} Measured {ago} h ago.")


def temperature_text(context: Context, reading: Reading) -> Text:
    """'Armpit 38.2 °C (baseline for evening 36.6, n=7, +1.6).'"""
    site = vocabulary.word(vocabulary.SITES, reading.site or "unknown")
    degrees = f"{round_half_up(reading.value):.1f}"
    found = matched_baseline(context, reading)
    if found is None:
        return Text(
            f"{site.zh} {degrees} °C（无个人基线）。", f"{site.en.capitalize()} {degrees} °C (no own baseline)."
        )
    key, normal = found
    part = vocabulary.BANDS[band(reading.at, context.zone) if "/" in key else "day"]
    rise, middle = signed(round_half_up(reading.value - normal.median)), f"{round_half_up(normal.median):.1f}"
    return Text(
        f"{site.zh} {degrees} °C（{part.zh}基线 {middle}，n={normal.n}，{rise}）。",
        f"{site.en.capitalize()} {degrees} °C (baseline for {part.en} {middle}, n={normal.n}, {rise}).",
    )


def _mask_text(reason: MaskReason) -> Text:
    drug = vocabulary.drug(reason.drug)
    amount = f" {number(reason.mg)} mg" if reason.mg is not None else ""
    if reason.drug_class == "steroid" and amount:
        amount = f"{amount}/d"
    if not reason.hours:
        return Text(f"刚用或正在使用{drug.zh}{amount}。", f"{drug.en.capitalize()}{amount} just taken or ongoing.")
    ago = whole_hours(reason.hours)
    return Text(f"{ago} 小时前用{drug.zh}{amount}。", f"{drug.en.capitalize()}{amount} {ago} h ago.")


def masking_text(context: Context) -> Text:
    """Each medicine that could hide a fever, with dose and hours; said also when there is none on record."""
    reasons = [_mask_text(reason) for reason in masked(context)]
    if not reasons:
        return Text("未记录可掩盖发热的药物。", "No fever-masking medicine on record.")
    return Text("".join(text.zh for text in reasons), " ".join(text.en for text in reasons))


def chills_text(context: Context) -> Text | None:
    """Chills of this sitting in words; nothing when they were not asked or absent."""
    given = scale(context, "chills", 1)
    if given is None:
        return None
    return vocabulary.CHILLS.get(given.value, Text("畏寒。", "Chills."))


def _value_words(context: Context, value: Value) -> tuple[str, str]:
    ago = whole_hours(age_hours(context, value.at))
    shown = number(value.value) if value.value is not None else "?"
    return f"{value.qualifier}{shown}", ago


def value_text(context: Context, code: str) -> Text:
    """'ANC 0.4 (19 h ago)' or 'ANC unknown'; a part of a sentence."""
    name, value = vocabulary.word(vocabulary.CODES, code), latest(context, code)
    if value is None:
        return Text(f"{name.zh}{' ' if name.zh.isascii() else ''}未知", f"{name.en} unknown")
    shown, ago = _value_words(context, value)
    return Text(f"{name.zh} {shown}（{ago} 小时前）", f"{name.en} {shown} ({ago} h ago)")


def anc_text(context: Context) -> Text:
    """The last ANC; one older than `anc_fresh_h` is said to be unknown, with its age."""
    value, fresh = latest(context, "anc"), context.settings["anc_fresh_h"]
    if value is None or context.at - value.at <= hours(fresh):
        return value_text(context, "anc")
    shown, ago = _value_words(context, value)
    return Text(
        f"近 {fresh} 小时 ANC 未知（上次 {shown}，{ago} 小时前）",
        f"ANC unknown in the last {fresh} h (last {shown}, {ago} h ago)",
    )


def values_text(context: Context, *codes: str) -> Text:
    """The last values of several codes as one sentence."""
    found = listed(value_text(context, code) for code in codes)
    return Text(f"末次检验：{found.zh}。", f"Last values: {found.en}.")


def crs_or_infection(context: Context) -> Text:
    """The differential line of a fever: neither is chosen (§3.5)."""
    anc = anc_text(context)
    return Text(
        f"如无其他原因，与 CRS ≥1 级相符；不能排除感染：{anc.zh}。远程无法区分二者。",
        f"Compatible with CRS grade ≥1 if no other cause; infection not excluded: {anc.en}. "
        "The two cannot be told apart remotely.",
    )


def anc_sentence(context: Context) -> Text:
    """The last ANC as a sentence of its own."""
    anc = anc_text(context)
    return Text(f"不能排除感染：{anc.zh}。", f"Infection not excluded: {anc.en}.")


def compatible(*keys: str) -> Text:
    """'Compatible with …; to be examined by staff.'"""
    found = listed(vocabulary.word(vocabulary.COMPATIBLE, key) for key in keys)
    return Text(
        f"可能相符的情况：{found.zh}；需由医护人员检查判断。",
        f"Compatible with: {found.en}; staff must examine and decide.",
    )


def _answer_words(fact: Fact) -> Text:
    name = vocabulary.word(vocabulary.ITEMS, fact.name)
    values = fact.value if isinstance(fact.value, list) else [fact.value]
    words = listed(vocabulary.answer(fact.name, value) for value in values)
    return Text(f"{name.zh}：{words.zh}", f"{name.en}: {words.en}")


def reported(context: Context, *facts: Fact) -> Text:
    """Which answers, who gave them and when: 'Reported by the carer at 21:10: confused: 2 (moderate).'"""
    lines: dict[tuple[str, datetime], list[Fact]] = {}
    for fact in facts:
        lines.setdefault((fact.reporter or "staff", fact.at), []).append(fact)
    told = []
    for (who, at), group in lines.items():
        reporter, when, words = (
            vocabulary.word(vocabulary.REPORTERS, who),
            clock(context, at),
            listed(map(_answer_words, group)),
        )
        told.append(
            Text(
                f"{reporter.zh}于 {when.zh} 报告：{words.zh}。", f"Reported by {reporter.en} at {when.en}: {words.en}."
            )
        )
    return Text("".join(text.zh for text in told), " ".join(text.en for text in told))


def plain(zh: str, en: str, **values: Any) -> Text:
    """A sentence with numbers set in; Decimals are shown plainly."""
    shown = {key: number(value) if isinstance(value, Decimal) else value for key, value in values.items()}
    return Text(zh.format(**shown), en.format(**shown))
