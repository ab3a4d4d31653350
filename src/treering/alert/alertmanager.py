"""Prometheus Alertmanager, API v2 (github.com/prometheus/alertmanager, api/v2/openapi.yaml).

Alerts are what their labels say, so sending one twice changes nothing. A firing alert is given an end in the future
(`hold_s`), which each renotification moves on; a resolved one the end it had. Alertmanager groups, silences and routes
by itself: let the route to it have no waiting and a `repeat_interval` below `hold_s`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from treering.alert._http import Endpoint
from treering.alert._payload import labels, texts
from treering.alert._secrets import secret
from treering.alert._wording import link
from treering.core.config import Config as BaseConfig
from treering.core.errors import Permanent
from treering.model.delivery import Status
from treering.model.times import format_ns

if TYPE_CHECKING:
    from treering.model.delivery import Alert, Delivery

NAME = "alertmanager"


class Config(BaseConfig, frozen=True):
    """Which Alertmanager."""

    url: Annotated[str, Meta(description="its address, as `http://127.0.0.1:9093`; or `url_env`, `url_file`")] = ""
    url_env: Annotated[str, Meta(description="environment variable that holds the address")] = ""
    url_file: Annotated[str, Meta(description="file that holds the address")] = ""
    token_env: Annotated[str, Meta(description="environment variable with a bearer token")] = ""
    token_file: Annotated[str, Meta(description="file with a bearer token")] = ""
    hold_s: Annotated[float, Meta(gt=0, description="seconds a firing alert lives without being sent again")] = 28_800.0
    timeout_s: Annotated[float, Meta(gt=0, le=120, description="seconds one attempt may take")] = 10.0
    page: Annotated[str, Meta(description="address of our page, for links")] = ""


class Alertmanager:
    """Hands alerts on."""

    def __init__(self, config: Config) -> None:
        """Read the secrets. Raises `UserError` for what is missing."""
        self._config = config
        self._to = Endpoint(secret("url", config.url, config.url_env, config.url_file), config.timeout_s)
        token = secret("token", "", config.token_env, config.token_file, needed=False)
        self._headers = {"authorization": f"Bearer {token}"} if token else {}

    def send(self, delivery: Delivery) -> None:
        """Deliver. Raises `Retryable` or `Permanent`."""
        now_ns = time.time_ns()
        body = msgspec.json.encode([self._alert(alert, delivery.receiver, now_ns) for alert in delivery.alerts])
        headers = {**self._headers, "content-type": "application/json", "idempotency-key": delivery.id}
        self._to.post(body, headers, "/api/v2/alerts")

    def _alert(self, alert: Alert, receiver: str, now_ns: int) -> dict[str, Any]:
        if alert.status is Status.RESOLVED:
            # An end after now would leave it firing until then.
            end_ns = min(alert.ends_ns or now_ns, now_ns)
        else:
            end_ns = now_ns + int(self._config.hold_s * 1e9)
        return {
            "labels": labels({**alert.labels, "treering_receiver": receiver}),
            "annotations": texts(alert),
            "startsAt": format_ns(min(alert.starts_ns, end_ns)),
            "endsAt": format_ns(end_ns),
            "generatorURL": link(alert, self._config.page),
        }

    def silences(self) -> list[dict[str, Any]]:
        """Return the silences of this Alertmanager that hold now or will, as its API writes them."""
        content = self._to.send("GET", b"", self._headers, "/api/v2/silences")
        try:
            found = msgspec.json.decode(content, type=list[dict[str, Any]])
        except msgspec.DecodeError:
            raise Permanent("the receiver does not answer as Alertmanager does") from None
        return [item for item in found if item.get("status", {}).get("state") in {"active", "pending"}]


def build(config: Config) -> Alertmanager:
    """Return the notifier. Raises `UserError`."""
    return Alertmanager(config)
