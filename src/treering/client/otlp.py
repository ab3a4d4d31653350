"""OTLP in JSON from plain Python values (opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding")."""

from __future__ import annotations

import json
import math
import os
import platform
import socket
from typing import TYPE_CHECKING, Any

import treering

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_TEXT = 262_144  # characters of one text; what is longer is cut and says so
_MAX_DEPTH = 8
_CUT = "… [cut by treering]"


def value(held: Any, depth: int = 0) -> dict[str, Any]:
    """Return an AnyValue; what is no scalar, list or mapping is told by its text."""
    if depth < _MAX_DEPTH and isinstance(held, list | tuple):
        return {"arrayValue": {"values": [value(item, depth + 1) for item in held if item is not None]}}
    if depth < _MAX_DEPTH and isinstance(held, dict):
        return {"kvlistValue": {"values": _pairs(held.items(), depth + 1)}}
    if isinstance(held, bool):
        return {"boolValue": held}
    if isinstance(held, int) and -(2**63) <= held < 2**63:
        return {"intValue": str(held)}
    if isinstance(held, float) and math.isfinite(held):  # JSON has no NaN
        return {"doubleValue": held}
    return {"stringValue": cut(text(held))}


def attributes(held: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return key-value pairs; those without a value are left out."""
    return _pairs(held.items(), 0)


def _pairs(items: Iterable[tuple[Any, Any]], depth: int) -> list[dict[str, Any]]:
    return [{"key": str(name), "value": value(held, depth)} for name, held in items if held is not None]


def cut(held: str) -> str:
    """Return a text within `MAX_TEXT` characters."""
    return held if len(held) <= MAX_TEXT else held[:MAX_TEXT] + _CUT


def text(held: Any) -> str:
    """Return `str(held)`, or its type where that fails: the objects are somebody else's."""
    try:
        return str(held)
    except Exception:  # noqa: BLE001  whatever a foreign __str__ raises
        return f"<{type(held).__name__}>"


def to_json(held: Any) -> str:
    """Return JSON of anything: foreign objects as text, no NaN."""
    try:
        return json.dumps(held, ensure_ascii=False, allow_nan=False, default=_foreign)
    except (ValueError, TypeError, RecursionError):
        return json.dumps(text(held), ensure_ascii=False)


def _foreign(held: Any) -> Any:
    """Return a Pydantic model as its fields, anything else as its text."""
    dump = getattr(held, "model_dump", None)
    try:
        return dump() if callable(dump) else text(held)
    except Exception:  # noqa: BLE001  whatever a foreign method raises
        return text(held)


def encode(item: Mapping[str, Any]) -> bytes:
    """Return the JSON of a span or log record as UTF-8; half surrogates become U+FFFD."""
    out = json.dumps(item, ensure_ascii=False, separators=(",", ":"))
    try:
        return out.encode()
    except UnicodeEncodeError:
        return out.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def resource(service: str | None, more: Mapping[str, Any] | None = None) -> bytes:
    """Return the resource of this process: `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` count."""
    found: dict[str, Any] = {}
    for pair in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","):
        name, equals, held = pair.partition("=")
        if equals and name.strip():
            found[name.strip()] = held.strip()
    named = service or os.environ.get("OTEL_SERVICE_NAME") or found.get("service.name") or "unknown_service:python"
    found |= {"service.name": named, "host.name": socket.gethostname(), "process.pid": os.getpid()}
    found |= {"telemetry.sdk.name": "treering", "telemetry.sdk.language": "python"}
    found |= {"telemetry.sdk.version": treering.__version__, "process.runtime.version": platform.python_version()}
    return encode({"attributes": attributes(found | dict(more or {}))})
