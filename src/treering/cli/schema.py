"""`treering schema lint`: what is missing, deprecated or contradictory in the telemetry of model calls."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from treering.cli._options import Config, Data, Report
from treering.cli._screen import as_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.app.config import Settings

schema = typer.Typer(
    help="Look at how telemetry is named.",
    epilog="Example: treering schema lint --since 7d",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)
_STYLES = {"contradictory": "red", "missing": "yellow", "deprecated": "blue"}


@schema.callback()
def _only() -> None:
    """Look at how telemetry is named."""


@schema.command("lint")
def lint(
    paths: Annotated[
        list[str] | None, typer.Argument(help="Files to look at instead of the data directory.", metavar="[FILE]…")
    ] = None,
    since: Annotated[str | None, typer.Option("--since", help="Only calls from then on: 2d, 6h, or a date.")] = None,
    form: Annotated[Report, typer.Option("--format", help="How to write it.")] = Report.TEXT,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 when something is amiss.")] = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Tell per service and instrumentation what its model calls lack, and how to mend it.

    Example: treering schema lint --since 7d
    """
    import msgspec

    from treering.cli import _connection
    from treering.cli._screen import EXIT_FINDINGS

    settings = _connection.settings(config, data)
    start = f"now-{since}" if since is not None and since[-1:] in "smhdw" and since[:-1].isdecimal() else since
    if paths:
        with tempfile.TemporaryDirectory(prefix="treering-lint-") as folder:
            answer = _of_files(msgspec.structs.replace(settings, data=str(Path(folder))), tuple(paths), start)
    else:
        answer = _asked(settings, start)
    if form is Report.JSON:
        as_json(answer)
    else:
        _show(answer)
    if check and answer["problems"]:
        raise typer.Exit(EXIT_FINDINGS)


def _asked(settings: Settings, start: str | None) -> Any:
    from treering.cli import _connection

    with _connection.connected(settings) as client:
        return client.post("/api/lint", {"from": start})


def _of_files(settings: Settings, paths: tuple[str, ...], start: str | None) -> Any:
    from treering.cli.ingest import read_files

    asyncio.run(read_files(settings, paths, ("logs", "auto"), None))
    return _asked(settings, start)


def _show(answer: Mapping[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    from treering.cli._screen import console, safe

    screen = console()
    problems = answer["problems"]
    screen.print(f"{answer['calls']:,} model calls, {len(problems)} problems", style="bold")
    if not problems:
        return
    table = Table(show_edge=False, header_style="bold", show_lines=True)
    for name in ("service", "instrumentation", "kind", "what", "how to mend it"):
        table.add_column(name, overflow="fold")
    for problem in problems:
        scope = " ".join(filter(None, (problem["instrumentation"] or problem["dialect"], problem["version"])))
        table.add_row(
            Text(safe(problem["service"] or "")),
            Text(safe(scope)),
            Text(problem["kind"], style=_STYLES.get(problem["kind"], "")),
            Text(safe(problem["says"])),
            Text(safe(problem["hint"]), style="dim"),
        )
    screen.print(table)
