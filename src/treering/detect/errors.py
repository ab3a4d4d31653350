"""Calls that fail more often than usual, by endpoint, model, tool and service.

A call failed when its span's status is an error, when it has `error.type`, or when the server answered 500 and above.
Few calls are counts: the failures of the last 1, 2, 3, 5 … windows against the share that failed at this time of day
before (binomial test). It is told when two windows in a row show it, or when calls failed in two windows of those that
show it together: one call that is tried again and again is no change. It does not see errors that are told as success.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from msgspec import Meta

from treering.detect import _statistics as statistics
from treering.detect._calls import STREAMS, calls
from treering.detect._cells import MOST_SHOWN, evidence_of, first_shown, keep_shown, pool, shown_rank
from treering.detect._evidence import SHOWN, evidence
from treering.detect._measured import about
from treering.detect._series import Board, Verdict, Windows
from treering.model.finding import Severity
from treering.stage.detector import Example

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from treering.detect._cells import Cell
    from treering.detect._series import Series
    from treering.model.finding import Finding
    from treering.model.rows import Rows
    from treering.stage.detector import Ask

NAME = "errors"
ORDER_FREE = False
_POOLS = (1, 2, 3, 5, 10, 30)
_LEAST_PAST = 30
_REASONS = ("attributes.error.type", "attributes.http.response.status_code", "status.message", "body")


class Config(Windows, frozen=True):
    """When calls fail too often."""

    share: Annotated[float, Meta(gt=0, le=1, description="least share of failed calls that is told")] = 0.1
    failures: Annotated[int, Meta(ge=1, description="least number of failed calls that is told")] = 3
    chance: Annotated[float, Meta(gt=0, lt=1, description="greatest probability of a chance result")] = 1e-5


class Errors:
    """Follows shares of failed calls."""

    streams = STREAMS

    def __init__(self, config: Config) -> None:
        """Start with nothing known."""
        self._config = config
        self._board = Board(NAME, config, self._judge, first_shown)
        self.every_s = config.window_s / config.looks

    def observe(self, rows: Rows) -> Sequence[Finding]:
        """Count the calls of a batch in the parts of their windows."""
        batch = calls(rows)
        shown: list[tuple[Cell, NDArray[np.int64]]] = []
        for _, places, cell in self._board.calls(batch):
            failed = places[batch.failures[places]]
            cell.calls += len(places)
            cell.hits += len(failed)
            if len(failed):
                shown.append((cell, failed))
        _show(rows, shown)
        return ()

    def tick(self, now_ns: int, ask: Ask | None) -> Sequence[Finding]:  # noqa: ARG002  the batches say it all
        """Judge the windows that have passed."""
        return self._board.close(now_ns)

    def _judge(self, series: Series, cell: Cell, window_ns: int, looks: int = 1) -> Verdict | None:
        slots = series.history.usual(cell.number * window_ns)
        past = sum(slot.calls for slot in slots)
        if past < _LEAST_PAST or not _is_fresh(series.recent):
            return None
        usual = (sum(slot.hits for slot in slots) + 0.5) / (past + 1)
        first: Verdict | None = None
        for windows in _POOLS:
            verdict = self._pooled(series, pool(series.recent, windows), usual, self._config.chance / looks)
            if verdict is not None and verdict.windows > 1:
                return verdict if first is None else first._replace(since=verdict.since, windows=verdict.windows)
            first = first or verdict
        return first

    def _pooled(self, series: Series, cells: Sequence[Cell], usual: float, likely: float) -> Verdict | None:
        """Return why the calls of some windows together are odd, and in how many of them some failed."""
        total, failed = sum(held.calls for held in cells), sum(held.hits for held in cells)
        if failed < self._config.failures or failed < total * max(self._config.share, 2 * usual):
            return None
        chance = statistics.binomial_tail(failed, total, usual)
        if chance >= likely:
            return None
        share = failed / total
        return Verdict(
            "error_rate",
            f"{share:.0%} of the calls of {about(series)} fail, usually {usual:.1%}",
            Severity.HIGH if share >= 0.5 else Severity.MEDIUM,
            share,
            next(held.number for held in cells if held.hits),
            {"usual": usual, "observed": share, "calls": total, "failed": failed, "chance": chance},
            evidence_of(cells),
            sum(1 for held in cells if held.hits),
        )

    def save(self) -> bytes:
        """Return all series."""
        return self._board.save()

    def restore(self, state: bytes) -> None:
        """Go on from saved series. Raises `ValueError`."""
        self._board.restore(state)


def _show(rows: Rows, failed: list[tuple[Cell, NDArray[np.int64]]]) -> None:
    """Keep records of the failed calls of each window as evidence, reading those alone that are kept."""
    if not failed:
        return
    parts = np.concatenate([places for _, places in failed])
    traces = iter([_text(trace) or "~" for trace in rows.at("traceId", parts)])
    chosen = [
        _kept(cell, [*zip(traces_of, rows.seqs[places].tolist(), places.tolist(), strict=True)])
        for cell, places in failed
        if (traces_of := [*islice(traces, len(places))])
    ]
    few = rows.picked(np.array([place for held in chosen for place in held], dtype=np.int64), *SHOWN, *_REASONS)
    number = 0
    for (cell, places), held in zip(failed, chosen, strict=True):
        shown = [evidence(few, number + at, *_reason(few, number + at)) for at in range(len(held))]
        keep_shown(cell, shown, of=len(places))
        number += len(held)


def _kept(cell: Cell, failed: list[tuple[str, int, int]]) -> list[int]:
    """Return the places of those failed calls, given with trace and number, that `keep_shown` may keep."""
    if len(cell.shown) + len(failed) > MOST_SHOWN:
        failed = sorted(failed)[:MOST_SHOWN]
        if len(cell.shown) == MOST_SHOWN:
            last = max(map(shown_rank, cell.shown))
            failed = [call for call in failed if call[:2] < last]
    return [place for _, _, place in failed]


def _is_fresh(recent: Sequence[Cell]) -> bool:
    """Whether there is a failure among the newest few calls."""
    total = 0
    for cell in reversed(recent):
        if cell.hits:
            return True
        total += cell.calls
        if total >= 3:
            return False
    return False


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _reason(rows: Rows, place: int) -> tuple[str, str]:
    for field in _REASONS:
        value = rows.value(field, place)
        if value is not None:
            return field, str(value)
    return "status.code", "error"


def build(config: Config) -> Errors:
    """Return the detector."""
    return Errors(config)


def _model_calls(minutes: int, broken_from: int) -> list[dict[str, Any]]:
    """Return two model calls a minute of which every fiftieth fails, from the minute `broken_from` on two of three."""
    found: list[dict[str, Any]] = []
    for number in range(minutes * 2):
        fails = number % 3 if number >= broken_from * 2 else number % 50 == 7
        attributes: dict[str, Any] = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m-1"}
        found.append(
            {
                "@timestamp": 1_772_000_000_000_000_000 + number * 30 * 10**9,
                "serviceName": "rag",
                "durationInNanos": 900_000_000,
                "attributes": attributes | ({"error.type": "RateLimitError"} if fails else {}),
                "status": {"code": 2 if fails else 0},
            }
        )
    return found


EXAMPLES = (
    Example("two of three calls of a model fail", "spans", _model_calls(150, 140), ("error_rate",), 120),
    Example("single failures now and then", "spans", _model_calls(150, 150), (), 120),
)
