"""Every gateway this installation has, made from the settings when it is first asked for."""

from collections.abc import Callable

from backend.channels import DINGTALK, ROBOTS, WECOM
from backend.config import BadSetting, Settings
from notifications.gateways.base import Gateway
from notifications.gateways.console import ConsoleGateway
from notifications.gateways.http import HttpGateway, Platform, faults_in
from notifications.gateways.robots import DingTalk, WeCom
from notifications.gateways.twilio import TwilioGateway


class Installed:
    """Gateways by name. With SMS_GATEWAY=console nothing leaves the machine: the console takes all there is to send."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: dict[str, Gateway] = {}

    def warm(self) -> "Installed":
        """Make all of them before anything is due: importing a provider's client takes a second."""
        for name in available(self._settings):
            self.by(name)
        return self

    def by(self, name: str) -> Gateway:
        """The gateway of this name. Raises NotInstalled where the settings do not hold what it needs."""
        if self._settings.sms_gateway == "console":
            name = "console"
        if name not in self._made:
            if name not in available(self._settings):
                raise NotInstalled(name)
            self._made[name] = _MAKERS[name](self._settings)
        return self._made[name]


class NotInstalled(LookupError):
    """The settings do not hold what this gateway needs."""


def check(settings: Settings) -> None:
    """At start: raise BadSetting for a platform's description that could send nothing, naming every fault."""
    faults = faults_in(settings.http_gateway_platform)
    if faults:
        raise BadSetting("; ".join(f"HTTP_GATEWAY_PLATFORM {one.path}: {one.message}" for one in faults))


def available(settings: Settings) -> tuple[str, ...]:
    """The gateways a site's channel may name."""
    services = settings.twilio_patient_service_sid and settings.twilio_page_service_sid
    twilio = ("twilio",) if settings.twilio_account_sid and settings.twilio_auth_tokens and services else ()
    console = ("console",) if settings.sms_gateway == "console" else ()
    return (*console, *twilio, "http", WECOM, DINGTALK)


_MAKERS: dict[str, Callable[[Settings], Gateway]] = {
    "console": lambda settings: ConsoleGateway(settings.messages_file),
    "twilio": TwilioGateway.from_settings,
    "http": lambda settings: HttpGateway(Platform.from_settings(settings)),
    WECOM: lambda settings: WeCom(settings.wecom_base_url),
    DINGTALK: lambda settings: DingTalk(settings.dingtalk_base_url),
}
NAMES = tuple(_MAKERS)
FOR_PEOPLE = tuple(name for name in NAMES if name not in ROBOTS)  # what carries texts and calls to one person
