"""Request traces of inference services: arrivals and token counts, one request a line, as CSV or JSON lines.

Known are the columns of the Azure LLM inference traces, BurstGPT and Mooncake, and their obvious variants. Memory does
not grow with the number of requests but for the distinct prefix blocks, of which at most five million are kept.
"""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from treering.parse.times import TimeParser

if TYPE_CHECKING:
    from collections.abc import Sequence

SECOND = 10**9
_NAMES = {
    "time": "timestamp time arrival arrivaltime arrivedat",
    "input": "contexttokens inputlength inputtokens prompttokens numprefilltokens requesttokens promptlen",
    "output": "generatedtokens outputlength outputtokens completiontokens numdecodetokens responsetokens outputlen",
    "model": "model modelname",
    "blocks": "hashids blockhashids",
}
_MOST_BLOCKS = 5_000_000
_MOST_SECONDS = 5_000_000
_TOKENS_STEP = 1.02
_plain = re.compile(r"[^a-z]")
_objects = msgspec.json.Decoder(dict[str, Any])


class Distribution:
    """Positive numbers by logarithmic class of 2 %: quantiles are exact to one percent, memory is constant."""

    def __init__(self) -> None:
        """Begin empty."""
        self.count = self.total = self.most = 0
        self._classes: Counter[int] = Counter()

    def add(self, value: int) -> None:
        """Add one number."""
        self.count += 1
        self.total += value
        self.most = max(self.most, value)
        self._classes[-1 if value <= 0 else round(math.log(value, _TOKENS_STEP))] += 1

    def quantile(self, share: float) -> int:
        """Return the number below which a share (0 to 1) lies."""
        left = share * self.count
        for one in sorted(self._classes):
            left -= self._classes[one]
            if left <= 0:
                return 0 if one < 0 else min(self.most, round(_TOKENS_STEP**one))
        return self.most

    def about(self) -> dict[str, float]:
        """Return mean, quantiles and maximum."""
        return {
            "mean": round(self.total / self.count, 1) if self.count else 0,
            "p50": self.quantile(0.5),
            "p95": self.quantile(0.95),
            "p99": self.quantile(0.99),
            "max": self.most,
            "total": self.total,
        }


