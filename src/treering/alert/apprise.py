"""Everything else through Apprise (github.com/caronc/apprise): PagerDuty, Teams, Telegram, Matrix and a hundred more.

Apprise says only whether all services took the message, so every failure is tried again, and where one address of
several failed the others are sent the message again: give each service a receiver of its own.
"""

from __future__ import annotations

import logging
import threading
import warnings
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from treering.alert._secrets import secret
from treering.alert._wording import lines, title
from treering.core.config import Config as BaseConfig
from treering.core.errors import Retryable, UserError
from treering.model.delivery import Status

if TYPE_CHECKING:
    from treering.model.delivery import Delivery

NAME = "apprise"


class Config(BaseConfig, frozen=True):
    """Which service; an Apprise address holds its secrets."""

    url_env: Annotated[str, Meta(description="environment variable that holds the Apprise address")] = ""
    url_file: Annotated[str, Meta(description="file that holds the Apprise address")] = ""
    timeout_s: Annotated[float, Meta(gt=0, le=120, description="seconds one attempt may take")] = 10.0
    page: Annotated[str, Meta(description="address of our page, for links")] = ""


class Apprise:
    """Sends deliveries through one Apprise address."""

    def __init__(self, config: Config, library: Any) -> None:
        """Read the address. Raises `UserError` when it is missing or Apprise does not know it."""
        url = secret("url", "", config.url_env, config.url_file)
        self._page = config.page
        self._library = library
        self._timeout_s = config.timeout_s
        logging.getLogger("apprise").disabled = True  # it writes addresses, secrets included
        separator = "&" if "?" in url else "?"
        self._to = library.Apprise()
        if not self._to.add(f"{url}{separator}cto={config.timeout_s}&rto={config.timeout_s}"):
            raise UserError("apprise does not know this address", hint="see github.com/caronc/apprise/wiki")

    def send(self, delivery: Delivery) -> None:
        """Deliver. Raises `Retryable`."""
        taken: list[bool] = []
        # Apprise bounds the time of each read, not of all of them: a service that drips would hold the queue forever.
        work = threading.Thread(target=lambda: taken.append(self._notify(delivery)), daemon=True)
        work.start()
        work.join(2 * self._timeout_s)
        if not taken:
            raise Retryable(f"no answer within {2 * self._timeout_s:g} s")
        if not taken[0]:
            raise Retryable("the service did not take it")

    def _notify(self, delivery: Delivery) -> bool:
        firing = any(alert.status is Status.FIRING for alert in delivery.alerts)
        types = self._library.NotifyType
        try:
            done = self._to.notify(
                title=title(delivery),
                body="\n".join(lines(delivery, self._page)) + f"\ndelivery {delivery.id}",
                notify_type=types.WARNING if firing else types.SUCCESS,
                body_format=self._library.NotifyFormat.TEXT,
            )
        except Exception:  # noqa: BLE001  whatever a plugin of Apprise raises, it was not taken; its text may hold secrets
            return False
        return bool(done)


def build(config: Config) -> Apprise:
    """Return the notifier. Raises `UserError`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its plugins import modules that Python will drop
        import apprise  # type: ignore[import-not-found, unused-ignore]

        return Apprise(config, apprise)
