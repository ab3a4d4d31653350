"""`treering calibrate`: thresholds of the model of suspicious texts, by the traffic of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from treering.cli._options import Config, Data
from treering.core.errors import UserError

if TYPE_CHECKING:
    from treering.app.calibration import Listener
    from treering.app.config import Settings


def calibrate(
    paths: Annotated[list[str] | None, typer.Argument(help="Files, globs, directories; `-` is standard input.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="Stored records of the last 30d, 12h … instead.")] = None,
    out: Annotated[Path, typer.Option("--out", help="File to write.")] = Path("calibration.json"),
    data: Data = None,
    config: Config = None,
) -> None:
    """Set the thresholds of the model of suspicious texts so that own traffic keeps a budget of alarms.

    What the phrases call an attack is left out; the rest is taken as harmless.

    Example: treering calibrate --since 7d --out calibration.json
    """
    from treering.app.calibration import written
    from treering.cli import _connection
    from treering.cli._screen import console

    if bool(paths) == bool(since):
        raise UserError("nothing to calibrate on, or too much", hint="name files, or --since with a time span as 7d")
    settings = _connection.settings(config, data)
    listener = _heard(settings, tuple(paths or ()), since)
    found = listener.calibration()
    out.write_bytes(written(found))
    screen = console()
    for name, count in found.texts.items():
        screen.print(f"{name}: {count:,} texts", highlight=False)
    screen.print(f"{listener.attacks:,} left out as attacks", highlight=False)
    screen.print(f'written to {out}; in treering.toml: detect.settings.prompts.calibration = "{out}"', highlight=False)


def _heard(settings: Settings, paths: tuple[str, ...], since: str | None) -> Listener:
    import tempfile

    from treering.app.pipeline import open_store
    from treering.cli import _connection
    from treering.cli.ingest import read_into

    if since is not None:
        if _connection.server(settings) is not None:
            raise UserError("a server owns these data", hint="stop it, or name files")
        if not settings.directory.is_dir():
            raise UserError(f"no data directory {settings.directory}", hint="name it with --data")
        return _listened(settings, since)
    with tempfile.TemporaryDirectory(prefix="treering-calibrate-") as folder:
        temporary = msgspec.structs.replace(settings, data=folder, retention={})
        store = open_store(temporary)
        try:
            read_into(store, temporary, paths)
        finally:
            store.close()
        return _listened(temporary, None)


def _listened(settings: Settings, since: str | None) -> Listener:
    from treering.app.calibration import Listener
    from treering.app.config import seconds
    from treering.app.pipeline import open_store
    from treering.app.scan import Scan
    from treering.core.clock import SystemClock

    store, clock, listener = open_store(settings), SystemClock(), Listener()
    try:
        since_ns = clock.now_ns() - int(seconds(since) * 1e9) if since else None
        scan = Scan({"listener": lambda: listener}, store, clock, since_ns)
        while scan.step():
            pass
    finally:
        store.close()
    return listener
