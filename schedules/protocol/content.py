"""A study file as plain content: YAML 1.2 text to dicts, lists, strings, ints, Decimals, bools, None; and its identity.

Not the meaning of that content: see `load`. The YAML is read node by node, not by a constructor, so that
every duplicate key is found, every fault can name its line, `12:30`, `no` and `2026-01-01` stay strings, and
numbers stay exactly as written. Anchors and aliases are allowed and expanded; tags, directives, merge keys
and several documents in one file are not.
"""

import hashlib
import json
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError, YAMLWarning
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from schedules.faults import Fault, pointer

MAX_NODES = 50_000  # an alias bomb ends here; the SLE study has about 4,500
MAX_DIGITS = 30
MAX_DEPTH = 20
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]{1,2})?", re.ASCII)
_UNSTORABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")  # no database takes them all
_WORDS = {"true": True, "false": False}
_TAG = "tag:yaml.org,2002:"

Path = tuple[object, ...]


@dataclass(slots=True)
class Parsed:
    """`content` is None when the text could not be read at all; `lines` (from 1) are kept per JSON Pointer."""

    content: Any = None
    lines: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def located(self, fault: Fault) -> Fault:
        """The same fault with the line of its path, or of the nearest part of it that exists, in its message."""
        path = fault.path
        while path and path not in self.lines:
            path = path.rpartition("/")[0]
        line = self.lines.get(path)
        return fault if line is None else Fault(fault.path, fault.code, f"{fault.message} (line {line})")


class _Unreadable(Exception):
    """Reading cannot go on; carries its fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def parse(text: str) -> Parsed:
    """Content of a YAML text with the faults of its form: malformed YAML, duplicate keys, numbers and tags not taken.

    Never raises for bad text.
    """
    parsed = Parsed()
    try:
        root = _compose(text)
        parsed.content = _Reader(parsed).read(root, ())
    except _Unreadable as unreadable:
        parsed.content = None
        parsed.faults.append(unreadable.fault)
    except RecursionError:
        parsed.content = None
        parsed.faults.append(Fault("", "too_deep", "the file is nested too deeply"))
    return parsed


def _compose(text: str) -> Node:
    """The node tree of the one document in the text."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("%"):
            raise _Unreadable(Fault("", "malformed_yaml", f"directives are not taken (line {number}, column 1)"))
        if line.strip() and not line.startswith("#"):
            break
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", YAMLWarning)
            root: Node | None = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = "" if mark is None else f" (line {mark.line + 1}, column {mark.column + 1})"
        raise _Unreadable(Fault("", "malformed_yaml", f"{error.problem or error.context}{where}")) from error
    except (YAMLError, YAMLWarning, ValueError, LookupError, AttributeError, TypeError, AssertionError) as error:
        # A few malformed texts break the parser itself; they are no less malformed for it.
        first = str(error).strip().splitlines() or [type(error).__name__]
        raise _Unreadable(Fault("", "malformed_yaml", first[0][:200])) from error
    if root is None:
        raise _Unreadable(Fault("", "malformed_yaml", "the file is empty"))
    return root


class _Reader:
    """Turns nodes into content, collecting lines and faults in `parsed`."""

    def __init__(self, parsed: Parsed) -> None:
        self.parsed = parsed
        self.count = 0
        self.open: set[int] = set()  # nodes being read: an alias to one of them would never end

    def read(self, node: Any, path: Path) -> Any:
        self.count += 1
        if self.count > MAX_NODES:
            raise _Unreadable(Fault("", "too_large", f"the file has more than {MAX_NODES} parts, aliases expanded"))
        self.parsed.lines[pointer(path)] = node.start_mark.line + 1
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        if id(node) in self.open:
            raise _Unreadable(Fault(pointer(path), "malformed_yaml", f"an alias contains itself{_at(node)}"))
        self.open.add(id(node))
        try:
            return self._mapping(node, path) if isinstance(node, MappingNode) else self._sequence(node, path)
        finally:
            self.open.discard(id(node))

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        self._plain(node, path, "map")
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode) or key_node.tag != _TAG + "str":
                self._fault(path, "malformed_key", "keys are strings; put others in quotes", key_node)
                continue
            key = str(key_node.value)
            if _UNSTORABLE.search(key):
                self._fault(path, "malformed_key", "a key holds a control character or half a character", key_node)
                continue
            if key in found:
                self._fault((*path, key), "duplicate_key", f"the key {_short(key)} stands twice", key_node)
                continue
            found[key] = self.read(value_node, (*path, key))
        return found

    def _sequence(self, node: SequenceNode, path: Path) -> list[Any]:
        self._plain(node, path, "seq")
        return [self.read(each, (*path, index)) for index, each in enumerate(node.value)]

    def _scalar(self, node: ScalarNode, path: Path) -> Any:
        kind, text = str(node.tag).removeprefix(_TAG), str(node.value)
        if kind in ("str", "timestamp"):
            if _UNSTORABLE.search(text):
                self._fault(path, "malformed_value", "the text holds a control character or half a character", node)
                return None
            return text
        if kind == "null":
            return None
        if kind == "bool" and text in _WORDS:
            return _WORDS[text]
        if kind in ("int", "float"):
            return self._number(text, node, path)
        self._fault(path, "malformed_value", f"{_short(text)} is not taken; put text in quotes", node)
        return None

    def _number(self, text: str, node: ScalarNode, path: Path) -> int | Decimal | None:
        form = _NUMBER.fullmatch(text)
        if form is None or len(text) > MAX_DIGITS:
            self._fault(path, "malformed_number", f"{_short(text)} is not a plain decimal number", node)
            return None
        return int(text) if form.group(2) is None and form.group(3) is None else Decimal(text)

    def _plain(self, node: Node, path: Path, kind: str) -> None:
        if node.tag != _TAG + kind:
            self._fault(path, "malformed_value", f"the tag {_short(str(node.tag))} is not taken", node)

    def _fault(self, path: Path, code: str, message: str, node: Node) -> None:
        self.parsed.faults.append(Fault(pointer(path), code, message + _at(node)))


