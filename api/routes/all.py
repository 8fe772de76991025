"""Every room of the API, in the order of the published document."""

from flask_smorest import Api

from api import batches
from api.doors import Room
from api.routes import (
    activation,
    answers,
    audit,
    auth,
    calendar,
    carers,
    clinical,
    entries,
    episodes,
    me,
    messages,
    on_call,
    study,
    subjects,
    today,
)

ROOMS: tuple[Room, ...] = (
    auth.room,
    me.room,
    carers.room,
    today.room,
    entries.room,
    subjects.room,
    activation.room,
    calendar.room,
    clinical.room,
    episodes.room,
    answers.room,
    on_call.room,
    messages.room,
    study.room,
    audit.room,
)


def register(api: Api) -> None:
    """Open every door."""
    for room in ROOMS:
        api.register_blueprint(room)
    batches.publish(api)