@dataclass(slots=True)
class Traffic:
    """The requests of one trace."""

    requests: int = 0
    unreadable: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    unit: str = ""
    input: Distribution = field(default_factory=Distribution)
    output: Distribution = field(default_factory=Distribution)
    models: dict[str, list[int]] = field(default_factory=dict)
    seconds: Counter[int] = field(default_factory=Counter)
    blocks: int = 0
    known_blocks: int = 0
    reused_tokens: float = 0
    block_tokens: int = 0
    _seen: set[int] = field(default_factory=set)
    _columns: dict[str, str | int] | None = None
    _kind: str = "?"
    _times: TimeParser = field(default_factory=TimeParser)
    _gaps: tuple[int, float, float] = (0, 0.0, 0.0)

    @property
    def is_trace(self) -> bool:
        """Whether the lines are requests."""
        return self._kind in {"csv", "json"} and self.requests > 0

    def feed(self, lines: Sequence[str]) -> None:
        """Take in lines of the trace, in order."""
        if self._kind == "no" or not lines:
            return
        if self._kind == "?":
            self._columns = self._header(lines[0])
            if self._columns is None:
                self._kind = "no"
                return
            lines = lines[1:] if self._kind == "csv" else lines
        read = _cells if self._kind == "csv" else _decoded
        for line in lines:
            self._request(read(line))

    def _header(self, line: str) -> dict[str, str | int] | None:
        """Return where each thing stands in a line, from the first one."""
        if line.startswith("{"):
            self._kind = "json"
            held = _decoded(line)
            named: list[tuple[str, str | int]] = [(name, name) for name in held]
        else:
            self._kind = "csv"
            named = [(name, place) for place, name in enumerate(_cells(line[:2000]))]
        found: dict[str, str | int] = {}
        for name, place in named:
            for what, names in _NAMES.items():
                if _plain.sub("", name.lower()) in names.split():
                    found.setdefault(what, place)
        return found if {"time", "input", "output"} <= found.keys() else None

    def _request(self, row: Any) -> None:
        columns = self._columns or {}
        try:
            moment = self._moment(row[columns["time"]])
            read, written = int(row[columns["input"]]), int(row[columns["output"]])
        except (KeyError, IndexError, ValueError, TypeError, OverflowError):
            self.unreadable += 1
            return
        self.requests += 1
        self.input.add(read)
        self.output.add(written)
        self._arrived(moment)
        if "model" in columns:
            model = str(row[columns["model"]] if self._kind == "csv" else row.get(columns["model"]))
            if model in self.models or len(self.models) < 1000:
                pair = self.models.setdefault(model, [0, 0])
                pair[0] += read
                pair[1] += written
        if "blocks" in columns and isinstance(blocks := row.get(columns["blocks"]), list):
            self._prefix(blocks, read)

    def _moment(self, value: Any) -> int:
        """Return nanoseconds; bare numbers count from the start of the trace, whole ones milliseconds."""
        if isinstance(value, str) and not value.replace(".", "", 1).isdigit():
            self.unit = "clock"
            moment = self._times(value.strip())
            if moment is None:
                raise ValueError
            return moment
        if isinstance(value, float) or (isinstance(value, str) and "." in value) or self._kind == "csv":
            self.unit = "seconds"
            return int(float(value) * SECOND)
        self.unit = "milliseconds"
        return int(value) * 1_000_000

    def _arrived(self, moment: int) -> None:
        if self.last_ns is not None:
            gap = (moment - self.last_ns) / SECOND
            count, total, squares = self._gaps
            self._gaps = count + 1, total + gap, squares + gap * gap
        self.first_ns = moment if self.first_ns is None else min(self.first_ns, moment)
        self.last_ns = moment if self.last_ns is None else max(self.last_ns, moment)
        if len(self.seconds) < _MOST_SECONDS:
            self.seconds[moment // SECOND] += 1

    def _prefix(self, blocks: list[Any], tokens: int) -> None:
        """Count the leading blocks that an unlimited prefix cache would hold from earlier requests."""
        if not blocks or not all(isinstance(one, int) for one in blocks):
            return
        known = next((place for place, one in enumerate(blocks) if one not in self._seen), len(blocks))
        self.blocks += len(blocks)
        self.known_blocks += known
        self.block_tokens = max(self.block_tokens, math.ceil(tokens / len(blocks)))
        self.reused_tokens += tokens * known / len(blocks)
        if len(self._seen) < _MOST_BLOCKS:
            self._seen.update(blocks)

    def about(self) -> dict[str, Any]:
        """Return rates, token distributions, burstiness and what a prefix cache could save."""
        span = ((self.last_ns or 0) - (self.first_ns or 0)) / SECOND
        minutes = self._minutes()
        ordered = sorted(minutes.values())
        middle = ordered[len(ordered) // 2] if ordered else 0
        found: dict[str, Any] = {
            "requests": self.requests,
            "unreadable": self.unreadable,
            "seconds": round(span, 3),
            "requests_per_second": round(self.requests / span, 3) if span else None,
            "median_per_minute": middle,
            "peak_minute": self._peak(minutes),
            "gap_variation": self._variation(),
            "dispersion": self._dispersion(),
            "bursts": self._bursts(minutes, middle),
            "input_tokens": self.input.about(),
            "output_tokens": self.output.about(),
            "output_share": round(self.output.total / max(1, self.input.total + self.output.total), 4),
            "models": {name: {"input": pair[0], "output": pair[1]} for name, pair in self.models.items()},
            "prefix_cache": None,
        }
        if self.blocks:
            found["prefix_cache"] = {
                "blocks": self.blocks,
                "distinct_blocks": len(self._seen),
                "block_hit_share": round(self.known_blocks / self.blocks, 4),
                "input_token_share": round(self.reused_tokens / max(1, self.input.total), 4),
            }
        return found

    def _minutes(self) -> dict[int, int]:
        start = (self.first_ns or 0) // SECOND
        minutes: Counter[int] = Counter()
        for second, count in self.seconds.items():
            minutes[(second - start) // 60] += count
        # The last one is rarely whole; minutes without any request count too.
        last = max(minutes, default=0)
        return {minute: minutes[minute] for minute in range(max(1, min(last, 1_000_000)))}

    def _peak(self, minutes: dict[int, int]) -> dict[str, int] | None:
        if not minutes:
            return None
        minute = max(minutes, key=lambda one: (minutes[one], -one))
        return {"minute": minute, "requests": minutes[minute]}

    def _variation(self) -> float | None:
        """Return the coefficient of variation of the gaps between arrivals: 1 is Poisson, more is bursty."""
        count, total, squares = self._gaps
        if count < 2 or total <= 0:
            return None
        mean = total / count
        return round(math.sqrt(max(0.0, squares / count - mean * mean)) / mean, 3)

    def _dispersion(self) -> float | None:
        """Return variance over mean of the requests a second: 1 is Poisson."""
        span = ((self.last_ns or 0) - (self.first_ns or 0)) // SECOND + 1
        if span < 10:
            return None
        mean = self.requests / span
        squares = sum(count * count for count in self.seconds.values()) / span
        return round((squares - mean * mean) / mean, 3) if mean else None

    def _bursts(self, minutes: dict[int, int], middle: int) -> list[dict[str, int]]:
        """Return the minutes six robust standard deviations (at least Poisson's) above the median, the worst first."""
        if len(minutes) < 10:
            return []
        gaps = sorted(abs(count - middle) for count in minutes.values())
        spread = max(1.4826 * gaps[len(gaps) // 2], math.sqrt(middle + 1))
        found = [(count, minute) for minute, count in minutes.items() if count > middle + 6 * spread]
        return [{"minute": minute, "requests": count} for count, minute in sorted(found, reverse=True)[:10]]


def _cells(line: str) -> list[str]:
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return []


def _decoded(line: str) -> dict[str, Any]:
    try:
        return _objects.decode(line.encode("utf-8", "replace"))
    except (msgspec.DecodeError, RecursionError):
        return {}
