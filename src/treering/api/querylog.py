"""Slow queries as records of a stream, so that treering can be asked what it was slow at."""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from treering.core.errors import TreeringError
from treering.model.batch import batch
from treering.query.shape import shape

if TYPE_CHECKING:
    from treering.core.clock import Clock
    from treering.core.telemetry import Telemetry
    from treering.stage.store import Query, Result, Store

STREAM = "queries"
EVENT = "treering.query.slow"
_A_MINUTE = 60
_log = logging.getLogger("treering.queries")


class QueryLog:
    """Notes queries that took `seconds` or longer; 0 notes none.

    What was looked for is not kept (`treering.query.shape`). At most 60 queries a minute are noted, the others only
    counted (`treering_slow_queries_total`): a log of what is slow must not be what makes it slow.
    """

    def __init__(self, store: Store, clock: Clock, telemetry: Telemetry, seconds: float) -> None:
        """Note in `store`, under the time that `clock` tells."""
        self.seconds = seconds
        self._store = store
        self._clock = clock
        self._telemetry = telemetry
        self._lock = threading.Lock()
        self._noted: deque[float] = deque(maxlen=_A_MINUTE)

    def is_slow(self, took_s: float) -> bool:
        """Whether a query that took so long is to be noted."""
        return 0 < self.seconds <= took_s

    def note(self, query: Query, took_s: float, outcome: str, result: Result | None = None) -> None:
        """Store a record about `query`; `outcome` is `answered`, `refused` or `cancelled`. Never raises."""
        self._telemetry.add("treering_slow_queries_total", outcome=outcome)
        if not self._may_note():
            return
        now_ns = self._clock.now_ns()
        try:
            self._store.append([batch(STREAM, [_record(query, now_ns, took_s, outcome, result)], received_ns=now_ns)])
        except TreeringError as error:
            _log.warning("a slow query could not be noted: %s", error.message)

    def _may_note(self) -> bool:
        now = self._clock.monotonic()
        with self._lock:
            if len(self._noted) == _A_MINUTE and now - self._noted[0] < 60:
                return False
            self._noted.append(now)
        return True


def _record(query: Query, now_ns: int, took_s: float, outcome: str, result: Result | None) -> dict[str, Any]:
    """Return the record, named as OpenTelemetry names what is known of database queries."""
    streams = sorted({stream for scan in query.scans.values() for stream in scan.streams})
    text = shape(query.text) if query.text else f"(of treering itself, over {', '.join(streams)[:200]})"
    about: dict[str, Any] = {
        "db.system.name": "treering",
        "db.query.text": text,
        "db.collection.name": ",".join(streams)[:500],
        "treering.query.outcome": outcome,
        "treering.query.took_ms": round(took_s * 1000, 1),
    }
    if result is not None:
        about["db.response.returned_rows"] = len(result.rows)
        about["treering.query.scanned_rows"] = result.rows_scanned
        about["treering.query.scanned_bytes"] = result.bytes_scanned
    return {
        "@timestamp": now_ns,
        "eventName": EVENT,
        "serviceName": "treering",
        "severityText": "WARN",
        "severityNumber": 13,
        "body": f"query {outcome} after {took_s:.1f} s: {text}",
        "attributes": about,
    }
