"""`treering incident`: what happened, who takes care of it, and its evidence."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlencode

import typer

from treering.cli._options import Config, Data, Report
from treering.cli._screen import as_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

incident = typer.Typer(
    help="List incidents, show one, take care of it, export its evidence.",
    epilog="Example: treering incident list --state open",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)
Id = Annotated[str, typer.Argument(help="Id of the incident; one that was merged leads to the one it is part of.")]
Form = Annotated[Report, typer.Option("--format", help="How to write it.")]
Comment = Annotated[str, typer.Option("--comment", help="Add a comment.")]
_WIDE = 120
_STYLES = {"critical": "bold white on red", "high": "red", "medium": "yellow", "low": "blue", "informational": "dim"}


@incident.command("list")
def listing(
    state: Annotated[str, typer.Option("--state", help="open, acknowledged, resolved, closed; several by comma.")] = "",
    kind: Annotated[str, typer.Option("--kind", help="security, performance, cost …; several by comma.")] = "",
    form: Form = Report.TEXT,
    data: Data = None,
    config: Config = None,
) -> None:
    """List incidents, those that ended last first.

    Example: treering incident list --state open --kind security
    """
    asked = urlencode({"state": state, "kind": kind})
    answer = _get(f"/api/incidents?{asked}", data, config)
    if form is Report.JSON:
        as_json(answer)
        return
    _listed(answer["incidents"])


def _listed(found: Sequence[Mapping[str, Any]]) -> None:
    """Print incidents: what identifies one is never broken, its title is, so that a narrow terminal shows all."""
    from rich.table import Table
    from rich.text import Text

    from treering.cli._screen import console, safe

    screen = console()
    if not found:
        console(stderr=True).print("no incidents", style="dim")
        return
    is_narrow = screen.width < _WIDE
    table = Table(show_edge=False, header_style="bold")
    for name in ("id", "severity", "state", *(() if is_narrow else ("kind", "start", "findings"))):
        table.add_column(name, no_wrap=True)
    table.add_column("title", overflow="fold")
    if not is_narrow:
        table.add_column("owner", overflow="fold")
    for item in found:
        severity = Text(item["severity"], style=_STYLES.get(item["severity"], ""))
        more = () if is_narrow else (item["kind"], item["start"][:19], str(item["findings"]))
        last = (item["title"],) if is_narrow else (item["title"], item["owner"])
        table.add_row(Text(item["id"]), severity, *(Text(safe(cell)) for cell in (item["state"], *more, *last)))
    screen.print(table)


@incident.command("show")
def show(identifier: Id, form: Form = Report.TEXT, data: Data = None, config: Config = None) -> None:
    """Show one incident: whom it concerns, its timeline, comments, evidence.

    Example: treering incident show inc-0123456789ab
    """
    answer = _get(_path(identifier), data, config)
    if form is Report.JSON:
        as_json(answer)
    else:
        _print(answer)


@incident.command("ack")
def ack(
    identifier: Id,
    owner: Annotated[str | None, typer.Option("--owner", help="Who takes care of it.")] = None,
    comment: Comment = "",
    data: Data = None,
    config: Config = None,
) -> None:
    """Acknowledge an incident: somebody takes care of it."""
    _change(identifier, {"state": "acknowledged", "owner": owner, "comment": comment}, data, config)


@incident.command("resolve")
def resolve(identifier: Id, comment: Comment = "", data: Data = None, config: Config = None) -> None:
    """Resolve an incident: it is over; findings that follow open it again."""
    _change(identifier, {"state": "resolved", "comment": comment}, data, config)


@incident.command("close")
def close(identifier: Id, comment: Comment = "", data: Data = None, config: Config = None) -> None:
    """Close an incident: it is worked up."""
    _change(identifier, {"state": "closed", "comment": comment}, data, config)


@incident.command("comment")
def comment(
    identifier: Id,
    text: Annotated[str, typer.Argument(help="The comment; `-` reads it from standard input.")],
    data: Data = None,
    config: Config = None,
) -> None:
    """Add a comment to an incident."""
    _change(identifier, {"comment": sys.stdin.read() if text == "-" else text}, data, config)


@incident.command("export")
def export(
    identifier: Id,
    into: Annotated[
        Path | None, typer.Option("--into", "-o", help="File to write.", show_default="ID-evidence.zip")
    ] = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Write the frozen evidence to a ZIP file with a manifest of hashes (`sha256sum -c SHA256SUMS` checks it)."""
    from treering.cli import _connection
    from treering.cli._screen import console

    with _connection.connected(_connection.settings(config, data)) as client:
        content = client.download(f"{_path(identifier)}/evidence?format=zip")
    target = into or Path(f"{Path(identifier).name}-evidence.zip")
    target.write_bytes(content)
    console(stderr=True).print(f"{target}: {len(content):,} bytes")


