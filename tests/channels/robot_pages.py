"""Pages by the dozen for a group robot, and what a robot was told of them. For tests; sends nothing by itself."""

import re
from collections.abc import Sequence
from typing import Any

from house import House, Person

from backend import audit
from backend.db import db, transaction
from backend.models.outbox import Message
from backend.models.people import Account
from backend.models.study import Site
from notifications.worker import send_all
from tests.channels.conftest import Ways
from tests.channels.fake_platforms import Post
from tests.notifications import outbox_builders as build

TEAM = ("doctor", "backup", "chief")


def post_pages(house: House, medium: str, count: int, first: int = 5000, **over: Any) -> list[Message]:
    """That many emergencies at once, each paged to one of the team."""
    with house.app.app_context(), transaction():
        site, nurse = db.session.get_one(Site, house.site_id), db.session.get_one(Account, house.nurse.id)
        found = []
        for n in range(count):
            case = build.episode(build.subject(site, nurse), page_number=first + n, next_step_at=None)
            about = {"subject_id": case.subject_id, "episode_id": case.id, "signal_seq": 1}
            said = {"variables": {"number": first + n, "time": "09:00:00"}, "key": f"x:{first + n}"}
            account = db.session.get_one(Account, house.people[TEAM[n % len(TEAM)]].id)
            found.append(build.page(account, site, medium=medium, **about, **{**said, **over}))
        return found


def send(ways: Ways, **delta: float) -> list[Post]:
    """The page senders' turn alone; what was taken in it."""
    ways.house.turn(**delta)
    before = len(ways.fake.taken)
    with ways.house.app.app_context(), audit.acting(audit.WORKER):
        send_all(ways, "page")
    return ways.fake.taken[before:]


def states(ways: Ways) -> list[tuple[str, str | None]]:
    return sorted({(row.state, row.reason) for row in ways.rows(Message.key.startswith("x:"))}, key=str)


def numbers_in(posts: Sequence[Post]) -> set[int]:
    return {int(one) for post in posts for one in re.findall(r"\b5\d{3}\b", post.text.split("\n@")[0])}


def national(who: Person) -> str:
    return who.phone.removeprefix("+86")
