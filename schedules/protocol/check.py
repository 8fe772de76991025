"""Whether a study makes sense: every reference resolved, every order kept, every text in both languages.

`check` wants a study that was built from content of sound structure, never raises, and returns every fault
with its path in the study file. What is asked is checked here; when in `check_schedule`, what is signalled
in `check_rules`, what is analysed in `check_analysis`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from schedules.faults import Fault, pointer
from schedules.protocol.check_analysis import Words, analysis_faults
from schedules.protocol.check_rules import RuleFacts, ladder_faults, rule_faults
from schedules.protocol.check_schedule import schedule_faults
from schedules.protocol.definition import Condition, Form, Item, Label, Study

__all__ = ["RuleFacts", "check"]

_HAN = re.compile("[\u3400-\u9fff]")
_NUMERIC = ("scale", "count", "decimal")
_WITH_OPTIONS = ("choice", "multi")

Path = tuple[object, ...]


def check(
    study: Study, catalogue: Mapping[str, RuleFacts] | None = None, words: Words | None = None
) -> tuple[Fault, ...]:
    """Every fault of meaning, in the order of the file's parts.

    `catalogue`: rule id → what that rule reads and needs; `words`: those of the instruments. None leaves the rules'
    reading, the words, unchecked.
    """
    return (
        *_item_faults(study),
        *_form_faults(study),
        *_red_flag_faults(study),
        *_drug_and_measure_faults(study),
        *schedule_faults(study),
        *rule_faults(study, catalogue),
        *ladder_faults(study),
        *analysis_faults(study, words),
        *_text_faults(study, ()),
    )


# --- items ------------------------------------------------------------------------------------------------


def _item_faults(study: Study) -> Iterator[Fault]:
    for key, item in study.items.items():
        path = ("items", key)
        yield from _option_faults(item, path)
        yield from _limit_faults(item, path)


def _option_faults(item: Item, path: Path) -> Iterator[Fault]:
    keys = item.option_keys()
    if item.type in _WITH_OPTIONS and not keys:
        yield Fault(pointer((*path, "options")), "missing", f"a {item.type} needs options")
    if keys and item.type not in (*_WITH_OPTIONS, "scale"):
        yield Fault(pointer((*path, "options")), "not_applicable", f"a {item.type} has no options")
    for key in _twice(keys):
        yield Fault(pointer((*path, "options")), "duplicate", f"the option {key!r} stands twice")
    if item.type == "scale":
        lowest = int(item.min) if item.min is not None else 0
        if list(keys) != [str(step) for step in range(lowest, lowest + len(keys))] or not keys:
            yield Fault(pointer((*path, "options")), "unordered", "a scale needs one option a step: '0', '1', '2' …")
    if item.exclusive is not None and (item.type != "multi" or item.exclusive not in keys):
        yield Fault(pointer((*path, "exclusive")), "unknown_option", f"{item.exclusive!r} is no option of this multi")


def _limit_faults(item: Item, path: Path) -> Iterator[Fault]:
    if item.type in ("count", "decimal"):
        for name in ("min", "max"):
            if getattr(item, name) is None:
                yield Fault(pointer((*path, name)), "missing", f"a {item.type} needs {name}")
    given = {"min": item.min, "confirm_below": item.confirm_below, "confirm_above": item.confirm_above, "max": item.max}
    limits = [(name, value) for name, value in given.items() if value is not None]
    if limits and item.type not in _NUMERIC:
        yield Fault(pointer((*path, limits[0][0])), "not_applicable", f"a {item.type} has no limits")
    for (low_name, low), (high_name, high) in pairwise(limits):
        if low >= high:
            yield Fault(pointer((*path, high_name)), "unordered", f"{high_name} must be above {low_name}")


# --- forms and conditions ---------------------------------------------------------------------------------


def _form_faults(study: Study) -> Iterator[Fault]:
    for key, form in study.forms.items():
        yield from _form_item_faults(study, form, ("forms", key))
        yield from _score_faults(study, form, ("forms", key))
    if study.unscheduled_form:
        chosen = study.forms.get(study.unscheduled_form)
        if chosen is None:
            yield Fault("/unscheduled_form", "unknown_form", f"there is no form {study.unscheduled_form!r}")
        elif chosen.staff_only:
            yield Fault("/unscheduled_form", "staff_only", "patients cannot fill in a form for staff only")


def _form_item_faults(study: Study, form: Form, path: Path) -> Iterator[Fault]:
    seen: set[str] = set()
    for index, entry in enumerate(form.items):
        here = (*path, "items", index)
        if entry.item not in study.items:
            yield Fault(pointer((*here, "item")), "unknown_item", f"there is no item {entry.item!r}")
        if entry.item in seen:
            yield Fault(pointer((*here, "item")), "duplicate", f"{entry.item!r} is asked twice")
        if entry.show_if is not None:
            if entry.show_if.item not in seen:
                message = f"{entry.show_if.item!r} is not asked earlier in this form"
                yield Fault(pointer((*here, "show_if", "item")), "not_earlier", message)
            yield from _condition_faults(study, entry.show_if, (*here, "show_if"))
        seen.add(entry.item)


def _score_faults(study: Study, form: Form, path: Path) -> Iterator[Fault]:
    asked = {entry.item for entry in form.items}
    for index, name in enumerate(form.score):
        here = pointer((*path, "score", index))
        if name not in asked:
            yield Fault(here, "unknown_item", f"{name!r} is not asked in this form")
        elif name in study.items and study.items[name].type not in _NUMERIC:
            yield Fault(here, "not_a_number", f"{name!r} has no number to add up")


def _red_flag_faults(study: Study) -> Iterator[Fault]:
    for index, condition in enumerate(study.red_flags):
        yield from _condition_faults(study, condition, ("red_flags", index))


def _condition_faults(study: Study, condition: Condition, path: Path) -> Iterator[Fault]:
    """Whether the item exists, can be compared in this way, and can have this value."""
    item = study.items.get(condition.item)
    if item is None:
        yield Fault(pointer((*path, "item")), "unknown_item", f"there is no item {condition.item!r}")
        return
    fitting = {"choice": ("eq", "ne"), "multi": ("contains",)}.get(item.type)
    if item.type in _NUMERIC:
        fitting = ("eq", "ne", "ge", "le")
    if condition.op not in (fitting or ()):
        yield Fault(pointer((*path, "op")), "not_applicable", f"{condition.op} cannot be asked of a {item.type}")
    elif item.type in _NUMERIC:
        yield from _reachable(item, condition, path)
    elif condition.value not in item.option_keys():
        message = f"{condition.value!r} is no option of {condition.item!r}"
        yield Fault(pointer((*path, "value")), "unknown_option", message)


def _reachable(item: Item, condition: Condition, path: Path) -> Iterator[Fault]:
    """A number compared with an item must be one the item can have."""
    value = condition.value
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        yield Fault(pointer((*path, "value")), "wrong_type", f"{condition.item!r} is a number")
        return
    low, high = item.min, item.max
    if item.type == "scale" and item.options:
        steps = [int(key) for key in item.option_keys() if key.isdecimal()]
        low, high = (Decimal(min(steps)), Decimal(max(steps))) if steps else (None, None)
    if (low is not None and value < low) or (high is not None and value > high):
        yield Fault(pointer((*path, "value")), "out_of_range", f"{condition.item!r} is never {value}")


# --- drugs, measures --------------------------------------------------------------------------------------


def _drug_and_measure_faults(study: Study) -> Iterator[Fault]:
    for key, drug in study.drugs.items():
        if drug.drug_class == "steroid" and drug.prednisolone_per_mg is None:
            message = "a steroid needs its conversion to prednisolone"
            yield Fault(pointer(("drugs", key, "prednisolone_per_mg")), "missing", message)
    for code, measure in study.measures.items():
        if measure.min >= measure.max:
            yield Fault(pointer(("measures", code, "max")), "unordered", "max must be above min")


# --- texts ------------------------------------------------------------------------------------------------


def _text_faults(part: Any, path: Path) -> Iterator[Fault]:
    """Faults of every Label in a part; names of fields are the keys of the file, so paths need no table."""
    if isinstance(part, Label):
        yield from _label_faults(part, path)
    elif is_dataclass(part):
        for each in fields(part):
            yield from _text_faults(getattr(part, each.name), (*path, each.name))
    elif isinstance(part, Mapping):
        for key, one in part.items():
            yield from _text_faults(one, (*path, key))
    elif isinstance(part, tuple):
        for index, one in enumerate(part):
            yield from _text_faults(one, (*path, index))


def _label_faults(label: Label, path: Path) -> Iterator[Fault]:
    if not label.zh.strip() and not label.en.strip():
        return  # a text left out altogether is judged where it is needed
    for language in ("zh", "en"):
        if not getattr(label, language).strip():
            yield Fault(pointer((*path, language)), "missing_text", f"the text in {language} is missing")
    if label.zh.strip() == label.en.strip():
        yield Fault(pointer(path), "same_text", "both languages have the same text")
    elif label.zh.strip() and not _HAN.search(label.zh):
        yield Fault(pointer((*path, "zh")), "not_chinese", "the Chinese text has no Chinese character")
    if _HAN.search(label.en) and label.zh.strip() != label.en.strip():
        yield Fault(pointer((*path, "en")), "not_english", "the English text has Chinese characters")


def _twice(keys: Iterable[str]) -> list[str]:
    return [key for key, count in Counter(keys).items() if count > 1]
