"""What Twilio tells us: receipts, texts that people write back, keys they press on a call. Public, and signed.

The signature comes first: of a request that is not Twilio's nothing is read, and nothing is locked for it. Known,
unknown and repeated receipts are answered alike, or Twilio sends them for ever.
"""

from typing import Any

import marshmallow as ma
from flask import Response, request

from api.doors import Room, Takes
from api.fields import Id
from api.limits import limiter
from backend import audit, clock, installation, outbox
from backend.db import transaction
from backend.errors import Problem
from notifications import calls, inbound, receipts
from notifications.gateways import twilio
from notifications.texts import catalogue

room = Room("webhooks", __name__, url_prefix="/api/v1/webhooks/twilio", description="What Twilio tells")

FORM = Takes("application/x-www-form-urlencoded", {"type": "object", "additionalProperties": {"type": "string"}})
TWILIO = audit.Actor(None, "twilio", "callback")
# Only what is not Twilio's counts: receipts come in floods, forgeries are turned away.
few_forgeries = limiter.limit("60 per minute", deduct_when=lambda answer: answer.status_code == 403)


class MessageQuery(ma.Schema):
    """Our own id, which rode in the callback's address."""

    class Meta:
        unknown = ma.EXCLUDE

    message = Id()


def _signed_form() -> Any:
    """The fields as they came, if Twilio signed them with one of our tokens; 403 otherwise."""
    if request.mimetype != FORM.media:
        raise Problem("unsupported_media_type")
    settings = installation.settings()
    query = request.query_string.decode("latin-1")
    address = settings.public_url.rstrip("/") + request.path + (f"?{query}" if query else "")
    signature = request.headers.get("X-Twilio-Signature", "")
    if not twilio.signature_holds(settings.twilio_auth_tokens, address, request.form, signature):
        raise Problem("signature_wrong")
    return request.form


@room.door("POST", "/status", None, query=MessageQuery, status=204, refuses=(403,), own_transactions=True, takes=FORM)
@few_forgeries
def twilio_status(query: dict[str, Any]) -> Any:
    """A receipt: the message it is about moves forward, or nothing changes."""
    told = twilio.read_receipt(_signed_form())
    if told is not None and "message" in query:
        with transaction(), audit.acting(TWILIO):
            receipts.take(query["message"], told, "twilio", clock.now())
    return None


@room.door("POST", "/inbound", None, media="text/xml", refuses=(403,), own_transactions=True, takes=FORM)
@few_forgeries
def twilio_inbound() -> Response:
    """A text from somebody: STOP and START are obeyed, anything else gets one fixed answer. It is never kept."""
    form = _signed_form()
    of_pages = form.get("MessagingServiceSid") == installation.settings().twilio_page_service_sid
    said = inbound.meaning(form.get("Body", ""), form.get("OptOutType"))
    with transaction(), audit.acting(TWILIO):
        answer = inbound.take(form.get("From", ""), said, outbox.PAGE if of_pages else outbox.REMINDER, clock.now())
    return Response(twilio.reply(answer), content_type="text/xml; charset=utf-8")


@room.door(
    "POST", "/voice", None, query=MessageQuery, media="text/xml", refuses=(403,), own_transactions=True, takes=FORM
)
@few_forgeries
def twilio_voice(query: dict[str, Any]) -> Response:
    """A key pressed on a call: the one that was asked for accepts the page as the person who was called."""
    form = _signed_form()
    message, accepted = None, False
    if form.get("Digits") == twilio.ACCEPT_KEY and "message" in query:
        with transaction():
            message, accepted = calls.pressed(query["message"])
    language = message.language if message is not None else "en"
    said = catalogue.text_of("call_accepted" if accepted else "call_not_accepted", language, {}, spoken=True)
    return Response(twilio.say(said, language), content_type="text/xml; charset=utf-8")
