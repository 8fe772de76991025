"""A hospital's own SMS and voice platform: one signed POST a message, a template's id and its variables.

Unless the platform wants it otherwise, the body is JSON `{message_id, to, lane, medium, channel, template, language,
variables}`, and any 2xx takes the message, best with `{"id": …}`. What a platform wants is data: see `Platform`. The
header `X-Daymark-Signature: sha256=<hex>` is HMAC-SHA256 of the body's bytes under the shared secret.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import requests

from backend import strictjson
from backend.config import Settings
from notifications.gateways import wire
from notifications.gateways.base import Line, Outcome, Outgoing, Unasked, accepted, later, refused, unknown
from notifications.texts import catalogue
from schedules.faults import Fault, pointer

SIGNATURE = "X-Daymark-Signature"
# What a platform's field may be filled with.
PLACES = ("message_id", "to", "to_national", "lane", "medium", "channel", "template", "template_id", "language",
          "variables", "values", "text", "secret")  # fmt: skip
_PLACE = re.compile(r"\{([a-z_]+)\}")
_OURS = {
    name: f"{{{name}}}" for name in PLACES if name not in ("to_national", "template_id", "values", "text", "secret")
}


@dataclass(frozen=True, slots=True)
class Platform:
    """Where a platform listens and what it wants.

    `fields`: the body, any JSON whose strings may hold `{to}` and the other PLACES; a string that is one place alone
    becomes its value whole (`{variables}` an object, `{values}` a list in the order of the text).
    `templates`: its id for each of our texts, by `key/zh` or `key/en`; one language is enough.
    `code_at`, `ok`, `id_at`: where in the answer (JSON Pointers) the platform says whether it took the message, which
    words mean yes, and its id of the message. Where a platform says so, an answer without that place is no yes; unless
    told, `/errcode` may be absent.
    """

    url: str
    secret: str = field(repr=False)
    fields: Any = field(default_factory=lambda: dict(_OURS))
    templates: Mapping[str, str] = field(default_factory=dict)
    code_at: str | None = None
    ok: tuple[str, ...] = ("0",)
    id_at: str = "/id"

    @classmethod
    def from_settings(cls, settings: Settings) -> "Platform":
        return cls(settings.http_gateway_url, settings.http_gateway_secret, **_known(settings.http_gateway_platform))

    def at(self, line: Line) -> "Platform":
        """This platform as a site's own channel has it: elsewhere, or described otherwise, or both."""
        url, secret = self.url, self.secret
        if line.secrets.get("url"):
            url, secret = line.secrets["url"], line.secrets.get("secret", "")
        elif not line.platform:
            return self
        return Platform(url, secret, **_known(line.platform))

    def body(self, outgoing: Outgoing) -> bytes:
        """The bytes of the request. Raises UnknownText for a template the platform has no id for."""
        given = {**_given(outgoing, self.templates), "secret": self.secret}
        return strictjson.canonical(_filled(self.fields, given)).encode()


def faults_in(platform: Mapping[str, Any]) -> list[Fault]:
    """What is wrong with a description of a platform: `{fields, templates, code_at, ok, id_at}`, each optional."""
    faults = [Fault(pointer((name,)), "unknown_key", "not a field here") for name in platform if name not in _SHAPES]
    for name, (kind, shape) in _SHAPES.items():
        if name in platform and not shape(platform[name]):
            faults.append(Fault(pointer((name,)), "wrong_type", kind))
    places: set[str] = set()
    for path, text in _strings(platform.get("fields"), ("fields",)):
        found = set(_PLACE.findall(text))
        faults += [Fault(pointer(path), "not_allowed", f"{{{one}}} is no place") for one in sorted(found - {*PLACES})]
        places |= found
    if "fields" in platform and not places & {"to", "to_national"}:
        faults.append(Fault("/fields", "required", "nothing says to whom: {to} or {to_national}"))
    if "template_id" in places and not platform.get("templates"):
        faults.append(Fault("/templates", "required", "{template_id} needs an id for every template"))
    return [*faults, *_template_faults(platform.get("templates"))]


def _template_faults(templates: Any) -> list[Fault]:
    """An id for every text that may go, in one language at least; an unknown text, or an id that is no text."""
    if not isinstance(templates, Mapping) or not templates:
        return []
    texts = {name: [f"{name}/{language}" for language in catalogue.LANGUAGES] for name in catalogue.SENT}
    known = {key for keys in texts.values() for key in keys}
    return [
        *(Fault(pointer(("templates", one)), "unknown_key", "no such text") for one in templates if one not in known),
        *(
            Fault(pointer(("templates", one)), "wrong_type", "a text")
            for one, number in templates.items()
            if one in known and not _text(number)
        ),
        *(
            Fault(pointer(("templates", keys[0])), "required", "every text needs an id, in one language at least")
            for keys in texts.values()
            if not any(key in templates for key in keys)
        ),
    ]


