"""Docker's json-file log driver: `{"log":"…\\n","stream":"stderr","time":"…"}` around the container's own lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.core.config import Config
from treering.parse.formats.json_lines import decode_object
from treering.stage.parser import LineFormat, Wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.stage.parser import Record, Times

_KEYS = frozenset({"log", "stream", "time", "attrs"})


def parse(lines: Sequence[str], times: Times) -> list[Record | Wrapped | None]:
    """Return the container's line of each entry; the daemon's time is when the line was observed."""
    return [_one(line, times) if '"stream":' in line and '"log":' in line else None for line in lines]


def _one(line: str, times: Times) -> Wrapped | None:
    fields = decode_object(line)
    if fields is None or not fields.keys() <= _KEYS:
        return None
    payload, stream, time = fields.get("log"), fields.get("stream"), fields.get("time")
    if not (type(payload) is str and type(stream) is str and type(time) is str):
        return None
    moment = times(time)
    if moment is None:
        return None
    attributes: dict[str, Any] = {"log.iostream": stream}
    if isinstance(attrs := fields.get("attrs"), dict):
        attributes.update(attrs)
    # The driver cuts lines at 16 KiB; only the last piece ends with the line's own end.
    return Wrapped({"@timestamp": moment, "attributes": attributes}, payload, stream, payload.endswith("\n"))


def build(config: Config) -> LineFormat:  # noqa: ARG001  nothing to configure
    """Return the format."""
    return LineFormat(
        name="docker", hint=r'\{.*"stream":', title="Docker JSON log", parse=parse, rank=10, begins=frozenset("{")
    )
