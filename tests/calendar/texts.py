"""What reaches the patient's phone, without the watch and the pages: one turn of the planner and its sender."""

from typing import Any

from house import House

from backend import audit
from backend.outbox import REMINDER
from notifications import reminders
from notifications.worker import send_all

PATIENT = "+8613800138000"


def reminded(house: House) -> list[dict[str, Any]]:
    """Plan and send what is due now; the texts to the patient."""
    before = len(house.gateway.sent)
    with house.app.app_context(), audit.acting(audit.WORKER):
        reminders.plan(house.now)
        send_all(house.gateway, REMINDER)
    return [one for one in house.gateway.sent[before:] if one["to"] == PATIENT]
