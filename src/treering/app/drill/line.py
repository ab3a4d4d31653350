"""`Line`: one span or log record of a drill before it has a time, and `Case`: the lines of one attack."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RUN, CASE = "treering.drill.run", "treering.drill.case"
TRACES, LOGS = "traces", "logs"


class Line(NamedTuple):
    """A span (or, with `signal` logs, a record) `at_s` seconds after its case begins.

    `trace` tells the requests of a case apart. Lines that are not `hostile` are what goes on around the attack.
    """

    at_s: float
    service: str
    name: str
    attributes: Mapping[str, Any]
    body: str = ""
    trace: int = 0
    signal: str = TRACES
    seconds: float = 0.3
    hostile: bool = True


@dataclass(frozen=True, slots=True)
class Case:
    """One attack: its name, its technique, what happens. `detectors` are those from which one is expected."""

    id: str
    technique: str
    lines: Sequence[Line]
    detectors: tuple[str, ...] = ()
    harmless: bool = False
    about: str = field(default="", compare=False)

    @property
    def span_s(self) -> float:
        """Seconds from the first to the last line."""
        return max((line.at_s + line.seconds for line in self.lines), default=0.0)

    @property
    def begins_s(self) -> float:
        """Seconds from the first line to the first hostile one."""
        return min((line.at_s for line in self.lines if line.hostile), default=0.0)


def requests(case: Case, run: str, start_ns: int) -> list[tuple[str, bytes]]:
    """Return a case that begins at `start_ns` as export requests of OTLP/JSON: signal and body, tagged as drill."""
    found = []
    for signal, outer, scope, member in (
        (TRACES, "resourceSpans", "scopeSpans", "spans"),
        (LOGS, "resourceLogs", "scopeLogs", "logRecords"),
    ):
        services: dict[str, list[dict[str, Any]]] = {}
        for number, line in enumerate(case.lines):
            if line.signal == signal:
                services.setdefault(line.service, []).append(_item(case, run, start_ns, number, line))
        held = [
            {"resource": {"attributes": _attributes({"service.name": name})}, scope: [{member: items}]}
            for name, items in services.items()
        ]
        if held:
            found.append((signal, msgspec.json.encode({outer: held})))
    return found


def _item(case: Case, run: str, start_ns: int, number: int, line: Line) -> dict[str, Any]:
    at_ns = start_ns + int(line.at_s * 1e9)
    trace = blake2b(f"{run}\0{case.id}\0{line.trace}".encode(), digest_size=16).hexdigest()
    span = blake2b(f"{run}\0{case.id}\0{number}".encode(), digest_size=8).hexdigest()
    item: dict[str, Any] = {
        "traceId": trace,
        "spanId": span,
        "attributes": _attributes({**line.attributes, RUN: run, CASE: case.id}),
    }
    if line.signal == LOGS:
        return item | {
            "timeUnixNano": str(at_ns),
            "severityText": "INFO",
            "severityNumber": 9,
            "body": {"stringValue": line.body},
        }
    end_ns = at_ns + int(line.seconds * 1e9)
    return item | {"name": line.name, "kind": 3, "startTimeUnixNano": str(at_ns), "endTimeUnixNano": str(end_ns)}


def _attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in values.items()]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, str):
        return {"stringValue": value}
    return {"arrayValue": {"values": [_value(item) for item in value]}}
