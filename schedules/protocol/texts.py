"""Every text of a study file in both languages: where it stands, who reads it, whether its Chinese was reviewed. Pure.

A review is kept by the digest of the Chinese wording it was given for: whoever changes a word makes it a draft again,
and a wording that stands in several places is reviewed once.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schedules.faults import pointer

Path = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """One text. `digest` names its Chinese wording; `review` is (by whom, on which date), None for a draft."""

    path: str
    zh: str
    en: str
    digest: str
    review: tuple[str, str] | None
    for_patients: bool


def digest_of(wording: str) -> str:
    """Sixteen hexadecimal digits that name a wording."""
    return hashlib.sha256(wording.strip().encode()).hexdigest()[:16]


def texts(content: Mapping[str, Any]) -> tuple[Text, ...]:
    """Every text of the plain content of a study, in the order of the file."""
    reviews = content.get("reviews", {})
    seen_by_patients = _for_patients(content)
    return tuple(
        Text(
            path=pointer(path),
            zh=label["zh"],
            en=label["en"],
            digest=(digest := digest_of(label["zh"])),
            review=(reviews[digest]["by"], reviews[digest]["on"]) if digest in reviews else None,
            for_patients=any(path[: len(start)] == start for start in seen_by_patients),
        )
        for path, label in _labels(content, ())
    )


def drafts(content: Mapping[str, Any]) -> tuple[Text, ...]:
    """The texts whose Chinese nobody has reviewed."""
    return tuple(text for text in texts(content) if text.review is None)


def _labels(given: Any, path: Path) -> Iterator[tuple[Path, Mapping[str, str]]]:
    if isinstance(given, Mapping):
        if set(given) == {"zh", "en"}:
            yield path, given
            return
        for key, value in given.items():
            yield from _labels(value, (*path, key))
    elif isinstance(given, list):
        for index, value in enumerate(given):
            yield from _labels(value, (*path, index))


def _for_patients(content: Mapping[str, Any]) -> tuple[Path, ...]:
    """Where the texts stand that patients and carers read: their forms and items, visits, advice."""
    forms = {key: form for key, form in content["forms"].items() if not form.get("staff_only", False)}
    asked = {item["item"] for form in forms.values() for item in form["items"]}
    return (
        *(("forms", key) for key in forms),
        *(("items", key) for key in content["items"] if key in asked),
        ("visits",),
        ("unscheduled_visit",),
        ("ladders",),
        ("emergency_text",),
    )
