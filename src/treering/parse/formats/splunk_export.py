"""Splunk's JSON export: `{"preview":false,"result":{"_raw":"…","_time":"…"}}` around the line that was indexed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.core.config import Config
from treering.parse.formats.json_lines import decode_object
from treering.stage.parser import LineFormat, Wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.stage.parser import Record, Times

_ENVELOPE = frozenset({"preview", "offset", "result", "lastrow"})


def parse(lines: Sequence[str], times: Times) -> list[Record | Wrapped | None]:
    """Return the indexed line of each result; the other fields are about it."""
    return [_one(line, times) if '"_raw"' in line else None for line in lines]


def _one(line: str, times: Times) -> Wrapped | None:
    fields = decode_object(line)
    result = fields.get("result") if fields is not None and fields.keys() <= _ENVELOPE else fields
    if not isinstance(result, dict) or type(raw := result.get("_raw")) is not str:
        return None
    time = result.get("_time")
    moment = times(time) if type(time) is str else None
    about = {name: value for name, value in result.items() if name != "_raw" and not (name == "_time" and moment)}
    outer: dict[str, Any] = {"attributes": about} if about else {}
    if moment is not None:
        outer["@timestamp"] = moment
    return Wrapped(outer, raw, str(result.get("source", "")), single=True)


def build(config: Config) -> LineFormat:  # noqa: ARG001  nothing to configure
    """Return the format."""
    return LineFormat(
        name="splunk_export",
        hint=r'\{.*"_raw"',
        title="Splunk JSON export",
        parse=parse,
        rank=10,
        begins=frozenset("{"),
    )
