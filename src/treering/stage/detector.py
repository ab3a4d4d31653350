"""The contract of detectors: records in, findings out.

A detector is a module of `treering.detect` with `NAME`, `Config`, `build(config) -> Detector` and `EXAMPLES`. It is
given batches as they arrive (`observe`) and the clock of the records (`tick`), at which it may also ask the store.

Must: give the same findings for the same records in the same order (time comes from records and `tick`, never from the
wall clock; chance from a fixed seed); take records in any order of time, late ones and repeated ones; keep its state
within a stated bound; save a state from which `restore` goes on as if nothing had happened; show evidence in every
finding; bound what one record can cost. Must not: raise for any record; change or keep a batch; know other detectors.
May: return the same finding again, with an equal `key`: it is folded into the first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treering.model.finding import Finding
    from treering.model.rows import Rows


class Ask(Protocol):
    """Asks the store a PPL query over a time range; bounded by policy."""

    def __call__(self, ppl: str, start_ns: int | None = None, end_ns: int | None = None) -> list[dict[str, Any]]:
        """Return the rows as dicts. Raises `UserError` for a wrong query or at a limit."""
        ...


@dataclass(frozen=True, slots=True)
class Example:
    """A small case that a detector carries: it is its documentation and a test of the contract suite.

    `records` are fed as one batch of `stream`, then `tick` is called with the time of the last record plus
    `after_s` seconds. `finds` are the rules that must be found, in any order, each once; empty: nothing may be found.
    """

    title: str
    stream: str
    records: Sequence[Mapping[str, Any]]
    finds: Sequence[str] = ()
    after_s: float = 0.0
    settings: Mapping[str, Any] = field(default_factory=dict)


class Detector(Protocol):
    """Finds one family of things."""

    @property
    def streams(self) -> frozenset[str]:
        """The streams whose batches it wants; empty for one that only asks queries."""
        ...

    @property
    def every_s(self) -> float:
        """Seconds of the records' time between two calls of `tick`; 0 for never."""
        ...

    def observe(self, rows: Rows) -> Sequence[Finding]:
        """Take in one batch of one of its streams and return what can be said at once."""
        ...

    def tick(self, now_ns: int, ask: Ask | None) -> Sequence[Finding]:
        """Return what can be said at `now_ns`, up to which records are thought to be complete.

        `ask` is None where there is no store (a scanned file).
        """
        ...

    def save(self) -> bytes:
        """Return the state, at most a few megabytes."""
        ...

    def restore(self, state: bytes) -> None:
        """Go on from a saved state. Raises `ValueError` for one it cannot read; the caller then starts anew."""
        ...
