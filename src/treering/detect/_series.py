"""Series of windows and their anomalies: what `latency`, `errors`, `throughput`, `tokens` and `cost` have in common.

Values gather in parts of windows, and these grow into windows in the order of time; a window is judged when it is full,
and at the end of each part, so that an anomaly is told as soon as the evidence suffices. It begins when `sustained`
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
from treering.detect._cells import Cell, join
from treering.detect._evidence import named
from treering.detect._history import Distribution, History
from treering.detect._statistics import median
from treering.model.finding import Evidence, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from treering.detect._calls import Calls

LOOK_BACK = 60
WEEK = 7 * 24 * 12
_MOST_PENDING = 3000


class Windows(BaseConfig, frozen=True):
    """How series are cut into windows and anomalies into beginning and end."""

    window_s: Annotated[float, Meta(ge=1, le=3600, description="seconds of a window")] = 60.0
    looks: Annotated[
        int, Meta(ge=1, le=60, description="equal parts of a window, at the end of each of which it is judged")
    ] = 4
    sustained: Annotated[int, Meta(ge=1, le=20, description="windows that must show an anomaly")] = 2
    stands: Annotated[
        int, Meta(ge=0, le=60, description="windows without calls after an odd one, after which it is told; 0: never")
    ] = 0
    recovered: Annotated[int, Meta(ge=1, le=60, description="usual windows in a row that end it")] = 5
    accepted_s: Annotated[float, Meta(gt=0, description="seconds after which an anomaly is the new normal")] = 21_600.0
    history_s: Annotated[float, Meta(ge=0, description="seconds of history before anything is judged")] = 3600.0
    most_series: Annotated[int, Meta(ge=1, le=5000, description="series that are followed at the same time")] = 300


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
    """What is known of one subject; parts of windows are `pending`, the window that they make is `growing`."""

    subject: Subject
    history: History = msgspec.field(default_factory=History)
    distribution: Distribution = msgspec.field(default_factory=Distribution)
    pending: dict[int, Cell] = {}
    growing: Cell | None = None
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

    def __call__(self, series: Series, cell: Cell, window_ns: int, looks: int = 1) -> Verdict | None:
        """Return why `cell`, the last of `series.recent`, is odd, or None when it is not.

        One that has not ended is looked at up to `looks` times: each look may be wrong as often as all may together,
        divided by their number (Bonferroni).
        """
        ...


class Board:
    """All series of one detector."""

    def __init__(
        self,
        detector: str,
        windows: Windows,
        judge: Judge,
        best: Callable[[list[Evidence]], list[Evidence]],
        *,
        fill: bool = False,
    ) -> None:
        """Judge windows by `judge`; with `fill` windows without any call are judged too.

        `best` says which records of two parts of a window are kept.
        """
        self._detector = detector
        self._windows = windows
        self._judge = judge
        self._best = best
        self._fill = fill
        self._looks = windows.looks
        self.window_ns = int(windows.window_s * 1e9)
        self.part_ns = self.window_ns // windows.looks
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
        """Yield subject, rows and part of a window of the `chosen` calls of a batch that can still be judged."""
        for subject, whole in batch.groups.items():
            places = whole if chosen is None else whole[chosen[whole]]
            series = self.series(subject) if len(places) else None
            for number, part in batch.parts(places, self.part_ns):
                if series is not None and (cell := self.cell(series, number)) is not None:
                    yield subject, part, cell

    def cell(self, series: Series, number: int) -> Cell | None:
        """Return the part with this number of a window of `series`, None when that was judged long ago."""
        held = series.pending.get(number)
        if held is None:
            if number // self._looks < series.judged - LOOK_BACK or len(series.pending) >= _MOST_PENDING:
                return None
            held = series.pending[number] = Cell(number)
        return held

    def close(self, now_ns: int) -> list[Finding]:
        """Judge every window that ended before `now_ns`, and the one that has not as far as it has come."""
        until = now_ns // self.part_ns
        found: list[Finding] = []
        for series in list(self._series.values()):
            if self._fill:
                self._add_empty(series, until // self._looks)
            for number in sorted(number for number in series.pending if number < until):
                found += self._grown(series, number, series.pending.pop(number))
            found += self._full(series, until // self._looks)
            found += self._stands(series, until // self._looks)
        return found

    def _grown(self, series: Series, number: int, part: Cell) -> Iterator[Finding]:
        """Add a part to the window that grows, and judge it: so far, or once and for all when it is full."""
        window = part.number = number // self._looks
        yield from self._full(series, window)
        growing = series.growing
        if growing is None and window > series.judged:
            growing = series.growing = part
        elif growing is not None and window == growing.number:
            join(growing, part, self._best)
        else:
            yield from self._closed(series, part)  # late
            return
        yield from self._full(series, (number + 1) // self._looks)
        if series.growing is not None and series.open is None:
            yield from self._early(series, growing, (number + 1) * self.part_ns)

    def _full(self, series: Series, until: int) -> Iterator[Finding]:
        """Judge the window that grows when it ended before the window `until`."""
        cell = series.growing
        if cell is None or cell.number >= until:
            return
        series.growing = None
        yield from self._stands(series, cell.number)
        yield from self._closed(series, cell)

    def _early(self, series: Series, cell: Cell, now_ns: int) -> Iterator[Finding]:
        """Tell of a window that is odd already and will be the last that was wanted for an anomaly."""
        if not self._is_known(series, cell):
            return
        judged = series.recent
        series.recent = [*self._look_back(series, cell), cell]
        verdict = self._judge(series, cell, self.window_ns, self._looks)
        series.recent = judged
        if verdict is not None and max(series.odd + 1, verdict.windows) >= self._windows.sustained:
            series.held.append(cell)
            yield self._begun(series, verdict, now_ns)

    def _is_known(self, series: Series, cell: Cell) -> bool:
        return series.history.span_ns(cell.number * self.window_ns) >= self._windows.history_s * 1e9

    def _look_back(self, series: Series, cell: Cell) -> list[Cell]:
        return [held for held in series.recent if held.number > cell.number - LOOK_BACK]

    def _stands(self, series: Series, until: int) -> Iterable[Finding]:
        """Tell of what was odd in the newest window when no call has come since that could say otherwise."""
        last = series.judged + 1 + self._windows.stands
        if not self._windows.stands or not series.held or series.open is not None or until < last:
            return ()
        verdict = self._judge(series, series.held[-1], self.window_ns)
        return () if verdict is None else (self._begun(series, verdict, last * self.window_ns),)

    def _add_empty(self, series: Series, until: int) -> None:
        held = {number // self._looks for number in series.pending}
        if series.growing is not None:
            held.add(series.growing.number)
        newest = max(held, default=series.judged)
        first = series.judged + 1 if series.judged >= 0 else min(held, default=until)
        for number in range(max(first, until - WEEK), until):
            if number not in held and (series.open is not None or number <= newest + LOOK_BACK):
                last = (number + 1) * self._looks - 1
                series.pending[last] = Cell(last)

    def _closed(self, series: Series, cell: Cell) -> Iterable[Finding]:
        series.judged = max(series.judged, cell.number)
        series.recent = [*self._look_back(series, cell), cell]
        verdict = self._judge(series, cell, self.window_ns) if self._is_known(series, cell) else None
        return self._calm(series, cell) if verdict is None else self._odd(series, cell, verdict)

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
        level = median(cell.values) if cell.values else 0.0
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
