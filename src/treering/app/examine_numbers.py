"""What records measure: durations that rise, requests that fail.

Looked at are numbers of records that come one by one (JSON, tables, spans) under names that say duration or status.
A step is slow when its geometric mean is half again the usual (the median of all steps) and more than six robust
standard deviations (1.4826 MAD) above it, on the logarithms. It does not tell endpoints or models apart.
"""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from treering.app.examiner import Examiner, Remark
from treering.model.times import format_ns, rfc3339_ns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from treering.app.examiner import File
    from treering.parse.digest import Group

_BUCKET_NS = 10 * 10**9
_MOST_BUCKETS, _MOST_NAMES, _MOST_RECORDS = 200_000, 16, 2_000_000
_STEPS, _LEAST_STEPS, _LEAST_IN_STEP = 240, 8, 3
_TIMES, _SIGMAS, _MAD = 1.5, 6.0, 1.4826
_FAILING = 0.01
_REGULAR = 0.9
_DURATION = re.compile(
    r"(?:^|[._/-])(?:latency|duration|elapsed|response_?time|ttft|time_to_first_(?:token|chunk|byte)|took|request_time)"
    r"(?:[._-]?(?:ns|us|ms|s|sec|seconds|millis|nanos))?$|^durationInNanos$",
    re.IGNORECASE,
)
# What stands at a level of its own: how high it is says something, and how low.
_GAUGE = re.compile(
    r"(?:^|[ ._/-])(?:temperature|utilization|usage|memory|cost|tokens|requests|queue|waiting|throughput|loss)"
    r"(?:[._-](?:gpu|used|usd|percent|total|in|out|count|size|length|\w{2,8}))?(?: ?\[[^\]]{1,5}\])?$",
    re.IGNORECASE,
)
_STATUS = re.compile(r"(?:^|[._])(?:status|status_?code|response_?code|http_status)$", re.IGNORECASE)
_REFUSED = {400: "(bad request)", 401: "(no valid key)", 403: "(forbidden)", 408: "(timeout)", 413: "(too large)",
            429: "(too many requests)", 499: "(client gave up)"}  # fmt: skip
_FEW_REFUSED = 3
# `HTTP Request: POST https://… "HTTP/1.1 429 Too Many Requests"`, as httpx and with it most clients of models write.
_ANSWERED = re.compile(r'HTTP Request: .{1,2000}"HTTP/\d(?:\.\d)? (\d{3}) [A-Z]')
_PHRASES = ("Internal Server Error", "Bad Gateway", "Service Unavailable", "Gateway Timeout")


@dataclass(slots=True)
class _Series:
    """Sums of logarithms and counts by bucket of ten seconds, of durations or of a gauge."""

    is_gauge: bool = False
    sums: dict[int, float] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)

    def add(self, bucket: int, value: float) -> None:
        if bucket in self.counts:
            self.sums[bucket] += value
            self.counts[bucket] += 1
        elif len(self.counts) < _MOST_BUCKETS:
            self.sums[bucket], self.counts[bucket] = value, 1


@dataclass(slots=True)
class _Answers:
    """Requests, those refused by status, and those that failed on the server's side by bucket of ten seconds."""

    all: int = 0
    failed: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    first_failed: int | None = None
    last_failed: int | None = None

    def add(self, bucket: int | None, status: int, count: int = 1) -> None:
        self.all += count
        if status in _REFUSED:
            self.refused[status] += count
        if status >= 500:
            self.failed += count
            if bucket is not None:
                self.first_failed = bucket if self.first_failed is None else min(self.first_failed, bucket)
                self.last_failed = bucket if self.last_failed is None else max(self.last_failed, bucket)


