"""One way in for study files: `load_study` gives a `Study`, or `StudyFaults` with every fault and its path.

First the form of the text (`content`), then its structure (`study.schema.json`), then, once the structure
holds, its meaning (`check`). `build` is the fast path for content that was validated before it was stored.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from schedules.faults import Fault, pointer
from schedules.protocol.build import build
from schedules.protocol.check import RuleFacts, check
from schedules.protocol.check_analysis import Words
from schedules.protocol.content import Parsed, parse, value_faults
from schedules.protocol.definition import Study

__all__ = ["StudyFaults", "build", "load_content", "load_study", "structure_faults", "validated"]

SCHEMA = Path(__file__).with_name("study.schema.json")
_CODES = {
    "type": "wrong_type",
    "enum": "not_allowed",
    "const": "not_allowed",
    "pattern": "malformed",
    "minimum": "out_of_range",
    "maximum": "out_of_range",
    "exclusiveMinimum": "out_of_range",
    "minLength": "too_short",
    "maxLength": "too_long",
    "minItems": "too_few",
    "maxItems": "too_many",
    "minProperties": "too_few",
    "uniqueItems": "duplicate",
}


class StudyFaults(Exception):
    """A study file that may not be used; `faults` is never empty and ordered as found."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(f"{fault.path or '/'}: {fault.message}" for fault in self.faults))


def load_study(
    path_or_text: Path | str,
    catalogue: Mapping[str, RuleFacts] | None = None,
    words: Words | None = None,
) -> Study:
    """The study of a YAML file or text.

    A `Path` is a file; a `str` is a file if it is one line naming an existing one, else text. With a
    `catalogue` (rule id → what the rule reads) the rules are checked against it, with `words` those of the
    instruments.
    Raises StudyFaults, whatever is wrong with the input.
    """
    parsed = parse(_text(path_or_text))
    _raise_for_structure(parsed)
    return _meaningful(parsed.content, catalogue, words, parsed)


def load_content(text: str) -> dict[str, Any]:
    """The plain content of a YAML text, to be stored beside its study; its meaning is left unchecked.

    Raises StudyFaults for faults of form and structure.
    """
    parsed = parse(text)
    _raise_for_structure(parsed)
    content: dict[str, Any] = parsed.content
    return content


def validated(content: Any, catalogue: Mapping[str, RuleFacts] | None = None, words: Words | None = None) -> Study:
    """The study of plain content of unknown quality, for example from a request body; raises StudyFaults."""
    faults = tuple(value_faults(content)) or structure_faults(content)
    if faults:
        raise StudyFaults(faults)
    return _meaningful(content, catalogue, words)


def _raise_for_structure(parsed: Parsed) -> None:
    """Raise what is wrong with form and structure together; a value that could not be read is told once."""
    faults = [*parsed.faults]
    if parsed.content is not None:
        told = {fault.path for fault in parsed.faults}
        faults += [parsed.located(fault) for fault in structure_faults(parsed.content) if fault.path not in told]
    if faults:
        raise StudyFaults(faults)


def _meaningful(
    content: Mapping[str, Any],
    catalogue: Mapping[str, RuleFacts] | None,
    words: Words | None,
    parsed: Parsed | None = None,
) -> Study:
    """The study of content whose structure holds, if its meaning does too."""
    study = build(content)
    faults = check(study, catalogue, words)
    if faults:
        raise StudyFaults(faults if parsed is None else map(parsed.located, faults))
    return study


def _text(path_or_text: Path | str) -> str:
    """The text meant; a file that cannot be read as UTF-8 is a fault like any other."""
    if isinstance(path_or_text, str):
        if "\n" in path_or_text or len(path_or_text) > 4096 or not _is_file(path_or_text):
            return path_or_text
        path_or_text = Path(path_or_text)
    try:
        return path_or_text.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:  # UnicodeDecodeError is a ValueError
        raise StudyFaults([Fault("", "unreadable", f"the file cannot be read: {error}")]) from error


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):
        return False


# --- structure --------------------------------------------------------------------------------------------


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def structure_faults(content: Any) -> tuple[Fault, ...]:
    """Every way in which content departs from the schema, in document order of the checks."""
    found: dict[tuple[str, str], Fault] = {}
    for error in _validator().iter_errors(content):
        for fault in _faults_of(error):
            found.setdefault((fault.path, fault.code), fault)
    return tuple(found.values())


def _faults_of(error: ValidationError) -> Iterator[Fault]:
    """One fault, or one for each missing or unknown key."""
    path, rule = tuple(error.absolute_path), str(error.validator)
    given: Any = error.instance
    wanted: Any = error.validator_value
    if rule == "required":
        for key in wanted:
            if key not in given:
                yield Fault(pointer((*path, key)), "missing", f"{key!r} is missing")
    elif rule == "additionalProperties":
        schema: Any = error.schema
        for key in given:
            if key not in schema["properties"]:
                yield Fault(pointer((*path, key)), "unknown_key", f"{_short(key)} is not known here")
    elif "propertyNames" in error.absolute_schema_path:
        message = f"{_short(given)} is not a key of the form {wanted}"
        yield Fault(pointer((*path, given)), "malformed_key", message)
    else:
        yield Fault(pointer(path), _CODES.get(rule, "invalid"), _sentence(rule, wanted, given))


def _sentence(rule: str, wanted: Any, given: Any) -> str:
    """What is wrong, without repeating more than 40 characters of what was given."""
    listed = ", ".join(map(str, wanted)) if isinstance(wanted, list) else str(wanted)
    match rule:
        case "type":
            return f"must be {listed.replace(', ', ' or ')}, is {_kind(given)}"
        case "enum" | "const":
            return f"must be {listed.replace(', ', ' or ')}, is {_short(given)}"
        case "pattern":
            return f"{_short(given)} does not have the form {wanted}"
        case "minimum" | "exclusiveMinimum" | "maximum":
            return f"{_short(given)} is outside the limit {listed}"
        case "uniqueItems":
            return "the same entry stands twice"
        case _:
            return f"{rule} must be {listed}"


def _kind(given: Any) -> str:
    kinds = {bool: "boolean", str: "string", int: "integer", dict: "object", list: "array", type(None): "null"}
    return kinds.get(type(given), "number")


def _short(given: Any) -> str:
    text = given if isinstance(given, str) else str(given)
    return repr(text if len(text) <= 40 else text[:37] + "...")
