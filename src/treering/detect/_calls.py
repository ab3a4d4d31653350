"""Requests, model calls and tool calls of a batch: from spans, and from access lines with a status code."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from treering.detect._derived import derived
from treering.detect._grouped import Names, split

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from treering.model.rows import Rows

STREAMS = frozenset({"spans", "logs"})
STATUS = "attributes.http.response.status_code"
_OPERATION = "attributes.gen_ai.operation.name"
_MODEL_CALLS = frozenset({"chat", "text_completion", "generate_content", "embeddings"})
_KINDS = ("model", "tool", "endpoint", "service")
_ENTRY = frozenset({"SPAN_KIND_SERVER", "SPAN_KIND_CONSUMER"})
_FAILED = frozenset({"2", "ERROR", "Error", "STATUS_CODE_ERROR"})
_ERROR_CODE = 2
_SERVER_ERROR = 500


class Subject(NamedTuple):
    """What is measured: an endpoint, model or tool of a service, or the service itself."""

    kind: str
    service: str
    name: str


class Calls:
    """The calls among the records of a batch; arrays have one item a record."""

    def __init__(self, rows: Rows) -> None:
        """Look at `rows`; columns are decoded when they are asked for."""
        self.rows = rows
        self._windows: dict[int, NDArray[np.int64]] = {}

    @cached_property
    def groups(self) -> dict[Subject, NDArray[np.int64]]:
        """The places of the records of each subject, in the order of their first record."""
        return self._spans() if self.rows.stream == "spans" else self._lines()

    def _spans(self) -> dict[Subject, NDArray[np.int64]]:
        rows = self.rows
        services, service_names = rows.codes("serviceName")
        operations, operation_names = rows.codes(_OPERATION)
        is_model = _one_of(operations, operation_names, _MODEL_CALLS)
        is_tool = _one_of(operations, operation_names, {"execute_tool"})
        names = Names(rows)
        model = names.first("attributes.gen_ai.request.model", "attributes.gen_ai.response.model")
        tool, route = names.first("attributes.gen_ai.tool.name"), names.first("attributes.http.route")
        is_tool &= (tool >= 0) & ~is_model
        other = ~is_model & ~is_tool
        is_entry = other & (route < 0) & _one_of(*rows.codes("kind"), _ENTRY)
        kinds = np.select([is_model & (model >= 0), is_tool, other & (route >= 0), is_entry], [0, 1, 2, 3], -1)
        chosen = np.choose(np.maximum(kinds, 0), [model, tool, route, np.zeros_like(route)])
        places = np.flatnonzero((kinds >= 0) & (services >= 0))
        keys = (services[places].astype(np.int64) * 4 + kinds[places]) * (len(names.texts) + 1) + chosen[places]
        found: dict[Subject, NDArray[np.int64]] = {}
        for part in split(keys):
            group, first = places[part], int(places[part[0]])
            kind = _KINDS[int(kinds[first])]
            name = "" if kind == "service" else names.texts[int(chosen[first])][:200]
            subject = Subject(kind, service_names[int(services[first])], name)
            found[subject] = np.sort(np.concatenate((found[subject], group))) if subject in found else group
        return found

    def _lines(self) -> dict[Subject, NDArray[np.int64]]:
        if not self.rows.has(STATUS):
            return {}
        services, names = self.rows.codes("serviceName")
        named = np.array([bool(name) for name in names] + [False])[services]
        places = np.flatnonzero(named & self.rows.present(STATUS))
        parts = split(services[places].astype(np.int64))
        return {Subject("service", names[int(services[places[part[0]]])], ""): places[part] for part in parts}

    @cached_property
    def seconds(self) -> NDArray[np.float64]:
        """How long each call took, NaN where nobody says."""
        if self.rows.stream == "spans":
            return _measured(self.rows.numbers("durationInNanos")) * 1e-9
        return _measured(self.rows.numbers("attributes.http.server.request.duration"))

    @cached_property
    def ends(self) -> NDArray[np.int64]:
        """When each call ended, nanoseconds: a slow call counts in the window in which it became known."""
        if self.rows.stream != "spans":
            return self.rows.times
        took = np.where(self.seconds < 86_400, self.seconds, 0.0)
        ends: NDArray[np.int64] = self.rows.times + (took * 1e9).astype(np.int64)
        return ends

    def windows(self, window_ns: int) -> NDArray[np.int64]:
        """Return the number of the window of `window_ns` nanoseconds in which each call ended."""
        held = self._windows.get(window_ns)
        if held is None:
            held = self._windows[window_ns] = self.ends // window_ns
        return held

    def parts(self, places: NDArray[np.int64], window_ns: int) -> list[tuple[int, NDArray[np.int64]]]:
        """Return the windows of the calls at `places`, each with its calls, in the order of their first call."""
        numbers = self.windows(window_ns)[places]
        if not len(numbers) or (numbers == numbers[0]).all():
            return [(int(numbers[0]), places)] if len(numbers) else []
        return [(int(numbers[part[0]]), places[part]) for part in split(numbers)]

    @cached_property
    def failures(self) -> NDArray[np.bool_]:
        """Whether each call failed: its span says so, or the server answered 500 and above."""
        failed: NDArray[np.bool_] = self.rows.numbers(STATUS) >= _SERVER_ERROR
        if self.rows.stream == "spans":
            failed |= self.rows.present("attributes.error.type") | (self.rows.numbers("status.code") == _ERROR_CODE)
            failed |= _one_of(*self.rows.codes("status.code"), _FAILED)
        return failed

    @cached_property
    def tokens(self) -> NDArray[np.float64]:
        """Input and output tokens of each model call together, NaN where nobody says."""
        read, made = (self.rows.numbers(f"attributes.gen_ai.usage.{side}_tokens") for side in ("input", "output"))
        total = np.nan_to_num(read, nan=0.0, posinf=np.inf) + np.nan_to_num(made, nan=0.0, posinf=np.inf)
        return _measured(np.where(np.isnan(read) & np.isnan(made), np.nan, total))

    @cached_property
    def costs(self) -> NDArray[np.float64]:
        """What each model call cost, US dollars, NaN where the price is unknown."""
        return _measured(self.rows.numbers("attributes.treering.cost.usd"))


def _one_of(codes: NDArray[np.int32], texts: Sequence[str], wanted: Collection[str]) -> NDArray[np.bool_]:
    return np.array([text in wanted for text in texts] + [False])[codes]


def _measured(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return measurements, NaN for what is none: negative, not finite."""
    return np.where((values >= 0) & (values < np.inf), values, np.nan)


def calls(rows: Rows) -> Calls:
    """Return the calls of a batch, the same object for every detector."""
    return derived(rows, Calls)
