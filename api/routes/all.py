"""Every room of the API, in the order of the published document."""

from flask_smorest import Api

from api.doors import Room
from api.routes import activation, auth, me

ROOMS: tuple[Room, ...] = (auth.room, me.room, activation.room)


def register(api: Api) -> None:
    """Open every door."""
    for room in ROOMS:
        api.register_blueprint(room)