class Numbers(Examiner):
    """Follows durations and statuses of each file."""

    name = "measures"

    def __init__(self) -> None:
        """Begin without numbers."""
        self._found: list[dict[str, Any]] = []
        self._remarks: list[Remark] = []
        self._file = ""
        self._seen = 0
        self._series: dict[str, _Series] = {}
        self._answers = _Answers()
        self._kinds: dict[str, str] = {}

    def begin(self, file: File) -> None:
        """Take the next file."""
        self._file, self._series, self._answers = file.name, {}, _Answers()

    def wants(self, record: Mapping[str, Any]) -> bool:
        """Whether a record measures something, as long as there are not too many."""
        attributes = record.get("attributes", record)
        return (
            self._seen < _MOST_RECORDS
            and isinstance(attributes, dict)
            and any(isinstance(value, int | float) and self._kind(name) for name, value in attributes.items())
        )

    def _kind(self, name: str) -> str:
        kind = self._kinds.get(name)
        if kind is None:
            kinds = (("duration", _DURATION), ("status", _STATUS), ("gauge", _GAUGE))
            kind = next((kind for kind, pattern in kinds if pattern.search(name)), "")
            if len(self._kinds) < 10_000:
                self._kinds[name] = kind
        return kind

    def record(self, record: Mapping[str, Any], stream: str) -> None:
        """Note the numbers of a record."""
        if stream not in {"logs", "spans"} or self._seen >= _MOST_RECORDS:
            return
        self._seen += 1
        bucket = _bucket(record)
        attributes = record.get("attributes", record)
        measures = attributes.items() if isinstance(attributes, dict) else ()
        kinds = [(self._kind(name), name, value) for name, value in measures if isinstance(value, int | float)]
        for kind, name, value in kinds:
            if kind in {"duration", "gauge"} or (kind and "attributes" in record):  # else `Outcomes` reads it
                self._note(kind, name, value, bucket)
        if (status := _spoken(record)) and not any(kind == "status" for kind, _, _ in kinds):
            self._answers.add(bucket, status)
        duration = record.get("durationInNanos")
        if isinstance(duration, int):
            self._note("duration", "durationInNanos", duration, bucket)

    def group(self, group: Group) -> None:
        """Count the answers of access logs that spell the status out."""
        record = group.verdict.record
        status = record.get("attributes", {}).get("http.response.status_code")
        if isinstance(status, int):
            failed = status >= 500 and any(phrase in str(record.get("body")) for phrase in _PHRASES)
            self._answers.add(None, 500 if failed else 200, group.count)
        elif status := _spoken(record):
            self._answers.add(None, status, group.count)

    def _note(self, kind: str, name: str, value: float, bucket: int | None) -> None:
        if kind == "status":
            if type(value) is int and 100 <= value <= 599:
                self._answers.add(bucket, value)
        elif bucket is not None and value > 0 and math.isfinite(value):
            if name not in self._series and len(self._series) >= _MOST_NAMES:
                return
            self._series.setdefault(name, _Series(kind == "gauge")).add(bucket, math.log(value))

    def end(self) -> None:
        """Judge the file's numbers."""
        for name, series in self._series.items():
            for rise in _rises(series):
                self._found.append({"file": self._file, "name": name, **rise})
                title = f"{name} is {rise['times']:g} times its usual {_number(rise['usual'])} from {_span(rise)}"
                detail = f"{rise['count']:,} records, {_number(rise['value'])} on average (geometric mean)"
                if rise["count"] == 1:
                    detail = _number(rise["value"])
                weight = 56 + min(24.0, 8 * abs(math.log2(rise["times"])))
                self._remarks.append(Remark(weight, "level" if series.is_gauge else "slow", title, detail, self._file))
        self._failures()

    def _refusals(self) -> None:
        """Tell of answers that say no to many: rate limits, missing rights, requests that cannot be read."""
        for status, count in self._answers.refused.most_common(2):
            share = count / self._answers.all
            if count >= _FEW_REFUSED and share >= _FAILING:
                about = {"requests": self._answers.all, "refused": count, "status_code": status}
                self._found.append({"file": self._file, "name": "status", **about, "share": round(share, 4)})
                answer = f"answered {status} {_REFUSED[status]} ({share:.1%})"
                title = f"{count:,} of {self._answers.all:,} requests were {answer}"
                self._remarks.append(Remark(48 + min(20.0, 100 * share), "refused requests", title, "", self._file))

    def _failures(self) -> None:
        found = self._answers
        self._refusals()
        if not found.failed:
            return
        share = found.failed / found.all
        about: dict[str, Any] = {"requests": found.all, "failed": found.failed, "share": round(share, 4)}
        detail = ""
        if found.first_failed is not None and found.last_failed is not None:
            about |= {"from": _clock(found.first_failed), "to": _clock(found.last_failed + 1)}
            detail = f"from {_span(about)}"
        self._found.append({"file": self._file, "name": "status", **about})
        title = f"{found.failed:,} of {found.all:,} requests failed on the server's side ({share:.1%})"
        weight = 54 + min(22.0, 100 * share) if share >= _FAILING else 42.0
        self._remarks.append(Remark(weight, "failed requests", title, detail, self._file))

    def remarks(self) -> list[Remark]:
        """Return what rose and what failed."""
        return self._remarks

    def details(self) -> Any:
        """Return the same as plain values."""
        return self._found or None


