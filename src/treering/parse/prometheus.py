"""Prometheus' text format 0.0.4 and OpenMetrics 1.0 to data points, one record each, as OTLP's metrics are.

Samples of one histogram or summary with the same labels become one record. Names stay as they are exposed; the labels
are the attributes. Sources: prometheus.io/docs/instrumenting/exposition_formats, the OpenMetrics specification.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from treering.model.times import epoch_ns

if TYPE_CHECKING:
    from treering.stage.parser import Record

_SAMPLE = re.compile(
    r"([a-zA-Z_:][\w:.]*+)(?:\{((?:[^\"}]|\"(?:[^\"\\]|\\.)*+\")*+)\})?\s++(\S++)(?:\s++(-?[\d.eE+-]++))?"
    r"(?:\s*+#\s*+\{((?:[^\"}]|\"(?:[^\"\\]|\\.)*+\")*+)\}\s++(\S++)(?:\s++(\S++))?)?\s*+"
)
_LABEL = re.compile(r"\s*+(?:([a-zA-Z_][\w.]*+)|\"((?:[^\"\\]|\\.)*+)\")\s*+=\s*+\"((?:[^\"\\]|\\.)*+)\"\s*+,?")
_ABOUT = re.compile(r"#\s++(HELP|TYPE|UNIT)\s++([a-zA-Z_:][\w:.]*+)\s?(.*)")
_ESCAPE = re.compile(r"\\(.)")
_SECOND, _MILLISECOND = 1_000_000_000, 1_000_000
_CUMULATIVE = "AGGREGATION_TEMPORALITY_CUMULATIVE"
# Endings of the samples of a metric, by its type.
_ENDINGS = {
    "counter": ("_total", "_created"),
    "histogram": ("_bucket", "_sum", "_count", "_created"),
    "gaugehistogram": ("_bucket", "_gsum", "_gcount"),
    "summary": ("_sum", "_count", "_created"),
    "info": ("_info",),
}
_TYPES = frozenset({*_ENDINGS, "gauge", "unknown", "untyped", "stateset"})


@dataclass(slots=True)
class Exposition:
    """The data points of a page, and how many of its lines are no samples."""

    records: list[Record] = field(default_factory=list)
    rejected: int = 0


@dataclass(slots=True)
class _Family:
    kind: str = "unknown"
    help: str = ""
    unit: str = ""


@dataclass(slots=True)
class _Group:
    """What has come of one histogram or summary with one set of labels."""

    labels: dict[str, str]
    time: int | None
    buckets: list[tuple[float, float]] = field(default_factory=list)
    quantiles: list[tuple[float, float]] = field(default_factory=list)
    sum: float | None = None
    count: float | None = None
    created: int | None = None
    exemplars: list[Record] = field(default_factory=list)


def parse(text: str, now_ns: int, shared: Record | None = None, *, openmetrics: bool = False) -> Exposition:
    """Return the data points of a page; each has the fields of `shared`, and `now_ns` where it has no time.

    Times are milliseconds, in OpenMetrics seconds.
    """
    return _Page(now_ns, shared or {}, _SECOND if openmetrics else _MILLISECOND).read(text)


class _Page:
    def __init__(self, now_ns: int, shared: Record, unit: int) -> None:
        self.now_ns = now_ns
        self.shared = shared
        self.unit = unit
        self.out = Exposition()
        self.families: dict[str, _Family] = {}
        self.groups: dict[tuple[str, tuple[tuple[str, str], ...]], _Group] = {}
        self.created: dict[tuple[str, tuple[tuple[str, str], ...]], int] = {}
        self.counters: list[tuple[str, dict[str, str], Record]] = []

    def read(self, text: str) -> Exposition:
        for raw in text.split("\n"):
            line = raw.strip()
            if line.startswith("#"):
                self._about(line)
            elif line and not self._sample(line):
                self.out.rejected += 1
        for (base, _), group in self.groups.items():
            self._close(base, group)
        for base, labels, record in self.counters:
            if (start := self.created.get((base, tuple(sorted(labels.items()))))) is not None:
                record["startTime"] = start
        return self.out

    def _about(self, line: str) -> None:
        if found := _ABOUT.match(line):
            what, name, text = found.groups()
            family = self.families.setdefault(name, _Family())
            if what == "TYPE":
                family.kind = text.strip() if text.strip() in _TYPES else "unknown"
            elif what == "UNIT":
                family.unit = text.strip()
            else:
                family.help = _ESCAPE.sub(lambda escape: "\n" if escape[1] == "n" else escape[1], text)

    def _sample(self, line: str) -> bool:
        found = _SAMPLE.fullmatch(line)
        if found is None or (value := _number(found[3])) is None:
            return False
        labels = labels_of(found[2] or "")
        if labels is None:
            return False
        time = None if found[4] is None else _instant(found[4], self.unit)
        base, ending = self._family(found[1])
        family = self.families.get(base, _Family())
        if ending == "_created":
            self._begun(base, labels, value, family.kind)
        elif family.kind in ("histogram", "gaugehistogram", "summary"):
            self._part(base, ending, labels, value, time, found)
        else:
            self._point(found[1], base, family, labels, value, time)
        return True

    def _family(self, name: str) -> tuple[str, str]:
        """Return the metric that a sample belongs to, and the rest of the sample's name."""
        if name in self.families:
            return name, ""
        for cut in range(len(name) - 1, 0, -1):
            if name[cut] == "_" and (family := self.families.get(name[:cut])) is not None:
                if name[cut:] in _ENDINGS.get(family.kind, ()):
                    return name[:cut], name[cut:]
                break
        return name, ""

    def _begun(self, base: str, labels: dict[str, str], value: float, kind: str) -> None:
        moment = _instant(str(value), _SECOND)
        if moment is None:
            return
        if kind == "counter":
            self.created[base, tuple(sorted(labels.items()))] = moment
        else:
            self._group(base, labels, None).created = moment

    def _group(self, base: str, labels: dict[str, str], time: int | None) -> _Group:
        key = (base, tuple(sorted(labels.items())))
        return self.groups.setdefault(key, _Group(labels, time))

    def _part(
        self, base: str, ending: str, labels: dict[str, str], value: float, time: int | None, found: re.Match[str]
    ) -> None:
        bound = labels.pop("le", None) if ending == "_bucket" else None
        quantile = labels.pop("quantile", None) if not ending else None
        group = self._group(base, labels, time)
        if bound is not None and (edge := _number(bound)) is not None:
            group.buckets.append((float(edge), value))
        elif quantile is not None and (edge := _number(quantile)) is not None:
            group.quantiles.append((float(edge), value))
        elif ending in ("_sum", "_gsum"):
            group.sum = value
        elif ending in ("_count", "_gcount"):
            group.count = value
        if found[5] is not None and (example := self._exemplar(found)) is not None:
            group.exemplars.append(example)

    def _exemplar(self, found: re.Match[str]) -> Record | None:
        labels, value = labels_of(found[5] or ""), _number(found[6])
        if labels is None or value is None:
            return None
        out: Record = {"value": float(value)}
        for name, target in (("trace_id", "traceId"), ("span_id", "spanId")):
            if name in labels:
                out[target] = labels.pop(name)
        if labels:
            out["attributes"] = labels
        if found[7] is not None and (time := _instant(found[7], _SECOND)) is not None:
            out["time"] = time
        return out

    def _point(
        self, name: str, base: str, family: _Family, labels: dict[str, str], value: float, time: int | None
    ) -> None:
        record = self._head(name, family, labels, time)
        record["kind"] = "SUM" if family.kind == "counter" else "GAUGE"
        if family.kind == "counter":
            record["aggregationTemporality"], record["isMonotonic"] = _CUMULATIVE, True
            self.counters.append((base, labels, record))
        record["value"] = value
        self.out.records.append(record)

    def _head(self, name: str, family: _Family, labels: dict[str, str], time: int | None) -> Record:
        moment = self.now_ns if time is None else time
        record: Record = {**self.shared, "@timestamp": moment, "time": moment, "name": name}
        if family.help:
            record["description"] = family.help
        if family.unit:
            record["unit"] = family.unit
        if labels:
            record["attributes"] = labels
        return record

    def _close(self, base: str, group: _Group) -> None:
        family = self.families[base]
        record = self._head(base, family, group.labels, group.time)
        if family.kind == "summary":
            record["kind"] = "SUMMARY"
            record["quantiles"] = [{"quantile": edge, "value": value} for edge, value in group.quantiles]
        else:
            record |= {"kind": "HISTOGRAM", "aggregationTemporality": _CUMULATIVE}
            counts, bounds = _buckets(group)
            if counts:
                record["bucketCountsList"], record["explicitBounds"] = counts, bounds
        count = group.count if group.count is not None else max((n for _, n in group.buckets), default=math.nan)
        if math.isfinite(count):
            record["count"] = int(count)
        if group.sum is not None:
            record["sum"] = float(group.sum)
        if group.created is not None:
            record["startTime"] = group.created
        if group.exemplars:
            record["exemplars"] = group.exemplars
        self.out.records.append(record)


