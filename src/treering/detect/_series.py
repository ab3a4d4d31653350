"""Series of windows and their anomalies: what `latency`, `errors`, `throughput`, `tokens` and `cost` have in common.

Values gather in windows; a window is judged once time has passed it, in order. An anomaly begins when `sustained`
windows show it, or one does and nothing follows that could say otherwise (`stands`), and ends when `recovered` in a row
are not; odd windows do not enter the history, unless the anomaly lasts so long that it must be the new normal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Protocol

import msgspec
import numpy as np
from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.detect._calls import Subject
from treering.detect._evidence import named
from treering.detect._history import Distribution, History
from treering.model.finding import Evidence, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from treering.detect._calls import Calls

LOOK_BACK = 60
WEEK = 7 * 24 * 12
_MOST_VALUES = 256
MOST_SHOWN = 5
_MOST_PENDING = 3000


class Windows(BaseConfig, frozen=True):
    """How series are cut into windows and anomalies into beginning and end."""

    window_s: Annotated[float, Meta(ge=1, le=3600, description="seconds of a window")] = 60.0
    sustained: Annotated[int, Meta(ge=1, le=20, description="windows that must show an anomaly")] = 2
    stands: Annotated[
        int, Meta(ge=0, le=60, description="windows without calls after an odd one, after which it is told; 0: never")
    ] = 0
    recovered: Annotated[int, Meta(ge=1, le=60, description="usual windows in a row that end it")] = 5
    accepted_s: Annotated[float, Meta(gt=0, description="seconds after which an anomaly is the new normal")] = 21_600.0
    history_s: Annotated[float, Meta(ge=0, description="seconds of history before anything is judged")] = 3600.0
    most_series: Annotated[int, Meta(ge=1, le=5000, description="series that are followed at the same time")] = 300


class Cell(msgspec.Struct):
    """One window of one series: calls, those that count, values (a part of them when there are many), records."""

    number: int
    calls: int = 0
    hits: int = 0
    values: list[float] = []
    shown: list[Evidence] = []


class Open(msgspec.Struct):
    """An anomaly that goes on."""

    start_ns: int
    noticed_ns: int
    end_ns: int
    told_ns: int
    calm: int = 0
    title: str = ""
    rule: str = ""
    severity: str = "medium"


class Series(msgspec.Struct):
    """What is known of one subject."""

    subject: Subject
    history: History = msgspec.field(default_factory=History)
    distribution: Distribution = msgspec.field(default_factory=Distribution)
    pending: dict[int, Cell] = {}
    recent: list[Cell] = []
    held: list[Cell] = []
    odd: int = 0
    judged: int = -1
    open: Open | None = None


class Verdict(NamedTuple):
    """That a window is odd: what rule says so, how, since which window, with what facts and records.

    `windows` says in how many windows by themselves it shows: several calls that are odd in one are not yet a change.
    """

    rule: str
    title: str
    severity: Severity
    score: float
    since: int
    facts: dict[str, Any]
    evidence: tuple[Evidence, ...] = ()
    windows: int = 1


class Judge(Protocol):
    """Says whether the newest window of a series is odd."""

    def __call__(self, series: Series, cell: Cell, window_ns: int) -> Verdict | None:
        """Return why `cell`, the last of `series.recent`, is odd, or None when it is not."""
        ...


class Board:
    """All series of one detector."""

    def __init__(self, detector: str, windows: Windows, judge: Judge, *, fill: bool = False) -> None:
        """Judge windows by `judge`; with `fill` windows without any call are judged too."""
        self._detector = detector
        self._windows = windows
        self._judge = judge
        self._fill = fill
        self.window_ns = int(windows.window_s * 1e9)
        self._series: dict[Subject, Series] = {}

    def series(self, subject: Subject) -> Series:
        """Return the series of a subject; the one that was quiet longest makes room for a new one."""
        held = self._series.pop(subject, None)
        if held is None:
            if len(self._series) >= self._windows.most_series:
                del self._series[next(iter(self._series))]
            held = Series(subject)
        self._series[subject] = held
        return held

    def calls(
        self, batch: Calls, chosen: NDArray[np.bool_] | None = None
    ) -> Iterator[tuple[Subject, NDArray[np.int64], Cell]]:
        """Yield subject, rows and window of the calls of a batch, those that are `chosen`, that can still be judged."""
        for subject, whole in batch.groups.items():
            places = whole if chosen is None else whole[chosen[whole]]
            series = self.series(subject) if len(places) else None
            for number, part in batch.parts(places, self.window_ns):
                if series is not None and (cell := self.cell(series, number)) is not None:
                    yield subject, part, cell

    def cell(self, series: Series, number: int) -> Cell | None:
        """Return the window of `series` with this number, None when it was judged long ago."""
        held = series.pending.get(number)
        if held is None:
            if number < series.judged - LOOK_BACK or len(series.pending) >= _MOST_PENDING:
                return None
            held = series.pending[number] = Cell(number)
        return held

    def close(self, now_ns: int) -> list[Finding]:
        """Judge every window that ended before `now_ns`."""
        until = now_ns // self.window_ns
        found: list[Finding] = []
        for series in list(self._series.values()):
            if self._fill:
                self._add_empty(series, until)
            for number in sorted(number for number in series.pending if number < until):
                found += self._stands(series, number)
                found += self._closed(series, series.pending.pop(number))
            found += self._stands(series, until)
        return found

    def _stands(self, series: Series, until: int) -> Iterable[Finding]:
        """Tell of what was odd in the newest window when no call has come since that could say otherwise."""
        last = series.judged + 1 + self._windows.stands
        if not self._windows.stands or not series.held or series.open is not None or until < last:
            return ()
        verdict = self._judge(series, series.held[-1], self.window_ns)
        return () if verdict is None else (self._begun(series, verdict, last * self.window_ns),)

    def _add_empty(self, series: Series, until: int) -> None:
        newest = max(series.pending, default=series.judged)
        first = series.judged + 1 if series.judged >= 0 else min(series.pending, default=until)
        for number in range(max(first, until - WEEK), until):
            if number not in series.pending and (series.open is not None or number <= newest + LOOK_BACK):
                series.pending[number] = Cell(number)

    def _closed(self, series: Series, cell: Cell) -> Iterable[Finding]:
        at_ns = cell.number * self.window_ns
        series.judged = max(series.judged, cell.number)
        series.recent = [held for held in series.recent if held.number > cell.number - LOOK_BACK]
        series.recent.append(cell)
        verdict = None
        if series.history.span_ns(at_ns) >= self._windows.history_s * 1e9:
            verdict = self._judge(series, cell, self.window_ns)
        if verdict is None:
            return self._calm(series, cell)
        return self._odd(series, cell, verdict)

    def _odd(self, series: Series, cell: Cell, verdict: Verdict) -> Iterable[Finding]:
        series.odd += 1
        end_ns = (cell.number + 1) * self.window_ns
        if series.open is None:
            series.held.append(cell)
            if max(series.odd, verdict.windows) < self._windows.sustained:
                return ()
            return (self._begun(series, verdict, end_ns),)
        opened = series.open
        opened.calm, opened.end_ns = 0, end_ns
        if end_ns - opened.start_ns > self._windows.accepted_s * 1e9:
            series.open, series.odd, series.recent = None, 0, []
            self._remember(series, cell)
            return (self._finding(series, opened, verdict._replace(facts={**verdict.facts, "accepted": True})),)
        # All series show new records at the same times, so that those of a gateway and of what is behind it meet.
        period_ns = max(300 * 10**9, 10 * self.window_ns)
        if end_ns // period_ns == opened.told_ns // period_ns:
            return ()
        opened.told_ns = end_ns
        return (self._finding(series, opened, verdict),)

    def _begun(self, series: Series, verdict: Verdict, now_ns: int) -> Finding:
        start_ns = min(verdict.since, series.held[0].number) * self.window_ns
        series.held = []
        about = verdict.title, verdict.rule, verdict.severity.value
        series.open = Open(start_ns, now_ns, now_ns, now_ns, 0, *about)
        return self._finding(series, series.open, verdict)

    def _calm(self, series: Series, cell: Cell) -> Iterable[Finding]:
        series.odd = 0
        for held in (*series.held, cell):
            if series.open is None:
                self._remember(series, held)
        series.held = []
        opened = series.open
        if opened is None or (not cell.calls and not self._fill):
            return ()
        opened.calm += 1
        if opened.calm < self._windows.recovered:
            return ()
        series.open = None
        # What was odd is over: it must not be pooled with the first slow call that comes after it.
        series.recent = [held for held in series.recent if held.number * self.window_ns >= opened.end_ns]
        ended = Verdict(opened.rule, opened.title, Severity(opened.severity), 0.0, 0, {"ended": True})
        return (self._finding(series, opened, ended),)

    def _remember(self, series: Series, cell: Cell) -> None:
        at_ns = cell.number * self.window_ns
        level = _level(cell.values)
        series.history.add(at_ns, cell.calls, cell.hits, level)
        if cell.values:
            series.distribution.add(cell.values, at_ns)

    def _finding(self, series: Series, opened: Open, verdict: Verdict) -> Finding:
        kind, service, name = series.subject
        return Finding(
            detector=self._detector,
            rule=verdict.rule,
            title=verdict.title,
            severity=verdict.severity,
            key=(kind, service, name, str(opened.start_ns)),
            start_ns=opened.start_ns,
            end_ns=opened.end_ns,
            noticed_ns=opened.noticed_ns,
            score=verdict.score,
            entities=named([("service", service), (kind, name)]),
            evidence=verdict.evidence,
            facts=verdict.facts,
        )

    def save(self) -> bytes:
        """Return all series."""
        return msgspec.msgpack.encode(list(self._series.values()))

    def restore(self, state: bytes) -> None:
        """Go on from saved series. Raises `ValueError`."""
        series = msgspec.msgpack.decode(state, type=list[Series])
        self._series = {held.subject: held for held in series}


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
    if len(cell.shown) + of > MOST_SHOWN:
        held.sort(key=shown_rank)
    cell.shown = held[:MOST_SHOWN]


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


def _level(values: list[float]) -> float:
    from treering.detect._statistics import median

    return median(values) if values else 0.0
