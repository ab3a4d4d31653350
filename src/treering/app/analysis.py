"""What is in these records, in counts: bounded memory whatever their number.

Counts by minute, level, service and pattern are kept, never the records; so any number of files fits.
"""

from __future__ import annotations

import heapq
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from treering.app.patterns import Patterns
from treering.model.times import format_ns, rfc3339_ns
from treering.parse.outcomes import first_text, told

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from treering.parse.digest import Group
    from treering.parse.shapeplans import Verdict

MINUTE = 60 * 10**9
SHOWN = 10
_MOST_MINUTES = 200_000
_MOST_CALLS = 5
_ERROR = 17  # OpenTelemetry severity numbers: 17 to 20 error, 21 to 24 fatal
_WARN = 13
_CAUSES = ("error", "err", "error.message", "cause", "statusMessage", "status_message", "errorMessage")
_FEW = 10
_MILLION = 1_000_000
# Not those that count errors or deny them; numbers of patterns are masked.
_TROUBLE = re.compile(
    r"(?<![\w./=-])(?:(?<!no )(?<!without )(?<!> )(?:error|exception|failed|failure|fatal|panic|refused|denied|"
    r"unauthorized|forbidden|timed out|out of memory|killed|crashed|unavailable)"
    r"(?! (?:count|rate|ratio|budget|code|handl))(?![\w.=/-]|s?[:=]? ?(?:<\*>|none|null|false|0)(?!\w))|"
    r"(?:NODE_FAIL|OUT_OF_ME\w*|OOMKilled|CrashLoopBackOff|ImagePullBackOff|ErrImagePull|Evicted)(?!\w))",
    re.IGNORECASE,
)
_INPUT = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
_OUTPUT = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion")
_MODEL = ("gen_ai.response.model", "gen_ai.request.model", "llm.model_name")
_LEVELS = ("trace", "debug", "info", "warn", "error", "fatal")