def _buckets(group: _Group) -> tuple[list[int], list[float]]:
    """Return counts per bucket and the bounds between them; the exposed ones add up from the smallest bound."""
    edges = sorted(dict(group.buckets).items())
    if not edges or not all(math.isfinite(count) for _, count in edges):
        return [], []
    if edges[-1][0] != math.inf:
        edges.append((math.inf, max(group.count or 0, edges[-1][1])))
    counts, before = [], 0.0
    for _, total in edges:
        counts.append(max(0, round(total - before)))
        before = max(before, total)
    return counts, [edge for edge, _ in edges[:-1]]


def labels_of(text: str) -> dict[str, str] | None:
    """Return the labels of `a="1",b="2"`, or None when it is none."""
    labels: dict[str, str] = {}
    position, text = 0, text.strip()
    while position < len(text):
        found = _LABEL.match(text, position)
        if found is None:
            return None
        name = found[1] if found[1] is not None else _unescaped(found[2])
        labels[name] = _unescaped(found[3])
        position = found.end()
    return labels


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda escape: "\n" if escape[1] == "n" else escape[1], text) if "\\" in text else text


def _number(text: str) -> float | int | None:
    """Return a Go number: whole ones that a float would round stay exact."""
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    try:
        return float(text)
    except ValueError:
        return None


def _instant(text: str, unit: int) -> int | None:
    if (exact := epoch_ns(text, unit)) is not None:
        return exact
    try:
        value = float(text) * unit
    except ValueError:
        return None
    return round(value) if abs(value) < 2**63 else None