@incident.command("postmortem")
def postmortem(
    identifier: Id,
    html: Annotated[bool, typer.Option("--html", help="One HTML file with charts instead of Markdown.")] = False,
    into: Annotated[
        Path | None, typer.Option("--into", "-o", help="File to write.", show_default="standard output")
    ] = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Write a cited draft of the post-mortem, made from the record.

    Example: treering incident postmortem inc-0123456789ab --html --into postmortem.html
    """
    from treering.cli import _connection

    with _connection.connected(_connection.settings(config, data)) as client:
        content = client.download(f"{_path(identifier)}/postmortem?format={'html' if html else 'md'}")
    if into is None:
        sys.stdout.buffer.write(content)
    else:
        into.write_bytes(content)


def _path(identifier: str) -> str:
    return f"/api/incidents/{quote(identifier, safe='')}"


def _get(path: str, data: Path | None, config: Path | None) -> Any:
    from treering.cli import _connection

    with _connection.connected(_connection.settings(config, data)) as client:
        return client.get(path)


def _change(identifier: str, body: Mapping[str, Any], data: Path | None, config: Path | None) -> None:
    from treering.cli import _connection
    from treering.cli._screen import console, safe

    with _connection.connected(_connection.settings(config, data)) as client:
        answer = client.post(_path(identifier), body)
    owner = f", {answer['owner']}" if answer["owner"] else ""
    console(stderr=True).print(safe(f"{answer['id']} {answer['state']}{owner}: {answer['title']}"))


def _print(answer: Mapping[str, Any]) -> None:
    from treering.cli._screen import console, safe

    screen = console()
    screen.print(safe(f"{answer['id']}  {answer['title']}"), style="bold")
    owner = answer["owner"] or "nobody"
    screen.print(
        safe(f"{answer['severity']} {answer['kind']}, {answer['state']}, owner: {owner}, risk {answer['risk']}")
    )
    screen.print(f"{answer['start']} to {answer['end']}, noticed {answer['noticed']}")
    for kind in dict.fromkeys(entity["kind"] for entity in answer["entities"]):
        names = [entity["value"] for entity in answer["entities"] if entity["kind"] == kind]
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        screen.print(safe(f"  {kind}: {', '.join(names[:8])}{more}"))
    if answer["techniques"]:
        screen.print(safe(f"  techniques: {', '.join(answer['techniques'])}"))
    screen.print("timeline", style="bold")
    for moment in answer["timeline"]:
        stage = f"[{moment['tactic']['name']}] " if moment["tactic"] else ""
        screen.print(safe(f"  {moment['time'][:19]}  {stage}{moment['text']}"))
    for line in answer["history"]:
        screen.print(safe(f"  {line['at'][:19]}  {line['by']}: {line['what']} {line['after']}"), style="dim")
    records = answer["evidence"]["records"]
    screen.print(f"evidence: {len(records)} records frozen, bundle sha256 {answer['evidence']['sha256']}")
    for item in records[:5]:
        screen.print(safe(f"  {item['ref']}  {item['sha256'][:16]}"), style="dim")
