"""JSON lines of any shape: one object per line, log or document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from treering.core.config import Config
from treering.parse.fields import Document, shape
from treering.stage.parser import LineFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.stage.parser import Record, Times, Wrapped

_decode = msgspec.json.Decoder().decode
_MAX_DEPTH_ERRORS = (ValueError, RecursionError)


def parse(lines: Sequence[str], times: Times) -> list[Record | Wrapped | None]:
    """Return the record of each object; a document that is no log is returned as it is."""
    out: list[Record | Wrapped | None] = []
    for line in lines:
        fields = decode_object(line)
        if fields is None:
            out.append(None)
        else:
            # An empty object says nothing, but it is a line: kept as text.
            out.append((shape(fields, times) or Document(fields)) if fields else {"body": line})
    return out


def decode_object(line: str) -> dict[str, Any] | None:
    """Return the JSON object that `line` is, or None.

    What JSON lacks but senders write is read too: NaN, infinities, lone surrogates (as U+FFFD). Integers are exact.
    """
    text = line.strip()
    if text[:1] != "{":
        return None
    # An array with one object per line ends its lines with commas.
    if text[-1] == ",":
        text = text[:-1]
    if text[-1] != "}":
        return None
    try:
        fields = _decode(text)
    except (msgspec.DecodeError, RecursionError):
        return _lenient(text)
    return fields if type(fields) is dict else None


def _lenient(text: str) -> dict[str, Any] | None:
    try:
        fields = json.loads(text)
    except _MAX_DEPTH_ERRORS:
        return None
    return _whole(fields) if type(fields) is dict else None


def _whole(value: Any) -> Any:
    """Return `value` with its lone surrogates replaced, which no UTF-8 can carry."""
    if type(value) is str:
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if type(value) is dict:
        return {_whole(key): _whole(one) for key, one in value.items()}
    if type(value) is list:
        return [_whole(one) for one in value]
    return value


def build(config: Config) -> LineFormat:  # noqa: ARG001  nothing to configure
    """Return the format."""
    return LineFormat(name="json", hint=r"\s*\{", title="JSON lines", parse=parse, rank=40, begins=frozenset("{ \t"))
