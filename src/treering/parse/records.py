"""Records put together: what surrounds a line, what its stack trace says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treering.parse import stacktraces
from treering.parse.severity import ERROR, WARN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.stage.parser import Record

RAW = "log.record.original.base64"


def surround(outer: Record, inner: Record) -> Record:
    """Return `inner` with what the wrapper `outer` says where it is silent itself.

    When both state a time, the inner one is when it happened and the outer one when it was observed. A severity that
    was only derived (a number without a text) yields to a stated one.
    """
    record = {**outer, **inner}
    moment = outer.get("@timestamp")
    if moment is not None and inner.get("@timestamp", moment) != moment and "observedTime" not in record:
        record["observedTime"] = moment
    if "severityText" in outer and "severityText" not in inner:
        record["severityNumber"] = outer["severityNumber"]
    for name in ("attributes", "resource"):
        around, own = outer.get(name), inner.get(name)
        if isinstance(around, dict) and isinstance(own, dict):
            record[name] = {**around, **own}
            deep, mine = around.get("attributes"), own.get("attributes")
            if name == "resource" and isinstance(deep, dict) and isinstance(mine, dict):
                record[name]["attributes"] = {**deep, **mine}
    return record


def with_originals(first: Record | None, later: Record | None) -> Record | None:
    """Return the tag of a record that another line joined: its own, and the original bytes of both."""
    more = (later or {}).get("attributes", {}).get(RAW)
    if more is None:
        return first
    attributes = dict((first or {}).get("attributes", {}))
    held = attributes.get(RAW)
    attributes[RAW] = more if held is None else [*(held if isinstance(held, list) else [held]), more]
    return {**(first or {}), "attributes": attributes}


def finish_trace(record: Record, lines: Sequence[str]) -> None:
    """Move the stack trace among a record's lines to the exception attributes (OpenTelemetry's `exception.*`)."""
    body = record.get("body", "")
    everything = [body, *lines]
    start = next(
        (index for index, line in enumerate(everything) if stacktraces.opens(line) or stacktraces.is_frame(line)), 0
    )
    trace = "\n".join(everything[start:])
    found = stacktraces.summary(trace)
    attributes = record.setdefault("attributes", {})
    if found is not None:
        attributes["exception.type"], attributes["exception.message"] = found
    if start:
        record["body"] = "\n".join(everything[:start])
    elif lines and found is not None:
        record["body"] = f"{found[0]}: {found[1]}" if found[1] else found[0]
    if lines:
        attributes["exception.stacktrace"] = trace
    if "severityNumber" not in record:
        warning = found is not None and found[0].endswith("Warning")
        record["severityNumber"] = WARN if warning else ERROR
    if not attributes:
        del record["attributes"]
