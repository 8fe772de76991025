"""The key that somebody presses on a call about a page: it accepts, as that person. Nothing else on a call does."""

from uuid import NAMESPACE_URL, UUID, uuid5

from backend import audit, channels
from backend.db import db
from backend.models.outbox import Message
from backend.models.people import Account
from backend.safety import answers


def pressed(message_id: UUID) -> tuple[Message | None, bool]:
    """Accept what a call was about: the page's signals, or a test page. (the message, whether it was accepted).

    Runs in the caller's transaction. A key pressed twice, or told twice, accepts once. An account that is no longer
    active accepts nothing.
    """
    message = db.session.get(Message, message_id)
    if message is None:
        return None, False
    account = db.session.get_one(Account, message.account_id)
    if not account.active:
        return message, False
    with audit.acting(audit.Actor(account.id, account.role, "call")):
        if message.episode_id is None:
            row = channels.tested_with(message.id)
            return message, row is not None and channels.accept_test(row, account.id)
        episode = answers.locked_episode(message.episode_id)
        said = {"id": uuid5(NAMESPACE_URL, f"daymark:call:{message.id}"), "kind": "accepted"}
        seen = message.signal_seq if message.signal_seq is not None else episode.accepted_seq
        answers.acknowledge(episode, {**said, "seen_signal_seq": seen}, account)
        return message, True
