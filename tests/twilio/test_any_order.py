"""Receipts in any order and any number, with the page's own calls between them: a message ends where the most final of
them says, and never moves back. A property over random histories."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import sqlalchemy as sa
from house import House
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend import outbox
from backend.db import db, transaction
from backend.models.outbox import FINAL_STATES, Message
from notifications import receipts
from notifications.gateways import twilio

WORDS = ("queued", "accepted", "sending", "sent", "delivered", "undelivered", "failed", "canceled", "nonsense")
RANK = {"accepted": 0, "sent": 1}
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def accepted(house: House) -> Message:
    """A message that the provider has taken."""
    row = outbox.post(
        key=uuid4().hex,
        lane=outbox.REMINDER,
        site_id=house.site_id,
        account_id=house.nurse.id,
        template="digest",
        variables={},
        language="en",
        due_at=NOW,
        now=NOW,
    )
    assert row is not None
    for state in ("claimed", "accepted"):
        assert outbox.move(row, state, origin="worker", now=NOW)
    row.provider, row.provider_id = "twilio", "SM1"
    db.session.flush()
    return row


def states_after(house: House, words: list[str]) -> list[str]:
    """The message's state after each receipt."""
    with house.app.app_context(), transaction():
        message = accepted(house)
        found = []
        for n, word in enumerate(words):
            told = twilio.read_receipt({"MessageStatus": word, "MessageSid": "SM1"})
            if told is not None:
                receipts.take(message.id, told, "twilio", NOW + timedelta(seconds=n))
            found.append(db.session.execute(sa.select(Message.state).where(Message.id == message.id)).scalar_one())
    return found


def test_a_message_only_moves_forward_and_final_is_final(house: House) -> None:
    @settings(
        max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=8))
    def holds(words: list[str]) -> None:
        states = states_after(house, words)
        for before, after in zip(["accepted", *states], states, strict=False):
            assert before not in FINAL_STATES or after == before
            assert before in FINAL_STATES or after in FINAL_STATES or RANK[after] >= RANK[before]
        # Whatever came in between or again: the first final word is the end, else the furthest step.
        final = [twilio._RECEIPTS[word] for word in words if twilio._RECEIPTS.get(word) in FINAL_STATES]
        assert states[-1] == (final[0] if final else "sent" if "sent" in words else "accepted")
        assert states_after(house, [*words, *words])[-1] == states[-1], "told twice is told once"

    holds()
