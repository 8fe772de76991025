"""The audit trail: one row under each write, in its transaction, chained by HMAC.

One chain per subject and one for the system. Each hash covers the whole row and the hash before
it, so a changed, removed or inserted row shows. Contact values never enter: write "changed".
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from backend import clock, strictjson
from backend.db import db
from backend.installation import vault
from backend.models.record import AuditEvent, AuditHead
from backend.models.subject import Subject

SYSTEM = "system"
_GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, as the trail names them. `origin` is the request id or the name of a loop."""

    id: UUID | None
    role: str
    origin: str | None = None


WORKER = Actor(None, "worker")
_SYSTEM_ACTOR = Actor(None, "system")
_actor: ContextVar[Actor | None] = ContextVar("actor", default=None)


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Everything recorded inside the block is the act of `actor`."""
    token = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(token)


def actor() -> Actor:
    return _actor.get() or _SYSTEM_ACTOR


def record(
    verb: str,
    entity: str,
    entity_id: UUID | str,
    *,
    subject_id: UUID | None = None,
    old: Any = None,
    new: Any = None,
    reason: str | None = None,
) -> AuditEvent:
    """Append one act to the subject's chain, or to the system's. `verb` is `subject:action`."""
    chain = str(subject_id) if subject_id else SYSTEM
    head = _locked_head(chain)
    who = actor()
    row = AuditEvent(
        id=uuid4(),
        chain=chain,
        seq=head.seq + 1,
        at=clock.now(),
        actor_id=who.id,
        actor_role=who.role,
        verb=verb,
        entity=entity,
        entity_id=str(entity_id),
        old=old,
        new=new,
        reason=reason,
        origin=who.origin,
        previous=head.hash,
        key_id=vault().key_id,
    )
    row.hash = _link(row)
    head.seq, head.hash = row.seq, row.hash
    db.session.add(row)
    db.session.flush()
    return row


def _locked_head(chain: str) -> AuditHead:
    """The chain's head, locked. Of two writers that begin a chain at once, one makes it and both use it."""
    wanted = (
        sa.select(AuditHead).where(AuditHead.chain == chain).with_for_update().execution_options(populate_existing=True)
    )
    head = db.session.execute(wanted).scalar_one_or_none()
    if head is None:
        dialect = postgresql if db.session.get_bind().dialect.name == "postgresql" else sqlite
        first = dialect.insert(AuditHead).values(chain=chain, seq=0, hash=_GENESIS)
        db.session.execute(first.on_conflict_do_nothing(index_elements=["chain"]))
        head = db.session.execute(wanted).scalar_one()
    return head


def _link(row: AuditEvent) -> str:
    content = {
        "id": row.id,
        "chain": row.chain,
        "seq": row.seq,
        "at": row.at,
        "actor_id": row.actor_id,
        "actor_role": row.actor_role,
        "verb": row.verb,
        "entity": row.entity,
        "entity_id": row.entity_id,
        "old": row.old,
        "new": row.new,
        "reason": row.reason,
        "origin": row.origin,
        "previous": row.previous,
        "key_id": row.key_id,
    }
    return vault().chain_digest(strictjson.canonical(content).encode())


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What verification found. `first_bad` is `{chain, seq, why}` of the first row that does not hold."""

    chains: int
    rows: int
    first_bad: dict[str, Any] | None

    @property
    def intact(self) -> bool:
        return self.first_bad is None


def verify(chain: str | None = None) -> ChainReport:
    """Walk every chain (or one) from its first row and compare it with its head."""
    heads = {head.chain: head for head in db.session.scalars(sa.select(AuditHead))}
    query = sa.select(AuditEvent).order_by(AuditEvent.chain, AuditEvent.seq).execution_options(yield_per=500)
    if chain is not None:
        query = query.where(AuditEvent.chain == chain)
        heads = {name: head for name, head in heads.items() if name == chain}
    rows, last = 0, dict.fromkeys(heads, (0, _GENESIS))
    with closing(db.session.scalars(query)) as found:
        for row in found:
            rows += 1
            seq, previous = last.get(row.chain, (0, _GENESIS))
            why = _why_bad(row, seq, previous, row.chain in heads)
            if why:
                return ChainReport(len(heads), rows, {"chain": row.chain, "seq": row.seq, "why": why})
            last[row.chain] = (row.seq, row.hash)
    for name, head in heads.items():
        if last[name] != (head.seq, head.hash):
            bad = {"chain": name, "seq": last[name][0] + 1, "why": "rows at the end are missing"}
            return ChainReport(len(heads), rows, bad)
    gone = min(_expected(chain) - heads.keys(), default=None)
    if gone is not None:
        return ChainReport(len(heads), rows, {"chain": gone, "seq": 1, "why": "the whole chain is missing"})
    return ChainReport(len(heads), rows, None)


def _expected(chain: str | None) -> set[str]:
    """The chains there must be: every subject's begins with its enrolment."""
    subjects = {str(subject_id) for subject_id in db.session.scalars(sa.select(Subject.id))}
    return subjects if chain is None else subjects & {chain}


def _why_bad(row: AuditEvent, seq: int, previous: str, has_head: bool) -> str | None:
    if not has_head:
        return "the chain has no head"
    if row.seq != seq + 1:
        return "a row is missing or doubled"
    if row.previous != previous:
        return "the row does not follow the one before"
    if row.hash != _link(row):
        return "the row was changed"
    return None
