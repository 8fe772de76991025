"""Every request we make of Twilio is one that its published API takes."""

import json
import re
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from uuid import uuid4

import pytest

from notifications.fake_provider import serving
from notifications.fake_twilio import FakeTwilio
from notifications.gateways.base import Outgoing, Receipt
from notifications.texts import catalogue
from tests.twilio.conftest import ACCOUNT, PATIENTS, TOKEN, gateway_to
from tests.twilio.contract import OPERATIONS, departures

VARIABLES = {"number": 4821, "time": "14:02", "days": 3, "day": "2026-03-02", "phone": "+862583106666"}
DEFINITION = Path(__file__).parents[3] / "shared/twilio-spec/twilio_api_v2010.messages-calls.json"
PATH = f"/2010-04-01/Accounts/AC{'0' * 32}/Messages.json"
GOOD = {"To": "+8613800138000", "MessagingServiceSid": PATIENTS, "Body": "hello", "ValidityPeriod": "300"}


def outgoing(template: str, language: str, lane: str) -> Outgoing:
    later = datetime.now(UTC) + timedelta(hours=3) if lane == "reminder" else None
    return Outgoing(uuid4(), "+8613800138000", lane, template, language, VARIABLES, not_after=later)


def test_whatever_is_sent_and_looked_up() -> None:
    fake = FakeTwilio(ACCOUNT, TOKEN)
    with serving(fake) as url:
        gateway = gateway_to(url)
        for template, language, lane in product(catalogue.TEMPLATES, ("zh-CN", "en"), ("page", "reminder")):
            one = outgoing(template, language, lane)
            assert gateway.send(one).kind == "accepted"
            assert fake.taken[-1].sid in gateway.look_up(one, datetime.now(UTC))
            assert gateway.status_of(fake.taken[-1].sid) == Receipt("accepted", None, fake.taken[-1].sid)
    assert len(fake.requests) == 12 * len(catalogue.TEMPLATES)
    assert [found for request in fake.requests if (found := departures(*request))] == []


def test_a_text_is_found_behind_any_number_of_later_ones() -> None:
    """What is not found is sent once more: sixty others in between, on three pages, must not hide it."""
    fake = FakeTwilio(ACCOUNT, TOKEN)
    fake.page_limit = 25
    with serving(fake) as url:
        gateway = gateway_to(url)
        began = datetime.now(UTC)
        for days in range(60):
            said = {"days": days, "day": "2026-03-02"}
            gateway.send(Outgoing(uuid4(), "+8613800138000", "reminder", "visit_soon", "en", said))
        first = Outgoing(uuid4(), "+8613800138000", "reminder", "visit_soon", "en", {"days": 0, "day": "2026-03-02"})
        assert gateway.look_up(first, began) == (fake.taken[0].sid,)
        assert sum(verb == "GET" for verb, _, _ in fake.requests) == 3


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"To": "banana"}, "To is"),
        ({"To": ...}, "To is missing"),
        ({"MessagingServiceSid": "MG1"}, "MessagingServiceSid is"),
        ({"ValidityPeriod": "abc"}, "ValidityPeriod is"),
        ({"StatusCallback": "here"}, "StatusCallback is"),
        ({"Colour": "red"}, "unknown field Colour"),
    ],
)
def test_the_judge_refuses_what_twilio_refuses(change: dict[str, object], told: str) -> None:
    assert departures("POST", PATH, GOOD) == []
    spoilt = {name: value for name, value in {**GOOD, **change}.items() if value is not ...}
    assert [one for one in departures("POST", PATH, spoilt) if one.startswith(told)]  # type: ignore[arg-type]
    assert departures("POST", "/2010-04-01/Messages.json", GOOD)


def test_calls_and_what_becomes_of_them() -> None:
    fake = FakeTwilio(ACCOUNT, TOKEN)
    with serving(fake) as url:
        gateway = gateway_to(url)
        for template, language in product(catalogue.TEMPLATES, ("zh-CN", "en")):
            one = Outgoing(uuid4(), "+4915112345678", "page", template, language, VARIABLES, medium="voice")
            assert gateway.send(one).kind == "accepted"
            call = fake.taken[-1]
            assert gateway.status_of(call.sid) == Receipt("accepted", None, call.sid)
    assert [found for request in fake.requests if (found := departures(*request))] == []


def test_the_contract_is_the_published_one() -> None:
    """Held to the definition where it lies beside the repository; what it must say is written here all the same."""
    assert {verb for verb, _ in OPERATIONS} == {"POST", "GET"}
    if not DEFINITION.exists():
        pytest.skip("the published definition does not lie beside the repository")
    paths = json.loads(DEFINITION.read_text(encoding="utf-8"))["paths"]
    for (verb, shape), fields in OPERATIONS.items():
        path = next(path for path in paths if re.fullmatch(shape, as_asked(path)))
        operation = paths[path][verb.lower()]
        if verb == "POST":
            form = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
            properties, needed = form["properties"], set(form["required"])
        else:
            asked = [*paths[path].get("parameters", []), *operation.get("parameters", [])]
            properties, needed = {one["name"]: one["schema"] for one in asked if one["in"] == "query"}, set()
        assert set(fields) <= set(properties)
        assert {name for name, (must, _) in fields.items() if must} == needed
        service = properties.get("MessagingServiceSid", {}).get("pattern")
        assert service is None or re.fullmatch(service, PATIENTS)


def as_asked(path: str) -> str:
    """A published path with ids in its places."""
    kind = "SM" if "Messages" in path else "CA"
    return path.replace("{AccountSid}", ACCOUNT).replace("{Sid}", kind + "a" * 32)
