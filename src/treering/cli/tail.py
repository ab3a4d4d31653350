"""`treering tail`: records as they come in."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from treering.cli._options import Config, Data


def tail(
    text: Annotated[str, typer.Argument(help="PPL of `search` and `where` only; nothing means all of `logs`.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Whole records, one JSON line each.")] = False,
    count: Annotated[int | None, typer.Option("--count", "-n", min=1, help="Stop after this many records.")] = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Show new records as the running server stores them; Ctrl-C ends it.

    Example: treering tail 'source=logs serviceName="rag" | where severityNumber >= 17'
    """
    from urllib.parse import quote

    import msgspec

    from treering.cli import _connection
    from treering.cli._screen import console, line
    from treering.core.errors import UserError

    settings = _connection.settings(config, data)
    if (remote := _connection.server(settings)) is None:
        raise UserError(f"no server has {settings.directory}", hint="start one with `treering up`")
    screen, notes, shown = console(), console(stderr=True), 0
    for name, payload in remote.events(f"/api/tail?query={quote(text)}"):
        if name == "gap":
            notes.print(
                f"… {payload['dropped']} records left out: they come faster than they can be shown", style="dim"
            )
            continue
        for row in payload:
            if as_json:
                sys.stdout.buffer.write(msgspec.json.encode(row) + b"\n")
            else:
                screen.print(line(row))
            shown += 1
            if shown == count:
                return
        sys.stdout.flush()
