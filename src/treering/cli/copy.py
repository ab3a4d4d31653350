"""`treering copy`: records from one store into another."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from treering.cli._options import Config, Data

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treering.app.config import Settings
    from treering.app.copying import Copied
    from treering.stage.store import Store


def copy(
    streams: Annotated[list[str] | None, typer.Argument(help="Streams or patterns; all, unless named.")] = None,
    source: Annotated[str, typer.Option("--from", help="The store that has the records.")] = "duckdb",
    target: Annotated[str, typer.Option("--to", help="The store that gets them.")] = "opensearch",
    opensearch_url: Annotated[
        list[str] | None, typer.Option("--opensearch-url", help="Address of a node; once for each.")
    ] = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Copy streams between the embedded store and OpenSearch; broken off, it goes on. Exit 1 if they differ.

    Example: treering copy logs spans --to opensearch --opensearch-url http://node-1:9200
    """
    from treering.app.copying import Copy
    from treering.cli import _connection
    from treering.cli._screen import EXIT_FINDINGS, progress
    from treering.core.errors import UserError

    settings = _with_nodes(_connection.settings(config, data), opensearch_url)
    if source == target:
        raise UserError(f"cannot copy from {source} to {source}", hint="name another store with --from or --to")
    if _connection.server(settings) is not None:
        raise UserError(f"a server owns {settings.directory}", hint="stop it first")
    patterns = streams or ["*"]
    with _opened(settings, source) as held, _opened(settings, target) as kept:
        infos = {pattern: held.streams(pattern) for pattern in patterns}
        if missing := [pattern for pattern in streams or [] if not infos[pattern]]:
            raise UserError(f"{source} has no stream {', '.join(missing)}")
        total = sum(info.rows for found in infos.values() for info in found)
        work = Copy(held, kept, patterns, settings.directory / f"copy-{source}-{target}.json")
        with progress("copying", total) as told:
            work.run(told)
        with progress("reading back", total) as told:
            found = work.verify(told)
    _shown(found)
    if not all(item.same for item in found):
        raise typer.Exit(EXIT_FINDINGS)


def _with_nodes(settings: Settings, urls: list[str] | None) -> Settings:
    import msgspec

    return msgspec.structs.replace(settings, opensearch={**settings.opensearch, "urls": urls}) if urls else settings


@contextlib.contextmanager
def _opened(settings: Settings, name: str) -> Iterator[Store]:
    """Give a store of these settings; each owns a directory of its own, for one process has both."""
    import msgspec

    from treering.app.pipeline import open_store

    folder = settings.directory if name == "duckdb" else settings.directory / "copy"
    # Nothing may go because of its age while it is compared; indexes of others have no numbers to go on from.
    about = {**settings.opensearch, "read": []}
    store = open_store(msgspec.structs.replace(settings, store=name, data=str(folder), opensearch=about, retention={}))
    try:
        yield store
    finally:
        store.close()


def _shown(found: Sequence[Copied]) -> None:
    from treering.cli._screen import console, safe

    screen = console()
    for item in found:
        state = "the same" if item.same else "NOT THE SAME"
        line = f"{safe(item.stream)}: {item.read:,} read, {item.found:,} in the copy, {state}"
        screen.print(line, style="" if item.same else "red")
    if not found:
        screen.print("nothing to copy")
