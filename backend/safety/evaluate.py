"""Asks every rule of the study about one context and joins what they say (clinical-safety §3). Pure and deterministic.

A rule is asked if it is triggered by this kind of fact, the study has it, and the subject is in one of its windows;
a measurement that a rule does not read cannot make it fire. Beside its thresholds a rule is handed two entries:
`level`, its usual level in the study, and `fired`, what the rules before it found (for R08 and R27, asked last).
Levels are then combined: R15 raises the other fever findings, a trend is raised by any other finding, and after
contact R10 joins the episode without paging unless it is worse.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from hashlib import sha256

from backend.safety.context import Context, EpisodeView, Finding
from backend.safety.rules import circulation, fever, fever_course, neuro, silence, symptoms, trends, values
from backend.safety.rules.base import CATALOGUE, Registered, current_temperature, finding, raised, round_half_up
from schedules.protocol.definition import LEVELS, Rule

ROOMS = (
    circulation,
    fever,
    fever_course,
    neuro,
    silence,
    symptoms,
    trends,
    values,
)  # importing them fills the catalogue
ASKED_LAST = ("R08", "R27")
TRENDS = ("T1", "T2", "T3", "T4")
NO_ORGAN = ("trend", "data", "worry")  # groups of findings that do not say an organ is affected


def evaluate(context: Context, rules: Mapping[str, Rule], *, enduring: bool = False) -> tuple[Finding, ...]:
    """Everything the study's rules find in this context, highest level first, then by rule id.

    A rule that breaks is a fault of ours and is raised. With `enduring`, where a person's report hangs on it, the
    others are asked all the same and the broken one is itself a finding, at its own level: people must look.
    """
    asked = sorted(
        (CATALOGUE[id] for id, rule in rules.items() if id in CATALOGUE and _concerns(context, CATALOGUE[id], rule)),
        key=lambda each: (each.id in ASKED_LAST, each.id),
    )
    found: list[Finding] = []
    broken: list[Finding] = []  # kept apart: what could not be judged neither raises nor supports another finding
    for registered in asked:
        try:
            said = _ask(context, registered, rules[registered.id], tuple(found))
        except Exception as error:
            if not enduring:
                raise
            broken.append(_broken(context, rules[registered.id], error))
            continue
        if said is not None:
            found.append(said)
    combined = [*_after_contact(context, _raise_trends(_raise_fevers(found), rules), rules), *broken]
    return tuple(sorted((_keyed(each) for each in combined), key=lambda each: (-LEVELS.index(each.level), each.rule)))


def _broken(context: Context, rule: Rule, error: Exception) -> Finding:
    """A rule that could not be evaluated: unknown stays unknown, and is told. Never below REVIEW; once per fact.

    Only the kind of the error is kept: its text may quote an answer.
    """
    level = max(rule.level, "REVIEW", key=LEVELS.index)
    said = finding(
        level,
        organ="data",
        compatible_with=(),
        zh=f"规则 {rule.id} 未能完成判断，请人工查看这条记录。",
        en=f"Rule {rule.id} could not be evaluated; a person must read this record.",
        inputs={"error": type(error).__name__, "trigger": context.trigger, "at": context.at},
        key=f"{rule.id}:broken:{context.trigger_id or context.at.date()}",
    )
    return replace(said, rule=rule.id, version=rule.version, thresholds=dict(rule.thresholds))


def _concerns(context: Context, registered: Registered, rule: Rule) -> bool:
    if context.trigger not in registered.triggers or (rule.windows and context.window not in rule.windows):
        return False
    value = context.value
    return value is None or not registered.reads_values or value.code in registered.reads_values


def _ask(context: Context, registered: Registered, rule: Rule, fired: tuple[Finding, ...]) -> Finding | None:
    """What one rule says, with its id, version and thresholds filled in."""
    said = registered.function(context, {**rule.thresholds, "level": rule.level, "fired": fired})
    if said is None:
        return None
    return replace(said, rule=rule.id, version=rule.version, thresholds=dict(rule.thresholds))


def _raise_fevers(found: Sequence[Finding]) -> list[Finding]:
    """R15: fever that an antipyretic does not hold raises every other fever finding by one level."""
    if not any(each.rule == "R15" for each in found):
        return list(found)
    return [raised(each) if each.organ == "fever" and each.rule != "R15" else each for each in found]


def _raise_trends(found: Sequence[Finding], rules: Mapping[str, Rule]) -> list[Finding]:
    """T1–T4: a trend beside other findings above NOTE comes at its `combined_level` and speaks for the gravest one's
    organ: it makes that graver and is no organ of its own, which would page again."""
    above_note = [each for each in found if each.level != LEVELS[0]]
    return [_combined(each, above_note, rules) if each.rule in TRENDS else each for each in found]


def _combined(trend: Finding, above_note: Sequence[Finding], rules: Mapping[str, Rule]) -> Finding:
    others = [each for each in above_note if each.rule != trend.rule]
    if not others:
        return trend
    gravest = max(others, key=lambda each: LEVELS.index(each.level))
    return replace(trend, level=rules[trend.rule].thresholds["combined_level"], organ=gravest.organ)


def _after_contact(context: Context, found: Sequence[Finding], rules: Mapping[str, Rule]) -> list[Finding]:
    """§3.2: once the patient was contacted R10 joins without paging, unless a new organ is affected or it is hotter,
    which pages again whatever the episode's level is."""
    episode = context.episode
    if episode is None or episode.contacted_at is None:
        return list(found)
    known = (*episode.organs, *NO_ORGAN)
    new_organ = any(each.organ not in known and each.level != LEVELS[0] for each in found)
    hotter = _hotter(context, episode, rules["R10"]) if "R10" in rules else False
    return [replace(each, pages=new_organ or hotter, again=hotter) if each.rule == "R10" else each for each in found]


def _hotter(context: Context, episode: EpisodeView, rule: Rule) -> bool:
    """Another `after_contact_rise_c` over the episode's highest; an unknown highest counts as exceeded (safer)."""
    reading, highest = current_temperature(context), episode.highest_temperature
    if reading is None or highest is None:
        return True
    rise: Decimal = rule.thresholds["after_contact_rise_c"]
    return round_half_up(reading.value) - round_half_up(highest) >= rise


def _keyed(found: Finding) -> Finding:
    """One signal per rule, level and evidence: the next form of a sitting does not say the same again."""
    evidence = found.inputs.get("evidence")
    if found.key is not None or not evidence:
        return found
    digest = sha256("\n".join(evidence).encode()).hexdigest()[:32]
    return replace(found, key=f"{found.rule}:{found.level}:{digest}")
