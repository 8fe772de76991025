"""Every room of the API, in the order of the published document."""

from flask_smorest import Api

from api.doors import Room

ROOMS: tuple[Room, ...] = ()


def register(api: Api) -> None:
    """Open every door."""
    for room in ROOMS:
        api.register_blueprint(room)
