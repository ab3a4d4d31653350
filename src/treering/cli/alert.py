"""`treering alert`: what fires, who was told, what is silenced."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlencode

import typer

from treering.cli._options import Config, Data, Report
from treering.cli._screen import as_json

if TYPE_CHECKING:
    from collections.abc import Sequence

alert = typer.Typer(
    help="List alerts and deliveries, silence, test a receiver.",
    epilog="Example: treering alert test pager",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)
Form = Annotated[Report, typer.Option("--format", help="How to write it.")]


@alert.command("list")
def listing(form: Form = Report.TEXT, data: Data = None, config: Config = None) -> None:
    """List what fires, what has just ended, and rules whose query fails."""
    from treering.cli._screen import console, safe

    answer = _get("/api/alerts", data, config)
    if form is Report.JSON:
        as_json(answer)
        return
    rows = [
        ("silenced" if a["silenced"] else a["status"], a["severity"], a["starts"][:19], a["rule"], a["summary"])
        for a in answer["alerts"]
    ]
    _table(("status", "severity", "since", "rule", "summary"), rows)
    for rule in answer["rules"]:
        if rule["error"]:
            console(stderr=True).print(safe(f"rule {rule['name']}: {rule['error']}"), style="red")


@alert.command("deliveries")
def deliveries(
    state: Annotated[str, typer.Option("--state", help="waiting, delivered or failed.")] = "",
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=1000, help="At most this many.")] = 50,
    form: Form = Report.TEXT,
    data: Data = None,
    config: Config = None,
) -> None:
    """List who was told what, who is still to be told, and what failed."""
    answer = _get(f"/api/alerts/deliveries?{urlencode({'state': state, 'limit': count})}", data, config)
    if form is Report.JSON:
        as_json(answer)
        return
    rows = [
        (d["created"][:19], d["state"], d["receiver"], str(len(d["alerts"])), str(d["attempts"]), d["error"], d["id"])
        for d in answer["deliveries"]
    ]
    _table(("created", "state", "receiver", "alerts", "attempts", "error", "id"), rows)


@alert.command("silence")
def silence(
    matchers: Annotated[list[str] | None, typer.Argument(help='Conditions on labels: alertname="error rate".')] = None,
    until: Annotated[str, typer.Option("--until", help="When it ends: now+2h or RFC 3339.")] = "now+1h",
    comment: Annotated[str, typer.Option("--comment", help="Why.")] = "",
    expire: Annotated[str, typer.Option("--expire", help="End the silence with this id instead.")] = "",
    receiver: Annotated[str, typer.Option("--receiver", help="List the silences of this Alertmanager instead.")] = "",
    data: Data = None,
    config: Config = None,
) -> None:
    """Silence alerts for a while; without matchers, list the silences.

    Example: treering alert silence 'alertname="error rate"' --until now+2h --comment rollout
    """
    from treering.cli import _connection

    with _connection.connected(_connection.settings(config, data)) as client:
        if receiver:
            path = f"/api/alerts/receivers/{quote(receiver, safe='')}/silences"
            as_json(client.get(path)["silences"])
            return
        if expire:
            found = [client.post(f"/api/alerts/silences/{quote(expire, safe='')}/expire", {})]
        elif matchers:
            found = [client.post("/api/alerts/silences", {"matchers": matchers, "until": until, "comment": comment})]
        else:
            found = client.get("/api/alerts")["silences"]
    rows = [
        (
            s["id"],
            "active" if s["active"] else "over",
            s["ends"] or "never",
            ", ".join(s["matchers"]),
            s["author"],
            s["comment"],
        )
        for s in found
    ]
    _table(("id", "state", "ends", "matchers", "author", "comment"), rows)


@alert.command("test")
def try_receiver(
    receiver: Annotated[str, typer.Argument(help="Name of a configured receiver.")],
    data: Data = None,
    config: Config = None,
) -> None:
    """Send a test alert to a receiver now; exit 1 when it does not take it."""
    from treering.cli import _connection
    from treering.cli._screen import EXIT_FINDINGS, console, safe

    with _connection.connected(_connection.settings(config, data)) as client:
        answer = client.post("/api/alerts/test", {"receiver": receiver})
    if answer["delivered"]:
        console().print(safe(f"{receiver} took delivery {answer['id']}"))
        return
    console(stderr=True).print(safe(f"{receiver}: {answer['error']}"), style="red")
    raise typer.Exit(EXIT_FINDINGS)


def _get(path: str, data: Path | None, config: Path | None) -> Any:
    from treering.cli import _connection

    with _connection.connected(_connection.settings(config, data)) as client:
        return client.get(path)


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    from treering.cli._screen import console, safe

    if not rows:
        console(stderr=True).print("none", style="dim")
        return
    table = Table(show_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(safe(cell)) for cell in row))
    console().print(table)
