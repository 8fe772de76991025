"""A site's own ways: what stands behind each gateway is a fake of ours, and the worker is turned by hand."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import databases
import pytest
import sqlalchemy as sa
from furnishing import furnished
from house import HandClock, House, Person
from werkzeug.test import TestResponse

from backend import channels
from backend.db import db, transaction
from backend.models.outbox import Message
from backend.models.study import Site
from notifications import worker
from notifications.fake_provider import serving
from notifications.fake_twilio import FakeTwilio, Taken
from notifications.gateways.choose import NotInstalled
from notifications.gateways.http import HttpGateway, Platform
from notifications.gateways.robots import DingTalk, WeCom
from notifications.texts import catalogue
from tests.channels.fake_platforms import FakePlatforms, Post
from tests.test_main_thread import rota
from tests.twilio.conftest import ACCOUNT, PAGES, PATIENTS, PUBLIC, TOKEN, VOICE_NUMBER, gateway_to

KEY, SECRET = "robot-key-8f1e22c0", "SECrobot-77aa41d9"
PLATFORM_SECRET = "between-hospital-and-us-5c1d"
# An id for every text in both languages, as a platform's description has to have them.
APPROVED = {f"{name}/{language}": f"{name}-{language}" for name in catalogue.SENT for language in catalogue.LANGUAGES}
SHORT_S = 0.2  # how long a gateway of these tests waits for an answer


@dataclass
class Ways:
    """Between a house and everything that carries its messages. `by` is what the worker asks for a gateway."""

    house: House
    fake: FakePlatforms
    url: str
    twilio: FakeTwilio
    made: dict[str, Any] = field(default_factory=dict)

    def by(self, name: str) -> Any:
        if name not in self.made:
            raise NotInstalled(name)
        return self.made[name]

    def turn(self, **delta: float) -> list[Post]:
        """The clock goes on, the worker does what is due; what platform and robots took."""
        self.house.turn(**delta)
        before = len(self.fake.taken)
        worker.run_once(self.house.app, self, self.house.now)
        return self.fake.taken[before:]

    def called(self, **delta: float) -> list[Taken]:
        """The same; what Twilio took."""
        before = len(self.twilio.taken)
        self.turn(**delta)
        return self.twilio.taken[before:]

    def rows(self, *where: sa.ColumnElement[bool]) -> list[Message]:
        return self.house.rows(sa.select(Message).where(*where).order_by(Message.created_at, Message.id))

    # --- The doors of an administrator ------------------------------------------------------------------------

    def set(self, medium: str, gateway: str, rung: int = 1, **body: Any) -> TestResponse:
        """Set a channel, whatever version it has."""
        answer = put(self.house, medium, {"gateway": gateway, "rung": rung, **body})
        assert answer.status_code == 200, answer.text
        return answer

    def robot(self, name: str, rung: int = 1) -> None:
        secrets = {"key": KEY, **({"secret": SECRET} if name == "dingtalk" else {})}
        self.set(name, name, rung, secrets=secrets)

    def platform(self, medium: str = "sms", rung: int = 1, **platform: Any) -> None:
        """The hospital's own platform, at the fake's address."""
        secrets = {"url": f"{self.url}/hospital", "secret": PLATFORM_SECRET}
        self.set(medium, "http", rung, secrets=secrets, platform=platform)


def forget_ids(ways: Ways, name: str, medium: str = "sms") -> None:
    """The platform has no id for a text: Daymark has learnt one since the channel was described."""
    with ways.house.app.app_context(), transaction():
        row = channels.find(ways.house.site_id, medium)
        assert row is not None
        left = {key: one for key, one in row.platform["templates"].items() if not key.startswith(f"{name}/")}
        row.platform = {**row.platform, "templates": left}


def path_of(house: House, medium: str = "", site_id: UUID | None = None) -> str:
    return f"/sites/{site_id or house.site_id}/channels" + (f"/{medium}" if medium else "")


def shown(house: House, medium: str) -> dict[str, Any]:
    """A channel as an administrator sees it."""
    items = house.admin.get(path_of(house)).json["items"]
    return next(one for one in items if one["medium"] == medium)


def put(house: House, medium: str, body: Mapping[str, Any]) -> TestResponse:
    """Set a channel as the administrator, with the version it has."""
    versions = {one["medium"]: one["version"] for one in house.admin.get(path_of(house)).json["items"]}
    match = {"If-Match": f'"{versions[medium]}"'} if medium in versions else {}
    return house.admin.put(path_of(house, medium), body, **match)


def move_site(house: House, country: str = "CN", **values: Any) -> None:
    with house.app.app_context(), transaction():
        site = db.session.get_one(Site, house.site_id)
        site.country = country
        for name, value in values.items():
            setattr(site, name, value)


@contextmanager
def installed(house: House, **settings: Any) -> Iterator[None]:
    """The installation with other settings; the app outlives the test, so they are put back."""
    plain = house.app.extensions["daymark"]
    house.app.extensions["daymark"] = replace(plain, settings=replace(plain.settings, **settings))
    try:
        yield
    finally:
        house.app.extensions["daymark"] = plain


def twilio_settings() -> dict[str, Any]:
    return {
        "public_url": PUBLIC,
        "twilio_account_sid": ACCOUNT,
        "twilio_auth_tokens": (TOKEN,),
        "twilio_patient_service_sid": PATIENTS,
        "twilio_page_service_sid": PAGES,
        "twilio_voice_number": VOICE_NUMBER,
    }


@contextmanager
def ways_of(house: House) -> Iterator[Ways]:
    """Every gateway there is. Texts of a site without channels go to `house.gateway`, as the console's would."""
    app = house.app

    def post(url: str, form: Mapping[str, str], signature: str) -> TestResponse:
        parts = urlsplit(url)
        headers = {"X-Twilio-Signature": signature}
        return app.test_client().post(f"{parts.path}?{parts.query}", data=dict(form), headers=headers)

    fake, twilio = FakePlatforms(KEY, SECRET, house.time), FakeTwilio(ACCOUNT, TOKEN, post)
    with serving(fake) as url, serving(twilio) as twilio_url:
        own = {"http_gateway_url": f"{url}/installation", "http_gateway_secret": "the installation's"}
        with installed(house, **twilio_settings(), **own):
            ways = Ways(house, fake, url, twilio)
            ways.made = {
                "console": house.gateway,
                "http": HttpGateway(Platform(own["http_gateway_url"], own["http_gateway_secret"]), SHORT_S),
                "wecom": WeCom(url, SHORT_S),
                "dingtalk": DingTalk(url, SHORT_S),
                "twilio": gateway_to(twilio_url),
            }
            yield ways


