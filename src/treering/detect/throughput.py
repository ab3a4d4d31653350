"""Traffic that stops or floods, by endpoint, model, tool and service.

Calls in windows of five minutes against the busiest and the quietest half hour of the last two hours, or against the
same time of day where three days are known (Poisson tests). A drop needs traffic of at least `least` calls a window
before; a job that ends as planned looks like one. Slow changes within hours are not seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from treering.detect import _statistics as statistics
from treering.detect._calls import STREAMS, calls
from treering.detect._cells import evidence_of, keep_shown
from treering.detect._evidence import evidence
from treering.detect._measured import about
from treering.detect._series import Board, Verdict, Windows
from treering.model.finding import Severity
from treering.stage.detector import Example

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.detect._cells import Cell
    from treering.detect._series import Series
    from treering.model.finding import Finding
    from treering.model.rows import Rows
    from treering.stage.detector import Ask

NAME = "throughput"
ORDER_FREE = False
_TRAILING = 4
_LEAST_SLOTS = 3
_SURGE_CHANCE, _DROP_CHANCE = 1e-9, 1e-5


class Config(Windows, frozen=True):
    """When traffic is too much or too little."""

    window_s: Annotated[float, Meta(ge=1, le=3600, description="seconds of a window")] = 300.0
    surge: Annotated[float, Meta(gt=1, description="times the usual traffic that is a flood")] = 3.0
    drop: Annotated[float, Meta(gt=0, lt=1, description="share of the usual traffic that is a drop")] = 0.2
    least: Annotated[float, Meta(gt=0, description="usual calls a window below which a drop is not told")] = 10.0


class Throughput:
    """Counts calls."""

    streams = STREAMS

    def __init__(self, config: Config) -> None:
        """Start with nothing known."""
        self._config = config
        self._board = Board(NAME, config, self._judge, lambda held: held[:1], fill=True)
        self.every_s = config.window_s / config.looks

    def observe(self, rows: Rows) -> Sequence[Finding]:
        """Count the calls of a batch in the parts of their windows."""
        for subject, places, cell in self._board.calls(calls(rows)):
            cell.calls += len(places)
            if not cell.shown:
                keep_shown(cell, [evidence(rows, int(places[0]), "serviceName", subject.service)], of=1)
        return ()

    def tick(self, now_ns: int, ask: Ask | None) -> Sequence[Finding]:  # noqa: ARG002  the batches say it all
        """Judge the windows that have passed."""
        return self._board.close(now_ns)

    def _judge(self, series: Series, cell: Cell, window_ns: int, looks: int = 1) -> Verdict | None:
        slots = series.history.usual(cell.number * window_ns, _TRAILING)
        rates = [slot.calls / slot.windows for slot in slots if slot.windows]
        if len(rates) < _LEAST_SLOTS:
            return None
        most, least = max(rates), min(rates)
        floods = cell.calls > most * self._config.surge + 10
        if floods and statistics.poisson_tail(cell.calls, most) < _SURGE_CHANCE / looks:
            return self._verdict(series, cell, "surge", most)
        # Only at its end can too few calls have come.
        drops = looks == 1 and least >= self._config.least and cell.calls < least * self._config.drop
        if drops and statistics.poisson_head(cell.calls, least) < _DROP_CHANCE:
            return self._verdict(series, cell, "drop", least)
        return None

    def _verdict(self, series: Series, cell: Cell, rule: str, usual: float) -> Verdict:
        minutes = self._config.window_s / 60
        change = "floods" if rule == "surge" else "has nearly stopped"
        title = f"traffic of {about(series)} {change}: {cell.calls} calls in {minutes:g} min, usually {usual:.0f}"
        facts: dict[str, Any] = {"usual": round(usual, 2), "observed": cell.calls}
        shown = evidence_of([held for held in series.recent if held.shown][-6:])
        severity = Severity.MEDIUM if rule == "surge" else Severity.HIGH
        return Verdict(rule, title, severity, 0.8, cell.number, facts, shown)

    def save(self) -> bytes:
        """Return all series."""
        return self._board.save()

    def restore(self, state: bytes) -> None:
        """Go on from saved series. Raises `ValueError`."""
        self._board.restore(state)


def build(config: Config) -> Throughput:
    """Return the detector."""
    return Throughput(config)


def _requests(minutes: int, rates: dict[int, int]) -> list[dict[str, Any]]:
    """Return five requests a minute, and `rates[m]` from the minute `m` on."""
    found: list[dict[str, Any]] = []
    rate = 5
    for minute in range(minutes):
        rate = rates.get(minute, rate)
        for number in range(rate):
            at = 1_772_000_100_000_000_000 + minute * 60 * 10**9 + number * 60 * 10**9 // rate
            attributes = {"http.route": "/answer"}
            found.append({"@timestamp": at, "serviceName": "web", "kind": "SPAN_KIND_SERVER", "attributes": attributes})
    other = {"@timestamp": 1_772_000_100_000_000_000 + minutes * 60 * 10**9, "serviceName": "other"}
    return [*found, other]


EXAMPLES = (
    Example("requests stop", "spans", _requests(170, {150: 0}), ("drop",), 60),
    Example("requests flood", "spans", _requests(170, {150: 60}), ("surge",), 60),
    Example("requests come as ever", "spans", _requests(170, {}), (), 60),
)
