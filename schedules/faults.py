"""A fault in something somebody handed in: where, what, and a sentence for people.

One type for the study file, the request body and the answers to a form, so that each is
reported in the same shape. Not an exception: faults are collected, then raised together.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """`path` is a JSON Pointer (RFC 6901), `code` a stable word for programs, `message` English for people."""

    path: str
    code: str
    message: str


def pointer(parts: Iterable[object]) -> str:
    """JSON Pointer of a path given as keys and indices; the empty path is the whole document."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
