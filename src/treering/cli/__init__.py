"""The command line: one file per command."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

COMMANDS = (
    "up",
    "ingest",
    "tail",
    "query",
    "analyze",
    "incident",
    "alert",
    "playbook",
    "schema",
    "scan",
    "copy",
    "calibrate",
    "rules",
    "canary",
    "drill",
    "doctor",
    "plugins",
    "completion",
    "version",
)


def _first(command: Callable[..., object] | None) -> str:
    """Return the first sentence of a command's help: whole, where a list of commands would cut it."""
    return (inspect.getdoc(command) or "").partition("\n\n")[0].replace("\n", " ").removesuffix(".")


def main() -> None:
    """Run `treering` and exit: 0 fine, 1 findings where asked, 2 the user's mistake, 75 try later, 70 our bug."""
    import typer

    from treering.cli._screen import report

    app = typer.Typer(
        help="Log analysis for AI systems: collect, search and explain logs, traces and metrics.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
        rich_markup_mode=None,
    )
    for name in COMMANDS:
        command = getattr(importlib.import_module(f"treering.cli.{name}"), name)
        if isinstance(command, typer.Typer):
            for inner in command.registered_commands:
                inner.short_help = _first(inner.callback)
            app.add_typer(command, name=name, short_help=str(command.info.help).removesuffix("."))
        else:
            app.command(name, short_help=_first(command))(command)
    if "_TREERING_COMPLETE" in os.environ:  # a shell asks what could come next
        importlib.import_module("typer.completion").completion_init()
    if sys.argv[1:] == ["--version"]:  # what people try first
        sys.argv[1:] = ["version"]
    try:
        app()
    except Exception as error:  # noqa: BLE001  the last place where an error can still be told to a person
        sys.exit(report(error))
