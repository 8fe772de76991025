"""L07 and L08 of clinical-safety §3.4: blood counts. Pure.

Neutrophils (ANC) and platelets in 10*9/L, haemoglobin in g/L. A rule's usual level comes as `thresholds["level"]`;
where its row knows a graver one, `raised` gives it.
"""

from collections.abc import Callable

from backend.safety.context import Context, Finding, Value
from backend.safety.rules.base import Thresholds, raised, rule
from backend.safety.rules.value_reading import (
    above,
    at_least,
    at_most,
    below,
    dated,
    days_between,
    found,
    measured,
)
from backend.safety.rules.vocabulary import Text
from backend.safety.rules.wording import number

VALUE = ("value",)
Test = Callable[[Value], bool]


def _spell(context: Context, low: Test, high: Test, recovery_days: int) -> list[Value]:
    """The low ANC values of the spell that the last one stands in, oldest first (§1.4); empty if the last is not low.

    Higher values on fewer than `recovery_days` calendar days do not end a spell; days without a value count as the
    days around them. A bound that proves neither low nor high is passed over.
    """
    values = context.laboratory("anc")
    spell: list[Value] = []
    higher: list[Value] = []
    for value in reversed(values) if values and low(values[-1]) else ():
        if low(value):
            if higher and days_between(context, higher[-1], higher[0]) >= recovery_days:
                break
            spell, higher = [value, *spell], []
        elif high(value):
            higher.append(value)
    return spell


@rule(
    "L07",
    triggers=VALUE,
    values=("anc",),
    thresholds=("below_10_9_per_l", "below_days", "very_low_at_most_10_9_per_l", "very_low_days", "recovery_days"),
)
def anc_low(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.4 L07: ANC < 0.5 for the first time; graver when ≤ 0.1 for ≥ 7 d or < 0.5 for ≥ 14 d (early ICAHT, §1.4).

    "First time" is the first of each spell, so that a second fall after a recovery is told as well. Both ends count
    as days, and a spell that began before infusion counts from its beginning: the safer readings.
    """
    if measured(context, "anc") is None:
        return None
    limit, least = thresholds["below_10_9_per_l"], thresholds["very_low_at_most_10_9_per_l"]
    recovery = thresholds["recovery_days"]
    spell = _spell(context, lambda v: below(v, limit), lambda v: at_least(v, limit), recovery)
    very = _spell(context, lambda v: at_most(v, least), lambda v: above(v, least), recovery)
    days, very_days = (days_between(context, run[0], run[-1]) if run else 0 for run in (spell, very))
    long, very_long = days >= thresholds["below_days"], very_days >= thresholds["very_low_days"]
    if not spell or (len(spell) > 1 and not long and not very_long):
        return None
    said = dated(context, spell[-1])
    texts = [
        Text(f"{said.zh}。", f"{said.en}."),
        None if long or very_long else Text(f"本轮首次低于 {limit}。", f"The first value below {limit} of this spell."),
        _lasting(f"<{limit}", days, spell) if long else None,
        _lasting(f"≤{least}", very_days, very) if very_long else None,
    ]
    keys = ("icaht", "lymphodepletion", "infection")
    more = {"days_below": days, "days_very_low": very_days}
    level = thresholds["level"]
    finding = found(context, level, organ="blood", keys=keys, values=spell, texts=texts, more=more)
    return raised(finding) if long or very_long else finding


def _lasting(limit: str, days: int, spell: list[Value]) -> Text:
    return Text(
        f"{limit} 已 {days} 天（{len(spell)} 次检测；无检测的日子按前后值计）。",
        f"{limit} for {days} days ({len(spell)} values; days without one are taken as those around them).",
    )


@rule(
    "L08",
    triggers=VALUE,
    values=("platelets", "haemoglobin"),
    thresholds=("platelets_below_10_9_per_l", "platelets_emergency_below_10_9_per_l", "haemoglobin_below_g_per_l"),
)
def counts_critical(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.4 L08: platelets < 20 (one level more < 10) 10*9/L, or haemoglobin < 70 g/L."""
    value = measured(context, "platelets", "haemoglobin")
    if value is None:
        return None
    platelets = value.code == "platelets"
    limit = thresholds["platelets_below_10_9_per_l" if platelets else "haemoglobin_below_g_per_l"]
    if not below(value, limit):
        return None
    said = dated(context, value)
    keys = ("thrombocytopenia", "icaht", "bleeding_risk") if platelets else ("anaemia", "icaht")
    texts = [Text(f"{said.zh}，低于 {number(limit)}。", f"{said.en}, below {number(limit)}.")]
    finding = found(context, thresholds["level"], organ="blood", keys=keys, values=[value], texts=texts)
    grave = platelets and below(value, thresholds["platelets_emergency_below_10_9_per_l"])
    return raised(finding) if grave else finding
