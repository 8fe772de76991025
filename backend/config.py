"""Settings, from the environment alone. `.env.example` lists them; a bad or missing one names itself.

`DAYMARK_MODE=demo` runs on loopback with made-up secrets and a console gateway. `live` refuses to
start without its own secrets, with the console gateway, or on a database that a demo created.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from backend import strictjson


class BadSetting(Exception):
    """One or more settings cannot be used; the message names each."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the environment decides. `field_keys` maps key id (1–255) to 32 bytes, `field_key_id` is in use."""

    mode: str
    database_url: str
    secret_key: str
    field_keys: Mapping[int, bytes]
    field_key_id: int
    public_url: str
    trusted_proxies: int
    serve: str
    sms_gateway: str
    messages_file: str | None
    twilio_account_sid: str
    twilio_auth_tokens: tuple[str, ...]
    twilio_patient_service_sid: str
    twilio_page_service_sid: str
    twilio_voice_number: str
    twilio_api_base_url: str
    http_gateway_url: str
    http_gateway_secret: str
    http_gateway_platform: Mapping[str, Any]
    wecom_base_url: str
    dingtalk_base_url: str
    celery_broker_url: str
    rate_limits: bool = True
    access_minutes: int = 15
    staff_session: timedelta = field(default=timedelta(hours=12))
    patient_session: timedelta = field(default=timedelta(days=400))

    @property
    def live(self) -> bool:
        return self.mode == "live"


DEMO_SECRET = "demo-only-secret-never-for-real-people"  # noqa: S105


def from_environment(env: Mapping[str, str]) -> Settings:
    """Read the settings. Raises BadSetting naming every fault at once."""
    faults: list[str] = []
    mode = _one_of(env, "DAYMARK_MODE", ("demo", "live"), "demo", faults)
    live = mode == "live"
    secret = env.get("SECRET_KEY", "") or ("" if live else DEMO_SECRET)
    if live and len(secret) < 32:
        faults.append("SECRET_KEY must be at least 32 characters in live mode")
    keys, key_id = _field_keys(env.get("FIELD_KEYS", ""), live, faults)
    gateway = _one_of(env, "SMS_GATEWAY", ("console", "twilio", "http"), "console", faults)
    if live and gateway == "console":
        faults.append("SMS_GATEWAY=console is for the demo only; live needs twilio or http")
    _gateway_settings(env, gateway, faults)
    public_url = env.get("PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")
    if live and not public_url.startswith("https://"):
        faults.append("PUBLIC_URL must begin with https:// in live mode")
    if live and not env.get("DATABASE_URL"):
        faults.append("DATABASE_URL must be set in live mode")
    proxies = env.get("TRUSTED_PROXIES", "0")
    if not proxies.isdigit():
        faults.append("TRUSTED_PROXIES must be the number of proxies in front, 0 or more")
    platform = _json_object(env, "HTTP_GATEWAY_PLATFORM", faults)
    serve = _one_of(env, "SERVE", ("phone", "console", "both"), "both", faults)
    if faults:
        raise BadSetting("; ".join(faults))
    return Settings(
        mode=mode,
        database_url=normal_database_url(env.get("DATABASE_URL") or "sqlite:///data/daymark.db"),
        secret_key=secret,
        field_keys=keys,
        field_key_id=key_id,
        public_url=public_url,
        trusted_proxies=int(proxies),
        serve=serve,
        sms_gateway=gateway,
        messages_file=env.get("MESSAGES_FILE") or None,
        twilio_account_sid=env.get("TWILIO_ACCOUNT_SID", ""),
        twilio_auth_tokens=tuple(t.strip() for t in env.get("TWILIO_AUTH_TOKEN", "").split(",") if t.strip()),
        twilio_patient_service_sid=env.get("TWILIO_PATIENT_SERVICE_SID", ""),
        twilio_page_service_sid=env.get("TWILIO_PAGE_SERVICE_SID", ""),
        twilio_voice_number=env.get("TWILIO_VOICE_NUMBER", ""),
        twilio_api_base_url=env.get("TWILIO_API_BASE_URL", ""),
        http_gateway_url=env.get("HTTP_GATEWAY_URL", ""),
        http_gateway_secret=env.get("HTTP_GATEWAY_SECRET", ""),
        http_gateway_platform=platform,
        wecom_base_url=env.get("WECOM_BASE_URL") or "https://qyapi.weixin.qq.com",
        dingtalk_base_url=env.get("DINGTALK_BASE_URL") or "https://oapi.dingtalk.com",
        celery_broker_url=env.get("CELERY_BROKER_URL", ""),
        rate_limits=env.get("RATE_LIMITS", "on") != "off" or live,
    )


def normal_database_url(url: str) -> str:
    """A bare `postgresql://` (or `postgres://`) means psycopg 3 here, whatever the library's default."""
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url[len(prefix) :]
    return url


def _one_of(env: Mapping[str, str], name: str, allowed: tuple[str, ...], default: str, faults: list[str]) -> str:
    value = env.get(name) or default
    if value not in allowed:
        faults.append(f"{name} must be one of {', '.join(allowed)}")
    return value


def _json_object(env: Mapping[str, str], name: str, faults: list[str]) -> Mapping[str, Any]:
    try:
        content = strictjson.loads(env.get(name) or "{}")
    except strictjson.NotJson as error:
        faults.append(f"{name} is not JSON: {error}")
        return {}
    if not isinstance(content, dict):
        faults.append(f"{name} must be a JSON object")
        return {}
    return content


def _gateway_settings(env: Mapping[str, str], gateway: str, faults: list[str]) -> None:
    needed = {
        "twilio": (
            "TWILIO_ACCOUNT_SID",
            "TWILIO_AUTH_TOKEN",
            "TWILIO_PATIENT_SERVICE_SID",
            "TWILIO_PAGE_SERVICE_SID",
        ),
        "http": ("HTTP_GATEWAY_URL", "HTTP_GATEWAY_SECRET"),
    }.get(gateway, ())
    faults.extend(f"{name} is needed with SMS_GATEWAY={gateway}" for name in needed if not env.get(name))


def _field_keys(text: str, live: bool, faults: list[str]) -> tuple[dict[int, bytes], int]:
    """`id:base64,id:base64`, the key in use first. The demo derives one from its public secret."""
    if not text and not live:
        return {1: hashlib.sha256(DEMO_SECRET.encode()).digest()}, 1
    keys: dict[int, bytes] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        number, _, encoded = part.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
            if not 1 <= int(number) <= 255 or len(key) != 32:
                raise ValueError
            keys[int(number)] = key
        except ValueError:
            faults.append("FIELD_KEYS must be a list of `id:base64 of 32 bytes`, ids 1 to 255")
            return {}, 0
    if not keys:
        faults.append("FIELD_KEYS must hold at least one key in live mode")
        return {}, 0
    return keys, next(iter(keys))