def value_faults(content: Any, path: Path = ()) -> Iterator[Fault]:
    """What YAML text could not have said, in content that came another way (a request body, a JSON column).

    Texts no database takes, keys that are not strings, numbers without end, nesting without end.
    """
    if len(path) > MAX_DEPTH:
        yield Fault(pointer(path), "too_deep", "the content is nested too deeply")
    elif isinstance(content, Mapping):
        for key, value in content.items():
            if not isinstance(key, str) or _UNSTORABLE.search(key):
                yield Fault(pointer(path), "malformed_key", "a key is no plain text")
            else:
                yield from value_faults(value, (*path, key))
    elif isinstance(content, list | tuple):
        for index, value in enumerate(content):
            yield from value_faults(value, (*path, index))
    elif isinstance(content, str):
        if _UNSTORABLE.search(content):
            yield Fault(pointer(path), "malformed_value", "the text holds a control character or half a character")
    elif isinstance(content, int | float | Decimal) and not isinstance(content, bool) and not _short_number(content):
        yield Fault(pointer(path), "malformed_number", "not a plain decimal number")


def _short_number(number: int | float | Decimal) -> bool:
    """Whether a number can be written out in at most about MAX_DIGITS digits."""
    exact = Decimal(repr(number)) if isinstance(number, float) else Decimal(number)
    if not exact.is_finite():
        return False
    _, digits, exponent = exact.as_tuple()
    return len(digits) <= MAX_DIGITS and abs(int(exponent)) <= MAX_DIGITS


def _at(node: Node) -> str:
    return f" (line {node.start_mark.line + 1}, column {node.start_mark.column + 1})"


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


# --- written down again -----------------------------------------------------------------------------------


def as_json(content: Mapping[str, Any]) -> str:
    """The content as JSON text with every number in the digits given; `from_json` reads it back equal."""
    return "".join(_written(content, str, list))


def from_json(text: str) -> dict[str, Any]:
    """Content written by `as_json`, or by anything else that writes JSON; fractions become Decimal."""
    content: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return content


def identity(content: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of the canonical content: keys sorted, no spaces, numbers by value (38.0 is 38), floats as printed.

    Order of keys, comments, quoting and aliases do not matter, nor does a journey through a JSON column.
    """
    return hashlib.sha256("".join(_written(content, _by_value, sorted)).encode()).hexdigest()


def _by_value(number: int | Decimal) -> str:
    """One spelling per number: no exponent, no zeros behind, no sign on zero."""
    text = format(number, "f") if isinstance(number, Decimal) else str(number)
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _written(
    value: Any, number: Callable[[int | Decimal], str], order: Callable[[Iterable[str]], list[str]]
) -> Iterator[str]:
    """JSON in pieces; `number` spells an int or Decimal, `order` puts the keys of a mapping in order."""
    if isinstance(value, Mapping):
        yield "{"
        for index, key in enumerate(order(value)):
            yield ("," if index else "") + json.dumps(key, ensure_ascii=False) + ":"
            yield from _written(value[key], number, order)
        yield "}"
    elif isinstance(value, list | tuple):
        yield "["
        for index, each in enumerate(value):
            if index:
                yield ","
            yield from _written(each, number, order)
        yield "]"
    elif isinstance(value, float):
        yield number(Decimal(repr(value)))
    elif isinstance(value, int | Decimal) and not isinstance(value, bool):
        yield number(value)
    else:
        yield json.dumps(value, ensure_ascii=False)
