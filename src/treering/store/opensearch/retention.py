"""What is old goes: whole indexes, when every record in them is older than their stream's are kept."""

from __future__ import annotations

import fnmatch
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from treering.core.errors import Permanent, Retryable
from treering.store.opensearch.cluster import named
from treering.store.opensearch.columns import ROOT

if TYPE_CHECKING:
    from treering.core.clock import Clock
    from treering.store.opensearch.cluster import Cluster
    from treering.store.opensearch.config import Config
    from treering.store.opensearch.state import Known, State

_EVERY_S = 3600.0
_DAY_NS = 86_400_000_000_000
_NS = 1_000_000_000


class Keeper:
    """Deletes old indexes once an hour, in a thread of its own."""

    def __init__(self, cluster: Cluster, state: State, config: Config, clock: Clock) -> None:
        """Do nothing before `start`."""
        self.trouble: dict[str, str] = {}
        self._cluster = cluster
        self._state = state
        self._config = config
        self._clock = clock
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, if anything is to go at all."""
        if self._config.retention:
            self._thread = threading.Thread(target=self._run, name="treering-retention", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End; may be called twice."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while True:
            try:
                self.retain()
                self.trouble.pop("retention", None)
            except (Retryable, Permanent) as error:
                self.trouble["retention"] = error.message
            if self._stopping.wait(_EVERY_S):
                return

    def retain(self) -> None:
        """Delete now what is old."""
        for stream in list(self._state.streams.values()):
            patterns = self._config.retention.items()
            days = next((days for pattern, days in patterns if fnmatch.fnmatchcase(stream.name, pattern)), None)
            if days is not None:
                self._retain(stream, self._clock.now_ns() - int(days * _DAY_NS))

    def _retain(self, stream: Known, before_ns: int) -> None:
        today = datetime.fromtimestamp(self._clock.now_ns() // _NS, UTC).strftime("%Y.%m.%d")
        for index in self._state.indexes(stream):
            if self._state.stream_of(index) != stream.name or index.endswith(today):
                continue
            body = {
                "size": 0,
                "query": {"range": {f"{ROOT}.ns": {"gte": before_ns}}},
                "terminate_after": 1,
                "track_total_hits": True,
            }
            # A record that no search can see yet must not go with its index.
            self._cluster.call("POST", f"/{named(index)}/_refresh")
            found = self._cluster.call("POST", f"/{named(index)}/_search", body)
            if not found["hits"]["total"]["value"]:
                self._cluster.call("DELETE", f"/{named(index)}")
                self._state.forget_index(stream.name, index)
