"""OTLP export requests in JSON: decoded whole, or item by item when something in them is wrong."""

from __future__ import annotations

from typing import Any

import msgspec

from treering.core.errors import DecodeError
from treering.parse import otlp_messages as messages
from treering.parse import otlp_metric_messages as metric_messages

_REQUESTS: dict[str, type[messages.Message]] = {
    "logs": messages.LogsRequest,
    "traces": messages.TracesRequest,
    "metrics": metric_messages.MetricsRequest,
}
# The three levels of a request: the member that holds the next level, and the type of what it holds.
_LEVELS: dict[str, tuple[tuple[str, Any], ...]] = {
    "logs": (
        ("resourceLogs", messages.ResourceLogs),
        ("scopeLogs", messages.ScopeLogs),
        ("logRecords", messages.LogRecord),
    ),
    "traces": (
        ("resourceSpans", messages.ResourceSpans),
        ("scopeSpans", messages.ScopeSpans),
        ("spans", messages.Span),
    ),
    "metrics": (
        ("resourceMetrics", metric_messages.ResourceMetrics),
        ("scopeMetrics", metric_messages.ScopeMetrics),
        ("metrics", metric_messages.Metric),
    ),
}
_DECODERS = {name: msgspec.json.Decoder(kind, strict=False) for name, kind in _REQUESTS.items()}


def decode(signal: str, body: bytes) -> tuple[Any, list[str]]:
    """Return the request of `signal` ("logs", "traces", "metrics") and the reason for each item left out.

    Raises `DecodeError` when the body is not a JSON object with the lists that such a request has.
    """
    try:
        return _DECODERS[signal].decode(body), []
    except (msgspec.ValidationError, RecursionError):
        pass  # some item is wrong: below each is read by itself, so that its neighbours are kept
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DecodeError(f"not json: {error}") from error
    try:
        document = _without_nulls(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(f"not json: {error}") from error
    if not isinstance(document, dict):
        raise DecodeError("an otlp request is a json object")
    reasons: list[str] = []
    levels = _LEVELS[signal]
    groups = _convert_level(document, levels, reasons)
    return _REQUESTS[signal](**{_attribute(levels[0][0]): groups}), reasons


def _attribute(camel: str) -> str:
    """Return the attribute name of a JSON member: `resourceLogs` is `resource_logs`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in camel)


def _convert_level(holder: dict[str, Any], levels: tuple[tuple[str, Any], ...], reasons: list[str]) -> list[Any]:
    (member, kind), *below = levels
    items = holder.get(member, [])
    if not isinstance(items, list):
        raise DecodeError(f"{member} is not a list")
    kept = []
    for item in items:
        try:
            kept.append(_convert(item, kind, tuple(below), reasons))
        except (msgspec.ValidationError, RecursionError) as error:
            count = _count(item, [name for name, _ in below])
            reasons.extend([f"{member}: {error}"] * count)
    return kept


def _convert(item: Any, kind: Any, below: tuple[tuple[str, Any], ...], reasons: list[str]) -> Any:
    if not below or not isinstance(item, dict):
        return msgspec.convert(item, kind, strict=False)
    member = below[0][0]
    head = {name: value for name, value in item.items() if name != member}
    message = msgspec.convert(head, kind, strict=False)
    setattr(message, _attribute(member), _convert_level(item, below, reasons))
    return message


def _count(item: Any, members: list[str]) -> int:
    """Return how many items are lost with `item`: what its lists hold, at least itself."""
    if not members or not isinstance(item, dict):
        return 1
    held = item.get(members[0], [])
    return sum(_count(part, members[1:]) for part in held) if isinstance(held, list) and held else 1


def _without_nulls(value: Any) -> Any:
    # In protobuf's JSON a null member is an absent one; inside lists a null stays and is refused.
    if isinstance(value, dict):
        return {name: _without_nulls(member) for name, member in value.items() if member is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
