"""Every request we make of Twilio is one that its published API takes."""

import json
import re
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from uuid import uuid4

import pytest

from notifications.fake_twilio import FakeTwilio, serving
from notifications.gateways.base import Outgoing
from notifications.texts import catalogue
from tests.twilio.conftest import ACCOUNT, PATIENTS, TOKEN, gateway_to
from tests.twilio.contract import OPERATIONS, departures

VARIABLES = {"number": 4821, "time": "14:02", "days": 3, "phone": "+862583106666"}
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
            assert gateway.status_of(fake.taken[-1].sid) == ("accepted", None)
    assert len(fake.requests) == 12 * len(catalogue.TEMPLATES)
    assert [found for request in fake.requests if (found := departures(*request))] == []


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


def test_the_contract_is_the_published_one() -> None:
    """Held to the definition where it lies beside the repository; what it must say is written here all the same."""
    assert {verb for verb, _ in OPERATIONS} == {"POST", "GET"}
    if not DEFINITION.exists():
        return
    whole = json.loads(DEFINITION.read_text(encoding="utf-8"))
    item = whole["paths"]["/2010-04-01/Accounts/{AccountSid}/Messages.json"]
    form = item["post"]["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
    published = {"POST": (form["properties"], form["required"]), "GET": ({}, [])}
    asked = [*item.get("parameters", []), *item["get"].get("parameters", [])]
    published["GET"] = ({one["name"]: one["schema"] for one in asked if one["in"] == "query"}, [])
    assert "get" in whole["paths"]["/2010-04-01/Accounts/{AccountSid}/Messages/{Sid}.json"]
    for (verb, _), fields in OPERATIONS.items():
        properties, needed = published[verb]
        assert set(fields) <= set(properties)
        assert {name for name, (must, _) in fields.items() if must} == set(needed)
    assert re.fullmatch(properties_of(form, "MessagingServiceSid"), PATIENTS)


def properties_of(form: dict[str, dict[str, dict[str, str]]], name: str) -> str:
    return form["properties"][name]["pattern"]
