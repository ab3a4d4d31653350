"""The contract of notifiers: a group of alerts to one receiver.

A notifier is a module of `treering.alert` with `NAME`, `Config` and `build(config) -> Notifier`.

Must: return only when the receiver has taken the delivery; raise `Retryable` when trying again may help and `Permanent`
when it never will; carry the delivery's `id` where the protocol has a place for it, so that a receiver can drop what
it has seen; bound time and size; treat texts of alerts as data of strangers (escape for the format it writes).
Must not: put secrets of its configuration into errors; follow redirects to other hosts; send anywhere but where it
was configured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from treering.model.delivery import Delivery


class Notifier(Protocol):
    """Sends deliveries to one receiver."""

    def send(self, delivery: Delivery) -> None:
        """Deliver, blocking, within the configured time. Raises `Retryable` or `Permanent`."""
        ...
