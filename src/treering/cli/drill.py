"""`treering drill`: attacks that are told to treering on purpose, and what of them it notices."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from treering.cli._options import Config, Data, Report
from treering.cli._screen import as_json
from treering.core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.app.config import Settings
    from treering.app.drill.corpus import Technique
    from treering.app.drill.score import Result, Row
    from treering.app.remote import Remote

_TOKEN = "TREERING_TOKEN"  # noqa: S105  the name of a variable
_WIDEST = 100
_WIDE = 110  # below, what noticed an attack is left to --format json


Files = Annotated[
    list[Path] | None, typer.Argument(help="Corpora of your own (TOML), reports of garak, PyRIT's memory.")
]
Names = Annotated[
    list[str] | None,
    typer.Option("--technique", help="Only this one of those that come with treering; again for more."),
]
Simulate = Annotated[
    bool, typer.Option("--simulate", help="In this process, against nothing that runs; nothing is kept.")
]
At = Annotated[
    str,
    typer.Option(
        "--target", help=f"Address of a server; its token is read from {_TOKEN}.", show_default="the one of --data"
    ),
]
Least = Annotated[
    float, typer.Option("--fail-under", min=0, max=1, help="Exit with 1 when a smaller share is noticed.")
]
Wait = Annotated[float, typer.Option("--wait", min=1, max=600, help="Seconds to wait for what is not noticed yet.")]


def drill(  # noqa: PLR0913  the options of a command
    files: Files = None,
    technique: Names = None,
    simulate: Simulate = False,
    target: At = "",
    fail_under: Least = 0.0,
    wait: Wait = 60.0,
    listed: Annotated[bool, typer.Option("--list", help="Show the techniques and do nothing.")] = False,
    form: Annotated[Report, typer.Option("--format", help="How to write it.")] = Report.TEXT,
    data: Data = None,
    config: Config = None,
) -> None:
    """Send the telemetry of known attacks, and report what was noticed of it, how soon, and what was missed.

    Nothing is asked of a model. The records are tagged and kept apart from the real ones.

    Example: treering drill --simulate --technique jailbreak --fail-under 0.5
    """
    from treering.cli import _connection
    from treering.cli._screen import EXIT_FINDINGS

    chosen = _techniques(tuple(files or ()), tuple(technique or ()))
    if listed:
        _list(chosen, form)
        return
    if simulate and target:
        raise UserError("--simulate and --target exclude each other")
    settings = _connection.settings(config, data)
    result = _simulated(settings, chosen) if simulate else _rehearsed(_target(settings, target), chosen, wait)
    if form is Report.JSON:
        as_json(result)
    else:
        _show(result)
    if result.rate < fail_under:
        raise typer.Exit(EXIT_FINDINGS)


def _techniques(files: tuple[Path, ...], names: tuple[str, ...]) -> list[Technique]:
    """Return those of the files; ours when there are none, or when some of ours are named."""
    from treering.app.drill import corpus, foreign

    own = [technique for path in files for technique in foreign.read(path)]
    return own + (corpus.chosen(corpus.shipped(), names) if names or not files else [])


def _simulated(settings: Settings, techniques: Sequence[Technique]) -> Result:
    from treering.app.drill.simulation import simulate
    from treering.cli._screen import progress
    from treering.core.clock import SystemClock

    with progress("drilling", _count(techniques)) as told:
        return simulate(settings, techniques, SystemClock(), told)


def _rehearsed(remote: Remote, techniques: Sequence[Technique], wait_s: float) -> Result:
    from treering.app.drill.rehearsal import rehearse
    from treering.cli._screen import progress

    with progress("sending", _count(techniques)) as told:
        return rehearse(remote, techniques, wait_s, told)


def _count(techniques: Sequence[Technique]) -> int:
    return sum(len(one.cases) * max(1, len(one.disguises)) + len(one.plays) for one in techniques)


def _target(settings: Settings, address: str) -> Remote:
    from treering.app.owner import Owner
    from treering.app.remote import Remote
    from treering.cli import _connection

    if address:
        if not address.startswith("http://"):
            raise UserError(f"--target {address[:80]} is not an http:// address", hint="as http://127.0.0.1:7600")
        return Remote(Owner(0, address, os.environ.get(_TOKEN, "")))
    if (remote := _connection.server(settings)) is None:
        raise UserError("no server is running here", hint="treering up, --target http://host:7600, or --simulate")
    return remote


def _list(techniques: Sequence[Technique], form: Report) -> None:
    from treering.cli._screen import console

    if form is Report.JSON:
        shown = [{"technique": one.name, "title": one.title, "cases": _count([one])} for one in techniques]
        as_json(shown)
        return
    rows = [(one.name, str(_count([one])), one.title) for one in techniques]
    console().print(_table(("technique", "cases", "what"), rows))


def _show(result: Result) -> None:
    from treering.cli._screen import console, safe

    heads = ("technique", "cases", "noticed", "rate", "into attack", "delay", "by")
    shown = heads if console().width >= _WIDE else heads[:-1]
    console().print(_table(shown, [_cells(row)[: len(shown)] for row in result.techniques]))
    screen = console(stderr=True)
    for one in result.told:
        row = next(row for row in result.techniques if row.technique == one.technique)
        if one.found == row.harmless:
            what = "told, though harmless" if row.harmless else "missed"
            screen.print(safe(f"{what}: {one.case}: {one.about[:_WIDEST]}"), style="dim")
    for name, why in result.failures.items():
        screen.print(safe(f"the detector {name} failed: {why}"), style="red")
    screen.print(
        f"{result.found} of {result.cases} attacks noticed ({result.rate:.0%}), "
        f"{len(result.false)} harmless cases told, {len(result.incidents)} incidents"
    )


def _cells(row: Row) -> tuple[str, ...]:
    into = "" if row.into_s is None else f"{row.into_s:g} s"
    delay = "" if row.delay_s is None else f"{row.delay_s:g} s"
    rate = "" if row.harmless else f"{row.rate:.0%}"
    return (row.technique, str(row.cases), str(row.found), rate, into, delay, ", ".join(row.rules))


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Any:
    from rich.table import Table
    from rich.text import Text

    from treering.cli._screen import safe

    table = Table(show_edge=False, header_style="bold")
    for number, head in enumerate(heads):
        table.add_column(head, no_wrap=not number, overflow="fold")
    for row in rows:
        table.add_row(*(Text(safe(cell)) for cell in row))
    return table
