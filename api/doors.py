"""The contract's manners, once: a door is identity → permission → input → transaction → output.

`Room.door` declares everything a door promises in one line, documents every answer it can give, and
wraps the handler so that it runs inside one transaction that is committed before the answer is written.
A handler is called as `handler(caller, **path, [body=…], [query=…])`; public ones without `caller`.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any
from uuid import UUID

import marshmallow as ma
import sqlalchemy as sa
from flask import Response, g, request
from flask_smorest import Blueprint
from webargs.flaskparser import FlaskParser

from api import problems, tokens
from api.batches import Batch, as_sent
from api.fields import Body, Query, QueryWhole, Text
from backend import audit, clock, delegation, policy, sealed, strictjson
from backend.db import db, lock_subject, transaction
from backend.errors import Problem, fault
from backend.installation import vault
from backend.models.calendar import Occurrence
from backend.models.capture import Entry
from backend.models.conduct import DataQuery
from backend.models.findings import AdverseEvent
from backend.models.people import Account, Device, TokenFamily
from backend.models.record import KeptAnswer
from backend.models.safety import Episode
from backend.models.study import Site
from backend.models.subject import Subject

MAX_LIMIT, DEFAULT_LIMIT = 200, 50
# Ids in addresses: the column each names, and where its table says which subject the row is about.
_LEADS_TO: dict[str, tuple[Any, Any]] = {
    "subject_id": (Subject.id, Subject.id),
    "episode_id": (Episode.id, Episode.subject_id),
    "entry_id": (Entry.id, Entry.subject_id),
    "visit_id": (Occurrence.id, Occurrence.subject_id),
    "query_id": (DataQuery.id, DataQuery.subject_id),
    "adverse_event_id": (AdverseEvent.event_id, AdverseEvent.subject_id),
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is at the door. `strength`: full, pin (re-entered) or device (may only append entries)."""

    account: Account
    family_id: UUID | None
    device_id: UUID | None
    strength: str
    confirmed: bool
    action: str = ""  # what the door they stand at is for

    @property
    def id(self) -> UUID:
        return self.account.id

    @property
    def role(self) -> str:
        return self.account.role

    def may(self, action: str) -> bool:
        return policy.permits(self.role, action)

    def subject(self, subject_id: UUID) -> Subject:
        """The subject, if it exists for this caller; 404 otherwise. 403 where the act is not delegated to them."""
        subject = policy.visible_subject(self.id, self.role, subject_id)
        delegation.require(self.account, self.action, subject.site_id)
        return subject

    def site(self, site_id: UUID, path: str | None = None) -> Site:
        """A site the caller works at, else it does not exist for them: 404 in an address, a fault at `path` elsewhere.

        403 where the act is not delegated to them there.
        """
        if site_id not in policy.sites_of(self.id):
            raise fault(path, "unknown_site", "no such site") if path else Problem("not_found")
        delegation.require(self.account, self.action, site_id)
        return db.session.get_one(Site, site_id)


@dataclass(frozen=True, slots=True)
class Takes:
    """A body that is no JSON: its media type, and what the document says of it."""

    media: str
    schema: dict[str, Any]


class Page(Query):
    """Paging of every list."""

    cursor = Text(most=1000)
    limit = QueryWhole(least=1, most=MAX_LIMIT, load_default=DEFAULT_LIMIT)


def listed(item: type[ma.Schema], name: str) -> type[ma.Schema]:
    """The shape of a list of `item`."""
    fields: dict[str, Any] = {
        "items": ma.fields.List(ma.fields.Nested(item), required=True),
        "next_cursor": ma.fields.String(required=True, allow_none=True),
    }
    return type(name, (Body,), fields)


class _Parser(FlaskParser):
    """Reads bodies with the strict reader and turns every refusal into our one shape."""

    DEFAULT_UNKNOWN_BY_LOCATION = {"json": ma.RAISE, "query": ma.RAISE}  # noqa: RUF012

    def load_json(self, req: Any, schema: ma.Schema) -> Any:
        if not req.is_json:
            raise Problem("unsupported_media_type")
        try:
            return strictjson.loads(req.get_data(cache=True))
        except strictjson.NotJson as error:
            raise Problem("not_json", str(error)) from error

    def handle_error(self, error: ma.ValidationError, req: Any, schema: Any, **_: Any) -> Any:
        faults = [fault for inner in error.messages_dict.values() for fault in problems.faults_of(inner)]
        if isinstance(schema, Batch):
            faults = list(as_sent(faults))
        raise Problem("invalid", faults=sorted(faults, key=lambda fault: (fault.path, fault.code))) from error


