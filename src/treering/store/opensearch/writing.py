"""Documents into OpenSearch through `_bulk`: again while nodes are busy, each refusal by itself, all or nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from treering.core.errors import Permanent, Retryable
from treering.store.opensearch.cluster import AGAIN, SPREAD, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from treering.store.opensearch.cluster import Cluster
    from treering.store.opensearch.config import Config

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_MOST_OF_A_REQUEST = 10_000
_TOO_LARGE = 413
# There is no index, or one that OpenSearch made in its place without the fields of the stream.
_UNMADE = frozenset({"index_not_found_exception", "strict_dynamic_mapping_exception"})


@dataclass(slots=True)
class Item:
    """One document on its way: where to, its line, and what to send in its place when OpenSearch cannot index it."""

    index: str
    id: str
    line: bytes
    plain: Callable[[], bytes] | None = None
    op: str = "create"

    def lines(self) -> bytes:
        """Return action and document as `_bulk` takes them."""
        action = msgspec.json.encode({self.op: {"_index": self.index, "_id": self.id}})
        return action + b"\n" + (self.line + b"\n" if self.op != "delete" else b"")


class Writer:
    """Sends items; every method may be called from any thread."""

    def __init__(self, cluster: Cluster, config: Config, missing: Callable[[str], None]) -> None:
        """Send through `cluster`; `missing` is told of an index that is not there and makes it."""
        self._cluster = cluster
        self._config = config
        self._missing = missing

    def send(self, items: Sequence[Item]) -> None:
        """Return when every item is durable. Raises `Retryable` or `Permanent`; some may have been written then."""
        until = time.monotonic() + self._config.patience_s
        pause, left = _FIRST_PAUSE_S, list(items)
        while left:
            again: list[Item] = []
            reason = ""
            for part in self._parts(left):
                kept, why = self._request(part)
                again += kept
                reason = why or reason
            if again and time.monotonic() + pause > until:
                raise Retryable(f"OpenSearch did not take {len(again)} records: {reason}", retry_after_s=2)
            if again and len(again) == len(left):
                time.sleep(pause * SPREAD.uniform(0.5, 1.0))
                pause = min(pause * 2, _LONGEST_PAUSE_S)
            left = again

    def _parts(self, items: Sequence[Item]) -> Iterator[list[Item]]:
        part: list[Item] = []
        size = 0
        for item in items:
            if part and (size + len(item.line) > self._config.bulk_bytes or len(part) >= _MOST_OF_A_REQUEST):
                yield part
                part, size = [], 0
            part.append(item)
            size += len(item.line) + 100
        if part:
            yield part

    def _request(self, items: list[Item]) -> tuple[list[Item], str]:
        """Send one request; returns what is to be sent again, and why."""
        try:
            told = self._cluster.call("POST", "/_bulk", b"".join(item.lines() for item in items), {"timeout": "15s"})
        except Refused as refused:
            if refused.status != _TOO_LARGE:
                raise
            if len(items) == 1:
                raise Permanent(f"a record of {len(items[0].line)} bytes is too large for OpenSearch") from refused
            middle = len(items) // 2
            first, second = self._request(items[:middle]), self._request(items[middle:])
            return first[0] + second[0], first[1] or second[1]
        if not told["errors"]:
            return [], ""
        again: list[Item] = []
        reason = ""
        for item, answer in zip(items, told["items"], strict=True):
            if (why := self._judged(item, answer[item.op])) is not None:
                again.append(item)
                reason = why
        return again, reason

    def _judged(self, item: Item, told: dict[str, Any]) -> str | None:
        """Return why an item is to be sent again, or None when it is done. Raises `Permanent`, `Retryable`."""
        status, error = int(told["status"]), told.get("error") or {}
        # The first try had been written after all; what is to be deleted is gone.
        if status < 300 or (status == 409 and item.op == "create") or (status == 404 and item.op == "delete"):
            return None
        reason = str((error.get("caused_by") or {}).get("reason") or error.get("reason") or f"status {status}")[:300]
        if status in AGAIN:
            return reason
        if error.get("type") in _UNMADE:
            self._missing(item.index)
            return reason
        if status == 403:
            raise Retryable(f"OpenSearch takes no records: {reason}", hint="is its disk full?", retry_after_s=10)
        if status == 400 and item.plain is not None:
            item.line, item.plain = item.plain(), None
            return reason
        raise Permanent(f"OpenSearch refused a record: {reason}")
