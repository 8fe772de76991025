"""Consciousness, words, fits and the remote neuro check: R01–R03 and R32 of clinical-safety §3.3. Pure.

Scales 0–3, neuro check 0–10 against the subject's own best; without a baseline the full score stands for it,
because a check below ten is a published red flag (safer). The check is never called ICE: staff ICE decides.
"""

from decimal import Decimal

from backend.safety.context import Context, Finding, Report
from backend.safety.rules import wording
from backend.safety.rules.base import Thresholds, rule
from backend.safety.rules.compose import compose, temperature_if_any
from backend.safety.rules.evidence import (
    Fact,
    choice,
    doses,
    drives,
    hours,
    known,
    scale,
    sitting,
    temperature,
    ticked,
)
from backend.safety.rules.vocabulary import ITEMS, Text, drug, word

CHECK = (
    *("neuro_year", "neuro_month", "neuro_city", "neuro_hospital"),
    *("neuro_naming", "neuro_command", "neuro_writing", "neuro_counting"),
)


@rule("R01", items=("seizure_weak", "now_any"))
def fit_weakness_or_unrousable(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R01: a fit or one-sided weakness, or the carer cannot wake the patient; in any window."""
    facts = known(choice(context, "seizure_weak", "yes"), ticked(context, "now_any", "seizure_weak", "cannot_wake"))
    if not facts:
        return None
    return compose(
        context,
        thresholds["level"],
        organ="neuro",
        keys=("icans", "stroke", "pres"),
        facts=facts,
        texts=[wording.reported(context, *facts), temperature_if_any(context, temperature(context))],
        red_flag=True,
    )


def neuro_check(context: Context) -> Report | None:
    """The scored neuro check of this sitting; None if there is none or its score is unknown."""
    return next((report for report in sitting(context) if report.form == "neuro" and report.score is not None), None)


def own_best(context: Context) -> Decimal:
    """The subject's best score before treatment, the full score without one."""
    best = context.baseline.neuro
    return Decimal(str(context.settings["neuro_max"])) if best is None else best


def _score_fact(check: Report) -> Fact:
    return Fact("neuro_score", check.score, check.at, check.id, check.reporter)


def _score_text(context: Context, check: Report | None) -> Text | None:
    """Score, baseline and the items that were lost."""
    if check is None:
        return None
    full = context.settings["neuro_item_max"]
    lost = wording.listed(
        word(ITEMS, item) for item in CHECK if isinstance(given := check.answers.get(item), int) and given < full[item]
    )
    had = context.baseline.neuro
    return wording.plain(
        "神经检查 {score}/10（本人基线 {base_zh}）；丢分项目：{lost_zh}。",
        "Neuro check {score}/10 (own baseline {base_en}); items lost: {lost_en}.",
        score=check.score,
        base_zh="无" if had is None else wording.number(had),
        base_en="none" if had is None else wording.number(had),
        lost_zh=lost.zh or "未知",
        lost_en=lost.en or "unknown",
    )


def _sedatives(context: Context) -> Text:
    """Sedatives of the last hours: they must be excluded before ICANS is graded (§1.2)."""
    span = hours(context.settings["sedative_h"])
    names = sorted(
        {dose.drug for dose in doses(context, "sedative") if dose.stop is None or context.at - dose.stop <= span}
    )
    found = wording.listed(drug(name) for name in names)
    return Text(f"镇静药：{found.zh or '未记录'}。", f"Sedatives: {found.en or 'none on record'}.")


def _neuro_finding(
    context: Context, level: str, facts: list[Fact], keys: tuple[str, ...], check: Report | None, red: bool
) -> Finding:
    answers = [fact for fact in facts if fact.name != "neuro_score"]
    return compose(
        context,
        level,
        organ="neuro",
        keys=keys,
        facts=facts,
        texts=[
            wording.reported(context, *answers) if answers else None,
            _score_text(context, check),
            _sedatives(context),
            temperature_if_any(context, temperature(context)),
        ],
        more={"neuro_baseline": context.baseline.neuro},
        drives=drives(facts),
        red_flag=red,
    )


@rule(
    "R02",
    items=("confused", "words", "neuro_finished", *CHECK),
    thresholds=("confused", "words", "neuro_score", "neuro_drop"),
    settings=("neuro_max", "neuro_item_max", "sedative_h"),
)
def confusion_or_failed_check(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R02: confused, lost for words, neuro check at or below `neuro_score`, a drop of `neuro_drop`, or unable."""
    check = neuro_check(context)
    low = (
        check is not None
        and check.score is not None
        and (check.score <= thresholds["neuro_score"] or own_best(context) - check.score >= thresholds["neuro_drop"])
    )
    facts = known(
        scale(context, "confused", thresholds["confused"]),
        scale(context, "words", thresholds["words"]),
        choice(context, "neuro_finished", "could_not_finish"),
        _score_fact(check) if check is not None and low else None,
    )
    if not facts:
        return None
    return _neuro_finding(context, thresholds["level"], facts, ("icans", "stroke", "infection"), check, red=True)


@rule(
    "R03",
    items=("confused", "words", "writing", *CHECK),
    thresholds=("confused", "words", "neuro_drop_from", "neuro_drop_to"),
    settings=("neuro_max", "neuro_item_max", "sedative_h"),
)
def slight_confusion(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R03: confused or words at exactly the mild step, handwriting changed, or a small drop in the neuro check.

    "Unsure" about handwriting is not "changed"; the neuro check has its own writing item.
    """
    check = neuro_check(context)
    drop = own_best(context) - check.score if check is not None and check.score is not None else Decimal(0)
    small = thresholds["neuro_drop_from"] <= drop <= thresholds["neuro_drop_to"]
    facts = known(
        scale(context, "confused", thresholds["confused"], thresholds["confused"]),
        scale(context, "words", thresholds["words"], thresholds["words"]),
        choice(context, "writing", "yes"),
        _score_fact(check) if check is not None and small else None,
    )
    if not facts:
        return None
    return _neuro_finding(context, thresholds["level"], facts, ("icans",), check, red=False)


@rule(
    "R32",
    items=("confused", "words", "seizure_weak"),
    thresholds=("mild_level", "confused", "words", "mild_confused", "mild_words"),
    settings=("neuro_item_max", "sedative_h"),
)
def late_neuro_sign(context: Context, thresholds: Thresholds) -> Finding | None:
    """§3.3 R32: the weekly form's confusion, words and fit or weakness after D30, at the levels of R01–R03."""
    severe = known(
        choice(context, "seizure_weak", "yes"),
        scale(context, "confused", thresholds["confused"]),
        scale(context, "words", thresholds["words"]),
    )
    mild = known(
        scale(context, "confused", thresholds["mild_confused"]), scale(context, "words", thresholds["mild_words"])
    )
    if not (severe or mild):
        return None
    level = thresholds["level"] if severe else thresholds["mild_level"]
    keys = ("icans_late", "stroke", "infection")
    return _neuro_finding(context, level, severe or mild, keys, neuro_check(context), red=bool(severe))
