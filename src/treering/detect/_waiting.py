"""The calls of each model that wait to be judged, and those that others are compared with, as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from treering.detect._call_features import NAMES
from treering.model.batch import batch
from treering.model.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_MOST_WAITING = 2000
IDS = ("traceId", "spanId")
"""The fields that `Calls.whose` needs."""


class Waiting(msgspec.Struct):
    """Calls that were not judged yet: their values as 64-bit floats, instants, numbers, traces and spans."""

    values: bytes
    times: list[int]
    seqs: list[int]
    traces: list[str]
    spans: list[str]


class Kept(msgspec.Struct):
    """What is saved of one model of one service: the values of its last calls, and of those that were fitted on."""

    service: str
    name: str
    kept: bytes
    fitted_ns: int
    fitted: bytes
    waiting: list[Waiting] = []


class Calls(NamedTuple):
    """Calls as arrays, an item a call; `whose` has their traces and spans, from the record `first` on."""

    values: NDArray[np.float64]
    times: NDArray[np.int64]
    seqs: NDArray[np.int64]
    whose: Rows
    first: int = 0

    def ids(self, place: int) -> tuple[str, str]:
        """Return trace and span of one."""
        trace, span = (self.whose.text(name, self.first + place) or "" for name in IDS)
        return trace, span

    def saved(self) -> Waiting:
        """Return everything as plain values."""
        part = slice(self.first, self.first + len(self.times))
        traces, spans = ([text or "" for text in self.whose.texts(name)[part]] for name in IDS)
        return Waiting(self.values.tobytes(), self.times.tolist(), self.seqs.tolist(), traces, spans)

    @classmethod
    def restored(cls, held: Waiting) -> Calls:
        """Return what `saved` was asked of."""
        records = [
            {"@timestamp": at_ns, "traceId": trace, "spanId": span}
            for at_ns, trace, span in zip(held.times, held.traces, held.spans, strict=True)
        ]
        whose = Rows(batch("spans", records, received_ns=0))
        return cls(_table(held.values), np.array(held.times), np.array(held.seqs), whose)


class Model:
    """The last calls of one model of one service."""

    def __init__(self, service: str, name: str) -> None:
        """Start with none."""
        self.service, self.name = service, name
        self.kept = self.fitted = np.zeros((0, len(NAMES)))
        self.fitted_ns = 0
        self._waiting: list[Calls] = []

    def wait(self, calls: Calls) -> None:
        """Take in calls that are to be judged, as many as there is room for."""
        room = _MOST_WAITING - sum(len(held.times) for held in self._waiting)
        if room > 0 and len(calls.times):
            self._waiting.append(
                calls._replace(values=calls.values[:room], times=calls.times[:room], seqs=calls.seqs[:room])
            )

    def due(self) -> list[Calls]:
        """Return the calls that wait and forget them."""
        parts, self._waiting = self._waiting, []
        return parts

    def saved(self) -> Kept:
        """Return everything as plain values."""
        waiting = [part.saved() for part in self._waiting]
        return Kept(self.service, self.name, self.kept.tobytes(), self.fitted_ns, self.fitted.tobytes(), waiting)

    @classmethod
    def restored(cls, held: Kept) -> Model:
        """Return what `saved` was asked of."""
        model = cls(held.service, held.name)
        model.kept, model.fitted, model.fitted_ns = _table(held.kept), _table(held.fitted), held.fitted_ns
        model._waiting = [Calls.restored(part) for part in held.waiting]
        return model


class Due:
    """Calls of several batches in the order of time."""

    def __init__(self, parts: Sequence[Calls]) -> None:
        """Put the calls of `parts`, of which there are some, in order."""
        values, times, seqs = (np.concatenate([part[at] for part in parts]) for at in range(3))
        self._parts = parts
        self._begins = np.cumsum([0, *(len(part.times) for part in parts)])
        self._order = np.lexsort((seqs, times))
        self.values, self.times, self.seqs = values[self._order], times[self._order], seqs[self._order]

    def ids(self, number: int) -> tuple[str, str]:
        """Return trace and span of one."""
        at = int(self._order[number])
        part = int(self._begins.searchsorted(at, side="right")) - 1
        return self._parts[part].ids(at - int(self._begins[part]))


def _table(values: bytes) -> NDArray[np.float64]:
    return np.frombuffer(values).reshape(-1, len(NAMES))
