"""A trace as a tree: spans under their parents, log records under their spans, with the time each span spent itself."""

from __future__ import annotations

import json
from typing import Any

from treering.query.native import Native

_FAILED = {"2", "2.0", "ERROR", "STATUS_CODE_ERROR"}
_SEVERE = 17  # OpenTelemetry's ERROR


def ordered(spans: str, logs: str) -> str:
    """Return spans and log records as a JSON list of rows, depth first, siblings by their start.

    A span whose parent is not there is a root, as is the first one of a circle; a log record stands after its span, by
    time among the span's children, or at the root. `self` is a span's duration less the time that its children cover.
    """
    found = [_span(each) for each in json.loads(spans)]
    by_id = {row["spanId"]: row for row in reversed(found) if row["spanId"]}
    children: dict[int, list[dict[str, Any]]] = {}
    roots: list[dict[str, Any]] = []
    for row in [*found, *(_log(each) for each in json.loads(logs))]:
        above = by_id.get(row["parentSpanId"] if row["kind"] != "log" else row["spanId"])
        if above is None or above is row:
            roots.append(row)
        else:
            children.setdefault(id(above), []).append(row)
    rows: list[dict[str, Any]] = []
    placed: set[int] = set()
    for row in [*sorted(roots, key=_start), *sorted(found, key=_start)]:
        _descend(row, children, placed, rows)
    return json.dumps(rows, ensure_ascii=False)


def _descend(
    root: dict[str, Any], children: dict[int, list[dict[str, Any]]], placed: set[int], rows: list[dict[str, Any]]
) -> None:
    stack = [(root, 0)]
    while stack:
        row, depth = stack.pop()
        if id(row) in placed:
            continue
        placed.add(id(row))
        below = sorted(children.get(id(row), ()), key=_start)
        row["depth"] = depth
        if row["kind"] != "log":
            row["selfInNanos"] = _own_time(row, [each for each in below if each["kind"] != "log"])
        rows.append(row)
        stack += [(each, depth + 1) for each in reversed(below)]


def _start(row: dict[str, Any]) -> tuple[int, bool, str]:
    return row["startTime"] or 0, row["kind"] == "log", row["spanId"] or ""


def _own_time(row: dict[str, Any], below: list[dict[str, Any]]) -> int:
    """Return the duration of a span less the union of its children's, which may overlap or reach beyond it."""
    start, duration = row["startTime"] or 0, row["durationInNanos"] or 0
    covered, reached = 0, start
    for each in below:
        begin = max(each["startTime"] or 0, reached)
        end = min((each["startTime"] or 0) + (each["durationInNanos"] or 0), start + duration)
        if end > begin:
            covered += end - begin
            reached = end
    return max(0, duration - covered)


def _span(given: dict[str, Any]) -> dict[str, Any]:
    start = given["start"]
    duration = given["duration"]
    if duration is None and start is not None and given["end"] is not None:
        duration = max(0, given["end"] - start)
    failed = str(given["status"]).upper() in _FAILED
    return {
        "depth": 0, "kind": "span", "service": given["service"], "name": given["name"], "startTime": start,
        "durationInNanos": duration, "selfInNanos": duration, "error": failed, "spanId": given["span"],
        "parentSpanId": given["parent"], "body": given["message"],
    }  # fmt: skip


def _log(given: dict[str, Any]) -> dict[str, Any]:
    level, number = given["level"], given["number"]
    severe = (number or 0) >= _SEVERE or str(level).upper() in {"ERROR", "FATAL", "CRITICAL"}
    return {
        "depth": 0, "kind": "log", "service": given["service"], "name": level, "startTime": given["start"],
        "durationInNanos": None, "selfInNanos": None, "error": severe, "spanId": given["span"], "parentSpanId": None,
        "body": given["message"],
    }  # fmt: skip


NATIVES = (Native("ppl_trace", ordered, ("VARCHAR", "VARCHAR"), "VARCHAR"),)