_SHAPES: dict[str, tuple[str, Any]] = {
    "fields": ("an object", lambda value: isinstance(value, Mapping)),
    "templates": ("an object of texts", lambda value: isinstance(value, Mapping)),
    "code_at": ("a JSON Pointer", lambda value: _text(value) and value.startswith("/")),
    "ok": ("a list of texts", lambda value: isinstance(value, list) and all(map(_text, value))),
    "id_at": ("a JSON Pointer", lambda value: _text(value) and value.startswith("/")),
}


class HttpGateway(Unasked):
    """`timeout_s` bounds connecting and each wait for the answer."""

    name = "http"

    def __init__(self, platform: Platform, timeout_s: float = 10.0) -> None:
        self._platform, self._timeout_s = platform, timeout_s

    def send(self, outgoing: Outgoing) -> Outcome:
        platform = self._platform.at(outgoing.line)
        if not platform.url:
            return refused("no_platform", alarm=True)
        body = platform.body(outgoing)
        signature = hmac.new(platform.secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", SIGNATURE: f"sha256={signature}", "Connection": "close"}
        try:
            with requests.post(
                platform.url, data=body, headers=headers, timeout=self._timeout_s, allow_redirects=False
            ) as answer:
                return wire.refusal(answer) or _taken(platform, answer)
        except requests.RequestException as error:
            return wire.failure(error)


def _taken(platform: Platform, answer: requests.Response) -> Outcome:
    content = wire.content_of(answer)
    code, number = _found(content, platform.code_at or "/errcode"), _found(content, platform.id_at)
    if code is None and platform.code_at is not None:
        return unknown("answer_unreadable")
    if code is not None and _as_word(code) not in platform.ok:
        return later(f"errcode_{_as_word(code)[:20]}")
    return accepted(None if number is None else str(number)[:200])


def _as_word(code: Any) -> str:
    return str(code).lower() if isinstance(code, bool) else str(code)


def _given(outgoing: Outgoing, templates: Mapping[str, str]) -> dict[str, Any]:
    if templates:
        outgoing = replace(outgoing, language=_approved(outgoing, templates))
    values = catalogue.values(outgoing.template, outgoing.language, outgoing.variables)
    return {
        "message_id": str(outgoing.message_id),
        "to": outgoing.to,
        "to_national": wire.national(outgoing.to),
        "lane": outgoing.lane,
        "medium": outgoing.medium,
        "channel": outgoing.channel,
        "template": outgoing.template,
        "template_id": templates.get(_key(outgoing.template, outgoing.language), outgoing.template),
        "language": outgoing.language,
        "variables": values,
        "values": list(values.values()),
        "text": outgoing.text(),
    }


def _approved(outgoing: Outgoing, templates: Mapping[str, str]) -> str:
    """The language in which the platform has this text: the person's, or another rather than none."""
    for language in (outgoing.language, *catalogue.LANGUAGES):
        if _key(outgoing.template, language) in templates:
            return language
    raise catalogue.UnknownText(outgoing.template)


def _key(template: str, language: str) -> str:
    return f"{template}/{catalogue.short(language)}"


def _filled(shape: Any, given: Mapping[str, Any]) -> Any:
    if isinstance(shape, Mapping):
        return {name: _filled(inner, given) for name, inner in shape.items()}
    if isinstance(shape, list):
        return [_filled(inner, given) for inner in shape]
    if not isinstance(shape, str):
        return shape
    alone = _PLACE.fullmatch(shape)
    if alone:
        return given[alone.group(1)]
    return _PLACE.sub(lambda place: _spoken(given[place.group(1)]), shape)


def _spoken(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _strings(shape: Any, path: tuple[object, ...]) -> Iterator[tuple[tuple[object, ...], str]]:
    """Every string of a JSON value, with where it stands."""
    if isinstance(shape, str):
        yield path, shape
    elif isinstance(shape, Mapping | list):
        for name, inner in shape.items() if isinstance(shape, Mapping) else enumerate(shape):
            yield from _strings(inner, (*path, name))


def _found(content: Any, at: str) -> Any:
    """What stands at a JSON Pointer (RFC 6901); None where nothing does."""
    for part in at.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(content, Mapping):
            content = content.get(name)
        elif isinstance(content, list) and name.isdigit() and int(name) < len(content):
            content = content[int(name)]
        else:
            return None
    return content


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _known(platform: Mapping[str, Any]) -> dict[str, Any]:
    known = {name: platform[name] for name in _SHAPES if name in platform}
    return {**known, **({"ok": tuple(known["ok"])} if "ok" in known else {})}
