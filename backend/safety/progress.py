"""How far a report has got, in the patient's words: stored, told, seen. Facts joined, nothing kept.

told: a page about a signal from this entry was accepted by a provider. seen: somebody acknowledged that
signal; the first to do so is named. An entry without a signal stops at stored.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from backend.db import db
from backend.models.capture import EntryVersion
from backend.models.outbox import TOLD_STATES, Message
from backend.models.people import Account
from backend.models.safety import Acknowledgement, Signal


@dataclass(frozen=True, slots=True)
class Progress:
    """`state`: stored, told or seen; by whom and when it was seen."""

    state: str = "stored"
    by: str | None = None
    at: datetime | None = None


def progress_of(entry_ids: Iterable[UUID]) -> dict[UUID, Progress]:
    """The progress of each entry, in two queries for any number of them."""
    wanted = list(entry_ids)
    found = {entry_id: Progress() for entry_id in wanted}
    signals = (
        sa.select(EntryVersion.entry_id, Signal.episode_id, Signal.seq)
        .join(Signal, Signal.entry_version_id == EntryVersion.id)
        .where(EntryVersion.entry_id.in_(wanted), Signal.episode_id.is_not(None))
        .subquery()
    )
    told = sa.select(signals.c.entry_id).join(
        Message, sa.and_(Message.episode_id == signals.c.episode_id, Message.signal_seq >= signals.c.seq)
    )
    for entry_id in db.session.scalars(told.where(Message.state.in_(TOLD_STATES)).distinct()):
        found[entry_id] = Progress("told")
    doctor = sa.func.coalesce(Acknowledgement.on_behalf_of_id, Acknowledgement.by_id)
    seen = (
        sa.select(signals.c.entry_id, Account.name, Acknowledgement.at)
        .join(
            Acknowledgement,
            sa.and_(
                Acknowledgement.episode_id == signals.c.episode_id,
                Acknowledgement.seen_signal_seq >= signals.c.seq,
            ),
        )
        .join(Account, Account.id == doctor)
        .order_by(Acknowledgement.at.desc())
    )
    for entry_id, name, at in db.session.execute(seen):
        found[entry_id] = Progress("seen", name, at)  # the last row is the first acknowledgement
    return found
