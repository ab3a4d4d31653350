"""PostgreSQL's csvlog: the columns of its documentation ("Using CSV-Format Log Output"), versions 9.0 to 17.

A row whose query has line breaks spans lines; its quoted parts are joined by the reader like any continuation.
"""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, Any

from treering.core.config import Config
from treering.parse.severity import severity_number
from treering.stage.parser import LineFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.stage.parser import Record, Times, Wrapped

_COLUMNS = (
    "log_time", "user.name", "db.namespace", "process.pid", "client", "postgresql.session_id",
    "postgresql.session_line", "postgresql.command_tag", "postgresql.session_start",
    "postgresql.virtual_transaction", "postgresql.transaction",
    "severity", "db.response.status_code", "body", "postgresql.detail", "postgresql.hint", "postgresql.internal_query",
    "postgresql.internal_query_pos", "postgresql.context", "db.query.text", "postgresql.query_pos",
    "postgresql.location", "postgresql.application", "postgresql.backend_type", "postgresql.leader_pid",
    "postgresql.query_id",
)  # fmt: skip
_NUMBERS = {
    "process.pid",
    "postgresql.session_line",
    "postgresql.query_pos",
    "postgresql.query_id",
    "postgresql.leader_pid",
}
_START = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \w{1,6},")


def parse(lines: Sequence[str], times: Times) -> list[Record | Wrapped | None]:
    """Return the records of csvlog rows."""
    return [_one(line, times) if _START.match(line) else None for line in lines]


def _one(line: str, times: Times) -> Record | None:
    try:
        row = next(csv.reader([line]))
    except (csv.Error, StopIteration):
        return None
    if not 14 <= len(row) <= len(_COLUMNS):
        return None
    moment, number = times(row[0]), severity_number(row[11])
    if moment is None or number is None:
        return None
    attributes: dict[str, Any] = {}
    for name, text in zip(_COLUMNS, row, strict=False):
        if text and name not in {"log_time", "severity", "body", "client"}:
            attributes[name] = int(text) if name in _NUMBERS and text.lstrip("-").isdigit() else text
    if row[4]:
        address, _, port = row[4].rpartition(":")
        attributes["client.address"] = address or port
        if address and port.isdigit():
            attributes["client.port"] = int(port)
    record: Record = {"@timestamp": moment, "severityText": row[11], "severityNumber": number, "body": row[13]}
    record["attributes"] = attributes
    return record


def build(config: Config) -> LineFormat:  # noqa: ARG001  nothing to configure
    """Return the format."""
    return LineFormat(
        name="postgres_csv",
        hint=_START.pattern,
        title="PostgreSQL csvlog",
        parse=parse,
        rank=15,
        begins=frozenset("12"),
        multiline=True,
    )
