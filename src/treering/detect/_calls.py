"""Requests, model calls and tool calls of a batch: from spans, and from access lines with a status code."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from treering.detect._derived import derived

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.model.rows import Rows

STREAMS = frozenset({"spans", "logs"})
STATUS = "attributes.http.response.status_code"
_OPERATION = "attributes.gen_ai.operation.name"
_MODEL_CALLS = frozenset({"chat", "text_completion", "generate_content", "embeddings"})
_ENTRY = frozenset({"SPAN_KIND_SERVER", "SPAN_KIND_CONSUMER"})
_FAILED = frozenset({2, "2", "ERROR", "Error", "STATUS_CODE_ERROR"})
_SERVER_ERROR = 500


class Subject(NamedTuple):
    """What is measured: an endpoint, model or tool of a service, or the service itself."""

    kind: str
    service: str
    name: str


class Calls:
    """The calls among the records of a batch; sequences have one item a record."""

    def __init__(self, rows: Rows) -> None:
        """Look at `rows`; columns are decoded when they are asked for."""
        self.rows = rows
        self._windows: dict[int, Sequence[int]] = {}

    @cached_property
    def groups(self) -> dict[Subject, list[int]]:
        """The places of the records of each subject."""
        # Plain tuples while grouping: making an object for each record would cost as much as all the rest.
        found = self._spans() if self.rows.stream == "spans" else self._lines()
        return {Subject(*name): places for name, places in found.items()}

    def _spans(self) -> dict[tuple[str, str, str], list[int]]:
        rows = self.rows
        columns = ("serviceName", "attributes.http.route", _OPERATION, "attributes.gen_ai.tool.name", "kind")
        read = [rows.texts(name) for name in columns]
        answered, asked = rows.texts("attributes.gen_ai.response.model"), rows.texts("attributes.gen_ai.request.model")
        found: dict[tuple[str, str, str], list[int]] = {}
        for index, (service, route, operation, tool, kind) in enumerate(zip(*read, strict=True)):
            if service is None:
                continue
            if operation in _MODEL_CALLS:
                model = asked[index] or answered[index]
                if model:
                    found.setdefault(("model", service, model[:200]), []).append(index)
            elif tool and operation == "execute_tool":
                found.setdefault(("tool", service, tool[:200]), []).append(index)
            elif route:
                found.setdefault(("endpoint", service, route[:200]), []).append(index)
            elif kind in _ENTRY:
                found.setdefault(("service", service, ""), []).append(index)
        return found

    def _lines(self) -> dict[tuple[str, str, str], list[int]]:
        found: dict[str, list[int]] = {}
        if self.rows.has(STATUS):
            services = self.rows.texts("serviceName")
            for index, (service, status) in enumerate(zip(services, self.statuses, strict=True)):
                if service and status is not None:
                    found.setdefault(service, []).append(index)
        return {("service", service, ""): places for service, places in found.items()}

    @cached_property
    def statuses(self) -> Sequence[Any]:
        """The HTTP status of each record that has one."""
        return self.rows.values(STATUS)

    @cached_property
    def seconds(self) -> Sequence[float | None]:
        """How long each call took, None where nobody says."""
        if self.rows.stream == "spans":
            return [_scaled(value, 1e-9) for value in self.rows.values("durationInNanos")]
        return [_scaled(value, 1.0) for value in self.rows.values("attributes.http.server.request.duration")]

    @cached_property
    def ends(self) -> Sequence[int]:
        """When each call ended, nanoseconds: a slow call counts in the window in which it became known."""
        times: list[int] = self.rows.times.tolist()
        if self.rows.stream != "spans":
            return times
        return [
            at + int(took * 1e9) if took is not None and 0 <= took < 86_400 else at
            for at, took in zip(times, self.seconds, strict=True)
        ]

    def windows(self, window_ns: int) -> Sequence[int]:
        """Return the number of the window of `window_ns` nanoseconds in which each call ended."""
        held = self._windows.get(window_ns)
        if held is None:
            held = self._windows[window_ns] = [at // window_ns for at in self.ends]
        return held

    @cached_property
    def failures(self) -> Sequence[bool]:
        """Whether each call failed: its span says so, or the server answered 500 and above."""
        failed = [False] * self.rows.count
        if self.rows.has(STATUS):
            failed = [
                isinstance(status, int) and not isinstance(status, bool) and status >= _SERVER_ERROR
                for status in self.statuses
            ]
        if self.rows.stream != "spans":
            return failed
        codes, types = self.rows.values("status.code"), self.rows.values("attributes.error.type")
        return [
            known or kind is not None or (isinstance(code, int | str) and code in _FAILED)
            for known, code, kind in zip(failed, codes, types, strict=True)
        ]

    @cached_property
    def tokens(self) -> Sequence[float | None]:
        """Input and output tokens of each model call together."""
        read = [self.rows.values(f"attributes.gen_ai.usage.{side}_tokens") for side in ("input", "output")]
        found: list[float | None] = []
        for pair in zip(*read, strict=True):
            known = [float(value) for value in pair if isinstance(value, int | float) and not isinstance(value, bool)]
            total = sum(known)
            found.append(total if known and 0 <= total < float("inf") else None)
        return found

    @cached_property
    def costs(self) -> Sequence[float | None]:
        """What each model call cost, US dollars, None where the price is unknown."""
        return [_scaled(value, 1.0) for value in self.rows.values("attributes.treering.cost.usd")]


def calls(rows: Rows) -> Calls:
    """Return the calls of a batch, the same object for every detector."""
    return derived(rows, Calls)


def _scaled(value: Any, factor: float) -> float | None:
    """Return a measurement times `factor`, None for what is none: another type, negative, not finite."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf"):
        return value * factor
    return None