def states_status(attributes: Mapping[str, Any]) -> bool:
    """Whether one of `attributes` is the status of an answer."""
    return any(
        type(value) is int and 100 <= value <= 599 and _STATUS.search(name) for name, value in attributes.items()
    )


def _spoken(record: Mapping[str, Any]) -> int:
    """Return the status of an answer that a client's message tells with its phrase, 0 for none."""
    body = record.get("body")
    found = _ANSWERED.search(body) if isinstance(body, str) and "HTTP/" in body else None
    return int(found[1]) if found else 0


def _bucket(record: Mapping[str, Any]) -> int | None:
    value = next((record[name] for name in ("@timestamp", "startTime") if name in record), None)
    moment = rfc3339_ns(value) if isinstance(value, str) else value
    return moment // _BUCKET_NS if isinstance(moment, int) else None


def _rises(series: _Series) -> Iterator[dict[str, Any]]:
    """Yield the runs of steps in which the number is far above its usual, a gauge far below it too, the worst three."""
    if not series.counts or (series.is_gauge and not (pace := _pace(series))):
        return
    first, last = min(series.counts), max(series.counts)
    span, total_count = last - first + 1, sum(series.counts.values())
    least = 1 if series.is_gauge else _LEAST_IN_STEP
    # Not more steps than let each have some records; of a gauge one is enough.
    width = max(1, -(-span // min(_STEPS, max(1, total_count // (2 * _LEAST_IN_STEP)))))
    if series.is_gauge:
        width = max(pace, -(-span // _STEPS))
    steps: dict[int, tuple[float, int]] = {}
    for bucket, count in series.counts.items():
        total, held = steps.get(bucket // width, (0.0, 0))
        steps[bucket // width] = total + series.sums[bucket], held + count
    means = {step: total / count for step, (total, count) in steps.items() if count >= least}
    if len(means) < _LEAST_STEPS:
        return
    usual = statistics.median(means.values())
    spread = _MAD * statistics.median(abs(mean - usual) for mean in means.values())
    limit = max(math.log(_TIMES), _SIGMAS * spread)
    high = sorted(step for step, mean in means.items() if mean > usual + limit)
    low = sorted(step for step, mean in means.items() if series.is_gauge and mean < usual - limit)
    runs = [*_runs(high), *_runs(low)]
    if series.is_gauge:  # what begins low warms up
        runs = [run for run in runs if run[0] != min(means)]
    found = [_rise(run, steps, usual, width) for run in runs]
    yield from sorted(found, key=lambda rise: -max(rise["times"], 1 / rise["times"]) * math.log(1 + rise["count"]))[:3]


def _pace(series: _Series) -> int:
    """Return how many buckets apart numbers come if they do so regularly, as many each; else 0.

    Only then does the height of a gauge say something by itself.
    """
    buckets = sorted(series.counts)
    gaps = [later - before for before, later in pairwise(buckets)]
    if not gaps:
        return 0
    gap, each = statistics.mode(gaps), statistics.median(series.counts.values())
    regular = sum(abs(one - gap) <= 1 for one in gaps) / len(gaps)
    even = sum(abs(count - each) <= 1 for count in series.counts.values()) / len(buckets)
    return gap if min(regular, even) >= _REGULAR else 0


def _runs(steps: Sequence[int]) -> list[list[int]]:
    runs = [[step] for step in steps[:1]]
    for before, step in pairwise(steps):
        if step - before <= 2:
            runs[-1].append(step)
        else:
            runs.append([step])
    return runs


def _rise(run: Sequence[int], steps: Mapping[int, tuple[float, int]], usual: float, width: int) -> dict[str, Any]:
    inside = [steps[step] for step in range(run[0], run[-1] + 1) if step in steps]
    count = sum(held for _, held in inside)
    mean = sum(total for total, _ in inside) / count
    return {
        "from": _clock(run[0] * width),
        "to": _clock((run[-1] + 1) * width),
        "usual": float(f"{math.exp(usual):.3g}"),
        "value": float(f"{math.exp(mean):.3g}"),
        "times": float(f"{math.exp(mean - usual):.2g}"),
        "count": count,
    }


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:g}"


def _clock(bucket: int) -> str:
    return format_ns(bucket * _BUCKET_NS)


def _span(about: Mapping[str, Any]) -> str:
    return f"{about['from'][:19].replace('T', ' ')} to {about['to'][:19].replace('T', ' ')}"
