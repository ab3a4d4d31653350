"""Self-telemetry: counters and gauges of the running process, and the conservation law over them.

What a receiver takes in is stored, rejected with a reason, dropped with a reason, or still in flight:
`received = stored + rejected + dropped + in flight`. `Telemetry.conservation` checks it per receiver.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Balance:
    """The conservation law of one receiver, in records."""

    receiver: str
    received: int
    stored: int
    rejected: int
    dropped: int
    in_flight: int

    @property
    def holds(self) -> bool:
        """Whether every received record is accounted for."""
        return self.received == self.stored + self.rejected + self.dropped + self.in_flight


class Telemetry:
    """Counters and gauges, safe to use from any thread."""

    def __init__(self) -> None:
        """Start with nothing counted."""
        self._lock = threading.Lock()
        self._values: dict[str, dict[Labels, float]] = defaultdict(lambda: defaultdict(float))
        self._types: dict[str, str] = {}

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add `amount` to the counter `name` with these labels."""
        key = tuple(sorted(labels.items()))
        with self._lock:
            self._types.setdefault(name, "counter")
            self._values[name][key] += amount

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set the gauge `name` with these labels to `value`."""
        key = tuple(sorted(labels.items()))
        with self._lock:
            self._types[name] = "gauge"
            self._values[name][key] = value

    def value(self, name: str, **labels: str) -> float:
        """Return the sum of `name` over all series that carry these labels."""
        wanted = set(labels.items())
        with self._lock:
            return sum(value for key, value in self._values.get(name, {}).items() if wanted <= set(key))

    def series(self, name: str) -> list[tuple[dict[str, str], float]]:
        """Return every series of `name` with its labels."""
        with self._lock:
            return [(dict(key), value) for key, value in self._values.get(name, {}).items()]

    def received(self, receiver: str, records: int) -> None:
        """Count `records` taken in by `receiver`; each must end as stored, rejected or dropped."""
        self.add("treering_received_records_total", records, receiver=receiver)
        self.add("treering_in_flight_records", records, receiver=receiver)
        self._types["treering_in_flight_records"] = "gauge"

    def stored(self, receiver: str, records: int) -> None:
        """Count `records` of `receiver` as durable."""
        self._settle("treering_stored_records_total", receiver, records)

    def rejected(self, receiver: str, records: int, reason: str) -> None:
        """Count `records` of `receiver` as refused; `reason` is a short fixed phrase, never data."""
        self._settle("treering_rejected_records_total", receiver, records, reason=reason)

    def dropped(self, receiver: str, records: int, reason: str) -> None:
        """Count `records` of `receiver` as lost on purpose; `reason` is a short fixed phrase."""
        self._settle("treering_dropped_records_total", receiver, records, reason=reason)

    def _settle(self, name: str, receiver: str, records: int, **labels: str) -> None:
        if records:
            self.add(name, records, receiver=receiver, **labels)
            self.add("treering_in_flight_records", -records, receiver=receiver)

    def conservation(self) -> list[Balance]:
        """Return the balance of every receiver that has taken anything in."""
        receivers = sorted({labels["receiver"] for labels, _ in self.series("treering_received_records_total")})
        return [self._balance(receiver) for receiver in receivers]

    def _balance(self, receiver: str) -> Balance:
        def total(kind: str) -> int:
            return int(self.value(f"treering_{kind}_records_total", receiver=receiver))

        in_flight = int(self.value("treering_in_flight_records", receiver=receiver))
        return Balance(receiver, total("received"), total("stored"), total("rejected"), total("dropped"), in_flight)

    def exposition(self) -> str:
        """Return everything in the Prometheus text format, version 0.0.4."""
        lines: list[str] = []
        with self._lock:
            for name in sorted(self._values):
                lines.append(f"# TYPE {name} {self._types.get(name, 'gauge')}")
                lines.extend(_sample(name, key, value) for key, value in sorted(self._values[name].items()))
        return "\n".join(lines) + "\n"


def _sample(name: str, labels: Iterable[tuple[str, str]], value: float) -> str:
    inner = ",".join(f'{key}="{_escape(text)}"' for key, text in labels)
    number = int(value) if value == int(value) else value
    return f"{name}{{{inner}}} {number}" if inner else f"{name} {number}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
