"""`treering playbook`: what to do about an incident, with its queries run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from treering.cli._options import Config, Data, Report
from treering.cli._screen import as_json

if TYPE_CHECKING:
    from collections.abc import Mapping

playbook = typer.Typer(
    help="List playbooks, show one, run one for an incident.",
    epilog="Example: treering playbook list",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)
Form = Annotated[Report, typer.Option("--format", help="How to write it.")]
_ROWS = 10


@playbook.command("list")
def listing(form: Form = Report.TEXT, data: Data = None, config: Config = None) -> None:
    """List the playbooks, those of your own directory included."""
    from treering.cli._screen import console, safe

    answer = _call("GET", "/api/playbooks", None, data, config)
    if form is Report.JSON:
        as_json(answer)
        return
    for item in answer["playbooks"]:
        console().print(safe(f"{item['playbook']:<16} {item['title']}  ({', '.join(item['kinds'])})"))


@playbook.command("show")
def show(
    name: Annotated[str, typer.Argument(help="Name of a playbook.")],
    form: Form = Report.TEXT,
    data: Data = None,
    config: Config = None,
) -> None:
    """Show a playbook as it is written."""
    from treering.cli._screen import console, safe

    answer = _call("GET", f"/api/playbooks/{quote(name, safe='')}", None, data, config)
    if form is Report.JSON:
        as_json(answer)
        return
    screen = console()
    screen.print(safe(answer["title"]), style="bold")
    for step in answer["steps"]:
        _heading(step)
        for text in step["queries"]:
            screen.print(safe(f"  {text}"), style="cyan")
        _checks(step)


@playbook.command("run")
def run(
    incident: Annotated[str, typer.Argument(help="Id of an incident.")],
    name: Annotated[str, typer.Option("--playbook", help="Another playbook than the fitting one.")] = "",
    step: Annotated[str, typer.Option("--step", help="Only this step, by its id.")] = "",
    form: Form = Report.TEXT,
    data: Data = None,
    config: Config = None,
) -> None:
    """Run the queries of a playbook for an incident and show their rows; nothing is changed.

    Example: treering playbook run inc-0123456789ab --step who-or-which-document
    """
    from treering.cli._screen import console, safe

    path = f"/api/incidents/{quote(incident, safe='')}/playbook"
    answer = _call("POST", path, {"playbook": name, "step": step}, data, config)
    if form is Report.JSON:
        as_json(answer)
        return
    console().print(safe(f"{answer['title']} for {answer['incident']}"), style="bold")
    for item in answer["steps"]:
        _heading(item)
        for found in item["answers"]:
            _rows(found)
        _checks(item)


@playbook.command("check")
def check(
    incident: Annotated[str, typer.Argument(help="Id of an incident.")],
    name: Annotated[str, typer.Argument(help="Name of the playbook.")],
    step: Annotated[str, typer.Argument(help="Id of the step.")],
    state: Annotated[str, typer.Option("--state", help="done, skipped or open.")] = "done",
    note: Annotated[str, typer.Option("--note", help="What came out.")] = "",
    data: Data = None,
    config: Config = None,
) -> None:
    """Note that a step of a playbook is done for an incident."""
    path = f"/api/incidents/{quote(incident, safe='')}/steps"
    body = {"playbook": name, "step": step, "state": state, "note": note}
    answer = _call("POST", path, body, data, config)
    done = sum(value != "open" for value in answer["steps"].values())
    from treering.cli._screen import console

    console(stderr=True).print(f"{done} of {len(answer['steps'])} steps")


def _call(method: str, path: str, body: Mapping[str, Any] | None, data: Path | None, config: Path | None) -> Any:
    from treering.cli import _connection

    with _connection.connected(_connection.settings(config, data)) as client:
        return client.get(path) if method == "GET" else client.post(path, body or {})


def _heading(step: Mapping[str, Any]) -> None:
    from treering.cli._screen import console, safe

    state = f" [{step['state']}]" if step.get("state", "open") != "open" else ""
    console().print()
    console().print(safe(f"{step['title']}{state}  ({step['id']})"), style="bold")
    for line in step["text"].splitlines():
        console().print(safe(line))


def _checks(step: Mapping[str, Any]) -> None:
    from treering.cli._screen import console, safe

    for text in step["checks"]:
        console().print(safe(f"  [ ] {text}"))


def _rows(found: Mapping[str, Any]) -> None:
    from treering.cli import _tables
    from treering.cli._screen import console, safe

    screen = console()
    screen.print(safe(f"  {found['query']}"), style="cyan")
    if found["note"]:
        screen.print(safe(f"  {found['note']}"), style="dim")
        return
    _tables.show(found["schema"], found["datarows"][:_ROWS])
    if (more := len(found["datarows"]) - _ROWS) > 0:
        screen.print(f"  and {more} more rows", style="dim")
