"""Every room of the API, in the order of the published document."""

from flask_smorest import Api

from api import batches
from api.doors import Room
from api.routes import (
    activation,
    adverse_events,
    amendments,
    answers,
    assessments,
    audit,
    auth,
    calendar,
    carers,
    channels,
    clinical,
    consents,
    delegations,
    entries,
    episodes,
    excuses,
    exports,
    laboratory,
    me,
    messages,
    on_call,
    outcomes,
    products,
    reconciliation,
    records,
    scoring,
    study,
    subjects,
    today,
    visits,
    ward,
    webhooks,
    workdays,
    worklist,
)

ROOMS: tuple[Room, ...] = (
    auth.room,
    me.room,
    carers.room,
    today.room,
    entries.room,
    subjects.room,
    activation.room,
    consents.room,
    calendar.room,
    visits.room,
    assessments.room,
    excuses.room,
    clinical.room,
    laboratory.room,
    products.room,
    adverse_events.room,
    reconciliation.room,
    outcomes.room,
    exports.room,
    scoring.room,
    ward.room,
    worklist.room,
    episodes.room,
    answers.room,
    on_call.room,
    channels.room,
    messages.room,
    study.room,
    amendments.room,
    workdays.room,
    delegations.room,
    records.room,
    audit.room,
    webhooks.room,
)


def register(api: Api) -> None:
    """Open every door."""
    for room in ROOMS:
        api.register_blueprint(room)
    batches.publish(api)
