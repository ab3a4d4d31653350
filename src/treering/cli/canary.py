"""`treering canary`: plant tokens that nobody should read, and see which there are."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from treering.cli._options import Config, Data, Report
from treering.cli._screen import as_json

if TYPE_CHECKING:
    from treering.app.canaries import Canaries

canary = typer.Typer(
    help="Plant tokens where nobody should read; what repeats one is a finding.",
    epilog='Example: treering canary new --label "system prompt of the shop"',
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)
Form = Annotated[Report, typer.Option("--format", help="How to write it.")]


@canary.command("new")
def new(
    label: Annotated[str, typer.Option("--label", help="Where it will be planted; findings name it.")],
    kind: Annotated[str, typer.Option("--kind", help="`token`, `document`, `url` or `email`.")] = "token",
    base: Annotated[str, typer.Option("--base", help="Address before a url's token, domain of an e-mail.")] = "",
    form: Form = Report.TEXT,
    data: Data = None,
    config: Config = None,
) -> None:
    """Make a canary and show it, once: only its hash is kept.

    Example: treering canary new --label "wiki, salaries" --kind url --base https://wiki.example/x
    """
    from treering.cli._screen import console

    book = _book(data, config)
    try:
        made = book.new(label, kind, base)
    finally:
        book.close()
    if form is Report.JSON:
        as_json({"id": made.id, "label": label, "kind": kind, "token": made.text, "plant": made.plant})
        return
    sys.stdout.write(f"{made.plant}\n")
    console(stderr=True).print(f"canary {made.id}: plant the line above; it is not shown again", style="dim")


@canary.command("list")
def listing(form: Form = Report.TEXT, data: Data = None, config: Config = None) -> None:
    """List the canaries, the newest first."""
    from rich.table import Table
    from rich.text import Text

    from treering.cli._screen import console, safe
    from treering.model.times import format_ns

    book = _book(data, config)
    try:
        found = book.all()
    finally:
        book.close()
    if form is Report.JSON:
        as_json([item._asdict() for item in found])
        return
    if not found:
        console(stderr=True).print("no canaries; `treering canary new` plants one", style="dim")
        return
    table = Table(show_edge=False, header_style="bold")
    for head in ("id", "kind", "label", "planted", "retired"):
        table.add_column(head, overflow="fold")
    for item in found:
        retired = format_ns(item.retired_ns)[:19] if item.retired_ns else ""
        cells = (item.id, item.kind, item.label, format_ns(item.created_ns)[:19], retired)
        table.add_row(*(Text(safe(cell)) for cell in cells))
    console().print(table)


@canary.command("retire")
def retire(
    name: Annotated[str, typer.Argument(metavar="ID", help="Id of the canary.")],
    data: Data = None,
    config: Config = None,
) -> None:
    """Look for a canary no longer."""
    book = _book(data, config)
    try:
        book.retire(name)
    finally:
        book.close()


def _book(data: Data, config: Config) -> Canaries:
    from treering.app.canaries import Canaries
    from treering.cli import _connection

    return Canaries(_connection.settings(config, data).directory)
