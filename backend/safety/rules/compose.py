"""How a report rule hands over what it found: facts, background and the sentence in both languages. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from backend.safety.context import Context, Finding, Reading
from backend.safety.masking import masked
from backend.safety.rules import wording
from backend.safety.rules.base import Thresholds, finding
from backend.safety.rules.evidence import Fact, as_fact, last_values
from backend.safety.rules.vocabulary import Text

BACKGROUND = ("anc", "platelets", "crp", "ferritin")  # shown with every signal (§3.7)


def compose(
    context: Context,
    level: str,
    *,
    organ: str,
    keys: tuple[str, ...],
    facts: Sequence[Fact],
    texts: Sequence[Text | None],
    closing: Text | None = None,
    more: Mapping[str, Any] | None = None,
    **rest: Any,
) -> Finding:
    """A finding on `facts`; `keys` are what it is compatible with, said at the end unless `closing` says it better.

    `inputs["evidence"]` names the entries and values it rests on: `evaluate` makes the signal's key from them,
    so that the second form of one sitting does not raise the same signal again.
    """
    inputs = {
        "facts": [fact.shown() for fact in facts],
        "evidence": sorted({fact.source for fact in facts}),
        "masked": [
            {"drug": each.drug, "mg": each.mg, "hours": each.hours, "source": each.source} for each in masked(context)
        ],
        "last": last_values(context, *BACKGROUND),
        **(more or {}),
    }
    said = wording.sentences(wording.opening(context), *texts, closing or wording.compatible(*keys))
    return finding(level, organ=organ, compatible_with=keys, zh=said.zh, en=said.en, inputs=inputs, **rest)


def fever_texts(context: Context, reading: Reading) -> list[Text | None]:
    """Value, site, baseline, masking and chills: what every fever signal states."""
    return [
        wording.temperature_text(context, reading),
        wording.masking_text(context),
        wording.chills_text(context),
    ]


def temperature_fact(context: Context, reading: Reading) -> Fact:
    return as_fact(context, "temp_c", reading)


def temperature_if_any(context: Context, reading: Reading | None) -> Text:
    """The temperature of this sitting, or that there is none."""
    if reading is not None:
        return wording.temperature_text(context, reading)
    return Text("本次无体温。", "No temperature in this report.")


def fired(thresholds: Thresholds, *rules: str) -> list[Finding]:
    """What `evaluate` found with these rules before asking this one."""
    return [found for found in thresholds["fired"] if found.rule in rules]


def facts_of(found: Sequence[Finding]) -> list[Fact]:
    """The facts other findings rest on, so that a finding built on them can be explained without them."""
    optional = ("reporter", "site", "qualifier")
    return [
        Fact(
            each["name"],
            each["value"],
            each["at"],
            each["source"],
            **{key: each[key] for key in optional if key in each},
        )
        for other in found
        for each in other.inputs.get("facts", ())
    ]


def distinct(facts: Sequence[Fact]) -> list[Fact]:
    """Each fact once, in the order first named."""
    return list({(fact.name, fact.source, fact.at): fact for fact in reversed(facts)}.values())[::-1]


def together_with(found: Sequence[Finding]) -> Text | None:
    """Which other rules fired; their own findings stand beside this one."""
    ids = ", ".join(each.rule for each in found)
    return Text(f"同时触发 {ids}。", f"Together with {ids}.") if ids else None
