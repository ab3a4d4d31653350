"""MLPerf's training log: `:::MLLOG {…}` somewhere in a line, one JSON object with key, value and metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.core.config import Config
from treering.parse.formats.json_lines import decode_object
from treering.stage.parser import LineFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.stage.parser import Record, Times, Wrapped

_MARK = ":::MLLOG "


def parse(lines: Sequence[str], times: Times) -> list[Record | Wrapped | None]:
    """Return a record per event: its key is the body, all its fields are attributes under `mlperf`."""
    return [_one(line, times) if _MARK in line else None for line in lines]


def _one(line: str, times: Times) -> Record | None:
    prefix, _, text = line.partition(_MARK)
    fields = decode_object(text)
    if fields is None or not isinstance(key := fields.get("key"), str):
        return None
    attributes: dict[str, Any] = {f"mlperf.{name}": value for name, value in fields.items()}
    if prefix.strip():
        attributes["log.prefix"] = prefix.strip()
    record: Record = {"body": key, "attributes": attributes}
    time = fields.get("time_ms")
    if isinstance(time, int | float) and not isinstance(time, bool) and (moment := times.epoch(time)) is not None:
        record["@timestamp"] = moment
        del attributes["mlperf.time_ms"]
    return record


def build(config: Config) -> LineFormat:  # noqa: ARG001  nothing to configure
    """Return the format."""
    return LineFormat(name="mllog", hint=r".*:::MLLOG ", title="MLPerf training log", parse=parse, rank=4)