@dataclass(slots=True)
class Analysis:
    """The counts so far."""

    files: list[dict[str, Any]] = field(default_factory=list)
    bytes: int = 0
    records: int = 0
    undated: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    damaged: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    levels: Counter[str] = field(default_factory=Counter)
    services: Counter[str] = field(default_factory=Counter)
    minutes: Counter[int] = field(default_factory=Counter)
    errors: Counter[int] = field(default_factory=Counter)
    patterns: Patterns = field(default_factory=Patterns)
    calls: int = 0
    slowest: list[tuple[float, int, dict[str, Any]]] = field(default_factory=list)
    costliest: list[tuple[float, int, dict[str, Any]]] = field(default_factory=list)
    first_ns: int | None = None
    last_ns: int | None = None
    _named: dict[int, tuple[Verdict, str | None]] = field(default_factory=dict)

    def add(self, record: Mapping[str, Any]) -> None:
        """Count one record."""
        self.records += 1
        number = record.get("severityNumber")
        level = _level(number)
        self.levels[level or "none"] += 1
        self._serve(record.get("serviceName"))
        moment = _instant(record.get("@timestamp"))
        if moment is None:
            self.undated += 1
        else:
            self._date(moment, is_error=level in {"error", "fatal"} or _failed(record))
        if body := _said(record):
            self.patterns.add(body, moment, level)
        attributes = record.get("attributes")
        if isinstance(attributes, dict):
            self._call(record, attributes, moment)

    def add_group(self, group: Group) -> None:
        """Count lines that say the same."""
        record, count = group.verdict.record, group.count
        self.records += count
        level = _level(record.get("severityNumber"))
        self.levels[level or "none"] += count
        self._serve(record.get("serviceName"), count)
        if group.first_ns is None or group.last_ns is None:
            self.undated += count
        else:
            self._date(group.first_ns, is_error=False, count=0)
            self._date(group.last_ns, is_error=False, count=0)
        for minute, within in group.minutes.items():
            self._minute(minute, within, is_error=level in {"error", "fatal"})
        verdict = id(group.verdict)
        if verdict not in self._named:
            self._named[verdict] = group.verdict, self.patterns.name(_said(record))
        self.patterns.add_many(self._named[verdict][1], _said(record), level, group)

    def _serve(self, service: Any, count: int = 1) -> None:
        if isinstance(service, str) and (service in self.services or len(self.services) < 1000):
            self.services[service] += count

    def _date(self, moment: int, *, is_error: bool, count: int = 1) -> None:
        self.first_ns = moment if self.first_ns is None else min(self.first_ns, moment)
        self.last_ns = moment if self.last_ns is None else max(self.last_ns, moment)
        if count:
            self._minute(moment // MINUTE, count, is_error=is_error)

    def _minute(self, minute: int, count: int, *, is_error: bool) -> None:
        if minute in self.minutes or len(self.minutes) < _MOST_MINUTES:
            self.minutes[minute] += count
            if is_error:
                self.errors[minute] += count

    def _call(self, record: Mapping[str, Any], attributes: Mapping[str, Any], moment: int | None) -> None:
        model = _first(attributes, _MODEL)
        duration = record.get("durationInNanos")
        tokens = sum(value for names in (_INPUT, _OUTPUT) if isinstance(value := _first(attributes, names), int))
        if not isinstance(model, str) or not (tokens or isinstance(duration, int)):
            return
        self.calls += 1
        about = {
            "model": model,
            "name": record.get("name") or record.get("body"),
            "time": None if moment is None else format_ns(moment),
            "service": record.get("serviceName"),
            "trace_id": record.get("traceId"),
            "duration_ms": duration / _MILLION if isinstance(duration, int) else None,
            "tokens": tokens,
        }
        if isinstance(duration, int):
            _keep(self.slowest, duration, self.calls, about)
        if tokens:
            _keep(self.costliest, tokens, self.calls, about)

    def report(self) -> dict[str, Any]:
        """Return everything as plain values, ready for JSON."""
        span = None if self.first_ns is None or self.last_ns is None else (self.last_ns - self.first_ns) / 1e9
        return {
            "files": self.files,
            "bytes": self.bytes,
            "records": self.records,
            "without_time": self.undated,
            "rejected": dict(self.rejected),
            "damaged": self.damaged,
            "first": None if self.first_ns is None else format_ns(self.first_ns),
            "last": None if self.last_ns is None else format_ns(self.last_ns),
            "per_second": round(self.records / span, 3) if span else None,
            "peak": self._peak(),
            "levels": {level: self.levels[level] for level in (*reversed(_LEVELS), "none") if self.levels[level]},
            "services": dict(sorted(self.services.items(), key=lambda item: (-item[1], item[0]))[:SHOWN]),
            "loudest": self.patterns.loudest(SHOWN),
            "troubles": self._troubles(),
            "newest": self.patterns.newest(SHOWN, self.first_ns, self.last_ns),
            "loudest_errors": self.patterns.loudest(SHOWN, ("fatal", "error")),
            "loudest_warnings": self.patterns.loudest(SHOWN, ("warn",)),
            "changes": self.patterns.changes(self.first_ns, self.last_ns),
            "other_patterns": self.patterns.other,
            "bursts": self._bursts(),
            "minutes": len(self.minutes),
            "longest_silence": silence(self.minutes),
            "skipped": list(self.skipped),
            "model_calls": self.calls,
            "slowest_calls": [about for _, _, about in sorted(self.slowest, key=lambda item: -item[0])],
            "costliest_calls": [about for _, _, about in sorted(self.costliest, key=lambda item: -item[0])],
        }

    def _troubles(self) -> dict[str, Any]:
        """Return how many messages without a level speak of trouble, and the commonest."""
        found = self.patterns.speaking(_TROUBLE)
        return {"records": sum(one["count"] for one in found), "patterns": found[:SHOWN]}

    def _bursts(self) -> list[dict[str, Any]]:
        found = bursts(self.errors, self.minutes)
        for burst in found:
            span = range((rfc3339_ns(burst["from"]) or 0) // MINUTE, (rfc3339_ns(burst["to"]) or 0) // MINUTE)
            burst["mostly"] = self.patterns.within(span, ("fatal", "error"))
        return found

    def _peak(self) -> dict[str, Any] | None:
        if not self.minutes:
            return None
        minute, count = max(self.minutes.items(), key=lambda item: (item[1], -item[0]))
        return {"minute": format_ns(minute * MINUTE), "records": count}


def is_plain(record: Mapping[str, Any]) -> bool:
    """Whether nothing of a record is looked at but its time, level, service and message."""
    attributes = record.get("attributes", {})
    return not any(name in attributes for names in (_MODEL, _INPUT, _OUTPUT) for name in names)


def bursts(errors: Mapping[int, int], minutes: Mapping[int, int]) -> list[dict[str, Any]]:
    """Return runs of minutes with far more errors than usual, the worst first.

    Far more: above the median of all minutes by six median absolute deviations (at least 5 errors), which a few bursts
    cannot shift (Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993).
    """
    if not errors:
        return []
    counts = sorted([*errors.values(), *[0] * (len(minutes) - len(errors))])
    median = counts[len(counts) // 2]
    spread = sorted(abs(count - median) for count in counts)[len(counts) // 2]
    limit = max(5.0, median + 6 * 1.4826 * spread, 2 * median + 1)
    runs: list[list[int]] = []
    for minute in sorted(minute for minute, count in errors.items() if count >= limit):
        if runs and minute - runs[-1][-1] <= 2:
            runs[-1].append(minute)
        else:
            runs.append([minute])
    found = [
        {
            "from": format_ns(run[0] * MINUTE),
            "to": format_ns((run[-1] + 1) * MINUTE),
            "errors": sum(errors.get(minute, 0) for minute in range(run[0], run[-1] + 1)),
            "usual_per_minute": median,
        }
        for run in runs
    ]
    found.sort(key=lambda burst: -int(str(burst["errors"])))
    return found[:SHOWN]


def silence(minutes: Mapping[int, int]) -> dict[str, Any] | None:
    """Return the longest gap between minutes with records, if it is ten minutes and twenty times the usual gap."""
    ordered = sorted(minutes)
    if len(ordered) < _FEW:
        return None
    gaps = sorted((later - earlier, earlier) for earlier, later in pairwise(ordered))
    usual, (longest, since) = gaps[len(gaps) // 2][0], gaps[-1]
    if longest < max(10, 20 * usual):
        return None
    return {"from": format_ns((since + 1) * MINUTE), "minutes": longest - 1, "usual_minutes": usual}


def _level(number: Any) -> str | None:
    return _LEVELS[(number - 1) // 4] if isinstance(number, int) and 1 <= number <= 24 else None


def _failed(record: Mapping[str, Any]) -> bool:
    """Whether a span ended in error (OTLP status code 2)."""
    status = record.get("status")
    return isinstance(status, dict) and status.get("code") in {2, "2", "ERROR", "Error", "STATUS_CODE_ERROR"}


def _said(record: Mapping[str, Any]) -> str:
    """Return the message; that of the exception or of a field `error` too, where it does not say which."""
    body, attributes = record.get("body"), record.get("attributes")
    said = body if isinstance(body, str) else ""
    kind = attributes.get("exception.type") if isinstance(attributes, dict) else None
    if isinstance(attributes, dict) and isinstance(kind, str) and kind.rpartition(".")[2] not in said:
        message = str(attributes.get("exception.message") or "").partition("\n")[0]
        said = said.removesuffix("Traceback (most recent call last):").rstrip(": ")
        return f"{said}: {kind}: {message}"[:2000]
    if isinstance(attributes, dict) and (record.get("severityNumber") or 0) >= _WARN:
        error = first_text(attributes, _CAUSES) or ("" if said else told(attributes))
        if error and error not in said:
            return f"{said}: {error.partition(chr(10))[0]}"[:2000] if said else error[:2000]
    return said


def _instant(value: Any) -> int | None:
    if isinstance(value, str):
        return rfc3339_ns(value)
    return value if isinstance(value, int) else None


def _first(attributes: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((attributes[name] for name in names if name in attributes), None)


def _keep(heap: list[tuple[float, int, dict[str, Any]]], size: float, order: int, about: dict[str, Any]) -> None:
    """Keep the greatest few; `order` decides between equals so that records are never compared."""
    if len(heap) < _MOST_CALLS:
        heapq.heappush(heap, (size, -order, about))
    else:
        heapq.heappushpop(heap, (size, -order, about))
