"""Windows of a series, or parts of them: what came in, some of the values, some of the records."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from treering.model.finding import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

_MOST_VALUES = 256
MOST_SHOWN = 5


class Cell(msgspec.Struct):
    """A window of a series or a part of one: calls, those that count, values (not all when there are many), records."""

    number: int
    calls: int = 0
    hits: int = 0
    values: list[float] = []
    shown: list[Evidence] = []


def join(cell: Cell, part: Cell, best: Callable[[list[Evidence]], list[Evidence]]) -> None:
    """Add a part to its window; where one of them holds every other value only, so does the other."""
    while part.values and cell.values and 2 * len(part.values) * cell.calls > 3 * len(cell.values) * part.calls:
        part.values = part.values[::2]
    while part.values and cell.values and 2 * len(cell.values) * part.calls > 3 * len(part.values) * cell.calls:
        cell.values = cell.values[::2]
    cell.values = [*cell.values, *part.values]
    _halve(cell)
    cell.calls += part.calls
    cell.hits += part.hits
    cell.shown = best([*cell.shown, *part.shown])


def keep_values(cell: Cell, values: NDArray[np.float64]) -> None:
    """Count calls and add their values to a window; of very many every other value is kept, then every fourth …"""
    if cell.calls + len(values) < _MOST_VALUES:
        cell.calls += len(values)
        cell.values = [*cell.values, *values.tolist()]
        return
    numbers = np.arange(cell.calls + 1, cell.calls + 1 + len(values))
    steps = 2 ** np.ceil(np.log2(numbers // _MOST_VALUES + 1)).astype(np.int64)
    kept = np.flatnonzero(numbers % steps == 0)
    cell.calls += len(values)
    at = 0
    while at < len(kept):
        _halve(cell)
        part = kept[at : at + _MOST_VALUES - len(cell.values)]
        cell.values = [*cell.values, *values[part].tolist()]
        at += len(part)
    if len(values) > (int(kept[-1]) + 1 if len(kept) else 0):
        _halve(cell)


def _halve(cell: Cell) -> None:
    if len(cell.values) >= _MOST_VALUES:
        cell.values = cell.values[::2]


def keep_shown(cell: Cell, shown: Sequence[Evidence], of: int) -> None:
    """Keep records of a window as evidence: those whose trace ids sort first; `shown` are the first ones of `of`.

    So two subjects that the same traces pass, a gateway and what is behind it, show the same traces (coordinated
    sampling: Cohen, "Stream sampling for frequency cap statistics", KDD 2015), by which their findings are joined.
    """
    held = [*cell.shown, *shown]
    cell.shown = held if len(cell.shown) + of <= MOST_SHOWN else first_shown(held)


def first_shown(held: list[Evidence]) -> list[Evidence]:
    """Return those records that `keep_shown` keeps of a window."""
    return sorted(held, key=shown_rank)[:MOST_SHOWN]


def shown_rank(shown: Evidence) -> tuple[str, int]:
    """Return the order in which `keep_shown` prefers records."""
    return shown.trace_id or "~", shown.seq


def pool(recent: Sequence[Cell], windows: int) -> list[Cell]:
    """Return the cells of the last `windows` windows, newest last."""
    newest = recent[-1].number
    return [cell for cell in recent if newest - windows < cell.number <= newest]


def evidence_of(cells: Sequence[Cell], most: int = 8) -> tuple[Evidence, ...]:
    """Return records of the newest windows."""
    return tuple(shown for cell in reversed(cells) for shown in cell.shown)[:most]
