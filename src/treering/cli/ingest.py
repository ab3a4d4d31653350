"""`treering ingest`: files of any format into a stream."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treering.cli._options import Config, Data

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treering.app.config import Settings
    from treering.receive._json_lines import Rejected
    from treering.receive.files import Files, Progress
    from treering.stage.source import Context
    from treering.stage.store import Store


def ingest(
    paths: Annotated[list[str], typer.Argument(help="Files, globs, directories; `-` is standard input.")],
    into: Annotated[str, typer.Option("--into", help="The stream that gets the records.")] = "logs",
    kind: Annotated[str, typer.Option("--format", help="`auto`, `json`, `otlp`, `csv` or `log`.")] = "auto",
    follow: Annotated[bool, typer.Option("--follow", help="Go on reading as the files grow, until Ctrl-C.")] = False,
    rejected: Annotated[Path | None, typer.Option("--rejected", help="Write lines that were not stored here.")] = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Read files of any format, .gz .zst .bz2 .xz too, through the running server if there is one.

    Example: treering ingest "logs/**/*.log.gz" app.jsonl --into logs
    """
    from treering.cli import _connection
    from treering.receive._blocks import expand
    from treering.receive.ingest import stream_name

    stream_name(into)
    settings = _connection.settings(config, data)
    if follow:
        asyncio.run(_follow(settings, tuple(paths), into, kind))
        return
    _found(expand(tuple(paths)))
    progress = asyncio.run(read_files(settings, tuple(paths), (into, kind), rejected))
    _summary(progress, into)


def _found(names: Sequence[str]) -> None:
    """Refuse a name that is none before anything is opened: a mistake must not leave an empty data directory."""
    from treering.core.errors import UserError
    from treering.receive.files import STDIN

    for name in names:
        if name != STDIN and not Path(name).exists():
            raise UserError(f"cannot read {name}: no such file or directory")


def read_into(store: Store, settings: Settings, paths: tuple[str, ...]) -> Progress:
    """Read files of any format into `store` as the server would, showing progress on a terminal."""
    from treering.receive import files

    with _filling(store, settings) as context:
        return asyncio.run(_read(files.build(files.Config(paths=paths), context)))


@contextlib.contextmanager
def _context(settings: Settings) -> Iterator[Context]:
    """Give what receivers work with: the running server as sink, or the store opened here."""
    from treering.app import pipeline
    from treering.app.remote import RemoteSink
    from treering.cli import _connection
    from treering.core.clock import SystemClock
    from treering.core.telemetry import Telemetry
    from treering.stage.source import Context

    if (remote := _connection.server(settings)) is not None:
        yield Context(RemoteSink(remote), SystemClock(), Telemetry())
        return
    store = pipeline.open_store(settings)
    try:
        with _filling(store, settings) as context:
            yield context
    finally:
        store.close()


@contextlib.contextmanager
def _filling(store: Store, settings: Settings) -> Iterator[Context]:
    """Give what receivers work with to fill a store of this process."""
    from concurrent.futures import ThreadPoolExecutor

    from treering.app import pipeline
    from treering.app.masking import masking
    from treering.app.sink import StoreSink
    from treering.core.clock import SystemClock
    from treering.core.telemetry import Telemetry
    from treering.stage.source import Context

    with ThreadPoolExecutor(2) as pool:
        telemetry = Telemetry()
        steps = pipeline.enrichers(settings, pipeline.open_templates(settings))
        sink = StoreSink(store, pool, enrichers=steps, telemetry=telemetry, masking=masking(settings, telemetry))
        try:
            yield Context(sink, SystemClock(), telemetry)
        finally:
            sink.close()


async def read_files(
    settings: Settings, paths: tuple[str, ...], target: tuple[str, str], rejected: Path | None
) -> Progress:
    """Read files into the stream and as the format that `target` names; lines not stored go to `rejected`."""
    from treering.receive import files

    with _context(settings) as context, contextlib.ExitStack() as stack:
        source = files.build(files.Config(paths=paths, into=target[0], format=target[1]), context)
        if rejected is not None:
            out = stack.enter_context(rejected.open("wb"))

            def keep(_name: str, line: Rejected) -> None:
                out.write(line.text + b"\n")

            source.on_rejected = keep
        return await _read(source)


async def _read(source: Files) -> Progress:
    """Read all files, showing progress on a terminal."""
    shown = asyncio.create_task(_show(source))
    try:
        await source.read()
    finally:
        shown.cancel()
        await asyncio.gather(shown, return_exceptions=True)
    return source.progress


async def _show(source: Files) -> None:
    """Draw a progress bar on a terminal: bytes of the files, records, rejected lines."""
    from rich import progress as bars

    from treering.cli._screen import console
    from treering.receive.files import STDIN

    screen = console(stderr=True)
    if not screen.is_terminal:
        return
    sizes = await asyncio.to_thread(_sizes, [name for name in source.names if name != STDIN])
    columns = (
        bars.BarColumn(),
        bars.DownloadColumn(),
        bars.TransferSpeedColumn(),
        bars.TimeRemainingColumn(),
        bars.TextColumn("{task.description}", markup=False),
    )
    with bars.Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task("", total=None if STDIN in source.names else sum(sizes))
        while True:
            at = source.progress
            note = f"{at.stored:,} records, {at.rejected:,} rejected"
            bar.update(task, completed=at.read, description=note)
            await asyncio.sleep(0.1)


def _sizes(names: list[str]) -> list[int]:
    return [Path(name).stat().st_size for name in names if Path(name).is_file()]


async def _follow(settings: Settings, paths: tuple[str, ...], into: str, kind: str) -> None:
    from treering.app.pipeline import follow_state
    from treering.receive import follow

    done = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, done.set)
    with _context(settings) as context:
        state = str(follow_state(settings.directory, into, paths))
        source = follow.build(follow.Config(paths=paths, into=into, format=kind, state=state), context)
        await source.start()
        typer.echo(f"following {len(paths)} paths into {into}; Ctrl-C ends it", err=True)
        await done.wait()
        await source.stop()
        typer.echo(f"{int(context.telemetry.value('treering_stored_records_total')):,} records stored", err=True)


def _summary(progress: Progress, into: str) -> None:
    from treering.cli._screen import EXIT_FINDINGS, console, safe, size

    screen = console(stderr=True)
    screen.print(f"{progress.stored:,} records stored in {into}, {size(progress.read)} read")
    for reason, count in progress.reasons.most_common():
        screen.print(f"rejected {count:,}: {safe(reason)}", style="yellow")
        for example in progress.examples[reason]:
            screen.print(f"    {safe(example[:120])}", style="dim")
    for problem in progress.damaged:
        screen.print(safe(problem), style="red")
    if progress.damaged:
        sys.exit(EXIT_FINDINGS)
