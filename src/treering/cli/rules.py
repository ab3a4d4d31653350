"""`treering rules`: list, test and back-test the rules."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from treering.cli._options import Config, Data, Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.app.config import Settings
    from treering.app.rulebook import Backtest
    from treering.cli._connection import Client
    from treering.detect._rule_files import Rule
    from treering.stage.detector import Ask

rules = typer.Typer(
    help="List rules, test their cases, and replay them on what is stored.",
    epilog="Example: treering rules test",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)
Form = Annotated[Report, typer.Option("--format", help="How to write it.")]
Ids = Annotated[list[str] | None, typer.Argument(help="Ids of rules; all unless named.")]
Files = Annotated[
    list[str] | None, typer.Option("--rules", help="A file of rules, or a directory of them; again for more.")
]


@rules.command("list")
def listing(files: Files = None, form: Form = Report.TEXT, config: Config = None) -> None:
    """List the rules: the shipped ones, and those of `[rules] paths` and --rules."""
    found = _rules(_settings(config, None), files, None)
    if form is Report.JSON:
        _json([msgspec.to_builtins(rule) for rule in found])
        return
    _table(
        ("rule", "severity", "at least", "by", "title"),
        [(r.id, r.severity, f"{r.threshold} in {r.window}", ", ".join(r.by), r.title) for r in found],
    )


@rules.command("test")
def cases(ids: Ids = None, files: Files = None, form: Form = Report.TEXT, config: Config = None) -> None:
    """Run the cases that rules carry, each in a store of its own; exit with 1 when one does not hold.

    Example: treering rules test --rules my-rules.yaml
    """
    from treering.app.rulebook import check
    from treering.cli._screen import EXIT_FINDINGS, console, progress

    found = _rules(_settings(config, None), files, ids)
    with progress("testing", len(found)) as told:
        failed = check(found, told)
    if form is Report.JSON:
        _json({"rules": len(found), "failed": [msgspec.to_builtins(item) for item in failed]})
    else:
        _table(
            ("rule", "case", "records"),
            [(item.rule, f"{item.kind} {item.number}", str(item.records)) for item in failed],
        )
        console(stderr=True).print(f"{len(found)} rules tested, {len(failed)} cases do not hold")
    if failed:
        raise typer.Exit(EXIT_FINDINGS)


@rules.command("backtest")
def backtest(
    ids: Ids = None,
    since: Annotated[str, typer.Option("--since", help="How far back: 30d, 12h …")] = "30d",
    files: Files = None,
    form: Form = Report.TEXT,
    data: Data = None,
    config: Config = None,
) -> None:
    """Replay rules on what is stored: how often each would have been told, by day and for whom, with records.

    Example: treering rules backtest gpu-xid --since 7d
    """
    from treering.app import rulebook
    from treering.app.config import seconds
    from treering.cli import _connection
    from treering.cli._screen import progress
    from treering.core.clock import SystemClock

    settings = _settings(config, data)
    found = _rules(settings, files, ids)
    end_ns = SystemClock().now_ns()
    start_ns = end_ns - seconds(since) * 10**9
    results: list[Backtest] = []
    with _connection.connected(settings) as client, progress("replaying", len(found)) as told:
        for result in rulebook.backtest(found, _asker(client), start_ns, end_ns):
            results.append(result)
            told(len(results))
    if form is Report.JSON:
        _json([msgspec.to_builtins(result) for result in results])
        return
    _show(results)


def _show(results: Sequence[Backtest]) -> None:
    from treering.cli._screen import console, safe

    _table(
        ("rule", "told", "days", "most in a day", "entities", "records"),
        [
            (
                r.rule,
                str(r.told),
                str(len(r.days)),
                str(max(r.days.values(), default=0)),
                str(len(r.entities)),
                str(r.hits),
            )
            for r in results
        ],
    )
    screen = console(stderr=True)
    for result in results:
        for name, count in sorted(result.entities.items(), key=lambda pair: -pair[1])[:5]:
            screen.print(safe(f"{result.rule}: {count} × {name}"))
        for record in result.evidence[:2] if result.told else ():
            screen.print(safe(f"{result.rule}: {msgspec.json.encode(record).decode()[:200]}"), style="dim")


def _settings(config: Any, data: Any) -> Settings:
    from treering.cli import _connection

    return _connection.settings(config, data)


def _rules(settings: Settings, files: Sequence[str] | None, ids: Sequence[str] | None) -> list[Rule]:
    """Return the rules that the command is about. Raises `UserError` for a name that none has."""
    from treering.core.errors import UserError
    from treering.detect._rule_files import load

    found = [rule for rule in load((*settings.rules.paths, *(files or ()))) if rule.id not in settings.rules.off]
    known = {rule.id: rule for rule in found}
    for name in ids or ():
        if name not in known:
            raise UserError(f"no rule is called {name!r}", hint="`treering rules list` names them")
    return [known[name] for name in ids] if ids else found


def _asker(client: Client) -> Ask:
    def ask(ppl: str, start_ns: int | None = None, end_ns: int | None = None) -> list[dict[str, Any]]:
        from treering.model.times import format_ns

        bounds = [None if at is None else format_ns(at) for at in (start_ns, end_ns)]
        answer = client.post("/api/query", {"query": ppl, "from": bounds[0], "to": bounds[1], "limit": 10_000})
        names = [column["name"] for column in answer["schema"]]
        return [dict(zip(names, row, strict=True)) for row in answer["datarows"]]

    return ask


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    from treering.cli._screen import console, safe

    table = Table(show_edge=False, header_style="bold")
    for number, head in enumerate(heads):
        table.add_column(head, no_wrap=not number)
    for row in rows:
        table.add_row(*(Text(safe(cell)) for cell in row))
    console().print(table)


def _json(value: Any) -> None:
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
