"""The report of `treering analyze` as one screen."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

_WIDEST, _NARROWEST = 150, 80
_MOST_LINES = 3
_GOOD = {"succeeded", "completed", "target reached", "bandwidth measured", "under way", "no end stated"}


def show(report: Mapping[str, Any]) -> None:
    """Print the report."""
    from treering.cli._screen import console

    screen = console()
    _files(screen, report)
    runs, traces = report.get("training_runs"), report.get("request_traces")
    if runs:
        _runs(screen, runs)
    for trace in (traces or [])[:3]:
        _trace(screen, trace)
    _times(screen, report)
    _patterns(screen, "loudest patterns", report["loudest"][: 3 if runs or traces else 6])
    if not runs and not traces:
        _patterns(screen, "newest patterns (first seen in the last tenth)", report["newest"][:3])
        _bursts(screen, report["bursts"][:3])
        _changes(screen, report["changes"])
    _calls(screen, report)
    for missing in report["not_judged"][:6]:
        _line(screen, f"not judged: {missing}", "dim")
    _first(screen, report["look_at_first"])


def _files(screen: Console, report: Mapping[str, Any]) -> None:
    from treering.cli._screen import size

    files, speed = report["files"], report["bytes"] / max(report["seconds"], 0.001)
    screen.print(
        f"{report['records']:,} records, {size(report['bytes'])}, {len(files)} file{'s' * (len(files) != 1)}; "
        f"read in {report['seconds']:.1f} s ({size(speed)}/s)",
        style="bold",
    )
    for file in files[:3]:
        formats = ", ".join(f"{name} {count:,}" for name, count in file["formats"].items())
        formats = formats or (f"binary ({file['binary']}), not read" if file["binary"] else "empty")
        _line(screen, f"  {file['file']}: {formats}")
    if len(files) > 3:
        _line(screen, f"  … and {len(files) - 3} more")
    for reason, count in report["rejected"].items():
        _line(screen, f"rejected  {count:,}: {reason}", "yellow")
    for problem in report["damaged"][:5]:
        _line(screen, problem, "red")


def _runs(screen: Console, found: Mapping[str, Any]) -> None:
    runs = found["runs"]
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in found["verdicts"].items())
    screen.print(f"training runs: {len(runs):,} ({verdicts})", style="bold")
    bad = [run for run in runs if run["verdict"] not in _GOOD]
    for run in (bad or runs)[: 5 if len(runs) > 1 else 1]:
        rank = "" if run["first_failing_rank"] is None else f" (rank {run['first_failing_rank']} first)"
        sure = "" if run["certain"] else ", probably"
        style = "green" if run["verdict"] in _GOOD else "red"
        _line(screen, f"  {_short(run['file'])}: {run['verdict']}{sure}{rank}: {run['why']}", style)
    if len(bad) > 5:
        _line(screen, f"  … and {len(bad) - 5} more")
    if len(runs) == 1:
        _course(screen, runs[0])


def _course(screen: Console, run: Mapping[str, Any]) -> None:
    for note in run["notes"]:
        _line(screen, f"  {note}", "yellow")
    for name in ("loss", "eval_loss", "grad norm", "throughput"):
        if (series := run["series"].get(name)) is not None and series["first"] is not None:
            _line(screen, f"  {name} {series['first']:.5g} → {series['last']:.5g} over {series['points']:,} points")
    for name, values in run["evaluations"].items():
        shown = " ".join(f"{value:.4g}" for value in values[-8:])
        _line(screen, f"  evaluations ({name}): {shown}")
    if run["seconds"]:
        _line(screen, "  time: " + ", ".join(f"{name} {_took(name, value)}" for name, value in run["seconds"].items()))


def _took(name: str, value: float) -> str:
    if name.endswith("(share)"):
        return f"{value:.0%}"
    return f"{value:,.1f} s" if value < 3600 else f"{value / 3600:,.1f} h"


def _trace(screen: Console, trace: Mapping[str, Any]) -> None:
    screen.print(
        f"requests: {trace['requests']:,} in {_took('', trace['seconds'])} ({_short(trace['file'])})", style="bold"
    )
    peak = trace["peak_minute"]
    rate = "" if trace["requests_per_second"] is None else f"{trace['requests_per_second']:g} a second; "
    _line(screen, f"  {rate}a minute: median {trace['median_per_minute']:,}, peak {peak['requests']:,}")
    if trace["dispersion"] is not None:
        _line(screen, f"  variance over mean a second {trace['dispersion']:g} (independent arrivals: 1)")
    for name in ("input", "output"):
        tokens = trace[f"{name}_tokens"]
        shown = ", ".join(f"{key} {tokens[key]:,}" for key in ("mean", "p50", "p95", "p99", "max"))
        _line(screen, f"  {name} tokens: {shown}; {tokens['total']:,} in all")
    if (cache := trace["prefix_cache"]) is not None:
        share = f"{cache['input_token_share']:.0%} of input tokens"
        _line(screen, f"  prefix cache: {share} seen before, {cache['distinct_blocks']:,} distinct blocks")
    if trace["cost_usd"] is not None:
        _line(screen, f"  cost: ${trace['cost_usd']:,.2f}")


def _times(screen: Console, report: Mapping[str, Any]) -> None:
    if report["first"] is not None:
        rate = "" if report["per_second"] is None else f", {report['per_second']:,.1f} records/s"
        _line(screen, f"time      {report['first']} to {report['last']}{rate}")
        peak = report["peak"]
        _line(screen, f"busiest   {peak['minute'][:16]} with {peak['records']:,} records in the minute")
        if report["without_time"]:
            _line(screen, f"          {report['without_time']:,} records have no time")
    for title, counts in (("levels  ", report["levels"]), ("services", report["services"])):
        if counts and set(counts) != {"none"}:
            shown = "  ".join(f"{name} {count:,}" for name, count in list(counts.items())[:6])
            _line(screen, f"{title}  {shown}")


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


def _changes(screen: Console, changes: Sequence[Mapping[str, Any]]) -> None:
    shown = sorted(changes, key=lambda change: -change["score"])[:3]
    if shown:
        screen.print("new, bursting and vanished patterns", style="bold")
    for change in shown:
        _line(screen, f"  {change['kind']:<8} {change['from'][:16]}  {change['count']:,} {change['pattern']}")


def _calls(screen: Console, report: Mapping[str, Any]) -> None:
    if not report["model_calls"]:
        return
    screen.print(f"model calls: {report['model_calls']:,}", style="bold")
    for title, calls in (("slowest", report["slowest_calls"][:3]), ("costliest", report["costliest_calls"][:3])):
        for call in calls:
            took = "" if call["duration_ms"] is None else f"{call['duration_ms']:,.0f} ms"
            about = f"{call['model']} {call['tokens']:,} tokens {took} {call['service'] or ''} {call['trace_id'] or ''}"
            _line(screen, f"  {title:<9} {about}")


def _first(screen: Console, remarks: Sequence[Mapping[str, Any]]) -> None:
    screen.print("look at first" if remarks else "nothing stands out", style="bold")
    for number, remark in enumerate(remarks, 1):
        alike = f" (and {remark['alike']} more)" if remark["alike"] else ""
        where = f" [{_short(remark['file'])}]" if remark["file"] else ""
        _wrapped(screen, f"  {number}. {remark['title']}{alike}{where}", "bold yellow")
        if remark["detail"]:
            _wrapped(screen, f"     {remark['detail']}")


def _short(path: str) -> str:
    """Return the last parts of a path."""
    return "/".join(path.split("/")[-3:])


def _line(screen: Console, text: str, style: str = "") -> None:
    from treering.cli._screen import safe

    shown, width = safe(text), _width(screen)
    screen.print(shown if len(shown) <= width else f"{shown[: width - 1]}…", style=style)


def _wrapped(screen: Console, text: str, style: str = "") -> None:
    """Print what is to be read whole, in three lines at most."""
    from treering.cli._screen import safe

    lines = textwrap.wrap(safe(text), _width(screen), subsequent_indent="     ", drop_whitespace=True)
    if len(lines) > _MOST_LINES:
        lines = [*lines[: _MOST_LINES - 1], f"{lines[_MOST_LINES - 1][: _width(screen) - 1]}…"]
    screen.print("\n".join(lines), style=style)


def _width(screen: Console) -> int:
    """Return how wide lines are: as the terminal, within bounds."""
    return min(_WIDEST, max(_NARROWEST, screen.width)) if screen.is_terminal else _WIDEST
