"""Judging the answers to one form: which are wanted, which are wrong, what to ask again, score and red flags.

Pure and the same for phone, telephone and ward. Nothing is ever corrected: text is trimmed, all else is kept as
given, and an unlikely but possible answer is taken and asked about. Faults carry JSON Pointers below
`/answers`; their codes are stable, their messages English.

An optional answer may be absent or null ("not answered"). A required one must be there and not null, so that
silence is never mistaken for "none"; a hidden one must be absent or null.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from schedules.faults import Fault, pointer
from schedules.protocol.definition import Condition, Form, FormItem, Item, Label, Study

ANTIPYRETIC = "antipyretic"  # the drug class a `doses` answer may name
OTHER = "other"  # … or this, when the medicine is not listed
MAX_DOSES = 20
CELSIUS = "Cel"
FAHRENHEIT = (Decimal(93), Decimal(110))  # what a body temperature looks like on the other scale
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")

Path = tuple[object, ...]
Answers = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ask:
    """Something to ask the person again about an answer that was taken as it is."""

    item: str
    code: str  # confirm_value
    label: Label


@dataclass(frozen=True, slots=True)
class Checked:
    """`answers` may be stored only if `faults` is empty. `score` is None unless every scored item is answered.

    `red_flags` are the study's red-flag conditions that hold, spelled `item op value`.
    """

    answers: dict[str, Any]
    faults: tuple[Fault, ...]
    asks: tuple[Ask, ...] = ()
    score: Decimal | None = None
    red_flags: tuple[str, ...] = ()


def check_answers(study: Study, form_key: str, answers: Any) -> Checked:
    """Judge the answers to a form of this study; never raises for what was handed in.

    `answers`: item key → JSON value, numbers as int or Decimal (a float counts by its shortest spelling).
    """
    form = study.forms.get(form_key)
    if form is None:
        return Checked({}, (Fault("/form", "unknown_form", f"there is no form {_short(form_key)}"),))
    if not isinstance(answers, Mapping):
        return Checked({}, (Fault("/answers", "wrong_type", "answers must be an object"),))
    given = {key: value.strip() if _is_text(study, key, value) else value for key, value in answers.items()}
    faults = [*_unasked(study, form, given)]
    visible: dict[str, Any] = {}
    doubtful: set[str] = set()  # items whose answer is wrong, and those whose showing hangs on one
    for entry in form.items:
        found = [*_entry_faults(study, entry, given, visible, doubtful)]
        faults += found
        if found:
            doubtful.add(entry.item)
        if given.get(entry.item) is not None and (entry.item in doubtful or _is_shown(entry, visible)):
            visible[entry.item] = given[entry.item]
    if not faults and not any(_answered(value) for value in visible.values()):
        faults.append(Fault("/answers", "empty", "nothing is answered"))
    sound = {key: value for key, value in visible.items() if key not in doubtful}
    return Checked(
        answers=given,
        faults=tuple(faults),
        asks=tuple(_asks(study, sound)),
        score=_score(form, sound),
        red_flags=tuple(str(condition) for condition in study.red_flags if holds(condition, visible)),
    )


def holds(condition: Condition, answers: Answers) -> bool:
    """Whether a condition is known to hold; of what is unanswered or of another kind nothing holds."""
    value = answers.get(condition.item)
    if condition.op == "contains":
        return isinstance(value, list | tuple) and condition.value in value
    if isinstance(condition.value, str):
        if not isinstance(value, str):
            return False
        return (value == condition.value) is (condition.op == "eq")
    number, limit = _number(value), _number(condition.value)
    if number is None or limit is None:
        return False
    compared = {"eq": number == limit, "ne": number != limit, "ge": number >= limit, "le": number <= limit}
    return compared[condition.op]


def shown_items(form: Form, answers: Answers) -> tuple[str, ...]:
    """Items of a form that are shown, given what is answered so far; an answer to a hidden item counts for nothing."""
    visible: dict[str, Any] = {}
    shown = []
    for entry in form.items:
        if _is_shown(entry, visible):
            shown.append(entry.item)
            visible[entry.item] = answers.get(entry.item)
    return tuple(shown)


# --- which answers are wanted -------------------------------------------------------------------------------


def _unasked(study: Study, form: Form, given: Answers) -> Iterator[Fault]:
    asked = {entry.item for entry in form.items}
    for key in given:
        if key not in study.items:
            yield Fault(pointer(("answers", key)), "unknown_item", f"there is no item {_short(key)}")
        elif key not in asked:
            yield Fault(pointer(("answers", key)), "not_in_form", f"the form {form.key} does not ask {key}")


def _entry_faults(
    study: Study, entry: FormItem, given: Answers, visible: Answers, doubtful: set[str]
) -> Iterator[Fault]:
    """Faults of one entry of the form: wanted and absent, unwanted and there, or wrong in itself."""
    path: Path = ("answers", entry.item)
    value = given.get(entry.item)
    item = study.items[entry.item]
    if entry.show_if is not None and entry.show_if.item in doubtful:
        doubtful.add(entry.item)  # cannot be told whether it is wanted; its own value is judged all the same
    elif not _is_shown(entry, visible):
        if _answered(value):
            yield Fault(pointer(path), "hidden", f"{entry.item} is not asked after these answers")
        return
    elif entry.required and not _answered(value):
        yield Fault(pointer(path), "required", f"{entry.item} must be answered")
        return
    if value is not None:
        yield from _JUDGES[item.type](study, item, value, path)


def _is_shown(entry: FormItem, visible: Answers) -> bool:
    return entry.show_if is None or holds(entry.show_if, visible)


def _answered(value: Any) -> bool:
    """An empty text is no answer; an empty list of doses is one ("none")."""
    return value is not None and value != ""


def _is_text(study: Study, key: str, value: Any) -> bool:
    return isinstance(value, str) and key in study.items and study.items[key].type == "text"


# --- what is wrong with a value -----------------------------------------------------------------------------


def _integer(study: Study, item: Item, value: Any, path: Path) -> Iterator[Fault]:
    if isinstance(value, bool) or not isinstance(value, int):
        yield Fault(pointer(path), "wrong_type", "must be a whole number")
        return
    low, high = _limits(item)
    if (low is not None and value < low) or (high is not None and value > high):
        yield Fault(pointer(path), "out_of_range", f"must be between {low} and {high}")


def _limits(item: Item) -> tuple[Decimal | None, Decimal | None]:
    """Lowest and highest answer; the steps of a scale are its limits."""
    if item.type == "scale" and item.options:
        return Decimal(item.options[0].key), Decimal(item.options[-1].key)
    return item.min, item.max


def _decimal(study: Study, item: Item, value: Any, path: Path) -> Iterator[Fault]:
    number = _number(value)
    if number is None:
        yield Fault(pointer(path), "wrong_type", "must be a number")
        return
    low, high = _limits(item)
    if (low is not None and number < low) or (high is not None and number > high):
        yield _out_of_range(item, number, path)
    elif _places(number) > item.decimals:
        yield Fault(pointer(path), "too_many_decimals", f"must have at most {item.decimals} decimals")


def _out_of_range(item: Item, number: Decimal, path: Path) -> Fault:
    """For temperatures the likely slip is named, and never repaired: another scale, swapped digits, no point."""
    message = f"must be between {item.min} and {item.max}"
    if item.unit != CELSIUS:
        return Fault(pointer(path), "out_of_range", message)
    if FAHRENHEIT[0] <= number <= FAHRENHEIT[1]:
        return Fault(pointer(path), "looks_like_fahrenheit", f"{message} °C; this looks like degrees Fahrenheit")
    meant = next((other for other in _slips(number) if _plausible(item, other)), None)
    if meant is None:
        return Fault(pointer(path), "out_of_range", f"{message} °C")
    return Fault(pointer(path), "looks_mistyped", f"{message} °C; was {meant} meant?")


def _slips(number: Decimal) -> Iterator[Decimal]:
    """What may have been meant: the point left out (386 → 38.6), or two neighbouring digits swapped (83.6 → 38.6)."""
    if not 0 < number < 10_000:
        return
    if _places(number) == 0:
        yield Decimal(int(number)) / 10
    text = format(number, "f")
    places = [index for index, character in enumerate(text) if character != "."]
    for left, right in pairwise(places):
        characters = list(text)
        characters[left], characters[right] = characters[right], characters[left]
        yield Decimal("".join(characters))


def _plausible(item: Item, number: Decimal) -> bool:
    low = item.confirm_below if item.confirm_below is not None else item.min
    high = item.confirm_above if item.confirm_above is not None else item.max
    return low is not None and high is not None and low <= number <= high and _places(number) <= item.decimals


def _choice(study: Study, item: Item, value: Any, path: Path) -> Iterator[Fault]:
    if not isinstance(value, str):
        yield Fault(pointer(path), "wrong_type", "must be the key of an option")
    elif value not in item.option_keys():
        yield Fault(pointer(path), "unknown_option", f"{_short(value)} is no option")


def _multi(study: Study, item: Item, value: Any, path: Path) -> Iterator[Fault]:
    if not isinstance(value, list | tuple):
        yield Fault(pointer(path), "wrong_type", "must be a list of option keys")
        return
    if not value:
        yield Fault(pointer(path), "empty", "must name at least one option")
    seen: set[str] = set()
    for index, key in enumerate(value):
        yield from _choice(study, item, key, (*path, index))
        if isinstance(key, str) and key in seen:
            yield Fault(pointer((*path, index)), "duplicate", f"{_short(key)} stands twice")
        if isinstance(key, str):
            seen.add(key)
    if item.exclusive in seen and len(seen) > 1:
        yield Fault(pointer(path), "exclusive", f"{item.exclusive!r} cannot stand with others")


def _text(study: Study, item: Item, value: Any, path: Path) -> Iterator[Fault]:
    if not isinstance(value, str):
        yield Fault(pointer(path), "wrong_type", "must be a text")
    elif len(value) > item.max_length:
        yield Fault(pointer(path), "too_long", f"must have at most {item.max_length} characters")
    elif _UNSTORABLE.search(value):
        yield Fault(pointer(path), "malformed", "must not hold control characters or half characters")


def _doses(study: Study, item: Item, value: Any, path: Path) -> Iterator[Fault]:
    if not isinstance(value, list | tuple):
        yield Fault(pointer(path), "wrong_type", "must be a list of doses")
        return
    if len(value) > MAX_DOSES:
        yield Fault(pointer(path), "too_long", f"must have at most {MAX_DOSES} doses")
        return
    for index, dose in enumerate(value):
        yield from _dose(study, dose, (*path, index))


def _dose(study: Study, dose: Any, path: Path) -> Iterator[Fault]:
    if not isinstance(dose, Mapping):
        yield Fault(pointer(path), "wrong_type", "must be an object with name, dose_mg and taken_at")
        return
    wanted = ("name", "dose_mg", "taken_at")
    for key in dose:
        if key not in wanted:
            yield Fault(pointer((*path, key)), "unknown_key", "is not part of a dose")
    for key in ("name", "taken_at"):
        if dose.get(key) is None:
            yield Fault(pointer((*path, key)), "required", f"a dose needs {key}")
    name, mg, taken_at = (dose.get(key) for key in wanted)
    if name is not None and not (isinstance(name, str) and (name == OTHER or _is_antipyretic(study, name))):
        yield Fault(pointer((*path, "name")), "unknown_drug", f"must be a fever or pain medicine, or {OTHER!r}")
    number = _number(mg)
    if mg is not None and (number is None or number <= 0):
        yield Fault(pointer((*path, "dose_mg")), "wrong_type", "must be a number of milligrams above 0, or null")
    if taken_at is not None and not _is_instant(taken_at):
        message = "must be a date and time with offset, as 2026-03-01T07:30:00+08:00"
        yield Fault(pointer((*path, "taken_at")), "malformed", message)


def _is_antipyretic(study: Study, name: str) -> bool:
    return name in study.drugs and study.drugs[name].drug_class == ANTIPYRETIC


def _is_instant(value: Any) -> bool:
    """Whether this is an RFC 3339 date-time with offset that exists in the calendar."""
    if not isinstance(value, str) or _RFC3339.fullmatch(value) is None:
        return False
    try:
        return datetime.fromisoformat(value.upper()).utcoffset() is not None
    except ValueError:
        return False


_JUDGES: dict[str, Callable[[Study, Item, Any, Path], Iterator[Fault]]] = {
    "scale": _integer,
    "count": _integer,
    "decimal": _decimal,
    "choice": _choice,
    "multi": _multi,
    "text": _text,
    "doses": _doses,
}


# --- numbers, asks, score -----------------------------------------------------------------------------------


def _number(value: Any) -> Decimal | None:
    """A finite number as Decimal; None for anything else, yes and no included."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    return number if number.is_finite() else None