class Room(Blueprint):  # type: ignore[misc]  # flask-smorest is untyped
    """The doors of one resource."""

    ARGUMENTS_PARSER = _Parser()

    def door(
        self,
        method: str,
        rule: str,
        action: str | None,
        *,
        body: type[ma.Schema] | ma.Schema | None = None,
        query: type[ma.Schema] | None = None,
        answer: type[ma.Schema] | None = None,
        status: int = 200,
        also: Iterable[int] = (),
        refuses: Iterable[int] = (),
        writes: bool | None = None,
        if_match: bool = False,
        device: bool = False,
        confirmed: bool = False,
        own_transactions: bool = False,
        media: str | None = None,
        takes: Takes | None = None,
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Declare a door.

        `action` is a key of `policy.ACTIONS`; None makes the door public. `also` are further success
        statuses, `refuses` error statuses beyond the usual ones. `device` lets a device credential in.
        `own_transactions` is for doors that hash passwords: they open their own, short ones. `media`: the type
        of a file that the handler answers with, as a Response; `takes`: of one that it reads itself.
        """
        writes_here = writes if writes is not None else method not in ("GET", "HEAD")

        def declare(handler: Callable[..., Any]) -> Callable[..., Any]:
            if media is None:
                view = self.response(status, answer)(handler)
            else:
                view = self.response(status, {"type": "string"}, content_type=media)(handler)
            for other in also:
                view = self.alt_response(other, schema=answer if other in (200, 201) else None, success=True)(view)
            if query is not None:
                view = self.arguments(query, location="query", arg_name="query")(view)
            if body is not None:
                view = self.arguments(body, location="json", arg_name="body")(view)
            view = self._guarded(view, action, writes_here, device, confirmed, own_transactions)
            view = self._documented(view, rule, action, body, takes, refuses, writes_here, if_match, method, confirmed)
            self.add_url_rule(rule, endpoint=handler.__name__, view_func=view, methods=[method])
            return handler

        return declare

    def _guarded(
        self,
        view: Callable[..., Any],
        action: str | None,
        writes: bool,
        device: bool,
        confirmed: bool,
        own_transactions: bool,
    ) -> Callable[..., Any]:
        @wraps(view)
        def guarded(**path: Any) -> Any:
            if action is None:
                with _visiting(), nullcontext() if own_transactions else transaction(writes=writes):
                    return view(**path)
            claims = _claims_of(device)
            with _refusals_on_record(path), nullcontext() if own_transactions else transaction(writes=writes):
                caller = replace(_caller_in_transaction(claims, own_transactions), action=action)
                g.actor = audit.Actor(caller.id, caller.role, g.request_id)
                if not caller.may(action):
                    raise Problem("forbidden")
                if confirmed and not caller.confirmed:
                    raise Problem("confirmation_required")
                with audit.acting(g.actor):
                    return _repeatable(caller, writes and not own_transactions, lambda: view(caller, **path))

        return guarded

    def _documented(
        self,
        view: Callable[..., Any],
        rule: str,
        action: str | None,
        body: Any,
        takes: Takes | None,
        refuses: Iterable[int],
        writes: bool,
        if_match: bool,
        method: str,
        confirmed: bool,
    ) -> Callable[..., Any]:
        statuses = {422, 429, 503, *refuses}
        if action is not None:
            statuses |= {401, 403, 404}
        if "<" in rule:
            statuses.add(404)
        if body is not None or takes is not None:
            statuses |= {400, 413, 415}
        if writes:
            statuses.add(409)
        if if_match:
            statuses |= {412, 428}
        for status in sorted(statuses):
            view = self.alt_response(status, response=problems.PROBLEM)(view)
        headers = []
        if 428 in statuses:
            headers.append({"in": "header", "name": "If-Match", "required": if_match, "schema": {"type": "string"}})
        if method == "POST" and action is not None and writes:
            printable = {"type": "string", "pattern": "^[ -~]{1,100}$"}
            headers.append({"in": "header", "name": "Idempotency-Key", "schema": printable})
        extra: dict[str, Any] = {"parameters": headers} if headers else {}
        if takes is not None:
            extra["requestBody"] = {"required": True, "content": {takes.media: {"schema": takes.schema}}}
        if action is None:
            extra["security"] = []
        else:
            extra["x-action"] = action
            extra["x-confirmed"] = confirmed  # asks for a token of POST /auth/confirm
        documented: Callable[..., Any] = self.doc(**extra)(view)
        return documented


def _claims_of(device: bool) -> tokens.Claims | str:
    """The token's claims; or, where the door allows it, the device credential as text."""
    header = request.headers.get("Authorization", "")
    if device and header[:7].lower() == "device ":
        return header[7:].strip()
    return tokens.access_claims()


def _caller_in_transaction(claims: tokens.Claims | str, own_transactions: bool) -> Caller:
    context: AbstractContextManager[None] = transaction(writes=False) if own_transactions else nullcontext()
    with context:
        caller = _by_device(claims) if isinstance(claims, str) else _by_family(claims)
    g.locale = caller.account.locale
    return caller


def _by_family(claims: tokens.Claims) -> Caller:
    row = db.session.execute(
        sa.select(Account, TokenFamily)
        .join(TokenFamily, TokenFamily.account_id == Account.id)
        .where(TokenFamily.id == claims.family_id, Account.id == claims.account_id)
    ).one_or_none()
    if row is None:
        raise Problem("token_invalid")
    account, family = row
    if not account.active or family.revoked_at is not None or family.expires_at <= clock.now():
        raise Problem("token_revoked")
    return Caller(account, family.id, family.device_id, family.strength, claims.confirmed)


def _by_device(credential: str) -> Caller:
    row = db.session.execute(
        sa.select(Account, Device)
        .join(Device, Device.account_id == Account.id)
        .where(Device.credential_digest == vault().code_digest(credential))
    ).one_or_none()
    if row is None:
        raise Problem("token_invalid")
    account, device = row
    if not account.active or device.revoked_at is not None:
        raise Problem("token_revoked")
    return Caller(account, None, device.id, "device", False)


@contextmanager
def _refusals_on_record(path: dict[str, Any]) -> Iterator[None]:
    """Who tried what they may not do is kept, in a short transaction of its own after the refused one is undone."""
    try:
        yield
    except Problem as problem:
        if problem.code in ("forbidden", "not_delegated"):
            door = {"door": f"{request.method} {request.url_rule}"}
            with transaction(), audit.acting(g.actor):
                subject_id = _subject_at(path)
                audit.record("access:refused", "door", request.endpoint or "", subject_id=subject_id, new=door)
        raise


def _subject_at(path: dict[str, Any]) -> UUID | None:
    """Whom the ids in an address lead to, locked as for every write about a subject; None for nobody."""
    for name, (identity, subject_id) in _LEADS_TO.items():
        if name in path:
            found = db.session.scalar(sa.select(subject_id).where(identity == path[name]).limit(1))
            return lock_subject(found).id if found is not None else None
    return None


def _visiting() -> AbstractContextManager[None]:
    """At a public door nobody is known yet; the request is."""
    return audit.acting(audit.Actor(None, "visitor", g.request_id))


def _repeatable(caller: Caller, writes: bool, work: Callable[[], Any]) -> Any:
    """With `Idempotency-Key`, a repeat of the same request gets the same answer; another body is a conflict."""
    key = request.headers.get("Idempotency-Key") if writes and request.method == "POST" else None
    if not key:
        return work()
    if len(key) > 100 or not key.isprintable() or not key.isascii():
        raise Problem("bad_request", "Idempotency-Key must be at most 100 printable ASCII characters")
    asked = f"{request.method} {request.full_path}\n".encode() + request.get_data(cache=True)
    digest = hashlib.sha256(asked).hexdigest()
    kept = db.session.get(KeptAnswer, (caller.id, key))
    if kept is not None:
        if kept.request_digest != digest:
            raise Problem("conflict", "this Idempotency-Key was used for another request")
        body = sealed.open_answer(caller.id, key, kept.body)
        return Response(body, status=kept.status, mimetype="application/json")
    response = work()
    # Sealed: an answer may hold contact data or a one-use code, which nowhere else stand readable.
    db.session.add(
        KeptAnswer(
            account_id=caller.id,
            key=key,
            request_digest=digest,
            status=response.status_code,
            body=sealed.seal_answer(caller.id, key, response.get_data(as_text=True)),
            at=clock.now(),
        )
    )
    return response


def etag(version: int | str) -> dict[str, str]:
    """The ETag header of a version."""
    return {"ETag": f'"{version}"'}


def must_match(version: int | str) -> None:
    """Refuse a change of something the caller has not seen as it stands: 428 without, 412 with a stale ETag."""
    given = request.headers.get("If-Match")
    if given is None:
        raise Problem("if_match_required")
    if given.strip() != "*" and f'"{version}"' not in [part.strip() for part in given.split(",")]:
        raise Problem("stale")


def not_modified(version: str) -> Response | None:
    """A 304 if the caller already has this version of what it asks for."""
    if f'"{version}"' in [part.strip() for part in request.headers.get("If-None-Match", "").split(",")]:
        return Response(status=304, headers=etag(version))
    return None
