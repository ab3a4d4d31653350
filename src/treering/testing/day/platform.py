"""The platform: a schedule of things to do, and what all components share."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterator
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from treering.testing.day import otlp, stamps, world
from treering.testing.day.bank import bank
from treering.testing.day.clock import DayClock, Story, stream
from treering.testing.day.emission import Emission
from treering.testing.day.outbox import Outbox
from treering.testing.day.truth import Evidence, Recorder
from treering.testing.day.wording import Writer

_VERSIONS = {world.GATEWAY: ("4.17.2",), world.RAG: ("2.8.4", "2.9.0"), world.AGENT: ("1.12.0",)}


class Platform:
    """Time, chance, output and truth of one simulated day."""

    def __init__(self, seed: int, clock: DayClock, rate: float) -> None:
        """Prepare the day; nothing happens before `run`."""
        self.seed = seed
        self.clock = clock
        self.rate = rate
        self.out = Outbox(clock.start_ns, clock.end_ns)
        self.truth = Recorder(clock)
        self.users = world.people(self.rng("users"))
        self.writer = Writer(bank(), self.rng("words"))
        self._ids = self.rng("ids")
        self._agenda: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._entries = 0
        for service, versions in _VERSIONS.items():
            for version in versions:
                instance = f"{self._ids.getrandbits(128):032x}"
                self.out.resource((service, version), world.resource(service, version, instance))
        self.out.resource(("gpu-01", ""), {"host.name": "gpu-01", "os.type": "linux", "service.name": "otelcol"})

    def rng(self, name: str) -> random.Random:
        """Return the random stream `name` of this day."""
        return stream(self.seed, name)

    def schedule(self, at_ns: int, action: Callable[..., None], *arguments: object) -> None:
        """Call `action(at_ns, *arguments)` when its time has come; never, if that is after the day."""
        if at_ns < self.clock.end_ns:
            self._entries += 1
            heapq.heappush(self._agenda, (max(at_ns, self.clock.start_ns), self._entries, action, arguments))

    def every(self, first_ns: int, step_ns: int, action: Callable[[int], None]) -> None:
        """Call `action` again and again until the day ends."""

        def again(at_ns: int) -> None:
            action(at_ns)
            self.schedule(at_ns + step_ns, again)

        self.schedule(first_ns, again)

    def run(self) -> Iterator[Emission]:
        """Play the day and yield what it sends, in order of time."""
        while self._agenda:
            at_ns, _, action, arguments = heapq.heappop(self._agenda)
            yield from self.out.until(at_ns)
            action(at_ns, *arguments)
        yield from self.out.until(self.clock.end_ns + 2 * stamps.SECOND_NS * 10)

    def trace_id(self) -> bytes:
        """Return a new trace id."""
        return self._ids.getrandbits(128).to_bytes(16, "big")

    def span_id(self) -> bytes:
        """Return a new span id."""
        return self._ids.getrandbits(64).to_bytes(8, "big")

    def version(self, service: str, at_ns: int) -> str:
        """Return the version of `service` that runs at `at_ns`."""
        versions = _VERSIONS[service]
        newer = service == world.RAG and self.clock.during(Story.LATENCY, at_ns)
        return versions[1] if newer else versions[0]

    def span(
        self,
        service: str,
        ids: tuple[bytes, bytes, bytes],
        name: str,
        kind: Span.SpanKind.ValueType,
        times: tuple[int, int],
        attributes: otlp.Attributes,
        error: str = "",
        exception: tuple[str, str] | None = None,
    ) -> None:
        """Send a span; `ids` are trace, span and parent, `times` start and end."""
        item = otlp.span(*ids, name, kind, *times, attributes, error, exception)
        channel = "grpc_traces" if service == world.RAG else "otlp_traces"
        self.out.proto(channel, (service, self.version(service, times[0])), times[1], item)

    def log(
        self,
        service: str,
        at_ns: int,
        severity: str,
        body: str,
        attributes: otlp.Attributes,
        ids: tuple[bytes, bytes] = (b"", b""),
        event_name: str = "",
    ) -> None:
        """Send a log record over OTLP."""
        item = otlp.log(at_ns, severity, body, attributes, ids, event_name)
        self.out.proto("otlp_logs", (service, self.version(service, at_ns)), at_ns, item)

    def document(
        self,
        service: str,
        at_ns: int,
        severity: str,
        body: str,
        attributes: dict[str, Any] | None = None,
        ids: tuple[bytes, bytes] = (b"", b""),
    ) -> None:
        """Send a log record over `_bulk`, with the field names of OpenSearch's OpenTelemetry mapping."""
        record: dict[str, Any] = {
            "@timestamp": stamps.iso(at_ns, 6),
            "severityText": severity,
            "severityNumber": int(otlp.SEVERITY[severity]),
            "body": body,
            "serviceName": service,
        }
        if ids[0]:
            record |= {"traceId": ids[0].hex(), "spanId": ids[1].hex()}
        if attributes:
            record["attributes"] = attributes
        record["resource"] = {"attributes": {"service.name": service, "deployment.environment.name": "production"}}
        self.out.bulk(at_ns, record)

    def show_span(self, story: Story, service: str, ids: tuple[bytes, bytes], **entities: str) -> None:
        """Note that a span shows `story`."""
        channel = "grpc_traces" if service == world.RAG else "otlp_traces"
        self.truth.show(story, Evidence(channel, ids[0].hex(), ids[1].hex()), **entities)

    def show_line(self, story: Story, path: str, marker: str, **entities: str) -> None:
        """Note that the line of `path` that holds `marker` shows `story`."""
        self.truth.show(story, Evidence(f"file:{path}", marker=marker), **entities)
