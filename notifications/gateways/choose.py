"""Which gateway the settings ask for."""

from backend.config import Settings
from notifications.gateways.base import Gateway
from notifications.gateways.console import ConsoleGateway
from notifications.gateways.http import HttpGateway
from notifications.gateways.twilio import TwilioGateway


def choose(settings: Settings) -> Gateway:
    """The gateway named by SMS_GATEWAY. `config` has already refused what cannot be."""
    if settings.sms_gateway == "twilio":
        return TwilioGateway.from_settings(settings)
    if settings.sms_gateway == "http":
        return HttpGateway(settings.http_gateway_url, settings.http_gateway_secret)
    return ConsoleGateway(settings.messages_file)
