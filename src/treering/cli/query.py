"""`treering query`: ask in PPL, or read-only SQL."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from treering.cli._options import Config, Data, Format, From, To

if TYPE_CHECKING:
    from treering.cli._connection import Client


def query(  # noqa: PLR0913  one argument an option
    text: Annotated[
        str | None,
        typer.Argument(
            help="A query; `-` reads it from standard input. Without one, queries are asked for one by one."
        ),
    ] = None,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="How to write the rows.", show_default="table on a terminal, else ndjson"),
    ] = None,
    start: From = None,
    end: To = None,
    limit: Annotated[int | None, typer.Option("--limit", min=0, help="At most this many rows.")] = None,
    sql: Annotated[bool, typer.Option("--sql", help="The query is one SQL SELECT over streams.")] = False,
    about: Annotated[
        str | None, typer.Option("--help-command", metavar="NAME", help="Say how a command or function is written.")
    ] = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Ask in PPL, through the running server of the data directory if there is one.

    Example: treering query "source=logs error | stats count() by serviceName" --from now-1h
    """
    from treering.cli import _connection, _prompt, _screen

    if about is not None:
        sys.stdout.write(_help(about) + "\n")
        return
    path, bounds = "/api/sql" if sql else "/api/query", {"from": start, "to": end, "limit": limit}
    with _connection.connected(_connection.settings(config, data)) as client:
        if text is None:
            _prompt.ask(client, lambda one: _ask(client, path, {"query": one, **bounds}, form), _screen.report)
        else:
            _ask(client, path, {"query": sys.stdin.read() if text == "-" else text, **bounds}, form)


def _ask(client: Client, path: str, body: dict[str, Any], form: Format | None) -> None:
    from treering.cli import _tables

    _tables.write(client.post(path, body), form or (Format.TABLE if sys.stdout.isatty() else Format.NDJSON))


def _help(name: str) -> str:
    """Return what a command or function says about itself. Raises `UserError` with the nearest name."""
    import difflib

    from treering.core.errors import UserError
    from treering.query import manual

    if (told := manual.of(name)) is not None:
        return told.text()
    near = difflib.get_close_matches(name.lower(), [*manual.commands(), *manual.calls()], n=1)
    hint = f"did you mean {near[0]!r}?" if near else ""
    raise UserError(f"there is no command or function {name!r}", hint=hint)
