"""`treering analyze`: what is in these log files?"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treering.cli import _examined
from treering.cli._options import Report
from treering.cli._screen import as_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


def analyze(
    paths: Annotated[list[str], typer.Argument(help="Files, globs, directories; `-` is standard input.")],
    form: Annotated[Report, typer.Option("--format", help="How to write the report.")] = Report.TEXT,
) -> None:
    """Tell what is in log files and what to look at first: formats, patterns, bursts, training runs, request traces.

    Needs no server and stores nothing.

    Example: treering analyze server.log --format json
    """

    from treering.app.examination import examine
    from treering.core.clock import SystemClock
    from treering.receive._blocks import expand

    began = time.monotonic()
    names = expand(paths)
    with _reading(names) as progress:
        report = examine(names, SystemClock().now_ns, progress).report()
    report["seconds"] = round(time.monotonic() - began, 3)
    if form is Report.JSON:
        as_json(report)
    else:
        _examined.show(report)


@contextlib.contextmanager
def _reading(names: Sequence[str]) -> Iterator[Callable[[int], None]]:
    """Draw a progress bar on a terminal, and give what is to be told the bytes read."""
    from rich import progress as bars

    from treering.cli._screen import console
    from treering.receive._blocks import STDIN

    screen = console(stderr=True)
    if not screen.is_terminal:
        yield lambda _: None
        return
    columns = bars.BarColumn(), bars.DownloadColumn(), bars.TransferSpeedColumn(), bars.TimeRemainingColumn()
    total = None if STDIN in names else sum(Path(name).stat().st_size for name in names if Path(name).is_file())
    with bars.Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda count: bar.advance(task, count)
