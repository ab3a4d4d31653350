"""`treering rules`: list, test, back-test and import rules, and what they cover."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from treering.cli._options import Config, Data, Report
from treering.cli._screen import as_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.app.config import Settings
    from treering.app.rulebook import Backtest
    from treering.detect._rule_files import Rule
    from treering.stage.detector import Ask

rules = typer.Typer(
    help="List rules, test their cases, replay them on what is stored, import Sigma's, and see what they cover.",
    epilog="Example: treering rules backtest new-attack.yml --since 30d",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)


class Map(StrEnum):
    """How coverage is written."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


Form = Annotated[Report, typer.Option("--format", help="How to write it.")]
Ids = Annotated[
    list[str] | None, typer.Argument(help="Ids of rules, or files of rules, of ours or of Sigma; all unless named.")
]
Files = Annotated[
    list[str] | None, typer.Option("--rules", help="A file of rules, or a directory of them; again for more.")
]
Values = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE,…", help="Values of a placeholder, %NAME% in a rule; again for more."),
]


@rules.command("list")
def listing(
    technique: Annotated[
        str, typer.Option("--technique", help="Only those that name it: LLM01, AML.T0051, T1059 …")
    ] = "",
    logsource: Annotated[
        str, typer.Option("--logsource", help="Only those about it: a stream (logs, spans), or Sigma's: linux, aws …")
    ] = "",
    files: Files = None,
    form: Form = Report.TEXT,
    config: Config = None,
) -> None:
    """List the rules: the shipped ones, and those of `[rules] paths` and --rules.

    Example: treering rules list --technique AML.T0053
    """
    from treering.cli import _rules_shown
    from treering.cli._rules_chosen import chosen, meant

    found = meant(chosen(_settings(config, None), files, None), technique, logsource)
    if form is Report.JSON:
        as_json([msgspec.to_builtins(rule) for rule in found])
    else:
        _rules_shown.listed(found)


@rules.command("test")
def cases(ids: Ids = None, files: Files = None, form: Form = Report.TEXT, config: Config = None) -> None:
    """Run the cases that rules carry, each in a store of its own; exit with 1 when one does not hold.

    Example: treering rules test my-rules.yaml
    """
    from treering.app.rulebook import check
    from treering.cli import _rules_shown
    from treering.cli._rules_chosen import chosen
    from treering.cli._screen import EXIT_FINDINGS, progress

    found = chosen(_settings(config, None), files, ids)
    with progress("testing", len(found)) as told:
        failed = check(found, told)
    if form is Report.JSON:
        as_json({"rules": len(found), "failed": [msgspec.to_builtins(item) for item in failed]})
    else:
        _rules_shown.tested(found, failed)
    if failed:
        raise typer.Exit(EXIT_FINDINGS)


@rules.command("backtest")
def backtest(
    ids: Ids = None,
    since: Annotated[str, typer.Option("--since", help="How far back: 30d, 12h …")] = "30d",
    inside: Annotated[
        list[str] | None,
        typer.Option("--in", metavar="FILE", help="Replay on log files instead, all that is in them; again for more."),
    ] = None,
    files: Files = None,
    form: Form = Report.TEXT,
    data: Data = None,
    config: Config = None,
) -> None:
    """Replay rules on what is stored: how often each would have been told a day, for whom, with records, at what cost.

    Example: treering rules backtest gpu-xid --since 7d
    """
    from treering.app.config import seconds
    from treering.cli import _connection, _rules_shown
    from treering.cli._rules_chosen import asking, chosen, reading
    from treering.core.clock import SystemClock

    settings = _settings(config, data)
    found = chosen(settings, files, ids)
    end_ns = SystemClock().now_ns()
    between_ns = (end_ns - seconds(since) * 10**9, end_ns)
    if inside:
        with reading(settings, inside) as ask:
            results, days = _replayed(found, ask, None)
    else:
        with _connection.connected(settings) as client:
            results, days = _replayed(found, asking(client), between_ns)
    if form is Report.JSON:
        as_json([msgspec.to_builtins(result) for result in results])
    else:
        _rules_shown.replayed(results, days)


def _replayed(found: Sequence[Rule], ask: Ask, between_ns: tuple[int, int] | None) -> tuple[list[Backtest], float]:
    """Return what rules would have told between two instants, or of all there is, and how many days those are."""
    from treering.app import rulebook
    from treering.cli._screen import progress

    if between_ns is None:
        all_of = rulebook.extent(found, ask)
        between_ns = (all_of.start_ns, all_of.end_ns) if all_of else (0, 0)
    days = rulebook.days(*between_ns)
    with progress("replaying", len(found) * len(days)) as told:
        results = list(rulebook.backtest(found, ask, *between_ns, told))
    return results, (between_ns[1] - between_ns[0]) / rulebook.DAY_NS


@rules.command("import")
def importing(
    paths: Annotated[list[str], typer.Argument(help="Sigma files, or directories of them.")],
    into: Annotated[
        Path | None,
        typer.Option(
            "--into", help="Directory to write to.", show_default="the first one of [rules] paths, else rules"
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Write files anew that are there already.")] = False,
    given: Values = None,
    form: Form = Report.TEXT,
    config: Config = None,
) -> None:
    """Make rules of Sigma files, and say which were refused and why. Nothing in a rule is run or fetched.

    Needs pip install 'treering[sigma]'. Example: treering rules import sigma/rules/cloud --into rules
    """
    from treering.app import rule_imports
    from treering.cli import _rules_shown
    from treering.cli._rules_chosen import values
    from treering.core.errors import UserError

    settings = _settings(config, None)
    folder = into or next((Path(path) for path in settings.rules.paths if not Path(path).is_file()), Path("rules"))
    report, files = rule_imports.read(paths, values(given))
    if not dry_run:
        rule_imports.write(report, files, folder, replace=replace)
    known = {Path(path).resolve() for path in settings.rules.paths}
    hint = "" if folder.resolve() in known else f'they count once [rules] has paths = ["{folder}"] in treering.toml'
    if form is Report.JSON:
        as_json(msgspec.to_builtins(report))
    else:
        _rules_shown.imported(report, dry=dry_run, hint=hint)
    if not report.rules:
        raise UserError("nothing was imported", hint="the lines above say why")


@rules.command("coverage")
def coverage(
    files: Files = None,
    form: Annotated[Map, typer.Option("--format", help="How to write it.")] = Map.TEXT,
    config: Config = None,
) -> None:
    """Show which techniques of OWASP's lists and MITRE ATLAS are claimed by what, and what of that is proven.

    Example: treering rules coverage --format markdown
    """
    from treering.app import rule_coverage
    from treering.cli import _rules_shown
    from treering.cli._rules_chosen import chosen

    found = rule_coverage.coverage(chosen(_settings(config, None), files, None))
    if form is Map.JSON:
        as_json([msgspec.to_builtins(technique) for technique in found])
    elif form is Map.MARKDOWN:
        sys.stdout.write(rule_coverage.markdown(found))
    else:
        _rules_shown.covered(found)


def _settings(config: Any, data: Any) -> Settings:
    from treering.cli import _connection

    return _connection.settings(config, data)
