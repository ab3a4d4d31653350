"""`treering query`: ask in PPL, or read-only SQL."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from treering.cli._options import Config, Data, Format, From, To


def query(
    text: Annotated[str, typer.Argument(help="A query; `-` reads it from standard input.")],
    form: Annotated[
        Format | None,
        typer.Option("--format", help="How to write the rows.", show_default="table on a terminal, else ndjson"),
    ] = None,
    start: From = None,
    end: To = None,
    limit: Annotated[int | None, typer.Option("--limit", min=0, help="At most this many rows.")] = None,
    sql: Annotated[bool, typer.Option("--sql", help="The query is one SQL SELECT over streams.")] = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Ask in PPL, through the running server of the data directory if there is one.

    Example: treering query "source=logs error | stats count() by serviceName" --from now-1h
    """
    from treering.cli import _connection, _tables

    asked = sys.stdin.read() if text == "-" else text
    body = {"query": asked, "from": start, "to": end, "limit": limit}
    with _connection.connected(_connection.settings(config, data)) as client:
        answer = client.post("/api/sql" if sql else "/api/query", body)
    _tables.write(answer, form or (Format.TABLE if sys.stdout.isatty() else Format.NDJSON))