def _places(number: Decimal) -> int:
    """Decimals that say something: 38.60 has one. Works on the digits, so that no rounding takes part."""
    _, digits, exponent = number.as_tuple()
    behind = -exponent if isinstance(exponent, int) else 0
    for digit in reversed(digits):
        if behind <= 0 or digit != 0:
            break
        behind -= 1
    return max(behind, 0) if any(digits) else 0


def _asks(study: Study, sound: Answers) -> Iterator[Ask]:
    for key, value in sound.items():
        item, number = study.items[key], _number(value)
        if number is None:
            continue
        too_low = item.confirm_below is not None and number < item.confirm_below
        too_high = item.confirm_above is not None and number > item.confirm_above
        if too_low or too_high:
            zh = f"“{item.label.zh}”填的是 {number}，请核对一下。没有填错就不用改。"
            en = f"“{item.label.en}” was given as {number}. Please check it; if it is right, leave it as it is."
            yield Ask(key, "confirm_value", Label(zh, en))


def _score(form: Form, sound: Answers) -> Decimal | None:
    """Sum of the scored items; None while one of them is not answered, hidden or wrong."""
    numbers = [_number(sound.get(key)) for key in form.score]
    known = [number for number in numbers if number is not None]
    return sum(known, Decimal(0)) if known and len(known) == len(numbers) else None


def _short(value: Any) -> str:
    text = str(value)
    return repr(text if len(text) <= 40 else text[:37] + "...")
