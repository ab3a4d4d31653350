"""`treering scan`: the detectors over files, or over what is stored already."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from treering.cli._options import Config, Data
from treering.cli._screen import as_json
from treering.core.errors import Permanent, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from treering.app.config import Settings
    from treering.app.remote import Remote
    from treering.model.finding import Finding
    from treering.stage.store import Store

    Told = Callable[[dict[str, Any]], None]


class Shown(StrEnum):
    """How findings are written."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"


def scan(
    paths: Annotated[list[str] | None, typer.Argument(help="Files, globs, directories; `-` is standard input.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Scan the stored records of the last 30d, 12h … instead.")
    ] = None,
    detectors: Annotated[
        list[str] | None, typer.Option("--detector", help="Only this detector; again for more.")
    ] = None,
    form: Annotated[
        Shown | None,
        typer.Option("--format", help="How to write findings.", show_default="table on a terminal, else ndjson"),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 when something was found.")] = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Run the detectors over files, or with --since over what is stored; an interrupted scan goes on when repeated.

    Example: treering scan "logs/**/*.log.gz" app.jsonl --check
    """
    from treering.cli import _connection
    from treering.cli._screen import EXIT_FINDINGS

    if bool(paths) == bool(since):
        raise UserError("nothing to scan, or too much", hint="name files, or --since with a time span as 30d")
    settings = _connection.settings(config, data)
    if detectors:
        detect = msgspec.structs.replace(settings.detect, detectors=tuple(detectors))
        settings = msgspec.structs.replace(settings, detect=detect)
    shown = form or (Shown.TABLE if sys.stdout.isatty() else Shown.NDJSON)
    if paths:
        found = _files(settings, tuple(paths))
        count = _write([_record(finding) for finding in found], shown)
    else:
        count = _write(_stored(settings, since or ""), shown)
    if check and count:
        raise typer.Exit(EXIT_FINDINGS)


def _files(settings: Settings, paths: tuple[str, ...]) -> list[Finding]:
    """Return what is found in files, which are read into a store that goes away afterwards."""
    from treering.app import canaries
    from treering.app.detectors import makers
    from treering.app.pipeline import open_store
    from treering.app.scan import Scan
    from treering.cli.ingest import read_into
    from treering.core.clock import SystemClock

    make = makers(canaries.watching(settings.detect, settings.directory))
    with tempfile.TemporaryDirectory(prefix="treering-scan-") as folder:
        temporary = msgspec.structs.replace(settings, data=folder, retention={})
        store = open_store(temporary)
        try:
            read_into(store, temporary, paths)
            scan = Scan(make, store, SystemClock())
            with _told() as told:
                while scan.step():
                    told(scan.progress.shown())
            found = sorted(scan.found.values(), key=lambda finding: finding.noticed_ns)
            return [_from_file(store, finding) for finding in found]
        finally:
            store.close()


def _from_file(store: Store, finding: Finding) -> Finding:
    """Return a finding whose evidence names files instead of the records of a store that goes away."""
    evidence = []
    for shown in finding.evidence:
        record = store.record(shown.stream, shown.seq) or {}
        attributes = record.get("attributes")
        name = attributes.get("log.file.name", "") if isinstance(attributes, dict) else ""
        evidence.append(msgspec.structs.replace(shown, seq=-1, source=str(name)))
    return msgspec.structs.replace(finding, evidence=tuple(evidence))


def _stored(settings: Settings, since: str) -> list[dict[str, Any]]:
    """Scan what is stored, through the running server if there is one, and return the findings of that time."""
    from treering.app import canaries
    from treering.app.config import seconds
    from treering.cli import _connection

    seconds(since)
    if (remote := _connection.server(settings)) is not None:
        return _served(remote, since)
    from treering.app.ledger import Ledger
    from treering.app.pipeline import open_store
    from treering.app.scan import Scans
    from treering.core.clock import SystemClock

    if not settings.directory.is_dir():
        raise UserError(f"no data directory {settings.directory}", hint="name it with --data")
    store, clock = open_store(settings), SystemClock()
    try:
        detect = canaries.watching(settings.detect, settings.directory)
        scans = Scans(detect, store, Ledger(store, clock), clock, settings.directory)
        with _told() as told:
            found = scans.run(since, told)
    finally:
        store.close()
    return [_record(finding) for finding in sorted(found, key=lambda finding: finding.noticed_ns)]


def _served(remote: Remote, since: str) -> list[dict[str, Any]]:
    state = remote.post("/api/scan", {"since": since})
    with _told() as told:
        while state["running"]:
            told(state)
            time.sleep(0.2)
            state = remote.get("/api/scan")
    if state["trouble"]:
        raise Permanent(f"the scan ended: {state['trouble']}")
    found: list[dict[str, Any]] = remote.get(f"/api/findings?from=now-{since}&limit=1000")["findings"]
    return found[::-1]


@contextlib.contextmanager
def _told() -> Iterator[Told]:
    """Give what shows progress: a bar on a terminal, else nothing."""
    from rich import progress as bars

    from treering.cli._screen import console

    screen = console(stderr=True)
    if not screen.is_terminal:
        yield lambda _: None
        return
    columns = (bars.BarColumn(), bars.TaskProgressColumn(), bars.TextColumn("{task.description}", markup=False))
    with bars.Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task("", total=1.0)

        def told(at: dict[str, Any]) -> None:
            note = f"{at['records']:,} records, {at['records_per_second']:,}/s, {at['findings']} findings"
            bar.update(task, completed=at["share"], description=note)

        yield told


def _record(finding: Finding) -> dict[str, Any]:
    from treering.model.finding import to_record
    from treering.model.times import format_ns

    record = to_record(finding)
    return {**record, **{name: format_ns(record[name]) for name in ("@timestamp", "startTime", "endTime")}}


def _write(records: Iterable[dict[str, Any]], shown: Shown) -> int:
    held = list(records)
    if shown is Shown.JSON:
        as_json(held)
        return len(held)
    if shown is Shown.NDJSON:
        for record in held:
            sys.stdout.buffer.write(msgspec.json.encode(record) + b"\n")
        sys.stdout.buffer.flush()
        return len(held)
    from rich.table import Table
    from rich.text import Text

    from treering.cli._screen import console, safe

    table = Table(show_edge=False, header_style="bold")
    for name in ("time", "severity", "rule", "count", "what"):
        table.add_column(name, justify="right" if name == "count" else "left", overflow="fold")
    for record in held:
        about = record["finding"]
        rule = f"{about['detector']}/{about['rule']}"
        cells = (record["@timestamp"][:19], record["severityText"], rule, str(record["count"]), record["body"])
        table.add_row(*(Text(safe(cell)) for cell in cells))
    console().print(table)
    console(stderr=True).print(f"{len(held)} findings", style="dim")
    return len(held)
