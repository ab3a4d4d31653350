"""Kinds of log lines that are new, burst or vanish, and bursts of errors by service.

Lines are told apart by `template.id`, or by a mask of their own where a record has none. *New*: an error of a kind that
its service has not had before, three within an hour, once the service is known for `learn_s` seconds. *Burst*: one
kind many times as often as in its busiest window before (Poisson test). *Vanished*: a kind that came in nearly every
window for hours and does not any more while its service goes on. *Errors*: records of level error and above of a
service, against the busiest window before. It does not know sequences, nor which of two kinds matters more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.detect import _statistics as statistics
from treering.detect._evidence import HOST, evidence, named
from treering.detect._lines import LONGEST
from treering.detect._recent import recent
from treering.detect._shapes import shapes
from treering.model.finding import Evidence, Finding, Severity
from treering.stage.detector import Example

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from treering.model.rows import Rows
    from treering.stage.detector import Ask

NAME = "templates"
ORDER_FREE = False
_WARN, _ERROR, _MOST_LEVEL = 13, 17, 24
_MOST_SERVICES = 300
_MOST_KINDS = 4000
_KEPT_WINDOWS = 24
_MOST_WINDOWS = 288
_CHANCE = 1e-9
_STEADY = 0.9
_SOON_NS = 3600 * 10**9
_GONE = 4


class Config(BaseConfig, frozen=True):
    """What is new, much, or gone."""

    window_s: Annotated[float, Meta(ge=10, le=3600, description="seconds of a window")] = 300.0
    learn_s: Annotated[float, Meta(ge=0, description="seconds a service is only learnt")] = 7200.0
    burst: Annotated[float, Meta(gt=1, description="times the busiest window before that is a burst")] = 4.0
    least: Annotated[int, Meta(ge=1, description="least records of a burst")] = 20
    new: Annotated[int, Meta(ge=1, description="records of a new kind with which it is told")] = 3
    level: Annotated[int, Meta(ge=0, le=24, description="least severity number of a new kind that is told")] = 17


class Kind(msgspec.Struct):
    """One kind of line of one service: records by window number, how many of the windows before had it."""

    service: str
    shape: str
    first_ns: int
    counts: dict[int, int] = {}
    windows: int = 0
    total: int = 0
    level: int = 0
    told: int = -1_000_000
    gone: int = -1
    closed: int = -1
    sample: Evidence | None = None
    host: str = ""


class Service(msgspec.Struct):
    """When a service was seen first and last."""

    first_ns: int
    last_ns: int


class _State(msgspec.Struct):
    kinds: list[Kind]
    services: dict[str, Service]


class Templates:
    """Counts kinds of lines by service and window."""

    streams = frozenset({"logs"})

    def __init__(self, config: Config) -> None:
        """Start with nothing known."""
        self._config = config
        self._window_ns = int(config.window_s * 1e9)
        self._kinds: dict[tuple[str, str], Kind] = {}
        self._services: dict[str, Service] = {}
        self.every_s = config.window_s

    def observe(self, rows: Rows) -> Sequence[Finding]:
        """Count the lines of a batch; what is new is told at once."""
        services, names = rows.codes("serviceName")
        codes, known = shapes(rows)
        lines_of = np.flatnonzero(codes >= 0)
        keys = services[lines_of].astype(np.int64) * (len(known) + 1) + codes[lines_of]
        groups = [
            ((_named(names, services[part.first]), known[codes[part.first]]), part)
            for part in _parts(keys, lines_of, rows)
        ]
        failed = np.flatnonzero(rows.numbers("severityNumber") >= _ERROR)
        errors = _parts(services[failed], failed, rows)
        groups += [((_named(names, services[part.first]), "errors"), part) for part in errors]
        groups.sort(key=lambda group: group[1].first)
        return [finding for key, part in groups for finding in self._count(rows, key, part)]

    def _count(self, rows: Rows, key: tuple[str, str], part: _Part) -> Iterable[Finding]:
        kind, first_ns = self._kinds.pop(key, None), int(rows.times[part.first])
        service = self._service(key[0], first_ns)
        is_new = kind is None
        if kind is None:
            kind = Kind(key[0], key[1], first_ns, host=rows.text(HOST, part.first) or "")
        self._kinds[key] = kind
        if len(self._kinds) > _MOST_KINDS:
            del self._kinds[next(iter(self._kinds))]
        for number, count in part.by_window(rows.times, self._window_ns):
            kind.counts[number] = kind.counts.get(number, 0) + count
        service.last_ns = max(service.last_ns, part.last_ns)
        before, kind.total = kind.total, kind.total + len(part.places)
        if is_new or kind.sample is None or len(kind.counts) > _KEPT_WINDOWS + 2:
            self._refresh(rows, kind, part.first)
        if before < self._config.new <= kind.total and kind.shape != "errors":
            yield from self._new(kind, service, part.last_ns)

    def _refresh(self, rows: Rows, kind: Kind, index: int) -> None:
        kind.sample = evidence(rows, index, "body", (rows.text("body", index) or "")[:LONGEST])
        level = rows.numbers("severityNumber")[index]
        kind.level = int(level) if 0 <= level <= _MOST_LEVEL else 0
        # Windows that have not been judged yet still need those before them.
        oldest = max(min(max(kind.counts), kind.closed), max(kind.counts) - _MOST_WINDOWS) - _KEPT_WINDOWS
        kind.counts = {number: count for number, count in kind.counts.items() if number >= oldest}

    def _service(self, name: str, at_ns: int) -> Service:
        return recent(self._services, name, _MOST_SERVICES, Service, at_ns, at_ns)

    def _new(self, kind: Kind, service: Service, at_ns: int) -> Iterable[Finding]:
        known_ns = kind.first_ns - service.first_ns
        if kind.level < self._config.level or known_ns < self._config.learn_s * 1e9:
            return
        if at_ns - kind.first_ns > _SOON_NS:
            return
        shown = kind.sample.excerpt[:100] if kind.sample is not None else ""
        severity = Severity.MEDIUM if kind.level >= _ERROR else Severity.LOW
        facts = {"known_s": known_ns / 1e9, "level": kind.level}
        found = self._finding("new", f"new in {kind.service}: {shown}", severity, kind, kind.first_ns, facts)
        yield msgspec.structs.replace(found, end_ns=max(at_ns, kind.first_ns), noticed_ns=max(at_ns, kind.first_ns))

    def tick(self, now_ns: int, ask: Ask | None) -> Sequence[Finding]:  # noqa: ARG002  the lines say it all
        """Judge the windows that have passed."""
        until = now_ns // self._window_ns
        found: list[Finding] = []
        for kind in self._kinds.values():
            for number in sorted(number for number in kind.counts if kind.closed < number < until):
                kind.closed = number
                found += self._burst(kind, number)
            found += self._vanished(kind, until)
        return found

    def _burst(self, kind: Kind, number: int) -> Iterable[Finding]:
        kind.windows += 1
        count = kind.counts[number]
        if count < self._config.least or self._young(kind, number):
            return
        earlier = [held for at, held in kind.counts.items() if number - _KEPT_WINDOWS <= at < number - 1]
        usual = max(earlier, default=0)
        if not usual and kind.level < _WARN:
            return  # a job that starts
        if count < max(usual, 1) * self._config.burst or statistics.poisson_tail(count, max(usual, 1)) > _CHANCE:
            return
        # A burst that lasts for some windows is one.
        kind.told, number = (number, number) if number - kind.told > _KEPT_WINDOWS else (kind.told, kind.told)
        shown = kind.sample.excerpt[:80] if kind.sample is not None else ""
        facts = {"observed": count, "usual": usual, "window_s": self._config.window_s}
        at_ns = number * self._window_ns
        if kind.shape == "errors":
            title = f"{count} errors of {kind.service or 'a service'} in a window, at most {usual} before: {shown}"
            yield self._finding("error_burst", title, Severity.HIGH, kind, at_ns, facts)
        else:
            severity = Severity.MEDIUM if kind.level >= _WARN else Severity.LOW
            title = f"{count} times in a window, at most {usual} before, in {kind.service or 'a service'}: {shown}"
            yield self._finding("burst", title, severity, kind, at_ns, facts)

    def _young(self, kind: Kind, number: int) -> bool:
        service = self._services.get(kind.service)
        return service is None or number * self._window_ns - service.first_ns < self._config.learn_s * 1e9

    def _vanished(self, kind: Kind, until: int) -> Iterable[Finding]:
        """A kind is gone when it came in nearly all of the last hours' windows, then in none, while others came."""
        if kind.shape == "errors" or not kind.counts or self._young(kind, until):
            return
        newest = max(kind.counts)
        silent = until - 1 - newest
        # When time jumps far beyond that, records are read late: then silence says nothing.
        if not _GONE <= silent <= 2 * _GONE or kind.gone == newest:
            return
        steady = sum(1 for number in kind.counts if newest - _KEPT_WINDOWS < number <= newest)
        service = self._services.get(kind.service)
        goes_on = service is not None and service.last_ns >= (newest + _GONE) * self._window_ns
        if steady < _STEADY * _KEPT_WINDOWS or not goes_on:
            return
        kind.gone = newest
        shown = kind.sample.excerpt[:80] if kind.sample is not None else ""
        title = f"no more in {kind.service or 'a service'}: {shown}"
        facts = {"silent_windows": silent, "steady_windows": steady}
        yield self._finding("vanished", title, Severity.LOW, kind, (newest + 1) * self._window_ns, facts)

    def _finding(
        self, rule: str, title: str, severity: Severity, kind: Kind, start_ns: int, facts: dict[str, Any]
    ) -> Finding:
        noticed_ns = start_ns if rule == "new" else start_ns + self._window_ns * (_GONE if rule == "vanished" else 1)
        shape = None if kind.shape == "errors" else kind.shape
        return Finding(
            detector=NAME,
            rule=rule,
            title=title,
            severity=severity,
            key=(kind.service, kind.shape, str(start_ns)),
            start_ns=start_ns,
            end_ns=noticed_ns,
            noticed_ns=noticed_ns,
            score=0.6 if severity.rank < Severity.HIGH.rank else 0.9,
            entities=named([("service", kind.service), ("host", kind.host), ("template", shape)]),
            evidence=(kind.sample,) if kind.sample is not None else (),
            facts=facts,
        )

    def save(self) -> bytes:
        """Return kinds and services, those that were quiet longest first."""
        return msgspec.msgpack.encode(_State(list(self._kinds.values()), self._services))

    def restore(self, state: bytes) -> None:
        """Go on from saved kinds. Raises `ValueError`."""
        held = msgspec.msgpack.decode(state, type=_State)
        self._kinds = {(kind.service, kind.shape): kind for kind in held.kinds}
        self._services = held.services


