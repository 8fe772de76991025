"""A site whose texts go by Twilio, and the Twilio of our own that stands for it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from house import House, Person
from werkzeug.test import TestResponse

from notifications import worker
from notifications.fake_provider import serving
from notifications.fake_twilio import FakeTwilio, Taken
from notifications.gateways.twilio import TwilioGateway

ACCOUNT, TOKEN, OLD_TOKEN = "AC" + "0" * 32, "the token", "the one before"
PATIENTS, PAGES = "MG" + "1" * 32, "MG" + "2" * 32
VOICE_NUMBER = "+15005550006"
PUBLIC = "https://daymark.example"


@dataclass
class Line:
    """Between a house and its provider. `turn` lets the worker do what is due; `taken` is what the provider took."""

    house: House
    fake: FakeTwilio
    gateway: TwilioGateway

    def turn(self) -> list[Taken]:
        before = len(self.fake.taken)
        worker.run_once(self.house.app, self, self.house.now)
        return self.fake.taken[before:]

    def by(self, name: str) -> TwilioGateway:
        """There is no other gateway."""
        return self.gateway

    def message(self, one: Taken) -> dict[str, Any]:
        """The message of the outbox that was taken, as staff see it."""
        message_id = one.callback.split("message=")[1].partition("#")[0]
        rows = self.house.nurse.get("/messages?limit=200").json["items"]
        return next(row for row in rows if row["id"] == message_id)

    def text(self, who: Person, body: str, service: str = PATIENTS, **how: Any) -> TestResponse:
        """Somebody writes back."""
        return self.fake.text(f"{PUBLIC}/api/v1/webhooks/twilio/inbound", who.phone, body, service, **how)  # type: ignore[return-value]


def gateway_to(url: str) -> TwilioGateway:
    """The gateway as the settings make it, against a provider of ours."""
    services = {"page": PAGES, "reminder": PATIENTS}
    return TwilioGateway(ACCOUNT, TOKEN, services, PUBLIC, url, timeout_s=1, voice_number=VOICE_NUMBER)


@pytest.fixture
def line(house: House) -> Iterator[Line]:
    app = house.app
    plain = app.extensions["daymark"]
    twilio = {
        "public_url": PUBLIC,
        "sms_gateway": "twilio",
        "twilio_account_sid": ACCOUNT,
        "twilio_auth_tokens": (TOKEN, OLD_TOKEN),
        "twilio_patient_service_sid": PATIENTS,
        "twilio_page_service_sid": PAGES,
        "twilio_voice_number": VOICE_NUMBER,
    }
    app.extensions["daymark"] = replace(plain, settings=replace(plain.settings, **twilio))

    def post(url: str, form: Mapping[str, str], signature: str) -> TestResponse:
        parts = urlsplit(url)
        headers = {"X-Twilio-Signature": signature}
        return app.test_client().post(f"{parts.path}?{parts.query}", data=dict(form), headers=headers)

    fake = FakeTwilio(ACCOUNT, TOKEN, post)
    with serving(fake) as url:
        yield Line(house, fake, gateway_to(url))
    app.extensions["daymark"] = plain
