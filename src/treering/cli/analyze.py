"""`treering analyze`: what is in these log files?"""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from treering.cli._options import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.console import Console

_WIDTH = 110


def analyze(
    paths: Annotated[list[str], typer.Argument(help="Files, globs, directories; `-` is standard input.")],
    form: Annotated[Report, typer.Option("--format", help="How to write the report.")] = Report.TEXT,
) -> None:
    """Tell formats, time span, rates, levels, patterns, error bursts and model calls of log files; needs no server.

    Example: treering analyze server.log --format json
    """
    import msgspec

    from treering.app import analysis
    from treering.core.clock import SystemClock
    from treering.receive._blocks import expand

    began = time.monotonic()
    names = expand(paths)
    with _reading(names) as progress:
        report = analysis.analyze(names, SystemClock().now_ns, progress).report()
    report["seconds"] = round(time.monotonic() - began, 3)
    if form is Report.JSON:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    else:
        _show(report)


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


def _show(report: Mapping[str, Any]) -> None:
    from treering.cli._screen import console, size

    screen = console()
    files, speed = report["files"], report["bytes"] / max(report["seconds"], 0.001)
    screen.print(
        f"{report['records']:,} records, {size(report['bytes'])}, {len(files)} file{'s' * (len(files) != 1)}; "
        f"read in {report['seconds']:.1f} s ({size(speed)}/s)",
        style="bold",
    )
    for file in files[:5]:
        formats = ", ".join(f"{name} {count:,}" for name, count in file["formats"].items()) or "empty"
        _line(screen, f"  {file['file']}: {formats}")
    if len(files) > 5:
        _line(screen, f"  … and {len(files) - 5} more")
    _times(screen, report)
    levels = "  ".join(f"{name} {count:,}" for name, count in report["levels"].items())
    _line(screen, f"levels    {levels}")
    if report["services"]:
        _line(
            screen,
            "services  " + "  ".join(f"{name} {count:,}" for name, count in list(report["services"].items())[:6]),
        )
    for reason, count in report["rejected"].items():
        _line(screen, f"rejected  {count:,}: {reason}", "yellow")
    for problem in report["damaged"]:
        _line(screen, problem, "red")
    _patterns(screen, "loudest patterns", report["loudest"][:6])
    _patterns(screen, "newest patterns (first seen in the last tenth)", report["newest"][:4])
    _bursts(screen, report["bursts"][:3])
    _calls(screen, report)


def _times(screen: Console, report: Mapping[str, Any]) -> None:
    if report["first"] is None:
        _line(screen, "no times found")
        return
    rate = "" if report["per_second"] is None else f", {report['per_second']:,.1f} records/s"
    _line(screen, f"time      {report['first']} to {report['last']}{rate}")
    _line(screen, f"busiest   {report['peak']['minute'][:16]} with {report['peak']['records']:,} records in the minute")
    if report["without_time"]:
        _line(screen, f"          {report['without_time']:,} records have no time")


def _patterns(screen: Console, title: str, patterns: Sequence[Mapping[str, Any]]) -> None:
    from treering.cli._screen import LEVEL_STYLES

    if patterns:
        screen.print(title, style="bold")
    for pattern in patterns:
        level = pattern["level"] or ""
        _line(screen, f"  {pattern['count']:>9,}  {level:<5} {pattern['pattern']}", LEVEL_STYLES.get(level, ""))


def _bursts(screen: Console, bursts: Sequence[Mapping[str, Any]]) -> None:
    if bursts:
        screen.print("error bursts", style="bold")
    for burst in bursts:
        about = f"{burst['errors']:,} errors (usual: {burst['usual_per_minute']} a minute)"
        _line(screen, f"  {burst['from'][:16]} to {burst['to'][11:16]}  {about}", "red")


def _calls(screen: Console, report: Mapping[str, Any]) -> None:
    if not report["model_calls"]:
        return
    screen.print(f"model calls: {report['model_calls']:,}", style="bold")
    for title, calls in (("slowest", report["slowest_calls"][:3]), ("costliest", report["costliest_calls"][:3])):
        for call in calls:
            took = "" if call["duration_ms"] is None else f"{call['duration_ms']:,.0f} ms"
            about = f"{call['model']} {call['tokens']:,} tokens {took} {call['service'] or ''} {call['trace_id'] or ''}"
            _line(screen, f"  {title:<9} {about}")


def _line(screen: Console, text: str, style: str = "") -> None:
    from treering.cli._screen import safe

    shown = safe(text)
    screen.print(shown if len(shown) <= _WIDTH + 40 else f"{shown[: _WIDTH + 40]}…", style=style)