def with_a_patient(house: House) -> Person:
    """A subject six days after infusion with an activated phone, and two on duty for ten days."""
    rota(house, ("on_call", "doctor", -1, 240), ("backup", "backup", -1, 240))
    return house.patient_of(house.infused(days_ago=6, number="S-7719"))


def nobody_yet(house: House) -> None:
    """The team alone."""


def report_fever(house: House, **worse: Any) -> None:
    """The patient of `with_a_patient` reports an emergency."""
    patient = replace(house.made, house=house)
    assert house.report(patient, {"temp_c": 38.9, "chills": 3, **worse}).status_code == 201


@contextmanager
def _ways(request: pytest.FixtureRequest, kind: str, time: HandClock) -> Iterator[Ways]:
    """A module says with FURNISH what its house begins with."""
    make = getattr(request.module, "FURNISH", nobody_yet)
    with furnished(kind, time, make) as house, ways_of(house) as one:
        yield one


@pytest.fixture(params=databases.KINDS)
def ways(request: pytest.FixtureRequest, time: HandClock) -> Iterator[Ways]:
    """On both databases."""
    with _ways(request, request.param, time) as one:
        yield one


@pytest.fixture
def quick(request: pytest.FixtureRequest, time: HandClock) -> Iterator[Ways]:
    """On SQLite alone, for what the database has no part in."""
    with _ways(request, "sqlite", time) as one:
        yield one
