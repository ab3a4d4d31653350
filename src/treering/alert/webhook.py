"""Webhook: what Alertmanager would send, signed.

The body is Alertmanager's webhook JSON (version 4). `Idempotency-Key` is the delivery's id, the same at every attempt.
With a secret `X-Treering-Signature` is `t=SECONDS,v1=HEX`: HMAC-SHA256 over `SECONDS.BODY`, so that a receiver can
refuse what is forged or old.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from treering.alert._http import Endpoint
from treering.alert._payload import payload
from treering.alert._secrets import secret
from treering.core.config import Config as BaseConfig

if TYPE_CHECKING:
    from treering.model.delivery import Delivery

NAME = "webhook"


class Config(BaseConfig, frozen=True):
    """Where it is sent."""

    url: Annotated[str, Meta(description="address; or `url_env`, `url_file` where it is a secret")] = ""
    url_env: Annotated[str, Meta(description="environment variable that holds the address")] = ""
    url_file: Annotated[str, Meta(description="file that holds the address")] = ""
    secret_env: Annotated[str, Meta(description="environment variable with the key of signatures")] = ""
    secret_file: Annotated[str, Meta(description="file with the key of signatures")] = ""
    timeout_s: Annotated[float, Meta(gt=0, le=120, description="seconds one attempt may take")] = 10.0
    page: Annotated[str, Meta(description="address of our page, for links")] = ""


class Webhook:
    """Posts deliveries to one address."""

    def __init__(self, config: Config) -> None:
        """Read the secrets. Raises `UserError` for what is missing."""
        self._to = Endpoint(secret("url", config.url, config.url_env, config.url_file), config.timeout_s)
        self._key = secret("secret", "", config.secret_env, config.secret_file, needed=False).encode()
        self._page = config.page

    def send(self, delivery: Delivery) -> None:
        """Deliver. Raises `Retryable` or `Permanent`."""
        body = msgspec.json.encode(payload(delivery, self._page))
        headers = {"content-type": "application/json", "idempotency-key": delivery.id, "user-agent": "treering"}
        if self._key:
            headers["x-treering-signature"] = signature(self._key, body, int(time.time()))
        self._to.post(body, headers)


def signature(key: bytes, body: bytes, at_s: int) -> str:
    """Return the value of `X-Treering-Signature`."""
    return f"t={at_s},v1={hmac.new(key, b'%d.' % at_s + body, hashlib.sha256).hexdigest()}"


def build(config: Config) -> Webhook:
    """Return the notifier. Raises `UserError`."""
    return Webhook(config)
