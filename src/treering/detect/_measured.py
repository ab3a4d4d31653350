"""A detector over values of calls, one value a call: latency, tokens, cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from treering.detect._calls import calls
from treering.detect._cells import keep_values
from treering.detect._evidence import evidence
from treering.detect._levels import LevelJudge, Levels
from treering.detect._series import Board

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from treering.detect._calls import Calls
    from treering.detect._cells import Cell
    from treering.detect._series import Series
    from treering.model.finding import Evidence, Finding
    from treering.model.rows import Rows
    from treering.stage.detector import Ask

_SHOWN = 3
_ROUNDED = 1e-5
"""More than what is lost when a value is shown with six digits."""


class Measured:
    """Follows one value of each call by subject and tells when it rises."""

    def __init__(
        self,
        name: str,
        settings: Levels,
        read: tuple[tuple[str, ...], Callable[[Calls], NDArray[np.float64]]],
        rule: str,
        title: Callable[[Series, float, float], str],
        streams: frozenset[str] = frozenset({"spans"}),
    ) -> None:
        """Take the values that `read` gives: the fields they come from, and how."""
        self._fields, self._values = read
        self.streams = streams
        self._board = Board(name, settings, LevelJudge(settings, rule, title), _best)
        self._every_s = settings.window_s / settings.looks

    @property
    def every_s(self) -> float:
        """A part of a window."""
        return self._every_s

    def observe(self, rows: Rows) -> Sequence[Finding]:
        """Put the values of a batch into parts of windows; nothing is found before these have passed."""
        if not any(rows.has(field) for field in self._fields):
            return ()
        batch = calls(rows)
        values = self._values(batch)
        for _, places, cell in self._board.calls(batch, ~np.isnan(values)):
            keep_values(cell, values[places])
            for place in _greatest(cell, values, places):
                if len(cell.shown) < _SHOWN or values[place] > float(cell.shown[-1].excerpt):
                    _show(cell, evidence(rows, place, self._fields[0], f"{values[place]:.6g}"))
        return ()

    def tick(self, now_ns: int, ask: Ask | None) -> Sequence[Finding]:  # noqa: ARG002  the batches say it all
        """Judge the windows that have passed."""
        return self._board.close(now_ns)

    def save(self) -> bytes:
        """Return all series."""
        return self._board.save()

    def restore(self, state: bytes) -> None:
        """Go on from saved series. Raises `ValueError`."""
        self._board.restore(state)


def _greatest(cell: Cell, values: NDArray[np.float64], places: NDArray[np.int64]) -> list[int]:
    """Return those of `places` whose values may be among the greatest of the window, in their order."""
    if len(cell.shown) >= _SHOWN:
        places = places[values[places] > float(cell.shown[-1].excerpt)]
    if len(places) > _SHOWN:
        third = np.partition(values[places], -_SHOWN)[-_SHOWN]
        places = places[values[places] >= third * (1 - _ROUNDED)]
    chosen: list[int] = places.tolist()
    return chosen


def _show(cell: Cell, shown: Evidence) -> None:
    """Keep the greatest values of a window: what is slow behind a gateway is slow at the gateway, so both show it."""
    cell.shown = _best([*cell.shown, shown])


def _best(held: list[Evidence]) -> list[Evidence]:
    return sorted(held, key=lambda one: (-float(one.excerpt), one.trace_id))[:_SHOWN]


def about(series: Series) -> str:
    """Return how titles call a subject."""
    kind, service, name = series.subject
    return f"{service}" if kind == "service" else f"{name} of {service}"
