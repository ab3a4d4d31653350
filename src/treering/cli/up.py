"""`treering up`: the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from treering.cli._options import Config, Data

if TYPE_CHECKING:
    from treering.app.config import Settings


def up(  # noqa: PLR0913  # long: each parameter is an option of the command
    data: Data = None,
    config: Config = None,
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port", min=0, max=65535, help="Port of the page and the API; 0 takes a free one.", show_default="7600"
        ),
    ] = None,
    conventional: Annotated[
        bool | None,
        typer.Option(
            "--conventional-ports/--no-conventional-ports", help="Open 4317, 4318, 9200 … too.", show_default="open"
        ),
    ] = None,
    store: Annotated[
        str | None, typer.Option("--store", help="Where records are kept: duckdb or opensearch.", show_default="duckdb")
    ] = None,
    opensearch_url: Annotated[
        list[str] | None, typer.Option("--opensearch-url", help="Address of a node; once for each.")
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Play a known day of an AI platform into it.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Which day the demo plays.")] = 7,
    speed: Annotated[
        float, typer.Option("--speed", min=0.01, help="How fast the demo goes on after its history.")
    ] = 1.0,
    days: Annotated[float, typer.Option("--days", min=0.01, help="How many days the demo plays.")] = 1.0,
) -> None:
    """Start the server: page, API and receivers, until Ctrl-C or SIGTERM.

    Example: treering up --data /var/lib/treering --port 7600
    """
    from treering.app.config import check
    from treering.cli import _connection, _serve
    from treering.cli._demo import demo_folder, prepare

    settings = _overridden(_connection.settings(config, data), host, port, conventional)
    settings = _stored(settings, store, opensearch_url)
    if not demo:
        check(settings)
        _serve.run(settings)
        return
    with demo_folder(data) as folder:
        settings, day = prepare(settings, folder, seed, speed, days)
        check(settings)
        _serve.run(settings, day)


def _stored(settings: Settings, store: str | None, urls: list[str] | None) -> Settings:
    """Return the settings with the store that the command line names; a node's address names OpenSearch."""
    import msgspec

    if urls:
        table = {**settings.opensearch, "urls": urls}
        settings = msgspec.structs.replace(settings, store="opensearch", opensearch=table)
    return settings if store is None else msgspec.structs.replace(settings, store=store)


def _overridden(settings: Settings, host: str | None, port: int | None, conventional: bool | None) -> Settings:
    import msgspec

    changes = {"host": host, "port": port, "conventional": conventional}
    given = {name: value for name, value in changes.items() if value is not None}
    return msgspec.structs.replace(settings, listen=msgspec.structs.replace(settings.listen, **given))
