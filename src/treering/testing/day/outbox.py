"""Collects what the components write and hands it out in order of time, ten seconds at once."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from treering.testing.day import otlp
from treering.testing.day.emission import BULK, CHANNELS, Emission

WINDOW_NS = 10_000_000_000

_SCOPES = {
    "chat-gateway": otlp.scope("marlstone.gateway", "4.2.0"),
    "rag-service": otlp.scope("opentelemetry.instrumentation.genai.langchain", "1.3b0"),
    "agent-runner": otlp.scope("opentelemetry.instrumentation.genai.openai", "1.3b0"),
    "gpu-01": otlp.scope("github.com/open-telemetry/opentelemetry-collector-contrib/receiver/hostmetricsreceiver", ""),
}


class Outbox:
    """Buffers of one window; what ends after the day is left out."""

    def __init__(self, start_ns: int, end_ns: int) -> None:
        """Take records of the half-open time from `start_ns` to `end_ns`."""
        self._start_ns = start_ns
        self._end_ns = end_ns
        self._windows: dict[int, dict[str, list[tuple[int, int, Any]]]] = {}
        self._next = 0
        self._order = 0
        self._resources: dict[tuple[str, str], bytes] = {}
        self.counts: dict[str, int] = defaultdict(int)

    def _add(self, channel: str, at_ns: int, item: object) -> bool:
        if not self._start_ns <= at_ns < self._end_ns:
            return False
        index = (at_ns - self._start_ns) // WINDOW_NS
        assert index >= self._next, "a record for a window that has left"
        window = self._windows.setdefault(index, {})
        self._order += 1
        window.setdefault(channel, []).append((at_ns, self._order, item))
        return True

    def proto(self, channel: str, service: tuple[str, str], at_ns: int, item: bytes, records: int = 1) -> bool:
        """Add a serialised span, log record or metric of `service` (name, version); False when outside the day."""
        return self._add(channel, at_ns, (service, item, records))

    def bulk(self, at_ns: int, document: dict[str, Any], index: str = "logs") -> bool:
        """Add a document for `index`."""
        action = '{"create":{"_index":"' + index + '"}}\n'
        return self._add(BULK, at_ns, (action + json.dumps(document, ensure_ascii=False) + "\n").encode())

    def line(self, path: str, at_ns: int, text: str) -> bool:
        """Add a line (without its end) to the file `path`."""
        return self._add(f"file:{path}", at_ns, (text + "\n").encode())

    def resource(self, service: tuple[str, str], attributes: otlp.Attributes) -> None:
        """Set the resource of a service (name, version)."""
        self._resources[service] = otlp.resource(attributes)

    def until(self, now_ns: int) -> Iterator[Emission]:
        """Yield what lies in windows that have ended by `now_ns`; nothing may be added to them afterwards."""
        last = (min(now_ns, self._end_ns + WINDOW_NS) - self._start_ns) // WINDOW_NS
        while self._next < last:
            window = self._windows.pop(self._next, None)
            self._next += 1
            if window:
                at_ns = min(self._start_ns + self._next * WINDOW_NS, self._end_ns)
                for channel in CHANNELS:
                    if channel in window:
                        yield self._emission(at_ns, channel, sorted(window[channel]))

    def _emission(self, at_ns: int, channel: str, items: list[tuple[int, int, Any]]) -> Emission:
        if channel == BULK or channel.startswith("file:"):
            payload, records = b"".join(item for _, _, item in items), len(items)
        else:
            payload, records = self._request(items)
        self.counts[channel] += records
        return Emission(at_ns, channel, payload, records)

    def _request(self, items: list[tuple[int, int, Any]]) -> tuple[bytes, int]:
        by_service: dict[tuple[str, str], list[bytes]] = {}
        records = 0
        for _, _, (service, item, count) in items:
            by_service.setdefault(service, []).append(item)
            records += count
        parts = [otlp.request(self._resources[key], _SCOPES[key[0]], value) for key, value in by_service.items()]
        return b"".join(parts), records