class _Part(NamedTuple):
    """Records that have something in common: the first of them, all of them, and between which times they are."""

    first: int
    places: NDArray[np.int64]
    first_ns: int
    last_ns: int

    def by_window(self, times: NDArray[np.int64], window_ns: int) -> Iterable[tuple[int, int]]:
        """Return the numbers of the windows in which they are, with how many are in each."""
        if self.first_ns // window_ns == self.last_ns // window_ns:
            return ((self.first_ns // window_ns, len(self.places)),)
        windows, counts = np.unique(times[self.places] // window_ns, return_counts=True)
        return zip(windows.tolist(), counts.tolist(), strict=True)


def _parts(keys: NDArray[Any], places: NDArray[np.int64], rows: Rows) -> Iterable[_Part]:
    """Return the records at `places` by `keys`, one for each of them."""
    if not len(keys):
        return ()
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(keys[order])))
    places = places[order]
    times = rows.times[places]
    ends = [*starts[1:].tolist(), len(places)]
    low, high = np.minimum.reduceat(times, starts).tolist(), np.maximum.reduceat(times, starts).tolist()
    every = zip(starts.tolist(), ends, places[starts].tolist(), low, high, strict=True)
    return [_Part(first, places[start:end], low, high) for start, end, first, low, high in every]


def _named(names: Sequence[str], code: int) -> str:
    return names[code] if code >= 0 else ""


def build(config: Config) -> Templates:
    """Return the detector."""
    return Templates(config)


def _line(second: int, body: str, level: int = 9) -> dict[str, Any]:
    at = 1_772_000_100_000_000_000 + second * 10**9
    return {"@timestamp": at, "serviceName": "web", "severityNumber": level, "body": body}


_QUIET = [_line(second, f"request {second} served") for second in range(0, 10_800, 60)]
_BEATS = [_line(second, f"heartbeat {second}") for second in range(0, 9_000, 100)]

EXAMPLES = (
    Example(
        "an error that was never seen",
        "logs",
        [*_QUIET, *(_line(10_800 + n, "cannot open socket", 17) for n in range(3))],
        ("new",),
    ),
    Example("a single error", "logs", [*_QUIET, _line(10_800, "cannot open socket", 17)]),
    Example("a kind of line that bursts", "logs",
            [*_QUIET, *(_line(n, f"cache miss for {n}") for n in range(8_000, 10_800, 100)),
             *(_line(10_800 + n, f"cache miss for {n}") for n in range(0, 240, 2))], ("burst",), 900),
    Example("many errors of many kinds", "logs",
            [*_QUIET, _line(100, "lost a packet", 17),
             *(_line(10_800 + n, f"lost {'abcdefgh'[n % 8]}", 17) for n in range(200))],
            ("new", "error_burst", "burst"), 900),
    Example("a heartbeat that stops", "logs", [*_QUIET, *_BEATS], ("vanished",), 30),
    Example("lines as ever, and a new kind that is no trouble", "logs", [*_QUIET, _line(10_800, "config reloaded")],
            (), 900),
)  # fmt: skip
